"""Several cards: two processes on the CPU run what NCCL's ranks run; losses, memory, and what is kept when one of them dies."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from asked import ask

pytest.importorskip("torch", reason="the extra `profile` is not installed")

import recorded_ranks
from recorded_ranks import CASES, ENTRIES, PLAN

from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import ModelConfig
from roi.errors import InputError, RoiError
from roi.estimate.training.memory import training_memory
from roi.facts.profiles import MemoryReading, RankPoint, TrainPoint, TrainProfile
from roi.profiling import torchrun
from roi.profiling.child import Child
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.profiling.train import several_cards
from roi.report.profiles.profile_train import exposed

ROOT = Path(__file__).parents[2]
SMALL = ("--micro-batch", "1,2", "--seq", "16", "--layers", "1", "--shrink", "2")
full = pytest.mark.full


def closed_bytes(plan):
    """A CPU has no cuBLAS workspace, so it is taken out."""
    memory = training_memory(shape_of_config(ModelConfig("small", ENTRIES, "")), plan)
    return float(memory.peak_allocated_bytes - memory.workspaces_bytes)


@full
def test_two_ranks_train_as_one_process_does_and_hold_what_the_closed_form_says(tmp_path):
    """Two rows on each of two ranks are the four rows of one process; replicas and shards, all weights and an adapter."""
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", recorded_ranks.__file__)
    with Child([*command, str(tmp_path)], tmp_path / "log", {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}) as child:
        assert child.process.wait(300) == 0, child.last_lines(40)
    torch.set_num_threads(1)
    alone = {method: recorded_ranks.train(replace(PLAN, method=method, micro_batch=4), micro_batch=4)[0]
             for method in ("full", "lora")}
    for rank in range(2):
        told = json.loads((tmp_path / f"rank-{rank}.json").read_text(encoding="utf-8"))
        for plan, (losses, peak_bytes) in zip(CASES, told, strict=True):
            assert losses == pytest.approx(alone[plan.method], rel=1e-4)
            assert peak_bytes == pytest.approx(closed_bytes(plan), rel=0.05), plan


def started(tmp_path, *words):
    """The command in a process of its own, which has its files in `tmp_path`."""
    command = (sys.executable, "-m", "roi", "profile", "train", "--device", "cpu", "--gpus", "2", *words)
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, "--output", str(tmp_path / "kept.json")], env=environment, cwd=tmp_path,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ranks_of(tmp_path):
    """Process of each rank, by what Linux says of it."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = dict(x.split(b"=", 1) for x in (folder / "environ").read_bytes().split(b"\0") if b"=" in x)
        except OSError:
            continue
        ours = b"roi.profiling.train.several_cards" in words and any(bytes(tmp_path) in word for word in words)
        if ours and b"RANK" in environment:
            found[int(environment[b"RANK"])] = int(folder.name)
    return found


def wait_for(what, seconds=120.0):
    ends = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return found


@full
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the ranks in Linux's /proc")
def test_a_rank_that_dies_ends_the_others_and_what_was_done_is_kept(tmp_path):
    """Rank 1 is killed once rank 0 has written a size."""
    run = started(tmp_path, *SMALL, "--micro-batch", "1,2,4,8", "--budget", "10m", "--sharding", "fsdp")
    try:
        wait_for(lambda: list(tmp_path.rglob("profile.json")) or run.poll() is not None)
        os.kill(ranks_of(tmp_path)[1], signal.SIGKILL)
        out, said = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == 1, said
    assert said.endswith("roi: rank 1 was ended by signal 9; the other ranks were ended too; what was measured is kept, marked "
                         "incomplete\n")
    kept = TrainProfile.model_validate(json.loads((tmp_path / "kept.json").read_text()))
    assert not kept.complete
    assert kept.points[0].micro_batch == 1
    assert [len(p.ranks) for p in kept.points] == [2] * len(kept.points)
    assert "2 ranks, fully sharded" in out
    assert ranks_of(tmp_path) == {}


@full
def test_two_replicas_are_measured_and_the_steps_alone_show_what_is_exposed(tmp_path):
    output = tmp_path / "kept.json"
    words = ("--device", "cpu", "--gpus", "2", *SMALL, "--micro-batch", "1", "--budget", "20s", "--output", str(output))
    result = ask("profile", "train", *words)
    assert result.exit_code == 0, result.output
    kept = TrainProfile.model_validate(json.loads(output.read_text()))
    assert kept.complete, kept.notes
    assert (kept.plan["gpus"], kept.plan["sharding"], kept.plan["trainer"]) == (2, "none", "plain")
    point, = kept.points
    assert point.losses[-1] < point.losses[0]
    assert all(len(rank.alone_s) == several_cards.ALONE and rank.memory.process_bytes > 1e8 for rank in point.ranks)
    assert "2 ranks, a replica each" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()[:-1]) <= 80


