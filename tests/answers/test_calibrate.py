"""Scales of measured runs against the roofline: by hand, on made-up runs, and as `roi calibrate` prints and keeps them."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import combinations
from math import comb, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from asked import ask
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_support import SERVING, TRAINING, write_table

from roi.answers import calibrate
from roi.answers.calibrate import table_runs
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import ModelConfig, model_config
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.accuracy.measured_run import MeasuredRun, theory_s, timed_run
from roi.estimate.accuracy.training_left_out import (
    after_profile,
    fit_calibration,
    fit_group,
    leave_one_out,
    leave_out,
)
from roi.estimate.step.calibration import (
    ONE_GPU,
    PRIOR_GROUPS,
    WIDTH,
    GroupFit,
    TimedRun,
    evidence_for,
    grouped,
    half_width,
    layout_of,
)
from roi.estimate.step.own_runs import Asked, with_own_runs
from roi.estimate.step.step_time import StepEfficiency, step_time
from roi.estimate.training.plan import TrainingPlan
from roi.evidence.trained_rows import CalibrationFile, calibration_file, find_calibrations, own_rows
from roi.evidence.training_speed import evidence_line, fitted_speed, profile_runs, published_fits, speed_evidence, why_unread
from roi.facts.environment import Environment
from roi.facts.profiles import MemoryReading, TrainPoint, TrainProfile
from roi.report.profiles.profile_train import train_text
from roi.store.profiles.kept_records import read_record, record_text
from roi.store.profiles.lookup import Store, StoredProfile, load_profiles, plan_record, save_profile

SMALL, L40S = find_model("qwen2.5-0.5b"), find_gpu("L40S")
PLAN = TrainingPlan(targets="qv", micro_batch=4.0, seq=512.0, padded=False)
EFFICIENCY = StepEfficiency(0.7, 0.85, 1e-5)


def run(ratio, id="a-1", source="a", gpu="L40S", layout=ONE_GPU):
    """A run whose roofline time is `ratio` times the measured second."""
    return TimedRun(id, source, gpu, layout, "lora", "own", 1.0, ratio)


def fit(overall, source="a", gpu="L40S", layout=ONE_GPU, n=3, scatter=0.1):
    return GroupFit(source, gpu, layout, n, overall, scatter)


def test_the_scale_is_the_median_of_roofline_over_measured():
    found = fit_group([run(0.5), run(0.8), run(0.9)])
    assert (found.n, found.overall) == (3, pytest.approx(0.8))


def test_one_scale_from_three_runs_predicts_the_fourth():
    """0.5, 0.5, 0.5 and 1.0: from the first three the fourth's speed is predicted 0.5 / 1.0, 50% low. Of the other three
    choices (geometric mean 0.5 x 2^(1/3)) the rest is 0.5, 26% high: (50 + 3 x 26.0) / 4 = 32%."""
    found = fit_group([run(x) for x in (0.5, 0.5, 0.5, 1.0)])
    assert found.from_first_three == pytest.approx(50.0)
    assert found.from_three == pytest.approx((50.0 + 3 * 100 * (2 ** (1 / 3) - 1)) / 4)


def test_a_profile_takes_the_runs_at_the_quartiles_of_the_rooflines_time():
    """Eight runs of 1 to 8 s in theory; the 3rd, 5th and 7th (8/4, 8/2, 24/4 from 0) are the profile. Their scales are 0.8, the
    others' 0.4: predicted at twice the speed, 100% off. A group of three has no rest."""
    group = [replace(run(0.8 if k in (3, 5, 7) else 0.4), theory_s=float(k), measured_s=k / (0.8 if k in (3, 5, 7) else 0.4))
             for k in range(1, 9)]
    found = after_profile([group, group[:3]])
    assert found is not None
    assert (found.n, found.quartiles) == (5, pytest.approx(100.0))
    assert after_profile([group[:3]]) is None


def test_any_three_counts_every_run_alike():
    """Four runs at 1, 1, 1 and 2: of four choices three hold the odd one (median 1), so its own error comes up once in four:
    the median of all errors is 0."""
    found = after_profile([[run(x) for x in (1.0, 1.0, 1.0, 2.0)]])
    assert found is not None
    assert found.any_three == pytest.approx(0.0)


