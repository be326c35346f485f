"""What the scenario of a serving run says: kind of load, requests in flight and arrivals, as public tables write them."""

import pytest
from roi.store.tables.row_fields import Unusable
from test_serving_rows import defaults, run


def told(scenario, concurrency=""):
    load = run(scenario=scenario, concurrency=concurrency).load
    return load.kind, load.concurrency


@pytest.mark.parametrize("scenario", [
    "single stream", "single-stream", "SingleStream", "batch 1 latency", "bs=1", "latency test, bs 1",
])  # fmt: skip
def test_a_single_stream_is_a_batch_of_one(scenario):
    assert told(scenario) == ("static", 1.0)


@pytest.mark.parametrize("scenario", [
    "sync", "synchronous", "single user", "one request at a time", "sequential requests", "1 user",
])  # fmt: skip
def test_one_request_after_the_other_is_a_loop_of_one(scenario):
    assert told(scenario) == ("closed", 1.0)


@pytest.mark.parametrize(("scenario", "kind", "size"), [
    ("conc=64", "closed", 64), ("conc 64", "closed", 64),
    ("isl 1024 osl 1024 conc 64", "closed", 64), ("tp8 CONC64", "closed", 64),
    ("c64", "closed", 64), ("64 users", "closed", 64),
    ("64 concurrent requests", "closed", 64), ("64 VUs", "closed", 64),
    ("max_concurrency 32", "closed", 32), ("--max-concurrency=32", "closed", 32), ("concurrent 16", "closed", 16),
    ("request_rate=inf max_concurrency=64", "closed", 64), ("osl 1024 concurrency 8", "closed", 8),
    ("hit rate 0.5, 32 users", "closed", 32), ("bs=8", "static", 8), ("batch size 8", "static", 8),
    ("batch_size: 8", "static", 8), ("bench_one_batch bs 4", "static", 4), ("llm-perf batch 1", "static", 1),
    ("bs=8, online serving", "closed", 8),
])  # fmt: skip
def test_the_number_in_flight_is_read_from_the_scenario(scenario, kind, size):
    assert told(scenario) == (kind, size)


@pytest.mark.parametrize("scenario", [
    "closed loop", "static batch", "batch", "bench latency", "bench_one_batch", "concurrency 1-64",
    "1-64 users", "concurrency 1,2,4", "8, 16 users", "concurrency 1k", "batch 8 per GPU", "many users",
])
def test_a_batch_or_a_loop_without_one_certain_size_is_skipped(scenario):
    with pytest.raises(Unusable, match=r"^concurrency: ''; empty, and a batch or a closed loop needs it"):
        told(scenario)


def test_two_sizes_are_skipped_and_named():
    with pytest.raises(Unusable, match="says 8 and 64 in flight"):
        told("batch size 8, concurrency 64")


def test_the_column_stands_where_the_scenario_contradicts_it_and_the_row_says_so():
    doubt = "concurrency of the column, not the scenario's"
    assert told("conc 64", "16") == ("closed", 16.0)
    assert defaults(scenario="conc 64") == defaults(scenario="single stream") == [doubt]
    assert defaults(scenario="closed loop batch 16.0") == defaults(scenario="max_batch_size 256") == []


@pytest.mark.parametrize(("scenario", "rate"), [
    ("request_rate=5", 5), ("constant 5", 5), ("constant@5.0", 5), ("poisson@2.5", 2.5), ("5 req/s 300s", 5),
    ("5 rps 300 s", 5), ("2.5 requests per second", 2.5), ("120 requests/min", 2), ("60 rpm", 1), ("rate of 5", 5),
])  # fmt: skip
def test_arrivals_are_read_from_the_scenario(scenario, rate):
    load = run(scenario=scenario, concurrency="").load
    assert (load.kind, load.requests_per_s) == ("open", rate)


@pytest.mark.parametrize("scenario", ["Poisson", "open loop", "constant rate", "sweep"])
def test_arrivals_without_a_rate_are_skipped(scenario):
    with pytest.raises(Unusable, match="arrivals without their rate"):
        told(scenario)


def test_a_rate_of_0_and_a_split_without_workers_are_skipped():
    with pytest.raises(Unusable, match="a rate of 0"):
        told("rate 0")
    with pytest.raises(Unusable, match="without a worker"):
        told("P:D 0:1 concurrency 8")


@pytest.mark.parametrize(("scenario", "slo"), [
    ("MLPerf Offline", False), ("max throughput, max_batch_size 256", False), ("vllm bench throughput", False),
    ("GuideLLM throughput", False), ("profile_throughput", False), ("batch inference", False), ("server throughput", False),
    ("QPS inf", False), ("MLPerf Server", True), ("Interactive", True), ("max QPS under SLO", True),
])  # fmt: skip
def test_loads_of_all_that_the_server_gives(scenario, slo):
    load = run(scenario=scenario, concurrency="").load
    assert (load.kind, load.held_to_slo) == ("saturated", slo)
    assert "scenario offline" not in defaults(scenario=scenario, concurrency="")


def test_requests_of_a_run_may_have_their_thousands_apart():
    assert run(scenario="bench throughput, 1,000 prompts", concurrency="").load.prompts == 1000.0
    assert run(scenario="5 requests/s", concurrency="").load.prompts == 1000.0
