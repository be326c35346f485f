"""`roi profile infer`: prefill and decode of a base model, and of an adapter, merged and unmerged."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from roi.profiling.infer.generation import Stored


@click.command(short_help="Prefill and decode: base, merged and unmerged adapter.")
@click.argument("model", required=False)
@click.option("--device", "asked", help="cuda or cpu.  [default: cuda where there is one]")
@click.option("--dtype", help="bf16, fp16, fp32 or nf4: how the base is stored.  [default: bf16; fp32 on a CPU]")
@click.option("--rank", type=int, default=16, show_default=True, help="Rank of the adapter.")
@click.option("--batch", default="1,4", show_default=True, help="Sequences at once, with commas.")
@click.option("--prompt", help="Prompt tokens, with commas.  [default: 128,512; 32,128 on a CPU]")
@click.option("--decode", type=int, default=32, show_default=True, help="Decode steps after each prefill.")
@click.option("--budget", default="60s", show_default=True, help="Time for generating; building the model comes on top.")
@click.option("--layers", type=int, help="Keep this many layers: a smaller model, named so.")
@click.option("--shrink", type=int, default=1, help="Divide every width by this: a smaller model, named so.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of weights and tokens.")
@click.option("--weights", type=click.Path(path_type=Path), help="Folder of real weights; else they are drawn at random.")
@click.option("--force", is_flag=True, help="Run although other processes use the GPU.")
@click.option("--output", type=click.Path(path_type=Path), help="File for the profile.  [default: a dated one in --profiles]")
@click.option("--profiles", type=click.Path(path_type=Path), help="Folder of profiles.  [default: ./profiles, else the user's]")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="How to print.")
def infer(
    *, model: str | None, asked: str | None, dtype: "Stored | None", rank: int, batch: str, prompt: str | None, decode: int,
    budget: str, layers: int | None, shrink: int, seed: int, weights: Path | None, force: bool, output: Path | None,
    profiles: Path | None, form: str,
) -> None:
    """Time prefill and decode of MODEL alone, with an adapter beside it, and with the adapter merged into it.

    MODEL is a name of the catalog, or a folder (or file) with a config.json. Weights are drawn at random from its shape:
    nothing is downloaded. On a CPU without MODEL a model of 3.5 million parameters runs.
    """
    from roi.cli.profile_words import MOST_SEQUENCES, check_new, leave_if_stopped, read_counts, read_seconds

    seconds, batches = read_seconds(budget, "--budget"), read_counts(batch, "--batch", MOST_SEQUENCES)
    asked_prompts = read_counts(prompt, "--prompt") if prompt is not None else None
    check_new(output, profiles)

    from roi.catalog.cards.gpus import find_gpu  # after the checks: torch takes seconds to import
    from roi.cli.output import write
    from roi.profiling.choose_model import choose_model
    from roi.profiling.host.this_machine import claim_board, pick_device, read_environment
    from roi.profiling.infer.generation import InferPlan, check_size
    from roi.profiling.infer.inference import profile_infer
    from roi.profiling.progress import show_progress
    from roi.profiling.stops import catch_stops
    from roi.report.profiles.profile_infer import infer_json, infer_text
    from roi.store.profiles.lookup import save_profile

    device = pick_device(asked)
    prompts = asked_prompts or ((32, 128) if device == "cpu" else (128, 512))
    chosen = choose_model(model, weights, device, layers, shrink)
    stored: Stored = dtype or ("fp32" if device == "cpu" else "bf16")
    plan = InferPlan(chosen.name, chosen.config, stored, rank, batches, prompts, decode, weights, chosen.shrunk)
    board, shared = claim_board(device, force=force)  # before torch opens the device to say how large it is
    check_size(plan, device)
    environment = read_environment(device, seed, board)
    with catch_stops() as stops:
        with show_progress() as watcher:
            run = profile_infer(plan, environment, seconds, board, watcher, stops)
        measured = run.profile.model_copy(update={"notes": (*chosen.notes, *shared, *run.profile.notes)})
        file = save_profile(measured, profiles, output)
        gpu = find_gpu(environment.gpu) if environment.gpu else None
        write({"table": infer_text, "json": infer_json}[form](measured, chosen.shape, gpu, file))
        leave_if_stopped(stops, interrupted=run.interrupted)