@pytest.mark.parametrize("sizes", [(4,), (5, 9), (12, 6, 4)])
def test_any_three_is_the_median_over_every_choice_written_out(sizes):
    """Each choice of three and each run that it leaves, a run's weight shared by the choices that leave it. Twice the weight
    that lies below the error is no more than all of it, and that up to it at least all: no other error is the median."""
    draws = np.random.default_rng(sum(sizes))
    groups = [[run(float(x)) for x in draws.lognormal(0.0, 0.4, n)] for n in sizes]
    errors, weights = [], []
    for group in groups:
        for three in combinations(group, 3):
            rest = [one for one in group if one not in three]
            middle = sorted(one.theory_s / one.measured_s for one in three)[1]
            errors += [abs(middle / (one.theory_s / one.measured_s) - 1.0) for one in rest]
            weights += [len(group) / comb(len(group), 3) / len(rest)] * len(rest)
    found = after_profile(groups).any_three / 100.0
    below = sum(weight for error, weight in zip(errors, weights, strict=True) if error < found - 1e-9)
    up_to = sum(weight for error, weight in zip(errors, weights, strict=True) if error < found + 1e-9)
    assert 2.0 * below <= sum(weights) + 1e-9
    assert 2.0 * up_to >= sum(weights) - 1e-9


def test_a_row_is_timed_once(tmp_path, monkeypatch):
    """A look for rows that are far too slow timed each row of a table, and the fit once more."""
    asked = []
    monkeypatch.setattr(calibrate, "timed_run", lambda run, known: asked.append(run.id) or timed_run(run, known))
    calibrate.calibrate_runs([write_table(tmp_path / "mine.csv", TRAINING | {"tokens_per_s": "5000"}, {}, {})], [tmp_path])
    assert [id for id in asked if id.startswith("own-")] == ["own-1", "own-2"]


def test_runs_that_agree_have_no_error():
    found = fit_group([run(0.8) for _ in range(5)])
    assert found.left_out == found.from_three == pytest.approx(0.0, abs=1e-9)
    assert found.log_scatter == pytest.approx(0.0, abs=1e-9)


def test_a_group_is_one_source_on_one_gpu_in_one_layout():
    runs = [run(1.0), run(1.0, source="b"), run(1.0, gpu="L4"), run(1.0, layout="fsdp"), run(0.9)]
    assert [len(group) for group in grouped(runs)] == [2, 1, 1, 1]


def test_layouts_are_named_by_what_is_shared():
    assert layout_of(PLAN) == ONE_GPU
    assert layout_of(replace(PLAN, gpus=2)) == "replicas"
    assert layout_of(replace(PLAN, gpus=2, sharding="fsdp")) == "fsdp"


def test_no_runs_are_an_error():
    with pytest.raises(InputError, match="no runs"):
        fit_group([])


def measured(tokens_per_s=1000.0, **rest):
    return MeasuredRun("x-1", "x", "lora", "L40S", SMALL, rest.pop("plan", PLAN), rest.pop("gpu", L40S),
                       rest.pop("mean", 512.0), None, "unstated", tokens_per_s, **rest)


def test_a_measured_run_stands_beside_the_roofline_at_its_mean_length():
    """4 x 256 tokens at 1,000 tokens/s take 1.024 s; the roofline is that of 256 tokens and not of the 512 that fit."""
    found = timed_run(measured(mean=256.0), replace(EFFICIENCY, overall=0.3))
    step = step_time(SMALL, replace(PLAN, seq=256.0), L40S, EFFICIENCY)
    assert found.measured_s == pytest.approx(1.024)
    assert found.theory_s == pytest.approx(float(step.micro_step_s + step.optimizer_s))


@pytest.mark.parametrize("lacking", [{"gpu": None}, {"mean": None}, {"tokens_per_s": None}])
def test_a_run_without_card_length_or_speed_is_no_evidence(lacking):
    assert timed_run(measured(**lacking), EFFICIENCY) is None


def test_the_card_comes_first_then_the_layout_then_everything():
    groups = [fit(0.5, "one"), fit(0.8, "other"), fit(1.0, "far", gpu="L4"), fit(0.4, "far", gpu="L4", layout="fsdp")]
    assert evidence_for("L40S", ONE_GPU, groups, EFFICIENCY).level == "gpu"
    assert evidence_for("T4", ONE_GPU, groups, EFFICIENCY).level == "layout"
    assert evidence_for("T4", "zero3", groups, EFFICIENCY).level == "all"
    assert evidence_for("T4", ONE_GPU, [], EFFICIENCY) is None


def test_over_pcie_what_cards_gather_is_as_unsure_as_on_desktops():
    """A desktop group at twice and one in a data centre at the median of all: the first tells of gathers over PCIe alone."""
    groups = [fit(2.0, gpu="RTX-4090", layout="fsdp"), fit(1.0, gpu="L4", layout="fsdp"), fit(1.0, gpu="A30", layout="fsdp")]
    cards = ("T4", True), ("T4", False), ("RTX-A4000", True)
    asked = ((gpu, layout, pcie) for layout in ("fsdp", "replicas") for gpu, pcie in cards)
    over, fast, desk, *alike = (log(e.high / e.low) for e in (
        evidence_for(gpu, layout, groups, EFFICIENCY, pcie=pcie) for gpu, layout, pcie in asked))
    assert over == desk > fast
    assert alike[0] == alike[1] == fast


