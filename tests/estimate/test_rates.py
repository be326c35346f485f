"""Rates of a device: hand-made profiles with numbers that divide in the head, and the datasheet's limits."""

from datetime import UTC, datetime
from itertools import product as all_of

import numpy as np
import pytest
from datasheet_device import CACHE_SPEED, datasheet_rates
from hypothesis import given, settings
from hypothesis import strategies as st
from long_tables import every_row

from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.errors import InputError
from roi.estimate.step.rates import ATTENTION_SHARE, Corrections, device_rates
from roi.estimate.step.roofline import operator_seconds
from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, OperatorGroup, Rate

A100 = find_gpu("A100-80GB-SXM")


def rate(regime, name, dtype, shape, work, *seconds):
    unit = {"matrix": "FLOP", "attention": "FLOP", "launch": "launch"}.get(regime, "byte")
    return Rate(regime=regime, name=name, dtype=dtype, shape=shape, work=work, unit=unit, seconds=seconds)


def product(m, n, k, seconds, dtype="bf16", batch=None):
    shape = (m, n, k) if batch is None else (batch, m, n, k)
    return rate("matrix", "mm", dtype, shape, 2.0 * (batch or 1) * m * n * k, seconds)


def profile(*rates, device="cpu"):
    return DeviceProfile(started=datetime(2026, 11, 25, tzinfo=UTC), environment=Environment(device=device, versions={}),
                         rates=rates)


COPIES = (rate("copy", "copy", "fp32", (250,), 1000.0, 1e-9), rate("copy", "copy", "fp32", (250_000,), 1e6, 1e-5))
"""1000 bytes in 1 ns: 1e12 bytes/s in the cache. 1e6 bytes in 10 us: 1e11 bytes/s beyond it."""

PLAIN = (*COPIES, product(1000, 1000, 1000, 2e-3))
"""2e9 FLOP in 2 ms: 1e12 FLOP/s."""


def test_a_product_of_a_measured_shape_takes_the_measured_time():
    """2 x 1000^3 FLOP at 1e12 FLOP/s = 2 ms; a hundredth of the rows took 1 ms instead of 0.02 ms, and is told so."""
    rates = device_rates(profile(*PLAIN, product(10, 1000, 1000, 1e-3)))
    assert rates.matrix_s(1000, 1000, 1000, "bf16") == pytest.approx(2e-3)
    assert rates.matrix_s(10, 1000, 1000, "bf16") == pytest.approx(1e-3, rel=1e-6)
    assert rates.matrix_flops_per_s("bf16", (1000, 1000, 1000)) == pytest.approx(1e12)


def test_a_product_of_another_size_scales_with_its_arithmetic():
    """Eight times the FLOPs of the only shape that was timed: 16 ms. Four in a batch: 8 ms."""
    rates = device_rates(profile(*PLAIN))
    assert rates.matrix_s(2000, 2000, 2000, "bf16") == pytest.approx(16e-3)
    assert rates.matrix_s(1000, 1000, 1000, "bf16", 4) == pytest.approx(8e-3)


def test_a_skinny_product_takes_as_long_as_reading_its_operands():
    """(1, 1e5) x (1e5, 1e5): 2e10 bytes of bf16 weights at 1e11 bytes/s = 0.2 s; its 2e10 FLOP would take 0.02 s."""
    rates = device_rates(profile(*PLAIN))
    assert rates.matrix_s(1, 100_000, 100_000, "bf16") == pytest.approx(0.2, rel=1e-4)


def test_the_median_of_the_samples_counts_and_the_host_time_is_taken_off_on_a_cpu():
    """Samples of 3, 2 and 100 ms, 1 ms of them the operator's host time: 2 ms. On a GPU the 3 ms stay."""
    timed = rate("matrix", "mm", "bf16", (1000, 1000, 1000), 2e9, 3e-3, 2e-3, 100e-3)
    host = rate("launch", "host", "fp32", (1,), 1.0, 1e-3)
    on_cpu = device_rates(profile(*COPIES, timed, host))
    on_gpu = device_rates(profile(*COPIES, timed, host, device="cuda"))
    assert on_cpu.matrix_s(1000, 1000, 1000, "bf16") == pytest.approx(2e-3)
    assert on_gpu.matrix_s(1000, 1000, 1000, "bf16") == pytest.approx(3e-3)


