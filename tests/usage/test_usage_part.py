"""The part of a scenario that usage settles: written, read again, laid over a scenario, compared."""

import json
from datetime import date
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from usage_support import usage_answer

from roi import measure_usage
from roi.cli import main
from roi.economics.decision.comparison import compare
from roi.errors import InputError
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario, overlay, read_part
from roi.scenario.quantity import value_of
from roi.scenario.sections.demand import Workload
from roi.scenario.sections.scores import Quality
from roi.scenario.template import template

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "examples" / "openai_export.csv"

LOG = """timestamp,model,provider,input_tokens,output_tokens,cost
2026-10-05T00:10:00Z,gpt-6-sol,openai,1000,100,0.0015
2026-10-05T12:10:00Z,gpt-6-sol,openai,1000,100,0.0015
2026-10-05T23:50:00Z,gpt-6-sol,openai,4000,100,0.0045
"""
"""One whole day: 6,000 in at 2 USD and 300 out at 10 USD a million = 0.015; reported 0.0075, half of it."""


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="roi")


@pytest.fixture
def part(tmp_path):
    log, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    log.write_text(LOG, encoding="utf-8")
    answer = run("usage", log, "--output", out, "--tasks", "0")
    assert answer.exit_code == 0, answer.stderr
    return out


def test_the_part_holds_workload_incumbent_and_the_reported_bill(part):
    """3 requests on a Monday, 5 / 7 of that where weekends have none; mean 2,000 in.

    Reported are 0.0075 a day, x 365/12 = 0.228 a month, and the gap is price.
    """
    data = yaml.safe_load(part.read_text(encoding="utf-8"))
    workload, incumbent = data["workload"], data["incumbent"]
    a_day = workload["requests_per_day"]
    assert (a_day["value"], a_day["low"], a_day["high"], "basis" in a_day) == (3.0, 2.143, 3.0, False)
    assert sum(b["share"] for b in workload["lengths"]) == pytest.approx(1.0, abs=1e-9)
    assert sum(b["share"] * b["input_tokens"] for b in workload["lengths"]) == pytest.approx(2000, abs=0.01)
    assert len(workload["hourly_weights"]) == 24
    assert sum(workload["hourly_weights"]) == pytest.approx(24, abs=24 * 5e-6)  # five digits each
    assert incumbent == {"provider": "openai", "model": "gpt-6-sol", "uses_cache": False, "bill_usd_per_month": 0.23,
                         "bill_is_volume_share": 0.0}


@pytest.mark.full
def test_a_log_without_reads_from_a_cache_that_fills_itself_tells_compare_so(part):
    """Means of 2,000 tokens at OpenAI, which caches from 1,024 on; of shorter prompts, and where one asks for it, nothing."""
    told = yaml.safe_load(part.read_text(encoding="utf-8"))["workload"]["unsure"]
    assert told == ("nothing was read from a cache, and openai fills one by itself from 1,024 tokens on: where these records"
                    " would show that, workload.cache_hit_rate is 0. Requests a day are those of 1 whole day, a Monday; other"
                    " weekdays may have others: a log of a week tells")
    assert told in " ".join(run("compare", "--usage", part, "--draws", "0").stdout.split())
    log = part.with_name("log.csv")
    for old, new in (("1000,100", "10,100"), ("gpt-6-sol,openai", "claude-sonnet-5,anthropic")):
        log.write_text(LOG.replace(old, new).replace("4000", "1000" if old == "1000,100" else "4000"), encoding="utf-8")
        assert run("usage", log, "--output", part, "--force", "--tasks", "0").exit_code == 0
        unsure = yaml.safe_load(part.read_text(encoding="utf-8"))["workload"]["unsure"]
        assert unsure.startswith("Requests a day are those of 1 whole day")


def test_the_log_of_a_model_that_one_serves_settles_its_workload_and_no_bill(tmp_path):
    """Its tokens have no price, and servers that cache are no prompt cache of a vendor's."""
    log, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    log.write_text(LOG.replace("gpt-6-sol,openai", "our-70b,self-hosted"), encoding="utf-8")
    assert run("usage", log, "--output", out, "--tasks", "0").exit_code == 0
    data = yaml.safe_load(out.read_text(encoding="utf-8"))
    assert data["workload"]["requests_per_day"]["value"] == 3.0
    assert data["incumbent"] == {"provider": "self-hosted", "model": "our-70b"}
    answer = run("usage", log, "--output", out, "--force", "--tasks", "0", "--bill", "7300")
    assert (answer.exit_code, "--bill: no vendor bills a model that you serve" in answer.stderr) == (2, True)


