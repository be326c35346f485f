"""`roi diff`: what changed, cause by cause, in every form; `roi check`: which limit broke, and by how much."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from asked import ask

from roi.answers.check import check_file
from roi.clock import today
from roi.scenario.yaml import dump_yaml, parse_yaml

TICKETS = """\
title: Tickets of Example Corp
as_of: 2026-11-24
draws: 128
workload: {requests_per_day: 40000, input_tokens: 900, output_tokens: 8}
incumbent: {provider: openai, model: gpt-6-sol}
quality: {usd_per_error: 0.02, scores: {gpt-6-sol: 0.94, gpt-6-luna: 0.93}}
candidates: {api_models: [openai/gpt-6-luna]}
"""
LUNA = "cheaper-api:openai/gpt-6-luna"
BUSINESS = Path(__file__).parents[1] / "answers" / "cases"
POLICY = """\
schema: roi.policy/1
saved: decision.json
verdict_unchanged: true
signposts_hold: true
monthly_cash_usd: {at_most: 500}
chance_to_beat_staying: {at_least: 0.8}
evidence_age_days: {at_most: 90}
facts: {workload.requests_per_day: {at_most: 100000}}
"""


def file(folder: Path, name: str, *changes: tuple[str, str], text: str = TICKETS) -> Path:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    return file(tmp_path, "a.yaml")


@pytest.fixture
def saved(tickets: Path) -> Path:
    path = tickets.with_name("decision.json")
    assert ask("compare", tickets, "--format", "json", "--output", path).exit_code == 0
    return path


@pytest.mark.full
def test_the_screen_tells_verdict_figures_and_causes(tmp_path: Path, tickets: Path) -> None:
    other = file(tmp_path, "b.yaml", ("40000", "60000"), ("luna: 0.93", "luna: 0.90"))
    result = ask("diff", tickets, other)
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if ".yaml" not in line)
    for told in ("The verdict stays: changing to gpt-6-luna.", "requests a day: 40,000 -> 60,000", "error rate of gpt-6-luna",
                 "volume", "quality", "before", "after"):
        assert told in result.stdout


def test_a_mean_over_draws_and_a_central_value_are_told_apart_and_without_draws_there_is_no_mean(tmp_path: Path) -> None:
    """The answers' NPV is the mean of the draws, the causes' that of the central values: two figures of one option."""
    for draws, said in (("128", "mean NPV, $"), ("0", "central NPV, $")):
        a, b = (file(tmp_path, name, ("draws: 128", f"draws: {draws}"), ("40000", volume))
                for name, volume in (("a.yaml", "40000"), ("b.yaml", "60000")))
        answers, _, causes = ask("diff", a, b, "--format", "markdown").stdout.partition("## gpt-6-luna")
        assert said in answers
        assert "central NPV, $" in causes
        assert ("mean NPV" in answers) == (draws != "0")


def test_json_parts_add_up_to_the_cent_and_groups_to_the_parts(tmp_path: Path, tickets: Path) -> None:
    other = file(tmp_path, "b.yaml", ("40000", "60000"), ("luna: 0.93", "luna: 0.90"))
    found = json.loads(ask("diff", tickets, other, "--format", "json").stdout)
    assert (found["schema"], found["changed"], found["method"]) == ("roi.diff/1", True, "shapley")
    assert [(c["group"], c["name"], c["moved"]) for c in found["causes"]] == [
        ("volume", "requests a day", "40,000 -> 60,000"), ("quality", "error rate of gpt-6-luna", "7% -> 10%"),
    ]  # fmt: skip
    for each in found["figures"]:
        change = round(100 * (each["now_usd"] - each["was_usd"]))
        for parts in (each["parts_usd"] + [each["version_usd"]], each["groups_usd"].values()):
            assert sum(round(100 * x) for x in parts) == change


def test_an_option_that_is_no_longer_tested_is_told_so_with_its_mean_npv(tmp_path: Path) -> None:
    """93% on 400 items and on 20, fewer than the 100 of a test; on cash no central value moves, but more draws miss the bar."""
    usd = "template: classification\nquality: {bar: 0.9, scores: "
    text = TICKETS.replace("quality: {usd_per_error: 0.02, scores: ", usd)
    tested, few = (file(tmp_path, f"{items}.yaml", ("luna: 0.93", f"luna: {{value: 0.93, items: {items}}}"), text=text)
                   for items in (400, 20))
    shown = " ".join(ask("diff", tested, few).stdout.split())
    assert "quality alone. gpt-6-luna is no longer tested." in shown
    assert "gpt-6-luna At the central values unchanged. Mean NPV of the draws, $: " in shown
    assert "Answers: tested -> few tested." in shown
    assert "without effect on these central values error rate of gpt-6-luna" in shown
    assert "gpt-6-luna is tested now." in " ".join(ask("diff", few, tested).stdout.split())


def test_a_flag_is_told_by_yes_and_no_also_where_one_side_has_none(tmp_path: Path) -> None:
    """gpt-4o ends 51 days on: another API is live by then where nobody states its months; staying is a choice."""
    left_out = file(tmp_path, "a.yaml", ("model: gpt-6-sol", "model: gpt-4o"))
    stated = file(tmp_path, "b.yaml", ("model: gpt-6-sol", "model: gpt-4o, may_stay: false"),
                  text=f"{TICKETS}timing: {{months_to_live: {{api: 2}}}}\n")
    causes = json.loads(ask("diff", left_out, stated, "--format", "json").stdout)["causes"]
    moved = {c["name"]: c["moved"] for c in causes}
    assert moved["live by the end of today's model, another API model"] == "yes -> no"
    assert moved["may stay (incumbent)"] == "yes -> no"


def test_scores_that_lose_their_items_are_told_to_count_as_exact(tmp_path: Path) -> None:
    counted = file(tmp_path, "a.yaml", ("gpt-6-luna: 0.93", "gpt-6-luna: {value: 0.93, items: 300}"))
    exact = file(tmp_path, "b.yaml")
    told = "The score of gpt-6-luna counts as exact now: on how many items is no longer said."
    assert told in " ".join(ask("diff", counted, exact).stdout.split())
    back = " ".join(ask("diff", exact, counted).stdout.split())
    assert "The score of gpt-6-luna counts as uncertain now, by the items that are said." in back
    assert "counts as exact" not in back


def test_scores_that_an_evaluation_said_and_nobody_says_now_are_assumed(tmp_path: Path) -> None:
    """The part is laid over scenarios alone; without it a check of what was decided on it breaks, whatever the verdict."""
    bare = file(tmp_path, "bare.yaml", (", scores: {gpt-6-sol: 0.94, gpt-6-luna: 0.93}", ""))
    scores = "quality: {scores: {gpt-6-sol: {value: 0.94, items: 300}, gpt-6-luna: {value: 0.93, items: 300}}}"
    part = file(tmp_path, "part.yaml", text=f"schema: roi.quality-part/1\n{scores}\n")
    decided = tmp_path / "decided.json"
    assert ask("compare", bare, "--quality", part, "--output", decided).exit_code == 0
    told = " ".join(ask("diff", decided, bare).stdout.split())
    assert "The score of each of gpt-6-luna, gpt-6-sol counts as assumed now: nothing measured is said (--quality)." in told
    assert "The score of each of gpt-6-luna, gpt-6-sol counts as measured now, and was assumed." in " ".join(
        ask("diff", bare, decided).stdout.split())
    assert "Nothing changed" in ask("diff", decided, bare, "--quality", part).stdout
    lost = ask("check", bare, "--saved", decided)
    assert lost.exit_code == 3
    assert ("scores measured, as saved: asked measured, found assumed (gpt-6-sol, gpt-6-luna) (the saved decision rests on"
            " them: --quality, or quality.scores)") in " ".join(lost.stdout.split())
    assert "gpt-6" not in ask("check", bare, "--saved", decided, "--redact").stdout
    held = ask("check", bare, "--saved", decided, "--quality", part)
    assert (held.exit_code, "scores measured" in held.stdout) == (0, False)
    assert "--quality: without effect: both are saved" in ask("diff", decided, decided, "--quality", part).stderr


def test_cash_of_staying_is_that_of_the_screen(tmp_path: Path) -> None:
    """Of the months in which the challenger would serve alone, as where an option is recommended it is of its own."""
    few = file(tmp_path, "few.yaml", ("40000", "300, growth_per_year: 0.5"))
    other = file(tmp_path, "other.yaml", ("40000", "310, growth_per_year: 0.5"))
    answer = json.loads(ask("compare", few, "--format", "json").stdout)
    assert answer["recommended"] == "stay"
    of = {o["id"]: o for o in answer["options"]}
    month = of[LUNA]["staying_cash_monthly_usd"]
    assert month > of["stay"]["cash_monthly_usd"]
    assert f"{month:,.2f}" in next(line for line in ask("diff", few, other).stdout.splitlines() if line.startswith("before: "))
    found = json.loads(ask("diff", few, other, "--format", "json").stdout)
    assert found["a"]["cash_monthly_usd"] == pytest.approx(month)


def test_a_list_price_names_the_rates_that_moved(tmp_path: Path, tickets: Path) -> None:
    """$0.10 and $0.50 a million: with one of them moved it is named, with both each is told with its move."""
    def told(rates: str) -> str:
        other = file(tmp_path, "b.yaml", text=f"{TICKETS}apis: {{openai/gpt-6-luna: {{{rates}}}}}\n")
        found = json.loads(ask("diff", tickets, other, "--format", "json").stdout)["causes"]
        return next(f"{c['name']}: {c['moved']}" for c in found if c["what"] == "list price")

    name = "list price of openai/gpt-6-luna"
    both = told("input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.75")
    assert both == f"{name}, input and output: $0.10/Mtok -> $0.15/Mtok, $0.50/Mtok -> $0.75/Mtok"
    assert told("input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.5").startswith(f"{name}, input")
    assert told("input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.75").endswith(": $0.50/Mtok -> $0.75/Mtok")


def test_a_mean_that_goes_another_way_than_its_central_value_is_told_with_what_makes_it(tmp_path: Path) -> None:
    """Requests up, so that each draw that reaches the bar saves more, and 92.5% right -> 91.5%: fewer of them reach 90%."""
    text = TICKETS.replace("{usd_per_error: 0.02, scores: ", "{bar: 0.9, usd_per_error: 0.001, scores: ")
    scored = ("luna: 0.93", "luna: {value: 0.925, items: 400}")
    before = file(tmp_path, "a.yaml", scored, text=text)
    after = file(tmp_path, "b.yaml", scored, ("40000", "42000"), ("0.925", "0.915"), text=text)
    shown, found = (ask("diff", before, after, "--format", form).stdout for form in ("table", "json"))
    was, now = (json.loads(found)[side]["chance_to_reach_bar"] for side in "ab")
    assert was > 0.9
    assert now < 0.9
    npv = next(f for f in json.loads(found)["figures"] if (f["option"], f["figure"]) == (LUNA, "npv_usd"))
    assert npv["now_usd"] > npv["was_usd"]
    assert f"Chance to reach the bar: {was:.0%} -> {now:.0%}. A draw that misses it loses" in " ".join(shown.split())
    wider = file(tmp_path, "c.yaml", ("requests_per_day: 40000", "requests_per_day: {value: 40000, low: 9000, high: 900000}"))
    exact = " ".join(ask("diff", file(tmp_path, "d.yaml"), wider).stdout.split())
    assert "Spread that moved: requests a day." in exact


@pytest.mark.full
def test_what_an_evaluation_counted_belongs_to_the_error_rate_of_its_system(tmp_path: Path) -> None:
    """Answers judged on the same items are drawn by several facts of a system: one cause each system, none named by a path."""
    paired = "luna: {value: 0.93, items: 400, paired: {both_right: 364, only_incumbent: 12, only_this: 8, both_wrong: 16}}"
    both = file(tmp_path, "both.yaml", ("sol: 0.94", "sol: {value: 0.94, items: 400}"), ("luna: 0.93", paired))
    causes = json.loads(ask("diff", file(tmp_path, "one.yaml"), both, "--format", "json").stdout)["causes"]
    assert {c["name"] for c in causes if c["what"] == "error rate"} <= {"error rate of gpt-6-sol", "error rate of gpt-6-luna"}
    assert len([c for c in causes if c["of"] == "gpt-6-luna"]) == 1


def test_values_that_print_alike_are_told_apart(tmp_path: Path, tickets: Path) -> None:
    """7.00% and 6.96% of the answers are wrong."""
    other = file(tmp_path, "b.yaml", ("luna: 0.93", "luna: 0.9304"))
    found = json.loads(ask("diff", tickets, other, "--format", "json").stdout)
    assert [(c["name"], c["moved"]) for c in found["causes"]] == [("error rate of gpt-6-luna", "7% -> 6.96%")]


def test_a_cache_that_is_switched_on_is_told_in_words(tmp_path: Path) -> None:
    """5% of 1,500 tokens read at $0.20/M, the rest written at $2.50/M: on, it costs more than it saves."""
    prefix = ("output_tokens: 8", "output_tokens: 8, shared_prefix_tokens: 1500, cache_hit_rate: 0.05"), ("900", "2000")
    off = file(tmp_path, "off.yaml", *prefix)
    on = file(tmp_path, "on.yaml", *prefix, ("model: gpt-6-sol", "model: gpt-6-sol, uses_cache: true"))
    told = " ".join(ask("diff", off, on).stdout.split())
    assert "what gpt-6-sol is: cache off -> cache on +" in told


def test_a_price_to_come_is_no_list_price_of_today(tmp_path: Path, tickets: Path) -> None:
    """gpt-6-sol asks $2 a million in; $4 is what it will ask from March on."""
    terms = "{openai/gpt-6-sol: {announced: [{from_date: 2027-03-01, price_ratio: 2}]}}"
    other = file(tmp_path, "b.yaml", text=f"{TICKETS}apis: {terms}\n")
    found = ask("diff", tickets, other).stdout
    told = "announced price of openai/gpt-6-sol from 2027-03-01 on, all rates: none -> $4/Mtok, none -> $20/Mtok"
    assert told in " ".join(found.split())
    later = file(tmp_path, "c.yaml", text=f"{TICKETS}apis: {terms.replace('2027-03-01', '2027-06-01')}\n")
    found = ask("diff", other, later).stdout
    assert "announced price of openai/gpt-6-sol from 2027-03-01 -> 2027-06-01 on" in " ".join(found.split())


def test_a_verdict_that_turns_is_laid_at_the_group_that_does_it(tmp_path: Path, tickets: Path) -> None:
    other = file(tmp_path, "b.yaml", ("40000", "300"), ("title: Tickets", "title: The tickets"))
    found = json.loads(ask("diff", tickets, other, "--format", "json").stdout)
    assert found["verdict"]["by"] == ["volume"]
    told = "The verdict turns from changing to gpt-6-luna to staying with gpt-6-sol: volume alone."
    assert found["verdict"]["sentence"] == told
    assert (found["a"]["recommended"], found["b"]["recommended"]) == (LUNA, "stay")


@pytest.mark.full
def test_answers_of_two_titles_are_told_to_be_two_tasks(tmp_path: Path, tickets: Path, saved: Path) -> None:
    other = file(tmp_path, "d.yaml", ("Tickets of Example Corp", "Mails of Example Corp"), ("40000", "50000"))
    told = "These are two tasks by their titles: 'Tickets of Example Corp' and 'Mails of Example Corp'."
    assert told in " ".join(ask("diff", tickets, other).stdout.split())
    assert json.loads(ask("diff", tickets, other, "--format", "json").stdout)["warnings"][0] == told
    assert "two tasks by their titles." in ask("diff", tickets, other, "--redact").stdout
    same = file(tmp_path, "e.yaml", ("40000", "50000"))
    assert "two tasks" not in ask("diff", tickets, same).stdout
    assert told in " ".join(ask("check", other, "--saved", saved, "--format", "markdown").stdout.split())
    assert json.loads(ask("check", other, "--saved", saved, "--format", "json").stdout)["warnings"][0] == told
    redacted = ask("check", other, "--saved", saved, "--redact").stdout
    assert ("two tasks by their titles." in redacted, "Mails" in redacted) == (True, False)
    assert "two tasks" not in ask("check", same, "--saved", saved).stdout


@pytest.mark.full
def test_nothing_changed_is_said_and_redacted_forms_tell_no_name_or_rate(tmp_path: Path, tickets: Path) -> None:
    same = ask("diff", tickets, file(tmp_path, "b.yaml"))
    assert "Nothing changed" in same.stdout
    other = file(tmp_path, "c.yaml", text=TICKETS + "people: {usd_per_hour: 77}\n")
    for form in ("table", "markdown", "json"):
        shown = ask("diff", tickets, other, "--redact", "--format", form).stdout
        assert "cost of an engineer hour" in shown
        assert not any(name in shown for name in ("Example Corp", "gpt-6", "luna", "openai", "$77", "77/hour", "77.0"))
    page = tmp_path / "page.html"
    assert ask("diff", tickets, other, "--redact", "--html", page).exit_code == 0
    assert "Example Corp" not in page.read_text()
    assert "gpt-6" not in page.read_text()


def test_a_saved_comparison_is_replayed_and_what_the_program_changed_is_a_line_of_its_own(tickets: Path, saved: Path) -> None:
    data: dict[str, Any] = json.loads(saved.read_text())
    luna = next(o for o in data["options"] if o["id"] == LUNA)
    luna["npv_usd"] -= 1000.0
    data |= {"roi_version": "0.0.1", "recommended": "stay"}
    saved.write_text(json.dumps(data))
    found = json.loads(ask("diff", saved, tickets, "--format", "json").stdout)
    npv = next(f for f in found["figures"] if (f["option"], f["figure"]) == (LUNA, "npv_usd"))
    assert npv["version_usd"] == pytest.approx(1000.0, abs=0.011)
    assert (npv["now_usd"] - npv["was_usd"], found["causes"]) == (pytest.approx(npv["version_usd"]), [])
    assert (found["a"]["roi_version"], found["verdict"]["by"]) == ("0.0.1", ["version of roi"])
    assert "version of roi" in ask("diff", saved, tickets).stdout


def test_an_edited_saved_comparison_is_told_by_diff_and_by_check(tickets: Path, saved: Path) -> None:
    """Its figures, which diff would tell as before; and a signpost, which check would hold the answer of today against."""
    data: dict[str, Any] = json.loads(saved.read_text())
    assert ask("diff", saved, tickets).stderr == ""
    next(o for o in data["options"] if o["id"] == LUNA)["expected_npv_usd"] = 999_999.0
    post = next(s for s in data["signposts"] if s["threshold"] is not None)
    post["threshold"] *= 2.0
    saved.write_text(json.dumps(data))
    assert f"expected_npv_usd of {LUNA} 999,999.00 in the file" in ask("diff", saved, tickets).stderr
    check = ask("check", tickets, "--saved", saved)
    assert "2 of the " in check.stderr
    assert check.exit_code == 3
    assert "saved comparison unedited: asked yes, found edited (its answer)" in " ".join(check.stdout.split())
    alone = ask("check", saved, "--redact")
    assert (alone.exit_code, "FILE unedited" in alone.stdout, saved.name in alone.stdout) == (3, True, False)


@pytest.mark.full
def test_one_file_is_compared_on_two_days(tickets: Path, saved: Path) -> None:
    for given in (tickets, saved):
        result = ask("diff", given, "--as-of", "2026-11-20", "--format", "json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["b"]["as_of"] == "2026-11-20"
    both = json.loads(ask("diff", tickets, "--as-of", "2026-11-20", "--as-of", "2026-11-22", "--format", "json").stdout)
    assert (both["a"]["as_of"], both["b"]["as_of"]) == ("2026-11-20", "2026-11-22")


def test_what_cannot_be_compared_is_one_message(tmp_path: Path, tickets: Path, saved: Path) -> None:
    others = (("model: gpt-6-sol", "model: gpt-5.4"), ("openai/gpt-6-luna", "anthropic/claude-haiku-5-5"),
              ("gpt-6-sol: 0.94, gpt-6-luna: 0.93", "gpt-5.4: 0.9"))
    apart = file(tmp_path, "b.yaml", *others)
    data = json.loads(saved.read_text())
    old = file(tmp_path, "old.json", text=json.dumps({**data, "schema": "roi.comparison/9"}))
    data["case"]["people.usd_per_hour"]["unit"] = "EUR/hour"
    euro = file(tmp_path, "euro.json", text=json.dumps(data))
    bad = {
        ("diff", tickets, apart): "have nothing in common",
        ("diff", tickets, old): "'roi.comparison/9' cannot be replayed",
        ("diff", tickets, euro): "'EUR/hour' is not usable; all amounts are in USD",
        ("diff", tickets, file(tmp_path, "e.yaml", text="currency: EUR\n" + TICKETS)): "currency: 'EUR' is not usable",
        ("diff", tickets): "A second file, or --as-of DAY",
        ("diff", saved, saved, "--as-of", "2026-11-20"): "without effect",
        ("diff", tickets, *("--as-of", "2026-11-24") * 3): "given 3 times",
        ("diff", tickets, "--as-of", "tomorrow"): "--as-of: 'tomorrow' is no day; write it as 2026-11-24",
        ("diff", tickets, tmp_path / "missing.yaml"): "cannot be read",
    }  # fmt: skip
    for args, told in bad.items():
        result = ask(*args)
        assert (result.exit_code, result.stdout) == (2, ""), args
        assert told in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.full
def test_a_policy_that_holds_exits_0_and_one_that_breaks_exits_3(tmp_path: Path, tickets: Path, saved: Path) -> None:
    """At 300 requests a day staying is recommended, luna's volume lies below what it was to stay above: two rules break."""
    assert saved.is_file()
    policy = file(tmp_path, "policy.yaml", text=POLICY)
    fine = ask("check", tickets, policy, "--as-of", "2026-11-24")
    assert fine.exit_code == 0, fine.stdout + fine.stderr
    assert "rules hold." in fine.stdout
    assert "lies ahead" not in fine.stdout
    ahead = today() + timedelta(days=1)
    assert f"{ahead} lies ahead: prices, rents and ends of models are those known on {today()}." in " ".join(
        ask("check", tickets, policy, "--as-of", ahead.isoformat()).stdout.split())
    small = file(tmp_path, "b.yaml", ("40000", "300"))
    result = ask("check", small, policy, "--as-of", "2026-11-24", "--format", "json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["schema"], found["holds"]) == (3, "roi.check/1", False)
    broken = {rule["name"]: rule for rule in found["rules"] if not rule["holds"]}
    assert set(broken) == {"verdict_unchanged", f"signposts.{LUNA}.requests_per_day", "signposts.requests_per_day"}
    post = broken[f"signposts.{LUNA}.requests_per_day"]
    assert post["over"] == pytest.approx(post["limit"] - 300)
    assert post["side"] == "above"
    assert ask("check", small, "--saved", saved).exit_code == 3
    assert ask("check", tickets, "--saved", saved).exit_code == 0


@pytest.mark.parametrize(("fact", "said"), [
    ("workload.ttft_p95_s=2", "MEASURE FIRST, time gpt-6-luna"),
    ("quality.scores={gpt-6-luna: 0.93}", "nobody scored gpt-6-sol, how often it answers wrong is assumed (quality.scores)"),
    ("quality.bar=0.5", None),
])
def test_a_check_that_holds_says_what_no_rule_asks_and_compare_tells(tickets: Path, fact: str, said: str | None) -> None:
    """The exit code is that of the rules."""
    told, as_json = (ask("check", tickets, "--set", fact, *how) for how in ((), ("--format", "json")))
    assert (told.exit_code, as_json.exit_code) == (0, 0)
    assert json.loads(as_json.stdout)["remarks"] == [said] * (said is not None)
    assert (f"No rule asks this (roi compare): {said}." in " ".join(told.stdout.split())) is (said is not None)


def test_a_signpost_that_is_passed_says_that_the_advice_is_unchanged_where_it_is(tmp_path: Path) -> None:
    """Both cost the same at the central values; luna must save on average and in 60% of the draws, which takes more calls."""
    small = file(tmp_path, "small.yaml", ("40000", "{value: 300, low: 100, high: 400}"))
    saved = tmp_path / "small.json"
    assert ask("compare", small, "--output", saved).exit_code == 0
    post = next(s for s in json.loads(saved.read_text())["signposts"]
                if (s["option"], s["quantity"]) == (LUNA, "requests_per_day"))
    assert post["direction"] == "above"
    at = post["threshold"]
    for value, unchanged in ((1.02 * at, True), (5 * at, False)):
        grown = file(tmp_path, "grown.yaml", ("40000", f"{{value: {value}, low: {0.3 * value}, high: {1.3 * value}}}"))
        result = ask("check", grown, "--saved", saved)
        told = " ".join(result.stdout.split())
        assert result.exit_code == 3
        assert "(at that threshold both cost the same, at the central values" in told
        assert ("the advice, which goes by means and chances, is unchanged" in told) is unchanged
        assert ("verdict unchanged: asked" in told) is not unchanged
    near, fewer = (file(tmp_path, name, ("40000", f"{{value: {by * at}, low: {0.3 * by * at}, high: {1.3 * by * at}}}"))
                   for name, by in (("near.yaml", 1.02), ("fewer.yaml", 0.9)))
    assert ask("compare", near, "--output", saved, "--force").exit_code == 0  # staying is advised, though it costs more there
    result = ask("check", fewer, "--saved", saved)
    assert (result.exit_code, "All" in result.stdout) == (0, True)  # with fewer calls it costs less


@pytest.mark.full
def test_a_rule_on_the_npv_says_in_sentence_and_table_that_it_is_of_cash_alone(tmp_path: Path) -> None:
    """Nobody said what a wrong answer costs, so that the verdict counts cash. 6% wrong against 5% is 1 point."""
    tickets = Path(__file__).parents[2] / "roi" / "scenario" / "templates" / "classification.yaml"
    policy = file(tmp_path, "policy.yaml", text="expected_npv_usd: {at_least: 10000000}\nwrong_answers: {at_most: 0.05}\n")
    told = ask("check", tickets, policy, "--set", "draws=256", "--format", "markdown").stdout
    assert "mean NPV on cash alone: asked at least" in told
    assert "| **mean NPV on cash alone** |" in told
    assert "off by 1 point." in told


@pytest.mark.full
@pytest.mark.parametrize(("a_day", "code"), [(4500, 0), (3500, 3)])
def test_a_volume_at_which_the_advice_turns_is_passed_before_central_values_turn(tmp_path: Path, a_day: int, code: int) -> None:
    """From 4,180 requests a day down staying is advised, by means and chances; central values turn at 2,970 alone."""
    saved, tickets = tmp_path / "saved.json", Path(__file__).parents[2] / "examples" / "tickets.yaml"
    assert ask("compare", tickets, "--output", saved).exit_code == 0
    policy = file(tmp_path, "policy.yaml", text=f"saved: {saved}\nsignposts_hold: true\n")
    result = ask("check", tickets, policy, "--set", f"workload.requests_per_day={a_day}", "--format", "json")
    rules = {rule["name"]: rule for rule in json.loads(result.stdout)["rules"] if not rule["holds"]}
    assert (result.exit_code, set(rules)) == (code, {"signposts.requests_per_day"} if code else set())
    if code:
        rule = rules["signposts.requests_per_day"]
        assert (rule["limit"], rule["side"]) == (pytest.approx(4184, rel=0.05), "above")
        assert rule["sentence"].startswith("advice: requests a day: asked above 4,")


@pytest.mark.full
@pytest.mark.parametrize(("rent", "code"), [(0.6, 0), (1.2, 0), (2.0, 3)])
def test_rents_at_which_the_advice_turns_are_passed_before_central_values_turn(tmp_path: Path, rent: float, code: int) -> None:
    """With rents 1.83 times as high, $1.28 where it was $0.70, a floor with spill is advised; staying is cheaper above $6."""
    saved, tickets = tmp_path / "saved.json", Path(__file__).parents[2] / "examples" / "tickets.yaml"
    asked = [each for text in (
        "candidates={self_hosted: [qwen3-8b], cascade_first: [], vendors: [us]}", "workload.requests_per_day=300000",
        "draws=256",
        "quality.scores={gpt-6-sol: 0.92, qwen3-8b: 0.91, qwen3-8b+lora: 0.92}",
        "gpu_rents=[{gpu: RTX-4090, vendor: us, usd_per_gpu_hour: 0.7}]") for each in ("--set", text)]
    assert ask("compare", tickets, *asked, "--output", saved).exit_code == 0
    policy = file(tmp_path, "policy.yaml", text=f"saved: {saved}\nsignposts_hold: true\n")
    dearer = [text.replace("0.7}]", f"{rent}}}]") for text in asked]
    result = ask("check", tickets, policy, *dearer, "--format", "json")
    rules = {rule["name"]: rule for rule in json.loads(result.stdout)["rules"] if not rule["holds"]}
    assert (result.exit_code, set(rules)) == (code, {"signposts.usd_per_gpu_hour"} if code else set())
    if code:
        rule = rules["signposts.usd_per_gpu_hour"]
        assert (rule["limit"], rule["side"], rule["found"]) == (pytest.approx(1.83 * 0.7, rel=0.02), "below", rent)
        assert rule["sentence"].startswith("advice: rent of a GPU hour, all alike: asked below $1.2")


@pytest.mark.full
def test_without_draws_no_means_and_chances_are_named(tmp_path: Path) -> None:
    saved, tickets = tmp_path / "saved.json", Path(__file__).parents[2] / "examples" / "tickets.yaml"
    assert ask("compare", tickets, "--set", "draws=0", "--output", saved).exit_code == 0
    few, many = (" ".join(ask("check", tickets, "--saved", saved, "--set", "draws=0",
                              "--set", f"workload.requests_per_day={a_day}").stdout.split()) for a_day in (100, 1_000_000_000))
    assert "off by 2,870 (beyond it another option is advised, at the central values)" in few
    assert "both cost the same, at the central values; the advice is unchanged)" in many
    assert "means and chances" not in few + many


def test_the_price_of_a_wrong_answer_that_the_advice_holds_for_is_a_signpost(tmp_path: Path, tickets: Path) -> None:
    """It stays on its side up to the price that the screen names; beyond it the advice is another, and the rule says why."""
    saved = tmp_path / "priced.json"
    assert ask("compare", tickets, "--output", saved).exit_code == 0
    near = json.loads(saved.read_text())["flips_between_usd_per_error"][0]
    for share, code in ((0.99, 0), (1.5, 3)):
        result = ask("check", tickets, "--saved", saved, "--set", f"quality.usd_per_error={share * near}", "--format", "json")
        rule = next(r for r in json.loads(result.stdout)["rules"] if r["name"] == "signposts.usd_per_error")
        assert (result.exit_code, rule["holds"], rule["side"]) == (code, code == 0, "below")
        assert (rule["limit"], rule["found"]) == (pytest.approx(near), pytest.approx(share * near))
        assert "advice: what a wrong answer costs: asked below" in rule["sentence"]
    hidden = ask("check", tickets, "--saved", saved, "--redact")
    assert f"{near:.3g}" not in hidden.stdout


@pytest.mark.full
def test_a_day_that_has_not_come_is_asked_for_by_its_option_alone(tmp_path: Path, tickets: Path) -> None:
    """What is announced for it may be asked; a scenario of it is a mistake, be the Case of the question kept already."""
    policy, day = file(tmp_path, "policy.yaml", text="evidence_age_days: {at_most: 99999}\n"), "2099-12-24"
    assert ask("check", tickets, policy, "--as-of", day).exit_code == 0
    assert ask("diff", tickets, "--as-of", day).exit_code == 0
    late = ask("check", tickets, policy, "--set", f"as_of={day}")
    assert (late.exit_code, f"as_of: '{day}' is not usable; a day up to today, " in late.stderr) == (2, True)


def test_evidence_grows_old_and_the_oldest_fact_is_named(tmp_path: Path, tickets: Path) -> None:
    policy = file(tmp_path, "policy.yaml", text="evidence_age_days: {at_most: 10}\n")
    result = ask("check", tickets, policy, "--as-of", "2026-11-26", "--format", "json")
    rule = next(r for r in json.loads(result.stdout)["rules"] if r["name"] == "evidence_age_days")
    assert result.exit_code == 3
    assert rule["over"] == rule["found"] - 10
    assert rule["about"].startswith("options.")


def test_an_npv_of_which_wrong_answers_are_no_part_is_called_as_on_the_screen(tmp_path: Path) -> None:
    """No own cards are given up, so that it is cash (docs/economics.md, 1.7); wrong answers, at a guessed price, count none."""
    policy = file(tmp_path, "policy.yaml", text="expected_npv_usd: {at_least: 1}\n")
    rules = check_file(None, policy, today=date(2026, 12, 1), overrides=("draws=64",)).rules
    assert [rule.about for rule in rules if rule.name == "expected_npv_usd"] == ["on cash alone"]


def test_a_limit_that_is_just_kept_is_not_printed_as_the_figure(tmp_path: Path, tickets: Path) -> None:
    policy = file(tmp_path, "policy.yaml", text="wrong_answers: {at_most: 0.07001}\n")
    row = next(line for line in ask("check", tickets, policy).stdout.splitlines() if line.startswith("wrong answers"))
    assert row.split()[2:] == ["at", "most", "7.001%", "7%", "holds"]


@pytest.mark.full
def test_each_limit_is_held_against_its_figure(tmp_path: Path, tickets: Path) -> None:
    told = json.loads(ask("compare", tickets, "--format", "json").stdout)
    luna = next(o for o in told["options"] if o["id"] == LUNA)
    asked = {"monthly_cash_usd": luna["cash_monthly_usd"], "upfront_usd": luna["upfront_usd"],
             "expected_npv_usd": luna["expected_npv_usd"], "payback_months": luna["payback_cash_months"],
             "chance_to_beat_staying": luna["probability_npv_positive"],
             "wrong_answers": luna["quality"]["wrong_rate"]}  # fmt: skip
    rules = "".join(f"{name}: {{at_least: {x!r}, at_most: {x!r}}}\n" for name, x in asked.items())
    policy = file(tmp_path, "policy.yaml", text=rules)
    assert ask("check", tickets, policy).exit_code == 0
    for name, x in asked.items():
        file(tmp_path, "policy.yaml", text=f"{name}: {{at_most: {0.9 * x}}}\n")
        rules = json.loads(ask("check", tickets, policy, "--format", "json").stdout)["rules"]
        assert [rule["over"] for rule in rules if not rule["holds"]] == [pytest.approx(0.1 * x)], name


def test_a_chance_that_is_asked_stands_beside_staying_too(tmp_path: Path) -> None:
    small = file(tmp_path, "small.yaml", ("40000", "30"))
    policy = file(tmp_path, "policy.yaml", text="schema: roi.policy/1\nexpected_npv_usd: {at_least: 50000}\n"
                  "chance_to_beat_staying: {at_least: 0.8}\n")
    rules = json.loads(ask("check", small, policy, "--format", "json").stdout)["rules"]
    told = json.loads(ask("compare", small, "--format", "json").stdout)  # as the screen: in the challenger's months
    cash = next(o for o in told["options"] if o["id"] == told["challenger"])["staying_cash_monthly_usd"]
    month = file(tmp_path, "month.yaml", text=f"monthly_cash_usd: {{at_least: {cash!r}, at_most: {cash!r}}}\n")
    assert ask("check", small, month).exit_code == 0
    for name, limit in (("chance_to_beat_staying", 0.8), ("expected_npv_usd", 50_000)):
        rule = next(rule for rule in rules if rule["name"] == name)
        assert (rule["holds"], rule["limit"], rule["found"]) == (True, limit, "staying")


def test_a_threshold_against_what_goes_first_is_told_in_its_place_and_once_that_is_in_use(tmp_path: Path) -> None:
    """The batch price first, then an adapter, which saves at fewer requests in its place than on top of it; nothing goes before
    staying. The file is as it was written, its thresholds too.
    """
    data = parse_yaml(next(BUSINESS.glob("6_*.yaml")).read_text(), "a business case")
    data.pop("expect")
    path, saved = file(tmp_path, "case.yaml", text=dump_yaml({**data, "draws": 0})), tmp_path / "saved.json"
    assert ask("compare", path, "--format", "json", "--output", saved).exit_code == 0
    assert json.loads(saved.read_text())["first_move"] == "cache-batch"
    rules = json.loads(ask("check", path, "--saved", saved, "--format", "json").stdout)["rules"]
    assert {rule["about"] for rule in rules if rule["name"].startswith("signposts.self-hosted-adapter")} == {
        "against cache-batch, in its place", "against cache-batch, once in use", "against stay"}
    assert all(rule["holds"] for rule in rules)
    text = " ".join(ask("check", path, "--saved", saved).stdout.split())
    assert "against claude-sonnet-5-5, batch, in its place" in text
    assert "against claude-sonnet-5-5, batch, once in use" in text
    posts = [s for s in json.loads(saved.read_text())["signposts"] if (s["rival"], s["quantity"]) == (
        "cache-batch", "requests_per_day")]
    assert [s["once_in_use"] for s in posts] == [False, True]


@pytest.mark.full
def test_a_bad_policy_is_one_message_with_the_nearest(tmp_path: Path, tickets: Path) -> None:
    bad = {
        "monthly_cash: {at_most: 5}": "policy.yaml: monthly_cash: unknown key; nearest: monthly_cash_usd",
        "budget: 5\ntotal: 6": "evidence_age_days, facts; total: unknown key\n",
        "monthly_cash_usd: {at_mst: 5}": "monthly_cash_usd.at_mst: unknown key; nearest: at_most",
        "payback_months: {at_most: -3}": "payback_months.at_most: -3 is not usable",
        "monthly_cash_usd: {}": "at_least, at_most or both are needed",
        "monthly_cash_usd: {at_least: 6, at_most: 5}": "at_least 6 is above at_most 5",
        "chance_to_beat_staying: {at_least: 80}": "write 0.8 for 80%",
        "facts: {workload.request_per_day: {at_most: 5}}": "'workload.request_per_day'; nearest: workload.requests_per_day",
        "facts: {title: {at_most: 5}}": "facts.title: 'Tickets of Example Corp' is no number",
        "verdict_unchanged: true": "verdict_unchanged needs the comparison that was decided on: saved: ",
        "saved: decison.json\nverdict_unchanged: true": "saved: no file",
        "payback_months: 6": "6 is not usable; it should be a block of keys, such as {at_most: 6} or {at_least: 6}",
        "schema: roi.policy/2": "schema: 'roi.policy/2' is not usable",
    }  # fmt: skip
    for text, told in bad.items():
        result = ask("check", tickets, file(tmp_path, "policy.yaml", text=text + "\n"))
        assert (result.exit_code, result.stdout) == (2, ""), text
        assert told in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_redacted_check_hides_the_figures_of_rates(tmp_path: Path, tickets: Path) -> None:
    limits = "facts: {people.usd_per_hour: {at_most: 31}, quality.usd_per_error: {at_most: 1}}\n"
    policy = file(tmp_path, "policy.yaml", text=limits)
    shown = ask("check", tickets, policy, "--format", "markdown", "--redact")
    assert shown.exit_code == 3
    assert "cost of an engineer hour" in shown.stdout
    assert "hidden" in shown.stdout
    assert not any(told in shown.stdout for told in ("31", "100", "0.02", "gpt-6", "Example Corp"))


def test_a_chance_without_draws_and_a_withheld_verdict(tmp_path: Path) -> None:
    policy = file(tmp_path, "policy.yaml", text="chance_to_beat_staying: {at_least: 0.8}\n")
    still = file(tmp_path, "b.yaml", ("draws: 128", "draws: 0"))
    assert "there are no draws to count" in ask("check", still, policy).stderr
    odd = file(tmp_path, "c.yaml", ("40000", "40000, growth_per_year: 5.0"))
    result = ask("check", odd)
    assert result.exit_code == 3
    assert "there is a verdict" in result.stdout
    assert "BROKEN" in result.stdout


def test_the_schema_of_a_policy_is_printed() -> None:
    found = json.loads(ask("schema", "--of", "policy").stdout)
    assert "monthly_cash_usd" in found["properties"]
    assert all("description" in field for field in found["properties"].values())


def test_a_saved_comparison_alone_is_held_against_no_other_scenario(
    tmp_path: Path, tickets: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    saved = file(tmp_path, "decision.json", text=ask("compare", tickets, "--format", "json").stdout)
    result = ask("check", "--saved", saved)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "FILE: which scenario is held against" in result.stderr


BUSY = """\
title: Tickets of a large company
as_of: 2026-11-24
draws: 128
workload: {requests_per_day: 33000000, input_tokens: 900, output_tokens: 8}
incumbent: {provider: openai, model: gpt-6-sol}
quality:
  usd_per_error: 0.0058
  scores:
    gpt-6-sol: {value: 0.94, items: 3000}
    gpt-6-luna: {value: 0.93, items: 3000}
    qwen3-4b+lora: {value: 0.94, items: 3000}
candidates: {api_models: [openai/gpt-6-luna], self_hosted: [qwen3-4b]}
"""


@pytest.mark.full
def test_an_api_then_gpus_is_one_verdict_whichever_of_the_two_steps_leads(tmp_path: Path) -> None:
    """At $0.0058 a wrong answer the API leads and the GPUs follow it, at $0.0075 they lead and it comes first."""
    before = file(tmp_path, "a.yaml", text=BUSY)
    after = file(tmp_path, "b.yaml", ("0.0058", "0.0075"), text=BUSY)
    kept, moved = (path.with_suffix(".json") for path in (before, after))
    for path, into in ((before, kept), (after, moved)):
        assert ask("compare", path, "--output", into).exit_code == 0
    was, now = (json.loads(path.read_text()) for path in (kept, moved))
    adapter = "self-hosted-adapter:qwen3-4b+lora"
    assert (was["recommended"], now["recommended"]) == (LUNA, adapter)
    assert was["steps"] == now["steps"] == [LUNA, adapter]
    for told in (was, now):
        assert told["sentence"].startswith("Change to gpt-6-luna, then to qwen3-4b+lora self-hosted: expected NPV $")
    assert was["second_move"]["both_npv_usd"] == pytest.approx(now["second_move"]["both_npv_usd"], rel=0.01)
    assert f"${was['second_move']['both_npv_usd']:,.0f} against staying" in was["sentence"]
    same = json.loads(ask("diff", kept, moved, "--format", "json").stdout)["verdict"]
    assert (same["changed"], same["by"]) == (False, [])
    assert same["sentence"] == ("The verdict stays: changing to gpt-6-luna, then to qwen3-4b+lora self-hosted (figures below:"
                                " gpt-6-luna at once before, qwen3-4b+lora self-hosted after).")
    policy = file(tmp_path, "policy.yaml", text="schema: roi.policy/1\nsaved: a.json\nverdict_unchanged: true\n")
    held = ask("check", after, policy, "--format", "json")
    rule = next(rule for rule in json.loads(held.stdout)["rules"] if rule["name"] == "verdict_unchanged")
    assert (held.exit_code, rule["holds"], rule["limit"], rule["found"]) == (0, True, LUNA, adapter)
    assert "the same steps, of which another leads" in rule["sentence"]
    assert ask("next", before).stdout.count("DO NOW: change to gpt-6-luna, then to") == 1
    alone = file(tmp_path, "c.yaml", (", self_hosted: [qwen3-4b]", ""), text=BUSY)
    assert ask("check", alone, policy, "--format", "json").exit_code == 0, "the API is still what is done"
    policy.write_text(policy.read_text().replace("a.json", "b.json"))
    assert ask("check", alone, policy).exit_code == 3


@pytest.mark.full
def test_a_file_of_a_version_that_told_no_steps_is_held_by_its_recommendation(tmp_path: Path, saved: Path) -> None:
    told = json.loads(saved.read_text())
    del told["steps"], told["digests"]
    old = tmp_path / "old.json"
    old.write_text(json.dumps(told))
    same = json.loads(ask("diff", old, saved, "--format", "json").stdout)
    assert (same["verdict"]["changed"], same["a"]["recommended"]) == (False, LUNA)
    assert ask("check", tmp_path / "a.yaml", "--saved", old, "--as-of", "2026-11-24").exit_code == 0
