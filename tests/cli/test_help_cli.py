"""`roi help`: a command, or a field of the scenario."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from roi.cli import main
from roi.resolution.resolution import PEAK_DEFAULT
from roi.resolution.system_facts import TOKEN_RATIO
from roi.scenario.meaning import meaning_of

EXAMPLES = Path(__file__).parents[2] / "examples"
MINE = """\
title: Triage
as_of: 2026-11-24
horizon_months: 12
discount_rate: 0
workload: {requests_per_day: 40000, growth_per_year: 0, input_tokens: 1800, output_tokens: 60}
incumbent: {provider: openai, model: gpt-6-sol}
candidates: {api_models: [openai/gpt-6-luna]}
"""


def ask(*args: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, [str(a) for a in args], prog_name="roi")


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize("words", [[], ["compare"], ["profile", "train"], ["help"]])
def test_help_of_a_command_is_its_own_help(words):
    assert ask("help", *words).stdout == ask(*words, "--help").stdout


def test_a_field_is_explained_without_a_scenario():
    text = ask("help", "workload.cache_hit_rate").stdout
    assert "Share of requests that find the shared prefix in a cache.\n" in text
    assert "Write: a number or {value, low, high, source}, as a share, 0.8 for 80%" in text
    assert "Left out: 0%." in text
    assert "no scenario given" in text


@pytest.mark.parametrize(("field", "told"), [
    ("quality.escalated", "quality.cascade_escalated_share, by default 20%, 5 to 95%: 5% to 50% (share that a cheap"),
    ("options.NAME.evaluation_usd", "evaluation.usd, by default $100, 5 to 95%: $20 to $500 (API and GPU"),
    ("workload.peak_to_mean", "as said above."), ("tokens.NAME.ratio", "as said above."),
])  # fmt: skip
def test_where_another_fields_value_holds_for_one_left_out_its_default_is_told(field, told):
    assert f"Left out: {told}" in " ".join(ask("help", field).stdout.split())


def test_what_is_said_above_is_what_is_assumed():
    for field, (value, low, high) in (("workload.peak_to_mean", (PEAK_DEFAULT.value, PEAK_DEFAULT.low, PEAK_DEFAULT.high)),
                                      ("tokens.NAME.ratio", TOKEN_RATIO)):
        assert f"{value:g} (5 to 95%: {low:g} to {high:g})" in meaning_of(field).meaning


def test_a_field_in_a_scenario_has_its_value_its_basis_and_what_it_moves(mine):
    """NPV = s x volume - set-up F: from half to double it grows by 1.5 s, three times the NPV at half and 3 F more."""
    text = ask("help", "requests_per_day", mine).stdout
    assert "Here (Triage): 40,000; stated." in text
    row = next(line for line in text.splitlines() if line.startswith("gpt-6-luna "))
    low, high = (float(cell.replace(",", "")) for cell in row.split()[1:])
    ends = "workload.requests_per_day={value: 40000, low: 20000, high: 80000}"
    spread = ask("help", "requests_per_day", mine, "--set", ends).stdout
    assert row in spread
    assert "its 5th and 95th percentile" in spread
    assert high - low > 3 * low


def test_months_that_are_left_out_are_told_beside_those_that_may_be_stated(mine):
    """gpt-4o ends 51 days on: another API is live by then where nobody says when, and after two months where somebody does."""
    asked = (mine, "--set", "incumbent.model=gpt-4o")
    text = ask("help", "timing.months_to_live.api", *asked).stdout
    assert "left at at NPV against staying, USD out 0.5 months 2 months" in " ".join(text.split())
    row = next(line for line in text.splitlines() if line.startswith("gpt-6-luna "))
    out, early, late = (float(cell.replace(",", "")) for cell in row.split()[1:])
    body = json.loads(ask("compare", *asked, "--set", "draws=0", "--format", "json").stdout)
    luna = next(o for o in body["options"] if o["label"] == "gpt-6-luna")
    assert out == pytest.approx(luna["npv_usd"], abs=0.5)
    assert early > out > late
    stated = ask("help", "timing.months_to_live.api", *asked, "--set", "timing.months_to_live.api=1").stdout
    assert " at at NPV against staying, USD 0.5 months 2 months" in " ".join(stated.split())


def test_an_end_that_is_announced_is_what_holds_here(mine):
    """gpt-4o retires on 2027-01-14, 51 days after the as-of date: 51 x 12 / 365 months; it was "no value, the default"."""
    text = " ".join(ask("help", "incumbent.ends_in_months", mine, "--set", "incumbent.model=gpt-4o").stdout.split())
    assert "Here (Triage): 1.68 months; quoted: retires on 2027-01-14: " in text


@pytest.mark.parametrize("field", ["incumbent.successor_price_ratio", "drift.successor_price_ratio"])
def test_a_ratio_that_is_left_out_and_one_that_is_drawn_for_each_successor_move_over_their_range(mine, field):
    """0.4 and 1.6, the range in the scenario's schema."""
    text = " ".join(ask("help", field, mine, "--set", "horizon_months=48").stdout.split())
    assert f"{'so that drift.successor_price_ratio holds: ' if 'incumbent' in field else ': '}1, 5 to 95%: 0.4 to 1.6;" in text
    assert "USD 0.4 1.6 gpt-6-luna" in text


