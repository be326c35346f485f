"""The worth of knowing a fact in one pass over the draws, against nested Monte Carlo."""

import pytest
from nested_worth import QUESTIONS, case_of, nested, one_pass


@pytest.mark.full
@pytest.mark.parametrize("name", list(QUESTIONS))
def test_one_pass_over_the_draws_is_the_nested_average_within_its_error(name: str) -> None:
    """200 values of the fact x 500 draws of all others; `lab/nested_worth.py` does it with 2,000 x 2,000."""
    question = QUESTIONS[name]
    case = case_of(question)
    found, _ = one_pass(case, question.path, question.untested)
    slow, error = nested(case, question.path, question.untested, 200, 500)
    assert slow > 0
    assert found == pytest.approx(slow, abs=error)
