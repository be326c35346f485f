"""The first step of a size, watched module by module: it ends where the budget does, and says how long a whole one takes."""

import time
from collections.abc import Callable
from typing import Any

from roi.errors import RoiError
from roi.profiling.stack import torch
from roi.profiling.train.training_loop import Rig


class StepTooLong(RoiError):
    """The budget ended inside a step."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        """What the whole step would have taken, by the modules that were done."""
        super().__init__("the budget ended inside a step")


def computing_leaves(model: Any) -> list[Any]:  # Any: transformers' classes are chosen at run time
    """The modules without parts that compute something: no empty containers, such as peft keeps beside its factors."""
    nothing = torch.nn.Module.forward
    return [m for m in model.modules() if not any(True for _ in m.children()) and type(m).forward is not nothing]


class FirstStep:
    """Looks at the clock whenever a module is done, forwards, recomputed or backwards, until it is told that the step is over.

    Its hooks cost a microsecond or two each and see the first step alone, which is warm-up and never counted. A product that
    is under way is not broken off: the step ends when it is done.
    """

    def __init__(self, rig: Rig, left_s: Callable[[], float]) -> None:
        self.left_s = left_s
        modules = computing_leaves(rig.model)
        # each runs forwards once and backwards once, and with checkpointing forwards once more
        self.whole = len(modules) * (3 if rig.plan.checkpointing else 2)
        self.done = 0
        self.began_s = time.monotonic()
        self._hooks = [module.register_forward_hook(self._forwards) for module in modules]

    def over(self) -> None:
        """The step is done: watch no further."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _forwards(self, _module: Any, _inputs: Any, output: Any) -> None:  # Any: what torch hands to hooks
        if isinstance(output, torch.Tensor) and output.requires_grad:
            output.register_hook(self._look)
        self._look()

    def _look(self, *_: Any) -> None:
        if not self._hooks:
            return
        self.done += 1
        if self.left_s() <= 0.0:
            spent_s = time.monotonic() - self.began_s
            self.over()
            raise StepTooLong(max(spent_s * self.whole / self.done, spent_s))
