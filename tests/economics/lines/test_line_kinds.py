"""Each cost line says what it pays for where it is made: the engine's by their names, a user's own whatever it is called."""

from functools import cache

from quiet_scenario import World

from roi.economics.lines.line import Line
from roi.economics.lines.line_kind import LineKind
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

NAMES: dict[LineKind, tuple[str, ...]] = {
    LineKind.API: ("API input", "API output", "API batch"),
    LineKind.PROVISIONED: ("API provisioned throughput",),
    LineKind.PROVISIONED_LEFT: ("provisioned throughput beyond the horizon",),
    LineKind.HOSTING: ("vendor hosting fee",),
    LineKind.INCUMBENT: ("incumbent, until live and in parallel", "incumbent's units, until live and in parallel"),
    LineKind.ESCALATED: ("escalated to ",),
    LineKind.SPILLED: ("spilled to ",),
    LineKind.LONG: ("too long, to ",),
    LineKind.JUDGE: ("judge that escalates",),
    LineKind.COMMITMENT: ("commitment not used", "today's units, owed and not used"),
    LineKind.OWN_COMMITMENT: ("own commitment not used",),
    LineKind.RENT: ("GPU rent",),
    LineKind.RENT_LEFT: ("GPU commitment beyond the horizon",),
    LineKind.HARDWARE: ("hardware, ", "own cards, ", "electricity", "colocation"),
    LineKind.PLATFORM: ("platform",),
    LineKind.SET_UP: ("engineering, set-up", "evaluation before the change"),
    LineKind.OPERATION: ("on-call and operation",),
    LineKind.TRAINING: ("training",),
    LineKind.RETRAINING: ("retraining",),
    LineKind.MIGRATION: ("vendor's model ends: migration",),
    LineKind.INCUMBENT_MIGRATION: ("incumbent's model ends: migration",),
    LineKind.ERRORS: ("wrong answers",),
}
"""How the names of each kind's lines begin; costs of one's own have none."""
LEVERS = (
    "draws=0", "incumbent.committed_usd_per_month=90000", "incumbent.committed_until=2027-11-24", "drift.model_life_months=9",
    "quality.judge_usd_per_request=0.0001", "apis.openai/gpt-6-luna.committed_usd_per_month=2000",
    "apis.openai/gpt-6-luna.committed_until=2027-12-31", "horizon_months=24", "training.retrain_every_months=6",
    "candidates.api_models=[openai/gpt-6-luna, openai/gpt-3.5-turbo]", "workload.lengths.31.input_tokens=20000",
    "candidates.provisioned_throughput={usd_per_month: 4000, requests_per_s: 2, minimum_months: 48}",
    "incumbent.provisioned_throughput={units: 3, usd_per_month: 4000, requests_per_s: 0.5, spills_over: true}",
    "incumbent.provisioned_throughput.committed_until=2027-11-24",
)


@cache
def lines(*costs: str) -> tuple[tuple[str, Line], ...]:
    """The lines of all options of the bundled scenario with every lever, by id; rented cards are bound beyond the horizon."""
    own = ", ".join(f'{{name: "{name}", option: all, upfront_usd: 100, usd_per_month: 7}}' for name in costs)
    case = resolve(load_scenario(overrides=(*LEVERS, *([f"costs=[{own}]"] if own else [])))).case
    bound = {path: 36.0 for path in case.facts if path.endswith(".minimum_months") and ".plans." in path}
    w = World(case, **bound)
    ids = [id for id, option in w.options.items() if option.infeasible is None]
    return tuple((id, line) for id in ids for line in w.costed(id).costs.lines)


def test_each_line_of_the_engine_is_of_the_kind_that_its_name_says() -> None:
    found: dict[LineKind, set[str]] = {}
    for _, line in lines():
        found.setdefault(line.kind, set()).add(line.name)
    assert found.keys() == NAMES.keys() == set(LineKind) - {LineKind.OWN}
    assert [(kind, name) for kind, names in found.items() for name in names if not name.startswith(NAMES[kind])] == []


def test_only_wrong_answers_are_errors_and_only_owned_cards_are_no_cash_besides() -> None:
    assert {line.kind for _, line in lines() if line.is_error} == {LineKind.ERRORS}
    assert {line.kind for _, line in lines() if line.no_cash} <= {LineKind.HARDWARE}


def test_a_cost_of_ones_own_is_of_its_own_kind_whatever_it_is_called() -> None:
    called = tuple(f"{starts[0]} of ours" for starts in NAMES.values())
    assert {line.kind for _, line in lines(*called) if line.name in called} == {LineKind.OWN}
    others = [(id, line.name, line.kind) for id, line in lines(*called) if line.name not in called]
    assert others == [(id, line.name, line.kind) for id, line in lines()]
