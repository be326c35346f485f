"""Break-evens of several options at once."""

from collections.abc import Sequence

from roi.economics.decision.turning.break_even import BreakEven, baselines, crossings
from roi.economics.decision.turning.curves import Curves


def break_evens(
    curves: Curves, ids: Sequence[str], untrained: Sequence[str], recommended: str = "stay"
) -> tuple[BreakEven, ...]:
    """Crossings of each option in `ids` against each of its `baselines`."""
    return tuple(found for id in ids for baseline, rivals in baselines(id, untrained, recommended).items()
                 for found in crossings(curves, id, baseline, rivals))
