"""What every profile says of the run that made it: its machine, its software, its start."""

from datetime import datetime
from typing import Final, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from roi.facts.records import Record

SCHEMA: Final = "roi.profile/1"
"""Of every profile file; written into each."""


class Environment(Record):
    """The machine and the software of a run."""

    device: Literal["cuda", "cpu", "none"]
    """Where tensors lay; none for a dry run."""
    gpu: str | None = None
    """Name in this catalog, for example H100-80GB-SXM; None on a CPU or where the catalog has no such card."""
    gpu_name: str | None = None
    """Name as the driver gives it, or the CPU's model name."""
    gpu_memory_bytes: PositiveFloat | None = None
    """Device memory that the runtime reports."""
    driver: str | None = None
    """Driver version."""
    cuda: str | None = None
    """CUDA version that torch was built for."""
    sm_clock_hz: NonNegativeFloat | None = None
    """Streaming-multiprocessor clock under load."""
    memory_clock_hz: NonNegativeFloat | None = None
    """Memory clock under load."""
    power_limit_w: NonNegativeFloat | None = None
    """Enforced power limit."""
    capability: tuple[int, int] | None = None
    """Compute capability of the card, for example (9, 0)."""
    cudnn: str | None = None
    """cuDNN version that torch uses."""
    attention: str | None = None
    """Kernel of 16-bit causal attention (scaled_dot_product_attention), by torch's own rule."""
    allocator: str | None = None
    """PYTORCH_ALLOC_CONF, as set."""
    tf32: bool | None = None
    """True where fp32 products may run on tensor cores."""
    mig: bool | None = None
    """True where the device is a slice of a card."""
    ecc: bool | None = None
    """True where the device's memory corrects errors."""
    slowed: tuple[str, ...] = ()
    """What held the clocks down during the run: power limit, temperature."""
    cores: PositiveInt | None = None
    """Host cores that the process may use."""
    threads: PositiveInt | None = None
    """Threads that torch uses for one operator."""
    load_average: tuple[float, float, float] | None = None
    """Host load over 1, 5 and 15 minutes at the start."""
    versions: dict[str, str]
    """python, torch, transformers, peft, bitsandbytes, ... as far as installed."""
    seed: int | None = None
    """Seed of weights and data."""
    commit: str | None = None
    """Commit of roi, or its version."""


class Run(Record):
    """What every profile says of the run that made it."""

    kind: str
    """What was profiled."""
    schema_: Literal["roi.profile/1"] = Field(SCHEMA, alias="schema")
    started: datetime
    environment: Environment
