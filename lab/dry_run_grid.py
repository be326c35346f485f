"""Make the grid that the closed form of memory is held to: dry runs of a designed list of configurations.

    python lab/dry_run_grid.py tests/data/dry_run_grid.csv

Needs the extra `profile`, no GPU, and about half an hour on a busy core. Resumable: configurations that the file holds are not
run again; delete a line, or the file, to have it made anew. Rows that the design no longer has are dropped. The design
crosses what interacts (model x method x checkpointing, trainer x method x checkpointing, attention x mask x method) and
walks through the rest (targets, rank, batch, length, optimizer, dropout) with strides that share no factor, so that the
levels meet each other without a draw.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import find_model
from roi.errors import RoiError
from roi.estimate.allocator.tape_peak import TapePeak, read_peak
from roi.estimate.training.plan import Attend, Trainer, TrainingPlan
from roi.estimate.training.stacks import trainer_habits
from roi.profiling.dry.dry_run import dry_run

METHODS = ("full", "lora", "dora", "qlora", "qdora", "lora-int8")

DENSE = (
    "smollm2-135m", "qwen2.5-0.5b", "qwen3-0.6b", "tinyllama-1.1b", "smollm2-1.7b", "llama-3.2-3b", "phi-3.5-mini", "qwen3-4b",
    "mistral-7b-v0.3", "llama-2-7b", "llama-3.1-8b", "gemma-2-2b", "gemma-3-1b", "qwen2.5-14b",
)
"""Grouped and multi-head attention, tied and untied heads, fused projections, soft caps and windows; 135M to 14B."""

SIZES = ((1, 2048), (4, 512), (2, 1024), (1, 4096), (8, 128), (1, 512), (2, 512), (1, 1024), (4, 256))

OTHERS = ("stablelm-2-1.6b", "gpt2", "phi-2", "pythia-1.4b", "starcoder2-3b", "olmo-2-7b", "granite-3.2-2b", "qwen3.5-0.8b")
"""Families with LayerNorm, parallel blocks, two-matrix MLPs, linear attention, per-layer embeddings."""

FAMILIES = (
    "gpt2", "gpt-j-6b", "opt-1.3b", "bloom-560m", "pythia-410m", "falcon-7b", "mpt-7b", "phi-2", "phi-3.5-mini", "gemma-2b",
    "gemma-2-2b", "gemma-3-1b", "qwen2.5-0.5b", "qwen3-0.6b", "qwen3.5-0.8b", "llama-3.2-1b", "mistral-7b-v0.1", "olmo-1b",
    "olmo-2-1b", "granite-3.2-2b", "starcoder2-3b", "stablelm-2-1.6b", "nemotron-mini-4b", "command-r-35b", "exaone-4.0-32b",
    "qwen1.5-moe-a2.7b", "falcon-40b", "gemma-4-e2b", "gemma-4-26b-a4b", "gpt-oss-20b", "command-r-plus-104b", "llama-4-scout",
    "deepseek-v2-lite",
)
"""A model of every architecture whose layers keep something else."""

RESULTS = ("weights_bytes", "trained_parameters", "peak_bytes", "phase")

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "trl")

PLANNED = [f.name for f in fields(TrainingPlan)]

FIELDS = tuple(PLANNED[: PLANNED.index("gpus")])
"""Fields that the design varies; those after them have their defaults."""


def design() -> Iterator[tuple[str, TrainingPlan]]:
    """Every (model, plan) of the grid."""
    yield from _methods()
    yield from _trainers()
    yield from _attention()
    yield from _types()
    yield from _experts()
    yield from _large()
    yield from _other_families()
    yield from _families()
    yield from _latent()
    yield from _linear()
    yield "tinyllama-1.1b", TrainingPlan(method="lora-int8", seq=2048, logits_kept=True)  # the last layer's scores in forward
    # a norm behind the embedding widens the stream alone
    yield "bloom-560m", TrainingPlan(method="dora", checkpointing=False, seq=512, trainer="hf", autocast=True)
    # scores of one sequence read views: values in a fused product, one head for all; GPT-J's queries and keys are widened
    for model in ("phi-3.5-mini", "falcon-7b", "gpt-j-6b"):
        yield model, TrainingPlan(attention="eager", seq=1024, checkpointing=False)
    for model, checkpointing in product(("phi-3.5-moe", "llama-4-scout"), (True, False)):  # routers that take no adapter
        yield model, TrainingPlan(seq=1024, checkpointing=checkpointing)


def _methods() -> Iterator[tuple[str, TrainingPlan]]:
    """Model x method x checkpointing; sizes, targets, ranks, dropout and optimizers in turn."""
    targets, ranks = ("all-linear", "qv", "attention", "all-linear", "gate_proj,up_proj,down_proj"), (16, 8, 64, 32)
    optimizers = ("adamw", "adamw-8bit", "adamw", "paged-adamw-8bit", "adamw", "adamw-bf16", "adamw")
    for n, (model, method, checkpointing) in enumerate(product(DENSE, METHODS, (True, False))):
        batch, seq = SIZES[n % 9]
        yield model, TrainingPlan(
            method=method, checkpointing=checkpointing, micro_batch=batch, seq=seq,
            targets=targets[n % 5], rank=ranks[(n // 2) % 4], dropout=(0.0, 0.0, 0.05)[(n // 4) % 3],
            optimizer=optimizers[n % 7], logits_kept=n % 11 < 3, double_quant=n % 5 != 4, padded=n % 4 != 3,
            accumulation=2 if n % 13 == 6 else 1,
        )


def _trainers() -> Iterator[tuple[str, TrainingPlan]]:
    """Trainer x method x checkpointing on four models, with each trainer's habits."""
    models = ("qwen2.5-0.5b", "smollm2-1.7b", "llama-3.2-3b", "qwen3-4b")
    for n, (trainer, method, checkpointing) in enumerate(product(("hf", "trl"), METHODS, (True, False))):
        habits = trainer_habits(trainer, "bf16")
        for k in (0, 1):
            batch, seq = SIZES[(n + 4 * k) % 9]
            yield models[(n + 2 * k + n // 4) % 4], TrainingPlan(
                method=method, checkpointing=checkpointing, trainer=trainer, micro_batch=batch, seq=seq,
                targets=("all-linear", "qv", "all-linear")[(n + k) % 3], rank=(16, 64)[k],
                dropout=(0.0, 0.05)[(n // 2 + k) % 2],
                optimizer=("adamw", "adamw-8bit")[(n + k) % 2], logits_kept=habits.logits_kept, autocast=habits.autocast,
            )


def _attention() -> Iterator[tuple[str, TrainingPlan]]:
    """Attention x mask x method x checkpointing: eager's scores, SDPA's three paths, FlashAttention, packing, windows."""
    models = ("qwen2.5-0.5b", "smollm2-1.7b", "llama-3.1-8b", "gemma-3-1b", "mistral-7b-v0.1")
    kinds: tuple[dict[str, Any], ...] = (
        {"attention": "eager", "micro_batch": 2, "seq": 512}, {"attention": "flash", "micro_batch": 2, "seq": 2048},
        {"attention": "sdpa", "packed": True, "seq": 4096}, {"attention": "flash", "packed": True, "seq": 8192},
        {"attention": "sdpa", "seq": 8192}, {"attention": "sdpa", "micro_batch": 4, "seq": 1024},
        {"attention": "eager", "seq": 2048},
    )
    for n, (kind, method, checkpointing) in enumerate(product(kinds, ("lora", "qlora", "full"), (True, False))):
        # transformers hands FlashAttention 16-bit copies of fp32 queries, which the dry run does not
        own = "dora" if (kind["attention"], method) == ("flash", "qlora") else method
        yield models[(n + n // 10) % 5], TrainingPlan(
            method=own, checkpointing=checkpointing, optimizer=("adamw", "adamw-8bit")[n % 2],
            targets=("all-linear", "attention", "all-linear", "qv")[n % 4], logits_kept=n % 5 == 1, **kind,
        )


def _types() -> Iterator[tuple[str, TrainingPlan]]:
    """fp16 and fp32 x method x checkpointing."""
    models = ("smollm2-135m", "tinyllama-1.1b", "qwen3-0.6b", "llama-2-7b")
    for n, (dtype, method, checkpointing) in enumerate(product(("fp16", "fp32"), METHODS, (True, False))):
        batch, seq = SIZES[(2 * n + 1) % 9]
        yield models[(n + n // 4) % 4], TrainingPlan(
            method=method, checkpointing=checkpointing, dtype=dtype, micro_batch=batch, seq=seq,
            targets=("all-linear", "qv", "attention")[n % 3], dropout=(0.0, 0.1)[(n // 2) % 2],
        )


def _experts() -> Iterator[tuple[str, TrainingPlan]]:
    """Mixtures of experts: adapters on the experts, on attention alone, k-bit preparation, full."""
    for n, (model, method, targets, checkpointing) in enumerate(product(
        ("qwen3-30b-a3b", "mixtral-8x7b"), ("lora", "qlora"), ("all-linear", "attention"), (True, False),
    )):
        batch, seq = ((1, 2048), (2, 512), (1, 1024))[n % 3]
        yield model, TrainingPlan(
            method=method, targets=targets, checkpointing=checkpointing, micro_batch=batch, seq=seq, rank=(8, 16)[n // 2 % 2],
        )
    for model in ("qwen1.5-moe-a2.7b", "gpt-oss-20b"):
        for targets in ("all-linear", "attention"):
            yield model, TrainingPlan(targets=targets, seq=1024)
        yield model, TrainingPlan(targets="attention", seq=1024, checkpointing=False)
    yield "qwen1.5-moe-a2.7b", TrainingPlan(method="full", optimizer="adamw-8bit", seq=1024)
    yield "qwen3-30b-a3b", TrainingPlan(method="full", optimizer="paged-adamw-8bit", seq=2048)


def _large() -> Iterator[tuple[str, TrainingPlan]]:
    """32B to 72B."""
    for model in ("qwen2.5-32b", "llama-3.1-70b"):
        for n, (method, checkpointing) in enumerate(product(("lora", "qlora", "lora-int8"), (True, False))):
            batch, seq = ((1, 2048), (1, 512), (2, 1024))[n % 3]
            yield model, TrainingPlan(
                method=method, checkpointing=checkpointing, micro_batch=batch, seq=seq, optimizer="paged-adamw-8bit",
            )
    yield "qwen2.5-72b", TrainingPlan(method="qlora", seq=4096)
    yield "llama-3.1-70b", TrainingPlan(method="full", seq=1024, optimizer="adamw-8bit")


def _other_families() -> Iterator[tuple[str, TrainingPlan]]:
    """Families outside the main list: four configurations each."""
    for model in OTHERS:
        yield model, TrainingPlan(method="lora", seq=1024)
        if model != "gpt2":  # its products are no nn.Linear, so the dry run finds no attention among them
            yield model, TrainingPlan(method="lora", seq=512, micro_batch=2, checkpointing=False, targets="attention")
        yield model, TrainingPlan(method="full", seq=512, optimizer="adamw-8bit")
        yield model, TrainingPlan(method="qlora", seq=1024)


def _families() -> Iterator[tuple[str, TrainingPlan]]:
    """Architecture x method x checkpointing, under autocast and not, with a mask and without, eager attention once."""
    kinds: tuple[tuple[str, bool, Trainer, Attend], ...] = (
        ("lora", False, "hf", "sdpa"), ("qlora", False, "plain", "sdpa"), ("full", False, "hf", "sdpa"),
        ("lora", True, "plain", "sdpa"), ("qlora", True, "hf", "sdpa"), ("lora", False, "hf", "eager"),
    )
    for n, (model, (method, checkpointing, trainer, attention)) in enumerate(product(FAMILIES, kinds)):
        habits = trainer_habits(trainer, "bf16")
        # transformers 5 quantises none of Falcon's layers
        own = "lora" if model.startswith("falcon") and method == "qlora" else method
        batch, seq = ((2, 512), (1, 1024), (4, 512))[n % 3 if n % 2 else 0]
        yield model, TrainingPlan(
            method=own, checkpointing=checkpointing, trainer=trainer, attention=attention, micro_batch=batch, seq=seq,
            logits_kept=habits.logits_kept, autocast=habits.autocast,
        )


def _linear() -> Iterator[tuple[str, TrainingPlan]]:
    """Chunks of linear attention kept: many of one sequence and few of several, cast and not, shared by targets and not."""
    for method, autocast, batch, seq in (("full", False, 1, 2048), ("lora", True, 1, 2048), ("qlora", False, 4, 512)):
        trainer: Trainer = "hf" if autocast else "plain"
        yield "qwen3.5-0.8b", TrainingPlan(method=method, checkpointing=False, trainer=trainer, micro_batch=batch, seq=seq,
                                           logits_kept=not autocast, autocast=autocast)


def _latent() -> Iterator[tuple[str, TrainingPlan]]:
    """Attention with compressed queries, a router in fp32, two expert widths; kept whole and computed anew."""
    for model, method, targets, checkpointing in (
        ("deepseek-v3", "lora", "attention", False), ("deepseek-v3", "lora", "all-linear", True),
        ("deepseek-v2", "qlora", "attention", False), ("deepseek-v2", "lora", "all-linear", False),
        ("kimi-k2", "lora", "all-linear", False), ("deepseek-v2", "full", "all-linear", False),
    ):
        yield model, TrainingPlan(method=method, targets=targets, checkpointing=checkpointing, seq=2048, optimizer="adamw-8bit")


def measure(model: str, plan: TrainingPlan) -> tuple[dict[str, str], TapePeak]:
    """(results of one dry run as the file holds them, what is alive at its peak); without cuBLAS's workspace."""
    run = dry_run(model_config(find_model(model)), plan, workspace_bytes=0.0)
    peak = read_peak(run.tape)
    weights = sum(-(-b.nbytes // 512) * 512 for b in run.tape.blocks if b.phase == "load" and b.part == "weights")
    values = (weights, run.trained_parameters, peak.nbytes, peak.block.phase)
    return dict(zip(RESULTS, (str(v) for v in values), strict=True)), peak


def write_key(model: str, plan: TrainingPlan) -> dict[str, str]:
    """A configuration as columns."""
    told = asdict(plan)
    return {"model": model} | {name: _write(told[name]) for name in FIELDS}


def _write(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def header() -> str:
    """When and with what the rows were made."""
    tools = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"# Dry runs on tensors without storage, {datetime.now(UTC):%Y-%m-%d}: lab/dry_run_grid.py. {tools}.\n"
        "# peak_bytes: live storages in 512-byte blocks, a step that finds the optimizer's states in place, without cuBLAS's\n"
        "# workspace. weights_bytes: without adapters. phase: where the peak lies as the tape names it.\n"
    )


def read_rows(file: Path) -> list[dict[str, str]]:
    """Rows of an earlier call; none where there is no file."""
    if not file.exists():
        return []
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    """The whole file, replaced at once."""
    new = file.with_suffix(".new")
    with new.open("w", encoding="utf-8", newline="") as out:
        out.write(header())
        writer = csv.DictWriter(out, ("model", *FIELDS, *RESULTS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    new.replace(file)


def make(file: Path) -> None:
    """Run what is missing and write the file after every row."""
    held = {tuple(row.get(k, "") for k in ("model", *FIELDS)): row for row in read_rows(file)}
    wanted = {tuple(key.values()): (key, model, plan) for model, plan in design() for key in [write_key(model, plan)]}
    done = {k: row for k, row in held.items() if k in wanted}
    for number, (identity, (key, model, plan)) in enumerate(wanted.items(), start=1):
        if identity in done:
            continue
        try:
            found, _ = measure(model, plan)
        except RoiError as error:
            print(f"{number}/{len(wanted)} {model} {plan.method}: {error}", file=sys.stderr)
            continue
        done[identity] = key | found
        write_rows(file, [done[k] for k in wanted if k in done])
        print(f"{number}/{len(wanted)} {model} {plan.method} {float(found['peak_bytes']) / 2**30:.2f} GiB", file=sys.stderr)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
