"""The model that the user names: of the catalog, or of a config.json."""

from pathlib import Path
from typing import NamedTuple

from roi.catalog.config_shapes import shape_of_config
from roi.catalog.configs import ModelConfig, model_config, read_config
from roi.catalog.models import find_model
from roi.errors import InputError, UnknownName
from roi.facts.model import ModelShape


class ChosenModel(NamedTuple):
    """What the user named."""

    shape: ModelShape
    config: ModelConfig | None
    """None where transformers has no class for it."""


def choose_model(name: str, field: str = "MODEL") -> ChosenModel:
    """A catalog name, a Hub name that the catalog knows, a config.json, or the folder that holds one."""
    path = Path(name)
    if path.suffix == ".json" or path.is_dir():
        config = read_config(path, field)
        return ChosenModel(shape_of_config(config, field), config)
    try:
        shape = find_model(name, field)
    except UnknownName as error:
        if path.is_file():
            config = read_config(path, field)
            return ChosenModel(shape_of_config(config, field), config)
        raise InputError(f"{error}; or give the path of its config.json") from error
    try:
        return ChosenModel(shape, model_config(shape, field))
    except InputError:
        return ChosenModel(shape, None)
