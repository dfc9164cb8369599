"""DATASHEET.md: the questions that "Datasheets for Datasets" (Gebru et al.) asks of a dataset, in our words.

What is counted is answered by the figures of the manifest; what has to be said in sentences comes from `words`.
"""

from mlm_assets.release.metadata import grids, words
from mlm_assets.release.metadata.text import bullets, markdown_document, markdown_section, markdown_table
from mlm_assets.release.metadata.words import Manifest


def render(manifest: Manifest) -> bytes:
    """Return the datasheet."""
    return markdown_document(
        f"# Datasheet of {words.title(manifest)}",
        "It follows the outline of “Datasheets for Datasets” (Gebru et al.).",
        *_why(),
        *_what(manifest),
        *_how(manifest),
        *_use(manifest),
    )


def _ask(question: str, answer: str) -> str:
    return f"### {question}\n\n{answer}"


def _why() -> list[str]:
    return [
        "## Why it exists",
        _ask("Why was it made?",
             "To train and judge models that do several tasks at once over several languages and kinds of media. The "
             "first MLM was produced once; these releases keep it current."),
        _ask("Who made it?",
             f"{words.MAINTAINERS}, by the method of the paper: {words.paper_citation()}"),
        _ask("Who paid for it?", "No funding is on record for this release."),
    ]  # fmt: skip


def _what(manifest: Manifest) -> list[str]:
    taken_back = grids.tombstones(manifest)
    return [
        "## What is in it",
        _ask("What is one instance?",
             "A human settlement: its label, coordinates, classes, country and population, its lead texts in the "
             "languages of the variant, and its pictures."),
        _ask("How many are there?", markdown_table(grids.counts(manifest))),
        _ask("In which languages?", markdown_table(grids.texts(manifest))),
        _ask("Where are they?", markdown_table(grids.countries(manifest))),
        _ask("Is it all there is, or a sample?",
             "All settlements that meet the constraints, but for the variant of the European Union, which is cut to "
             "quotas in proportion to population. Why a settlement is not in a variant is recorded for each."),
        _ask("Is something missing?",
             "Pictures that may not be published, and what was taken back:\n\n"
             f"{markdown_table(grids.withheld(manifest))}\n\n"
             + (markdown_table(taken_back) if taken_back.rows else "Nothing was taken back.")),
        _ask("Are there recommended splits?", markdown_table(grids.splits(manifest))),
        _ask("Are there errors or noise?", bullets(words.LIMITATIONS)),
        _ask("Does it stand alone?",
             "Yes. Pictures and texts are copied into the release; links to their sources are for attribution."),
        _ask("Does it hold what is confidential, offensive or about persons?", bullets(words.SENSITIVE)),
    ]  # fmt: skip


def _how(manifest: Manifest) -> list[str]:
    return [
        "## How it was made",
        _ask("How was it collected?", words.COLLECTION),
        _ask("When?",
             f"For the release `{manifest['release']}`; its versions were accepted on {manifest['created']}."),
        _ask("With which parameters?", markdown_table(grids.parameters(manifest))),
        _ask("Did people whom it concerns agree?",
             "The sources are public and freely licensed. Who wants something taken back asks the maintainers; it "
             "leaves the newest version of each release and does not come back."),
        _ask("What was done to the raw data?", words.PREPROCESSING),
        _ask("Was it checked?",
             f"{markdown_table(grids.checks(manifest))}\n\nVersions that a check had rejected and a person let "
             f"through:\n\n{markdown_table(grids.approvals(manifest))}"),
        _ask("With which software?", markdown_table(grids.software(manifest))),
        markdown_section(grids.inputs(manifest), 3),
    ]  # fmt: skip


def _use(manifest: Manifest) -> list[str]:
    scores = grids.scores(manifest)
    return [
        "## What it is used for",
        _ask("What has it been used for?",
             "The benchmark of the paper, repeated for this release:\n\n" + markdown_table(scores)
             + f"\n\n{words.about_scores(manifest)}"
             if scores.rows else "Nothing was trained on this release."),
        _ask("What else could it be used for?", bullets(words.USE_CASES)),
        _ask("Which biases matter?", bullets(words.BIASES)),
        _ask("What should it not be used for?", words.IMPACT),
        "## How it is given out and kept",
        _ask("Under which licences?", "Each part under its own: see [`LICENSES.md`](LICENSES.md)."),
        _ask("Who maintains it, and how?", words.MAINTENANCE),
        _ask("What becomes of older versions?",
             "They keep their names and hashes. What was taken back is purged from them too, and listed there."),
        _ask("How is it cited?", f"{words.citation(manifest)} See [`CITATION.cff`](CITATION.cff)."),
    ]  # fmt: skip
