"""No redacted form tells a name, a rate, a wage or the price of a wrong answer that the Case holds."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from quiet_scenario import KINDS

from roi.cli import main
from roi.economics.decision.comparison import compare
from roi.facts.case import Case
from roi.facts.fact import OWN_VENDOR
from roi.report.comparison.screen import comparison_text
from roi.report.layout.wording import usd
from roi.report.redaction import redaction
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, scenario_data
from roi.scenario.template import template
from roi.scenario.yaml import dump_yaml, parse_yaml, read_yaml

CASES = Path(__file__).parents[2] / "answers" / "cases"
WAGE, ERROR, LATER = 137.25, 0.1973, 0.2184
"""USD of an engineer hour, and of a wrong answer before and after: figures that nothing else comes to."""
PER_LABEL, LABELS, EXAMPLES = 0.7713, 307, 4910
HOURS = {"setup_hours": dict.fromkeys(KINDS, 213.7), "migration_hours": 57.3,
         "run_hours_per_month": {kind: {"value": 35.37, "low": 1.3, "high": 97.0} for kind in KINDS}}
"""By the sums that they cost, hours give the wage and labels the price of one."""
ENDS = (".model", ".system", ".vendor", ".provider", ".escalates_to")


def scenario(name: str) -> dict[str, Any]:
    """A bundled template or a business case, with few draws and the wage and the price of a wrong answer above.

    "guessed" is the bundled one with the price of a wrong answer that the template guesses, which is not counted.
    """
    if name == "guessed":
        return {**parse_yaml(template("bundled"), name), "draws": 64}
    if name.endswith(".yaml"):
        data = read_yaml(CASES / name)
        data.pop("expect")
    else:
        data = parse_yaml(template(name), name)
    data = scenario_data(check_scenario({**data, "draws": 64}))
    return {**data, "people": {**data.get("people", {}), **HOURS, "usd_per_hour": WAGE, "wage_growth_per_year": 0.0},
            "quality": {**data["quality"], "usd_per_error": ERROR},
            "evaluation": {**data.get("evaluation", {}), "usd_per_label": PER_LABEL, "labels": LABELS},
            "training": {**data.get("training", {}), "examples": EXAMPLES}}


def names(case: Case) -> Iterator[str]:
    """Every name in the Case: the title, models and sellers, those too that stand in the source of a rent alone."""
    yield str(case["title"].value)
    for path, fact in case.facts.items():
        if isinstance(fact.value, str) and path.endswith(ENDS):
            yield from fact.value.split("/")
        if path.endswith("usd_per_gpu_hour"):
            yield from re.findall(r"^(.+?) (?:on-demand|spot|reserved): ", fact.source)


def visible(page: str) -> str:
    """What a reader of the page may see: its text, and the data of its pictures."""
    page = re.sub(r"<style.*?</style>|<script(?! type=\"application/json\").*?</script>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


def leaks(text: str, case: Case) -> list[str]:
    """What of the Case stands in the text: a name as a word of its own, the wage, the price of a wrong answer.

    And what stands beside a sum that it makes: a count of wrong answers, hours of people, labels, cards. One divided by
    the other is the price of one.
    """
    told = {name for name in names(case) if name and name != OWN_VENDOR}
    found = [name for name in sorted(told) if re.search(rf"(?<![\w.+-]){re.escape(name)}(?![\w+-])", text)]
    found += [price for x in (WAGE, ERROR, LATER) for price in (f"{x:g}", usd(x))
              if re.search(rf"(?<![\d.,]){re.escape(price)}(?![\d,.]*\d)", text)]
    flat = " ".join(text.split())
    found += re.findall(r"[\d,.]+ (?:x [A-Z][\w-]*\d|replicas?\b)", flat)  # beside their rent: a GPU hour
    found += re.findall(r"[\d,.]+ (?:more|fewer) a month", flat)
    sums = {round(float(each.replace(",", ""))) for each in re.findall(r"(?<![\d.,])\d[\d,]*(?:\.\d+)?(?![\d.,]*\d)", flat)}
    of_hours = re.findall(r"(?<![\d.,])([\d,.]*\d) (?:engineer )?(?:hours|h)\b", flat)
    found += [f"{each} hours" for each in of_hours if round(float(each.replace(",", "")) * WAGE) in sums - {0}]
    planted = rf"35\.4|35\.37|57\.3|213\.7|214 hours|{EXAMPLES:,}|{LABELS} (?:labels|stated)"
    found += re.findall(rf"(?<![\d.,])(?:{planted})(?![\d.,%]*[\d%])", flat)
    return found + re.findall(r"wrong answer costs (?:less|more) than about \$\d[\d.]*", text)


def forms(tmp_path: Path, data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every redacted form of every question that has one, of the scenario and of it with another price of a wrong answer."""
    before, after, policy, page = (tmp_path / name for name in ("a.yaml", "b.yaml", "policy.yaml", "page.html"))
    before.write_text(dump_yaml(data))
    after.write_text(dump_yaml({**data, "quality": {**data["quality"], "usd_per_error": LATER}}))
    policy.write_text(dump_yaml({"schema": "roi.policy/1", "facts": {
        "people.usd_per_hour": {"at_most": 1}, "quality.usd_per_error": {"at_most": LATER}}}))

    def ask(*words: str | Path) -> str:
        run = CliRunner().invoke(main, [*map(str, words), "--redact"], prog_name="roi")
        assert run.exit_code in {0, 3}, run.stderr
        return run.stdout

    ask("compare", before, "--html", page)
    yield "compare --html", visible(page.read_text(encoding="utf-8"))
    for form, more in (("table", ("--html", page, "--force")), ("markdown", ()), ("json", ())):
        yield f"diff {form}", ask("diff", before, after, "--format", form, "--full", *more)
    yield "diff --html", visible(page.read_text(encoding="utf-8"))
    for form in ("table", "markdown"):
        yield f"check {form}", ask("check", before, policy, "--format", form)


