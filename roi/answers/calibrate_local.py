"""What can this machine measure that this decision waits for? Profiles chosen by worth a minute, run, and the comparison again.

    FILE --compare--> experiments --on this card--> profiles, kept --compare--> which spreads shrank, whether the verdict moved
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isclose
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from roi.answers.next import check_draws
from roi.answers.opening import open_case
from roi.answers.telling import Tell, keep_quiet
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.measuring.worth import Experiment
from roi.errors import InputError, RoiError
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.stacks import trainer_habits
from roi.facts.fact import Fact
from roi.resolution.training.training_runs import mean_tokens
from roi.scenario.file import load_scenario
from roi.scenario.scenario import Scenario, tuned
from roi.store.profiles.folders import canonical_gpu
from roi.store.profiles.lookup import save_profile

if TYPE_CHECKING:
    from roi.profiling.session import Session

LEAST_S: Final = 30.0
"""Stepping that a profile gets at least: three sizes of an 8B's step and their warm-up."""
SAME: Final = 0.01
"""Relative change of an end of a spread below which it is the same spread."""
HELD: Final = frozenset({"trial-run", "load-test"})
"""Kinds of experiment that a card answers."""


class Measurement(NamedTuple):
    """A training profile that tells a fact of the scenario."""

    experiment: Experiment
    model: str
    plan: TrainingPlan
    minutes: float
    """Minutes of the budget that the measurement may take."""

    @property
    def worth_usd_per_minute(self) -> float:
        """What it is worth before its engineer's time and rent are paid: both are spent already."""
        return max(self.experiment.worth_usd, 0.0) / self.minutes


class Elsewhere(NamedTuple):
    """An experiment that this command does not run here, and what would."""

    experiment: Experiment
    why: str


class Moved(NamedTuple):
    """A fact whose spread is another after the measurements."""

    path: str
    before: Fact | None
    after: Fact | None


@dataclass(frozen=True, kw_only=True)
class LocalCalibration:
    """The comparison before and after, and what was done in between."""

    before: Comparison
    after: Comparison
    done: tuple[tuple[Measurement, Path], ...]
    """Profiles, in the order in which they were run, and their files."""
    elsewhere: tuple[Elsewhere, ...]
    moved: tuple[Moved, ...]
    notes: tuple[str, ...]
    interrupted: bool = False

    @property
    def verdict_moved(self) -> bool:
        """True where another option is recommended, or leads, than before."""
        before, after = self.before.verdict, self.after.verdict
        return (before.recommended, before.leader) != (after.recommended, after.leader)


def calibrate_local(
    file: Path | None, session: "Session", *, overrides: tuple[str, ...] = (), profiles: Sequence[Path] = (),
    tell: Tell = keep_quiet, cache: bool = True,
) -> LocalCalibration:
    """Measure on the card of `session`, within its budget, what the scenario in `file` waits for most, and compare again.

    Profiles are kept in the first of `profiles`, else where `roi profile` keeps them. An InputError where this machine can
    measure nothing of the scenario says what could, and where. Ctrl-C keeps what was measured and compares with it.
    """
    scenario = load_scenario(file, overrides, tell=tell)
    before = compare(open_case(scenario, profiles, tell, cache=cache).case)
    check_draws(before)
    found, elsewhere = plan_local(before, scenario, canonical_gpu(session.environment), session.budget_s)
    if not found:
        raise InputError(_nothing(session, elsewhere))
    done, notes = _measure(found, session, profiles)
    if not done:
        raise RoiError(f"nothing was measured: {'; '.join(notes)}")
    after = compare(open_case(scenario, profiles, tell, cache=cache).case)
    return LocalCalibration(before=before, after=after, done=tuple(done), elsewhere=tuple(elsewhere), notes=tuple(notes),
                            moved=moved_facts(before, after), interrupted=session.interrupted)


