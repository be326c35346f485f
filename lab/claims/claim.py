"""One claim as docs/claims.md tells it: words, verdict, table, conditions, evidence, what is left out."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

AS_OF = date(2026, 11, 24)
"""Prices of this day."""


@dataclass(frozen=True)
class Claim:
    """One section of the page."""

    title: str
    quote: str
    """The article's words."""
    verdict: str
    """holds, holds in part or fails."""
    reading: str
    """How the verdict was counted: which rows the wording covers."""
    tables: tuple[str, ...]
    holds: str
    """Conditions under which it holds."""
    fails: str
    """Conditions under which it fails."""
    evidence: str
    """Basis, source and spread of the numbers."""
    left_out: str
    """What is not modelled."""

    def markdown(self, number: int) -> str:
        """The section."""
        parts = [f"## {number}. {self.title}", wrap(self.quote, "> "), wrap(f"**Verdict: {self.verdict}.** {self.reading}"),
                 *self.tables, wrap(f"*Holds:* {self.holds}"), wrap(f"*Fails:* {self.fails}"),
                 wrap(f"*Evidence:* {self.evidence}"), wrap(f"*Not modelled:* {self.left_out}")]
        return "\n\n".join(parts) + "\n"


def wrap(text: str, lead: str = "") -> str:
    """Lines of at most 110 columns."""
    return textwrap.fill(text, 110, initial_indent=lead, subsequent_indent=lead, break_long_words=False, break_on_hyphens=False)


def count_verdict(outcomes: Iterable[bool]) -> str:
    """holds where every row agrees with the claim, fails where none does, else holds in part."""
    seen = list(outcomes)
    return "holds" if all(seen) else "holds in part" if any(seen) else "fails"


def agreeing(outcomes: Sequence[bool]) -> str:
    """The count behind the verdict."""
    return f"{sum(outcomes)} of {len(outcomes)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A markdown table under its caption; the first column is text, the others numbers."""
    line = "| " + " | ".join(head) + " |"
    rule = "|" + "|".join(["---", *["---:"] * (len(head) - 1)]) + "|"
    return "\n".join([wrap(caption), "", line, rule, *("| " + " | ".join(row) + " |" for row in rows)])


def usd(x: float) -> str:
    """Dollars, to three figures below 100."""
    if x >= 100:
        return f"${x:,.0f}"
    return f"${x:.2f}" if x >= 0.1 else f"${x:.3f}"


def mark(*, agrees: bool) -> str:
    """yes or no."""
    return "yes" if agrees else "no"
