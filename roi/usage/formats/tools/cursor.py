"""Cursor: the dashboard's CSV of usage events, a row for each event.

The two input columns are disjoint: "w/ Cache Write" are tokens that were written to the cache, "w/o Cache Write" those that
were neither written nor read. Where Total Tokens says that the first holds the second, what was written is the rest; a row in
which it is neither sum is dropped, as the columns would then mean something else. Cost, or Cost ($), is a number, or a word
(Included, Free, -) that is no amount. Rows under the user's own key are paid to the model's provider, whose export has them.
Older exports lack Kind, User or Total Tokens. Who is paid is Cursor; its model names (claude-4.6-opus-high-thinking, auto) are
mostly not those of a price list. Source: headers in public parsers of the export, and the review of t3code PR #6046
(2026-08-11).
"""

from functools import reduce
from operator import and_
from typing import Final

from roi.usage.read.columns import bounded, count, find, instant, text, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import Fields, FileOptions, Format

COUNTS: Final = ("input (w/ cache write)", "input (w/o cache write)", "cache read", "output tokens")


def _fields(table: Table, _: FileOptions) -> Fields:
    written, uncached, read, output = (count(table, name) for name in COUNTS)
    kind = text(table, "kind").lower()
    failed = kind.startswith("errored") | kind.startswith("aborted")
    empty = reduce(and_, [text(table, name).isnull() for name in COUNTS])
    reasons = [(failed, "failed or aborted call, not charged"),
               (kind == "user api key", "paid with the user's own key: the provider's export has it"),
               (empty, "no token counts")]
    if find(table, "total tokens"):
        rest = whole(table, "total tokens") - read - output
        inside = (rest == written) & (uncached > 0) & (uncached <= written)
        reasons.append((~inside & (rest != written + uncached), "Total Tokens is not the sum of the four counts"))
        written = ibis.ifelse(inside, written - uncached, written)
    told = text(table, "cost", "cost ($)").replace("$", "").replace(",", "")
    cost = bounded(told.strip().try_cast("float64"))  # null where it is a word
    return Fields(
        at_us=instant(table, "date"), provider="cursor", model=text(table, "model"),
        uncached_input=uncached, cache_read=read, cache_write=written, output=output, cost_usd=cost,
        reasons=reasons)


CURSOR_CSV: Final = Format(
    name="cursor-csv", title="Cursor usage CSV", grain="call", needs=frozenset({"date", "model", *COUNTS}),
    uses=("kind", "user", "total tokens", "cost", "cost ($)"), fields=_fields, groups={"user": "user"})
