"""All constraint checks of a release of 250,000 settlements: seconds, and memory at its peak.

Tables are synthetic and sound, in eight shards: 500,000 candidates, 5 M facts, 1.4 M summaries, 450,000 images, a
million rows each of `eligible` and `members`, and four datasets. They are made in this process and audited in another,
so that the memory is that of the audit. The pictures of the images are not there: bytes are another measurement.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

N_SETTLEMENTS = 250_000
N_SHARDS = 8
RELEASE = "2026-12"
BOUNDS = {"t_min": 20, "t_max": 500}
WITHOUT_BYTES = "pictures_are_stored"

_PEOPLE = """
CREATE TABLE places AS
WITH numbered AS (
    SELECT n, 'Q' || (n + 1000) AS qid, n < {n} AS is_settlement FROM range({n} * 2) AS numbers (n)
)
SELECT
    *,
    printf('%02x', CAST(floor(
        CAST('0x' || substr(sha256('mlm/shard/1:' || qid), 1, 12) AS BIGINT) / 281474976710656.0 * {shards}
    ) AS BIGINT)) AS shard,
    round((hash(n) % 120000) / 1000.0 - 60, 4) AS lat_deg,
    round((hash(n + 7) % 340000) / 1000.0 - 170, 4) AS lon_deg,
    ['DE', 'FR', 'PL', 'US', 'BR'][n % 5 + 1] AS country_code,
    CASE WHEN n < 150000 THEN 6 WHEN n < {n} - 10000 THEN 5 ELSE 4 END AS n_languages,
    CASE WHEN n % 5 < 4 THEN 2 ELSE 1 END AS n_images
