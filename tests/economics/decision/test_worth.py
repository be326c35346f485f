"""What knowing more is worth, and which experiment pays: by hand, and against nested averages."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from quiet_scenario import ADAPTER, CHEAPER, NONE, case_of

from roi.answers.next import NextAnswer
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.draws import draw
from roi.economics.decision.measuring.delays import uneven_losses
from roi.economics.decision.measuring.settling import Asked, likely_after
from roi.economics.decision.measuring.trials import Size, Trial, trials, trials_in_bins
from roi.economics.decision.measuring.worth import NEXT, Experiment, Valuer, valuer_of
from roi.economics.decision.starts import live_later
from roi.economics.decision.weighing import settle, weigh
from roi.economics.finance import discount_factors
from roi.economics.inputs import Array
from roi.facts.case import Case
from roi.numerics.main_effects import FactColumns, MainEffects
from roi.numerics.sequence import sobol
from roi.numerics.value_of_information import BINS, Bins, gain_of_knowing


def test_an_option_that_nobody_tested_counts_once_the_fact_is_known() -> None:
    """b may be chosen only once x is known: +20 while x is low. Without x: a, +2. With it: 20 and 0 by turns, 10, 8 more."""
    x = np.repeat([0.0, 1.0], 32)
    found = {"stay": np.zeros(64), "a": np.full(64, 2.0), "b": np.where(x == 0, 20.0, -50.0)}
    assert gain_of_knowing(MainEffects(found), x, ["stay", "a"]) == 0.0
    assert gain_of_knowing(MainEffects(found), x, ["stay", "a"], ["b"]) == pytest.approx((20.0 + 2.0) / 2 - 2.0)


def test_a_fact_that_moves_nothing_is_worth_nothing_however_noisy_the_options_are() -> None:
    """Two options of equal mean and large spread: the best of each bin is noise, and noise earns nothing."""
    points = sobol(0, 4096, 4, 3)
    npv = {"stay": np.zeros(4096), "a": 1e6 * (points[:, 0] - 0.5), "b": 1e6 * (points[:, 1] - 0.5)}
    for known in (points[:, 2], points[:, 3]):
        assert gain_of_knowing(MainEffects(npv), known, ["stay", "a", "b"]) == 0.0


def test_what_another_fact_does_is_not_taken_for_the_worth_of_one_in_whose_bins_it_lies_in_stripes() -> None:
    """a is 100 (y - 0.55) plus what a third moves: knowing y brings 45 x 0.45 / 2 = 10.1, knowing x nothing.

    Of the sequence's dimensions 14 and 39 are such a pair: the means of y in 32 bins of x scatter ten times as far as chance.
    """
    points = sobol(0, 4096, 70, 1)
    y, x = points[:, 39], points[:, 14]
    bins = np.argsort(np.argsort(x)) // 128
    assert np.std([y[bins == k].mean() for k in range(32)]) > 8.0 * np.sqrt(1 / 12 / 128)
    found = {"stay": np.zeros(4096), "a": 100.0 * (y - 0.55) + 10.0 * (points[:, 3] - 0.5)}
    effects = MainEffects(found, FactColumns(list(points.T)))
    assert gain_of_knowing(MainEffects(found), x, ["stay", "a"]) > 2.0
    assert gain_of_knowing(effects, x, ["stay", "a"]) == 0.0
    assert gain_of_knowing(effects, y, ["stay", "a"]) == pytest.approx(45.0**2 / 200.0, rel=0.01)
    bins, shared = Bins.of(x), settle(case_of())[0]
    assert bins is not None
    valuer = Valuer(shared, dict.fromkeys(found, 0.0), MainEffects(found), tuple(found), "stay")
    quote = Trial(kind="quote", option="stay", known=x, sizes=(Size(None, 0.0, 0.0),))
    assert valuer.value(quote, bins).evppi_usd > 2.0
    assert valuer.value(replace(quote, idle=True), bins).evppi_usd == 0.0  # of a card that no option which may be chosen has


def test_the_worth_of_a_fact_agrees_with_the_integral() -> None:
    """NPV of a is 100 (x - 0.4) plus noise, x uniform: E[max(0, .)] = 100 x 0.6^2 / 2 = 18, less the mean of 10: 8."""
    points = sobol(0, 4096, 2, 5)
    a = 100.0 * (points[:, 0] - 0.4) + 50.0 * (points[:, 1] - 0.5)
    found = {"stay": np.zeros(4096), "a": a}
    assert gain_of_knowing(MainEffects(found), points[:, 0], ["stay", "a"]) == pytest.approx(8.0, rel=0.05)


def untested(**changes: Any) -> Comparison:
    """gpt-6-luna, which nobody tested, saves $10,118 a month; each wrong answer costs 10 cents."""
    quality = {"scores": {"gpt-5.4": 0.95}, "usd_per_error": 0.10, "bar": 0.0}
    only = {"cascade_first": [], "self_hosted": []}
    return compare(case_of(**{"draws": 1024, "quality": quality, "candidates": only, **changes}))


def the_evaluation(c: Comparison, option: str = CHEAPER) -> Experiment:
    return next(e for e in c.experiments if (e.kind, e.option) == ("evaluate", option))


def test_an_untested_option_is_worth_evaluating_and_the_cost_is_that_of_one_evaluation() -> None:
    """$100 + items x $1. So many as the curve is highest at; $400 for the 300 of the scenario."""
    c = untested()
    assert c.verdict.recommended == "stay"
    best = c.experiments[0]
    assert (best.kind, best.option, best.cost_usd) == ("evaluate", CHEAPER, pytest.approx(100.0 + best.items))
    assert best.worth_usd > 0
    assert best.net_usd == pytest.approx(best.worth_usd - best.cost_usd)
    assert c.verdict.then == best
    assert c.verdict.measure_first is None  # staying is no move: nothing is put off
    assert {p.items: p.worth_usd - p.net_usd for p in best.curve}[300] == pytest.approx(400.0)
    assert best.net_usd == max(p.net_usd for p in best.curve)


def test_so_few_items_that_they_are_no_test_are_worth_nothing() -> None:
    """An untested option may be chosen from 100 items on (verdict.min_items): below, staying is all there is."""
    worth = {p.items: p.worth_usd for p in the_evaluation(untested()).curve}
    assert [worth[n] for n in (25, 35, 50, 70)] == [0.0] * 4
    assert worth[100] > 0.0


def test_more_items_are_worth_more_and_never_more_than_knowing_the_rate() -> None:
    """No delay, and labels that cost nothing: the worth rises to that of the rate itself. The evaluation is not paid twice."""
    c = untested(evaluation={"usd": 100.0, "labels": 300.0, "usd_per_label": 0.0, "months": 0.0}, verdict={"min_items": 0})
    e = the_evaluation(c)
    worth = [p.worth_usd for p in e.curve]
    assert all(b >= a - 0.1 * e.error_usd for a, b in pairwise(worth))
    assert max(worth) <= e.evppi_usd
    assert worth[-1] == pytest.approx(e.evppi_usd, rel=0.05)
    exact = next(d for d in c.drivers if "error_rate" in d.path)
    assert e.evppi_usd == pytest.approx(exact.worth_knowing_usd + 100.0, rel=0.02)


def test_one_stops_where_the_net_value_is_within_the_error_of_the_best() -> None:
    """The range holds the best size; within it the net value is less than one Monte Carlo error below, next to it more."""
    e = the_evaluation(untested())
    assert e.stop is not None
    low, high = e.stop
    assert low <= e.items <= high
    inside = [p.net_usd for p in e.curve if low <= p.items <= high]
    assert min(inside) >= e.net_usd - e.error_usd
    below = [p.net_usd for p in e.curve if p.items < low]
    above = [p.net_usd for p in e.curve if p.items > high]
    assert all(x < e.net_usd - e.error_usd for x in (*below[-1:], *above[:1]))


def test_labels_beyond_those_of_the_scenario_take_longer() -> None:
    """A week for 300 labels; 3,200 take 3,200 / 300 weeks, and what saves waits for them."""
    c = untested(evaluation={"usd": 100.0, "labels": 300.0, "usd_per_label": 0.0, "months": 0.25})
    curve = {p.items: p.worth_usd for p in the_evaluation(c).curve}
    assert curve[3200] < curve[1130]
    assert the_evaluation(c).months == pytest.approx(0.25 * max(the_evaluation(c).items / 300.0, 1.0))


def test_an_evaluated_model_may_be_worth_more_items() -> None:
    """gpt-6-luna at 90% of 120 items, its worth in the balance: 26 more wrong answers in a thousand decide."""
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.90, "items": 120}}
    c = compare(case_of(draws=2048, quality={"scores": scores, "usd_per_error": 0.07},
                        candidates={"cascade_first": [], "self_hosted": []}))
    e = the_evaluation(c)
    assert CHEAPER in c.verdict.candidates
    assert e.worth_usd > e.cost_usd
    assert e.worth_usd <= e.evppi_usd
    assert e.curve[0].worth_usd > 0.0  # 25 items more: tested already


def below(score: dict[str, Any]) -> Comparison:
    """gpt-6-luna, which was judged and is below the bar of 90%, saves $10,118 a month less $13,140 x what more is wrong."""
    return compare(case_of(draws=2048, quality={"scores": {"gpt-5.4": 0.95, "gpt-6-luna": score}, "usd_per_error": 0.005,
                                                "bar": 0.90}, candidates={"cascade_first": [], "self_hosted": []}))


def paired(counts: tuple[int, int, int, int], usd_per_error: float, **changes: Any) -> Case:
    """gpt-5.4 and luna on the same items, so many right on both, on gpt-5.4 alone, on luna alone, on none; no bar."""
    both, lost, won, _ = counts
    n, names = sum(counts), ("both_right", "only_incumbent", "only_this", "both_wrong")
    scores = {"gpt-5.4": {"value": (both + lost) / n, "items": n},
              "gpt-6-luna": {"value": (both + won) / n, "items": n, "paired": dict(zip(names, counts, strict=True))}}
    return case_of(**{"draws": 4096, "candidates": {"cascade_first": [], "self_hosted": []},
                      "quality": {"scores": scores, "usd_per_error": usd_per_error}, **changes})


def test_a_candidate_is_tested_beside_todays_model_where_the_luck_of_both_is_open() -> None:
    """Where today's score is exact, the option's own rate is all that there is to know."""
    found = the_evaluation(compare(paired((180, 12, 4, 4), 0.10)))
    assert found.paired
    assert found.evppi_usd >= found.worth_usd > 0
    exact = {"scores": {"gpt-5.4": 0.96, "gpt-6-luna": {"value": 0.92, "items": 200}}, "usd_per_error": 0.10}
    assert not the_evaluation(compare(paired((180, 12, 4, 4), 0.10, quality=exact))).paired


def test_items_of_which_only_some_pair_tell_as_much_as_those_that_do() -> None:
    """On 300 pairs the scores go together by 0.46, of 3,000 in the draws by less: 2,700 more told 87% of it all."""
    few = {"both_right": 264, "only_incumbent": 15, "only_this": 9, "both_wrong": 12}
    scores = {"gpt-5.4": {"value": 0.93, "items": 3000}, "gpt-6-luna": {"value": 0.91, "items": 300, "paired": few}}
    e = the_evaluation(compare(paired((180, 12, 4, 4), 0.08, quality={"scores": scores, "usd_per_error": 0.13})))
    told = next(p.worth_usd for p in e.curve if p.items == e.labelled == 2700)
    assert e.paired
    assert told > 0.89 * e.evppi_usd


@pytest.mark.full
@pytest.mark.parametrize(("counts", "usd_per_error"), [
    ((180, 12, 4, 4), 0.10), ((132, 10, 4, 4), 0.08), ((360, 20, 8, 12), 0.13)])
def test_items_beside_todays_model_are_worth_what_a_simulation_of_truth_data_and_decision_says(
    counts: tuple[int, int, int, int], usd_per_error: float,
) -> None:
    """A truth of both is drawn, then who is right on each of 400 items, and the better mean of the draws is taken by what that
    says: all 16,384 draws weighted by the chance of these four counts, without a normal law. Within three errors.
    """
    curve = {p.items: p for p in the_evaluation(compare(paired(counts, usd_per_error))).curve}
    c = compare(paired(counts, usd_per_error, draws=16_384, seed=9))
    shared, _, choices = settle(c.case)
    drawn = draw(c.case, ["stay", CHEAPER], choices, 16_384, 9)
    saved, a, b = drawn.npv[CHEAPER], drawn.wrong["stay"], drawn.wrong[CHEAPER]
    upfront = next(o for o in c.options if o.id == CHEAPER).upfront_usd
    late = the_evaluation(c).months / shared.horizon
    moving = saved * (1 - late) - upfront * late
    if c.verdict.leader == CHEAPER:  # it runs meanwhile, and moving is moving back
        moving = (saved + upfront) * late - saved - upfront - float(np.asarray(shared.migration_hours * shared.usd_per_hour))
    both = a * b + float(np.corrcoef(a, b)[0, 1]) * np.sqrt(a * (1 - a) * b * (1 - b))  # wrong on both
    chances = np.stack([1 - a - b + both, b - both, a - both, both]).clip(1e-12)
    rng, gains = np.random.default_rng(5), []
    for k in rng.choice(saved.size, 1500, replace=False):
        log = rng.multinomial(400, chances[:, k] / chances[:, k].sum()) @ np.log(chances)
        gains.append(moving[k] if np.exp(log - log.max()) @ moving > 0 else 0.0)
    assert moving.mean() < 0  # without a result nothing is done
    assert curve[400].worth_usd == pytest.approx(np.mean(gains), abs=3 * np.std(gains) / 1500**0.5)


def test_an_option_that_its_score_holds_below_the_bar_may_be_evaluated_again() -> None:
    """89.5% of 240 items may be luck: more of them are worth more, never more than the rate itself. It is not feasible before.

    Answers are whole: of 50, one more must be right, in share, than of 35. Then one judges by the first 35.
    """
    c = below({"value": 0.895, "items": 240})
    assert CHEAPER in {o.id for o in c.infeasible}
    e = the_evaluation(c)
    worth = {p.items: p.worth_usd for p in e.curve}
    assert 0.0 < worth[25] < worth[100] < worth[400] < worth[1600] < e.evppi_usd
    alike = [p.worth_usd for p in e.curve if p.items <= 300]  # the scenario's: they take as long
    assert alike == sorted(alike)
    assert c.verdict.then == e
    assert {x.kind for x in c.experiments if x.option == CHEAPER} == {"evaluate"}


def test_so_few_items_that_the_pooled_score_stays_below_the_bar_are_worth_nothing() -> None:
    """860 of 1,000 right, and all of 280 more: 1,140 / 1,280 = 89.1%, still below 90%; of 800, (860 + 800) / 1,800 = 92%."""
    worth = {p.items: p.worth_usd for p in the_evaluation(below({"value": 0.86, "items": 1000})).curve}
    assert all(worth[n] == 0.0 for n in (25, 100, 280))
    sure = {p.items: p.worth_usd for p in the_evaluation(below({"value": 0.89, "items": 1000})).curve}
    assert sure[800] > 0.0


def test_a_score_below_the_bar_that_is_exact_leaves_nothing_to_measure() -> None:
    assert CHEAPER in [e.option for e in below({"value": 0.895, "low": 0.85, "high": 0.92}).experiments]
    assert below({"value": 0.895, "low": 0.895, "high": 0.895}).experiments == ()


@pytest.mark.full
def test_a_model_that_was_trained_and_judged_on_few_items_is_not_trained_again() -> None:
    """50 items of 100 that are needed: labels and running it once, and no training."""
    adapter = {"candidates": {"api_models": [], "cascade_first": []}, "draws": 256}
    scores = {"gpt-5.4": 0.95, "qwen3-8b": 0.9}
    few, none = (compare(case_of(**adapter, quality={"bar": 0.85, "scores": {**scores, "qwen3-8b+lora": tuned}}))
                 for tuned in ({"value": 0.94, "items": 50}, "not evaluated"))
    judged = (next(e for e in c.experiments if e.kind == "evaluate" and e.option.endswith(ADAPTER.partition(":")[2]))
              for c in (few, none))  # in the option that saves most
    costs = [{p.items: p.worth_usd - p.net_usd for p in e.curve}[100] for e in judged]
    assert costs[0] == pytest.approx(100.0 + 100.0)
    assert costs[1] > costs[0] + 1.0


def test_what_a_log_an_invoice_or_a_quote_tells_is_listed_with_its_cost() -> None:
    """A volume with a spread: four hours for a week of usage log. A bill that nobody split: an hour for the invoice."""
    c = compare(case_of(
        draws=256, workload={"requests_per_day": {"value": 86_400.0, "low": 50_000.0, "high": 150_000.0}},
        incumbent={"bill_usd_per_month": 20_000.0}, candidates={"cascade_first": [], "own_hardware": True}))
    found = {(e.kind, e.fact): e.cost_usd for e in c.experiments}
    assert not any(e.evppi_usd for e in c.experiments if e.kind == "quote")  # nobody tested what would be bought
    assert found["usage-log", "workload.requests_per_day"] == pytest.approx(400.0)
    assert found["invoice", "reconciliation.volume_share"] == pytest.approx(100.0)
    assert any(kind == "quote" and cost == pytest.approx(100.0) for (kind, _), cost in found.items())


def test_a_log_is_not_worth_reading_again_for_what_one_of_every_weekday_told() -> None:
    """The same spread, stated by somebody or measured in a log."""
    told = {"value": 86_400.0, "low": 50_000.0, "high": 150_000.0}
    stated, measured = (compare(case_of(draws=256, workload={"requests_per_day": {**told, **basis}}))
                        for basis in ({}, {"basis": "measured"}))
    assert ["usage-log" in {e.kind for e in c.experiments} for c in (stated, measured)] == [True, False]
    assert measured.case["workload.requests_per_day"].basis == "measured"


def test_a_load_test_is_tried_once_twice_and_four_times() -> None:
    """A day of an engineer, and two hours of the card for each run."""
    c = compare(case_of(draws=256, quality={"scores": {"gpt-5.4": 0.95, "qwen3-8b": 0.95}},
                        candidates={"api_models": [], "cascade_first": []}))
    e = next(e for e in c.experiments if e.kind == "load-test")
    costs = [p.worth_usd - p.net_usd for p in e.curve]
    assert [p.items for p in e.curve] == [1, 2, 4]
    assert costs[2] - costs[1] == pytest.approx(2.0 * (costs[1] - costs[0]))
    assert costs[0] > 800.0


@pytest.mark.full
def test_after_a_load_test_speed_is_as_unsure_as_a_kept_profile_leaves_it() -> None:
    """What is left on average over the results, of the spread in the draws: 0.102 after one, 0.072 after four, not the 0.039 of
    repeats of one load. Of a speed that is as sure already no result says anything."""
    w = weigh(case_of(draws=4096, quality={"scores": {"gpt-5.4": 0.95, "qwen3-8b": 0.95}},
                      candidates={"api_models": [], "cascade_first": []}))
    assert w.drawn is not None
    trial, bins = next(each for each in trials_in_bins(w.shared, w.central, w.drawn, w.chosen.candidates, "errors")
                       if each[0].kind == "load-test")
    logs = np.log(bins.centres)
    for size, left in zip((trial.sizes[0], trial.sizes[2]), (0.102, 0.072), strict=True):
        chances = trial.chances(bins, size)
        assert chances is not None
        often = chances.sum(axis=1)
        kept = often > 0.0
        mean, square = ((chances[kept] @ x) / often[kept] for x in (logs, logs**2))
        assert np.sqrt(np.average(square - mean**2, weights=often[kept])) == pytest.approx(left, rel=0.07)
    path = next(path for path, values in w.drawn.facts.items() if values is trial.known)
    sure = replace(w.drawn, facts={**w.drawn.facts, path: trial.known**0.1})
    told = next(each for each in trials(w.shared, w.central, sure, w.chosen.candidates) if each.kind == "load-test")
    chances = told.chances(bins, told.sizes[0])
    assert chances is not None
    assert chances.shape == (1, BINS)


def test_nothing_is_worth_measuring_where_everything_is_known() -> None:
    c = compare(case_of(draws=256, candidates={"cascade_first": [], "self_hosted": []},
                        quality={"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}}))
    assert c.verdict.then is None


def rivals(hours: float, months: float, **changes: Any) -> Comparison:
    """gpt-5.2 is tested and saves $2,234 a month; gpt-6-luna, untested, may save $10,118. A change takes so many hours."""
    return compare(case_of(
        **changes,
        draws=1024, quality={"scores": {"gpt-5.4": 0.95, "gpt-5.2": 0.95}, "usd_per_error": 0.05},
        candidates={"api_models": ["openai/gpt-5.2", "openai/gpt-6-luna"], "cascade_first": [], "self_hosted": []},
        people={"setup_hours": {**NONE, "api": hours}}, evaluation={"usd": 400.0, "labels": 300.0, "usd_per_label": 0.0,
                                                                    "months": months},
    ))  # fmt: skip


def test_one_measures_first_where_a_move_costs_more_than_the_delay() -> None:
    """400 h x $100 for a model that is likely to be left again, against a week of $2,216 a month."""
    c = rivals(400.0, 0.25)
    assert c.verdict.measure_first is not None
    first = c.verdict.measure_first
    assert (first.kind, first.option) == ("evaluate", CHEAPER)
    assert c.verdict.recommended == "cheaper-api:openai/gpt-5.2"
    assert first.first_net_usd - first.net_usd == pytest.approx(40_400.0 - first.months * 2216.0, rel=0.2)


def test_one_moves_first_where_the_delay_costs_more_than_the_move() -> None:
    """Two months of $2,216 against a move that takes no hours: change now, measure then, and move on if it is better."""
    c = rivals(0.0, 2.0)
    assert c.verdict.measure_first is None
    assert c.verdict.then is not None
    assert c.verdict.then.option == CHEAPER


def test_one_measures_first_where_a_contract_that_still_runs_makes_the_delay_a_saving() -> None:
    """Today's unit is paid for three months either way: two months of delay spare gpt-5.2's bill, and lose nothing."""
    unit = {"units": 1, "usd_per_month": 10_512.0, "peak_utilization": 0.7, "committed_until": "2027-02-28"}
    c = rivals(0.0, 2.0, incumbent={"provisioned_throughput": unit})
    first = c.verdict.measure_first
    assert first is not None
    assert (first.kind, first.option) == ("evaluate", CHEAPER)
    assert first.months == 2.0
    assert first.delay_saves_usd == pytest.approx((10_512.0 - 2_234.0) * discount_factors(0.10, 24)[:2].sum(), rel=0.02)
    assert first.first_net_usd + first.delay_saves_usd > first.net_usd
    months = {o.id: o.monthly_usd for o in c.options}  # the unit is paid in both
    spared = (months[CHEAPER][0] - months["stay"][0]) * discount_factors(0.10, 24)[:2].sum()
    assert first.later_saves_usd == pytest.approx(spared, rel=0.02)
    free = rivals(0.0, 2.0)
    assert {e.later_saves_usd for e in free.experiments} == {0.0}
    assert {e.delay_saves_usd for e in free.experiments} == {0.0}


def test_a_delay_costs_what_going_live_that_much_later_does() -> None:
    """Of what gpt-5.2 saves alike in 23 months those of the delay are lost; with growth fewer than of an even share."""
    for growth in (0.0, 0.5):
        w = weigh(case_of(workload={"growth_per_year": growth}))
        usd = {id: float(np.asarray(done.total.upfront)) for id, done in w.central.items()}
        usd = {id: each - usd["stay"] for id, each in usd.items()}
        uneven = uneven_losses(w.shared, w.options, w.central, usd, "errors")
        whole = float(w.central["stay"].pv) - float(w.central[CHEAPER].pv) + usd[CHEAPER]
        for months in (1, 5):
            lost = float(live_later(w.shared, w.options, CHEAPER, months).pv) - float(w.central[CHEAPER].pv)
            assert uneven[CHEAPER][months] == pytest.approx(lost - whole * months / w.shared.horizon, rel=1e-9)
            assert (uneven[CHEAPER][months] < 0) == (growth > 0)
        assert uneven[CHEAPER][0] == pytest.approx(0.0, abs=1e-6)
        assert uneven[CHEAPER][-1] == pytest.approx(0.0, abs=1e-6)


def test_what_a_test_has_paid_of_a_set_up_is_spared_whole_however_long_it_takes() -> None:
    """Of what is saved without the set-up the months until the result are lost, of the $1,000 of it that are paid none."""
    w = weigh(case_of(draws=64))
    assert w.drawn is not None
    other = next(id for id in w.results if id not in ("stay", CHEAPER))
    valuer = valuer_of(w.shared, w.options, w.central, w.drawn, ("stay", CHEAPER), CHEAPER, "errors")
    sizes = [Size(items=100, cost_usd=0.0, months=6.0, spared_usd=usd) for usd in (0.0, 1000.0)]
    shift = valuer._moves(("stay", CHEAPER, other), sizes).shift
    assert shift[:, 1, 2] - shift[:, 0, 2] == pytest.approx([1000.0, 1000.0])


def test_a_course_that_the_user_pays_for_is_no_part_of_training_what_is_to_be_judged() -> None:
    """The adapter is trained before it is judged, in the option that saves most, whatever a cost of one's own is called."""

    def cost_of(name: str) -> float:
        costs = [{"name": name, "option": "all", "upfront_usd": 3000.0}]
        c = compare(case_of(draws=256, costs=costs, quality={"scores": {"gpt-5.4": 0.95}, "usd_per_error": 0.01, "bar": 0.5}))
        judged = (e for e in c.experiments if e.kind == "evaluate" and e.option.endswith(ADAPTER.partition(":")[2]))
        return next(judged).curve[0].net_usd

    assert cost_of("training course") == pytest.approx(cost_of("licence"))


