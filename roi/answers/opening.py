"""A scenario opened: its Case, its plans, and the runs that stand behind them. Every question begins here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from roi.evidence.known_runs import KnownRuns, known_runs
from roi.evidence.training_speed import find_calibrations
from roi.facts.case import Case
from roi.resolution.plan_evidence import FleetPlan
from roi.resolution.resolution import resolve
from roi.scenario.scenario import Scenario
from roi.store.profiles.lookup import load_profiles, profile_folders

Tell = Callable[[str], None]
"""Takes one line for the person who asked, beside the answer."""


def keep_quiet(line: str) -> None:
    """Take a line and tell it to nobody."""


@dataclass(frozen=True, kw_only=True)
class OpenCase:
    """What a question is answered from."""

    scenario: Scenario
    case: Case
    plans: Mapping[str, tuple[FleetPlan, ...]]
    """The plans of each option that runs GPUs, as the Case numbers them, by the option's id."""
    known: KnownRuns
    """What the Case was resolved with."""
    warnings: tuple[str, ...]
    """What a reader should know about how the Case was made."""


def open_case(scenario: Scenario, known: KnownRuns | None = None) -> OpenCase:
    """The scenario with its Case, resolved with the runs that are known; None is published runs alone."""
    runs = known or known_runs()
    found = resolve(scenario, runs)
    return OpenCase(scenario=scenario, case=found.case, plans=found.plans, known=runs, warnings=found.warnings)


def open_runs(profiles: Sequence[Path] = (), tell: Tell = keep_quiet) -> KnownRuns:
    """What was run dry or measured: profiles and calibrations in `profiles` and in the folders that are searched always.

    `tell` hears of each file that cannot be used.
    """
    folders = profile_folders(profiles)
    store = load_profiles(folders, kinds={"dry-run", "train", "serve"})
    calibrations, unread = find_calibrations(folders)
    tell_left_out((*store.damaged, *unread), tell)
    return known_runs(store, calibrations)


def tell_left_out(files: Iterable[tuple[Path, str]], tell: Tell) -> None:
    """Tell of each file once, with the reason why it is left out."""
    for path, reason in dict.fromkeys(files):
        tell(f"{path} is left out: {reason}")
