"""A fuzzer of every door: whatever is typed, or stands in a file, the answer is an answer or one message.

`make test-all` runs each test on as many examples as take a few seconds, always the same; `make fuzz` runs them with new ones
for ten minutes. A fault that was found gets a row in the corpus (corpus/README.md).
"""

import json
import os
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import click
import pytest
from hostile import Answer, ask, commands, faults_of_files
from hostile_values import changed, texts, torn, values
from hypothesis import given, note, settings
from hypothesis import strategies as st

from roi.economics.lines import option_lines  # noqa: F401 -- loaded once, before the clock of an example runs
from roi.errors import RoiError
from roi.profiling.server.dialect import failure, quick_usage, read_answer, served_request, unstreamed_usage
from roi.profiling.server.http_client import Answer as HttpAnswer
from roi.profiling.server.http_client import AnswerReader, NotHttp, WentOn, most_events
from roi.profiling.server.server_json import without_key

pytestmark = pytest.mark.full
CORPUS = Path(__file__).parent / "corpus"
SCENARIO = (CORPUS / "scenario.yaml").read_text(encoding="utf-8")
RUNS_LONG = {
    ("profile", "train"), ("profile", "infer"), ("profile", "device"), ("profile", "probe"), ("prices", "refresh"),
    ("prices", "add"),
}  # fmt: skip
"""Commands that measure, fetch or keep: tests of their own play them."""
FIELDS = (
    "title", "seed", "draws", "as_of", "workload.input_tokens", "workload.lengths", "workload.steps",
    "quality.scores.gpt-6-sol", "quality.bar", "incumbent.model", "incumbent.provider", "candidates", "candidates.api_models",
    "candidates.self_hosted", "training", "serving", "people", "drift", "tokens.x.ratio", "apis.openai", "gpu_discounts.H100",
    "options.stay", "own_hardware", "alarms", "gates", "",
)  # fmt: skip
LEFT_OUT = {"dry", "agents", "backend", "instrument", "draws", "help"}
"""Options that take long, or reach out of the folder."""

@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory):
    """The corpus is copied into a folder of its own, in which everything runs."""
    before, folder = Path.cwd(), tmp_path_factory.mktemp("fuzz")
    shutil.copytree(CORPUS, folder, dirs_exist_ok=True)
    os.chdir(folder)
    yield
    os.chdir(before)


def examples(many: int):
    """So many examples, and no shrinking by minutes."""
    return settings(max_examples=many, deadline=None)


def check(command: list[str], *, text: bytes | None = None) -> Answer:
    note(f"roi {' '.join(map(ascii, command))[:2000]}")
    answer = ask(command, text=text)
    assert answer.faults == ()
    assert faults_of_files(Path()) == []
    return answer


@st.composite
def command_lines(draw, among: Container[tuple[str, ...]] | None = None) -> list[str]:
    """A command with some of its options and arguments, values right or wrong; one of `among`, else of those that run soon."""
    every = {words: each for words, each in commands().items()
             if (words[:2] not in RUNS_LONG if among is None else words in among)}
    words = draw(st.sampled_from(sorted(every)))
    made = ("nothing.yaml", "made.md", "made.yaml", "made.html", "made")
    files = st.sampled_from([*sorted(p.name for p in CORPUS.iterdir()), *made])
    line = list(words)
    for parameter in draw(st.lists(st.sampled_from(every[words].params), max_size=3)):
        if parameter.name in LEFT_OUT and among is None:
            continue
        choices = list(getattr(parameter.type, "choices", ())) or ["1"]
        value = draw(st.one_of(texts, files, st.sampled_from(choices), st.sampled_from(["title=x", "a=b", "seed=3"])))
        if isinstance(parameter, click.Argument):
            line.append(value)
        else:
            line += [parameter.opts[0]] if getattr(parameter, "is_flag", False) else [parameter.opts[0], value]
    return [*line, *(["--plan"] if words == ("profile", "serve") and among is None else [])]


