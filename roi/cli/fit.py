"""`roi fit`: what a training plan needs, on which GPU it fits, how long it takes and what it costs."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from roi.estimate.plan import Attend, Dtype, Method, Optimizer


@click.command(short_help="What fits on which GPU: memory, training hours, USD.")
@click.argument("model")
@click.option("--method", default="lora", show_default=True, help="full, lora, rslora, dora, qlora or qdora.")
@click.option("--rank", type=int, default=16, show_default=True, help="Rank of the adapter.")
@click.option("--targets", default="all-linear", show_default=True, help="all-linear, attention, qv, or names with commas.")
@click.option("--micro-batch", type=int, default=1, show_default=True, help="Sequences in one forward pass on one GPU.")
@click.option("--seq", type=int, default=2048, show_default=True, help="Tokens of the longest sequence.")
@click.option("--checkpointing/--no-checkpointing", default=True, show_default=True, help="Gradient checkpointing.")
@click.option("--dtype", default="bf16", show_default=True, help="bf16, fp16 or fp32: unquantised weights and compute.")
@click.option("--optimizer", default="adamw", show_default=True, help="adamw, adamw-bf16, adamw-8bit, paged-adamw-8bit.")
@click.option("--attention", default="sdpa", show_default=True, help="sdpa, flash or eager.")
@click.option("--dropout", type=float, default=0.0, show_default=True, help="LoRA dropout.")
@click.option("--double-quant/--no-double-quant", default=True, show_default=True, help="Quantise the NF4 scales too.")
@click.option("--logits-kept/--no-logits-kept", default=False, show_default=True,
              help="The loop holds the logits through backward (custom loops, TRL).")
@click.option("--autocast/--no-autocast", default=False, show_default=True,
              help="Under torch.autocast (HF Trainer with bf16=True): products in dtype; time only.")
@click.option("--accumulation", type=int, default=1, show_default=True, help="Micro-steps in one optimizer step.")
@click.option("--examples", type=float, help="Examples of one epoch; with it come hours and USD.")
@click.option("--tokens-per-example", type=float, help="Mean tokens of an example.  [default: --seq]")
@click.option("--epochs", type=float, default=1.0, show_default=True, help="Passes over the examples.")
@click.option("--gpu", default="all", show_default=True, help="all, or names with commas.")
@click.option("--gpus", type=int, default=1, show_default=True, help="GPUs of a data-parallel job.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Date of the prices.  [default: today]")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True,
              help="How to print.")
def fit(
    *, model: str, method: "Method", rank: int, targets: str, micro_batch: int, seq: int, checkpointing: bool,
    dtype: "Dtype", optimizer: "Optimizer", attention: "Attend", dropout: float, double_quant: bool,
    logits_kept: bool, autocast: bool, accumulation: int, examples: float | None, tokens_per_example: float | None,
    epochs: float, gpu: str, gpus: int, as_of: datetime | None, form: str,
) -> None:
    """Print what training MODEL needs and on which GPUs it fits.

    MODEL is a name of the catalog (llama-3.1-8b) or of the Hub.
    """
    from roi.catalog.efficiencies import training_efficiencies
    from roi.catalog.gpus import find_gpu, load_gpus
    from roi.catalog.models import find_model
    from roi.catalog.rentals import rental_offers
    from roi.cli.output import write
    from roi.estimate.fit_report import TrainingSet, report_fit
    from roi.estimate.plan import TrainingPlan
    from roi.report.fit import fit_json, fit_markdown, fit_text

    shape = find_model(model, "MODEL")
    plan = TrainingPlan(
        method=method, rank=rank, targets=targets, micro_batch=micro_batch, seq=seq, checkpointing=checkpointing,
        dtype=dtype, attention=attention, optimizer=optimizer, dropout=dropout, double_quant=double_quant,
        logits_kept=logits_kept, autocast=autocast, accumulation=accumulation, gpus=gpus,
    )
    cards = load_gpus() if gpu == "all" else [find_gpu(name, "--gpu") for name in gpu.split(",")]
    known = training_efficiencies()
    mean = seq if tokens_per_example is None else tokens_per_example
    data = None if examples is None else TrainingSet(examples, mean, epochs)
    report = report_fit(
        shape, plan, cards, known.overhead(), known.step(), known.overall.spread(),
        rental_offers((as_of or datetime.now(tz=UTC)).date()), data,
    )
    write({"table": fit_text, "json": fit_json, "markdown": fit_markdown}[form](report))
