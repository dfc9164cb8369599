"""Every number of a release, counted in its files by SQL, and every number that a document shows.

What is counted here owes nothing to the manifest but what no file can tell (checks, inputs); what is found in a
document is found by reading it as a reader does: tables by their labels, text by its digits.
"""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import h5py

from mlm_assets.tables import TABLES, VARIANTS, WITHHELD_REASONS
from tests.release.folder import Built

LANGUAGE_NAMES = {
    "English": "en", "German": "de", "French": "fr", "Italian": "it", "Spanish": "es", "Polish": "pl",
    "Romanian": "ro", "Dutch": "nl", "Hungarian": "hu", "Portuguese": "pt",
}  # fmt: skip
COUNT_LABELS = {
    "settlements": "entities", "pictures": "images", "texts": "summaries", "classes": "classes",
    "geo-cells": "cells", "settlements without a published picture": "entities_without_image",
}  # fmt: skip
OUTCOMES = {
    "passed": "passed", "failed, as a warning": "warned", "failed, and let through by a person": "approved",
}  # fmt: skip
DIRECTIONS = {
    "picture to text": "image_to_text", "text to picture": "text_to_image",
    "from picture": "image", "from text": "text",
}  # fmt: skip
SCORE_COLUMNS = ("value", "low", "high", "n", "paper")

# What has digits and is no figure of the release, letter by letter; nothing may be added here that the files tell.
NAMES = (
    "CC0-1.0", "CC-BY-SA-4.0", "CC0", "cc0-1.0", "cc-by-sa-4.0", "SHA-256", "SHA256SUMS", "S2", "95 %", "mlm_v2",
    "(v1)", "(v2)", "28 EU countries of 2020", "29th ACM", "(2020)", "10.1145/3340531.3412783",
    "10.5281/zenodo.3885753", "armitage2020mlm", "year = {2020}", "train.h5", "hdf5", "h5py",
    "publicdomain/zero/1.0/", "licenses/by-sa/4.0/", "x-hdf5",
)  # fmt: skip

MARKDOWN = ("README.md", "huggingface/README.md", "DATASHEET.md", "LICENSES.md")
# Code spans with digits that are no text of the manifest.
_GROUPED = [
    ["variants", name] for name in ("splits", "summaries_per_language", "entities_per_country", "images_per_licence")
]
COMMANDS = {"sha256sum -c SHA256SUMS"}


class Shown(NamedTuple):
    """A number as a document shows it, and the figure that it says it is."""

    key: str
    text: str


