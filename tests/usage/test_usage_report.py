"""`roi usage` from the outside: the answer as text and JSON, the groups that are compared, the trace."""

import json
from datetime import date, timedelta
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from roi.answers import usage_tasks
from roi.answers.opening import open_trace
from roi.answers.usage_tasks import Task
from roi.catalog.prices.genai import package_name, release_day
from roi.catalog.user_data import cache_folder
from roi.cli import main
from roi.economics.decision.verdict import PassedOver
from roi.report.usage.spend_report import _task_row
from roi.resolution import plans
from roi.usage.measure.days import Days

HEAD = "timestamp,model,provider,tag,input_tokens,output_tokens\n"
DAY = "2026-10-0{day}T{hour:02d}:05:00Z"


def run(*words):
    return CliRunner().invoke(main, ["usage", *(str(word) for word in words)], prog_name="roi", env={"COLUMNS": "80"})


def answer(*words):
    found = run(*words, "--format", "json")
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


@pytest.fixture
def log(tmp_path):
    """Two whole days, a call an hour of each of two tags: 48 calls of triage (2,000 in, 50 out), 48 of reply (500, 400)."""
    rows = [f"{DAY.format(day=day, hour=hour)},gpt-6-sol,openai,{tag},{given},{out}\n" for day in (5, 6) for hour in range(24)
            for tag, given, out in (("triage", 2000, 50), ("reply", 500, 400))]
    file = tmp_path / "log.csv"
    file.write_text(HEAD + "".join(rows), encoding="utf-8")
    return file


@pytest.mark.full
def test_groups_of_time_are_all_listed_in_their_order_and_not_compared_one_by_one(log):
    """24 hours a call each of two tags, on a Monday and a Tuesday: nobody changes the model of one hour alone."""
    hours = answer(log, "--group-by", "hour")
    assert [each["group"] for each in hours["by_group"]] == [f"{hour:02}:00" for hour in range(24)]
    assert {task["group"] for task in hours["tasks"]} == {None}
    told = run(log, "--group-by", "hour", "--tasks", "0").stdout
    assert "By hour of the day, UTC\n" in told
    assert all(f"\n{hour:02}:00 " in told for hour in range(24))
    assert " more " not in told.partition("By hour")[2].partition("\ntotal")[0]
    assert [each["group"] for each in answer(log, "--group-by", "weekday", "--tasks", "0")["by_group"]] == ["Monday", "Tuesday"]
    month = run(log, "--group-by", "month", "--tasks", "0").stdout
    assert "\n2026-10 " in month.partition("By month, UTC\n")[2].partition("USD a day")[0]
    days = answer(log, "--group-by", "day", "--tasks", "0")
    assert [each["group"] for each in days["by_group"]] == ["2026-10-05", "2026-10-06"]


@pytest.mark.full
def test_more_days_than_groups_of_another_kind_have_sums_of_their_own(tmp_path):
    file = tmp_path / "long.csv"
    days = [(date(2025, 9, 1) + timedelta(days=k)).isoformat() for k in range(210)]
    file.write_text(HEAD + "".join(f"{day}T10:00:00Z,gpt-4.1,openai,tag{k},100,20\n" for k, day in enumerate(days)))
    assert [each["group"] for each in answer(file, "--group-by", "day", "--tasks", "0")["by_group"]] == days
    found = answer(file, "--tasks", "0")
    assert [each["requests"] for each in found["by_group"] if each["group"] is None] == [10]
    assert sum(each["requests"] for each in found["by_group"]) == found["requests"] == 210
    told = run(file, "--tasks", "0").stdout
    assert "\n(no group)        10 " in told
    assert "(no group): calls without one, and those of groups beyond the 200 with the most" in told
    assert "\ntotal            210 " in told.partition("By group")[2]


@pytest.mark.full
def test_calls_without_a_group_stand_beside_those_that_have_one(log):
    """Two of 98 calls have no tag: the groups' sum is the log's."""
    with log.open("a", encoding="utf-8") as file:
        file.write("2026-10-06T23:06:00Z,gpt-6-sol,openai,,500,400\n" * 2)
    found = answer(log, "--tasks", "0")
    assert [(each["group"], each["requests"]) for each in found["by_group"]] == [("reply", 48), ("triage", 48), (None, 2)]
    assert sum(each["total_usd"] for each in found["by_group"]) == pytest.approx(found["total_usd"], rel=1e-12)
    told = run(log, "--tasks", "0").stdout
    assert "\n(no group) " in told
    assert "(no group):" not in told


