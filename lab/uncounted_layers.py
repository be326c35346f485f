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
SMALL = {"num_hidden_layers": 4, "num_layers": 4, "n_layer": 4, "n_layers": 4, "n_routed_experts": 16, "num_experts": 16,
         "num_local_experts": 16}
"""Entries that count layers and experts, and the most that they may."""
LISTS = ("layer_types", "mlp_layer_types", "kv_source_layers", "index_layers", "layers_block_type")
"""Entries that the class fills in anew, for the layers that there are."""
OFF = 0.05


def runs(kind: str, file: Path) -> Iterator[tuple[float, float, float]]:
    """Bytes of each plan that runs: allocated at the dry run's peak, the closed form's, and its weights."""
    entries = {name: min(value, SMALL[name]) if isinstance(value, int) and name in SMALL else value
               for name, value in AutoConfig.for_model(kind).to_dict().items() if name not in LISTS}  # fmt: skip
    file.write_text(json.dumps({**entries, "vocab_size": 4096, "model_type": kind}, default=str), encoding="utf-8")
    config = read_config(file)
    for plan in PLANS:
        with suppress(RoiError):
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
    print("in UNCOUNTED, and within 5%:", *(kind for kind in sorted(UNCOUNTED & off.keys()) if abs(off[kind]) <= OFF))
    for of, name in ((UNCOUNTED, "uncounted"), (off.keys() - UNCOUNTED, "others")):
        rows = [row for kind, each in found.items() if kind in of for row in each]
        kept = sum(w + (c - w) * exp(-KEPT) <= run <= w + (c - w) * exp(KEPT) for run, c, w in rows) / len(rows)
        near = sum(abs(log(c / run)) <= OFF for run, c, _ in rows) / len(rows)
        print(f"{name}: {len(rows)} runs of {len([k for k in of if found[k]])} families; within KEPT {kept:.1%}, 5% {near:.1%}")


if __name__ == "__main__":
    main()
