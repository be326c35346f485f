"""More than $5,000 a month pays back in 30 to 60 days; 10,000 calls a day: both through `compare`."""

from claims.claim import Claim, agreeing, count_verdict, mark, table, usd
from claims.scenarios import ADAPTER, CASES, DRAWS, best_untrained, months, option, requests_for, solve
from claims.serving import CENTRAL_MIX, api_usd
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.lines.line_kind import LineKind
from roi.units import DAYS_PER_MONTH

SPENDS = (5000.0, 10000.0, 30000.0)
DAYS_60 = 60 / DAYS_PER_MONTH
"""Months."""
MIXES = ((300.0, 10.0), (1000.0, 300.0), (6000.0, 500.0))
HEAD = ["spend, case", "GPUs", "upfront", "USD/month", "pays back", "P10-P50-P90", "NPV > 0", "untrained"]


def payback_claim() -> Claim:
    """More than $5,000 a month pays back in 30 to 60 days."""
    price = api_usd("openai", "gpt-4o")
    volumes = {spend: requests_for(spend, price, CENTRAL_MIX) for spend in SPENDS}
    rows, outcomes, against, labels = [], [], [], []
    for spend, volume in volumes.items():
        for case in CASES:
            answer = solve(case, "gpt-4o", volume, CENTRAL_MIX)
            outcomes.append(option(answer, ADAPTER).payback_months <= DAYS_60)
            against.append(option(answer, ADAPTER).pv_cost_usd < best_untrained(answer).pv_cost_usd)
            labels.append(best_untrained(answer).label)
            rows.append(_row(f"${spend / 1000:.0f}k, {case}", answer))
    rivals = " or ".join(sorted(set(labels)))
    h100 = [_row(f"${spend / 1000:.0f}k, {case}", solve(case, "gpt-4o", volume, CENTRAL_MIX, "H100-80GB-SXM"))
            for spend, volume in volumes.items() for case in ("one replica, no staff", "spare + 0.1 FTE")]
    ratio = api_usd("openai", "gpt-6-luna") / price
    ends = [_row(f"${spend / 1000:.0f}k, {case}", solve(case, "gpt-4o", volumes[spend], CENTRAL_MIX, None, ratio))
            for spend in SPENDS for case in ("one replica, no staff", "spare + 0.1 FTE")]
    return Claim(
        "More than $5,000 a month pays back in 30 to 60 days",
        '"more than $5,000/month on API calls … will likely pay back its training cost within 30–60 days"',
        count_verdict(outcomes),
        f"Counted: rows of the first table that pay back within 60 days of the decision ({agreeing(outcomes)}). Rows in which"
        " the"
        f" adapter costs less over 36 months than the cheapest option that trains nothing: {agreeing(against)}.",
        (table(HEAD, rows, f"`roi compare`, incumbent gpt-4o ({usd(price)}/M at 1,000 in + 300 out; $5k ="
               f" {volumes[5000.0]:,.0f} requests a day); llama-3.1-8b+lora self-hosted on the card that compare picks. USD a"
               " month"
               f" after go-live, months from the decision; untrained = USD a month of the cheapest of them, here {rivals}:"),
         table(HEAD, h100, "The same with an H100 alone as candidate (an 8B at this load does not need one):"),
         table(HEAD, ends, "The same if gpt-4o's successor of 2027-01-14 is gpt-6-luna, which its vendor suggests"
                           f" ({ratio:.3f} of"
               " the price), and staying is cheap from then on:")),
        "without staff, spare and delay at each of the three spends; with a spare and 0.1 of an engineer at $30k.",
        "with a spare and 0.1 of an engineer at $5k and $10k; with 0.3 of one at every spend, where three months to live alone"
        " exceed 60 days; on one H100 at $5k in a third of the draws even without staff. gpt-4o ends on 2027-01-14, 51 days"
        " after the as-of date: whoever stays must move anyway, and"
        " gpt-6-luna, claude-haiku-5-5 or a hosted 8B (best of them in the last column) cost less than the"
        " adapter in every row of the first table. If the vendor's own suggestion replaces gpt-4o, the adapter saves for 51"
        " days only: nothing"
        " with staff"
        " pays back.",
        f"`compare`, {DRAWS} draws, horizon 36 months, 10% discount, P5 to P95 of each fact as in the scenario's defaults;"
        " rents and"
        " API prices quoted on 2026-11-24; people, hours and months assumed. Peak 3 x mean (default). The speed of"
        " the engine on RTX 4090 and L4 was not fitted: 0.60 to 1.35 of the roofline at 5 to 95%. The L4's $0.44/h is of"
        " 2026-05-07.",
        "answers of equal quality are assumed for every option (score 0.9, no cost of errors), as the article does; equal"
        " tokens;"
        " caching and batch are off. The migration away from gpt-4o is priced for staying (40 hours and an evaluation).",
    )


