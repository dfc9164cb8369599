"""Weights that come as one file of PyTorch: found, fetched, held against their SHA-256, and read without running code.

Models of Hugging Face do not belong here (`hub`).
"""

import hashlib
import io
import os
import re
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK: Final = 1 << 20
MOST_BYTES: Final = 2_000_000_000
"""More than any of these files has; a server that sends more is refused."""
_TIMEOUT_S: Final = (10, 60)


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits; remembered for as long as size and time stay the same."""
    about = file.stat()
    return _file_sha256(file, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=256)
def _file_sha256(file: Path, size_bytes: int, changed_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class WeightsFile:
    """A file of weights on this machine or at an address, with the SHA-256 that it must have.

    Raises:
        Refused: an address without a hash or that is not HTTP, a hash that is none, or no such file.
    """

    def __init__(self, where: str, sha256: str | None, cache: Path | None = None) -> None:
        self._url = where if _URL.match(where) else None
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise Refused(f"{sha256!r} is no SHA-256; it has 64 digits from 0 to 9 and a to f.")
        if self._url is not None:
            if not where.lower().startswith(("https://", "http://")):
                raise Refused(f"Weights are fetched by http or https alone; {where} is neither.")
            if sha256 is None:
                raise Refused(f"Weights from {where} need their hash: write {where}#sha256=... at the end.")
            self._path = (cache or _cache_folder()) / f"{sha256}.weights"
        else:
            self._path = Path(where).expanduser()
            if not self._path.is_file():
                raise Refused(f"There is no file of weights at {where}.")
        self._given = sha256

    @property
    def sha256(self) -> str:
        """The hash that was given, else that of the file."""
        return self._given or file_sha256(self._path)

    def state(self) -> Mapping[str, Any]:
        """Return what the file holds, fetched first if need be; hash and bytes are taken from one reading.

        Raises:
            Refused: it cannot be fetched, has another hash, or holds anything but tensors, numbers and containers.
        """
        if self._url is not None and not self._path.is_file():
            _fetch(self._url, self._path, self.sha256)
        data = self._path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise Refused(f"{self._path} has the SHA-256 {found}, but {self.sha256} was expected; it was not opened.")
        return read_state(data, str(self._path))


def read_state(data: bytes, where: str) -> Mapping[str, Any]:
    """Return the dictionary in a checkpoint of PyTorch, old format or new; nothing in it is executed.

    Raises:
        Refused: the bytes are no checkpoint, or hold objects other than tensors, numbers and containers.
    """
    import torch

    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        # Bytes that are no checkpoint make the reader fail in nearly any way; it executes nothing all the same.
        reason = " ".join(str(error).split())[:200]
        raise Refused(f"{where} holds something other than weights and was not opened ({reason}).") from error
    if not isinstance(state, Mapping):
        raise Refused(f"{where} holds a {type(state).__name__}, not a dictionary of weights.")
    return state


def load_strictly(model: Any, state: Mapping[str, Any], where: str) -> None:
    """Give a model its weights; every one must be there, in its shape, and none too many.

    Raises:
        Refused: they are not those of this architecture; the message says which is the first.
    """
    wanted = model.state_dict()
    # Checkpoints from before PyTorch 0.4.1 do not count the batches that batch norm has seen; evaluation does not ask.
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    strange = [key for key in state if key not in wanted]
    if missing or strange:
        first = f"{missing[0]} is missing" if missing else f"{strange[0]} does not belong"
        raise Refused(
            f"{where} are not the weights of this network: {first} ({len(missing)} missing, {len(strange)} strange)."
        )
    for key, tensor in state.items():
        if getattr(tensor, "shape", None) != wanted[key].shape:
            shape = tuple(getattr(tensor, "shape", ()))
            raise Refused(f"{where}: {key} has the shape {shape}, not {tuple(wanted[key].shape)}.")
    model.load_state_dict(state, strict=False)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mlm_assets" / "weights"


def _fetch(url: str, path: Path, sha256: str) -> None:
    """Fetch a file under a temporary name; it gets its own only with the right hash."""
    import requests

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream, requests.get(url, stream=True, timeout=_TIMEOUT_S) as answer:
            answer.raise_for_status()
            found = _copy(answer, stream, url)
        if found != sha256:
            raise Refused(f"{url} has the SHA-256 {found}, but {sha256} was expected; it was thrown away unopened.")
        unfinished.replace(path)
    except requests.RequestException as error:
        raise Refused(f"{url} cannot be fetched ({error}); fetch it elsewhere and give its path.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _copy(answer: Any, stream: Any, url: str) -> str:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in answer.iter_content(_CHUNK):
        size_bytes += len(chunk)
        if size_bytes > MOST_BYTES:
            raise Refused(f"{url} sends more than {MOST_BYTES:,} bytes; these are not the weights.")
        digest.update(chunk)
        stream.write(chunk)
    return digest.hexdigest()