def test_one_source_on_a_card_is_drawn_to_all_the_others():
    """One group at 2.0 on the card, all at 2, 1, 1 (median 1): (1 x log 2 + 16 x log 1) / 17, so 2^(1/17)."""
    groups = [fit(2.0), fit(1.0, gpu="L4"), fit(1.0, gpu="T4")]
    found = evidence_for("L40S", ONE_GPU, groups, EFFICIENCY)
    assert found.efficiency.overall == pytest.approx(2 ** (1 / (1 + PRIOR_GROUPS)))


def test_jobs_of_one_card_and_of_several_have_centres_of_their_own():
    """One card 1.0 and 0.9, several 0.5 and 0.6: a new source's centre is sqrt(0.9), or sqrt(0.3) whatever they share."""
    groups = [fit(1.0, gpu="L4"), fit(0.9, gpu="L4"), fit(0.5, gpu="L4", layout="fsdp"), fit(0.6, gpu="L4", layout="zero2")]
    one, two = (evidence_for("T4", layout, groups, EFFICIENCY).efficiency.overall for layout in (ONE_GPU, "zero3"))
    assert (one, two) == pytest.approx((sqrt(0.9), sqrt(0.3)))


def test_the_interval_of_a_card_without_runs_and_with_one_by_hand():
    """Two groups at 1.0 elsewhere: between (2 x 0.35^2) / 4, within 0.15^2. With 2.0 on the card: its distance from the centre,
    2^(1/17), counts beside two typical ones; all three are of the card's kind, whose median is 1.0."""
    others = [fit(1.0, gpu="L4", scatter=0.15), fit(1.0, gpu="T4", scatter=0.15)]
    far = evidence_for("L40S", ONE_GPU, others, EFFICIENCY)
    assert log(far.high) == pytest.approx(WIDTH * 1.6449 * sqrt(2 * 0.35**2 / 4 + 0.15**2), rel=1e-4)
    here = evidence_for("L40S", ONE_GPU, [fit(2.0, scatter=0.15), *others], EFFICIENCY)
    centre, kind = log(2.0) / 17, (log(2.0) ** 2 + 2 * 0.35**2) / 5
    between = ((log(2.0) - centre) ** 2 + 2 * kind) / 3
    assert log(here.high) - centre == pytest.approx(WIDTH * 1.6449 * sqrt(between + 0.15**2), rel=1e-4)


def test_half_of_the_interval_of_a_large_sample_is_1_645_standard_deviations():
    """10,000 values of deviation 0.1: 0.1645; three values and a typical 0.1: wider by their own uncertainty."""
    assert half_width(10_000, 10_000 * 0.01, 0.1) == pytest.approx(0.1645, rel=1e-3)
    assert 0.2 < half_width(3, 3 * 0.01, 0.1) < 0.25


@pytest.mark.full
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_stated_intervals_hold_about_nine_tenths_of_lognormal_runs(seed):
    rng = np.random.default_rng(seed)
    runs = [run(float(r), source=s) for s in "abcdef" for r in 0.9 * np.exp(0.1 * rng.standard_normal(12))]
    found = leave_one_out(runs, EFFICIENCY)
    assert found.n == 72
    assert 75.0 <= found.coverage <= 100.0


def test_a_source_and_a_gpu_are_predicted_from_the_others():
    """Scales 1.0, 1.0 and 0.5: the last's speed from the others is predicted 2 x measured, 100% high."""
    runs = [run(1.0, source="a"), run(1.0, source="b", gpu="L4"), run(0.5, source="c", gpu="T4")]
    for found in (leave_out(runs, EFFICIENCY, "source"), leave_out(runs, EFFICIENCY, "gpu")):
        worst = found["c" if "c" in found else "T4"]
        assert worst.median_error == pytest.approx(100.0)
        assert worst.low_ratio == worst.high_ratio == pytest.approx(0.5)
        assert found["all"].n == 3


def test_a_pair_holds_all_layouts_and_groups_hold_one():
    found = fit_calibration([run(1.0), run(0.5, layout="fsdp")], EFFICIENCY)
    assert [g.layout for g in found.groups] == [ONE_GPU, "fsdp"]
    assert [(p.layout, p.n) for p in found.pairs] == [("all", 2)]


