"""Size, fit, next step and diff in Python are the commands' answers, and show themselves as the commands do."""

import json

import pytest
from click.testing import CliRunner
from small_scenario import SMALL, written

import roi
from roi.answers.diff import diff_files
from roi.answers.next import next_file
from roi.answers.size import size_file
from roi.cli import main
from roi.errors import InputError, RoiError
from roi.report.diff import diff_json
from roi.report.layout.blocks import render
from roi.report.next import next_json
from roi.report.serving.size import size_blocks, size_json

DRAWN = SMALL | {"draws": 256}
SERVED = SMALL | {"candidates": {"self_hosted": ["qwen3-8b"], "gpus": ["L4", "L40S"]}}


@pytest.fixture
def file(tmp_path):
    return written(tmp_path, DRAWN)


def test_size_is_what_the_command_answers(tmp_path):
    file = written(tmp_path, SERVED)
    asked = size_file(file, frontier=False)
    for source in (file, SERVED, roi.resolve(file)):
        found = roi.size(source, frontier=False)
        assert found.to_json() == size_json(asked)
        assert str(found) == render(size_blocks(asked))
    assert found.plans == asked.plans
    assert repr(found).startswith("Size('Cheapest plan that holds: ")
    assert found._repr_html_().startswith("<div")
    more = roi.size(file, frontier=False, workload={"requests_per_day": 4_000_000})
    assert more.peak_requests_per_s == pytest.approx(1000 * found.peak_requests_per_s)


def test_size_replays_the_calls_of_a_trace(tmp_path):
    trace = tmp_path / "calls.csv"
    calls = "\n".join(f"2026-11-01T00:00:{k % 60:02d}.{k:06d}Z,800,40" for k in range(60))
    trace.write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{calls}\n", encoding="utf-8")
    found = roi.size(SERVED, trace=trace, times=2.0, frontier=False)
    assert (found.trace.calls, found.trace.times) == (60, 2.0)


def test_fit_is_what_the_command_answers():
    words = ["fit", "llama-3.1-8b", "--method", "qlora", "--examples", "5000", "--as-of", "2026-11-24", "--optimizer",
             "paged_adamw_8bit", "--format", "json"]  # fmt: skip
    found = roi.fit("llama-3.1-8b", method="qlora", examples=5000, as_of="2026-11-24", optimizer="paged_adamw_8bit")
    assert json.loads(found.to_json()) == json.loads(CliRunner().invoke(main, words).stdout)
    assert repr(found).startswith("Fit('")
    assert "Cheapest card that fits" in str(found)


def test_the_next_step_is_what_the_command_answers(file):
    asked = next_file(file)
    for source in (roi.compare(file), file):
        found = roi.next_step(source)
        assert found.step == asked.step
        assert found.to_json() == next_json(asked)
    assert roi.next_step(DRAWN, draws=512).comparison.case["draws"].value == 512


def test_a_diff_is_what_the_command_answers(file, tmp_path):
    other = written(tmp_path, DRAWN | {"workload": DRAWN["workload"] | {"requests_per_day": 40}}, "more.yaml")
    asked = diff_files(file, other)
    assert roi.diff(file, other).to_json() == diff_json(asked)
    found = roi.diff(roi.compare(file), roi.compare(file, workload={"requests_per_day": 40}))
    assert found.explained == asked.explained
    assert (found.a.name, found.b.name) == ("before", "after")
    assert roi.diff(file, roi.compare(other)).explained == asked.explained
    assert roi.diff(file, as_of="2026-11-20").to_json() == diff_json(diff_files(file, days=("2026-11-20",)))


@pytest.mark.parametrize(("ask", "said"), [
    (lambda: roi.size(DRAWN, times=2.0), "^times: speeds up a trace"),
    (lambda: roi.size(DRAWN, times="2"), "^times: str is not usable"),
    (lambda: roi.size(DRAWN, trace="nowhere.csv"), "^trace: nowhere.csv"),
    (lambda: roi.size(SERVED, model="llama"), "^model: unknown self-hosted system"),
    (lambda: roi.size(roi.resolve(DRAWN), draws=8), "^draws: of a scenario"),
    (lambda: roi.fit("llama-3.1-8b", rnak=8), "^plan: unknown field 'rnak'; nearest: rank"),
    (lambda: roi.fit("llama-3.1-8b", method="qlra"), "^method: 'qlra' is not one of"),
    (lambda: roi.fit("llama-3.1-8b", examples="5"), "^examples: str is not usable"),
    (lambda: roi.fit("no-such-model"), "^model: unknown model"),
    (lambda: roi.fit("llama-3.1-8b", gpu="A900"), "^gpu: unknown GPU"),
    (lambda: roi.fit("llama-3.1-8b", as_of="soon"), "^as_of: 'soon' is not usable"),
    (lambda: roi.next_step(DRAWN, draws=8), "^draws: 8 do not say"),
    (lambda: roi.next_step(roi.compare(DRAWN, draws=0), draws=64), "^draws: a Comparison is answered already"),
    (lambda: roi.diff("a.yaml"), 'A second file, or as_of="DAY"'),
    (lambda: roi.diff(roi.compare(DRAWN, draws=0)), "^second: needed and not given"),
    (lambda: roi.diff(DRAWN, DRAWN, as_of="2026-11-20"), "^as_of: is of files"),
])  # fmt: skip
def test_what_cannot_be_asked_is_one_error_that_names_the_argument(ask, said):
    with pytest.raises(RoiError, match=said):
        ask()


def test_two_tasks_without_anything_in_common_have_no_diff():
    alone = {"candidates": {"api_models": [], "self_hosted": []}}
    one, two = (roi.compare(DRAWN, draws=0, incumbent={"provider": "openai", "model": model}, **alone)
                for model in ("gpt-6-sol", "gpt-6-luna"))
    with pytest.raises(InputError, match="have nothing in common"):
        roi.diff(one, two)
