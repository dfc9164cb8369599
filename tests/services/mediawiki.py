"""A real MediaWiki for tests: Debian's packages with SQLite, filled with pages, served by PHP's own server on loopback.

Nothing of it is changed: configuration, database and caches lie in a temporary folder. Where the packages are not
installed, tests that ask for it are skipped, visibly.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

ROOT: Final = Path("/usr/share/mediawiki")
PACKAGES: Final = "mediawiki php-cli php-sqlite3 php-mbstring php-xml php-intl"
EXTENSIONS: Final = ("TextExtracts", "PageImages")
_STAMP: Final = "2020-01-01T00:00:00Z"


def why_not() -> str | None:
    """Return why a MediaWiki cannot be started here, None where it can."""
    lacking = [] if shutil.which("php") else ["php"]
    lacking += [
        path.name for path in (ROOT / "api.php", *(ROOT / "extensions" / e for e in EXTENSIONS)) if not path.exists()
    ]
    return f"a real MediaWiki needs Debian's {PACKAGES} (lacking: {', '.join(lacking)})" if lacking else None


@contextmanager
def running_mediawiki(folder: Path, pages: Mapping[str, str]) -> Iterator[str]:
    """Install MediaWiki into `folder`, import `pages` (title -> wikitext), serve it, and yield api.php's address."""
    port = _free_port()
    environment = {**os.environ, "MW_CONFIG_FILE": str(folder / "LocalSettings.php"), "PHP_CLI_SERVER_WORKERS": "2"}
    _install(folder, port)
    _import(folder, pages, environment)
    command = ["php", "-S", f"127.0.0.1:{port}", "-t", str(ROOT)]
    with (folder / "php.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}/api.php"
        _await(url, server, folder / "php.log")
        yield url
    finally:
        os.killpg(server.pid, 15)  # the server and its workers, a session of their own
        server.wait(60)  # a worker ends what it is at first


def _install(folder: Path, port: int) -> None:
    password = secrets.token_urlsafe(16)
    _php(
        "install.php",
        *("--dbtype", "sqlite", "--dbpath", str(folder / "data"), "--confpath", str(folder)),
        *("--server", f"http://127.0.0.1:{port}", "--scriptpath", "", "--lang", "en", "--pass", password),
        *("--extensions", ",".join(EXTENSIONS), "--skins", "", "Test", "Admin"),
        environment=dict(os.environ),
    )
    with (folder / "LocalSettings.php").open("a") as settings:
        settings.write(f'\n$wgCacheDirectory = "{folder}/cache";\n$wgJobRunRate = 0;\n$wgMainCacheType = CACHE_DB;\n')


def _import(folder: Path, pages: Mapping[str, str], environment: Mapping[str, str]) -> None:
    dump = folder / "pages.xml"
    dump.write_text(
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">'
        + "".join(_page(title, text) for title, text in pages.items())
        + "</mediawiki>",
        "utf-8",
    )
    _php("importDump.php", "--no-updates", str(dump), environment=environment)


def _page(title: str, text: str) -> str:
    return (
        f"<page><title>{escape(title)}</title><ns>0</ns><revision><timestamp>{_STAMP}</timestamp>"
        "<contributor><username>Tests</username></contributor><model>wikitext</model><format>text/x-wiki</format>"
        f'<text xml:space="preserve">{escape(text)}</text></revision></page>'
    )


def _php(script: str, *arguments: str, environment: Mapping[str, str]) -> None:
    command = ["php", str(ROOT / "maintenance" / script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed: {done.stdout[-2000:]} {done.stderr[-2000:]}")


def _await(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}?action=query&meta=siteinfo&format=json", timeout=10) as answer:
                answer.read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"MediaWiki did not answer: {log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
