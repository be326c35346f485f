"""`roi profile infer`: the true path on a CPU (NF4 too), equal answers merged and unmerged, Ctrl-C, the report."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from stopped_after import stop_after

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.cli import Door, LazyGroup
from roi.errors import InputError
from roi.facts.environment import Environment
from roi.facts.profiles import InferPoint, InferProfile, MemoryReading
from roi.report.profiles.profile_infer import infer_json, infer_lines, infer_text, ratio_lines, step_ratio, tpot_floor_s

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from roi.profiling import inference as infer_module
from roi.profiling.inference import LEAST, MOST, InferPlan, adapt, build, generate, prepare, profile_infer
from roi.profiling.model_to_build import ModelToBuild
from roi.profiling.session import Session
from roi.profiling.stack import quiet, torch

CPU = Environment(device="cpu", versions={}, seed=0)

SMALL = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 32, "vocab_size": 128, "max_position_embeddings": 64, "tie_word_embeddings": False,
}
"""A llama of 90,000 parameters; every width is a multiple of 64, as the 4-bit product on a CPU wants."""

PLAN = InferPlan(ModelToBuild("small", SMALL, None), "fp32", 4, (1, 2), (8,), 3)


def run(*words):
    house = LazyGroup(name="profile", doors={"infer": Door("roi.cli.profile_infer:infer", "")})
    return CliRunner().invoke(house, ["infer", "--device", "cpu", *words])


@pytest.fixture(scope="module", params=["fp32", "bf16", "nf4"])
def measured(request):
    torch.set_num_threads(1)
    return profile_infer(replace(PLAN, dtype=request.param), Session(CPU, 30.0))


@pytest.mark.full
def test_base_unmerged_and_merged_are_timed_at_every_size(measured):
    """Three states x two batches; three decode steps after each prefill."""
    sizes = [(p.adapter, p.batch, p.prompt_tokens) for p in measured.points]
    assert sizes == [(stage, batch, 8) for stage in ("base", "unmerged", "merged") for batch in (1, 2)]
    assert measured.complete
    for point in measured.points:
        assert LEAST <= len(point.prefill_s) <= MOST
        assert len(point.decode_s) == 3 * len(point.prefill_s)
        assert point.memory.process_bytes > 0.0


@pytest.mark.full
def test_a_profile_survives_its_file(measured):
    assert InferProfile.model_validate_json(measured.model_dump_json(by_alias=True)) == measured


@pytest.mark.full
def test_what_merged_weights_are_is_said_for_nf4_alone(measured):
    said = any("16-bit weights" in note for note in measured.notes)
    assert said == (measured.dtype == "nf4")


def test_merged_and_unmerged_adapters_give_the_same_logits_and_the_base_others():
    """In fp32, to 1e-4; the second factor is not zero, so the adapter changes the answer."""
    ids = torch.arange(8).view(1, 8)
    with quiet(), torch.no_grad():
        base = prepare(build(PLAN, "cpu", 0))
        plain = base(input_ids=ids).logits
        beside = adapt(base, PLAN, 0)
        unmerged = beside(input_ids=ids).logits
        merged = prepare(beside.merge_and_unload())(input_ids=ids).logits
    torch.testing.assert_close(merged, unmerged, rtol=1e-4, atol=1e-4)
    assert (unmerged - plain).abs().max() > 1e-3


def test_decoding_with_the_cache_gives_the_logits_of_the_whole_sequence():
    """Prefill of 8 tokens, then one more: as 9 tokens at once."""
    ids = torch.arange(9).view(1, 9)
    with quiet(), torch.no_grad():
        model = prepare(build(PLAN, "cpu", 0))
        whole = model(input_ids=ids).logits[:, -1]
        begun = model(input_ids=ids[:, :8], use_cache=True, logits_to_keep=1)
        after = model(input_ids=ids[:, 8:], past_key_values=begun.past_key_values, use_cache=True).logits[:, -1]
        prefill_s, steps = generate(model, ids, 2, "cpu")
    torch.testing.assert_close(whole, after, rtol=1e-4, atol=1e-5)
    assert begun.logits.shape == (1, 1, 128)
    assert prefill_s > 0.0
    assert len(steps) == 2


@pytest.mark.full
def test_a_budget_that_ends_keeps_the_first_size_of_each_state():
    profile = profile_infer(PLAN, Session(CPU, 1e-6))
    assert [(p.adapter, p.batch) for p in profile.points] == [("base", 1), ("unmerged", 1), ("merged", 1)]
    assert not profile.complete
    assert "base: the budget ended before batch 2 x 8 tokens" in profile.notes


@pytest.mark.full
def test_ctrl_c_keeps_what_is_done(monkeypatch, tmp_path):
    monkeypatch.setattr(infer_module, "time_generation", stop_after(1, KeyboardInterrupt(), infer_module.time_generation))
    file = tmp_path / "infer.json"
    result = run("--batch", "1,2", "--prompt", "8", "--decode", "2", "--budget", "1s", "--output", str(file))
    assert result.exit_code == 130
    kept = InferProfile.model_validate_json(file.read_text())
    assert (len(kept.points), kept.complete) == (1, False)
    assert "interrupted by the user" in kept.notes


@pytest.mark.full
def test_running_out_of_memory_ends_a_state_and_the_next_still_runs(monkeypatch):
    seen = []
    real = infer_module.time_generation

    def measure(model, ids, *rest):
        seen.append(ids.shape[0])
        if len(seen) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, ids, *rest)

    monkeypatch.setattr(infer_module, "time_generation", measure)
    profile = profile_infer(PLAN, Session(CPU, 30.0))
    assert [(p.adapter, p.batch) for p in profile.points] == [
        ("base", 1), ("unmerged", 1), ("unmerged", 2), ("merged", 1), ("merged", 2)]
    assert "base: out of memory at batch 2 x 8 tokens" in profile.notes


@pytest.mark.full
def test_where_nothing_fits_there_is_an_error_and_no_file(monkeypatch, tmp_path):
    """cuBLAS says it in words of its own; so do both stages after the base."""
    def full(*_):
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)")

    monkeypatch.setattr(infer_module, "time_generation", full)
    result = run("--batch", "1", "--prompt", "8", "--decode", "2", "--budget", "1s", "--profiles", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("roi: nothing was measured: base: out of memory at batch 1 x 8 tokens; unmerged: out of")
    assert (result.stderr.count("\n"), result.stdout, list(tmp_path.rglob("*.json"))) == (1, "", [])


@pytest.mark.parametrize(("words", "said"), [
    (("--dtype", "nf5"), "roi: --dtype: 'nf5' is not one of bf16, fp16, fp32, nf4; nearest: nf4"),
    (("--rank", "0"), "roi: --rank: 0 is not usable; at least 1"),
    (("--rank", "257"), "roi: --rank: 257 is not usable; at most 256, the full rank of this model's widest target"),
    (("--batch", "4097"), "roi: --batch: 4,097 is not usable; at most 4,096"),
    (("--prompt", "99999999"), "--prompt: 99,999,999 tokens and 32 decoded ones are not usable; tiny-llama takes at most"),
    (("--batch", "1,x"), "roi: --batch: '1,x' is not usable; whole numbers from 1 with commas"),
    (("--prompt", "5000"), "roi: --prompt: 5,000 tokens and 32 decoded ones are not usable; tiny-llama takes at most 4,096"),
    (("llama-3.1-8",), "unknown model 'llama-3.1-8'"),
    (("llama-3.1-8b",), "roi: --device cpu: llama-3.1-8b has 8.03e9 parameters"),
])
def test_bad_input_is_one_line_with_exit_code_2(words, said):
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("inner", "said"), [
    (80, r"--dtype nf4: model.layers.0.mlp.gate_proj has 64 inputs and 80 outputs"),
    (96, r"--dtype nf4: model.layers.0.mlp.down_proj has 96 inputs and 64 outputs"),
])
def test_nf4_on_a_cpu_wants_widths_that_its_kernel_packs(inner, said):
    """80 outputs are no multiple of 32; 96 are, but 96 inputs are no multiple of 64."""
    plan = replace(PLAN, model=ModelToBuild("small", SMALL | {"intermediate_size": inner}, None), dtype="nf4")
    with quiet(), pytest.raises(InputError, match=said):
        build(plan, "cpu", 0)


def point(adapter, prefill_s, decode_s, batch=2):
    return InferPoint(adapter=adapter, batch=batch, prompt_tokens=100, decoded_tokens=3, prefill_s=prefill_s, decode_s=decode_s,
                      memory=MemoryReading(allocated_bytes=2.0**30))


MADE = InferProfile(
    started=datetime(2026, 11, 25, tzinfo=UTC), environment=Environment(device="cuda", versions={}), model="llama-3.1-8b",
    dtype="bf16", rank=16, points=(
        point("base", (0.1,), (0.02, 0.02)), point("unmerged", (0.2, 0.2, 9.0), (0.03, 0.03)),
        point("merged", (0.1, 0.1), (0.02, 0.02)),
    ),
)


def test_tokens_a_second_and_tpot_divide_in_the_head():
    """2 x 100 tokens in 0.1 s: 2000/s; a step of 20 ms for 2 sequences: 100 tokens/s; unmerged: 1000/s and 30 ms."""
    base, merged, unmerged = infer_lines(MADE)
    assert (base.adapter, merged.adapter, unmerged.adapter) == ("base", "merged", "unmerged")
    assert (base.prefill_tokens_per_s, base.tpot_s, base.decode_tokens_per_s) == pytest.approx((2000.0, 0.02, 100.0))
    assert (unmerged.prefill_tokens_per_s, unmerged.tpot_s) == pytest.approx((1000.0, 0.03))


def test_unmerged_over_merged_is_a_ratio_of_medians_with_the_spread_of_all_pairs():
    """0.2 over 0.1 s: 2 for prefill; 0.03 over 0.02: 1.5 for decode. Pairs of (1, 3) over (1, 2): 0.5, 1, 1.5 and 3."""
    lines = {(r.what, r.over): r for r in ratio_lines(MADE)}
    assert lines["prefill", "unmerged/merged"].ratio == pytest.approx(2.0)
    decode = lines["decode", "unmerged/merged"]
    assert (decode.ratio, decode.low, decode.high) == pytest.approx((1.5, 1.5, 1.5))
    ratio, low, high = step_ratio((1.0, 3.0), (1.0, 2.0))
    assert ratio == pytest.approx(2.0 / 1.5)
    assert 0.5 <= low < 1.0
    assert 1.5 < high <= 3.0


def test_no_decode_step_reads_the_weights_faster_than_the_datasheet():
    """llama-3.1-8b: 7.5e9 active bf16 weights (embedding left out) = 15.0e9 bytes; an A100 reads 2.039e12 a second: 7.4 ms."""
    assert tpot_floor_s("bf16", find_model("llama-3.1-8b"), find_gpu("A100-80GB-SXM")) == pytest.approx(7.36e-3, rel=0.01)


def test_the_floor_of_an_nf4_mixture_reads_its_experts_in_16_bits():
    """mixtral-8x7b: the floor is far above that of 12.8e9 active weights in 4.127 bits, and at most that of bf16."""
    mixtral, gpu = find_model("mixtral-8x7b"), find_gpu("A100-80GB-SXM")
    whole = tpot_floor_s("bf16", mixtral, gpu)
    assert 0.85 * whole < tpot_floor_s("nf4", mixtral, gpu) < whole
    assert tpot_floor_s("nf4", find_model("llama-3.1-8b"), gpu) < 0.4 * 7.36e-3


@pytest.mark.full
def test_experts_that_stay_16_bit_are_said(tmp_path):
    result = run("mixtral-8x7b", "--layers", "1", "--shrink", "16", "--dtype", "nf4", "--batch", "1", "--prompt", "8",
                 "--decode", "1", "--budget", "1s", "--profiles", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "experts stay in 16 bits" in " ".join(result.stdout.split())


def test_the_report_is_no_wider_than_80_columns_and_shows_theory():
    shape, gpu = find_model("llama-3.1-8b"), find_gpu("A100-80GB-SXM")
    text = infer_text(MADE, shape, gpu)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "theory: TPOT at least 7.36 ms" in text
    assert json.loads(infer_json(MADE, shape, gpu))["theory"]["tpot_s"] == pytest.approx(7.36e-3, rel=0.01)


def test_a_merged_model_far_from_its_base_says_that_the_machine_was_not_at_rest():
    """Same operators, same shapes: 20 ms beside 1 ms is no result; NF4's base is another model than what it is merged into."""
    busy = MADE.model_copy(update={"points": (point("base", (0.1,), (1.0, 1.1)), point("merged", (0.1, 0.1), (0.02, 0.02)))})
    said = "batch 2 x 100: decode of the merged model took 0.02 times the base's"
    for profile, told in ((busy, True), (MADE, False), (busy.model_copy(update={"dtype": "nf4"}), False)):
        assert (said in " ".join(infer_text(profile, None, None).split())) == told


