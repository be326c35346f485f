"""Units and seats that are paid today, as they are told: on the screen, in the redacted page, in the causes of a change."""

from pathlib import Path
from typing import Any

import pytest
from quiet_scenario import STAY, case_of

from roi.economics.change.causes import PRICES, causes_of
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.evaluation import read_all
from roi.economics.decision.turning.break_even import UNSTATED
from roi.economics.decision.turning.curves import Curves
from roi.economics.decision.turning.signposts import signposts
from roi.report.comparison.screen import comparison_text
from roi.report.comparison_page import comparison_page
from roi.report.page.page import page_html
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario
from roi.scenario.yaml import read_yaml

SCORES = {"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}}


def ten(**terms: Any) -> dict[str, Any]:
    return {"provisioned_throughput": {"units": 10, "usd_per_month": 713.0, "requests_per_s": 0.4, **terms}}


def of(incumbent: dict[str, Any], **changes: Any) -> Comparison:
    small = {"candidates": {"cascade_first": [], "self_hosted": []}, "quality": SCORES, **changes}
    return compare(case_of(incumbent=incumbent, **small))


def flat(c: Comparison) -> str:
    return " ".join(comparison_text(c, ()).split())


def test_the_screen_says_until_when_units_are_owed_and_asks_for_no_bill() -> None:
    """Live at once, $7,130 a month are owed for 5.98 of 24 months: $1,778 of a mean month."""
    text = flat(of(ten(committed_until="2027-05-24")))
    assert "$1,778 of it commitment still owed until 2027-05-24" in text
    assert "Bill not checked" not in text
    assert "gpt-5.4, no idle units" in text
    assert "gpt-5.4 by the token" in text
    alone = flat(of(ten(), quality={"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.5}, "bar": 0.9}))
    assert "Change to gpt-5.4, no idle units: the same model on as many units as its peak takes." in alone
    spilling = flat(of(ten(requests_per_s=0.4, usd_per_month=1000.0, spills_over=True), quality=SCORES | {"bar": 0.9}))
    assert "gpt-5.4, fewer units" in spilling


def test_an_announced_price_of_a_model_that_is_paid_by_the_unit_is_told_of_its_tokens() -> None:
    """What spills over is billed by the token; the units cost what they do."""
    apis = {"openai/gpt-5.4": {"announced": [{"from_date": "2027-02-24", "price_ratio": 2.0}]}}
    for incumbent, told in ((ten(spills_over=True), "costs by the token 2 x as much"), ({}, "costs 2 x as much")):
        assert f"openai/gpt-5.4 {told} from 2027-02-24 on, announced" in flat(of(incumbent, apis=apis))


@pytest.mark.parametrize(("a_day", "grows", "known"), [
    (600_000, "", False), (6_000_000, "", False), (600_000, ", usd_per_request: 0", True),
    (6_000_000, ", usd_per_request: 0", True), (6_000, "", False),
])  # fmt: skip
def test_no_volume_is_told_that_rests_on_own_servers_costing_the_same_at_any_unless_that_is_stated(a_day, grows, known) -> None:
    """At $9,000 a month, whatever is asked, L40S are dearer from 720,000 a day on: at ten times the volume nobody says that of
    servers which may be full today; nor, at a hundred times it, that few requests would cost so much.
    """
    own = read_yaml(Path(__file__).parents[2] / "answers/cases/19_own_70b_today.yaml")
    del own["expect"]
    costs = f"costs=[{{name: eight H100, option: stay, usd_per_month: 9000{grows}}}]"
    c = compare(resolve(load_scenario(own, (costs, f"workload.requests_per_day={a_day}"))).case)
    text, [stay] = flat(c), [b for b in c.break_even if (b.baseline, b.basis, b.counts) == ("stay", "pv", "cash")]
    volumes = [s.threshold for s in c.signposts if s.quantity == "requests_per_day"]
    assert (stay.until is not None, stay.reason == UNSTATED) == (known, not known)
    assert any(volumes) is known
    assert ("! Today's servers are counted at $9,000 a month, however the requests grow" in text) is not known
    assert [c.turning_volume(up=up) for up in (True, False)].count(None) == (1 if known else 2)
    assert "stop here" not in text or known


def test_the_screen_names_what_is_stated_of_nobody_here() -> None:
    text = flat(of({}, apis={"anthropic/claude-haiku-5-5": {"discount": 0.5}}))
    assert "! No incumbent or candidate is called so, and it moves nothing: apis.anthropic/claude-haiku-5-5" in text


def test_a_peak_above_what_units_hold_and_a_commitment_that_is_over_are_told() -> None:
    assert "Today's peak is 1.5 x what today's units hold as stated" in flat(of(ten(requests_per_s=0.2)))
    assert "oday's units hold" not in flat(of(ten(requests_per_s=0.2, spills_over=True)))
    little = flat(of(ten(requests_per_s=0.04, spills_over=True)))
    assert "! Today's units hold 0.4 of 1 requests a second, the mean; all others are billed by the token" in little
    over = "A commitment is over by as_of and costs nothing: incumbent.provisioned_throughput.committed_until"
    assert over in flat(of(ten(committed_until="2026-01-01")))
    assert "commitment is over" not in flat(of(ten()))


def test_units_of_which_the_peak_takes_next_to_none_are_asked_about_whether_they_spill_over_or_not() -> None:
    """3 requests a second at the peak on ten units of 40 each: 0.75%."""
    share = {"provisioned_throughput": {"units": 10, "usd_per_month": 713.0, "peak_utilization": 0.01}}
    over = {"provisioned_throughput": {**share["provisioned_throughput"], "spills_over": True}}
    for terms, field, told in ((share, "peak_utilization", "1%"), (over, "peak_utilization", "1%"),
                               (ten(requests_per_s=40.0), "requests_per_s", "0.8%")):
        assert (f"! Today's peak takes {told} of today's units, as stated: is that what is in use"
                f" (incumbent.provisioned_throughput.{field})?") in flat(of(terms))
    assert "of today's units, as stated" not in flat(of({"provisioned_throughput": {**share["provisioned_throughput"],
                                                                                     "peak_utilization": 0.2}}))


def test_a_bill_that_is_not_the_units_is_told_on_the_screen() -> None:
    said = "! The bill, $9,000, is 1.26 x what incumbent.provisioned_throughput and its overflow come to, $7,130"
    assert said in flat(of({**ten(), "bill_usd_per_month": 9000.0}))


def test_a_redacted_page_tells_neither_the_fee_of_a_unit_nor_how_many_there_are() -> None:
    """Ten units at $713 cost $7,130 a month, which is told: with their number it would be the fee."""
    c = of(ten(committed_until="2027-05-24", requests_per_s=0.41))
    plain, hidden = (page_html(comparison_page(c, (), scenario=None, redact=redact), "0;")
                     for redact in (False, True))
    for canary in ("10 units", "$713"):
        assert canary in plain, canary
        assert canary not in hidden, canary


def test_what_changes_of_todays_units_is_one_cause_of_prices() -> None:
    now, then = (case_of(incumbent=ten(**terms)).facts for terms in ({}, {"units": 12, "usd_per_month": 600.0}))
    found = {(cause.group, cause.what, cause.of) for cause in causes_of(now, then)}
    assert (PRICES, "units", "stay") in found
    assert {what for _, what, _ in found} == {"units"}


def test_the_price_by_the_token_that_costs_as_much_as_todays_units_is_a_threshold_of_its_own() -> None:
    """$7,130 a month by the unit, $10,512 by the token: at 0.678 of the list. It is the same vendor's, and not what is paid."""
    shared, options = read_all(case := case_of(incumbent=ten()), case.values())
    [found] = [s for s in signposts(Curves(shared, options), "by-token", "stay", "errors") if s.quantity == "api_price_ratio"]
    assert found.threshold == pytest.approx(7130.0 / STAY, rel=1e-6)


def test_a_change_that_ends_units_asks_until_when_they_are_owed() -> None:
    """The verdict took their fee to end at once, without a word; it is owed for one or six months at AWS."""
    dear = {"requests_per_s": 4.0, "usd_per_month": 20_000.0}
    asked = "! Today's units are taken to end with any month, and what is owed of them after the change is in no figure"
    assert asked in flat(of(ten(**dear)))
    assert asked not in flat(of(ten(**dear, committed_until="2027-11-24")))
