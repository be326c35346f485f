"""One rank of a small training job whose memory the dry run's recorder follows: started by torchrun, tells a file.

    python -m torch.distributed.run --standalone --nproc-per-node=2 recorded_ranks.py FOLDER
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from roi.profiling.stack import torch

# isort: split
from torch.distributed.fsdp._fully_shard import _fsdp_param, _fsdp_param_group
from torch.distributed.tensor import DTensor

from roi.estimate.training.plan import TrainingPlan
from roi.profiling.dry.recorder import Recorder
from roi.profiling.model_to_build import TINY_CONFIG
from roi.profiling.train.ranks import Ranks
from roi.profiling.train.real_model import build_model, prepare_training
from roi.profiling.train.training_steps import LEARNING_RATE, Step, TrainingSetup, run_steps

ENTRIES = TINY_CONFIG | {"num_hidden_layers": 8, "hidden_size": 128, "intermediate_size": 352}
PLAN = TrainingPlan(dtype="fp32", micro_batch=2, seq=64, padded=False, attention="eager")
WAYS = (("none", "full"), ("none", "lora"), ("fsdp", "full"), ("fsdp", "lora"))
CASES = [replace(PLAN, method=method, gpus=2, sharding=sharding) for sharding, method in WAYS]
STEPS = 3


class RankRecorder(Recorder):
    """Follows what lies on the host; FSDP takes and gives back the memory of a tensor that stays."""

    def __init__(self):
        super().__init__(lambda *_: "", device="cpu")

    def _storage(self, tensor):
        return super()._storage(tensor._local_tensor if isinstance(tensor, DTensor) else tensor)

    def resized(self, tensor):
        storage = tensor.untyped_storage()
        if storage.nbytes() and storage._cdata not in self._alive:
            self._add(storage, "resize", "", "")
        elif not storage.nbytes():
            self._drop(storage._cdata)

    def peak_bytes(self, since):
        """The highest sum of what is alive from the event `since` on."""
        held = highest = 0
        for number, event in enumerate(self.events):
            held += self.blocks[event - 1].nbytes if event > 0 else -self.blocks[-event - 1].nbytes
            highest = max(highest, held) if number >= since else held
        return highest


def following(recorder):
    def told(act):
        def call(tensor):
            act(tensor)
            recorder.resized(tensor)
        return call

    take, give = told(_fsdp_param.alloc_storage), told(_fsdp_param.free_storage)
    return (patch.object(_fsdp_param, "alloc_storage", take), patch.object(_fsdp_param, "free_storage", give),
            patch.object(_fsdp_param_group, "alloc_storage", take))


def train(plan, ranks=None, micro_batch=2):
    """(losses, peak of the last step in bytes)."""
    recorder, losses, marks = RankRecorder(), [], []
    model = prepare_training(build_model(ENTRIES, plan, "cpu"), plan)
    first, second, third = following(recorder)
    with first, second, third, recorder:
        if ranks is not None:
            model = ranks.spread(model, plan)
        recorder.hold(list(model.parameters()), "load", "")
        recorder.hold(list(model.buffers()), "load", "")

        def take(step: Step) -> bool:
            marks.append(len(recorder.events))
            losses.append(ranks.agree(True, step.loss)[1] if ranks else step.loss)
            return len(losses) < STEPS

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, foreach=True)  # the form that torch takes on a GPU
        vocab = ENTRIES["vocab_size"]
        run_steps(TrainingSetup(model, plan, "cpu", vocab, optimizer=optimizer, ranks=ranks), micro_batch, 64, take)
    return losses, recorder.peak_bytes(marks[-2])


if __name__ == "__main__":
    torch.set_num_threads(1)
    everyone = Ranks("cpu")
    told = [train(plan, everyone) for plan in CASES]
    Path(sys.argv[1], f"rank-{everyone.rank}.json").write_text(json.dumps(told), encoding="utf-8")
    everyone.leave()
