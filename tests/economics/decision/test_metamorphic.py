"""What must hold between answers, whatever the figures, on random scenarios.

Six of them in `make test`, 51 more in `make test-all`, of which what goes wrong in one scenario of twenty is seen
with 93%, 243 more in `make test-slow`: two to three seconds each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pytest
from random_scenarios import COUNTED, MORE, WIDER, random_case

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.evaluation import Evaluated, choose_plan, evaluate, read_all
from roi.economics.decision.turning.break_even import BreakEven
from roi.economics.decision.turning.curves import Curves
from roi.economics.decision.turning.signposts import BAR, Signpost, signposts
from roi.economics.decision.verdict import error_rate_that_decides
from roi.economics.inputs import Option, Shared
from roi.economics.lines.line_kind import LineKind
from roi.facts.case import Case

QUICK = (0, 1, 3, 5, 7, 8)
"""Of the first ten those that hold every kind of option and of fact that is in any of them."""
FOUND = (133, 253, 263, 283, 285)
"""Seeds beyond the first sixty in which an error was found."""
FULL = (*range(30), *range(WIDER, WIDER + 10), *range(MORE, MORE + 4), *range(COUNTED, COUNTED + 8))
SEEDS = [pytest.param(seed, marks=() if seed in QUICK else pytest.mark.full if seed in (*FULL, *FOUND) else pytest.mark.slow)
         for seed in range(COUNTED + 60)]
every = pytest.mark.parametrize("seed", SEEDS)
CENT = 0.01
EXACT = 1e-9
JUST = 3e-6
"""Share of a volume that is just before it, or just after: break-evens are searched to 2e-6."""
BEFORE = 1.0 - JUST * np.arange(0.02, 1.01, 0.02)
"""Where it is looked just before: a fleet's step may lie so near that the option loses on a small part of it alone."""


@cache
def comparison(seed: int) -> Comparison:
    return compare(random_case(seed))


@cache
def today(seed: int) -> "Answer":
    """What every option of the scenario costs as it stands."""
    return Answer(random_case(seed))


class Answer:
    """Every feasible option of a Case on its cheapest plan, or those of `ids` alone, with some facts overwritten."""

    def __init__(self, case: Case, facts: Mapping[str, Any] | None = None, fixed: Mapping[str, Option] | None = None,
                 ids: Sequence[str] = ()) -> None:
        self.shared, options = read_all(case, {**case.values(), **(facts or {})}, ids=ids)
        live = {id: option for id, option in options.items() if option.infeasible is None}
        chosen = {id: choose_plan(self.shared, option, options) for id, option in live.items()}
        for id, before in (fixed or {}).items():
            index = before.plans.index(before.plan) if before.plan is not None else 0
            plan = options[id].plans[index] if before.plan is not None else None
            chosen[id] = replace(options[id], plan=plan, replicas_fixed=before.replicas_fixed)
        self.options = {**options, **chosen}
        self.ids = list(chosen)
        self._known: dict[str, Evaluated] = {}

    def cost(self, id: str) -> Evaluated:
        if id not in self._known:
            self._known[id] = evaluate(self.shared, self.options[id], self.options)
        return self._known[id]

    def pv(self, id: str) -> float:
        return float(self.cost(id).pv)

    def npv(self, id: str) -> float:
        return self.pv("stay") - self.pv(id)


def scaled(case: Case, factor: float, *, where: Any) -> dict[str, Any]:
    """The facts for which `where` holds, multiplied."""
    return {
        path: tuple(factor * x for x in fact.value) if isinstance(fact.value, tuple) else factor * fact.value
        for path, fact in case.facts.items()
        if where(path, fact) and fact.value is not None
    }


def at_volume(case: Case, factor: float) -> dict[str, Any]:
    """The facts of so many times the requests, and of as many more seats where these follow them."""
    seats = "options.stay.provisioned.seats" in case and "options.stay.provisioned.growth_per_year" not in case
    paths = {"workload.requests_per_day", *(["options.stay.provisioned.units"] if seats else [])}
    return scaled(case, factor, where=lambda path, _: path in paths)


def near(b: BreakEven) -> list[object]:
    """A crossing whose volumes are equal where they differ by what its search leaves open."""
    return [None if x is None else pytest.approx(x, rel=1e-5) for x in (b.first, b.stays)]


