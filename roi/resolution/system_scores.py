"""How often a system is wrong: what a count leaves, what the scenario states, or what to expect where nobody judged it.

And of options that hand requests on to the incumbent: how often both are wrong, and whether anybody measured that.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from roi.catalog.models.quality_priors import QualityPrior, quality_prior
from roi.catalog.models.same_weights import closed_name, same_weights
from roi.economics.decision.alarms import GATE_IMPOSSIBLE
from roi.economics.inputs import Option, path_of
from roi.economics.reading import PLAIN
from roi.economics.worked_out import ErrorRate, OptionFacts
from roi.errors import ScenarioError
from roi.facts.case import ITEMS, counted_quantile
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.paired_scores import add_pair, carry_over, check_counts, largest_pair, tell_pairs
from roi.resolution.template_facts import score_of, template_scenario, with_ends
from roi.resolution.vendors.api_terms import ONE_MODEL
from roi.scenario.quantity import Share, Spread, as_spread, value_of
from roi.scenario.scenario import Scenario, cascade, escalating_systems, known_systems, model_part
from roi.scenario.sections.scores import Rate, Score

UNKNOWN_ERROR = (0.05, 0.01, 0.2)
"""Error rate of an incumbent that nobody evaluated, and its ends: one answer in a hundred to one in five."""
HARDER = Spread(
    value=0.5, low=0.16, high=0.84,
    source="what is escalated is harder for the second model too: from its overall error rate (0) to all of its errors, rate"
    " over share escalated (1); nobody measured it, so the middle of the two in the log, with both ends possible",
)
UNTESTED = "gate untested"
REFUSED, UNMEASURED = "rates that cannot be true test nothing", "nobody measured what is kept"
GATE_DOUBT = "quality.gate_doubt"
"""Where a Case holds which rates of a gate do not go together; those that cannot at all are in GATE_IMPOSSIBLE."""
ROUNDED: Final = 1e-9
"""Shares that differ by less are the same, worked out another way."""


def add_score(sheet: FactSheet, s: Scenario, system: str, prior: QualityPrior | None) -> None:
    """The system's error rate: counted, stated, that of its weights at another host, or assumed by its class's row `prior`."""
    score, incumbent = score_of(s, system), system == s.incumbent.model
    if path_of(ErrorRate, "evaluated", system=system) in sheet.facts:  # the measure of the same weights elsewhere
        return
    if score in {None, "not evaluated"} and (other := _same_weights(s, system)) is not None:
        _add_same_weights(sheet, s, system, other)
        return
    score = "not evaluated" if score is None else score  # 0 is a score
    sheet.state(path_of(ErrorRate, "evaluated", system=system), score != "not evaluated")
    if score == "not evaluated":
        _add_unknown(sheet, s, system, prior)
        return
    score = score if isinstance(score, Score) else Score(value=score)
    if incumbent and score.value < s.quality.bar:
        told = f"the incumbent itself is below the bar: {score.value:.3g} against {s.quality.bar:.3g}; staying is still shown"
        sheet.warnings.append(told)
    if incumbent and score.paired is not None:
        raise ScenarioError(f"quality.scores.{system}.paired", score.paired.items, "the incumbent has no pairs with itself")
    _add_known(sheet, s, system, score)


def _same_weights(s: Scenario, system: str) -> str | None:
    """Whose answers say how good the system's are: the incumbent with its weights, else another scored name of them.

    Of several that one on the most items. None where no score tells of these weights, and the incumbent has others; and of a
    system that the scenario calls not evaluated, where it states a ratio for such.
    """
    today, ratio = s.incumbent.model, s.quality.not_evaluated_error_ratio
    if ratio is not None and score_of(s, system) == "not evaluated":
        return None

    def rank(name: str) -> tuple[bool, float]:
        score = s.quality.scores[name]
        return name == today, (score.items or 0.0) if isinstance(score, Score) else 0.0

    scored = [name for name, score in s.quality.scores.items() if score != "not evaluated" and name != system
              and same_weights(name, system) and not (system == today and isinstance(score, Score) and score.paired)]
    others = sorted(scored, key=rank, reverse=True)
    unscored = [today] if today != system and ratio is None and same_weights(today, system) else []
    return next(iter([*others, *unscored]), None)


def _add_same_weights(sheet: FactSheet, s: Scenario, system: str, other: str) -> None:
    """The error rate of the same weights as `other`'s at another host: drawn with it, x what hosts make of one model.

    It is tested where the other is, unless the scenario says that nobody evaluated it. Of a closed model that a cloud resells
    its maker gives out no weights to pack otherwise: it is as good there.
    """
    add_score(sheet, s, other, None)
    path, of_other = partial(path_of, ErrorRate, system=system), partial(path_of, ErrorRate, system=other)
    prior, closed = quality_prior("same-weights"), closed_name(system) is not None
    told = f"same model as {other}" if closed else f"same weights as {other}, at another host"
    judged = bool(sheet.facts[of_other("evaluated")].value) and score_of(s, system) != "not evaluated"
    sheet.state(path("evaluated"), judged, told)
    sheet.state(path("same_as"), other, told)
    ratio = 1.0 if closed else prior.ratio
    if not closed:
        sheet.add(path("ratio"), ratio, "ratio", basis=Basis.ASSUMED, low=prior.low, high=prior.high,
                  source=f"{told}: {prior.source}: {prior.note}", date=prior.date)
    central = sheet.facts[of_other("central")]
    sheet.add(path("central"), min(central.number() * ratio, 1.0), "share", date=central.date,
              basis=central.basis if judged else Basis.ASSUMED, source=f"{told}: its {central.number():.3g} x {ratio:g}")
    for name in ("measured", "items", "labelled"):
        if judged and (fact := sheet.facts.get(of_other(name))) is not None:
            sheet.state(path(name), fact.value, told, fact.unit)
    if judged:
        serves = "" if closed else (f"; its host may pack and serve them otherwise, {prior.low:g} to {prior.high:g} x the wrong"
                                    " answers")
        what = "model" if closed else "weights"
        sheet.warnings.append(f"{system} is judged by the answers of {other}: the same {what}{serves}. Where that is no test,"
                              f" write quality.scores.{system}: not evaluated")


def _add_unknown(sheet: FactSheet, s: Scenario, system: str, prior: QualityPrior | None) -> None:
    """The error rate of a system that nobody evaluated: the incumbent's x a ratio with a wide spread."""
    date = None
    if system == s.incumbent.model:
        value, low, high, why, basis = _unknown_incumbent(sheet, s)
    else:
        assert prior is not None, system
        given = s.quality.not_evaluated_error_ratio
        ratio = as_spread(given) if given is not None else Spread(
            value=prior.ratio, low=prior.low, high=prior.high, source=f"{prior.source}: {prior.note}", date=prior.date)
        base, basis = sheet.facts[path_of(ErrorRate, "central", system=s.incumbent.model)].number(), Basis.ASSUMED
        value, low, high = (min(base * x, 1.0) for x in (ratio.value, ratio.low or ratio.value, ratio.high or ratio.value))
        why, date = f"not evaluated: incumbent's {base:.3g} x {ratio.value:g} ({ratio.source})", ratio.date
    path = path_of(ErrorRate, "central", system=system)
    sheet.add(path, value, "share", basis=basis, low=low, high=high, source=why, date=date)


