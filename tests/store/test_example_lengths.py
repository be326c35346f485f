"""Lengths of examples from a file: one number a line, or the calls of a trace."""

import pytest

from roi.answers.opening import open_lengths
from roi.errors import InputError


def test_numbers_on_lines_and_calls_of_a_trace_are_lengths(tmp_path):
    """A call's example is what was sent and what came back: 100 + 20 and 7 + 3 tokens."""
    file = tmp_path / "lengths.txt"
    file.write_text("12\n\n 7 \n10000000\n")
    assert open_lengths(file, "--lengths") == (12, 7, 10_000_000)
    file.write_text("arrival_s,input_tokens,output_tokens\n0,100,20\n5,7,3\n")
    assert open_lengths(file, "--lengths") == (120, 10)


@pytest.mark.parametrize(("text", "message"), [
    ("", "is empty; one number of tokens a line, or a trace of calls"),
    ("12\n-3\n", "line 2: '-3' is no number of tokens; whole, from 1"),
    ("0\n", "line 1: '0' is no number"), ("12\n10000001\n", "line 2: '10000001'"), ("5\n1.5\n", "line 2: '1.5'"),
    ("5\n" + "9" * 5000, "is no number of tokens"), ("5\n٣\n", "is no number of tokens"),
    ("tokens\n5\n", "line 1: 'tokens' is no number of tokens; .*or give a trace: CSV with arrival_s"),
    ("tokens,n\n5,1\n", "--lengths: .*has no column arrival_s"),
])
def test_what_is_no_length_is_named_with_its_line(tmp_path, text, message):
    file = tmp_path / "lengths.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        open_lengths(file, "--lengths")
