"""How often a system is wrong: what a count leaves, what the scenario states, or what to expect where nobody judged it.

And of options that hand requests on to the incumbent: how often both are wrong, and whether anybody measured that.
"""

from functools import partial

import numpy as np

from roi.catalog.models.quality_priors import QualityPrior, quality_prior
from roi.catalog.models.same_weights import closed_name, same_weights
from roi.economics.inputs import path_of
from roi.economics.worked_out import ErrorRate
from roi.errors import ScenarioError
from roi.facts.case import ITEMS, counted_quantile
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.scores.paired_scores import add_pair, carry_over, check_counts, largest_pair, tell_pairs
from roi.resolution.template_facts import score_of, template_scenario, with_ends
from roi.scenario.quantity import Spread, as_spread, value_of
from roi.scenario.scenario import Scenario
from roi.scenario.sections.scores import Rate, Score

UNKNOWN_ERROR = (0.05, 0.01, 0.2)
"""Error rate of an incumbent that nobody evaluated, and its ends: one answer in a hundred to one in five."""


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
        raise ScenarioError(f"quality.scores.{system}.paired", score.paired.items, "the incumbent has no pairs with itself; of"
                            f" pairs with another system: name that as incumbent.model, or roi quality --incumbent {system}")
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