def test_a_name_that_stands_for_any_is_said(mine):
    assert "Moves: NAME is any name: ask with" in " ".join(ask("help", "apis.NAME.ends_in_months", mine).stdout.split())


def test_a_field_that_is_no_number_says_so(mine):
    assert "Moves: no other value of it is tried here" in ask("help", "candidates.api_models", mine).stdout


def test_a_default_of_zero_is_no_statement_and_moves_by_ten_points(mine):
    """Against a bill 10% lower a saving of the same list prices is lower."""
    text = " ".join(ask("help", "incumbent.discount", mine).stdout.split())
    assert "Here (Triage): 0%; the default." in text
    assert "NPV against staying, USD 0% 10%" in text
    assert "the values are 0 and ten points, since 0 has no double" in text
    low, high = (float(cell.replace(",", "")) for cell in text.partition("10% gpt-6-luna ")[2].split()[:2])
    assert high < low
    assert "ten points less and more" in ask("help", "workload.growth_per_year", mine).stdout
    spend = ask("help", "incumbent.committed_usd_per_month", mine).stdout
    assert "Moves: 0 has no half and no double" in spend


def test_an_end_that_the_scenario_refuses_is_told_as_refused(mine):
    """GPUs for the hours of work alone ask that every request can wait; half of them is refused."""
    waits = ("--set", "workload.can_wait_share=1", "--set", "serving.autoscale=true", "--set", "serving.autoscale_floor=0")
    text = " ".join(ask("help", "can_wait_share", mine, *waits).stdout.split())
    assert "Moves: not told, for --set workload.can_wait_share=0.5 is refused here (serving.autoscale_floor: 0" in text


def test_a_surcharge_moves_by_ten_points_within_its_bounds(mine):
    """-0.95 is 95% more than the list; the double of that would be refused."""
    text = " ".join(ask("help", "incumbent.discount", mine, "--set", "incumbent.discount=-0.95").stdout.split())
    assert "-100% -85%" in text
    assert "the values are ten points less and more, within its bounds" in text


def test_the_double_of_a_shared_prefix_is_no_longer_than_the_longest_prompt(mine):
    """1,000 of 1,800 tokens: the double, 2,000, is none; at most 1,800."""
    text = " ".join(ask("help", "shared_prefix_tokens", mine, "--set", "workload.shared_prefix_tokens=1000").stdout.split())
    assert "no option's NPV between 500 and 1,800 (half and double, within its bounds)" in text


@pytest.mark.full
def test_help_on_a_field_of_the_rule_says_that_it_moves_the_advice_though_no_npv():
    text = " ".join(ask("help", "verdict.min_items", EXAMPLES / "tickets.yaml").stdout.split())
    assert "but by it an option may be recommended or not" in text


def test_a_word_lists_the_fields_that_have_to_do_with_it():
    for word, fields in (("negotiated", {"incumbent.discount", "gpu_rents", "apis.NAME.discount"}),
                         ("price", {"incumbent.discount", "gpu_rents", "apis", "apis.NAME.input_usd_per_mtok"})):
        answer = ask("help", word)
        assert answer.exit_code == 0
        assert fields <= set(answer.stdout.splitlines())
    assert "A command begins so: roi prices." in ask("help", "price").stdout


@pytest.mark.parametrize(("word", "said"), [
    ("latency", "workload.ttft_p95_s"), ("on-premises", "own_hardware.cards"), ("EU", "gpus and vendors"),
    ("image", "workload.input_tokens"), ("workload.growth_per_month", "0.27 for 2% a month"),
    ("tasks", "quality.usd_per_error is what a wrong task costs / 40"), ("budget", "upfront_usd of a policy"),
    ("risk", "verdict.min_chance"), ("countries", "where vendors serve is not in the catalog"),
    ("own_gpus", "own_hardware.cards"), ("commitments", "committed_usd_per_month"),
])
def test_a_word_that_is_in_no_field_is_answered_with_what_says_it(word, said):
    answer = ask("help", word)
    assert answer.exit_code == 0
    assert said in " ".join(answer.stdout.split())


@pytest.mark.parametrize("word", ["oncall", "on-call", "on_call", "on call", "ON-CALL"])
def test_a_word_is_found_however_its_parts_are_joined(word):
    answer = ask("help", word)
    assert answer.exit_code == 0
    assert {"people.run_hours_per_month", "people.existing_hours_on_call_only"} <= set(answer.stdout.splitlines())


