"""List prices that a vendor has announced: from their day on, the rest of that month at its share."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from quiet_scenario import CASCADE, CHEAPER, HYBRID, LUNA, PER_MONTH, STAY, World, case_of, plan, world

from roi.economics.decision.evaluation import evaluate, read_all
from roi.economics.finance import payback
from roi.economics.lines.api_bill import service
from roi.economics.tracking.month_figures import price_level

GPT, GPT_6 = "openai/gpt-5.4", "openai/gpt-6-luna"
RATE = 1.1 ** (1 / 12) - 1
SETUP = 400.0  # $100 + 300 labels at $1


def announced(vendor: str, after: float, step: int = 0, **rates: float) -> dict[str, Any]:
    """Facts of an announced list; rates in USD/Mtok."""
    path = f"vendors.{vendor}.announced.{step}."
    listed = {f"{path}{name}_usd_per_mtok": (rate,) for name, rate in rates.items()}
    return {f"{path}from_months": after, f"{path}edges_tokens": (0.0,), **listed}


def luna(after: float, by: float = 2.0, **facts: Any) -> World:
    return World(case_of(), **announced(GPT_6, after, input=0.1 * by, output=0.5 * by), **facts)


def npv(w: World, id: str) -> float:
    return float(np.asarray(w.costed("stay").pv)) - float(np.asarray(w.costed(id).pv))


def bill(w: World, id: str) -> list[float]:
    return sum(np.asarray(x.monthly) for x in w.costed(id).costs.lines if x.name.startswith("API ")).tolist()


def test_a_price_that_doubles_after_one_and_a_half_months_has_the_npv_of_the_closed_form() -> None:
    """Month 1 as today, month 2 half and half, then double. a = (1 - v^24) / r: $394.20 x (2 a - v - v^2 / 2), and $400."""
    w, v = luna(1.5), 1 / (1 + RATE)
    annuity = (1 - v**24) / RATE
    paid = LUNA * (2 * annuity - v - 0.5 * v**2) + SETUP
    assert bill(w, CHEAPER)[:4] == pytest.approx([LUNA, 1.5 * LUNA, 2 * LUNA, 2 * LUNA])
    assert npv(w, CHEAPER) == pytest.approx(STAY * annuity - paid, abs=0.005)


def test_where_the_incumbents_price_doubles_staying_is_dearer_and_payback_comes_sooner() -> None:
    """$10,512 a month more from month 4 on. At a 96% discount staying costs $420.48 and saves $26.28 a month: $400 come back
    after the 3 months at that and 321.16 / 446.76 of the next; at today's price after 15.22.
    """
    dear, flat = (World(case_of(), **facts) for facts in (announced(GPT, 3.0, input=5.0, output=30.0), {}))
    assert bill(dear, "stay")[2:4] == pytest.approx([STAY, 2 * STAY])
    more = sum(STAY / (1 + RATE) ** t for t in range(4, 25))
    assert npv(dear, CHEAPER) - npv(flat, CHEAPER) == pytest.approx(more, abs=0.005)
    ninety_six = {"options.stay.price.discount": 0.96}
    for facts, months in ((announced(GPT, 3.0, input=5.0, output=30.0), 3 + 321.16 / 446.76), ({}, 400 / 26.28)):
        w = World(case_of(), **facts, **ninety_six, **{f"options.{CHEAPER}.price.discount": 0.0})
        saving = np.asarray(w.costed("stay").total.monthly) - np.asarray(w.costed(CHEAPER).total.monthly)
        assert payback(-SETUP, saving) == pytest.approx(months)
    dear.options[CHEAPER] = replace(dear.options[CHEAPER], months_to_live=6.0)  # until then the incumbent is paid
    waiting = dear.line(CHEAPER, "incumbent, until live and in parallel")[1]
    assert waiting[:7] == pytest.approx([*[STAY] * 3, *[2 * STAY] * 3, 0.0])


def test_a_price_that_falls_is_as_much_less() -> None:
    assert bill(luna(2.25, 0.5), CHEAPER)[:4] == pytest.approx([LUNA, LUNA, LUNA * (0.25 + 0.75 * 0.5), 0.5 * LUNA])


@pytest.mark.parametrize(("after", "by"), [(24.0, 2.0), (1.5, 1.0)], ids=["beyond the horizon", "the same price"])
def test_a_step_that_moves_nothing_leaves_every_figure(after: float, by: float) -> None:
    w, flat = luna(after, by), World(case_of())
    for id in (CHEAPER, CASCADE):
        assert w.costed(id).total.monthly == pytest.approx(flat.costed(id).total.monthly, rel=1e-12)
        assert npv(w, id) == pytest.approx(npv(flat, id), abs=1e-9)


@pytest.mark.parametrize(("end", "paid"), [(7.2, [1.0, 1.8, 1.0, 1.0]), (5.4, [0.5, 0.9, 1.0, 1.0])])
def test_a_successors_price_is_over_what_the_model_itself_would_list(end: float, paid: list[float]) -> None:
    """Doubled after 6.2 months, successors at 0.5: an end before that day, or after it, makes half of what it would cost then.

    The month in which a model ends is its successor's as a whole, as in `events`: month 8, and month 6.
    """
    ends = {f"vendors.{GPT_6}.first_end_months": end, f"vendors.{GPT_6}.life_months": 99.0, "drift.successor_price_ratio": 0.5}
    assert bill(luna(6.2, 2.0, **ends), CHEAPER)[5:9] == pytest.approx([x * LUNA for x in paid])


def test_a_list_that_is_announced_costs_the_same_once_it_is_todays() -> None:
    """Looked at 2 months later the doubled list is today's, and the model ends 2 months sooner: the months cost the same."""
    ends = {f"vendors.{GPT_6}.life_months": 99.0, "drift.successor_price_ratio": 0.8}
    before = bill(luna(1.0, 2.0, **ends, **{f"vendors.{GPT_6}.first_end_months": 7.0}), CHEAPER)
    doubled = {f"options.{CHEAPER}.price.{name}_usd_per_mtok": (2 * rate,) for name, rate in (("input", 0.1), ("output", 0.5))}
    after = bill(World(case_of(), **doubled, **ends, **{f"vendors.{GPT_6}.first_end_months": 5.0}), CHEAPER)
    assert before[2:] == pytest.approx(after[: len(before) - 2])


