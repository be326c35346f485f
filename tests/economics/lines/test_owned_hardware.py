"""What owned GPUs cost, and fetch in the end: by hand on one request a second."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from quiet_scenario import NONE, OWN, QUIET, World, case_of, plan

from roi.economics.decision.feasibility import binds
from roi.economics.lines.hardware import purchases
from roi.errors import ScenarioError

HARDWARE = {
    "host_usd_per_gpu": 2000.0,
    "install_share": 0.1,
    "pue": 1.5,
    "usd_per_kwh": 0.10,
    "power_share": 0.5,
    "colocation_usd_per_kw_month": 100.0,
    "spare_share": 0.0,
    "life_months": 48,
    "value_kept_per_year": 0.5,
}


def owned(**hardware: Any) -> World:
    case = case_of(
        candidates={**QUIET["candidates"], "own_hardware": True}, own_hardware={**HARDWARE, **hardware}, discount_rate=0.0
    )
    prices = {path: 28_000.0 for path in case.facts if path.startswith("purchase.")}
    return World(case, **plan(OWN), **prices)


def test_own_gpus_cost_purchase_installation_power_and_space_and_fetch_a_price_at_the_end() -> None:
    """3 GPUs of $28,000, $2,000 of host each, 1 kW: $90,000, 10% installation; 3 kW x 0.5 x 1.5 x 730 h x $0.10 = $164.25;
    3 x $100; after two years half of half is left: -$22,500.
    """
    w = owned()
    assert w.line(OWN, "hardware, purchase and replacement") == (90_000.0, [0.0] * 24)
    assert w.line(OWN, "hardware, installation") == (9000.0, [0.0] * 24)
    assert w.line(OWN, "electricity")[1] == pytest.approx([164.25] * 24)
    assert w.line(OWN, "colocation")[1] == [300.0] * 24
    resale = w.line(OWN, "hardware, resale")[1]
    assert sum(resale[:-1]) == 0.0
    assert resale[-1] == pytest.approx(-22_500.0)


def test_gpus_whose_life_ends_inside_the_horizon_are_sold_and_replaced() -> None:
    """Life 12 of 24 months: bought at 0 and at month end 12, sold at 12 and at 24 for half: -$45,000 each time."""
    w = owned(life_months=12)
    upfront, later = w.line(OWN, "hardware, purchase and replacement")
    assert (upfront, {t + 1: usd for t, usd in enumerate(later) if usd}) == (90_000.0, {12: 90_000.0})
    resale = {t + 1: usd for t, usd in enumerate(w.line(OWN, "hardware, resale")[1]) if usd}
    assert resale == pytest.approx({12: -45_000.0, 24: -45_000.0})


EACH = "(kept a year ^ years of age) x ($28,000 + $2,000 host)"


@pytest.mark.parametrize(("changes", "month", "told", "usd"), [
    ({}, 24, f"3 GPU x 0.5^2 {EACH}", 22_500.0),
    ({"life_months": 12}, 12, f"3 GPU x 0.5^1 {EACH}", 45_000.0), ({"life_months": 12}, 24, f"3 GPU x 0.5^1 {EACH}", 45_000.0),
    ({"life_months": 18}, 18, f"3 GPU x 0.5^1.5 {EACH}", 31_819.8),
    ({"life_months": 18}, 24, f"3 GPU x 0.5^0.5 {EACH}", 63_639.6),
])  # fmt: skip
def test_what_cards_fetch_can_be_redone_from_how_many_and_how_old_they_are(
    changes: dict[str, Any], month: int, told: str, usd: float,
) -> None:
    """3 x 0.5^2 of $30,000: $22,500, where "0.75 of a GPU's price is left" stood; 3 x 0.5^1.5 x $30,000 = $31,820."""
    (line,) = (line for line in owned(**changes).costed(OWN).costs.lines if line.name == "hardware, resale")
    assert callable(line.arithmetic)
    assert line.arithmetic(month - 1) == told
    assert -line.monthly[month - 1] == pytest.approx(usd, abs=0.1)


def test_cards_of_several_ages_are_told_apart_where_they_are_few() -> None:
    """At 20% a year a fourth is bought later; the terms that are told, and the one sum of many, give what the line has."""
    found = {}
    for growth in (0.2, 0.5):
        w = owned()
        w.shared = replace(w.shared, growth=growth)
        (line,) = (line for line in w.costed(OWN).costs.lines if line.name == "hardware, resale")
        assert callable(line.arithmetic)
        found[growth] = line.arithmetic(23), -line.monthly[23]
    told, usd = found[0.2]
    terms = re.findall(r"(\d+) GPU x 0\.5\^([\d.]+)", told)
    assert (terms[0], [gpus for gpus, _ in terms]) == (("3", "2"), ["3", "1"])
    assert sum(int(gpus) * 0.5 ** float(age) for gpus, age in terms) * 30_000.0 == pytest.approx(usd, rel=1e-3)
    told, usd = found[0.5]
    assert told.endswith(", the sum of 5 purchases of GPU x 0.5^years of age, x ($28,000 + $2,000 host)")
    assert float(told.partition(",")[0]) * 30_000.0 == pytest.approx(usd, rel=1e-5)


def test_spare_cards_are_bought_too() -> None:
    """Half as many again, where cards that are owned are replaced too: 3 x 1.5 x $28,000 at month 12."""
    assert owned(spare_share=0.5).line(OWN, "hardware, purchase and replacement")[0] == 135_000.0
    mine = {**HARDWARE, "cards": {"a100-80gb-sxm": 5}, "resale_usd_per_gpu": 5000.0, "life_months": 12, "spare_share": 0.5}
    w = World(case_of(own_hardware={**mine, "purchase_usd_per_gpu": 28_000.0}, discount_rate=0.0), **plan(OWN, watts=400.0))
    assert w.line(OWN, "hardware, purchase and replacement")[1][11] == 126_000.0


def test_purchases_follow_growth_and_replacement() -> None:
    """2 GPUs, a third from month 3, life 4: 2 at month end 0, 1 at 2, 2 again at 4, 1 again at 6."""
    assert purchases(np.array([2.0, 2, 3, 3, 3, 3, 3, 3]), 4).tolist() == [2.0, 0, 1, 0, 2, 0, 1, 0]
    assert purchases(np.array([0.0, 2, 2, 2]), 48).tolist() == [0.0, 2, 0, 0]


def test_cards_that_are_there_cost_what_selling_them_today_would_bring() -> None:
    """5 cards, 3 needed, live after 6 months: 3 x $5,000 are not got in month 0, and a quarter of it is after two years, at any
    month of going live. Nothing is bought or installed; space is paid while live: 3 x 0.4 kW x $100.
    """
    case = case_of(
        own_hardware={**HARDWARE, "cards": {"a100-80gb-sxm": 5}, "resale_usd_per_gpu": 5000.0}, discount_rate=0.0,
        timing={"months_to_live": {**NONE, "self_hosted": 6.0}},
    )  # fmt: skip
    w = World(case, **plan(OWN, watts=400.0))
    assert w.line(OWN, "own cards, not sold (no cash)") == (15_000.0, [0.0] * 24)
    resale = {t + 1: usd for t, usd in enumerate(w.line(OWN, "own cards, resale (no cash)")[1]) if usd}
    assert resale == pytest.approx({24: -3750.0})
    assert w.line(OWN, "colocation")[1] == pytest.approx([0.0] * 6 + [120.0] * 18)
    assert not [name for name in w.names(OWN) if "purchase" in name or "installation" in name]
    assert float(w.options[OWN].months_to_live) == 6.0
    assert not binds(w.options[OWN])
    assert binds(owned().options[OWN])


def test_an_owned_card_that_is_not_needed_yet_is_not_replaced_yet() -> None:
    """5 cards, 3 needed and a fourth from some month on: what is worn out at month 12 is replaced then by 3, later by 1."""
    mine = {**HARDWARE, "cards": {"a100-80gb-sxm": 5}, "resale_usd_per_gpu": 5000.0, "life_months": 12}
    growing = {"growth_per_year": 0.08}
    case = case_of(own_hardware={**mine, "purchase_usd_per_gpu": 28_000.0}, discount_rate=0.0, workload=growing)
    w = World(case, **plan(OWN, watts=400.0))
    gpus = np.ravel(w.costed(OWN).costs.fleet.gpus)
    more = int(np.argmax(gpus > gpus[0]))
    assert (gpus[0], gpus[-1], more > 12) == (3.0, 4.0, True)
    upfront, later = w.line(OWN, "hardware, purchase and replacement")
    assert (upfront, {t + 1: usd for t, usd in enumerate(later) if usd}) == (0.0, {12: 84_000.0, more: 28_000.0})
    assert w.line(OWN, "own cards, not sold (no cash)")[0] == 20_000.0


def test_owned_cards_that_wear_out_within_the_horizon_are_replaced_by_new_ones_that_are_paid() -> None:
    """3 of 5 cards that would fetch $5,000, life 12 of 24 months: $15,000 not got in month 0, half of it got at month 12, no
    cash; then 3 new ones at $28,000, in the servers that stand, of which half is left at month 24. Of two draws of the value
    kept each is as it is alone. An older Case, without a price of new ones, pays what the old ones would have fetched.
    Live after 18 months, the new ones are bought by then.
    """
    mine = {**HARDWARE, "cards": {"a100-80gb-sxm": 5}, "resale_usd_per_gpu": 5000.0, "life_months": 12}
    case = case_of(own_hardware={**mine, "purchase_usd_per_gpu": 28_000.0}, discount_rate=0.0)
    w = World(case, **plan(OWN, watts=400.0))

    def months(name: str) -> dict[int, float]:
        return {t + 1: usd for t, usd in enumerate(w.line(OWN, name)[1]) if usd}

    own, sold, new = "own cards, not sold (no cash)", "own cards, resale (no cash)", "hardware, purchase and replacement"
    assert (w.line(OWN, own)[0], months(own)) == (15_000.0, {})
    assert (w.line(OWN, new)[0], months(new)) == (0.0, {12: 84_000.0})
    assert months(sold) == pytest.approx({12: -7500.0})
    assert months("hardware, resale of replacements") == pytest.approx({24: -42_000.0})
    assert {line.name for line in w.costed(OWN).costs.lines if line.no_cash} == {own, sold}
    assert "hardware, installation" not in w.names(OWN)
    values = (0.4, 0.6)
    drawn = World(case, **plan(OWN), **{"own_hardware.value_kept_per_year": np.array(values)[:, None]}).costed(OWN).pv
    alone = [World(case, **plan(OWN), **{"own_hardware.value_kept_per_year": x}).costed(OWN).pv for x in values]
    assert np.ravel(drawn) == pytest.approx([float(x) for x in alone])
    late = World(case, **plan(OWN), **{"changes.self_hosted.months_to_live": 18.0})
    paid = {name: {t + 1: usd for t, usd in enumerate(late.line(OWN, name)[1]) if usd} for name in (sold, new)}
    assert paid == {sold: pytest.approx({12: -7500.0}), new: {18: 84_000.0}}
    older = {path: None for path in case.facts if path.endswith(".replacement")}
    assert {t + 1: usd for t, usd in enumerate(World(case, **plan(OWN), **older).line(OWN, new)[1]) if usd} == {12: 15_000.0}


def test_a_card_without_a_price_new_is_not_replaced_at_a_guess() -> None:
    mine = {"cards": {"a100-80gb-pcie": 5}, "resale_usd_per_gpu": 300.0}
    with pytest.raises(ScenarioError, match=r"own_hardware.life_months: 12 .* own_hardware.purchase_usd_per_gpu=\{A100"):
        case_of(own_hardware={**mine, "life_months": 12})
    with pytest.raises(ScenarioError, match=r"own_hardware.purchase_usd_per_gpu: 900.0 .* wear out within the horizon"):
        case_of(own_hardware={**mine, "life_months": 24, "purchase_usd_per_gpu": 900.0})


def test_as_many_owned_cards_are_kept_as_a_retraining_takes() -> None:
    """5 cards, 3 serve, 4 train: 4 x $5,000 are not got, a quarter of it is after two years; 3 x 0.4 kW x $100 are powered.

    No more than the 3 where 1 or 3 train, all 5 where they come as a whole; and the same in every draw of the value kept.
    """
    case = case_of(own_hardware={**HARDWARE, "cards": {"a100-80gb-sxm": 5}, "resale_usd_per_gpu": 5000.0}, discount_rate=0.0)

    def kept(train: float, **facts: Any) -> World:
        return World(case, **plan(OWN, watts=400.0, gpus_to_train=train), **facts)

    own, sold = "own cards, not sold (no cash)", "own cards, resale (no cash)"
    assert kept(4.0).line(OWN, own) == (20_000.0, [0.0] * 24)
    assert kept(4.0).line(OWN, sold)[1] == pytest.approx([0.0] * 23 + [-5000.0])
    assert kept(4.0).line(OWN, "colocation")[1] == pytest.approx([120.0] * 24)
    assert [kept(few).line(OWN, own)[0] for few in (0.0, 1.0, 3.0)] == [15_000.0] * 3
    assert kept(4.0, **{"own_hardware.as_a_whole": True}).line(OWN, own)[0] == 25_000.0
    values = (0.4, 0.5, 0.6)
    drawn = kept(4.0, **{"own_hardware.value_kept_per_year": np.array(values)[:, None]}).costed(OWN).pv
    alone = [float(kept(4.0, **{"own_hardware.value_kept_per_year": each}).costed(OWN).pv) for each in values]
    assert np.ravel(drawn) == pytest.approx(alone)
