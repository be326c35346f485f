"""torch.cuda over the CPU: tensors asked for on `cuda` lie in host memory, and what CUDA would say of them is a small model.

Memory is a line in the tokens of a forward pass; a size above the card's runs out where the card says so: forward, backward,
or the optimizer. An error of the device is sticky, as CUDA's are: every later call of the device raises it again.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, Self
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode

import roi.profiling.stack  # noqa: F401 -- bitsandbytes looks for a real card when it is imported, so before this one
from fake_card.nvml import UUID, FakeNvml, nvml_scene

MIB: Final = 2**20
OPTIMIZER_KERNELS: Final = ("lerp_", "_fused_adamw_", "_foreach_lerp_")


@dataclass
class Card:
    """The card, and what it is told to do."""

    name: str = "NVIDIA H100 80GB HBM3"
    total_bytes: int = 85_029_158_912
    capability: tuple[int, int] = (9, 0)
    cudnn: int | None = 91_800
    context_bytes: int = 500 * MIB
    fixed_bytes: int = 900 * MIB
    """Weights, states and gradients, as the model of its memory has them."""
    token_bytes: int = 0
    """Bytes of one token of a forward pass; 0: memory never runs out."""
    oom_at: str = "forward"
    fail_at: int | None = None
    """The forward pass (counted from 1) in which the device fails for good."""
    failure: str = "CUDA error: an illegal memory access was encountered"
    nan_at: int | None = None
    """The forward pass whose loss is no number."""
    on_open: Callable[[], None] = lambda: None
    """Called when the first tensor arrives."""
    opened: bool = False
    """True where torch has a context."""
    forwards: int = 0
    tokens: int = 0
    """Tokens of the last forward pass."""
    peak_bytes: int = 0
    failed: bool = False
    retries: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    sleeps: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Cache lengths of every attention with one query, in order."""

    def kernels(self, dtype: torch.dtype, dim: int) -> str:
        """The attention that this card takes."""
        new = self.capability == (9, 0) and (self.cudnn or 0) > 91_500
        return "math" if dtype == torch.float32 else "cudnn" if new and dim <= 128 else "flash"

    @property
    def needed_bytes(self) -> int:
        return self.fixed_bytes + self.token_bytes * self.tokens

    @property
    def too_large(self) -> bool:
        return reserved(self.needed_bytes) > self.total_bytes - self.context_bytes

    def check(self) -> None:
        """Raise what every call of a device raises once it has failed."""
        if self.failed:
            raise torch.AcceleratorError(self.failure)

    def run_out(self, at: str) -> None:
        if self.too_large and self.oom_at == at:
            self.retries += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a capacity of 79.19 GiB")

    def open(self) -> None:
        """The first tensor is there, or another."""
        self.opened = True
        self.on_open()

    def forward(self, tokens: int) -> None:
        self.open()
        self.forwards, self.tokens = self.forwards + 1, tokens
        if self.fail_at is not None and self.forwards >= self.fail_at:
            self.failed = True
            raise torch.AcceleratorError(self.failure)
        self.run_out("forward")
        self.peak_bytes = max(self.peak_bytes, self.needed_bytes)


