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
from roi.evidence.training_speed import profile_runs, published_fits, why_unread
from roi.facts.profiles import TrainProfile
from roi.store.profiles.lookup import StoredProfile, load_profiles, of_kind, profile_folders
from roi.store.tables.csv_table import read_csv

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
    would narrow the interval. A row of a table far slower than any that is published is skipped.
    """
    store = load_profiles(profile_folders(tuple(profiles)), kinds={"train"})
    stored = list(of_kind(store, TrainProfile))
    runs = [run for profile in stored for run in profile_runs(profile)]
    opened = [(path, open_training_table(path, strict=strict)) for path in tables]
    _check_each_run_once([(path, run) for path, table in opened for run in table.runs])
    known = training_efficiencies().step()
    rows = [(path, run, timed_run(run, known)) for path, table in opened for run in table.runs]
    slow = [(path, row) for path, _ in opened
            for row in _too_slow(path, [(run, one) for of, run, one in rows if of == path and one is not None])]
    left_out = {(path, row.id) for path, row in slow}
    counted = [(run, timed_run(run, known)) for run in runs]
    counted += [(run, one) for path, run, one in rows if (path, run.id) not in left_out]
    timed = [one for _, one in counted if one is not None]
    if slow and (strict or not timed):
        raise InputError(f"TABLE: {slow[0][0]}: row {slow[0][1].id!r}: {slow[0][1].reason}")
    if not timed:
        raise InputError(_nothing(stored, [run for run, _ in counted]))
    tell_left_out(store.damaged, tell)
    _tell_published({run.source for _, table in opened for run in table.runs}, timed, tell)
    return CalibrationAnswer(calibration=fit_calibration(timed, known), untimed=len(counted) - len(timed),
                             skipped=(*((path, row) for path, table in opened for row in table.skipped), *slow))


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


def _too_slow(path: Path, timed: Sequence[tuple[MeasuredRun, TimedRun]]) -> list[SkippedRow]:
    """The rows of a table that have less than SLOWEST_STEP of the roofline's speed, each with the reason."""
    slow = [(run, one) for run, one in timed if one.theory_s < SLOWEST_STEP * one.measured_s]
    lines = {row.id: row.line for row in read_csv(path).rows} if slow else {}
    return [SkippedRow(
        line=lines.get(run.id, 0), id=run.id, column="tokens_per_s", value=f"{run.tokens_per_s:g}",
        why=(f"{(share := one.theory_s / one.measured_s):.2g} of what the roofline gives this plan on {one.gpu},"
             f" {(run.tokens_per_s or 0.0) / share:,.0f} tokens/s; below {SLOWEST_STEP:g} it is of another unit or waits for"
             " something else (no published run is)"),
    ) for run, one in slow]


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
