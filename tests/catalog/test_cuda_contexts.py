"""The CUDA context of each card: what observations say of it, and how well one card is predicted from the others."""

import numpy as np
import pytest

from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.catalog.efficiencies.cuda_contexts import ContextRow, context_rows, cuda_context, fit_context
from roi.estimate.fitting.overhead import Overhead
from roi.facts.fact import Basis
from roi.units import GIB

KIB, MIB = 2**10, 2**20


def test_an_observation_is_the_process_less_what_torch_reserved():
    """1.50 GiB in use, 1.00 GiB allocated, 100 MiB cached: 412 MiB, or 412 KiB for each of 1,024 threads."""
    row = ContextRow(gpu="X", sms=1, threads_per_sm=1024, process_gib=1.5, allocated_gib=1.0, unallocated_mib=100.0)
    assert row.context_bytes == 412 * MIB
    assert fit_context((row,)) == (412 * KIB, 412 * KIB, 412 * KIB, 1)


def test_many_observations_of_one_card_count_once():
    """Three of 1 KiB a thread on one card, one of 3 KiB on another: the median of the cards is 2 KiB."""
    def row(gpu, mib):
        return ContextRow(gpu=gpu, sms=1, threads_per_sm=1024, process_gib=1.5, allocated_gib=1.0, unallocated_mib=512.0 - mib)
    assert fit_context((row("A", 1.0), row("A", 1.0), row("A", 1.0), row("B", 3.0)))[0] == 2 * KIB


def test_a_card_never_seen_is_predicted_from_the_others():
    """Leave one card out, 15 times: the median card is within 10%, the worst (T4) within 50%, and a constant does worse."""
    rows = context_rows()
    seen = {row.gpu for row in rows if row.context_bytes is not None}
    errors, constant = [], []
    for name in sorted(seen):
        own = [row.context_bytes for row in rows if row.gpu == name and row.context_bytes is not None]
        others = tuple(row for row in rows if row.gpu != name)
        threads = next(row.threads for row in rows if row.gpu == name)
        errors.append(abs(np.median(own) / (fit_context(others)[0] * threads) - 1))
        constant.append(abs(np.median(own) / np.median([row.context_bytes for row in others if row.context_bytes]) - 1))
    assert len(seen) == 15
    assert np.median(errors) < 0.10
    assert max(errors) < 0.50
    assert np.median(constant) > 2 * np.median(errors)


def test_the_context_of_each_nvidia_card_is_calibrated_and_of_the_others_assumed():
    for gpu in load_gpus():
        context = cuda_context(gpu)
        assert context.basis is (Basis.ASSUMED if gpu.amd else Basis.CALIBRATED), gpu.id
        low, high = context.spread()
        assert 0.02 * GIB < low < context.number() < high < 1.1 * GIB  # the least: the 10 multiprocessors of an A2
        assert Overhead((0.0, 0.0, 0.0), (context.number(), low, high)).context_bytes[0] > 0


def test_the_context_grows_with_the_threads_that_the_card_can_hold():
    """H100: 132 x 2,048 threads, L4: 58 x 1,536: 3.03 times as many."""
    ratio = cuda_context(find_gpu("H100-80GB-SXM")).number() / cuda_context(find_gpu("L4")).number()
    assert ratio == pytest.approx(132 * 2048 / (58 * 1536))


def test_every_row_names_a_gpu_of_the_catalog_and_every_observation_its_source():
    rows = context_rows()
    known = {gpu.id for gpu in load_gpus()}
    assert {row.gpu for row in rows} <= known
    for row in rows:
        assert (row.context_bytes is None) == (row.date is None) == (not row.source)
        assert row.threads == next(other.threads for other in rows if other.gpu == row.gpu)
