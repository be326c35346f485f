"""Commitments with the incumbent, and a real bill beside the estimate: by hand on one request a second."""


import pytest
from quiet_scenario import CASCADE, CHEAPER, LUNA, STAY, case_of, world

from roi.economics.decision.comparison import compare
from roi.errors import ScenarioError


def test_leaving_saves_nothing_below_a_commitment_before_its_end() -> None:
    """$20,000 a month owed until 2027-05-24 (182 days with first and last, 5.98 months). Staying spends 10,512, so 9,488
    goes unused; another model of the same provider spends 394.20 of it. Month 6 counts by 0.98 of both. Leaving saves nothing.
    """
    w = world(incumbent={"committed_usd_per_month": 20_000.0, "committed_until": "2027-05-24"})
    stay, gone = w.line("stay", "commitment not used")[1], w.line(CHEAPER, "commitment not used")[1]
    part = 182 / (365 / 12) - 5
    assert stay[:7] == pytest.approx([20_000 - STAY] * 5 + [part * (20_000 - STAY), 0.0])
    assert gone[:7] == pytest.approx([20_000.0 - LUNA] * 5 + [part * (20_000 - LUNA), 0.0])
    for t in range(5):
        saved = float(w.costed("stay").total.monthly[t]) - float(w.costed(CHEAPER).total.monthly[t])
        assert saved == pytest.approx(0.0, abs=1e-6)


def test_what_is_still_sent_to_the_incumbent_counts_towards_the_commitment() -> None:
    """A cascade that escalates 25% spends 2,628 and its own 394.20 of 5,000; staying spends more than it owes."""
    w = world(
        incumbent={"committed_usd_per_month": 5000.0, "committed_until": "2030-01-01"},
        quality={"cascade_escalated_share": 0.25},
    )
    assert sum(w.line("stay", "commitment not used")[1]) == 0.0
    assert w.line(CASCADE, "commitment not used")[1][0] == pytest.approx(5000.0 - 0.25 * STAY - LUNA)


def test_a_bill_of_twice_the_estimate_is_volume_for_all_or_price_for_the_incumbent() -> None:
    """Bill $21,024 against $10,512: factor 2. All volume: everybody pays for twice the requests. All price: the incumbent
    costs twice, the others what they did. Half of each: sqrt 2 of both.
    """
    bill = {"bill_usd_per_month": 2 * STAY}
    for share, stay, other in ((1.0, 2.0, 2.0), (0.0, 2.0, 1.0), (0.5, 2.0, 2.0**0.5)):
        w = world(incumbent={**bill, "bill_is_volume_share": share})
        assert float(w.costed("stay").total.monthly[0]) == pytest.approx(stay * STAY)
        assert float(w.costed(CHEAPER).total.monthly[0]) == pytest.approx(other * LUNA)


def test_an_unsplit_bill_shows_both_bounds() -> None:
    """At 0%: all price saves 24 x (21,024 - 394.20), all volume 24 x (21,024 - 788.40), less $400 of evaluation."""
    c = compare(case_of(discount_rate=0.0, incumbent={"bill_usd_per_month": 2 * STAY}))
    assert c.verdict.recommended == CHEAPER
    assert c.reconciled_npv_usd == pytest.approx((24 * (2 * STAY - LUNA) - 400, 24 * (2 * STAY - 2 * LUNA) - 400))


def test_a_bill_for_what_costs_nothing_by_the_list_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"incumbent\.bill_usd_per_month: 500\.0 is not usable"):
        case_of(incumbent={"discount": 1.0, "bill_usd_per_month": 500.0})


def test_one_spend_fills_both_commitments_with_one_provider() -> None:
    """$20,000 a month are owed to the provider today, and 5,000 by the candidate's terms with it; 394.20 are spent there.

    4,605.80 are short of the second, which brings what is paid to 5,000; 15,000 are short of the first: 20,000 in all.
    """
    w = world(
        incumbent={"committed_usd_per_month": 20_000.0, "committed_until": "2030-01-01"},
        apis={"openai/gpt-6-luna": {"committed_usd_per_month": 5000.0, "committed_until": "2030-01-01"}},
    )
    assert w.line(CHEAPER, "own commitment not used")[1][0] == pytest.approx(5000.0 - LUNA)
    assert w.line(CHEAPER, "commitment not used")[1][0] == pytest.approx(15_000.0)
