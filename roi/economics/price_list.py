"""What an API bills by the token: a model's price list with the terms that hold for an option, and announced lists."""

from dataclasses import dataclass
from typing import Annotated

from roi.economics.case_paths import Array, At, Number


@dataclass(frozen=True)
class AnnouncedRates:
    """A price list that the vendor has announced: from its day on its rates are in the place of an `Api`'s."""

    from_months: Annotated[Number, At("vendors.{vendor}.announced.{step}.from_months")]
    """Months from today to its first day."""
    edges: Annotated[Array, At("vendors.{vendor}.announced.{step}.edges_tokens")]
    input: Annotated[Array, At("vendors.{vendor}.announced.{step}.input_usd_per_mtok")]
    output: Annotated[Array, At("vendors.{vendor}.announced.{step}.output_usd_per_mtok")]
    cache_read: Annotated[Array | None, At("vendors.{vendor}.announced.{step}.cache_read_usd_per_mtok")]
    cache_write: Annotated[Array | None, At("vendors.{vendor}.announced.{step}.cache_write_usd_per_mtok")]
    batch_input: Annotated[Array | None, At("vendors.{vendor}.announced.{step}.batch_input_usd_per_mtok")]
    batch_output: Annotated[Array | None, At("vendors.{vendor}.announced.{step}.batch_output_usd_per_mtok")]
    batch_cache_read: Annotated[Array | None, At("vendors.{vendor}.announced.{step}.batch_cache_read_usd_per_mtok")]
    batch_cache_write: Annotated[Array | None, At("vendors.{vendor}.announced.{step}.batch_cache_write_usd_per_mtok")]


@dataclass(frozen=True)
class Api:
    """A price list of one model: USD per million tokens, one entry a tier."""

    edges: Annotated[Array, At("options.{option}.price.edges_tokens")]
    input: Annotated[Array, At("options.{option}.price.input_usd_per_mtok")]
    output: Annotated[Array, At("options.{option}.price.output_usd_per_mtok")]
    cache_read: Annotated[Array | None, At("options.{option}.price.cache_read_usd_per_mtok")]
    cache_write: Annotated[Array | None, At("options.{option}.price.cache_write_usd_per_mtok")]
    batch_input: Annotated[Array | None, At("options.{option}.price.batch_input_usd_per_mtok")]
    batch_output: Annotated[Array | None, At("options.{option}.price.batch_output_usd_per_mtok")]
    batch_cache_read: Annotated[Array | None, At("options.{option}.price.batch_cache_read_usd_per_mtok")]
    batch_cache_write: Annotated[Array | None, At("options.{option}.price.batch_cache_write_usd_per_mtok")]
    cache_minimum: Annotated[Number, At("options.{option}.price.cache_minimum_tokens", absent=0.0)]
    discount: Annotated[Number, At("options.{option}.price.discount", "apis.{vendor}.discount", "options.stay.price.discount")]
    """Stated terms of an API hold for every option that uses it, as the incumbent's do for staying and for its levers."""
    uses_cache: Annotated[bool, At("options.{option}.uses_cache")]
    batch_share: Number
    """Share of all requests that goes through the batch price where it is cheaper."""
    hit_rate: Annotated[Number | None, At("apis.{vendor}.cache_hit_rate")] = None
    """The option's own; None: the workload's."""
    cache_as_today: Annotated[bool, At("options.{option}.cache_as_today")] = False
    """True where the cache runs as it does today, though writing it may cost more than reading it saves."""
    tier: Number = 1.0
    """Price of what does not go through batch, over the list price, where some takes a tier that is not the standard one."""
    announced: tuple[AnnouncedRates, ...] = ()
    """By their days; discount, tier and the cache's minimum stay."""
