"""`roi profile device`: the true path on a CPU with a small budget, what is chosen to be timed, Ctrl-C, the report."""

import json
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import numpy as np
import pytest
from asked import ask
from click.testing import CliRunner
from stopped_after import stop_after

from roi.catalog.cards.gpus import find_gpu
from roi.cli import Door, LazyGroup
from roi.estimate.step.rates import device_rates
from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, LinkRate, Rate
from roi.report.profiles.profile_device import device_json, device_text, rate_lines

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from roi.profiling.device import operator_rates as device_module
from roi.profiling.device.device_shapes import Case, Probe, choose_cases, every_case, product
from roi.profiling.device.operator_rates import LEAST, MOST, Operands, build_call, probe_device, profile_device, time_call
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.units import MIB

CPU = Environment(device="cpu", versions={}, seed=0)

ANY_CORE = 2e13
"""FLOP/s that no core reaches: 2 units x 64 lanes of 8-bit multiply-adds x 6 GHz, x 8."""

FAST = Probe("cpu", {"bf16": 1e12, "fp32": 1e12, "fp16": 1e12, "int8": 1e12}, 1e11, 3e7, 1e9)


def run(*words):
    house = LazyGroup(name="profile", doors={"device": Door("roi.cli.profile_device:device", "")})
    return CliRunner().invoke(house, ["device", *words])


@pytest.fixture(scope="module")
def measured():
    torch.set_num_threads(1)
    return profile_device(Session(CPU, 1.5))


def test_every_timed_call_is_positive_and_no_product_beats_physics(measured):
    for rate in measured.rates:
        assert all(s > 0.0 for s in rate.seconds)
        assert LEAST <= len(rate.seconds) <= MOST
        if rate.regime == "matrix":
            assert rate.work / min(rate.seconds) < ANY_CORE * (torch.get_num_threads() or 1)


def test_a_profile_survives_its_file(measured):
    text = measured.model_dump_json(by_alias=True)
    assert DeviceProfile.model_validate_json(text) == measured


def test_a_short_profile_has_something_of_every_regime_where_the_budget_allows(measured):
    """What is timed first, whatever the load of the machine: launches and copies; the rest while time is left."""
    found = [rate.regime for rate in measured.rates]
    assert found[0] == "launch"
    assert measured.complete or "the budget ended" in " ".join(measured.notes)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "int8"])
def test_a_timed_product_is_the_product(dtype):
    """The call multiplies by the transposed weight; int8 sums to int32 without rounding."""
    operands = Operands("cpu", 0.0, seed=1)
    got = build_call(product(dtype, 5, 32, 64), operands)()
    again = Operands("cpu", 0.0, seed=1)
    x, w = again.normal(5, 64, dtype=dtype), again.normal(32, 64, dtype=dtype)
    want = x.double() @ w.double().t()
    assert got.shape == (5, 32)
    torch.testing.assert_close(got.double(), want, rtol=0.02, atol=0.0 if dtype == "int8" else 0.5)


def test_every_kind_of_call_runs_on_small_shapes():
    operands = Operands("cpu", 1e5)
    cases = {(c.regime, c.name, c.dtype): c for c in sorted(every_case("cpu", 3e7), key=lambda c: -c.nbytes)}
    smallest = [case for case in cases.values() if case.regime != "launch"]
    assert {case.regime for case in smallest} == {"matrix", "copy", "dequantise", "attention", "elementwise"}
    for case in smallest:
        assert build_call(case, operands)() is not None


def test_a_repeated_nf4_block_dequantises_to_the_weight_shape():
    """2048 x 2048 weights repeat a block of 2^20 four times: 2 MiB of 4-bit numbers, 65,536 scales; rows 0 and 512 agree."""
    case = next(c for c in every_case("cpu", 1.0) if c.regime == "dequantise" and c.shape == (2048, 2048))
    weight = build_call(case, Operands("cpu", 1.0))()
    assert weight.shape == (2048, 2048)
    assert torch.equal(weight[0], weight[512])
    assert weight.float().std().item() == pytest.approx(1.0, abs=0.02)


