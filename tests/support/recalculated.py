"""A workbook recalculated: openpyxl drops the stored values and sets assumptions, LibreOffice computes."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl

NO_OFFICE = None if shutil.which("soffice") else "soffice (LibreOffice Calc) is not installed"


def set_names(workbook: Any, changes: Mapping[str, float]) -> None:
    """Put values into the cells of these names."""
    for name, value in changes.items():
        sheet, cell = workbook.defined_names[name].attr_text.split("!")
        workbook[sheet.strip("'")][cell.replace("$", "")].value = value


@cache
def user() -> tempfile.TemporaryDirectory[str]:
    """The folder of LibreOffice's user, made at its first start of this process and used again."""
    return tempfile.TemporaryDirectory()


def recalculated(books: Mapping[str, tuple[bytes, Mapping[str, float]]], folder: Path) -> dict[str, Any]:
    """Workbooks by name, each with the values that are set in it, as LibreOffice computes them in one start, read back."""
    sources = [folder / f"{name}.xlsx" for name in books]
    for source, (content, changes) in zip(sources, books.values(), strict=True):
        workbook = openpyxl.load_workbook(BytesIO(content))
        set_names(workbook, changes)
        workbook.save(source)
    command = [shutil.which("soffice") or "", f"-env:UserInstallation=file://{user().name}", "--headless", "--convert-to",
               "xlsx:Calc MS Excel 2007 XML", "--outdir", str(folder / "out"), *map(str, sources)]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    return {source.stem: openpyxl.load_workbook(folder / "out" / source.name, data_only=True) for source in sources}


def summary(workbook: Any) -> dict[str, dict[str, Any]]:
    """The summary's rows by option: heading -> value."""
    rows = [[cell.value for cell in row] for row in workbook["Summary"].iter_rows()]
    start = next(k for k, row in enumerate(rows) if row[0] == "option")
    found = {}
    for row in rows[start + 1 :]:
        if row[0] is None:
            break
        found[row[0]] = dict(zip(rows[start], row, strict=True))
    return found


def checks(workbook: Any) -> str:
    """What the summary says of the checks."""
    said = [row[0].value for row in workbook["Summary"].iter_rows() if str(row[0].value).startswith(("All checks", "At these"))]
    return str(said[0])


def broken_cells(workbook: Any) -> list[str]:
    """Cells that hold an error."""
    return [f"{sheet.title}!{cell.coordinate}" for sheet in workbook for row in sheet.iter_rows() for cell in row
            if isinstance(cell.value, str) and cell.value.startswith(("#", "Err:"))]