@pytest.mark.full
def test_the_json_has_the_promised_keys_and_hand_made_totals(log):
    """In 48 x 2,500 = 120,000, out 48 x 450 = 21,600: 0.24 + 0.216 = 0.456 USD at 2 and 10 a million."""
    found = answer(log, "--tasks", "0")
    assert found["schema"] == "roi.usage/1"
    assert {"total_usd", "requests", "tokens", "by_model", "days", "workload", "reconciliation", "dropped"} <= set(found)
    assert found["requests"] == 96
    assert {name: found["tokens"][name] for name in ("uncached_input", "cache_read", "cache_write", "output")} == {
        "uncached_input": 120_000, "cache_read": 0, "cache_write": 0, "output": 21_600}
    assert found["total_usd"] == pytest.approx(0.456)
    assert found["days"] == {"first": "2026-10-05", "last": "2026-10-06", "complete": 2, "left_out": [], "without": [],
                             "silent": [], "in_no_file": []}
    assert found["without"] is None
    assert found["workload"]["requests_per_day"] == 48.0
    assert found["reconciliation"] is None
    assert [group["group"] for group in found["by_group"]] == ["reply", "triage"]


def test_list_prices_name_their_source_its_day_and_how_many_models_it_prices(log):
    """The package's day is a fact of its own; `roi prices` tells the same."""
    source, stated = package_name(), release_day().isoformat()
    assert answer(log, "--tasks", "0")["list_prices"] == [{"source": source, "date": stated, "models": 1}]
    assert f"List prices: {source} ({stated}, 1 model)." in " ".join(run(log, "--tasks", "0").stdout.split())


def test_one_group_has_its_own_workload(log):
    """48 calls of triage in two days, 2,000 tokens each."""
    found = answer(log, "--task", "triage", "--tasks", "0")["workload"]
    assert (found["group"], found["requests_per_day"], found["input_tokens"]) == ("triage", 24.0, 2000.0)


@pytest.mark.full
def test_groups_are_compared_and_the_best_change_comes_first(log):
    """Each group costs a few dollars a month, both twice that: no change pays its set-up, so staying is best and NPV is 0."""
    found = answer(log)["tasks"]
    assert {task["group"] for task in found} == {"reply", "triage", None}
    usd = {task["group"]: task["usd_per_month"] for task in found}
    assert usd[None] == pytest.approx(usd["reply"] + usd["triage"])
    assert "all of gpt-6-sol" in run(log).stdout
    assert all(task["best"] == "gpt-6-sol" and task["npv_usd"] == 0.0 for task in found)
    triage = next(task for task in found if task["group"] == "triage")
    assert triage["requests_per_day"] == pytest.approx(24, rel=0.03)


def test_of_the_bundled_scenario_its_candidates_alone_are_taken_and_that_is_said(log):
    """Its bar, scores and USD per error are of another task: they would price what nobody knows of these groups."""
    assert usage_tasks._default_scenario(date(2026, 10, 6)).keys() == {"as_of", "candidates"}
    said = " ".join(run(log).stdout.split())
    assert "Without --scenario the candidates are the bundled one's, the SLO and all else are defaults; its scores, bar" in said
    assert "are not taken: no other model is tested, and costs alone rank them" in said


@pytest.mark.parametrize(("tags", "a_day"), [(("a", "b", ""), 72), (("a", ""), 48), (("a",), None)])
def test_all_calls_of_a_model_are_those_without_a_group_too(tmp_path, tags, a_day):
    """Two days of a call an hour of each tag, of none too: all of the model is every call, 0.3 cents each.
    It is no row of its own where one group has them all."""
    file = tmp_path / "log.csv"
    file.write_text(HEAD + "".join(f"{DAY.format(day=day, hour=hour)},gpt-6-sol,openai,{tag},1000,100\n"
                                   for day in (5, 6) for hour in range(24) for tag in tags), encoding="utf-8")
    found = {task["group"]: task for task in answer(file, "--no-cache")["tasks"]}
    assert found["a"]["requests_per_day"] == 24
    assert (None in found) == (a_day is not None)
    if a_day:
        assert found[None]["requests_per_day"] == a_day
        assert found[None]["usd_per_month"] == pytest.approx(a_day * 0.003 * 365 / 12)