def at_the_incumbent(case: Case, id: str) -> bool:
    """True where the option pays the incumbent's price list."""
    vendor = f"options.{id}.vendor"
    return vendor in case and case[vendor].value == case["options.stay.vendor"].value


@every
def test_a_dearer_incumbent_never_lowers_the_npv_of_leaving_it(seed: int) -> None:
    """By the token, and the unit. What is handed on is paid by the token, for which today's units may cost less."""
    case = random_case(seed)
    lists = tuple(f"options.{id}.{of}." for id in case.options if at_the_incumbent(case, id) for of in ("price", "provisioned"))
    dearer = scaled(case, 1.5, where=lambda path, _: path.startswith(lists) and "usd" in path)
    now, then = today(seed), Answer(case, dearer)
    by_unit = now.options["stay"].provisioned is not None
    for id in (id for id in now.ids if not at_the_incumbent(case, id)):
        if by_unit and any(line.kind in {LineKind.ESCALATED, LineKind.SPILLED} for line in now.cost(id).costs.lines):
            continue
        assert then.npv(id) >= now.npv(id) - CENT, id


@every
def test_a_dearer_gpu_never_raises_the_npv_of_self_hosting(seed: int) -> None:
    case = random_case(seed)
    now = today(seed)
    gpu = ("usd_per_gpu_hour", ".usd_per_gpu")
    then = Answer(case, scaled(case, 1.5, where=lambda path, _: path.endswith(gpu) or ".resale_usd_per_gpu." in path))
    for id in (id for id in now.ids if now.options[id].self_hosted):
        assert then.npv(id) <= now.npv(id) + CENT, id


@every
def test_more_volume_never_needs_fewer_replicas_nor_costs_less(seed: int) -> None:
    """On each plan by itself: another plan may serve more with fewer and larger replicas. Of fleets that follow the hours,
    never fewer GPUs: the cheapest of them may leave room for another replica in its instances.
    """
    now = today(seed)
    volumes = float(np.max(now.shared.requests_per_day)) * np.geomspace(0.01, 100.0, 41)
    more = replace(now.shared, requests_per_day=volumes[:, None])
    for id in now.ids:
        option = now.options[id]
        for plan in option.plans or (None,):
            done = evaluate(more, replace(option, plan=plan), now.options)
            assert np.diff(np.asarray(done.pv).reshape(-1)).min() >= -EXACT * float(np.max(done.pv)), id
            if done.costs.fleet is not None:
                fleet = done.costs.fleet.fleet
                count = np.asarray(fleet.gpus if option.autoscale else fleet.replicas)
                assert np.diff(count, axis=0).min() >= -EXACT * count.max(), (id, plan)


@every
def test_the_cost_of_wrong_answers_is_linear_in_the_cost_of_one(seed: int) -> None:
    case = random_case(seed)
    chosen = today(seed).options
    none, one, three = (
        Answer(case, {"quality.usd_per_error": x}, {id: o for id, o in chosen.items() if o.infeasible is None})
        for x in (0.0, 1.0, 3.0)
    )
    for id in none.ids:
        each = one.pv(id) - none.pv(id)
        assert each >= 0
        assert three.pv(id) - none.pv(id) == pytest.approx(3 * each, rel=1e-9, abs=CENT), id


