"""The engine run on nodes gives graphs that hold at other values of the facts too, or say that they do not."""

from pathlib import Path

import numpy as np
import pytest
from graph_values import graph_values
from quiet_scenario import OWN, QUIET, case_of
from small_scenario import SMALL

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.evaluation import evaluate, read_all
from roi.economics.decision.weighing import settle
from roi.errors import ScenarioError
from roi.report.workbook.assumptions import same_fact
from roi.report.workbook.node import Trace
from roi.report.workbook.traced import nodes_of, traced
from roi.report.workbook.tracing import trace_comparison
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario
from roi.scenario.yaml import read_yaml

CASES = sorted((Path(__file__).parents[2] / "answers" / "cases").glob("*.yaml"))
WHOLE = ("gpus_per_replica", "gpus_per_instance")
"""Counts of which the engine refuses a part."""
FIXED = {"horizon_months", "discount_rate_per_year", "own_hardware.life_months", "quality.bar"}
"""With whatever of serving, verdict and counted items: facts that may be plain numbers."""


def compared(path: Path | None) -> Comparison:
    if path is None:
        return compare(resolve(load_scenario(overrides=("draws=0",))).case)
    data = {**read_yaml(path), "draws": 0}
    data.pop("expect", None)
    return compare(resolve(check_scenario(data)).case)


def hold_for_every_fact(c: Comparison, every: int = 1) -> tuple[int, int]:
    """Raise each fact, or every second or further one, by a tenth (0 to 0.1), one at a time.

    Every line of every option is then the engine's, or a guard breaks.

    Returns how many facts were raised, and for how many of them a guard broke.
    """
    model, case, choices = trace_comparison(c), c.case, settle(c.case)[2]
    lines = {id: [[nodes_of(x.monthly) or np.asarray(x.monthly), nodes_of(x.upfront) or [x.upfront]] for x in costs.lines]
             for id, costs in model.costs.items()}
    roots = [n for costs in lines.values() for line in costs for part in line for n in part if not isinstance(n, float)]
    roots = [*(n for n in roots if hasattr(n, "op")), *model.trace.guards]
    facts = [n for n in model.trace.known.values() if n.op == "fact" and not n.args[0].endswith(WHOLE)][::every]
    changed = {n: np.full(len(facts), n.value) for n in facts}
    for k, n in enumerate(facts):
        changed[n][k] = n.value * 1.1 if n.value else 0.1
    with np.errstate(all="ignore"):
        found = graph_values(model.trace, roots, changed)
    broken = np.zeros(len(facts), dtype=bool)
    for guard, (wanted, _) in model.trace.guards.items():
        broken |= found[guard].astype(bool) != wanted
    together: dict[object, list[str]] = {}
    for path in case:
        together.setdefault(same_fact(case, path) or path, []).append(path)
    for k, n in enumerate(facts):
        path, at = n.args
        if broken[k] or n in model.trace.fixed:
            continue
        old, new = case[path].value, float(changed[n][k])
        now = new if at is None else (*old[:at], new, *old[at + 1 :])
        values = {**case.values(), **dict.fromkeys(together[same_fact(case, path) or path], now)}
        shared, options = read_all(case, values, choices)
        for o in c.options:
            engine = evaluate(shared, options[o.id], options).costs.lines
            assert [x.name for x in engine] == [x.name for x in model.costs[o.id].lines], (path, o.id)
            for line, (monthly, upfront) in zip(engine, lines[o.id], strict=True):
                got = np.array([found[x][k] if hasattr(x, "op") else x for x in monthly])
                first = found[upfront[0]][k] if hasattr(upfront[0], "op") else float(np.asarray(upfront[0]).reshape(-1)[0])
                want = np.broadcast_to(line.monthly, got.shape if got.size > 1 else np.shape(line.monthly))
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-6, err_msg=f"{path} {at} {o.id} {line.name}")
                assert first == pytest.approx(float(np.asarray(line.upfront)), rel=1e-9, abs=1e-6), (path, o.id, line.name)
    return len(facts), int(broken.sum())


def test_facts_of_a_small_scenario_move_the_graph_as_they_move_the_engine() -> None:
    c = compare(resolve(check_scenario({**SMALL, "horizon_months": 6})).case)
    facts, broken = hold_for_every_fact(c, every=4)
    assert facts > 30
    assert broken < facts / 4


@pytest.mark.full
@pytest.mark.parametrize("path", [pytest.param(None, marks=pytest.mark.slow), *CASES],
                         ids=lambda path: "bundled" if path is None else path.stem)
def test_every_fact_of_every_case_moves_the_graph_as_it_moves_the_engine(path: Path | None) -> None:
    try:
        facts, broken = hold_for_every_fact(compared(path))
    except ScenarioError as error:  # a share of a GPU is refused by the engine itself
        pytest.fail(str(error))
    assert broken < facts / 4


