"""`roi fit`: what a training plan needs, on which GPU it fits, how long it takes and what it costs."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from roi.cli.options import (
    PATH,
    Count,
    as_options,
    format_option,
    full_option,
    method_option,
    optimizer_option,
    page_options,
    tell,
)
from roi.errors import InputError, visible

NO_ADAPTER = "--method full trains every weight and has no adapter; leave it out, or take lora"
NO_HOURS = "hours and USD need --examples"


@click.command()
@click.argument("model")
@method_option(help="full, lora, rslora, dora, qlora, qdora, lora-int8, a peft_type of peft (ia3, loha), llama_adapter,"
                    " llama_adapter_v2 (--stack litgpt), houlsby, llamapro or lisa.")
@click.option("--rank", type=int, default=16, show_default=True,
              help="Rank of the adapter, or the size it has instead; LitGPT's, ms-swift's and LMFlow's have theirs.")
@click.option("--targets", default="all-linear", show_default=True,
              help="all-linear, attention, qv, or names with commas; embed_tokens,lm_head beside them: both trained whole.")
@click.option("--micro-batch", type=int, default=1, show_default=True, help="Sequences in one forward pass on one GPU.")
@click.option("--seq", type=int, default=2048, show_default=True, help="Tokens of the longest sequence; at most the context.")
@click.option("--checkpointing/--no-checkpointing", default=True, show_default=True, help="Gradient checkpointing.")
@click.option("--checkpoints", default="inputs", show_default=True,
              help="What checkpointing keeps of a layer: inputs, selective (attention, every other product), offloaded.")
@click.option("--dtype", default="bf16", show_default=True, help="bf16, fp16 or fp32: unquantised weights and compute.")
@optimizer_option(
              help="adamw, adamw-foreach (Trainers before torch 2.8), -fused, -bf16, -32bit, -8bit, -4bit,"
                   " paged-adamw(-8bit), galore-adamw(-8bit) and apollo-adamw (--method full, --rank their projection's),"
                   " adafactor, adam-mini, muon, lion(-32bit, -8bit), paged-lion(-8bit), sgd, sgd-momentum, sophia,"
                   " ademamix(-8bit), rmsprop, adagrad, lomo, adalomo; or as libraries write them (paged_adamw_8bit).")
@click.option("--attention", default="sdpa", show_default=True,
              help="sdpa (torch chooses), sdpa-flash, -cudnn, -efficient, -math, flash, flash1, flash3, eager.")
@click.option("--kernels", default="none", show_default=True, help="Fused kernels: none, fused (norms, loss) or liger.")
@click.option("--loss", default="fp32", show_default=True, help="Loss over fp32 logits, 16bit logits, split, or chunked.")
@click.option("--stack", default="transformers", show_default=True, help="transformers, litgpt, torchtune or torchtitan.")
@click.option("--split-experts", is_flag=True,
              help="Experts are modules, each quantised (transformers before 5); no adapter on routers, no dry run.")
@click.option("--dropout", type=float, default=0.0, show_default=True, help="LoRA dropout.")
@click.option("--double-quant/--no-double-quant", default=True, show_default=True, help="Quantise the NF4 scales too.")
@click.option("--trainer", default="hf", show_default=True,
              help="plain loop, hf (Trainer) or trl (SFTTrainer); sets the two below.")
@click.option("--logits-kept/--no-logits-kept", default=None, help="The loop holds the logits through backward.  [plain: yes]")
@click.option("--autocast/--no-autocast", default=None, help="Products of fp32 tensors run in --dtype.  [hf, trl: yes]")
@click.option("--packed/--no-packed", default=False, show_default=True, help="Several examples in one row.")
@click.option("--accumulation", type=int, default=1, show_default=True, help="Micro-steps in one optimizer step.")
@click.option("--examples", type=Count(), help="Examples of one epoch; with it come hours and USD.")
@click.option("--tokens-per-example", type=float, help="Mean tokens of an example.  [default: --seq]")
@click.option("--epochs", type=float, default=1.0, show_default=True, help="Passes over the examples.")
@click.option("--gpu", default="all", show_default=True, help="all, or names with commas.")
@click.option("--gpus", type=int, default=1, show_default=True, help="GPUs of a data-parallel job.")
@click.option("--sharding", default="none", show_default=True, help="What they share: none, zero1, zero2, zero3 or fsdp.")
@click.option("--offload", is_flag=True, help="What is sharded waits in the host's memory, and the optimizer runs there.")
@click.option("--dry-run", "dry", is_flag=True,
              help="Run the real training step on tensors without storage (needs torch, no GPU); kept among the profiles.")
@click.option("--profiles", multiple=True, type=PATH,
              help="Folder of profiles to search first; the first one keeps what --dry-run ran.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Date of the prices.  [default: today]")
@full_option
@format_option("table", "json", "markdown")
@page_options
def fit(
    *, model: str, logits_kept: bool | None, autocast: bool | None, examples: float | None,
    tokens_per_example: float | None, epochs: float, gpu: str, dry: bool, profiles: tuple[Path, ...], as_of: datetime | None,
    full: bool, form: str, html: Path | None,
    **fields: Any,  # Any: those of a TrainingPlan
) -> None:
    """Print the cheapest GPU that training MODEL fits on, its hours and USD; with --full all that is known.

    MODEL is a name of the catalog (llama-3.1-8b), the path of a config.json, or hub:owner/name[@revision], which alone opens
    the network: config.json and the headers of the weights are read. Memory is the best evidence at hand: a dry run of this
    plan among the profiles, else the closed form.
    """
    from roi import clock
    from roi.answers.fit import TrainingSet, fit_model
    from roi.catalog.efficiencies.stack_defaults import as_stack_does
    from roi.cli.output import check_targets, write_answer, write_page
    from roi.cli.profile_options import check_new
    from roi.estimate.training.plan import TrainingPlan
    from roi.estimate.training.stacks import trainer_habits
    from roi.report.training.fit import fit_blocks, fit_json

    check_options(click.get_current_context())
    if as_of is not None:
        from roi.scenario.template import check_day

        check_day(as_of.date(), "--as-of")
    check_targets()
    check_new(None, profiles[0] if dry and profiles else None)
    habits = trainer_habits(fields["trainer"], fields["dtype"])
    with as_options(click.get_current_context()):
        plan = TrainingPlan(logits_kept=habits.logits_kept if logits_kept is None else logits_kept,
                            autocast=habits.autocast if autocast is None else autocast, **fields)
    given = _given(click.get_current_context())
    plan = as_stack_does(plan, given)
    mean = fields["seq"] if tokens_per_example is None else tokens_per_example
    with as_options(click.get_current_context()):
        found = fit_model(model, plan, gpus=gpu, data=None if examples is None else TrainingSet(examples, mean, epochs),
                          day=clock.today() if as_of is None else as_of.date(), run_dry=dry, profiles=profiles, tell=tell,
                          cut="seq" not in given)
    if html is not None:
        from roi.report.training.fit_page import fit_page

        write_page(fit_page(found), html)
    write_answer(lambda: fit_json(found), lambda: fit_blocks(found, full=full), form)
    if found.kept:
        click.echo(visible(found.kept), err=True)


def _given(context: click.Context) -> set[str]:
    return {name for name in context.params
            if context.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)}


def check_options(context: click.Context) -> None:
    """Raise where an option was given that the others leave without effect; a value that is no choice is refused elsewhere."""
    from roi.estimate.training.peft_methods import TUNERS
    from roi.estimate.training.plan import DTYPE_BYTES, METHODS, TrainingPlan

    asked, given = context.params, _given(context)
    method = str(asked["method"])
    full, data = method == "full", asked["examples"] is not None
    nf4, tuner = method not in METHODS or TrainingPlan(method=method).quantised, TUNERS.get(method)
    sizeless, whole = tuner is not None and not tuner.size, tuner is not None and tuner.family == "whole"
    idle = {
        "rank": ("--rank", sizeless or (full and not str(asked["optimizer"]).startswith(("galore", "apollo"))),
                 f"--method {method} has no size; leave it out" if sizeless else NO_ADAPTER),
        "targets": ("--targets", full or whole, f"--method {method} has no targets; leave it out" if whole else NO_ADAPTER),
        "dropout": ("--dropout", full, NO_ADAPTER),
        "double_quant": ("--double-quant" if asked["double_quant"] else "--no-double-quant", not nf4,
                         f"--method {method} stores no NF4 scales; leave it out, or take qlora or qdora"),
        "autocast": ("--autocast", bool(asked["autocast"]) and DTYPE_BYTES.get(str(asked["dtype"])) == 4.0,
                     "--dtype fp32 has nothing to run in fewer bits; leave it out, or take bf16"),
        "trainer": ("--trainer", asked["stack"] != "transformers" and asked["trainer"] != "plain",
                    f"--stack {asked['stack']} runs a loop of its own; leave it out"),
        "split_experts": ("--split-experts", asked["stack"] != "transformers",
                          f"--stack {asked['stack']} has model classes of its own; leave it out"),
        "loss": ("--loss", asked["kernels"] == "liger" and asked["loss"] != "chunked",
                 "--kernels liger takes its loss in chunks; leave it out, or take --kernels fused"),
        "logits_kept": ("--logits-kept", bool(asked["logits_kept"]) and asked["kernels"] == "liger",
                        "--kernels liger makes no logits to keep; leave it out"),
        "epochs": ("--epochs", not data, NO_HOURS), "tokens_per_example": ("--tokens-per-example", not data, NO_HOURS),
    }  # fmt: skip
    for name, (shown, useless, why) in idle.items():
        if name in given and useless:
            raise InputError(f"{shown}: without effect here: {why}")
