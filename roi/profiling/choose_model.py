"""Which model to build: of the catalog, of a local folder, a small one; and what it is then called."""

from pathlib import Path
from typing import Any, NamedTuple

from roi.catalog.configs import model_config, read_config
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
    """For the closed form; None where there is none (a local or shrunk model)."""
    shrunk: bool
    notes: tuple[str, ...]


def choose_model(
    model: str | None, weights: Path | None, device: str, layers: int | None = None, divisor: int = 1,
) -> ChosenModel:
    """The model that was asked for: a path where one exists, else a name of the catalog, else (on a CPU) a tiny one."""
    if weights is not None and (layers is not None or divisor != 1):
        raise InputError("--weights: real weights keep their shape; leave out --layers and --shrink")
    if weights is not None and not weights.is_dir():
        raise InputError(f"--weights: {weights} is not a folder; it should hold config.json and safetensors")
    name, config, shape, notes = _named(model, weights, device)
    if layers is None and divisor == 1:
        return ChosenModel(name, config, shape, shrunk=name == TINY, notes=notes)
    small, said = shrink_config(config, layers, divisor)
    return ChosenModel(f"{name} ({said})" if said else name, small, None if said else shape, shrunk=True, notes=(
        *notes, f"not {name} itself but {said}: times and memory are not those of the whole model",
    ) if said else notes)


def _named(
    model: str | None, weights: Path | None, device: str,
) -> tuple[str, dict[str, Any], ModelShape | None, tuple[str, ...]]:
    """(name, configuration, shape, notes)."""
    if model is None and weights is None:
        if device != "cpu":
            raise InputError("MODEL: none was given; a name of the catalog (llama-3.1-8b), or a folder with a config.json")
        return TINY, dict(TINY_CONFIG), tiny_shape(), ("no MODEL was given: a llama of 3.5 million parameters ran",)
    if model is None or Path(model).exists():
        held = read_config(weights if model is None and weights is not None else Path(str(model)))
        return held.name, held.entries, None, ()
    shape = tiny_shape() if model == TINY else find_model(model, "MODEL")
    if model == TINY:
        return TINY, dict(TINY_CONFIG), shape, ()
    found = model_config(shape)
    if weights is not None:
        _check_same(shape, read_config(weights, "--weights").entries, weights)
    return shape.id, found.entries, shape, (found.differs,) if found.differs else ()


def _check_same(shape: ModelShape, config: dict[str, Any], weights: Path) -> None:
    """Raise where the folder holds another shape than the model that was named."""
    for entry, wanted in (("hidden_size", shape.hidden), ("num_hidden_layers", shape.layers), ("vocab_size", shape.vocab)):
        held = config.get(entry)
        if held is not None and held != wanted:
            raise InputError(f"--weights: {weights} has {entry} {held}, but {shape.id} has {wanted}; leave MODEL out")
