"""`roi calibrate`: measured training runs against the roofline, and the scale that each GPU and source shows."""

from pathlib import Path

import click

from roi.cli.options import PATH, format_option, profiles_option, tell


@click.command(short_help="Training speed measured against theory: scales, errors, intervals.")
@click.argument("tables", nargs=-1, type=PATH, metavar="[TABLE.csv]...")
@profiles_option
@click.option("--strict", is_flag=True, help="Exit 2 where a row of a table cannot be used, in place of skipping it.")
@click.option("--add", type=PATH, multiple=True, metavar="TABLE.csv",
              help="Keep the rows of this table of serving runs; size and compare use them.")
@format_option("table", "json", "markdown")
@click.option("--output", type=PATH,
              help="Also write the scales to this file; among the profiles, named *.calibration, it is used from then on.")
def calibrate(
    *, tables: tuple[Path, ...], profiles: tuple[Path, ...], strict: bool, add: tuple[Path, ...], form: str,
    output: Path | None,
) -> None:
    """Fit one scale per GPU, source and layout from training profiles and from TABLEs of measured runs.

    Profiles are those that `roi profile train` kept; docs/tables.md names the columns of a table of training runs (`roi
    schema --of training-table`). Prints each scale with its errors on runs that it has not seen, and what predicting a whole
    source or GPU from the others costs. Rows that cannot be used are skipped and told; a row that is given twice is an error.
    Nothing is written without --output.

    --add takes tables of serving runs: their speeds over the published ones are kept in the first folder of --profiles (else
    ./profiles, or the user's), and what each did to the interval of its models is told.
    """
    from roi import __version__
    from roi.answers.calibrate import calibrate_runs
    from roi.cli import clock
    from roi.cli.output import write
    from roi.cli.profile_options import check_folder
    from roi.disk import replace_file
    from roi.evidence.training_speed import calibration_text as file_text
    from roi.report.training.calibrate import calibration_json, calibration_text

    if add:
        from roi.answers.calibrate_serving import add_served_rows
        from roi.report.serving.added_rows import added_json, added_text

        if tables or output is not None:
            raise click.UsageError("--add stands without TABLE and --output: it keeps rows of serving runs")
        added = add_served_rows(add, clock.today(), __version__, profiles=profiles, strict=strict)
        write(added_json(added) if form == "json" else added_text(added, form))
        return
    check_folder(output)
    found = calibrate_runs(tables, profiles, strict=strict, tell=tell)
    groups = found.calibration.groups
    if output is not None:
        replace_file(output, file_text(groups, clock.today(), __version__, [table.name for table in tables]))
        tell(f"{len(groups)} scales written to {output}")
    told = (found.calibration, found.skipped, found.untimed)
    write(calibration_json(*told) if form == "json" else calibration_text(*told, form))