def counted(folder: Path) -> dict[str, float]:
    """Return every figure by its key, counted in the files of a release."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    found: dict[str, float] = {}
    with duckdb.connect() as connection:
        for variant in VARIANTS:
            found.update(_variant(connection, folder, variant))
        found.update(_withheld(connection, folder))
    for path in sorted(folder.glob("benchmark/*.json")):
        found.update(_scores(path))
    for file in manifest["files"]:
        found.update(_file(folder, file["path"]))
    found.update({f"checks.{name}": n for name, n in manifest["checks"].items()})
    found.update({f"inputs.{one['table']}.{one['partition']}.n_rows": one["n_rows"] for one in manifest["inputs"]})
    return found


def _variant(connection: Any, folder: Path, variant: str) -> Iterator[tuple[str, float]]:
    for name in ("entities", "summaries", "images"):
        path = folder / "parquet" / variant / f"{name}.parquet"
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM '{path}'")
    single = {
        "entities": "SELECT count(*) FROM entities",
        "summaries": "SELECT count(*) FROM summaries",
        "images": "SELECT count(*) FROM images",
        "classes": "SELECT count(DISTINCT label) FROM (SELECT unnest(class_labels) AS label FROM entities)",
        "cells": "SELECT count(DISTINCT cell_token) FROM entities",
        "entities_without_image": "SELECT count(*) FROM entities WHERE qid NOT IN (SELECT qid FROM images)",
    }
    grouped = {
        "splits": "SELECT split, count(*) FROM entities GROUP BY ALL",
        "summaries_per_language": "SELECT lang, count(*) FROM summaries GROUP BY ALL",
        "entities_per_country": "SELECT coalesce(country_code, ''), count(*) FROM entities GROUP BY ALL",
        "images_per_licence": "SELECT coalesce(licence, 'unknown'), count(*) FROM images GROUP BY ALL",
    }
    for name, query in single.items():
        yield f"variants.{variant}.{name}", connection.execute(query).fetchall()[0][0]
    for lang in LANGUAGE_NAMES.values():
        yield f"variants.{variant}.summaries_per_language.{lang}", 0
    for name, query in grouped.items():
        for item, n in connection.execute(query).fetchall():
            yield f"variants.{variant}.{name}.{item}", n


def _withheld(connection: Any, folder: Path) -> Iterator[tuple[str, float]]:
    query = f"SELECT count(DISTINCT file) FROM '{folder / 'attribution.parquet'}' WHERE withheld = ?"
    for reason in WITHHELD_REASONS:
        yield f"withheld.{reason}", connection.execute(query, [reason]).fetchall()[0][0]


def _scores(path: Path) -> Iterator[tuple[str, float]]:
    """Give the figures of a report (`ml.evaluation.report`) that the paper has too, with intervals and items."""
    report = json.loads(path.read_text("utf-8"))
    for section in ("retrieval", "location"):
        for model, directions in report[section].items():
            for direction, said in directions.items():
                theirs = report["paper"].get(section, {}).get(model, {}).get(direction, {})
                for figure, paper in theirs.items():
                    key = ".".join(["scores", path.stem, section, model, direction, "", figure])
                    five = (said[figure], said[f"{figure}_low"], said[f"{figure}_high"], said["n"], paper)
                    named = zip(SCORE_COLUMNS, five, strict=True)
                    yield from ((f"{key}.{name}", value) for name, value in named if value is not None)


def _file(folder: Path, path: str) -> Iterator[tuple[str, float]]:
    inside = [path] if not path.endswith("/") else [f"{path}{one.name}" for one in (folder / path).iterdir()]
    sizes = [duckdb.sql(f"SELECT size FROM read_blob('{folder / one}')").fetchall()[0][0] for one in inside]
    yield f"files.{path}.size_bytes", sum(sizes)
    n_records = len(inside) if path.endswith("/") else _records(folder / path)
    if n_records is not None:
        yield f"files.{path}.n_records", n_records


def _records(file: Path) -> int | None:
    """Return the records of a file as its format counts them; None where it has none."""
    if file.suffix == ".parquet":
        return int(duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall()[0][0])
    if file.suffix == ".h5":
        with h5py.File(file) as found:
            return len(found["ids"])
    if file.suffix == ".tar":
        with tarfile.open(file) as archive:
            return len({name.split(".")[0] for name in archive.getnames()})
    if file.suffix == ".duckdb":
        with duckdb.connect(str(file), read_only=True) as connection:
            return sum(
                connection.execute(f'SELECT count(*) FROM "{schema}"."{name}"').fetchall()[0][0]
                for schema, name in connection.execute(
                    "SELECT schema_name, table_name FROM duckdb_tables() WHERE table_name = 'entities'"
                ).fetchall()
            )
    if file.suffix == ".json" and file.parent.parent.name == "json":
        return int(duckdb.sql(f"SELECT count(*) FROM read_json('{file}')").fetchall()[0][0])
    return None


def is_shown_as(text: str, value: float) -> bool:
    """Tell whether a text shows a value: exactly, or rounded to the digits and the unit that it has."""
    match = re.fullmatch(r"(-?[0-9][0-9,]*(?:\.([0-9]+))?)(?: (B|kB|MB|GB))?", text)
    if match is None:
        return False
    factor = {None: 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}[match[3]]
    shown, decimals = float(match[1].replace(",", "")), len(match[2] or "")
    if factor == 1 and decimals == 0:
        return shown == value
    return abs(shown * factor - value) <= 0.5 * 10**-decimals * factor * (1 + 1e-9)


def problems(shown: list[Shown], figures: Mapping[str, float]) -> list[str]:
    """Return a sentence for each shown number that is not what the files say."""
    found = []
    for one in shown:
        # What no row of a grouped query names is not in the files at all.
        value = figures.get(one.key, 0 if one.key.split(".")[0::2][:2] in _GROUPED else None)
        if value is None:
            found.append(f"{one.key} = {one.text}: no query gives it")
        elif not is_shown_as(one.text, value):
            found.append(f"{one.key}: shown is {one.text}, the files say {value}")
    return found


def unexplained(text: str, manifest: Mapping[str, Any]) -> list[str]:
    """Return what is left of the digits of a text when names, dates, the edition and the registry's words are gone."""
    edition = f"{manifest['release']} v{manifest['version']}"
    year, month = manifest["release"].split("-")
    known = [
        edition, manifest["created"], manifest["release"], f"{int(year)}.{int(month)}.{manifest['version']}",
        f"({manifest['created'][:4]})", f"year = {{{manifest['created'][:4]}}}",
        f"mlm_{year}_{month}_v{manifest['version']}", f"mlm-{manifest['release']}-v{manifest['version']}", *NAMES,
    ]  # fmt: skip
    for name in sorted(known, key=len, reverse=True):
        text = text.replace(name, " ")
    return [f"…{text[max(0, one.start() - 30) : one.end() + 10]!r}" for one in re.finditer(r"[0-9][0-9.,]*", text)]


