"""Open model shapes: the file `data/models.json`, by id or Hub name."""

from functools import cache
from importlib.resources import files

from roi.errors import UnknownName
from roi.facts.model import ModelList, ModelShape


@cache
def load_models() -> tuple[ModelShape, ...]:
    """Every shape of the catalog, in the file's order; read on the first call."""
    text = files("roi.catalog").joinpath("data", "models.json").read_bytes()
    return ModelList.model_validate_json(text).models


def find_model(name: str, field: str = "model") -> ModelShape:
    """The shape with this id or Hub name (with or without its owner); case does not matter.

    `field` is where the name was given; UnknownName quotes it together with the nearest known names.
    """
    found = _models_by_name().get(name.strip().lower())
    if found is None:
        known = (known for model in load_models() for known in (model.id, *model.aliases))
        raise UnknownName(field, name, known, "model")
    return found


@cache
def _models_by_name() -> dict[str, ModelShape]:
    """Every shape under each of its names, lower case."""
    return {name.lower(): model for model in load_models() for name in names(model)}


def names(model: ModelShape) -> set[str]:
    """The names that find a model: its id, its Hub names, and those without their owner."""
    return {model.id, *model.aliases, *(alias.rpartition("/")[2] for alias in model.aliases)}