@pytest.mark.full
def test_a_log_that_reads_from_a_cache_and_counts_no_token_written_hands_that_on(tmp_path):
    """gpt-6-sol has a price of writing, gpt-5.1 has none. What is reported to be paid, or a bill, has the writes in it."""
    day = "2026-10-05,{model},openai,100,200000,100000,{written},1000,{cost}\n"
    for model, written, cost, words, handed in (
        ("gpt-6-sol", 0, "", (), False), ("gpt-6-sol", "", "", (), False), ("gpt-6-sol", 50000, "", (), True),
        ("gpt-5.1", 0, "", (), None), ("gpt-6-sol", 0, 1.0, (), None), ("gpt-6-sol", 0, "", ("--bill", 30), None),
    ):
        log, out = tmp_path / "log.csv", tmp_path / "part.yaml"
        log.write_text("date,model,provider,requests,input_tokens,cached_tokens,cache_write_tokens,output_tokens,cost\n"
                       + day.format(model=model, written=written, cost=cost), encoding="utf-8")
        asked = ("--input-includes-cache", "yes", *words, "--output", out, "--tasks", "0", "--force")
        assert run("usage", log, *asked).exit_code == 0
        text = out.read_text(encoding="utf-8")
        assert yaml.safe_load(text)["incumbent"].get("writes_cache") is handed
        assert ("# no row counts tokens written to a cache" in text) is not bool(written)
        load_scenario(None, (), out)


def test_a_log_that_writes_to_a_cache_and_never_reads_from_it_says_that_the_cache_is_on(tmp_path):
    """100 calls of 3,000 tokens, 2,000 of each written: paid, and found by none."""
    log, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    log.write_text("date,model,provider,requests,input_tokens,cached_tokens,cache_write_tokens,output_tokens\n"
                   "2026-10-05,claude-sonnet-5-5,anthropic,100,300000,0,200000,1000\n", encoding="utf-8")
    assert run("usage", log, "--input-includes-cache", "yes", "--output", out, "--tasks", "0").exit_code == 0
    data = yaml.safe_load(out.read_text(encoding="utf-8"))
    assert data["incumbent"]["uses_cache"] is True
    assert (data["workload"]["shared_prefix_tokens"]["value"], data["workload"]["cache_hit_rate"]) == (2000.0, 0.0)


@pytest.mark.parametrize(("tiers", "ratio"), [
    (("flex", "flex"), 0.5), (("flex", "default"), 1.0), (("flex", "batch"), 0.5), (("flex", "priority"), 2.0),
    *(pytest.param((tier, tier), ratio, marks=pytest.mark.full) for tier, ratio in (
        ("priority", 2.0), ("default", 1.0), ("incentivized-tier", 1.0))),
])
def test_calls_in_a_tier_hand_on_its_price_and_no_bill_that_would_move_batch(tmp_path, tiers, ratio):
    """gpt-5.4 at half the list in flex, at twice in priority; calls in batch are none of a tier's; flex stands apart."""
    file, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    file.write_text("date,model,provider,requests,input_tokens,output_tokens,service_tier\n" + "".join(
        f"2026-10-{day},gpt-5.4,openai,100,1000000,1000,{tier}\n" for day, tier in enumerate(tiers, 27)))
    asked = run("usage", file, "--output", out, "--tasks", "0")
    assert (asked.exit_code, "in flex 50%" in asked.stdout) == (0, tiers.count("flex") == 1)
    found = yaml.safe_load(out.read_text(encoding="utf-8"))["incumbent"]
    assert (found.get("tier_price_ratio"), "bill_usd_per_month" in found) == (ratio, False)
    mixed = tiers in (("flex", "default"), ("flex", "priority"))
    assert found.get("flexible_tier") == ({"price_ratio": 0.5, "share": 0.5} if mixed else None)