def _unknown_incumbent(sheet: FactSheet, s: Scenario) -> tuple[float, float, float, str, Basis]:
    """Error rate of an incumbent that nobody evaluated, its ends, why, and its basis: its template's, else a wide guess."""
    value, low, high = UNKNOWN_ERROR
    why, basis = "nobody evaluated the incumbent", Basis.ASSUMED
    if s.template is not None:
        given = template_scenario(s.template)
        score = given.quality.scores[given.incumbent.model]
        score = with_ends(score) if isinstance(score, float) else score
        assert isinstance(score, Score)
        value, low, high = (1 - x for x in (score.value, score.high or score.value, score.low or score.value))
        why, basis = f"template {s.template}: {why}", Basis.TEMPLATE
    if value_of(s.quality.usd_per_error) > 0:
        model, right = s.incumbent.model, f"{1 - value:.3g}"
        sheet.warnings.append(f"nobody says how good {model} is: {right} of its answers are taken to be right"
                              f" ({1 - high:.3g} to {1 - low:.3g}); write quality.scores.{model}: {right}, or what your"
                              " evaluation set says")
    return value, low, high, why, basis


def _add_known(sheet: FactSheet, s: Scenario, system: str, score: Score) -> None:
    """The error rate of a system that was evaluated: a count leaves a Beta distribution, an interval its luck.

    That of a system which was judged on the incumbent's items goes with the incumbent's, and where only some of them pair it is
    the incumbent's and the difference on those (`on_all_items`); its own ends stand all the same.
    """
    path, source = partial(path_of, ErrorRate, system=system), score.source or f"scenario quality.scores.{system}"
    items, wrong = score.items, 1.0 - score.value
    pair = largest_pair(s) if system == s.incumbent.model and score.low is None and items is None else None
    carried = None
    if score.paired is not None:
        items = items or round(score.paired.items) or 1
        check_counts(sheet, s, system, score, score.paired)
        carried = carry_over(sheet, s, score, score.paired)
    counted = items if score.effective_items is None else score.effective_items
    if score.effective_items is None and score.low is not None and score.high is not None:
        _add_ends(sheet, system, 1.0 - score.value, 1.0 - score.high, 1.0 - score.low, source)
    elif carried is not None and score.paired is not None:
        told = tell_pairs(sheet, s, system, score, score.paired, carried)
        _add_counted(sheet, path("central"), carried.score.wrong, carried.score.right + carried.score.wrong, source, told)
        wrong, items = 1.0 - carried.score.share, carried.items
        if carried.alone[0]:
            sheet.state(path("labelled"), carried.alone[0], source, "items")
    elif pair is not None and counted is None:
        _add_counted(sheet, path("central"), pair.only_this + pair.both_wrong, pair.items, source)
    elif counted is not None:
        _add_counted(sheet, path("central"), wrong * counted, counted, source)
    else:
        sheet.state(path("central"), wrong, source, "share")
    if score.paired is not None:
        add_pair(sheet, s, system, score.paired, carried, source)
    if path("central") + ITEMS in sheet.facts:
        sheet.state(path("measured"), wrong, source, "share")
    if items is not None:
        sheet.state(path("items"), items, source, "items")


