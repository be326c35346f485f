"""`roi quality`: is a system good enough, and how sure is that, from results per item and system."""

from datetime import date as Date
from pathlib import Path

import click

from roi.cli.options import PATH, YAML, Number, format_option, page_options, pairs_of, read_day, tell
from roi.errors import InputError


@click.command()
@click.argument("files", nargs=-1)
@click.option("--incumbent", metavar="SYSTEM", help="The system that is paid today, as the files (or --system) call it.")
@click.option("--bar", "bar_given", metavar="SHARE[@DATE]", help="Lowest score that is acceptable, and the day it was fixed.")
@click.option("--margin", type=Number(0, 1), default=0.02, show_default=True,
              help="How much worse than the incumbent is still as good.")
@click.option("--metric", "metric_given", metavar="NAME[@DATE]", help="Which score, and the day it was fixed.")
@click.option("--filter", "named_filter", metavar="NAME", help="Which filter, where a file has several.")
@click.option("--system", "systems", multiple=True, metavar="OLD=NEW",
              help="What a system of the files, or a file without one, is called in the scenario.")
@click.option("--map", "columns_given", multiple=True, metavar="WHAT=COLUMN",
              help="A column of your own table: item, system, score (or one a system), cluster, weight, run, escalated.")
@click.option("--scale", metavar="LOW..HIGH", help="From where to where scores go, where not from 0 to 1: 1..5.")
@click.option("--right-from", type=Number(-1e9, 1e9), metavar="SCORE", help="Lowest score of a right answer; others are wrong.")
@click.option("--word", "words_given", multiple=True, metavar="WORD=SCORE",
              help="What a word of a score counts, such as partial=0.5, as the files write scores.")
@click.option("--cascade", "cascades", multiple=True, metavar="FIRST,SECOND",
              help="Score FIRST's answers, SECOND's where a column escalated says so; left out = to the incumbent.")
@click.option("--repeats", is_flag=True, help="An item that occurs twice for a system is a repeated run.")
@click.option("--unscored", type=click.Choice(("left-out", "wrong")), default="left-out", show_default=True,
              help="What an item without a score is, as of a call or a judge that failed.")
@click.option("--training", type=PATH, help="Ids of the training examples, one a line, or JSON lines with an id.")
@click.option("--strict", is_flag=True, help="Refuse where a row is left out or an item has no pair.")
@format_option("table", "json", "markdown")
@click.option("--output", type=YAML, help="Write scores and rates as YAML, for compare --quality; records bar and metric.")
@page_options
def quality(
    *, files: tuple[str, ...], incumbent: str | None, bar_given: str | None, margin: float, metric_given: str | None,
    named_filter: str | None, systems: tuple[str, ...], columns_given: tuple[str, ...], cascades: tuple[str, ...],
    words_given: tuple[str, ...], scale: str | None, right_from: float | None, repeats: bool, unscored: str,
    training: Path | None, strict: bool, form: str, output: Path | None, html: Path | None,
) -> None:
    """What FILES, results per item and system, say of each system: folders and globs too.

    Read are JSON lines and CSV with id, system and score, promptfoo results, lm-evaluation-harness samples, Inspect logs (.eval
    needs the extra "quality") and Langfuse scores. Prompts and answers are never read.
    """
    from roi.answers.quality import QualityQuestion, answer_quality
    from roi.cli.output import check_replaced, check_targets, put, write_answer, write_page
    from roi.clock import today
    from roi.quality.result_files import find_files
    from roi.quality.result_rows import Asked, read_scale, scores_of
    from roi.report.quality.quality import quality_blocks, quality_json
    from roi.scenario.yaml import QUALITY_PART

    check_targets(find_files(files))
    known = output is not None and check_replaced(output, QUALITY_PART.partition("/")[0])
    bar, bar_on = _dated(bar_given, "--bar")
    metric, metric_on = _dated(metric_given, "--metric")
    if metric is not None and not metric.strip():
        raise InputError(f"--metric: {metric_given!r} names no score")
    asked = Asked(metric=metric, filter=named_filter, columns=pairs_of(columns_given, "--map", "item=COLUMN"), repeats=repeats,
                  unscored_wrong=unscored == "wrong", scale=None if scale is None else read_scale(scale), right_from=right_from,
                  words=scores_of(pairs_of(words_given, "--word", "WORD=SCORE")),
                  systems=pairs_of(systems, "--system", "OLD=NEW"))
    answer = answer_quality(QualityQuestion(
        files=files, asked=asked, incumbent=incumbent, bar=_share(bar, asked.scale), bar_on=bar_on, metric_on=metric_on,
        margin=margin, cascades=pairs_of(cascades, "--cascade", "FIRST,SECOND", ","), training=training, strict=strict,
        earlier=output if known else None), today())
    if output is not None:
        tell(f"{put(output, answer.part)}; next: roi compare my.yaml --quality {output}")
    if html is not None:
        from roi.report.quality.quality_page import quality_page

        write_page(quality_page(answer), html)
    write_answer(lambda: quality_json(answer), lambda: quality_blocks(answer), form)


def _dated(given: str | None, option: str) -> tuple[str | None, Date | None]:
    """(what, the day behind an @)."""
    if given is None:
        return None, None
    what, at, day = given.rpartition("@")
    if not at:
        return given, None
    return what, read_day(day, option)


def _share(given: str | None, scale: tuple[float, float] | None) -> float | None:
    if given is None:
        return None
    try:
        share = float(given.removesuffix("%"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1 or given.endswith("%"):
        meant = "; percent? divide it by 100" if 1 < share <= 100 or given.endswith("%") else ""
        if scale is not None and 1 < share <= scale[1] and share >= scale[0]:
            way = (share - scale[0]) / (scale[1] - scale[0])
            meant = f"; as a share of the way from {scale[0]:g} to {scale[1]:g}: {way:.4g}"
        raise InputError(f"--bar: {given[:40]!r} is not usable; a share of right answers, 0 to 1{meant}")
    return share
