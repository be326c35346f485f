"""Of options that hand requests on to the incumbent: how often both are wrong, whether anybody measured that, and the share."""

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from math import sqrt
from typing import Final, NamedTuple

from roi.economics.decision.alarms import GATE_IMPOSSIBLE
from roi.economics.inputs import Option, path_of
from roi.economics.reading import PLAIN
from roi.economics.worked_out import ErrorRate, OptionFacts
from roi.errors import ScenarioError
from roi.facts.case import triangle
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.own_terms import IN_VAIN
from roi.resolution.scores.system_scores import add_score, add_share
from roi.resolution.vendors.api_terms import ONE_MODEL
from roi.scenario.quantity import Share, Spread, as_spread, value_of
from roi.scenario.scenario import Scenario, cascade, escalating_systems, known_systems, model_part
from roi.scenario.sections.scores import Rate, Score

HARDER = Spread(
    value=0.5, low=0.16, high=0.84,
    source="what is escalated is harder for the second model too: from its overall error rate (0) to all of its errors, rate"
    " over share escalated (1); nobody measured it, so the middle of the two in the log, with both ends possible",
)
UNTESTED = "gate untested"
REFUSED, UNMEASURED = "rates that cannot be true test nothing", "nobody measured what is kept"
GATE_DOUBT = "quality.gate_doubt"
"""Where a Case holds which rates of a gate do not go together, and what share is assumed so that they do; those that cannot at
all are in GATE_IMPOSSIBLE."""
ROUNDED: Final = 1e-9
"""Shares that differ by less are the same, worked out another way."""
TAIL: Final = 0.05
"""Probability beyond each end of a fact's spread, below P5 and above P95."""


def add_escalations(sheet: FactSheet, s: Scenario) -> None:
    """The error rates of every option that hands on, what was tested of it, and warnings about what cannot be.

    ScenarioError where a model hands on what has no output, as embeddings.
    """
    if s.workload.embeds and (handing := next((x for x, e in s.quality.escalated.items() if not _nothing(e)), None)):
        share = value_of(s.quality.escalated[handing])
        raise ScenarioError(f"quality.escalated.{handing}", share, f"leave it out: {ONE_MODEL}")
    q, used = s.quality, {s.incumbent.model}
    told, works = dict[str, list[tuple[str, bool]]](), set[str]()
    for id, system in _handing_on(sheet, s):
        used.add(system)
        path, whole = partial(path_of, Option, option=id, system=system), cascade(s, system)
        score = q.scores.get(whole, "not evaluated")
        kept, escalated = q.kept_error_rate.get(system), q.escalated_error_rate.get(system)
        if score != "not evaluated":
            sheet.state(path("end_to_end"), whole, f"scenario quality.scores.{whole}")
            add_score(sheet, s, whole, None)
            if kept is not None or escalated is not None:
                sheet.warnings.append(f"quality.kept_error_rate and escalated_error_rate of {system} move nothing: the score of"
                                      f" {whole} end to end overrides them")
        else:
            _add_gate(sheet, s, id, system)
            if system not in told:
                told[system] = list(_contradictions(sheet, s, system))
            if _assumed(s, system):
                told[system] += _assume_share(sheet, s, system, f"apis.{sheet.facts[path('vendor')].value}.escalated_share")
            if s.incumbent.may_stay and path("infeasible") not in sheet.facts:
                works.add(system)
            if kept is not None and escalated is None:
                sheet.quantity(path("escalated_harder"), HARDER, "share", stated=False, source=HARDER.source)
        _state_tested(sheet, s, id, system, cannot=any(cannot for _, cannot in told.get(system, ())))
    _tell_contradictions(sheet, told, works)
    _warn_of_no_cascade(sheet, s, used)


def _handing_on(sheet: FactSheet, s: Scenario) -> Iterator[tuple[str, str]]:
    """(option's id, its system) of each that hands on: cascades, and what else has a share of its own under `escalated`."""
    hand_on = escalating_systems(s)
    for id in sheet.case().options:
        kind, system = (str(sheet.facts[path_of(Option, name, option=id)].value) for name in ("kind", "system"))
        handing = kind == "cascade" or (system in s.quality.escalated and kind not in PLAIN)
        if handing and system in hand_on and not _nothing(_share(s, system)):
            yield id, system


