"""Which model to build: of the catalog, of a local folder, a small one; and what it is then called."""

from pathlib import Path
from typing import Any, NamedTuple

from roi.catalog.config_shapes import shape_of_config
from roi.catalog.configs import ModelConfig, model_config, read_config
from roi.catalog.models import find_model
from roi.errors import InputError
from roi.facts.model import ModelShape
from roi.profiling.small import TINY, TINY_CONFIG, shrink_config, tiny_shape


class ChosenModel(NamedTuple):
    """What is built."""

    name: str
    """As the profile has it; a shrunk model says what was done."""
    config: dict[str, Any]  # Any: JSON
    shape: ModelShape | None
    """For the closed form: the catalog's, or as `roi fit` reads it from a config.json; None where there is none."""
    shrunk: bool = False
    notes: tuple[str, ...] = ()
    """What a reader must know; says why where there is no closed form."""
    listed: bool = True
    """True where the shape is the catalog's."""


def choose_model(
    model: str | None, weights: Path | None, device: str, layers: int | None = None, divisor: int = 1,
) -> ChosenModel:
    """The model that was asked for: a path where one exists, else a name of the catalog, else (on a CPU) a tiny one."""
    if weights is not None and (layers is not None or divisor != 1):
        raise InputError("--weights: real weights keep their shape; leave out --layers and --shrink")
    if weights is not None and not weights.is_dir():
        raise InputError(f"--weights: {weights} is not a folder; it should hold config.json and safetensors")
    whole = _named(model, weights, device)
    if layers is None and divisor == 1:
        return whole._replace(shrunk=whole.name == TINY)
    small, said = shrink_config(whole.config, layers, divisor)
    made = _read(ModelConfig(f"{whole.name} ({said})", small, ""))
    return made._replace(shrunk=True, notes=(
        *(whole.notes if whole.listed else ()), *made.notes,
        f"not {whole.name} itself but {said}: times and memory are not those of the whole model",
    ))


def _named(model: str | None, weights: Path | None, device: str) -> ChosenModel:
    if model is None and weights is None:
        if device != "cpu":
            raise InputError("MODEL: none was given; a name of the catalog (llama-3.1-8b), or a folder with a config.json")
        note = "no MODEL was given: a llama of 3.5 million parameters ran"
        return ChosenModel(TINY, dict(TINY_CONFIG), tiny_shape(), notes=(note,))
    if model is None or Path(model).exists():
        return _read(read_config(weights if model is None and weights is not None else Path(str(model))))
    if model == TINY:
        return ChosenModel(TINY, dict(TINY_CONFIG), tiny_shape())
    shape = find_model(model, "MODEL")
    found = model_config(shape)
    if weights is not None:
        _check_same(shape, read_config(weights, "--weights").entries, weights)
    return ChosenModel(shape.id, found.entries, shape, notes=(found.differs,) if found.differs else ())


def _read(config: ModelConfig) -> ChosenModel:
    """A model of no catalog name, with the shape that `roi fit` reads from the same entries, or a note why there is none."""
    try:
        return ChosenModel(config.name, config.entries, shape_of_config(config), listed=False)
    except InputError as error:
        why = str(error).removeprefix("MODEL: ").removeprefix(f"{config.name}: ")
        return ChosenModel(config.name, config.entries, None, notes=(f"predicted: no closed form ({why})",), listed=False)


def _check_same(shape: ModelShape, config: dict[str, Any], weights: Path) -> None:
    """Raise where the folder holds another shape than the model that was named."""
    for entry, wanted in (("hidden_size", shape.hidden), ("num_hidden_layers", shape.layers), ("vocab_size", shape.vocab)):
        held = config.get(entry)
        if held is not None and held != wanted:
            raise InputError(f"--weights: {weights} has {entry} {held}, but {shape.id} has {wanted}; leave MODEL out")
