"""A table of measured runs of either kind: training or serving, told apart by its columns."""

from pathlib import Path

from roi.store.tables.serving_heads import usual_heads
from roi.store.tables.serving_table import ServingTable, check_serving, is_serving, serving_table
from roi.store.tables.table_files import table_rows
from roi.store.tables.training_table import RowTable, check_training, row_table


def read_validation_table(path: Path) -> RowTable | ServingTable:
    """The table at `path`: a ServingTable where it has an engine column beside request lengths or latencies."""
    serving = False

    def check(where: Path, heads: list[str]) -> None:
        nonlocal serving
        serving = is_serving(heads)
        (check_serving if serving else check_training)(where, heads)

    rows = table_rows(path, check, usual_heads)
    return serving_table(rows) if serving else row_table(rows)
