"""`roi profile train`: a short real training run on the device at hand."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roi.errors import RoiError

if TYPE_CHECKING:
    from roi.estimate.training.plan import Attend, Dtype, Method, Optimizer, Trainer


@click.command(short_help="A short real training run: step time, memory, power.")
@click.argument("model", required=False)
@click.option("--method", default="lora", show_default=True, help="full, lora, rslora, dora, qlora, qdora or lora-int8.")
@click.option("--rank", type=int, default=16, show_default=True, help="Rank of the adapter.")
@click.option("--targets", default="all-linear", show_default=True, help="all-linear, attention, qv, or names with commas.")
@click.option("--dtype", help="bf16, fp16 or fp32: unquantised weights and compute.  [default: bf16; fp32 on a CPU]")
@click.option("--optimizer", default="adamw", show_default=True, help="adamw, adamw-bf16, adamw-8bit, paged-adamw-8bit.")
@click.option("--attention", default="sdpa", show_default=True, help="sdpa, flash or eager.")
@click.option("--checkpointing/--no-checkpointing", default=True, show_default=True, help="Gradient checkpointing.")
@click.option("--dropout", type=float, default=0.0, show_default=True, help="LoRA dropout.")
@click.option("--double-quant/--no-double-quant", default=True, show_default=True, help="Quantise the NF4 scales too.")
@click.option("--trainer", default="plain", show_default=True, help="plain loop, hf (Trainer) or trl (SFTTrainer).")
@click.option("--autocast/--no-autocast", default=None,
              help="Under torch.autocast.  [default: with hf and trl, unless dtype is fp32]")
@click.option("--micro-batch", default="1,2,4", show_default=True, help="Sequences in one forward pass, with commas.")
@click.option("--seq", help="Tokens of a sequence, with commas.  [default: 512,1024,2048; 64,128,256 on a CPU]")
@click.option("--budget", default="120s", show_default=True, help="Time for stepping; building the model comes on top.")
@click.option("--device", help="cuda or cpu.  [default: cuda where there is one]")
@click.option("--layers", type=int, help="Keep this many layers: a smaller model, named so.")
@click.option("--shrink", type=int, default=1, help="Divide every width by this: a smaller model, named so.")
@click.option("--find-largest/--no-find-largest", default=True, show_default=True, help="Search the largest micro-batch (GPU).")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of weights and tokens.")
@click.option("--weights", type=click.Path(path_type=Path), help="Folder of real weights; else they are drawn at random.")
@click.option("--force", is_flag=True, help="Run although other processes use the GPU.")
@click.option("--output", type=click.Path(path_type=Path), help="File for the profile.  [default: a dated one in --profiles]")
@click.option("--profiles", type=click.Path(path_type=Path), help="Folder of profiles.  [default: ./profiles, else the user's]")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="How to print.")
def train(
    *, model: str | None, method: "Method", rank: int, targets: str, dtype: "Dtype | None", optimizer: "Optimizer",
    attention: "Attend", checkpointing: bool, dropout: float, double_quant: bool, trainer: "Trainer", autocast: bool | None,
    micro_batch: str, seq: str | None, budget: str, device: str | None, layers: int | None, shrink: int,
    find_largest: bool, seed: int, weights: Path | None, force: bool, output: Path | None, profiles: Path | None, form: str,
) -> None:
    """Train MODEL for a short time and keep what was measured.

    MODEL is a name of the catalog, or a folder (or file) with a config.json. Weights are drawn at random from its shape:
    nothing is downloaded. On a CPU without MODEL a model of 3.5 million parameters trains.
    """
    from roi.cli.profile_words import MOST_SEQUENCES, check_new, leave_if_stopped, read_counts, read_seconds

    batches, seconds = read_counts(micro_batch, "--micro-batch", MOST_SEQUENCES), read_seconds(budget, "--budget")
    asked_lengths = read_counts(seq, "--seq") if seq is not None else None
    check_new(output, profiles)

    from roi.catalog.cards.gpus import find_gpu  # after the checks: torch takes seconds to import
    from roi.cli.output import write
    from roi.estimate.training.plan import TrainingPlan
    from roi.profiling.choose_model import choose_model
    from roi.profiling.host.this_machine import claim_board, pick_device, read_environment
    from roi.profiling.progress import show_progress
    from roi.profiling.stops import catch_stops
    from roi.profiling.train.short_run import profile_train
    from roi.profiling.train.train_request import TrainRequest, check_possible, closed_form
    from roi.report.profiles.profile_train import train_json, train_text
    from roi.report.profiles.shared_remarks import kept
    from roi.store.profiles.lookup import save_profile

    where = pick_device(device)
    chosen = choose_model(model, weights, where, layers, shrink)
    lengths = asked_lengths or ((64, 128, 256) if where == "cpu" else (512, 1024, 2048))
    stored: Dtype = dtype or ("fp32" if where == "cpu" else "bf16")
    plan = TrainingPlan(
        method=method, rank=rank, targets=targets, micro_batch=batches[0], seq=lengths[0], checkpointing=checkpointing,
        dtype=stored, attention=attention, optimizer=optimizer, dropout=dropout, double_quant=double_quant, trainer=trainer,
        autocast=autocast if autocast is not None else trainer != "plain" and stored != "fp32",
        padded=False,  # every sequence is full
    )
    chosen = closed_form(chosen, plan)
    board, notes = claim_board(where, force=force)
    environment = read_environment(where, seed, board)
    gpu = find_gpu(environment.gpu) if environment.gpu else None
    request = TrainRequest(
        model=chosen.name, config=chosen.config, plan=plan, points=tuple((b, t) for b in batches for t in lengths),
        device=where, budget_s=seconds, seed=seed, shape=chosen.shape, gpu=gpu, weights=weights, find_largest=find_largest,
        shrunk=chosen.shrunk,
    )
    check_possible(request)
    with catch_stops() as stops:
        with show_progress(sys.stderr) as watcher:
            run = profile_train(request, environment, board, watcher, stops)
        measured = run.profile.model_copy(update={"notes": (*chosen.notes, *notes, *run.profile.notes)})

        def tell(file: Path | None) -> None:
            write(train_json(measured) if form == "json" else train_text(measured, chosen.shape, gpu, file))

        try:
            file = save_profile(measured, profiles, output)
        except RoiError:
            tell(None)  # minutes of measurement: shown at least
            raise
        tell(file)
        if form == "json":
            click.echo(kept(file), err=True)
        leave_if_stopped(stops, interrupted=run.interrupted)
