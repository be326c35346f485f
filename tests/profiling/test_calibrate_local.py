"""`roi calibrate --local` on the simulated card: a small model's steps on the CPU stand for those of an H100."""

import gc
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from asked import ask

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from fake_card.cuda import simulated_machine

from roi.answers.calibrate_local import LocalCalibration, Moved, calibrate_local, moved_facts, plan_local
from roi.answers.compare import compare_file
from roi.errors import RoiError
from roi.facts.environment import Environment
from roi.profiling import board as board_module
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.profiling.train import possible, short_run, train_point
from roi.report.training.local_calibration import local_json
from roi.scenario.file import load_scenario

MADE = """
title: Made for a calibration
as_of: "2026-11-24"
draws: 512
workload: {requests_per_day: 400000, input_tokens: 20, output_tokens: 4}
incumbent: {provider: openai, model: gpt-6-sol}
candidates: {self_hosted: [llama-68m], gpus: [H100-80GB-SXM], methods: [lora], hybrid: false}
training: {examples: 20000000, micro_batch: 1}
quality: {scores: {gpt-6-sol: 0.93}}
"""
HOURS = "training.hours_factor.lora"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The scenario's file; points of a few steps."""
    torch.set_num_threads(1)
    gc.freeze()
    monkeypatch.setattr(train_point, "TIMED", 3)
    monkeypatch.setattr(board_module, "LEAST_S", 0.0)
    monkeypatch.setattr(board_module, "_BEFORE_TORCH", {})
    file = tmp_path / "made.yaml"
    file.write_text(MADE)
    return file


def test_a_scenario_that_is_not_there_is_said_before_torch_is_missed(tmp_path, monkeypatch):
    monkeypatch.setattr("roi.profiling.session.pick_device", lambda _: pytest.fail("asked for a device"))
    found = ask("calibrate", "--local", tmp_path / "nofile.yaml")
    assert found.exit_code == 2
    assert "nofile.yaml: cannot be read" in found.stderr


