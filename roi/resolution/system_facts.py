"""Facts of a system (what answers): its error rate, how it tokenises, what it hands on."""

from functools import partial

from roi.economics.inputs import ErrorRate, Option, Tokens, path_of
from roi.errors import ScenarioError
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.demand import Score
from roi.scenario.demand import Tokens as TokenRatios
from roi.scenario.quantity import as_spread, value_of
from roi.scenario.scenario import Scenario

UNKNOWN_ERROR = (0.05, 0.01, 0.2)
"""Error rate of an incumbent that nobody evaluated, where a wrong answer costs nothing: it moves no money."""
TOKEN_RATIO = (1.0, 0.9, 1.15)
"""Another vocabulary splits English text within 10 to 15% of the incumbent's count; code and other languages vary more."""


def add_system(sheet: FactSheet, s: Scenario, system: str) -> None:
    """The facts of a system, unless it has them already."""
    path = partial(path_of, Tokens, system=system)
    if path("ratio") in sheet.facts:
        return
    tokens, incumbent = s.tokens.get(system) or TokenRatios(), system == s.incumbent.model
    stated = f"scenario tokens.{system}"
    if tokens.ratio is not None or incumbent:
        sheet.quantity(path("ratio"), 1.0 if tokens.ratio is None else tokens.ratio, "ratio", stated=True, source=stated)
    else:
        value, low, high = TOKEN_RATIO
        sheet.add(path("ratio"), value, "ratio", basis=Basis.ASSUMED, low=low, high=high,
                  source="another tokenizer, English text: within 10 to 15% of the incumbent's")
    if tokens.prompt_tokens_after_tuning is not None:
        sheet.quantity(path("prefix_tokens"), tokens.prompt_tokens_after_tuning, "tokens", stated=True, source=stated)
    sheet.quantity(path("output_ratio"), 1.0 if tokens.output_ratio is None else tokens.output_ratio, "ratio",
                   stated=tokens.output_ratio is not None,
                   source=stated if tokens.output_ratio else "as terse as the incumbent")
    reasons = "reasoning_tokens" in tokens.model_fields_set
    sheet.quantity(path("reasoning_tokens"), tokens.reasoning_tokens, "tokens", stated=reasons,
                   source=stated if reasons else f"{stated} says nothing: none counted")
    if system in s.quality.escalated and not incumbent:
        sheet.quantity(f"systems.{system}.escalated_share", s.quality.escalated[system], "share", stated=True,
                       source=f"scenario quality.escalated.{system}")
    _add_score(sheet, s, system)


def _add_score(sheet: FactSheet, s: Scenario, system: str) -> None:
    """The system's error rate: evaluated, or assumed relative to the incumbent's."""
    score, incumbent = s.quality.scores.get(system), system == s.incumbent.model
    held = score.value if isinstance(score, Score) else score
    if incumbent and isinstance(held, float) and held < s.quality.bar:
        sheet.warnings.append(
            f"the incumbent itself is below the bar: {held:.3g} against {s.quality.bar:.3g}; staying is still shown"
        )
    path = partial(path_of, ErrorRate, system=system)
    sheet.state(path_of(Option, "evaluated", system=system), score is not None and score != "not evaluated")
    source = f"scenario quality.scores.{system}"
    if isinstance(score, Score):
        for name, value in (("central", score.value), ("low", score.high), ("high", score.low)):
            sheet.state(path(name), 1 - value, score.source or source, "share")
    elif isinstance(score, float):
        sheet.state(path("central"), 1 - score, source, "share")
    else:
        if incumbent:
            if value_of(s.quality.usd_per_error) > 0:
                raise ScenarioError("quality.scores", system, "the incumbent's score is needed where usd_per_error is above 0")
            value, low, high = UNKNOWN_ERROR
            why = "nobody evaluated the incumbent; moves no money at USD 0 per error"
        else:
            ratio = as_spread(s.quality.not_evaluated_error_ratio)
            base = sheet.facts[path_of(ErrorRate, "central", system=s.incumbent.model)].value
            assert isinstance(base, float)
            value, low, high = (min(base * x, 1.0) for x in (ratio.value, ratio.low or ratio.value, ratio.high or ratio.value))
            why = f"not evaluated: incumbent's {base:.3g} x {ratio.value:g} ({ratio.source})"
        sheet.add(path("central"), value, "share", basis=Basis.ASSUMED, low=low, high=high, source=why)
