"""Recipes: those that are shipped, what is refused and how it is named, and what a digest tells apart."""

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from mlm_assets.errors import Refused
from mlm_assets.ml.recipe import Faults, Recipe, load_recipe, parse_recipe, recipe_names

SECTIONS = ("model", "loss", "views", "training", "faults")


def test_the_shipped_recipes_load_and_say_what_they_are() -> None:
    assert recipe_names() == ["as_published", "demo", "modern", "paper"]
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.name == name and recipe.description.endswith(".")
    assert len({load_recipe(name).digest() for name in recipe_names()}) == 4


def test_paper_follows_the_paper_and_has_no_fault() -> None:
    paper = load_recipe("paper")
    assert paper.faults == Faults()
    assert (paper.training.optimiser, paper.training.learning_rate) == ("adam", 1e-4)
    assert (paper.training.batch, paper.training.epochs, paper.model.dropout) == (128, 100, 0.1)
    assert (paper.loss.retrieval, paper.loss.margin, paper.model.embedding) == ("cosine_embedding", 0.1, 1024)
    assert (paper.loss.task_weights, paper.model.branches) == ("learned", "gated")


def test_as_published_is_paper_with_every_fault_that_needs_no_download() -> None:
    published, paper = load_recipe("as_published"), load_recipe("paper")
    off = [name for name, value in published.faults.model_dump().items() if not value]
    assert off == ["english_encoder"]
    for section in SECTIONS[:-1]:
        assert getattr(published, section) == getattr(paper, section)
    assert load_recipe("modern").faults == load_recipe("demo").faults == Faults()


def test_a_recipe_of_ones_own_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('description = "Mine."\n[loss]\nhierarchy = [2]\n', "utf-8")
    recipe = load_recipe(str(path))
    assert (recipe.name, recipe.loss.hierarchy, recipe.training.batch) == ("mine", (2,), 128)


@pytest.mark.parametrize("name", ["papers", "", "/nowhere/paper.toml", "."])
def test_a_recipe_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        load_recipe(name)
    assert f"There is no recipe {name!r}. Take one of as_published, demo, modern, paper, or the path" in str(
        refused.value
    )


@pytest.mark.parametrize("content", [b"[model", b"a = 'x", "name = 'ü'".encode("latin-1")])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(Refused, match=r"The recipe .*broken\.toml cannot be read as TOML"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        ("[model]\nembeding = 3", "model.embeding: Extra inputs are not permitted"),
        ("optimizer = 1", "optimizer: Extra inputs are not permitted"),
        ("[model]\nbranches = 'lstm'", "model.branches: Input should be 'gated' or 'mlp'"),
        ("[training]\nlearning_rate = 0", "training.learning_rate: Input should be greater than 0"),
        ("[training]\nlearning_rate = nan", "training.learning_rate: Input should be greater than 0"),
        ("[training]\nbatch = 1", "training.batch: Input should be greater than or equal to 2"),
        ("[loss]\nnegatives = 1.0", "loss.negatives: Input should be less than 1"),
        ("[loss]\nhierarchy = [2, 31]", "loss.hierarchy.1: Input should be less than or equal to 30"),
        ("[views]\ntexts = 'two'", "views.texts: Input should be a valid integer"),
        ("[faults]\nswapped = true", "faults.swapped: Extra inputs are not permitted"),
    ],
)
def test_a_word_or_value_that_is_not_understood_is_named(tmp_path: Path, toml: str, where: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'description = "Mine."\n{toml}\n', "utf-8")
    with pytest.raises(Refused) as refused:
        load_recipe(str(path))
    assert f"The recipe {path} is not acceptable at {where}" in str(refused.value)


def other_value(field: Any, value: Any) -> Any:
    """Return another value that the field accepts."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 + 0.01
    if isinstance(value, tuple):
        return (*value, 3)
    return next((word for word in get_args(field.annotation) if word != value), value + "x")


def every_value() -> list[tuple[str, str]]:
    return [(section, name) for section in SECTIONS for name in section_class(section).model_fields]


def section_class(section: str) -> type[BaseModel]:
    found = Recipe.model_fields[section].annotation
    assert found is not None
    return found


@pytest.mark.parametrize(("section", "name"), every_value())
def test_a_digest_changes_with_every_value(section: str, name: str) -> None:
    recipe = load_recipe("paper")
    field = section_class(section).model_fields[name]
    new = other_value(field, getattr(getattr(recipe, section), name))
    changed = recipe.changed(**{section: {name: new}})
    assert getattr(getattr(changed, section), name) == new
    assert changed.digest() != recipe.digest()
    assert recipe.changed(**{section: {}}) == recipe


def test_a_digest_does_not_change_with_name_and_description() -> None:
    said = load_recipe("modern").model_dump(mode="json")
    renamed = parse_recipe({**said, "name": "other", "description": "Other words."}, "here")
    assert renamed.digest() == load_recipe("modern").digest()


def test_a_change_is_checked_too() -> None:
    with pytest.raises(Refused, match=r"The recipe paper is not acceptable at model\.dropout"):
        load_recipe("paper").changed(model={"dropout": 2})
