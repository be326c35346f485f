"""The optimizer of a plan, as a plain loop holds it."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from roi.errors import InputError
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import torch

HF_NAMES = {"adamw": "adamw_torch_fused", "adamw-8bit": "adamw_bnb_8bit", "paged-adamw-8bit": "paged_adamw_8bit"}
"""What the HF Trainer calls them; the fused AdamW is its default. The bf16 one is handed to it."""


def make_optimizer(parameters: Iterable[Any], plan: TrainingPlan, learning_rate: float) -> torch.optim.Optimizer:
    """AdamW over the parameters, its states kept as the plan says."""
    held = list(parameters)
    match plan.optimizer:
        case "adamw":
            return torch.optim.AdamW(held, lr=learning_rate)
        case "adamw-bf16":
            return AdamWBf16(held, lr=learning_rate)
        case "adamw-8bit":
            made: torch.optim.Optimizer = bnb.optim.AdamW8bit(held, lr=learning_rate)
            return made
        case "paged-adamw-8bit":
            paged: torch.optim.Optimizer = bnb.optim.PagedAdamW8bit(held, lr=learning_rate)
            return paged
    raise InputError(f"--optimizer: {plan.optimizer!r} has no implementation here")


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
