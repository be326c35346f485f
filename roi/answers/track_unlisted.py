"""Rows of a provider that no price list has, such as one's own servers: they count, and their money is told elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roi.usage.measure.pricing import Priced
    from roi.usage.summary import Usage


def with_counted(found: "Usage", rows: "Mapping[str, Sequence[tuple[str, Priced]]]") -> Iterator[str]:
    """The remarks, that of an unknown provider said as what it is where all of its models are the decision's and count."""
    from roi.usage.told import unlisted

    counted = {(each.spend.provider, each.spend.model) for some in rows.values() for _, each in some}
    ours = {str(each): each for each in unlisted(found.priced) if {(one.provider, one.model) for one in each.sums} <= counted}
    for note in found.notes:
        if (one := ours.get(note)) is None or one.provider is None:
            yield note
            continue
        yield (f"{', '.join(one.models)}, {one.rows}: counted; the price list has no provider {one.provider!r}, so what they"
               " cost is as their rows, --bill or --opencost tell it, else as forecast")