def profile(step_s=0.5, gpu="L40S"):
    points = tuple(
        TrainPoint(micro_batch=batch, seq=seq, step_s=(9.0, step_s * batch, step_s * batch), warmup=1, memory=MemoryReading())
        for batch, seq in ((1, 512), (2, 512))
    )
    return TrainProfile(
        started=datetime(2026, 11, 25, tzinfo=UTC), environment=Environment(device="cuda", gpu=gpu, versions={}),
        model="qwen2.5-0.5b", plan=plan_record(PLAN), weights="random", trained_parameters=1, points=points,
    )


def test_points_of_a_profile_are_runs_without_their_warm_up():
    """512 tokens in 0.5 s, and 1,024 in 1.0 s: 1,024 tokens/s each; the first step of 9 s is cut."""
    runs = profile_runs(StoredProfile(Path("p/train.json"), profile(), Path("p")))
    assert [(r.plan.micro_batch, r.plan.seq, r.tokens_per_s) for r in runs] == [(1.0, 512.0, 1024.0), (2.0, 512.0, 1024.0)]
    assert {r.source for r in runs} == {"train.json"}


def test_compiled_steps_are_no_run_and_padding_counts_as_the_step_computes_it():
    """Rows of 300 and 500 places in 0.5 s and 0.5 s: 400 a step, 800 places/s; the widest row is 600, of the warm-up."""
    assert profile_runs(StoredProfile(Path("a.json"), profile().model_copy(update={"compiled": True}))) == ()
    point = profile().points[0].model_copy(update={"tokens": (9.0, 200.0, 100.0), "slots": (600.0, 300.0, 500.0)})
    drawn = profile().model_copy(update={"points": (point,), "plan": plan_record(replace(PLAN, padded=True))})
    run, = profile_runs(StoredProfile(Path("a.json"), drawn))
    assert (run.mean_tokens, run.tokens_per_s, run.plan.seq, run.plan.padded) == (400.0, 800.0, 600.0, True)


def test_a_profile_counts_for_plans_with_the_kernels_that_it_ran():
    liger = replace(PLAN, kernels="liger")
    stored = StoredProfile(Path("p/train.json"), profile().model_copy(update={"plan": plan_record(liger)}), Path("p"))
    evidence = speed_evidence(Store((stored,)))
    assert [evidence(L40S, SMALL, plan).level for plan in (PLAN, liger)] == ["gpu", "profile"]


def test_a_profile_of_a_tuner_pins_that_tuner_and_no_other_of_its_family():
    """Two points of the plan at half of its pace: over 0.9 of that, and less wide; loha's stays, as does LoRA's."""
    lokr, loha = (replace(PLAN, method=name, micro_batch=1.0) for name in ("lokr", "loha"))
    without = speed_evidence(Store())
    theory = theory_s(SMALL, lokr, L40S, training_efficiencies().step())
    step_s = 2.0 * theory / without(L40S, SMALL, lokr).efficiency.overall
    points = tuple(TrainPoint(micro_batch=1, seq=512, step_s=(9.0, step_s), warmup=1, memory=MemoryReading()) for _ in range(2))
    stored = profile().model_copy(update={"plan": plan_record(lokr), "points": points})
    found = speed_evidence(Store((StoredProfile(Path("p/lokr.json"), stored, Path("p")),)))
    before, after = (each(L40S, SMALL, lokr) for each in (without, found))
    assert 0.5 < after.efficiency.overall / before.efficiency.overall < 0.5**0.9
    assert after.high / after.low < before.high / before.low
    assert (after.level, after.sources) == ("profile", ("lokr.json on L40S",))
    assert all(found(L40S, SMALL, plan) == without(L40S, SMALL, plan) for plan in (loha, PLAN))


def test_a_profile_of_a_tuner_at_another_size_scales_what_it_makes_of_weights_too():
    """A step as long as was foreseen leaves the figure of four times as many tokens where it was: the rotations of BOFT,
    most of the step, are not done four times."""
    few, many = (replace(PLAN, method="boft", rank=4.0, micro_batch=batch) for batch in (1.0, 4.0))
    known, without = training_efficiencies().step(), speed_evidence(Store())
    step_s = theory_s(SMALL, few, L40S, known) / without(L40S, SMALL, few).efficiency.overall
    point = TrainPoint(micro_batch=1, seq=512, step_s=(9.0, step_s, step_s), warmup=1, memory=MemoryReading())
    stored = profile().model_copy(update={"plan": plan_record(few), "points": (point,)})
    found = speed_evidence(Store((StoredProfile(Path("p/boft.json"), stored, Path("p")),)))(L40S, SMALL, many)
    assert found.level == "profile"
    assert found.efficiency.overall == pytest.approx(without(L40S, SMALL, many).efficiency.overall, rel=0.001)
    assert theory_s(SMALL, many, L40S, known) < 2.0 * theory_s(SMALL, few, L40S, known)


