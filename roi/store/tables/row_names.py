"""Models, GPUs and target modules as tables of measured runs write them, looked up in the catalog."""

import re

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model, without_endings
from roi.errors import InputError, UnknownName
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.store.tables.row_fields import Unusable
from roi.units import GIB

SHORT_NAMES = {"zephyr-7b": "zephyr-7b-beta", "tinyllama": "tinyllama-1.1b"}
"""Names that tables shorten."""

CARD_NOISE = re.compile(r"\b(nvidia|gpu|dgx|dlc|vram|blackwell|single)\b|hbm\d?e?\b", re.IGNORECASE)
"""Words around a card's name that choose no card."""

SAME_TARGETS = {
    "query": "q_proj", "key": "k_proj", "value": "v_proj", "projection": "o_proj", "q": "q_proj", "k": "k_proj",
    "v": "v_proj", "o": "o_proj", "gate": "gate_proj", "up": "up_proj", "down": "down_proj", "output_proj": "o_proj",
    "linear_proj": "o_proj",
}  # fmt: skip
"""Other stacks' names of one module: LitGPT, torchtune, Megatron, and letters."""

SEVERAL_TARGETS = {
    "c_attn": ("q_proj", "k_proj", "v_proj"), "linear_qkv": ("q_proj", "k_proj", "v_proj"),
    "qkv_proj": ("q_proj", "k_proj", "v_proj"), "query_key_value": ("q_proj", "k_proj", "v_proj"),
    "w_pack": ("q_proj", "k_proj", "v_proj"), "mlp": ("gate_proj", "up_proj", "down_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"), "attn": ("q_proj", "k_proj", "v_proj", "o_proj"),
}  # fmt: skip
"""Names that stand for several modules."""

HEAD = ("head", "lm_head", "output")
"""Names of the output head, which a plan's targets do not hold."""


def table_model(text: str) -> ModelShape:
    """The catalog's shape under the name that a table writes; Unusable with the nearest names where there is none."""
    try:
        return find_model(next((SHORT_NAMES[each] for each in without_endings(text) if each in SHORT_NAMES), text))
    except UnknownName as error:
        why = str(error).partition("; ")[2]
        raise Unusable("model", text, f"not in the catalog{f' ({why})' if why else ''}") from error


def table_gpu(text: str) -> Gpu | None:
    """The catalog's card under the name that a table writes; None where there is none, or where several carry the name.

    What stands in brackets is a power limit or a memory cap ("RTX 3090 (280W)"), or the card itself ("Blackwell GPU
    (B200-SXM-180GB)"): both readings are tried.
    """
    outside = re.sub(r"\(.*?\)", " ", text)
    for part in (text, outside, *re.findall(r"\((.*?)\)", text)):
        bare = re.sub(r"(?i)\bsxm\d\b", "SXM", CARD_NOISE.sub(" ", part))
        words = [word for word in re.split(r"[\s_\-/]+", bare) if word]
        size = [word for word in words if re.fullmatch(r"(?i)\d+\s*gi?b", word)]
        rest = [word for word in words if word not in size]
        for name in (part, " ".join(words), " ".join([*rest[:1], *size, *rest[1:]]), " ".join(rest) if len(size) == 1 else ""):
            try:
                found = find_gpu(name)
            except InputError:
                continue
            if not size or _holds(found, size[0]):
                return found
    return None


def _holds(gpu: Gpu, size: str) -> bool:
    """True where the card's memory is the size in the name: programs see 0 to 12% less than the box says."""
    stated = float(re.sub(r"\D", "", size)) * GIB
    return 0.88 * stated <= gpu.memory_bytes <= 1.02 * stated


def table_targets(model: ModelShape, text: str) -> tuple[str | tuple[str, ...], bool]:
    """Targets of an adapter as a plan takes them, and True where the output head carries one too (left out of the plan)."""
    lower = re.sub(r"\(.*?\)", "", text.lower().strip()) if not text.lower().startswith("default") else text.lower()
    if "full wte" in lower or "modules_to_save" in lower or "embed" in lower:
        raise Unusable("target_modules", text, "whole modules are trained beside the adapter, which no plan expresses")
    if not lower or lower.startswith("unknown"):
        raise Unusable("target_modules", text, "the plan needs to know what carries an adapter")
    if lower.startswith("default"):
        return tuple(x for x in ("q_proj", "k_proj", "v_proj") if x in _names(model)), False
    if re.match(r"all[-_ ]?(linear|layers)|\*_proj|all$", lower):
        return "all-linear", "output" in text.lower()
    asked = [part for part in re.split(r"[+,;\s]+", lower.removeprefix("peft default ")) if part]
    head = any(part in HEAD for part in asked)
    found: list[str] = []
    for part in asked:
        if part not in HEAD:
            found += _modules(model, part, text)
    return tuple(dict.fromkeys(found)), head


def _names(model: ModelShape) -> frozenset[str]:
    return frozenset(linear.name for linear in model.linears)


def _modules(model: ModelShape, part: str, text: str) -> list[str]:
    """The usual names that one name of a table holds in this model."""
    names = _names(model)
    fused = [held for own, *held in model.module_names if own.lower().rpartition(".")[2] == part]
    if part in names:
        return [part]
    if fused:
        return [name for held in fused for name in held]
    every = SEVERAL_TARGETS.get(part, (SAME_TARGETS.get(part, part),))
    found = [name for name in every if name in names]
    if not found:
        raise Unusable("target_modules", text, f"{model.id} has no {part}")
    return found