@pytest.mark.parametrize(("paid", "words", "bill"), [
    ((1.36, 1.36, 0.7, 0.7), (), 0.7), ((1.088, 1.088, 0.56, 0.56), (), 0.56), ((1.36, 1.36, 1.36, 1.36), (), 1.36),
    (("", "", "", ""), ("--bill", 2 * 1.03 * 365 / 12), 1.4),
])
def test_the_bill_is_at_the_list_of_the_day_and_not_of_the_log(tmp_path, paid, words, bill):
    """mistral-large-4, a million in a day: 1.36 USD until 2026-10-28, 0.70 after. Paid at list, 20% less, or by contract.

    A bill of twice the list of these days, 1.03 a day, is twice today's.
    """
    file, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    file.write_text("date,model,provider,requests,input_tokens,output_tokens,cost\n" + "".join(
        f"2026-10-{day},mistral-large-4,mistral,100,1000000,0,{usd}\n" for day, usd in zip(range(27, 31), paid, strict=True)))
    assert run("usage", file, *words, "--output", out, "--tasks", "0").exit_code == 0
    found = yaml.safe_load(out.read_text(encoding="utf-8"))["incumbent"]["bill_usd_per_month"]
    assert found == pytest.approx(bill * 365 / 12, abs=0.01)
    assert "# list prices moved: the bill is these tokens at the list of" in out.read_text(encoding="utf-8")


@pytest.mark.full
def test_the_bill_for_a_scenario_is_at_the_list_of_its_day(tmp_path):
    """A million a day paid at list: 1.36 on 2026-10-28, 0.70 at today's. A part of another day than the scenario's is told."""
    file, mine, out = tmp_path / "log.csv", tmp_path / "my.yaml", tmp_path / "part.yaml"
    file.write_text("date,model,provider,requests,input_tokens,output_tokens,cost\n" + "".join(
        f"2026-10-{day},mistral-large-4,mistral,100,1000000,0,1.36\n" for day in range(25, 29)))
    mine.write_text(yaml.safe_dump({
        "as_of": "2026-10-28", "workload": {"requests_per_day": 5, "input_tokens": 10, "output_tokens": 2},
        "incumbent": {"provider": "mistral", "model": "mistral-large-4"}, "candidates": {"api_models": ["openai/gpt-4o"]}}))
    for words, usd, day in (((), 0.7, None), (("--scenario", mine), 1.36, "2026-10-28")):
        assert run("usage", file, *words, "--output", out, "--tasks", "0").exit_code == 0
        found, told = yaml.safe_load(out.read_text(encoding="utf-8")), []
        assert found["incumbent"]["bill_usd_per_month"] == pytest.approx(usd * 365 / 12, abs=0.01)
        assert load_scenario(mine, part=out, tell=told.append).as_of.isoformat() == "2026-10-28"
        assert [f"at the list prices of {found['as_of']}, and the scenario is of 2026-10-28" in line for line in told] == (
            [] if day else [True])
    part = measure_usage(file, as_of=date(2026, 10, 28))
    assert part["incumbent"]["bill_usd_per_month"] == pytest.approx(1.36 * 365 / 12, abs=0.01)


@pytest.mark.full
def test_the_bill_of_a_new_scenario_is_at_its_own_prices(tmp_path):
    """A million a day paid at the list of its days, 1.36 and 0.70: at the prices of 2026-11-25 it is 21.29 a month.

    Staying then costs what the API bills, and the bill is not called unchecked.
    """
    file, mine = tmp_path / "log.csv", tmp_path / "my.yaml"
    file.write_text("date,model,provider,requests,input_tokens,output_tokens,cost\n" + "".join(
        f"2026-10-{day},mistral-large-4,mistral,100,1000000,0,{usd}\n" for day, usd in ((28, 1.36), (29, 0.7))))
    assert run("init", mine, "--usage", file, "--as-of", "2026-11-25").exit_code == 0
    assert value_of(load_scenario(mine).incumbent.bill_usd_per_month) == pytest.approx(0.7 * 365 / 12, abs=0.01)
    found = run("compare", mine, "--draws", "0")
    assert found.exit_code == 0
    assert "Bill not checked" not in found.stdout


