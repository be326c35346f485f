"""Running out of memory on purpose: the largest micro-batch, and a model that is clean afterwards."""

import gc
from collections.abc import Callable
from typing import Final, NamedTuple

from roi.profiling.stack import torch
from roi.profiling.train.training_steps import TrainingSetup, run_steps

CEILING: Final = 4096
"""No micro-batch above this is tried."""

TRIAL_STEPS: Final = 2
"""The first step makes the optimizer's states; the second runs with them in place."""

SIGNS: Final = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "can't allocate memory", "not enough memory")
"""How errors that are no torch.OutOfMemoryError say it: cuBLAS, bitsandbytes, the CPU's allocator."""


class Largest(NamedTuple):
    """Where the search ended."""

    micro_batch: int
    """The largest that ran; 0 = not even one."""
    proved: bool
    """True where the next one failed (or the ceiling was reached); False where time ran out."""


def ran_out(error: BaseException) -> bool:
    """True where an error means that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def recover(setup: TrainingSetup) -> None:
    """Give back what a failed step left: gradients, half-made optimizer states, cached blocks.

    Call it outside the except block, where the traceback no longer holds the step's tensors.
    """
    setup.optimizer = None
    setup.model.zero_grad(set_to_none=True)
    gc.collect()
    if setup.device == "cuda":
        torch.cuda.empty_cache()


def try_size(setup: TrainingSetup, micro_batch: int, seq: int) -> bool:
    """True where two steps of this size run; afterwards the setup is as before, but for its weights."""
    done = 0

    def count(_: object) -> bool:
        nonlocal done
        done += 1
        return done < TRIAL_STEPS

    try:
        run_steps(setup, micro_batch, seq, count, TRIAL_STEPS)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    recover(setup)
    return done == TRIAL_STEPS


def largest_micro_batch(
    fits: Callable[[int], bool], known: int = 0, failed: int | None = None, hurry: Callable[[], bool] = lambda: False,
) -> Largest:
    """The largest micro-batch that `fits`: doubled from `known` (which ran) until one fails, then halved in between.

    `failed`: one that is known to fail. `hurry` is asked before each trial: True ends the search with what it has.
    """
    low, high = known, failed if failed is not None else CEILING + 1
    while high - low > 1:
        if hurry():
            return Largest(low, proved=False)
        ahead = max(2 * low, 1)
        middle = ahead if failed is None and ahead < high else (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = failed = middle
    return Largest(low, proved=True)