@every
def test_equal_prices_give_no_npv_before_set_up(seed: int) -> None:
    """A candidate API with the incumbent's prices, tokens, quality and life, that costs nothing to change to."""
    case = random_case(seed)
    id = "cheaper-api:openai/gpt-6-luna"
    places = [f"options.{id}.price."] + [f"{kind}s.{case[f'options.{id}.{kind}'].value}." for kind in ("system", "vendor")]
    models = ["options.stay.price."] + [f"{kind}s.{case[f'options.stay.{kind}'].value}." for kind in ("system", "vendor")]
    facts: dict[str, Any] = {path: None for path in case.facts if path.startswith(tuple(places))}
    for own, model in zip(places, models, strict=True):
        facts |= {own + path.removeprefix(model): fact.value for path, fact in case.facts.items() if path.startswith(model)}
    change = f"changes.{case[f'options.{id}.group'].value}."
    nothing = ("setup_hours", "run_hours_per_month", "months_to_live", "months_in_parallel")
    facts |= {change + name: 0.0 for name in nothing}
    facts |= {f"options.{id}.{name}": case[f"options.stay.{name}"].value for name in ("uses_cache", "batch_share")}
    facts |= {"apis.openai/gpt-6-luna.cache_hit_rate": None, "apis.openai/gpt-6-luna.commitment.usd_per_month": 0.0}
    facts |= {path: 0.0 for path in case.facts if path.startswith("costs.") and "usd_per_" in path}
    facts |= {"evaluation.usd": 0.0, "evaluation.labels": 0.0, "quality.bar": 0.0}
    facts |= {path: None for path in case.facts if ".provisioned." in path}  # today's bill is by the token, too
    facts |= {"reconciliation.volume_share": 1.0}  # what a bill says of the price is the incumbent's alone
    answer = Answer(case, facts, ids=(id,))
    assert answer.npv(id) == pytest.approx(0.0, abs=1e-9 * answer.pv("stay") + CENT)


@every
def test_twice_the_dollars_is_twice_every_figure_and_the_same_volumes(seed: int) -> None:
    case = random_case(seed)
    values = scaled(case, 2.0, where=lambda _, fact: fact.unit.startswith("USD"))
    exact = {"low": None, "high": None}  # without draws no spread counts
    facts = {p: f.model_copy(update={"value": values[p], **exact}) if p in values else f for p, f in case.facts.items()}
    now, then = comparison(seed), compare(Case(facts=facts))
    assert then.verdict.leader == now.verdict.leader
    for a, b in zip(now.options, then.options, strict=True):
        money = ("_usd", "_usd_per_mtok", "usd_per_request")
        names = [n for n, v in vars(a).items() if n.endswith(money) and isinstance(v, float)]
        assert {n: getattr(b, n) for n in names} == pytest.approx({n: 2 * getattr(a, n) for n in names}, rel=1e-9, abs=1e-6)
        assert b.payback_months == pytest.approx(a.payback_months)
    for x, y in zip(now.break_even, then.break_even, strict=True):
        assert [y.first, y.stays] == near(x)


@every
def test_what_cannot_be_recommended_changes_nothing_else(seed: int) -> None:
    """Without all that is infeasible, not tested, or trained and not the best, every other option's figures stay."""
    case, now = random_case(seed), comparison(seed)
    used = {str(f.value) for p, f in case.facts.items() if p.endswith((".spills_to", ".escalates_to"))}
    tested = set(now.verdict.candidates)
    gone = {o.id for o in now.infeasible if o.id != "stay"} | {o.id for o in now.options if o.id not in tested}
    gone |= {o.id for o in now.options if o.trains and o.id != now.verdict.leader}
    lost = tuple(f"options.{id}." for id in gone - used)
    then = compare(Case(facts={p: f for p, f in case.facts.items() if not p.startswith(lost)}))
    assert then.verdict.leader == now.verdict.leader
    before = {o.id: o for o in now.options}
    for o in then.options:
        assert o == before[o.id], (lost, o.id)
    mine = {(b.option, b.baseline, b.basis, b.counts): b for b in now.break_even}
    for b in then.break_even:
        key = (b.option, b.baseline, b.basis, b.counts)
        assert key not in mine or [b.first, b.stays] == near(mine[key]), (lost, key)


@lru_cache(maxsize=256)
def at_daily(seed: int, daily: float, *ids: str) -> Answer:
    """What these options cost at a volume; break-evens by several views lie at the same one."""
    case = random_case(seed)
    return Answer(case, at_volume(case, daily / case["workload.requests_per_day"].number()), ids=ids)


def gains(seed: int, b: BreakEven, rivals: list[str], daily: float) -> tuple[float, float]:
    """Savings at a volume as a comparison there would find them, and the cost that they are a part of."""
    there = at_daily(seed, daily, b.option, *rivals)

    def cost(id: str, start: int) -> float:
        done = there.cost(id)
        wrong = sum((line.monthly for line in done.costs.lines if line.is_error and b.counts == "cash"), np.zeros(1))
        if b.basis == "run_rate":
            return float((done.total.monthly - wrong)[start:].mean())
        return float(done.pv_without_errors if b.counts == "cash" else done.pv)

    found = []
    for rival in (id for id in rivals if there.options[id].infeasible is None):  # its cards may not hold that volume
        start = max(first_month(there.shared, there.options[id]) for id in (b.option, rival))
        found.append((cost(rival, start) - cost(b.option, start), abs(cost(b.option, start))))
    return min(found, default=(np.inf, 0.0))  # no rival holds that volume


