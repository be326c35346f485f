"""`roi usage`: what was really spent, and the part of a scenario that it settles."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roi.cli import options as shared
from roi.cli.export_options import export_options

if TYPE_CHECKING:
    from roi.usage.read.record import FileOptions


@click.command()
@click.argument("files", nargs=-1)
@export_options
@click.option("--agents", is_flag=True,
              help="Read the sessions of coding agents on this machine: Claude Code, Codex CLI, Gemini CLI, OpenCode.")
@click.option("--names", is_flag=True, help="Their projects and sessions by name; left out = by pseudonyms.")
@click.option("--group-by", metavar="KIND",
              help="tag, prompt, key, user, project, session, model, hour, day, weekday, month (UTC); left out = the first"
                   " there is.")
@click.option("--exchange-rate", "rates", multiple=True, metavar="EUR=USD@DATE",
              help="What one unit of another currency was worth on a day, and until the next that is told; the first holds"
                   " before it too: EUR=1.08@2026-10-31.")
@click.option("--incumbent", metavar="PROVIDER/MODEL", help="Whose workload is wanted, where there are several.")
@click.option("--task", metavar="GROUP", help="Group whose workload is wanted; left out = the incumbent's whole.")
@click.option("--requests-per-day", type=shared.Count(0, 1e9, min_open=True),
              help="Requests of a mean day, where the export does not count them.")
@click.option("--bill", "bill_usd_per_month", type=shared.Count(0, 1e12, min_open=True), metavar="USD",
              help="The real bill of a month.")
@click.option("--scenario", type=shared.PATH, help="Scenario under which the groups are compared.")
@click.option("--tasks", "most", type=click.IntRange(0, 50), default=5, show_default=True,
              help="Groups to compare, the largest; 0 = none.")
@click.option("--without", multiple=True, metavar="DAY[..DAY]",
              help="Leave a day or a range of days (UTC) out of all of it, as that of a job which will not come again.")
@click.option("--strict", is_flag=True, help="Refuse where a row or a file is left out.")
@click.option("--backend", metavar="URL", help="Ibis URL of the database that holds the log; FILES is then one table's name.")
@shared.format_option("table", "json")
@click.option("--output", type=shared.YAML, help="Write workload, incumbent and bill as YAML, for compare --usage.")
@click.option("--trace", type=shared.FRESH, help="Write arrivals and lengths of the calls: .csv or .parquet.")
@shared.cache_option
@shared.page_options
def usage(
    *, files: tuple[str, ...], export: "Callable[..., FileOptions]", group_by: str | None, without: tuple[str, ...],
    scenario: Path | None, most: int, form: str, output: Path | None, cache: bool, html: Path | None,
    **asked: Any,  # Any: fields of a Question
) -> None:
    """What FILES say was spent: exports and logs, also folders, globs, gzip, and - for standard input.

    Read are the exports of OpenAI and Anthropic (usage and cost, CSV and API), answers of OpenAI's and Gemini's APIs,
    sessions of Claude Code, Codex CLI, Gemini CLI and OpenCode, LiteLLM, Langfuse, LangSmith, Phoenix, PostHog, spans of
    OpenTelemetry GenAI, OpenInference, the AI SDK and MLflow, AWS Bedrock logs (S3, CloudWatch), Azure's metrics and API
    Management's log, the bills of AWS, Azure and Google Cloud, OpenRouter, DeepSeek, Cursor, Helicone, Portkey, Cloudflare's
    AI Gateway, Databricks, Snowflake, FOCUS, public traces, and any CSV, JSON lines or Parquet with a time, input and output
    tokens, or with an answer's usage inside a line; a ZIP of them too. Prompts and answers are never read.
    """
    from roi import clock
    from roi.answers.usage import answer_usage
    from roi.cli.output import check_replaced, check_targets, put, write_answer, write_page
    from roi.report.usage.spend_json import usage_json
    from roi.report.usage.spend_report import usage_blocks
    from roi.scenario.yaml import PART_SCHEMA
    from roi.usage.measure.without import read_spans
    from roi.usage.summary import Question

    shared.collect_often()
    question = Question(files=files, options=export(group_by=group_by, today=clock.today()),
                        without=read_spans(without, "--without"), **asked)
    check_targets(_files_of(files))
    if output is not None:
        check_replaced(output, PART_SCHEMA.partition("/")[0])
    with shared.watched() as status:
        found = answer_usage(question, scenario=scenario, most=most, with_part=output is not None, tell=shared.tell,
                             status=status, cache=cache)
    if output is not None and found.part is not None:
        told = put(output, found.part)
        counted = found.spent.workload is not None and found.spent.workload.requests_per_day is not None
        shared.tell(f"{told}; next: roi compare my.yaml --usage {output}"
             + ("" if counted else ", where my.yaml states requests a day: the export does not; or --requests-per-day here"))
    if html is not None:
        from roi.report.usage.usage_page import usage_page

        write_page(usage_page(found.spent, found.tasks), html)
    write_answer(lambda: usage_json(found.spent, found.tasks), lambda: usage_blocks(found.spent, found.tasks), form)


def _files_of(arguments: tuple[str, ...]) -> list[Path]:
    """The files in the folders and globs among the arguments."""
    from roi.usage.read.files import find_files

    apart = [argument for argument in arguments if Path(argument).is_dir() or ("*" in argument and not Path(argument).exists())]
    return [file.path for argument in apart for file in find_files([argument]) if file.path is not None]