def _state_tested(sheet: FactSheet, s: Scenario, id: str, system: str, *, cannot: bool) -> None:
    """Whether the option that hands on is tested: by a score end to end, else by its gate's rates.

    Those that `cannot` be true test nothing, unless that is accepted.
    """
    whole, kept, handed = cascade(s, system), system in s.quality.kept_error_rate, system in s.quality.escalated_error_rate
    scored, refused = s.quality.scores.get(whole, "not evaluated") != "not evaluated", cannot and "gate" not in s.accept
    both = handed or bool(sheet.facts[path_of(ErrorRate, "evaluated", system=s.incumbent.model)].value)
    tested = scored or (kept and both and not refused)
    why = f"scores.{whole}" if scored else "kept_error_rate" if tested else REFUSED if refused else UNMEASURED
    sheet.state(path_of(OptionFacts, "tested", option=id), tested, f"scenario quality: {why}")
    if not tested:
        note = UNTESTED if refused or not kept else f"{s.incumbent.model} not evaluated"
        sheet.state(path_of(Option, "test_note", option=id), note,
                    f"state quality.kept_error_rate.{system} or quality.scores.{whole}")


def _add_gate(sheet: FactSheet, s: Scenario, id: str, system: str) -> None:
    """The error rates of what is kept and of what is handed on, as counted or stated, and the items of both together."""
    rates, counted = (s.quality.kept_error_rate, s.quality.escalated_error_rate), s.quality.scores.get(system)
    judged, known = 0, isinstance(counted, Score) and counted.items is not None
    for name, rate in zip(("kept", "escalated"), (each.get(system) for each in rates), strict=True):
        path, source = path_of(Option, f"{name}_error", system=system), f"scenario quality.{name}_error_rate.{system}"
        if isinstance(rate, Rate) and rate.items is not None:
            judged += rate.items
        elif rate is not None and as_spread(rate).low is None and known and path not in sheet.facts:
            told = f"{source.removeprefix('scenario ')} counts as exact: say on how many items it rests,"
            sheet.warnings.append(f"{told} {{value: {value_of(rate):g}, items: 300}}")
        if rate is not None and add_share(sheet, path, rate, source):
            sheet.state(path_of(Option, f"measured_{name}", system=system), value_of(rate), source, "share")
    if judged:
        sheet.state(path_of(OptionFacts, "items", option=id), judged, "of what is kept and of what is handed on", "items")


def _warn_of_no_cascade(sheet: FactSheet, s: Scenario, used: set[str]) -> None:
    """Say which candidates have a share that they hand on, and no option in which they do."""
    known = known_systems(s)
    for system, share in s.quality.escalated.items():
        if system in used or system not in known or _nothing(share):
            continue
        names = [name for name in (*s.candidates.api_models, *s.candidates.hosted_models) if model_part(name) == system]
        write = f"; to compare it as one, write candidates.cascade_first: [{names[0]}]" if names else ""
        sheet.tell(IN_VAIN, f"quality.escalated.{system} moves nothing: {system} hands nothing on, it is first in no cascade"
                   f" (candidates.cascade_first){write}")


def _nothing(share: Share) -> bool:
    """True where nothing is handed on, in no draw."""
    return value_of(share) == 0.0 and not as_spread(share).high


def _assumed(s: Scenario, system: str) -> bool:
    """True where nobody states the share that the system hands on."""
    return system not in s.quality.escalated and "cascade_escalated_share" not in s.quality.model_fields_set


def _share(s: Scenario, system: str) -> Share:
    return s.quality.escalated.get(system, s.quality.cascade_escalated_share)


class _Ends(NamedTuple):
    """A share as it was measured, and the ends of its interval."""

    least: float
    value: float
    most: float

    @property
    def rest(self) -> "_Ends":
        """What is left of all, least to most."""
        return _Ends(1.0 - self.most, 1.0 - self.value, 1.0 - self.least)


def _ends(sheet: FactSheet, path: str, measured: float | None = None) -> _Ends:
    """The ends of the share at the path, which a score's own ends are where it has them, or its ratio to the same weights'."""
    fact = sheet.facts[path]
    value = fact.number() if measured is None else measured
    if (same := sheet.facts.get(f"{path}_as")) is not None:
        other = _ends(sheet, path_of(ErrorRate, "central", system=same.value))
        low, high = (1.0, 1.0) if (ratio := sheet.facts.get(f"{path}_ratio")) is None else ratio.spread()
        return _Ends(other.least * low, value, other.most * high)
    low, high = (sheet.facts[end].number() if (end := f"{path}_{name}") in sheet.facts else x
                 for name, x in zip(("low", "high"), fact.spread(), strict=True))
    return _Ends(low, value, high)


