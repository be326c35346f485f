"""What a profile of a running server holds: every request of every point, with the client's raw timestamps.

Times are seconds on one monotonic clock of the client, from the start of the point; nothing is averaged before it is kept.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from roi.facts.environment import Run
from roi.facts.records import Record

Counted = Literal["server usage", "tokenizer", "chunks", "stated"]
"""Who counted tokens: the server's usage object, a tokenizer here, one a streamed chunk, or the file that was imported."""
ENDS_ONLY = frozenset({"guidellm"})
"""Tools whose exports hold the first and the last token of a request and their number, not each one's time."""
Moment = Annotated[NonNegativeFloat, Field(le=1e11)]
"""Seconds since the load began, or since 1970 until an import has counted them from its first: what is later
than the year 5000 is no time, and sums of it overflow."""


class ServedRequest(Record):
    """One request as the client saw it."""

    sent_s: Moment
    """When it was sent; in an open loop the time at which it was due, so that a late client counts as waiting."""
    prompt_tokens: NonNegativeInt
    """Prompt tokens as counted."""
    cached_tokens: NonNegativeInt = 0
    """Those of the prompt tokens that the server's usage reports as found in its prefix cache."""
    asked_tokens: PositiveInt
    """Output tokens that were asked for (max_tokens)."""
    output_tokens: NonNegativeInt
    """Output tokens as counted."""
    chunk_s: tuple[Moment, ...] = ()
    """Arrival of every streamed chunk that carried output, ascending."""
    ended_s: Moment | None = None
    """When the stream ended; None where it never did."""
    model: str | None = None
    """Name that was asked for, where it is an adapter's and not the profile's."""
    error: str | None = None
    """Why it failed: status and message, cut off, timed out; None where it succeeded."""


class ServePoint(Record):
    """One load: a fixed number of requests in flight, or a fixed rate."""

    input_tokens: PositiveInt
    """Prompt tokens aimed at."""
    output_tokens: PositiveInt
    """Output tokens asked for."""
    concurrency: PositiveInt | None = None
    """Requests in flight (closed loop); None for an open loop."""
    requests_per_s: PositiveFloat | None = None
    """Offered rate (open loop); None for a closed loop."""
    arrivals: Literal["closed", "poisson", "trace"] = "closed"
    adapter: Literal["base", "merged", "unmerged"] = "base"
    adapters: NonNegativeInt = 0
    """Different adapters among the requests."""
    requests: tuple[ServedRequest, ...]
    complete: bool = True
    """False where the budget, Ctrl-C or an error ended it early."""


class Cut(Record):
    """How a run ended that did not do all that was planned."""

    why: str
    """Why the run ended early, in words."""
    failed: bool
    """True where requests failed or the server was given up; False where time, a signal or what was announced ended it."""
    closed_loops: bool
    """True where every closed loop that was planned is here and whole, those of unmerged adapters aside."""


class ServeProfile(Run):
    """Load on an OpenAI-compatible server, measured from outside: the environment is the client's, the server's card `gpu`."""

    kind: Literal["serve"] = "serve"
    url: str
    """Where the load went, without credentials; for an import the tool that measured."""
    served_model: str
    """The name that the server knows the model by."""
    model: str
    """Catalog name of its shape, or the served name where the catalog has none."""
    gpu: str | None = None
    """Catalog name of the server's card, as stated; "cpu" for a server without; None where nobody said."""
    gpus: PositiveInt = 1
    """Tensor-parallel GPUs of the replica."""
    engine: str | None = None
    """vllm, sglang, tgi, ollama, llama.cpp, transformers, ...: as the server says or as stated."""
    engine_version: str | None = None
    weight_dtype: str | None = None
    """bf16, fp8, ...: as stated."""
    kv_dtype: str | None = None
    kv_capacity_tokens: PositiveFloat | None = None
    """Tokens that the server's KV cache holds, as it says or as stated."""
    power_w: NonNegativeFloat | None = None
    """Mean board power of the card over the loads, where the server ran beside the client; null: not known."""
    counted_by: Counted
    """Who counted output tokens."""
    prompt_counted_by: Counted
    """Who counted prompt tokens."""
    points: tuple[ServePoint, ...]
    budget_s: PositiveFloat | None = None
    complete: bool = True
    """False where it ended early; what was measured is kept. What is fitted on it then: estimate.step_fit.usable_though_cut."""
    cut: Cut | None = None
    """How it ended early; None where it did not, and where nobody says: older profiles and imports."""
    tool: Annotated[str, Field(min_length=1)] = "roi"
    """Who generated the load: roi, guidellm, aiperf, vllm bench serve."""
    notes: tuple[str, ...] = ()

    @property
    def ends_only(self) -> bool:
        """True where the tool keeps a request's first and last token only: `chunk_s` then holds those two."""
        return self.tool in ENDS_ONLY
