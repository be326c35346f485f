"""`roi profile train`: the real stack trains on a CPU through the code that a GPU runs; the rest is checked with fakes."""

import json
import logging
import math
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib import reload
from types import SimpleNamespace

import pytest
from asked import ask

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.errors import InputError, MissingExtra, RoiError
from roi.estimate.training.adapters import base_weight_bytes, check_rank, trained_parameters
from roi.estimate.training.plan import TrainingPlan
from roi.facts.environment import Environment
from roi.facts.profiles import MemoryReading, TrainPoint, TrainProfile
from roi.profiling import stack
from roi.profiling.board import Draw
from roi.profiling.model_to_build import TINY, TINY_CONFIG, ModelToBuild, choose_model_to_build, shrink_config
from roi.profiling.progress import Watcher, show_progress
from roi.profiling.session import Session, catalog_gpu, device_failed, ran_out
from roi.profiling.stack import known_warnings, peft, torch
from roi.profiling.train import fused, short_run, train_point
from roi.profiling.train.real_model import (
    build_meta,
    build_model,
    load_model,
    prepare_training,
    target_modules,
    trained_count,
)
from roi.profiling.train.refused import closed_form
from roi.profiling.train.short_run import TrainRequest
from roi.profiling.train.train_point import (
    CEILING,
    WARMUP,
    FirstStep,
    Largest,
    PointRun,
    StepTooLong,
    computing_leaves,
    drift,
    guess_largest,
    largest_micro_batch,
    recover,
    try_size,
)
from roi.profiling.train.training_steps import AdamWBf16, Step, Stopwatch, TrainingSetup, draw_tokens, run_steps
from roi.report.profiles.profile_train import step_line, step_remark, train_text, utilisation
from roi.store.profiles.plan_record import plan_record, read_plan
from roi.units import GIB

torch.set_num_threads(1)  # tiny models: more threads wait for each other, longest where the machine is busy

LLAMA = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 256, "max_position_embeddings": 256,
}  # fmt: skip
"""64 wide, 2 layers; every output width is a multiple of 32."""


CPU = Environment(device="cpu", versions={})


def tiny_shape():
    return choose_model_to_build(TINY, None, "cpu").shape


def test_the_tiny_model_has_three_and_a_half_million_parameters():
    """A layer: 2 x 256 x 256 + 2 x 256 x 128 + 3 x 256 x 704 + 2 x 256 = 737,792; four, 2 x 1,024 x 256, and a norm of 256."""
    assert tiny_shape().parameters == 4 * 737_792 + 2 * 262_144 + 256 == 3_475_712


def setup_for(method, dtype="fp32", config=LLAMA, **rest):
    plan = TrainingPlan(method=method, dtype=dtype, rank=8, seq=32, padded=False, **rest)
    model = prepare_training(build_model(config, plan, "cpu", seed=1), plan)
    return TrainingSetup(model, plan, "cpu", config["vocab_size"], learning_rate=1e-2, seed=3)


def train(setup, steps=10, micro_batch=2, seq=16):
    losses = []

    def keep(step):
        losses.append(step.loss)
        return len(losses) < steps

    run_steps(setup, micro_batch, seq, keep)
    return losses


def logits(model, tokens):
    """In train mode: bitsandbytes' CPU kernel for inference repacks 4-bit weights and computes in bf16."""
    model.train()
    with torch.no_grad():
        return model(input_ids=tokens).logits.float()


def test_a_tuner_that_wants_a_package_that_is_not_here_says_so_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match="--method adamss: peft refuses this model: scikit-learn is required for AdaMSS"):
        setup_for("adamss")


@pytest.mark.full
@pytest.mark.parametrize("method", ["full", "lora", "rslora", "dora", "qlora", "qdora", "lora-int8"])
def test_the_loss_of_a_fixed_batch_falls(method):
    """Random tokens of 256: the first loss is near ln 256 = 5.55, and it falls by more than a tenth in 10 steps."""
    losses = train(setup_for(method))
    assert len(losses) == 10
    assert losses[0] == pytest.approx(math.log(256), abs=0.5)
    assert losses[-1] < 0.9 * losses[0]


def save_adapter(model, folder):
    """The adapter alone; nothing is asked of the Hub."""
    model.save_pretrained(folder, save_embedding_layers=False)


def load_adapter(base, folder):
    with known_warnings():
        return peft.PeftModel.from_pretrained(base, folder)


def merge_adapter(base, folder):
    """The adapter added into the base's weights; a 4-bit base is dequantised first, or the sum would be rounded again."""
    return load_adapter(base.dequantize() if getattr(base, "is_quantized", False) else base, folder).merge_and_unload()


@pytest.mark.full
@pytest.mark.parametrize(("method", "tolerance"), [("lora", 1e-4), ("rslora", 1e-4), ("dora", 1e-4)])
def test_an_adapter_saved_loaded_and_merged_gives_equal_logits(method, tolerance, tmp_path):
    setup = setup_for(method)
    train(setup)
    tokens = draw_tokens(setup, 2, 16)
    wanted = logits(setup.model, tokens)
    untrained = logits(build_model(LLAMA, setup.plan, "cpu", seed=1), tokens)
    save_adapter(setup.model, tmp_path)
    loaded = logits(load_adapter(build_model(LLAMA, setup.plan, "cpu", seed=1), tmp_path), tokens)
    merged = merge_adapter(build_model(LLAMA, setup.plan, "cpu", seed=1), tmp_path)
    assert (wanted - untrained).abs().max() > 0.1  # training has changed something
    assert (wanted - loaded).abs().max() < tolerance
    assert (wanted - logits(merged, tokens)).abs().max() < tolerance
    assert not any("lora" in name for name, _ in merged.named_parameters())


@pytest.mark.full
@pytest.mark.parametrize(("method", "dtype"), [("qlora", "fp32"), ("qlora", "bf16"), ("qdora", "fp32")])
def test_an_adapter_of_a_4_bit_base_merges_into_the_dequantised_base_of_a_freshly_loaded_model(method, dtype, tmp_path):
    base = build_model(LLAMA, TrainingPlan(method=method, dtype=dtype), "cpu", seed=1)
    base.save_pretrained(tmp_path / "base")
    plan = TrainingPlan(method=method, dtype=dtype, rank=8, seq=32, padded=False)
    model = prepare_training(load_model(tmp_path / "base", plan, "cpu"), plan)
    setup = TrainingSetup(model, plan, "cpu", 256, learning_rate=1e-2)
    losses = train(setup)
    assert losses[-1] < 0.9 * losses[0]
    save_adapter(setup.model, tmp_path / "adapter")
    tokens = draw_tokens(setup, 2, 16)
    merged = merge_adapter(load_model(tmp_path / "base", plan, "cpu"), tmp_path / "adapter")
    assert all(type(layer) is torch.nn.Linear for layer in merged.modules() if isinstance(layer, torch.nn.Linear))
    assert (logits(setup.model, tokens) - logits(merged, tokens)).abs().max() < 1e-2


