"""Cells of a training row that name one of peft's tuners beside LoRA, and the size that its trained parameters tell."""

from dataclasses import replace
from typing import Final

import numpy as np

from roi.errors import nearest
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.peft_methods import ALIASES, TUNERS
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import refusal
from roi.facts.model import ModelShape
from roi.store.tables.canonical_row import UnusableCell

PEFT: Final = "peft:"
"""What the word of a tuner begins with."""
SIZES: Final = np.arange(1.0, 16_385.0)
"""Sizes that are tried."""


def tuner_named(method: str, quant: str) -> str | None:
    """peft's name of the tuner that the cell names; None for another method, UnusableCell where no formula knows it."""
    if not method.startswith(PEFT):
        return None
    name = ALIASES.get(method.removeprefix(PEFT), method.removeprefix(PEFT))
    if name not in TUNERS:
        near = nearest(name, TUNERS, 1)
        raise UnusableCell("method", "none of peft's tuners that are counted" + (f"; nearest: {PEFT}{near[0]}" if near else ""))
    if quant != "none":
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
    counts = np.broadcast_to(trained_parameters(model, replace(plan, rank=SIZES)), SIZES.shape)
    return replace(plan, rank=float(SIZES[np.argmin(np.abs(counts - trained))]))
