"""Scenario blocks about what is asked of the model today: workload, incumbent, gates, tokens."""

from datetime import date as Date
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from roi.facts.case import OWN_SERVERS
from roi.scenario.quantity import (
    AtLeastOne,
    Deadline,
    Discount,
    Fraction,
    MonthsAhead,
    Name,
    NonNegative,
    PerYear,
    Positive,
    Section,
    Spread,
    Within,
    as_spread,
    moves,
    spread,
    unit,
)
from roi.scenario.sections.apis import FlexibleTier, check_commitment
from roi.units import HOURS_PER_DAY

BURST_WITHIN_HOUR: Final = Spread(
    value=1.5, low=1.1, high=2.5,
    source="busiest 10 minutes over the busiest hour, 0.93 to 1.8 (ServeGen, 14 days); minutes more",
)
"""What the busiest minute is over the busiest hour, where only the hours are told."""
MOST_TOKENS: Final = 1e7
"""Tokens of a request, beyond any model's context."""


class Bin(Section):
    """One cell of the joint histogram of lengths."""

    input_tokens: Annotated[float, Field(gt=0, le=MOST_TOKENS, allow_inf_nan=False)]
    """Mean prompt tokens of the requests in the cell."""
    output_tokens: Annotated[float, Field(ge=0, le=MOST_TOKENS, allow_inf_nan=False)]
    """Mean output tokens of the requests in the cell."""
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    """Share of all requests."""
    cached_tokens: Annotated[float, Field(ge=0, le=MOST_TOKENS, allow_inf_nan=False)] | None = None
    """Mean prompt tokens that these requests read from a cache, those that read none among them, whatever
    workload.cache_hit_rate is; left out = the shared prefix, found at that rate."""
    cache_write_tokens: Annotated[float, Field(ge=0, le=MOST_TOKENS, allow_inf_nan=False)] | None = None
    """Mean prompt tokens that these requests write to it; left out = what misses at that rate: cached_tokens x
    (1 - cache_hit_rate) / cache_hit_rate, within the prompt."""

    @model_validator(mode="after")
    def _cached_lie_within_the_prompt(self) -> Self:
        if self.cached_tokens is None and self.cache_write_tokens is not None:
            raise ValueError("cache_write_tokens needs cached_tokens, 0 where none are read")
        cached = (self.cached_tokens or 0.0) + (self.cache_write_tokens or 0.0)
        if cached > self.input_tokens * (1.0 + 1e-9):
            raise ValueError(f"cached_tokens, with cache_write_tokens {cached:g}, exceed input_tokens, {self.input_tokens:g}")
        return self


class Step(Section):
    """A lasting change of the volume besides growth: a customer that joins or leaves, a product that starts."""

    from_month: Annotated[int, Field(ge=2, le=120)]
    """First month in which it holds."""
    ratio: Annotated[Positive, AfterValidator(moves), unit("ratio")]
    """Requests from then on over what they would be without it: 2, and later 0.5 where they are again as before."""


