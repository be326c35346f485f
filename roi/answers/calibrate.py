"""What measured training runs say of the roofline: open profiles and tables, time every run, fit a scale a group."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
    own: tuple[tuple[Path, MeasuredRun], ...]
    """(table, run) of those that are worth keeping: `TableRuns.own`."""


class TableRuns(NamedTuple):
    """What tables of training runs hold."""

    timed: tuple[TimedRun, ...]
    runs: tuple[MeasuredRun, ...]
    """Those of `timed`, and those that say nothing of the speed."""
    own: tuple[tuple[Path, MeasuredRun], ...]
    """(table, run) of the timed ones whose source is not published on their card in their layout."""
    skipped: tuple[tuple[Path, SkippedRow], ...]
    """(table, row) of rows that could not be used."""
    slow: tuple[tuple[Path, SkippedRow], ...]
    """(table, row) of rows far slower than any that is published."""

    def refuse_slow(self) -> None:
        """Raise InputError for the first row that is too slow, where there is one."""
        for path, row in self.slow:
            raise InputError(f"TABLE: {path}: row {row.id!r}: {row.reason}")


def calibrate_runs(
    tables: Sequence[Path], profiles: Sequence[Path] = (), *, strict: bool = False, tell: Tell = keep_quiet,
) -> CalibrationAnswer:
    """One scale per GPU, source and layout from training profiles and from tables of measured runs.

    `profiles` are folders to search first. `strict`: a row of a table that is skipped is an InputError. `tell` hears of each
    file that is no profile, and of sources that are published already. A run that is given twice is an InputError, too: it
    would narrow the interval. A row of a table far slower than any that is published is skipped.
    """
    store = load_profiles(profile_folders(tuple(profiles)), kinds={"train"})
    stored, known = list(of_kind(store, TrainProfile)), training_efficiencies().step()
    mine = [run for profile in stored for run in profile_runs(profile)]
    timed = [one for run in mine if (one := timed_run(run, known)) is not None]
    given = table_runs(tables, strict=strict, tell=tell)
    timed += given.timed
    if not timed:
        given.refuse_slow()
        raise InputError(_nothing(stored, [*mine, *given.runs]))
    tell_left_out(store.damaged, tell)
    return CalibrationAnswer(calibration=fit_calibration(timed, known), skipped=(*given.skipped, *given.slow), own=given.own,
                             untimed=len(mine) + len(given.runs) - len(timed))


def table_runs(tables: Sequence[Path], *, strict: bool = False, tell: Tell = keep_quiet) -> TableRuns:
    """The runs of tables beside the roofline; InputError as `calibrate_runs` says."""
    opened = [(path, open_training_table(path, strict=strict)) for path in tables]
    rows = [(path, run) for path, table in opened for run in table.runs]
    _check_each_run_once(rows)
    known = training_efficiencies().step()
    read = [(path, run, timed_run(run, known)) for path, run in rows]
    slow = _too_slow([(path, run, one) for path, run, one in read if one is not None])
    left_out = {(path, row.id) for path, row in slow}
    kept = [(path, run, one) for path, run, one in read if (path, run.id) not in left_out]
    timed = tuple(one for *_, one in kept if one is not None)
    published = {(fit.source, fit.gpu, fit.layout): fit.n for fit in published_fits()}
    again = Counter(place for one in timed if (place := (one.source, one.gpu, one.layout)) in published)
    if again:
        told = first_of([f"{source} on {gpu}, {layout} ({n} given, {published[source, gpu, layout]} published)"
                         for (source, gpu, layout), n in again.items()], NAMED)
        tell(f"runs of these sources come with roi and are not kept again: {told}; runs of your own need another source (the id"
             " without its number)")
    found = TableRuns(
        timed=timed, runs=tuple(run for _, run, _ in kept),
        own=tuple((path, run) for path, run, one in kept
                  if one is not None and (one.source, one.gpu, one.layout) not in published),
        skipped=tuple((path, row) for path, table in opened for row in table.skipped), slow=tuple(slow))
    if strict:
        found.refuse_slow()
    return found


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


def _too_slow(rows: Sequence[tuple[Path, MeasuredRun, TimedRun]]) -> list[tuple[Path, SkippedRow]]:
    """The rows of tables that have less than SLOWEST_STEP of the roofline's speed, each with the reason."""
    slow = [(path, run, share) for path, run, one in rows if (share := one.theory_s / one.measured_s) < SLOWEST_STEP]
    lines = {(path, row.id): row.line for path in {path for path, *_ in slow} for row in read_csv(path).rows}
    return [(path, SkippedRow(
        line=lines.get((path, run.id), 0), id=run.id, column="tokens_per_s", value=f"{run.tokens_per_s:g}",
        why=(f"{share:.2g} of what the roofline gives this plan on {run.gpu_name}, {(run.tokens_per_s or 0.0) / share:,.0f}"
             f" tokens/s; below {SLOWEST_STEP:g} it is of another unit or waits for something else (no published run is)"),
    )) for path, run, share in slow]


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
