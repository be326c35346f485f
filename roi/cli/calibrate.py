"""`roi calibrate`: measured training runs against the roofline, and the scale that each GPU and source shows."""

from pathlib import Path

import click
from click.core import ParameterSource

from roi.cli import profile_options as shared
from roi.cli.options import PATH, TARGET, cache_option, format_option, profiles_option, set_option, tell


@click.command()
@click.argument("tables", nargs=-1, type=PATH, metavar="[TABLE.csv]...")
@profiles_option
@click.option("--local", type=PATH, metavar="FILE", help="Measure on this machine what the scenario in FILE waits for most.")
@shared.seconds_option("--budget", default="5m", help="With --local: time for stepping, over all profiles.")
@shared.device_option
@shared.force_option
@set_option
@cache_option
@click.option("--strict", is_flag=True, help="Exit 2 where a row of a table cannot be used, in place of skipping it.")
@click.option("--add", type=PATH, multiple=True, metavar="TABLE.csv",
              help="Keep the rows of this table of serving or training runs; fit, size and compare use them.")
@format_option("table", "json", "markdown")
@click.option("--output", type=TARGET,
              help="Also keep the tables' runs in this file; among the profiles, named *.calibration, it is used from then on.")
def calibrate(
    *, tables: tuple[Path, ...], profiles: tuple[Path, ...], local: Path | None, budget: float, device: str | None, force: bool,
    overrides: tuple[str, ...], cache: bool, strict: bool, add: tuple[Path, ...], form: str, output: Path | None,
) -> None:
    """Fit one scale per GPU, source and layout from training profiles and from TABLEs of measured runs.

    Profiles are those that `roi profile train` kept; docs/tables.md names the columns of a table of training runs (`roi
    schema --of training-table`). Prints each scale with its errors on runs that it has not seen, and what predicting a whole
    source or GPU from the others costs. Rows that cannot be used, or have less than a tenth of the roofline's speed, are
    skipped and told; a row that is given twice is an error. Runs of sources that come with roi are not kept again. Nothing is
    written without --output.

    With --local FILE it profiles the trainings of the scenario in FILE whose result is worth most a minute, on this machine's
    GPU and within --budget, keeps the profiles, and prints which spreads shrank and whether the verdict moved.

    --add takes tables of serving runs, or of training runs: they are kept in the first folder of --profiles (else ./profiles,
    or the user's), count as measured by you, and what each did to the interval of its models is told.
    """
    budgeted = click.get_current_context().get_parameter_source("budget") is ParameterSource.COMMANDLINE
    if local is None and (overrides or device is not None or force or not cache or budgeted):
        raise click.UsageError("--set, --budget, --device, --force and --no-cache go with --local FILE")
    if add:
        if tables or output is not None or local is not None:
            raise click.UsageError("--add: keeps the rows of a table; give each its own --add, and leave out --local, --output")
        _add_rows(add, profiles, form, strict=strict)
        return
    if local is not None:
        if tables or output is not None or strict:
            raise click.UsageError("--local: measures for a scenario; leave out tables, --strict and --output")
        _calibrate_local(local, profiles, budget, device, overrides, form, force=force, cache=cache)
        return
    from roi import __version__, clock
    from roi.answers.calibrate import calibrate_runs
    from roi.cli.output import check_targets, put, write_answer
    from roi.errors import InputError
    from roi.evidence.trained_rows import calibration_file
    from roi.report.training.calibrate import calibration_blocks, calibration_json
    from roi.store.profiles.kept_records import record_text

    check_targets()
    found = calibrate_runs(tables, profiles, strict=strict, tell=tell)
    if output is not None:
        if not found.own:
            raise InputError("--output: nothing to keep, profiles count already, and no TABLE has a run of your own")
        told = put(output, record_text(calibration_file(found.own, clock.today(), __version__)))
        tell(f"{told}: {len(found.own)} runs")
    shown = (found.calibration, found.skipped, found.untimed)
    write_answer(lambda: calibration_json(*shown), lambda: calibration_blocks(*shown), form)


def _add_rows(tables: tuple[Path, ...], profiles: tuple[Path, ...], form: str, *, strict: bool) -> None:
    from roi import clock
    from roi.answers.calibrate_serving import add_served_rows
    from roi.answers.calibrate_training import add_trained_rows
    from roi.answers.validate import is_training_table
    from roi.cli.output import write_answer
    from roi.report.serving.added_rows import added_blocks, added_json
    from roi.report.training.added_runs import runs_blocks, runs_json

    if all(map(is_training_table, tables)):
        runs = add_trained_rows(tables, clock.today(), profiles=profiles, strict=strict, tell=tell)
        written, readers, form_json, blocks = runs.written, "fit", lambda: runs_json(runs), lambda: runs_blocks(runs)
    else:
        rows = add_served_rows(tables, clock.today(), profiles=profiles, strict=strict, tell=tell)
        written, readers, form_json, blocks = rows.written, "size", lambda: added_json(rows), lambda: added_blocks(rows)
    for path in written:
        tell(f"kept in {path}, which {readers} and compare read from now on; remove the file to undo it")
    write_answer(form_json, blocks, form)


def _calibrate_local(file: Path, profiles: tuple[Path, ...], budget_s: float, device: str | None, overrides: tuple[str, ...],
                     form: str, *, force: bool, cache: bool) -> None:
    from roi.answers.calibrate_local import calibrate_local
    from roi.cli.output import write_answer
    from roi.disk import make_folder
    from roi.scenario.file import load_scenario

    load_scenario(file, overrides)  # what cannot be read is said before torch is missed
    from roi.profiling.progress import show_progress
    from roi.profiling.session import open_session, pick_device  # torch takes seconds to import
    from roi.profiling.stops import catch_stops
    from roi.report.training.local_calibration import local_blocks, local_json

    shared.check_new(None, profiles[0] if profiles else None)
    for folder in profiles[:1]:  # profiles are kept there, and searched
        make_folder(folder, "--profiles")
    session = open_session(pick_device(device), 0, budget_s, force=force, profiles=profiles[0] if profiles else None)
    with catch_stops() as session.stops:
        with show_progress() as session.watcher:
            found = calibrate_local(file, session, overrides=overrides, profiles=profiles, tell=tell, cache=cache)
        write_answer(lambda: local_json(found), lambda: local_blocks(found), form)
        shared.leave_if_cut(session.stops, interrupted=found.interrupted, failure=session.failure)