def calls_claim() -> Claim:
    """10,000 calls a day."""
    rows, outcomes = [], []
    for incumbent in ("gpt-4o", "gpt-6-luna"):
        for mix in MIXES:
            for case, short in (("one replica, no staff", "no staff"), ("spare + 0.1 FTE", "0.1 FTE")):
                answer = solve(case, incumbent, 10_000.0, mix)
                found, stay, rival = option(answer, ADAPTER), option(answer, "stay"), best_untrained(answer)
                outcomes.append(found.npv_usd > 0)
                rows.append([f"{incumbent}, {mix[0]:,.0f}/{mix[1]:,.0f}, {short}", usd(_api_bill(stay)),
                             usd(found.mean_monthly_usd), usd(rival.mean_monthly_usd), _signed(found.npv_usd),
                             mark(agrees=found.pv_cost_usd < rival.pv_cost_usd), _crossing(answer, "stay"),
                             _crossing(answer, "best_untrained")])
    least = min((row[-1] for row in rows if row[-1] != "never"), key=lambda told: float(told.replace(",", "")))
    return Claim(
        "10,000 or more calls a day",
        '"a single well-defined task type running at high volume (10,000+ calls/day)"',
        count_verdict(outcomes),
        f"Counted: rows in which the adapter's NPV against staying is positive at 10,000 calls a day ({agreeing(outcomes)})."
        " Calls"
        " are not the criterion: tokens x price is, against a rent and people that do not depend on calls.",
        (table(["incumbent, in/out, case", "stay", "adapter", "untrained", "NPV", "wins", "vs stay", "vs untrained"], rows,
               "`roi compare` at 10,000 requests a day, USD a month (stay: the API bill alone; the others after go-live,"
               " migrations"
               " and retraining included); last columns:"
               " break-even requests a day by present value, from where the adapter wins for good:"),),
        "against gpt-4o at 6,000/500, and at 1,000/300 without staff.",
        "short classification calls (300 in, 10 out) even against gpt-4o, and every mix against gpt-6-luna. Without staff the"
        f" break-even against staying runs from {rows[4][-2]} to {rows[6][-2]} calls a day by incumbent and tokens; against"
        " the best"
        f" option without training it is at least {least}, where there is one.",
        f"as claim 10 ({DRAWS} draws; the figures here are central values).",
        "as claim 10; more than one task on the same fleet, which divides the rent.",
    )


def _row(name: str, answer: Comparison) -> list[str]:
    found, rival = option(answer, ADAPTER), best_untrained(answer)
    assert found.fleet is not None
    assert found.payback_p10_p50_p90 is not None
    assert found.probability_npv_positive is not None
    return [name, f"{found.fleet.gpus:.0f} x {found.fleet.gpu.removesuffix('-80GB-SXM')}", usd(found.upfront_usd),
            usd(found.mean_monthly_usd), months(found.payback_months),
            " - ".join(months(x) for x in found.payback_p10_p50_p90), f"{found.probability_npv_positive:.0%}",
            usd(rival.mean_monthly_usd)]


def _api_bill(stay: OptionResult) -> float:
    """What the API bills in month 1, USD."""
    return sum(line.monthly_usd[0] for line in stay.lines if line.kind is LineKind.API)


def _signed(x: float) -> str:
    return f"-{usd(-x)}" if x < 0 else usd(x)


def _crossing(answer: Comparison, baseline: str) -> str:
    """Requests a day from which the adapter wins for good, present value."""
    found = next(b for b in answer.break_even if (b.option, b.baseline, b.basis) == (ADAPTER, baseline, "pv"))
    return "never" if found.stays is None else f"{found.stays:,.0f}"
