"""What rows of a user's own table change of training speeds: kept among the profiles, and told before and after.

    TABLE.csv --table_runs--> measured runs --*.calibration file--> `fit`, `compare` --Narrowed
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

from roi import __version__
from roi.answers.calibrate import table_runs
from roi.answers.opening import open_runs
from roi.answers.telling import Tell, keep_quiet
from roi.disk import replace_in_folder
from roi.errors import InputError
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.measured_run import MeasuredRun, at_mean
from roi.estimate.step.calibration import layout_of
from roi.evidence.trained_rows import SUFFIX, calibration_file
from roi.evidence.training_speed import fitted_speed, within_peak
from roi.facts.gpu import Gpu
from roi.store.profiles.kept_records import record_text
from roi.store.profiles.places import folder_of_rows


@dataclass(frozen=True)
class Narrowed:
    """What the rows of one table did to the speed of one configuration on a card."""

    table: str
    gpu: str
    layout: str
    model: str
    method: str
    rows: int
    """Rows of this configuration in the table."""
    centre: float
    """Roofline time over measured time, of all that is kept together; as its ends for the row in the middle by its tokens."""
    before: tuple[float, float]
    """P5 and P95 without this table."""
    after: tuple[float, float]
    contradicts: bool
    """True where the rows lie outside of what was known, or leave its interval wider."""
    beyond_peak: bool
    """True where the centre is faster than the card's peak allows for the work that is counted (`within_peak`)."""


@dataclass(frozen=True)
class AddedRuns:
    """The answer of `roi calibrate --add` of tables of training runs."""

    written: tuple[Path, ...]
    pieces: tuple[Narrowed, ...]
    skipped: tuple[tuple[Path, SkippedRow], ...]
    unused: int
    """Runs that are not kept: they say nothing of the speed, or are published already."""
    assumed: tuple[tuple[str, int], ...]
    """What stands in for columns that the tables lack ("lora_dropout 0"), and in how many of the kept runs."""


def add_trained_rows(
    tables: Sequence[Path], day: Date, *, profiles: Sequence[Path] = (), strict: bool = False, tell: Tell = keep_quiet,
) -> AddedRuns:
    """Keep the tables' runs in the folder of `folder_of_rows`, and tell what each table did to its configurations.

    A table of the same name takes the place of the one before. InputError, and nothing is written, where a table has no run of
    one's own that says how fast a card trains. `tell` hears of files among the profiles that do not count.
    """
    folder, given = folder_of_rows(tables, profiles), [table_runs([path], strict=strict, tell=tell) for path in tables]
    for path, each in zip(tables, given, strict=True):
        if not each.timed:
            each.refuse_slow()
        if not each.own:
            raise InputError(f"--add: {path}: nothing to keep, no run that is not published states card, mean length and speed")
    opened, pieces, written = open_runs(profiles, tell), list[Narrowed](), list[Path]()
    files = [file for file in opened.calibrations if file.tables not in {(path.stem,) for path in tables}]
    for path, each in zip(tables, given, strict=True):
        file = calibration_file(each.own, day, __version__)
        speeds = [fitted_speed(opened.store, behind) for behind in (files, [*files, file])]
        files.append(file)
        alike: dict[tuple[Gpu, str, str, str], list[MeasuredRun]] = {}
        for _, run in each.own:
            assert run.gpu is not None
            alike.setdefault((run.gpu, layout_of(run.plan), run.model.id, run.method), []).append(run)
        for (gpu, layout, model, method), runs in alike.items():
            run = sorted(runs, key=lambda run: run.plan.micro_batch * (run.mean_tokens or 0.0))[len(runs) // 2]
            plan = at_mean(run, run.plan)
            before, after = (within_peak(speed(gpu, run.model, plan), gpu, run.model, plan) for speed in speeds)
            pieces.append(Narrowed(
                table=path.stem, gpu=gpu.id, layout=layout, model=model, method=method, rows=len(runs),
                centre=float(after.efficiency.overall), before=(before.low, before.high), after=(after.low, after.high),
                contradicts=any(piece.contradicts for piece in after.pieces if piece.source.startswith(f"{path.stem}/")),
                beyond_peak=after.high == float(after.efficiency.overall)))
        name = f"{path.stem}{SUFFIX}"
        replace_in_folder(folder, {name: record_text(file)}, "profiles")
        written.append(folder / name)
    return AddedRuns(written=tuple(written), pieces=tuple(pieces), unused=sum(len(each.runs) - len(each.own) for each in given),
                     skipped=tuple(row for each in given for row in (*each.skipped, *each.slow)),
                     assumed=tuple(Counter(label for each in given for _, run in each.own for label, _ in run.assumed).items()))
