"""The properties that `prop=` may ask for: extracts, info, imageinfo, pageprops.

Each takes the pages of a request and adds to their entries (formatversion 2). Only extracts ever has more to say than
fits into one answer, and then returns where to go on. Texts of warnings are MediaWiki's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from mlm_assets.local_wikimedia.model import MediaFile, Page
from mlm_assets.local_wikimedia.pageset import PageSet
from mlm_assets.local_wikimedia.thumbnails import (
    ICON_PATH,
    ICON_PX,
    SVG_MIME,
    has_thumbnails,
    height_at,
    is_original,
    thumbnail_name,
)
from mlm_assets.local_wikimedia.titles import Title, article_path, upload_path

MAX_EXTRACTS: Final = 20
SERVED: Final = ("extracts", "info", "imageinfo", "pageprops")


class ApiError(Exception):
    """An error of the Action API, reported as JSON with HTTP 200."""

    def __init__(self, code: str, info: str, **details: Any) -> None:
        super().__init__(info)
        self.code = code
        self.info = info
        self.details = details


@dataclass(slots=True)
class Query:
    """One `action=query` request on its way: `entries` are the pages of the answer, in the order of `pages`."""

    parameters: Mapping[str, str]
    host: str
    base_url: str
    pages: PageSet
    entries: dict[str, dict[str, Any]]
    warnings: dict[str, list[str]] = field(default_factory=dict)

    def warn(self, module: str, text: str) -> None:
        """Add a warning of one module."""
        self.warnings.setdefault(module, []).append(text)

    def flag(self, name: str) -> bool:
        """Tell whether a boolean parameter is set; as in MediaWiki, any value but absence is yes."""
        return name in self.parameters

    def integer(self, name: str, default: int) -> int:
        """Return an integer parameter.

        Raises:
            ApiError: it is no integer.
        """
        text = self.parameters.get(name, "")
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise ApiError("badinteger", f'Invalid value "{text}" for integer parameter "{name}".') from None

    def choices(self, name: str, default: str) -> list[str]:
        """Return the values of a parameter that takes several."""
        return split_values(self.parameters.get(name, default))


def split_values(text: str) -> list[str]:
    """Return the values of a list, without repetition: "a|b", or separated by U+001F with one in front."""
    values = text[1:].split("\x1f") if text.startswith("\x1f") else text.split("|")
    return list(dict.fromkeys(value for value in values if value))


def _extract_limit(query: Query, n_titles: int) -> int:
    text = query.parameters.get("exlimit", "max")
    limit = MAX_EXTRACTS if text == "max" else query.integer("exlimit", MAX_EXTRACTS)
    if limit < 1 or limit > MAX_EXTRACTS:
        query.warn("extracts", f'The value "{limit}" for parameter "exlimit" must be between 1 and {MAX_EXTRACTS}.')
        limit = max(1, min(MAX_EXTRACTS, limit))
    if limit > 1 and not query.flag("exintro") and n_titles > 1:
        query.warn(
            "extracts",
            '"exlimit" was too large for a whole article extracts request, lowered to 1.',
        )
        return 1
    return limit


def extracts(query: Query) -> int | None:
    """Add up to `exlimit` extracts from `excontinue` on; return the next `excontinue`, or None at the end."""
    good = query.pages.good
    if not good:
        return None
    limit = _extract_limit(query, len(good))
    start = query.integer("excontinue", 0)
    if not 0 <= start <= len(good):
        raise ApiError(
            "badcontinue", "Invalid continue param. You should pass the original value returned by the previous query."
        )
    plain = query.flag("explaintext")
    if not plain:
        query.warn(
            "extracts", "HTML may be malformed and/or unbalanced and may omit inline images. Use at your own risk."
        )
    for title, page in good[start : start + limit]:
        text = page.extract if isinstance(page, Page) else ""
        query.entries[title.full]["extract"] = text if plain else _as_html(text)
    return start + limit if start + limit < len(good) else None


def _as_html(text: str) -> str:
    return "\n".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in text.split("\n") if paragraph)


def info(query: Query) -> None:
    """Add revision, length and time of the pages, missing ones included as far as they have any."""
    wanted = query.choices("inprop", "")
    for title in [*query.pages.missing, *(title for title, _ in query.pages.good)]:
        entry = query.entries[title.full]
        language = query.host.partition(".")[0] if query.host.endswith("wikipedia.org") else "en"
        entry |= {
            "contentmodel": "wikitext",
            "pagelanguage": language,
            "pagelanguagehtmlcode": language,
            "pagelanguagedir": "ltr",
        }
    for title, page in query.pages.good:
        query.entries[title.full] |= _revision(page)
    for title in [*query.pages.missing, *(title for title, _ in query.pages.good)]:
        if "url" in wanted:
            query.entries[title.full] |= _addresses(query.host, title)
        if "displaytitle" in wanted:
            query.entries[title.full]["displaytitle"] = escape(title.full, quote=False)


def _revision(page: Page | MediaFile) -> dict[str, Any]:
    if isinstance(page, MediaFile):
        return {"touched": page.timestamp, "lastrevid": page.pageid * 10 + 1, "length": 600}
    length = len(page.extract.encode()) * 4 + 300
    revision = {"touched": page.touched, "lastrevid": page.lastrevid, "length": length}
    return revision | {"redirect": True} if page.redirect_to else revision


def _addresses(host: str, title: Title) -> dict[str, str]:
    path = article_path(title.full)
    address = f"https://{host}/wiki/{path}"
    edit = f"https://{host}/w/index.php?title={path}&action=edit"
    return {"fullurl": address, "editurl": edit, "canonicalurl": address}


def pageprops(query: Query) -> None:
    """Add the item of a page."""
    for title, page in query.pages.good:
        if isinstance(page, Page) and page.qid:
            query.entries[title.full]["pageprops"] = {"wikibase_item": page.qid}


def imageinfo(query: Query) -> None:
    """Add what is known of files; a file page that does not exist has no repository."""
    wanted = query.choices("iiprop", "timestamp|user")
    for title in query.pages.missing:
        if title.namespace:
            query.entries[title.full]["imagerepository"] = ""
    width = query.integer("iiurlwidth", -1)
    filtered = query.choices("iiextmetadatafilter", "")
    for title, file in query.pages.good:
        if isinstance(file, MediaFile):
            facts = _file_facts(query, file, wanted, width, filtered)
            query.entries[title.full] |= {"imagerepository": "local", "imageinfo": [facts]}


def _file_facts(query: Query, file: MediaFile, wanted: list[str], width: int, filtered: list[str]) -> dict[str, Any]:
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "timestamp": lambda: {"timestamp": file.timestamp},
        "user": lambda: {"user": "Local"},
        "size": lambda: {"size": file.size_bytes, "width": file.width_px, "height": file.height_px},
        "url": lambda: _file_addresses(query.base_url, file, width),
        "sha1": lambda: {"sha1": file.sha1},
        "mime": lambda: {"mime": file.mime},
        "mediatype": lambda: {"mediatype": media_type(file.mime)},
        "extmetadata": lambda: {"extmetadata": _metadata(file, filtered)},
    }
    facts: dict[str, Any] = {}
    for name, make in makers.items():
        if name in wanted:
            facts |= make()
    return facts


def _metadata(file: MediaFile, filtered: list[str]) -> dict[str, Any]:
    return {key: value for key, value in file.extmetadata.items() if not filtered or key in filtered}


def media_type(mime: str) -> str:
    """Return MediaWiki's class of a MIME type."""
    if mime == SVG_MIME:
        return "DRAWING"
    classes = {"image": "BITMAP", "audio": "AUDIO", "video": "VIDEO", "application": "OFFICE"}
    return classes.get(mime.partition("/")[0], "UNKNOWN")


