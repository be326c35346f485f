"""Training steps, timed: batches of random tokens through a plain loop, a Trainer or an SFTTrainer."""

from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import known_warnings, torch, transformers

# isort: split
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from torch.nn.attention import SDPBackend, sdpa_kernel

from roi.errors import InputError, MissingExtra
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.train.batches import Batch, drawn_rows, full_rows
from roi.profiling.train.real_model import DTYPES

if TYPE_CHECKING:
    from roi.profiling.train.ranks import Ranks

LEARNING_RATE: Final = 1e-4
"""Usual for adapters; the time of a step does not depend on it."""
PINNED: Final = {
    "sdpa-flash": SDPBackend.FLASH_ATTENTION, "sdpa-cudnn": SDPBackend.CUDNN_ATTENTION,
    "sdpa-efficient": SDPBackend.EFFICIENT_ATTENTION, "sdpa-math": SDPBackend.MATH,
}  # fmt: skip
"""torch's name of each kernel that a plan pins."""


@dataclass(frozen=True)
class Step:
    """The micro-steps of one optimizer step and that step, finished."""

    seconds: float
    """Time of forward, loss, backward and optimizer."""
    loss: float
    """Loss of the batch before the update."""
    tokens: int = 0
    """Tokens of its examples, over all micro-steps."""
    slots: int = 0
    """Tokens that were computed: those, and what filled the rows up."""


OnStep = Callable[[Step], bool]
"""Takes a finished step; False ends the run."""


@dataclass
class TrainingSetup:
    """A model that is ready to train on a device."""

    model: Any  # Any: transformers' classes are chosen at run time
    plan: TrainingPlan
    device: str
    vocab: int
    """Token ids are drawn below this."""
    learning_rate: float = LEARNING_RATE
    seed: int = 0
    optimizer: torch.optim.Optimizer | None = None
    """Optimizer of the plain loop, None until its first run; Trainers make their own."""
    stepped: bool = False
    """True once that optimizer has made a whole step: its states are there."""
    ranks: "Ranks | None" = None
    """The job on several cards that this process is a part of; None: there is one card."""
    compiled: bool = False
    """True where steps run under torch.compile."""
    lengths: tuple[int, ...] = ()
    """Tokens of real examples, which batches are made of; none: every row is full."""


def run_steps(setup: TrainingSetup, micro_batch: int, seq: int, on_step: OnStep, limit: int = 1000, *,
              full: bool = False) -> None:
    """Train until `on_step` says stop, or `limit` steps.

    Without lengths, or with `full`, all rows are full and every step sees the same tokens: time and memory do not depend on
    which, and a loss that falls shows that it trains. With lengths each step has the next batch of them.
    """
    batches = make_batches(setup, micro_batch, seq, full=full)
    with known_warnings(), pinned_attention(setup.plan):
        run = _run_plain if setup.plan.trainer == "plain" else _run_trainer
        run(setup, batches, on_step, limit)


def make_batches(setup: TrainingSetup, micro_batch: int, seq: int, *, full: bool = False) -> Iterator[Batch]:
    """Batches without end of so many rows: of `seq` tokens, or of the set-up's lengths, at most `seq` tokens each."""
    plan = setup.plan
    if full or not setup.lengths:
        tokens = draw_tokens(setup, micro_batch, seq)
        return full_rows(tokens.to(setup.device) if plan.trainer == "plain" else tokens)
    return drawn_rows(setup.lengths, micro_batch, seq, setup.vocab, setup.seed, packed=plan.packed,
                      flat=plan.packed and plan.attention in ("flash", "flash3"))


def pinned_attention(plan: TrainingPlan) -> AbstractContextManager[None]:
    """While it lasts, scaled_dot_product_attention takes the kernel that the plan names, or none: torch then raises."""
    backend = PINNED.get(plan.attention)
    return nullcontext() if backend is None else sdpa_kernel(backend)


