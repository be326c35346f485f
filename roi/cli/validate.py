"""`roi validate`: every row of a table of measured runs, predicted and compared."""

import sys
from pathlib import Path

import click

from roi.cli.options import PATH, Choice, written_options

INSTRUMENTS = ("closed-form", "dry-run")


@click.command()
@click.argument("table", type=PATH)
@click.option("--instrument", type=Choice(INSTRUMENTS), default="closed-form", show_default=True,
              help="What predicts memory of training: the formula, or the real training step on fake tensors (seconds a row).")
@click.option("--strict", is_flag=True, help="Exit 2 where a row cannot be used, in place of skipping it.")
@written_options("table", "json", "markdown")
def validate(*, table: Path, instrument: str, strict: bool, form: str, output: Path | None) -> None:
    """Predict every row of TABLE, a CSV of measured runs, and print how far off the predictions are.

    docs/tables.md names the columns, and `roi schema --of training-table` and `--of serving-table` print them as JSON Schema.
    The columns say which kind a table is. A row with a cell that is not canonical is skipped, counted, and told with line,
    column, value and what is allowed.

    TRAINING needs model, method, micro_batch, seq_len_max, and of adapters rank and target_modules. Memory is compared with its
    like: peak_mem_kind says whether it is allocated, reserved, or that of the process (nvidia-smi and NVML).

    SERVING needs model, gpu, engine, load, isl, osl, and a rate or a latency. Rows stand apart that are marked implausible, or
    whose figures break Little's law, are five times beyond the roofline, or below 0.04 of the published speed.

    Commas, semicolons, tabs or bars between cells; decimal points.
    """
    from roi.answers.validate import validate_table
    from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
    from roi.cli.output import check_targets, write_answer
    from roi.estimate.accuracy.serving_errors import ServingValidation
    from roi.report.validate import serving_validation_blocks, serving_validation_json, validation_blocks, validation_json

    def announce(row: int, total: int) -> None:
        click.echo(f"\rdry runs: row {row} of at most {total}", nl=row == total, err=True)

    check_targets()
    found = validate_table(table, instrument, strict=strict, announce=announce if sys.stderr.isatty() else None)
    if isinstance(found, ServingValidation):
        write_answer(lambda: serving_validation_json(found), lambda: serving_validation_blocks(found), form, output)
        return
    told = (found, instrument, training_efficiencies().speed_basis())
    write_answer(lambda: validation_json(*told), lambda: validation_blocks(*told), form, output)

