"""What a profile file holds: a dry run, a probe, rates of a device, a training run, prefill and decode, a server under load.

One file a run, written once. Raw times are kept; warm-up is cut when they are read. SI units; null = not known.
"""

from statistics import mean, median
from typing import Annotated, Any, Final, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from roi.facts.environment import ProbeAnswers, Run
from roi.facts.records import Record
from roi.facts.serve_profile import ServeProfile

OperatorKind = Literal["matrix", "attention", "elementwise", "copy", "dequantise"]
"""matrix: products; attention: fused kernels; copy: moves without arithmetic; dequantise: 4-bit or int8 to 16 bits."""


class OperatorGroup(Record):
    """Equal operators: same name, shapes and dtype; figures are of one call."""

    name: str
    """Operator, for example aten.mm."""
    kind: OperatorKind
    """Which rate bounds it."""
    dtype: str
    """Compute type: bf16, fp16, fp32, int8."""
    shape: tuple[int, ...] = ()
    """Matrix products: (m, n, k), batched ones (batch, m, n, k). Else the result's shape."""
    calls: PositiveFloat
    """Calls in one micro-step (or optimizer step)."""
    flops: NonNegativeFloat
    """Arithmetic of one call; 0 where none counts."""
    bytes_read: NonNegativeFloat
    """Bytes of the operands of one call, each once."""
    bytes_written: NonNegativeFloat
    """Bytes of the results of one call."""
    launches: NonNegativeFloat = 1.0
    """Kernels of one call on CUDA."""
    phase: str
    """forward, loss, backward or optimizer."""


class MemoryReading(Record):
    """Peak memory of one point, bytes."""

    allocated_bytes: NonNegativeFloat | None = None
    """torch.cuda.max_memory_allocated; on a CPU None."""
    reserved_bytes: NonNegativeFloat | None = None
    """torch.cuda.max_memory_reserved."""
    process_bytes: NonNegativeFloat | None = None
    """Device memory of this process as NVML counts it (CUDA context included); on a CPU its largest resident set."""
    device_bytes: NonNegativeFloat | None = None
    """Everything in use on the device."""
    retries: NonNegativeInt | None = None
    """How often torch's allocator gave its cache back and tried again: such a step is slower than it need be."""


class DryRunSearch(Record):
    """What the dry run says about other sizes, so that limits are found without torch."""

    micro_batch: PositiveInt
    """Sequences of a micro-batch."""
    seq: PositiveInt
    """Tokens of each sequence."""
    allocated_bytes: PositiveFloat
    """Peak allocated by a dry run of the same plan at this size."""
    reserved_bytes: PositiveFloat
    """Peak reserved of that dry run, by a replay of torch's allocator."""
    ran: bool = True
    """True where the whole model was run at this size; False where models of a few layers say it."""


class DryRunLimit(Record):
    """What fits on one card, found by running the whole model at it."""

    gpu: str
    """Name in the catalog."""
    largest_micro_batch: NonNegativeInt
    """Most sequences in a micro-batch that fit at the plan's length; 0: none."""
    longest_seq: NonNegativeInt
    """Tokens of the longest sequences that fit at the plan's micro-batch; 0: none."""


class DryRunProfile(Run):
    """A training step on tensors without storage."""

    kind: Literal["dry-run"] = "dry-run"
    model: str
    """Catalog name, or the path or Hub id that was given."""
    config_hash: str
    """SHA-256 of the architecture's configuration, 12 hex digits: a changed shape is another model."""
    plan: dict[str, Any]  # Any: a TrainingPlan, whose type lies one floor up; catalog.profiles reads it
    """The training plan."""
    trained_parameters: NonNegativeInt
    """Parameters that get a gradient."""
    allocated_bytes: PositiveFloat
    """Peak that torch.cuda.max_memory_allocated would report, cuBLAS workspace included."""
    reserved_bytes: PositiveFloat
    """Peak that torch.cuda.max_memory_reserved would report."""
    workspace_bytes: NonNegativeFloat
    """cuBLAS workspace in the figures above: larger from Hopper on (roi.estimate.training.memory)."""
    parts_bytes: dict[str, NonNegativeFloat]
    """What is alive at the peak, by part; sums to allocated_bytes."""
    phase: str
    """forward, loss, backward or optimizer: where the peak lies."""
    module: str
    """Module where the peak lies."""
    operator: str
    """Operator at which it is reached."""
    largest: tuple[tuple[str, str, float], ...] = ()
    """Largest groups alive at the peak: (operator and shape, module pattern, bytes)."""
    timeline_bytes: tuple[float, ...]
    """Highest allocation in equal slices of the step's events, at most 400."""
    timeline_phases: tuple[tuple[str, int], ...]
    """(phase, slice where it begins)."""
    operators: tuple[OperatorGroup, ...] = ()
    """Work of one micro-step and one optimizer step."""
    searched: tuple[DryRunSearch, ...] = ()
    """Other sizes of the same plan."""
    limits: tuple[DryRunLimit, ...] = ()
    """Limits that were run, by card, as the rule of that day had them."""
    notes: tuple[str, ...] = ()
    """What was approximated."""
    wall_s: PositiveFloat
    """Seconds that the dry run took, imports left out."""