def test_layers_of_one_shape_are_copies_of_one_quantisation_in_storage_of_their_own():
    model = build_model(LLAMA, TrainingPlan(method="qlora", dtype="bf16"), "cpu")
    first, second = (layer.self_attn.q_proj.weight for layer in model.model.layers)
    assert torch.equal(first.data, second.data)
    assert first.data_ptr() != second.data_ptr()
    assert first.quant_state.absmax.data_ptr() != second.quant_state.absmax.data_ptr()
    assert first.numel() * first.element_size() == 64 * 64 / 2
    model = build_model(LLAMA, TrainingPlan(method="lora-int8", dtype="fp32"), "cpu")
    first, second = (layer.self_attn.q_proj.weight for layer in model.model.layers)
    assert first.dtype == second.dtype == torch.int8
    assert torch.equal(first.SCB, second.SCB)
    assert torch.equal(first.CB, second.CB)
    assert first.CB.data_ptr() != second.CB.data_ptr()


def test_tied_weights_stay_tied_and_buffers_are_what_the_class_computes():
    """Gemma 3 multiplies its embedding by sqrt(64) = 8; a rotary frequency of index 0 is 1."""
    config = {
        "model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32, "vocab_size": 256,
    }
    model = build_model(config, TrainingPlan(method="qlora", dtype="fp32"), "cpu")
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert float(model.model.embed_tokens.embed_scale) == 8.0
    held = [*model.named_parameters(), *model.named_buffers()]
    assert [name for name, tensor in held if tensor.device.type == "meta"] == []
    inverse = [buffer for name, buffer in model.named_buffers() if name.endswith("inv_freq")]
    assert inverse
    assert all(float(buffer[0]) == 1.0 for buffer in inverse)
    assert train(setup_for("qlora", config=config), steps=4)[-1] < 6.0


def test_a_class_without_sdpa_takes_eager_and_the_trained_parameters_are_the_closed_forms():
    """tiny-llama, rank 8: the formula counts 8 (inputs + outputs) for seven products in four layers."""
    plan = TrainingPlan(method="lora", rank=8.0)
    model = prepare_training(build_model(TINY_CONFIG, plan, "cpu"), plan)
    assert trained_count(model) == trained_parameters(tiny_shape(), plan)
    gemma2 = build_meta({**LLAMA, "model_type": "gemma2", "head_dim": 16}, TrainingPlan(attention="sdpa"))
    assert gemma2.config._attn_implementation == "eager"


QWEN_MOE = {
    **LLAMA, "model_type": "qwen3_moe", "head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
}  # fmt: skip


@pytest.mark.full
def test_a_mixture_of_experts_trains_on_a_4_bit_base_and_peft_says_what_its_experts_do_not_take():
    assert train(setup_for("qlora", config=QWEN_MOE), 6)[-1] < 5.5
    with pytest.raises(InputError, match="peft refuses this model"):
        setup_for("lora", config=QWEN_MOE, dropout=0.1)


@pytest.mark.full
def test_the_stored_bytes_are_the_closed_forms():
    """Weights, packed weights and scales as torch holds them, without the adapters: equal to the byte."""
    for method in ("full", "lora", "qlora", "lora-int8"):
        for double in (True, False):
            plan = TrainingPlan(method=method, dtype="bf16", double_quant=double)
            model = prepare_training(build_model(TINY_CONFIG, plan, "cpu"), plan)
            held = {}
            for name, p in model.named_parameters():
                state = getattr(p, "quant_state", None)
                nested = [state.state2.absmax] if state and state.nested else []
                scales = [state.absmax, *nested] if state else [getattr(p, "SCB", None)]
                for tensor in [] if "lora_" in name else [p.data, *scales]:
                    if tensor is not None:
                        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            assert sum(held.values()) == base_weight_bytes(tiny_shape(), plan), (method, double)


def test_targets_are_modules_that_the_model_has():
    """phi3 holds q, k and v in one module: asking for q takes the module that holds it."""
    model = build_meta(LLAMA, TrainingPlan())
    assert target_modules(model, "qv") == ["q_proj", "v_proj"]
    assert target_modules(model, "all-linear") == "all-linear"
    fused = SimpleNamespace(
        get_output_embeddings=lambda: None, named_modules=lambda: [("a.qkv_proj", torch.nn.Linear(1, 1)), ("a.x", None)],
        modules=list, parameters=list,
    )
    assert target_modules(fused, "q_proj", (("qkv_proj", "q_proj", "k_proj", "v_proj"),)) == ["qkv_proj"]
    with pytest.raises(InputError, match=r"--targets: this model has no target 'q_prj'.*nearest: q_proj"):
        target_modules(model, "q_prj")


@pytest.mark.parametrize("kind", ["adamw-bf16", "adamw-8bit"])
def test_other_optimizers_train_and_hold_small_states(kind):
    setup = setup_for("lora", optimizer=kind)
    losses = train(setup)
    assert losses[-1] < 0.9 * losses[0]
    if kind == "adamw-bf16":
        assert {state["exp_avg"].dtype for state in setup.optimizer.state.values()} == {torch.bfloat16}


def test_adamw_in_bf16_follows_torchs_to_the_precision_of_its_states():
    """Ten steps of at most 0.1 each: bf16 keeps 8 bits, so moments and steps are right to 1/256 each."""
    ours, theirs = (torch.nn.Parameter(torch.ones(64)) for _ in range(2))
    pull = torch.linspace(-2.0, 2.0, 64)
    optimizers = AdamWBf16([ours], lr=0.1), torch.optim.AdamW([theirs], lr=0.1)
    for _ in range(10):
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            ((parameter - pull) ** 2).sum().backward()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=0.01)


def test_autocast_and_held_logits_train_too():
    assert train(setup_for("lora", "bf16", autocast=True, logits_kept=True, checkpointing=False, dropout=0.05), 6)[-1] < 5.5


