"""The commands on a simulated H100: every CUDA branch runs, what was measured is kept, and what went wrong is said."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from fake_card.cuda import Clockwork, simulated_machine
from fake_card.lines import ROOM, card_lines, noted
from fake_card.nvml import SCENES

from roi.cli import main
from roi.profiling import board as board_module
from roi.profiling import inference
from roi.profiling.board import PowerMeter, look_before_torch
from roi.profiling.device import device_shapes, operator_rates
from roi.profiling.device.operator_rates import time_call
from roi.profiling.session import claim_board, read_environment
from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import torch
from roi.profiling.train import train_point

MIB = 2**20
SMALL = ("--micro-batch", "1,2", "--seq", "16,32", "--layers", "1", "--shrink", "2", "--budget", "60s")
LARGER = ("--micro-batch", "1,2", "--seq", "16,32", "--layers", "1", "--budget", "60s")
"""Factors of rank 160 have 112,640 numbers: bitsandbytes pages states from 100,000 on."""
full = pytest.mark.full
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Points of a few steps, one thread, and nobody's processes from an earlier scene."""
    torch.set_num_threads(1)
    monkeypatch.setattr(train_point, "TIMED", 2)
    monkeypatch.setattr(inference, "MOST", 3)
    monkeypatch.setattr(board_module, "_BEFORE_TORCH", {})
    monkeypatch.setattr(board_module, "LEAST_S", 0.0)


@pytest.fixture(scope="module")
def ran():
    """The lines of roi.profiling that ran in this module."""
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
    result = CliRunner().invoke(main, ["profile", kind, "tiny-llama", "--device", "cuda", *words, "--output", str(output)])
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
        assert point["power_w"] == pytest.approx(350.0, rel=0.01)
    assert card.forwards > 0


@full
@pytest.mark.parametrize(("trainer", "at"), [
    ("plain", "forward"), ("plain", "backward"), ("plain", "optimizer"), ("hf", "forward"), ("hf", "optimizer"),
])
def test_running_out_anywhere_bounds_the_search_and_two_trials_settle_it(tmp_path, trainer, at):
    """4,000 MiB less 500 of context and 900 fixed hold 260 tokens of 10 MiB: 16 sequences of 16 and 8 of 32."""
    room = {"total_bytes": 4000 * MIB, "token_bytes": 10 * MIB, "name": "Quadro K620"}
    with simulated_machine(**room, oom_at=at) as (_, card):
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", trainer)
        tried = card.retries
    assert result.exit_code == 0, result.output
    assert kept["largest_micro_batch"] == {"16": 16, "32": 8}
    assert kept["complete"]
    assert tried <= 2 + 2  # one that fails for each length, and one more where reserved is 2% above allocated
    assert kept["points"][-1]["memory"]["retries"] == 0


@full
@pytest.mark.parametrize(("forward", "points"), [(8, 1), (30, 4)])
def test_an_error_of_the_device_keeps_what_was_measured(tmp_path, forward, points):
    """Six steps a point at most: the eighth forward pass is in the second point, the thirtieth in the search."""
    with simulated_machine(fail_at=forward, token_bytes=MIB):
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
def test_a_loss_that_is_no_number_keeps_the_points_before_it(tmp_path):
    with simulated_machine(nan_at=8):
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain", "--no-find-largest")
    assert result.exit_code == 1
    assert "the loss became nan at step 3 of micro-batch 1 x 32" in result.stderr
    assert (len(kept["points"]), kept["complete"]) == (1, False)


@full
def test_a_card_that_falls_off_while_it_is_read_says_none(tmp_path):
    with simulated_machine(fail_at=8) as (nvml, card):
        opened = card.on_open

        def lost():
            opened()
            nvml.lost = card.forwards >= 6

        card.on_open = lost
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain")
    assert result.exit_code == 1
    assert len(kept["points"]) == 1


@full
def test_a_paged_optimizer_is_made_once_over_all_trials(tmp_path, monkeypatch):
    """Two 8-bit states a parameter, and the smaller ones in fp32: as many pages after the search as after the first point."""
    pages = []

    def page(*shape, dtype=torch.float32, **_):
        pages.append(shape)
        return torch.zeros(*shape, dtype=dtype)

    monkeypatch.setattr(bnb.functional, "get_paged", page)
    monkeypatch.setattr(bnb.functional, "prefetch_tensor", lambda *_, **__: None)
    monkeypatch.setattr(bnb.optim.optimizer.F, "sync_gpu", lambda *_: None, raising=False)
    made = []
    real = train_point.try_size

    def counted(*arguments):
        made.append(len(pages))
        return real(*arguments)

    monkeypatch.setattr(train_point, "try_size", counted)
    room = {"total_bytes": 4000 * MIB, "token_bytes": 10 * MIB}
    with simulated_machine(**room):
        result, kept = profile(tmp_path, "train", *LARGER, "--trainer", "plain", "--optimizer", "paged-adamw-8bit", "--rank", "160")
    assert result.exit_code == 0, result.output
    assert kept["largest_micro_batch"] == {"16": 16, "32": 8}
    assert len(made) >= 4
    assert made[0] > 0
    assert len(pages) == made[0]


@full
def test_a_search_that_the_budget_does_not_hold_is_said_before_it_starts(tmp_path, monkeypatch):
    real = train_point.run_steps

    def slow(setup, micro_batch, seq, on_step, limit=1000):
        real(setup, micro_batch, seq, lambda step: on_step(SimpleNamespace(seconds=10.0 * seq, loss=step.loss)), limit)

    monkeypatch.setattr(train_point, "run_steps", slow)
    with simulated_machine(token_bytes=10 * MIB):
        result, kept = profile(tmp_path, "train", *SMALL, "--trainer", "plain")
    assert result.exit_code == 0, result.output
    assert not kept["complete"]
    assert kept["largest_micro_batch"] == {}
    assert any("by the line through measured peaks, not tried: it takes" in note for note in kept["notes"])
    assert "--budget:" in result.stderr


INFER = ("--batch", "1,2", "--prompt", "8", "--decode", "5", "--budget", "60s", "--layers", "1")


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
    result = CliRunner().invoke(main, ["profile", "device", "--device", "cuda", "--budget", "5s", "--output", str(output)])
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


NOT_SIMULATED: dict[str, str] = {}
"""`file: statement` -> why no simulation reaches it."""


@full
def test_every_line_that_a_card_alone_runs_has_run(ran, request, say):
    """The scenes of NVML come here, all else from the tests above; the exceptions are listed, each with its reason."""
    for scene in SCENES:
        with simulated_machine(scene):
            look_before_torch()
            board, _ = claim_board("cuda", force=True)
            read_environment("cuda", 0, board)
            meter = PowerMeter(board)
            meter.start()
            meter.stop()
            board_module._BEFORE_TORCH.clear()
    names = {item.name for item in request.session.items}
    if not {name for name in globals() if name.startswith("test_")} <= {name.partition("[")[0] for name in names}:
        pytest.skip("says something only where the whole file runs")
    wanted = card_lines()
    texts = {(file, line): (ROOM / file).read_text().splitlines()[line - 1].strip() for file, line in wanted - ran}
    left = {f"{file}:{line}: {words}" for (file, line), words in texts.items() if f"{file}: {words}" not in NOT_SIMULATED}
    report = f"lines of roi.profiling that a card alone runs: {len(wanted)}, of them simulated: {len(wanted & ran)}"
    say(report)
    assert not left, "\n".join(sorted(left))