MEMORY_COPY: Final = "memory copy"
"""Name of the rate of a copy far beyond every cache; one of the regime "copy" that is called otherwise may be of a cache."""


class Rate(Record):
    """One measured rate of a device."""

    regime: Literal["matrix", "copy", "dequantise", "attention", "elementwise", "launch"]
    """What was timed."""
    name: str
    """Operator, for example mm, sdpa forward, rms_norm, nf4."""
    dtype: str
    """bf16, fp16, fp32, tf32, int8, nf4, ..."""
    shape: tuple[int, ...]
    """Matrix: (m, n, k). Attention: (batch, heads, tokens, head_dim). Else the operand's shape."""
    work: PositiveFloat
    """FLOP of one call, or bytes moved where the regime is bound by bandwidth; 1 for a launch."""
    unit: Literal["FLOP", "byte", "launch"]
    """Unit of `work`."""
    seconds: tuple[PositiveFloat, ...] = Field(min_length=1)
    """Every timed call, after warm-up, s."""


Collective = Literal["all-reduce", "all-gather", "reduce-scatter"]


class LinkRate(Record):
    """One collective over the link between cards, at one size."""

    collective: Collective
    ranks: PositiveInt
    """Cards that take part; on a CPU processes."""
    message_bytes: PositiveInt
    """Bytes of the whole tensor: what every rank reduces, what it has gathered, or what it scatters."""
    seconds: tuple[PositiveFloat, ...] = Field(min_length=1)
    """Every timed call, of the rank that took longest, s."""

    @property
    def typical_s(self) -> float:
        """Median of the timed calls, s."""
        return median(self.seconds)

    @property
    def ring_bytes(self) -> float:
        """Bytes that each rank of a ring sends: (N - 1) / N of the message, twice that to reduce and gather it again."""
        rounds = 2.0 if self.collective == "all-reduce" else 1.0
        return rounds * (self.ranks - 1) / self.ranks * self.message_bytes


class DeviceProfile(Run):
    """Achieved rates of a device, or of the link between several."""

    kind: Literal["device"] = "device"
    rates: tuple[Rate, ...]
    link: tuple[LinkRate, ...] = ()
    """Collectives by size, small ones first."""
    complete: bool = True
    """False where the run was stopped; what was measured is kept."""
    notes: tuple[str, ...] = ()


class RankPoint(Record):
    """What one process of a job on several cards measured at one size."""

    step_s: tuple[PositiveFloat, ...]
    """Every step in order, the wait for the other ranks included, s."""
    alone_s: tuple[PositiveFloat, ...] = ()
    """Steps in which nothing was sent, s: what a step takes beyond them is communication that no computation hides."""
    memory: MemoryReading
    power_w: NonNegativeFloat | None = None
    """Mean board power while stepping."""


