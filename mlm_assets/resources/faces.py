"""What a detector found in pictures, kept in the lake by the pictures' hashes: each is looked at once, ever.

Layout: `faces/<detector>/<kk>.json`, by the first two digits of the SHA-256 of the padded picture, which map the hash
to the share of the picture that its largest face covers. A file is written whole when its pictures are done, so that a
process that is killed goes on with the next.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

from mlm_assets.media.faces import FaceDetector
from mlm_assets.resources.lake import Lake

ROOT: Final = "faces"


def face_shares(
    lake: Lake, detector: FaceDetector, pictures: Mapping[str, str], progress: Callable[[int], None] = lambda _: None
) -> dict[str, float]:
    """Return the share that a face covers of each picture, by its hash; what is not known yet is looked at and kept.

    `pictures` maps the SHA-256 of a padded picture to its path in the lake. `progress` is told how many are done.
    """
    found: dict[str, float] = {}
    buckets: dict[str, list[str]] = {}
    for sha256 in sorted(pictures):
        buckets.setdefault(sha256[:2], []).append(sha256)
    for bucket, wanted in buckets.items():
        path = f"{ROOT}/{detector.name}/{bucket}.json"
        with lake.lock(f"{ROOT}-{detector.name}-{bucket}"):
            known = _read(lake, path)
            new = {one: detector.largest_share(lake.read_bytes(pictures[one])) for one in wanted if one not in known}
            if new:
                known |= new
                lake.write_bytes(path, json.dumps(known, indent=0, sort_keys=True).encode())
        found |= {one: known[one] for one in wanted}
        progress(len(wanted))
    return found


def forget(lake: Lake, hashes: set[str]) -> list[str]:
    """Remove what is kept of the pictures with these hashes, of every detector; return the files that changed."""
    changed = []
    for detector in lake.list_names(ROOT):
        for name in lake.list_names(f"{ROOT}/{detector}"):
            path = f"{ROOT}/{detector}/{name}"
            with lake.lock(f"{ROOT}-{detector}-{name.removesuffix('.json')}"):
                known = _read(lake, path)
                left = {one: share for one, share in known.items() if one not in hashes}
                if len(left) < len(known):
                    lake.write_bytes(path, json.dumps(left, indent=0, sort_keys=True).encode())
                    changed.append(path)
    return changed


def _read(lake: Lake, path: str) -> dict[str, float]:
    try:
        return dict(json.loads(lake.read_bytes(path)))
    except FileNotFoundError:
        return {}
    except ValueError:
        return {}  # damaged: as good as none, so its pictures are looked at again
