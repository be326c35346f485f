"""Facts of options that hand requests on to the incumbent: how often both are wrong, and whether anybody measured that."""

from functools import partial

from roi.economics.inputs import Option, path_of
from roi.economics.reading import PLAIN
from roi.economics.worked_out import ErrorRate, OptionFacts
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.system_scores import add_score
from roi.scenario.quantity import Share, Spread, as_spread, value_of
from roi.scenario.scenario import Scenario, cascade, escalating_systems

HARDER = Spread(
    value=0.5, low=0.16, high=0.84,
    source="what is escalated is harder for the second model too: from its overall error rate (0) to all of its errors, rate"
    " over share escalated (1); nobody measured it, so the middle of the two in the log, with both ends possible",
)
UNTESTED = "gate untested"


def add_escalations(sheet: FactSheet, s: Scenario) -> None:
    """The error rates of every option that hands on, what was tested of it, and warnings about what cannot be."""
    hand_on, q = escalating_systems(s), s.quality
    for id in sheet.case().options:
        kind, system = (str(sheet.facts[path_of(Option, name, option=id)].value) for name in ("kind", "system"))
        if kind in PLAIN or system not in hand_on or as_spread(_share(s, system)) == Spread(value=0.0):
            continue
        path, whole = partial(path_of, Option, option=id, system=system), cascade(s, system)
        score = q.scores.get(whole, "not evaluated")
        kept, escalated = q.kept_error_rate.get(system), q.escalated_error_rate.get(system)
        if score != "not evaluated":
            sheet.state(path("end_to_end"), whole, f"scenario quality.scores.{whole}")
            add_score(sheet, s, whole, None)
            if kept is not None or escalated is not None:
                sheet.warnings.append(f"quality.kept_error_rate and escalated_error_rate of {system} move nothing: the score of"
                                      f" {whole} end to end overrides them")
        for name, rate in (("kept", kept), ("escalated", escalated)):
            if rate is not None:
                sheet.quantity(path(f"{name}_error"), rate, "share", stated=True,
                               source=f"scenario quality.{name}_error_rate.{system}")
        if kept is not None and escalated is None and score == "not evaluated":
            sheet.quantity(path("escalated_harder"), HARDER, "share", stated=False, source=HARDER.source)
        both = sheet.facts[path_of(ErrorRate, "evaluated", system=s.incumbent.model)].value or escalated is not None
        tested = score != "not evaluated" or (kept is not None and bool(both))
        sheet.state(path_of(OptionFacts, "tested", option=id), tested, "scenario quality: " + (
            f"scores.{whole}" if score != "not evaluated" else "kept_error_rate" if tested else "nobody measured what is kept"))
        if not tested:
            note = UNTESTED if kept is None else f"{s.incumbent.model} not evaluated"
            sheet.state(path("test_note"), note, f"state quality.kept_error_rate.{system} or quality.scores.{whole}")
        _warn(sheet, s, system, kept, escalated)


def _share(s: Scenario, system: str) -> Share:
    return s.quality.escalated.get(system, s.quality.cascade_escalated_share)


def _warn(sheet: FactSheet, s: Scenario, system: str, kept: Share | None, escalated: Share | None) -> None:
    """Say which of the stated rates do not go together; a rate that nobody measured contradicts none."""
    own, second = (sheet.facts[path_of(ErrorRate, "central", system=x)].number() for x in (system, s.incumbent.model))
    known, known_second = (sheet.facts[path_of(ErrorRate, "evaluated", system=x)].value for x in (system, s.incumbent.model))
    share = value_of(_share(s, system))
    if kept is not None and known and value_of(kept) > own:
        sheet.warnings.append(f"quality.kept_error_rate.{system}: {value_of(kept):g} is above its overall error rate of"
                              f" {own:.3g}: a gate that keeps the worse answers")
    if escalated is None or not known_second:
        return
    rate, field = value_of(escalated), f"quality.escalated_error_rate.{system}"
    if rate < second:
        sheet.warnings.append(f"{field}: {rate:g} is below {s.incumbent.model}'s overall error rate of {second:.3g}: what is"
                              " escalated would be easier than the rest")
    elif rate * share > second:
        sheet.warnings.append(f"{field}: {rate:g} of a share of {share:g} is more than all errors of {s.incumbent.model},"
                              f" {second:.3g} of all requests")