def test_short_calls_are_timed_several_at_once_and_never_more_often_than_asked(monkeypatch):
    """A clock of its own, 10 us from reading to reading: a machine that pauses within the one call makes it a long one."""
    readings = count()
    monkeypatch.setattr(device_module, "perf_counter", lambda: next(readings) * 1e-5)
    calls = []
    assert len(time_call(lambda: calls.append(1), "cpu", 0.0)) == LEAST
    at_once, rest = divmod(len(calls) - 3, LEAST)
    assert at_once > 1
    assert rest == 0


class FakeGpu:
    """A queue on a device: each call takes 30 us there and 10 us to issue; events note the device's time."""

    def __init__(self):
        self.now_s, self.queue, self.longest = 0.0, 0, 0

    def call(self):
        self.now_s += 30e-6
        self.queue += 1
        self.longest = max(self.longest, self.queue)

    def synchronize(self):
        self.queue = 0

    def event(self, **_):
        gpu = self

        class Event:
            def record(self):
                self.at_s = gpu.now_s

            def elapsed_time(self, later):
                return (later.at_s - self.at_s) * 1e3

        return Event()


def test_on_cuda_events_around_each_sample_give_the_seconds_of_one_call(monkeypatch):
    """30 us a call whatever the host does; never more calls in the queue than 900 kernels, eight a call: 112."""
    gpu, waits = FakeGpu(), []
    monkeypatch.setattr(device_module.torch.cuda, "Event", gpu.event)
    monkeypatch.setattr(device_module.torch.cuda, "_sleep", waits.append)
    monkeypatch.setattr(device_module.torch.cuda, "synchronize", gpu.synchronize)
    assert time_call(gpu.call, "cuda", 1.0) == pytest.approx((30e-6,) * MOST)
    assert gpu.longest <= 1 + 900 // 8
    assert all(wait > 0 for wait in waits)


def test_choice_grows_with_the_budget_and_nothing_long_is_timed():
    """No call may take longer than a thousandth of the budget, nor than 0.2 s."""
    few, left = choose_cases(FAST, 5.0)
    many, _ = choose_cases(FAST, 500.0)
    assert 0 < len(few) < len(many)
    assert left == len(every_case("cpu", FAST.cache_bytes)) - len(few)
    assert max(FAST.call_s(case) for case in few) <= 5e-3
    assert max(FAST.call_s(case) for case in many) <= 0.2
    assert len({(c.name, c.dtype, c.shape) for c in many}) == len(many)


def test_small_and_large_shapes_take_turns():
    """The second copy is of memory, so that a run that stops early knows memory as well as cache."""
    copies = [case for case in choose_cases(FAST, 500.0)[0] if case.regime == "copy"]
    assert copies[0].nbytes == min(c.nbytes for c in copies)
    assert [case.name for case in copies[:3]] == ["copy", "memory copy", "copy"]
    assert copies[2].nbytes == max(c.nbytes for c in copies if c.name == "copy")


def test_a_copy_of_memory_is_timed_however_large_the_caches_are_and_named_so():
    """Two caches of 300 MiB: 1,800 MiB from end to end, at 10 GB/s 0.57 s with what it is reckoned slower, not within 60 ms."""
    host = Probe("cpu", FAST.flops, 1e10, 300 * MIB, 4e9, 600 * MIB)
    copies = [case for case in choose_cases(host, 60.0)[0] if case.regime == "copy"]
    assert [case.nbytes / MIB for case in copies if case.name == "memory copy"] == [1800.0]
    assert 3.0 * max(case.nbytes for case in copies if case.name == "copy") <= 60e-3 * 1e10
    assert not any(case.name == "memory copy" for case in choose_cases(replace(host, memory_bytes=1e9), 60.0)[0])
    large = [case for case in choose_cases(Probe("cuda", FAST.flops, 2.5e12, 5e7, 4e10), 60.0)[0] if case.nbytes >= 1.5e8]
    assert {case.name for case in large if case.regime == "copy"} == {"memory copy"}