def test_bytes_in_the_cache_and_beyond_it():
    """1000 bytes at 1e12 = 1 ns, 1e6 at 1e11 = 10 us, 1e9 at 1e11 = 10 ms; the middle of the logarithms: 3.16e11 bytes/s."""
    rates = device_rates(profile(*PLAIN))
    assert rates.bytes_s(np.array([1e3, 1e6, 1e9])) == pytest.approx([1e-9, 1e-5, 1e-2])
    assert rates.bytes_s(10**4.5) == pytest.approx(10**4.5 / 10**11.5)
    assert (rates.cache_bytes, rates.cache_bytes_per_s, rates.bandwidth_bytes_per_s) == pytest.approx((1e3, 1e12, 1e11))


def test_dequantisation_reaches_the_best_of_its_sizes_but_no_more_than_the_memory():
    """Dequantising 1e6 bytes took 20 us, 1e5 bytes 10 us: 5e10 bytes/s, below the memory's 1e11. 1e6 bytes in 1 us: 1e11."""
    slow, small = (rate("dequantise", "nf4", "nf4", (1,), work, s) for work, s in ((1e6, 2e-5), (1e5, 1e-5)))
    assert device_rates(profile(*PLAIN, slow, small)).dequantise_bytes_per_s == pytest.approx(5e10)
    fast = rate("dequantise", "nf4", "nf4", (1,), 1e6, 1e-6)
    assert device_rates(profile(*PLAIN, fast)).dequantise_bytes_per_s == pytest.approx(1e11)


def test_dequantisation_that_was_not_timed_moves_bytes_as_a_copy_does():
    rates = device_rates(profile(*PLAIN))
    assert rates.dequantise_bytes_per_s == rates.bandwidth_bytes_per_s


def test_attention_has_a_rate_forward_and_one_backward():
    """1 x 10 heads x 1000 tokens x 50: 2 x 10 x 1e6 x 50 = 1e9 FLOP causal, backward 2.5e9; in 1 ms and 5 ms."""
    shape = (1, 10, 1000, 50)
    rates = device_rates(profile(
        *PLAIN, rate("attention", "sdpa forward", "bf16", shape, 1e9, 1e-3),
        rate("attention", "sdpa backward", "bf16", shape, 2.5e9, 5e-3)))
    assert rates.attention_flops_per_s("bf16", "attention") == pytest.approx(1e12)
    assert rates.attention_flops_per_s("bf16", "attention_backward") == pytest.approx(5e11)


def test_an_operator_of_a_dry_run_takes_the_time_that_the_device_showed():
    """The roofline asks for FLOP/s of the shape: the measured 1 ms of (10, 1000, 1000), not its 0.02 ms at the best rate."""
    rates = device_rates(profile(*PLAIN, product(10, 1000, 1000, 1e-3)))
    group = OperatorGroup(name="aten.mm", kind="matrix", dtype="bf16", shape=(10, 1000, 1000), calls=1.0, flops=2e7,
                          bytes_read=2.02e6, bytes_written=2e4, phase="forward")
    assert operator_seconds(group, rates) == pytest.approx(1e-3, rel=1e-6)


def test_launches_are_read_by_name():
    names = {"device": 1e-6, "host": 2e-6, "host autograd": 3e-6, "host backward": 4e-6}
    found = device_rates(profile(*PLAIN, *(rate("launch", n, "fp32", (1,), 1.0, s) for n, s in names.items()), device="cuda"))
    assert (found.kernel_s, found.launch_s, found.backward_launch_s) == (1e-6, 3e-6, 4e-6)