def test_a_group_without_a_price_says_why_it_is_not_compared(tmp_path):
    file = tmp_path / "log.csv"
    rows = [f"{DAY.format(day=5, hour=hour)},{model},openai,t,1000,10\n" for hour in range(24)
            for model in ("gpt-6-sol", "no-such")]
    file.write_text(HEAD + "".join(rows), encoding="utf-8")
    found = answer(file)
    assert [model["total_usd"] for model in found["by_model"] if model["model"] == "no-such"] == [None]
    assert any("no-such" in note for note in found["notes"])


def test_calls_without_output_are_not_compared_with_models_that_write(tmp_path):
    rows = "".join(f"{DAY.format(day=day, hour=hour)},text-embedding-3-small,openai,index,5000,0,0.0001\n" for day in (5, 6, 7)
                   for hour in range(24))
    (tmp_path / "log.csv").write_text(HEAD.replace("\n", ",cost_usd\n") + rows)
    [task] = answer(tmp_path / "log.csv", "--no-cache")["tasks"]
    assert task["reason"] == "its calls have no output, as of embeddings: no model that writes answers takes their place"


@pytest.mark.full
def test_groups_are_ranked_by_what_is_paid_for_them(tmp_path):
    """Team a pays 0.4 of the list price for what team b pays in full: two days of 24 x 2,000 calls of 500 tokens and 100."""
    file, listed = tmp_path / "log.csv", (500 * 2 + 100 * 10) / 1e6 * 2000
    rows = [f"{DAY.format(day=day, hour=hour)},gpt-6-sol,openai,{tag},{500 * 2000},{100 * 2000},2000,{listed * share}\n"
            for day in (5, 6) for hour in range(24) for tag, share in (("a", 0.4), ("b", 1.0))]
    file.write_text("timestamp,model,provider,tag,input_tokens,output_tokens,requests,cost\n" + "".join(rows), encoding="utf-8")
    by_reports = {task["group"]: task for task in answer(file)["tasks"]}
    month = listed * 24 * 365 / 12
    assert {name: by_reports[name]["usd_per_month"] for name in ("a", "b")} == pytest.approx({"a": 0.4 * month, "b": month})
    npv = {name: by_reports[name]["passed_over"]["npv_usd"] for name in "ab"}  # nobody evaluated what would save it
    assert npv["b"] > 2 * npv["a"] > 0
    assert npv["a"] < 36 * 0.4 * month
    assert list(by_reports) == [None, "b", "a"]
    billed = {task["group"]: task["usd_per_month"] for task in answer(file, "--bill", 700)["tasks"]}
    assert (billed["a"], billed["b"], billed[None]) == pytest.approx((200, 500, 700))


SCENARIO = """
as_of: 2026-10-06
workload: {requests_per_day: 1, input_tokens: 1, output_tokens: 1}
incumbent: {provider: openai, model: gpt-6-sol}
quality: {bar: 0.9, usd_per_error: 0.001, scores: {gpt-6-sol: 0.95, gpt-6-luna: SCORE}}
candidates: {api_models: [openai/gpt-6-luna, anthropic/claude-haiku-5-5]}
"""


@pytest.mark.full
@pytest.mark.parametrize("score", [0.94, 0.85])
def test_a_group_is_told_to_do_what_compare_says_to_do(tmp_path, score):
    """Two days of 24 x 2,000 calls in batch; luna reaches the bar of 90% or not, haiku, which costs about as much, is untested.
    The part that compare takes is rounded, so that its figures differ in the fourth digit."""
    log, mine, part = (tmp_path / name for name in ("log.csv", "mine.yaml", "part.yaml"))
    log.write_text("timestamp,model,provider,tag,input_tokens,output_tokens,requests,batch\n" + "".join(
        f"{DAY.format(day=day, hour=hour)},gpt-6-sol,openai,{tag},{1000 * 500},{1000 * 100},1000,true\n"
        for day in (5, 6) for hour in range(24) for tag in "ab"), encoding="utf-8")
    mine.write_text(SCENARIO.replace("SCORE", str(score)), encoding="utf-8")
    found = answer(log, "--scenario", mine, "--output", part, "--no-cache")["tasks"]
    task = next(each for each in found if each["group"] is None)
    told = CliRunner().invoke(main, ["compare", str(mine), "--usage", str(part), "--format", "json"])
    assert told.exit_code == 0, told.stderr
    said = json.loads(told.stdout)
    advised = next(each for each in said["options"] if each["id"] == said["recommended"])
    assert task["best"] == advised["label"]
    assert (task["best"] == "gpt-6-sol") == (score < 0.9)
    assert task["npv_usd"] == pytest.approx(advised["expected_npv_usd"], rel=1e-3)
    if score > 0.9:
        assert task["probability_npv_positive"] == advised["probability_npv_positive"]
        assert task["saves_share"] == pytest.approx(
            1 - advised["cash_monthly_usd"] / said["options"][0]["cash_monthly_usd"], rel=1e-3)
    assert task["passed_over"] is None or task["passed_over"]["reason"] == "not tested"
    text = " ".join(run(log, "--scenario", mine, "--no-cache").stdout.split())
    assert f"do now: {'gpt-6-luna' if score > 0.9 else 'stay; not tested: claude-haiku-5-5'}" in text


