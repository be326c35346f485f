"""Remarks on what a scenario states far from what is usual, or in vain, or should state."""

from math import inf
from typing import Final

from roi.economics.decision.alarms import BILL_OFF
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import ADAPTER_SLOTS
from roi.economics.decision.option_result import InfeasibleOption
from roi.economics.inputs import path_of
from roi.economics.lines.line_kind import LineKind
from roi.economics.option_kinds import KEEPS_MODEL, OWN_HARDWARE
from roi.economics.outlook import bill_at_todays_list, unstated_reasoning
from roi.economics.price_list import Api
from roi.economics.reading import PLAIN
from roi.errors import first_of
from roi.facts.case import ABOUT, CAUTIONS
from roi.facts.fact import guessed
from roi.report.comparison.option_figures import mean_from, option_of, to_choose
from roi.report.comparison.remarks.latency import SLO
from roi.report.comparison.thresholds import PRICE_OF_ERRORS, any_unstated
from roi.report.layout.wording import case_number, figure, number_of, off_list, usd

BILLED: Final = frozenset({LineKind.API, LineKind.PROVISIONED, LineKind.INCUMBENT})
"""Lines of a vendor's bill, which its credits pay."""
RESALE: Final = "own_hardware.resale_usd_per_gpu"
"""What own cards would fetch, by card below it; what a remark on it is about."""
RENTED: Final = frozenset({LineKind.RENT, LineKind.PLATFORM})
"""Lines of a cloud's bill, which its credits to an option on rented GPUs pay."""
CENT = 0.005
MOST_CAUTIONS = 3
"""Warnings of an evaluation that the screen tells."""
MOST_OUT = 2
"""Reasons why options are out that the screen tells."""
NAMED_APIS: Final = frozenset({"cheaper-api", "hosted-open", "cascade"})
"""Kinds of options with an API that the scenario names (candidates.api_models, hosted_models, cascade_first)."""
NAMED = 3
"""Names that a list on the screen has at most."""
OWN_TERMS: Final = ("setup_hours", "run_hours_per_month", "months_to_live", "months_in_parallel", "evaluation_usd",
                    "evaluation_labels", "spares")
"""What a scenario may state of one option (`OptionTerms`, whose import takes longer than a comparison that was kept)."""
UNUSUAL: Final = (
    ("own_hardware.usd_per_kwh", 0.0, 1.0, "Power at {} a kWh: 0.06 to 0.20 is usual"),
    ("people.usd_per_hour", 5.0, inf, "People at {} an hour: below most minimum wages"),
    ("people.usd_per_hour", 0.0, 1000.0, "People at {} an hour: above what consultants bill; is it a year's pay?"),
    ("people.existing_hours_per_month", 0.0, 1600.0,
     "More hours a month are paid anyway than ten people work: are they a year's?"),
    ("drift.gpu_rent_per_year", -0.75, 2.0, "Rents of GPUs that move by {} a year: 0.08 is 8%"),
    ("own_hardware.pue", 1.0, 3.0, "A PUE of {}: 1.15 to 1.6 is usual"),
    ("workload.peak_to_mean", 0.0, 24.0, "A busiest minute of {} x the mean: as if all of a day came within an hour"),
    ("training.examples", 10.0, inf, "Training examples: {}; vendors refuse fewer than 10"),
)
"""Least and most of what is usual, beyond which a cent was typed for a dollar, or one for many.

The dearest grids ask about $0.5 a kWh, and no diesel generator costs much over 1; most minimum wages are above $5 an hour (7.25
in the USA), and hardly a consultant of any trade bills 1,000; ten people work 1,600 hours a month, one as many in a year;
an H100's rent lost 54% a year from 2023 to 2025, and was at most 2.35 x as high a year later (`Drift`); the worst halls that
publish it draw thrice what their machines do;
OpenAI's guide to fine-tuning asks for ten examples.
"""
LARGEST_DISCOUNT = 0.9
"""Discount on a list beyond which next to nothing is left of it: a share of the list that is paid may be meant."""
DEAR_ERRORS = 1000.0
"""Times today's API bill: whom wrong answers cost so much more than the answers would let people check each of them."""


def reasons_unsaid(c: Comparison) -> list[str]:
    """That the leading option has no reasoning tokens only because nobody stated them, while today's model is stated to have.

    Where it runs no GPUs, whose speed would be another, what is advised if it has as many.
    """
    if (each := unstated_reasoning(c.case, c.verdict.leader)) <= 0.0:
        return []
    system, today = (str(c.case[f"options.{id}.system"].value) for id in (c.verdict.leader, "stay"))
    told = (f"{system} is counted without reasoning tokens, {today} with {figure(each)} a request"
            f" (tokens.{system}.reasoning_tokens)")
    if c.leader.fleet is not None:
        return [told]
    then = c.leader_at({f"systems.{system}.reasoning_tokens": each})
    return [f"{told}; with as many the advice {'holds' if then == c.verdict.leader else f'is {to_choose(c, then)}'}"]