class Workload(Section):
    """What is asked, how often, how long, how peaked, and how fast the answer must come."""

    requests_per_day: Annotated[Positive, unit("requests/day")]
    """Requests on a mean day, today."""
    growth_per_year: PerYear = spread(0.0, -0.2, 0.4, "no trend known; both ways, wider upward")
    """Growth of requests, effective annual, all along the horizon; growth that ends sooner is written as steps."""
    steps: tuple[Step, ...] = ()
    """Changes of the volume that come at once."""
    input_tokens: Annotated[Positive, unit("tokens")] | None = None
    """Mean prompt tokens of a request, in the incumbent's tokens; or give `lengths`."""
    output_tokens: Annotated[NonNegative, unit("tokens")] | None = None
    """Mean output tokens of a request, 0 as for embeddings (a server of one's own makes 1 at least); or give `lengths`."""
    lengths: tuple[Bin, ...] | None = None
    """Joint histogram of lengths; shares add up to 1. Cells may say how much of them a cache holds (cached_tokens). One cell
    alone is a mean: on servers of your own lengths vary around it, those of several cells are as they stand."""
    shared_prefix_tokens: Annotated[NonNegative, unit("tokens")] = 0.0
    """Tokens at the start of every prompt that do not change (instructions, examples, schema), of a shorter prompt all. Where
    conversations grow by turns: the longest prompt of lengths, or the mean one, with cache_hit_rate the share of all input that
    is read from the cache."""
    cache_hit_rate: Fraction = 0.0
    """Share of requests that find the shared prefix in a cache."""
    escalated_cache_hit_rate: Fraction | None = None
    """Share of escalated requests that find the shared prefix in a cache; left out = as cache_hit_rate."""
    can_wait_share: Fraction = 0.0
    """Share of requests that may wait for hours (batch); left out = incumbent.batch_share, the least that it may be."""
    waits_hours: Deadline | None = None
    """Hours within which what can wait must be answered; left out = a day. A batch tier that promises none by then is out, and
    servers of your own work what waits off in so many hours."""
    peak_to_mean: Annotated[AtLeastOne, unit("ratio")] | None = None
    """Busiest minute over the mean, at least the busiest of hourly_weights; left out = from those, else 3 (5 to 95%: 2 to
    5)."""
    hourly_weights: (
        Annotated[tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...], Field(min_length=24, max_length=24)] | None
    ) = None
    """24 numbers, midnight first: how the day's requests spread over its hours."""
    ttft_p95_s: Annotated[Positive, unit("s")] = 2.0
    """SLO: 95th percentile of the time to first token, seconds."""
    tpot_p95_s: Annotated[Positive, unit("s")] = 0.05
    """SLO: 95th percentile of the time per output token after the first, seconds."""
    unsure: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """What of this is in doubt and no range says, in a sentence; told beside the advice."""

    @model_validator(mode="after")
    def _hours_can_be_of_a_day(self) -> Self:
        if self.hourly_weights is not None and sum(self.hourly_weights) <= 0:
            raise ValueError("hourly_weights are all zero")
        return self

    @model_validator(mode="after")
    def _lengths_are_given(self) -> Self:
        lacking = [name for name in ("input_tokens", "output_tokens") if getattr(self, name) is None]
        if self.lengths is None and lacking:
            one = f" ({lacking[0]} is left out)" if len(lacking) == 1 else ""
            raise ValueError(f"give input_tokens and output_tokens, or lengths{one}")
        if self.lengths is not None:
            if self.input_tokens is not None or self.output_tokens is not None:
                raise ValueError("give input_tokens and output_tokens, or lengths, not both")
            total = sum(b.share for b in self.lengths)
            if abs(total - 1) > 1e-5:  # of shares in six digits
                raise ValueError(f"shares of lengths add up to {total:.6g}, not 1")
            if any(b.cached_tokens for b in self.lengths) and as_spread(self.cache_hit_rate).value == 0:
                raise ValueError("lengths have cached_tokens, and cache_hit_rate is 0: say which share of requests reads any")
        begun: dict[int, Step] = {}
        for step in self.steps:
            if step.from_month in begun:
                both = as_spread(step.ratio).value * as_spread(begun[step.from_month].ratio).value
                raise ValueError(f"steps: from_month {step.from_month} stands twice; write one step of both,"
                                 f" {{from_month: {step.from_month}, ratio: {both:g}}}, or another month")
            begun[step.from_month] = step
        return self

    @property
    def busiest_hour(self) -> float:
        """Its requests over the mean hour's, by hourly_weights; 1 without them."""
        hours = self.hourly_weights
        return 1.0 if hours is None else len(hours) * max(hours) / sum(hours)

    @property
    def embeds(self) -> bool:
        """True where no request has output, as of embeddings: vectors of two models do not mix, so that one answers all."""
        return self._longest_output == 0.0

    @property
    def _longest_output(self) -> float:
        return max((each.output_tokens for each in self.lengths or ()), default=as_spread(self.output_tokens or 0.0).value)

    @property
    def slo_s(self) -> dict[str, float]:
        """The limits of the SLO by field, s; no time per output token after the first where no answer has a second."""
        names = ("ttft_p95_s", "tpot_p95_s") if self._longest_output > 1.0 else ("ttft_p95_s",)
        return {name: as_spread(getattr(self, name)).value for name in names}

    @property
    def waits_a_day(self) -> bool:
        """True where what can wait may wait for any hour of its day."""
        return self.waits_hours is None or self.waits_hours >= HOURS_PER_DAY

    @property
    def longest_prefix(self) -> float:
        """Tokens of the longest prefix that may be cached: the shared one, or a prompt of a cell that reads from a cache."""
        read = (each.input_tokens for each in self.lengths or () if each.cached_tokens)
        return max([as_spread(self.shared_prefix_tokens).value, *read])

    @property
    def longest_prompt(self) -> float:
        """Input tokens of the longest cell of `lengths`, else of the mean request: a shared prefix lies within it."""
        if self.lengths is not None:
            return max(each.input_tokens for each in self.lengths)
        return as_spread(self.input_tokens or 0.0).value

    def share_longer(self, tokens: float) -> float:
        """Share of the requests with a prompt of more tokens; of a mean alone, 0 or 1."""
        if self.lengths is None:
            return float(self.longest_prompt > tokens)
        return sum(each.share for each in self.lengths if each.input_tokens > tokens)


