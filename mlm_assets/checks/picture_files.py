"""Whether the pictures that `images` speaks of are in the lake and are what it says, on a fixed sample.

All pictures are verified when they are written; here 200 of a partition are read again, the same ones each time, for
they are drawn by a hash of their path. No other check reads the bytes of images.
"""

import hashlib
import io
from typing import Any, Final

from mlm_assets.resources.lake import Lake, Version

SAMPLE: Final = 200
SIDE_PX: Final = 256


def stored_pictures(lake: Lake, version: Version, connection: Any, n: int = SAMPLE) -> Any:
    """Return (qid, file, path, picture_sha256, fault) of at most `n` pictures of `audited`; fault is null if none."""
    import pyarrow as pa

    sample = connection.execute(
        """
        SELECT min(qid) AS qid, min(file) AS file, path, picture_sha256
        FROM audited
        WHERE status = 'ok' AND path IS NOT NULL
        GROUP BY path, picture_sha256
        ORDER BY sha256(path), picture_sha256
        LIMIT ?
        """,
        [n],
    ).fetchall()
    faults = [picture_fault(lake, path, stated) for _, _, path, stated in sample]
    columns = {
        name: pa.array([row[place] for row in sample], pa.string())
        for place, name in enumerate(("qid", "file", "path", "picture_sha256"))
    }
    return pa.table({**columns, "fault": pa.array(faults, pa.string())})


def picture_fault(lake: Lake, path: str, stated_sha256: str | None) -> str | None:
    """Return what is wrong with the picture at `path` of the lake, None if it is what a row says."""
    try:
        data = lake.read_bytes(path)
    except FileNotFoundError:
        return "it is not in the lake"
    found = hashlib.sha256(data).hexdigest()
    if found != stated_sha256:
        return f"its bytes hash to {found[:12]}…"
    return _decoding_fault(data)


def _decoding_fault(data: bytes) -> str | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            shape = f"{picture.format} {picture.mode} {picture.width} x {picture.height}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"it cannot be decoded: {error}"
    wanted = f"JPEG RGB {SIDE_PX} x {SIDE_PX}"
    return None if shape == wanted else f"it is a {shape}, not a {wanted}"
