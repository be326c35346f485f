"""docs/claims.md: the article's claims, each computed by this program.

`make claims` writes it; tests/test_claims.py checks that it is current.
"""

from pathlib import Path

from claims.business import calls_claim, payback_claim
from claims.claim import AS_OF, Claim
from claims.serving import cheap_claim, eight_b_claim, merged_claim
from claims.sharding import one_48_claim, seventy_claim
from claims.training import hours_claim, memory_claim, share_claim, slower_claim

PAGE = Path(__file__).parents[1] / "docs" / "claims.md"

INTRO = f"""# The article's claims, computed

Written by `lab/render_claims.py` (`make claims`); do not edit. Every number comes from this program's own
catalog and formulas at {AS_OF}, except those marked as published or measured by others.

A verdict counts the rows that the article's wording covers: *holds* where all agree, *fails* where none does,
*holds in part* otherwise. Which rows were computed is a choice, so the count is no probability; the
conditions under each table matter more.

Words: GB is 10^9 bytes, GiB 2^30 bytes; USD/Mtok is per million tokens, input and output together; a month is
730 hours or 365/12 days. Basis: *quoted* (a dated price), *calibrated* (a formula fitted on measured runs),
*published*, *assumed*. "5-95%" is the interval between the 5th and 95th percentile.
"""


def claims() -> tuple[Claim, ...]:
    """Every claim, in the page's order."""
    return (cheap_claim(), eight_b_claim(), hours_claim(), memory_claim(), slower_claim(), one_48_claim(), seventy_claim(),
            share_claim(), merged_claim(), payback_claim(), calls_claim())


def page() -> str:
    """The text of docs/claims.md."""
    found = claims()
    rows = [f"| {k} | {c.title} | {c.verdict} |" for k, c in enumerate(found, start=1)]
    summary = "\n".join(["| | claim | verdict |", "|---:|---|---|", *rows])
    return "\n".join([INTRO, summary, "", *(c.markdown(k) for k, c in enumerate(found, start=1))])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