@pytest.mark.full
@pytest.mark.parametrize("trainer", ["hf", "trl"])
@pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")
def test_trainers_run_the_same_steps_at_two_sizes(trainer):
    """The plain loop and the Trainers see the same tokens and weights: the first loss agrees to bf16."""
    if trainer == "trl":
        pytest.importorskip("trl", reason="the extra trl is not installed")
    first = train(setup_for("lora"), 2, micro_batch=1)[0]
    setup = setup_for("lora", trainer=trainer)
    losses = train(setup, 6, micro_batch=1)
    assert len(losses) == 6
    assert losses[0] == pytest.approx(first, abs=0.02)
    assert losses[-1] < losses[0]
    assert len(train(setup, 2, micro_batch=2)) == 2


@pytest.mark.full
@pytest.mark.parametrize("trainer", ["plain", pytest.param("hf", marks=pytest.mark.full)])
@pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")
def test_micro_steps_of_one_batch_step_as_one_of_them_does(trainer):
    """Three times the same tokens: the mean of their gradients is that of one, so the losses are the same."""
    once, thrice = (train(setup_for("lora", trainer=trainer, accumulation=n), 4, micro_batch=1) for n in (1, 3))
    assert thrice == pytest.approx(once, abs=1e-3)
    assert thrice[-1] < thrice[0]


def test_a_step_of_several_micro_steps_is_kept_as_the_time_of_one():
    run = PointRun(1, 16, 0.0, Session(CPU, 10.0), micro_steps=4)
    run.take(Step(8.0, 1.0))
    run.free_s = 6.0
    point = run.point(MemoryReading(), Draw(None, None, None, None), None)
    assert (point.step_s, point.free_step_s) == ((2.0,), 1.5)
    four, one = (FirstStep(setup_for("lora", accumulation=n), lambda: 1.0) for n in (4, 1))
    assert four.passes == 4 * one.passes


def test_a_loss_that_is_no_number_is_an_error():
    run = PointRun(2, 1024, 1.0, Session(CPU, 10.0))
    run.take(Step(0.1, 5.0))
    with pytest.raises(RoiError, match=r"the loss became nan at step 2 of micro-batch 2 x 1,024 tokens"):
        run.take(Step(0.1, math.nan))
    with pytest.raises(RoiError, match="inf"):
        run.take(Step(0.1, math.inf))
    assert len(run.steps) == 1