@pytest.mark.full
def test_the_command_runs_a_tiny_model_and_keeps_the_profile(tmp_path):
    result = run("--batch", "1", "--prompt", "8", "--decode", "2", "--budget", "1s", "--dtype", "nf4",
                 "--profiles", str(tmp_path), "--format", "json")
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert (body["schema"], body["dtype"], len(body["points"])) == ("roi.infer/1", "nf4", 3)
    (file,) = tmp_path.rglob("*.json")
    assert len(InferProfile.model_validate_json(file.read_text()).points) == 3


@pytest.mark.full
def test_real_weights_of_a_folder_are_timed(tmp_path):
    """A folder with config.json and safetensors; the profile says that nothing was drawn."""
    with quiet():
        build(PLAN, "cpu", 0).save_pretrained(tmp_path / "model")
    file = tmp_path / "infer.json"
    result = run("--weights", str(tmp_path / "model"), "--batch", "1", "--prompt", "8", "--decode", "2", "--budget", "1s",
                 "--output", str(file))
    assert result.exit_code == 0, result.output
    kept = InferProfile.model_validate_json(file.read_text())
    assert [p.adapter for p in kept.points] == ["base", "unmerged", "merged"]
    assert "drawn" not in " ".join(kept.notes)


@pytest.mark.full
def test_a_shrunk_model_of_the_catalog_is_named_so(tmp_path):
    result = run("qwen3-0.6b", "--layers", "1", "--shrink", "8", "--batch", "1", "--prompt", "8", "--decode", "1",
                 "--budget", "1s", "--profiles", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "1 of 28 layers" in " ".join(result.stdout.split())
    *report, kept = result.stdout.splitlines()
    assert max(len(line) for line in report) <= 80
    assert kept.startswith(f"kept as {tmp_path}")