def test_caches_of_a_host_are_those_that_its_cores_do_not_share(tmp_path):
    """Four cores, two to a cache of 32 MiB; a cache of 2 MiB for each is not the last."""
    for core in range(4):
        for index, (size, shared) in enumerate((("2048K", f"{core}"), ("32768K", "0-1" if core < 2 else "2-3"))):
            folder = tmp_path / f"cpu{core}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            (folder / "size").write_text(f"{size}\n")
            (folder / "shared_cpu_list").write_text(f"{shared}\n")
    assert device_module._caches_bytes("cpu", tmp_path) == [32.0 * MIB] * 2
    assert device_module._caches_bytes("cpu", tmp_path / "none") == [float(device_module.CACHE_BYTES)]


def test_the_rate_of_memory_is_a_line_of_its_own():
    """200 MB in 10 ms are 20 GB/s, beside 1,000 of a copy in a cache; without it the report says that it is not known."""
    assert "rate of memory is not known" in " ".join(device_text(PRODUCTS, None).split())
    memory = Rate(regime="copy", name="memory copy", dtype="fp32", shape=(1,), work=2e8, unit="byte", seconds=(1e-2,))
    lines = device_text(made(*PRODUCTS.rates, memory), None).splitlines()
    assert [line.split()[-4] for line in lines if "copy, " in line and "GB/s" in line] == ["1,000", "20"]
    assert not any("not known" in line for line in lines)


def test_a_type_without_products_is_noted_and_left_out(monkeypatch):
    first_look = device_module._first_look
    monkeypatch.setattr(device_module, "_first_look", lambda case, operands: (
        None if case.dtype == "int8" else first_look(case, operands)))
    probe, notes = probe_device("cpu")
    assert notes == ["int8: no matrix product on this device"]
    assert not any(case.dtype == "int8" for case in choose_cases(probe, 60.0)[0])


def test_ctrl_c_keeps_what_is_done(monkeypatch, tmp_path):
    monkeypatch.setattr(device_module, "_measure", stop_after(3, KeyboardInterrupt(), device_module._measure))
    file = tmp_path / "device.json"
    result = run("--device", "cpu", "--budget", "60s", "--output", str(file))
    assert result.exit_code == 130
    kept = DeviceProfile.model_validate_json(file.read_text())
    assert (len(kept.rates), kept.complete) == (3, False)
    assert "interrupted by the user" in kept.notes
    assert "incomplete: what was measured is kept" in result.stdout
    assert result.stdout.splitlines()[-1] == f"kept as {file}"  # one line however long, so that it can be copied


def test_sigterm_keeps_what_is_done_and_leaves_with_143(monkeypatch, tmp_path):
    """A scheduler sends it and Ctrl-C comes on top while the first is answered."""
    real, seen = device_module._measure, []

    def measure(*args):
        seen.append(1)
        if len(seen) > 3:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGINT)
        return real(*args)

    monkeypatch.setattr(device_module, "_measure", measure)
    file = tmp_path / "device.json"
    result = run("--device", "cpu", "--budget", "60s", "--output", str(file))
    assert result.exit_code == 143
    kept = DeviceProfile.model_validate_json(file.read_text())
    assert (len(kept.rates), kept.complete) == (3, False)
    assert "ended by SIGTERM" in kept.notes


def test_ctrl_c_before_the_first_call_writes_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(device_module, "_measure", stop_after(0, KeyboardInterrupt(), device_module._measure))
    result = run("--device", "cpu", "--profiles", str(tmp_path))
    assert result.exit_code == 130
    assert (result.stdout, result.stderr) == ("", "roi: interrupted; nothing was kept\n")
    assert list(tmp_path.rglob("*")) == []


def test_a_device_on_which_nothing_runs_is_an_error_and_no_file(monkeypatch, tmp_path):
    def none(case, _operands, _slot_s, notes):
        notes.append(f"{case.name}: no kernel image")

    monkeypatch.setattr(device_module, "_measure", none)
    monkeypatch.setattr(device_module, "choose_cases", lambda *_: ([product("fp32", 8, 8, 8)], 0))
    result = run("--device", "cpu", "--budget", "1s", "--profiles", str(tmp_path))
    assert (result.exit_code, result.stderr) == (1, "roi: nothing was measured: mm: no kernel image\n")
    assert list(tmp_path.rglob("*")) == []


