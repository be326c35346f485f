"""`roi compare`: every option's cost, payback and risk; the verdict and why."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from roi.economics.decision.comparison import Comparison

TREE = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "…": "."})
"""The branches of the cost tree for an output that cannot show them."""
NARROW, WIDE = 80, 120


@click.command(short_help="Every option's cost, payback and risk; the verdict and why.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="A.B=VALUE",
              help="Override a field of the scenario; may be repeated.")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True,
              help="How to print.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file, whole or not at all.")
@click.option("--explain", metavar="OPTION",
              help="Cost tree of this option (id, start of an id, or kind) instead of the winner's.")
@click.option("--all", "everything", is_flag=True, help="Every option and every break-even, not the best of each kind.")
@click.option("--draws", type=click.IntRange(0, 1_048_576), help="Draws of the uncertain facts; 0 = central values only.")
@click.option("--usage", "part", type=click.Path(path_type=Path),
              help="What usage records settle (roi usage --output), laid over the scenario.")
@click.option("--profiles", multiple=True, type=click.Path(path_type=Path), help="Folder of profiles to search first.")
@click.option("--seed", type=click.IntRange(0, 2**63), help="Seed of the draws.")
def compare(
    *, file: Path | None, overrides: tuple[str, ...], form: str, output: Path | None, explain: str | None, everything: bool,
    draws: int | None, seed: int | None, part: Path | None, profiles: tuple[Path, ...],
) -> None:
    """Compare every option of the scenario in FILE.

    FILE is a scenario (YAML) or a saved comparison (JSON), which is replayed from its own facts. Without FILE the bundled
    scenario runs.
    """
    from roi import __version__
    from roi.cli.output import write

    comparison, scenario, warnings, note = _answer(file, overrides, draws, seed, part, profiles)
    shown = None
    if explain is not None:
        from roi.report.comparison.options_table import find_option

        shown = find_option(comparison, explain)
    if form == "json":
        from roi.report.comparison.as_json import comparison_json

        text = comparison_json(comparison, version=__version__, scenario=scenario, warnings=warnings)
    elif form == "markdown":
        from roi.report.comparison.compare import comparison_text

        text = comparison_text(comparison, warnings, shown, form, all_options=everything)
    else:
        from roi.report.comparison.compare import comparison_text

        text = comparison_text(comparison, warnings, shown, all_options=everything, colour=_colour(output),
                               width=_width(output))
        if output is None and "utf" not in (sys.stdout.encoding or "").lower():
            text = text.translate(TREE)
    if note:
        click.echo(f"roi: {note}", err=True)
    write(text, output)


def _answer(
    file: Path | None, overrides: tuple[str, ...], draws: int | None, seed: int | None, part: Path | None,
    profiles: tuple[Path, ...],
) -> tuple["Comparison", dict[str, Any] | None, tuple[str, ...], str]:  # Any: the scenario as plain JSON values
    """The comparison of the file, the scenario behind it, its warnings, and what to say about where it comes from."""
    if file is not None:
        from roi.answers.saved import read_saved, replay

        saved = read_saved(file)
        if saved is not None:
            if overrides or part:
                option = "--set" if overrides else "--usage"
                raise click.UsageError(f"{option} changes a scenario; {file} is a saved comparison")
            note = f"replaying {file}, saved by roi {saved.roi_version}: prices and facts of that file"
            return replay(saved, draws=draws, seed=seed), saved.scenario, saved.warnings, note
    from roi.economics.decision.comparison import compare as compare_case
    from roi.evidence.known_runs import known_runs
    from roi.evidence.training_speed import find_calibrations
    from roi.resolution.resolution import resolve
    from roi.scenario.file import load_scenario, scenario_data
    from roi.store.profiles.lookup import load_profiles, profile_folders

    asked = [f"{name}={value}" for name, value in (("draws", draws), ("seed", seed)) if value is not None]
    scenario = load_scenario(file, (*overrides, *asked), part)
    folders = profile_folders(profiles)
    store = load_profiles(folders, kinds={"dry-run", "train", "serve"})
    calibrations, unread = find_calibrations(folders)
    for path, reason in (*store.damaged, *unread):
        click.echo(f"roi: {path} is left out: {reason}", err=True)
    resolved = resolve(scenario, known_runs(store, calibrations))
    note = f"no FILE given: the bundled scenario, {scenario.title!r}" if file is None else ""
    if part is not None:
        note += f"{'; ' if note else ''}workload and incumbent as {part} states them"
    return compare_case(resolved.case), scenario_data(scenario), resolved.warnings, note


def _colour(output: Path | None) -> bool:
    """True on a terminal that may be coloured (no-color.org)."""
    return output is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width(output: Path | None) -> int:
    """Columns to use: the terminal's, from 80 to 120; 80 for a file or a pipe."""
    if output is not None or not sys.stdout.isatty():
        return NARROW
    return min(max(shutil.get_terminal_size((NARROW, 24)).columns, NARROW), WIDE)