def _share_ends(sheet: FactSheet, s: Scenario, system: str) -> _Ends:
    """The share that the system hands on, counted or stated."""
    share = as_spread(_share(s, system))
    if (path := f"systems.{system}.escalated_share") in sheet.facts:
        return _ends(sheet, path, share.value)
    low, high = (share.value if x is None else x for x in (share.low, share.high))
    return _Ends(low, share.value, high)


class _Gate(NamedTuple):
    """A rate of a gate that was measured, of a model that was judged."""

    name: str
    """`kept` or `escalated`."""
    field: str
    model: str
    rate: _Ends
    overall: _Ends


def _measured(sheet: FactSheet, s: Scenario, system: str) -> list[_Gate]:
    """What of the system's gate a score can contradict: a rate that nobody measured contradicts none."""
    found, q = [], s.quality
    for name, rates, model in (("kept", q.kept_error_rate, system), ("escalated", q.escalated_error_rate, s.incumbent.model)):
        path = partial(path_of, ErrorRate, system=model)
        if system in rates and sheet.facts[path("evaluated")].value:
            rate = _ends(sheet, path_of(Option, f"{name}_error", system=system), value_of(rates[system]))
            found.append(_Gate(name, f"quality.{name}_error_rate.{system}", model, rate, _ends(sheet, path("central"))))
    return found


def agreeing_shares(
    first: float = 0.0, second: float = 0.0, kept: float | None = None, handed_on: float | None = None,
) -> tuple[float, float]:
    """Least and most share handed on that agrees with a gate's rates; the least lies above the most where none does.

    Of all requests a model gets wrong what it does of the part that it answers, and of the rest between none and all. With e
    the share, k = `kept` and q1 = `first`: (1 - e) k <= q1 <= (1 - e) k + e, which bounds e from below. With r = `handed_on`
    and q = `second`: e r <= q <= e r + 1 - e, which bounds it from above. None of a rate that nobody measured.
    """
    least, most = 0.0, 1.0
    if kept is not None and kept != first:
        least = 1.0 - first / kept if kept > first else (first - kept) / (1.0 - kept)
    if handed_on is not None and handed_on != second:
        most = second / handed_on if handed_on > second else (1.0 - second) / (1.0 - handed_on)
    return least, most


def _closest(rate: _Ends, overall: _Ends) -> tuple[float, float]:
    """The two values that are most alike within the two intervals, which speak most for both of them."""
    if rate.least > overall.most:
        return rate.least, overall.most
    return min(rate.most, overall.least), overall.least


def _agreeing(gates: Iterable[_Gate], *, by_luck: bool) -> tuple[float, float]:
    """Least and most share that agrees with measured rates, at their values or at what the luck of an evaluation leaves."""
    named: dict[str, float] = {}
    for g in gates:
        rate, overall = _closest(g.rate, g.overall) if by_luck else (g.rate.value, g.overall.value)
        named |= {"kept": rate, "first": overall} if g.name == "kept" else {"handed_on": rate, "second": overall}
    return agreeing_shares(**named)


def _none(shares: tuple[float, float]) -> bool:
    """True where no share agrees that leaves something for both models."""
    least, most = shares
    return least > most + ROUNDED or least > 1.0 - ROUNDED or most < ROUNDED


def _bounds_told(gates: Iterable[_Gate], shares: tuple[float, float]) -> str:
    """Which rates need which share, at least and at most."""
    bound = {"kept": f"{shares[0]:.3g} or more", "escalated": f"{shares[1]:.3g} or less"}
    return " and ".join(f"{g.field} of {g.rate.value:.3g}, with {g.overall.value:.3g} of all of {g.model} wrong, needs"
                        f" {bound[g.name]}" for g in gates)


