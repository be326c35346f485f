"""Records of usage files, as plain dicts, for the tests of the formats."""

from pathlib import Path
from typing import Any

from roi.usage.formats import FORMATS
from roi.usage.read.database import local_engine
from roi.usage.read.files import find_files
from roi.usage.read.format import Format
from roi.usage.read.record import TOKENS, Asked
from roi.usage.read.staging import Staged, stage, together

DATA = Path(__file__).parents[1] / "data" / "usage"


def staged(tmp_path: Path, *files: Path | str, formats: tuple[Format, ...] = FORMATS, zone: str = "UTC",
           named: str | None = None, strict: bool = False, **said: Any) -> tuple[list[dict[str, Any]], Staged]:
    """(records in the order of time, what staging found); `said` are fields of Asked."""
    engine = local_engine(tmp_path, zone)
    found, _ = find_files([str(file) for file in files])
    read = stage(found, formats, Asked(**said), engine, tmp_path, named=named, strict=strict)
    rows = engine.to_pyarrow(together(read.parts)).to_pylist() if read.parts else []
    return sorted(rows, key=lambda row: (row["at_us"] or 0, row["model"] or "")), read


def records(tmp_path: Path, *files: Path | str, **said: Any) -> list[dict[str, Any]]:
    """Records alone."""
    return staged(tmp_path, *files, **said)[0]


def totals(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Sums of the disjoint counts and of requests over the rows that count."""
    kept = [row for row in rows if row["dropped"] is None]
    return {name: sum(row[name] or 0 for row in kept) for name in (*TOKENS, "requests")}
