"""Whether another option leads at a volume that was reached, and from where on."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from roi.economics.decision.comparison import compare
from roi.economics.decision.turning.elsewhere import Stood
from roi.economics.decision.turning.load_and_rent import REQUESTS_PER_DAY, OtherLeaders
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

TICKETS = Path(__file__).parents[3] / "examples" / "tickets.yaml"
ON_GPUS = ("candidates.api_models=[]", "candidates.hosted_models=[]", "candidates.cascade_first=[]",
           "quality.scores={gpt-6-sol: 0.92, qwen3-8b: 0.91, qwen3-8b+lora: 0.92}")


@pytest.mark.parametrize(("reached", "turns"), [(150.0, None), (400.0, 200.0), (1000.0, None), (2000.0, None), (50.0, None)])
def test_a_volume_that_has_todays_leader_again_has_passed_none(
    reached: float, turns: float | None, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 100 a day staying leads but between 200 and 500: at 400 another does, from 200 on, and at 1,000 none."""
    monkeypatch.setattr(OtherLeaders, "stood_with", lambda _, facts, draws: Stood((
        "other" if 200.0 < facts[REQUESTS_PER_DAY].number() < 500.0 else "stay",), {}))
    case = Case(facts={REQUESTS_PER_DAY: Fact(value=100.0, unit="requests/day", basis=Basis.STATED, source="")})
    found = OtherLeaders(case, SimpleNamespace(leader="stay"), (), None).on_the_way_to(reached)
    assert found == (turns if turns is None else pytest.approx(turns, rel=0.03))


def test_at_the_volume_that_is_told_the_advice_turns_there_and_not_a_digit_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another leads from 973,310 a day on. The search ends a little beyond, told rounded; between both it is where one is."""
    monkeypatch.setattr(OtherLeaders, "stood_with", lambda _, facts, draws: Stood((
        "other" if facts[REQUESTS_PER_DAY].number() >= 973_310.0 else "stay",), {}))
    case = Case(facts={REQUESTS_PER_DAY: Fact(value=500_000.0, unit="requests/day", basis=Basis.STATED, source="")})
    leaders = OtherLeaders(case, SimpleNamespace(leader="stay"), (), None)
    found = leaders.volume(up=True, within=10.0)
    assert found is not None
    told = found[0]
    assert 973_310.0 < told < 973_310.0 * 1.01
    for reached in (973_310.0 + share * (told - 973_310.0) for share in (0.1, 0.5, 0.9)):
        assert leaders.on_the_way_to(reached) == reached
    assert leaders.on_the_way_to(2.0 * told) == told


def test_a_volume_of_which_the_first_draws_are_in_doubt_is_known_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 300 a day 512 draws name another option and 4,096 today's: those are asked there, as few of them as leave no doubt."""
    asked = list[tuple[float, float]]()

    def stood(_: OtherLeaders, facts: dict[str, Fact], draws: float) -> Stood:
        volume = facts[REQUESTS_PER_DAY].number()
        asked.append((volume, draws))
        return Stood(("other" if volume == 300.0 and draws < 4096 else "stay",), {})

    monkeypatch.setattr(OtherLeaders, "stood_with", stood)
    case = Case(facts={REQUESTS_PER_DAY: Fact(value=100.0, unit="requests/day", basis=Basis.STATED, source="")})
    assert OtherLeaders(case, SimpleNamespace(leader="stay"), (), None).volume(up=True, within=10.0) is None
    assert asked == [(100.0, 512), (300.0, 512), (300.0, 4096), (1000.0, 512)]


@pytest.mark.full
@pytest.mark.parametrize(("file", "overrides", "today", "up"), [
    (TICKETS, (), 2_000.0, True),
    (None, ON_GPUS, 300_000.0, True),  # a floor leads between 420,000 and less than a million, the next volume that was tried
    (None, ON_GPUS, 300_000.0, False),
])
def test_the_volume_that_is_told_is_where_whole_comparisons_turn(
    file: Path | None, overrides: tuple[str, ...], today: float, up: bool,
) -> None:
    """Scenarios of other volumes, each resolved anew: up to the one that is told all have today's leader, not beyond."""

    def whole(volume: float) -> tuple[str, float | None]:
        found = compare(resolve(load_scenario(file, (*overrides, f"workload.requests_per_day={volume!r}"))).case)
        turn = found.turning_volume(up=up, within=10.0) if volume == today else None
        return found.verdict.leader, None if turn is None else turn[0]

    leader, told = whole(today)
    assert told is not None
    assert [whole(today * (told / today) ** part)[0] for part in (0.3, 0.6, 0.9)] == [leader] * 3
    near, far = (0.97 * told, 1.03 * told) if up else (1.03 * told, 0.97 * told)
    for _ in range(6):
        middle = math.sqrt(near * far)
        near, far = (middle, far) if whole(middle)[0] == leader else (near, middle)
    assert told == pytest.approx(far, rel=0.0025)