def test_what_trains_or_buys_comes_after_what_can_be_undone():
    """The verdict's leader with a first move: that one is done now, and the leader then."""
    def option(id, npv, cash):
        return SimpleNamespace(id=id, label=id.upper(), expected_npv_usd=npv, expected_cash_npv_usd=npv, cash_monthly_usd=cash,
                               staying_cash_monthly_usd=100.0, probability_npv_positive=0.9, probability_cash_positive=0.8)

    options = [option("stay", 0.0, 100.0), option("own", 9.0, 20.0), option("api", 5.0, 40.0), option("x", 11.0, 10.0)]
    verdict = SimpleNamespace(
        counts="errors", recommended="own", leader="own", first_move="api", measure_first=None, sentence="",
        passed_over=(PassedOver(option="x", reason="not likely", chance=0.5, chance_needed=0.8),))
    said = usage_tasks._advised(SimpleNamespace(verdict=verdict, options=options, infeasible=(), leader=options[1]))
    assert said == {
        "best": "API", "then": "OWN", "saves_share": pytest.approx(0.6), "npv_usd": 5.0, "probability": 0.9, "passed_over": "X",
        "passed_over_why": "not likely", "passed_over_chance": 0.5, "passed_over_chance_needed": 0.8,
        "passed_over_saves_share": pytest.approx(0.9), "passed_over_npv_usd": 11.0}
    days = Days(first=0, last=0, complete=(0,), left_out=())
    task = Task(group="g", provider="openai", model="m", requests_per_day=1.0, usd_per_month=1.0, days=days, share=1.0, **said)
    told = _task_row(task, "m", days, whole=False).detail
    assert told == "do now: API, then OWN; beats staying in only 50% of the draws, needs 80%: X, saves 90%, NPV 11"
    verdict.measure_first = SimpleNamespace(kind="evaluate", option="x")
    assert usage_tasks._advised(SimpleNamespace(verdict=verdict, options=options, infeasible=(), leader=options[1]))[
        "measure_first"] == "evaluate X"
    for each in options:
        each.staying_cash_monthly_usd = 0.0  # of nothing no share can be saved
    free = usage_tasks._advised(SimpleNamespace(verdict=verdict, options=options, infeasible=(), leader=options[1]))
    assert (free["saves_share"], free["passed_over_saves_share"]) == (None, None)
    verdict.recommended, verdict.sentence = None, "No verdict: the bill."
    assert usage_tasks._advised(SimpleNamespace(verdict=verdict, options=options)) == {"reason": "no verdict: the bill."}


@pytest.mark.full
def test_requests_that_the_user_counts_let_the_incumbent_be_compared(tmp_path):
    """An export of tokens alone: 1,000 requests a day of gpt-6-sol, as the user says, are 100,000 / 1,000 tokens each; those of
    another model are not counted."""
    log = tmp_path / "log.csv"
    log.write_text("usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
                   "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
                   "usage_output_tokens,web_search_count\n" + "".join(
        f"2026-10-0{day} 00:00,{model},{key},Default,standard,\u2264200k,500000000,0,0,0,50000000,0\n" for day in (5, 6)
        for model, key in (("claude-sonnet-5-5", "a"), ("claude-haiku-5-5", "b"))), encoding="utf-8")
    plain = {task["model"]: task for task in answer(log, "--incumbent", "claude-sonnet-5-5", "--no-cache")["tasks"]}
    assert all(task["reason"] == "requests are not counted" for task in plain.values())
    words = ("--incumbent", "claude-sonnet-5-5", "--requests-per-day", "250000", "--no-cache")
    found = {task["model"]: task for task in answer(log, *words)["tasks"]}
    sonnet, haiku = found["claude-sonnet-5-5"], found["claude-haiku-5-5"]
    assert sonnet["requests_per_day"] == 250_000
    assert sonnet["reason"] is None
    assert sonnet["passed_over"]["reason"] == "not tested"
    assert haiku["reason"].startswith("requests are not counted; those that --requests-per-day says")


