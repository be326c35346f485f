"""The comparison as a pandas table, for notebooks."""

from dataclasses import fields
from typing import TYPE_CHECKING

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult

if TYPE_CHECKING:
    import pandas as pd

SCALARS = (int, float, str, bool, type(None))


def to_frame(comparison: Comparison) -> "pd.DataFrame":
    """One row a feasible option, indexed by id: every figure that is a single number or name (USD, months, shares)."""
    import pandas as pd

    rows = [{f.name: getattr(o, f.name) for f in fields(OptionResult)} for o in comparison.options]
    plain = [{k: v for k, v in row.items() if isinstance(v, SCALARS)} for row in rows]
    return pd.DataFrame(plain).set_index("id")