def draw_tokens(setup: TrainingSetup, micro_batch: int, seq: int) -> torch.Tensor:
    """Shape (micro_batch, seq): token ids, the same for the same seed. Of several ranks each has its rows of the whole."""
    source = torch.Generator().manual_seed(setup.seed)
    rank, size = (setup.ranks.rank, setup.ranks.size) if setup.ranks is not None else (0, 1)
    return torch.randint(0, setup.vocab, (size * micro_batch, seq), generator=source)[rank * micro_batch:][:micro_batch]


class Stopwatch:
    """Seconds between `start` and `stop`: CUDA events on an idle device, else the clock."""

    def __init__(self, device: str) -> None:
        self.on_gpu = device == "cuda"
        self.began_s = 0.0
        self.events: tuple[Any, Any] | None = None

    def start(self) -> None:
        """Begin; waits for what the device still has to do."""
        if self.on_gpu:
            torch.cuda.synchronize()
            event: Any = torch.cuda.Event  # Any: torch leaves it untyped
            self.events = (event(enable_timing=True), event(enable_timing=True))
            self.events[0].record()
        self.began_s = time.perf_counter()

    def stop(self) -> float:
        """Seconds since `start`; waits until the device is done."""
        if self.events is None:
            return time.perf_counter() - self.began_s
        begin, end = self.events
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3


def _run_plain(setup: TrainingSetup, batches: Iterator[Batch], on_step: OnStep, limit: int) -> None:
    setup.optimizer = setup.optimizer or make_optimizer(setup)
    watch = Stopwatch(setup.device)
    for _ in range(limit):
        took = list(islice(batches, setup.plan.accumulation))
        watch.start()
        loss = _plain_step(setup, setup.optimizer, took)
        seconds = watch.stop()
        if not on_step(_step(seconds, float(loss.item()), took)):
            return


def _step(seconds: float, loss: float, took: Sequence[Batch]) -> Step:
    return Step(seconds, loss, sum(batch.tokens for batch in took), sum(batch.slots for batch in took))


def _plain_step(setup: TrainingSetup, optimizer: torch.optim.Optimizer, took: Iterable[Batch]) -> torch.Tensor:
    """The loss of the last micro-step of one step over these batches, which may still be under way on the device."""
    plan = setup.plan
    lowers = plan.autocast and plan.dtype != "fp32"
    loss = torch.zeros(())
    for batch in took:
        inputs = {name: tensor.to(setup.device, non_blocking=True) for name, tensor in batch.inputs.items()}
        with torch.autocast(setup.device, DTYPES[plan.dtype]) if lowers else nullcontext():
            output = setup.model(**inputs)
        loss = output.loss
        if not plan.logits_kept:
            del output
        (loss / plan.accumulation if plan.accumulation > 1 else loss).backward()
    optimizer.step()
    setup.stepped = True
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def free_step_s(setup: TrainingSetup, micro_batch: int, seq: int, steps: int) -> float:
    """Seconds of a step over so many of which none is waited for, after an untimed one: as training that logs rarely."""
    batches, watch = make_batches(setup, micro_batch, seq), Stopwatch(setup.device)
    with known_warnings(), pinned_attention(setup.plan):
        if setup.plan.trainer != "plain":
            span = _Span(watch)
            _train(setup, _Stream(batches, (steps + 1) * setup.plan.accumulation), steps + 1, span, log_every=steps + 2)
            return span.seconds / steps
        setup.optimizer = setup.optimizer or make_optimizer(setup)
        _plain_step(setup, setup.optimizer, islice(batches, setup.plan.accumulation))
        watch.start()
        for _ in range(steps):
            _plain_step(setup, setup.optimizer, islice(batches, setup.plan.accumulation))
        return watch.stop() / steps