@pytest.mark.full
def test_a_part_that_was_changed_by_hand_is_replaced_with_force_alone(tmp_path):
    """As it was written it gives way, however an editor ends its lines; a line more is somebody's."""
    log, place = tmp_path / "log.csv", tmp_path / "part.yaml"
    log.write_text("time,model,provider,input_tokens,output_tokens\n2026-10-05,gpt-5,openai,10,1\n", encoding="utf-8")
    words = ("usage", log, "--tasks", "0", "--output", place)
    assert run(*words).exit_code == 0
    place.write_bytes(place.read_bytes().replace(b"\n", b"\r\n"))
    assert run(*words).exit_code == 0
    changed = place.read_text(encoding="utf-8") + "  peak_to_mean: 4\n"
    place.write_text(changed, encoding="utf-8")
    found = run(*words)
    assert (found.exit_code, place.read_text(encoding="utf-8")) == (2, changed)
    assert f"--output: {place} was changed since it was written; give another name, or --force" in found.stderr
    assert run(*words, "--force").exit_code == 0
    assert "peak_to_mean: 4" not in place.read_text(encoding="utf-8")


def test_what_the_log_does_not_tell_is_a_comment_in_the_part(part):
    text = part.read_text(encoding="utf-8")
    assert "# not told: growth_per_year: 0 whole weeks" in text
    assert "growth_per_year" not in yaml.safe_load(text)["workload"]


def test_two_hours_leave_the_peak_of_the_scenario(tmp_path):
    """1,200 calls of 10:00 to 11:59 were a peak of exactly 1, in the place of the default 3 (2 to 5)."""
    log, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    rows = [f"2026-10-05T{10 + k // 600}:{k % 600 // 10:02d}:{k % 10 * 6:02d}Z,gpt-6-sol,openai,900,80,0.1"
            for k in range(1200)]
    log.write_text("\n".join([LOG.splitlines()[0], *rows]), encoding="utf-8")
    assert run("usage", log, "--output", out, "--tasks", "0").exit_code == 0
    text = out.read_text(encoding="utf-8")
    assert "peak_to_mean" not in yaml.safe_load(text)["workload"]
    told = "# not told: peak_to_mean: no call is of a day that is covered whole, and a peak is one over the mean of days"
    assert told in text


@pytest.mark.full
def test_a_scenario_with_the_part_over_it_has_its_workload(part):
    scenario = load_scenario(None, part=part)
    assert value_of(scenario.workload.requests_per_day) == 3.0
    assert scenario.incumbent.model == "gpt-6-sol"
    assert scenario.title == "gpt-6-sol as used, the rest from the bundled scenario"
    assert run("compare", "--usage", part, "--draws", "0").exit_code == 0


def test_over_the_bundled_scenario_a_part_of_its_own_model_takes_nothing_of_its_quality(part, scored, tmp_path):
    """The bundled scores are of the example's task, whichever model the log names; a file's own, and --quality's, stay."""
    found, none = load_scenario(None, part=part), Workload(requests_per_day=1, input_tokens=1, output_tokens=1)
    assert found.quality == Quality()
    assert found.workload.growth_per_year == none.growth_per_year
    mine = tmp_path / "mine.yaml"
    mine.write_text(template("bundled"), encoding="utf-8")
    assert "gpt-6-luna" in load_scenario(mine, part=part).quality.scores
    assert list(load_scenario(None, part=part, quality=scored).quality.scores) == ["gpt-6-luna"]


@pytest.mark.full
def test_that_nothing_is_taken_of_the_bundled_quality_is_said(part, scored):
    answer = run("compare", "--usage", part, "--draws", "0")
    assert "No other model is scored: quality.scores, or --quality." in " ".join(answer.stdout.split())
    assert "DO NOW Stay on gpt-6-sol" in " ".join(answer.stdout.split())
    assert "without its growth, peak, scores, bar and price of wrong answers, which are of another task" in answer.stderr
    assert "which are of another task" not in run("compare", "--usage", part, "--quality", scored, "--draws", "0").stderr


@pytest.fixture
def scored(tmp_path):
    """A part of `roi quality`."""
    quality = tmp_path / "quality.yaml"
    quality.write_text("schema: roi.quality-part/1\nquality:\n  bar: 0.9\n  scores: {gpt-6-luna: 0.95}\n", encoding="utf-8")
    return quality


def test_lengths_and_their_means_take_each_others_place():
    data = {"workload": {"requests_per_day": 5, "lengths": [1], "hourly_weights": [1] * 24}, "incumbent": {"model": "a"}}
    overlay(data, {"workload": {"input_tokens": 10, "output_tokens": 2, "peak_to_mean": 3}})
    assert data["workload"] == {"requests_per_day": 5, "input_tokens": 10, "output_tokens": 2, "peak_to_mean": 3}
    overlay(data, {"workload": {"lengths": [2]}})
    assert data["workload"] == {"requests_per_day": 5, "lengths": [2], "peak_to_mean": 3}


