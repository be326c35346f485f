"""Open model shapes: the file `data/models.json`, by id or Hub name."""

from functools import cache
from importlib.resources import files

from roi.catalog.model_spellings import ACTIVE, key, spellings
from roi.errors import UnknownName
from roi.facts.model import ModelList, ModelShape


@cache
def load_models() -> tuple[ModelShape, ...]:
    """Every shape of the catalog, in the file's order; read on the first call."""
    text = files("roi.catalog").joinpath("data", "models.json").read_bytes()
    return ModelList.model_validate_json(text).models


def find_model(name: str, field: str = "model", *, exact: bool = False) -> ModelShape:
    """The shape with this id or Hub name, in any spelling: owner, case, separators, packing and training do not matter.

    A mixture is found without its active parameters too. `exact` takes the catalog's own names alone, in any case: a profile's
    "runs/gpt2" may be a folder. `field` is where the name was given; UnknownName quotes it with the nearest known names.
    """
    known = _models_by_key()
    tried = [key(name)] if exact else spellings(name)
    found = next((known[each] for each in tried if each in known), None)
    if found is None:
        near = (known for model in load_models() for known in (model.id, *model.aliases))
        raise UnknownName(field, name, near, "model")
    return found


@cache
def _models_by_key() -> dict[str, ModelShape]:
    """Every shape under each of its names, as `key` writes them; without the active parameters where that leaves one shape."""
    full = {key(name): model for model in load_models() for name in names(model)}
    short: dict[str, dict[str, ModelShape]] = {}
    for name, model in full.items():
        short.setdefault(ACTIVE.sub("", name), {})[model.id] = model
    return {name: next(iter(models.values())) for name, models in short.items() if len(models) == 1} | full


def names(model: ModelShape) -> set[str]:
    """The names that find a model: its id, its Hub names, and those without their owner."""
    return {model.id, *model.aliases, *(alias.rpartition("/")[2] for alias in model.aliases)}