def _assume_share(sheet: FactSheet, s: Scenario, system: str, path: str) -> Iterator[tuple[str, bool]]:
    """Bring the share at the path, which nobody states, to those that agree with the gate's rates; what is said of that.

    The default moves to the nearest share that agrees, with its spread beside it, cut where no share agrees any more, whatever
    the luck of the evaluation. Where none agrees at all it stays.
    """
    gates, fact = _measured(sheet, s, system), sheet.facts[path]
    usual, (low, high) = fact.number(), fact.spread()
    within, wide = (_agreeing(gates, by_luck=luck) for luck in (False, True))
    if _none(wide):
        return
    least, most = (float(end) for end in triangle(low, usual, high))  # of the default the least is below 0, and drawn as 0
    value = min(max(usual, min(within)), max(within))
    above, below = wide[0] > max(least, 0.0) + ROUNDED, wide[1] < most - ROUNDED
    if not above and not below and abs(value - usual) < ROUNDED:
        return
    start = max(value - (usual - least), wide[0], 0.0) if above or value != usual else least
    end = min(value + (most - usual), wide[1])
    width = end - start
    value = min(max(value, start + TAIL * width), end - TAIL * width)
    q = (value - start) / width if width > ROUNDED else 0.5
    low, high = start + sqrt(TAIL * q) * width, end - sqrt(TAIL * (1.0 - q)) * width
    cut = [g for g in gates if (above if g.name == "kept" else below)] or gates
    why = _bounds_told(cut, wide) + ", whatever luck the evaluation had" * (wide != within)
    sheet.facts[path] = fact.model_copy(update={"value": value, "low": low, "high": high, "source": f"{fact.source}; {why}"})
    told = f"quality.escalated.{system} is not stated; {value:.3g} ({low:.3g} to {high:.3g}) is assumed: {why}"
    if value != usual:
        yield told, False
    else:
        sheet.warnings.append(told)


def _tell_contradictions(sheet: FactSheet, of: Mapping[str, Iterable[tuple[str, bool]]], works: Container[str]) -> None:
    """Say which rates of gates do not go together; the Case holds those of systems that hand on in an option that works."""
    found: dict[str, list[str]] = {GATE_DOUBT: [], GATE_IMPOSSIBLE: []}
    for system, contradictions in of.items():
        for told, cannot in contradictions:
            sheet.warnings.append(told)
            if system in works:
                found[GATE_IMPOSSIBLE if cannot else GATE_DOUBT].append(told)
    for path, words in found.items():
        if words:
            sheet.state(path, "; ".join(words), "scenario quality")


def _contradictions(sheet: FactSheet, s: Scenario, system: str) -> Iterator[tuple[str, bool]]:
    """What of a gate's rates does not go together, and whether that is so at all ends of the intervals: it cannot be true.

    Where nobody states the share that is handed on, that is where no share agrees with both rates (`agreeing_shares`).
    """
    gates, handed, assumed = _measured(sheet, s, system), _share_ends(sheet, s, system), _assumed(s, system)
    within, wide = (_agreeing(gates, by_luck=luck) for luck in (False, True))
    if assumed and _none(within):
        cannot = _none(wide)
        sure = ", even at the ends of their intervals" * (cannot and any(
            x.least < x.most for g in gates for x in (g.rate, g.overall)))
        yield f"{gates[0].field}: no share handed on agrees{sure}: {_bounds_told(gates, wide if cannot else within)}", cannot
    for g in gates:
        part, this, other = (handed.rest, "kept", "handed on") if g.name == "kept" else (handed, "handed on", "kept")
        value, rate, overall = g.rate.value, g.rate, g.overall
        ends = ", even at the ends of their intervals" * any(x.least < x.most for x in (part, rate, overall))
        if not assumed and part.value * value > overall.value + ROUNDED:
            cannot = part.least * rate.least > overall.most + ROUNDED
            yield (f"{g.field}: {value:g} of a share of {part.value:g} is more than all errors of {g.model},"
                   f" {overall.value:.3g} of all requests{ends * cannot}"), cannot
        elif not assumed and part.value < 1.0 and (
                left := (overall.value - part.value * value) / part.rest.value) > 1.0 + ROUNDED:
            cannot = overall.least > 1.0 - part.least * (1.0 - rate.most) + ROUNDED
            yield (f"{g.field}: with {value:g} of what is {this} wrong, {left:.0%} of what is {other} would be, at an overall"
                   f" error rate of {overall.value:.3g}{f'{ends}; that cannot be' * cannot}"), cannot
        elif g.name == "kept" and value > overall.value + ROUNDED:
            yield (f"{g.field}: {value:g} is above its overall error rate of {overall.value:.3g}: a gate that keeps the worse"
                   " answers"), False
        elif g.name == "escalated" and value < overall.value - ROUNDED:
            sheet.warnings.append(f"{g.field}: {value:g} is below {g.model}'s overall error rate of {overall.value:.3g}: what"
                                  " is escalated would be easier than the rest")