def test_an_operator_without_a_kernel_is_noted_and_the_run_goes_on(monkeypatch):
    real = device_module.build_call

    def build(case, operands):
        if case.regime == "dequantise":
            raise NotImplementedError("no kernel image\nmore")
        return real(case, operands)

    monkeypatch.setattr(device_module, "build_call", build)
    notes = []
    case = Case("dequantise", "nf4", "nf4", (64, 64), 1.0, "byte", 1.0)
    assert device_module._measure(case, Operands("cpu", 0.0), 0.0, notes) is None
    assert notes == ["nf4 nf4 (64, 64): no kernel image"]


@pytest.mark.parametrize(("words", "said"), [
    (("--budget", "0"), "roi: --budget: '0' is not usable; a time above 0 such as 90s, 2m or 0.5h"),
    (("--budget", "soon"), "roi: --budget: 'soon' is not usable"),
    (("--device", "tpu"), "roi: --device: 'tpu' is not one of cuda, cpu"),
    (("--bugdet", "3"), "roi: no option '--bugdet'; did you mean --budget?"),
])
def test_bad_input_is_one_line_with_exit_code_2(words, said):
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_file_that_is_there_is_refused_before_the_run(tmp_path):
    file = tmp_path / "device.json"
    file.write_text("mine")
    result = run("--device", "cpu", "--output", str(file))
    assert (result.exit_code, file.read_text()) == (2, "mine")
    assert "never overwritten" in result.stderr


def made(*rates, device="cuda"):
    environment = Environment(device=device, gpu_name="NVIDIA A100", driver="570.1", cuda="12.8", cores=8, threads=8,
                              power_limit_w=400.0, sm_clock_hz=1.41e9, versions={"torch": "2.13.0"})
    return DeviceProfile(started=datetime(2026, 11, 25, tzinfo=UTC), environment=environment, rates=rates)


PRODUCTS = made(
    Rate(regime="matrix", name="mm", dtype="bf16", shape=(1000, 1000, 1000), work=2e9, unit="FLOP", seconds=(1e-5, 1e-5, 9.0)),
    Rate(regime="matrix", name="mm", dtype="bf16", shape=(2000, 1000, 1000), work=4e9, unit="FLOP", seconds=(4e-5,)),
    Rate(regime="matrix", name="mm", dtype="bf16", shape=(8, 1000, 1000), work=1.6e7, unit="FLOP", seconds=(1.6e-5,)),
    Rate(regime="copy", name="copy", dtype="fp32", shape=(1,), work=2e6, unit="byte", seconds=(2e-6,)),
    Rate(regime="launch", name="host", dtype="fp32", shape=(1,), work=1.0, unit="launch", seconds=(4e-6, 5e-6, 6e-6)),
)


def test_best_and_typical_stand_beside_the_datasheet():
    """2e9 FLOP in 10 us (the median of three) = 200e12, 4e9 in 40 us = 100e12; typical 150e12; an A100 states 312e12."""
    large, skinny, copy, host = rate_lines(PRODUCTS, find_gpu("A100-80GB-SXM"))
    assert (large.best, large.typical, large.theory) == pytest.approx((200e12, 150e12, 312e12))
    assert (large.shapes, large.calls) == (2, 4)
    assert (skinny.name, skinny.best) == ("mm skinny", pytest.approx(1e12))
    assert copy.best == pytest.approx(1e12)
    assert (host.unit, host.best, host.typical, host.theory) == ("s", 4e-6, 5e-6, None)


def test_the_report_is_no_wider_than_80_columns_and_shows_the_ratio():
    """200 of 312 TFLOP/s: 0.64."""
    text = device_text(PRODUCTS, find_gpu("A100-80GB-SXM"))
    assert max(len(line) for line in text.splitlines()) <= 80
    row = next(line for line in text.splitlines() if line.startswith("mm, TFLOP/s"))
    assert row.split()[-4:] == ["200", "150", "312", "0.64"]
    assert "1,410 MHz under load" in text


def test_a_busy_host_is_said():
    """Load 4 on 8 cores: others are likely to have taken time."""
    busy = made(*PRODUCTS.rates, device="cpu")
    busy = busy.model_copy(update={"environment": busy.environment.model_copy(update={"load_average": (4.0, 1.0, 1.0)})})
    assert "the host was busy (load 4.0 on 8 cores)" in device_text(busy, None)
    assert "busy" not in device_text(PRODUCTS, None)