def first_month(shared: Shared, option: Option) -> int:
    """The first month that the option serves alone."""
    alone = int(np.ceil(option.months_to_live + option.months_in_parallel))
    return 0 if option.kind == "stay" else min(alone, shared.horizon - 1)


@every
def test_break_evens_hold_where_they_are_printed(seed: int) -> None:
    """There the two cost the same within 0.1%, or a step lies there; just before the option loses, and from there it wins."""
    now = comparison(seed)
    candidates = [o.id for o in now.options if not o.trains and o.id in now.verdict.candidates]
    for b in now.break_even:
        others = [id for id in candidates if id not in {b.option, "stay"}]
        rivals = {"stay": ["stay"], "best_untrained": ["stay", *others], "recommended": [now.verdict.leader]}[b.baseline]
        for at in {b.first, b.stays} - {None, 0.0}:
            here, cost = gains(seed, b, rivals, at)
            before = [gains(seed, b, rivals, at * (1.0 - JUST))[0]]
            if before[0] > EXACT * cost:
                before = []
                for share in BEFORE:  # until it loses: once is enough
                    before.append(gains(seed, b, rivals, at * share)[0])
                    if before[-1] <= EXACT * cost:
                        break
            assert min(before) <= EXACT * cost or here == np.inf, (b, at, before)
            assert here > -1e-3 * cost, (b, at, here)
            assert here > -1e-7 * cost or here == np.inf or abs(before[0] - here) < 1e-3 * cost, (b, at, before, here)
        if b.stays:
            after, cost = gains(seed, b, rivals, b.stays * 1.01)
            assert after > -1e-3 * cost, (b, after)


@every
def test_at_each_signpost_the_two_cost_the_same(seed: int) -> None:
    """The threshold put into the Case makes the NPV of the one against the other zero, or a step of a fleet lies there."""
    case, now = random_case(seed), today(seed)
    curves, leader = Curves(now.shared, now.options), comparison(seed).verdict.leader
    kinds = {now.options[id].kind: id for id in now.ids if id != "stay"}
    for id in kinds.values():
        for rival in {"stay", leader} - {id}:
            alone = now.options[id].system != now.options[rival].system and now.options[id].kind != "cascade"
            for post in signposts(curves, id, rival):
                if post.threshold is None or post.reason == BAR or (post.quantity == "error_rate" and not alone):
                    continue  # the error rate of a system is a fact of more than one option then
                at = [1 - JUST, 1.0, 1 + JUST] if post.quantity == "requests_per_day" else [1.0]
                found = [Answer(case, overwritten(case, post, x * post.threshold / post.today), ids=(id, rival)) for x in at]
                if any(a.options[each].infeasible for a in found for each in (id, rival)):
                    continue  # more cards would be needed than are owned
                gains = [a.pv(rival) - a.pv(id) for a in found]
                assert min(map(abs, gains)) < 1e-3 * found[0].pv(id) or min(gains) < 0 < max(gains), (post, gains)


@every
def test_what_a_fleet_spills_to_costs_as_much_as_the_fleet_at_the_thresholds_told_of_it(seed: int) -> None:
    """Its error rate and its prices move the fleet's cost too, and which floor of it is the cheapest."""
    case, now = random_case(seed), today(seed)
    curves, central = Curves(now.shared, now.options), {id: now.cost(id) for id in now.ids}
    for id, to in ((id, now.options[id].spills_to) for id in now.ids):
        if to not in now.ids or to == "stay" or now.options[id].hardware is not None:
            continue
        at = error_rate_that_decides(now.shared, now.options, central, to, id)
        found = [] if at is None or at >= 1.0 - now.shared.quality_bar else [
            {f"systems.{now.options[to].system}.error_rate": at}]
        found += [overwritten(case, post, post.threshold) for post in signposts(curves, to, id)
                  if post.quantity == "api_price_ratio" and post.threshold is not None]
        for facts in found:
            then = Answer(case, facts, ids=(id, to))
            assert abs(then.pv(id) - then.pv(to)) <= 1e-5 * then.pv(id), (id, to, facts)


