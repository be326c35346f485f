"""How often a system that nobody evaluated on the task may be wrong, over the incumbent: from published tables of tasks."""

import re
from typing import Final, Literal

from roi.catalog.models.same_weights import weights_of
from roi.catalog.models.shapes import known_model
from roi.catalog.rows import read_rows
from roi.facts.records import DatedRow, Finite

Kind = Literal["open", "vendor", "tuned", "asked-for-less", "asked-for-less-twice", "same-weights"]
BILLIONS: Final = re.compile(r"(?<![\da-z.])(\d+(?:\.\d+)?)b(?![a-z\d])")
"""The parameters in a model's name: llama-4-70b."""


class QualityPrior(DatedRow):
    """Errors of a class of systems over the incumbent's, with the 5th and 95th percentile over tasks and models."""

    kind: Kind
    """open: by parameters; vendor: by price over the incumbent's; tuned; asked-for-less: the incumbent's own model, and
    asked-for-less-twice in two ways at once; same-weights: one open model at two hosts."""
    up_to: Finite | None = None
    """The class holds up to this many parameters, or up to this price ratio; None: all that is above."""
    over: Finite | None = None
    """The incumbent's class, an open model of up to this many parameters; None: a vendor's, or a larger one."""
    ratio: Finite
    """The model's errors over the incumbent's."""
    low: Finite
    """5th percentile of the ratio."""
    high: Finite
    """95th percentile of the ratio."""


def quality_prior(kind: Kind, size: float = 0.0, incumbent: str | None = None) -> QualityPrior:
    """The row of this kind, for so many parameters (open) or this price over the incumbent's (vendor).

    An open model's errors are told over an open incumbent's of a known size, else over a vendor's: a tuned one (qwen3-8b+lora),
    which is as good on its task as a vendor's, is no open model as it was released.
    """
    rows = [row for row in read_rows("models/quality_priors.csv", QualityPrior) if row.kind == kind]
    today = None if incumbent is None or "+" in incumbent else parameters_of(incumbent)
    classes = sorted({row.over for row in rows if row.over is not None})
    over = None if today is None else next((most for most in classes if today <= most), None)
    return next(row for row in rows if row.over == over and (row.up_to is None or size <= row.up_to))


def prior_of_model(name: str, price_ratio: float, incumbent: str | None = None) -> QualityPrior:
    """The row of a model that answers as it is: by its size where the catalog or its name says it, else by its price."""
    size = parameters_of(name)
    return quality_prior("vendor", price_ratio) if size is None else quality_prior("open", size, incumbent)


def parameters_of(name: str) -> float | None:
    """The parameters of an open model, as the catalog or its name says; None where neither does."""
    shape = known_model(name) or known_model(weights_of(name) or name)
    said = BILLIONS.search(name.lower())
    return float(shape.parameters) if shape is not None else float(said[1]) * 1e9 if said else None
