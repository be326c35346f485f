"""The packages of the extra `profile`, imported in one place: one sentence where one is missing, known noise kept out."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from roi.errors import MissingExtra
from roi.profiling.board import look_before_torch
from roi.profiling.imports import (
    compiled_when_called,
    hidden,
    methods_when_called,
    places_at_hand,
    read_from_names,
    read_once,
    uncollected,
)


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


if "torch" not in sys.modules:
    look_before_torch()

try:
    with uncollected(stays=True), methods_when_called(), places_at_hand():
        import torch

    # On CPUs with AVX512-BF16 bitsandbytes asks at every import for an optional kernel, and is told that nothing is downloaded;
    # it has its own.
    # Of scipy transformers wants the assignment problem, for the loss of object detection, which no plan trains.
    with (
        uncollected(stays=True), hidden("scipy"), methods_when_called(), places_at_hand(), read_from_names(),
        compiled_when_called(torch),
        _without("bitsandbytes.backends.cpu.ops", "Failed to load CPU gemm_4bit_forward"),
        _without("kernels._internals.hf_hub", "Skipping publisher trust check"),
    ):
        transformers: Any = import_module("transformers")  # Any, here and below: types are partial and change by release
        with read_once(transformers):
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
    levels = {logger: logger.level for logger in loggers if logger.level != logging.ERROR}
    for logger in levels:  # a level set anew makes every logger forget what it is to say
        logger.setLevel(logging.ERROR)
    bars = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # they move the cursor of what may be a file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()
