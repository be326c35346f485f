"""What two runs on one card have different is said, each thing by itself."""

import pytest

from roi.facts.environment import Environment
from roi.report.profiles.shared_remarks import changed_since

BEFORE = Environment(
    device="cuda", driver="580.1", cuda="12.8", cudnn="91400", attention="flash", tf32=False, mig=False, ecc=True,
    power_limit_w=700.0, sm_clock_hz=1e9, load_average=(1.0, 1.0, 1.0), versions={"torch": "2.11.0", "roi": "1"},
)


@pytest.mark.parametrize(("field", "value", "said"), [
    ("driver", "590.2", "driver 580.1 -> 590.2"), ("cuda", "13.0", "cuda 12.8 -> 13.0"),
    ("cudnn", "91800", "cudnn 91400 -> 91800"), ("attention", "cudnn", "attention flash -> cudnn"),
    ("allocator", "expandable_segments:True", "allocator not known -> expandable_segments:True"),
    ("tf32", True, "tf32 False -> True"), ("mig", True, "mig False -> True"), ("ecc", False, "ecc True -> False"),
    ("power_limit_w", 400.0, "power limit 700.0 -> 400.0"),
    ("slowed", ("power limit", "temperature"), "slowed none -> power limit and temperature"),
    ("versions", {"torch": "2.13.0", "roi": "2"}, "torch 2.11.0 -> 2.13.0"),
])
def test_each_setting_of_a_card_that_differs_is_said(field, value, said):
    assert changed_since(BEFORE.model_copy(update={field: value}), BEFORE) == [said]


def test_load_and_clocks_are_of_the_run_and_left_out():
    assert changed_since(BEFORE.model_copy(update={"sm_clock_hz": 2e9, "load_average": (9.0, 9.0, 9.0)}), BEFORE) == []
