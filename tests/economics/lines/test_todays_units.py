"""Units of throughput, and seats, that are paid today in place of tokens: by hand on one request a second, three at peak."""

from dataclasses import replace

import numpy as np
import pytest
from quiet_scenario import CASCADE, CHEAPER, HYBRID, LUNA, STAY, World, case_of, plan, world

from roi.economics.decision.comparison import compare
from roi.economics.decision.turning.curves import Curves
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.unit_lines import mean_load, units_needed
from roi.errors import InputError

UNITS = "API provisioned throughput"
OWED = "today's units, owed and not used"
HALF_YEAR = {"committed_until": "2027-05-24"}
"""182 days with first and last: 5.98 months."""
PART = 182 / (365 / 12) - 5


def ten(**terms):
    """Ten units at $700, each for 0.4 requests/s: eight of them hold the peak."""
    return {"provisioned_throughput": {"units": 10, "usd_per_month": 700.0, "requests_per_s": 0.4, **terms}}


def cash(w: World, id: str) -> list[float]:
    return [round(float(x), 6) for x in w.costed(id).total.monthly]


def test_staying_pays_its_units_whatever_is_asked_and_whole_ones_more_as_the_peak_asks() -> None:
    """Twice the requests a year: 3 x 2^(4/12) = 3.78/s in month 5 take 9.4 units of the ten, 4.004 in month 6 take 11, 6 in
    month 13 take 15. Half of them a year: ten all the same, since nobody gives one back by staying.
    """
    w = world(incumbent=ten(), workload={"growth_per_year": 1.0})
    paid = w.line("stay", UNITS)[1]
    assert [paid[month - 1] for month in (1, 5, 6, 13)] == pytest.approx([7000.0, 7000.0, 7700.0, 10_500.0])
    assert not [name for name in w.names("stay") if name.startswith("API input")]
    assert world(incumbent=ten(), workload={"growth_per_year": -0.5}).line("stay", UNITS)[1] == pytest.approx([7000.0] * 24)


def test_a_share_in_use_at_the_peak_says_when_more_are_needed_whatever_the_peak_is() -> None:
    """80% of ten are full at 1.25 times today's requests: in month 5 they are 1.26 times (2^(4/12)), 10.08 units, so eleven."""
    for peak in (2.0, 3.0, 7.0):
        terms = {"units": 10, "usd_per_month": 700.0, "peak_utilization": 0.8}
        w = world(incumbent={"provisioned_throughput": terms}, workload={"growth_per_year": 1.0, "peak_to_mean": peak})
        assert w.line("stay", UNITS)[1][3:5] == pytest.approx([7000.0, 7700.0])


def test_leaving_saves_nothing_before_the_units_commitment_is_over_and_the_fee_after_it() -> None:
    """Another model, at once: $394.20 by the token and $7,000 owed for 5 months and 0.98 of the sixth, then $394.20 alone.

    Live after two months, it pays the units until then as the incumbent's, and owes the 3.98 months that are left.
    """
    w = world(incumbent=ten(**HALF_YEAR))
    assert cash(w, CHEAPER)[:7] == pytest.approx([LUNA + 7000.0] * 5 + [LUNA + PART * 7000.0, LUNA])
    later = world(incumbent=ten(**HALF_YEAR), timing={"months_to_live": {"api": 2.0}})
    assert later.line(CHEAPER, "incumbent's units, until live and in parallel")[1][:3] == pytest.approx([7000.0, 7000.0, 0.0])
    assert later.line(CHEAPER, OWED)[1][:7] == pytest.approx([0.0, 0.0, 7000.0, 7000.0, 7000.0, PART * 7000.0, 0.0])
    assert cash(later, CHEAPER)[0] == 7000.0