RequestsPerDay = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False), AfterValidator(Within(0.0, 1e12, above=True))]


class UnitsToday(Section):
    """Units of throughput that are paid by the month in place of a price a token: Azure OpenAI's PTU, Bedrock's model units."""

    units: Annotated[int, Field(ge=0, le=1_000_000)]
    """Units that are paid today; 0 = none, all is billed by the token."""
    usd_per_month: Annotated[Positive, unit("USD/month")]
    """Fee of one unit, as you pay it (a reservation's, where you have one)."""
    requests_per_s: Annotated[Positive, unit("requests/s")] | None = None
    """Requests of this workload that one unit holds; or give peak_utilization."""
    peak_utilization: Annotated[float | Spread, AfterValidator(Within(0.0, 1.0, above=True)), unit("share")] | None = None
    """Share of today's units that today's peak takes, as the vendor's monitor shows it."""
    at_requests_per_day: RequestsPerDay | None = None
    """Requests on a mean day that these units answer; left out = workload.requests_per_day. It stays where another volume alone
    is laid over the scenario."""
    spills_over: bool = False
    """True where requests above what these units hold are billed by the token; else units are added as the peak asks."""
    committed_until: Date | None = None
    """Last day until which today's units are owed, used or not; left out = they end with any month."""

    @model_validator(mode="after")
    def _says_what_they_hold(self) -> Self:
        if self.units and (self.requests_per_s is None) == (self.peak_utilization is None):
            raise ValueError("give requests_per_s (what one unit holds) or peak_utilization (of today's units), one of them")
        return self


class Seats(Section):
    """Seats that are paid by user and month, whatever they ask."""

    users: Annotated[int, Field(ge=0, le=100_000_000)]
    """Seats that are paid today; 0 = none, all is billed by the token."""
    usd_per_month: Annotated[Positive, unit("USD/month")]
    """Fee of one seat."""
    growth_per_year: PerYear | None = None
    """Growth of users, effective annual; left out = as the requests, of which more than at_requests_per_day are more users'."""
    at_requests_per_day: RequestsPerDay | None = None
    """Requests on a mean day of these users; left out = workload.requests_per_day. It stays where another volume alone is laid
    over the scenario."""
    committed_until: Date | None = None
    """Last day until which today's seats are owed, used or not; left out = they end with any month."""


