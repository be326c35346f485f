"""Model configurations as transformers reads them: the file `configs.json`, by catalog name, or a local config.json."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

from roi.errors import InputError
from roi.facts.model import ModelShape

CONTEXT_ENTRIES: Final = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length")
"""What families call the longest sequence: most; gpt2; mpt and dbrx; olmo; bloom and chatglm."""


class ModelConfig(NamedTuple):
    """What a transformers class is built from."""

    name: str
    """Catalog name, path, or Hub id."""
    entries: dict[str, Any]  # Any: JSON, keys differ by architecture
    """The configuration, "model_type" included."""
    differs: str
    """Where a class of transformers stands in for a model with its own code: what differs; else empty."""

    @property
    def config_hash(self) -> str:
        """SHA-256 of the entries, 12 hex digits."""
        text = json.dumps(self.entries, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def model_config(shape: ModelShape, field: str = "MODEL") -> ModelConfig:
    """The configuration of a model of the catalog; an InputError where its code is not part of transformers."""
    known = _known()
    if shape.id in known["configs"]:
        return ModelConfig(shape.id, dict(known["configs"][shape.id]), "")
    if shape.id in known["stand_ins"]:
        found = known["stand_ins"][shape.id]
        return ModelConfig(shape.id, dict(found["config"]), found["differs"])
    raise InputError(
        f"{field}: {shape.id} ({shape.family}) has its own code, no class of transformers; the closed form takes it "
        "(leave out --dry-run)",
    )


def read_config(path: Path, field: str = "MODEL") -> ModelConfig:
    """A local config.json (or the folder that holds it); the text part of a model with vision or audio."""
    file = path / "config.json" if path.is_dir() else path
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{field}: cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{field}: {file} is not JSON: {error}") from error
    if not isinstance(entries, dict) or not isinstance(entries.get("model_type"), str):
        raise InputError(f'{field}: {file} has no "model_type"; is it the config.json of a model?')
    inner = entries.get("text_config")
    if isinstance(inner, dict) and isinstance(inner.get("model_type"), str):
        entries = inner
    return ModelConfig(str(path), entries, "")


def context_tokens(entries: Mapping[str, Any]) -> int | None:  # Any: JSON
    """The longest sequence that a configuration states, under its family's name for it; None where it states none."""
    stated = (entries.get(name) for name in CONTEXT_ENTRIES)
    return next((value for value in stated if isinstance(value, int) and not isinstance(value, bool)), None)


@cache
def _known() -> dict[str, dict[str, Any]]:  # Any: JSON
    text = files("roi.catalog").joinpath("models", "configs.json").read_text(encoding="utf-8")
    known: dict[str, dict[str, Any]] = json.loads(text)
    return known