def test_by_the_token_or_without_idle_units_the_same_model_pays_what_it_uses_and_what_is_still_owed() -> None:
    """By the token $10,512 beside $7,000 owed. Eight units of ten cost 5,600: $1,400 more are owed until the end."""
    w = world(incumbent=ten(**HALF_YEAR))
    assert cash(w, "by-token")[:7:6] == pytest.approx([STAY + 7000.0, STAY])
    assert cash(w, "provisioned")[:7] == pytest.approx([7000.0] * 5 + [5600.0 + max(PART * 7000.0 - 5600.0, 0.0), 5600.0])
    assert "provisioned" not in world(incumbent=ten(requests_per_s=0.3)).options


def test_what_units_do_not_hold_spills_over_to_the_price_by_the_token() -> None:
    """Half the hours at 1.5 times the mean, half at 0.5: units that hold 1 request/s spill 0.5 in half the hours, a quarter of
    all. At twice the requests a year later, 3 and 1 a second: 2 spill in half the hours, of a mean of 2: half.
    """
    day = {"hourly_weights": (1.5,) * 12 + (0.5,) * 12, "peak_to_mean": 1.5, "growth_per_year": 1.0}
    w = world(incumbent=ten(requests_per_s=0.1, spills_over=True), workload=day)
    tokens = np.sum([w.line("stay", name)[1] for name in ("API input, uncached", "API output")], axis=0)
    assert [tokens[0], tokens[12]] == pytest.approx([0.25 * STAY, 0.5 * 2 * STAY])
    assert w.line("stay", UNITS)[1] == pytest.approx([7000.0] * 24)
    kept = world(incumbent=ten(requests_per_s=0.1, spills_over=True), workload=day, timing={"months_to_live": {"api": 1.0}})
    assert cash(kept, CHEAPER)[0] == pytest.approx(7000.0 + 0.25 * STAY)


def test_what_is_handed_on_to_todays_model_costs_nothing_more_while_its_units_are_owed() -> None:
    """A quarter is escalated: by the token $2,628 a month once the units are given up, 0.02 of that in month 6."""
    w = world(incumbent=ten(**HALF_YEAR), quality={"cascade_escalated_share": 0.25})
    assert w.line(CASCADE, "escalated to gpt-5.4")[1][:7] == pytest.approx([0.0] * 5 + [(1 - PART) * STAY / 4, STAY / 4])
    case = case_of(incumbent=ten(**HALF_YEAR), candidates={"hybrid": True, "api_models": []})
    floor = World(case, **plan(HYBRID))
    floor.options[HYBRID] = replace(floor.options[HYBRID], replicas_fixed=1, spill_share=0.2)
    assert floor.line(HYBRID, "spilled to gpt-5.4")[1][:7:6] == pytest.approx([0.0, 0.2 * STAY])


def test_a_shorter_prompt_takes_as_many_units_as_the_peak_does_at_its_cost_by_the_token_over_todays() -> None:
    """800 of 1,000 prompt tokens less: $0.002 in place of $0.004 a request, so that one unit holds 0.8/s. The peak of 3/s takes
    3.75 of them, four; at 1.5 times the requests 5.6, six. Ten today, of which eight are in use, are not halved: the two idle
    ones go as they do without a shorter prompt. At a hundredth of the requests one is left.
    """
    shorter = {"workload": {"shared_prefix_tokens": 800.0}, "candidates": {"shorter_prompt": {"prefix_tokens": 0.0}}}
    w = world(incumbent=ten(**HALF_YEAR), **shorter)
    assert w.line("shorter-prompt", UNITS)[1] == pytest.approx([2800.0] * 24)
    assert w.line("shorter-prompt", OWED)[1][:7] == pytest.approx([4200.0] * 5 + [max(PART * 7000.0 - 2800.0, 0.0), 0.0])
    more = {"steps": [{"from_month": 3, "ratio": 1.5}], **shorter["workload"]}
    grown = world(incumbent=ten(), workload=more, candidates=shorter["candidates"])
    assert grown.line("shorter-prompt", UNITS)[1][1:3] == pytest.approx([2800.0, 4200.0])
    few = {"steps": [{"from_month": 3, "ratio": 0.01}], **shorter["workload"]}
    assert world(incumbent=ten(), workload=few, candidates=shorter["candidates"]).line("shorter-prompt", UNITS)[1][2] == 700.0


