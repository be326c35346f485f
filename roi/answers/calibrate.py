"""What measured training runs say of the roofline: open profiles and tables, time every run, fit a scale a group."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from roi.answers.telling import Tell, keep_quiet, tell_left_out
from roi.answers.validate import open_training_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.errors import InputError
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.measured_run import MeasuredRun, timed_run
from roi.estimate.accuracy.training_left_out import Calibration, fit_calibration
from roi.evidence.training_speed import profile_runs, why_unread
from roi.facts.profiles import TrainProfile
from roi.store.profiles.lookup import StoredProfile, load_profiles, of_kind, profile_folders


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
    file that is no profile. A run that is given twice is an InputError, too: it would narrow the interval.
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
    tell_left_out(store.damaged, tell)
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
