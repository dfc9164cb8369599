"""What goes with a published picture: its licence, author, credit and source, from the table `attribution`.

Licences are decided there and nowhere else (`release.licences`); a builder that would publish a picture which is
held back, or which nobody has judged, is stopped here.
"""

from collections.abc import Sequence
from typing import Any, Final

from mlm_assets.errors import MlmError

COLUMNS: Final = ("licence_id", "licence", "licence_url", "author", "credit", "source_url")
"""Columns of `attribution` that go with every picture."""


class Credits:
    """The rows of `attribution` (a pyarrow table) that are pictures, by their published name such as Q64_0.jpg."""

    def __init__(self, attribution: Any) -> None:
        import pyarrow.compute as pc

        pictures = attribution.filter(pc.equal(attribution["kind"], "image"))
        self._withheld: dict[str, str] = {
            row["name"]: row["withheld"]
            for row in pictures.filter(pc.is_valid(pictures["withheld"])).select(["name", "withheld"]).to_pylist()
        }
        published = pictures.filter(pc.is_null(pictures["withheld"]))
        self._number: dict[str, int] = {name: at for at, name in enumerate(published["name"].to_pylist())}
        self._rows = published.select(list(COLUMNS)).combine_chunks()

    def of(self, names: Sequence[str]) -> Any:
        """Return a pyarrow table with `COLUMNS`, one row per name, in their order.

        Raises:
            MlmError: one of them is withheld, or has no row.
        """
        import pyarrow as pa

        try:
            numbers = [self._number[name] for name in names]
        except KeyError as error:
            name = str(error.args[0])
            why = f"is withheld ({self._withheld[name]})" if name in self._withheld else "has no row in `attribution`"
            raise MlmError(
                f"The picture {name} {why}, and cannot be published. Materialise `attribution` of this release again."
            ) from error
        return self._rows.take(pa.array(numbers, pa.int64()))

    def info(self, images: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return name, file and `COLUMNS` of the images of a row, in their order."""
        said = self.of([image["name"] for image in images]).to_pylist()
        return [
            {"name": image["name"], "file": image["file"], **rights} for image, rights in zip(images, said, strict=True)
        ]
