"""Levers on the model that is paid today: asked for less, on a slower tier, or by units of throughput."""

from functools import partial

from roi.catalog.models.quality_priors import quality_prior
from roi.economics.inputs import Option, Provisioned, Tokens, path_of
from roi.economics.worked_out import OptionFacts
from roi.errors import ScenarioError
from roi.facts.price import ApiPrice
from roi.resolution.api_terms import Terms, add_option, add_price
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.system_scores import add_score
from roi.scenario.apis import LessReasoning, ShorterPrompt
from roi.scenario.demand import Tokens as TokenRatios
from roi.scenario.quantity import value_of
from roi.scenario.scenario import LESS_REASONING, SHORTER_PROMPT, Scenario, tuned


def add_levers(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str, terms: Terms) -> None:
    """Facts of each lever that the scenario names; cache and batch stay as they are today."""
    c, model = s.candidates, s.incumbent.model
    if c.shorter_prompt is not None:
        left, now = value_of(c.shorter_prompt.prefix_tokens), value_of(s.workload.shared_prefix_tokens)
        if left >= now:
            why = f"less than workload.shared_prefix_tokens, {now:g}"
            raise ScenarioError("candidates.shorter_prompt.prefix_tokens", left, why)
        _asked_for_less(sheet, s, SHORTER_PROMPT, "shorter prompt", c.shorter_prompt, vendor)
    if c.less_reasoning is not None:
        reasoning, now = c.less_reasoning.reasoning_tokens, value_of((s.tokens.get(model) or TokenRatios()).reasoning_tokens)
        if reasoning is not None and value_of(reasoning) >= now:
            why = (f"less than tokens.{model}.reasoning_tokens, {now:g}; where output_tokens counts them already, give"
                   " output_ratio")
            raise ScenarioError("candidates.less_reasoning.reasoning_tokens", value_of(reasoning), why)
        _asked_for_less(sheet, s, LESS_REASONING, "less reasoning", c.less_reasoning, vendor)
    if c.flexible_tier is not None:
        id, block = "flexible-tier", "candidates.flexible_tier"
        add_option(sheet, id, id, f"{model}, flexible tier", model, "cache_batch", vendor)
        sheet.field(path_of(OptionFacts, "tier_share", option=id), c.flexible_tier, "share", block)
        sheet.field(path_of(OptionFacts, "tier_price_ratio", option=id), c.flexible_tier, "price_ratio", block)
    if c.provisioned_throughput is not None:
        id, block = "provisioned", "candidates.provisioned_throughput"
        add_option(sheet, id, id, f"{model}, provisioned throughput", model, "cache_batch", vendor)
        path, lever = partial(path_of, Provisioned, option=id), c.provisioned_throughput
        sheet.field(path("usd_per_unit"), lever, "usd_per_month", block)
        sheet.field(path("requests_per_s"), lever, "requests_per_s", block)
        sheet.state(path("minimum_months"), lever.minimum_months, f"scenario {block}.minimum_months", "months")
    for id in (SHORTER_PROMPT, LESS_REASONING, "flexible-tier"):
        if path_of(Option, "kind", option=id) in sheet.facts:
            add_price(sheet, id, price, discount=None, uses_cache=s.incumbent.uses_cache, batch_share=None, terms=terms)
            sheet.state(path_of(OptionFacts, "batch_as_today", option=id), True, "roi")


def _asked_for_less(
    sheet: FactSheet, s: Scenario, name: str, words: str, lever: ShorterPrompt | LessReasoning, vendor: str
) -> None:
    """The option of one lever: a system of its own, whose tokens are the incumbent's but for what the lever says."""
    model = s.incumbent.model
    system, block = tuned(model, name), f"candidates.{name.replace('-', '_')}"
    add_score(sheet, s, system, quality_prior("asked-for-less"))
    add_option(sheet, name, name, f"{model}, {words}", system, "api", vendor)
    sheet.state(path_of(OptionFacts, "base", option=name), model, "roi")
    for field in type(lever).model_fields:
        if field != "setup_hours" and getattr(lever, field) is not None:
            sheet.field(path_of(Tokens, field, system=system), lever, field, block)
    if lever.setup_hours is not None:
        sheet.field(path_of(Option, "setup_hours", option=name), lever, "setup_hours", block)
