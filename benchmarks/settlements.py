"""Facts to settlements for 250,000 candidates, from files: rows a second and peak memory, in a fresh interpreter."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mlm_assets.resources.lake import Lake, Version, conform
from mlm_assets.tables import EARTH, FACTS, IMAGE_PROPERTIES, LABEL_LANGUAGES, LANGUAGES, TABLES

N_CANDIDATES = 250_000

_FACTS = """
WITH items AS (SELECT 'Q' || (1000 + n) AS qid, n FROM range({n}) AS numbers(n)),
rows AS (
    SELECT qid, 'P31' AS property, 'Q' || (515 + n % 90) AS value, 'class ' || (n % 90) AS label FROM items
    UNION ALL SELECT qid, 'version', CAST(n AS VARCHAR), NULL FROM items
    UNION ALL SELECT qid, 'modified', '2026-01-01T00:00:00Z', NULL FROM items
    UNION ALL SELECT qid, 'P1082', CAST(n * 7 AS VARCHAR), NULL FROM items
    UNION ALL SELECT qid, 'P18', 'File ' || n || '.jpg', NULL FROM items WHERE n % 5 <> 0
    UNION ALL SELECT qid, 'P94', 'Arms ' || n || '.svg', NULL FROM items WHERE n % 3 = 0
),
texts AS (
    SELECT qid, property, lang, 'Place ' || n AS value
    FROM items, (SELECT unnest(['en', 'de', 'fr', 'it', 'es', 'pl']) AS lang),
        (SELECT unnest(['label', 'sitelink']) AS property)
    WHERE (n + length(lang)) % 7 <> 0
),
places AS (
    SELECT qid, (n * 7919 % 140000) / 1000.0 - 60 AS lat, (n * 104729 % 360000) / 1000.0 - 180 AS lon, n FROM items
)
SELECT qid, property, value, NULL AS lang, label, NULL AS country_code, NULL AS lat_deg, NULL AS lon_deg,
    NULL AS globe_qid, NULL AS statement, NULL AS answer_key FROM rows
UNION ALL SELECT qid, property, value, lang, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM texts
UNION ALL SELECT qid, 'P17', 'Q183', NULL, NULL, 'DE', NULL, NULL, NULL, NULL, NULL FROM places WHERE n % 10 <> 0
UNION ALL SELECT qid, 'P625', 'Point', NULL, NULL, NULL, lat, lon, 'Q2', 's' || n, NULL FROM places WHERE n % 20 <> 0
UNION ALL SELECT qid, 'P625', 'Point', NULL, NULL, NULL, lat + 0.01, lon, 'Q2', 't' || n, NULL
    FROM places WHERE n % 9 = 0
"""


def measure_settlements() -> dict[str, Any]:
    """Return rows a second and peak memory of deciding 250,000 candidates in one shard, the worst case."""
    with tempfile.TemporaryDirectory() as folder:
        version = _write_facts(Path(folder))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.settlements", folder, version.version, str(version.n_rows)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    return dict(json.loads(done.stdout))


def _write_facts(folder: Path) -> Version:
    lake = Lake(folder)
    with lake.connect() as connection:
        rows = connection.sql(_FACTS.format(n=N_CANDIDATES)).to_arrow_table()
        ids = connection.sql(f"SELECT 'Q' || (1000 + n) AS qid, '00' AS shard, ['Q515'] AS class_qids, 1 AS revision "
                             f"FROM range({N_CANDIDATES}) AS numbers(n)").to_arrow_table()  # fmt: skip
    lake.write("candidates", "", ids)
    classes = [f"Q{515 + n}" for n in range(90)]
    import pyarrow as pa

    lake.write(
        "settlement_classes", "",
        pa.table({"class_qid": classes, "hop": [1] * 90, "parent_qids": [["Q486972"]] * 90,
                  "labels": pa.array([[]] * 90, pa.map_(pa.string(), pa.string()))}),
    )  # fmt: skip
    return lake.write("facts", "00", conform(FACTS, rows))


def _decide(folder: str, facts: Version) -> dict[str, Any]:
    from mlm_assets.assets import entities

    lake = Lake(folder)
    stored = {name: _only_version(lake, name) for name in ("candidates", "settlement_classes")}
    before_mb = _peak_memory_mb()
    began = time.perf_counter()
    verdicts = lake.transform(
        "verdicts",
        {"facts": [facts], "candidates": [stored["candidates"]], "settlement_classes": [stored["settlement_classes"]]},
        {
            "shard": "00",
            "earth": EARTH,
            "languages": list(LANGUAGES),
            "label_languages": list(LABEL_LANGUAGES),
            "image_properties": list(IMAGE_PROPERTIES),
        },
    )
    accepted = lake.transform("settlements", {"verdicts": verdicts, "countries": entities.country_rows(verdicts)})
    rejected = lake.transform("rejections", {"verdicts": verdicts})
    lake.write("settlements", "00", accepted)
    lake.write("rejections", "00", rejected)
    seconds = time.perf_counter() - began
    return {
        "candidates": verdicts.num_rows,
        "facts": facts.n_rows,
        "settlements": accepted.num_rows,
        "rejections": rejected.num_rows,
        "seconds": round(seconds, 2),
        "facts_per_second": round(facts.n_rows / seconds),
        "candidates_per_second": round(verdicts.num_rows / seconds),
        "peak_memory_mb": _peak_memory_mb(),
        "memory_before_mb": before_mb,
    }


def _peak_memory_mb() -> int:
    """Return the peak of this process alone; `ru_maxrss` would be that of the parent until it is exceeded."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024


def _only_version(lake: Lake, name: str) -> Version:
    files = lake.list_names(f"tables/{TABLES[name].name}/all")
    return Version(name, "", files[0].removesuffix(".parquet"), 0)


if __name__ == "__main__":
    _folder, _version, _n_rows = sys.argv[1:]
    sys.stdout.write(json.dumps(_decide(_folder, Version("facts", "00", _version, int(_n_rows)))))