def test_a_profile_without_products_or_copies_is_an_error():
    with pytest.raises(InputError, match="that of cpu holds no copy rate"):
        device_rates(profile(product(1000, 1000, 1000, 2e-3)))
    with pytest.raises(InputError, match="holds no matrix rate"):
        device_rates(profile(*COPIES))


def test_a_type_that_was_not_timed_takes_its_neighbour_or_is_an_error():
    rates = device_rates(profile(*PLAIN))
    assert rates.matrix_s(1000, 1000, 1000, "fp16") == rates.matrix_s(1000, 1000, 1000, "bf16")
    with pytest.raises(InputError, match=r"has no rate for 'fp32'; it has bf16"):
        rates.matrix_s(10, 10, 10, "fp32")


def test_corrections_hold_at_their_points_and_lie_between_them_elsewhere():
    """Ratios 1 and 4 at 1 and 16; at 4, two doublings from both, the mean of the logarithms: 2. Far outside: the nearest."""
    table = Corrections.of([((1.0,), 1.0), ((16.0,), 4.0)])
    assert table.at(np.array([1.0, 16.0])) == pytest.approx([1.0, 4.0], rel=1e-6)
    assert table.at(4.0) == pytest.approx(2.0)
    assert table.at(2.0**40) == pytest.approx(4.0, rel=0.5)
    assert Corrections().at(3.0) == 1.0


def test_large_products_on_a_datasheet_reach_its_rate_and_small_ones_leave_multiprocessors_idle():
    """A100: 312e12 FLOP/s bf16. 16384^3: within 1%. One tile of 128 x 128, 1 unit on 100 processors: 1 / (1 + 50)."""
    rates = datasheet_rates(A100)
    large = 2.0 * 16384.0**3
    assert large / rates.matrix_s(16384, 16384, 16384, "bf16") == pytest.approx(312e12, rel=0.01)
    one_tile = 2.0 * 128 * 128 * 1024
    assert one_tile / rates.matrix_s(128, 128, 1024, "bf16") == pytest.approx(312e12 / 51.0)


def test_a_datasheet_copy_is_bound_by_memory_beyond_the_cache_and_faster_inside():
    """A100: 2.039e12 bytes/s; 40 MiB of L2."""
    rates = datasheet_rates(A100, bandwidth=0.5)
    assert rates.bytes_s(1e10) == pytest.approx(1e10 / (0.5 * A100.bandwidth_bytes_per_s))
    assert rates.bytes_s(1e5) == pytest.approx(1e5 / (CACHE_SPEED * 0.5 * A100.bandwidth_bytes_per_s))
    assert 0.0 < rates.cache_bytes <= A100.l2_bytes


def test_datasheet_attention_is_a_share_of_the_matrix_rate():
    rates = datasheet_rates(A100)
    assert rates.attention_flops_per_s("bf16", "attention") == pytest.approx(ATTENTION_SHARE * 312e12)


@every_row("gpu, dtype", all_of(load_gpus(), ("fp32", "tf32", "fp16", "bf16", "int8")))
def test_no_product_beats_the_datasheet(gpu, dtype):
    rates = datasheet_rates(gpu)
    m = np.array([1.0, 8.0, 100.0, 4096.0])[:, None]
    n = np.array([8.0, 4096.0])[None, :]
    assert np.all(2.0 * m * n * 4096.0 / rates.matrix_s(m, n, 4096.0, dtype) <= rates.matrix_flops[dtype])


@settings(max_examples=50)
@given(m=st.integers(1, 20_000), n=st.integers(1, 20_000), k=st.integers(1, 20_000))
def test_one_element_of_an_array_is_the_scalar(m, n, k):
    rates = device_rates(profile(*PLAIN, product(10, 1000, 1000, 1e-3)))
    both = rates.matrix_s(np.array([m, 7.0]), n, k, "bf16")
    assert both[0] == pytest.approx(float(rates.matrix_s(m, n, k, "bf16")))
    assert np.all(both > 0.0)
