"""Prices as the catalog holds them: dated, sourced, never overwritten."""

from datetime import date as Date
from enum import StrEnum

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from roi.facts.records import DatedRow


class RentalKind(StrEnum):
    """How a GPU is rented."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    RESERVED = "reserved"


class RentalOffer(DatedRow):
    """What one GPU costs by the hour at one vendor."""

    gpu: str
    """Catalog id of the GPU."""
    vendor: str
    """Who rents it."""
    kind: RentalKind
    """on-demand, spot or reserved."""
    usd_per_gpu_hour: PositiveFloat
    """USD per GPU and hour that an instance exists."""
    gpus_per_instance: PositiveInt = 1
    """GPUs come in instances of this size."""
    minimum_months: NonNegativeInt = 0
    """Commitment: rent is paid for at least this long."""
    index: bool = False
    """True of a mean or a survey of contracts, which tells a level of rents and which nobody can order."""


class InstanceSize(DatedRow):
    """How many GPUs one instance of a vendor has at most that rents any number of them, each at the price of one."""

    vendor: str
    """Who rents the GPUs."""
    gpus_at_most: PositiveInt
    """Most GPUs that one instance, which is one machine, has."""


class PurchasePrice(DatedRow):
    """What one GPU costs to buy, as a share of its server."""

    gpu: str
    """Catalog id of the GPU."""
    usd_per_gpu: PositiveFloat
    """USD for one GPU, server share included where the source says so."""
    low_usd_per_gpu: PositiveFloat
    """5th percentile of offers."""
    high_usd_per_gpu: PositiveFloat
    """95th percentile of offers."""


class ApiPrice(DatedRow):
    """Price of one model's API at one date, USD per million tokens.

    Each rate is one number per tier; the tier is the last whose edge is below the input tokens of the call, and the whole
    call pays that tier's rates (a cliff). `edges_tokens` starts with 0. A rate that the vendor does not offer is None.
    """

    provider: str
    """Who serves the model."""
    model: str
    """The provider's own name for the model."""
    context_tokens: PositiveInt | None = None
    """Tokens that a call may hold, prompt and answer together; None where the source does not say."""
    edges_tokens: tuple[NonNegativeFloat, ...] = (0.0,)
    """A call with more input tokens than an edge pays that tier's rates."""
    input_usd_per_mtok: tuple[NonNegativeFloat, ...]
    """Uncached input."""
    output_usd_per_mtok: tuple[NonNegativeFloat, ...]
    """Output, reasoning included."""
    cache_read_usd_per_mtok: tuple[NonNegativeFloat, ...] | None = None
    """Input read from the provider's prompt cache."""
    cache_write_usd_per_mtok: tuple[NonNegativeFloat, ...] | None = None
    """Input written to the cache on a miss; None where a write costs the input price."""
    batch_input_usd_per_mtok: tuple[NonNegativeFloat, ...] | None = None
    """Uncached input in batch processing."""
    batch_output_usd_per_mtok: tuple[NonNegativeFloat, ...] | None = None
    """Output in batch processing."""
    batch_cache_read_usd_per_mtok: tuple[NonNegativeFloat, ...] | None = None
    """Cached input in batch processing; None where the source does not say that the two combine."""
    batch_cache_write_usd_per_mtok: tuple[NonNegativeFloat, ...] | None = None
    """Input written to the cache in batch processing; None where it costs the batch input price or the two do not combine."""
    cache_minimum_tokens: NonNegativeInt | None = None
    """A prefix shorter than this is not cached; None where there is no cache."""
    changes_on: Date | None = None
    """First day of the next price that the vendor has announced; look the model up on that day for its rates."""


class TuningPrice(DatedRow):
    """What a vendor takes to fine-tune a model and to serve the result."""

    vendor: str
    """Who trains and serves."""
    model: str
    """Base model in the vendor's words."""
    shape: str | None = None
    """Catalog id of the model shape where the base is an open model."""
    usd_per_mtok_trained: NonNegativeFloat
    """USD per million training tokens (tokens x epochs)."""
    usd_minimum_per_job: NonNegativeFloat = 0.0
    """Smallest charge for a job."""
    input_usd_per_mtok: NonNegativeFloat | None = None
    """Serving: uncached input, where billed by token."""
    output_usd_per_mtok: NonNegativeFloat | None = None
    """Serving: output, where billed by token."""
    usd_per_hosting_hour: NonNegativeFloat = 0.0
    """Serving: hourly fee of a deployment, billed whether used or not."""
    gpu: str | None = None
    """Dedicated deployments: catalog id of the GPU that the hourly fee rents."""
    usd_per_month_stored: NonNegativeFloat = 0.0
    """Storage fee of a tuned model."""
    new_jobs_until: Date | None = None
    """Last day on which a new training job is accepted."""
    retires_on: Date | None = None
    """Day on which tuned models on this base stop."""
    method: str = "lora"
    """lora, full, or unstated where the vendor does not say how it trains."""


class Retirement(DatedRow):
    """The announced end of a vendor's model."""

    provider: str
    """Who serves the model."""
    model: str
    """The provider's own name for the model."""
    retires_on: Date
    """Day on which calls stop working."""
    successor: str | None = None
    """What the vendor suggests instead."""


class CacheMinimum(DatedRow):
    """The shortest prompt prefix that a provider caches, and whether batch and cache discounts combine."""

    provider: str
    """Who serves the model."""
    model_prefix: str = ""
    """Applies to model names that start with this; the longest match wins."""
    minimum_tokens: NonNegativeInt
    """Shortest cached prefix, tokens."""
    combines_with_batch: bool = False
    """True only where the vendor says that cached input is discounted inside batch jobs too."""
    automatic: bool = False
    """True where the vendor documents that prompts are cached without being asked to."""