def test_a_field_is_found_by_its_letters():
    assert ask("help", "usdpererror").stdout == ask("help", "quality.usd_per_error").stdout
    assert ask("help", "Workload.Requests-Per-Day").stdout == ask("help", "workload.requests_per_day").stdout
    assert {"workload.cache_hit_rate", "apis.NAME.cache_hit_rate"} <= set(ask("help", "cachehitrate").stdout.splitlines())


def test_a_field_inside_a_named_block_has_its_own_words_and_its_value(tmp_path):
    """The name holds a dot, and the block lies two levels below it."""
    assert ask("help", "quality.scores.gpt-4.1.paired.both_right").stdout.splitlines()[1] == "Right answers of both."
    assert ask("help", "quality.scores.NAME.items").stdout.splitlines()[1].startswith("Items evaluated;")
    file = tmp_path / "paired.yaml"
    file.write_text("""title: Triage
as_of: 2026-11-24
workload: {requests_per_day: 60000, input_tokens: 900, output_tokens: 8}
incumbent: {provider: openai, model: gpt-6-sol}
quality:
  scores:
    gpt-6-sol: {value: 0.94, items: 600}
    gpt-4.1: {value: 0.9267, paired: {both_right: 270, only_incumbent: 12, only_this: 8, both_wrong: 10}}
candidates: {api_models: [openai/gpt-4.1]}
""", encoding="utf-8")
    right = ask("help", "quality.scores.gpt-4.1.paired.both_right", str(file)).stdout
    assert "Here (Triage): 270." in right
    items = ask("help", "quality.scores.gpt-6-sol.items", str(file)).stdout
    assert "Here (Triage): 600." in items
    assert "between 300 and 1,200 (half and double, within its bounds)" in " ".join(items.split())
    assert "not usable" not in items
    assert "Moves: not told" in right  # a count alone contradicts the score beside it


def test_what_a_field_needs_besides_is_told():
    assert "with autoscale: true" in " ".join(ask("help", "serving.autoscale_floor").stdout.split())


def test_all_fields_are_listed_a_line_each():
    answer = ask("help", "fields")
    lines = [line.split()[0] for line in answer.stdout.splitlines() if "." in line.split()[0]]
    assert {"workload.requests_per_day", "quality.usd_per_error", "gpu_rents.usd_per_gpu_hour"} <= {*lines}
    assert len(lines) == len({*lines}) > 200
    assert max(map(len, answer.stdout.splitlines())) <= 80


def test_the_shell_completes_commands_and_fields():
    env = {"_ROI_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
    typed = CliRunner(env={**env, "COMP_WORDS": "roi help workload.re"}).invoke(main, [], prog_name="roi")
    assert typed.stdout.split() == ["plain,workload.requests_per_day"]


def test_a_block_lists_its_fields():
    text = ask("help", "gates").stdout
    assert "one_task_type" in text
    assert "Is it one task type?" in text


@pytest.mark.parametrize("word", ["ends_in_months", "ends-in-months", "ends_in_month"])
def test_the_end_of_several_paths_lists_them_as_a_part_of_it_does(word):
    answer = ask("help", word)
    listed = [line for line in answer.stdout.splitlines() if line.endswith(".ends_in_months")]
    assert (answer.exit_code, listed) == (0, ["incumbent.ends_in_months", "apis.NAME.ends_in_months"])


@pytest.mark.parametrize(("args", "says"), [
    (["reqests_per_day"], "nearest: requests_per_day"), (["comprae"], "nearest: compare"),
    (["zzz"], "known: compare"),
    (["profile", "trian"], "roi profile has no command 'trian'"),
    (["bar", "none.yaml"], "none.yaml: cannot be read"), (["price", "none.yaml"], "none.yaml: cannot be read"),
    (["api", "none.yaml"], "none.yaml: cannot be read"),
    (["bar", "a", "b"], "'b' is more"),
    (["bar", "--set", "quality.bar=1"], "--set changes a scenario: give a FILE"),
])
def test_what_is_not_known_is_answered_with_the_nearest(args, says):
    answer = ask("help", *args)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.full
def test_half_of_a_whole_number_is_one():
    """A spare each: half of it is none, double two."""
    lines = ask("help", "serving.spares", EXAMPLES / "tickets.yaml").stdout.splitlines()
    assert any(line.split()[-2:] == ["0", "2"] for line in lines), lines


@pytest.mark.full
def test_what_is_not_possible_at_a_value_is_a_dash_and_said():
    """Double of 30,000 tokens is beyond qwen3-4b's context of 40,960."""
    told = ask("help", "workload.input_tokens", EXAMPLES / "tickets.yaml", "--set", "workload.input_tokens=30000").stdout
    row = next(line for line in told.splitlines() if line.startswith("qwen3-4b self-hosted"))
    assert row.split()[-1] == "-"
    assert "-: not possible there." in " ".join(told.split())
