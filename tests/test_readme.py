"""README.md and the pages of docs/ show what the program prints now; docs/trust.md states what was measured."""

import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from render_readme import PAGES, README, output, rendered

import roi
from roi.catalog.efficiencies.cuda_contexts import context_rows, fit_context
from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import load_models
from roi.errors import InputError
from roi.units import formatted

ROOT = Path(roi.__file__).parent
TEXT = README.read_text(encoding="utf-8")
TRUST = (README.parent / "docs" / "trust.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [pytest.param(page, marks=() if page == README else pytest.mark.full) for page in PAGES],
                         ids=lambda page: page.name)
def test_the_output_in_a_page_is_current(page) -> None:
    text = page.read_text(encoding="utf-8")
    assert rendered(text) == text, "run `make readme`"


@pytest.mark.full
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("day", [date(2026, 7, 1), date(2027, 1, 5)], ids=str)
def test_the_output_in_a_page_is_that_of_every_day(monkeypatch, page, day) -> None:
    """No rendered command asks the clock: before and after the day on which it was rendered, it prints the same.

    But that rows have not come where a log is read on a day before its last, 22 November, which `roi usage` says.
    """
    day = max(day, date(2026, 11, 22)) if page.name == "usage.md" else day
    monkeypatch.setattr("roi.clock.today", lambda: day)
    text = page.read_text(encoding="utf-8")
    assert rendered(text) == text


def test_the_readme_fits_on_200_lines_and_its_links_lead_to_files() -> None:
    assert TEXT.count("\n") <= 200
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXT)
    assert [link for link in links if not (README.parent / link).exists()] == []
    assert [line for line in TEXT.splitlines() if len(line) > 128 and not line.startswith("|")] == []


def test_the_case_in_the_readme_is_the_example_of_five_lines_and_runs() -> None:
    text = (README.parent / "examples" / "tickets.yaml").read_text(encoding="utf-8")
    assert f"```yaml\n{text}```" in TEXT
    assert text.count("\n") == 5
    output("compare examples/tickets.yaml --draws 16")


def test_the_part_in_the_examples_is_what_roi_quality_writes(monkeypatch, tmp_path: Path) -> None:
    """Whole, with the digest that tells edits apart, on the day on which the bar was first written."""
    monkeypatch.setattr("roi.clock.today", lambda: date(2026, 11, 26))
    part = tmp_path / "quality.yaml"
    output(f"quality examples/quality_promptfoo.json examples/quality_rows.jsonl --incumbent gpt-6-sol --bar 0.85 --output"
           f" {part}")
    assert part.read_text(encoding="utf-8") == (README.parent / "examples" / "quality.yaml").read_text(encoding="utf-8")


