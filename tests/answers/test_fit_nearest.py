"""The plan that `roi fit` names where the one that is asked for does not fit: the nearest, not one far smaller."""

import json

import pytest
from click.testing import CliRunner

from roi.cli import main

EIGHT = ("llama-3.1-8b", "--gpu", "RTX-4090", "--method", "qlora")


@pytest.fixture(autouse=True)
def _no_profiles(tmp_path, monkeypatch):
    """The nearest plan is searched in closed form: shipped dry runs are left aside."""
    monkeypatch.setattr("roi.answers.fit.profile_folders", lambda given=(): ())
    monkeypatch.chdir(tmp_path)


def fit(*words):
    result = CliRunner().invoke(main, ["fit", *words, "--as-of", "2026-11-24", "--format", "json"])
    assert result.exit_code == 0, result.output
    (line,) = json.loads(result.stdout)["gpus"]
    return line


@pytest.mark.parametrize("asked", ["4", "16", "100"])
def test_the_largest_micro_batch_that_fits_is_named_and_not_the_smallest(asked):
    """Two of 2,048 tokens fit, with what 95 of 100 runs take; three fit only as torch gives its cache back."""
    got, named, more = (fit(*EIGHT, "--micro-batch", n) for n in (asked, "2", "3"))
    assert (got["fits"], got["nearest"], got["nearest_tight"]) == (False, "micro-batch 2", False)
    assert (named["tight"], named["peak_bytes"]) == (False, got["nearest_bytes"])
    assert more["squeezed"]


def test_the_longest_sequence_that_fits_is_named_and_not_a_half_or_a_quarter():
    """16,384 tokens do not fit and 8,192 do: named is a multiple of 128 between, and 128 more are tight or do not fit."""
    words = ("starcoder2-7b", *EIGHT[1:])
    got = fit(*words, "--seq", "16384")
    name, tokens = got["nearest"].removesuffix(" tokens").rsplit(maxsplit=1)
    longest = int(tokens.replace(",", ""))
    assert (name, longest % 128) == ("QLoRA, micro-batch 1,", 0)
    assert 8192 < longest < 16384
    named, more = (fit(*words, "--seq", str(n)) for n in (longest, longest + 128))
    assert (named["fits"], named["tight"], named["peak_bytes"]) == (True, False, got["nearest_bytes"])
    assert more["tight"] or not more["fits"]


def test_kernels_that_never_make_all_logits_come_before_fewer_tokens_where_liger_has_some():
    got, named = fit(*EIGHT, "--seq", "12288"), fit(*EIGHT, "--seq", "12288", "--kernels", "liger")
    assert (got["fits"], got["binds"], got["nearest"]) == (False, "logits", "kernels liger")
    assert (named["fits"], named["peak_bytes"]) == (True, got["nearest_bytes"])


def test_liger_is_refused_for_a_model_that_it_has_no_kernels_for():
    """transformers would train with the class's own and say so in its log alone: less memory was told than it takes."""
    result = CliRunner().invoke(main, ["fit", "falcon-7b", "--kernels", "liger"])
    assert (result.exit_code, result.stderr) == (
        2, "roi: --kernels: liger changes nothing of falcon-7b: Liger 0.8 has no kernels for falcon; take none\n")


def test_where_weights_of_all_gpus_together_are_too_little_the_host_s_memory_is_named():
    words = ("llama-3.1-70b", *EIGHT[1:], "--gpus", "2", "--sharding", "fsdp", "--seq", "512")
    got, named = fit(*words), fit(*words, "--offload")
    assert (got["fits"], got["nearest"]) == (False, "offload to the host's memory")
    assert (named["fits"], named["peak_bytes"]) == (True, got["nearest_bytes"])
