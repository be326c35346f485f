"""Scenario blocks about APIs: your own terms of one, levers on the model that is paid today; and how prices move."""

from datetime import date as Date
from typing import Annotated, Self

from pydantic import Field, model_validator

from roi.scenario.quantity import (
    AtLeastOne,
    Deadline,
    Discount,
    Fraction,
    Hours,
    MonthsAhead,
    NonNegative,
    PerYear,
    Positive,
    Section,
    Share,
    Spread,
    as_spread,
    spread,
    unit,
)

UsdPerMtok = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False, json_schema_extra={"unit": "USD/Mtok"})]
RATES = ("input", "output", "cache_read", "cache_write", "batch_input", "batch_output")
"""Rates of a price list that may be stated, as RATE_usd_per_mtok."""


class Rates(Section):
    """Rates of a price list."""

    input_usd_per_mtok: UsdPerMtok | None = None
    """Uncached input. Input and output together make a model usable that the catalog does not hold."""
    output_usd_per_mtok: UsdPerMtok | None = None
    """Output, reasoning included."""
    cache_read_usd_per_mtok: UsdPerMtok | None = None
    """Input read from the prompt cache."""
    cache_write_usd_per_mtok: UsdPerMtok | None = None
    """Input written to the cache on a miss."""
    batch_input_usd_per_mtok: UsdPerMtok | None = None
    """Input in batch processing."""
    batch_output_usd_per_mtok: UsdPerMtok | None = None
    """Output in batch processing."""

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if (self.batch_input_usd_per_mtok is None) != (self.batch_output_usd_per_mtok is None):
            raise ValueError("batch_input_usd_per_mtok and batch_output_usd_per_mtok are given together or not at all")
        return self

    @property
    def rates(self) -> dict[str, float]:
        """The rates that are stated, USD per million tokens, by their name in RATES."""
        found = {name: getattr(self, f"{name}_usd_per_mtok") for name in RATES}
        return {name: rate for name, rate in found.items() if rate is not None}


class AnnouncedPrice(Rates):
    """What an API will cost from a day on, as its vendor told you: a ratio, or rates; one that is left out stays as before."""

    from_date: Date
    """First day of that price; once it has come, that is today's price."""
    price_ratio: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False), unit("ratio")] | None = None
    """Price from then on over that before the first announced one, all rates alike; in place of rates."""

    @model_validator(mode="after")
    def _says_what_it_costs(self) -> Self:
        if (self.price_ratio is None) == (not self.rates):
            raise ValueError("give price_ratio, or rates such as input_usd_per_mtok and output_usd_per_mtok")
        return self


class ApiTerms(Rates):
    """What you pay for one API, where it is not the list price; a rate that is not stated stays the catalog's."""

    discount: Discount = 0.0
    """Negotiated discount on the rates; -0.1 = 10% more, as of a region."""
    uses_cache: bool = True
    """False where its prompt cache would stay off."""
    cache_hit_rate: Fraction | None = None
    """Share of requests that find the shared prefix in its cache; left out = workload.cache_hit_rate."""
    batch_share: Fraction | None = None
    """Share of requests that would go through its batch price; left out = all that can wait."""
    batch_hours: Deadline | None = None
    """Hours within which its batch tier promises an answer; left out = 24. Above workload.waits_hours it is out."""
    trained_usd_per_mtok: UsdPerMtok | None = None
    """Training, per million tokens trained: of VENDOR/MODEL+tuned alone, where the catalog has no price of tuning it there."""
    announced: tuple[AnnouncedPrice, ...] = ()
    """Prices to come, each from its day on: a rise or fall that you were told of, a discount that ends. They take the place of
    what the list has announced of the model."""
    committed_usd_per_month: Annotated[NonNegative, unit("USD/month")] = 0.0
    """Spend that would be owed to this vendor from go-live on, whether used or not."""
    committed_until: Date | None = None
    """Last day of that commitment."""
    ends_in_months: MonthsAhead | None = None
    """Months from the as-of date until this model ends; left out = as announced, else drift.model_life_months."""
    successor_price_ratio: Annotated[Positive, unit("ratio")] | None = None
    """Price of its successor over its own then; left out = drift.successor_price_ratio."""
    successor_error_ratio: Annotated[Positive, unit("ratio")] | None = None
    """Error rate of its successor over its own; left out = drift.successor_error_ratio."""
    ttft_p95_s: Annotated[Positive, unit("s")] | None = None
    """Time to the first token that you measured of it, 95th percentile, on prompts like yours; above workload.ttft_p95_s it is
    out. Left out = not known."""
    tpot_p95_s: Annotated[Positive, unit("s")] | None = None
    """Time per output token after the first, 95th percentile, as you measured it; above workload.tpot_p95_s it is out. Left out
    = not known."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        check_commitment(self.committed_usd_per_month, self.committed_until,
                         stated="committed_usd_per_month" in self.model_fields_set)
        days = [price.from_date for price in self.announced]
        if days != sorted(set(days)):
            raise ValueError("announced: write the prices in the order of their days, one a day")
        return self


def check_commitment(usd: float | Spread, until: Date | None, *, stated: bool, instead: str = "") -> None:
    """ValueError where a commitment has an amount and no end, or an end and no amount that is `stated`.

    `instead`: what else may be meant by its end.
    """
    if as_spread(usd).value > 0 and until is None:
        raise ValueError("committed_usd_per_month needs committed_until")
    if until is not None and not stated:
        raise ValueError(f"committed_until {until} needs committed_usd_per_month, what is owed until then whether used or"
                         f" not{instead}")


class ShorterPrompt(Section):
    """Today's model with fewer tokens of instructions and examples. Its answers must be evaluated: model+shorter-prompt."""

    prefix_tokens: Annotated[NonNegative, unit("tokens")]
    """What is left of workload.shared_prefix_tokens."""
    setup_hours: Hours | None = None
    """Engineer hours until live, its cache and batch switched on with it; left out = people.setup_hours.api."""