def test_of_experiments_that_are_worth_the_same_the_order_of_the_options_names_none() -> None:
    """One evaluation judges the model on rented and on owned cards; a count of its tokens is worth as little in each option."""
    found = []
    own = {"cards": {"a100-80gb-sxm": 5}, "resale_usd_per_gpu": 5000.0}
    case = case_of(draws=256, quality={"scores": {"gpt-5.4": 0.95}, "usd_per_error": 0.10, "bar": 0.0}, own_hardware=own,
                   tokens={"qwen3-8b": {"ratio": {"value": 1.0, "low": 0.9, "high": 1.1}}})
    fixed = [path for path in case.facts if path not in case.uncertain]
    ids = [id for id in case.options if id != "stay"]
    for later in (ids, ids[::-1]):
        own_of = {path: next((k for k, id in enumerate(later) if path.startswith(f"options.{id}.")), -1) for path in fixed}
        order = sorted(fixed, key=lambda path: own_of[path])
        c = compare(Case(facts={path: case.facts[path] for path in (*order, *case.uncertain)}), thresholds=False)
        found.append([(e.kind, e.option, e.fact, e.items, round(e.net_usd, 4)) for e in c.experiments])
    assert found[0] == found[1]


def test_what_makes_an_option_likely_is_told_beside_what_moves_the_mean() -> None:
    """gpt-6-luna, 90% right +- 5 points, saves $10,118 a month where it reaches 90%, and else loses set-up and way back: stay.

    By means it counts as chosen without a test, which is worth what it spares where the bar is missed; under the rule of the
    chance it is worth what it saves besides: both together are its mean and the worth of the test, were each result known to be
    on the right side.
    """
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.90, "low": 0.85, "high": 0.95, "items": 300}}
    free = {"usd": 0.0, "labels": 3200.0, "usd_per_label": 0.0, "months": 0.0}
    c = compare(case_of(draws=4096, quality={"scores": scores, "bar": 0.90}, evaluation=free,
                        candidates={"cascade_first": [], "self_hosted": []}))
    assert c.verdict.recommended == "stay"
    (over,), (found,) = c.verdict.passed_over, NextAnswer(comparison=c, warnings=(), note="").settling
    assert (found.option, found.about, found.kind, found.items) == (CHEAPER, CHEAPER, "evaluate", 3200)
    assert (found.chance, found.chance_needed) == (over.chance, 0.6)
    assert found.likely_after == pytest.approx(0.5, abs=0.05)
    luna = next(o for o in c.options if o.id == CHEAPER)
    both = luna.expected_npv_usd + the_evaluation(c).worth_usd
    assert 0.9 * both < found.net_usd <= both
    assert found.net_usd > 2.0 * the_evaluation(c).worth_usd