def test_a_list_price_takes_the_place_of_no_bill_that_was_paid():
    """A token-only export's bill is its list price, all of whose gap is volume; a reported one replaces what was stated."""
    told: list[str] = []
    listed = {"incumbent": {"model": "m", "bill_usd_per_month": 9.0, "bill_is_volume_share": 1.0}}
    for stated, part, bill in (({"bill_usd_per_month": 5.0}, listed, 5.0), ({}, listed, 9.0),
                               ({"bill_usd_per_month": 5.1, "bill_is_volume_share": 1.0}, listed, 9.0),
                               ({"bill_usd_per_month": 5.0}, {"incumbent": {"model": "m", "bill_usd_per_month": 7.0}}, 7.0)):
        data = {"incumbent": {"model": "m", **stated}}
        laid = overlay(data, part, told.append)
        assert data["incumbent"]["bill_usd_per_month"] == bill
        assert ("incumbent.bill_usd_per_month" in laid) == (bill != 5.0)
    assert len(told) == 1
    assert "stays as stated" in told[0]


@pytest.mark.parametrize(("stated", "laid", "share"), [
    ({"bill_usd_per_month": 9.0, "bill_is_volume_share": 1.0}, {"bill_usd_per_month": 7.0}, None),
    ({"bill_usd_per_month": 9.0, "bill_is_volume_share": 1.0}, {"bill_usd_per_month": 7.0, "bill_is_volume_share": 0.0}, 0.0),
    ({"bill_usd_per_month": 9.0, "bill_is_volume_share": 0.25}, {"bill_usd_per_month": 7.0}, 0.25),
    ({"bill_usd_per_month": 9.0, "bill_is_volume_share": 1.0}, {}, 1.0),
])
def test_a_paid_bill_in_the_place_of_a_list_price_has_none_of_its_split(stated, laid, share):
    """That all of a list price's gap is volume says nothing of a bill; what was stated of a paid one stays."""
    data = {"incumbent": {"model": "m", **stated}}
    overlay(data, {"incumbent": {"model": "m", **laid}})
    assert data["incumbent"].get("bill_is_volume_share") == share
    assert data["incumbent"]["bill_usd_per_month"] == laid.get("bill_usd_per_month", 9.0)


def test_terms_of_another_model_go_with_it():
    """A discount on the old incumbent says nothing about the new one; the same model keeps its terms."""
    data = {"workload": {}, "incumbent": {"provider": "openai", "model": "a", "discount": 0.2}}
    overlay(data, {"incumbent": {"provider": "openai", "model": "a", "uses_cache": True}})
    assert data["incumbent"]["discount"] == 0.2
    overlay(data, {"incumbent": {"provider": "openai", "model": "b"}})
    assert data["incumbent"] == {"provider": "openai", "model": "b"}


def test_what_a_scenario_says_of_an_old_incumbent_goes_with_it():
    """Cascades that end in it, levers on it and its prices too; what it says of candidates stays."""
    data = {
        "incumbent": {"provider": "openai", "model": "a"}, "apis": {"openai/a": {}, "openai/c": {}},
        "quality": {"scores": {"a": 0.9, "c": 0.8, "c > a": 0.9, "a+shorter-prompt": 0.9}, "escalated": {"c": 0.1},
                    "kept_error_rate": {"c": 0.1}, "escalated_error_rate": {"c": 0.2}},
        "candidates": {"cascade_first": ["openai/c"], "flexible_tier": {"share": 0.1}, "shorter_prompt": {"prefix_tokens": 5}},
    }  # fmt: skip
    overlay(data, {"incumbent": {"provider": "openai", "model": "b"}})
    assert data["quality"] == {"scores": {"c": 0.8}, "escalated": {"c": 0.1}, "kept_error_rate": {"c": 0.1}}
    assert data["apis"] == {"openai/c": {}}
    assert data["candidates"] == {"cascade_first": ["openai/c"], "shorter_prompt": {"prefix_tokens": 5}}


