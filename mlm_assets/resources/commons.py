"""The client of Wikimedia Commons: what a file is, whose it is, and its thumbnail.

Metadata by `prop=imageinfo`, fifty files a request; downloads from the address that the service itself names
(`thumburl`), so that only widths are asked that it makes. Author and credit are HTML there, and text here.
Follows https://www.mediawiki.org/wiki/API:Imageinfo and https://commons.wikimedia.org/wiki/Commons:Reusing_content.
Does not belong here: the manners (`http`), decoding pictures (the domain code, given as `check`).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from mlm_assets.errors import MlmError, RequestRejected
from mlm_assets.resources.action_api import Pages, batches, by_askable, has_flag, query
from mlm_assets.resources.failures import CorruptFile, FileMissing, Retry, TooManyValues
from mlm_assets.resources.http import Answer, Request, Transport
from mlm_assets.resources.names import file_name
from mlm_assets.settings import Settings

T = TypeVar("T")

_SAME_BODY: Final = 4
"""The same unreadable bytes so many times are the file as the service has it; asking on would only cost it."""

_EXTMETADATA: Final = ("LicenseShortName", "LicenseUrl", "Artist", "Attribution", "Credit", "DeletionReason")
_PARAMS: Final = {
    "prop": "imageinfo",
    "iiprop": "url|size|mime|mediatype|sha1|extmetadata|timestamp",
    "iiextmetadatafilter": "|".join(_EXTMETADATA),
    "redirects": "1",
}


class FileMetadata(NamedTuple):
    """What Commons says about a file; all but the first three and the last are None where `status` is not "ok".

    `name` is the file that the requested name led to. `sha1`, `mime`, `width_px`, `height_px`, `size_bytes` and
    `timestamp` are the original's; `thumb_url` is the original itself where that is smaller than the thumbnail.
    """

    requested_name: str
    name: str | None
    status: Literal["ok", "missing", "invalid"]
    sha1: str | None = None
    mime: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    size_bytes: int | None = None
    thumb_url: str | None = None
    thumb_width_px: int | None = None
    thumb_height_px: int | None = None
    licence: str | None = None
    licence_url: str | None = None
    author: str | None = None
    credit: str | None = None
    deletion_reason: str | None = None
    timestamp: str | None = None
    answer_key: str = ""


class Commons:
    """Asks Commons as the settings say. All methods raise what `Transport.fetch` raises."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings

    def file_metadata(self, names: Sequence[str]) -> Iterator[FileMetadata]:
        """Yield the metadata of each distinct name of `names` (without "File:"); a file is asked for once."""
        sent, impossible = by_askable(names)
        for name in impossible:
            yield FileMetadata(name, None, "invalid")
        for batch in batches(list(sent), self._settings.files_batch):
            for cleaned, pages in self._asked(batch):
                for requested in sent[cleaned]:
                    yield _metadata(requested, cleaned, pages)

    def download(self, metadata: FileMetadata, check: Callable[[bytes], T]) -> T:
        """Return what `check` makes of the thumbnail's bytes; `check` raises ValueError for bytes it cannot read.

        Raises:
            FileMissing: the service has no such thumbnail.
            FileTooLarge: it is larger than `max_file_bytes`.
            CorruptFile: `check` could not read it, after every attempt.
            RequestRejected: `metadata` names nothing to download.
        """
        if metadata.thumb_url is None or metadata.sha1 is None:
            raise RequestRejected(
                f"Commons offers no picture of {metadata.requested_name!r} (status {metadata.status})."
            )
        width = metadata.thumb_width_px or 0
        identity = f"{metadata.sha1}/{width}"
        request = Request("files", "upload", "GET", metadata.thumb_url, identity=identity, purpose="downloads")
        outcome = self._transport.fetch(request, _FileReader(metadata, check))
        if isinstance(outcome, MlmError):
            raise outcome
        return outcome

    def _asked(self, names: Sequence[str]) -> Iterator[tuple[str, Pages]]:
        """Yield each name with the answer that holds it."""
        params = {
            **_PARAMS,
            "iiurlwidth": str(self._settings.thumb_width_px),
            "titles": "|".join(f"File:{name}" for name in names),
        }
        try:
            url = self._settings.commons_url
            pages = query(self._transport, self._settings, "commons", url, params, ("iicontinue",), "imageinfo")
        except TooManyValues:
            if len(names) == 1:
                raise
            for half in batches(names, (len(names) + 1) // 2):
                yield from self._asked(half)
        else:
            yield from ((name, pages) for name in names)


class _FileReader(Generic[T]):
    """Reads the answers to one download; what is final is returned (as an exception), so that it is stored.

    A missing file is an answer. So is a file that comes unreadable with the very hash that Commons names, or with the
    same bytes again and again: that is what the service has. Anything else unreadable was damaged on the way.
    """

    def __init__(self, metadata: FileMetadata, check: Callable[[bytes], T]) -> None:
        self._metadata = metadata
        self._check = check
        self._seen: Counter[str] = Counter()

    def __call__(self, answer: Answer) -> T | MlmError:
        """Return what `check` makes of the body, or what is finally wrong with the file."""
        name = self._metadata.requested_name
        if answer.status in {404, 410}:
            return FileMissing(f"Commons has no file at {self._metadata.thumb_url} (HTTP {answer.status}).")
        try:
            return self._check(answer.body)
        except ValueError as error:
            sentence = f"{name!r} cannot be read: {error}"
        sha1 = hashlib.sha1(answer.body, usedforsecurity=False).hexdigest()
        self._seen[sha1] += 1
        if answer.from_store or sha1 == self._metadata.sha1 or self._seen[sha1] >= _SAME_BODY:
            return CorruptFile(sentence)
        raise Retry(sentence, gives_up_as=CorruptFile)


class _TextOf(HTMLParser):
    """Collects the text of a piece of HTML; what breaks a line there is a space here."""

    _SILENT: Final = frozenset({"style", "script"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a break, and where text that nobody sees begins."""
        self._silent += tag in self._SILENT
        self.parts.append(" " if tag in _BREAKS else "")

    def handle_endtag(self, tag: str) -> None:
        """Note a break, and where text that nobody sees ends."""
        self._silent -= tag in self._SILENT and self._silent > 0
        self.parts.append(" " if tag in _BREAKS else "")

    def handle_data(self, data: str) -> None:
        """Take text that is seen."""
        if not self._silent:
            self.parts.append(data)


_BREAKS: Final = frozenset({"br", "p", "div", "li", "tr", "td", "th", "dd", "dt", "ul", "ol"})


def plain_text(html: str) -> str:
    """Return the text of a piece of HTML on one line."""
    parser = _TextOf()
    parser.feed(html)
    parser.close()
    return " ".join("".join(parser.parts).split())


def _metadata(requested: str, sent: str, pages: Pages) -> FileMetadata:
    page, _ = pages.find(f"File:{sent}")
    if page is None or has_flag(page, "invalid"):
        return FileMetadata(requested, None, "invalid", answer_key=pages.key)
    name = file_name(page["title"].partition(":")[2])
    info = (page.get("imageinfo") or [{}])[0]
    # `missing` with `known` is a file of another repository, seen from a Wikipedia: its info is what counts.
    if not info.get("sha1") or not info.get("url") or has_flag(info, "filemissing"):
        return FileMetadata(requested, name, "missing", answer_key=pages.key)
    said = info.get("extmetadata") or {}
    return FileMetadata(
        requested, name, "ok",
        sha1=info["sha1"], mime=_text(info, "mime"), width_px=_number(info, "width"), height_px=_number(info, "height"),
        size_bytes=_number(info, "size"), thumb_url=_text(info, "thumburl"),
        thumb_width_px=_number(info, "thumbwidth"), thumb_height_px=_number(info, "thumbheight"),
        licence=_said(said, "LicenseShortName"), licence_url=_said(said, "LicenseUrl"),
        author=_said(said, "Artist"), credit=_said(said, "Attribution") or _said(said, "Credit"),
        deletion_reason=_said(said, "DeletionReason"),
        timestamp=_text(info, "timestamp"), answer_key=pages.key,
    )  # fmt: skip


def _said(extmetadata: Mapping[str, Any], name: str) -> str | None:
    """Return a value of the extended metadata as text; it is HTML, or missing, or empty."""
    entry = extmetadata.get(name)
    value = entry.get("value") if isinstance(entry, dict) else None
    return plain_text(str(value)) or None if value is not None else None


def _text(info: Mapping[str, Any], name: str) -> str | None:
    value = info.get(name)
    return value if isinstance(value, str) and value else None


def _number(info: Mapping[str, Any], name: str) -> int | None:
    value = info.get(name)
    return value if isinstance(value, int) else None
