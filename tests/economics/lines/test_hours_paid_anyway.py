"""Engineer hours of people who are paid anyway cost no cash, those beyond them do: by hand, 24 months at 0%, $100 an hour."""

from typing import Any

import numpy as np
import pytest
from quiet_scenario import ADAPTER, CHEAPER, NONE, World, case_of, plan

from roi.economics.decision.comparison import compare
from roi.economics.decision.option_result import OptionResult
from roi.facts.case import Case

TRAINED = {"examples": 1000.0, "tokens_per_example": 1000.0, "retrain_every_months": 6.0, "retrain_hours": 10.0}


def changing(existing: float, months: float = 2.0, setup: float = 0.0, run: float = 0.0, **changes: Any) -> Case:
    """A scenario whose API change and adapter take these hours and months, `existing` hours a month being paid anyway."""
    by_group = ("api", "self_hosted_adapter")
    people = {
        "setup_hours": {**NONE, **dict.fromkeys(by_group, setup)}, "existing_hours_per_month": existing,
        "run_hours_per_month": {**NONE, **dict.fromkeys(by_group, run)},
    }  # fmt: skip
    timing = {"months_to_live": {**NONE, **dict.fromkeys(by_group, months)}}
    return case_of(discount_rate=0.0, people=people, timing=timing, training=TRAINED, **changes)


def cheaper(case: Case) -> OptionResult:
    return next(o for o in compare(case).options if o.id == CHEAPER)


@pytest.mark.parametrize(("existing", "months", "paid"), [(0, 3, 20_000), (40, 3, 8000), (40, 0, 20_000), (80, 3, 0)])
def test_set_up_pays_the_hours_beyond_those_at_hand_until_live(existing: float, months: float, paid: float) -> None:
    """200 h over 3 months, 40 h a month at hand: 200 - 120 = 80 h x $100; live at once leaves no month to work in."""
    w = World(changing(existing, months, setup=200.0))
    assert w.line(CHEAPER, "engineering, set-up")[0] == pytest.approx(paid)


def test_the_line_says_how_many_hours_it_leaves_out() -> None:
    w = World(changing(40.0, 3.0, setup=200.0, run=50.0))
    told = {line.name: line.told for line in w.costed(CHEAPER).costs.lines}
    assert told["engineering, set-up"] == "200 h x $100/h - 120 h paid anyway x $100/h"
    on_call = told["on-call and operation"]
    assert not isinstance(on_call, str)
    assert on_call(5) == "50 h x $100/h - 40 h paid anyway x $100/h"


def test_on_call_pays_the_hours_of_a_month_beyond_those_at_hand() -> None:
    """50 h - 40 h = 10 h x $100; half of both in the month of going live."""
    w = World(changing(40.0, 2.5, run=50.0))
    assert w.line(CHEAPER, "on-call and operation")[1][:4] == pytest.approx([0.0, 0.0, 500.0, 1000.0])


def test_retraining_takes_what_on_call_leaves_of_its_month() -> None:
    """12 h at hand, 5 on call: 10 - 7 = 3 h x $100 at month ends 8, 14, 20, where each costs $1,000 without anybody at hand."""
    months = []
    for existing in (0.0, 12.0):
        w = World(changing(existing, 2.0, run=5.0), **plan(ADAPTER))
        months.append(np.array(w.line(ADAPTER, "retraining")[1]))
    left_out = months[0] - months[1]
    assert {t + 1: usd for t, usd in enumerate(left_out) if usd} == pytest.approx({8: 700.0, 14: 700.0, 20: 700.0})


def test_migrations_of_the_same_month_share_what_is_left() -> None:
    """Both models end after 6 months. Staying: 40 h of migration, 30 at hand: 10 h. Leaving with 10 h of on-call: 40 - 20 h."""
    life = {"drift": {"model_life_months": 6.0}, "evaluation": {"usd": 0.0, "labels": 0.0}}
    w = World(changing(30.0, 2.0, run=10.0, **life))
    stay = w.line("stay", "incumbent's model ends: migration")[1]
    assert [stay[5], stay[11]] == pytest.approx([1000.0, 1000.0])
    away = w.line(CHEAPER, "vendor's model ends: migration")[1]
    assert [away[5], away[11]] == pytest.approx([2000.0, 2000.0])
    cascade = "cascade:openai/gpt-6-luna"
    names = ("vendor's model ends: migration", "incumbent's model ends: migration")
    assert sorted(w.line(cascade, name)[1][5] for name in names) == pytest.approx([1000.0, 4000.0])


def test_the_months_until_live_give_migrations_what_set_up_leaves() -> None:
    """12 months until live, 120 h of set-up: 10 of 30 h a month. The incumbent ends after 6: 40 - 20 h x $100."""
    w = World(changing(30.0, 12.0, setup=120.0, drift={"model_life_months": 6.0}, evaluation={"usd": 0.0, "labels": 0.0}))
    assert w.line(CHEAPER, "engineering, set-up")[0] == 0.0
    assert w.line(CHEAPER, "incumbent's model ends: migration")[1][5] == pytest.approx(2000.0)


def test_months_until_live_that_lie_beyond_the_horizon_take_set_up_too() -> None:
    """30 months until live of which 24 are compared, 30 h in each: 900 h hold the set-up of 800, of which nothing is paid."""
    w = World(changing(30.0, 30.0, setup=800.0))
    assert w.line(CHEAPER, "engineering, set-up")[0] == 0.0


def test_both_views_are_told() -> None:
    """200 h of set-up and 50 h x 21 months = 1,250 h; 40 h x 24 months = 960 h of them cost no cash: $96,000 between the views.
    Staying asks for none.
    """
    without, with_hours = (cheaper(changing(existing, 3.0, setup=200.0, run=50.0)) for existing in (0.0, 40.0))
    assert with_hours.npv_usd - without.npv_usd == pytest.approx(96_000.0)
    assert with_hours.npv_all_hours_usd == pytest.approx(without.npv_usd)
    assert without.npv_all_hours_usd == without.npv_usd
    assert with_hours.upfront_usd == pytest.approx(8400.0)  # 80 h x $100 and $400 of evaluation


def test_a_row_of_draws_is_what_its_values_give_alone() -> None:
    """Hours at hand and months to live drawn: each row as if its values were the central ones."""
    case = changing(30.0, 2.0, setup=90.0, run=20.0)
    rows = {"people.existing_hours_per_month": (10.0, 40.0), "changes.self_hosted_adapter.months_to_live": (0.5, 4.0)}
    together = World(case, **plan(ADAPTER), **{path: np.array(v)[:, None] for path, v in rows.items()}).costed(ADAPTER)
    for k in range(2):
        alone = World(case, **plan(ADAPTER), **{path: v[k] for path, v in rows.items()}).costed(ADAPTER)
        assert together.total.monthly[k] == pytest.approx(alone.total.monthly)
        assert float(np.asarray(together.pv)[k, 0]) == pytest.approx(float(alone.pv))
        assert float(np.asarray(together.pv_all_hours)[k, 0]) == pytest.approx(float(alone.pv_all_hours))
