"""The same steps through transformers' Trainer and TRL's SFTTrainer, timed by a callback."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from roi.errors import MissingExtra
from roi.profiling.stack import torch, transformers
from roi.profiling.train.adamw import HF_NAMES, make_optimizer
from roi.profiling.train.training_loop import OnStep, Rig, Step, Stopwatch


class _Timer(transformers.TrainerCallback):  # type: ignore[misc] # Any, see stack
    """Times each step from the batch in hand to the end of the optimizer step; the loss comes with the log after it."""

    def __init__(self, device: str, on_step: OnStep) -> None:
        self.watch, self.on_step, self.seconds = Stopwatch(device), on_step, 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """The batch is there."""
        self.watch.start()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """The optimizer step is done."""
        self.seconds = self.watch.stop()

    def on_log(self, _args: Any, _state: Any, control: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        """The loss of that step; training ends where the listener says so."""
        if logs and "loss" in logs and not self.on_step(Step(self.seconds, float(logs["loss"]))):
            control.should_training_stop = True


def run_trainer(rig: Rig, tokens: torch.Tensor, on_step: OnStep, limit: int) -> None:
    """Train on rows of `tokens` for at most `limit` steps, as `plan.trainer` says; leaves nothing on disk."""
    make = {"hf": _hf, "trl": _trl}[rig.plan.trainer]
    with tempfile.TemporaryDirectory() as folder, _errors_alone():
        trainer = make(rig, tokens, limit, _arguments(rig, tokens.shape[0], limit, folder))
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.add_callback(_Timer(rig.device, on_step))
        try:
            trainer.train()
        finally:
            # accelerate wraps forward (autocast, results to fp32); the next Trainer would wrap the wrapper
            trainer.accelerator.unwrap_model(trainer.model_wrapped, keep_fp32_wrapper=False)
            trainer.accelerator.free_memory()


@contextmanager
def _errors_alone() -> Iterator[None]:
    """transformers' advice about tokenizers and arguments is for people who chose them."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)


def _arguments(rig: Rig, micro_batch: int, limit: int, folder: str) -> dict[str, Any]:
    lowers = rig.plan.autocast
    return {
        "output_dir": folder, "per_device_train_batch_size": micro_batch, "max_steps": limit, "logging_steps": 1,
        "logging_nan_inf_filter": False, "learning_rate": rig.learning_rate, "lr_scheduler_type": "constant",
        "optim": HF_NAMES.get(rig.plan.optimizer, "adamw_torch"), "report_to": [], "save_strategy": "no", "disable_tqdm": True,
        "bf16": lowers and rig.plan.dtype == "bf16", "fp16": lowers and rig.plan.dtype == "fp16",
        "use_cpu": rig.device == "cpu", "seed": rig.seed, "gradient_checkpointing": False,  # prepare_training turned it on
        "dataloader_pin_memory": rig.device == "cuda",
    }


def _one_device(arguments: Any) -> Any:
    """The arguments for one GPU: with several in sight the Trainer would spread each batch over them (DataParallel)."""
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments


def _own_optimizer(rig: Rig) -> tuple[Any, None]:
    """(optimizer, no schedule) where the Trainer has no name for the plan's; else it makes its own."""
    if rig.plan.optimizer in HF_NAMES:
        return None, None
    return make_optimizer((p for p in rig.model.parameters() if p.requires_grad), rig.plan, rig.learning_rate), None


def _hf(rig: Rig, tokens: torch.Tensor, limit: int, arguments: dict[str, Any]) -> Any:
    rows = [{"input_ids": row, "labels": row} for row in tokens] * limit
    return transformers.Trainer(
        model=rig.model, args=_one_device(transformers.TrainingArguments(**arguments)), train_dataset=rows,
        optimizers=_own_optimizer(rig),
        data_collator=lambda batch: {name: torch.stack([row[name] for row in batch]) for name in ("input_ids", "labels")},
    )


def _trl(rig: Rig, tokens: torch.Tensor, limit: int, arguments: dict[str, Any]) -> Any:
    try:
        datasets: Any = import_module("datasets")
        trl: Any = import_module("trl")
    except ModuleNotFoundError as error:
        raise MissingExtra("trl", error.name or "trl") from error
    rows = datasets.Dataset.from_dict({"input_ids": tokens.tolist() * limit})
    settings = trl.SFTConfig(
        **arguments, max_length=tokens.shape[1], packing=False, dataset_kwargs={"skip_prepare_dataset": True},
    )
    return trl.SFTTrainer(
        model=rig.model, args=_one_device(settings), train_dataset=rows, processing_class=_tokenizer(),
        optimizers=_own_optimizer(rig),
    )


def _tokenizer() -> Any:
    """A tokenizer that is never asked to tokenize: SFTTrainer wants its padding and end tokens."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    words = Tokenizer(WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<eos>"))  # noqa: S106 -- a token of text
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")  # noqa: S106