class _Stream(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Batches one after the other, whatever number a data loader asks for; what it took is kept, without the tensors."""

    def __init__(self, batches: Iterator[Batch], size: int) -> None:
        self.batches, self.size = batches, size
        self.took: list[Batch] = []

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, _: int) -> dict[str, torch.Tensor]:
        batch = next(self.batches)
        self.took.append(batch._replace(inputs={}))
        return batch.inputs


class _Timer(transformers.TrainerCallback):  # type: ignore[misc] # Any, see stack
    """Times each step from the batch in hand to the end of the optimizer step; the loss comes with the log after it."""

    def __init__(self, setup: TrainingSetup, stream: _Stream, on_step: OnStep) -> None:
        self.watch, self.on_step, self.seconds = Stopwatch(setup.device), on_step, 0.0
        self.stream, self.each, self.done = stream, setup.plan.accumulation, 0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock: the batch is there."""
        self.watch.start()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock: the optimizer step is done."""
        self.seconds = self.watch.stop()

    def on_log(self, _args: Any, _state: Any, control: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """The loss of that step; training ends where the listener says so."""
        if logs and "loss" in logs:
            took = self.stream.took[self.done: self.done + self.each]  # the loader is one batch ahead
            self.done += self.each
            if not self.on_step(_step(self.seconds, float(logs["loss"]), took)):
                control.should_training_stop = True


class _Span(transformers.TrainerCallback):  # type: ignore[misc] # Any, see stack
    """Times all steps but the first, from the beginning of the second to the end of the training."""

    def __init__(self, watch: Stopwatch) -> None:
        self.watch, self.begun, self.seconds = watch, 0, 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock at the second step."""
        self.begun += 1
        if self.begun == 2:
            self.watch.start()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock."""
        self.seconds = self.watch.stop()


def _run_trainer(setup: TrainingSetup, batches: Iterator[Batch], on_step: OnStep, limit: int) -> None:
    """Train for at most `limit` steps, as `plan.trainer` says, and wait for each."""
    stream = _Stream(batches, limit * setup.plan.accumulation)
    _train(setup, stream, limit, _Timer(setup, stream, on_step), log_every=1)


def _train(setup: TrainingSetup, stream: _Stream, limit: int, callback: Any, log_every: int) -> None:
    """Train on batches of `stream` for at most `limit` steps under `callback`; leaves nothing on disk."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # advice about tokenizers and arguments is for people who chose them
    with ExitStack() as stack:
        stack.callback(transformers.logging.set_verbosity, level)
        stack.enter_context(patch.dict(os.environ))  # arguments of a compiled run are kept there
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        trainer = _make_trainer(setup, stream, limit, folder, log_every)
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.add_callback(callback)
        try:
            trainer.train()
        finally:
            # accelerate wraps forward (autocast, results to fp32); the next Trainer would wrap the wrapper
            trainer.accelerator.unwrap_model(trainer.model_wrapped, keep_fp32_wrapper=False, keep_torch_compile=False)
            trainer.accelerator.free_memory()


def _make_trainer(setup: TrainingSetup, stream: _Stream, limit: int, folder: str, log_every: int) -> Any:
    """transformers' Trainer or TRL's SFTTrainer; it makes its own optimizer where it has a name for the plan's."""
    plan = setup.plan
    arguments: dict[str, Any] = {
        "output_dir": folder, "per_device_train_batch_size": 1, "max_steps": limit, "logging_steps": log_every,
        "gradient_accumulation_steps": plan.accumulation,
        "logging_nan_inf_filter": False, "learning_rate": setup.learning_rate, "lr_scheduler_type": "constant",
        "optim": HF_NAMES.get(plan.optimizer, "adamw_torch"), "report_to": [], "save_strategy": "no",
        "disable_tqdm": True, "bf16": plan.autocast and plan.dtype == "bf16", "fp16": plan.autocast and plan.dtype == "fp16",
        "use_cpu": setup.device == "cpu", "seed": setup.seed, "gradient_checkpointing": False,  # prepare_training turned it on
        "dataloader_pin_memory": setup.device == "cuda", "torch_compile": setup.compiled,
    }
    make: Callable[..., Any]
    if plan.trainer == "hf":
        settings: Any = transformers.TrainingArguments(**arguments)
        rows: Any = stream
        make = partial(transformers.Trainer, data_collator=lambda batches: batches[0])  # a row of the stream is a whole batch
    else:
        try:
            datasets: Any = import_module("datasets")
            trl: Any = import_module("trl")
        except ModuleNotFoundError as error:
            raise MissingExtra("trl", error.name or "trl") from error
        tokens = stream[0]["input_ids"]
        arguments["per_device_train_batch_size"] = tokens.shape[0]
        settings = trl.SFTConfig(**arguments, max_length=tokens.shape[1], packing=False,
                                 dataset_kwargs={"skip_prepare_dataset": True})
        rows = datasets.Dataset.from_dict({"input_ids": tokens.tolist() * (limit * plan.accumulation)})
        make = partial(trl.SFTTrainer, processing_class=_tokenizer())
    if settings.n_gpu > 1:  # with several GPUs in sight the Trainer would spread each batch over them (DataParallel)
        settings._n_gpu = 1
    own = None if plan.optimizer in HF_NAMES else make_optimizer(setup)
    return make(model=setup.model, args=settings, train_dataset=rows, optimizers=(own, None))


def _tokenizer() -> Any:
    """A tokenizer that is never asked to tokenize: SFTTrainer wants its padding and end tokens."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    words = Tokenizer(WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<eos>"))  # noqa: S106 -- a token of text
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")  # noqa: S106


HF_NAMES: Final = {
    "adamw": "adamw_torch_fused", "adamw-foreach": "adamw_torch", "adamw-fused": "adamw_torch_fused",
    "adamw-8bit": "adamw_bnb_8bit", "paged-adamw": "paged_adamw_32bit", "paged-adamw-8bit": "paged_adamw_8bit",
}  # fmt: skip
"""What the HF Trainer calls them; the fused AdamW is its default. The bf16 one is handed to it."""


def make_optimizer(setup: TrainingSetup) -> torch.optim.Optimizer:
    """AdamW over the parameters that train, its states kept as the plan says."""
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW, "adamw-foreach": torch.optim.AdamW, "adamw-bf16": AdamWBf16,
        "adamw-fused": partial(torch.optim.AdamW, fused=True),
        "adamw-8bit": bnb.optim.AdamW8bit, "paged-adamw": bnb.optim.PagedAdamW, "paged-adamw-8bit": bnb.optim.PagedAdamW8bit,
    }
    if setup.plan.optimizer not in kinds:
        raise InputError(f"--optimizer: {setup.plan.optimizer!r} has no implementation here")
    return kinds[setup.plan.optimizer]([p for p in setup.model.parameters() if p.requires_grad], lr=setup.learning_rate)


class AdamWBf16(torch.optim.Optimizer):
    """AdamW whose two moments are stored in bf16 and computed in fp32: torch's own keeps the parameter's type."""

    def __init__(self, parameters: Iterable[Any], lr: float, weight_decay: float = 0.01) -> None:
        super().__init__(parameters, {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override] # no closure is used here
        """One update (arXiv 1711.05101, algorithm 2)."""
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)

    def _update(self, p: Any, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(p, dtype=torch.bfloat16)
            state["exp_avg_sq"] = torch.zeros_like(p, dtype=torch.bfloat16)
        state["step"] += 1
        first, second = group["betas"]
        gradient = p.grad.float()
        mean = state["exp_avg"].float().lerp_(gradient, 1.0 - first)
        square = state["exp_avg_sq"].float().lerp_(gradient * gradient, 1.0 - second)
        state["exp_avg"].copy_(mean)
        state["exp_avg_sq"].copy_(square)
        spread = square.div_(1.0 - second ** state["step"]).sqrt_().add_(group["eps"])
        p.mul_(1.0 - group["lr"] * group["weight_decay"])
        p.sub_((mean / spread).mul_(group["lr"] / (1.0 - math.pow(first, state["step"]))).to(p.dtype))
