"""Whether to time an API before it is moved to, where nobody measured it against a stated SLO (docs/economics.md, 8.5).

Nobody knows how likely it is to miss: no draw holds that, and a rate of vendors' APIs would say little of one on prompts like
these. So what is told needs no prior: the chances of a miss between which timing it first is the best that can be done.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from roi.economics.decision.evaluation import Evaluated
from roi.economics.decision.measuring.worth import TIME_API, Experiment
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import value
from roi.economics.inputs import Option, Shared
from roi.economics.lines.line import billed_requests
from roi.economics.lines.line_kind import LineKind
from roi.economics.option_kinds import KEEPS_MODEL, LEVERS
from roi.economics.reading import PLAIN
from roi.facts.case import Case
from roi.facts.fact import Basis, guessed

SLO: Final = ("workload.ttft_p95_s", "workload.tpot_p95_s")
ANOTHER_API: Final = PLAIN - KEEPS_MODEL - LEVERS
"""Kinds in which another model's API answers all users."""
TIMING_HOURS, TIMING_REQUESTS, TIMING_MONTHS = 4.0, 400, 12 / 365
"""Half a day of one engineer, requests of which twenty are slower than the P95, and a day, which has a busy hour."""


def open_limits(case: Case, option: str) -> tuple[str, ...]:
    """Paths of the limits of the SLO that are stated, and against which nobody measured the option's API."""
    vendor = case.facts.get(f"options.{option}.vendor")
    of_api = f"apis.{'' if vendor is None else vendor.value}."
    return tuple(path for path in SLO if path in case and not guessed(case[path]) and case[path].basis is not Basis.TEMPLATE
                 and path.replace("workload.", of_api) not in case)


def waits(case: Case) -> bool:
    """True where no request is held to the SLO, since all can wait."""
    return (share := case.facts.get("workload.can_wait_share")) is not None and share.number() >= 1.0


def timings(
    case: Case, shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated],
    results: Mapping[str, OptionResult], steps: Sequence[str], likely: Sequence[str],
) -> tuple[Experiment, ...]:
    """The timing of each API among `steps`, what is advised in its order, that nobody measured against a stated SLO.

    Moving at once is in vain where it misses: its set-up S (beyond staying's) and the way back B are lost, L = S + B; of what
    is then done the months lost are not counted. The test costs C and puts the move off by a day, which costs D. At a chance p
    of a miss it beats moving at once where p L > C + (1 - p) D, and the best likely option R whose latency is not open, G less
    than this one on average, where (1 - p) (G - D) > C: from p = (C + D) / (L + D) to 1 - C / (G - D).
    `first_net_usd` is that at even odds, (min(L, G) - D) / 2 - C, which is above zero where the larger of both regrets, of
    moving to what misses and of timing what keeps it, is that of moving. Once moved to, users show it: nothing is worth then.
    """
    unsure = {id for id, o in options.items() if o.kind in ANOTHER_API and open_limits(case, id)}
    vendors = {options[id].vendor for id in unsure}
    found = list[Experiment]()
    for id in steps if not waits(case) else ():
        if id not in unsure:
            continue
        done = central[id]
        others = [each for each in likely if each not in steps and not _vendors(options[each], options) & vendors]
        wage = float(np.asarray(shared.usd_per_hour))
        cost = TIMING_HOURS * wage + TIMING_REQUESTS * _usd_per_request(done)
        upfront = [float(np.asarray(each.total.upfront)) for each in (done, central["stay"])]
        lost = upfront[0] - upfront[1] + (float(np.asarray(shared.migration_hours)) * wage if shared.may_stay else 0.0)
        more = value(results[id], shared.counts) - max((value(results[each], shared.counts) for each in others), default=0.0)
        delay = max(results[id].delay_usd, 0.0) * TIMING_MONTHS
        low, high = (cost + delay) / max(lost + delay, cost + delay), 1.0 - cost / max(more - delay, cost)
        found.append(Experiment(
            kind=TIME_API, option=id, cost_usd=cost, months=TIMING_MONTHS, worth_usd=0.0, net_usd=-cost,
            first_net_usd=(min(lost, more) - delay) / 2.0 - cost, evppi_usd=0.0, error_usd=0.0, lost_if_missed_usd=lost,
            pays_between_chances=(low, high) if low < high else None))
    return tuple(found)


def _vendors(o: Option, options: Mapping[str, Option]) -> set[str | None]:
    """Whose APIs answer users where the option does: its own, and those that it hands on to; nobody's is None."""
    handed = (o.spills_to, o.long_to, o.escalates_to)
    return {o.vendor, *(options[id].vendor for id in handed if id is not None)} - {None}


def _usd_per_request(done: Evaluated) -> float:
    """What the API bills for a mean request in the last month, USD."""
    billed = sum(float(np.asarray(line.monthly).reshape(-1)[-1]) for line in done.costs.lines if line.kind is LineKind.API)
    return billed / float(np.asarray(billed_requests(done.shared)).reshape(-1)[-1])