def test_days_that_have_not_come_are_told(log, monkeypatch):
    monkeypatch.setattr("roi.usage.told.today", lambda: date(2026, 10, 4))
    assert "the last day, 2026-10-06, has not come" in run(log, "--tasks", 0).stdout.replace("\n", " ")
    monkeypatch.setattr("roi.usage.told.today", lambda: date(2026, 10, 5))
    assert "has not come" not in run(log, "--tasks", 0).stdout


def test_a_part_of_a_day_is_neither_annualised_nor_compared(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(HEAD + f"{DAY.format(day=5, hour=9)},gpt-6-sol,openai,t,1000,10\n", encoding="utf-8")
    found = answer(file)
    assert found["tasks"] == []
    assert found["workload"]["requests_per_day"] is None
    assert ["requests_per_day", "no day is covered whole"] in [
        [each["field"], each["reason"]] for each in found["workload"]["missing"]]


@pytest.mark.full
def test_several_models_ask_which_one_is_the_incumbent(tmp_path):
    """Two providers, half each."""
    file = tmp_path / "log.csv"
    file.write_text(HEAD + "".join(
        f"{DAY.format(day=5, hour=hour)},{model},{provider},t,1000,10\n" for hour in range(24)
        for provider, model in (("openai", "gpt-6-sol"), ("anthropic", "claude-haiku-4-5"))), encoding="utf-8")
    found = answer(file, "--tasks", "0")
    assert found["workload"] is None
    assert "say which one is the incumbent, --incumbent provider/model" in found["no_workload"]
    refused = run(file, "--output", tmp_path / "part.yaml", "--tasks", "0")
    assert refused.exit_code == 2
    assert not (tmp_path / "part.yaml").exists()
    assert answer(file, "--incumbent", "anthropic/claude-haiku-4-5", "--tasks", "0")["workload"]["provider"] == "anthropic"
    assert "nearest: openai/gpt-6-sol" in run(file, "--incumbent", "openai/gpt-6-so").stderr


@pytest.mark.full
def test_one_model_at_two_providers_is_told_apart_by_them(tmp_path):
    """A call an hour each of gpt-5 at openai and at azure, of one group, and of gpt-6-sol, which has one provider."""
    file = tmp_path / "log.csv"
    file.write_text(HEAD + "".join(f"{DAY.format(day=5, hour=hour)},{model},{provider},{tag},1000,100\n" for hour in range(24)
                                   for model, provider, tag in (("gpt-5", "azure", "t"), ("gpt-5", "openai", "t"),
                                                                ("gpt-5", "azure", ""), ("gpt-6-sol", "openai", "t"))),
                    encoding="utf-8")
    told = run(file, "--no-cache", "--incumbent", "azure/gpt-5").stdout
    for words in ("t on azure/gpt-5", "t on openai/gpt-5", "\nall of azure/gpt-5", "t on gpt-6-sol", "Workload of azure/gpt-5"):
        assert words in told
    assert "all of openai/gpt-5" not in told
    assert "openai/gpt-5 23%" in answer(file, "--tasks", "0")["no_workload"]


@pytest.mark.full
def test_a_group_of_cut_off_days_alone_is_no_smaller_group(log):
    """Of triage and reply one is listed with all of the model, and the other not; a call at 9 on a third day is of no month."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{DAY.format(day=7, hour=9)},gpt-6-luna,openai,late,1000,10\n")
    assert "1 smaller group is not listed" in " ".join(run(log, "--tasks", 1).stdout.split())


@pytest.mark.full
def test_a_trend_that_no_scenario_takes_is_told_in_words_and_compared_within_what_one_takes(tmp_path):
    """Six weeks of doubling are x 2^52 a year, and up to x 16.7 a year over three: more than +1000% is not reckoned with."""
    days = [(date(2026, 9, 1) + timedelta(day), 2 ** (day // 7)) for day in range(42)]
    file = tmp_path / "log.csv"
    file.write_text("date,model,provider,input,output,requests,until\n" + "".join(
        f"{day},gpt-6-sol,openai,{9000 * times},{900 * times},{9 * times},{day + timedelta(1)}\n" for day, times in days))
    [task] = answer(file, "--no-cache")["tasks"]
    assert task["reason"] is None
    part = tmp_path / "part.yaml"
    told = " ".join(run(file, "--tasks", "0", "--output", part).stdout.split())
    assert "trend above x 1,000 (above x 1,000, 6 weeks)" in told
    assert "used: +300% a year over three years (-2% to x 11)" in told
    assert "high: 10.0\n    source: the trend of 6 weeks (above x 1,000 a year)" in part.read_text("utf-8")


@pytest.mark.full
def test_groups_are_compared_once_and_their_answers_kept(log, tmp_path, monkeypatch):
    """The second run says the same without comparing; so does one that finds them damaged, or may not look, but compares."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    first, compared = answer(log, "--no-cache")["tasks"], []
    answers = usage_tasks._answers
    monkeypatch.setattr(usage_tasks, "_answers", lambda *given, **more: compared.append(1) or answers(*given, **more))
    for words, times in (((), 1), ((), 1), (("--no-cache",), 2)):
        assert (answer(log, *words)["tasks"], len(compared)) == (first, times)
    for kept in (cache_folder() / "tasks").iterdir():
        kept.write_text(kept.read_text("utf-8").replace("gpt-6-sol", "gpt-7"), "utf-8")
    assert (answer(log)["tasks"], len(compared)) == (first, 3)


def test_an_answer_is_kept_for_what_is_paid_too(tmp_path, monkeypatch):
    """Ten calls an hour of 200,000 tokens, or one of 1,100,000 and nine of 100,000: the same means, but those above 272,000
    cost twice as much, and whether hosting is left out follows from the bill."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    compared, answers = [], usage_tasks._answers
    monkeypatch.setattr(usage_tasks, "_answers", lambda *given, **more: compared.append(1) or answers(*given, **more))
    for number, lengths in enumerate(([200_000] * 10, [1_100_000, *[100_000] * 9])):
        file = tmp_path / f"{number}.csv"
        file.write_text(HEAD + "".join(f"{DAY.format(day=5, hour=hour)},gpt-5.4,openai,t,{given},100\n" for hour in range(24)
                                       for given in lengths), encoding="utf-8")
        [task] = answer(file)["tasks"]
        assert (task["requests_per_day"], len(compared)) == (240, number + 1)


@pytest.mark.full
def test_a_group_that_costs_less_than_hosting_is_compared_without_it_and_the_answer_is_that_with_it(log, monkeypatch):
    """24 calls a day of half a cent; a GPU of $1,600 and 120 + 30 x 36 hours of $100 are $121,600: 27 times what staying is."""
    replayed, replay = [], plans.plan_capacity
    monkeypatch.setattr(plans, "plan_capacity", lambda *given: replayed.append(1) or replay(*given))
    few, without = answer(log, "--no-cache")["tasks"], len(replayed)
    monkeypatch.setattr(usage_tasks, "FAR_BELOW", float("inf"))
    assert answer(log, "--no-cache")["tasks"] == few
    assert len(replayed) - without >= 5 * without > 0


def test_the_text_is_80_columns_wide_and_says_what_is_missing(log):
    found = run(log)
    assert found.exit_code == 0, found.stderr
    assert max(len(line) for line in found.stdout.splitlines() if "log.csv" not in line) <= 80
    for words in ("By model", "By group", "Which of these calls is worth a change", "Workload of gpt-6-sol",
                  "What these records do not tell", "growth_per_year: 0 whole weeks"):
        assert words in found.stdout


def test_a_workload_of_which_nothing_is_told_is_no_empty_table(tmp_path):
    """Buckets of tokens without a count of requests."""
    file = tmp_path / "a.csv"
    file.write_text("date,end_time,model,provider,input_tokens,output_tokens\n2026-09-01,2026-09-02,gpt-4o,openai,1000,10\n")
    said = run(file, "--tasks", "0").stdout
    assert "Workload of gpt-4o\nThese records settle none of it.\n" in said


def test_the_trace_holds_every_call_in_order_of_time(log, tmp_path):
    """96 calls from 00:05 on the first day to 23:05 on the second: 47 hours."""
    out = tmp_path / "trace.parquet"
    assert run(log, "--trace", out, "--tasks", "0").exit_code == 0
    table = pq.read_table(out)
    assert table.column_names == ["arrival_s", "input_tokens", "cached_tokens", "output_tokens"]
    arrivals = table.column("arrival_s").to_pylist()
    assert (len(arrivals), arrivals[0], arrivals[-1]) == (96, 0.0, 47 * 3600.0)
    assert arrivals == sorted(arrivals)
    assert sum(table.column("input_tokens").to_pylist()) == 120_000


@pytest.mark.full
def test_a_trace_replaces_no_file_without_force_and_a_device_holds_none(log, tmp_path):
    there = tmp_path / "trace.csv"
    there.write_text("mine", encoding="utf-8")
    refused = run(log, "--trace", there, "--tasks", "0")
    assert (refused.exit_code, there.read_text(encoding="utf-8")) == (2, "mine")
    assert f"--trace: {there} is there already; give another name, or --force" in refused.stderr
    assert run(log, "--trace", there, "--tasks", "0", "--force").exit_code == 0
    assert there.read_text(encoding="utf-8").startswith("arrival_s,")
    assert run(log, "--trace", "/dev/null", "--tasks", "0").exit_code == 0


@pytest.mark.full
def test_a_trace_named_csv_is_the_same_trace_as_text(log, tmp_path):
    """What size reads of both is equal, number by number; another ending is refused before anything is read."""
    traces = []
    for name in ("trace.csv", "trace.parquet"):
        assert run(log, "--trace", tmp_path / name, "--tasks", "0").exit_code == 0
        traces.append(open_trace(tmp_path / name))
    assert traces[0].key == traces[1].key
    head, first, *_ = (tmp_path / "trace.csv").read_text(encoding="utf-8").splitlines()
    assert (head, first.split(",")[0]) == ("arrival_s,input_tokens,cached_tokens,output_tokens", "0.0")
    refused = run("none.csv", "--trace", tmp_path / "trace.txt")
    assert (refused.exit_code, "ends in .csv or .parquet" in refused.stderr) == (2, True)


def test_the_public_trace_has_its_known_peak_and_means(tmp_path):
    """Azure's hour of code completion, a synthetic cut of the same shape here: 4 minutes, 10, 0, 0 and 2 calls: 10 / 3.

    Of 4 minutes of 3 calls at random the busiest has 7 at most in 19 of 20 cases (0.988^4 = 0.95). Of a mean day they tell no
    peak.
    """
    rows = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    rows += [f"2023-11-16 18:17:{k:02d}.9799600,{1000 + k},10" for k in range(10)]
    rows += [f"2023-11-16 18:20:{k:02d}.0319600,500,40" for k in range(2)]
    file = tmp_path / "azure.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    found = answer(file, "--model", "gpt-6-sol", "--provider", "openai", "--tasks", "0")["workload"]
    assert found["load"]["calendar_minutes"] == 4
    assert found["load"]["minute_peak_to_mean"] == pytest.approx(10 / 3)
    assert found["load"]["busiest_minute"] == "2023-11-16T18:17:00+00:00"
    assert found["load"]["chance_to_mean"] == pytest.approx(7 / 3)
    assert found["load"]["peak_to_mean"] is None
    assert found["input_tokens"] == pytest.approx((10 * 1000 + 45 + 2 * 500) / 12)
    assert found["output_tokens"] == pytest.approx(180 / 12)


def test_a_bill_is_reconciled_and_a_gap_is_a_warning(log):
    """0.228 USD a mean day x 365/12 = 6.935 a month; a bill of 13.87 is twice that."""
    found = answer(log, "--bill", "13.87", "--tasks", "0")["reconciliation"]
    assert found["basis"] == "bill"
    assert found["factor"] == pytest.approx(2.0)
    assert (found["price_factor"], found["volume_factor"]) == (None, None)
    assert "Warning: more than 10% apart" in run(log, "--bill", "13.87", "--tasks", "0").stdout.replace("\n", " ")