class TrainPoint(Record):
    """One (micro-batch, length) of a training run."""

    micro_batch: PositiveInt
    seq: PositiveInt
    """Tokens of each sequence, all full; on real lengths the most that a row may have."""
    step_s: tuple[PositiveFloat, ...]
    """Every step (forward, backward, optimizer) in order, warm-up included, over its micro-steps where it has several, s."""
    warmup: NonNegativeInt
    """How many of the first steps are warm-up."""
    free_step_s: PositiveFloat | None = None
    """Seconds of a step where no step is waited for, as in training that logs rarely; null: not measured."""
    losses: tuple[float, ...] = ()
    """Loss of every step."""
    tokens: tuple[PositiveFloat, ...] = ()
    """Tokens of each step's examples, over its micro-steps, of a run on real lengths; empty: every row is full."""
    slots: tuple[PositiveFloat, ...] = ()
    """Tokens computed in each step, over its micro-steps: `tokens` and what filled rows up; empty: every row is full."""
    memory: MemoryReading
    power_w: NonNegativeFloat | None = None
    """Mean board power while stepping."""
    energy_j: NonNegativeFloat | None = None
    """Energy of the timed steps."""
    predicted_allocated_bytes: NonNegativeFloat | None = None
    """What the closed form said before the run."""
    ranks: tuple[RankPoint, ...] = ()
    """Every rank of a job on several cards, in order; the fields above are those of rank 0, losses the mean of all."""

    @property
    def timed_s(self) -> tuple[float, ...]:
        """Seconds of the steps after the warm-up."""
        return self.step_s[self.warmup:]

    @property
    def mean_tokens(self) -> float:
        """Tokens of examples in a timed step; on full rows all of them."""
        return mean(self.tokens[self.warmup:] or (self.micro_batch * self.seq,))

    @property
    def mean_slots(self) -> float:
        """Tokens that a timed step computed, with what fills rows up; on full rows the same."""
        return mean(self.slots[self.warmup:] or (self.micro_batch * self.seq,))

    @property
    def typical_s(self) -> float:
        """Seconds of a step: the median of the timed ones where all are of one size, their mean where lengths differ."""
        return mean(self.timed_s) if self.slots else median(self.timed_s)


class TrainProfile(Run):
    """A short real training run."""

    kind: Literal["train"] = "train"
    model: str
    """Catalog name, or the path that was given."""
    config: dict[str, Any] | None = None  # Any: JSON
    """Entries of config.json, of a model that the catalog lacks and that was not made smaller; null for others."""
    plan: dict[str, Any]  # Any: as above
    weights: str
    """random (drawn from the shape, seed in the environment), or the path they were read from."""
    trained_parameters: NonNegativeInt
    compiled: bool = False
    """True where steps ran under torch.compile; each point's first one compiled and counts as warm-up."""
    lengths: tuple[PositiveInt, ...] = ()
    """Percentiles 0, 10, ... 100 of the examples' tokens, where batches were made of real lengths."""
    points: tuple[TrainPoint, ...]
    largest_micro_batch: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Largest micro-batch that ran, by sequence length (as text); 0 = not even one."""
    budget_s: PositiveFloat | None = None
    complete: bool = True
    """False where the budget or Ctrl-C ended it early; what was measured is kept."""
    notes: tuple[str, ...] = ()


class InferPoint(Record):
    """Prefill and decode at one size."""

    adapter: Literal["base", "merged", "unmerged"]
    batch: PositiveInt
    prompt_tokens: PositiveInt
    decoded_tokens: NonNegativeInt
    prefill_s: tuple[PositiveFloat, ...]
    """Every timed prefill of the whole batch, s."""
    decode_s: tuple[PositiveFloat, ...]
    """Every timed decode step (one token of every sequence), s."""
    memory: MemoryReading


class InferProfile(Run):
    """Prefill and decode through transformers: base model, merged adapter, unmerged adapter."""

    kind: Literal["infer"] = "infer"
    model: str
    dtype: str
    """bf16, fp16, fp32 or nf4: how the base is stored."""
    rank: NonNegativeInt
    """Rank of the adapter."""
    points: tuple[InferPoint, ...]
    complete: bool = True
    notes: tuple[str, ...] = ()


class ProbeProfile(Run):
    """What only a card can settle: one question after the other, each by itself."""

    kind: Literal["probe"] = "probe"
    answers: ProbeAnswers
    complete: bool = True
    notes: tuple[str, ...] = ()


Profile = Annotated[DryRunProfile | ProbeProfile | DeviceProfile | TrainProfile | InferProfile | ServeProfile,
                    Field(discriminator="kind")]
"""A profile of any kind, told apart by `kind`."""
