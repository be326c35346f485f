"""How many experts the tokens of a step pass through, against drawn routers."""

import numpy as np
import pytest

from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.routing import UNEVEN, Routing


def left_alone(share: float, tokens: float) -> float:
    rate, power = Routing.of(share)
    return float((1.0 + rate * tokens) ** -power)


@pytest.mark.parametrize(("experts", "chosen"), [(8, 2), (128, 4), (128, 8), (256, 8)])
def test_so_many_experts_are_left_alone_by_drawn_routers(experts: int, chosen: int) -> None:
    """Experts as uneven as UNEVEN, each token with the `chosen` of the largest popularity times its own taste (Gumbel)."""
    random = np.random.default_rng(0)
    for tokens in (1, 4, 16, 64):
        alone = []
        for _ in range(200):
            popular = random.gamma(UNEVEN**-2.0, size=experts)
            taste = np.log(popular) + random.gumbel(size=(tokens, experts))
            read = np.argpartition(-taste, chosen - 1, axis=1)[:, :chosen]
            alone.append(1.0 - np.unique(read).size / experts)
        assert left_alone(chosen / experts, tokens) == pytest.approx(np.mean(alone), abs=0.03)


def test_limits_of_routing() -> None:
    assert left_alone(0.0, 1e6) == 1.0
    assert left_alone(1.0, 1.0) == pytest.approx(0.0, abs=1e-9)
    assert left_alone(0.25, 0.0) == 1.0
    assert left_alone(0.25, 1.0) == pytest.approx(0.75)
    assert left_alone(0.25, 9.0) > 0.75**9
    assert Iteration(1.0, 0.0, 0.0, 0.0, expert_share=0.25).touched(1.0) == pytest.approx(0.25)
