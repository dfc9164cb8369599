"""Whether the bytes of a release are what its tables say: versions by their names, pictures by their hashes.

Everything is read once, in pieces; problems are counted all, and kept up to a number. What to do about a problem
belongs to whoever asked.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.lineage import records
from mlm_assets.media.pictures import SIDE_PX
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.tables import TABLES

KEPT_PROBLEMS: Final = 1_000
_PIECE_BYTES: Final = 1 << 20
_BATCH: Final = 256
_THREADS: Final = 2

Progress = Callable[[str, int, int], None]
"""Told what is looked at, how many are done, and how many there are."""


@dataclass(frozen=True)
class Problem:
    """A file that is not what it should be: `kind` is missing, changed, rows, or undecodable."""

    kind: str
    what: str
    file: str
    sentence: str


@dataclass
class Verified:
    """What was looked at, and what is wrong; of very many problems only the first are kept."""

    release: str
    n_versions: int = 0
    n_pictures: int = 0
    n_pictures_of: int = 0
    n_problems: int = 0
    problems: list[Problem] = field(default_factory=list)

    def note(self, problem: Problem | None) -> None:
        """Count a problem, and keep it if there is room."""
        if problem is not None:
            self.n_problems += 1
            if len(self.problems) < KEPT_PROBLEMS:
                self.problems.append(problem)


def verify(lake: Lake, release: str, sample: int | None = None, progress: Progress | None = None) -> Verified:
    """Check every version and every stored picture of a release; of pictures only `sample`, where that is given.

    The sample is the same each time: the pictures whose paths have the smallest hashes.

    Raises:
        Refused: there is no such release, or `sample` is negative.
    """
    records.require_release(lake, release)
    if sample is not None and sample < 0:
        raise Refused("--sample takes the number of pictures to look at, 0 or more.")
    say = progress or (lambda *_: None)
    found = Verified(release)
    versions = versions_of(lake, release)
    pictured = []
    for number, version in enumerate(versions, start=1):
        problem = _version_problem(lake, version)
        found.note(problem)
        if problem is None and version.table == "images":
            pictured.append(version)
        say("versions", number, len(versions))
    found.n_versions = len(versions)
    _pictures(lake, pictured, sample, say, found)
    return found


def versions_of(lake: Lake, release: str) -> list[Version]:
    """Return every version that a release is made of: those that its manifest pins, and its own tables."""
    own = [
        accepted
        for name, table in TABLES.items()
        if "release" in table.partitioned_by and (accepted := lake.accepted(name, release)) is not None
    ]
    return [*records.manifest(lake, release)[0], *own]


def _version_problem(lake: Lake, version: Version) -> Problem | None:
    what, file = f"{version.table} {version.partition}".strip(), lake.full_path(version.path)
    try:
        digest = _sha256(lake, version.path)
    except FileNotFoundError:
        return Problem("missing", what, file, f"{what}: version {version.version} is not there")
    except OSError as error:
        return Problem("missing", what, file, f"{what}: version {version.version} cannot be read ({error.strerror})")
    if digest[:20] != version.version:
        said = f"{what}: the bytes of version {version.version} are not those that gave it its name"
        return Problem("changed", what, file, said)
    n_rows = _n_rows(lake, version)
    if n_rows != version.n_rows:
        return Problem("rows", what, file, f"{what}: {n_rows:,} rows, where {version.n_rows:,} are noted")
    return None


def _sha256(lake: Lake, path: str) -> str:
    digest = hashlib.sha256()
    with lake.fs.open(lake.full_path(path), "rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _n_rows(lake: Lake, version: Version) -> int:
    """Return how many rows a Parquet file has, by its footer."""
    import pyarrow.parquet as pq

    with lake.fs.open(lake.full_path(version.path), "rb") as file:
        return int(pq.ParquetFile(file, pre_buffer=False).metadata.num_rows)


def _pictures(lake: Lake, versions: list[Version], sample: int | None, say: Progress, found: Verified) -> None:
    if not versions:
        return
    with lake.connect() as connection, ThreadPoolExecutor(_THREADS, thread_name_prefix="verify") as threads:
        connection.execute(
            "CREATE TABLE pictures AS "
            "SELECT DISTINCT path, picture_sha256 FROM read_parquet($files) WHERE status = 'ok'",
            {"files": lake.sources(versions)},
        )
        found.n_pictures_of = int(connection.execute("SELECT count(*) FROM pictures").fetchall()[0][0])
        n_wanted = found.n_pictures_of if sample is None else min(sample, found.n_pictures_of)
        connection.execute(
            "SELECT path, picture_sha256 FROM pictures ORDER BY md5(path), picture_sha256 LIMIT $n", {"n": n_wanted}
        )
        for batch in _batches(connection):
            for problem in threads.map(lambda row: _picture_problem(lake, *row), batch):
                found.note(problem)
            found.n_pictures += len(batch)
            say("pictures", found.n_pictures, n_wanted)


def _batches(connection: Any) -> Iterator[list[tuple[str, str]]]:
    while batch := connection.fetchmany(_BATCH):
        yield batch


def _picture_problem(lake: Lake, path: str | None, sha256: str | None) -> Problem | None:
    if path is None or sha256 is None:
        return Problem("missing", "picture", "", "a picture is noted as stored, without path or hash")
    file = lake.full_path(path)
    try:
        data = lake.read_bytes(path)
    except OSError:
        return Problem("missing", "picture", file, f"picture {path} is not there")
    if hashlib.sha256(data).hexdigest() != sha256:
        return Problem("changed", "picture", file, f"picture {path} does not have the hash {sha256}")
    fault = _fault(data)
    return Problem("undecodable", "picture", file, f"picture {path}: {fault}") if fault is not None else None


def _fault(data: bytes) -> str | None:
    """Return what keeps bytes from being a padded picture, None where they are one."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
            is_right = image.size == (SIDE_PX, SIDE_PX) and image.mode == "RGB"
            return (
                None if is_right else f"{image.size[0]} x {image.size[1]} {image.mode}, not {SIDE_PX} x {SIDE_PX} RGB"
            )
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
        return f"cannot be decoded ({error})"


def as_json(found: Verified) -> dict[str, Any]:
    """Return what was found as plain data."""
    return {
        "release": found.release,
        "n_versions": found.n_versions,
        "n_pictures": found.n_pictures,
        "n_pictures_of": found.n_pictures_of,
        "n_problems": found.n_problems,
        "problems": [asdict(problem) for problem in found.problems],
    }
