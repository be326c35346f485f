"""The tables of a comparison as pandas frames, for notebooks; needs the extra [frames]."""

from typing import TYPE_CHECKING

from roi.economics.decision.comparison import Comparison
from roi.errors import check_type, needs
from roi.report.comparison.tables import table

if TYPE_CHECKING:
    import pandas as pd

INDEX = {"options": "id"}
"""Tables whose rows have a name, and the column that holds it."""


def to_frame(comparison: Comparison, name: str = "options") -> "pd.DataFrame":
    """The table `name` of the comparison; options by their id, the rows of the others numbered. UnknownName for no table."""
    check_type("name", name, str, "the name of a table")
    found = table(comparison, name)
    with needs("frames", "pandas"):
        import pandas as pd

    frame = pd.DataFrame.from_records(found.rows, columns=list(found.columns))
    return frame.set_index(INDEX[name]) if name in INDEX else frame
