"""Cells of a training row that name a tuner beside LoRA, peft's or another's, and the size that its trained parameters tell."""

from dataclasses import replace
from typing import Final, get_args

import numpy as np

from roi.errors import nearest
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.peft_methods import ALIASES, TUNERS
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import refusal
from roi.facts.methods import Other
from roi.facts.model import ModelShape
from roi.store.tables.canonical_row import UnusableCell

PEFT: Final = "peft:"
"""What the word of a tuner begins with."""
COUNT_TOLERANCE: Final = 0.01
"""A stated count of trained parameters that is further off means another method than the row says."""
SIZES: Final = np.arange(1.0, 16_385.0)
"""Sizes that are tried."""


def tuner_named(method: str, quant: str) -> str | None:
    """The name of the tuner that the cell names; None for another method, UnusableCell where no formula knows it."""
    if not method.startswith(PEFT) and method not in TUNERS:
        return None
    name = ALIASES.get(method.removeprefix(PEFT), method.removeprefix(PEFT))
    if name not in TUNERS:
        near = nearest(name, TUNERS, 1)
        raise UnusableCell("method", "none of peft's tuners that are counted" + (f"; nearest: {PEFT}{near[0]}" if near else ""))
    if quant != "none" and (quant != "nf4" or TUNERS[name].stack != "litgpt"):
        raise UnusableCell("quant", f"{method} is counted on a base that is not quantised")
    return name


def sized_tuner(model: ModelShape, plan: TrainingPlan, rank: int | None, trained: int | None) -> TrainingPlan:
    """The tuner's plan at the size that trains as many parameters as stated; layouts of a tuner move it as its rank does."""
    if refused := refusal(model, plan):
        raise UnusableCell("method", refused)
    if trained is None:
        if rank is None and TUNERS[plan.method].size:
            raise UnusableCell("rank", "blank, and neither are trainable_params stated")
        return plan
    if plan.method == "adamss" and rank is not None:  # r is stated, and the subspaces train
        counts = np.broadcast_to(trained_parameters(model, replace(plan, subspaces=SIZES)), SIZES.shape)
        return replace(plan, subspaces=float(SIZES[np.argmin(np.abs(counts - trained))]))
    counts = np.broadcast_to(trained_parameters(model, replace(plan, rank=SIZES)), SIZES.shape)
    best = int(np.argmin(np.abs(counts - trained)))
    if plan.method in get_args(Other) and abs(counts[best] / trained - 1.0) > COUNT_TOLERANCE:
        raise UnusableCell("trainable_params", f"no size of {plan.method} trains as many; {SIZES[best]:g} trains"
                           f" {counts[best]:,.0f}")
    sized = replace(plan, rank=float(SIZES[best]))
    if plan.method in get_args(Other) and (refused := refusal(model, sized)):
        raise UnusableCell("trainable_params", refused)
    return sized
