"""`roi size`: the fewest replicas that keep the SLO at the peak, and what that costs."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@click.command(short_help="Replicas that keep the SLO at the peak; cost against latency.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--model", help="Which self-hosted model of the scenario.  [default: the first that some plan holds]")
@click.option("--trace", type=click.Path(path_type=Path),
              help="Replay these arrivals and lengths: CSV or Parquet of roi usage --trace, or a public Azure trace.")
@click.option("--times", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
              help="The trace this many times as fast.")
@click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Change a field of the scenario.")
@click.option("--usage", "part", type=click.Path(path_type=Path), help="What usage records settle (roi usage --output).")
@click.option("--profiles", multiple=True, type=click.Path(path_type=Path), help="Folder of profiles to search first.")
@click.option("--figure", type=click.Path(path_type=Path), help="Write cost against latency to this .svg, .png or .html.")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True,
              help="How to print.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file, whole or not at all.")
def size(
    *, file: Path | None, model: str | None, trace: Path | None, times: float, overrides: tuple[str, ...], part: Path | None,
    profiles: tuple[Path, ...], figure: Path | None, form: str, output: Path | None,
) -> None:
    """Size the fleet of a self-hosted model for the scenario in FILE (the bundled one without it).

    Every plan's replicas are replayed at the peak: continuous batching, KV limit, chunked prefill, a router that picks the
    emptiest replica. Capacity and spread are those that `roi compare` uses.
    """
    from roi.answers.size import size_service
    from roi.cli.output import write
    from roi.cli.profile_options import check_folder
    from roi.cli.trace_file import open_trace
    from roi.evidence.known_runs import known_runs
    from roi.evidence.training_speed import find_calibrations
    from roi.report.serving.size import size_json, size_text
    from roi.resolution.resolution import resolve
    from roi.scenario.file import load_scenario
    from roi.store.profiles.lookup import load_profiles, profile_folders

    if not math.isfinite(times):
        raise click.UsageError(f"--times: {times} is not usable; a number above 0")
    if times != 1.0 and trace is None:
        raise click.UsageError("--times speeds up a trace; give --trace, or --set workload.requests_per_day=...")
    if figure is not None:
        from roi.report.serving.size_figure import check_figure

        check_figure(figure)
    check_folder(output)
    scenario = load_scenario(file, overrides, part)
    arrivals = None if trace is None else open_trace(trace)
    folders = profile_folders(profiles)
    store = load_profiles(folders, kinds={"dry-run", "train", "serve"})
    calibrations, unread = find_calibrations(folders)
    for path, reason in (*store.damaged, *unread):
        click.echo(f"roi: {path} is left out: {reason}", err=True)
    known = known_runs(store, calibrations)
    resolved = resolve(scenario, known)
    for warning in resolved.warnings:
        if warning.startswith(("profile ", "serving speed")):
            click.echo(f"roi: {warning}", err=True)
    with _status() as say:
        sizing = size_service(scenario, resolved.case, known, model, arrivals, times, say)
    if figure is not None:
        from roi.report.serving.size_figure import write_figure

        write_figure(sizing, figure)
        click.echo(f"roi: {figure} shows cost against latency", err=True)
    if file is None:
        click.echo(f"roi: no FILE given: the bundled scenario, {scenario.title!r}", err=True)
    text = size_json(sizing) if form == "json" else size_text(sizing, form)
    if output is None and form == "table" and "utf" not in (sys.stdout.encoding or "").lower():
        text = text.encode("ascii", errors="replace").decode()
    write(text, output)


@contextmanager
def _status() -> Iterator[Callable[[str], None] | None]:
    """Where a person watches, the line that says what is being done; else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update
