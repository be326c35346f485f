"""The commands on a simulated H100: every CUDA branch runs, what was measured is kept, and what went wrong is said."""

import gc
import json
import os
import pickle
import signal
import sys
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
from asked import ask

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from fake_card.cuda import Clockwork, simulated_machine
from fake_card.lines import ROOM, card_lines, noted
from fake_card.nvml import SCENES, nvml_scene
from torch import distributed

from roi.errors import InputError, RoiError
from roi.estimate.training.plan import TrainingPlan
from roi.facts.profiles import TrainProfile
from roi.profiling import board as board_module
from roi.profiling import inference, launched_run, torchrun
from roi.profiling.board import PowerMeter, look_before_torch, open_board
from roi.profiling.device import card_probe as probe_module
from roi.profiling.device import device_shapes, link, operator_rates
from roi.profiling.device.operator_rates import time_call
from roi.profiling.model_to_build import choose_model_to_build
from roi.profiling.progress import Watcher
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.launch import Launch, Launched
from roi.profiling.server.server_run import ServeRequest, ServeRun
from roi.profiling.session import claim_board, read_environment, unusable_gpu
from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import torch
from roi.profiling.stops import Stops
from roi.profiling.train import fused, ranks, real_model, several_cards, train_point
from roi.profiling.train.short_run import TrainRequest

MIB = 2**20
SMALL = ("--micro-batch", "1,2", "--seq", "16,32", "--layers", "1", "--shrink", "2", "--budget", "10m")
INFER = ("--batch", "1,2", "--prompt", "8", "--decode", "5", "--budget", "60s", "--layers", "1")
full = pytest.mark.full
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Points of a few steps, one thread, and nobody's processes from an earlier scene."""
    gc.freeze()  # every point begins with a collection, which takes a second among what the imports left
    torch.set_num_threads(1)
    monkeypatch.setattr(train_point, "TIMED", 2)
    monkeypatch.setattr(inference, "MOST", 3)
    monkeypatch.setattr(board_module, "_BEFORE_TORCH", {})
    monkeypatch.setattr(board_module, "LEAST_S", 0.0)


@pytest.fixture(scope="module")
def ran():
    """The lines of roi.profiling that ran in this module."""
    gc.unfreeze()  # frozen functions would not be found
    with noted() as seen:
        yield seen


@pytest.fixture(autouse=True)
def _traced(request):
    if "full" in {mark.name for mark in request.node.iter_markers()}:
        request.getfixturevalue("ran")


def profile(tmp_path, kind, *words):
    """(result of the command, what it kept)."""
    output = tmp_path / "kept.json"
    output.unlink(missing_ok=True)
    result = ask("profile", kind, "tiny-llama", "--device", "cuda", *words, "--output", output)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result, json.loads(output.read_text()) if output.exists() else None


@full
@pytest.mark.parametrize("words", [
    ("--trainer", "plain", "--method", "lora"), ("--trainer", "plain", "--method", "qlora", "--optimizer", "adamw-8bit"),
    ("--method", "qlora"), ("--trainer", "trl", "--method", "lora"), ("--trainer", "plain", "--method", "lora-int8"),
])
def test_a_card_is_stepped_and_told(tmp_path, words):
    with simulated_machine() as (_, card):
        result, kept = profile(tmp_path, "train", *SMALL, "--no-find-largest", *words)
    assert result.exit_code == 0, result.output
    assert kept["complete"]
    assert len(kept["points"]) == 4
    assert kept["environment"]["sm_clock_hz"] == 1.98e9
    for point in kept["points"]:
        memory = point["memory"]
        assert memory["allocated_bytes"] <= memory["reserved_bytes"]
        assert memory["device_bytes"] == 1_800_000_000
        assert point["power_w"] == pytest.approx(350.0, rel=0.1)  # a busy machine pauses between clock and counter
        assert point["free_step_s"] > 0.0
    assert "steps that are not waited for: 1 x 16 " in result.stdout
    assert card.forwards > 0