@pytest.mark.parametrize(("text", "said"), [
    ("workload: {}\n", "is no part written by roi usage --output"),
    ("schema: roi.usage-part/1\nquality: {}\n", "quality is not part of roi.usage-part/1"),
    ("schema: roi.usage-part/1\nas_of: 5\n", "as_of: 5 is not usable"),
    ("schema: roi.usage-part/1\nas_of: 2026-13-45\n", "as_of: '2026-13-45' is not usable"),
])
def test_another_file_is_no_part(tmp_path, text, said):
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_part(file)
    answer = run("compare", "--usage", file)
    assert answer.exit_code == 2
    assert answer.stderr.count("\n") == 1


def test_records_in_the_place_of_a_part_are_sent_to_the_command_that_reads_them(tmp_path):
    file = tmp_path / "export.csv"
    file.write_text("Timestamp,Model,Prompt Tokens\n2026-11-20,a,5\n", encoding="utf-8")
    answer = run("compare", "--usage", file)
    assert answer.exit_code == 2
    assert f"--usage: {file}: records of usage and no part of a scenario" in answer.stderr
    assert f"roi usage {file} --output part.yaml" in answer.stderr


@pytest.mark.parametrize("given", [(), (ROOT / "examples" / "tickets.yaml",)])
def test_a_log_of_ones_own_columns_is_sent_there_with_their_names_and_the_scenario_is_kept(tmp_path, given):
    file = tmp_path / "mylog.csv"
    file.write_text("when,tok_in,tok_out\n2026-11-20,5,6\n", encoding="utf-8")
    answer = run("compare", *given, "--usage", file)
    named = f"roi usage {file} --map time=COLUMN --map input=COLUMN --map output=COLUMN --output part.yaml"
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.endswith(f"{named}, then roi compare {''.join(f'{each} ' for each in given)}--usage part.yaml\n")
    file.write_text("Timestamp,Model,Prompt Tokens\n2026-11-20,a,5\n", encoding="utf-8")
    known = run("compare", *given, "--usage", file).stderr
    assert f"roi usage {file} --output part.yaml, then roi compare {''.join(f'{each} ' for each in given)}--usage" in known


@pytest.mark.full
def test_a_saved_comparison_takes_no_usage(tmp_path, part):
    saved = tmp_path / "saved.json"
    assert run("compare", "--draws", "0", "--format", "json", "--output", saved).exit_code == 0
    answer = run("compare", saved, "--usage", part)
    assert answer.exit_code == 2
    assert "--usage changes a scenario" in answer.stderr


def test_the_example_gives_the_committed_part(tmp_path, monkeypatch):
    """README compares with examples/part.yaml."""
    monkeypatch.chdir(ROOT)
    out = tmp_path / "part.yaml"
    assert run("usage", "examples/openai_export.csv", "--output", out, "--tasks", "0").exit_code == 0
    assert out.read_text(encoding="utf-8") == (ROOT / "examples" / "part.yaml").read_text(encoding="utf-8")


def test_the_example_is_what_its_script_makes():
    """Whole numbers from whole numbers: another machine gives the same file."""
    from make_usage_example import HEADER, rows

    lines = EXPORT.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(HEADER)
    assert lines[1:] == [",".join(str(cell) for cell in row) for row in rows()]


@pytest.mark.full
def test_the_estimate_from_the_part_is_what_was_spent(tmp_path):
    """The example spends 1,414 USD a month on gpt-6-sol at list price; the scenario, told only the part, bills it within 2%.

    It bills each miss of the 1,024-token prefix as a cache write at 2.5 instead of 2 USD, which the export says was free.
    """
    out = tmp_path / "part.yaml"
    assert run("usage", EXPORT, "--output", out, "--tasks", "0").exit_code == 0
    spent = json.loads(run("usage", EXPORT, "--tasks", "0", "--format", "json").stdout)
    per_month = next(m["list_usd"] for m in spent["by_model"] if m["model"] == "gpt-6-sol") / 63 * 365 / 12
    still = ("--set", "workload.growth_per_year=0", "--set", "quality.usd_per_error=0")
    answer = json.loads(run("compare", "--usage", out, "--draws", "0", "--format", "json", *still).stdout)
    stay = next(option for option in answer["options"] if option["id"] == "stay")
    assert stay["monthly_usd"][0] == pytest.approx(per_month, rel=0.02)


