"""Recipes: everything that decides how a model is trained, as TOML that a researcher can read and change.

A recipe is a file of `recipes/` or of the user's own. `paper` follows the paper (section 5) where it was right,
`modern` is ours, `demo` is `modern` in small, `as_published` turns on the faults of the published code, each a switch
of its own so that its effect can be measured. What the words mean is said here, next to their types.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlm_assets.errors import Refused

FOLDER: Final = Path(__file__).with_name("recipes")
Task = Literal["ir", "le", "mtl"]
TASKS: Final[tuple[Task, ...]] = ("ir", "le", "mtl")
"""Retrieval alone, location estimation alone, both (multitask)."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRecipe(_Section):
    """The shape of the network."""

    branches: Literal["gated", "mlp"] = Field(
        default="gated", description="gated: the paper's length-1 LSTMs as three gates; mlp: two layers with GELU."
    )
    embedding: int = Field(default=1024, ge=2, description="Length of the shared embedding (paper: 1024).")
    hidden: int = Field(default=1024, ge=2, description="Width of the hidden layers of `mlp` branches.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout in branches and location head.")
    input_norm: bool = Field(default=False, description="Whether features pass a layer norm first.")


class LossRecipe(_Section):
    """What is minimised."""

    retrieval: Literal["cosine_embedding", "contrastive"] = "cosine_embedding"
    margin: float = Field(default=0.1, ge=0, lt=1, description="Margin of the cosine embedding loss (paper: 0.1).")
    negatives: float = Field(default=0.5, ge=0, lt=1, description="Share of pairs whose image is another settlement's.")
    temperature: float = Field(default=0.07, gt=0, description="Where the learned temperature of `contrastive` starts.")
    label_km: float = Field(
        default=0.0, ge=0, description="Labels fall off with distance on this scale; 0: one cell is right."
    )
    hierarchy: tuple[Annotated[int, Field(ge=0, le=30)], ...] = Field(
        default=(), description="S2 levels at which coarser cells are predicted too."
    )
    task_weights: Literal["learned", "equal"] = Field(
        default="learned", description="learned: by homoscedastic uncertainty, as in the paper; equal: the plain sum."
    )


class ViewsRecipe(_Section):
    """What of a settlement a training step sees."""

    texts: int = Field(default=1, ge=1, le=4, description="Texts (languages) of a settlement in one step.")
    classes: Literal["one", "mean"] = Field(default="one", description="One class at random, or the mean of all.")
    class_dropout: float = Field(default=0.0, ge=0, lt=1, description="How often a text goes without its classes.")


class TrainingRecipe(_Section):
    """How it is minimised."""

    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0)
    batch: int = Field(default=128, ge=2, description="Settlements in one step (paper: 128).")
    epochs: int = Field(default=100, ge=1, description="Passes over the training items (paper: 100).")
    patience: int = Field(default=0, ge=0, description="Stop after so many epochs without a better one; 0: never.")


class Faults(_Section):
    """Faults of the published pipeline, off unless their effect is to be measured (docs/benchmark.md)."""

    swapped_de_fr: bool = Field(default=False, description="German and French texts have changed places.")
    limit_per_class: int = Field(
        default=0, ge=0, description="Only so many settlements per class (the LIMIT of the query)."
    )
    cells_removed_at: int = Field(
        default=0, ge=0, description="Cells with up to so many settlements are gone (<= T_min)."
    )
    class_ids_as_answered: bool = Field(
        default=False, description="Cells are numbered in an order that is never the same."
    )
    unseeded_splits: bool = Field(default=False, description="Splits are drawn anew for every training.")
    task_weights_frozen: bool = Field(
        default=False, description="The optimiser is never given the learned task weights."
    )
    negatives_reach_location: bool = Field(
        default=False,
        description="The image of a negative pair is located too, with the label of the other settlement.",
    )
    first_characters: int = Field(
        default=0, ge=0, description="Texts are cut after so many characters (500) and encoded."
    )
    english_encoder: str = Field(
        default="", description="An English encoder for all languages, such as bert-english-500."
    )
    dot_product_unnormalised: bool = Field(default=False, description="Text vectors keep their length in retrieval.")
    recall_summed_over_languages: bool = Field(
        default=False, description="Recall is a sum over three languages, not a mean."
    )
    language_by_counter: bool = Field(
        default=False, description="A counter over all test items chooses their languages."
    )


class Recipe(_Section):
    """One way to train."""

    name: str
    description: str
    model: ModelRecipe = ModelRecipe()
    loss: LossRecipe = LossRecipe()
    views: ViewsRecipe = ViewsRecipe()
    training: TrainingRecipe = TrainingRecipe()
    faults: Faults = Faults()

    def digest(self) -> str:
        """Return a hash of everything that decides the result; name and description do not."""
        said = self.model_dump_json(exclude={"name", "description"})
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def changed(self, **sections: dict[str, object]) -> "Recipe":
        """Return the recipe with some values of some sections replaced, as in `changed(training={"epochs": 3})`."""
        said = self.model_dump()
        for section, values in sections.items():
            said[section] = {**said[section], **values}
        return parse_recipe(said, self.name)


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def recipe_address(name: str) -> str:
    """Return the name of a recipe as a home keeps it: a path is made absolute, for others start elsewhere."""
    is_file = name not in recipe_names() and Path(name).is_file()
    return str(Path(name).absolute()) if is_file else name


def load_recipe(name: str) -> Recipe:
    """Return the recipe of this name, or of the TOML file at this path.

    Raises:
        Refused: there is none, it cannot be read, or it says something that is not understood.
    """
    path = FOLDER / f"{name}.toml" if name in recipe_names() else Path(name)
    if not path.is_file():
        raise Refused(
            f"There is no recipe {name!r}. Take one of {', '.join(recipe_names())}, or the path of a TOML file."
        )
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"The recipe {path} cannot be read as TOML: {error}.") from error
    return parse_recipe({"name": path.stem, **said}, str(path))


def parse_recipe(said: dict[str, object], source: str) -> Recipe:
    """Return the recipe that a mapping describes.

    Raises:
        Refused: a word or a value is not understood; the sentence names it.
    """
    try:
        return Recipe.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"The recipe {source} is not acceptable at {where}: {first['msg']}.") from error