def test_a_profile_of_a_folder_s_model_is_read_by_its_own_entries_and_counts_for_a_model_of_its_name_and_size():
    """The entries are those of a catalog's model, so its own profile says as much of it; of a smaller one it says less."""
    entries = model_config(SMALL).entries
    whole, fewer = (shape_of_config(ModelConfig("mine", entries | {"num_hidden_layers": n}, "")) for n in (24, 22))
    of_folder, of_catalog = (
        speed_evidence(Store((StoredProfile(Path("p/train.json"), one, Path("p")),)))
        for one in (profile().model_copy(update={"model": "mine", "config": entries}), profile())
    )
    assert of_folder(L40S, whole, PLAN) == of_catalog(L40S, SMALL, PLAN)
    mine, other = (of_folder(L40S, shape, PLAN) for shape in (whole, fewer))
    assert other.level == "profile"
    assert other.high / other.low > mine.high / mine.low
    unread = profile().model_copy(update={"model": "mine", "config": {"model_type": "nothing"}})
    assert profile_runs(StoredProfile(Path("a.json"), unread)) == ()
    assert why_unread(unread).startswith("mine: model_type 'nothing' is not read: its parameters could not be checked")


def test_a_profile_of_a_card_or_model_that_the_catalog_lacks_is_no_run():
    """And the profile's own report says so, as it says what reads another."""
    odd = profile().model_copy(update={"model": "/home/someone/model"})
    assert profile_runs(StoredProfile(Path("a.json"), odd)) == ()
    assert profile_runs(StoredProfile(Path("a.json"), profile(gpu="Nothing-9"))) == ()
    for told, one in (("nothing reads it: /home/someone/model is no model of the catalog", odd),
                      ("nothing reads it: Nothing-9 is no card of the catalog until gpus.json", profile(gpu="Nothing-9")),
                      ("nothing reads it: its steps were compiled", profile().model_copy(update={"compiled": True})),
                      ("roi fit MODEL --gpu", profile())):
        assert f"next: {told}" in " ".join(train_text(one, None, None, Path("a.json")).split())


def test_evidence_is_the_profile_then_published_fits_of_the_card_then_those_of_others():
    own = Store((StoredProfile(Path("p/train.json"), profile(), Path("p")),))
    evidence = speed_evidence(own)
    here = evidence(L40S, SMALL, PLAN)
    assert here.level == "profile"
    told = evidence_line(L40S, here)
    assert "measured here (train.json on L40S; n 2; 92% of rows left out" in told
    low, high = here.before
    assert f"of the roofline {low:.2f} to {high:.2f} without, {here.low:.2f} to {here.high:.2f} with train.json (n 2)" in told
    assert here.before == (speed_evidence(Store())(L40S, SMALL, PLAN).low, speed_evidence(Store())(L40S, SMALL, PLAN).high)
    assert evidence(find_gpu("A100-80GB-SXM"), SMALL, PLAN).level == "gpu"
    far = evidence(find_gpu("T4"), SMALL, PLAN)
    assert far.level == "layout"
    assert far.high / far.low < (desktop := evidence(find_gpu("RTX-5090"), SMALL, PLAN)).high / desktop.low


def test_the_published_fits_name_cards_of_the_catalog():
    assert len(published_fits()) > 10
    assert all(find_gpu(f.gpu).id == f.gpu and f.n > 0 for f in published_fits())


def own_file(folder):
    """The file of a table of six runs of one's own, at the roofline's speed."""
    path = table(folder)
    path.write_text(path.read_text().replace(",4", ",23"))
    file = calibration_file(table_runs([path]).own, date(2026, 11, 25), "0.1.0")
    (folder / "x.calibration").write_text(record_text(file), encoding="utf-8")
    return file


