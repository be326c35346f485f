"""Rows of a provider that no price list has, such as one's own servers: they count, and their money is told elsewhere."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from roi.usage.measure.pricing import Priced

UNKNOWN: Final = re.compile(
    r"(?P<models>.+), (?P<rows>[\d,]+ rows? with [\d,]+ tokens): model: unknown provider (?P<name>'.*');.*")
"""A remark of `roi usage` on models, rows and tokens without a list price."""


def with_counted(notes: Iterable[str], rows: "Mapping[str, Sequence[tuple[str, Priced]]]") -> Iterator[str]:
    """The remarks, that of an unknown provider said as what it is where all of its models are the decision's and count."""
    counted = {each.spend.model for some in rows.values() for _, each in some}
    for note in notes:
        found = UNKNOWN.fullmatch(note)
        if found is None or not {name.rsplit("/", 1)[-1] for name in found["models"].split(", ")} <= counted:
            yield note
            continue
        yield (f"{found['models']}, {found['rows']}: counted; the price list has no provider {found['name']}, so what they cost"
               " is as their rows, --bill or --opencost tell it, else as forecast")