def test_of_the_test_that_is_named_no_other_size_is_told_to_make_an_option_likely() -> None:
    """At $1 a label 800 items have the highest net value by means; what is advised after them would ask for 3,200."""
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.90, "low": 0.85, "high": 0.95, "items": 300}}
    dear = {"usd": 0.0, "labels": 3200.0, "usd_per_label": 1.0, "months": 0.0}
    c = compare(case_of(draws=4096, quality={"scores": scores, "bar": 0.90}, evaluation=dear,
                        candidates={"cascade_first": [], "self_hosted": []}), thresholds=False)
    (found,), e = NextAnswer(comparison=c, warnings=(), note="").settling, c.verdict.then
    assert e is not None
    assert (found.about, found.kind, found.paired, found.items) == (e.option, e.kind, e.paired, e.items)
    assert e.items == 800


def settled(outcomes: dict[str, Array], leader: str, known: Array, asked: Asked, facts: list[Array]) -> tuple[float, float]:
    """How often `asked` is likely once `known` is told, and what that brings."""
    shared, *_ = settle(case_of())
    columns = FactColumns(facts)
    valuer = Valuer(shared, dict.fromkeys(outcomes, 0.0), MainEffects(outcomes, columns), tuple(outcomes), leader)
    won = MainEffects({asked.option: (outcomes[asked.option] > 0).astype(float)}, columns)
    trial = Trial(kind="quote", option=asked.option, known=known, sizes=(Size(None, 0.0, 0.0),))
    bins = Bins.of(known)
    assert bins is not None
    return likely_after(valuer, won, bins, trial, trial.sizes[0], None, asked)


