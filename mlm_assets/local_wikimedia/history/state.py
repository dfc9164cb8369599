"""The world while its history is told: what may be edited, and the few ways in which an edit may change it.

Whatever edits an item goes through `State.edit`, which stamps it; nothing else touches a revision.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from mlm_assets.local_wikimedia.generator.articles import ArticlePlan
from mlm_assets.local_wikimedia.generator.images import FilePlan, ImagePlan, Subject
from mlm_assets.local_wikimedia.generator.settlements import Settlement, SettlementPlanner, subject_of
from mlm_assets.local_wikimedia.generator.taxonomy import Taxonomy
from mlm_assets.local_wikimedia.history.dice import Dice

Kind = Literal[
    "label", "coordinates", "class_added", "class_dropped", "class_changed", "population", "country",
    "image_added", "image_removed", "sitelink_added", "sitelink_removed",
    "article_created", "article_moved", "article_deleted", "article_edited",
    "file_uploaded", "file_replaced", "file_renamed", "file_deleted",
    "item_created", "item_deleted", "item_merged",
    "vandalised", "vandalism_undone", "class_reparented", "class_restored",
]  # fmt: skip
ITEM_KINDS: Final = frozenset(
    (
        "label", "coordinates", "class_added", "class_dropped", "class_changed", "population", "country", "image_added",
        "image_removed", "sitelink_added", "sitelink_removed", "article_created", "article_moved", "article_deleted",
        "item_created", "vandalised", "vandalism_undone",
    )
)  # fmt: skip
"""The kinds after which the item has a new revision; `item_merged` gives one to the survivor, named in `detail`."""

PageKey = tuple[str, str]


class Change(NamedTuple):
    """One thing that happened in a month.

    `qid` is the item it happened to, the class for `class_reparented` and `class_restored`, empty for files. `title` is
    that of the article in `lang`, or the name of a file, as it was before. `detail` is the value after it, in short:
    the survivor of a merge, the new title, the language of a label, the country.
    """

    month: int
    kind: Kind
    qid: str
    lang: str = ""
    title: str = ""
    detail: str = ""


class LeftBehind(NamedTuple):
    """A page that is nothing but a redirect to `target` since `month`."""

    target: str
    month: int


@dataclass(slots=True)
class State:
    """The world at one moment. Plans are replaced, never changed; `origins` are items as they were when they began.

    `file_redirects` leads from old names of files to new ones, `old_names` back.
    """

    seed: int
    planner: SettlementPlanner
    taxonomy: Taxonomy
    items: dict[str, Settlement]
    files: dict[str, FilePlan]
    file_redirects: dict[str, str]
    next_number: int
    dice: Dice
    old_names: dict[str, list[str]] = field(default_factory=dict)
    origins: dict[str, Settlement] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    page_redirects: dict[PageKey, LeftBehind] = field(default_factory=dict)
    unlinked: dict[PageKey, ArticlePlan] = field(default_factory=dict)
    vandalised: dict[str, dict[str, Any]] = field(default_factory=dict)
    reparented: dict[str, list[str]] = field(default_factory=dict)
    changes: dict[int, list[Change]] = field(default_factory=dict)
    in_tree: frozenset[str] = frozenset()

    @property
    def month(self) -> int:
        """The month that is being told."""
        return self.dice.month

    def tell(self, kind: Kind, qid: str, lang: str = "", title: str = "", detail: str = "") -> None:
        """Write down what happened."""
        self.changes.setdefault(self.month, []).append(Change(self.month, kind, qid, lang, title, detail))

    def edit(self, qid: str, **fields: Any) -> Settlement:
        """Give an item new values, and the revision and moment of this month; return it."""
        stamp = {"revision": self.dice.item_revision(qid), "modified_at": self.dice.moment(qid)}
        self.items[qid] = replace(self.items[qid], **(fields | stamp))
        return self.items[qid]

    def subject(self, qid: str) -> Subject:
        """Return what new pictures of an item show."""
        return subject_of(self.origins[qid])

    def upload(self, image: ImagePlan) -> None:
        """Put the file of a new statement on Commons, unless it is there, or the statement names one that is not."""
        file = image.file
        if file.damage == "unlisted" or file.name in self.files or file.name in self.file_redirects:
            return
        self.files[file.name] = replace(file, month=self.month)
        if image.old_name:
            self.redirect_file(image.old_name, file.name)
        self.tell("file_uploaded", "", title=file.name)

    def redirect_file(self, old: str, name: str) -> None:
        """Let an old name of a file, and those that led to it, lead to `name`."""
        for other in (*self.old_names.pop(old, ()), old):
            self.file_redirects[other] = name
            self.old_names.setdefault(name, []).append(other)

    def remove_file(self, name: str) -> None:
        """Take a file off Commons, with the names that redirect to it."""
        del self.files[name]
        for old in self.old_names.pop(name, ()):
            del self.file_redirects[old]
        self.tell("file_deleted", "", title=name)

    def current_name(self, stated_name: str) -> str | None:
        """Return the name of the file that a statement leads to, if there is one."""
        name = self.file_redirects.get(stated_name, stated_name)
        return name if name in self.files else None

    def set_articles(self, qid: str, articles: list[ArticlePlan]) -> None:
        """Give an item other articles, which edits it: its sitelinks change."""
        self.edit(qid, articles=articles)
