"""From how many requests a day an option wins, each fleet sized at its own peak along the curve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from roi.economics.decision.curves import LEAST, MOST, UNSERVED, Ask, Curves, Turn, turns
from roi.economics.inputs import Option

BASES, COUNTS = ("run_rate", "pv"), ("errors", "cash")
NOTHING = 1e-6
"""Share of the savings at the far end of the curve by which they must still grow to be more than rounding."""


@dataclass(frozen=True)
class BreakEven:
    """One crossing. `first` is where the option first wins, `stays` where it wins from there on; None = no such volume."""

    option: str
    baseline: str
    """stay, best_untrained or recommended."""
    basis: str
    """run_rate (mean month in which both serve alone, set-up left out) or pv (everything over the horizon)."""
    first: float | None
    stays: float | None
    reason: str
    counts: str = "errors"
    """errors (wrong answers cost what the scenario says) or cash (they are left out)."""


def break_evens(
    curves: Curves, ids: Sequence[str], untrained: Sequence[str], recommended: str = "stay"
) -> tuple[BreakEven, ...]:
    """Crossings of each option in `ids` against each of its `baselines`."""
    return tuple(found for id in ids for baseline, rivals in baselines(id, untrained, recommended).items()
                 for found in crossings(curves, id, baseline, rivals))


def baselines(id: str, untrained: Sequence[str], recommended: str = "stay") -> dict[str, list[str]]:
    """What an option is told against, and the rivals, of which the cheapest counts at each volume.

    Staying, the `untrained` (itself left out), and `recommended`, which is left out where it is staying, or the option itself.
    `untrained` are the options that train nothing and that somebody evaluated; staying is one of them anyhow.
    """
    found = {"stay": ["stay"], "best_untrained": ["stay", *(u for u in untrained if u not in {id, "stay"})]}
    return found if recommended in {"stay", id} else {**found, "recommended": [recommended]}


def crossings(curves: Curves, id: str, baseline: str, rivals: Sequence[str]) -> Iterator[BreakEven]:
    """Those of one option against one baseline: with wrong answers counted and not, by running cost and over the horizon."""
    views = list(product(COUNTS, BASES))
    asks = {v: [Ask(v[1], v[0], start, up) for start, up in ((LEAST, True), (MOST, False))] for v in views}
    answers = turns(curves, id, rivals, [ask for pair in asks.values() for ask in pair])
    for counts, basis in views:
        up, down = (answers[ask] for ask in asks[counts, basis])
        first, stays = _ends(up, down)
        runs_from = _ends(*(answers[ask] for ask in asks[counts, "run_rate"]))[1]
        yield BreakEven(
            option=id, baseline=baseline, basis=basis, first=first, stays=stays, counts=counts,
            reason=_reason(curves.options[id], basis, up, first, stays, runs_from),
        )


def _ends(up: Turn, down: Turn) -> tuple[float | None, float | None]:
    """(first, stays) from what is found upwards from the least volume, and downwards from the most."""
    first = 0.0 if up.wins else up.after
    if not down.wins:
        return first, None
    stays = 0.0 if down.before is None else down.before
    return first, stays if first is None else max(stays, first)


def _reason(
    option: Option, basis: str, up: Turn, first: float | None, stays: float | None, runs_from: float | None
) -> str:
    if first is None:
        return why_never(option, basis, up, runs_from)
    if stays is None:
        owned = "more cards are needed than are owned"
        return f"wins only in between: at large volume {owned if _unserved(up) else 'the baseline is cheaper'}"
    if stays == 0.0:
        return "cheaper at every volume"
    return "one crossing" if first == stays else "a saw: a new replica costs before it is used"


def why_never(option: Option, basis: str, turn: Turn, runs_from: float | None) -> str:
    """Why no volume helps: at the far end of the curve only what a further request costs is left.

    `runs_from` is the volume from which the option is cheaper to run for good; None = there is none.
    """
    if basis == "pv" and runs_from is not None:
        return f"cheaper to run from {runs_from:,.0f} a day on, but what is paid until it is live is not earned back"
    if _unserved(turn):
        return "as far as the cards that are owned go, the baseline is cheaper"
    gain, half = turn.gain, int(turn.volumes.searchsorted(MOST / 2.0))
    if gain[-1] - gain[half] > NOTHING * abs(gain[-1]):
        what = "set-up" if basis == "pv" else "what it costs to run at all is"
        return f"{what} not earned back below {MOST:.0e} requests a day"
    if option.self_hosted:
        return "marginal GPU cost exceeds the API price"
    return "a further request costs more than at the baseline"


def _unserved(turn: Turn) -> bool:
    """True where the far end of the curve is more than the option can serve."""
    return bool(turn.gain[-1] == -UNSERVED)
