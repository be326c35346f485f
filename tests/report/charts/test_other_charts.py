"""The pictures of the other questions: their figures are those of the answer."""

import json
from datetime import date as Date
from pathlib import Path

import pytest

from roi.answers.fit import TrainingSet, fit_model
from roi.answers.quality import QualityQuestion, answer_quality
from roi.answers.size import size_file
from roi.answers.usage_tasks import Task
from roi.estimate.training.plan import TrainingPlan
from roi.quality.result_rows import Asked
from roi.report.layout.blocks import Labelled, Table
from roi.report.quality.quality_page import differences, scores
from roi.report.serving.size import frontier
from roi.report.serving.size_page import day_of_load, rent_against_latency
from roi.report.training.fit_page import parts_at_peak, room_of_cards, timeline
from roi.report.usage.usage_page import spend_by_day, usage_page
from roi.units import GIB
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question, summarize

EXAMPLES = Path(__file__).parents[3] / "examples"


def plain(spec: dict) -> dict:
    return json.loads(json.dumps(spec, allow_nan=False))


def test_scores_and_differences_are_those_that_were_measured() -> None:
    files = (str(EXAMPLES / "quality_rows.jsonl"),)
    question = QualityQuestion(files=files, asked=Asked(), incumbent="qwen3-8b", bar=0.85)
    measured = answer_quality(question, Date(2026, 11, 24)).measured
    spec = plain(scores(measured))
    assert spec["layer"][1]["encoding"]["x"]["scale"]["padding"] >= 5  # no interval ends on the edge of the picture
    rows = spec["layer"][1]["data"]["values"]
    for row, each in zip(rows, measured.scores, strict=True):
        assert (row["system"], row["share"]) == (each.system, pytest.approx(each.posterior.share, abs=1e-5))
        assert (row["low"], row["high"]) == pytest.approx(each.posterior.interval, abs=1e-5)
    assert {line["at"] for line in spec["layer"][0]["data"]["values"]} == {0.85}
    told = plain(differences(measured))["layer"][1]["data"]["values"]
    assert [row["share"] for row in told] == pytest.approx([100 * d.on_pairs.value for d in measured.differences], abs=1e-5)


def test_memory_of_a_plan_is_the_reports_by_card_and_by_part() -> None:
    plan = TrainingPlan(method="lora", rank=16.0, targets="all-linear", trainer="hf", autocast=True)  # there is a dry run of it
    found = fit_model("qwen3-8b", plan, gpus="all", data=TrainingSet(1000.0, 1024.0, 1.0), day=Date(2026, 11, 24))
    cards = {row["card"]: row for row in plain(room_of_cards(found))["data"]["values"]}
    assert found.recommended is not None
    assert found.recommended.fit.gpu.id in cards
    assert any(row["state"] == "does not fit" for row in cards.values())
    for line in (line for line in found.lines if line.fit.gpu.id in cards):
        row = cards[line.fit.gpu.id]
        assert row["peak"] == pytest.approx(float(line.fit.memory.process_bytes) / GIB, abs=1e-4)
        assert (row["state"] == "does not fit") is (not line.fit.fits)
    parts = [row["gib"] for row in plain(parts_at_peak(found))["data"]["values"]]
    assert sum(parts) == pytest.approx(float(found.lines[0].fit.memory.process_bytes) / GIB, abs=1e-3)
    assert found.dry_run is not None
    steps = [row["gib"] for row in plain(timeline(found.dry_run))["data"]["values"]]
    assert max(steps) == pytest.approx(max(found.dry_run.timeline_bytes) / GIB, abs=1e-3)


@pytest.mark.full
def test_fleets_are_the_sizings_and_a_day_has_its_mean() -> None:
    found = size_file(None)
    spec = plain(rent_against_latency(found))
    assert len(spec["data"]["values"]) == sum(len(plan.fleets) for plan in found.plans)
    best = spec["layer"][0]["data"]["values"]
    assert [row["usd"] for row in best] == pytest.approx([fleet.usd_per_month for _, fleet in frontier(found)], abs=0.01)
    day = plain(day_of_load(found) or {})
    loads = [row["load"] for row in day["data"]["values"]]
    assert len(loads) == 24
    assert loads == sorted(loads, reverse=True)
    assert sum(loads) / 24 == pytest.approx(found.mean_requests_per_s, rel=1e-4)


@pytest.mark.full
def test_spend_by_day_sums_to_what_was_spent() -> None:
    found = summarize(Question(files=(str(EXAMPLES / "openai_export.csv"),), options=FileOptions()))
    spec = plain(spend_by_day(found) or {})
    spent = sum(each.usd or 0 for each in found.priced)
    assert sum(row["usd"] for row in spec["data"]["values"]) == pytest.approx(spent, rel=1e-4)


def test_the_page_of_usage_begins_with_what_to_do_about_each_group() -> None:
    """In words, then in figures, before any picture; without groups with what was read."""
    found = summarize(Question(files=(str(EXAMPLES / "openai_export.csv"),), options=FileOptions()))
    assert found.days is not None
    task = Task(group="proj_support", provider="openai", model="gpt-6-sol", requests_per_day=100.0, usd_per_month=1414.0,
                days=found.days, share=0.9, best="gpt-6-luna", saves_share=0.5, npv_usd=7000.0, probability=0.93)
    first, second, *_ = usage_page(found, [task]).sections
    assert (first.heading, first.lead, second.heading) == ("The answer", True, "Spend by day and model")
    advice, figures = (part for part in first.parts if isinstance(part, (Labelled, Table)))
    assert advice == Labelled("DO NOW", ("proj_support on gpt-6-sol, $1,414 a month: gpt-6-luna",), "good")
    assert isinstance(figures, Table)
    assert figures.rows[0].cells[1:] == ("100", "1,414", "50%", "7,000", "93%")
    assert "Which of these calls" not in str([section.heading for section in usage_page(found, [task]).sections])
    assert usage_page(found, []).sections[0].heading == "What was read"
    assert usage_page(found, []).facts == ("2026-09-21 to 2026-11-22", "at list price, that of each day", "USD")