def test_of_units_that_spill_over_a_shorter_prompt_keeps_those_that_cost_least_with_what_spills() -> None:
    """1.5/s for half of the day and 0.5 for the other, of which a unit holds 0.1, and 0.2 at half the tokens, $5,256 in all.
    The first two serve day and night, 0.2 of it or $1,051 each for $700; the third 0.1 of it all day and 0.1 by day, $788; the
    fourth by day alone $525.60. Three, and half x (1.5 - 0.6) spills. Half of today's ten, five, cost $349 more. While ten are
    owed, as many as the peak of 1.5 takes, eight, in month 6 too.
    """
    workload = {"hourly_weights": (1.5,) * 12 + (0.5,) * 12, "peak_to_mean": 1.5, "shared_prefix_tokens": 800.0}
    w = world(incumbent=ten(requests_per_s=0.1, spills_over=True, **HALF_YEAR), workload=workload,
              candidates={"shorter_prompt": {"prefix_tokens": 0.0}})
    assert w.line("shorter-prompt", UNITS)[1] == pytest.approx([5600.0] * 6 + [2100.0] * 18)
    tokens = np.sum([w.line("shorter-prompt", name)[1] for name in ("API input, uncached", "API output")], axis=0)
    assert tokens == pytest.approx([0.0] * 6 + [0.45 * STAY / 2] * 18)
    assert w.line("shorter-prompt", OWED)[1][:7] == pytest.approx([1400.0] * 5 + [PART * 7000.0 - 5600.0, 0.0])
    each = [700.0 * n + STAY / 2 * 0.5 * (max(1.5 - 0.2 * n, 0.0) + max(0.5 - 0.2 * n, 0.0)) for n in range(1, 11)]
    assert 2100.0 + tokens[-1] == pytest.approx(min(each))
    assert each[4] - min(each) == pytest.approx(348.8)


def test_of_units_that_spill_over_the_same_model_keeps_those_that_cost_least_and_is_no_option_where_those_are_all() -> None:
    """1.5/s for half of the day and 0.5 for the other, 0.1 a unit: each of the first five serves day and night, a tenth of
    $10,512 by the token, for $700; each of the next ten half of that, $525.60. So five, and half x (1.5 - 0.5) spills. While
    ten are owed all ten stay. At $500 each, less than any of the ten saves, there is no such option; nor of one unit.
    """
    workload = {"hourly_weights": (1.5,) * 12 + (0.5,) * 12, "peak_to_mean": 1.5}

    def of(**terms: object) -> World:
        return world(incumbent=ten(requests_per_s=0.1, spills_over=True, **terms), workload=workload)

    by_hand = [10_160.8, 9809.6, 9458.4, 9107.2, 8756.0, 8930.4, 9104.8, 9279.2, 9453.6, 9628.0]
    assert [cash(of(units=n), "stay")[0] for n in range(1, 11)] == pytest.approx(by_hand)
    w = of()
    assert w.line("provisioned", UNITS)[1] == pytest.approx([3500.0] * 24)
    assert cash(w, "provisioned") == pytest.approx([min(by_hand)] * 24)
    assert cash(of(**HALF_YEAR), "provisioned")[:7:6] == pytest.approx([9628.0, 8756.0])
    assert of(**HALF_YEAR).line("provisioned", UNITS)[1][:7:6] == pytest.approx([7000.0, 3500.0])
    for none in ({"usd_per_month": 500.0}, {"units": 5}, {"units": 1}):
        assert "provisioned" not in of(**none).options