def test_rows_survive_their_file_and_one_that_cannot_be_used_is_named(tmp_path):
    file = own_file(tmp_path)
    text = (tmp_path / "x.calibration").read_text()
    for name, other in (("bad", "{}"), ("twice", text.replace('"roi"', '"roi": "0", "roi"', 1)),
                        ("card", text.replace("L40S", "RTX-9090").replace('"t"', '"u"')),
                        ("old", text.replace("calibration/2", "calibration/1"))):
        (tmp_path / f"{name}.calibration").write_text(other, encoding="utf-8")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "copy.calibration").write_text(text, encoding="utf-8")
    found, damaged = find_calibrations([tmp_path])
    assert found == (file,)
    told = {path.stem: why for path, why in damaged}
    assert set(told) == {"bad", "twice", "card", "old"}
    assert told["twice"] == "'roi' is given twice"
    assert re.search("unknown GPU 'RTX-9090'.*; roi calibrate --add keeps its table again", told["card"])
    assert "it should be 'roi.calibration/2'" in told["old"]
    with pytest.raises(InputError, match="cannot be read"):
        read_record(CalibrationFile, tmp_path / "none.calibration", "calibration", "a calibration")


def test_of_files_of_one_table_the_newest_counts_and_a_run_counts_once(tmp_path):
    old = own_file(tmp_path)
    new = old.model_copy(update={"date": date(2026, 11, 30), "rows": old.rows[:5]})
    (tmp_path / "y.calibration").write_text(record_text(new), encoding="utf-8")
    found, damaged = find_calibrations([tmp_path])
    assert found == (new,)
    assert [why for _, why in damaged] == ["rows of 2026-11-25; those of 2026-11-30 of tables of the same names count"]
    other = old.model_copy(update={"tables": ("u",), "rows": tuple(
        row.model_copy(update={"id": f"u{row.id}", "source": "u/t"}) for row in old.rows)})
    assert [run.id for run in own_rows([new, other])] == [*(row.id for row in new.rows), "ut-006"]


def test_rows_of_an_own_table_count_as_the_points_of_a_profile_and_not_as_one_more_published_source(tmp_path):
    """The very plan of a row: its own speed lies inside, the interval is narrower, and the roofline may move behind it."""
    file = own_file(tmp_path)
    run = own_rows([file])[3]
    before, after = (fitted_speed(Store(), files)(L40S, run.model, run.plan) for files in ((), (file,)))
    measured = timed_run(run, training_efficiencies().step())
    assert (after.level, after.n, after.before) == ("profile", 6, (before.low, before.high))
    assert after.low < np.exp(measured.log_ratio) < after.high
    assert after.high / after.low < before.high / before.low
    as_profile = with_own_runs(before, [replace(one, model=f"{one.model} {run.model.parameters}") for own in own_rows([file])
                                        if (one := timed_run(own, training_efficiencies().step())) is not None],
                               Asked("lora", f"{run.model.id} {run.model.parameters}", measured.theory_s, measured.size))
    assert after.high == pytest.approx(as_profile.high)
    assert [piece.source for piece in after.pieces] == ["t/t"]


def test_a_calibration_among_the_profiles_is_no_damaged_profile(tmp_path):
    own_file(tmp_path)
    assert load_profiles([tmp_path]).damaged == ()


HEAD = (
    "id,source,model,gpu,method,rank,target_modules,quant,micro_batch,seq_len_max,gradient_checkpointing,"
    "tokens_per_s,seq_len_mean,base_dtype"
)


def table(folder, rows=6):
    lines = [f"t-{i:03},t,qwen2.5-0.5b,L40S,lora,16,q_proj+v_proj,none,{i},512,false,{4000 + 100 * i},512,bf16"
             for i in range(1, rows + 1)]
    path = folder / "t.csv"
    path.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return path


def call(*args):
    return ask("calibrate", *args)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A working folder without profiles of anybody."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("roi.store.profiles.places.shipped_folder", lambda: tmp_path / "none")
    monkeypatch.setattr("roi.store.profiles.places.user_folder", lambda *_: tmp_path / "none")
    return tmp_path


def test_the_command_prints_scales_errors_and_residuals_in_80_columns(alone):
    result = call(table(alone))
    assert result.exit_code == 0, result.output
    assert "L40S t" in result.output
    assert "theory s" in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines())
    assert [p.name for p in alone.iterdir()] == ["t.csv"]  # nothing written


def test_json_has_every_run_with_its_residual(alone):
    found = json.loads(call(table(alone), "--format", "json").stdout)
    assert found["schema"] == "roi.calibration-report/1"
    assert len(found["runs"]) == found["pairs"][0]["n"] == 6
    one = found["runs"][0]
    assert one["residual"] == pytest.approx(100 * (one["scaled_s"] / one["measured_s"] - 1))
    assert one["scaled_s"] == pytest.approx(one["theory_s"] / found["groups"][0]["overall"])