@full
def test_liger_goes_into_the_base_before_the_adapter_and_compiled_steps_are_not_searched(tmp_path, monkeypatch):
    """Stand-ins for Liger, whose kernels need Triton, and for the compiler: they take what the libraries take."""
    told = []
    liger = SimpleNamespace(MODEL_TYPE_TO_APPLY_LIGER_FN={"llama": None},
                            _apply_liger_kernel_to_instance=lambda *, model: told.append(type(model).__name__))
    monkeypatch.setitem(sys.modules, fused.LIGER, liger)
    monkeypatch.setattr(torch, "compile", lambda model, *, dynamic: (told.append((type(model).__name__, dynamic)), model)[1])
    words = (*SMALL, "--kernels", "liger", "--trainer", "plain", "--method", "lora")
    with simulated_machine(token_bytes=10 * MIB, total_bytes=4000 * MIB):
        result, kept = profile(tmp_path, "train", *words, "--compile")
    assert result.exit_code == 0, result.output
    assert told == ["LlamaForCausalLM", ("PeftModelForCausalLM", False)]
    assert (kept["plan"]["kernels"], kept["compiled"], kept["largest_micro_batch"]) == ("liger", True, {})
    assert "largest micro-batch: not searched with --compile, which compiles each size anew" in kept["notes"]
    assert "lora r16" in result.stdout
    assert "liger kernels, compiled" in " ".join(result.stdout.split())
    liger.MODEL_TYPE_TO_APPLY_LIGER_FN = {"qwen3": None}
    with simulated_machine():
        result, _ = profile(tmp_path, "train", *words)
        assert result.exit_code == 2
        assert result.stderr == "roi: --kernels liger: Liger has no kernels for model_type 'llama'; take none\n"
        result, _ = profile(tmp_path, "train", *SMALL, "--kernels", "liger", "--trainer", "trl")
        assert "SFTTrainer has a chunked head of its own" in result.stderr
        monkeypatch.setitem(sys.modules, fused.LIGER, None)
        result, _ = profile(tmp_path, "train", *words)
    assert (result.exit_code, "pip install 'lora-roi[liger]'" in result.stderr) == (2, True)


@full
@pytest.mark.parametrize("packing", [True, False])
def test_rows_of_real_lengths_are_stepped_and_the_search_takes_full_ones(tmp_path, packing):
    """As above 253 tokens hold: 7 full rows of 32, whatever the examples."""
    file = tmp_path / "lengths.txt"
    file.write_text("4\n9\n17\n30\n90\n")
    words = ("--micro-batch", "1,2", "--seq", "32", *SMALL[4:], "--lengths", str(file), *(["--packing"] if packing else []))
    with simulated_machine(token_bytes=10 * MIB, total_bytes=4000 * MIB, name="Quadro K620"):
        result, kept = profile(tmp_path, "train", *words, "--trainer", "plain")
    assert result.exit_code == 0, result.output
    assert kept["largest_micro_batch"] == {"32": 7}
    assert all(len(point["tokens"]) == len(point["step_s"]) for point in kept["points"])
    assert kept["lengths"] == [4, 4, 9, 9, 17, 17, 17, 30, 30, 90, 90]


@full
@pytest.mark.parametrize(("trainer", "at"), [
    ("plain", "forward"), ("plain", "backward"), ("plain", "optimizer"), ("hf", "forward"), ("hf", "optimizer"),
])
def test_running_out_anywhere_bounds_the_search_and_two_trials_settle_it(tmp_path, trainer, at):
    """4,000 MiB less 500 of context, over 1.02, less 900 fixed hold 253 tokens of 10 MiB: 15 sequences of 16 and 7 of 32."""
    room = {"total_bytes": 4000 * MIB, "token_bytes": 10 * MIB, "name": "Quadro K620"}
    with simulated_machine(**room, oom_at=at) as (_, card):
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", trainer)
        tried = card.retries
    assert result.exit_code == 0, result.output
    assert kept["largest_micro_batch"] == {"16": 15, "32": 7}
    assert kept["complete"]
    assert tried == 2  # one that fails for each length
    assert kept["points"][-1]["memory"]["retries"] == 0