def local(file, *words):
    folder = str(file.parent / "measured")
    with simulated_machine():
        result = ask("calibrate", "--local", file, "--profiles", folder, "--device", "cuda", *words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")
def test_a_trial_run_on_this_card_changes_the_spread_of_the_hours_and_says_what_became_of_the_verdict(made):
    """Before: other sources on an H100. Afterwards its own two sizes, nearer or wider by how far they lie from these."""
    for _ in range(4):  # points end after a few steps, whose times on a busy machine may lie too far apart to change a spread
        result = local(made, "--budget", "10m")
        assert result.exit_code == 0, result.output
        if "No end of a spread moved" not in result.stdout:
            break
        shutil.rmtree(made.parent / "measured")
    lines = result.stdout.splitlines()
    row = next(line.split() for line in lines if line.startswith("training hours over estimate"))
    low, high, after_low, after_high = (float(row[k]) for k in (-6, -4, -3, -1))
    assert low < 1.0 < high
    assert (after_low, after_high) != (low, high)
    assert "It stands." in lines
    assert max(len(line) for line in lines if "kept as" not in line) <= 80
    kept, = (made.parent / "measured").rglob("train-*.json")
    profile = json.loads(kept.read_text())
    assert (profile["model"], profile["plan"]["method"]) == ("llama-68m", "lora")
    assert profile["environment"]["gpu"] == "H100-80GB-SXM"
    assert [(p["micro_batch"], p["seq"]) for p in profile["points"]] == [(1, 12), (1, 24)]


OWN_CPU = {
    "id": "cpu", "memory_bytes": 16e9, "bandwidth_bytes_per_s": 4e10, "fp32_flops": 1.5e11, "fp16_flops": 1.5e11,
    "bf16_flops": 1.5e11, "link_bytes_per_s": 1e10, "l2_bytes": 3.2e7, "power_w": 100, "year": 2023,
    "source": "two cores, 16 fused multiply-adds a cycle each at 2.4 GHz", "date": "2026-11-24",
}  # fmt: skip


@pytest.fixture
def own_cpu(made, monkeypatch):
    """The user says what the processor is, and the scenario trains on it; what is known of cards is read anew."""
    monkeypatch.setenv("XDG_DATA_HOME", str(made.parent))
    (made.parent / "roi").mkdir()
    (made.parent / "roi" / "gpus.json").write_text(json.dumps({"gpus": [OWN_CPU]}))
    made.write_text(MADE.replace("examples: 20000000", "examples: 2000000, gpu: cpu")
                    + "gpu_rents: [{gpu: cpu, vendor: ours, usd_per_gpu_hour: 0.2}]\n")
    return made


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the user's data folder is named by XDG_DATA_HOME on Linux alone")
@pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning:torch")
def test_on_this_processor_itself_a_trial_run_changes_the_spread_of_the_hours(own_cpu):
    """Nothing is simulated: a llama of 68 million parameters is trained on the processor, which is the scenario's card."""
    folder = own_cpu.parent / "measured"
    words = ("--local", str(own_cpu), "--device", "cpu", "--profiles", str(folder), "--budget", "10m", "--format", "json")
    result = ask("calibrate", *words)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    moved, = (one for one in told["moved"] if one["fact"] == HOURS)
    assert moved["before"] != moved["after"]
    kept, = folder.rglob("cpu/llama-68m/train-lora-*.json")
    profile = json.loads(kept.read_text())
    assert (profile["environment"]["device"], [p["seq"] for p in profile["points"]]) == ("cpu", [12, 24])


def before_of(file):
    return compare_file(file).comparison, load_scenario(file, (), None, None, lambda _: None)


@pytest.mark.full
def test_what_is_measured_is_what_is_worth_most_a_minute_on_the_card_at_hand(made):
    """On another card nothing: the trial run of an H100 is named instead. The budget is that of all."""
    before, scenario = before_of(made)
    here, elsewhere = plan_local(before, scenario, "H100-80GB-SXM", 120.0)
    assert [(one.model, one.minutes, one.plan.seq, one.plan.rank) for one in here] == [("llama-68m", 2.0, 24.0, 16.0)]
    assert here[0].worth_usd_per_minute == max(here[0].experiment.worth_usd, 0.0) / 2.0
    nothing, other = plan_local(before, scenario, "L4-24GB", 120.0)
    assert nothing == []
    assert "roi profile train on a H100-80GB-SXM" in {one.why for one in other}
    assert len(other) == len(elsewhere) + 1
    option = here[0].experiment.option
    many = before.case["draws"].model_copy(update={"value": 2})
    over = before.case.model_copy(update={"facts": {**before.case.facts, f"options.{option}.training.gpus": many}})
    nothing, other = plan_local(replace(before, case=over), scenario, "H100-80GB-SXM", 120.0)
    assert nothing == []
    assert "roi profile train --gpus 2 --sharding fsdp on 2 x H100-80GB-SXM" in {one.why for one in other}
    assert moved_facts(before, before) == ()
    wider = before.case[HOURS].model_copy(update={"high": 9.0})
    moved = Moved(HOURS, before.case[HOURS], wider)
    found = LocalCalibration(before=before, after=before, done=((here[0], Path("kept.json")),), elsewhere=tuple(other),
                             moved=(moved,), notes=("a note",))
    told = json.loads(local_json(found))
    assert told["moved"] == [{"fact": HOURS, "before": [wider.low, before.case[HOURS].high], "after": [wider.low, 9.0]}]
    assert [one["model"] for one in told["measured"]] == ["llama-68m"]
    assert told["verdict_moved"] is False


@pytest.mark.full
def test_a_machine_without_the_card_is_told_what_would_do(made):
    result = ask("calibrate", "--local", made, "--device", "cpu")
    assert result.exit_code == 2
    assert result.stderr.startswith("roi: --local: this machine has no GPU, and can measure nothing that this scenario waits "
                                    "for; what would tell: ")
    assert "roi profile train on a H100-80GB-SXM" in result.stderr


@pytest.mark.full
def test_with_no_cache_no_replay_is_read_or_kept(made, monkeypatch):
    looked = []
    monkeypatch.setattr("roi.answers.opening.KeptReplays", looked.append)
    for words, times in ((("--no-cache",), 0), ((), 1)):
        result = ask("calibrate", "--local", made, "--device", "cpu", *words)
        assert "this machine has no GPU" in result.stderr
        assert len(looked) == times


@pytest.mark.parametrize("words", [("table.csv",), ("--strict",), ("--output", "kept.calibration")])
def test_what_belongs_to_tables_is_refused(made, words):
    result = ask("calibrate", "--local", made, *words)
    assert result.exit_code == 2
    assert "--local: measures for a scenario" in result.stderr


@pytest.mark.parametrize("words", [("--set", "draws=4"), ("--device", "cpu"), ("--add", "table.csv", "--force"),
                                   ("--no-cache",)])
def test_what_belongs_to_a_scenario_is_refused_without_one(words):
    result = ask("calibrate", *words)
    assert result.exit_code == 2
    assert result.stderr == "roi: --set, --budget, --device, --force and --no-cache go with --local FILE\n"


@pytest.mark.full
def test_a_training_that_fails_leaves_its_reason_and_nothing_else(made, monkeypatch):
    def fails(*_):
        raise RoiError("out of memory while llama-68m was built")

    monkeypatch.setattr(short_run, "profile_train", fails)
    monkeypatch.setattr(possible, "check_possible", lambda *_: None)
    session = Session(Environment(device="cuda", gpu="H100-80GB-SXM", versions={}), 60.0)
    with pytest.raises(RoiError, match="nothing was measured: llama-68m: out of memory"):
        calibrate_local(made, session)
