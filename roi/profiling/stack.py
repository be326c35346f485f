"""The packages of the extra `profile`, imported in one place: one sentence where one is missing, known noise kept out."""

import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from roi.errors import MissingExtra
from roi.profiling.board import look_before_torch


@contextmanager
def _without(logger: str, message: str) -> Iterator[None]:
    """The logger says everything but messages that begin so."""
    def keep(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(message)

    logging.getLogger(logger).addFilter(keep)
    try:
        yield
    finally:
        logging.getLogger(logger).removeFilter(keep)


os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1")}
"""Before the imports, which read it: TRL tells its makers of every Trainer, and nothing here is to be downloaded."""


@contextmanager
def _compiled_when_called() -> Iterator[None]:
    """Functions under torch.compile are compiled at their first call.

    bitsandbytes decorates four that stand in for its kernels where there is no CUDA; importing the compiler for them takes a
    fifth of the whole stack's time.
    """
    compiler = torch.compile

    def decorate(function: Any = None, **settings: Any) -> Any:  # Any: a decorator, with and without arguments
        if function is None:
            return partial(decorate, **settings)
        made: list[Any] = []

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not made:
                made.append(compiler(function, **settings))
            return made[0](*args, **kwargs)

        return call

    with patch.object(torch, "compile", decorate):
        yield


@contextmanager
def uncollected(*, stays: bool = False) -> Iterator[None]:
    """Python does not look for cycles: a fifth of an import's time would go into searching what stays anyway.

    What `stays` until the end is never searched: the first search after it would take half a second, and so would later ones.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if stays:
            gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """The package cannot be imported (None among `sys.modules`, as the import system has it).

    Unless it is loaded already, or transformers, which has then seen that it is there.
    """
    if {package, "transformers"} & sys.modules.keys():
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


@contextmanager
def _read_once() -> Iterator[None]:
    """What transformers read in the files of its models at its import is not read again when the first model is asked for."""
    reader = transformers.utils.import_utils
    read = reader.create_import_structure_from_path
    folder = Path(transformers.__file__).parent / "models"

    def remembered(path: Any) -> Any:  # Any: theirs
        return read(folder if path == str(folder / "__init__.py") else path)  # it keeps what it read, by the path asked for

    with patch.object(reader, "create_import_structure_from_path", remembered):
        yield


if "torch" not in sys.modules:
    look_before_torch()

try:
    with uncollected(stays=True):
        import torch

    # On CPUs with AVX512-BF16 bitsandbytes says at every import that an optional kernel was not downloaded; it has its own.
    # Of scipy transformers wants the assignment problem, for the loss of object detection, which no plan trains.
    with (
        uncollected(stays=True), _hidden("scipy"), _compiled_when_called(),
        _without("bitsandbytes.backends.cpu.ops", "Failed to load CPU gemm_4bit_forward"),
    ):
        transformers: Any = import_module("transformers")  # Any, here and below: types are partial and change by release
        with _read_once():
            bitsandbytes: Any = import_module("bitsandbytes")
            peft: Any = import_module("peft")
except ModuleNotFoundError as error:
    raise MissingExtra("profile", error.name or "torch") from error

__all__ = ["bitsandbytes", "known_warnings", "peft", "quiet", "torch", "transformers", "uncollected"]


@contextmanager
def known_warnings() -> Iterator[None]:
    """Silence about three things that no user can change.

    peft and trl call transformers' gradient checkpointing by its old name. peft gives fused experts their rank by patterns
    of its own, then warns that no linear layer matched these. bitsandbytes says at every call of every int8 layer that
    it computes in fp16.
    """
    with warnings.catch_warnings(), _without("bitsandbytes.autograd._functions", "MatMul8bitLt: inputs will be cast"):
        warnings.filterwarnings("ignore", r"`(is_)?gradient_checkpointing\w*` is deprecated", FutureWarning)
        warnings.filterwarnings("ignore", r"The following (rank|alpha)_pattern keys did not match", RuntimeWarning)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the advice that transformers, peft and bitsandbytes give to people who load real weights."""
    loggers = [logging.getLogger(name) for name in ("transformers", "peft", "bitsandbytes")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    bars = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # they move the cursor of what may be a file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()