def _add_ends(sheet: FactSheet, system: str, wrong: float, least: float, most: float, source: str) -> None:
    """An error rate between its 5th and 95th percentile, by the luck of the evaluation."""
    path = partial(path_of, ErrorRate, system=system)
    sheet.places[f"quality.scores.{system}"] = [path("central")]
    for name, value in (("central", wrong), ("low", least), ("high", most)):
        sheet.state(path(name), value, source, "share")
    if least < most:
        sheet.add(path("noise"), 0.0, basis=Basis.ASSUMED, low=-1.0, high=1.0,
                  source=f"luck of the evaluation of {system}: -1 puts its score at its low, +1 at its high")


def _add_counted(sheet: FactSheet, path: str, count: float, items: float, source: str, told: str | None = None) -> None:
    """A share of which `count` of `items` were seen: its mean, the 5th and 95th percentile of the Beta, and the items.

    `told` says where else it comes from.
    """
    mean = (count + 0.5) / (items + 1.0)
    low, high = (float(x) for x in counted_quantile(np.array([0.05, 0.95]), mean, items))
    told = told or f"{count:,.4g} of {items:,.4g} items, and half an item each way"
    sheet.add(path, mean, "share", basis=Basis.STATED, low=min(low, mean), high=max(high, mean), source=f"{source}: {told}")
    sheet.state(path + ITEMS, items, source, "items")


def add_share(sheet: FactSheet, path: str, share: float | Spread, source: str) -> bool:
    """The fact of a stated share; True where it was counted and has no ends of its own: it is then drawn as a count."""
    if not isinstance(share, Rate) or share.items is None or share.low is not None:
        sheet.quantity(path, share, "share", stated=True, source=source)
        return False
    if path not in sheet.facts:
        sheet.places[source.removeprefix("scenario ")] = [path]
        _add_counted(sheet, path, share.value * share.items, share.items, share.source or source)
    return True


