"""A TrainingPlan as a profile keeps it: every field, in plain numbers, read back exactly or not at all."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError, create_model

from roi.errors import InputError, nearest_told
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.targets import asked_targets
from roi.facts.model import Number

YOUNGER: Final[frozenset[str]] = frozenset({
    "kernels", "loss", "kbit_prepared", "split_experts", "stack", "checkpoints", "held_graphs", "compiled", "step_in_backward",
    "gptq", "fp8", "ends", "offload", "fsdp2", "adapters_16bit", "nf4", "ends_apart",
    "subspaces"})
"""Fields that TrainingPlan got after the first roi.profile/1 file: a file without them means their default. Any other
field must be there, so that no default passes for what was run."""
_HINTS: Final = {name: FiniteFloat if hint == Number else hint for name, hint in get_type_hints(TrainingPlan).items()}
_CHECK: Final[type[BaseModel]] = create_model(
    "PlanRecord",
    __config__=ConfigDict(strict=True),
    **{field.name: (_HINTS[field.name], field.default if field.name in YOUNGER else ...) for field in fields(TrainingPlan)},
)  # type: ignore[call-overload]


def plan_record(plan: TrainingPlan) -> dict[str, Any]:  # Any: JSON
    """Every field of the plan as JSON takes it; an array is refused, a record is of one run."""
    return {field.name: _plain(field.name, getattr(plan, field.name)) for field in fields(plan)}


def read_plan(record: Mapping[str, Any]) -> TrainingPlan:  # Any: JSON
    """The plan of a record; an InputError names the field that is unknown, absent or wrong."""
    known = [field.name for field in fields(TrainingPlan)]
    for name in record:
        if name not in known:
            raise InputError(f"plan: unknown field {str(name)[:40]!r}{nearest_told(str(name), known, 1)}")
    targets = record.get("targets")
    try:
        checked = _CHECK.model_validate({**record, **({"targets": tuple(targets)} if isinstance(targets, list) else {})})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        value = "" if first["type"] == "missing" else f" {str(first['input'])[:40]!r}"
        raise InputError(f"plan.{first['loc'][0]}:{value} {first['msg'][0].lower()}{first['msg'][1:]}") from None
    try:
        return TrainingPlan(**{name: getattr(checked, name) for name in known})
    except InputError as error:
        raise InputError(f"plan.{error}") from None


def memory_record(plan: TrainingPlan) -> dict[str, Any]:  # Any: JSON
    """The plan's record with what memory on one GPU does not depend on set to one value: equal records, equal memory.

    Left out: gpus (a replica each); accumulation beyond 2 (gradients live through forward from the second micro-step on);
    rslora for lora (a scale); rank, targets and dropout of full fine-tuning; double quantisation of what is not NF4.
    """
    whole = plan.method == "full"
    same = replace(
        plan, gpus=1, accumulation=min(plan.accumulation, 2), method="lora" if plan.method == "rslora" else plan.method,
        rank=1.0 if whole and not plan.projected else plan.rank, targets="all-linear" if whole else plan.targets,
        dropout=0.0 if whole else plan.dropout, double_quant=plan.double_quant and plan.quantised)
    return {**plan_record(same), "targets": sorted(set(asked_targets(same.targets)))}


def _plain(field: str, value: object) -> object:
    if isinstance(value, (np.generic, np.ndarray)):
        if value.ndim:
            raise InputError(f"plan.{field}: an array of {value.size} values; a profile is of one run")
        value = value.item()
    return list(value) if isinstance(value, tuple) else value
