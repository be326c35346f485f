"""`roi profile train`: a short real training run on the device at hand."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roi.cli import profile_options as shared
from roi.cli.options import as_options, method_option, optimizer_option
from roi.errors import InputError

if TYPE_CHECKING:
    from roi.estimate.training.plan import Dtype, Trainer
    from roi.facts.gpu import Gpu
    from roi.facts.profiles import TrainProfile
    from roi.profiling.session import Session


@click.command()
@click.argument("model", required=False)
@method_option(help="full, lora, rslora, dora, qlora, qdora, lora-int8, or a peft_type of peft (ia3, loha).")
@shared.rank_option
@click.option("--targets", default="all-linear", show_default=True, help="all-linear, attention, qv, or names with commas.")
@click.option("--dtype", help="bf16, fp16 or fp32: unquantised weights and compute.  [default: bf16; fp32 on a CPU]")
@optimizer_option(help="adamw, adamw-fused, adamw-bf16, adamw-8bit, paged-adamw (fp32 states), paged-adamw-8bit.")
@click.option("--attention", default="sdpa", show_default=True,
              help="sdpa, sdpa-flash, sdpa-cudnn, sdpa-efficient, sdpa-math, flash, flash3 or eager.")
@click.option("--kernels", default="none", show_default=True, help="none, or liger: fused norms, SwiGLU and loss (GPU).")
@click.option("--compile/--no-compile", "compiled", default=False, show_default=True, help="Steps under torch.compile.")
@click.option("--checkpointing/--no-checkpointing", default=True, show_default=True, help="Gradient checkpointing.")
@click.option("--dropout", type=float, default=0.0, show_default=True, help="LoRA dropout.")
@click.option("--double-quant/--no-double-quant", default=True, show_default=True, help="Quantise the NF4 scales too.")
@click.option("--trainer", help="hf (Trainer), trl (SFTTrainer) or a plain loop.  [default: hf; plain on several cards]")
@click.option("--autocast/--no-autocast", default=None,
              help="Under torch.autocast.  [default: with hf and trl, unless dtype is fp32]")
@shared.sequences_option("--micro-batch", default="1,4", help="Sequences in one forward pass, with commas.")
@shared.counts_option("--seq", help="Tokens of a sequence, with commas.  [default: 512,2048; 64,256 on a CPU]")
@click.option("--accumulation", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="Micro-steps in one optimizer step.")
@shared.file_option("--lengths", metavar="FILE",
                    help="Batches of real lengths: one number of tokens a line, or a trace (--seq cuts them).")
@click.option("--packing", is_flag=True, help="With --lengths: several examples in a row, in place of padding.")
@shared.seconds_option("--budget", default="120s", help="Time for stepping, at most 50 timed steps a size; building the "
                       "model, and compiling it, come on top.")
@click.option("--gpus", type=click.IntRange(1), default=1, show_default=True,
              help="Cards of one machine, a process each; on a CPU processes.")
@click.option("--sharding", default="none", show_default=True, help="Over the cards: none (a replica each, DDP) or fsdp.")
@shared.device_option
@click.option("--find-largest/--no-find-largest", default=True, show_default=True, help="Search the largest micro-batch (GPU).")
@shared.model_options
@shared.keep_options
def train(
    *, model: str | None, dtype: "Dtype | None", compiled: bool, trainer: "Trainer | None", autocast: bool | None,
    micro_batch: tuple[int, ...], seq: tuple[int, ...], lengths: Path | None, packing: bool, budget: float, gpus: int,
    device: str | None, layers: int | None, shrink: int, find_largest: bool, seed: int, weights: Path | None, force: bool,
    keep: shared.Keep,
    **fields: Any,  # Any: those of a TrainingPlan
) -> None:
    """Train MODEL for a short time and keep what was measured.

    MODEL is a name of the catalog, or a folder (or file) with a config.json. Weights are drawn at random from its shape:
    nothing is downloaded. On a CPU without MODEL a model of 3.5 million parameters trains.
    """
    from roi.catalog.models.configs import context_tokens
    from roi.estimate.training.plan import TrainingPlan
    from roi.profiling.board import no_driver
    from roi.profiling.model_to_build import choose_model_to_build
    from roi.profiling.train.refused import check_options, closed_form

    if packing and lengths is None:
        raise InputError("--packing: packs examples of real lengths; which? --lengths FILE")
    examples: tuple[int, ...] = ()
    if lengths is not None:
        from roi.answers.opening import open_lengths  # which a run without lengths would wait for

        examples = open_lengths(lengths, "--lengths")
    chosen = choose_model_to_build(model, weights, device or "cpu", layers, shrink)
    longest = (min(max(examples), context_tokens(chosen.config) or max(examples)),) if examples else ()
    loop: Trainer = trainer or ("hf" if gpus == 1 else "plain")

    def planned(where: str | None) -> tuple[TrainingPlan, tuple[int, ...]]:
        """The plan on this device, and the lengths of its rows."""
        stored: Dtype = dtype or ("fp32" if where == "cpu" else "bf16")
        rows = seq or longest or ((64, 256) if where == "cpu" else (512, 2048))
        with as_options(click.get_current_context()):
            return TrainingPlan(
                micro_batch=micro_batch[0], seq=rows[0], dtype=stored, trainer=loop, gpus=gpus, packed=packing,
                autocast=autocast if autocast is not None else loop != "plain" and stored != "fp32",
                padded=bool(examples) and not packing,  # without lengths every sequence is full
                **fields,
            ), rows

    sure = device or ("cpu" if no_driver() else None)
    first, _ = planned(sure)
    with as_options(click.get_current_context()):
        check_options(first, closed_form(chosen, first), seq or (1,), sure, compiled=compiled, lengths=bool(examples))

    from roi.evidence.training_speed import best_product
    from roi.profiling.session import open_session, pick_device  # after the checks: torch takes seconds to import
    from roi.profiling.train.possible import check_possible
    from roi.profiling.train.short_run import TrainRequest, profile_train
    from roi.report.profiles.profile_train import train_json, train_text
    from roi.store.profiles.lookup import load_profiles
    from roi.store.profiles.places import folders_beside

    where = pick_device(device)
    if model is None:
        choose_model_to_build(model, weights, where)  # a CPU alone has a model of its own
    plan, rows = planned(where)
    chosen = closed_form(chosen, plan)
    session = open_session(where, seed, budget, force=force, notes=chosen.notes, profiles=keep.profiles)
    request = TrainRequest(chosen, plan, points=tuple((b, t) for b in micro_batch for t in rows), find_largest=find_largest,
                           compiled=compiled, lengths=examples)
    measure: Callable[[Session], TrainProfile] = partial(profile_train, request)
    if gpus > 1:
        from roi.profiling.train.several_cards import check_cards, profile_cards

        check_cards(request, where, force=force)
        measure = partial(profile_cards, request)
    check_possible(request, where)
    as_json = keep.form == "json"

    def tell(profile: "TrainProfile", gpu: "Gpu | None", file: Path | None) -> str:
        if as_json:
            return train_json(profile)
        devices = load_profiles(folders_beside(keep.profiles), kinds={"device"})
        reached = None if gpu is None else best_product(devices, gpu.id, plan.dtype)
        return train_text(profile, chosen.shape, gpu, file, reached)

    shared.measure_and_tell(session, keep, measure, tell, say_kept=as_json)
