"""What every profile says of the run that made it: its machine, its software, its start."""

from datetime import datetime
from typing import Final, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from roi.facts.records import Record

SCHEMA: Final = "roi.profile/1"
"""Name of the schema of every profile file, written into each."""


class ProbeAnswers(Record):
    """What `roi profile probe` found out about a card; null where a question had no answer here."""

    context_by_imports: bool | None = None
    """True where importing torch and bitsandbytes opened a context: in a container it looks like another user."""
    context_bytes: NonNegativeFloat | None = None
    """Device memory of this process beyond what torch reserved, once a tensor was there."""
    workspace_bytes: NonNegativeFloat | None = None
    """What cuBLAS kept after products forward and backward."""
    attention: dict[str, str] = Field(default_factory=dict)
    """Case of scaled_dot_product_attention -> the kernel that torch takes: cudnn, flash, efficient or math."""
    hidden_ratio: NonNegativeFloat | None = None
    """Buffers of attention's backward, measured over what the dry run assumes."""
    first_length_s: PositiveFloat | None = None
    """Seconds of one decode attention the first time that a length of the cache comes: a plan is made for it, or not."""
    later_length_s: PositiveFloat | None = None
    """Seconds of one decode attention at a length of the cache that has come before."""
    short_kernel_ratio: PositiveFloat | None = None
    """A copy of 4 KiB as `roi profile device` times it, over the same in a chain of 100."""
    energy_period_s: PositiveFloat | None = None
    """Time between two values of the energy counter."""
    energy_ratio: NonNegativeFloat | None = None
    """Mean power by the energy counter, over the power that NVML reads."""
    out_of_memory: str | None = None
    """Name of the error that running out of memory raises."""
    left_bytes: float | None = None
    """What stays allocated after running out and giving all back."""
    failed: dict[str, str] = Field(default_factory=dict)
    """Question -> why it has no answer."""


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
    """Kernel of 16-bit causal attention (scaled_dot_product_attention): as probed, else by torch's own rule."""
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
    probe: ProbeAnswers | None = None
    """What was probed on this card with this driver and these versions; null: nobody did."""
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