def resale_guessed(c: Comparison) -> list[str]:
    """That what own cards would fetch is assumed, where they would be used otherwise if it were nothing."""
    each = {path: fact for path, fact in c.case.facts.items() if path.startswith(f"{RESALE}.") and guessed(fact)}
    if not each or (then := c.leader_at(dict.fromkeys(each, 0.0))) == c.verdict.leader:
        return []
    sold = " and ".join(f"{usd(fact.number())} ({path.removeprefix(f'{RESALE}.')})" for path, fact in each.items())
    return [f"Own cards are assumed to fetch {sold} each; at $0 the advice is {to_choose(c, then)} ({RESALE})"]


def flat_servers(c: Comparison) -> list[str]:
    """Says that nobody said what the servers of today's model cost at another volume, where one serves it."""
    if not any_unstated(c):
        return []
    told = f"Today's servers are counted at {usd(option_of(c, 'stay').cash_monthly_usd)} a month, however the requests grow"
    return [f"{told}; no volume is told that rests on that. costs.N.usd_per_request says what each adds, be it 0"]


def paid_out(c: Comparison) -> list[str]:
    """The month and the option in which stated credits together most exceed what they can pay for.

    An option's bill is its API's in each month, or where it has none all of its other cash; towards a credit that options on
    GPUs alone have, it is the rent of those and what goes with it.
    """
    fields = {str(c.case[path].value): path.removesuffix(".name") for path in c.case
              if path.startswith("costs.") and path.endswith(".name")}
    everybody = {name for name, field in fields.items() if c.case[f"{field}.option"].value in {"stay", "all", "all but stay"}}
    most, told = CENT, ""
    for o in c.options:
        cash = [line for line in o.lines if line.cash]
        own = [line for line in cash if line.kind is LineKind.OWN and line.name in fields]
        bills = [line for line in cash if line.kind in BILLED] or [line for line in cash if line.kind is not LineKind.OWN]
        if not any(line.name in everybody for line in own):
            bills = [line for line in cash if line.kind in RENTED] or bills
        for month in range(len(o.monthly_usd)):
            bill = sum(line.monthly_usd[month] for line in bills)
            held = [line for line in own if line.monthly_usd[month] < 0]
            beyond = -sum(line.monthly_usd[month] for line in held) - max(bill, 0.0)
            if beyond > most:
                where = " and ".join(f"{fields[line.name]}.usd_per_month" for line in held)
                most, told = beyond, (
                    f"{' and '.join(line.name for line in held)}: more than the bill of {o.label} that it could pay,"
                    f" {usd(bill)} in month {month + 1}; {usd(beyond)} of it is counted as cash paid out, where a vendor's"
                    f" credit lapses ({where}, to_month)")
    return [told] if told else []


def unused_names(c: Comparison) -> list[str]:
    """Names of systems and APIs of which something is stated, and that no incumbent or candidate has."""
    if "unused" not in c.case:
        return []
    names = str(c.case["unused"].value).split(", ")
    return [f"No incumbent or candidate is called so, and it moves nothing: {first_of(names, NAMED)}"]


def evaluated(c: Comparison) -> list[str]:
    """What the evaluation warns of of today's model, of what leads, is second or is to be measured, or of all."""
    v, facts, told = c.verdict, c.case.facts, dict[str, str]()
    measured = v.measure_first or v.then
    asked = [id for id in ("stay", v.leader, v.first_move, v.second or v.challenger, measured and measured.option) if id]
    paths = (f"options.{id}.{field}" for id in asked for field in ("system", "end_to_end"))
    names = {str(facts[path].value) for path in paths if path in facts}
    names |= {str(facts[path].value) for name in names if (path := f"systems.{name}.error_rate_as") in facts}
    for path in facts:
        if path.startswith(CAUTIONS) and not path.endswith(ABOUT):
            about = facts.get(path + ABOUT)
            if about is None or about.value in names:
                told[path] = f"{facts[path].value}" if about is None else f"{about.value}: {facts[path].value}"
    more = len(told) - MOST_CAUTIONS
    return [*list(told.values())[:MOST_CAUTIONS],
            *([f"The evaluation warns of {number_of(more, 'other thing')}: --full"] if more > 0 else [])]


def for_nothing(c: Comparison) -> list[str]:
    """What is stated for nothing: a cost or a step after the horizon, hours to wait of requests none of which can."""
    facts, waits, horizon = c.case.facts, "workload.waits_hours", case_number(c.case, "horizon_months")
    begins = {path: case_number(c.case, path) for path in facts
              if path.startswith(("costs.", "workload.steps.")) and path.endswith(".from_month")}
    names = {path: facts.get(path.replace(".from_month", ".name")) for path in begins}
    told = [f"{'a step of the volume changes' if (name := names[path]) is None else f'{name.value} costs'} nothing within the"
            f" horizon of {figure(horizon)} months: it begins in month {figure(month)} ({path})"
            for path, month in begins.items() if month > horizon]
    if waits in facts and case_number(c.case, "workload.can_wait_share", 0.0) <= 0.0:
        told.append(f"{waits} moves nothing: no request can wait (workload.can_wait_share)")
    if (spot := "candidates.spot") in facts:
        told.append(f"{spot} {facts[spot].value}")
    told += [str(facts[gate].value) for gate in ("quality.in_vain",) if gate in facts]
    return told


