"""Whether another option leads at a volume that was reached, and from where on."""

from types import SimpleNamespace

import pytest

from roi.economics.decision.turning.load_and_rent import REQUESTS_PER_DAY, OtherLeaders
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact


@pytest.mark.parametrize(("reached", "turns"), [(150.0, None), (400.0, 200.0), (1000.0, None), (2000.0, None), (50.0, None)])
def test_a_volume_that_has_todays_leader_again_has_passed_none(
    reached: float, turns: float | None, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 100 a day staying leads but between 200 and 500: at 400 another does, from 200 on, and at 1,000 none."""
    monkeypatch.setattr(OtherLeaders, "leaders_with", lambda _, facts, draws, lucks: tuple(
        "other" if 200.0 < facts[REQUESTS_PER_DAY].number() < 500.0 else "stay" for _ in lucks))
    case = Case(facts={REQUESTS_PER_DAY: Fact(value=100.0, unit="requests/day", basis=Basis.STATED, source="")})
    found = OtherLeaders(case, SimpleNamespace(leader="stay"), (), None).on_the_way_to(reached)
    assert found == (turns if turns is None else pytest.approx(turns, rel=0.03))