def overwritten(case: Case, post: Signpost, factor: float) -> dict[str, Any]:
    """The facts of a Case in which the quantity of the signpost is another."""
    if post.quantity == "requests_per_day":
        return at_volume(case, factor)
    own = f"options.{post.option}."
    if post.quantity == "error_rate":  # of what was counted too, on the incumbent's items or by itself
        rate = f"systems.{case[own + 'system'].value}."
        return {f"{rate}error_rate": factor * post.today, **dict.fromkeys(
            (f"{rate}right_where_right", f"{rate}right_where_wrong", f"{rate}error_rate_low", f"{rate}error_rate_high"))}
    places = {
        "api_price_ratio": (own + "price.",),
        "usd_per_gpu": ("purchase.", "own_hardware.resale_usd_per_gpu."),
        "run_hours_per_month": (own + "run_", f"changes.{case[own + 'group'].value}.run_"),
        "usd_per_gpu_hour": (own + "plans.", "gpu_rents."),
    }[post.quantity]  # fmt: skip
    money = ("usd_per_mtok", "usd_per_gpu_hour", "usd_per_gpu", "run_hours_per_month")
    return scaled(case, factor, where=lambda path, _: path.startswith(places) and (path.endswith(money) or "resale" in path))


@every
def test_the_advice_turns_at_the_price_of_a_wrong_answer_that_is_told_and_at_no_other(seed: int) -> None:
    """A thousandth before and after it; where none is told, from a thousandth of today's price to a thousand times it."""
    case, v = random_case(seed), comparison(seed).verdict
    path, at = "quality.usd_per_error", v.flips_at_usd_per_error
    now = case[path].number()

    def leader(usd: float) -> str:
        there = case[path].model_copy(update={"value": usd, "low": None, "high": None})
        return compare(Case(facts={**case.facts, path: there}), thresholds=False).verdict.leader

    if at is None:
        assert {leader((now or 1.0) * times) for times in (1e-3, 0.1, 10.0, 1e3)} == {v.leader}
    else:
        beyond = 1.001 if at > now else 0.999
        assert (leader(at / beyond), leader(at * beyond)) == (v.leader, v.flips_to)


def in_reverse(case: Case) -> Case:
    """The Case with staying first and all other options the other way round; its draws are the same."""
    ids = sorted(case.options, key=len, reverse=True)
    of = {path: next((id for id in ids if path.startswith(f"options.{id}.")), "") for path in case.facts}
    fixed = [path for path in case.facts if path not in case.uncertain]
    others = [id for id in reversed(case.options) if id != "stay"]
    order = [path for id in ("", "stay", *others) for path in fixed if of[path] == id]
    return Case(facts={path: case.facts[path] for path in (*order, *case.uncertain)})


@every
def test_the_order_of_the_options_decides_nothing(seed: int) -> None:
    """Of experiments that are worth the same, too, the same one stands, with the error rate up to which its option wins."""
    there, back = comparison(seed), compare(in_reverse(random_case(seed)), thresholds=False)

    def told(c: Comparison) -> list[Any]:
        v = c.verdict
        asked = [(e.kind, e.option, e.fact, e.items, round(e.net_usd, 4)) for e in c.experiments]
        worth = {o.id: round(o.expected_npv_usd, 2) for o in c.options}  # of options that save the same the first is named
        return [*(id and worth[id] for id in (v.leader, v.second, v.challenger, v.first_move)), sorted(v.candidates),
                sorted(v.likely), asked, *(e and (e.kind, e.option, e.items) for e in (v.measure_first, v.then)),
                *(x and round(x, 9) for x in (v.flips_at_usd_per_error, v.wins_at_error_rate))]

    assert told(back) == told(there)
    npvs = {o.id: o.expected_npv_usd for o in there.options}
    assert {o.id: o.expected_npv_usd for o in back.options} == pytest.approx(npvs, rel=1e-9, abs=CENT)