class LessReasoning(Section):
    """Today's model asked for less reasoning or shorter answers. Its answers must be evaluated: model+less-reasoning."""

    output_ratio: Annotated[Share, unit("ratio")] | None = None
    """Output tokens over today's, at most 1."""
    reasoning_tokens: Annotated[NonNegative, unit("tokens")] | None = None
    """Reasoning tokens a request besides the answer, where tokens.MODEL.reasoning_tokens counts them apart."""
    setup_hours: Hours | None = None
    """Engineer hours until live, its cache and batch switched on with it; left out = people.setup_hours.api."""

    @model_validator(mode="after")
    def _says_what_is_less(self) -> Self:
        if self.output_ratio is None and self.reasoning_tokens is None:
            raise ValueError("give output_ratio or reasoning_tokens")
        return self


class FlexibleTier(Section):
    """A tier of today's model that answers later for less (flex, priority below standard). It keeps the model."""

    price_ratio: Fraction
    """Its price over the standard one, all rates alike."""
    share: Fraction
    """Share of the requests outside batch that tolerates it."""
    answers_within_hours: Annotated[float, Field(ge=0, le=8760, allow_inf_nan=False, json_schema_extra={"unit": "hours"})] = 0.0
    """Hours within which it promises an answer, where that is long; above workload.waits_hours it is out. 0 = at once."""


class ProvisionedThroughput(Section):
    """Units of throughput that the vendor keeps ready for a monthly fee in place of a price a token. It keeps the model."""

    usd_per_month: Annotated[Positive, unit("USD/month")]
    """Fee of one unit."""
    requests_per_s: Annotated[Positive, unit("requests/s")]
    """Requests of this workload that one unit holds."""
    minimum_months: Annotated[int, Field(ge=0, le=120)] = 1
    """Months for which a unit is paid at least."""


class Drift(Section):
    """How prices move, each both ways."""

    gpu_rent_per_year: PerYear = spread(
        0.0, -0.35, 0.55, "H100: 8 USD (2023), 1.70 (Oct 2025), 2.69 to 3.99 (Nov 2026); mean zero, sd 25 to 30%"
    )
    """Drift of GPU rent, effective annual."""
    successor_price_ratio: Annotated[Positive, unit("ratio")] = spread(
        1.0, 0.4, 1.6, "list prices are as published until a model ends; successors came both cheaper and dearer (gpt-4o to"
        " gpt-5 0.5x in, gpt-5.1 to gpt-5.4 2x in)",
    )
    """Price of a successor over the model it replaces; the first one's over what that model itself would cost then, a price
    that is announced included."""
    successor_price_ratio_own: Annotated[Positive, unit("ratio")] = spread(1.0, 0.8, 1.25, "one vendor against the others")
    """The part of it that differs between vendors."""
    successor_error_ratio: Annotated[Positive, unit("ratio")] = spread(
        1.0, 0.85, 1.1, "successors are mostly no worse on a fixed task; prompts must be ported"
    )
    """Error rate of a successor over the model it replaces."""
    model_life_months: Annotated[AtLeastOne, unit("months")] = spread(
        18.0, 10.0, 32.0, "gpt-4o 32, gpt-4.1 21, gpt-5 16, gemini-2.5 18, claude-sonnet-4-5 14 months from release to end"
    )
    """Months until a vendor model without an announced end ends, and again for each successor."""
