"""`roi size`: the fewest replicas that keep the SLO at the peak, and what that costs."""

from pathlib import Path
from typing import Any

import click

from roi.cli import options as shared


@click.command()
@shared.scenario_options
@click.option("--model", help="Which self-hosted model of the scenario.  [default: the first that some plan holds]")
@click.option("--trace", type=shared.PATH,
              help="Replay these arrivals and lengths: CSV or Parquet of roi usage --trace, or a public Azure trace.")
@click.option("--times", type=shared.Number(min=0, min_open=True), default=1.0, show_default=True,
              help="The trace this many times as fast.")
@shared.cache_option
@shared.full_option
@shared.written_options("table", "json", "markdown")
@shared.html_option
def size(
    *, file: Path | None, trace: Path | None, times: float, full: bool, form: str, output: Path | None, html: Path | None,
    **asked: Any,  # Any: options that `size_file` takes
) -> None:
    """Size the fleet of a self-hosted model for the scenario in FILE (without it: roi.yaml, else the bundled one).

    It needs the fewest replicas that keep the SLO at the peak with serving.headroom kept free; spares come on top. Every plan's
    replicas are replayed at the peak: continuous batching, KV limit, chunked prefill, a router that picks the
    emptiest replica. Capacity and spread are those that `roi compare` uses.
    """
    from roi.answers.size import size_file
    from roi.cli.output import check_targets, write_answer, write_page
    from roi.report.serving.size import size_blocks, size_json

    if times != 1.0 and trace is None:
        raise click.UsageError("--times speeds up a trace; give --trace, or --set workload.requests_per_day=...")
    check_targets()
    file, shown = shared.scenario_here(file), full or form == "json" or html is not None
    with shared.watched() as status:
        sizing = size_file(file, trace=trace, times=times, tell=shared.tell, status=status, frontier=shown, **asked)
    if html is not None:
        from roi.report.serving.size_page import size_page

        write_page(size_page(sizing), html)
    if file is None:
        shared.tell(f"no FILE given: the bundled scenario, {sizing.title!r}")
    write_answer(lambda: size_json(sizing), lambda: size_blocks(sizing, full=full), form, output)
