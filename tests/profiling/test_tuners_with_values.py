"""Tuners that read values, which a dry run lacks: the closed form is held to a real step of peft's own classes on a CPU.

Counted are the storages of the tensors that torch's operators return, as the dry run's recorder does; buffers inside of an
operator are not. AdaMSS, which wants scikit-learn, is left out.
"""

import warnings
import weakref
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, VBLoRAConfig, get_peft_model
from peft.tuners.frod import layer as frod
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import find_model
from roi.estimate.step.tuner_work import VBLORA_OPERATORS, VBLORA_UNHIDDEN
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.train.real_model import adapter_settings, build_meta

torch.set_num_threads(1)

LOOPS = {"plain": {}, "autocast": {"autocast": True, "trainer": "hf"}, "fp32": {"dtype": "fp32"}}
WIDTH = 512


def tiny(layers):
    """A model of the shape of SmolLM2's family, with few entries, so that layers and not logits make the peak."""
    config = model_config(find_model("smollm2-135m"))
    entries = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": layers, "num_attention_heads": 4,
               "num_key_value_heads": 2, "head_dim": WIDTH // 4, "vocab_size": 512}
    return config._replace(entries={**config.entries, **entries})


class Live(TorchDispatchMode):
    """Bytes of the storages that live, and the most that did."""

    def __init__(self, tensors):
        super().__init__()
        self.live = self.peak = 0
        self.known = weakref.WeakSet()
        for tensor in tensors:
            self.hold(tensor)

    def hold(self, tensor):
        parts = (tensor._values(), tensor._indices()) if tensor.layout is torch.sparse_coo else (tensor,)
        for storage in (part.untyped_storage() for part in parts):
            if storage._cdata not in self.addresses():
                self.known.add(storage)
                self.add(storage.nbytes())
                weakref.finalize(storage, self.add, -storage.nbytes())

    def addresses(self):
        return {storage._cdata for storage in self.known}

    def add(self, nbytes):
        self.live += nbytes
        self.peak = max(self.peak, self.live)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.hold(leaf)
        return result


def real_step(config, plan, monkeypatch):
    """(peak bytes, trained parameters) of a step up to its backward, adapters and optimizer's states in place.

    In a plain loop FRoD's frozen factors lie on the host, and a copy on the card goes with the graph, made here by a clone.
    """
    torch.manual_seed(0)
    model = build_meta(config.entries, plan, config.name, "sdpa").to_empty(device="cpu")
    model.config.use_cache = False
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.normal_(0.0, 0.02)
    on_host = plan.method == "frod" and plan.trainer == "plain"
    if on_host:
        read = frod.Linear._get_frod_tensors
        monkeypatch.setattr(frod.Linear, "_get_frod_tensors", lambda *a, **k: tuple(
            x.clone() if n < 2 else x for n, x in enumerate(read(*a, **k))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = get_peft_model(model, adapter_settings(model, plan, "all-linear")).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    states = [torch.zeros_like(p) for p in trained for _ in range(2)]
    indices = [x for module in model.modules() for x in getattr(module, "shira_indices", {}).values()]
    frozen = [] if on_host else list(model.buffers())
    ids = torch.zeros((int(plan.micro_batch), int(plan.seq)), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    unchecked = torch.sparse.check_sparse_tensor_invariants(enable=False)
    with unchecked, Live([*model.parameters(), *frozen, *indices, *states]) as live:
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.autocast):
            loss = model(input_ids=ids, attention_mask=mask, labels=ids).loss
        loss.backward()
    return live.peak, sum(p.numel() for p in trained)


@pytest.mark.full
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("method", "size"), [("lora", 8.0), ("shira", 8.0), ("shira", 16.0), ("vblora", 4.0), ("vblora", 8.0),
                                              pytest.param("frod", 1.0, marks=pytest.mark.slow)])
def test_a_tuner_that_reads_values_is_held_to_a_real_step(monkeypatch, method, size, loop):
    """Before what they keep was counted, SHiRA was up to 13%, FRoD up to 29% and VBLoRA up to 4% too low; LoRA stands beside.

    At three layers, 2 x 256 tokens. The formula knows no transients of a forward's last MLP, which show in so small a model.
    """
    config = tiny(3)
    plan = replace(TrainingPlan(method=method, rank=size, micro_batch=2.0, seq=256.0, checkpointing=False), **LOOPS[loop])
    model = shape_of_config(config)
    peak, trained = real_step(config, plan, monkeypatch)
    memory = training_memory(model, plan)
    assert trained == float(trained_parameters(model, plan))
    assert float(memory.peak_allocated_bytes - memory.workspaces_bytes) == pytest.approx(peak, rel=0.03)


class Ran(TorchDispatchMode):
    """Operators in the order in which they ran, views apart."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not func.is_view and func._opname not in ("_unsafe_view", "detach"):
            self.names.append(func._opname)
        return func(*args, **(kwargs or {}))


class Pair(nn.Module):
    """Two products, the second of which has backward hand its gradient on."""

    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(512, 512, bias=False), nn.Linear(512, 512, bias=False)

    def forward(self, x):
        return self.k(self.q(x))


def operators_of(config):
    """(Forward, backward) operators of two targets, after a step that has made what is made once."""
    model = get_peft_model(Pair().bfloat16(), config).train()
    x = torch.randn(1, 24, 512, dtype=torch.bfloat16, requires_grad=True)
    model(x).sum().backward()
    model.zero_grad()
    x.grad = None
    with Ran() as forward:
        made = model(x)
    with Ran() as backward:
        made.backward(torch.ones_like(made))
    return forward.names, backward.names


def test_operators_of_vblora_are_those_that_peft_launches_and_the_host_reads_a_value_of_each_target():
    """Beside those of LoRA's path; the sum of the bank's gradients is one less in the first target that backward reaches."""
    lora = operators_of(LoraConfig(r=4, target_modules=["q", "k"]))
    vblora = operators_of(VBLoRAConfig(r=4, target_modules=["q", "k"], vector_length=256, num_vectors=256, topk=2))
    ahead, back = (len(its) - len(usual) for its, usual in zip(vblora, lora, strict=True))
    assert (ahead / 2, (back + 1) / 2) == VBLORA_OPERATORS
    assert (vblora[0].count("_local_scalar_dense"), lora[0].count("_local_scalar_dense")) == (2, 0)
    read = vblora[0].index("_local_scalar_dense")
    assert len(vblora[0]) / 2 - read - 1 == VBLORA_UNHIDDEN
