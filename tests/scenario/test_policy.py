"""A policy is told apart from the other files of the house, which are named with the command that reads them."""

from pathlib import Path

import pytest

from roi.errors import InputError
from roi.scenario.policy import load_policy

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(("name", "said"), [
    ("part.yaml", "a part of a scenario and no policy: roi compare SCENARIO --usage {path}; `roi schema --of policy` says"),
    ("quality.yaml", "a part of a scenario and no policy: roi compare SCENARIO --quality {path}; `roi schema"),
    ("tickets.yaml", "a scenario and no policy: roi check {path}; `roi schema --of policy` says"),
])
def test_another_file_of_the_house_is_named(name: str, said: str) -> None:
    path = EXAMPLES / name
    with pytest.raises(InputError) as raised:
        load_policy(path)
    assert str(raised.value).startswith(f"{path}: {said.format(path=path)}")


def test_a_policy_that_stands_before_the_scenario_is_said_to_come_last() -> None:
    scenario, policy = EXAMPLES / "tickets.yaml", EXAMPLES / "policy.yaml"
    with pytest.raises(InputError) as raised:
        load_policy(scenario, policy)
    assert str(raised.value) == f"{scenario}: a scenario and no policy, which comes last: roi check {scenario} {policy}"


def test_a_saved_comparison_is_named(tmp_path: Path) -> None:
    path = tmp_path / "decision.json"
    path.write_text('{"schema": "roi.comparison/3", "case": {}}')
    with pytest.raises(InputError, match="a saved comparison and no policy: roi check SCENARIO POLICY --saved"):
        load_policy(path)


def test_a_policy_with_a_wrong_field_is_a_policy_still(tmp_path: Path) -> None:
    assert load_policy(EXAMPLES / "policy.yaml").monthly_cash_usd is not None
    path = tmp_path / "policy.yaml"
    path.write_text("monthly_cash: {at_most: 3}\n")
    with pytest.raises(InputError, match=r"monthly_cash: unknown key; nearest: monthly_cash_usd"):
        load_policy(path)