@pytest.mark.parametrize(("words", "message"), [
    (("--gpus", "2", "--trainer", "hf"), "--trainer hf: several cards run the plain loop"),
    (("--gpus", "2", "--sharding", "zero3"), "--sharding zero3: what runs here is none"),
    (("--sharding", "fsdp"), "sharding: 'fsdp' is not usable with gpus: 1"),
    (("--gpus", "2", "--sharding", "fsdp", "--method", "qlora"), "--sharding fsdp: bitsandbytes' layers of method qlora"),
    (("--gpus", "2", "--sharding", "fsdp", "--optimizer", "adamw-8bit"), "--optimizer adamw-8bit: sharded parameters take"),
    (("--gpus", "2", "--sharding", "fsdp", "--autocast", "--dtype", "bf16"), "--autocast: sharded parameters run in their own"),
    (("--gpus", "2", "--accumulation", "2"), "--accumulation 2: several cards step after every micro-step here"),
    (("--gpus", "2", "--compile"), "--compile: is for one card here"),
    (("llama-3.1-8b", "--gpus", "99"), "--gpus 99: at most 8 on a CPU"),  # before what is said of its size
    (("--gpus", "64"), "--gpus 64: at most 8 on a CPU"),
    (("--gpus", "0"), "--gpus"),
])
def test_what_several_cards_cannot_run_is_one_sentence(words, message):
    result = ask("profile", "train", "--device", "cpu", *SMALL, *words)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_network_interface_is_one_message_before_anything_starts(monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "nosuch0")
    result = ask("profile", "train", "--device", "cpu", *SMALL, "--gpus", "2")
    assert result.exit_code == 2
    assert result.stderr.startswith("roi: GLOO_SOCKET_IFNAME: no network interface 'nosuch0'; there are ")
    monkeypatch.delenv("GLOO_SOCKET_IFNAME")

    def down(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(torchrun.socket, "create_connection", down)
    with pytest.raises(InputError, match=r"loopback network interface, which is down .Network is unreachable.; ip link"):
        torchrun.check_loopback()


def job(tmp_path, *, done):
    """A job of two ranks whose processes have ended; rank 0 has written a size where `done`."""
    request = SimpleNamespace(plan=replace(PLAN, gpus=2), points=((1, 16),))
    made = several_cards._Job(request, Session(SimpleNamespace(), 60.0), tmp_path)
    made.profile = SimpleNamespace() if done else None
    return made


def failed(folder, rank, said, at, *, memory=False):
    told = json.dumps({"rank": str(rank), "said": said, "memory": memory, "at": at})
    (folder / torchrun.FAILED.format(rank)).write_text(told)


def test_the_rank_that_failed_first_has_the_word(tmp_path):
    failed(tmp_path, 0, "Connection closed by peer", 9.0)
    failed(tmp_path, 1, "CUDA error: an illegal memory access", 4.0)
    with pytest.raises(RoiError, match=r"^rank 1: CUDA error"):
        job(tmp_path, done=True)._explain([])
    cause = ["Root Cause (first observed failure):", "[0]:", "  rank      : 3 (local_rank: 3)", "  exitcode  : -11 (pid: 5)"]
    with pytest.raises(RoiError, match=r"^rank 3 was ended by signal 11"):
        job(tmp_path, done=True)._explain(cause)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(RoiError, match="the ranks ended: no module named"):
        job(tmp_path, done=False)._explain(["no module named torch"])


def test_memory_that_runs_out_on_a_rank_keeps_smaller_sizes_and_is_an_error_without(tmp_path):
    failed(tmp_path, 1, "CUDA out of memory", 4.0, memory=True)
    short = job(tmp_path, done=True)
    short._explain([])
    assert short.short
    assert short.session.notes == ["rank 1 ran out of memory; larger sizes were not tried"]
    with pytest.raises(RoiError, match="rank 1: CUDA out of memory"):
        job(tmp_path, done=False)._explain([])


def test_exposed_communication_is_what_a_step_takes_beyond_one_alone():
    """40 ms, of which 30 alone: a quarter is exposed; faster alone by noise is no less than nothing."""
    def rank(alone):
        return RankPoint(step_s=(9.0, 0.04, 0.04), alone_s=alone, memory=MemoryReading())

    point = TrainPoint(micro_batch=1, seq=16, step_s=(9.0, 0.04, 0.04), warmup=1, memory=MemoryReading(),
                       ranks=(rank((0.03, 0.03)), rank((0.05,)), rank(())))
    assert [exposed(point, number) for number in range(3)] == [pytest.approx(0.25), 0.0, None]


def test_a_program_is_ended_with_all_that_it_started_and_with_us(tmp_path):
    """A shell that ignores SIGTERM and has a child; and one whose starter is killed."""
    with Child(["/bin/sh", "-c", "trap '' TERM; sleep 100 & echo $!; wait"], tmp_path / "log") as child:
        inner = int(wait_for(lambda: child.last_lines(1))[0])
        child.stop(grace_s=0.1)
    assert child.exit_code == -signal.SIGKILL
    wait_for(lambda: not alive(inner), 20.0)
    code = ("import sys, time; from pathlib import Path; from roi.profiling.child import Child\n"
            "c = Child(['/bin/sleep', '100'], Path(sys.argv[1])); print(c.process.pid, flush=True); time.sleep(100)")
    us = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    orphan = int(us.stdout.readline())
    us.kill()
    us.communicate()
    wait_for(lambda: not alive(orphan), 20.0)
    with pytest.raises(RoiError, match="/no/such cannot be started: No such file"):
        Child(["/no/such"], tmp_path / "log")


def alive(process):
    """True while it is there and not only waiting to be taken note of."""
    told = subprocess.run(["/bin/ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False).stdout
    return told.strip()[:1] not in ("", "Z")
