"""What a budget holds on cards of 24 to 80 GB, by the roofline; and that each option of a plan is known or refused in words."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.step.step_time import step_time
from roi.estimate.training import plan as plans
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import refusal
from roi.facts.environment import Environment
from roi.facts.methods import Other
from roi.facts.profiles import MemoryReading
from roi.profiling.board import NO_DRAW
from roi.profiling.dry.dry_run import dry_run
from roi.profiling.model_to_build import TINY_MODEL, ModelToBuild, choose_model_to_build
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.profiling.train import fused, short_run, train_point
from roi.profiling.train.possible import check_possible
from roi.profiling.train.short_run import TrainRequest
from roi.profiling.train.training_steps import Step, TrainingSetup

ROOT = Path(__file__).parents[2]
DEFAULT = ((1, 512), (1, 2048), (4, 512), (4, 2048))
"""The sizes of `roi profile train` on a GPU."""


FIRST_S = 1.0
"""Kernels are loaded and chosen."""


class Quiet:
    """A watcher that keeps what it is told."""

    def __init__(self):
        self.warned = []

    def update(self, *_):
        """Nothing is shown."""

    def warn(self, text):
        self.warned.append(text)


def stepped(gpu, method, monkeypatch, budget_s=120.0):
    """(What a profile of an 8B would measure, seconds spent, warnings): the roofline's steps, the closed form's memory.

    A first step takes FIRST_S more, and one that runs out of memory as long as one that does not.
    """
    card, shape = find_gpu(gpu), find_model("llama-3.1-8b")
    base = TrainingPlan(method=method, trainer="hf", autocast=True, padded=False)
    clock = [0.0]
    monkeypatch.setattr(train_point.time, "monotonic", lambda: clock[0])
    efficiency = training_efficiencies().step()

    def sized(micro_batch, seq):
        plan = replace(base, micro_batch=float(micro_batch), seq=float(seq))
        took = step_time(shape, plan, card, efficiency)
        return float(took.micro_step_s + took.optimizer_s), float(training_memory(shape, plan, card).reserved_bytes)

    room = card.memory_bytes - 0.6 * 2**30  # the context

    def run_point(_setup, run):
        seconds, needed = sized(run.micro_batch, run.seq)
        run.began_s = clock[0]
        for number in range(100):
            each = seconds + FIRST_S if number == 0 else seconds
            clock[0] += each
            if needed > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            if not run.take(Step(each, 5.0)):
                break
        if (train_point.FREE + 1) * seconds < run.room_s:
            clock[0] += (train_point.FREE + 1) * seconds
            free.append((run.micro_batch, run.seq))
        read.append(needed)
        return NO_DRAW

    def try_size(_setup, micro_batch, seq):
        seconds, needed = sized(micro_batch, seq)
        clock[0] += seconds if needed > room else train_point.TRIAL_STEPS * seconds  # a Trainer makes an optimizer each time
        return needed <= room

    read, free = [], []
    for name, fake in (
        ("run_point", run_point), ("try_size", try_size), ("reset_memory", lambda _: None), ("recover", lambda _: None),
        ("read_memory", lambda *_: MemoryReading(reserved_bytes=read[-1])), ("room_bytes", lambda: room),
    ):
        monkeypatch.setattr(train_point, name, fake)
    session = Session(Environment(device="cuda", gpu=card.id, versions={}), budget_s, began_s=0.0, watcher=Quiet())
    request = TrainRequest(ModelToBuild("m", {}, shape), base, DEFAULT)
    work = short_run._Stepping(request, TrainingSetup(None, base, "cuda", 256), session)
    work.run()
    return work, clock[0], session.watcher.warned


@pytest.mark.parametrize(("gpu", "method", "sizes"), [
    ("RTX-4090", "qlora", 3), ("L4", "qlora", 3), ("A10G", "qlora", 3), ("A100-40GB-SXM", "lora", 4), ("L40S", "lora", 4),
    ("A100-80GB-SXM", "lora", 4), ("H100-80GB-SXM", "lora", 4), ("H100-80GB-SXM", "qlora", 4),
])
def test_two_minutes_hold_every_size_of_an_8b_that_fits_and_the_largest_micro_batch(monkeypatch, gpu, method, sizes):
    work, spent_s, warned = stepped(gpu, method, monkeypatch)
    assert len(work.points) == sizes
    assert [note for note in work.notes if "left out" not in note] == []
    assert len(work.points) + len(work.notes) == len(DEFAULT)
    assert work.ended == warned == []
    assert set(work.largest) == {"512", "2048"}
    assert spent_s <= 1.02 * 120.0


@pytest.mark.parametrize("gpu", ["L40S", "A100-80GB-SXM"])
def test_where_one_search_is_too_much_for_two_minutes_it_is_said_before_it_would_begin(monkeypatch, gpu):
    """NF4 leaves so much room that the largest step takes 11 to 13 s, three of them for each length."""
    work, spent_s, warned = stepped(gpu, "qlora", monkeypatch)
    assert (len(work.points), set(work.largest)) == (4, {"512"})
    assert warned == work.ended
    assert re.match(r"largest micro-batch at 2,048 tokens: about \d+ by the line through measured peaks, not tried: it takes "
                    r"\d\d s, \d\d are left", warned[0])
    assert spent_s <= 120.0


def test_that_steps_end_where_a_median_is_known_is_said(monkeypatch):
    work, _, _ = stepped("L40S", "lora", monkeypatch, budget_s=1200.0)
    assert work.enough() == ["4 of 4 sizes ended at 50 timed steps, enough for a median; more --budget gives them no more"]
    assert stepped("L4", "qlora", monkeypatch, budget_s=12.0)[0].enough() == []


BAD = {
    ("--optimizer", "adamww"): "optimizer: 'adamww' is not one of adamw, ", ("--method", "qlorra"): "nearest: qlora\n",
    ("nosuch-8b",): "MODEL: unknown model 'nosuch-8b'", ("--targets", "qkv"): "has no target 'qkv'",
    ("--kernels", "fused"): "--kernels fused: ", ("./nosuch",): "MODEL: no file or folder './nosuch'",
    ("--optimizer", "AdamW4bit"): "--optimizer adamw-4bit: roi fit counts it",
    ("--packing",): "--packing: packs examples of real lengths",
    ("--seq", "5000"): "tiny-llama takes at most 4,096",
}


@pytest.mark.full
def test_options_are_refused_before_torch_is_asked_for():
    """Importing torch takes 3 to 5 s; here it cannot be imported at all."""
    for words, told in BAD.items():
        run = f"import sys; sys.modules['torch'] = None; from roi.cli import main; main(['profile', 'train', *{words!r}])"
        done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert told in done.stderr


def test_what_a_short_budget_does_not_hold_is_said_before_it_is_begun(monkeypatch):
    """An L4 in 12 s: after the first size what the others take is known."""
    work, spent_s, warned = stepped("L4", "qlora", monkeypatch, budget_s=12.0)
    assert re.match(r"--budget: \d of the 3 sizes that are left fit into \d+ s whole; .* \d+s would hold all", warned[0])
    assert work.ended
    assert work.points
    assert spent_s < 2.0 * 12.0


OPTIONS = [(field, name) for field in ("attention", "optimizer", "kernels", "dtype") for name in plans.CHOICES[field]
           if name not in plans.UNRUN["optimizer"]] + [("method", name) for name in plans.METHODS] + [
               ("accumulation", 4), ("packed", True)]


@pytest.mark.full
@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_each_option_is_known_to_closed_form_dry_run_and_profile_or_refused_in_words(monkeypatch, option, value):
    """docs/measure.md has the same as a table. flash-attn and flash-attn-3 are not here: that is what a GPU is told."""
    monkeypatch.setitem(sys.modules, fused.LIGER, SimpleNamespace(MODEL_TYPE_TO_APPLY_LIGER_FN={"llama": None}))
    model = choose_model_to_build(None, None, "cpu")
    plan = replace(TrainingPlan(seq=64, trainer="hf", autocast=option != "dtype", padded=False), **{option: value})
    closed = refusal(model.shape, plan)
    assert closed.startswith("attention: sdpa-efficient has no kernel") if value == "sdpa-efficient" else not closed
    assert training_memory(model.shape, plan).peak_allocated_bytes > 1e6
    assert dry_run(TINY_MODEL, plan, workspace_bytes=0).tape.live_bytes.max() > 1e6
    refused = {}
    for device in ("cpu", "cuda"):
        try:
            check_possible(TrainRequest(model._replace(weights=ROOT), plan, ((1, 64),)), device)
        except InputError as error:
            refused[device] = str(error)
    no_cpu = {"flash", "flash1", "flash3", "sdpa-cudnn", "sdpa-efficient", "paged-adamw", "paged-adamw-8bit", "fused", "liger"}
    no_cuda = {"flash", "flash1", "flash3", "sdpa-efficient", "fused"}
    assert set(refused) == {device for device, names in (("cpu", no_cpu), ("cuda", no_cuda)) if value in names}, refused
    assert all(f"{option}" in said and "\n" not in said for said in refused.values())


@pytest.mark.parametrize("fields", [{"method": "full", "optimizer": "galore-adamw"}, {"method": "lisa"}, {"method": "mica"}])
def test_what_the_closed_form_alone_knows_is_refused_elsewhere_in_words(fields):
    model, plan = choose_model_to_build(None, None, "cpu"), TrainingPlan(seq=64, rank=2.0, **fields)
    assert not refusal(model.shape, plan)
    with pytest.raises(InputError, match="is not run dry; leave --dry-run out"):
        plan.check_runs_dry()
    with pytest.raises(InputError, match="roi fit counts it, and nothing here runs it"):
        check_possible(TrainRequest(model._replace(weights=ROOT), plan, ((1, 64),)), "cpu")


def test_the_table_of_the_guide_names_every_choice():
    text = (ROOT / "docs" / "measure.md").read_text(encoding="utf-8")
    table = " ".join(line for line in text.splitlines() if line.startswith("|"))
    words = set(re.findall(r"[\w-]+", table))
    assert {*get_args(Other)} <= words
    assert {name for field in ("optimizer", "loss", "stack", "checkpoints") for name in plans.CHOICES[field]} <= words
    assert {"--loss", "--stack", "--checkpoints"} <= words
    assert {str(value) for option, value in OPTIONS if option not in ("accumulation", "packed")} <= words
    assert {"--accumulation", "--packing", "--compile", "--lengths"} <= words