CONSOLE = """usage_date_utc,model_version,usage_type,context_window,usage_input_tokens_no_cache,\
usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens
""" + "".join(f"2026-11-{day:02d},claude-haiku-4-5,standard,≤ 200k,1000000,200000,0,1800000,100000\n" for day in range(2, 12))
"""Days of 3 Mtok of input, 0.2 of them written at 1.25 USD and 1.8 read at 0.1, and 0.1 of output at 5: 1.93 USD a day."""


@pytest.mark.full
def test_what_is_cached_below_the_minimum_of_the_mean_is_billed_as_recorded(tmp_path):
    """1,000 requests a day, so 3,000 tokens each, of which 2,000 are cached where nothing below 4,096 is: 1.93 USD a day are
    58.70 a month; uncached they were 106.46."""
    export, out, mine = (tmp_path / name for name in ("console.csv", "part.yaml", "mine.yaml"))
    export.write_text(CONSOLE, encoding="utf-8")
    assert run("usage", export, "--requests-per-day", "1000", "--output", out, "--tasks", "0").exit_code == 0
    made = run("init", mine, "--usage", out)
    assert made.exit_code == 0, made.stderr
    told = run("compare", mine, "--set", "draws=0").stdout
    assert "Bill not checked: computed $59 in month 1" in told


def test_a_day_that_is_cut_off_makes_no_request_shorter(tmp_path):
    """1,000 requests a day: 3,000 tokens and 100 each, whether there is a day of three tenths of them after the ten or not."""
    cut = "2026-11-12,claude-haiku-4-5,standard,≤ 200k,300000,60000,0,540000,30000\n"
    for rows in (CONSOLE, CONSOLE + cut):
        (tmp_path / "console.csv").write_text(rows, encoding="utf-8")
        found = usage_answer(tmp_path / "console.csv", "--requests-per-day", "1000", "--tasks", "0")["workload"]
        assert (found["input_tokens"], found["output_tokens"]) == (pytest.approx(3000.0), pytest.approx(100.0))


@pytest.mark.parametrize(("at_once", "in_batch"), [
    ("gpt-4.1,openai,3000,0,0,300", "gpt-4.1,openai,6000,0,0,200"),
    ("gpt-4.1,openai,3000,0,0,300", "gpt-4.1,openai,900,0,0,90"),
    ("gpt-4.1,openai,3000,2048,0,300", "gpt-4.1,openai,6000,0,0,200"),
    ("claude-sonnet-5-5,anthropic,3000,1500,500,300", "claude-sonnet-5-5,anthropic,9000,1500,500,100"),
], ids=["longer", "shorter", "not cached", "cached too"])  # fmt: skip
def test_calls_in_batch_of_another_length_or_cache_cost_a_month_what_they_do_in_the_log(tmp_path, at_once, in_batch):
    """Sixteen of 48 calls of a day in batch. Of 4 x (3,000 x 2 + 300 x 8) + 2 x (6,000 x 2 + 200 x 8) = 60,800 millionths of a
    USD of six without batch 27,200 lie there, 0.447, not a third: half of that is saved, $0.0472 of six, $0.3776 a day.
    """
    log, out, rows = tmp_path / "log.csv", tmp_path / "part.yaml", []
    for hour in range(24):
        what, batch = (in_batch, "true") if hour % 3 == 0 else (at_once, "false")
        rows += [f"2026-10-05T{hour:02d}:{minute}:00Z,{what},{batch}\n" for minute in ("01", "59")]
    columns = "timestamp,model,provider,input_tokens,cached_tokens,cache_write_tokens,output_tokens,batch\n"
    log.write_text(columns + "".join(rows), encoding="utf-8")
    answer = run("usage", log, "--output", out, "--tasks", "0", "--format", "json")
    assert answer.exit_code == 0
    listed = json.loads(answer.stdout)["list_usd"]
    base = {"schema": "roi.scenario/1", "as_of": "2026-10-05", "draws": 0, "workload": {"growth_per_year": 0.0}}
    overlay(base, read_part(out))
    paid = compare(resolve(load_scenario(base)).case)
    [stay] = [o for o in paid.options if o.id == "stay"]
    if "gpt-4.1,openai,6000" in in_batch and "2048" not in at_once:
        assert listed == pytest.approx(8 * (60_800 - 27_200 / 2) / 1e6)
    assert sum(line.monthly_usd[0] for line in stay.lines if line.name.startswith("API")) == pytest.approx(
        listed * 365 / 12, rel=1e-4)