@full
@pytest.mark.parametrize(("forward", "points"), [(14, 1), (45, 4)])
def test_an_error_of_the_device_keeps_what_was_measured(tmp_path, forward, points):
    """Five steps a point and six without a wait: the 14th forward pass is in the second point, the 45th in the search."""
    with simulated_machine(fail_at=forward, total_bytes=4000 * MIB, token_bytes=10 * MIB):
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain")
    assert result.exit_code == 1
    said = "the device failed: CUDA error: an illegal memory access was encountered"
    assert result.stderr.endswith(f"roi: {said}; what was measured is kept, marked incomplete\n")
    assert len(kept["points"]) == points
    assert not kept["complete"]
    assert said in kept["notes"]


@full
def test_an_error_of_the_device_before_anything_was_measured_is_one_sentence(tmp_path):
    with simulated_machine(fail_at=2):
        result, kept = profile(tmp_path, "train", *SMALL)
    assert (result.exit_code, kept) == (1, None)
    assert result.stderr.endswith("roi: the device failed: CUDA error: an illegal memory access was encountered\n")


@full
@pytest.mark.parametrize(("number", "code", "why"), [
    (signal.SIGINT, 130, "interrupted by the user"), (signal.SIGTERM, 143, "ended by SIGTERM"),
])
@pytest.mark.parametrize("kind", ["train", "infer"])
def test_a_signal_inside_a_step_keeps_what_was_measured(tmp_path, kind, number, code, why):
    """It comes while the card computes: the step is lost, sizes before it are kept, marked, and the exit code says which."""
    words = {"train": (*SMALL, "--trainer", "plain", "--no-find-largest"), "infer": INFER}[kind]
    with simulated_machine() as (_, card):
        opened = card.on_open

        def arrives():
            opened()
            if card.forwards == 40:
                os.kill(os.getpid(), number)

        card.on_open = arrives
        result, kept = profile(tmp_path, kind, *words)
    assert result.exit_code == code
    assert (kept["complete"], why in kept["notes"]) == (False, True)
    assert len(kept["points"]) >= 1