@pytest.mark.parametrize(("wins", "known", "likely", "brings"), [
    (0.7, True, 0.7, 7.0), (0.7, False, 0.0, 0.0), (0.79, False, 0.0, 0.0), (0.4, True, 0.4, 4.0)])
def test_a_test_settles_a_chance_only_where_it_tells_what_the_option_hangs_on(wins, known, likely, brings) -> None:
    """+$10 where x is low, else -$10; 80% is asked. Knowing x, it is likely where it wins; what has no bearing tells none."""
    x, other = np.random.default_rng(7).random((2, 4096))
    outcomes = {"stay": np.zeros(x.size), "a": np.where(x < wins, 10.0, -10.0)}
    found = settled(outcomes, "stay", x if known else other, Asked("a", wins, 0.8), [x, other])
    assert found == (pytest.approx(likely, abs=0.02), pytest.approx(brings, abs=0.2))


def test_no_chance_is_settled_by_a_fact_in_whose_bins_another_lies_in_stripes() -> None:
    """a wins where y is above 0.25: in 75% of the draws, in three bins of x in above 80%, which x has no part in."""
    points = sobol(0, 4096, 70, 1)
    y, x = points[:, 39], points[:, 14]
    outcomes = {"stay": np.zeros(y.size), "a": 20.0 * (y - 0.25)}
    assert settled(outcomes, "stay", x, Asked("a", 0.75, 0.8), []) == (3 / 32, pytest.approx(0.94, abs=0.01))
    assert settled(outcomes, "stay", x, Asked("a", 0.75, 0.8), list(points.T)) == (0.0, 0.0)


def test_what_a_test_settles_is_counted_over_what_follows_the_recommendation_too() -> None:
    """+$10 where x is below 0.7, else -$10; the recommendation saves $3, with the move that follows it $5: 0.7 x (10 - 5)."""
    x = np.random.default_rng(7).random(4096)
    saved = {"stay": 0.0, "led": 3.0, NEXT: 5.0}
    outcomes = {**{id: np.full(x.size, usd) for id, usd in saved.items()}, "a": np.where(x < 0.7, 10.0, -10.0)}
    found = settled(outcomes, "led", x, Asked("a", 0.7, 0.8), [x])
    assert found == (pytest.approx(0.7, abs=0.02), pytest.approx(3.5, abs=0.2))
