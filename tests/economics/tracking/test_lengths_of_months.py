"""Months of other lengths than the forecast's: the prefix is the prompt's, what is read of it is told by the cached tokens."""

import numpy as np
import pytest
from tracked_years import CACHE, DAYS, SCENARIO, cached_usd

from roi.answers.opening import open_case
from roi.economics.decision.weighing import settle
from roi.economics.tracking.came import Came
from roi.economics.tracking.month_figures import figures
from roi.economics.tracking.seen_facts import effects, track
from roi.scenario.file import check_scenario


def records_of(**workload):
    case = open_case(check_scenario({**SCENARIO, "workload": {**SCENARIO["workload"], **workload}})).case
    return settle(case)[:2]


def quarter(usd, *, given, read):
    """Months in which each request cost `usd`; of its `given` tokens, `read` came from the cache."""
    return tuple(Came(days=days, calls=60000 * days, input_tokens=given, output_tokens=10.0, cached_share=read / given,
                      own_share=1.0, api_usd=60000 * days * usd) for days in DAYS[:3])


def told(records, came):
    """What was off in the cash, and the price of each month over the forecast's."""
    shared, options = records
    tracked = track(shared, options, CACHE, came)
    return {x.fact: x.cash_usd for x in effects(shared, options, CACHE, tracked)[0]}, tracked.price


@pytest.mark.parametrize("longer", [0.99, 1 - 1e-7, 1.01, 1.5, 0.45])
def test_a_prefix_at_the_vendors_minimum_is_cached_in_months_of_other_lengths(longer):
    """1,024 tokens are the least that the vendor caches, 3 of 4 calls find them: 768 read, 256 written, as long as a call is
    longer; at 0.45 x 2,048 = 921.6 a call is all prefix. Its other tokens cost $2 a million: 90 days x 60,000 x $0.004096."""
    records = records_of(input_tokens=2048, shared_prefix_tokens=1024, cache_hit_rate=0.75)
    given = 2048 * longer
    prefix = min(1024, given)
    usd = (0.75 * prefix * 0.20 + 0.25 * prefix * 2.50 + (given - prefix) * 2.00 + 10 * 10.0) * 1e-6
    off, price = told(records, quarter(usd, given=given, read=0.75 * prefix))
    assert price == pytest.approx(np.ones(3), rel=1e-9)
    if longer > 0.5:
        assert {name: usd for name, usd in off.items() if abs(usd) > 0.5} == (
            {"input tokens": pytest.approx(90 * 60000 * 0.004096 * (longer - 1), abs=0.006)} if abs(longer - 1) > 1e-6 else {})


def test_a_prefix_grows_where_longer_calls_read_more_than_it_held_and_that_is_no_price():
    """1,200 tokens were expected to be found in 8 of 10 calls; 1,500 of 3,000 are read: 1,500 x 0.20 + 1,500 x 2.00 + 100."""
    usd = (1500 * 0.20 + 1500 * 2.00 + 10 * 10.0) * 1e-6
    off, price = told(records_of(), quarter(usd, given=3000.0, read=1500.0))
    assert price == pytest.approx(np.ones(3))
    assert {*off} == {"input tokens", "cache rate"}
    assert sum(off.values()) == pytest.approx(90 * 60000 * (usd - cached_usd(0.8)), abs=0.006)


@pytest.mark.parametrize("read", [960, 480, 1080])
def test_bins_that_say_what_they_find_read_less_or_more_of_it_and_that_is_no_price(read):
    """Of 1,000 and 3,000 tokens 300 and 1,620 are read, 100 and 380 written: 960 and 240 a request, as of one prefix at 80%."""
    found = {"cached_tokens": (300.0, 1620.0), "cache_write_tokens": (100.0, 380.0), "input_tokens": (1000.0, 3000.0)}
    bins = [{"output_tokens": 10.0, "share": 0.5, **{name: row[k] for name, row in found.items()}} for k in (0, 1)]
    off, price = told(records_of(lengths=bins, input_tokens=None, output_tokens=None),
                      quarter(cached_usd(read / 1200), given=2000.0, read=read))
    assert price == pytest.approx(np.ones(3))
    assert {name for name, usd in off.items() if abs(usd) > 0.5} == ({"cache rate"} if read != 960 else set())
    assert sum(off.values()) == pytest.approx(90 * 60000 * (cached_usd(read / 1200) - cached_usd(0.8)), abs=0.006)


def test_what_batch_reads_from_a_cache_counts_as_cached():
    """960 of 2,000 tokens are read, whether a call waits for the batch price or not."""
    shared, options = records_of(can_wait_share=0.3)
    assert np.max(options[CACHE].api.batch_share) == 0.3
    assert figures(shared, options[CACHE], options).cached_share[-1] == pytest.approx(0.48)