FROM numbered
"""
_SQL = {
    "settlement_classes": """
        SELECT 'Q486972' AS class_qid, 0 AS hop, CAST([] AS VARCHAR[]) AS parent_qids, map {'en': 'place'} AS labels
        UNION ALL
        SELECT 'Q' || n, 1, ['Q486972'], map {'en': 'class ' || n} FROM range(1, 900) AS classes (n)
    """,
    "candidates": "SELECT qid, shard, ['Q' || (n % 800 + 1)] AS class_qids, 7 AS revision FROM places",
    "facts": """
        SELECT qid, said.property AS property, said.value AS value, said.lang AS lang, NULL AS label,
            said.country_code AS country_code,
            CASE said.property WHEN 'P625' THEN lat_deg END AS lat_deg,
            CASE said.property WHEN 'P625' THEN lon_deg END AS lon_deg,
            CASE said.property WHEN 'P625' THEN 'Q2' END AS globe_qid,
            CASE said.property WHEN 'P625' THEN 'statement-' || n END AS statement,
            sha256('facts') AS answer_key
        FROM (
            SELECT *, unnest([
                {'property': 'P31', 'value': 'Q' || (n % 800 + 1), 'lang': NULL, 'country_code': NULL},
                {'property': 'P17', 'value': 'Q183', 'lang': NULL, 'country_code': country_code},
                {'property': 'P625', 'value': 'Point', 'lang': NULL, 'country_code': NULL},
                {'property': 'P18', 'value': 'View ' || n || '.jpg', 'lang': NULL, 'country_code': NULL},
                {'property': 'version', 'value': '7', 'lang': NULL, 'country_code': NULL},
                {'property': 'modified', 'value': '2026-11-20T10:00:00Z', 'lang': NULL, 'country_code': NULL},
                {'property': 'label', 'value': 'Place ' || n, 'lang': 'en', 'country_code': NULL},
                {'property': 'label', 'value': 'Ort ' || n, 'lang': 'de', 'country_code': NULL},
                {'property': 'sitelink', 'value': 'Title ' || n, 'lang': 'en', 'country_code': NULL},
                {'property': 'sitelink', 'value': 'Titel ' || n, 'lang': 'de', 'country_code': NULL}
            ]) AS said
            FROM places
        ) WHERE shard = '%s'
    """,
    "settlements": """
        SELECT qid, 'Place ' || n AS label, lat_deg, lon_deg, 'statement-' || n AS statement, 1 AS n_coordinates,
            ['Q' || (n % 800 + 1)] AS class_qids, ['class ' || (n % 800 + 1)] AS class_labels,
            list_transform(range(n_images), lambda one: struct_pack(
                property := ['P18', 'P41'][one + 1], file := concat('View ', n, ' ', one, '.jpg')
            )) AS images,
            map(langs[1:n_languages], list_transform(langs[1:n_languages], lambda lang: 'Title ' || n)) AS sitelinks,
            country_code, 'wikidata_p17' AS country_source, NULL AS population, 7 AS revision,
            '2026-11-20T10:00:00Z' AS modified_at
        FROM places CROSS JOIN languages WHERE is_settlement AND shard = '%s'
    """,
    "rejections": """
        SELECT qid, 'no_image' AS reason, ['no_image', 'no_article'] AS failed, '{}' AS evidence, 7 AS revision
        FROM places WHERE NOT is_settlement AND shard = '%s'
    """,
    "summaries": """
        WITH texts AS (
            SELECT qid, '%(lang)s' AS lang, 'Title ' || n AS title, repeat(md5(CAST(n AS VARCHAR)) || ' ', 12) AS text
            FROM places
            WHERE is_settlement AND shard = '%(shard)s' AND n_languages > %(place)s
        )
        SELECT qid, lang, title AS requested_title, title, 'ok' AS status, text, sha256(text) AS text_sha256,
            5 AS revision, FALSE AS is_redirect, 'CC BY-SA 4.0' AS licence, sha256('text') AS answer_key
        FROM texts
    """,
    "images": """
        WITH files AS (
            SELECT *, unnest(range(n_images)) AS one FROM places WHERE is_settlement AND shard = '%s'
        ),
        hashed AS (
            SELECT *, 'View ' || n || ' ' || one || '.jpg' AS file,
                substr(sha256(concat(n, ' ', one)), 1, 40) AS sha1
            FROM files
        )
        SELECT qid, one AS image_index, ['P18', 'P41'][one + 1] AS property, file, 'ok' AS status, sha1 AS file_sha1,
            'images/' || substr(sha1, 1, 2) || '/' || sha1 || '-1.jpg' AS path, sha256(sha1) AS picture_sha256,
            'image/jpeg' AS mime, FALSE AS is_svg, 800 AS width_px, 600 AS height_px, 90000 AS size_bytes,
            'CC0' AS licence, NULL AS licence_url, NULL AS author, NULL AS credit,
            NULL AS deletion_reason, sha256('image') AS answer_key
        FROM hashed
    """,
}


def measure_constraints() -> dict[str, Any]:
    """Return seconds per table, in total and without importing the library, and the peak of memory in GB."""
    with tempfile.TemporaryDirectory(prefix="mlm-constraints-") as folder:
        began = time.perf_counter()
        _make(Path(folder))
        made_s = time.perf_counter() - began
        said = subprocess.run(
            [sys.executable, "-m", "benchmarks.constraints", folder], capture_output=True, text=True, check=True
        ).stdout
        return {"settlements": N_SETTLEMENTS, "made_s": round(made_s, 1), **json.loads(said)}


def _make(folder: Path) -> None:
    from mlm_assets.resources.lake import Lake
    from mlm_assets.tables import LANGUAGES, TABLES

    lake = Lake(folder)
    with lake.connect() as connection:
        connection.execute(_PEOPLE.format(n=N_SETTLEMENTS, shards=N_SHARDS))
        connection.execute("CREATE TABLE languages AS SELECT ? AS langs", [list(LANGUAGES)])
        for name in ("settlement_classes", "candidates"):
            _store(lake, connection, name, "", _SQL[name])
        for name in ("changed_facts", "departures"):  # a first release has none, and its manifest pins that
            nothing = ", ".join(f'NULL AS "{column}"' for column in TABLES[name].column_names)
            _store(lake, connection, name, "", f"SELECT {nothing} LIMIT 0")
        for shard in (f"{number:02x}" for number in range(N_SHARDS)):
            for name in ("facts", "settlements", "rejections", "images"):
                _store(lake, connection, name, shard, _SQL[name].replace("%s", shard))
            for place, lang in enumerate(LANGUAGES):
                query = _SQL["summaries"] % {"lang": lang, "shard": shard, "place": place}
                _store(lake, connection, "summaries", f"{lang}|{shard}", query)
    _make_release(lake)


def _store(lake: Any, connection: Any, name: str, partition: str, query: str) -> None:
    """Write a query's rows as the one version, "v1", of a table partition, with the registry's types."""
    from mlm_assets.resources.lake import Version
    from mlm_assets.tables import TABLES

    columns = ", ".join(f'CAST("{one.name}" AS {one.type}) AS "{one.name}"' for one in TABLES[name].columns)
    with lake.new_file(Version(name, partition, "v1", 0).path) as file:
        connection.execute(f"COPY (SELECT {columns} FROM ({query})) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")


def _make_release(lake: Any) -> None:
    import pyarrow as pa

    from mlm_assets.identifiers import quota_rank, split_of
    from mlm_assets.tables import IRLE_VARIANTS, VARIANT_LANGUAGES, VARIANTS

    media = {name: _versions(lake, name) for name in ("settlements", "summaries", "images")}
    qids = lake.transform("settlement_qids", {"settlements": media["settlements"]})["qid"].to_pylist()
    variants = pa.table(
        {
            "variant": list(VARIANTS),
            "languages": [list(VARIANT_LANGUAGES[variant]) for variant in VARIANTS],
            "has_svg": [variant not in IRLE_VARIANTS for variant in VARIANTS],
            "is_eu_only": [variant == "mlm_irle_gr" for variant in VARIANTS],
            "needs_cell": [variant in IRLE_VARIANTS for variant in VARIANTS],
        }
    )
    queue = pa.table({"qid": qids, "quota_rank": [quota_rank(qid) for qid in qids]})
    eligible = lake.transform("eligible", {**media, "variants": variants, "quotas": quotas(), "queue": queue})
    cells, located = _cells(eligible)
    splits = pa.table({"qid": qids, "split": [split_of(qid) for qid in qids]})
    inputs = {"eligible": eligible, "located": located, "splits": splits, "variants": variants}
    members = lake.transform("members", inputs)
    with lake.connect() as connection:
        for name, rows in (("eligible", eligible), ("geo_cells", cells), ("members", members)):
            connection.register(name, rows)
            _store(lake, connection, name, RELEASE, f"SELECT * FROM {name}")
        for name, versions in media.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({lake.sources(versions)})")
        for variant in VARIANTS:
            _store(lake, connection, variant, RELEASE, _dataset_query(variant))
    statistics = _statistics(lake)
    with lake.connect() as connection:
        connection.register("statistics", statistics)
        _store(lake, connection, "dataset_statistics", RELEASE, "SELECT * FROM statistics")
        connection.register("pinned", _manifest(lake))
        _store(lake, connection, "refresh", RELEASE, "SELECT * FROM pinned")


def _dataset_query(variant: str) -> str:
    from mlm_assets.shipped import shipped_file
    from mlm_assets.tables import IRLE_VARIANTS, VARIANT_LANGUAGES

    query = shipped_file("sql/dataset.sql").read_text("utf-8").rstrip().removesuffix(";")
    values = {
        "$variant": f"'{variant}'",
        "$languages": str(list(VARIANT_LANGUAGES[variant])),
        "$has_svg": str(variant not in IRLE_VARIANTS),
    }
    body = "\n".join(line for line in query.splitlines() if not line.startswith("--"))
    for name, value in values.items():
        body = body.replace(name, value)
    return body


def _statistics(lake: Any) -> Any:
    import pyarrow as pa

    from mlm_assets.tables import VARIANTS

    continents = pa.table(
        {"country_code": ["DE", "FR", "PL", "US", "BR"], "continent": ["Europe"] * 3 + ["America"] * 2}
    )
    types = {"variant": pa.string(), "figure": pa.string(), "item": pa.string(), "n_paper": pa.int64()}
    published = pa.table({name: pa.array([], kind) for name, kind in types.items()})
    inputs = {name: _versions(lake, name) for name in (*VARIANTS, "geo_cells")}
    return lake.transform("dataset_statistics", {**inputs, "continents": continents, "published": published})


def _manifest(lake: Any) -> Any:
    import pyarrow as pa

    from mlm_assets.tables import REFRESHED

    pinned = [
        {"kind": "table", "name": one.table, "partition": one.partition, "value": "v1", "n_rows": one.n_rows}
        for name in REFRESHED
        for one in _versions(lake, name)
    ]
    values = {"base_class": "Q486972", "hops": "3", "quota_total": "24000", **{k: str(v) for k, v in BOUNDS.items()}}
    pinned += [
        {"kind": "parameter", "name": name, "partition": "", "value": value, "n_rows": None}
        for name, value in values.items()
    ]
    return pa.Table.from_pylist(pinned)


def _cells(eligible: Any) -> tuple[Any, Any]:
    """Return the kept cells of all variants, and which settlements lie in which."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from mlm_assets.geo.cells import build_cells
    from mlm_assets.tables import VARIANTS

    cells, located = [], []
    for variant in VARIANTS:
        mine = eligible.filter(pc.and_(pc.equal(eligible["variant"], variant), pc.is_null(eligible["reason"])))
        tree = build_cells(mine["lat_deg"].to_numpy(), mine["lon_deg"].to_numpy(), **BOUNDS)
        cells += [
            {
                "variant": variant, "cell_token": cell.token, "class_id": cell.class_id, "level": cell.level,
                "n_settlements": cell.count, "mean_lat_deg": cell.mean_lat_deg, "mean_lon_deg": cell.mean_lon_deg,
            }
            for cell in tree.cells
        ]  # fmt: skip
        inside = np.flatnonzero(tree.assignment >= 0)
        number = tree.assignment[inside]
        located.append(pa.table({
            "variant": [variant] * len(inside), "qid": mine["qid"].take(pa.array(inside)),
            "cell_token": np.array([cell.token for cell in tree.cells])[number], "class_id": number.astype(np.int32),
        }))  # fmt: skip
    return pa.Table.from_pylist(cells), pa.concat_tables(located)


