"""`roi profile infer`: prefill and decode of a base model, and of an adapter, merged and unmerged."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from roi.cli import profile_options as shared
from roi.cli.options import Choice

if TYPE_CHECKING:
    from roi.profiling.inference import Stored


@click.command()
@click.argument("model", required=False)
@shared.device_option
@click.option("--dtype", type=Choice(("bf16", "fp16", "fp32", "nf4")),
              help="How the base is stored.  [default: bf16; fp32 on a CPU]")
@shared.rank_option
@shared.sequences_option("--batch", default="1,4", help="Sequences at once, with commas.")
@shared.counts_option("--prompt", help="Prompt tokens, with commas.  [default: 128,512; 32,128 on a CPU]")
@click.option("--decode", type=int, default=32, show_default=True, help="Decode steps after each prefill.")
@shared.seconds_option("--budget", default="60s", help="Time for generating; building the model comes on top.")
@shared.model_options
@shared.keep_options
def infer(
    *, model: str | None, device: str | None, dtype: "Stored | None", rank: int, batch: tuple[int, ...],
    prompt: tuple[int, ...], decode: int, budget: float, layers: int | None, shrink: int, seed: int, weights: Path | None,
    force: bool, keep: shared.Keep,
) -> None:
    """Time prefill and decode of MODEL alone, with an adapter beside it, and with the adapter merged into it.

    MODEL is a name of the catalog, or a folder (or file) with a config.json. Weights are drawn at random from its shape:
    nothing is downloaded. On a CPU without MODEL a model of 3.5 million parameters runs.
    """
    from roi.profiling.model_to_build import choose_model_to_build

    chosen = choose_model_to_build(model, weights, device or "cpu", layers, shrink)

    from roi.profiling.inference import InferPlan, check_size, profile_infer  # after the checks: torch takes seconds
    from roi.profiling.session import open_session, pick_device
    from roi.report.profiles.profile_infer import infer_json, infer_text

    where = pick_device(device)
    if model is None:
        choose_model_to_build(model, weights, where)  # a CPU alone has a model of its own
    plan = InferPlan(model=chosen, dtype=dtype or ("fp32" if where == "cpu" else "bf16"), rank=rank, batches=batch,
                     prompts=prompt or ((32, 128) if where == "cpu" else (128, 512)), decode=decode)
    session = open_session(where, seed, budget, force=force, notes=chosen.notes, profiles=keep.profiles)
    check_size(plan, where)
    tell = {"table": infer_text, "json": infer_json}[keep.form]
    shared.measure_and_tell(session, keep, lambda run: profile_infer(plan, run),
                            lambda profile, gpu, file: tell(profile, chosen.shape, gpu, file))
