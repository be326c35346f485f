"""Which matrix products of a model carry adapters: a plan's targets, by the names that peft takes."""

from collections.abc import Iterable
from typing import Final

from roi.errors import InputError, nearest_told
from roi.facts.model import Linear, ModelShape

TARGET_SETS: Final = {
    "attention": ("q_proj", "k_proj", "v_proj", "o_proj", "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj"),
    "qv": ("q_proj", "v_proj")}
"""Named target sets; "all-linear" is every product that an adapter can attach to."""
EXPERT_FAMILIES: Final = (
    "mixtral", "minimax", "minimax_m2", "qwen3_moe", "qwen3_next", "deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2",
    "glm4_moe", "glm4_moe_lite", "glm_moe_dsa", "olmoe", "flex_olmo", "ernie4_5_moe", "exaone_moe", "cohere2_moe", "afmoe",
    "longcat_flash", "solar_open", "mellum",
)
"""Families whose experts peft adapts as 3-D parameters: those that transformers converts as Mixtral or Qwen2-MoE
(conversion_mapping.py, _MODEL_TO_CONVERSION_PATTERN; peft/utils/transformers_weight_conversion.py). It then takes every
gate, up and down for an expert's, so shared and dense MLPs carry none. Others' experts carry none."""
ENDS: Final = ("embed_tokens", "lm_head")
"""Targets that peft and Unsloth take for modules_to_save: trained whole, as new tokens need it."""
MLP_TARGETS: Final = ("gate_proj", "up_proj", "down_proj")
"""What an expert's products are called."""


def adaptable(linear: Linear, *, split: bool = False) -> bool:
    """True where NF4 and plain adapters apply: experts and most routers are bare parameters in transformers 5.

    `split`: experts are modules of their own, as they were before (`TrainingPlan.split_experts`).
    """
    return (linear.experts == 1 or split) and linear.name != "router"


def in_mlp(linear: Linear) -> bool:
    """True for a product of an MLP, shared experts' included."""
    return linear.name.removeprefix("shared_") in MLP_TARGETS


def expert_parts(model: ModelShape, targets: str | tuple[str, ...]) -> tuple[bool, bool]:
    """Whether the targets put adapters on the experts' gate and up, which are one parameter, and on their down projections."""
    if model.family not in EXPERT_FAMILIES or not model.mixture:
        return False, False
    asked = MLP_TARGETS if targets == "all-linear" else asked_targets(targets)
    return bool({"gate_proj", "up_proj"} & set(asked)), "down_proj" in asked


def trains_experts(model: ModelShape, targets: str | tuple[str, ...]) -> bool:
    """True where the targets put adapters on experts."""
    return any(expert_parts(model, targets))


def fuse_linears(model: ModelShape, linears: Iterable[Linear]) -> list[Linear]:
    """The matrix products as the checkpoint holds them: fused ones become one, under the first of their usual names."""
    groups = {name: parts for _, *parts in model.module_names for name in parts}
    fused: dict[str, Linear] = {}
    alone: list[Linear] = []
    for linear in linears:
        parts = groups.get(linear.name, [linear.name])
        if len(parts) == 1 or not adaptable(linear):
            alone.append(linear)
            continue
        key = f"{parts[0]} {linear.layers}"
        before = fused[key].outputs if key in fused else 0
        fused[key] = linear._replace(name=parts[0], outputs=before + linear.outputs)
    return [*fused.values(), *alone]


def asked_targets(targets: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names that a plan's targets are, sets spelled out; all-linear stays a name."""
    asked = TARGET_SETS.get(targets, tuple(targets.split(","))) if isinstance(targets, str) else targets
    return tuple(name.strip() for name in asked)


def apart_from_ends(model: ModelShape, targets: str | tuple[str, ...]) -> tuple[str | tuple[str, ...], bool]:
    """(The targets without embedding and head, whether these are named); an InputError where one of them is, or they alone."""
    asked = asked_targets(targets)
    named, others = [name for name in ENDS if name in asked], tuple(name for name in asked if name not in ENDS)
    if named and (len(named) < len(ENDS) or not others):
        raise InputError(f"targets: {','.join(asked)!r}: embedding and head of {model.id} are known trained whole, both, beside"
                         f" adapters on other targets: all-linear,{','.join(ENDS)}")
    return (others[0] if named and len(others) == 1 else others if named else targets), bool(named)


def usual_targets(model: ModelShape, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """The targets with names of the model's own code as the usual ones: query_key_value of Falcon is q_proj, k_proj and v_proj.

    GPT-2's c_proj is its two products of that name. Case does not matter; a name that is neither stays, and `resolve_targets`
    says so.
    """
    own = {module.lower(): parts for module, *parts in model.module_names}
    for module, *parts in model.module_names:
        last = module.lower().rpartition(".")[2]
        if last != module.lower():
            own[last] = [*own.get(last, ()), *parts]
    names = {linear.name for linear in model.linears}
    asked = asked_targets(targets)
    found = [part for name in asked for part in ([name] if name in names else own.get(name.lower(), [name]))]
    return targets if tuple(found) == asked or targets in TARGET_SETS else tuple(dict.fromkeys(found))


def resolve_targets(
    model: ModelShape, targets: str | tuple[str, ...], field: str = "targets", *, split: bool = False,
) -> frozenset[str]:
    """The names of the linear layers that carry an adapter; an InputError names the ones that the model has.

    To name a part of a fused product is to name all of it. Experts are apart (`trains_experts`), unless `split` says that they
    are modules like others; a router, of which all-linear then makes one too, is left out.
    """
    names = {linear.name for linear in model.linears if adaptable(linear, split=split)}
    if trains_experts(model, targets) and not split:
        experts = {*MLP_TARGETS, *(f"shared_{name}" for name in MLP_TARGETS)}
        if targets == "all-linear":
            return frozenset(names - experts)
        left = tuple(name for name in asked_targets(targets) if name not in MLP_TARGETS)
        return resolve_targets(model, left, field) if left else frozenset()
    if targets == "all-linear":
        return frozenset(names)
    asked = asked_targets(targets)
    found = names & set(asked)
    every = names | set(MLP_TARGETS if trains_experts(model, "all-linear") else ())
    known = [*(name for name, members in TARGET_SETS.items() if names & set(members)), "all-linear", *sorted(every)]
    wrong = [] if targets in TARGET_SETS else [name for name in asked if name not in names]
    if wrong:
        raise InputError(f"{field}: {model.id} has no target {wrong[0]!r}; it has {', '.join(known)}"
                         f"{nearest_told(wrong[0], known)}")
    if not found:
        raise InputError(f"{field}: {targets!r} matches nothing in {model.id}; it has {', '.join(known)}")
    joined = {name for _, *parts in model.module_names for name in parts if found & set(parts)}
    return frozenset(found | (joined & names))