def plan_local(before: Comparison, scenario: Scenario, gpu: str, budget_s: float) -> tuple[list[Measurement], list[Elsewhere]]:
    """(What to measure on this card, most worth a minute first, as many as the budget holds; what is not measured here)."""
    here: list[Measurement] = []
    elsewhere: list[Elsewhere] = []
    for e in before.experiments:
        if e.kind not in HELD:
            continue
        if e.kind == "load-test":
            elsewhere.append(Elsewhere(e, "roi profile serve, beside a server that runs"))
            continue
        card = str(before.case[f"options.{e.option}.training.gpu"].value)
        found, many = _trained(before, scenario, e.option), f"options.{e.option}.training.gpus"
        if many in before.case:
            gpus = before.case[many].value
            elsewhere.append(Elsewhere(e, f"roi profile train --gpus {gpus} --sharding fsdp on {gpus} x {card}"))
            continue
        if card != gpu or found is None:
            elsewhere.append(Elsewhere(e, f"roi profile train on a {card}"))
            continue
        here.append(Measurement(e, *found, minutes=0.0))
    count = max(1, int(budget_s // LEAST_S))
    each = budget_s / 60.0 / max(1, min(count, len(here)))
    timed = sorted((one._replace(minutes=each) for one in here),
                   key=lambda one: (-one.worth_usd_per_minute, -one.experiment.evppi_usd))
    return timed[:count], elsewhere


def _trained(before: Comparison, s: Scenario, option: str) -> tuple[str, TrainingPlan] | None:
    """Model and plan of an option that trains, as the scenario has it; None where it is no adapter that is trained on a GPU."""
    system = str(before.case[f"options.{option}.system"].value)
    names = ((n, m) for n in s.candidates.self_hosted for m in s.candidates.methods)
    for name, method in names:
        if tuned(name, method) == system:
            t = s.training
            return name, TrainingPlan(
                method=method, rank=float(t.rank), micro_batch=float(t.micro_batch), seq=float(max(ceil(mean_tokens(s)), 2)),
                checkpointing=t.checkpointing, trainer="hf", autocast=trainer_habits("hf", "bf16").autocast, padded=False)
    return None


def _measure(found: Sequence[Measurement], session: "Session", profiles: Sequence[Path],
             ) -> tuple[list[tuple[Measurement, Path]], list[str]]:
    """(Each profile that was made, and its file; what is to be said), until the budget or a signal ends it."""
    from roi.profiling.model_to_build import choose_model_to_build  # torch takes seconds to import
    from roi.profiling.session import Session
    from roi.profiling.train.possible import check_possible
    from roi.profiling.train.refused import closed_form
    from roi.profiling.train.short_run import TrainRequest, profile_train

    done: list[tuple[Measurement, Path]] = []
    notes: list[str] = []
    for number, one in enumerate(found):
        own = Session(session.environment, session.budget_s / len(found), session.board, watcher=session.watcher,
                      stops=session.stops)
        try:
            chosen = closed_form(choose_model_to_build(one.model, None, session.device), one.plan)
            own.opening_notes = (*session.opening_notes, *chosen.notes)
            mean, batch = int(one.plan.seq), int(one.plan.micro_batch)
            request = TrainRequest(chosen, one.plan, ((batch, max(mean // 2, 1)), (batch, mean)), find_largest=False)
            check_possible(request, session.device)
            profile = profile_train(request, own)
        except RoiError as error:
            notes.append(f"{one.model}: {error}")
            continue
        done.append((one, save_profile(profile, profiles[0] if profiles else None)))
        if own.interrupted or own.failure is not None:
            session.interrupted, session.failure = own.interrupted, own.failure
            left = len(found) - number - 1
            notes += [own.failure or session.stops.why, *([f"{left} measurements were not begun"] if left else [])]
            break
    return done, notes


def moved_facts(before: Comparison, after: Comparison) -> tuple[Moved, ...]:
    """Facts whose spread differs, or that only one of the comparisons has, in the order of the second."""
    paths = dict.fromkeys([*after.case.uncertain, *before.case.uncertain])
    found = (Moved(path, _fact(before, path), _fact(after, path)) for path in paths)
    return tuple(moved for moved in found if not _same(moved.before, moved.after))


def _fact(comparison: Comparison, path: str) -> Fact | None:
    case = comparison.case
    return case[path] if path in case else None  # noqa: SIM401 -- a Case has no get


def _same(one: Fact | None, other: Fact | None) -> bool:
    if one is None or other is None:
        return False
    ends = [(one.low, other.low), (one.high, other.high)]
    return all(a == b or (a is not None and b is not None and isclose(a, b, rel_tol=SAME)) for a, b in ends)


def _nothing(session: "Session", elsewhere: Sequence[Elsewhere]) -> str:
    """Why this machine can measure nothing, and what could, in one sentence."""
    e = session.environment
    here = e.gpu or ("no GPU" if session.device == "cpu" else e.gpu_name or "a GPU without a name")
    could = "; ".join(dict.fromkeys(one.why for one in elsewhere))
    why = f"what would tell: {could}" if could else "no figure of it waits for a card"
    return f"--local: this machine has {here}, and can measure nothing that this scenario waits for; {why}"