def test_a_point_ends_with_its_share_and_keeps_its_warm_up():
    """Share 0: three warm-up steps, and the first timed one ends it. Slow steps (1 s of a share of 6): one warm-up step."""
    run = PointRun(1, 16, 0.0, Session(CPU, 10.0))
    steps = 0
    while run.take(Step(1e-9, 1.0)):
        steps += 1
    assert (len(run.steps), run.warmup) in {(WARMUP + 1, WARMUP), (2, 1)}
    slow = PointRun(1, 16, 6.0, Session(CPU, 10.0))
    assert slow.take(Step(1.0, 1.0))
    assert slow.warmup == 1
    spent = PointRun(1, 16, 5.0, Session(CPU, 1e-9))
    assert not spent.take(Step(0.001, 1.0))
    assert not spent.usable


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5, 7, 8, 9, 37, 100])
def test_the_largest_micro_batch_is_found_by_doubling_and_halving(limit):
    """Doubling takes log2(limit) + 2 trials, halving as many again."""
    tried = []

    def fits(micro_batch):
        tried.append(micro_batch)
        return micro_batch <= limit

    assert largest_micro_batch(fits) == Largest(limit, proved=True)
    assert len(tried) <= 2 * math.log2(max(limit, 1)) + 3
    assert largest_micro_batch(fits, known=limit // 2, failed=limit + 3) == Largest(limit, proved=True)
    assert largest_micro_batch(fits, known=limit, failed=limit + 1) == Largest(limit, proved=True)


def test_the_search_stops_at_its_ceiling_and_when_time_is_up():
    assert largest_micro_batch(lambda _: True) == Largest(CEILING, proved=True)
    assert largest_micro_batch(lambda _: True, known=4, hurry=lambda: True) == Largest(4, proved=False)


@pytest.mark.full
def test_running_out_of_memory_leaves_a_model_that_trains_again(monkeypatch):
    """A layer that refuses more than 2 sequences, as a full GPU would: 1 and 2 run, 3 does not, and 1 runs again."""
    setup = setup_for("lora")
    inner = setup.model.get_base_model().model.layers[1]
    forward = inner.forward

    def full(hidden, *rest, **more):
        if hidden.shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(hidden, *rest, **more)

    monkeypatch.setattr(inner, "forward", full)
    assert largest_micro_batch(lambda n: try_size(setup, n, 16)) == Largest(2, proved=True)
    assert all(p.grad is None for p in setup.model.parameters())
    assert len(setup.optimizer.state) == sum(p.requires_grad for p in setup.model.parameters())
    setup.stepped = False  # an optimizer that ran out in its first step has states half made
    recover(setup)
    assert setup.optimizer is None
    assert len(train(setup, 2, micro_batch=1)) == 2
    monkeypatch.setattr(inner, "forward", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        try_size(setup, 1, 16)


def test_what_counts_as_out_of_memory():
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory"))
    assert ran_out(MemoryError())
    assert ran_out(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"))
    assert ran_out(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert ran_out(RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"))
    assert ran_out(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert not ran_out(RoiError("out of memory"))
    assert device_failed(RuntimeError("CUDA error: unspecified launch failure"))
    assert not device_failed(torch.OutOfMemoryError("CUDA out of memory"))
    assert not device_failed(RuntimeError("CUDA error: no kernel image is available for execution on the device"))


def test_the_line_through_measured_peaks_says_the_largest_micro_batch():
    """100 bytes fixed, 2 a token: of 1,300 bytes (1,300 - 100) / (2 x 10) = 60 sequences of 10 tokens fit."""
    peaks = [(10, 120.0), (40, 180.0), (20, 140.0)]
    assert guess_largest(peaks, 1300.0, 10) == 60
    assert guess_largest(peaks, 110.0, 10) == 1  # the smallest is tried in any case
    assert guess_largest(peaks, 1e9, 1) == CEILING
    assert guess_largest(peaks[:1], 1300.0, 10) is None
    assert guess_largest([(10, 120.0), (40, 120.0)], 1300.0, 10) is None


def test_a_time_that_still_moves_is_no_steady_state():
    """30 steps: the last third falls from 1.10 to 1.00 s; noise of 1% around 1 s is steady; 14 steps say nothing."""
    falling = [1.0] * 20 + [1.1 - 0.1 * i / 9 for i in range(10)]
    assert drift(falling) == pytest.approx(-0.1 / 1.05)
    assert drift([1.0 + 0.01 * (-1) ** i for i in range(30)]) is None
    assert drift([1.0 + 0.1 * i for i in range(14)]) is None
    assert drift([1.0] * 30) is None


@pytest.mark.parametrize("guess", [1, 20, 36, 37, 38, 50, 200])
def test_a_guess_brackets_the_largest_micro_batch(guess):
    """A guess that is right, or one too many, takes two trials."""
    tried = []

    def fits(micro_batch):
        tried.append(micro_batch)
        return micro_batch <= 37

    assert largest_micro_batch(fits, known=4, guess=guess) == Largest(37, proved=True)
    assert len(tried) == len(set(tried))
    assert guess not in {37, 38} or len(tried) == 2


@pytest.mark.parametrize(("name", "gib", "wanted"), [
    ("NVIDIA H100 80GB HBM3", 79.1, "H100-80GB-SXM"), ("NVIDIA A100-SXM4-40GB", 39.4, "A100-40GB-SXM"),
    ("Tesla T4", 14.6, "T4"), ("NVIDIA GeForce RTX 4090", 23.6, "RTX-4090"),
    ("NVIDIA H100 80GB HBM3", 9.8, None), ("Quadro K620", 2.0, None),
])
def test_the_drivers_name_finds_the_catalogs_card_unless_it_is_a_slice_of_one(name, gib, wanted):
    assert catalog_gpu(name, gib * GIB) == wanted


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtra, match=r"this needs peft: pip install 'lora-roi\[profile\]'"):
        reload(stack)
    monkeypatch.undo()
    reload(stack)


def test_a_smaller_model_keeps_its_architecture_and_says_so():
    """4 of 32 layers, widths over 16: 4096 to 256, 14336 to 896, 32 heads to 2, 8 key-value heads to 1 (at least one)."""
    config = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
              "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 128256, "layer_types": ["full_attention"] * 32}
    small, said = shrink_config(config, 4, 16)
    assert said == "4 of 32 layers, widths divided by 16 to multiples of 32"
    assert (small["hidden_size"], small["intermediate_size"], small["vocab_size"]) == (256, 896, 8000)
    assert (small["num_attention_heads"], small["num_key_value_heads"], small["head_dim"]) == (2, 1, 128)
    assert (small["num_hidden_layers"], len(small["layer_types"])) == (4, 4)


def points(fixed_s, per_token_s, sizes):
    return [
        TrainPoint(micro_batch=b, seq=t, step_s=(9.0, *[fixed_s + per_token_s * b * t] * 3), warmup=1, memory=MemoryReading())
        for b, t in sizes
    ]


def test_the_line_through_the_points_separates_fixed_and_per_token_time():
    """step = 10 ms + 5 us x tokens; warm-up of 9 s is cut."""
    line = step_line(points(0.010, 5e-6, [(1, 512), (2, 512), (4, 2048)]))
    assert line.fixed_s == pytest.approx(0.010)
    assert line.per_token_s == pytest.approx(5e-6)
    assert line.worst_error == pytest.approx(0.0, abs=1e-9)
    assert step_line(points(0.01, 5e-6, [(1, 512), (1, 512), (2, 512)])) is None
    assert step_remark(points(0.010, 5e-6, [(1, 512), (2, 512), (4, 2048)])) == (
        "step = 10.00 ms + 5.000 us x tokens, through 3 medians, the worst 0% off")
    assert step_remark(points(0.01, 5e-6, [(1, 512), (2, 512)])).startswith("step time by tokens: no line through 2 sizes")


def test_no_step_has_a_negative_part_and_a_line_that_does_not_hold_is_not_shown():
    """10, 21 and 44 ms at 1,000, 2,000 and 4,000 tokens: a free line starts below 0. Without a fixed part the best slope for
    x = tokens / seconds = 100,000, 95,238 and 90,909 is sum x / sum x^2 = 286,147 / 2.7335e10 = 10.468 us, 4.8% off at 44 ms.
    Steps that fall as tokens rise have no part per token: a level line, furthest off at the shortest.
    """
    def timed(*milliseconds):
        sizes = [(1, 1000), (1, 2000), (1, 4000)]
        return [points(ms / 1e3, 0.0, [size])[0] for ms, size in zip(milliseconds, sizes, strict=True)]

    line = step_line(timed(10.0, 21.0, 44.0))
    assert (line.fixed_s, line.per_token_s) == (0.0, pytest.approx(10.468e-6, rel=1e-4))
    assert line.worst_error == pytest.approx(0.0483, abs=1e-3)
    assert step_remark(timed(10.0, 21.0, 44.0)).startswith("step = 10.468 us x tokens, through 3 medians, the worst 5% off")
    falling = step_line(timed(1000.0, 500.0, 90.0))
    assert falling.per_token_s == 0.0
    assert falling.fixed_s > 0.0
    assert "no line holds; the best one misses a median by" in step_remark(timed(1000.0, 500.0, 90.0))


def test_utilisation_leaves_recompute_out():
    """Time such that 4 x parameters x tokens (frozen base: one forward, one backward) is half the H100's 989 TFLOP/s.

    Adapters (0.5% of the weights, three times) and attention come on top: a little above one half.
    """
    model, gpu = find_model("llama-3.1-8b"), find_gpu("H100")
    seconds = 4.0 * model.active_parameters * 2048 / (0.5 * gpu.matrix_flops("bf16"))
    point = points(seconds, 0.0, [(1, 2048)])[0]
    mfu = [utilisation(point, TrainingPlan(checkpointing=kept), model, gpu) for kept in (True, False)]
    assert mfu[0] == mfu[1]
    assert 0.5 < mfu[0] < 0.56


def test_the_report_shows_every_figure_of_a_gpu_in_80_columns():
    """Predicted 22 of measured 20 GiB: +10%. 2 x 1,000 tokens in 0.5 s: 4,000 tokens/s; 300 J over 3 steps: 0.05 J/token."""
    point = TrainPoint(
        micro_batch=2, seq=1000, step_s=(3.0, 0.5, 0.5, 0.5), warmup=1, losses=(12.0, 11.5, 11.0, 10.0),
        memory=MemoryReading(allocated_bytes=20 * GIB, reserved_bytes=21 * GIB, process_bytes=22 * GIB, device_bytes=23 * GIB),
        power_w=200.0, energy_j=300.0, predicted_allocated_bytes=22 * GIB,
    )
    environment = Environment(
        device="cuda", gpu="H100-80GB-SXM", gpu_name="NVIDIA H100 80GB HBM3", driver="580.1", sm_clock_hz=1.98e9,
        power_limit_w=700.0, versions={"torch": "2.13.0"},
    )
    profile = TrainProfile(
        started=datetime(2026, 11, 25, tzinfo=UTC), environment=environment, model="llama-3.1-8b",
        plan=plan_record(TrainingPlan()), weights="random", trained_parameters=41_943_040, points=(point,),
        largest_micro_batch={"1000": 12}, complete=False, notes=("4 x 1,000: out of memory",),
    )
    text = train_text(profile, find_model("llama-3.1-8b"), find_gpu("H100"), None)
    assert max(map(len, text.splitlines())) <= 80
    for part in ("500.0", "4,000", "200", "0.05", "20.00", "22.00", "+10.0%", "21.00", "23.00", "1,000 tokens: 12",
                 "1,980 MHz", "limit 700 W", "out of memory", "incomplete", "989 TFLOP/s"):
        assert part in text, part
    limited = train_text(profile, find_model("llama-3.1-8b"), find_gpu("H100"), None, (0.75 * 989.4e12, "H100/device.json"))
    assert "at most 75%, the best product here (H100/device.json)" in " ".join(limited.split())
    assert max(map(len, limited.splitlines())) <= 80


SMALL = ("--device", "cpu", "--layers", "1", "--shrink", "4")


@pytest.fixture
def few_steps(monkeypatch):
    """Points end after 5 timed steps, so that the budget can be one that a busy machine holds too."""
    monkeypatch.setattr(train_point, "TIMED", 5)


def run(*words):
    return ask("profile", "train", *words)


@pytest.mark.full
@pytest.mark.usefixtures("few_steps")
def test_the_command_trains_on_a_cpu_and_keeps_what_it_measured(tmp_path):
    words = (*SMALL, "--method", "qlora", "--micro-batch", "1,2", "--seq", "16,32", "--budget", "60s", "--seed", "5")
    result = run(*words, "--profiles", str(tmp_path))
    assert result.exit_code == 0, result.output
    *report, kept = result.stdout.splitlines()
    assert max(map(len, report)) <= 80
    assert "not tiny-llama itself but 1 of 4 layers, widths divided by 4 to multiples of 32" in " ".join(result.stdout.split())
    file, = tmp_path.rglob("*.json")
    assert kept == f"kept as {file}"  # one line however long, so that it can be copied
    profile = TrainProfile.model_validate(json.loads(file.read_text()))
    assert profile.model == "tiny-llama (1 of 4 layers, widths divided by 4 to multiples of 32)"
    assert (profile.environment.device, profile.environment.seed, profile.weights) == ("cpu", 5, "random")
    assert {"python", "torch", "peft", "bitsandbytes", "roi"} <= set(profile.environment.versions)
    assert read_plan(profile.plan).method == "qlora"
    assert profile.points
    for point in profile.points:
        assert len(point.step_s) == len(point.losses) > point.warmup
        assert point.memory.process_bytes > 1e8
        assert point.memory.allocated_bytes is None
    again = run(*words, "--profiles", str(tmp_path), "--format", "json")
    assert json.loads(again.stdout)["kind"] == "train"
    assert len(list(tmp_path.rglob("*.json"))) == 2


def test_ctrl_c_keeps_what_is_done(tmp_path, monkeypatch):
    def interrupted(_setup, micro_batch, _seq, on_step, _limit=0):
        for number in range(6):
            if micro_batch == 2 and number == 5:
                raise KeyboardInterrupt
            if not on_step(Step(0.25, 5.0 - number)):
                return

    monkeypatch.setattr(train_point, "run_steps", interrupted)
    output = tmp_path / "kept.json"
    result = run(*SMALL, "--micro-batch", "1,2", "--seq", "16", "--budget", "1h", "--output", str(output))
    assert result.exit_code == 130
    profile = TrainProfile.model_validate(json.loads(output.read_text()))
    assert not profile.complete
    assert [(p.micro_batch, len(p.step_s), p.warmup) for p in profile.points] == [(1, 6, 3), (2, 5, 3)]
    assert "interrupted by the user" in profile.notes
    assert "incomplete" in result.stdout


def watched(setup, looks):
    """A step of 16 tokens whose budget ends after so many looks at the clock; None where it did not end."""
    left = iter([1.0] * looks)
    first = FirstStep(setup, lambda: next(left, -1.0))
    try:
        run_steps(setup, 1, 16, lambda _: first.stop())
    except StepTooLong as error:
        assert next(left, None) is None
        return error.step_s
    return None


@pytest.mark.full
@pytest.mark.parametrize(("trainer", "checkpointing"), [("plain", True), ("plain", False), ("hf", True)])
@pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")
def test_a_first_step_ends_where_the_budget_does_forwards_and_backwards_and_the_model_trains_on(trainer, checkpointing):
    """Half as many looks as modules end in forward, 1.2 times as many in recompute or backward, 100 times as many nowhere."""
    setup = setup_for("lora", trainer=trainer, checkpointing=checkpointing)
    modules = len(computing_leaves(setup.model))
    hooks = sum(len(module._forward_hooks) for module in setup.model.modules())
    assert watched(setup, modules // 2) > 0.0
    assert watched(setup, int(1.2 * modules)) > 0.0
    assert watched(setup, 100 * modules) is None
    assert sum(len(module._forward_hooks) for module in setup.model.modules()) == hooks
    assert len(train(setup, 2)) == 2


def test_what_a_whole_step_takes_follows_from_the_modules_that_were_done(monkeypatch):
    """A quarter of (modules x 2) looks in 3 s: 12 s the whole, without checkpointing."""
    setup = setup_for("lora", checkpointing=False)
    clock = iter([100.0, 103.0])
    monkeypatch.setattr(train_point.time, "monotonic", lambda: next(clock))
    modules = len(computing_leaves(setup.model))
    assert watched(setup, modules // 2 - 1) == pytest.approx(12.0, rel=0.05)


def test_a_budget_that_holds_no_step_is_one_message_with_one_that_does(tmp_path):
    """A millisecond is over before the first layer is."""
    result = run(*SMALL, "--micro-batch", "1,2", "--seq", "16", "--budget", "0.001s", "--profiles", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    said = re.fullmatch(r"roi: --budget: 0.001 s is too short, nothing was measured: 1 x 16: the budget ended inside the first "
                        r"step; --budget (\d+)s would do for that size\n", result.stderr)
    assert said
    assert list(tmp_path.rglob("*")) == []
    assert int(said[1]) >= 1


def test_ctrl_c_before_a_measurement_keeps_nothing_and_says_so(tmp_path, monkeypatch):
    def interrupted(_setup, _micro_batch, _seq, on_step, _limit=0):
        on_step(Step(0.25, 5.0))
        raise KeyboardInterrupt

    monkeypatch.setattr(train_point, "run_steps", interrupted)
    result = run(*SMALL, "--budget", "1h", "--profiles", str(tmp_path))
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "roi: interrupted; nothing was kept\n")
    assert list(tmp_path.rglob("*")) == []


def test_out_of_memory_everywhere_is_an_error_and_no_file(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(train_point, "run_steps", full)
    result = run(*SMALL, "--micro-batch", "1,2", "--seq", "32", "--profiles", str(tmp_path))
    assert (result.exit_code, list(tmp_path.rglob("*"))) == (1, [])
    assert result.stderr == "roi: nothing was measured: 1 x 32 ran out of memory\n"


def said(chosen):
    return " ".join(chosen.notes)


def test_a_config_json_has_the_closed_form_that_fit_has_or_says_why_not(tmp_path):
    """The tiny llama's entries give the tiny llama's shape; a mixture too; targets that it lacks leave it out."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(TINY_CONFIG))
    read = choose_model_to_build(str(file), None, "cpu")
    assert (read.listed, read.shape.parameters) == (False, tiny_shape().parameters)
    assert closed_form(read, TrainingPlan()).shape == read.shape
    other = closed_form(read, TrainingPlan(targets="query"))
    assert other.shape is None
    assert "predicted: no closed form (--targets:" in said(other)
    smaller = choose_model_to_build(None, None, "cpu", layers=1)
    assert smaller.shape.layers == 1
    assert smaller.name == "tiny-llama (1 of 4 layers)"
    file.write_text(json.dumps(QWEN_MOE))
    mixture = choose_model_to_build(str(file), None, "cpu")
    assert mixture.shape is not None  # a mixture is read too
    assert mixture.shape.mlp[0].experts == 4
    with pytest.raises(InputError, match="--targets: tiny-llama has no target 'query'"):
        closed_form(choose_model_to_build(None, None, "cpu"), TrainingPlan(targets="query"))


@pytest.mark.parametrize(("heads", "shared", "divisor", "wanted"), [
    (40, 8, 3, (12, 2)), (32, 8, 16, (2, 1)), (4, 4, 8, (1, 1)),
])
def test_query_heads_of_a_smaller_model_share_key_value_heads_evenly(heads, shared, divisor, wanted):
    """40 over 3 is 13, 8 over 3 is 2: 12 query heads, six to each of two."""
    small, _ = shrink_config({"num_attention_heads": heads, "num_key_value_heads": shared}, None, divisor)
    assert (small["num_attention_heads"], small["num_key_value_heads"]) == wanted


def test_the_rank_is_bounded_by_the_widest_target_not_by_a_gate_of_one_output():
    """Llama 8B's widest is 4,096; Qwen1.5-MoE has a target of one output beside wide ones, and rank 16 is usual for it."""
    check_rank(find_model("llama-3.1-8b"), TrainingPlan(rank=4096))
    with pytest.raises(InputError, match="rank: 4,097 is not usable; at most 4,096"):
        check_rank(find_model("llama-3.1-8b"), TrainingPlan(rank=4097))
    check_rank(find_model("qwen1.5-moe-a2.7b"), TrainingPlan(rank=16))
    with pytest.raises(InputError, match="at most 1,024"):
        check_rank(find_model("llama-3.1-8b"), TrainingPlan(rank=2048, targets="k_proj"))
    check_rank(find_model("llama-3.1-8b"), TrainingPlan(method="full", rank=1e9))


class Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@pytest.mark.usefixtures("few_steps")
def test_what_transformers_advises_stays_out_of_the_talk(tmp_path):
    """bert: it says twice that it is meant for another use, and once how it computes the loss."""
    (tmp_path / "bert.json").write_text(json.dumps({
        "model_type": "bert", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
        "vocab_size": 256, "max_position_embeddings": 64,
    }))
    heard = Heard()
    logging.getLogger("transformers").addHandler(heard)
    try:
        words = ("--micro-batch", "1", "--seq", "16", "--budget", "60s", "--profiles", str(tmp_path))
        result = run(str(tmp_path / "bert.json"), "--device", "cpu", *words)
    finally:
        logging.getLogger("transformers").removeHandler(heard)
    assert result.exit_code == 0, result.output
    assert (heard.lines, result.stderr) == ([], "")


@pytest.mark.full
def test_every_door_into_the_room_imports_its_packages_quietly():
    """`roi.profiling.stack`, which keeps known noise out, is imported before bitsandbytes whichever module comes first."""
    code = """
import sys
class Watch:
    def find_spec(self, name, *_):
        if name in ("bitsandbytes", "peft", "transformers"):
            print(name, "roi.profiling.stack" in sys.modules)
sys.meta_path.insert(0, Watch())
import roi.profiling.dry.dry_predictor
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.splitlines()) == ["bitsandbytes True", "peft True", "transformers True"]
    assert done.stderr == ""


def test_out_of_memory_leaves_a_point_out_and_bounds_the_search(tmp_path, monkeypatch):
    """Micro-batch 2 fails at 32 tokens: 4 x 32 is not tried, the others are kept."""
    tried = []

    def full(_setup, micro_batch, seq, on_step, _limit=0):
        tried.append((micro_batch, seq))
        if micro_batch * seq >= 64:
            raise torch.OutOfMemoryError("CUDA out of memory")
        while on_step(Step(0.01, 5.0)):
            pass

    monkeypatch.setattr(train_point, "run_steps", full)
    output = tmp_path / "kept.json"
    result = run(*SMALL, "--micro-batch", "1,2,4", "--seq", "32", "--budget", "10s", "--output", str(output))
    assert result.exit_code == 0, result.output
    assert tried == [(1, 32), (2, 32)]
    profile = TrainProfile.model_validate(json.loads(output.read_text()))
    assert [p.micro_batch for p in profile.points] == [1]
    assert "2 x 32: out of memory" in profile.notes
    assert "4 x 32: left out, 2 x 32 ran out of memory" in profile.notes


@pytest.mark.parametrize(("option", "value"), [("--method", "xlora"), ("--rank", "0"), ("--dropout", "2")])
def test_a_field_of_the_plan_that_is_refused_is_called_as_the_option_is(option, value):
    result = run("--device", "cpu", option, value)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"roi: {option}: ")


@pytest.mark.full
@pytest.mark.usefixtures("few_steps")
def test_real_weights_come_from_a_folder(tmp_path):
    build_model(LLAMA, TrainingPlan(method="full", dtype="fp32"), "cpu").save_pretrained(tmp_path / "weights")
    quick = ("--micro-batch", "1", "--seq", "16", "--budget", "60s")
    result = run("--device", "cpu", "--weights", str(tmp_path / "weights"), *quick, "--output", str(tmp_path / "kept.json"))
    assert result.exit_code == 0, result.output
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert (kept["weights"], kept["config"]["hidden_size"]) == (str(tmp_path / "weights"), 64)  # which its speed is read by
    wrong = run("llama-3.1-8b", "--device", "cpu", "--weights", str(tmp_path / "weights"))
    assert wrong.exit_code == 2
    assert "hidden_size 64, but llama-3.1-8b has 4096" in wrong.stderr


def test_what_no_cpu_runs_is_refused_before_torch_is_imported():
    """Which takes seconds; where no driver has a file, nobody need say that there is no GPU."""
    code = ("import sys; from click.testing import CliRunner; from roi.cli import main; from roi.profiling import board\n"
            "board.no_driver = lambda: True\n"
            "for words in (('--rank', '100000'), ('--attention', 'flash'), ('--kernels', 'liger')):\n"
            "    found = CliRunner().invoke(main, ['profile', 'train', *words])\n"
            "    print(found.exit_code, found.stderr.startswith(f'roi: {words[0]}'), 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2 True False"] * 3


@pytest.mark.parametrize(("words", "message"), [
    (("--device", "tpu"), "--device: 'tpu' is not one of cuda, cpu"),
    (("--device", "cpu", "--budget", "soon"), "a time above 0 such as 90s, 2m or 0.5h"),
    (("--device", "cpu", "--budget", "0s"), "--budget: '0s'"),
    (("--device", "cpu", "--micro-batch", "1,x"), "whole numbers from 1 with commas"),
    (("--device", "cpu", "--seq", "8192"), "tiny-llama takes at most 4,096"),
    (("--device", "cpu", "--seq", "99999999"), "--seq: 99,999,999 tokens is not usable; tiny-llama takes at most 4,096"),
    (("--device", "cpu", "--micro-batch", "5000"), "--micro-batch: 5,000 is not usable; at most 4,096"),
    (("--device", "cpu", "--rank", "100000"), "--rank: 100,000 is not usable; at most 256, the full rank"),
    (("--device", "cpu", "--shrink", "4", "--rank", "65"), "--rank: 65 is not usable; at most 64,"),
    (("--device", "cpu", "--targets", "q_prj"), "no target 'q_prj'"),
    (("--device", "cpu", "--method", "lorra"), "nearest: lora"),
    (("--device", "cpu", "--optimizer", "paged-adamw-8bit"), "paging needs a GPU"),
    (("--device", "cpu", "--attention", "flash", "--dtype", "bf16"), "FlashAttention needs a GPU"),
    (("--device", "cpu", "--attention", "sdpa-cudnn", "--dtype", "bf16"), "its kernel is a GPU's; on a CPU take sdpa"),
    (("--device", "cpu", "--attention", "flash"), "'flash' is not usable with dtype: 'fp32'"),
    (("--device", "cpu", "--kernels", "liger"), "--kernels liger: Liger's kernels are Triton's, which need a GPU"),
    (("--device", "cpu", "--kernels", "fused"), "--kernels fused: those of Unsloth and fms-acceleration run in loops of their"),
    (("--device", "cpu", "--kernels", "ligr"), "nearest: liger"),
    (("--device", "cpu", "--compile", "--trainer", "trl"), "--compile: SFTTrainer's steps are not compiled here"),
    (("--device", "cpu", "--packing"), "--packing: packs examples of real lengths; which? --lengths FILE"),
    (("--device", "cpu", "--lengths", "no-such-file"), "--lengths: no-such-file: cannot be read"),
    (("--device", "cpu", "--layers", "9"), "this model has 4"),
    (("--device", "cpu", "--shrink", "0"), "--shrink: 0"),
    (("--device", "cpu", "--weights", "no/such/folder"), "is not a folder"),
    (("--device", "cpu", "--output", "no/such/folder/kept.json"), "--output: no folder no/such/folder"),
    (("llama-3.1-8b", "--device", "cpu"), "--layers 2 --shrink 8 makes a small model of it"),
    (("lama-3.1-8b", "--device", "cpu"), "nearest: llama-3.1-8b"),
])
def test_what_cannot_run_is_one_sentence(words, message):
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_gpu_that_is_not_there_is_refused():
    if not torch.cuda.is_available():
        result = run("llama-3.1-8b", "--device", "cuda")
        assert result.exit_code == 2
        assert "sees no GPU; --device cpu runs a small model" in result.stderr


def test_the_bar_is_drawn_on_a_terminal_alone():
    with show_progress(SimpleNamespace(isatty=lambda: False)) as watcher:
        assert isinstance(watcher, Watcher)
        watcher.say("x")
        watcher.update("x", 0.5, 1.0)


def test_on_a_gpu_the_search_follows_the_points_and_tries_what_their_line_says(monkeypatch):
    """32 and 64 tokens reserve 200 and 300 bytes, 700 are there: (700 - 100) / 100 = 6 sequences, so 6 and 7 are tried."""
    tried = []

    def fits(_setup, micro_batch, _seq):
        tried.append(micro_batch)
        return micro_batch <= 6

    def step(_setup, run):
        while run.take(Step(0.01, 5.0)):
            pass
        return Draw(300.0, 6.0, 1.98e9, 2.6e9)

    for name, fake in (("try_size", fits), ("run_point", step), ("reset_memory", lambda _: None), ("recover", lambda _: None),
                       ("read_memory", lambda *_: MemoryReading(reserved_bytes=next(reserved))), ("room_bytes", lambda: 700.0)):
        monkeypatch.setattr(train_point, name, fake)
    reserved = iter([200.0, 300.0])
    plan = TrainingPlan()
    request = TrainRequest(ModelToBuild("m", LLAMA, tiny_shape()), plan, ((1, 32), (2, 32)))
    session = Session(Environment(device="cuda", versions={}), 60.0)
    work = short_run._Stepping(request, TrainingSetup(None, plan, "cuda", 256), session)
    work.run()
    assert tried == [6, 7]
    assert work.largest == {"32": 6}
    assert not work.ended
    under_load = session.environment_under_load(work.last_draw)
    assert (under_load.sm_clock_hz, under_load.memory_clock_hz) == (1.98e9, 2.6e9)
    assert all(p.power_w == 300.0 and p.predicted_allocated_bytes > 1e6 for p in work.points)


def test_a_gpu_is_timed_by_its_own_events(monkeypatch):
    """Two events 250 ms apart are 0.25 s, whatever the clock says."""
    class Event:
        def __init__(self, *, enable_timing):
            assert enable_timing

        def record(self):
            """Marks the stream."""

        def synchronize(self):
            """Waits."""

        def elapsed_time(self, _):
            return 250.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    watch = Stopwatch("cuda")
    watch.start()
    assert watch.stop() == 0.25


def test_shares_of_the_budget_grow_as_the_root_of_the_tokens():
    """1 x 100 and 1 x 400: 10 to 20, a third and what is left."""
    assert short_run.share([(1, 100), (1, 400)]) == pytest.approx(1 / 3)
    assert short_run.share([(1, 400)]) == 1.0


def test_a_folder_that_is_a_file_is_refused_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    result = run(*SMALL, "--budget", "60s", "--profiles", str(tmp_path / "file"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a folder" in result.stderr


@pytest.mark.usefixtures("few_steps")
def test_what_cannot_be_written_is_at_least_shown(tmp_path, monkeypatch):
    def full(*_):
        raise InputError("disk full")

    monkeypatch.setattr("roi.store.profiles.lookup.save_profile", full)
    words = ("--micro-batch", "1", "--seq", "16", "--budget", "60s", "--profiles", str(tmp_path))
    result = run(*SMALL, *words)
    assert result.exit_code == 2
    assert "median ms" in result.stdout
    assert "kept as" not in result.stdout


@pytest.mark.parametrize(("attention", "trainer"), [("sdpa-math", "plain"), ("sdpa-math", "hf"), ("sdpa", "plain")])
def test_a_pinned_kernel_is_the_only_one_that_attention_may_take_while_steps_run(attention, trainer):
    """torch's switches during a step, and as they were afterwards."""
    setup, seen = setup_for("lora", trainer=trainer, attention=attention), []
    backends = torch.backends.cuda

    def switches():
        return backends.flash_sdp_enabled(), backends.mem_efficient_sdp_enabled(), backends.math_sdp_enabled()

    before = switches()
    run_steps(setup, 1, 16, lambda _: seen.append(switches()), 1)
    assert seen == [(False, False, True) if attention == "sdpa-math" else before]
    assert switches() == before


def test_the_step_that_compiles_is_warm_up_and_on_no_budget(monkeypatch):
    """30 s of compiling, then steps of 1 s: four are warm-up, and the budget of 10 s begins after the first."""
    clock = [100.0]
    monkeypatch.setattr(train_point.time, "monotonic", lambda: clock[0])
    session = Session(CPU, 10.0, began_s=100.0)
    run = PointRun(1, 16, 9.0, session, compiles=True, began_s=100.0)
    clock[0] += 30.0
    assert run.take(Step(30.0, 5.0))
    assert session.left_s == 10.0
    steps = 1
    while run.take(Step(1.0, 5.0)):
        steps += 1
        clock[0] += 1.0
    assert (run.warmup, steps) == (4, 10)
    assert session.notes == ["1 x 16: its first step took 30.0 s with compiling, outside the budget"]


def test_a_cpu_without_a_compiler_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(fused.shutil, "which", lambda _: None)
    result = run(*SMALL, "--compile")
    assert result.exit_code == 2
    assert result.stderr.startswith("roi: --compile: torch.compile builds C++ for a CPU, and there is no C++ compiler here; ")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile builds C++ on a CPU")
def test_compiled_steps_lose_as_eager_ones_do(tmp_path, monkeypatch):
    """The same weights and tokens: losses agree to fp32's rounding. No memory is predicted for compiled steps."""
    monkeypatch.setattr(train_point, "TIMED", 3)
    losses = []
    for number, how in enumerate(("--no-compile", "--compile")):
        file = tmp_path / f"{number}.json"
        words = ("--trainer", "plain", "--micro-batch", "1", "--seq", "32", "--budget", "60s", "--output", str(file), how)
        result = run(*SMALL, *words)
        assert result.exit_code == 0, result.output
        kept = TrainProfile.model_validate_json(file.read_text())
        losses.append(kept.points[0].losses[:6])
    assert kept.compiled
    assert kept.points[0].warmup == 4
    assert kept.points[0].predicted_allocated_bytes is None
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.full
@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("packing", [True, False])
def test_real_lengths_come_from_a_file_and_the_report_says_what_was_padding(tmp_path, packing):
    """Of 100 lengths of 4 to 40 tokens; rows of at most 32. Speed counts tokens of examples alone."""
    file, output = tmp_path / "lengths.txt", tmp_path / "kept.json"
    file.write_text("".join(f"{4 + 7 * i % 37}\n" for i in range(100)))
    words = ("--lengths", str(file), "--seq", "32", "--micro-batch", "2", "--budget", "60s", "--output", str(output))
    result = run(*SMALL, "--trainer", "plain", *words, *(["--packing"] if packing else []))
    assert result.exit_code == 0, result.output
    kept = TrainProfile.model_validate_json(output.read_text())
    point, = kept.points
    assert (kept.lengths[0], kept.lengths[10], kept.plan["packed"], kept.plan["padded"]) == (4, 40, packing, not packing)
    assert all(tokens <= slots <= 64 for tokens, slots in zip(point.tokens, point.slots, strict=True))
    assert (point.mean_tokens / point.mean_slots > 0.9) is packing
    said = " ".join(result.stdout.split())
    assert f"examples of 4 to 40 tokens, half of them up to 22, {'packed' if packing else 'padded'}" in said
    assert f"{point.mean_tokens / point.typical_s:,.0f}" in said
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 80


@pytest.mark.gpu
def test_on_a_gpu_the_four_memories_are_in_order_and_the_loss_falls(tmp_path):
    output = tmp_path / "kept.json"
    sizes = ("--micro-batch", "1,2", "--seq", "128", "--budget", "20s")
    result = run("tiny-llama", "--device", "cuda", "--method", "qlora", *sizes, "--output", str(output))
    assert result.exit_code == 0, result.output
    profile = TrainProfile.model_validate(json.loads(output.read_text()))
    for point in profile.points:
        m = point.memory
        assert 0 < m.allocated_bytes <= m.reserved_bytes
        assert m.process_bytes is None or m.reserved_bytes <= m.process_bytes <= m.device_bytes
        assert point.losses[-1] < point.losses[0]
    assert profile.largest_micro_batch["128"] >= 2