@full
@pytest.mark.parametrize("kind", ["train", "infer"])
def test_memory_that_runs_out_while_the_model_is_built_is_one_sentence(tmp_path, monkeypatch, kind):
    def full_card(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(real_model, "build_model", full_card)
    monkeypatch.setattr(inference, "build_model", full_card, raising=False)
    words = {"train": SMALL, "infer": INFER}[kind]
    with simulated_machine():
        result, kept = profile(tmp_path, kind, *words)
    assert (result.exit_code, kept) == (1, None)
    said = {"train": "roi: out of memory while tiny-llama (1 of 4 layers, widths divided by 2",
            "infer": "roi: nothing was measured: base: out of memory while building"}[kind]
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1


@full
def test_a_loss_that_is_no_number_keeps_the_points_before_it(tmp_path):
    with simulated_machine(nan_at=14):
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain", "--no-find-largest")
    assert result.exit_code == 1
    assert "the loss became nan at step 3 of micro-batch 1 x 32" in result.stderr
    assert (len(kept["points"]), kept["complete"]) == (1, False)


@full
def test_a_card_that_falls_off_while_it_is_read_says_none(tmp_path):
    with simulated_machine(fail_at=14) as (nvml, card):
        opened = card.on_open

        def lost():
            opened()
            nvml.lost = card.forwards >= 12

        card.on_open = lost
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain")
    assert result.exit_code == 1
    assert len(kept["points"]) == 1


@full
def test_a_paged_optimizer_keeps_its_states_over_all_trials(tmp_path, monkeypatch):
    """bitsandbytes never gives paged buffers back: the search may ask for none beyond those of the first steps.

    The simulated card gives unpaged ones: managed memory is CUDA's.
    """
    buffers, made = [], []
    take, trial = bnb.optim.optimizer.Optimizer8bit.get_state_buffer, train_point.try_size

    def counted(self, *rest, **more):
        buffers.append(self.is_paged)
        return take(self, *rest, **more)

    def tried(*arguments):
        made.append(len(buffers))
        return trial(*arguments)

    monkeypatch.setattr(bnb.optim.optimizer.Optimizer8bit, "get_state_buffer", counted)
    monkeypatch.setattr(train_point, "try_size", tried)
    with simulated_machine(total_bytes=4000 * MIB, token_bytes=10 * MIB):
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain", "--optimizer", "paged-adamw-8bit")
    assert result.exit_code == 0, result.output
    assert kept["largest_micro_batch"] == {"16": 15, "32": 7}
    assert len(made) == 4
    assert all(buffers)
    assert made[0] == len(buffers) > 0


@full
def test_a_search_that_the_budget_does_not_hold_is_said_before_it_starts(tmp_path, monkeypatch):
    real = train_point.run_steps

    def slow(setup, micro_batch, seq, on_step, limit=1000):
        real(setup, micro_batch, seq, lambda step: on_step(replace(step, seconds=10.0 * seq)), limit)

    monkeypatch.setattr(train_point, "run_steps", slow)
    with simulated_machine(token_bytes=10 * MIB):  # a budget of its own
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain", "--budget", "60s")
    assert result.exit_code == 0, result.output
    assert not kept["complete"]
    assert kept["largest_micro_batch"] == {}
    assert any("by the line through measured peaks, not tried: it takes" in note for note in kept["notes"])
    assert "--budget:" in result.stderr




@full
@pytest.mark.parametrize("dtype", ["bf16", "nf4"])
def test_no_length_of_the_cache_is_timed_the_first_time_it_comes(tmp_path, dtype):
    """cuDNN makes a plan for each: the untimed round has them all, 9 to 13 tokens."""
    with simulated_machine() as (_, card):
        result, kept = profile(tmp_path, "infer", *INFER, "--dtype", dtype)
    assert result.exit_code == 0, result.output
    assert len(kept["points"]) == 6
    assert card.lengths[:5] == [9, 10, 11, 12, 13]
    assert set(card.lengths) == {9, 10, 11, 12, 13}
    assert kept["environment"]["sm_clock_hz"] == 1.98e9
    assert kept["points"][0]["memory"]["device_bytes"] == 1_800_000_000


@full
def test_inference_keeps_its_points_when_the_device_fails_and_goes_on_when_memory_ends(tmp_path):
    with simulated_machine(fail_at=60):
        result, kept = profile(tmp_path, "infer", *INFER)
    assert (result.exit_code, kept["complete"]) == (1, False)
    assert "the device failed" in result.stderr
    assert 1 <= len(kept["points"]) < 6
    with simulated_machine(total_bytes=1500 * MIB, token_bytes=10 * MIB, name="Quadro K620"):
        result, kept = profile(tmp_path, "infer", *INFER)
    assert result.exit_code == 0
    assert [p["batch"] for p in kept["points"]] == [1, 1, 1]
    assert "base: out of memory at batch 2 x 8 tokens" in kept["notes"]


def few_shapes(monkeypatch):
    """The device profile on shapes that a CPU computes at once."""
    for module, name, value in (
        (operator_rates, "PROBE_SHAPE", {"cuda": (8, 64, 64)}), (operator_rates, "PROBE_COPY", {"cuda": 2**12}),
        (operator_rates, "CHAIN", 3), (operator_rates, "QUEUE", 16), (operator_rates, "MOST", 3),
        (operator_rates, "choose_cases", lambda *_: ([
            device_shapes.product("bf16", 8, 64, 64), device_shapes.product("tf32", 8, 64, 64),
            device_shapes.Case("copy", "copy", "fp32", (64,), 512.0, "byte", 512.0),
            device_shapes.Case("launch", "device", "fp32", (1,), 1.0, "launch", 1.0),
            device_shapes.Case("launch", "host forward", "fp32", (1,), 1.0, "launch", 1.0),
        ], 0)),
    ):
        monkeypatch.setattr(module, name, value)


def device(tmp_path):
    output = tmp_path / "device.json"
    output.unlink(missing_ok=True)
    result = ask("profile", "device", "--device", "cuda", "--budget", "5s", "--output", output)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result, json.loads(output.read_text()) if output.exists() else None


@full
def test_the_rates_of_a_card_are_timed_between_events_behind_a_wait(tmp_path, monkeypatch):
    few_shapes(monkeypatch)
    with simulated_machine() as (nvml, card):
        nvml.throttle = 0x4
        result, kept = device(tmp_path)
    assert result.exit_code == 0, result.output
    assert {rate["regime"] for rate in kept["rates"]} == {"matrix", "copy", "launch"}
    assert max(card.sleeps) <= operator_rates.LONGEST_WAIT_S * operator_rates.CYCLES_PER_S
    assert kept["environment"]["slowed"] == ["power limit"]
    assert kept["complete"]


@full
def test_rates_are_kept_when_the_device_fails_and_a_dead_one_is_one_sentence(tmp_path, monkeypatch):
    few_shapes(monkeypatch)
    real, seen = operator_rates.build_call, []

    def build(case, operands):
        seen.append(case)
        if len(seen) == 9:
            raise torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered")
        return real(case, operands)

    monkeypatch.setattr(operator_rates, "build_call", build)
    with simulated_machine():
        result, kept = device(tmp_path)
    assert result.exit_code == 1
    assert "the device failed: CUDA error: uncorrectable ECC error encountered; what was measured is kept" in result.stderr
    assert kept["rates"]
    assert not kept["complete"]
    with simulated_machine(failed=True):
        result, kept = device(tmp_path)
    assert (result.exit_code, kept) == (1, None)
    assert "the device failed: CUDA error: an illegal memory access" in result.stderr
    monkeypatch.setattr(operator_rates, "_first_look", lambda *_: None)
    with simulated_machine():
        result, kept = device(tmp_path)
    assert (result.exit_code, kept) == (1, None)
    assert "the device copies no fp32 numbers" in result.stderr


@pytest.mark.parametrize(("microseconds", "most"), [(1, 0.02), (4, 0.02), (32, 0.02), (1000, 0.02)])
def test_a_short_kernel_is_timed_as_long_as_it_is(monkeypatch, microseconds, most):
    """Back to back a kernel takes its time and 0.7 us to the next; an event's 1.2 us are spread over 200 us of calls."""
    world = Clockwork()
    use(monkeypatch, world)
    seconds = sorted(time_call(world.kernel(microseconds * 1e-6), "cuda", 0.05, 1))
    assert seconds[len(seconds) // 2] == pytest.approx(microseconds * 1e-6 + world.GAP, rel=most)


def test_a_host_that_stumbles_once_makes_no_long_wait(monkeypatch):
    """20 ms while one call of three is issued: the quickest counts, and no wait is above the limit."""
    world = Clockwork(hiccups=(70, 200))
    use(monkeypatch, world)
    time_call(world.kernel(1e-5), "cuda", 0.05, 1)
    assert 0.0 < max(world.slept) < 0.05


def use(monkeypatch, world):
    monkeypatch.setattr(operator_rates, "perf_counter", world.clock)
    monkeypatch.setattr(operator_rates, "synchronise", world.synchronise)
    monkeypatch.setattr(torch.cuda, "Event", world.event)
    monkeypatch.setattr(torch.cuda, "_sleep", world.sleep)


def small_questions(monkeypatch):
    """The probe with sizes that a CPU computes at once."""
    for name, value in (("POWER_S", 0.05), ("TOKENS", 32), ("SIDE", 64), ("CHAIN", 3), ("LENGTHS", range(20, 23))):
        monkeypatch.setattr(probe_module, name, value)


def probe(folder, *words, **machine):
    """(result of the command, what it kept)."""
    before = set(folder.rglob("*.json"))
    always = ("profile", "probe", "--device", "cuda", "--budget", "9m", "--profiles", str(folder))
    with simulated_machine(**machine) as (_, card):
        result = ask(*always, *words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    new = set(folder.rglob("*.json")) - before
    return result, json.loads(new.pop().read_text()) if new else None, card


@full
def test_a_probe_asks_every_question_and_its_answers_are_in_later_profiles(tmp_path, monkeypatch):
    small_questions(monkeypatch)
    result, kept, _ = probe(tmp_path)
    assert result.exit_code == 0, result.output
    assert max(len(line) for line in result.stdout.splitlines()[:-1]) <= 80
    answers = kept["answers"]
    assert answers["failed"] == {}
    assert answers["attention"]["causal, grouped"] == answers["attention"]["mask, grouped"] == "cudnn"
    assert (answers["attention"]["fp32"], answers["attention"]["dim 256"]) == ("math", "flash")
    assert (answers["out_of_memory"], answers["left_bytes"]) == ("OutOfMemoryError", 0.0)
    assert answers["energy_ratio"] == pytest.approx(1.0, rel=0.2)
    file, = tmp_path.rglob("*.json")
    assert file.parent.name == "H100-80GB-SXM"
    few_shapes(monkeypatch)
    with simulated_machine():
        words = ("--device", "cuda", "--budget", "5s", "--profiles", str(tmp_path))
        assert ask("profile", "device", *words).exit_code == 0
    later = next(json.loads(f.read_text()) for f in tmp_path.rglob("device-*.json"))
    assert later["environment"]["probe"]["attention"] == answers["attention"]
    told = json.loads(probe(tmp_path, "--format", "json")[0].stdout)
    assert told["answers"]["attention"] == answers["attention"]


@full
def test_a_probe_keeps_its_answers_when_the_device_fails_and_says_what_has_none(tmp_path, monkeypatch):
    small_questions(monkeypatch)
    result, kept, _ = probe(tmp_path, scene="no_energy")
    assert result.exit_code == 0, result.output
    assert kept["answers"]["failed"] == {"energy_counter": "the board has no energy counter"}
    assert "energy counter: no answer (the board has no energy counter)" in result.stdout
    result, kept, _ = probe(tmp_path, scene="hidden")
    assert "memory_four_ways" in kept["answers"]["failed"]

    def dead(_):
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(probe_module, "QUESTIONS", (probe_module.attention_kernels, dead, probe_module.running_out))
    result, kept, _ = probe(tmp_path)
    assert result.exit_code == 1
    assert "the device failed: CUDA error: unspecified launch failure; what was measured is kept" in result.stderr
    assert (kept["complete"], kept["answers"]["out_of_memory"]) == (False, None)
    result, kept, _ = probe(tmp_path, "--budget", "0.0001s")
    assert (result.exit_code, kept) == (0, kept)
    assert "the budget ended before" in result.stdout


@full
def test_a_probe_of_a_cpu_is_refused():
    result = ask("profile", "probe", "--device", "cpu")
    assert result.exit_code == 2
    assert result.stderr == "roi: --device: no GPU is used here; a probe asks a GPU what only a GPU can say\n"


@full
def test_what_changed_since_the_last_profile_of_the_card_is_said(tmp_path, monkeypatch):
    few_shapes(monkeypatch)
    words = ("profile", "device", "--device", "cuda", "--budget", "5s", "--profiles", str(tmp_path))
    with simulated_machine():
        first = ask(*words)
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    with simulated_machine(cudnn=91_400):
        second = ask(*words)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "since" not in first.stderr
    assert second.stderr.splitlines()[-1].endswith(
        ": cudnn 91800 -> 91400; attention cudnn -> flash; allocator not known -> expandable_segments:True")


@full
def test_a_rank_of_a_card_runs_on_the_simulated_card(tmp_path, monkeypatch):
    """One rank of one, in this process: NVML, events and memory of its card. Gloo stands in for NCCL."""
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0",
                        "GLOO_SOCKET_IFNAME": "lo"}.items():
        monkeypatch.setenv(name, value)
    begin = distributed.init_process_group

    class OnHost(ranks.DistributedDataParallel):
        def __init__(self, model, device_ids):
            assert device_ids == [0]
            super().__init__(model)

    monkeypatch.setattr(ranks, "DistributedDataParallel", OnHost)
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, **more: begin(
        "gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1, **more))
    chosen = choose_model_to_build("tiny-llama", None, "cuda", 1, 2)
    request = TrainRequest(chosen, TrainingPlan(gpus=2), ((1, 16),))
    with simulated_machine():
        with pytest.raises(InputError, match="--link: 1 GPU is there"):
            link.cards_here("cuda")
        with pytest.raises(InputError, match="--gpus 2: 1 GPU is there"):
            several_cards.check_cards(request, "cuda", force=False)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        several_cards.check_cards(request, "cuda", force=False)
        assert link.cards_here("cuda") == 2
        monkeypatch.setitem(link.SIZES, "cuda", (1024, 2**21))
        (tmp_path / torchrun.ORDER).write_bytes(pickle.dumps(link.LinkOrder("cuda", 60.0)))
        assert link.main(tmp_path) == 0, [file.read_text() for file in tmp_path.glob("rank-*")]
        (tmp_path / "meet").unlink(missing_ok=True)
        (tmp_path / torchrun.ORDER).write_bytes(pickle.dumps(several_cards.RankOrder(request, "cuda", 0, 60.0)))
        assert several_cards.main(tmp_path) == 0, [file.read_text() for file in tmp_path.glob("rank-*")]
    assert [rate.message_bytes for rate in link.RATES.validate_json((tmp_path / link.LINK).read_text())] == [
        1024, 1024, 1024, 2**21, 2**21, 2**21]
    kept = TrainProfile.model_validate_json((tmp_path / several_cards.PROFILE).read_text())
    rank, = kept.points[0].ranks
    assert rank.memory.device_bytes == 1_800_000_000
    assert rank.power_w == pytest.approx(350.0, rel=0.1)
    assert kept.environment.sm_clock_hz == 1.98e9
    assert len(rank.alone_s) == several_cards.ALONE


@full
def test_power_is_read_while_a_server_that_was_started_here_is_loaded(tmp_path, monkeypatch):
    """The server is left out: tests/profiling/test_launch.py starts one."""
    launch, seen = Launch("vllm", tmp_path, dummy=True), []
    monkeypatch.setattr(launched_run, "prepare_launch", lambda *_, **more: (seen.append(more), (launch, "llama-68m"))[1])
    monkeypatch.setattr(launched_run, "launched", lambda *_: nullcontext(Launched("http://127.0.0.1:1", "m", 2.0)))
    monkeypatch.setattr(launched_run, "profile_serve", lambda request, *_: (seen.append(request), ServeRun(
        profile=SimpleNamespace(notes=(), model_copy=lambda update: update), failure=None, interrupted=False))[1])
    request = ServeRequest(endpoint=read_url("http://127.0.0.1:1"), key=None, served_model=None, plan=None, seed=0,
                           budget_s=1.0, timeout_s=1.0, stall_s=1.0)
    with simulated_machine():
        told = launched_run.profile_launched(launched_run.LaunchOrder("vllm", "m"), request, Watcher(), Stops()).profile
    assert told["power_w"] == pytest.approx(350.0, rel=0.2)  # of a moment
    assert seen[0] == {"gpus": 1, "on_gpu": True}
    stated = seen[1].stated
    assert (stated.model, stated.gpu, stated.engine, stated.weight_dtype) == ("llama-68m", "H100-80GB-SXM", "vllm", "bf16")


NOT_SIMULATED = {
    "device/card_probe.py: raise": "an error of asking for too much memory that is neither one of memory nor of the device",
}
"""`file: statement` -> why no simulation reaches it."""


@full
def test_every_line_that_a_card_alone_runs_has_run(ran, request, say, tmp_path, monkeypatch):
    """The scenes of NVML come here, all else from the tests above; the exceptions are listed, each with its reason."""
    for scene in SCENES:
        board_module._BEFORE_TORCH.clear()
        with simulated_machine(scene, opened=scene == "context_first"):
            if scene != "context_first":
                look_before_torch()
            board, _ = claim_board("cuda", force=True)
            read_environment("cuda", 0, board)
            train_point.read_memory("cuda", board)
            meter = PowerMeter(board)
            meter.start()
            meter.stop()
    with nvml_scene(), pytest.raises(RoiError, match="lists no GPU 1-2"):
        open_board("1-2")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(RoiError, match="nvidia-ml-py"):
        open_board("1-2")
    assert len(device_shapes.every_case("cuda", 0.0)) > 100
    (tmp_path / "nvidia0").touch()
    assert not board_module.no_driver(tmp_path)
    with simulated_machine():
        assert unusable_gpu(tmp_path) == "it lists no device"
    names = {item.name.partition("[")[0] for item in request.session.items}
    if not {name for name, test in globals().items() if full.mark in getattr(test, "pytestmark", ())} <= names:
        pytest.skip("says something only where the whole file runs")
    wanted = card_lines()
    texts = {(file, line): (ROOM / file).read_text().splitlines()[line - 1].strip() for file, line in wanted - ran}
    left = {f"{file}:{line}: {words}" for (file, line), words in texts.items() if f"{file}: {words}" not in NOT_SIMULATED}
    report = f"lines of roi.profiling that a card alone runs: {len(wanted)}, of them simulated: {len(wanted & ran)}"
    say(report)
    assert not left, "\n".join(sorted(left))
