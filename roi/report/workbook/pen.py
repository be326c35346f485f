"""How cells are written: words as words, formulas with their values, formats made once."""

from typing import Any, Final

from roi.facts.case import PER_YEAR, SHARE
from roi.report.layout.blocks import printable
from roi.report.workbook.layout import FIRST_MONTH, MONTH_ROW, letters

Format = Any
"""XlsxWriter's format."""
LONGEST: Final = 32_000
"""Characters of a cell; a spreadsheet takes 32,767."""
DIGITS, PLACES, LARGE = 4, 9, 1000.0
"""Digits that a figure shows, the most decimal places, and the size from which none are shown of a calculated one."""
MONEY: Final = "#,##0;[Red]-#,##0;0"
CENTS: Final = "#,##0.00;[Red]-#,##0.00;-"
HEAD: Final[dict[str, object]] = {"bold": True, "bottom": 1, "bg_color": "#DDE6F3"}
GREY: Final[dict[str, object]] = {"font_color": "#595959"}
INPUT: Final[dict[str, object]] = {"font_color": "#0000FF", "bg_color": "#FFFFE5"}
"""What a reader may change, as finance people mark it: blue."""


class Pen:
    """Writes into the cells of one workbook."""

    def __init__(self, workbook: Any, horizon: int) -> None:
        self.workbook, self.horizon = workbook, horizon
        self.formats: dict[tuple[tuple[str, object], ...], Format] = {}
        self.last = letters(FIRST_MONTH + horizon)
        """The column of the last month."""

    def style(self, **kind: object) -> Format:
        """A format, made once."""
        made = {"font_name": "Calibri", "font_size": 10, "valign": "top", **kind}
        key = tuple(sorted(made.items()))
        if key not in self.formats:
            self.formats[key] = self.workbook.add_format(made)
        return self.formats[key]

    def text(self, sheet: Any, row: int, column: int, words: str, **kind: object) -> None:
        """Words as words: never a formula, a link or a control character."""
        sheet.write_string(row, column, printable(words)[:LONGEST], self.style(**kind))

    def title(self, sheet: Any, words: str, told: str = "") -> None:
        """The title of a sheet, and a line that says what stands on it."""
        self.text(sheet, 0, 0, words, bold=True, font_size=14)
        if told:
            self.text(sheet, 1, 0, told, italic=True)

    def heads(self, sheet: Any, row: int, names: tuple[str, ...]) -> None:
        """The headings of a table."""
        for k, name in enumerate(names):
            self.text(sheet, row, k, name, **HEAD, text_wrap=True, align="center" if k else "left")

    def months(self, sheet: Any, title: str, told: str) -> None:
        """A sheet of months: its title, the row of their numbers, and how it is printed."""
        for column, width in ((0, 44), (1, 11), (2, 13)):
            sheet.set_column(column, column, width)
        sheet.set_column(FIRST_MONTH, FIRST_MONTH + self.horizon, 11)
        self.title(sheet, title, told)
        self.heads(sheet, MONTH_ROW, ("month", "basis", "total"))
        for t in range(self.horizon + 1):
            sheet.write_number(MONTH_ROW, FIRST_MONTH + t, t, self.style(**HEAD, align="right"))
        sheet.freeze_panes(MONTH_ROW + 1, FIRST_MONTH)
        sheet.repeat_rows(MONTH_ROW)
        sheet.repeat_columns(0)
        sheet.fit_to_pages(-(-self.horizon // 12), 0)

    def cell(self, sheet: Any, row: int, column: int, formula: str, value: float | bool | str, **kind: object) -> None:
        """A formula with its value; a plain number where nothing moves it."""
        form, plain = self.style(**kind), formula[1:]
        if plain in {"TRUE", "FALSE"}:
            sheet.write_boolean(row, column, plain == "TRUE", form)
        elif plain.replace(".", "", 1).replace("-", "", 1).isdigit():
            sheet.write_number(row, column, float(plain), form)
        else:
            sheet.write_formula(row, column, formula, form, value)


def number_format(values: list[float], unit: str = "") -> str:
    """A number format that shows four digits of the values, and no false zeros."""
    if unit in {SHARE, PER_YEAR}:
        return "0.0%" if all(round(x, 3) == x for x in values) else "0.00%"
    if max((abs(x) for x in values), default=0.0) >= LARGE:
        return "#,##0"
    return "0." + "0" * places if (places := max((_places(x) for x in values), default=0)) else "0"


def _places(x: float) -> int:
    """The decimal places that show four digits of `x`."""
    shown = float(f"{x:.{DIGITS}g}")
    return next((n for n in range(PLACES) if round(shown, n) == shown), PLACES)
