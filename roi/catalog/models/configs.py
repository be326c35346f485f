"""Model configurations as transformers reads them: the file `configs.json`, by catalog name, or a local config.json."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from roi.catalog.models.architectures import WIDTH_ENTRIES, known_types, text_part
from roi.catalog.models.stored_weights import StoredWeights, stored_weights
from roi.catalog.rows import read_json
from roi.disk import parse_json, read_text
from roi.errors import InputError
from roi.facts.model import ModelShape
from roi.units import GIB

MOST_BYTES: Final = 8 * 2**20
"""Bytes of a config.json at most; usual ones have some kilobytes."""
CONTEXT_ENTRIES: Final = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length")
"""What families call the longest sequence: most; gpt2; mpt and dbrx; olmo; bloom and chatglm."""
DEPTH_ENTRIES: Final = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "layers", "encoder_layers",
                        "num_layers_per_stack", "layers_block_type", "hybrid_override_pattern")
"""What families call the number of layers: most; gpt2 and bloom; mpt; gpt_neo, exaone and xglm; kosmos; formulanet; hrm; or
Nemotron-H, which states the kind of each."""
LARGEST: Final = 10**12
"""No whole number of a configuration is larger; the base of rotary positions is some 10**8."""
COUNTS: Final = {
    **dict.fromkeys((
        "hidden_size", "intermediate_size", "moe_intermediate_size", "vocab_size", "num_attention_heads", "num_key_value_heads",
        "head_dim", "n_embd", "n_head", "d_model", "ffn_dim", "num_experts", "num_local_experts", "n_routed_experts",
        "num_experts_per_tok", "num_experts_per_token", "n_group", "topk_group",
    ), (0, 10**7)),
    **dict.fromkeys(("num_hidden_layers", "n_layer"), (1, 10_000)),
    **dict.fromkeys(CONTEXT_ENTRIES, (1, 10**8)), "sliding_window": (-1, 10**8),
}  # fmt: skip
"""Entries that count, and the least and the most that is read."""

SIGLIP: Final = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "image_size": 224, "patch_size": 16,
                 "num_channels": 3}
"""Entries of SigLIP's tower with its class's defaults (transformers/models/siglip/configuration_siglip.py)."""
PARTS: Final = ("text_config", "vision_config", "quantization_config", "rope_scaling", "rope_parameters")
"""Entries that hold entries."""


class ModelConfig(NamedTuple):
    """What a transformers class is built from."""

    name: str
    """Catalog name, path, or Hub id."""
    entries: dict[str, Any]  # Any: JSON, keys differ by architecture
    """The configuration, "model_type" included."""
    differs: str
    """Where a class of transformers stands in for a model with its own code: what differs; else empty."""
    fused: str = ""
    """The module of that code which holds queries, keys and values, where the class has three; else empty."""
    besides: str = ""
    """What a model with vision or audio has besides its text decoder, which is all that is read of it; else empty."""
    stored: StoredWeights | None = None
    """How the weights beside it are packed; None where they are not."""

    @property
    def config_hash(self) -> str:
        """SHA-256 of the entries, and of what is fused, 12 hex digits."""
        held = {**self.entries, "fused": self.fused} if self.fused else self.entries
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:12]


def model_config(shape: ModelShape) -> ModelConfig:
    """The configuration of a model of the catalog; an InputError where its code is not part of transformers."""
    configs, stand_ins = (read_json("models/configs.json")[part] for part in ("configs", "stand_ins"))
    if shape.id in configs:
        return ModelConfig(shape.id, dict(configs[shape.id]), "")
    if shape.id in stand_ins:
        held = stand_ins[shape.id]
        return ModelConfig(shape.id, dict(held["config"]), held["differs"], held.get("fused", ""))
    raise InputError(
        f"MODEL: {shape.id} ({shape.family}) has its own code, no class of transformers; the closed form takes it "
        "(leave out --dry-run)",
    )


def read_config(path: Path, field: str = "MODEL") -> ModelConfig:
    """A local config.json (or the folder that holds it); the text part of a model with vision or audio."""
    from roi.scenario.other_files import refuse_no_text

    file = path / "config.json" if path.is_dir() else path
    refuse_no_text(f"{field}: ", file, "config.json of a model")
    try:
        entries = parse_json(read_text(file, MOST_BYTES, f"{field}: ", "a config.json", filled=True))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{field}: {file} is not JSON: {error}") from error
    if not isinstance(entries, dict) or not isinstance(entries.get("model_type"), str):
        schema = str(entries.get("schema", "")) if isinstance(entries, dict) else ""
        if schema.startswith("roi."):
            reads = f"roi compare {file}" if schema.startswith("roi.comparison/") else f"{field} is a name or a config.json"
            raise InputError(f"{field}: {file}: what roi wrote ({schema[:40]}) and no config.json of a model; {reads}")
        raise InputError(f'{field}: {file} has no "model_type"; is it the config.json of a model?')
    for name in PARTS:
        if not isinstance(entries.get(name), dict | None):
            raise InputError(f"{field}: {file}: {name}: {str(entries[name])[:40]!r} is not usable; an object, or null")
    alone = not any(name.endswith("_config") and isinstance(part, dict) for name, part in entries.items()
                    if name != "quantization_config")  # inside another's, transformers leaves out what is the class's own
    inner = text_part(entries) or entries.get("text_config")
    besides, stored = "", stored_weights(entries)
    if isinstance(inner, dict) and isinstance(inner.get("model_type"), str):
        besides, entries = _besides(entries), inner
        stored = stored or stored_weights(inner)
    for name, value in entries.items():
        _check_entry(f"{field}: {file}: {name[:60]}", name, value)
    if alone and entries["model_type"] in known_types():
        lacks = [names[0] for names in (WIDTH_ENTRIES, DEPTH_ENTRIES) if all(entries.get(name) is None for name in names)]
        if lacks:
            raise InputError(f"{field}: {file} states no {' and no '.join(lacks)}, and nothing can be counted without")
    return ModelConfig(str(path), entries, "", besides=besides, stored=stored)


def _besides(entries: Mapping[str, Any]) -> str:  # Any: JSON
    """What a model with vision or audio has besides its text decoder, however deep that is, and in whose memory it is."""
    told, level = [], entries
    for key in read_json("models/architectures.json")["wrappers"].get(entries["model_type"], {}).get("path", ["text_config"]):
        for name, part in level.items():
            if not name.endswith("_config") or name in (key, "quantization_config") or not isinstance(part, dict):
                continue
            held = siglip_parameters(part)
            told.append(name if held is None else f"{name} ({held:,} parameters, {2.0 * held / GIB:.1f} GiB in bf16)")
        inner = level.get(key)
        level = inner if isinstance(inner, dict) else {}
    return (f"it is the text decoder alone of {entries['model_type']:.40}: {', '.join(told) or 'what sees or hears'} and what"
            " joins them to it are in no figure here, but in the memory of a trainer that loads the whole model")


def siglip_parameters(vision: Mapping[str, Any]) -> int | None:  # Any: JSON
    """Parameters of SigLIP's tower without its pooling head (transformers/models/siglip); None for another tower."""
    entries = {**SIGLIP, **vision}
    h, inner, layers, image, patch, channels = (entries[name] for name in SIGLIP)
    counts = all(isinstance(x, int) and 0 < x < LARGEST for x in (h, inner, layers, image, patch, channels))
    if vision.get("model_type") != "siglip_vision_model" or vision.get("vision_use_head") is not False or not counts:
        return None
    embedding = channels * patch**2 * h + h + (image // patch) ** 2 * h
    layer = 4 * (h * h + h) + 2 * h * inner + inner + h + 4 * h  # attention, MLP, two LayerNorms; all with biases
    return int(embedding + layers * layer + 2 * h)


def _check_entry(where: str, name: str, value: Any) -> None:  # Any: JSON
    """InputError where a count is none, or a whole number is larger than any model's."""
    tokens = name == "sliding_window" or name in CONTEXT_ENTRIES
    for each in value if isinstance(value, list) and not tokens else (value,):
        whole = isinstance(each, int) and not isinstance(each, bool)
        least, most = COUNTS.get(name, (-LARGEST, LARGEST))
        if (name in COUNTS and each is not None and not whole) or (whole and not least <= each <= most):
            allowed = f"a whole number from {least:,} to {most:,}" if name in COUNTS else f"at most {most:,}"
            raise InputError(f"{where}: {str(each)[:40]!r} is not usable; {allowed}")


def context_tokens(entries: Mapping[str, Any]) -> int | None:  # Any: JSON
    """The longest sequence that a configuration states, under its family's name for it; None where it states none."""
    stated = (entries.get(name) for name in CONTEXT_ENTRIES)
    return next((value for value in stated if isinstance(value, int) and not isinstance(value, bool)), None)