def add_escalations(sheet: FactSheet, s: Scenario) -> None:
    """The error rates of every option that hands on, what was tested of it, and warnings about what cannot be.

    ScenarioError where a model hands on what has no output, as embeddings.
    """
    if s.workload.embeds and (handing := next((x for x, e in s.quality.escalated.items() if not _nothing(e)), None)):
        share = value_of(s.quality.escalated[handing])
        raise ScenarioError(f"quality.escalated.{handing}", share, f"leave it out: {ONE_MODEL}")
    hand_on, q, used = escalating_systems(s), s.quality, {s.incumbent.model}
    told, works = dict[str, list[tuple[str, bool]]](), set[str]()
    for id in sheet.case().options:
        kind, system = (str(sheet.facts[path_of(Option, name, option=id)].value) for name in ("kind", "system"))
        if kind in PLAIN or system not in hand_on or _nothing(_share(s, system)):
            continue
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
            told.setdefault(system, list(_contradictions(sheet, s, system)))
            if s.incumbent.may_stay and path("infeasible") not in sheet.facts:
                works.add(system)
            if kept is not None and escalated is None:
                sheet.quantity(path("escalated_harder"), HARDER, "share", stated=False, source=HARDER.source)
        _state_tested(sheet, s, id, system, cannot=any(cannot for _, cannot in told.get(system, ())))
    _tell_contradictions(sheet, told, works)
    _warn_of_no_cascade(sheet, s, used)


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
        sheet.warnings.append(f"quality.escalated.{system} moves nothing: {system} hands nothing on, it is first in no cascade"
                              f" (candidates.cascade_first){write}")


def _nothing(share: Share) -> bool:
    """True where nothing is handed on, in no draw."""
    return value_of(share) == 0.0 and not as_spread(share).high


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

    Of all requests a model gets wrong no less than of the part that it answers, and no more than that and all of the rest. A
    rate that nobody measured contradicts none.
    """
    handed, q = _share_ends(sheet, s, system), s.quality
    counted = system in q.escalated or f"systems.{system}.escalated_share" in sheet.facts
    assumed = "" if counted else f"; the share handed on is assumed (quality.escalated.{system})"
    gate = (("kept", q.kept_error_rate, system, handed.rest, "kept", "handed on"),
            ("escalated", q.escalated_error_rate, s.incumbent.model, handed, "handed on", "kept"))
    for name, rates, model, part, this, other in gate:
        path = partial(path_of, ErrorRate, system=model)
        if system not in rates or not sheet.facts[path("evaluated")].value:
            continue
        field, value, overall = f"quality.{name}_error_rate.{system}", value_of(rates[system]), _ends(sheet, path("central"))
        rate = _ends(sheet, path_of(Option, f"{name}_error", system=system), value)
        ends = ", even at the ends of their intervals" * any(x.least < x.most for x in (part, rate, overall))
        if part.value * value > overall.value + ROUNDED:
            cannot = part.least * rate.least > overall.most + ROUNDED
            yield (f"{field}: {value:g} of a share of {part.value:g} is more than all errors of {model}, {overall.value:.3g} of"
                   f" all requests{ends * cannot}{assumed}"), cannot
        elif part.value < 1.0 and (left := (overall.value - part.value * value) / part.rest.value) > 1.0 + ROUNDED:
            cannot = overall.least > 1.0 - part.least * (1.0 - rate.most) + ROUNDED
            yield (f"{field}: with {value:g} of what is {this} wrong, {left:.0%} of what is {other} would be, at an overall"
                   f" error rate of {overall.value:.3g}{f'{ends}; that cannot be' * cannot}{assumed}"), cannot
        elif name == "kept" and value > overall.value:
            yield (f"{field}: {value:g} is above its overall error rate of {overall.value:.3g}: a gate that keeps the worse"
                   " answers"), False
        elif name == "escalated" and value < overall.value:
            sheet.warnings.append(f"{field}: {value:g} is below {model}'s overall error rate of {overall.value:.3g}: what is"
                                  " escalated would be easier than the rest")