def quotas() -> Any:
    """Return quotas of the three countries of the EU that the places lie in."""
    import pyarrow as pa

    return pa.table({"country_code": ["DE", "FR", "PL"], "eu_country": ["DE", "FR", "PL"], "wanted": [8000] * 3})


def _versions(lake: Any, name: str) -> list[Any]:
    """Return the versions of all partitions of a table that the benchmark has written."""
    import pyarrow.parquet as pq

    from mlm_assets.resources.lake import Version, file_table
    from mlm_assets.tables import TABLES

    found = []
    for folder in lake.list_names(f"tables/{file_table(name)}"):
        by_language = TABLES[name].partitioned_by == ("lang", "shard")
        partition = "" if folder == "all" else folder.replace("-", "|") if by_language else folder
        version = Version(name, partition, "v1", 0)
        n_rows = pq.read_metadata(lake.full_path(version.path)).num_rows
        found.append(Version(name, partition, "v1", n_rows))
    return found


def _audit_all(folder: str) -> dict[str, Any]:
    """Audit every version in a folder, and return what it took."""
    from mlm_assets.resources.lake import Lake

    lake = Lake(folder)
    began = time.perf_counter()
    from mlm_assets.checks import constraints, expectations  # noqa: F401 (what importing takes is measured)

    import_s = time.perf_counter() - began
    found: dict[str, Any] = {}
    not_passed: list[str] = []
    n_checks = 0
    for name in _TABLES:
        began, n_rows = time.perf_counter(), 0
        for version in _versions(lake, name):
            verdicts = _audit(lake, version)
            n_checks += len(verdicts)
            n_rows += version.n_rows
            not_passed += [f"{name} {one.check}: {one.sentence}" for one in verdicts if not one.passed]
        found[name] = {"rows": n_rows, "seconds": round(time.perf_counter() - began, 2)}
    seconds = sum(one["seconds"] for one in found.values())
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "checks": n_checks, "not_passed": not_passed, "import_s": round(import_s, 2), "seconds": round(seconds, 1),
        # On a machine that others use too, what was computed says more than what was waited for.
        "processor_s": round(used.ru_utime + used.ru_stime, 1), "peak_gb": round(used.ru_maxrss / 1e6, 2),
        "tables": found,
    }  # fmt: skip


_TABLES = (
    "settlement_classes", "candidates", "facts", "settlements", "rejections", "summaries", "images", "refresh",
    "eligible", "geo_cells", "members", "mlm", "mlm_v2", "mlm_irle", "mlm_irle_gr", "dataset_statistics",
)  # fmt: skip


def _audit(lake: Any, version: Any) -> Any:
    from mlm_assets.checks.constraints import audit, declared, needs_of
    from mlm_assets.tables import TABLES

    table = TABLES[version.table]
    shard = version.partition.split("|")[-1]
    inputs: dict[str, Any] = {}
    for need in needs_of(table):
        versions = quotas() if need == "quotas" else _versions(lake, need)
        if "shard" in table.partitioned_by and need != "quotas" and TABLES[need].partitioned_by:
            versions = [one for one in versions if one.partition.split("|")[-1] == shard]
        inputs[need] = versions
    parameters = {"base_class": "Q486972", "hops": 3, "shards": N_SHARDS, **BOUNDS}
    only = {check.name for check in declared(table)} - {WITHOUT_BYTES}
    return audit(lake, version, inputs, parameters, version if version.table == "members" else None, only)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_audit_all(sys.argv[1])) + "\n")
