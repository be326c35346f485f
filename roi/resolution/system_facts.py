"""Facts of a system (what answers): its error rate, how it tokenises, what it hands on."""

from roi.errors import ScenarioError
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.demand import Score, Tokens
from roi.scenario.quantity import as_spread, value_of
from roi.scenario.schema import Scenario

UNKNOWN_ERROR = (0.05, 0.01, 0.2)
"""Error rate of an incumbent that nobody evaluated, where a wrong answer costs nothing: it moves no money."""
TOKEN_RATIO = (1.0, 0.9, 1.15)
"""Another vocabulary splits English text within 10 to 15% of the incumbent's count; code and other languages vary more."""


def add_system(sheet: FactSheet, s: Scenario, system: str, *, similar_to: str | None = None) -> None:
    """The facts under systems.<system>; `similar_to` names a system whose score stands in (the same weights elsewhere)."""
    own = f"systems.{system}."
    if own + "token_ratio" in sheet.facts:
        return
    tokens = s.tokens.get(system) or (s.tokens.get(similar_to) if similar_to else None) or Tokens()
    incumbent = system == s.incumbent.model
    stated = f"scenario tokens.{system}"
    if tokens.ratio is not None or incumbent:
        sheet.quantity(own + "token_ratio", 1.0 if tokens.ratio is None else tokens.ratio, "ratio", stated=True, source=stated)
    else:
        value, low, high = TOKEN_RATIO
        sheet.add(
            own + "token_ratio",
            value,
            "ratio",
            basis=Basis.ASSUMED,
            low=low,
            high=high,
            source="another tokenizer, English text: within 10 to 15% of the incumbent's",
        )
    if tokens.prompt_tokens_after_tuning is not None:
        sheet.quantity(own + "prefix_tokens", tokens.prompt_tokens_after_tuning, "tokens", stated=True, source=stated)
    sheet.quantity(
        own + "output_ratio",
        1.0 if tokens.output_ratio is None else tokens.output_ratio,
        "ratio",
        stated=tokens.output_ratio is not None,
        source=stated if tokens.output_ratio else "as terse as the incumbent",
    )
    sheet.quantity(
        own + "reasoning_tokens",
        tokens.reasoning_tokens,
        "tokens",
        stated="reasoning_tokens" in tokens.model_fields_set,
        source=stated if "reasoning_tokens" in tokens.model_fields_set else f"{stated} says nothing: none counted",
    )
    if system in s.quality.escalated and not incumbent:
        sheet.quantity(
            own + "escalated_share",
            s.quality.escalated[system],
            "share",
            stated=True,
            source=f"scenario quality.escalated.{system}",
        )
    _add_score(sheet, s, own, system, similar_to)


def _add_score(sheet: FactSheet, s: Scenario, own: str, system: str, similar_to: str | None) -> None:
    score = s.quality.scores.get(system)
    if score is None and similar_to is not None:
        score = s.quality.scores.get(similar_to)
    evaluated = score is not None and score != "not evaluated"
    held = score.value if isinstance(score, Score) else score
    if system == s.incumbent.model and isinstance(held, float) and held < s.quality.bar:
        sheet.warnings.append(
            f"the incumbent itself is below the bar: {held:.3g} against {s.quality.bar:.3g}; staying is still shown"
        )
    sheet.state(own + "evaluated", evaluated)
    if isinstance(score, Score):
        source = score.source or f"scenario quality.scores.{system}"
        sheet.add(own + "error_rate", 1 - score.value, "share", basis=Basis.STATED, source=source)
        sheet.add(own + "error_rate_low", 1 - score.high, "share", basis=Basis.STATED, source=source)
        sheet.add(own + "error_rate_high", 1 - score.low, "share", basis=Basis.STATED, source=source)
    elif isinstance(score, float):
        sheet.add(own + "error_rate", 1 - score, "share", basis=Basis.STATED, source=f"scenario quality.scores.{system}")
    elif system == s.incumbent.model:
        if value_of(s.quality.usd_per_error) > 0:
            raise ScenarioError("quality.scores", system, "the incumbent's score is needed where usd_per_error is above 0")
        value, low, high = UNKNOWN_ERROR
        why = "nobody evaluated the incumbent; moves no money at USD 0 per error"
        sheet.add(own + "error_rate", value, "share", basis=Basis.ASSUMED, low=low, high=high, source=why)
    else:
        ratio = as_spread(s.quality.not_evaluated_error_ratio)
        base = sheet.facts[f"systems.{s.incumbent.model}.error_rate"].value
        assert isinstance(base, float)
        value, low, high = (min(base * x, 1.0) for x in (ratio.value, ratio.low or ratio.value, ratio.high or ratio.value))
        why = f"not evaluated: incumbent's {base:.3g} x {ratio.value:g} ({ratio.source})"
        sheet.add(own + "error_rate", value, "share", basis=Basis.ASSUMED, low=low, high=high, source=why)