def test_less_asked_is_an_option_by_the_token_too_with_the_cache_that_a_change_has() -> None:
    """$0.002 of $0.004 a request is half of today's price by the token, and nothing is owed for units after five months and
    0.98 of the sixth. Both ways at once are one more. Its evaluation and hours are those of the same lever on units.
    """
    asked = {"shorter_prompt": {"prefix_tokens": 0.0, "setup_hours": 7.0}, "less_reasoning": {"output_ratio": 0.5}}
    w = world(incumbent=ten(**HALF_YEAR), workload={"shared_prefix_tokens": 800.0}, candidates=asked)
    half = w.costed("shorter-prompt:by-token").total.monthly
    assert half[:7:6] == pytest.approx([STAY / 2 + 7000.0, STAY / 2])
    for lever in ("shorter-prompt", "less-reasoning", "shorter-prompt+less-reasoning"):
        on_units, by_token = w.options[lever], w.options[f"{lever}:by-token"]
        assert (by_token.system, by_token.setup_hours, by_token.error_rate) == (
            on_units.system, on_units.setup_hours, on_units.error_rate)
        assert (on_units.provisioned is None, by_token.provisioned is None) == (False, True)
    assert "shorter-prompt:by-token" not in world(workload={"shared_prefix_tokens": 800.0}, candidates=asked).options


def test_seats_grow_with_users_and_hold_any_load_at_a_fee_that_no_successor_moves() -> None:
    """100 users at $30; 10% more a year: 101 in month 2 (100.8), 110 in month 13. Without a growth of their own, as requests.

    The vendor puts another model behind them at half the price: neither the fee moves, nor is anything ported.
    """
    seats, ends = {"users": 100, "usd_per_month": 30.0}, {"ends_in_months": 6.0, "successor_price_ratio": 0.5}
    w = world(incumbent={"seats": {**seats, "growth_per_year": 0.1}, **ends}, workload={"growth_per_year": 9.0})
    assert [w.line("stay", "seats")[1][month - 1] for month in (1, 2, 13)] == pytest.approx([3000.0, 3030.0, 3300.0])
    assert [name for name in w.names("stay") if "migration" in name] == []
    as_requests = world(incumbent={"seats": seats}, workload={"growth_per_year": 1.0})
    assert as_requests.line("stay", "seats")[1][12] == pytest.approx(6000.0)
    owed = world(incumbent={"seats": {**seats, **HALF_YEAR}})
    assert owed.line(CHEAPER, "today's seats, owed and not used")[1][:7:6] == pytest.approx([3000.0, 0.0])


def test_at_another_volume_seats_are_those_of_other_users_unless_these_have_a_growth_of_their_own() -> None:
    """100 seats of 86,400 requests a day: 1,000 at ten times as many, one at most 864 a day, along a curve as where it is laid
    over; 100 at any where users grow by a rate of their own.
    """
    seats, volumes = {"users": 100, "usd_per_month": 30.0}, np.array([864.0, 865.0, 864_000.0])
    for growth, found in ({}, [720.0, 1440.0, 720_000.0]), ({"growth_per_year": 0.0}, [72_000.0] * 3):
        w = world(incumbent={"seats": {**seats, **growth}}, discount_rate=0.0)
        assert Curves(w.shared, w.options).of("stay").at(volumes)[0] == pytest.approx(found)
    of = {"seats": {**seats, "at_requests_per_day": 8_640.0}}
    assert world(incumbent=of).line("stay", "seats")[1][0] == pytest.approx(30_000.0)


def test_fees_of_units_count_towards_a_commitment_of_spend_with_the_same_provider() -> None:
    """$9,000 a month are owed to the provider: staying spends 7,000 on units. Who leaves for another of its models spends
    $394.20 there beside the $7,000 that are owed for units.
    """
    until = {"committed_until": "2030-01-01"}
    w = world(incumbent={**ten(**until), "committed_usd_per_month": 9000.0, **until})
    assert w.line("stay", "commitment not used")[1][0] == pytest.approx(2000.0)
    assert w.line(CHEAPER, "commitment not used")[1][0] == pytest.approx(2000.0 - LUNA)