class BillOf(Section):
    """What the stated bill counts, where that is not the workload: what is left out is the workload's."""

    requests_per_day: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False), unit("requests/day")] | None = None
    """Requests on a mean day of the bill."""
    input_tokens: Annotated[float, Field(gt=0, le=MOST_TOKENS, allow_inf_nan=False), unit("tokens")] | None = None
    """Mean prompt tokens of its requests."""
    output_tokens: Annotated[float, Field(ge=0, le=MOST_TOKENS, allow_inf_nan=False), unit("tokens")] | None = None
    """Mean output tokens of its requests."""
    lengths: tuple[Bin, ...] | None = None
    """Joint histogram of their lengths, in place of the means."""
    shared_prefix_tokens: Annotated[float, Field(ge=0, le=MOST_TOKENS, allow_inf_nan=False), unit("tokens")] | None = None
    """Tokens of their shared prefix."""
    cache_hit_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), unit("share")] | None = None
    """Share of its requests that found the prefix in a cache."""

    @model_validator(mode="after")
    def _means_or_lengths(self) -> Self:
        if self.lengths is not None and (self.input_tokens is not None or self.output_tokens is not None):
            raise ValueError("give input_tokens and output_tokens, or lengths, not both")
        return self


class Incumbent(Section):
    """What is paid today: an API, or a model that you serve already."""

    provider: Name
    """Provider as genai-prices names it: openai, anthropic, google, groq ...; or self-hosted: you serve the model already, and
    `costs` says what that costs (option: stay). No token of it has a price, and no vendor ends it."""
    model: Name
    """The provider's name of the model."""
    discount: Discount = 0.0
    """Negotiated discount on the list price; -0.1 = 10% more, as of a region."""
    uses_cache: bool = False
    """True where prompt caching is on today."""
    writes_cache: bool = True
    """False where calls that miss the cache pay plain input for the prefix, not the list's price of writing it: as where a log
    that reads from a cache counts no token written."""
    cache_minimum_tokens: Annotated[float, Field(ge=0, le=MOST_TOKENS, allow_inf_nan=False), unit("tokens")] | None = None
    """Tokens of the shortest prefix that its cache holds, where your records show shorter ones than its vendor documents; left
    out = as documented, else assumed."""
    context_tokens: Annotated[float, Field(gt=0, le=MOST_TOKENS, allow_inf_nan=False), unit("tokens")] | None = None
    """Tokens that a call of it may hold, prompt and answer, where your records show longer ones answered than its list says.
    Candidates keep their list's, this model at another vendor too."""
    batch_share: Fraction = 0.0
    """Share of requests that goes through the batch price today."""
    tier_price_ratio: Annotated[Positive, unit("ratio")] = 1.0
    """Price of the calls outside batch over the standard list's, all rates alike: 0.5 where all go through flex at half price,
    2 through priority at twice, and their mean where some do. Batch keeps its own price."""
    flexible_tier: FlexibleTier | None = None
    """A cheaper tier that answers later, in which some of the calls outside batch are today: tier_price_ratio is of the others.
    What can wait is in it first, so that batch is for what can wait beyond them."""
    batch_hours: Deadline | None = None
    """Hours within which its batch tier promises an answer; left out = 24."""
    committed_usd_per_month: Annotated[NonNegative, unit("USD/month")] = 0.0
    """Spend that is owed whether used or not."""
    committed_until: Date | None = None
    """Last day of that commitment."""
    provisioned_throughput: UnitsToday | None = None
    """Units that are paid today in place of tokens."""
    seats: Seats | None = None
    """Seats that are paid today in place of tokens."""
    ends_in_months: MonthsAhead | None = None
    """Months from the as-of date until this model ends; left out = as announced, else drift.model_life_months."""
    successor_price_ratio: Annotated[Positive, unit("ratio")] | None = None
    """Price of the model you would move to when this one ends, over its own then; left out = drift.successor_price_ratio."""
    successor_error_ratio: Annotated[Positive, unit("ratio")] | None = None
    """Error rate of that model over the present one's; left out = drift.successor_error_ratio."""
    may_stay: bool = True
    """False where a rule or a contract ends today's use: staying, and what goes on asking today's model, is then shown for
    comparison and never advised."""
    bill_usd_per_month: Annotated[Positive, unit("USD/month")] | None = None
    """The real bill of a month for this workload, to reconcile the estimate with; of what is committed, all that is paid."""
    bill_of: BillOf | None = None
    """Requests and tokens that the bill is of, where those of `workload` are others: as they were before others were laid over
    them, so that the gap between bill and estimate stays what it is. Left out = the workload's."""
    ttft_p95_s: Annotated[Positive, unit("s")] | None = None
    """Time to the first token that you measure of it today, 95th percentile. Above workload.ttft_p95_s staying does not keep
    the SLO: it stays what all is compared with, and that is told. Left out = not known."""
    tpot_p95_s: Annotated[Positive, unit("s")] | None = None
    """Time per output token after the first that you measure today, 95th percentile, against workload.tpot_p95_s. Left out =
    not known."""
    bill_is_volume_share: Fraction = spread(
        0.5, 0.0, 1.0, "unsplit: how much of the gap to the bill is volume (all options) and how much price (incumbent)"
    )
    """Part of the gap between bill and estimate that is volume; the rest is the incumbent's price."""

    @model_validator(mode="after")
    def _commitment_has_an_end(self) -> Self:
        units = next((x for x in ("seats", "provisioned_throughput") if getattr(self, x) is not None), None)
        check_commitment(self.committed_usd_per_month, self.committed_until,
                         stated="committed_usd_per_month" in self.model_fields_set,
                         instead=f", or {units}.committed_until for what is paid today" if units else "")
        return self

    @model_validator(mode="after")
    def _is_paid_in_one_way(self) -> Self:
        paid = [name for name in ("provisioned_throughput", "seats") if getattr(self, name) is not None]
        if len(paid) > 1:
            raise ValueError("give provisioned_throughput or seats, not both: what else is paid goes under costs")
        if self.paid_by is not None and as_spread(self.batch_share).value > 0:
            raise ValueError(f"batch_share is of what is paid by the token, and {paid[0]} is not: compare the batch apart")
        return self

    @property
    def later_share(self) -> float:
        """Share of requests that batch, or a flexible tier, answers today."""
        batch = as_spread(self.batch_share).value
        return batch if self.flexible_tier is None else batch + (1.0 - batch) * as_spread(self.flexible_tier.share).value

    @property
    def paid_by(self) -> UnitsToday | Seats | None:
        """Units or seats that are paid today in place of tokens; None where there are none."""
        if self.seats is not None:
            return self.seats if self.seats.users else None
        units = self.provisioned_throughput
        return units if units is not None and units.units else None

    @property
    def served(self) -> bool:
        """True where it is a model that one serves already."""
        return self.provider.strip().lower() == OWN_SERVERS


