"""What `roi usage` says besides the sums: a month against the one before, and messages with the mend."""

import io
import json
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from usage_support import CANARY, run_usage, usage_answer

from roi.cli import main
from roi.cli.options import watched
from roi.errors import InputError
from roi.scenario.yaml import parse_yaml
from roi.usage.measure.aggregate import SUMS, Spend
from roi.usage.measure.days import Days
from roi.usage.measure.months import month_change
from roi.usage.measure.pricing import EPOCH, price_spend
from roi.usage.read.columns import DAY_US
from roi.usage.read.database import progress_told
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question, summarize
from roi.usage.told import part_of_a_week

HEAD = "date,model,provider,requests,input_tokens,output_tokens,cached_tokens,cost_usd"
SEPTEMBER = [f"2026-09-{day:02d}" for day in range(1, 31)]
OCTOBER = [f"2026-10-{day:02d}" for day in range(1, 32)]


def table(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


PARTS = ("before", "calendar", "volume", "mix", "cache", "price", "month")


def days(names: list[str], model: str, given: float, cached: float = 0, cost: float | None = None) -> list[str]:
    """A request on each of the days with so many input tokens, so many of them cached, and such a cost."""
    return [f"{name},{model},openai,1,{given:.0f},0,{cached:.0f},{'' if cost is None else cost}" for name in names]


def change_of(file: Path, *more: str) -> list[float]:
    """The last month against the one before, in its parts, which add up."""
    change = usage_answer(file, *more)["change"]
    found = [change[f"{name}_usd"] for name in PARTS]
    assert sum(found[:-1]) == pytest.approx(found[-1], abs=1e-9)
    return found


@pytest.mark.full
def test_a_month_against_the_month_before_splits_exactly(tmp_path: Path) -> None:
    """gpt-4o: 2.50 in, 1.25 cached; gpt-4o-mini: 0.15 in.

    September: 0.4 Mtok a day of gpt-4o, 1 USD, so 30. October has a day more: +1. On each: 0.48 Mtok of it, half of them
    cached, 0.6 + 0.3, and 0.32 Mtok of mini, 0.048: 0.948 x 31 = 29.388. Twice the tokens: volume +31. With September's
    cache: 1.2 + 0.048 a day in place of 2: mix -0.752 x 31. 0.24 Mtok cached: -0.3 x 31. Prices are the same.
    """
    file = table(
        tmp_path / "a.csv",
        *days(SEPTEMBER, "gpt-4o", 400_000),
        *days(OCTOBER, "gpt-4o", 480_000, cached=240_000),
        *days(OCTOBER, "gpt-4o-mini", 320_000),
    )
    change = usage_answer(file, "--input-includes-cache", "yes")["change"]
    assert (change["before"], change["month"], change["usd_per"]) == ("2026-09", "2026-10", "month")
    found = change_of(file, "--input-includes-cache", "yes")
    assert found == pytest.approx([30.0, 1.0, 31.0, -0.752 * 31, -9.3, 0.0, 29.388])
    said = " ".join(run_usage(file, "--input-includes-cache", "yes").stdout.split())
    assert "October 2026 against September" in said
    assert "calendar +1.00 more or fewer days, and weekdays, as they were volume +31.00" in said


def test_what_is_paid_for_the_same_tokens_is_the_price(tmp_path: Path) -> None:
    """The same 0.4 Mtok a day, reported at 1 USD (the list price) and then at 0.80: all price, but for October's day more."""
    file = table(tmp_path / "a.csv", *days(SEPTEMBER, "gpt-4o", 4e5, cost=1.0), *days(OCTOBER, "gpt-4o", 4e5, cost=0.8))
    assert change_of(file) == pytest.approx([30.0, 1.0, 0.0, 0.0, 0.0, -6.2, 24.8])


def test_a_list_price_that_moves_within_the_month_before_is_price_too(tmp_path: Path) -> None:
    """mistral-large-4, USD a million in: 0.68 until 2026-10-19, 1.36 until the 28th, then 0.70. A million a day: 27.26.

    A mean Thursday, Friday and Saturday, of five each: (3 x 0.68 + 1.36 + 0.70) / 5 = 0.82; Sunday and Monday 0.85, Tuesday and
    Wednesday 1.02. November has 4, 4, 4, 5, 5, 4 and 4 of them: 26.50. The same tokens cost 21.00: -5.50, all price. Half as
    many more: volume +13.25, and price times 1.5.
    """
    head = "date,model,provider,input_tokens,output_tokens,requests"
    november = [f"2026-11-{day:02d}" for day in range(1, 31)]
    for times in (1.0, 1.5):
        rows = [
            f"{day},mistral-large-4,mistral,{10**6 * (times if day in november else 1):.0f},0,1"
            for day in (*OCTOBER, *november)
        ]
        found = change_of(table(tmp_path / f"{times}.csv", *rows, head=head))
        assert found == pytest.approx([27.26, -0.76, 26.5 * (times - 1.0), 0.0, 0.0, -5.5 * times, 21.0 * times])


@pytest.mark.parametrize("week", [(9, 9, 9, 9, 9, 1, 1), (5, 5, 5, 5, 5, 0, 0), (0, 0, 0, 0, 0, 0, 7), (1, 2, 3, 4, 5, 6, 7)])
def test_a_service_whose_weeks_are_alike_has_no_other_volume_in_any_month(week: tuple[int, ...]) -> None:
    """Fourteen months, each against the one before: whole, where a fifth Monday is calendar, and cut short, by the day.

    A month of few days is held against those weekdays alone, and against nothing where none of them had a call before.
    """
    first, alike = date(2025, 7, 1), 0.01
    every = [(day := first + timedelta(days=k), week[day.weekday()]) for k in range(427)]
    sums = {day: day_sum(day, tokens) for day, tokens in every if tokens}
    for day in (day for day, _ in every[31:] if day.day in {1, 2, 5, 17} or (day + timedelta(days=1)).day == 1):
        whole = range((first - EPOCH).days, (day - EPOCH).days + 1)
        priced = price_spend(each for of, each in sums.items() if of <= day)
        change = month_change(priced, Days(whole[0], whole[-1], tuple(whole), ()))
        month = [tokens for other, tokens in every if (other.year, other.month) == (day.year, day.month) and other <= day]
        if change is None:
            assert not any(month)
            continue
        assert change.volume_usd == pytest.approx(0.0, abs=alike * change.before_usd)
        assert change.before_usd + change.calendar_usd == pytest.approx(change.month_usd)
        of_month = (day + timedelta(days=1)).day == 1
        assert change.usd_per == ("month" if of_month else "day")
        assert change.month_usd == pytest.approx(2.5 * sum(month)) if of_month else change.calendar_usd == 0.0
        assert len(change.weekdays) == min(len(month), 7)


def test_a_price_by_length_makes_no_change_of_days_that_are_alike(tmp_path: Path) -> None:
    """gpt-5.4: short prompts are not cached, those above the edge nearly all; twice as many calls are volume alone."""
    def log(more: int) -> list[str]:
        return [f"{day}T{hour:02d}:00:00Z,gpt-5.4,openai,{given},100,{read}"
                for days, calls in ((SEPTEMBER, 1), (OCTOBER, more)) for day in days for hour in range(calls)
                for given, read in ((100000, 0), (300000, 290000))]

    head = "timestamp,model,provider,input_tokens,output_tokens,cached_tokens"
    for more in (1, 2):
        before, calendar, volume, mix, cache, price, _ = change_of(
            table(tmp_path / f"{more}.csv", *log(more), head=head), "--input-includes-cache", "yes")
        assert (mix, cache, price) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
        assert volume == pytest.approx((more - 1) * (before + calendar))


def day_sum(day: date, mtok: int) -> Spend:
    """A day's sum of so many million tokens of input, at 2.50 USD each."""
    at = (day - EPOCH).days
    tokens = {**dict.fromkeys(SUMS, 0), "uncached_input": mtok * 10**6}
    return Spend(
        day=at, kind="bucket", source="generic", provider="openai", model="gpt-4o", batch=False, tier=None, size_class=None,
        long_context=None, costed=False, dropped=None, rows=1, requests=mtok, tokens=tokens, cost_usd=0.0, first_us=at * DAY_US,
        last_us=(at + 1) * DAY_US,
    )  # fmt: skip


def test_months_that_are_not_whole_are_compared_by_the_day(tmp_path: Path) -> None:
    """5 days of 1 Mtok against 10 days of 3: 2.5 x 1 a day and 2.5 x 3; all volume."""
    rows = [f"{day},gpt-4o,openai,1,1000000,0,0," for day in SEPTEMBER[25:]] + [
        f"{day},gpt-4o,openai,1,3000000,0,0," for day in OCTOBER[:10]
    ]
    change = usage_answer(table(tmp_path / "a.csv", *rows))["change"]
    assert (change["usd_per"], change["before_usd"], change["month_usd"]) == ("day", pytest.approx(2.5), pytest.approx(7.5))
    assert change["volume_usd"] == pytest.approx(5.0)


def test_an_openai_export_of_a_time_without_calls_is_empty(tmp_path: Path) -> None:
    file = table(
        tmp_path / "a.csv",
        "1790812800,1790899200,2026-10-01T00:00:00,2026-10-02T00:00:00",
        head="start_time,end_time,start_time_iso,end_time_iso",
    )
    run = run_usage(file)
    assert (run.exit_code, "nothing to read; empty:" in run.stderr) == (2, True)


def test_an_empty_file_of_yaml_is_an_empty_export_and_no_scenario_to_begin(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# nothing\n")
    run = run_usage(tmp_path / "a.yaml")
    assert (run.exit_code, "a.yaml: empty; an export of usage has rows, of calls or of sums" in run.stderr) == (2, True)


def test_a_table_that_lacks_its_time_alone_says_so(tmp_path: Path) -> None:
    run = run_usage(table(tmp_path / "a.csv", f"1,2,{CANARY}", head="input_tokens,output_tokens,note"))
    assert run.exit_code == 2
    assert "input_tokens and output_tokens are there, but no column of times: name it, --map time=COLUMN" in run.stderr
    (tmp_path / "a.json").write_text('[{"input_tokens": 1, "output_tokens": 2}]', encoding="utf-8")
    assert "are there, but no column of times: name it" in run_usage(tmp_path / "a.json").stderr


@pytest.mark.parametrize(("named", "said"), [
    (["time=when", "input=tok_in"], "output is missing: name it, --map output=COLUMN; columns that are left: tok_out, note"),
    (["time=when"], "input and output are missing: name them, --map input=COLUMN --map output=COLUMN;"),
    (["time=when"], "; columns that are left: tok_in, tok_out, note"),
    (["input=tok_in", "output=TOK_OUT"], "no column of times: name it, --map time=COLUMN; columns that are left: when, note"),
])
def test_what_is_missing_of_a_table_with_some_columns_named_is_said(tmp_path: Path, named: list[str], said: str) -> None:
    run = run_usage(table(tmp_path / "a.csv", f"2026-10-01,{CANARY},1,2", head="when,note,tok_in,tok_out"),
                    *(word for each in named for word in ("--map", each)))
    assert (run.exit_code, said in run.stderr, CANARY in run.stderr) == (2, True, False), run.stderr


@pytest.mark.parametrize("command", ["compare", "size"])
def test_a_log_in_the_place_of_a_scenario_leads_to_usage(tmp_path: Path, command: str) -> None:
    file = table(tmp_path / "a.csv")
    run = CliRunner().invoke(main, [command, str(file)])
    assert run.exit_code == 2
    assert f"records of usage and no scenario; what was spent: roi usage {file}" in run.stderr


@pytest.mark.parametrize(
    "content", ['[{"id": 1}]', '{"object": "page", "data": []}', '{"id": "x", "usage": {}}', '{"resourceSpans": []}']
)
def test_json_of_usage_in_the_place_of_a_scenario_leads_to_usage(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(content, encoding="utf-8")
    run = CliRunner().invoke(main, ["compare", str(file)])
    assert (run.exit_code, f"what was spent: roi usage {file}" in run.stderr) == (2, True)


def test_a_scenario_in_the_place_of_a_log_leads_to_compare(tmp_path: Path) -> None:
    scenario, part = tmp_path / "mine.yaml", tmp_path / "part.yml"
    scenario.write_text("title: Mine\nworkload: {requests_per_day: 5}\n", encoding="utf-8")
    part.write_text("schema: roi.usage-part/1\nworkload: {}\n", encoding="utf-8")
    run = run_usage(scenario)
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr == f"roi: {scenario}: YAML is a scenario and no usage export: roi compare {scenario}\n"
    assert f"YAML is a part of a scenario and no usage export: roi compare SCENARIO --usage {part}" in run_usage(part).stderr
    part.write_text("saved: decision.json\nsignposts_hold: true\n", encoding="utf-8")
    assert f"YAML is a policy and no usage export: roi check SCENARIO {part}" in run_usage(part).stderr


ROWS = "timestamp,model,input_tokens,output_tokens\n2026-10-05T00:05:00Z,gpt-4o,1000,40\n2026-10-05T01:05:00Z,gpt-4o,10,4\n"


@pytest.mark.full  # a process of its own
def test_two_rows_load_nothing_that_they_do_not_need(tmp_path: Path) -> None:
    """Frames, Arrow's functions, charts, the engine that compares and what runs models each take from 0.05 s to seconds."""
    (tmp_path / "two.csv").write_text(ROWS, encoding="utf-8")
    code = (
        "import json, sys; from roi.cli import main\n"
        f"try: main(['usage', {str(tmp_path / 'two.csv')!r}])\n"
        "except SystemExit: print('LOADED', json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    report, _, names = done.stdout.partition("LOADED")
    assert "2 requests" in report
    left_out = {"pandas", "pyarrow.compute", "pyarrow.parquet", "altair", "jinja2", "torch", "roi.resolution", "roi.economics"}
    assert left_out & set(json.loads(names)) == set()


@pytest.mark.parametrize("kind", ["csv", pytest.param("parquet", marks=pytest.mark.full)])
def test_a_shifted_row_shows_no_prompt_as_the_name_of_a_model(tmp_path: Path, kind: str) -> None:
    """Its 1,000 + 40 tokens count; names for people are the ids that they stand for. An id has 200 characters at most, a name
    for people six words behind its family.
    """
    names = {"Claude Opus 4.5": "claude-opus-4.5", "GPT-4o mini": "gpt-4o-mini", "ft:gpt-4o:org::id": "ft:gpt-4o:org::id",
             "a" * 200: "a" * 200, "Claude" + " 4" * 6: "claude" + "-4" * 6}
    others = ("Dear model, who are you", "请总结以下合同", "claude please help me", "a" * 201, "claude" + " 4" * 7)
    file = tmp_path / f"a.{kind}"
    rows = [{"timestamp": datetime(2026, 10, 5, k), "model": m, "input_tokens": 1000, "output_tokens": 40}  # noqa: DTZ001
            for k, m in enumerate(("gpt-4.1", *names, *others))]
    if kind == "csv":
        file.write_text("\n".join(["timestamp,model,input_tokens,output_tokens", *(
            f'{row["timestamp"]},"{row["model"]}",1000,40' for row in rows)]), encoding="utf-8")  # fmt: skip
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    found = usage_answer(file)
    counted = {each["model"]: each["tokens"]["uncached_input"] for each in found["by_model"]}
    assert counted == {"gpt-4.1": 1000, **dict.fromkeys(names.values(), 1000), "(text that is no name)": 1000 * len(others)}
    told = json.dumps(found, ensure_ascii=False)
    assert not any(cell in told for cell in others)
    assert any("perhaps the cells of these rows are shifted" in note for each in found["by_model"] for note in each["notes"])


def test_who_watches_hears_of_rows_as_they_are_read(tmp_path: Path) -> None:
    """Two rows of JSON, read in Python; the command draws what it hears on a terminal alone."""
    lines = [
        {"timestamp": f"2026-10-05T0{k}:00:00Z", "model": "gpt-4o", "input_tokens": 5, "output_tokens": 1} for k in range(2)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    heard: list[str] = []
    summarize(Question((str(tmp_path / "a.jsonl"),), FileOptions()), status=heard.append)
    assert [each for each in heard if not each.endswith("% of this step")] == [  # told where a step takes half a second
        "looking at file 1 of 1",
        "reading 1 file: table of your own",
        "2 rows read: table of your own",
        "adding up",
    ]


def test_who_watches_hears_how_much_of_a_table_duckdb_has_read() -> None:
    """DuckDB says -1 where no query runs; every other figure is told as percent."""
    class Connection:
        said = iter([-1.0, 12.4, 99.6])

        def query_progress(self) -> float:
            return next(self.said, -1.0)

    class Engine:
        con = Connection()
        asked: ClassVar[list[str]] = []

        def raw_sql(self, text: str) -> None:
            self.asked.append(text)

    heard: list[str] = []
    with progress_told(Engine(), "reading", heard.append, every_s=0.001):
        ends_s = time.monotonic() + 30
        while len(heard) < 2 and time.monotonic() < ends_s:
            time.sleep(0.001)
    assert heard == ["reading: 12% of this step", "reading: 100% of this step"]
    assert Engine.asked == ["SET enable_progress_bar_print = false", "SET enable_progress_bar = true"]


@pytest.mark.parametrize("seen", [True, False])
def test_what_is_heard_is_drawn_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch, seen: bool) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return seen

    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    with watched() as status:
        status("50,000 rows read: Claude Code")
    assert ("50,000 rows read: Claude Code" in screen.getvalue()) is seen


@pytest.mark.parametrize(("name", "content", "said"), [
    ("a.csv", b"id,model,correct\n0,gpt-6-sol,1\n", "results of an evaluation and no scenario; how good: roi quality"),
    ("a.jsonl", b'{"id": 1, "system": "a", "score": 1}\n', "results of an evaluation and no scenario"),
    ("a.csv", b"account_id,day,model,requests,cost_usd\na,2026-10-01,gpt-6-sol,1,2\n", "records of usage and no scenario"),
    ("a.csv", b"id,under_score,usd\na,1,2\n", "no scenario; `roi init` writes a scenario"),
    ("a.csv", b"when,tok_in,tok_out\n2026-10-01,1,2\n", "a.csv --map time=COLUMN --map input=COLUMN --map output=COLUMN"),
    ("a.csv", b"time,input,output,model\n2026-10-01,1,2,m\n", "records of usage and no scenario; what was spent: roi usage"),
    ("a.csv", b'"Output";"when";"Input"\r\n1;2026-10-01;2\r\n', "records of usage and no scenario; what was spent: roi usage"),
    ("a.csv", b"input_file,output_file\na,b\n", "no scenario; `roi init` writes a scenario"),
    ("a.csv", b"", "a.csv: empty; `roi init` writes a scenario to start from"),
    ("a.csv", bytes(range(128, 250)), "no scenario; `roi init` writes a scenario to start from; roi usage reads usage"),
    ("a.json", b'{"data": [{"type": "GENERATION"}]}', "records of usage and no scenario"),
    ("a.json", b"[" * 100_000, "a.json:1: not valid YAML: exceeded maximum nesting depth"),
])
def test_another_file_in_the_place_of_a_scenario_is_called_what_it_is(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    run = CliRunner().invoke(main, ["compare", str(tmp_path / name)])
    assert (run.exit_code, said in run.stderr) == (2, True), run.stderr


def test_an_empty_part_or_policy_is_not_sent_to_init(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("")
    for words, said in ((("compare", "--usage"), "roi usage FILES"), (("compare", "--quality"), "roi quality FILES"),
                        (("check", "examples/tickets.yaml"), "roi schema --of policy")):
        run = CliRunner().invoke(main, [*words, str(tmp_path / "e.yaml")])
        assert (run.exit_code, said in run.stderr) == (2, True), run.stderr


def test_columns_that_are_called_like_keys_of_map_are_those_columns(tmp_path: Path) -> None:
    rows = "\n".join(f"2026-11-01T{hour:02}:00:00Z,100,10,gpt-6-sol" for hour in range(24))
    run = run_usage(table(tmp_path / "a.csv", rows, head="time,input,output,model"), "--format", "json")
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["tokens"]["uncached_input"] == 2400


@pytest.mark.parametrize(("column", "said"), [
    ("foo", "--map input: unknown column 'foo'; nearest: input_tokens; the file's header lists 4 more"),
    ("inptu_tokens", "--map input: unknown column 'inptu_tokens'; nearest: input_tokens, output_tokens; the file's header"),
])
def test_a_column_that_is_not_there_is_told_with_the_nearest_and_where_the_others_are(
    tmp_path: Path, column: str, said: str,
) -> None:
    """By its name, else by the kind that is asked for."""
    file = table(tmp_path / "a.csv", "2026-11-01T01:00:00Z,100,10,gpt-6-sol,openai",
                 head="time,input_tokens,output_tokens,model,provider")
    run = run_usage(file, "--map", f"input={column}")
    assert (run.exit_code, run.stderr.startswith(f"roi: {said}")) == (2, True), run.stderr


@pytest.mark.parametrize(("head", "row", "usd", "paid"), [
    ("model,uncached_input_tokens,output_tokens,cache_read_input_tokens,cost_usd", "claude-opus-5,600000,0,400000,3.2",
     3.2, 3.2),
    ("model,input_tokens,cached_input_tokens,output_tokens,source", "gpt-4o,1000000,400000,0,x", 2.0, None),
    ("model,prompt_tokens,completion_tokens,prompt_cache_hit_tokens,prompt_cache_miss_tokens", "gpt-4o,1000,0,600,400",
     0.00175, None),
    *(pytest.param(*case, marks=pytest.mark.full) for case in (
        ("model,tokens_input,tokens_output,num_model_requests,billed_cost", "gpt-4o,10000,2000,10,0.03", 0.045, 0.03),
        ("model,type,input_text_tokens,input_cached_tokens,output_text_tokens,Cost (USD)", "gpt-4o,t,1000,0,100,0.003",
         0.0035, 0.003),
        ("model_id,prompt_tokens,completion_tokens,total_cost_usd", "gpt-4o,1000,100,0.002", 0.0035, 0.002))),
])  # fmt: skip
def test_tables_that_public_tools_write_are_read_by_their_own_names(
    tmp_path: Path, head: str, row: str, usd: float, paid: float | None,
) -> None:
    """Headers of exports in public repositories. gpt-4o: 2.50 in, 1.25 cached, 10 out; claude-opus-5: 5 and 0.50.

    0.6 x 5 + 0.4 x 0.5 = 3.20, which that row's own cost is; 0.6 x 2.5 + 0.4 x 1.25 = 2.00; DeepSeek's hits are of its prompt.
    """
    found = usage_answer(table(tmp_path / "a.csv", f"2026-09-23,{row}", head=f"start_time_iso,{head}"), "--tasks", "0")
    assert (found["list_usd"], found["reported_usd"]) == (pytest.approx(usd), paid)
    open_ones = [note for note in found["notes"] if "may or may not be part of the input" in note]
    assert bool(open_ones) is (",cached_input_tokens" in head)  # who says what the input counts is not asked


@pytest.mark.full
@pytest.mark.parametrize(("paid", "noted", "unsure"), [
    ("", "settles it", "settles it"), ("0.006", "settles it", "settles it"),
    ("0.0075", "what was paid: roi usage --input-includes-cache no", "what was paid: roi usage --input-includes-cache no"),
    ("0.0045", "without that", None),
])  # fmt: skip
def test_costs_that_are_reported_tell_whether_cached_tokens_are_beside_the_input(
    tmp_path: Path, paid: str, noted: str, unsure: str | None,
) -> None:
    """gpt-4o in thousandths of a dollar: 0.8 x 2.5 + 1.2 x 1.25 + 0.1 x 10 = 4.5 within the input, 2 x 2.5 + 1.5 + 1 beside it.

    Where that stays open, the scenario's first screen says so too.
    """
    rows = [f"{day}T{hour:02d}:00:00Z,gpt-4o,openai,2000,100,1200,{paid}" for day in SEPTEMBER[:14] for hour in range(24)]
    head = "time,model,provider,input_tokens,output_tokens,cached_input_tokens,cost_usd"
    log, part = table(tmp_path / "a.csv", *rows, head=head), tmp_path / "part.yaml"
    found = usage_answer(log, "--tasks", "0", "--output", str(part))
    (note,) = (each for each in found["notes"] if "may or may not be part of the input" in each)
    assert note.endswith(noted)
    told = parse_yaml(part.read_text(encoding="utf-8"), "part")["workload"].get("unsure")
    assert told is None if unsure is None else told.endswith(unsure) and "1.67 x as much" in told
    screen = CliRunner().invoke(main, ["compare", "--usage", str(part), "--set", "draws=0"]).stdout
    assert ("! cached tokens may or may not be part of the input" in screen) is (unsure is not None)


def test_of_a_usage_that_lists_its_parts_none_is_taken_for_the_input(tmp_path: Path) -> None:
    """An input of 10 that says how many were not cached is one of 10; a column alone is what it is called."""
    line = {"timestamp": "2026-09-23T10:00:00Z", "model": "gpt-4o",
            "usage": {"input_tokens": 10, "uncached_input_tokens": 4, "input_text_tokens": 10, "output_tokens": 2}}
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert usage_answer(file, "--tasks", "0")["tokens"]["uncached_input"] == 10


@pytest.mark.full
def test_a_value_in_place_of_a_column_is_not_taken_for_one(tmp_path: Path) -> None:
    """Of a column that does not tell batch no row is charged; a known format reads no column that is named besides."""
    rows = "\n".join(f"2026-11-01T0{hour}:00:00Z,100,10,gpt-6-sol,{word}" for hour, word in
                     enumerate(("true", "False", "", "1.0", "batch", "nightly")))
    file = table(tmp_path / "a.csv", rows, head="time,input,output,model,tier")
    for words, said in ((("batch=true",), "--map batch: unknown column 'true'; nearest: time, tier; the file's header lists 3"),
                        (("batch=model",), "FILES: no row counts: 6 rows for 'a word for --map batch that is neither"),
                        (("batch=tier", "--from", "openai-csv"), "--map: not with --from openai-csv")):
        run = run_usage(file, "--map", *words)
        assert (run.exit_code, said in run.stderr) == (2, True), run.stderr
    found = json.loads(run_usage(file, "--map", "batch=tier", "--format", "json").stdout)
    assert (found["requests"], found["workload"]["batch_share"]) == (4, 0.5)
    assert [each["rows"] for each in found["dropped"]] == [2]


@pytest.mark.full
def test_a_column_that_is_mapped_as_the_group_is_one_by_its_name_too(tmp_path: Path) -> None:
    """The kind of a table of one's own is called tag; `--group-by team` is the column that --map names, or one by its name."""
    rows = [f"2026-11-01T0{hour}:10:00Z,100,10,gpt-6-sol,{team},{team[::-1]}" for hour, team in enumerate(("ab", "ab", "cd"))]
    file = table(tmp_path / "a.csv", *rows, head="time,input_tokens,output_tokens,model,team,feature")
    for words in (("--map", "group=team", "--group-by", "team"), ("--map", "group=team", "--group-by", "tag")):
        assert [(each["group"], each["requests"]) for each in usage_answer(file, *words)["by_group"]] == [("ab", 2), ("cd", 1)]
    assert [each["group"] for each in usage_answer(file, "--group-by", "feature")["by_group"]] == ["ba", "dc"]
    run = run_usage(file, "--group-by", "team")
    assert run.exit_code == 2
    assert run.stderr == ("roi: --group-by: 'team' is not in table of your own; there is tag, model, hour, day, weekday, month;"
                          " another column of it: --map group=COLUMN\n")


def test_tokens_in_total_are_told_to_be_no_input_and_output(tmp_path: Path) -> None:
    run = run_usage(table(tmp_path / "a.csv", "2026-11-01T00:10:00Z,gpt-6-sol,300", head="timestamp,model,total_tokens"))
    assert run.exit_code == 2
    assert "; tokens in total tell no price, since those of the input and of the output have one each: export" in run.stderr
    other = run_usage(table(tmp_path / "b.csv", "2026-11-01T00:10:00Z,gpt-6-sol,300", head="timestamp,model,prompt_tokens"))
    assert "tokens in total" not in other.stderr


def test_a_model_without_a_price_is_told_with_the_way_to_give_it_one(tmp_path: Path) -> None:
    rows = [f"2026-11-01T{hour:02}:10:00Z,100,10,my-own-v3" for hour in range(24)]
    file = table(tmp_path / "a.csv", *rows, head="time,input_tokens,output_tokens,model")
    run = run_usage(file, "--output", tmp_path / "part.yaml")
    assert run.exit_code == 2
    assert run.stderr.startswith("roi: --output: no price of my-own-v3 on 2026-11-01, the last day of these files: ")
    assert run.stderr.endswith("; roi prices add api PROVIDER/my-own-v3 --input USD --output USD --source WHERE --date"
                               " 2026-11-01 gives it one, and --provider PROVIDER here\n")


@pytest.mark.full
def test_where_no_weekend_is_in_the_log_both_readings_of_a_month_are_told(tmp_path: Path) -> None:
    """Ten calls a working day: one week may be 7 / 7 or 5 / 7, 10 or 7.143 a day; two weeks show that weekends are quiet."""
    def calls(days: int) -> Path:
        dates = (date(2026, 10, 5) + timedelta(days=k) for k in range(days))
        rows = [f"{day}T{hour:02d}:10:00Z,gpt-4o,100,10" for day in dates if day.weekday() < 5 for hour in range(8, 18)]
        return table(tmp_path / f"{days}.csv", *rows, head="time,model,input_tokens,output_tokens")

    week, two = (usage_answer(calls(days), "--tasks", "0") for days in (5, 12))
    told = "no Saturday or Sunday is whole here: a mean day is one of Monday to Friday (10 requests)"
    assert [note for note in week["notes"] if note.startswith(told) and "a mean day has 7.143, and a month costs 5 / 7" in note]
    assert week["workload"]["requests_per_day"] == 10.0
    assert two["workload"]["requests_per_day"] == pytest.approx(50 / 7)
    assert not any("Saturday" in note for note in two["notes"])
    run_usage(calls(5), "--output", tmp_path / "part.yaml")
    assert f"# {told}" in (tmp_path / "part.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("first", "days", "told"), [
    ("2026-11-27", 3, "3 whole days, each a Friday, Saturday or Sunday"), ("2026-11-23", 1, "1 whole day, a Monday"),
    ("2026-11-23", 7, ""), ("2026-11-23", 0, "")])
def test_whole_days_that_are_no_week_are_told_by_their_weekdays(first: str, days: int, told: str) -> None:
    start = (date.fromisoformat(first) - date(1970, 1, 1)).days
    said = part_of_a_week(Days(start, start + days, tuple(range(start, start + days)), ()))
    assert said == (told and f"Requests a day are those of {told}; other weekdays may have others: a log of a week tells")


def test_results_of_an_evaluation_are_sent_to_roi_quality_and_usage_to_roi_usage(tmp_path: Path) -> None:
    results = table(tmp_path / "r.csv", "1,gpt-6-sol,1", head="id,model,correct")
    assert f"{results}: results of an evaluation and no usage; how good they are: roi quality" in run_usage(results).stderr
    lines = tmp_path / "r.jsonl"
    lines.write_text('{"item": 1, "system": "a", "score": 1}\n')
    assert "results of an evaluation and no usage" in run_usage(lines).stderr
    flat = table(tmp_path / "u.csv", "2026-11-01T00:10:00Z,gpt-6-sol,300,10",
                 head="timestamp,model,prompt_tokens,completion_tokens")
    inside = tmp_path / "u.jsonl"
    inside.write_text('{"ts": 1793613600, "response": {"model": "gpt-6-sol", "usage": {"prompt_tokens": 5}}}\n')
    for usage in (flat, inside):
        run = CliRunner().invoke(main, ["quality", str(usage), "--incumbent", "gpt-6-sol"])
        assert run.exit_code == 2
        assert run.stderr == (f"roi: {usage}: counts of tokens and no score: records of usage, not results of an evaluation;"
                              f" what was spent: roi usage {usage}\n")


def test_rows_left_out_are_told_of_how_many_and_why(tmp_path: Path) -> None:
    rows = [f"2026-11-01T0{hour}:10:00Z,{100 if hour < 2 else 'many'},10,gpt-6-sol,openai" for hour in range(9)]
    file = table(tmp_path / "a.csv", *rows, head="time,input_tokens,output_tokens,model,provider")
    told = " ".join(run_usage(file).stdout.split())
    assert ", 2 rows); 7 of 9 rows left out, most for 'a token count that cannot be read', see below." in told


def test_a_peak_without_chance_says_so_in_the_part_and_in_the_report(tmp_path: Path) -> None:
    """A request an hour is 0.017 a minute: the busiest minute would be 60 times the mean by chance alone."""
    rows = "\n".join(f"2026-11-01T{hour:02}:10:00Z,100,10,gpt-6-sol,openai" for hour in range(24))
    file = table(tmp_path / "a.csv", rows, head="time,input_tokens,output_tokens,model,provider")
    run = run_usage(file, "--output", str(tmp_path / "part.yaml"), "--tasks", "0")
    assert "used is 1.00: chance alone makes a busiest minute of up to 120" in " ".join(run.stdout.split())
    part = (tmp_path / "part.yaml").read_text()
    assert "value: 1.0\n" in part
    assert "less what chance alone makes of a busiest minute" in part


@pytest.mark.full
def test_a_day_that_makes_the_peak_is_told_in_the_report_in_json_and_in_the_part(tmp_path: Path) -> None:
    """A request an hour on five days, and 600 more in one minute of the third: a peak of 600 x 7,200 minutes over 720 calls."""
    calls = [f"2026-11-0{day}T{hour:02}:10:00Z" for day in range(1, 6) for hour in range(24)] + ["2026-11-03T02:20:30Z"] * 600
    file = table(tmp_path / "a.csv", *(f"{at},100,10,gpt-6-sol,openai" for at in sorted(calls)),
                 head="time,input_tokens,output_tokens,model,provider")
    run = run_usage(file, "--output", str(tmp_path / "part.yaml"))
    assert "busiest minute 6,000 (2026-11-03 02:20 UTC), busiest hour 100" in " ".join(run.stdout.split())
    told = " ".join(run.stdout.split())
    assert "peak of one day 2026-11-03, the only Tuesday here, makes it: without that day it is 1.00 without" in told
    assert "without that day 24 requests a day" in told
    assert usage_answer(file)["workload"]["load"]["peak_of_one_day"] == {
        "day": "2026-11-03", "peak_to_mean_without_it": pytest.approx(1.0), "requests_per_day_without_it": 24.0,
        "only_one_of_its_weekday": True}
    source = parse_yaml((tmp_path / "part.yaml").read_text(), "part")["workload"]["peak_to_mean"]["source"]
    assert source.endswith("of a busiest minute; 2026-11-03, the only Tuesday here, makes it: without that day it is 1.00"
                           " (roi usage --without 2026-11-03)")
    even = table(tmp_path / "b.csv", *(f"{at},100,10,gpt-6-sol,openai" for at in sorted(set(calls))),
                 head="time,input_tokens,output_tokens,model,provider")
    assert usage_answer(even)["workload"]["load"]["peak_of_one_day"] is None


def test_a_peak_of_too_few_calls_is_left_to_the_scenario_which_says_what_stands_in(tmp_path: Path) -> None:
    """12 requests a day are 0.5 an hour: three in one would be a peak of 6, which a fleet would be sized for."""
    times = ["00:00", "03:10", "03:20", "03:30", *(f"{hour}:10" for hour in range(16, 24))]
    rows = "\n".join(f"2026-11-{day:02}T{time}:00Z,100,10,gpt-6-sol,openai" for day in (1, 2) for time in times)
    file, part = table(tmp_path / "a.csv", rows, head="time,input_tokens,output_tokens,model,provider"), tmp_path / "part.yaml"
    told = " ".join(run_usage(file, "--output", str(part), "--tasks", "0").stdout.split())
    assert "busiest hour 6.00" in told
    assert "used is neither, since so few are chance" in told
    assert ("peak_to_mean: 24 calls, 0.5 in a mean hour: a busiest one is chance; where the scenario states none, the mean"
            " day's busiest hour, with a usual peak within it, stands in") in told
    assert "peak_to_mean:" not in "".join(line for line in part.read_text().splitlines() if not line.startswith("#"))


@pytest.mark.full
def test_two_formats_that_count_the_same_calls_are_named_by_their_files(tmp_path: Path) -> None:
    rows = "2026-11-01T00:00:00Z,100,10,gpt-6-sol"
    table(tmp_path / "own.csv", rows, head="time,input_tokens,output_tokens,model")
    (tmp_path / "lf.json").write_text(json.dumps([{
        "type": "GENERATION", "startTime": "2026-11-01T00:00:00Z", "model": "gpt-6-sol",
        "usageDetails": {"input": 100, "output": 10, "total": 110}}]))
    run = run_usage(tmp_path)
    assert run.exit_code == 2
    assert "own.csv (table of your own)" in run.stderr
    assert "lf.json (langfuse-ui)" in run.stderr


@pytest.mark.full
def test_a_row_that_does_not_count_is_told_with_the_line_of_the_first(tmp_path: Path) -> None:
    """A cell of three lines and an empty line stand before; the second file is looked at too, standard input is not."""
    head, call = "date,model,input_tokens,output_tokens,note", "2026-10-02,gpt-5"
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    table(first, f'{call},1,2,"a\nb\nc"', "", f"{call},x,2,q", f"{call},y,2,q", head=head)
    table(second, f"{call},3,2,q", ",gpt-5,1,2,q", head=head)
    options = FileOptions(provider="openai")
    found = summarize(Question(files=(str(first), str(second)), options=options)).dropped
    assert [(d.rows, d.where) for d in found] == [(2, f"{first}, line 6"), (1, f"{second}, line 3")]
    with pytest.raises(InputError, match=r"2 of them for 'a token count that cannot be read' \(.*first\.csv, line 6\)"):
        summarize(Question(files=(str(first), str(second)), options=options, strict=True))


def test_a_tier_that_no_list_has_is_a_doubt_of_the_part(tmp_path: Path) -> None:
    """Half the calls in a flex tier of a model that has none: priced as usual, and said so where the part is laid over."""
    file, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    calls = "claude-haiku-4-5,anthropic,100,1000000,1000"
    rows = [f"2026-10-27,{calls},flex", f"2026-10-28,{calls},standard"]
    file.write_text("\n".join(["date,model,provider,requests,input_tokens,output_tokens,service_tier", *rows]) + "\n")
    assert "50% of these calls' list price is of a tier that no list has" in run_usage(file, "--output", out).stderr
    assert "\n  unsure: '50% of these calls'' list price" in out.read_text(encoding="utf-8")
    file.write_text(file.read_text().replace("flex", "batch").replace("claude-haiku-4-5,anthropic", "deepseek-chat,deepseek"))
    told = ("is of a batch that no list has, at the standard price: what that costs is"
            " apis.deepseek/deepseek-chat.batch_input_usd_per_mtok and batch_output_usd_per_mtok, yours to state")
    assert told in run_usage(file, "--output", out, "--force").stderr


def test_the_cost_of_rows_that_do_not_count_stands_in_the_headline(tmp_path: Path) -> None:
    """$120 stood at the end alone, below $0.06 as reported; a cost without a token counts as it is reported."""
    rows = ("01,gpt-6-sol,openai,10,10000,1000,0.03", "02,gpt-6-sol,openai,,,,50", "02,,openai,0,0,0,70",
            "03,gpt-6-sol,openai,10,0,0,0.03")
    file = table(tmp_path / "a.csv", *(f"2026-10-{row}" for row in rows),
                 head="date,model,provider,requests,input_tokens,output_tokens,cost")
    told = " ".join(run_usage(file, "--tasks", "0").stdout.split())
    assert "$0.06 as reported" in told
    assert "2 of 4 rows left out with $120, most for 'a token count that cannot be read', see below." in told