@pytest.mark.parametrize("none", [
    {"provisioned_throughput": {"units": 0, "usd_per_month": 700.0}}, {"seats": {"users": 0, "usd_per_month": 30.0}},
], ids=["units", "seats"])
def test_no_units_and_no_seats_are_todays_price_by_the_token_to_the_cent(none) -> None:
    assert case_of(incumbent=none).facts == case_of().facts


def test_at_each_volume_the_curves_pay_the_units_that_it_takes() -> None:
    """Todays ten hold 115,200 requests a day; at ten times today's 75 are paid. By hand at each: present value of 24 months."""
    w = world(incumbent=ten(), discount_rate=0.0)
    volumes = np.array([1000.0, 115_200.0, 115_201.0, 864_000.0])
    found = Curves(w.shared, w.options).of("stay").at(volumes)[0]
    assert found == pytest.approx([24 * 7000.0, 24 * 7000.0, 24 * 7700.0, 24 * 75 * 700.0])


def test_what_is_stated_of_a_unit_is_at_least_what_it_holds_today() -> None:
    """Ten units of 0.2/s would hold two thirds of the peak of 3/s, and answer it: each holds 0.3."""
    w = world(incumbent=ten(requests_per_s=0.2))
    assert units_needed(w.shared, w.options["stay"].provisioned) == pytest.approx([10.0] * 24)
    assert mean_load(w.shared) == pytest.approx([1.0] * 24)


def test_units_are_the_bill_and_another_one_moves_nothing_but_is_told_and_far_off_an_alarm() -> None:
    case = case_of(incumbent={**ten(), "bill_usd_per_month": 9000.0})
    assert case["reconciliation.factor"].value == 1.0
    told = str(case["reconciliation.told"].value)
    assert told.startswith("The bill, $9,000, is 1.29 x what incumbent.provisioned_throughput")
    far = compare(case_of(incumbent={**ten(), "bill_usd_per_month": 700.0}))
    assert far.verdict.recommended is None
    assert [alarm.field for alarm in far.alarms] == ["incumbent.bill_usd_per_month"]


@pytest.mark.parametrize(("incumbent", "told"), [
    ({"provisioned_throughput": {"units": 10, "usd_per_month": 700.0}}, "give requests_per_s .* or peak_utilization"),
    (ten(peak_utilization=0.5), "one of them"),
    ({**ten(), "seats": {"users": 5, "usd_per_month": 30.0}}, "give provisioned_throughput or seats, not both"),
    ({**ten(), "batch_share": 0.2}, "batch_share is of what is paid by the token, and provisioned_throughput is not"),
    ({"seats": {"users": 2.5, "usd_per_month": 30.0}}, r"incumbent\.seats\.users"),
])  # fmt: skip
def test_terms_that_cannot_be_are_refused_with_what_to_write(incumbent, told) -> None:
    with pytest.raises(InputError, match=told):
        case_of(incumbent=incumbent)


def test_the_lines_say_their_units_by_hand() -> None:
    w = world(incumbent=ten(**HALF_YEAR), workload={"growth_per_year": 1.0})
    lines = {line.name: line for line in w.costed("stay").costs.lines} | {
        line.name: line for line in w.costed("provisioned").costs.lines if line.kind is LineKind.COMMITMENT}
    assert lines[UNITS].arithmetic(0) == "10 units x $700 x 1 of the month"
    assert lines[UNITS].arithmetic(12) == "6 requests/s at the peak / 0.4 a unit: 15 units x $700 x 1 of the month"
    assert lines[OWED].arithmetic(0) == "10 units x $700 x 1 of the month - $5,600.00 paid for units, at least 0"
