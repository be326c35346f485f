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


@cache
def models_by_name() -> dict[str, ModelShape]:
    """Every shape under its id and each of its aliases, lower case."""
    return {name.lower(): model for model in load_models() for name in (model.id, *model.aliases)}


def find_model(name: str, field: str = "model") -> ModelShape:
    """The shape with this id or Hub name; case does not matter.

    `field` is where the name was given; UnknownName quotes it together with the nearest known names.
    """
    found = models_by_name().get(name.strip().lower())
    if found is None:
        known = (known for model in load_models() for known in (model.id, *model.aliases))
        raise UnknownName(field, name, known, "model")
    return found
