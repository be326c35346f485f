"""What a dry run remembers of operators changes nothing that it says; and what importing the stack leaves out."""

import gc
import subprocess
import sys
import weakref
from unittest.mock import patch

import pytest
import torch

from roi.catalog.models.configs import ModelConfig
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.dry.dry_run import dry_run
from roi.profiling.dry.recorder import Recorder
from roi.profiling.dry.shape_cache import ShapeCache

ATEN = torch.ops.aten
LLAMA = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 256, "max_position_embeddings": 512, "tie_word_embeddings": False,
}  # fmt: skip
MIXTURE = {**LLAMA, "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
WINDOWED = {
    **LLAMA, "model_type": "gemma2", "head_dim": 16, "sliding_window": 64, "query_pre_attn_scalar": 16,
    "layer_types": ["sliding_attention", "full_attention"],
}  # fmt: skip


def asked(cache, func, *args, **kwargs):
    return cache.call(cache.key(func, args, kwargs), func, args, kwargs)


def on_meta(*shape, dtype=torch.bfloat16):
    return torch.empty(shape, dtype=dtype, device="meta")


def runs(func, times):
    """The operator, and how often it has run."""
    count = []

    def call(*args, **kwargs):
        count.append(1)
        return func(*args, **kwargs)

    call._schema, call.tags = func._schema, func.tags
    return call, lambda: len(count) == times


def test_a_second_call_gives_the_same_shape_in_a_storage_of_its_own():
    """(2, 3, 4) transposed to (2, 4, 3) keeps its order in memory, and so does a sum with itself: strides 12, 1, 4."""
    cache, (add, ran) = ShapeCache(), runs(ATEN.add.Tensor, 1)
    x = on_meta(2, 3, 4).transpose(1, 2)
    first, second = (asked(cache, add, x, x) for _ in range(2))
    assert ran()
    assert first.shape == second.shape == (2, 4, 3)
    assert first.stride() == second.stride() == (12, 1, 4)
    assert second.dtype == torch.bfloat16
    assert len({t.untyped_storage()._cdata for t in (x, first, second)}) == 3


def test_numbers_that_are_equal_but_promote_differently_are_told_apart():
    """An int64 tensor times 2 stays int64, times 2.0 it is float32."""
    cache, x = ShapeCache(), on_meta(3, dtype=torch.int64)
    found = [asked(cache, ATEN.mul.Tensor, x, factor).dtype for factor in (2, 2.0, 2, 2.0)]
    assert found == [torch.int64, torch.float32] * 2


@pytest.mark.parametrize(("func", "args"), [
    (ATEN.view.default, ([6],)), (ATEN._unsafe_view.default, ([6],)), (ATEN.detach.default, ()), (ATEN.copy_.default, (1.0,)),
    (ATEN.resize_.default, ([2, 3],)),
])
def test_views_and_writers_run_every_time(func, args):
    cache, (call, ran) = ShapeCache(), runs(func, 2)
    for x in (on_meta(2, 3), on_meta(2, 3)):
        assert asked(cache, call, x, *args).untyped_storage()._cdata == x.untyped_storage()._cdata
    assert ran()


@pytest.mark.parametrize(("func", "args"), [(ATEN.add_.Tensor, (1.0,)), (ATEN.mul_.Tensor, (2.0,)), (ATEN.sqrt_.default, ())])
def test_one_that_writes_element_by_element_over_its_first_argument_gives_it_back(func, args):
    """A tensor without values is as it was, so a second one of the same shape needs no run."""
    cache, (call, ran) = ShapeCache(), runs(func, 1)
    for x in (on_meta(2, 3), on_meta(2, 3)):
        assert asked(cache, call, x, *args) is x
        assert (x.shape, x.dtype) == ((2, 3), torch.bfloat16)
    assert ran()
    with pytest.raises(RuntimeError, match="output with shape"):
        asked(cache, ATEN.add_.Tensor, on_meta(1, 3), on_meta(2, 3))


def test_what_writes_into_another_argument_runs_every_time():
    """add.out writes over its last argument."""
    cache, (call, ran) = ShapeCache(), runs(ATEN.add.out, 2)
    for _ in range(2):
        out = on_meta(2, 3)
        assert asked(cache, call, on_meta(2, 3), on_meta(2, 3), out=out) is out
    assert ran()


def test_what_involves_another_device_runs_every_time():
    cache, (call, ran) = ShapeCache(), runs(ATEN.add.Tensor, 2)
    for number in (1.0, 2.0):
        assert float(asked(cache, call, torch.tensor(number), 1.0)) == number + 1.0
    assert ran()


@pytest.mark.full
@pytest.mark.parametrize(("entries", "plan"), [
    (LLAMA, TrainingPlan(method="qlora", rank=4, seq=128)), (LLAMA, TrainingPlan(method="full", seq=128, accumulation=2)),
    (LLAMA, TrainingPlan(method="lora-int8", rank=4, seq=128, trainer="plain", logits_kept=True, dropout=0.1)),
    (LLAMA, TrainingPlan(method="lora", rank=4, seq=128, attention="sdpa-math", dtype="fp16", checkpointing=False)),
    (LLAMA, TrainingPlan(method="qlora", rank=4, seq=128, loss="chunked")),
    (MIXTURE, TrainingPlan(method="lora", rank=4, seq=128)), (WINDOWED, TrainingPlan(method="qdora", rank=4, seq=128)),
])
def test_a_step_says_the_same_with_and_without_memory(entries, plan):
    """Every block, event and mark of the tape, and every operator with its count."""
    config = ModelConfig("tiny", entries, "")
    with patch.object(ShapeCache, "key", lambda *_: None):
        plain = dry_run(config, plan, workspace_bytes=0.0, operators=True)
    remembered = dry_run(config, plan, workspace_bytes=0.0, operators=True)
    assert remembered.tape.blocks == plain.tape.blocks
    assert remembered.tape.events.tolist() == plain.tape.events.tolist()
    assert remembered.tape.phase_starts == plain.tape.phase_starts
    assert remembered.operators == plain.operators


@pytest.mark.full
def test_importing_the_stack_leaves_scipy_out_and_usable():
    code = (
        "import gc, sys; import roi.profiling.stack; assert 'scipy' not in sys.modules; assert gc.isenabled();"
        "import scipy.optimize; from transformers import AutoModelForCausalLM"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.full
def test_importing_the_stack_reads_a_models_file_once_and_searches_little_for_cycles():
    """transformers reads every file of every model for its names; yolos is none that is imported. Some 10,000 objects come from
    what is imported before torch; the stack makes 500,000."""
    code = """if True:
        import gc, sys
        read, young = [], [0]
        def look(event, args):
            if event == "open" and "modeling_yolos.py" in str(args[0]):
                read.append(args[0])
        sys.addaudithook(look)
        gc.callbacks.append(lambda phase, _: young.append(len(gc.get_objects(0))) if phase == "start" else None)
        import roi.profiling.stack
        assert len(read) == 1, read
        gc.collect()
        assert max(young) < 100_000, max(young)
        from transformers.models import yolos
        assert yolos.YolosModel.__name__ == "YolosModel"
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_storages_do_not_keep_a_recorder_that_is_gone():
    """Weights outlive the recorders of the steps that a model takes one after the other."""
    weight = on_meta(2, 3)
    recorder = Recorder(lambda *_: "activations")
    recorder.hold([weight], "load", "weights")
    gone = weakref.ref(recorder)
    del recorder
    gc.collect()
    assert gone() is None
    assert weight.shape == (2, 3)


@pytest.mark.full
def test_the_stack_is_imported_after_transformers_has_seen_that_scipy_is_there():
    code = "from transformers import AutoModelForCausalLM; import roi.profiling.stack"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
