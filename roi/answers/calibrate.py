"""What measured training runs say of the roofline: open profiles and tables, time every run, fit a scale a group."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from roi.answers.telling import Tell, keep_quiet, tell_left_out
from roi.answers.validate import open_training_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.errors import InputError, first_of
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.measured_run import SLOWEST_STEP, MeasuredRun, timed_run
from roi.estimate.accuracy.training_left_out import Calibration, fit_calibration
from roi.estimate.step.calibration import TimedRun
from roi.estimate.step.step_time import StepEfficiency
from roi.evidence.training_speed import profile_runs, published_fits, why_unread
from roi.facts.profiles import TrainProfile
from roi.store.profiles.lookup import StoredProfile, load_profiles, of_kind, profile_folders

NAMED = 3
"""Groups of published runs that are named at most."""


@dataclass(frozen=True)
class CalibrationAnswer:
    """The scales, and what was given but says nothing of them."""

    calibration: Calibration
    skipped: tuple[tuple[Path, SkippedRow], ...]
    """(table, row) of rows that could not be used."""
    untimed: int
    """Runs that say nothing of the scales: `timed_run` has the reasons."""


def calibrate_runs(
    tables: Sequence[Path], profiles: Sequence[Path] = (), *, strict: bool = False, tell: Tell = keep_quiet,
) -> CalibrationAnswer:
    """One scale per GPU, source and layout from training profiles and from tables of measured runs.

    `profiles` are folders to search first. `strict`: a row of a table that is skipped is an InputError. `tell` hears of each
    file that is no profile, and of sources that are published already. A run that is given twice is an InputError, too: it
    would narrow the interval; and so is one far slower than any that is published.
    """
    store = load_profiles(profile_folders(tuple(profiles)), kinds={"train"})
    stored = list(of_kind(store, TrainProfile))
    runs = [run for profile in stored for run in profile_runs(profile)]
    opened = [(path, open_training_table(path, strict=strict)) for path in tables]
    _check_each_run_once([(path, run) for path, table in opened for run in table.runs])
    runs += [run for _, table in opened for run in table.runs]
    known = training_efficiencies().step()
    timed = [one for run in runs if (one := timed_run(run, known)) is not None]
    if not timed:
        raise InputError(_nothing(stored, runs))
    _check_speed([(path, run) for path, table in opened for run in table.runs], known)
    tell_left_out(store.damaged, tell)
    _tell_published({run.source for _, table in opened for run in table.runs}, timed, tell)
    return CalibrationAnswer(calibration=fit_calibration(timed, known), untimed=len(runs) - len(timed),
                             skipped=tuple((path, row) for path, table in opened for row in table.skipped))


def _check_each_run_once(runs: Iterable[tuple[Path, MeasuredRun]]) -> None:
    """Raise where a table is given twice, or two tables have a row of the same source and id."""
    seen: dict[tuple[str, str], tuple[Path, MeasuredRun]] = {}
    for path, run in runs:
        first, earlier = seen.setdefault((run.source, run.id), (path, run))
        if first == path and earlier is not run:
            raise InputError(f"TABLE: {path} is given twice; a run counts once")
        # without a column id, rows of different tables are named alike: "line 2"
        if first != path and (run == earlier or not run.id.startswith("line ")):
            raise InputError(f"TABLE: {first} and {path} both have the row {run.id!r} of source {run.source!r}; a run counts"
                             " once, and different ones need ids or sources of their own")


def _check_speed(runs: Iterable[tuple[Path, MeasuredRun]], known: StepEfficiency) -> None:
    """Raise where a row of a table has less than SLOWEST_STEP of the roofline's speed."""
    for path, run in runs:
        if run.tokens_per_s and (one := timed_run(run, known)) is not None and one.theory_s < SLOWEST_STEP * one.measured_s:
            share = one.theory_s / one.measured_s
            raise InputError(f"TABLE: {path}: row {run.id!r}: tokens_per_s: {run.tokens_per_s:g} is {share:.2g} of what the"
                             f" roofline gives this plan on {one.gpu}, {run.tokens_per_s / share:,.0f} tokens/s; below"
                             f" {SLOWEST_STEP:g} it is of another unit or waits for something else (no published run is)")


def _tell_published(sources: Collection[str], timed: Iterable[TimedRun], tell: Tell) -> None:
    """Say which groups of the tables have a name under which runs are published: of the two `roi fit` takes one."""
    given = Counter((one.source, one.gpu, one.layout) for one in timed if one.source in sources)
    again = [f"{fit.source} on {fit.gpu}, {fit.layout} ({n} given, {fit.n} published)" for fit in published_fits()
             if (n := given.get((fit.source, fit.gpu, fit.layout)))]
    if again:
        tell(f"runs of these sources come with roi and count once, those that are more: {first_of(again, NAMED)}; runs of your"
             " own need another source (the id without its number)")


def _nothing(stored: Sequence[StoredProfile[TrainProfile]], runs: Sequence[MeasuredRun]) -> str:
    """Why nothing can be compared with theory, in one line."""
    counts = {"without a card of the catalog": sum(run.gpu is None for run in runs),
              "without a mean length (seq_len_mean)": sum(run.mean_tokens is None for run in runs),
              "without a speed": sum(run.tokens_per_s is None for run in runs),
              "split over GPUs in layers": sum(run.split for run in runs),
              "of a tuner other than LoRA": sum(run.plan.tuner is not None for run in runs)}
    rows = f"; of {len(runs)} runs " + ", ".join(f"{n} {why}" for why, n in counts.items() if n) if runs else ""
    unread = ", ".join(f"{n}: {why}" for why, n in Counter(why_unread(one.profile) for one in stored).items() if why)
    kept = f"; of {len(stored)} training profiles {unread}" if unread else ""
    return f"calibrate: nothing to compare with theory{kept}{rows}; give a TABLE.csv, or run `roi profile train MODEL` on a GPU"