def strings_of(manifest: Mapping[str, Any]) -> set[str]:
    """Return every text that the manifest says, and the paths of the documents: what code spans may show."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            found.update(value)
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            found.add(", ".join(one for one in value if isinstance(one, str)))
            for one in value:
                walk(one)
        elif value is not None:
            found.add(" ".join(str(value).split()))

    walk({name: part for name, part in manifest.items() if name not in ("checks", "withheld")})
    return found | {f"{key}" for key in NAMES}


def registry_words() -> set[str]:
    """Return the names and descriptions of all columns of the registry."""
    columns = [column for table in TABLES.values() for column in table.columns]
    return {column.name for column in columns} | {column.description for column in columns}


class Page(HTMLParser):
    """What a page shows: `shown` numbers, `code` spans, the rest as `text`; and addresses that it would ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shown: list[Shown] = []
        self.code: list[str] = []
        self.text: list[str] = []
        self.requests: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._stack: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()
        assert self._stack == [], f"unclosed: {self._stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.requests += [value for name, value in of.items() if name in ("src", "srcset", "action", "poster", "data")]
        self.requests += [of["href"] for _ in [0] if tag == "link" and "href" in of]
        self.links += [of["href"] for _ in [0] if tag == "a" and "href" in of]
        self.ids += [of["id"] for _ in [0] if "id" in of]
        if tag not in ("meta", "link", "br", "img", "rect"):
            self._stack.append((tag, of))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "rect", tag

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._stack.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._stack]
        if not data.strip() or "style" in tags:
            return
        of = self._stack[-1][1]
        if "data-figure" in of:
            said = of.get("value") or of["data-value"]
            assert is_shown_as(data, float(said)), f"{of['data-figure']} says {said} and shows {data}"
            self.shown.append(Shown(of["data-figure"], data))
        elif "code" in tags and "pre" not in tags:
            self.code.append(" ".join(data.split()))
        else:
            self.text.append(data)


class Markdown:
    """What a Markdown document shows: `shown` numbers of its tables, `code` spans, the rest as `text`."""

    def __init__(self, text: str) -> None:
        self.shown: list[Shown] = []
        self.code: list[str] = []
        self.front = ""
        if text.startswith("---\n"):
            self.front, text = text[4:].split("\n---\n", 1)
        others, table = [], []
        for line in [*text.split("\n"), ""]:
            if line.startswith("|"):
                table.append(self._cells(line))
            else:
                others.append(line)
                if table:
                    others += self._read(table)
                    table = []
        self.text = "\n".join(self._without_code(line) for line in others)

    def _cells(self, line: str) -> list[str]:
        return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]

    def _without_code(self, line: str) -> str:
        line = re.sub(r"\]\([^)]*\)", "]", line)
        for match in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", line):
            self.code.append(match[2].strip().replace("\\|", "|"))
        return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", " ", line)

    def _read(self, rows: list[list[str]]) -> list[str]:
        """Note the numbers of a table under their keys; return the cells that are none."""
        head, _, *body = rows
        columns = [name.strip("`") for name in head]
        rest = [*head]
        for row in body:
            assert len(row) == len(head), row
            for at, cell in enumerate(row):
                is_number = re.fullmatch(r"-?[0-9][0-9.,]*( [kMG]?B)?", cell) is not None
                if is_number:
                    self.shown.append(Shown(_key(columns, row, at), cell))
                else:
                    rest.append(cell)
        return rest


def _key(columns: list[str], row: list[str], at: int) -> str:
    """Return the key of the number in a table, by the labels of its row and column alone."""
    label, column = row[0].strip("`"), columns[at]
    by_variant = {
        "count": lambda: COUNT_LABELS[label],
        "split": lambda: f"splits.{label}",
        "language": lambda: f"summaries_per_language.{LANGUAGE_NAMES[label]}",
        "country": lambda: f"entities_per_country.{'' if label == 'none known' else label}",
        "licence": lambda: f"images_per_licence.{label}",
    }
    if columns[0] in by_variant:
        assert column in VARIANTS, column
        return f"variants.{column}.{by_variant[columns[0]]()}"
    if columns[0] == "reason":
        return f"withheld.{label}"
    if columns[0] == "outcome":
        return f"checks.{OUTCOMES[label]}"
    if columns[0] == "table" and column == "rows":
        return f"inputs.{label}.{row[1].strip('`').replace('–', '')}.n_rows"
    if columns[0] == "variant":
        model, direction, figure = row[1].strip("`"), DIRECTIONS[row[2]], row[3].strip("`")
        section = "retrieval" if "_to_" in direction else "location"
        name = dict(zip(columns[4:], SCORE_COLUMNS, strict=True))[column]
        return f"scores.{label}.{section}.{model}.{direction}..{figure}.{name}"
    return f"{columns[0]}.{label}.{column}: a table of text"


