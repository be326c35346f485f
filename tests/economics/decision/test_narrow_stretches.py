"""Stretches of volumes that are narrower than the curves' own, in which an option leads beside a change of its plan."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from roi.economics.decision.turning.elsewhere import Stood
from roi.economics.decision.turning.load_and_rent import PROBES, _AlongCurves
from roi.economics.decision.turning.nearest_turn import Seen, nearest_turn
from roi.economics.inputs import Array

TODAY, CHANGE, ENDS = 100.0, 430.0, 470.0
"""Requests a day: the floor's other plan is cheaper from the second one on, and it leads up to the third one."""


class Cost:
    """A curve of one option: USD a request at the central values, and the volume from which on it runs on its other plan."""

    def __init__(self, usd: float, change: float = np.inf) -> None:
        self.usd, self.change = usd, change

    def at(self, volumes: Array) -> Array:
        return np.tile(self.usd * volumes, (4, 1))

    def plans_at(self, volumes: Array) -> Array:
        return (volumes > self.change).astype(int)


COSTS = {"stay": Cost(20.0), "own": Cost(10.0), "floor": Cost(10.5, CHANGE)}


def mean_saved(volume: float) -> dict[str, float]:
    """USD on average: GPUs save 10 a request, the floor 8.5 on its first plan, and on the other 5 for each below ENDS more."""
    return {"stay": 0.0, "own": 10.0 * volume,
            "floor": 8.5 * volume if volume < CHANGE else 10.0 * volume + 5.0 * (ENDS - volume)}


def stood(volume: float, ids: Sequence[str] = tuple(COSTS)) -> Stood:
    saved = mean_saved(volume)
    likely = saved | {"stay": np.inf}
    return Stood((max(saved, key=lambda id: saved[id]),), {id: (saved[id], likely[id]) for id in ids})


def test_a_lead_beside_a_change_of_plan_is_found_between_two_volumes_of_the_curves() -> None:
    """The floor leads from 430 to 470: the curves have 422 and 487, at which it does not, and neither at 300 or 1,000.

    At 430 it saves 4,300 + 5 x 40 = 4,500 and GPUs 4,300; at 422 it saves 3,587 of 4,220, and at 487 4,785 of 4,870. Of the
    three and the two sides of the change, the latter are drawn for the two options alone.
    """
    asked, pairs, known = list[float](), list[float](), dict[float, Stood]()

    def ask(times: float, _: bool) -> Seen:
        asked.append(times)
        known[times] = stood(times * TODAY)
        return Seen(known[times].leaders[0] == "own", float(known[times].ahead("own")))

    def pair(times: float, ids: Sequence[str]) -> Stood:
        pairs.append(times * TODAY)
        assert list(ids) == ["floor"]
        return stood(times * TODAY, ("own", "floor", "stay"))

    curves = SimpleNamespace(volume=TODAY, of=COSTS.__getitem__)
    verdict = SimpleNamespace(leader="own", candidates=tuple(COSTS), counts="cash")
    along = _AlongCurves(curves, verdict, known, pair)  # type: ignore[arg-type]  # what it asks of both, and nothing else
    assert nearest_turn(ask, [3.0, 10.0]) is None
    known.clear()
    asked.clear()
    found = nearest_turn(ask, [3.0, 10.0], along.expected, PROBES)
    assert found is not None
    assert found[0] * TODAY == pytest.approx(CHANGE, rel=0.002)
    assert all(CHANGE / 1.01 < volume < CHANGE * 1.01 for volume in pairs)
    assert len(pairs) == 2
    assert len(asked) <= 3 + 1 + 10  # the three, one where it is expected, and ten to place a jump


def test_no_more_is_drawn_where_the_plans_of_what_is_far_dearer_change() -> None:
    """A floor at 13 a request costs over 1.25 x 10: its change of plan is not looked at."""
    curves = SimpleNamespace(volume=TODAY, of=(COSTS | {"floor": Cost(13.0, CHANGE)}).__getitem__)
    verdict = SimpleNamespace(leader="own", candidates=tuple(COSTS), counts="cash")
    known = {x: stood(x * TODAY) for x in (1.0, 3.0, 10.0)}
    along = _AlongCurves(curves, verdict, known, lambda times, _: pytest.fail(f"{times} is drawn"))  # type: ignore[arg-type]
    assert along.expected(3.0, 10.0) is None
