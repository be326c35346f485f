"""A template with other values keeps its comments."""

from roi.scenario import TEMPLATES
from roi.scenario.template import renamed, template, written_over
from roi.scenario.yaml import parse_yaml

TEXT = """\
# about
title: x                       # words
workload:
  requests_per_day: 100        # requests
  # can_wait_share: 0.5        # share
quality:
  scores:                      # shares
    gpt-6-sol: 0.9             # of today's
bar: 1
"""


def test_a_value_takes_the_place_of_another_and_the_comment_stays():
    text = written_over(TEXT, {("workload", "requests_per_day"): 60000})
    assert "  requests_per_day: 60000      # requests\n" in text
    assert text.count("\n") == TEXT.count("\n")


def test_a_field_that_is_only_shown_is_switched_on():
    assert "\n  can_wait_share: 0.2          # share\n" in written_over(TEXT, {("workload", "can_wait_share"): 0.2})


def test_a_field_that_is_missing_is_added_to_its_block_with_unit_and_meaning():
    text = written_over(TEXT, {("workload", "peak_to_mean"): {"value": 3, "low": 2, "high": 4}}, title="Measured.")
    assert "\n  peak_to_mean: {value: 3, low: 2, high: 4}  # ratio: Busiest minute over the mean" in text
    assert parse_yaml(text, "x")["workload"]["peak_to_mean"]["high"] == 4
    assert text.startswith("# about\n# Measured.\n")


def test_a_field_is_left_out_and_a_key_renamed():
    text = renamed(written_over(TEXT, {}, [("title",)]), ("quality", "scores", "gpt-6-sol"), "v:1 no")
    assert parse_yaml(text, "x") == {"workload": {"requests_per_day": 100}, "quality": {"scores": {"v:1 no": 0.9}}, "bar": 1}
    assert text.endswith("# of today's\nbar: 1\n")


def test_every_template_has_at_most_40_lines_and_a_comment_beside_each_field():
    for name in TEMPLATES:
        lines = template(name).splitlines()
        assert len(lines) <= 40, name
        assert max(map(len, lines)) <= 128, name
        fields = [line for line in lines if line.startswith("  ") and "[" not in line]
        assert [line for line in fields if "# " not in line] == [], name
