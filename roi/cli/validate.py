"""`roi validate`: every row of a table of measured runs, predicted and compared."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roi.estimate.accuracy.measured_run import MeasuredRun, NoPrediction, Prediction, Predictor
    from roi.store.tables.serving_table import ServingTable
    from roi.store.tables.training_table import RowTable

INSTRUMENTS = ("closed-form", "dry-run")


@click.command(short_help="Predictions against a table of measured training or serving runs.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--instrument", type=click.Choice(INSTRUMENTS), default="closed-form", show_default=True,
              help="What predicts memory of training: the formula, or the real training step on fake tensors (seconds a row).")
@click.option("--left-out", type=click.Choice(["model"]),
              help="Serving: predict each row from a fit of the table's other models.")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True,
              help="How to print.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file, whole or not at all.")
def validate(*, table: Path, instrument: str, left_out: str | None, form: str, output: Path | None) -> None:
    """Predict every row of TABLE, a CSV of measured runs, and print how far off the predictions are.

    TRAINING. Columns needed: id, model, gpu, method, rank, target_modules, quant, micro_batch, seq_len_max,
    gradient_checkpointing, peak_mem_gib, peak_mem_kind, tokens_per_s. Read where present: source, params_b, n_gpus,
    base_dtype, grad_accum, seq_len_mean, packing, attention_impl, optimizer, framework, samples_per_s, trainable_params,
    notes, and peak_mem_reserved_gib and peak_mem_process_gib (kinds beside the headline's). In place of defaults:
    lora_dropout, logits_kept, autocast, packed, padded, trainer, sharding, optimizer_state_dtype, double_quant.

    peak_mem_kind says what was measured (allocated, reserved, or process for nvidia-smi and NVML); like is compared with
    like.

    SERVING. A table with an engine column beside request lengths or latencies. Columns needed: model, gpu, engine, isl, osl
    (or input_tokens, output_len and the like), and one of req_per_s, output_tok_per_s, total_tok_per_s, ttft_ms, tpot_ms. Read
    where present: id, params_b, n_gpus, tp,
    precision, engine_version, date, scenario, concurrency, ttft_stat, tpot_stat, lora, notes. scenario says what the load was:
    a static batch, a closed loop, a rate, or offline, and may hold the number in flight ("conc=64"). n_gpus are all GPUs:
    8 at tp 2 are 4 replicas. A row with a cell that is not certain ("~500") is skipped with column, value and reason. Rows
    stand apart whose notes say IMPLAUSIBLE, or whose figures break Little's law or are five times beyond the roofline.

    Commas, semicolons, tabs or bars between cells; decimal points. Other columns are ignored.
    """
    from roi.cli.output import write
    from roi.errors import InputError
    from roi.store.tables.either_table import read_validation_table
    from roi.store.tables.training_table import RowTable

    found = read_validation_table(table)
    if isinstance(found, RowTable):
        if left_out is not None:
            raise InputError(f"--left-out {left_out}: for tables of serving runs; {table} is one of training runs")
        write(training_answer(table, found, instrument, form), output)
    else:
        if instrument != INSTRUMENTS[0]:
            raise InputError(f"--instrument {instrument}: for memory of training; {table} is a table of serving runs")
        write(serving_answer(table, found, left_out, form), output)


def training_answer(table: Path, rows: "RowTable", instrument: str, form: str) -> str:
    """The report on a table of training runs."""
    from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
    from roi.errors import InputError
    from roi.estimate.accuracy.closed_form import throughput_predictor
    from roi.estimate.accuracy.training_errors import validate_runs
    from roi.report.training.training_validation import validation_json, validation_text

    if not rows.runs:
        raise InputError(f"TABLE: {table}: no row of {rows.rows} could be used; {reasons(rows.skipped)}")
    known = training_efficiencies()
    memory = memory_instrument(instrument)
    if instrument == "dry-run" and sys.stderr.isatty():
        memory = announced(memory, len(rows.runs))
    found = validate_runs(rows.runs, rows.labels, rows.skipped, memory,
                          throughput_predictor(known.step(), known.overall.spread()), rows.second, rows.unread)
    told = (found, instrument, known.speed_basis())
    return validation_json(*told) if form == "json" else validation_text(*told, form)


def serving_answer(table: Path, rows: "ServingTable", left_out: str | None, form: str) -> str:
    """The report on a table of serving runs."""
    from roi.errors import InputError
    from roi.estimate.accuracy.serving_errors import validate_serving
    from roi.evidence.serving_speed import serving_evidence, without_its_model
    from roi.report.serving.serving_validation import serving_validation_json, serving_validation_text

    if not rows.runs:
        raise InputError(f"TABLE: {table}: no row of {len(rows.labels)} could be used; {reasons(rows.skipped)}")
    evidence = serving_evidence if left_out is None else without_its_model(rows.runs)
    found = validate_serving(rows.runs, rows.labels, rows.skipped, evidence, left_out or "", rows.unread)
    return serving_validation_json(found) if form == "json" else serving_validation_text(found, form)


def reasons(skipped: "Sequence[tuple[str, str]]") -> str:
    """The first rows' ids with why they were skipped, in one line."""
    told = "; ".join(f"row {id!r}, {reason}" for id, reason in skipped[:3])
    return told + (f"; and {len(skipped) - 3} more" if len(skipped) > 3 else "")


def announced(predict: "Predictor", total: int) -> "Predictor":
    """The predictor, which says on stderr how far it is; a dry run takes seconds, and rows of the same plan share one."""
    seen: set[str] = set()

    def predict_and_say(run: "MeasuredRun") -> "Prediction | NoPrediction":
        seen.add(run.id)
        click.echo(f"\rdry runs: row {len(seen)} of at most {total}", nl=len(seen) == total, err=True)
        return predict(run)

    return predict_and_say


def memory_instrument(name: str) -> "Predictor":
    """The predictor of peak memory with this name."""
    from roi.catalog.efficiencies.training_efficiencies import training_efficiencies

    overhead = training_efficiencies().overhead()
    if name == "dry-run":
        from roi.profiling.dry.dry_predictor import dry_run_predictor

        return dry_run_predictor(overhead)
    from roi.estimate.accuracy.closed_form import memory_predictor

    return memory_predictor(overhead)