@pytest.mark.parametrize(("horizon", "life"), [(24, 12), (24, 48), (1, 48)])
def test_cards_are_traced_where_none_is_worn_out_and_where_all_are(horizon: int, life: int) -> None:
    """None is, in two years of four; each is, twice, where a life is one; in a single month nothing follows on the first."""
    c = compare(case_of(candidates={**QUIET["candidates"], "own_hardware": True}, own_hardware={"life_months": life},
                        horizon_months=horizon, draws=0))
    own = next(o for o in c.options if o.id == OWN)
    traced = {line.name: line for line in trace_comparison(c).costs[OWN].lines}
    sold, bought = (next(line for line in own.lines if line.name == f"hardware, {name}")
                    for name in ("resale", "purchase and replacement"))
    for told in (sold, bought):
        values = [n.value for n in nodes_of(traced[told.name].monthly)] or traced[told.name].monthly
        np.testing.assert_allclose(np.broadcast_to(values, horizon), told.monthly_usd, rtol=1e-12)
    assert sold.monthly_usd[-1] < 0.0


@pytest.mark.full
@pytest.mark.parametrize("path", [None, *CASES], ids=lambda path: "bundled" if path is None else path.stem)
def test_the_graph_has_the_figures_of_the_comparison_and_fixes_only_sizes_and_counts(path: Path | None) -> None:
    c = compared(path)
    model = trace_comparison(c)
    for o in c.options:
        for told, line in zip(o.lines, model.costs[o.id].lines, strict=True):
            values = [n.value for n in nodes_of(line.monthly)] or list(np.broadcast_to(line.monthly, len(told.monthly_usd)))
            np.testing.assert_allclose(values, told.monthly_usd, rtol=1e-12, atol=1e-9, err_msg=f"{o.id} {told.name}")
    fixed = {n.args[0] for n in model.trace.fixed}
    assert not {p for p in fixed if p not in FIXED and not p.startswith(("verdict.", "serving.")) and not p.endswith(".items")}


@pytest.fixture
def trace() -> Trace:
    return Trace(horizon=3)


def row(trace: Trace, *values: float):
    return traced(trace, np.array([trace.fact("x", k, v, "USD") for k, v in enumerate(values)], dtype=object))


def values(array) -> list[float]:
    return [n.value for n in nodes_of(array)]


EDGES = np.array([0.0, 2.0, 3.0])


def test_numpy_on_nodes_gives_what_it_gives_on_numbers(trace: Trace) -> None:
    """x = 4, -1, 2.5"""
    x, plain = row(trace, 4.0, -1.0, 2.5), np.array([4.0, -1.0, 2.5])
    for f in (
        lambda a: a * 2.0 + 1.0, lambda a: 1.0 / a, lambda a: np.maximum(a, 0.0) ** 0.5, lambda a: np.where(a > 0, a, 7.0),
        lambda a: np.clip(a, 0.0, 3.0), np.ceil, np.cumsum, np.maximum.accumulate,
        lambda a: np.diff(a, prepend=0.0), lambda a: np.sum(a, keepdims=True),
        lambda a: np.concatenate([a[..., 1:], np.zeros(1)]), lambda a: np.searchsorted(EDGES, a) * 1.0,
        lambda a: np.interp(a, EDGES, np.array([1.0, 5.0, 0.0])),
        lambda a: np.sqrt(np.square(a)), lambda a: np.exp(a / 10.0), lambda a: np.mean(a, keepdims=True),
    ):  # fmt: skip
        assert values(f(x)) == pytest.approx(list(f(plain)))


def test_a_plain_number_of_a_fact_fixes_it_and_of_what_follows_is_refused(trace: Trace) -> None:
    x = row(trace, 2.0)
    assert float(x[0]) == 2.0
    assert [n.args for n in trace.fixed] == [("x", 0)]
    with pytest.raises(TypeError, match="takes a plain number"):
        float((x * 2.0)[0])
    with pytest.raises(TypeError, match="takes a plain number"):
        np.asarray(x * 2.0, dtype=np.float64)


def test_a_branch_by_value_is_kept_as_a_guard_also_where_the_array_was_stripped(trace: Trace) -> None:
    x = row(trace, 2.0, 0.0)
    assert np.any(x > 1.0)
    assert len(trace.guards) == 1
    assert list(np.asarray(x) > 1.0) == [True, False]
    assert sorted(wanted for wanted, _ in trace.guards.values()) == [False, True, True]


def test_what_changes_nothing_makes_no_node_and_equal_operations_are_one(trace: Trace) -> None:
    x = trace.fact("x", None, 3.0, "USD")
    assert x + 0 is x
    assert x * 1.0 is x
    assert (x * 0.0).value == 0.0
    assert trace.make("max", x, float("-inf")) is x
    assert x * 2.0 is x * 2.0
    assert trace.make("exp", trace.make("log", x) * 2.0).op == "^"  # e^(2 ln x) = x^2
    assert trace.make("exp", trace.make("log", x) * 2.0).value == pytest.approx(9.0)


def test_a_row_that_rises_with_the_months_is_written_with_their_numbers(trace: Trace) -> None:
    """(t - 1) / 12 for t = 1..3"""
    made = nodes_of(traced(trace, np.arange(3) / 12.0))
    assert made[0].op == "/" or made[0].value == 0.0
    assert [n.month for n in made] == [1, 2, 3]
    assert [n.value for n in made] == [0.0, 1 / 12, 2 / 12]