def _out(c: Comparison) -> dict[str, str]:
    """Reason -> the first option out for it although somebody named or scored it, or stated its terms, latency, slots or cards.

    An API that is named where no option with it works; today's model otherwise where it ends before that could be live. What
    misses the bar or fails a gate has remarks of its own.
    """
    system = {o.id: str(c.case[f"options.{o.id}.system"].value) for some in (c.options, c.infeasible) for o in some}
    kinds, systems = {o.kind for o in c.options}, {system[o.id] for o in c.options}
    owns = any(f"options.{o.id}.owned" in c.case for o in c.options)

    def stated(o: InfeasibleOption) -> bool:
        own = [f"options.{o.id}.", *([] if o.kind in kinds else [f"kinds.{o.kind}."])]
        scored = o.quality.status == "evaluated" and o.kind != OWN_HARDWARE and system[o.id] not in systems
        named = o.kind in NAMED_APIS and system[o.id] not in systems
        gone = o.kind in KEEPS_MODEL and o.reason.startswith("ends ")
        return (scored or named or gone or o.binding_field == ADAPTER_SLOTS or (o.binding_field in SLO and o.kind in PLAIN)
                or (not owns and f"options.{o.id}.owned" in c.case)
                or any(f"{each}{name}" in c.case for each in own for name in OWN_TERMS))

    first: dict[str, str] = {}
    for o in sorted(c.infeasible, key=lambda o: o.kind in KEEPS_MODEL):
        if o.score is None and not o.fails_gate and stated(o):
            first.setdefault(o.reason.partition(". ")[0], o.label)
    return first


def what_is_out(c: Comparison) -> list[str]:
    """Options that are out, with their reasons, so many as have room."""
    told = [f"{label} is out: {why}" for why, label in _out(c).items()]
    more = len(told) - MOST_OUT
    return [*told[:MOST_OUT], *([f"More options are out, for {number_of(more, 'other reason')}: --full"] if more > 0 else [])]


def why_out(c: Comparison, *options: InfeasibleOption) -> str:
    """Options that cannot work, those of one reason together; without it where `what_is_out`, above on the screen, has it."""
    told = dict[str, list[str]]()
    for o in options:
        above = o.reason.partition(". ")[0] in list(_out(c))[:MOST_OUT]
        told.setdefault(" (see above)" if above else f": {o.reason}", []).append(o.label)
    return "; ".join(f"{' and '.join(labels)}{why}" for why, labels in told.items())


def unlikely(c: Comparison) -> list[str]:
    """Figures far from what is usual; of rents and prices a token what the resolution found so."""
    told = [f"{words.format((usd if 'usd' in path else figure)(case_number(c.case, path)))} ({path})"
            for path, least, most, words in UNUSUAL
            if path in c.case and not least <= case_number(c.case, path) <= most]
    told += [str(c.case[path].value) for path in ("prices.unusual",) if path in c.case]
    committed, labels, enough = (case_number(c.case, path, 0.0) for path in (
        "commitment.usd_per_month", "evaluation.labels", "verdict.min_items"))
    if case_number(c.case, "commitment.months", 0.0) > 0 and committed >= BILL_OFF * (billed := bill_at_todays_list(c.case)):
        told.append(f"A commitment of {usd(committed)} a month on a bill of {usd(billed)} (incumbent.committed_usd_per_month)")
    off = case_number(c.case, path_of(Api, "discount", option="stay"), 0.0)
    if not 0.0 <= off <= LARGEST_DISCOUNT:
        told.append(f"Today's model is counted at {off_list(off)} (incumbent.discount)")
    stay, each = option_of(c, "stay"), usd(case_number(c.case, PRICE_OF_ERRORS))
    wrong = stay.errors_monthly_usd
    api = sum(mean_from(line, 0) for line in stay.lines if line.kind is LineKind.API)
    if wrong > DEAR_ERRORS * api > 0.0:
        told.append(f"At {each} each, wrong answers cost {usd(wrong)} a month on staying, {figure(wrong / api)} x the API's"
                    f" bill ({PRICE_OF_ERRORS}, USD of one wrong answer)")
    if 0.0 < labels < enough:
        told.append(f"Items of an evaluation: {figure(labels)}; a score of fewer than {figure(enough)} counts as not tested"
                    " (evaluation.labels, verdict.min_items)")
    return told