def test_only_the_clock_of_the_commands_and_the_start_of_a_measurement_ask_what_day_it_is() -> None:
    """Everything else takes its date as an argument, so that no answer and no test depends on the day of the run."""
    asks = re.compile(r"\b(?:datetime\.now|date\.today|Date\.today|time\.time)\(")
    asking = {file.relative_to(ROOT).as_posix() for file in ROOT.rglob("*.py") if asks.search(file.read_text(encoding="utf-8"))}
    starts = {name for name in asking if name.startswith("profiling/")}  # `started` of a profile: no answer reads it
    when_imported = {"__init__.py"}  # tells whether files changed since: what is kept is then passed over, no answer reads it
    assert asking - starts - when_imported == {"clock.py"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_marker_is_closed_and_known_and_no_output_is_wider_than_a_screen(page) -> None:
    """A marker with a typing error would never be filled. 80 columns; a YAML file has 128."""
    text = page.read_text(encoding="utf-8")
    starts = re.findall(r"<!-- output: (.*?) -->", text)
    assert all(start.startswith("roi ") for start in starts)
    assert text.count("<!-- end -->") == len(starts)
    blocks = re.findall(r"<!-- output: .*?-->\n```text\n(.*?)<!-- end -->", text, re.DOTALL)
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 80


def test_the_two_commands_are_those_of_the_makefile() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    assert "make demo" in TEXT
    assert "make test" in TEXT
    assert all(f"\n{target}:" in makefile for target in ("demo", "test"))


def kept(instrument):
    """What `roi validate` said of the published runs, as docs/accuracy/ keeps it."""
    return json.loads((README.parent / "docs" / "accuracy" / f"{instrument}.json").read_text(encoding="utf-8"))


def errors(predictions, source=""):
    found = [100 * (p["predicted"] / p["measured"] - 1) for p in predictions
             if p["quantity"] == "memory" and p["id"].startswith(source)]
    return np.array(found)


def worst(found):
    return found[np.argmax(np.abs(found))]


def configured(model):
    try:
        return bool(model_config(model))
    except InputError:
        return False


def test_the_shapes_counted_on_meta_are_those_that_have_a_configuration():
    """test_meta_parameters builds each of them (pytest -m slow); what has its own code is held to the published count."""
    models = load_models()
    built = sum(configured(model) for model in models)
    assert f"parameters of {len(models)} model shapes | counts of transformers on meta ({built} rows), the published" in TRUST
    assert f"the published count ({len(models) - built})" in TRUST
    assert all(model.parameters == model.published_parameters for model in models if not configured(model))


def test_the_context_s_error_is_that_of_each_message_with_its_card_left_out():
    """100 (predicted / measured - 1), as every error here."""
    rows = [row for row in context_rows() if row.context_bytes is not None]
    found = np.array([
        100 * (fit_context(tuple(x for x in rows if x.gpu != row.gpu))[0] * row.threads / row.context_bytes - 1) for row in rows
    ])
    shown = f"median {np.median(np.abs(found)):.0f}%, worst {worst(found):+.0f}% ({rows[np.argmax(np.abs(found))].gpu})"
    cards = len({row.gpu for row in rows})
    assert f"| CUDA context | {len(rows)} out-of-memory messages, {cards} cards, one card left out in turn | {shown} |" in TRUST


def test_what_serving_misses_with_a_model_or_a_card_left_out_is_that_of_the_accuracy_page():
    found = kept("serving-left-out")
    for quantity, told in (("throughput", "each model left out in turn | median {m:.1f}%; {c:.0f}% within the stated 90% |"),
                           ("tpot", "| TPOT, the same | {n:,} runs | median {m:.1f}%; {c:.0f}% within |"),
                           ("ttft", "| TTFT, the same | {n:,} runs | median {m:.1f}%; {c:.0f}% within |")):
        of = found[quantity]
        assert told.format(n=of["n"], m=of["median_ape"], c=of["coverage90"]) in TRUST
    assert f"| {found['throughput']['n']:,} published runs in groups of three models" in TRUST
    engines = kept("serving")["engines"]
    models, cards = ([row[left] for row in engines if row[left]] for left in ("model", "card"))
    assert f"| {len(models)} engines, {len(cards)} of them on several cards | {100 * min(models):.0f}% (" in TRUST
    furthest = {max(engines, key=lambda row: row[left] or 0.0)["engine"] for left in ("model", "card")}
    assert furthest == {"tensorrt-llm-offline"}
    ends = f" to {100 * max(models):.0f}% (TensorRT-LLM, all at once) a model, to {100 * max(cards):.0f}% (the same) a card"
    assert ends in TRUST


def test_closed_form_memory_of_the_complete_rows_is_stated_for_allocated_and_for_reserved():
    answer = kept("closed-form")
    held, reserved = errors(answer["predictions"], "rtx4080"), errors(answer["second_predictions"], "rtx4080")
    assert len(held) == len(reserved) == 11
    assert f"an RTX 4080 | median {np.median(np.abs(held)):.1f}%, worst {worst(held):+.1f}% |" in TRUST
    shown = f"median {np.median(np.abs(reserved)):.1f}%, bias {reserved.mean():+.1f}%, worst {worst(reserved):+.1f}%"
    assert f"| the same, reserved | the same 11 | {shown} |" in TRUST


def test_sources_whose_loops_are_not_known_are_named_with_their_errors():
    flat, answer = " ".join(TRUST.split()), kept("closed-form")
    for source, words in (
        ("swift-", "ms-swift {m}%, {low} of {n} rows too low (mean {b}%)"),
        ("qwen-", "Qwen's README {m}%, {low} of {n} too low ({b}%)"),
        ("vertex-", "vertex {m}%, {low} of {n} too low ({b}%)"), ("litgpt-hub-", "LitGPT's hub {m}%, mostly too low ({b}%)"),
        ("litgpt-res-", "LitGPT's resource tables {m}%, both ways ({b}%)"), ("tune-", "torchtune {m}%, both ways ({b}%)"),
        ("fsdpq-", "fsdp_qlora {m}%, {low} of {n} too low ({b}%)"),
    ):
        found = errors(answer["predictions"], source)
        bias = formatted(found.mean(), "+.0f")
        told = words.format(m=f"{np.median(np.abs(found)):.0f}", b=bias, low=(found < 0).sum(), n=len(found))
        assert told in flat
        assert "mostly too low" not in told or (found < 0).mean() > 0.5
    every = errors(answer["predictions"])
    assert f"Single rows are off by up to {every.min():+.0f}% and {every.max():+.0f}%." in flat