# -- documents ----------------------------------------------------------------------------------------------------


def markdown_faults(text: str, built: Built, figures: dict[str, float]) -> list[str]:
    """Return what is wrong with the numbers of a Markdown document."""
    page = Markdown(text)
    known = strings_of(built.manifest) | COMMANDS
    spans = [span for span in page.code if re.search("[0-9]", span) and span not in known]
    free = without_free_text(page.text, built.manifest)
    fenced = re.sub(r"FOLDER/[^\"]*", " ", free)
    return problems(page.shown, figures) + spans + unexplained(fenced, built.manifest)


def without_free_text(text: str, manifest: dict[str, Any]) -> str:
    """Return a text without what people wrote: the reason of the version and the notes."""
    text = re.sub(r"\\([\\`*_\[\]<>|#~])", r"\1", text)
    for said in (manifest["reason"], *manifest["notes"]):
        text = text.replace(" ".join(said.split()), " ") if said else text
    return text


def page_faults(html: str, built: Built, figures: dict[str, float]) -> list[str]:
    page = Page(html)
    known = strings_of(built.manifest) | COMMANDS
    spans = [span for span in page.code if re.search("[0-9]", span) and span not in known]
    text = without_free_text("\n".join(page.text), built.manifest)
    return problems(page.shown, figures) + spans + unexplained(text, built.manifest)


def croissant_faults(said: dict[str, Any], built: Built, figures: dict[str, float]) -> list[str]:
    shown = [
        Shown(one["figures/figure"], format(one["figures/value"], ",.15g"))
        for one in next(one for one in said["recordSet"] if one["@id"] == "figures")["data"]
    ]
    shown += [
        Shown(f"files.{one['contentUrl']}.size_bytes", one["contentSize"])
        for one in said["distribution"] if "contentSize" in one
    ]  # fmt: skip
    for one in said["recordSet"]:
        for number, label in re.findall(r"It holds ([0-9,]+) ([a-z -]+)\.", one["description"]):
            variant = one["@id"].rpartition("_")[0]
            shown.append(Shown(f"variants.{variant}.{COUNT_LABELS[label]}", number))
    paths = {file["path"] for file in built.manifest["files"]}
    sums = dict(line.split("  ")[::-1] for line in (built.folder / "SHA256SUMS").read_text("utf-8").splitlines())
    wrong = [one["@id"] for one in said["distribution"] if "sha256" in one and one["sha256"] != sums[one["contentUrl"]]]
    rest = []
    for said_text in texts_of({name: part for name, part in said.items() if name not in ("@context", "conformsTo")}):
        text = said_text
        if text in paths or text in registry_words() or text in builtin_words():
            continue
        for path in sorted(paths, key=len, reverse=True):
            text = text.replace(path, " ")
        rest.append(re.sub(r"It holds [0-9,]+ ", " ", text))
    return (
        problems(shown, figures)
        + wrong
        + unexplained(without_free_text("\n".join(rest), built.manifest), built.manifest)
    )


def builtin_words() -> set[str]:
    """Types and addresses of the standards; descriptions that the formats give their own columns."""
    from mlm_assets.release.formats.fields import described, image_schema

    types = {"cr:Int64", "cr:Int32", "cr:Float64"}
    licences = {
        "https://creativecommons.org/publicdomain/zero/1.0/", "https://creativecommons.org/licenses/by-sa/4.0/",
    }  # fmt: skip
    return types | licences | set(described(image_schema()).values())


def texts_of(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from texts_of(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one, name)
    elif isinstance(value, str) and name not in ("@id", "contentSize", "figures/figure", "sha256", "arrayShape"):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool) and name != "figures/value":
        yield str(value)


def release_faults(folder: Path) -> dict[str, list[str]]:
    """Return what is wrong with the numbers of each document of a release on disk; empty where nothing is."""
    release = Built(folder, json.loads((folder / "manifest.json").read_text("utf-8")))
    figures = counted(folder)

    def read(path: str) -> str:
        return (folder / path).read_text("utf-8")

    found = {path: markdown_faults(read(path), release, figures) for path in MARKDOWN if (folder / path).is_file()}
    found["index.html"] = page_faults(read("index.html"), release, figures)
    found["croissant.json"] = croissant_faults(json.loads(read("croissant.json")), release, figures)
    return {path: faults for path, faults in found.items() if faults}
