"""Pictures of the lake on their way into a release: their bytes, their hashes, and the error where one is gone."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mlm_assets.errors import MlmError
from mlm_assets.release.frozen import Frozen

Result = TypeVar("Result")


class Pictures:
    """The pictures of a frozen release. Each is read once for its hash, in however many variants it is."""

    def __init__(self, frozen: Frozen) -> None:
        self._frozen = frozen
        self._sha256: dict[str, str] = {}

    def bytes_of(self, name: str, path: str) -> bytes:
        """Return the JPEG that is published as `name` and lies at `path` in the lake.

        Raises:
            MlmError: it is not there any more; so for the other methods.
        """
        return _of_the_lake(self._frozen.picture, name, path)

    def sha256(self, name: str, path: str) -> str:
        """Return the SHA-256 of a picture's bytes."""
        if path not in self._sha256:
            self._sha256[path] = hashlib.sha256(self.bytes_of(name, path)).hexdigest()
        return self._sha256[path]

    def link(self, name: str, path: str, target: Path) -> None:
        """Make `target` the same file as the picture."""
        _of_the_lake(self._frozen.link_picture, name, path, target)


def _of_the_lake(ask: Callable[..., Result], name: str, path: str, *more: Any) -> Result:
    try:
        return ask(path, *more)
    except FileNotFoundError as error:
        raise MlmError(
            f"The picture {path} of {name} is not in the lake any more. "
            "Materialise the images of its shard again; see `mlm verify`."
        ) from error
