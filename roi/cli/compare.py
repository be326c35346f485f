"""`roi compare`: every option's cost, payback and risk; the verdict and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from roi.cli import options as shared
from roi.errors import InputError


@click.command()
@shared.scenario_options
@shared.quality_option
@shared.written_options("table", "json", "markdown", "jsonl")
@shared.html_option
@shared.redact_option
@click.option("--xlsx", type=shared.BOOK,
              help="Write a workbook with live formulas to this file too; needs the extra `report`.")
@click.option("--csv", "folder", type=shared.PATH,
              help="Write options, months, lines, facts and drivers as CSV into this folder too.")
@click.option("--explain", metavar="OPTION",
              help="How one option's figures come about (its id, its kind, or a part of its name).")
@shared.full_option
@shared.draws_options
@shared.cache_option
def compare(
    *, file: Path | None, form: str, output: Path | None, html: Path | None, redact: bool, xlsx: Path | None,
    folder: Path | None, explain: str | None, full: bool,
    **asked: Any,  # Any: options that `compare_file` takes
) -> None:
    """Compare every option of the scenario in FILE.

    FILE is a scenario (YAML) or a saved comparison (JSON), which is replayed from its own facts. Without FILE the folder's
    roi.yaml is taken, else the bundled scenario. The answer takes one screen: what to do now, what to measure then, what not
    to do yet, and how sure that is.

    FILE may be a folder: --format jsonl prints a line for each scenario in it, by name. A line holds the file's name and its
    comparison, or why there is none; where one has none the exit code is 2, after the last line.
    """
    if form == "jsonl" or (file is not None and file.is_dir()):
        shown_one = {"--html": html, "--xlsx": xlsx, "--csv": folder, "--explain": explain, "--full": full or None}
        other = next((name for name, x in shown_one.items() if x is not None), None)
        _compare_folder(file, form, output, asked, other)
        return
    from roi.answers.compare import compare_file
    from roi.cli.output import check_replaced, check_targets, columns, in_colour, kind_of, write, write_page
    from roi.disk import replace_file, replace_in_folder
    from roi.report.comparison.options_table import find_option
    from roi.report.comparison.screen import comparison_text

    _check_redacted(html, xlsx, folder, redact=redact)
    made = []
    if folder is not None:
        from roi.report.comparison.tables import TABLE_FILES

        made = [("--csv", folder / name) for name in TABLE_FILES]
    check_targets(made=made)
    file = shared.scenario_here(file)
    found = compare_file(file, tell=shared.tell, **asked)
    shown = None if explain is None else find_option(found.comparison, explain)
    if form == "json":
        from roi.report.comparison.answer_json import comparison_json

        text = comparison_json(found.comparison, scenario=found.scenario, warnings=found.warnings)
    else:
        text = comparison_text(found.comparison, found.warnings, shown, form, full=full, colour=in_colour(output),
                               width=columns(output))
    if output is not None:
        check_replaced(output, kind_of(text))
    if html is not None:
        from roi.report.comparison_page import comparison_page
        from roi.report.redaction import wage_left

        write_page(comparison_page(found.comparison, found.warnings, scenario=found.scenario, redact=redact), html)
        if redact and (left := wage_left(found.comparison)):
            shared.tell(left)
    if xlsx is not None:
        from roi.report.workbook.book import comparison_workbook

        replace_file(xlsx, comparison_workbook(found.comparison), "--xlsx", fresh=not shared.forced())
        shared.tell(f"wrote {xlsx}")
    if folder is not None:
        from roi.report.comparison.tables import csv_files

        replace_in_folder(folder, csv_files(found.comparison), "--csv", fresh=not shared.forced())
        shared.tell(f"wrote {', '.join(path.name for _, path in made)} in {folder}")
    if found.note:
        shared.tell(found.note)
    write(text, output)


def _compare_folder(folder: Path | None, form: str, output: Path | None, asked: dict[str, Any], other: str | None) -> None:
    """Print a line for every scenario in the folder; leave with 2 where one of them could not be compared."""
    shared.collect_often()
    from roi.answers.folder import Compared, compare_folder, scenario_files
    from roi.cli.output import check_replaced, check_targets, write_lines
    from roi.report.comparison.answer_json import comparison_line, folder_line

    if folder is None or not folder.is_dir():
        raise InputError("--format jsonl: is for a folder of scenarios" + (f"; {folder} is none" if folder else ""))
    if form != "jsonl":
        raise InputError(f"{folder}: a directory; give a file, or --format jsonl for every scenario in it")
    if other is not None:
        raise InputError(f"{other}: shows one comparison; {folder} is a folder")
    check_targets(scenario_files(folder))
    older = output is not None and check_replaced(output, "a folder's comparisons")
    failed: list[Compared] = []

    def lines() -> Iterator[str]:
        for found in compare_folder(folder, comparison_line, **asked):
            if found.error is not None:
                failed.append(found)
            yield folder_line(found)

    write_lines(lines(), output, older=older)
    if failed:
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise InputError(f"{folder}: {failed[0].file} could not be compared{more}: {failed[0].error}")


def _check_redacted(html: Path | None, xlsx: Path | None, folder: Path | None, *, redact: bool) -> None:
    """InputError where --redact would hide nothing, or not all."""
    if redact and html is None:
        raise InputError("--redact: without effect here: it leaves rates, wages and names out of --html")
    if redact and (xlsx or folder):
        beside = "--xlsx" if xlsx else "--csv"
        raise InputError(f"--redact: what it hides in the page would stand in {beside}; write them apart")