def test_several_announced_steps_hold_each_from_its_day_on() -> None:
    steps = {**announced(GPT_6, 1.5, input=0.2, output=1.0), **announced(GPT_6, 3.25, 1, input=0.3, output=1.5)}
    found = bill(World(case_of(), **steps), CHEAPER)
    assert found[:5] == pytest.approx([LUNA, 1.5 * LUNA, 2 * LUNA, (0.25 * 2 + 0.75 * 3) * LUNA, 3 * LUNA])


@pytest.mark.full
def test_input_output_cache_batch_and_tiers_move_by_factors_of_their_own() -> None:
    """1,000 in of which 600 shared, half hits; 100 out; 20% in batch.

    Today per million: 0.8 x (0.7 x $0.10 + 0.3 x $0.01 + 0.1 x $0.50), writes at the input price. Later input is $0.40 up to
    900 tokens and $0.20 above, a hit $0.10, output $0.50: 0.8 x (0.7 x 0.20 + 0.3 x 0.10 + 0.05). Batch is today half of that
    without a cache, 0.2 x (0.05 + 0.025), and later free of output: 0.2 x 0.1.
    """
    prices = {"cache_read": 0.01, "batch_input": 0.05, "batch_output": 0.25}
    today = {f"options.{CHEAPER}.price.{name}_usd_per_mtok": (rate,) for name, rate in prices.items()}
    today |= {f"options.{CHEAPER}.price.{name}_usd_per_mtok": None for name in
              ("cache_write", "batch_cache_read", "batch_cache_write")}
    later = announced(GPT_6, 2.0, input=0.2, output=0.5, cache_read=0.1, batch_input=0.1, batch_output=0.0)
    path = f"vendors.{GPT_6}.announced.0."
    later = {k: v * 2 if isinstance(v, tuple) else v for k, v in later.items()}  # the same rate in both tiers
    later |= {f"{path}edges_tokens": (0.0, 900.0), f"{path}input_usd_per_mtok": (0.4, 0.2)}
    w = World(case_of(workload={"shared_prefix_tokens": 600.0, "cache_hit_rate": 0.5, "can_wait_share": 0.2}), **today, **later,
              **{f"options.{CHEAPER}.price.cache_minimum_tokens": 0.0})
    month = {name: w.line(CHEAPER, name)[1][1:3] for name in w.names(CHEAPER) if name.startswith("API ")}
    each = PER_MONTH / 1e3  # USD for each dollar a thousand requests
    assert month["API input, uncached"] == pytest.approx([0.8 * 0.7 * 0.1 * each, 0.8 * 0.7 * 0.2 * each])
    assert month["API input, cache read"] == pytest.approx([0.8 * 0.3 * 0.01 * each, 0.8 * 0.3 * 0.1 * each])
    assert month["API output"] == pytest.approx([0.8 * 0.1 * 0.5 * each] * 2)
    assert month["API batch, input and output"] == pytest.approx([0.2 * (0.05 + 0.1 * 0.25) * each, 0.2 * 0.1 * each])


