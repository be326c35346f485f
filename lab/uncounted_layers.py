"""Which families' layers the closed form of training memory does not count, and how far it lies from their dry runs.

    python lab/uncounted_layers.py

A small model of every type that is read and that transformers builds: four layers, a vocabulary of 4,096, at most 16 experts;
five plans each. Prints families that are more than 5% off in one of them (`UNCOUNTED`), what share of the runs of these lies
within KEPT of what is kept beside the weights, and the share of all others within 5%. Five minutes; needs the extra `profile`.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from math import exp, log
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from roi.catalog.models.architectures import known_types
from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import read_config
from roi.errors import RoiError
from roi.estimate.fitting.distance import KEPT, UNCOUNTED
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.dry.dry_run import dry_run

PLANS = (
    TrainingPlan(method="full", seq=512.0, checkpointing=False), TrainingPlan(seq=512.0, checkpointing=False),
    TrainingPlan(seq=2048.0, checkpointing=False), TrainingPlan(seq=2048.0), TrainingPlan(method="qlora", seq=1024.0),
)
LEAST = 4
LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
MOST = dict.fromkeys(LAYERS, LEAST) | dict.fromkeys(("n_routed_experts", "num_experts", "num_local_experts"), 16)
"""Entries that count layers and experts, and the most that they may."""
OFF = 0.05


def runs(kind: str, file: Path) -> Iterator[tuple[float, float, float]]:
    """Bytes of each plan that runs: allocated at the dry run's peak, the closed form's, and its weights."""
    entries = AutoConfig.for_model(kind).to_dict()
    layers = next((n for n in (entries.get(name) for name in LAYERS) if isinstance(n, int)), LEAST)
    for name, value in entries.items():
        if isinstance(value, list) and len(value) == layers:
            entries[name] = value[:LEAST]
        elif name in MOST and isinstance(value, int):
            entries[name] = min(value, MOST[name])
        elif name == "per_layer_config" and value:
            entries[name] = {k: v for k, v in value.items() if int(k) < LEAST}
    entries |= {"vocab_size": 4096, "pad_token_id": 0, "model_type": kind}
    if "final_logit_softcapping" in entries:
        entries["final_logit_softcapping"] = 30.0  # as published files of Gemma have; the class's default is none
    file.write_text(json.dumps(entries, default=str), encoding="utf-8")
    config = read_config(file)
    for plan in PLANS:
        with suppress(RoiError):  # a plan that this class does not run
            found = dry_run(config, plan, workspace_bytes=0.0)
            memory = training_memory(shape_of_config(config), plan)
            counted = float(memory.peak_allocated_bytes - memory.workspaces_bytes)
            yield float(max(found.tape.live_bytes)), counted, float(memory.weights_bytes)


def main() -> None:
    """Print what the constants of roi/estimate/fitting/distance.py rest on."""
    torch.set_num_threads(1)
    found, unrun = defaultdict(list), []
    with TemporaryDirectory() as folder:
        for kind in sorted(known_types() & {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}):
            with suppress(Exception):  # a type without usable defaults is not built by any of these
                found[kind].extend(runs(kind, Path(folder) / "config.json"))
            if not found[kind]:
                unrun.append(kind)
    off = {kind: max((log(c / run) for run, c, _ in each), key=abs) for kind, each in found.items() if each}
    print("more than 5% off:", *(f"{kind} {x:+.1%}" for kind, x in off.items() if abs(x) > OFF))
    print("not run:", *unrun)
    print("run in fewer than four:", *(kind for kind, each in found.items() if 0 < len(each) < LEAST))
    print("in UNCOUNTED, and within 5%:", *(kind for kind in sorted(UNCOUNTED & off.keys()) if abs(off[kind]) <= OFF))
    for of, name in ((UNCOUNTED, "uncounted"), (off.keys() - UNCOUNTED, "others")):
        rows = [row for kind, each in found.items() if kind in of for row in each]
        kept = sum(w + (c - w) * exp(-KEPT) <= run <= w + (c - w) * exp(KEPT) for run, c, w in rows) / len(rows)
        near = sum(abs(log(c / run)) <= OFF for run, c, _ in rows) / len(rows)
        print(f"{name}: {len(rows)} runs of {len([k for k in of if found[k]])} families; within KEPT {kept:.1%}, 5% {near:.1%}")


if __name__ == "__main__":
    main()
