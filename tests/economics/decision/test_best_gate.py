"""What a gate that nobody measured could be worth at most: by hand."""

import pytest
from gated_cascade import gate

CASCADE = "cascade:openai/gpt-6-luna"


def test_the_best_gate_hands_on_first_what_the_first_model_gets_wrong() -> None:
    """The 14% that are wrong are among the 20% handed on: 0.2 x 0.06 = 1.2% are wrong in the
    end. Cash 0.0055 - 0.000275 - 0.2 x 0.0055 = $0.004125, errors (0.06 - 0.012) x 0.05 = $0.0024 a request: $158,775 in all.
    A share of 0.1 leaves 4% of the first's and 0.6% of the second's. Were a quarter of what is handed on measured wrong, 5%.
    """
    best = gate(0).best_gate(CASCADE)
    assert best is not None
    assert best.error_rate == pytest.approx(0.012)
    assert best.npv_usd == pytest.approx(10 * 2_433_333.333 * 0.006525, abs=1.0)
    tenth = gate(0, escalated={"gpt-6-luna": 0.1}).best_gate(CASCADE)
    assert tenth is not None
    assert tenth.error_rate == pytest.approx(0.046)
    harder = gate(0, escalated_error_rate={"gpt-6-luna": 0.25}).best_gate(CASCADE)
    assert harder is not None
    assert harder.error_rate == pytest.approx(0.05)


def test_a_gate_that_was_measured_has_no_other_at_best() -> None:
    measured = gate(0, kept_error_rate={"gpt-6-luna": 0.14}, escalated_error_rate={"gpt-6-luna": 0.06})
    assert measured.best_gate(CASCADE) is None
    assert measured.best_gate("stay") is None