def _file_addresses(base_url: str, file: MediaFile, width: int) -> dict[str, Any]:
    root = f"{base_url}/upload.wikimedia.org/wikipedia/commons"
    path = upload_path(file.name)
    original = f"{root}/{path}"
    thumbnail = _thumbnail(base_url, root, original, file, width) if width > 0 else {}
    page = f"https://commons.wikimedia.org/wiki/File:{article_path(file.name)}"
    short = f"https://commons.wikimedia.org/w/index.php?curid={file.pageid}"
    return thumbnail | {"url": original, "descriptionurl": page, "descriptionshorturl": short}


def _thumbnail(base_url: str, root: str, original: str, file: MediaFile, width: int) -> dict[str, Any]:
    if not has_thumbnails(file.mime):
        return {"thumburl": base_url + ICON_PATH, "thumbwidth": ICON_PX, "thumbheight": ICON_PX}
    if is_original(file, width) and file.mime.startswith("image/"):
        return {"thumburl": original, "thumbwidth": file.width_px, "thumbheight": file.height_px}
    path = upload_path(file.name)
    name = upload_path(thumbnail_name(file, width)).rpartition("/")[2]
    return {
        "thumburl": f"{root}/thumb/{path}/{name}",
        "thumbwidth": width,
        "thumbheight": height_at(file, width),
    }
