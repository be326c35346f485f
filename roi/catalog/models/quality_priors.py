"""How often a system that nobody evaluated on the task may be wrong, over the incumbent: from published tables of tasks."""

import re
from typing import Final, Literal

from roi.catalog.models.shapes import known_model
from roi.catalog.rows import read_rows
from roi.facts.records import DatedRow, Finite

Kind = Literal["open", "vendor", "tuned", "asked-for-less"]
BILLIONS: Final = re.compile(r"(?<![\da-z.])(\d+(?:\.\d+)?)b(?![a-z\d])")
"""The parameters in a model's name: llama-4-70b."""


class QualityPrior(DatedRow):
    """Errors of a class of systems over the incumbent's, with the 5th and 95th percentile over tasks and models."""

    kind: Kind
    """open: by parameters; vendor: by price over the incumbent's; tuned; asked-for-less: the incumbent's own model."""
    up_to: Finite | None = None
    """The class holds up to this many parameters, or up to this price ratio; None: all that is above."""
    ratio: Finite
    """Errors over the incumbent's."""
    low: Finite
    """5th percentile."""
    high: Finite
    """95th percentile."""


def quality_prior(kind: Kind, size: float = 0.0) -> QualityPrior:
    """The row of this kind, for so many parameters (open) or this price over the incumbent's (vendor)."""
    rows = read_rows("models/quality_priors.csv", QualityPrior)
    return next(row for row in rows if row.kind == kind and (row.up_to is None or size <= row.up_to))


def prior_of_model(name: str, price_ratio: float) -> QualityPrior:
    """The row of a model that answers as it is: by its size where the catalog or its name says it, else by its price."""
    shape, said = known_model(name), BILLIONS.search(name.lower())
    if shape is not None:
        return quality_prior("open", float(shape.parameters))
    return quality_prior("open", float(said[1]) * 1e9) if said else quality_prior("vendor", price_ratio)
