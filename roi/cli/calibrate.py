"""`roi calibrate`: measured training runs against the roofline, and the scale that each GPU and source shows."""

from pathlib import Path

import click


@click.command(short_help="Training speed measured against theory: scales, errors, intervals.")
@click.argument("tables", nargs=-1, type=click.Path(path_type=Path), metavar="[TABLE.csv]...")
@click.option("--profiles", multiple=True, type=click.Path(path_type=Path), help="Folder of profiles to search first.")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True,
              help="How to print.")
@click.option("--output", type=click.Path(path_type=Path),
              help="Also write the scales to this file; among the profiles, named *.calibration, it is used from then on.")
def calibrate(*, tables: tuple[Path, ...], profiles: tuple[Path, ...], form: str, output: Path | None) -> None:
    """Fit one scale per GPU, source and layout from training profiles and from TABLEs of measured runs.

    Profiles are those that `roi profile train` kept; tables have the columns of `roi validate --help`. Prints each scale
    with its errors on runs that it has not seen, and what predicting a whole source or GPU from the others costs. Nothing
    is written without --output.
    """
    from roi import __version__
    from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
    from roi.cli import clock
    from roi.cli.output import replace_file, write
    from roi.cli.profile_options import check_folder
    from roi.errors import InputError
    from roi.estimate.accuracy.timed_runs import timed_run
    from roi.estimate.accuracy.training_left_out import calibrate as fit
    from roi.evidence.training_speed import calibration_text as file_text
    from roi.evidence.training_speed import profile_runs
    from roi.facts.profiles import TrainProfile
    from roi.report.training.calibrate import calibration_json, calibration_text
    from roi.store.profiles.lookup import StoredProfile, load_profiles, profile_folders
    from roi.store.tables.training_table import read_measured_rows

    check_folder(output)
    known = training_efficiencies().step()
    store = load_profiles(profile_folders(profiles), kinds={"train"})
    for path, reason in store.damaged:
        click.echo(f"roi: {path} is left out: {reason}", err=True)
    stored = [StoredProfile(s.path, s.profile, s.folder) for s in store.profiles if isinstance(s.profile, TrainProfile)]
    runs = [run for profile in stored for run in profile_runs(profile)]
    runs += [run for table in tables for run in read_measured_rows(table).runs]
    timed = [one for run in runs if (one := timed_run(run, known)) is not None]
    if not timed:
        cpu = sum(profile.profile.environment.device == "cpu" for profile in stored)
        no_card, no_mean = sum(run.gpu is None for run in runs), sum(run.mean_tokens is None for run in runs)
        no_speed = sum(run.tokens_per_s is None for run in runs)
        raise InputError(
            f"calibrate: nothing to compare with theory: of {len(stored)} training profiles {cpu} are of a CPU, which has no"
            f" theory; of {len(runs)} runs {no_card} have no card of the catalog, {no_mean} no mean length (seq_len_mean),"
            f" {no_speed} no speed; give a TABLE.csv, or run `roi profile train MODEL` on a GPU",
        )
    found = fit(timed, known)
    if output is not None:
        replace_file(output, file_text(found.groups, clock.today(), __version__, [table.name for table in tables]))
        click.echo(f"roi: {len(found.groups)} scales written to {output}", err=True)
    write(calibration_json(found) if form == "json" else calibration_text(found, form))
