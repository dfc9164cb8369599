"""Data Docs: what Great Expectations said of the newest version of every table partition, as pages to open offline.

The content of a page is what the library's own renderers make of an audit's results (`constraints` keeps them). The
library's templates load scripts and styles from other hosts and do not escape what Wikipedia or Commons wrote; so the
last step, from content to HTML, is done here: no script, no address outside the folder, every text escaped.
"""

import gzip
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from mlm_assets.checks.constraints import GX_FOLDER
from mlm_assets.checks.rules import rules_of
from mlm_assets.resources.lake import Lake, file_table
from mlm_assets.tables import TABLES

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1rem; } td, th { border: 1px solid #ddd; padding: .3rem .6rem;
text-align: left; vertical-align: top; overflow-wrap: anywhere; } th { background: #f4f4f4; } a { color: #0645ad; }
.failed { background: #fdecea; } .n { text-align: right; }
"""


def render_data_docs(lake: Lake, folder: Path) -> Path:
    """Write the suites and the newest results of all tables into `folder`; return `index.html`, which leads to them."""
    lines = []
    for table in TABLES.values():
        name = file_table(table.name)
        _write(folder / name / "suite.html", f"{table.name}: expectations", _suite_page(table.name))
        for kept in _kept(lake, table.name):
            path = folder / name / f"{kept['partition'].replace('|', '-') or 'all'}.html"
            title = " ".join(part for part in (table.name, kept["partition"]) if part)
            _write(path, title, _results_page(kept))
            lines.append(_index_row(table.name, kept, path.relative_to(folder).as_posix()))
    head = "<tr><th>table</th><th>partition</th><th>version</th><th>checks</th><th>not passed</th><th></th></tr>"
    page = f"<p>The newest audit of every table partition.</p><table>{head}{''.join(lines)}</table>"
    return _write(folder / "index.html", "Data Docs", page, is_index=True)


def _kept(lake: Lake, name: str) -> Iterator[dict[str, Any]]:
    path = f"{GX_FOLDER}/{file_table(name)}"
    for file in lake.list_names(path):
        yield json.loads(gzip.decompress(lake.read_bytes(f"{path}/{file}")))


def _index_row(name: str, kept: Mapping[str, Any], link: str) -> str:
    failed = [one for one in kept["results"] if not one["success"]]
    suite = f"{file_table(name)}/suite.html"
    return (
        f'<tr{_failed_class(failed)}><td>{_text(name)}</td><td><a href="{_text(link)}">'
        f"{_text(kept['partition'] or 'all')}</a></td><td>{_text(kept['version'])}</td>"
        f'<td class="n">{len(kept["results"])}</td><td class="n">{len(failed)}</td>'
        f'<td><a href="{_text(suite)}">expectations</a></td></tr>'
    )


def _failed_class(failed: Sequence[Any]) -> str:
    return ' class="failed"' if failed else ""


def _results_page(kept: Mapping[str, Any]) -> str:
    """Return the results of one version: first what failed and where its rows are, then the library's sections."""
    failed = [one for one in kept["results"] if not one["success"]]
    n = len(kept["results"])
    parts = [f"<p>Version {_text(kept['version'])}: {n - len(failed)} of {n} checks passed. "]
    parts.append('<a href="suite.html">Expectations</a></p>')
    if failed:
        rows = "".join(
            f'<tr class="failed"><td>{_text(one["expectation_config"]["meta"]["check"])}</td>'
            f"<td>{_text(one['meta']['sentence'])}</td><td>{_text(one['meta']['rows_path'] or '')}</td></tr>"
            for one in failed
        )
        parts.append(
            f"<table><tr><th>check</th><th>what it found</th><th>all rows, in the lake</th></tr>{rows}</table>"
        )
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    # The library's first section repeats the counts above.
    content = ValidationResultsPageRenderer().render(_suite_result(kept)).to_json_dict()
    return "".join([*parts, *(_section(section) for section in content["sections"][1:])])


def _suite_result(kept: Mapping[str, Any]) -> Any:
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    results = [
        ExpectationValidationResult(
            success=one["success"],
            expectation_config=ExpectationConfiguration(**one["expectation_config"]),
            result=one["result"],
            meta=one["meta"],
            exception_info=one["exception_info"],
        )
        for one in kept["results"]
    ]
    n = sum(bool(one.success) for one in results)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": n,
        "unsuccessful_expectations": len(results) - n,
        "success_percent": 100.0 * n / max(1, len(results)),
    }
    return ExpectationSuiteValidationResult(
        success=n == len(results), results=results, suite_name=kept["table"], statistics=statistics, meta={}
    )


def _suite_page(name: str) -> str:
    """Return what is expected of a table. The library's own page of a suite leaves out what spans several columns."""
    from mlm_assets.checks.expectations import expectation_of

    rows = []
    for rule in rules_of(name):
        expectation = expectation_of(rule)
        cells = (rule.check.name, expectation.description, expectation.expectation_type, expectation.severity.value)
        rows.append(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>")
    head = "<tr><th>check</th><th>what must hold</th><th>expectation</th><th>severity</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


# -- from the library's content to HTML --------------------------------------------------------------------------------


def _section(section: Mapping[str, Any]) -> str:
    return "".join(_block(block) for block in section["content_blocks"])


def _block(block: Any) -> str:
    """Return a block of content as HTML; a kind that is not known here is shown as text."""
    if isinstance(block, list):
        return "<br>".join(_block(one) for one in block)
    if not isinstance(block, dict):
        return _text("" if block is None else block)
    show = _SHOWN.get(block.get("content_block_type", ""))
    return show(block) if show is not None else _text(json.dumps(block, ensure_ascii=False))


def _table(block: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{_block(cell)}</th>" for cell in block.get("header_row") or ())
    rows = "".join(f"<tr>{''.join(f'<td>{_block(cell)}</td>' for cell in row)}</tr>" for row in block["table"])
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{rows}</table>"


def _template(said: Mapping[str, Any]) -> str:
    """Return a template with its values put in; the library's icons are tags, the sign beside them is text."""
    values = {name: _text("" if value is None else value) for name, value in (said.get("params") or {}).items()}
    values["icon"] = values.get("markdown_status_icon", "")
    text = Template(html.escape(said["template"])).safe_substitute(values)
    return re.sub(r"&lt;br ?/?&gt;|\n", "<br>", text)


_SHOWN: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "header": lambda block: f"<h2>{_block(block['header'])}</h2>",
    "string_template": lambda block: _template(block["string_template"]),
    "table": _table,
    "collapse": lambda block: "".join(_block(one) for one in block["collapse"]),
}


def _text(value: Any) -> str:
    return html.escape(str(value))


def _write(path: Path, title: str, body: str, *, is_index: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    back = "" if is_index else '<p><a href="../index.html">All tables</a></p>'
    path.write_text(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{back}<h1>{_text(title)}</h1>{body}</body></html>\n",
        "utf-8",
    )
    return path