def test_output_keeps_the_runs_of_tables_and_none_of_profiles(alone):
    """A profile counts where it lies; kept as rows, too, it would count twice."""
    folder = alone / "profiles"
    folder.mkdir()
    save_profile(profile(), folder)
    result = call(table(alone), "--profiles", folder, "--output", alone / "mine.calibration")
    assert result.exit_code == 0, result.output
    assert "mine.calibration: 6 runs" in result.stderr
    [file], _ = find_calibrations([alone])
    assert (file.tables, [row.gpu for row in file.rows], {row.source for row in file.rows}) == (("t",), ["L40S"] * 6, {"t/t"})
    told = call("--profiles", folder, "--output", alone / "none.calibration")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "nothing to keep, profiles count already, and no TABLE has a run of your own" in " ".join(told.stderr.split())


def test_add_keeps_training_runs_and_tells_what_they_did_to_each_configuration(alone):
    folder = alone / "kept"
    folder.mkdir()
    result = call("--add", table(alone), "--profiles", folder)
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    assert "Training speed: 6 runs kept in t.calibration" in told
    assert "Not stated, and taken as: " in told
    assert "kept in kept/t.calibration, which fit and compare read" in result.stderr.replace(f"{alone}/", "")
    [file], _ = find_calibrations([folder])
    run = own_rows([file])[3]
    found = json.loads(call("--add", alone / "t.csv", "--profiles", folder, "--format", "json").stdout)
    (piece,) = found["pieces"]
    before, after = (fitted_speed(Store(), files)(L40S, run.model, run.plan) for files in ((), (file,)))
    assert (piece["rows"], piece["before"]) == (6, pytest.approx([before.low, before.high]))  # added again, it counts once
    assert piece["centre"] == pytest.approx(after.efficiency.overall)
    assert (found["schema"], found["unused"]) == ("roi.added-runs/1", 0)


def test_add_of_published_runs_or_of_tables_of_two_kinds_keeps_nothing(alone):
    path = table(alone)
    serving = write_table(alone / "s.csv", SERVING, {})
    told = call("--add", path, "--add", serving, "--profiles", alone)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "t.csv is a table of training runs; add it apart from those of serving runs" in " ".join(told.stderr.split())
    path.write_text(path.read_text().replace("t-0", "peft-0").replace(",t,", ",peft,"))
    told = call("--add", path, "--profiles", alone)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "nothing to keep" in told.stderr
    assert not list(alone.glob("*.calibration"))


def test_profiles_are_read_beside_tables(alone):
    folder = alone / "profiles"
    folder.mkdir()
    save_profile(profile(), folder)
    found = json.loads(call(table(alone), "--profiles", folder, "--format", "json").stdout)
    assert {p["source"] for p in found["pairs"]} == {"t", "L40S/qwen2.5-0.5b/train-lora-2026-11-25.json"}


def test_without_any_run_it_says_what_to_give(alone):
    assert alone.is_dir()
    result = call()
    assert result.exit_code == 2
    assert "give a TABLE.csv" in result.output
    save_profile(profile().model_copy(update={"model": "/home/someone/model"}), alone)
    told = call("--profiles", alone).stderr
    assert "; of 1 training profiles 1: /home/someone/model is no model of the catalog; give a TABLE.csv" in told


def test_a_table_with_a_row_that_cannot_be_used_is_an_error_where_strict(alone):
    path = table(alone)
    path.write_text(path.read_text().replace("t-003,t,qwen2.5-0.5b", "t-003,t,qwen"))
    assert call(path).exit_code == 0
    told = call(path, "--strict")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "1 of 6 rows cannot be used; line 4, row 't-003', model: 'qwen'; no model of the catalog" in told.stderr


def test_where_no_row_says_anything_of_the_speed_the_reasons_are_those_that_are(alone):
    path = write_table(alone / "t.csv", {**TRAINING, "tokens_per_s": ""}, {}, {})
    told = " ".join(call(path).stderr.split())
    assert "nothing to compare with theory; of 2 runs 2 without a speed; give a TABLE.csv" in told


def test_a_table_of_serving_runs_is_none(alone):
    path = write_table(alone / "s.csv", SERVING, {})
    told = call(path)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "is a table of serving runs, and training runs are needed" in told.stderr


def test_skipped_rows_are_told_with_line_id_and_reason_in_every_form(alone):
    """Row 3 names no model of the catalog, and row 4 no speed but its memory."""
    path = table(alone)
    lines = path.read_text().replace("t-003,t,qwen2.5-0.5b", "t-003,t,qwen").splitlines()
    lines[4] = lines[4].replace(",4400,", ",,")
    path.write_text("\n".join([f"{lines[0]},peak_mem_gib", *(f"{line},3.5" for line in lines[1:])]) + "\n")
    body = json.loads(call(path, "--format", "json").stdout)
    (skipped,) = body["skipped"]
    assert skipped.pop("reason").startswith("model: 'qwen'; no model of the catalog; nearest: ")
    assert skipped == {"table": "t.csv", "id": "t-003", "line": 4, "column": "model"}
    assert (len(body["runs"]), body["untimed"]) == (4, 1)
    for form in ("table", "markdown"):
        told = " ".join(call(path, "--format", form).stdout.split())
        assert "1 row of the tables was skipped" in told
        assert "1 run is not compared: no card of the catalog" in told
        assert "model: no model of the catalog (line 4, row 't-003': 'qwen')" in told