def test_a_way_that_only_the_announced_list_offers_has_its_line() -> None:
    """No batch price today; from month 3 on the half that can wait costs half."""
    none = {f"options.{CHEAPER}.price.batch_{x}_usd_per_mtok": None for x in ("input", "output")}
    w = World(case_of(workload={"can_wait_share": 0.5}), **none, **announced(
        GPT_6, 2.0, input=0.1, output=0.5, batch_input=0.05, batch_output=0.25))
    assert w.line(CHEAPER, "API batch, input and output")[1][1:3] == pytest.approx([0.0, LUNA / 4])
    assert bill(w, CHEAPER)[1:3] == pytest.approx([LUNA, 0.75 * LUNA])


def test_it_holds_wherever_the_model_answers() -> None:
    """The first and the second model of a cascade; what a hybrid spills to the incumbent; the levers of the incumbent."""
    steps = {**announced(GPT, 2.0, input=5.0, output=30.0), **announced(GPT_6, 2.0, input=0.3, output=1.5)}
    facts = {**plan(HYBRID), f"options.{HYBRID}.spills_to": "stay", f"apis.{GPT_6}.escalated_share": 0.25}
    case = case_of(candidates={"flexible_tier": {"price_ratio": 0.5, "share": 1.0}, "hybrid": True})
    w = World(case, **facts, **steps)
    assert bill(w, CASCADE)[1:3] == pytest.approx([LUNA, 3 * LUNA])
    escalated = next(x for x in w.costed(CASCADE).costs.lines if x.name.startswith("escalated to "))
    assert escalated.monthly[1:3] == pytest.approx([0.25 * STAY, 0.5 * STAY])
    assert bill(w, "flexible-tier")[1:3] == pytest.approx([STAY / 2, STAY])
    hybrid = replace(w.options[HYBRID], replicas_fixed=1, spill_share=0.2)
    spilled = next(x for x in evaluate(w.shared, hybrid, w.options).costs.lines if x.name.startswith("spilled to "))
    assert spilled.monthly[1:3] == pytest.approx([0.2 * STAY, 0.4 * STAY])


def test_the_arithmetic_of_each_month_gives_the_line() -> None:
    w = luna(1.5, 3.0, **{f"vendors.{GPT_6}.first_end_months": 4.0, "drift.successor_price_ratio": 0.5})
    for line in w.costed(CHEAPER).costs.lines:
        if line.name.startswith("API "):
            for month in range(6):
                told = line.told(month) if callable(line.told) else line.told
                assert ("announced price" in told) is (month > 0), told
                product = np.prod([float(x.replace(",", "")) for x in re.findall(r"(?:^| x \$?)([\d.,]+)", told)]) / 1e6
                assert product == pytest.approx(np.asarray(line.monthly)[month], rel=1e-4), told
            assert f"vendors.{GPT_6}.announced.0.input_usd_per_mtok" in line.facts


