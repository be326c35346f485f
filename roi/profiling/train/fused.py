"""Kernels in place of a class's own operators: Liger's, which Triton builds on a GPU, and what torch.compile builds."""

import os
import shutil
from importlib import import_module
from typing import Any, Final

from roi.errors import InputError, MissingExtra, nearest_told
from roi.profiling.stack import torch

LIGER: Final = "liger_kernel.transformers.monkey_patch"
"""Where Liger keeps its functions by model_type, and the one that puts its kernels into a model (transformers calls it too)."""


def check_liger(kind: str) -> None:
    """Raise where Liger is not installed, or has no kernels for this model_type: it would do nothing, and say so nowhere."""
    known = list(_liger().MODEL_TYPE_TO_APPLY_LIGER_FN)
    if kind not in known:
        raise InputError(f"--kernels liger: Liger has no kernels for model_type {kind!r}; take none{nearest_told(kind, known)}")


def apply_liger(model: Any) -> None:  # Any: transformers' classes are chosen at run time
    """Put Liger's kernels into the model: norms, gated products, rotary embedding, and head with loss in chunks."""
    _liger()._apply_liger_kernel_to_instance(model=model)


def _liger() -> Any:  # Any: untyped
    try:
        return import_module(LIGER)
    except ImportError as error:
        raise MissingExtra("liger", error.name or "liger-kernel") from error


def no_compiler() -> str:
    """Why torch.compile cannot build for this CPU; empty where it can."""
    names: list[Any] = [os.environ.get("CXX"), *torch._inductor.config.cpp.cxx]  # Any: torch's has None for the one it seeks
    if any(name and shutil.which(name) for name in names):
        return ""
    return "there is no C++ compiler here; install g++, or name one in CXX"