@examples(40)
@given(command_lines())
def test_whatever_is_typed(line: list[str]) -> None:
    check(line)


MEASURES = {("profile", "train"), ("profile", "infer"), ("profile", "device"), ("profile", "probe"), ("profile", "serve")}
STARTED = RoiError("nothing is started here")


@examples(60)
@given(line=command_lines(MEASURES), small=st.booleans())
def test_whatever_is_typed_where_something_is_measured(line: list[str], small: bool) -> None:
    """All that is read, checked and prepared before a model is stepped, its ranks or its server are started."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("cli.profile_options.measure_and_tell", "profiling.launched_run.profile_launched",
                     "profiling.server.measured_server.profile_serve"):
            patch.setattr(f"roi.{name}", Mock(side_effect=STARTED))
        check([*line, *(["--device", "cpu", "--layers", "1"] if small and line[1] in {"train", "infer"} else [])])


@examples(60)
@given(st.sampled_from(FIELDS), texts, values)
def test_whatever_is_set(path: str, text: str, value: Any) -> None:
    written = json.dumps(value) if isinstance(value, (list, dict)) else text
    check(["compare", "scenario.yaml", "--draws", "0", "--set", f"{path}={written}"])


@examples(60)
@given(torn(SCENARIO))
def test_a_torn_scenario(raw: bytes) -> None:
    Path("torn.yaml").write_bytes(raw)
    check(["compare", "torn.yaml", "--draws", "0"])


@examples(60)
@given(st.data())
def test_a_scenario_with_anything_anywhere(data: st.DataObject) -> None:
    from roi.scenario.yaml import parse_yaml

    found = data.draw(changed(parse_yaml(SCENARIO, "scenario")))
    Path("changed.yaml").write_text(json.dumps(found, allow_nan=True), encoding="utf-8", errors="surrogatepass")
    for option in ("--usage", "--quality"):
        check(["compare", "scenario.yaml", option, "changed.yaml", "--draws", "0"])
    if check(["compare", "changed.yaml", "--draws", "0"]).exit_code == 0:
        check(["compare", "changed.yaml", "--draws", "0", "--format", "json", "--output", "again.json"])
        answer = check(["compare", "again.json"])
        assert (answer.exit_code, "its facts" in answer.stderr) == (0, False), answer.stderr


@examples(40)
@given(st.data())
def test_a_saved_comparison_with_anything_anywhere(data: st.DataObject) -> None:
    kept = Path("kept.json")
    if not kept.exists():
        kept.write_text(check(["compare", "scenario.yaml", "--draws", "32", "--format", "json"]).stdout, encoding="utf-8")
    found = json.loads(kept.read_text(encoding="utf-8"))
    part = data.draw(st.sampled_from(("case", "case", "case", "options", "scenario")))
    found[part] = data.draw(st.one_of(changed(found[part]), changed(found[part]), values))
    Path("changed.json").write_text(json.dumps(found), encoding="utf-8")
    check(data.draw(st.sampled_from((
        *(["compare", "changed.json", "--format", form] for form in ("table", "markdown", "json")), ["next", "changed.json"],
        ["diff", "changed.json", "scenario.yaml"], ["check", "scenario.yaml", "--saved", "changed.json"],
        ["track", "changed.json", "--bill", "bill.csv", "--draws", "100"],
    ))))


POLICY = {"saved": "kept.json", "verdict_unchanged": True, "signposts_hold": True, "recommended_is_tested": True,
          "monthly_cash_usd": {"at_most": 9000}, "payback_months": {"at_least": 0, "at_most": 24},
          "facts": {"workload.requests_per_day": {"at_least": 10, "at_most": 1e6}}}
MONTH = {"name": "x", "window": {"start": "2026-12-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}, "gpuHours": 7, "gpuCost": 8.0}


@examples(25)
@given(st.data())
def test_a_policy_with_anything_anywhere(data: st.DataObject) -> None:
    Path("policy.yaml").write_text(json.dumps(data.draw(changed(POLICY))), encoding="utf-8")
    check(["check", "kept.json" if Path("kept.json").exists() else "scenario.yaml", "policy.yaml"])


@examples(25)
@given(st.data())
def test_months_with_anything_anywhere(data: st.DataObject) -> None:
    bill = data.draw(torn("month,usd,gpu_usd,gpu_hours\n2026-12,1000,9,8\n2027-01,900,9,8\n"))
    Path("torn.csv").write_bytes(bill)
    Path("hours.json").write_text(json.dumps(data.draw(changed({"code": 200, "data": [{"x": MONTH}]}))), encoding="utf-8")
    for words in (["--bill", "torn.csv"], ["--opencost", "hours.json"]):
        check(["track", "scenario.yaml", "--draws", "100", *words])


@examples(60)
@given(st.data())
def test_a_profile_with_anything_anywhere(data: st.DataObject) -> None:
    folder = Path("own")
    folder.mkdir(exist_ok=True)
    text = (CORPUS / "profile.json").read_text(encoding="utf-8")
    raw = data.draw(st.one_of(torn(text), changed(json.loads(text)).map(lambda found: json.dumps(found).encode())))
    (folder / "profile.json").write_bytes(raw)
    check(["fit", "llama-3.1-8b", "--gpu", "L4", "--profiles", "own"])


@examples(60)
@given(st.data(), st.sampled_from(("training.csv", "serving.csv")))
def test_a_table_with_anything_anywhere(data: st.DataObject, name: str) -> None:
    Path("torn.csv").write_bytes(data.draw(torn((CORPUS / name).read_text(encoding="utf-8"))))
    check([data.draw(st.sampled_from(("validate", "validate", "calibrate"))), "torn.csv"])


@examples(15)
@given(st.data(), st.sampled_from(("usage.csv", "log.jsonl", "trace.csv")))
def test_a_log_with_anything_anywhere(data: st.DataObject, name: str) -> None:
    text = (CORPUS / name).read_text(encoding="utf-8")
    raw = data.draw(torn(text))
    if name == "log.jsonl":
        raw = data.draw(st.one_of(st.just(raw), changed([json.loads(line) for line in text.splitlines()]).map(
            lambda rows: "\n".join(json.dumps(row) for row in rows).encode())))
    Path("torn.log").write_bytes(raw)
    check(["usage", "torn.log", "--output", "made.yaml", "--tasks", "0"])


@examples(60)
@given(st.data())
def test_results_with_anything_anywhere(data: st.DataObject) -> None:
    text = (CORPUS / "results.jsonl").read_text(encoding="utf-8")
    rows = changed([json.loads(line) for line in text.splitlines()])
    lines = rows.map(lambda found: "\n".join(map(json.dumps, found)).encode())
    Path("torn.jsonl").write_bytes(data.draw(st.one_of(torn(text), lines, rows.map(lambda found: json.dumps(found).encode()))))
    check(["quality", "torn.jsonl", "--incumbent", "gpt-6-sol", "--format", "markdown"])


@examples(50)
@given(st.data())
def test_a_configuration_with_anything_anywhere(data: st.DataObject) -> None:
    text = (CORPUS / "config.json").read_text(encoding="utf-8")
    Path("config.json").write_bytes(data.draw(st.one_of(
        torn(text), changed(json.loads(text)).map(lambda found: json.dumps(found).encode()))))
    check(["fit", "./config.json", "--gpu", "L4"])


@examples(40)
@given(st.data())
def test_a_trace_with_anything_anywhere(data: st.DataObject) -> None:
    Path("torn.csv").write_bytes(data.draw(torn((CORPUS / "trace.csv").read_text(encoding="utf-8"))))
    check(["profile", "serve", "http://localhost:1", "--plan", "--trace", "torn.csv"])


CAPTURED = (
    *((f"usage/{name}", ("usage", "{}", "--tasks", "0", "--output", "made.yaml")) for name in (
        "anthropic-usage-api.json", "anthropic-csv.csv", "anthropic-csv-old.csv", "azure_gateway.csv", "cloudflare.json",
        "bedrock_cloudwatch.json", "cursor.csv", "deepseek_amount.csv", "focus.csv", "helicone.csv", "helicone.jsonl",
        "langfuse_blob.csv", "langfuse_blob.jsonl", "langfuse_ui.json", "litellm_daily.csv", "litellm_spendlogs.csv",
        "litellm_spendlogs.jsonl", "openai-csv.csv", "openai-usage-api.json", "openai-costs-api.json",
        "openrouter_activity.csv", "openrouter_activity.json", "otel_flat.jsonl", "otel_otlp.jsonl", "portkey.jsonl")),
    *((f"usage/agents/{name}", ("usage", "{}", "--tasks", "0")) for name in (
        "claude_code.jsonl", "codex.jsonl", "gemini_session.json", "gemini_session.jsonl", "gemini_telemetry.log",
        "opencode.json")),
    *((f"quality/{name}", ("quality", "{}", "--incumbent", "gpt-6-sol")) for name in (
        "langfuse_scores.csv", "langfuse_scores.json", "promptfoo.json", "promptfoo_two_prompts.jsonl",
        "inspect/gpt-6-luna.json")),
    *((f"serve_imports/{name}", ("profile", "serve", "--import", "{}", "--profiles", "kept")) for name in (
        "vllm.json", "guidellm-0.3.json", "guidellm-0.5.json", "guidellm-0.8.json", "vllm-0.33/vrate.json",
        "aiperf/profile_export.jsonl", "aiperf-0.13/profile_export.jsonl")),
)  # fmt: skip
"""Files as their programs wrote them, and the command that reads each."""


@examples(40)
@given(st.data(), st.sampled_from(CAPTURED))
def test_a_captured_file_with_anything_anywhere(data: st.DataObject, captured: tuple[str, tuple[str, ...]]) -> None:
    name, command = captured
    source, lines = Path(__file__).parents[1] / "data" / name, name.endswith("l")
    text, target = source.read_text(encoding="utf-8"), Path("captured") / source.name
    made = [torn(text)]
    if lines or name.endswith("json"):
        held = [json.loads(line) for line in text.splitlines()[:6]] if lines else json.loads(text)
        end = "\n" if lines else ""
        made += 2 * [changed(held).map(lambda found: end.join(map(json.dumps, found)) if lines else json.dumps(found))]
    raw = data.draw(st.one_of(made))
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    check([word.format(target) for word in command])


EVENT = {"id": "x", "choices": [{"text": "a", "delta": {"content": "b"}, "finish_reason": None}],
         "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}, "error": None}


@examples(150)
@given(st.data())
def test_whatever_a_server_answers(data: st.DataObject) -> None:
    """The protocol without a socket: bytes in any pieces, read as a stream, as an answer and as an error."""
    events = data.draw(st.lists(st.one_of(changed(EVENT), values), max_size=4))
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    head = data.draw(st.sampled_from((
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", b"HTTP/1.1 500 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 301 Y\r\nlocation: \x1b[31m\r\n\r\n")))
    raw = data.draw(st.one_of(st.just(head + body), torn((head + body).decode("latin-1"))))
    answer = HttpAnswer(most_events=most_events(2))
    reader, at = AnswerReader(answer), 0
    try:
        while at < len(raw):
            size = data.draw(st.integers(1, 200))
            if reader.feed(raw[at : at + size], float(at)):
                break
            at += size
        reader.close(float(at))
    except (NotHttp, WentOn) as error:
        answer.problem = str(error)
    key = "sk-0123456789abcdef"
    reading = read_answer(answer, lambda text: without_key(text, key))
    kept = served_request(answer, reading, origin_s=0.0, sent_s=0.0, asked=2, prompt_tokens=1)
    said = failure(answer, lambda text: without_key(text, key)) or ""
    assert kept.model_dump_json()
    assert said.isprintable()
    quick_usage(answer)
    unstreamed_usage(answer)