def test_an_accelerator_times_every_regime_and_every_type_within_a_minute():
    """Rates of an H100's order; only shapes beyond 60 ms a call, a thousandth of the budget, are left out."""
    rates = {"bf16": 6e14, "fp16": 6e14, "tf32": 3e14, "fp32": 5e13, "int8": 1e15}
    chosen, left = choose_cases(Probe("cuda", rates, 2.5e12, 5e7, 4e10), 60.0)
    assert {case.regime for case in chosen} == {"matrix", "copy", "dequantise", "attention", "elementwise", "launch"}
    assert {case.dtype for case in chosen if case.regime == "matrix"} == set(rates)
    assert left < 0.05 * len(chosen)


def test_the_command_prints_the_table_or_json_and_keeps_the_profile(tmp_path):
    result = run("--device", "cpu", "--budget", "1s", "--profiles", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert max(len(line) for line in result.stdout.splitlines()[:-1]) <= 80
    (file,) = tmp_path.rglob("*.json")
    kept = DeviceProfile.model_validate_json(file.read_text())
    body = json.loads(device_json(kept, None, file))
    assert body["schema"] == "roi.device/1"
    assert sum(line["shapes"] for line in body["rates"]) == len(kept.rates)


@pytest.mark.full
def test_the_link_between_two_processes_is_timed_and_told(tmp_path):
    result = run("--device", "cpu", "--link", "--budget", "1s", "--profiles", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "all-reduce" in result.stdout
    assert "2 ranks. us: median" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()[:-1]) <= 80
    (file,) = tmp_path.rglob("*.json")
    kept = DeviceProfile.model_validate_json(file.read_text())
    assert kept.rates == ()
    assert {rate.collective for rate in kept.link} == {"all-reduce", "all-gather", "reduce-scatter"}
    assert {rate.ranks for rate in kept.link} == {2}
    assert kept.link[0].message_bytes == 1024
    assert kept.complete or "sizes of messages were not timed" in " ".join(kept.notes)
    body = json.loads(device_json(kept, None, file))
    assert [line["bus_bytes_per_s"] for line in body["link"]] == [rate.ring_bytes / rate.typical_s for rate in kept.link]


def test_a_ring_sends_its_share_once_and_to_reduce_twice():
    """3/4 of 4096 bytes between four ranks; the middle one of the times counts."""
    gather = LinkRate(collective="all-gather", ranks=4, message_bytes=4096, seconds=(1.0, 9.0, 2.0))
    assert (gather.ring_bytes, gather.typical_s) == (3072.0, 2.0)
    assert gather.model_copy(update={"collective": "all-reduce"}).ring_bytes == 6144.0


@pytest.mark.parametrize(("words", "message"), [
    (("--gpus", "2"), "--gpus: rates are those of one GPU; several have a link between them: --link"),
    (("--gpus", "9", "--link"), "--gpus 9: at most 8 on a CPU"),
])
def test_what_is_no_link_is_one_sentence(words, message):
    result = ask("profile", "device", "--device", "cpu", *words)
    assert (result.exit_code, result.stderr) == (2, f"roi: {message}\n")


@pytest.mark.full
def test_measured_rates_estimate_the_shapes_they_were_read_from(monkeypatch):
    """At a shape that was timed the estimate is its median, less the operator's host time: never more.

    One shape of every group, which take a second, in a budget that a busy machine holds too.
    """
    torch.set_num_threads(1)
    monkeypatch.setattr(device_module, "choose_cases", lambda probe, _: (choose_cases(probe, 60.0)[0][:20], 0))
    measured = profile_device(Session(CPU, 60.0))
    assert {"launch", "matrix", "copy"} <= {rate.regime for rate in measured.rates}
    rates = device_rates(measured)
    for rate in measured.rates:
        if rate.regime == "matrix" and len(rate.shape) == 3:
            m, n, k = rate.shape
            assert 0.0 < rates.matrix_s(m, n, k, rate.dtype) <= 1.01 * float(np.median(rate.seconds))