@pytest.mark.parametrize("name", ["4_cascade.yaml", *(pytest.param(name, marks=pytest.mark.full) for name in (
    "guessed", "bundled", "own-gpus", "agent", "6_self_hosted_adapter.yaml", "11_negotiated_gpu_rate.yaml",
    "12_bedrock_commitment.yaml"))])
def test_no_redacted_form_tells_what_the_case_holds(name: str, tmp_path: Path) -> None:
    data = scenario(name)
    case = resolve(check_scenario(data)).case
    found = {form: told for form, text in forms(tmp_path, data) if (told := leaks(text, case))}
    assert found == {}


def test_what_is_left_out_would_be_seen() -> None:
    """The screen, which leaves nothing out, tells the incumbent and how many answers more or fewer are wrong."""
    case = resolve(check_scenario(scenario("guessed"))).case
    told = leaks(comparison_text(compare(case), ()), case)
    assert "gpt-6-sol" in told
    assert any(text.endswith("a month") for text in told)
    planted = resolve(check_scenario(scenario("4_cascade.yaml"))).case
    told = leaks(f"$4,854 of $6,143 a month on-call, below 12.3 hours (here 35.37); $4,800 for {EXAMPLES:,} labels", planted)
    assert told == ["35.37", f"{EXAMPLES:,}"]


def test_hours_of_people_and_prices_of_one_thing_are_hidden_wherever_a_sentence_tells_them() -> None:
    """$4,795 a month of on-call over 35 hours would be a wage of $137."""
    hide = redaction({}, ())
    assert hide("on-call below 12.3 hours a month (here 35)") == "on-call below \u2026 hours a month (here \u2026)"
    assert hide("set-up below 1,210.5 hours (here 80, assumed)") == "set-up below \u2026 hours (here \u2026, assumed)"
    assert hide("$1,200 of it forced migrations, 40 h each") == "$1,200 of it forced migrations, \u2026 h each"
    assert hide("whose labels are paid once, it adds about $101.") == "whose labels are paid once, it adds about $\u2026."
    assert hide("with its GPU's resale value above $128,443 (today $6,475, A100") == (
        "with its GPU's resale value above $\u2026, A100")
    assert hide("120 hours until live and 35 a month are its own") == "\u2026 hours until live and \u2026 a month are its own"
    assert hide("35 engineer hours a month run 12 GPUs; it waits 24 hours") == (
        "\u2026 engineer hours a month run \u2026 GPUs; it waits 24 hours")
    assert hide("Fleet: 2 replicas on 2 x L4, fp8 weights; (1 x RTX-4090, the API") == (
        "Fleet: \u2026 replicas on \u2026 x L4, fp8 weights; (\u2026 x RTX-4090, the API")


def test_a_name_that_a_picture_cuts_and_one_that_is_stated_for_nothing_are_replaced(tmp_path: Path) -> None:
    long = "global.anthropic.claude-sonnet-5-5"
    data = {**scenario("classification"), "incumbent": {"provider": "anthropic", "model": "claude-sonnet-5-5"},
            "candidates": {"api_models": [f"bedrock/{long}"]}, "draws": 256}
    data["quality"] = {"usd_per_error": 0.01, "scores": {"claude-sonnet-5-5": 0.9, "claude-haiku-5-5": 0.9}}
    page = tmp_path / "r.html"
    (tmp_path / "s.yaml").write_text(dump_yaml(data))
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "s.yaml"), "--redact", "--html", str(page)])
    assert done.exit_code == 0, done.output
    told = visible(page.read_text(encoding="utf-8"))
    assert "it moves nothing" in told
    assert "price after" in told
    assert "claude" not in told