def test_skipped_rows_of_several_tables_are_told_with_their_table(alone):
    first, second = table(alone), alone / "u.csv"
    second.write_text(first.read_text().replace(",t,", ",u,").replace("t-002,u,qwen2.5-0.5b", "t-002,u,qwen"))
    first.write_text(first.read_text().replace("t-003,t,qwen2.5-0.5b", "t-003,t,qwen"))
    told = " ".join(call(first, second).stdout.split())
    assert "(t.csv, line 4, row 't-003': 'qwen'; u.csv, line 3, row 't-002': 'qwen')" in told


def test_a_table_or_a_run_that_is_given_twice_is_an_error_of_one_line(alone):
    path = table(alone)
    copy = alone / "copy.csv"
    copy.write_text(path.read_text())
    for second, words in ((path, "t.csv is given twice"), (copy, "copy.csv both have the row 't-001' of source 't'")):
        told = call(path, second)
        assert (told.exit_code, told.stdout, told.stderr.count("\n")) == (2, "", 1)
        assert words in told.stderr


def test_runs_that_are_published_already_are_not_kept_again_and_are_told(alone):
    """22 runs of peft on an L40S come with roi: given again they would narrow the interval without saying anything new."""
    path = table(alone)
    path.write_text(path.read_text().replace("t-0", "peft-0").replace(",t,", ",peft,"))
    assert "come with roi and are not kept again: peft on L40S, one GPU (6 given, 22 published)" in call(path).stderr
    assert table_runs([path]).own == ()
    assert "come with roi" not in call(table(alone)).stderr


def test_a_row_far_slower_than_any_that_is_published_is_left_out_with_its_reason(alone):
    """4,100 tokens/s with a slip of 100: serving rows have such a floor. The others stand; with --strict it is an error."""
    path = table(alone)
    path.write_text(path.read_text().replace(",4100,", ",41,"))
    said = r"t-001.*tokens_per_s: '41'; 0\.00\d+ of what the roofline gives this plan on L40S"
    told = call(path, "--output", alone / "x.calibration", "--format", "json")
    assert told.exit_code == 0
    assert [row["id"] for row in json.loads(told.stdout)["skipped"]] == ["t-001"]
    strict = call(path, "--strict")
    assert (strict.exit_code, strict.stderr.count("\n")) == (2, 1)
    assert re.search(said, strict.stderr)


def test_a_table_that_is_too_slow_as_a_whole_takes_nothing_from_profiles_that_stand(alone):
    """Beside a profile its rows are skipped and told; alone, or to be kept, there is nothing: an error of one line."""
    path = table(alone)
    path.write_text(path.read_text().replace(",4", ",0.4"))
    folder = alone / "profiles"
    folder.mkdir()
    save_profile(profile(), folder)
    found = json.loads(call(path, "--profiles", folder, "--format", "json").stdout)
    kept = "L40S/qwen2.5-0.5b/train-lora-2026-11-25.json"
    assert ([p["source"] for p in found["pairs"]], len(found["skipped"])) == ([kept], 6)
    (folder / kept).unlink()
    for words in ((path,), ("--add", path)):
        told = call(*words)
        assert (told.exit_code, told.stdout, told.stderr.count("\n")) == (2, "", 1)
        assert "of what the roofline gives this plan on L40S" in told.stderr


def test_rows_without_ids_are_the_same_run_only_where_all_their_cells_are_the_same(alone):
    path, other = table(alone), alone / "other.csv"
    bare = "\n".join(line.partition(",")[2] for line in path.read_text().splitlines()) + "\n"
    path.write_text(bare)
    other.write_text(bare)
    assert "both have the row 'line 2'" in call(path, other).stderr
    other.write_text(bare.replace(",4", ",5"))
    assert json.loads(call(path, other, "--format", "json").stdout)["pairs"][0]["n"] == 12


def test_one_run_prints_no_table_of_runs_left_out(alone):
    told = call(table(alone, rows=1))
    assert told.exit_code == 0, told.output
    assert "Left out in turn" not in told.stdout
    assert "Left out in turn" in call(table(alone)).stdout