Gate = Literal["yes", "no", "unknown"]


class Gates(Section):
    """Questions about the task; "no" rules training out, "unknown" is listed."""

    one_task_type: Gate = "unknown"
    """Is it one task type?"""
    learnable_from_examples: Gate = "unknown"
    """Is there one right answer that examples can teach?"""
    evaluation_set: Gate = "unknown"
    """Is there an evaluation set with known answers?"""
    facts_are_stable: Gate = "unknown"
    """Are the facts that the task needs stable (not changing week by week)?"""
    prompt_engineering_tried: Gate = "unknown"
    """Was prompting tried first?"""
    vendor_allows_training_on_outputs: Gate = "unknown"
    """Legal: may this vendor's outputs train another model? Does not matter where labels come from people."""


class Tokens(Section):
    """How the same request looks to another model."""

    ratio: Annotated[Positive, unit("ratio")] | None = None
    """Its tokens for the same text, over the incumbent's; left out = of its tokenizer, else 1 (5 to 95%: 0.9 to 1.15)."""
    prompt_tokens_after_tuning: Annotated[NonNegative, unit("tokens")] | None = None
    """Shared prefix that a tuned model still needs (instructions and examples drop out)."""
    output_ratio: Annotated[Positive, unit("ratio")] | None = None
    """Verbosity: output over the incumbent's."""
    reasoning_tokens: Annotated[NonNegative, unit("tokens")] = 0.0
    """Reasoning tokens billed or generated per request besides the answer."""