def test_draws_that_end_the_model_and_lengthen_requests_are_each_the_single_answer() -> None:
    """Lives, successors, tokens and volumes by row: every row is what its own values give alone, to the bit of rounding."""
    case, steps = case_of(), announced(GPT_6, 2.5, input=0.4, output=0.5)
    rows = {f"vendors.{GPT_6}.first_end_months": [1.5, 2.2, 5.0, 90.0], f"vendors.{GPT_6}.life_months": [9.0, 30.0, 4.0, 7.0],
            "drift.successor_price_ratio": [0.5, 2.0, 1.5, 1.0], "systems.gpt-6-luna.output_ratio": [1.0, 3.0, 0.5, 2.0],
            "workload.requests_per_day": [1e3, 1e5, 1e4, 2e4]}  # fmt: skip
    drawn = World(case, **steps, **{k: np.array(v)[:, None] for k, v in rows.items()})
    for id in (CHEAPER, CASCADE):
        found = np.asarray(drawn.costed(id).total.monthly)
        lines = sum(np.asarray(x.monthly) for x in drawn.costed(id).costs.lines)
        assert lines == pytest.approx(found)
        for k in range(4):
            alone = World(case, **steps, **{name: values[k] for name, values in rows.items()})
            assert found[k] == pytest.approx(alone.costed(id).total.monthly, rel=1e-12)
    level = price_level(drawn.shared, drawn.options[CHEAPER])
    usd = sum(np.asarray(x.monthly) for x in drawn.costed(CHEAPER).costs.lines if x.name.startswith("API "))
    volume = np.array(rows["workload.requests_per_day"])[:, None] * 365 / 12
    assert usd == pytest.approx(volume * service(drawn.shared, drawn.options[CHEAPER]).cost.usd * level)


@pytest.mark.parametrize("k", [0.25, 3.0])
def test_all_prices_times_k_are_all_bills_times_k(k: float) -> None:
    rates = {"input": 0.1, "output": 0.5}
    one, many = (World(case_of(), **announced(GPT_6, 2.5, input=0.4 * x, output=0.5 * x), **{
        f"options.{CHEAPER}.price.{name}_usd_per_mtok": (rate * x,) for name, rate in rates.items()}) for x in (1.0, k))
    assert bill(many, CHEAPER) == pytest.approx([k * usd for usd in bill(one, CHEAPER)])


def test_a_discount_is_off_both_lists() -> None:
    assert bill(luna(2.0, 2.0, **{f"options.{CHEAPER}.price.discount": 0.1}), CHEAPER)[1:3] == pytest.approx(
        [0.9 * LUNA, 1.8 * LUNA])


def test_a_request_that_is_free_today_is_billed_from_the_day_on() -> None:
    free = {f"options.{CHEAPER}.price.{name}_usd_per_mtok": (0.0,) for name in ("input", "output")}
    w = luna(1.5, **free)
    assert bill(w, CHEAPER)[:3] == pytest.approx([0.0, LUNA, 2 * LUNA])
    (line,) = [x for x in w.costed(CHEAPER).costs.lines if x.name == "API output"]
    assert callable(line.told)
    assert line.told(0).endswith("x 0.0000 announced price")
    assert line.told(1).endswith("x 100.00 tok x $1/Mtok x 0.5000 announced price")


def test_what_goes_on_to_a_model_that_is_free_today_tells_what_it_costs_later() -> None:
    """A quarter of 2,628,000 requests a month go on to a model that costs nothing, and from mid-month 2 on $0.004 each."""
    free = {f"options.stay.price.{name}_usd_per_mtok": (0.0,) for name in ("input", "output")}
    w = World(case_of(), **free, **announced(GPT, 1.5, input=2.5, output=15.0), **{f"apis.{GPT_6}.escalated_share": 0.25})
    (line,) = [x for x in w.costed(CASCADE).costs.lines if x.name.startswith("escalated to ")]
    assert line.monthly[:3] == pytest.approx([0.0, 0.125 * STAY, 0.25 * STAY])
    assert callable(line.told)
    for month in range(3):
        told = line.told(month)
        assert "x $0.004 each" in told
        product = np.prod([float(x.replace(",", "")) for x in re.findall(r"(?:^| x \$?)([\d.,]+)", told)])
        assert product == pytest.approx(np.asarray(line.monthly)[month], rel=1e-4), told


def test_break_even_curves_count_it() -> None:
    """Costs along volumes are straight lines, of which each has the doubled price in it."""
    case = case_of()
    shared, options = read_all(case, {**case.values(), **announced(GPT_6, 1.5, input=0.2, output=1.0)})
    rows = replace(shared, requests_per_day=np.array([[86_400.0], [172_800.0]]))
    found = np.asarray(evaluate(rows, options[CHEAPER], options).total.monthly)
    assert found[:, :3] == pytest.approx(np.outer([1, 2], [LUNA, 1.5 * LUNA, 2 * LUNA]))


def test_a_world_without_an_announced_price_has_no_step() -> None:
    w = world()
    assert service(w.shared, w.options["stay"]).steps == ()
    assert service(w.shared, w.options["stay"]).level is service(w.shared, w.options["stay"]).price
