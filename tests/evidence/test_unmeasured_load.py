"""The command that measures a load which a profile's plan was not measured with."""

from dataclasses import replace

from click.testing import CliRunner

from roi.cli import main
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.unmeasured_load import UnmeasuredLoad, profile_command


def test_the_command_asks_for_as_many_in_flight_and_for_prompts_of_two_lengths():
    """55.3 in flight are 56 at most, whose root is 7.48; 300 of 900 tokens that are found are sent too; an
    eighth of 900 is 112. Answers of 199.4 tokens are 200."""
    told = profile_command("L40S", 2, "fp8", RequestShape(600.0, 199.4, cached_tokens=300.0), 55.3)
    assert told == ("roi profile serve URL --gpu L40S --gpus 2 --weight-dtype fp8 --concurrency 1,7,56 --input-tokens 112,900"
                    " --output-tokens 200")  # fmt: skip


def test_the_least_load_has_a_range_in_flight_over_which_a_step_tells_its_sequences():
    told = profile_command("L40S", 1, "bf16", RequestShape(1.0, 1.0), 0.4)
    assert told.endswith("URL --gpu L40S --weight-dtype bf16 --concurrency 1,2,4 --input-tokens 1 --output-tokens 1")


def test_what_is_beyond_a_profile_is_told_and_a_tenth_of_the_tokens_is_not():
    """Prompts lie up to a tenth from what a profile asks for, so that 1,100 of 1,000 tokens are no more than it can have."""
    load = UnmeasuredLoad(in_flight=30.0, in_flight_measured=32.0, tokens=1100.0, tokens_measured=1000.0, low=0.5, high=2.0,
                          command="")
    assert (load.figures, load.told) == ({}, "")
    longer, more = replace(load, tokens=1101.0), replace(load, in_flight=33.0)
    assert (longer.figures, longer.told) == (
        {"tokens": 1101.0, "tokens_measured": 1000.0}, "; requests of 1,101 tokens, measured to 1,000")
    assert more.figures == {"in_flight": 33.0, "in_flight_measured": 32.0}
    assert more.told.endswith("33 in flight, measured to 32: beyond, the step is drawn out, and what a replica holds may be"
                              " 0.50 to 2.00 times as much")


def test_the_options_are_those_of_the_command():
    shown = CliRunner().invoke(main, ["profile", "serve", "--help"]).output
    words = profile_command("L40S", 2, "fp8", RequestShape(900.0, 200.0), 56.0).split()
    assert [word for word in words if word.startswith("--") and word not in shown] == []
