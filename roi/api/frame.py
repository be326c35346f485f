"""The comparison as a pandas table, for notebooks; needs the extra [frames]."""

from dataclasses import fields
from typing import TYPE_CHECKING

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

SCALARS = (int, float, str, bool, type(None))


def to_frame(comparison: Comparison) -> "pd.DataFrame":
    """One row for each feasible option, indexed by id: every figure that is a single number or name (USD, months, shares)."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("frames", "pandas") from error

    rows = [{f.name: value for f in fields(OptionResult) if isinstance(value := getattr(o, f.name), SCALARS)}
            for o in comparison.options]
    return pd.DataFrame(rows).set_index("id")
