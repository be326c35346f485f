"""Facts of a system (what answers): its error rate, how it tokenises."""

from functools import partial

from roi.catalog.models.quality_priors import QualityPrior
from roi.catalog.models.same_weights import same_weights
from roi.economics.inputs import Tokens, path_of
from roi.errors import first_of
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.scores.system_scores import add_score, add_share
from roi.scenario.quantity import Spread, value_of
from roi.scenario.scenario import Scenario, model_part, tuned
from roi.scenario.sections.demand import Tokens as TokenRatios

TOKEN_RATIO = (1.0, 0.9, 1.15)
"""Another vocabulary splits English text within 10 to 15% of the incumbent's count; code and other languages vary more."""


def add_system(sheet: FactSheet, s: Scenario, system: str, prior: QualityPrior | None) -> None:
    """The facts of a system, unless it has them already; `prior` says what to expect where nobody judged its answers."""
    path = partial(path_of, Tokens, system=system)
    if path("ratio") in sheet.facts:
        return
    tokens, incumbent = s.tokens.get(system) or TokenRatios(), system == s.incumbent.model
    tokens = _counted_in(sheet, s, system, tokens) if incumbent else tokens
    stated, alike = f"scenario tokens.{system}", _same_tokenizer(s, system)
    if incumbent or alike is not None:
        ratio, why = (1.0, stated) if alike is None else alike
        sheet.quantity(path("ratio"), 1.0 if incumbent or ratio is None else ratio, "ratio", stated=True, source=why)
    else:
        value, low, high = TOKEN_RATIO
        sheet.add(path("ratio"), value, "ratio", basis=Basis.ASSUMED, low=low, high=high,
                  source="another tokenizer, English text: within 10 to 15% of the incumbent's")
    _one_draw(sheet, system)
    if tokens.prompt_tokens_after_tuning is not None:
        sheet.quantity(path("prefix_tokens"), tokens.prompt_tokens_after_tuning, "tokens", stated=True, source=stated)
    sheet.quantity(path("output_ratio"), 1.0 if tokens.output_ratio is None else tokens.output_ratio, "ratio",
                   stated=tokens.output_ratio is not None,
                   source=stated if tokens.output_ratio else "as terse as the incumbent")
    reasons = "reasoning_tokens" in tokens.model_fields_set
    sheet.quantity(path("reasoning_tokens"), tokens.reasoning_tokens, "tokens", stated=reasons,
                   source=stated if reasons else f"{stated} says nothing: none counted")
    if system in s.quality.escalated and not incumbent:
        share = s.quality.escalated[system]  # of which 0 is a choice, and no count
        add_share(sheet, f"systems.{system}.escalated_share", share if value_of(share) > 0 else 0.0,
                  f"scenario quality.escalated.{system}")
    add_score(sheet, s, system, prior)


def _counted_in(sheet: FactSheet, s: Scenario, system: str, tokens: TokenRatios) -> TokenRatios:
    """The terms of today's model, in whose tokens the workload is: what they say over these moves nothing, and is told.

    So a model that is a candidate of one scenario may be today's in another, as of a group of `roi usage --scenario`. Where a
    vendor may tune it, the key of the tuned one is named.
    """
    plain = {"ratio": 1.0, "output_ratio": 1.0, "prompt_tokens_after_tuning": None}
    vain = [name for name in plain if getattr(tokens, name) not in (None, plain[name])]
    if vain:
        why = ("the workload is in today's tokens (workload.input_tokens, output_tokens, shared_prefix_tokens)"
               if vain != ["prompt_tokens_after_tuning"] else "of today's model the prefix is workload.shared_prefix_tokens")
        c, after = s.candidates, tuned(system, "tuned")
        tunes = any(model_part(name) == system for name in (*c.vendor_tuned, *c.hosted_adapters))
        told = (f"tokens.{system}.{first_of(vain, len(plain))} {'moves' if len(vain) == 1 else 'move'} nothing: {why}"
                + (f"; of the tuned model: tokens.{after}" if tunes and after not in s.tokens else ""))
        sheet.warnings.append(told)
        sheet.state("workload.tokens_told", told, "scenario tokens")
    return tokens.model_copy(update=dict.fromkeys(vain))


def _one_draw(sheet: FactSheet, system: str) -> None:
    """Draw a ratio that is not known once for all names of the same weights, tuned or not: one tokenizer makes one count."""
    start, end = path_of(Tokens, "ratio", system="\0").split("\0")
    own = sheet.facts[f"{start}{system}{end}"]
    sheet.draw_with(f"{start}{system}{end}", (
        path for path, fact in sheet.facts.items() if path.startswith(start) and path.endswith(end) and fact is not own
        and (fact.value, fact.low, fact.high) == (own.value, own.low, own.high)
        and _are_one(path[len(start) : -len(end)], system)), "one tokenizer")


def _are_one(name: str, other: str) -> bool:
    """True of two names of the same weights, each tuned or not."""
    base, beside = (each.partition("+")[0].lower() for each in (name, other))
    return base == beside or same_weights(base, beside)


def _same_tokenizer(s: Scenario, system: str) -> tuple[float | Spread | None, str] | None:
    """Tokens over the incumbent's as stated of the system, else of its weights under another name, tuned or not; and where.

    No ratio (None) where the incumbent has those weights, which is 1; None in place of both where nothing says it.
    """
    if (own := s.tokens.get(system)) is not None and own.ratio is not None:
        return own.ratio, f"scenario tokens.{system}"
    if same_weights(system.partition("+")[0].lower(), s.incumbent.model):
        return None, f"the tokenizer of {s.incumbent.model}"
    for name, other in s.tokens.items():
        if other.ratio is not None and _are_one(name, system):
            return other.ratio, f"scenario tokens.{name}: one tokenizer"
    return None