def reserved(allocated: int) -> int:
    """What the allocator takes for so much: 2% more, in blocks of 2 MiB."""
    return -(-int(1.02 * allocated) // (2 * MIB)) * 2 * MIB


def on_host(device: object) -> object:
    """The same place, host memory where it is the card."""
    if isinstance(device, str) and device.partition(":")[0] == "cuda":
        return "cpu"
    return torch.device("cpu") if isinstance(device, torch.device) and device.type == "cuda" else device


class Redirect(TorchFunctionMode):
    """Sends what goes to the card to the host, and tells the card what runs."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # Any: torch's own
        kwargs, name, card = dict(kwargs or {}), getattr(func, "__name__", ""), self.card
        moved = tuple(on_host(x) if isinstance(x, str | torch.device) else x for x in args)
        where = on_host(kwargs.get("device"))
        if where is not kwargs.get("device"):
            kwargs["device"] = where
            card.open()
        elif any(x is not y for x, y in zip(moved, args, strict=True)):
            card.open()
        args = moved
        if name in {"cuda", "pin_memory"}:
            return args[0]
        if name == "empty" and args and isinstance(args[0], int) and args[0] > card.total_bytes:
            card.retries += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 158.38 GiB")
        if name == "embedding":
            card.forward(args[0].numel())
        elif name == "backward":
            card.run_out("backward")
        elif name in OPTIMIZER_KERNELS:
            card.run_out("optimizer")
        elif name == "_fused_sdp_choice":
            return {"cudnn": 3, "flash": 1}.get(card.kernels(args[0].dtype, args[0].shape[-1]), 0)
        elif name == "scaled_dot_product_attention" and args and args[0].shape[-2] == 1:
            card.lengths.append(int(args[1].shape[-2]))
        result = func(*args, **kwargs)
        return result * float("nan") if name == "cross_entropy" and card.nan_at == card.forwards else result


class Event:
    """A CUDA event on the host's clock."""

    def __init__(self, *, enable_timing: bool = False, **_: object) -> None:
        assert enable_timing, "elapsed_time needs enable_timing"
        self.at: float | None = None

    def record(self, *_: object) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        assert self.at is not None, "event was not recorded"

    def elapsed_time(self, later: "Event") -> float:
        assert self.at is not None
        assert later.at is not None, "event was not recorded"
        return max((later.at - self.at) * 1e3, 1e-6)


class Nothing:
    """A stream, or a context that changes nothing."""

    cuda_stream = 0

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def answers(card: Card) -> dict[str, Any]:
    """What each function of torch.cuda answers, by name."""
    def guarded(value: Any = None) -> Callable[..., Any]:  # Any: whatever torch answers
        def call(*_: object, **__: object) -> Any:
            card.check()
            return value() if callable(value) else value
        return call

    def plain(value: Any = None) -> Callable[..., Any]:
        return lambda *_, **__: value() if callable(value) else value

    def reset() -> None:
        card.peak_bytes = card.fixed_bytes

    properties = SimpleNamespace(
        name=card.name, total_memory=card.total_bytes, L2_cache_size=52_428_800, uuid=UUID, major=card.capability[0],
        minor=card.capability[1], multi_processor_count=132, gcnArchName="", warp_size=32,
        max_threads_per_multi_processor=2048, regs_per_multiprocessor=65536, shared_memory_per_multiprocessor=233472)
    return {
        "is_available": plain(value=True), "device_count": plain(1), "current_device": plain(0),
        "is_initialized": plain(lambda: card.opened), "init": plain(), "_lazy_init": plain(), "set_device": plain(),
        "get_device_properties": plain(lambda: properties), "get_device_capability": plain(card.capability),
        "get_device_name": plain(card.name), "synchronize": guarded(), "empty_cache": guarded(), "ipc_collect": plain(),
        "mem_get_info": guarded(lambda: (card.total_bytes - card.context_bytes - reserved(card.fixed_bytes), card.total_bytes)),
        "max_memory_allocated": plain(lambda: max(card.peak_bytes, card.fixed_bytes)),
        "max_memory_reserved": plain(lambda: reserved(max(card.peak_bytes, card.fixed_bytes))),
        "memory_allocated": plain(lambda: card.fixed_bytes), "memory_reserved": plain(lambda: reserved(card.fixed_bytes)),
        "reset_peak_memory_stats": plain(reset), "memory_stats": plain(
            lambda: defaultdict(int, {"num_alloc_retries": card.retries})),
        "manual_seed": plain(), "manual_seed_all": plain(), "is_bf16_supported": plain(value=True), "current_stream": Nothing,
        "default_stream": Nothing, "get_rng_state": lambda *_: torch.get_rng_state(), "set_rng_state": plain(),
        "get_rng_state_all": plain(list), "set_rng_state_all": plain(), "_sleep": card.sleeps.append,
        "is_current_stream_capturing": plain(value=False), "Event": Event, "Stream": Nothing, "device": Nothing,
        "stream": Nothing, "device_of": Nothing,
    }


@contextmanager
def simulated_card(card: Card | None = None) -> Iterator[Card]:
    """While it lasts, torch finds this card. Everything is as before afterwards."""
    card = card or Card()
    generator, autocast = torch.Generator, torch.amp.autocast_mode.autocast
    begin = autocast.__init__

    class Generator(generator):
        def __new__(cls, device: object = "cpu") -> Any:
            return super().__new__(cls, device=on_host(device))

    def init(self: Any, device_type: str, *rest: Any, **more: Any) -> None:
        begin(self, "cpu" if str(device_type) == "cuda" else device_type, *rest, **more)

    with ExitStack() as stack:
        for name, value in answers(card).items():
            stack.enter_context(patch.object(torch.cuda, name, value))
        stack.enter_context(patch.object(torch.backends.cudnn, "version", lambda: card.cudnn))
        stack.enter_context(patch.object(torch.version, "cuda", "13.0"))
        stack.enter_context(patch.object(torch, "Generator", Generator))
        stack.enter_context(patch.object(autocast, "__init__", init))
        stack.enter_context(Redirect(card))
        yield card


@contextmanager
def simulated_machine(scene: str = "vm", **card: Any) -> Iterator[tuple[FakeNvml, Card]]:
    """A machine with one card: NVML as the scene has it, and torch's view of the same card. Any: fields of Card."""
    made = Card(**card)
    with nvml_scene(scene) as nvml, simulated_card(made):
        made.on_open = nvml.open
        yield nvml, made


class Clockwork:
    """A device that runs kernels in order, a host that issues them, events that cost time, a synchronise that has a latency.

    Seconds typical of an H100 behind a server's CPU: 6 us to issue a kernel, 8 us to synchronise, 1.2 us to record an event on
    the device, 0.7 us between two kernels.
    """

    ISSUE, SYNC, EVENT, GAP = 6e-6, 8e-6, 1.2e-6, 0.7e-6

    def __init__(self, hiccups: tuple[int, ...] = ()) -> None:
        self.host = self.device = 0.0
        self.issued = 0
        self.hiccups, self.slept = hiccups, [0.0]

    def kernel(self, seconds: float) -> Callable[[], None]:
        """A call that runs so long on the device; the host stumbles for 20 ms at each of `hiccups`."""
        def call() -> None:
            self.issued += 1
            self.host += self.ISSUE + (0.02 if self.issued in self.hiccups else 0.0)
            self.device = max(self.device, self.host) + seconds + self.GAP
        return call

    def synchronise(self, _: str = "cuda") -> None:
        self.host = max(self.host, self.device) + self.SYNC

    def clock(self) -> float:
        return self.host

    def sleep(self, cycles: int) -> None:
        self.slept.append(cycles / 1.98e9)
        self.device = max(self.device, self.host) + cycles / 1.98e9

    def event(self, **_: object) -> Any:
        world = self

        class Mark:
            at = 0.0

            def record(self) -> None:
                world.host += 1e-6
                world.device = max(world.device, world.host) + world.EVENT
                self.at = world.device

            def elapsed_time(self, later: Any) -> float:
                return float(later.at - self.at) * 1e3

        return Mark()
