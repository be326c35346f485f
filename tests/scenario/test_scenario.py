"""A scenario is written and read without loss, and every mistake is named with its field, value and what is allowed."""

import operator
import re
from datetime import date as Date
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi.errors import InputError, ScenarioError
from roi.resolution.resolution import resolve
from roi.scenario import TEMPLATES
from roi.scenario.file import check_scenario, load_scenario, scenario_data, stated_data
from roi.scenario.scenario import Scenario, strange_names
from roi.scenario.template import template
from roi.scenario.yaml import dump_yaml, parse_yaml

positive = st.floats(1e-6, 1e6)
share = st.floats(0.0, 1.0)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40)


def spread(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    """A bare number, or one with its low, high and source."""
    three = st.tuples(numbers, numbers, numbers, words).map(
        lambda t: dict(zip(("low", "value", "high"), sorted(t[:3]), strict=True)) | {"source": t[3]}
    )
    return st.one_of(numbers, three)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the fields, none of them needed."""
    return st.fixed_dictionaries({}, optional=fields)


kinds = ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware")
by_kind = some(**{kind: spread(st.floats(0.0, 100.0)) for kind in kinds})
scores = st.dictionaries(words, st.one_of(share, st.just("not evaluated")), max_size=3)
lengths = st.lists(st.tuples(positive, positive), min_size=1, max_size=4).map(
    lambda bins: [{"input_tokens": i, "output_tokens": o, "share": 1.0 / len(bins)} for i, o in bins]
)
means = {"input_tokens": spread(positive), "output_tokens": spread(positive)}
rest = {
    "growth_per_year": spread(st.floats(-0.9, 5.0)),
    "shared_prefix_tokens": spread(positive),
    "cache_hit_rate": spread(share),
    "can_wait_share": spread(share),
    "peak_to_mean": spread(st.floats(24.0, 100.0)),  # one of 24 hours may have all
    "hourly_weights": st.lists(st.floats(0.1, 10.0), min_size=24, max_size=24),
}
workloads = st.one_of(
    st.fixed_dictionaries({"requests_per_day": spread(positive), **means}, optional=rest),
    st.fixed_dictionaries({"requests_per_day": spread(positive), "lengths": lengths}, optional=rest),
)
commitments = st.fixed_dictionaries(
    {"committed_until": st.dates().map(lambda d: d.isoformat()), "committed_usd_per_month": spread(positive)})
incumbents = st.builds(
    operator.or_,
    st.fixed_dictionaries(
        {"provider": words, "model": words},
        optional={"discount": spread(share), "uses_cache": st.booleans(), "bill_usd_per_month": spread(positive)},
    ),
    st.just({}) | commitments,
)
scenarios = st.fixed_dictionaries(
    {
        "schema": st.just("roi.scenario/1"),
        "as_of": st.dates().map(lambda d: d.isoformat()),
        "workload": workloads,
        "incumbent": incumbents,
    },
    optional={
        "title": words,
        "horizon_months": st.integers(1, 120),
        "discount_rate": share,
        "draws": st.integers(0, 1_048_576),
        "seed": st.integers(0, 2**63),
        "gates": some(one_task_type=st.sampled_from(["yes", "no", "unknown"])),
        "quality": some(bar=share, usd_per_error=spread(positive), scores=scores),
        "tokens": st.dictionaries(words, some(ratio=spread(positive), reasoning_tokens=spread(positive)), max_size=2),
        "training": some(
            examples=spread(st.integers(1, 10**6).map(float)),
            retrain_every_months=st.one_of(st.none(), spread(positive)),
            checkpointing=st.booleans(),
            labels_from=st.sampled_from(["people", "incumbent"]),
        ),
        "people": some(usd_per_hour=spread(positive), setup_hours=by_kind),
        "timing": some(months_to_live=by_kind),
        "serving": some(weight_dtypes=st.lists(st.sampled_from(["bf16", "fp8", "int4"]), min_size=1, max_size=3)),
        "drift": some(gpu_rent_per_year=spread(st.floats(-0.9, 5.0))),
        "candidates": some(
            api_models=st.lists(words, max_size=3), methods=st.lists(st.sampled_from(["lora", "qlora"]), max_size=2)
        ),
    },
)


@pytest.mark.full
@given(scenarios)
def test_scenario_to_yaml_to_scenario_is_the_identity(data: dict[str, Any]) -> None:
    scenario = check_scenario(data)
    text = dump_yaml(scenario_data(scenario))
    again = check_scenario(parse_yaml(text, "again"))
    assert again == scenario
    assert again.model_fields_set == scenario.model_fields_set
    assert scenario_data(again) == scenario_data(scenario)
    assert dump_yaml(scenario_data(again)) == text


@pytest.mark.parametrize("name", [*TEMPLATES, "bundled"])
def test_templates_are_scenarios_that_survive_the_round_trip(name: str) -> None:
    scenario = check_scenario(parse_yaml(template(name), name))
    assert check_scenario(parse_yaml(dump_yaml(scenario_data(scenario)), name)) == scenario


def test_defaults_stay_defaults() -> None:
    """What the user did not set is not written: a later version's default is then theirs too."""
    data = {
        "as_of": "2026-11-24",
        "workload": {"requests_per_day": 1.0, "input_tokens": 1.0, "output_tokens": 1.0},
        "incumbent": {"provider": "openai", "model": "gpt-5.4"},
    }
    assert scenario_data(check_scenario(data)) == data


def test_set_overrides_a_field_wherever_it_stands() -> None:
    scenario = load_scenario(None, ("workload.requests_per_day=5", "people.setup_hours.api=7", 'candidates.gpus=["l4"]'))
    assert scenario.workload.requests_per_day == 5
    assert scenario.people.setup_hours.api == 7
    assert scenario.candidates.gpus == ("l4",)


def test_a_bill_stays_that_of_the_requests_and_tokens_that_others_are_laid_over() -> None:
    """What stood beside it is kept, once; with another bill given, or without one, nothing is."""
    workload = {"requests_per_day": {"value": 1e5, "low": 9e4, "high": 2e5}, "input_tokens": 900, "output_tokens": 40}
    incumbent = {"provider": "openai", "model": "gpt-6-sol", "bill_usd_per_month": 13_000}
    data = {"as_of": "2026-11-24", "workload": workload, "incumbent": incumbent}
    twice, half = ("workload.requests_per_day=200000",), ("workload.input_tokens=450",)
    bins = [{"input_tokens": 10, "output_tokens": 40, "share": 1.0}]
    again = stated_data(load_scenario(data, half))
    for found, of in (
        (load_scenario(data, twice), {"requests_per_day": 1e5}),
        (load_scenario(data, ("workload.requests_per_day.value=200000",)), {"requests_per_day": 1e5}),
        (load_scenario(data, blocks={"workload": {"requests_per_day": 2e5}}), {"requests_per_day": 1e5}),
        (load_scenario(data, half), {"input_tokens": 900}),
        (load_scenario(again, (*twice, "workload.input_tokens=30")), {"requests_per_day": 1e5, "input_tokens": 900}),
        (load_scenario(data, blocks={"workload": {"lengths": bins, "input_tokens": None, "output_tokens": None}}),
         {"input_tokens": 900, "output_tokens": 40}),
        (load_scenario(data, (*half, "incumbent.bill_usd_per_month=13000")), None),
        (load_scenario(again, ("incumbent.bill_usd_per_month=13000",)), None),
        (load_scenario(data, blocks={"workload": {"input_tokens": 450}, "incumbent": {"bill_usd_per_month": 13_000}}), None),
        (load_scenario(data, ("workload.requests_per_day=100000",)), None),
        (load_scenario({**data, "incumbent": {**incumbent, "bill_usd_per_month": None}}, twice), None),
    ):
        kept = found.incumbent.bill_of
        assert (None if kept is None else kept.model_dump(exclude_none=True)) == of
        assert found.incumbent.bill_usd_per_month in {13_000, None}


def test_todays_units_stay_those_of_the_volume_that_the_file_states() -> None:
    """Fifty units, 60% in use at 100,000 a day, hold no more at 200,000: 60 are needed. Who states them anew says of which."""
    units = {"units": 50, "usd_per_month": 260, "peak_utilization": 0.6}
    incumbent = {"provider": "openai", "model": "gpt-6-sol", "provisioned_throughput": units, "bill_usd_per_month": 13_000}
    workload = {"requests_per_day": 1e5, "input_tokens": 900, "output_tokens": 40}
    data = {"as_of": "2026-11-24", "workload": workload, "incumbent": incumbent}
    twice = "workload.requests_per_day=200000"
    for found in (load_scenario(data, (twice,)), load_scenario(data, blocks={"workload": {"requests_per_day": 2e5}})):
        paid = found.incumbent.provisioned_throughput
        assert paid is not None
        assert (paid.at_requests_per_day, found.incumbent.bill_usd_per_month) == (100_000, 13_000)
        assert str(found.bill_told).startswith("Today's units are taken as those of 100,000 requests a day; set ")
        case = resolve(found).case
        assert case["options.stay.provisioned.of_requests_per_day"].value == 100_000
        assert "options.provisioned.kind" not in case.facts  # none of the fifty is idle
    for words in ((), (twice, "incumbent.provisioned_throughput.units=70"), ("workload.input_tokens=800",)):
        found = load_scenario(data, words)
        assert found.incumbent.provisioned_throughput is not None
        assert (found.incumbent.provisioned_throughput.at_requests_per_day, found.bill_told) == (None, None)


def test_a_bill_is_of_no_requests_that_a_template_guessed_or_that_a_part_does_not_count() -> None:
    """The bundled 100,000 a day are a guess, so that $500 a month is the bill of the 9,000 that are said."""
    volume = ("workload.requests_per_day=9000",)
    found = load_scenario(None, volume, blocks={"incumbent": {"bill_usd_per_month": 500}})
    assert (found.incumbent.bill_of, found.bill_told) == (None, None)
    told: list[str] = []
    guessed = load_scenario(parse_yaml(template("bundled"), "bundled") | {"incumbent": {
        "provider": "openai", "model": "gpt-6-sol", "bill_usd_per_month": 500}}, volume, tell=told.append)
    assert guessed.incumbent.bill_of is None
    assert told == ["The bill, $500, is taken as that of 9,000 requests a day: 100,000 were the template's guess"]
    assert guessed.bill_told == told[0]
    stated = load_scenario(None, blocks={"workload": {"requests_per_day": 100_000}, "incumbent": {"bill_usd_per_month": 500}})
    half = ("workload.requests_per_day=50000",)
    again = load_scenario(stated_data(stated), half)
    assert again.incumbent.bill_of is not None
    assert again.incumbent.bill_of.requests_per_day == 100_000
    used = {"incumbent": {"provider": "openai", "model": "gpt-6-sol", "bill_usd_per_month": 600}}
    counted = load_scenario(None, half, part={**used, "workload": {"requests_per_day": 100_000}}).incumbent
    assert counted.bill_usd_per_month == 600
    assert counted.bill_of is not None
    assert counted.bill_of.requests_per_day == 100_000
    assert load_scenario(stated_data(stated), half, part=used).incumbent.bill_of is None


@pytest.mark.parametrize(("text", "says"), [
    ("schema: roi.policy/1\n", "a policy and no scenario; roi check SCENARIO "),
    ("monthly_cash_usd: {at_most: 5000}\n", "a policy and no scenario; roi check SCENARIO "),
    ("facts: {workload.requests_per_day: {at_most: 5}}\n", "a policy and no scenario; roi check SCENARIO "),
    ("saved: decision.json\nverdict_unchanged: true\n", "a policy and no scenario; roi check SCENARIO "),
    ("schema: roi.usage-part/1\nworkload: {requests_per_day: 5}\n", "no scenario; roi compare SCENARIO --usage "),
    ("schema: roi.quality-part/1\nquality: {bar: 0.9}\n", "no scenario; roi compare SCENARIO --quality "),
])
def test_a_file_that_goes_beside_a_scenario_names_the_command_that_reads_it(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says + str(file)):
        load_scenario(file)


MINIMAL: dict[str, Any] = {
    "as_of": "2026-11-24",
    "workload": {"requests_per_day": 10.0, "input_tokens": 100.0, "output_tokens": 10.0},
    "incumbent": {"provider": "openai", "model": "gpt-5.4"},
}


@pytest.mark.parametrize(("key", "said"), [
    ("name=A", "name: unknown key; nearest: title"),
    ("date=2026-11-24", "date: unknown key; nearest: as_of"),
    ("horizon=12", "horizon: unknown key; nearest: horizon_months"),
    ("workload.requests=5", "workload.requests: unknown key; nearest: requests_per_day"),
    ("workload.requests_per_month=90000", "nearest: requests_per_day: a month's / 30.4"),
    ("workload.completion_tokens=5", "workload.completion_tokens: unknown key; nearest: output_tokens"),
    ("workload.growth_per_month=0.3", "steps: 30% are {from_month: 2, ratio: 1.3}, the same from month 3, and so on"),
    ("workload.growth_per_year=22.3", "faster growth is workload.steps, one for each month (roi help growth_per_month)"),
    ("workload.latency_ms=200", "seconds until the first token are workload.ttft_p95_s, 0.2 for 200 ms"),
    ("workload.seasonality=10", "nearest: steps, which hold from a month on"),
    ("drift.api_price_per_year=-0.4", "no field; a list price holds until its model ends: drift.model_life_months: 12 and"),
    ("credits=100000", "nearest: costs: [{name: credits, option: stay, usd_per_month: -9000, to_month: 8}]"),
    ("incumbent.tpm=200000", "incumbent.tpm: no field; a vendor's rate limits are in no figure: name no candidates"),
    ("candidates.region=eu", "candidates.region: no field; where vendors serve is not in the catalog; only what"),
    ("tax_rate=0.25", "tax_rate: no field; all amounts are before tax, depreciation and financing"),
    ("people.on_call=0", "no field; hours of on-call are in people.run_hours_per_month"),
    ("fallback=openai/gpt-6-luna", "no field; what a second vendor that stands by costs is a cost of your own: costs: [{name"),
    ("incumbent.retry_rate=0.04", "no field; a call that is asked again is paid again: where 4% are, tokens.MODEL.ratio: 1.04"),
    ("workload.days_per_week=5", "no field; requests_per_day is of a mean calendar day: 1,000 on five days"),
    ("workload.growth_until=12", "no field; growth that ends is growth_per_year: 0 and steps: four times as many within"),
    ("incumbent.price_change=2", "no field; a price to come is apis: {PROVIDER/MODEL: {announced: [{from_date: 2027-03-01,"),
    ("apis={deepseek/deepseek-v4-pro: {off_peak_discount: 0.5}}", "no field; a price by the hour is stated as its mean"),
    ("incumbent.hosting_usd_per_hour=1.7", "no field; what hosting costs by the hour x 730 is a cost of your own"),
    ("workload.total_requests=2e8", "no field; a job that is done once is horizon_months: 1, requests_per_day: all of"),
    ("budget_usd=10000", "nearest: upfront_usd of a policy, for roi check"),
    ("budget_usd_per_month=2000", "nearest: monthly_cash_usd of a policy, for roi check"),
    ("apis={openai/gpt-6-sol: {announced: {until: 2027-03-01}}}", "a valid list of blocks: [{from_date: ..., input_usd_per"),
    ("serving.capacities=5", "serving.capacities: 5 is not usable; it should be a valid list of blocks: [{model: ..., gpu"),
    ("incumbent.bill=5", "incumbent.bill: unknown key; nearest: bill_usd_per_month, bill_of, bill_is_volume_share"),
    ("costs=[{nam: a}]", "costs.0.nam: unknown key; nearest: name"),
    ("serving.spill_share={value: 0.1, hihg: 0.2}", "serving.spill_share.hihg: unknown key; nearest: high"),
    ("serving.speculative_decoding=true", "serving.speculative_decoding: no field; speculative decoding is in no figure"),
    ("serving.prefill_replicas=2", "no field; plans have replicas that compute prompts and answers alike"),
    ("serving.max_num_seqs=64", "no field; steps, batches and memory are the engine's own defaults for the card"),
    ("serving.enable_prefix_caching=false", "no field; servers of your own keep shared prefixes: workload.shared_prefix"),
    ("workload.head_room=0.2", "workload.head_room: unknown key; nearest: serving.headroom"),
    ("people.usd_per_eror=1", "people.usd_per_eror: unknown key; nearest: usd_per_hour, quality.usd_per_error"),
    ("serving.slo={ttft_p95_s: 2}", "serving.slo: unknown key; nearest: workload.ttft_p95_s, incumbent.ttft_p95_s"),
    ("serving.max_loras=8", "serving.max_loras: unknown key; nearest: adapter_slots"),
    ("serving.weight_dtypes=[nf4]", "serving.weight_dtypes.0: 'nf4' is not usable; no server's speed with bitsandbytes' NF4"),
    ("serving.weight_dtypes=[float16]", "serving.weight_dtypes.0: 'float16' is not usable; write fp16"),
    ("serving.kv_dtype=auto", "serving.kv_dtype: 'auto' is not usable; write bf16, which stands for either format of 16 bits"),
    ("workload/requests_per_day=5", "workload/requests_per_day: unknown key; nearest: workload.requests_per_day"),
    ("workload.requests_per_day={value:5}", "unknown key; write value: 5, with a colon and a blank"),
    ("workload.requests_per_day: 5", "--set: 'workload.requests_per_day: 5' is not usable; write it as workload.requests_"),
])
def test_a_key_that_people_call_otherwise_names_the_field(key: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        load_scenario(MINIMAL, (key,))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("block", "field", "value", "says"),
    [
        ("workload", "requests_per_day", -1.0, "workload.requests_per_day: -1.0 is not usable; -1 must be greater than 0"),
        ("workload", "requests_per_day", 1e12, "workload.requests_per_day: .* at most"),
        ("workload", "requests_per_day", "60k", "'60k' is not usable; it should be a valid number; write 60000"),
        ("workload", "requests_per_day", "60_000", "write 60000"),
        ("workload", "requests_per_day", "1,000", "write 1000"),
        ("workload", "requests_per_day", "1.5M", "write 1500000"),
        ("workload", "requests_per_day", "800ms", "it should be a valid number$"),
        ("workload", "ttft_p95_s", "800ms", "it should be a valid number; write 0.8$"),
        ("workload", "ttft_p95_s", "2 s", "write 2$"),
        ("quality", "usd_per_error", "5 cents", "write 0.05$"),
        ("quality", "usd_per_error", "0.05 USD", "write 0.05$"),
        ("incumbent", "uses_cache", "Off", "it should be true or false; write false$"),
        ("workload", "requests_per_day", {"value": 1, "000": None}, "unknown key; a comma does not group digits: write 1000"),
        ("people", "usd_per_hour", 0, "; hours of people who are paid anyway are people.existing_hours_per_month$"),
        ("workload", "cache_hit_rate", 80.0, "80 must be at least 0 and at most 1; write 0.8 for 80%"),
        ("workload", "cache_hit_rate", "80%", "write 0.8"),
        ("workload", "cache_hit_rate", 1.5, "at most 1$"),
        ("workload", "cache_hit_rate", -80.0, "at most 1$"),
        ("workload", "cache_hit_rate", "-80%", "it should be a valid number$"),
        ("incumbent", "discount", -10, "-10 must be at least -1 and at most 1; write -0.1 for -10%$"),
        ("incumbent", "discount", {"value": -10, "low": -20, "high": 0}, "write -0.1 for -10%$"),
        ("incumbent", "discount", "-10%", "it should be a valid number; write -0.1 for -10%$"),
        ("incumbent", "discount", 10, "write 0.1 for 10%$"),
        ("incumbent", "discount", -1.5, "at most 1$"),
        ("workload", "growth_per_year", "-20%", "write -0.2 for -20%$"),
        ("quality", "scores", {"gpt-6-sol": {"value": 0.9, "items": True}}, r"gpt-6-sol.items: true is not usable; [^;]*$"),
        ("gates", "foo", True, "gates.foo: unknown key; known: "),
        ("serving", "lets_wait", "yes", "serving.lets_wait: 'yes' is not usable; it should be true or false; write true$"),
        ("serving", "weight_dtypes", ["fp9"], "serving.weight_dtypes.0: 'fp9' is not usable; nearest: fp8, fp16; .* all 13$"),
        ("serving", "tensor_parallel", [3], "serving.tensor_parallel.0: 3 is not usable; it should be [^;]*$"),
        ("serving", "tensor_parallel", [], "serving.tensor_parallel: .*at least 1 item"),
        ("workload", "growth_per_year", 15.0, "write 0.15 for 15%"),
        ("workload", "growth_per_year", 300.0, "at most 10; write 3 for 300%; faster growth is workload.steps"),
        ("workload", "growth_per_year", 3000.0, "at most 10; faster growth is workload.steps"),
        ("workload", "hourly_weights", [1.0, 2.0, 3.0], "is not usable; 24 numbers, one an hour, midnight first; 3 given$"),
        ("workload", "hourly_weights", "night", "'night' is not usable; 24 numbers, one an hour, midnight first$"),
        ("workload", "growth_per_year", -1.0, "-1 must be at least -0.99 and at most 10$"),
        ("workload", "hourly_weights", [1.0] * 25, "is not usable; 24 numbers, one an hour, midnight first; 25 given$"),
        ("workload", "waits_hours", 0.0, "greater than 0; where nothing can wait: can_wait_share: 0$"),
        ("serving", "replicas_least", "two", "it should be a whole number, such as 2$"),
        ("workload", "growth_per_year", "1000%", "write 10 for 1,000%"),
        ("drift", "model_life_months", "1 year", "it should be a valid number; write 12$"),
        ("serving", "startup_hours", "30 min", "write 0.5$"),
        ("workload", "requests_per_day", "2 per second", "write 172800$"),
        ("workload", "requests_per_day", "~ 730k per month", "write 24000$"),
        ("workload", "requests_per_day", "2 per prompt", "it should be a valid number$"),
        ("people", "usd_per_hour", "$95/h", "write 95$"),
        ("incumbent", "bill_usd_per_month", "5.000,50", "write 5000.5$"),
        ("incumbent", "bill_usd_per_month", "€5.000", "a valid number; amounts are in USD: convert yours at the rate of a day"),
        ("apis", "openai/gpt-6-sol", {"announced": [{"from_date": "2027-02-01", "price_ratio": {"value": 2, "low": 1}}]},
         "announced.0.price_ratio: .* number; it has no spread: write 2, and compare two scenarios of it with roi diff$"),
        ("people", "usd_per_hour", "90 EUR", "a valid number; amounts are in USD: convert yours at the rate of a day"),
        ("workload", "requests_per_day", [20000], "write 20000$"),
        ("serving", "replicas_least", 2.0, "it should be a whole number; write 2$"),
        ("candidates", "flexible_tier", {"price_ratio": 2.0, "share": 1.0}, "price_ratio: 2.0 is not usable; [^;]*at most 1$"),
        ("candidates", "less_reasoning", {"output_tokens": 9}, "output_tokens: unknown key; .*; known: output_ratio, "),
        ("candidates", "less_reasoning", 0.5, "it should be a block of keys, such as {output_ratio: ..., "),
        ("candidates", "api_models", {}, r"it should be a valid list, such as \[NAME\]$"),
        ("candidates", "api_models", {"model": "gpt-6-luna"}, r"write \[gpt-6-luna\]$"),
        ("candidates", "self_hosted", [{"model": "qwen3-4b"}], "self_hosted.0: .* a valid string; write qwen3-4b$"),
        ("incumbent", "model", 5, 'it should be a valid string; write "5"$'),
        ("workload", "requests_per_day", "many", "workload.requests_per_day: 'many' is not usable"),
        ("workload", "request_per_day", 5.0, "workload.request_per_day: unknown key; nearest: requests_per_day"),
        ("workload", "cache_hit_rate", 1.5, "workload.cache_hit_rate: 1.5 is not usable; .* at most 1"),
        ("workload", "requests_per_day", {"value": 5.0, "low": 6.0, "high": 7.0}, "low <= value <= high does not hold"),
        ("workload", "hourly_weights", [1.0] * 23, "workload.hourly_weights"),
        ("incumbent", "committed_usd_per_month", 5.0, "^incumbent: committed_usd_per_month needs committed_until$"),
        ("candidates", "self_hosted", "llama-3.1-8b", r"it should be a valid list; write \[llama-3.1-8b\]$"),
        ("training", "examples", 10.5, "training.examples: 10.5 is not usable; 10.5 must be a whole number$"),
        ("incumbent", "bill_of", {"tokens": 5}, "bill_of.tokens: unknown key; nearest: input_tokens, output_tokens, share"),
        ("quality", "escalated", {"a": {"value": 20, "items": 9}}, "20 must be at least 0 and at most 1; write 0.2 for 20%$"),
        ("incumbent", "seats", {"users": 0.5, "usd_per_month": 3}, "users: 0.5 is not usable; it should be .* such as 1$"),
        ("incumbent", "provisioned_throughput", {"units": 5, "usd_per_month": 300, "peak_utilization": 60},
         "60 must be greater than 0 and at most 1; write 0.6 for 60%$"),
        ("workload", "prefix", 3, "workload.prefix: unknown key; nearest: shared_prefix_tokens$"),
        ("timing", "months_to_live", {"api": "3 months"}, "'3 months' is not usable; it should be a valid number; write 3$"),
        ("quality", "scores", ["input", 1], "quality.scores: .input, 1. is not usable; it should be a block of keys"),
        ("incumbent", "model", None, "incumbent.model"),
    ],
)
def test_a_mistake_is_named_with_field_value_and_what_is_allowed(block: str, field: str, value: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_scenario({**MINIMAL, block: {**MINIMAL.get(block, {}), field: value}})


def test_a_mistake_in_an_override_that_another_replaces_is_told() -> None:
    """--draws 256 beside --set draws=3.5."""
    with pytest.raises(InputError, match=r"draws: 3\.5 is not usable; it should be a whole number"):
        load_scenario(None, ("draws=3.5", "draws=256"))
    owed = ("committed_until=2029-11-24", "committed_until=2028-11-24", "committed_usd_per_month=9")  # no whole block between
    assert load_scenario(None, ("draws=64", "draws=256", *(f"incumbent.{each}" for each in owed))).draws == 256


def test_a_busiest_minute_below_the_busiest_hour_is_refused() -> None:
    """All of a day in 8 hours is three times its mean in each of them; the busiest minute is 1.5 times that."""
    workload = {**MINIMAL["workload"], "hourly_weights": [0.0] * 16 + [1.0] * 8}
    with pytest.raises(InputError, match=r"peak_to_mean 2\.9 is below the busiest hour of .*, 3 x .*: write 4\.5, "):
        check_scenario({**MINIMAL, "workload": {**workload, "peak_to_mean": 2.9}})
    assert check_scenario({**MINIMAL, "workload": {**workload, "peak_to_mean": 3}}).workload.peak_to_mean == 3
    for peak, whose in ((2.0, r" \(the template's\)"), (1.5, "")):  # the bundled scenario's own hours are of a peak of 3.847
        hours = [0.0] * 20 + [1.0] * 4
        bundled = {"template": "bundled", "workload": {**workload, "hourly_weights": hours, "peak_to_mean": 3.847 * peak / 2}}
        with pytest.raises(InputError, match=rf"peak_to_mean {3.847 * peak / 2:g}{whose} is below .* write 9, "):
            check_scenario({**MINIMAL, **bundled})


@pytest.mark.parametrize(("day", "meant"), [
    ("24.11.2026", "; write 2026-11-24"), ("05.10.2026", "; write 2026-10-05"), ("11/24/2026", "; write 2026-11-24"),
    ("24/11/2026", "; write 2026-11-24"), (20261124, "; write 2026-11-24"), ("2026/11/24", "; write 2026-11-24"),
    ("05/10/2026", ""), ("2026-11", ""), ("31.02.2026", ""), ("tomorrow", "")])
def test_a_day_in_another_form_is_told_as_it_is_written_where_it_can_be_told(day: object, meant: str) -> None:
    """5 October or 10 May is not guessed."""
    with pytest.raises(InputError, match=f"it should be a day such as 2026-11-24{meant}$"):
        check_scenario({**MINIMAL, "as_of": day})


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ScenarioError, match=f"^discount_rate: {bad} is not usable; a finite number"):
        check_scenario({**MINIMAL, "discount_rate": bad})
    scores = {"gpt-5.4": {"value": 0.9, "low": bad, "high": 1.0}}
    with pytest.raises(ScenarioError, match=r"^quality\.scores\.gpt-5\.4\.low: "):
        check_scenario({**MINIMAL, "quality": {"scores": scores}})


def test_what_is_listed_twice_is_computed_once() -> None:
    """Each plan is replayed for each card, type and number of cards: 300 times the same one is no 300 plans."""
    lists = {"candidates": {"self_hosted": ["qwen3-8b"] * 300, "gpus": ["L4", "T4", "L4"], "methods": ["lora", "lora"]},
             "serving": {"tensor_parallel": [2, 1, 2] * 100, "weight_dtypes": ["fp8"] * 300}}
    found = load_scenario(None, (), None, None, lambda _: None, lists)
    assert (found.candidates.self_hosted, found.candidates.gpus) == (("qwen3-8b",), ("L4", "T4"))
    assert found.candidates.methods == ("lora",)
    assert (found.serving.tensor_parallel, found.serving.weight_dtypes) == ((2, 1), ("fp8",))


@pytest.mark.parametrize("small", [5e-324, 9e-10])
def test_what_is_divided_by_is_no_smaller_than_arithmetic_takes(small: float) -> None:
    for field in ("workload.requests_per_day", "training.retrain_every_months", "incumbent.bill_usd_per_month"):
        with pytest.raises(InputError, match=f"{field}.*must be at least 1e-09"):
            load_scenario(None, (f"{field}={small!r}",))
    with pytest.raises(InputError, match=r"0 must be greater than 0"):
        load_scenario(None, ("training.retrain_every_months=0",))


def test_a_horizon_of_zero_months_is_refused() -> None:
    with pytest.raises(InputError, match="horizon_months: 0 is not usable"):
        check_scenario({**MINIMAL, "horizon_months": 0})


@pytest.mark.parametrize(("cell", "rate", "told"), [
    ({"cached_tokens": 101.0}, 0.5, "cached_tokens, with cache_write_tokens 101, exceed input_tokens, 100"),
    ({"cached_tokens": 60.0, "cache_write_tokens": 41.0}, 0.5, "101, exceed input_tokens, 100"),
    ({"cache_write_tokens": 1.0}, 0.5, "cache_write_tokens needs cached_tokens, 0 where none are read"),
    ({"cached_tokens": 1.0}, 0.0, "lengths have cached_tokens, and cache_hit_rate is 0: say which share of requests reads any"),
])  # fmt: skip
def test_what_lengths_say_of_a_cache_lies_within_their_prompts(cell: dict[str, float], rate: float, told: str) -> None:
    lengths = [{"input_tokens": 100.0, "output_tokens": 1.0, "share": 1.0, **cell}]
    with pytest.raises(InputError, match=re.escape(told)):
        check_scenario({**MINIMAL, "workload": {"requests_per_day": 1.0, "lengths": lengths, "cache_hit_rate": rate}})


def test_lengths_and_means_exclude_each_other() -> None:
    both = {**MINIMAL["workload"], "lengths": [{"input_tokens": 1.0, "output_tokens": 1.0, "share": 1.0}]}
    with pytest.raises(InputError, match="not both"):
        check_scenario({**MINIMAL, "workload": both})
    with pytest.raises(InputError, match="give input_tokens and output_tokens, or lengths"):
        check_scenario({**MINIMAL, "workload": {"requests_per_day": 1.0}})


def test_every_block_has_a_default_but_those_that_only_the_user_knows() -> None:
    needed = {name for name, field in Scenario.model_fields.items() if field.is_required()}
    assert needed == {"as_of", "workload", "incumbent"}


@pytest.mark.parametrize(("today", "last"), [("2026-12-10", "2026-12-11"), ("2025-01-01", "2026-11-24")])
def test_a_day_that_has_not_come_is_refused(monkeypatch, today, last):
    """One day of grace; a clock behind the bundled prices does not refuse them. Another day that is asked for may lie ahead."""
    monkeypatch.setattr("roi.clock.today", lambda: Date.fromisoformat(today))
    late = (Date.fromisoformat(last) + timedelta(days=1)).isoformat()
    assert load_scenario(None, (f"as_of={last}",)).as_of.isoformat() == last
    with pytest.raises(ScenarioError, match=f"^as_of: '{late}' is not usable; a day up to today, {today}; roi diff FILE"):
        load_scenario(None, (f"as_of={late}",))
    assert load_scenario(None, as_of=late).as_of.isoformat() == late


@pytest.mark.parametrize(("day", "taken"), [
    ("2026-11-30", "2026-11-30"), ("2026-10-28", "2026-11-24"), ("2027-02-28", "2026-12-10"), (None, "2026-11-24")])
def test_records_later_than_the_bundled_scenario_are_compared_on_their_day(monkeypatch, day, taken) -> None:
    """No decision is of a day before the log's end, nor of one that has not come."""
    monkeypatch.setattr("roi.clock.today", lambda: Date(2026, 12, 10))
    part = {"workload": {"requests_per_day": 5}, "incumbent": {"provider": "openai", "model": "gpt-6-sol"}}
    found = load_scenario(None, part=part if day is None else {"as_of": day, **part})
    assert found.as_of.isoformat() == taken


def test_a_score_under_the_name_of_the_hub_is_that_of_the_candidate_of_this_name() -> None:
    """Systems of open models are called in lower case; a score written as the candidate is was "not used", and it untested."""
    name = "Qwen/Qwen3-Coder-30B-A3B-Instruct"
    data = {"as_of": "2026-11-24", "workload": {"requests_per_day": 1000, "input_tokens": 1000, "output_tokens": 100},
            "incumbent": {"provider": "openai", "model": "gpt-6-sol"}, "candidates": {"self_hosted": [name]},
            "quality": {"scores": {name: {"value": 0.9, "items": 300}, f"{name}+lora": 0.93, "gpt-6-sol": 0.95},
                        "escalated": {name: 0.1}},
            "tokens": {name: {"ratio": 1.1}}}
    s = check_scenario(data)
    assert list(s.quality.scores) == [name.lower(), f"{name.lower()}+lora", "gpt-6-sol"]
    assert (list(s.quality.escalated), list(s.tokens)) == ([name.lower()], [name.lower()])
    assert strange_names(s) == []
    both = {**data, "quality": {"scores": {name: 0.9, name.lower(): 0.8}}}
    assert list(check_scenario(both).quality.scores) == [name, name.lower()]


@pytest.mark.parametrize(("changes", "says"), [
    ({"currency": "EUR"}, "it should be 'USD'; convert your amounts at the rate of a day"),
    ({"gpu_rents": [{"gpu": "L40S", "vendor": "us", "usd_per_gpu_hour": 0}]}, "0 must be greater .*; cards that cost no rent"),
    ({"workload": {**MINIMAL["workload"], "steps": [{"from_month": 4, "ratio": 2}, {"from_month": 10, "ratio": 1}]}},
     "workload.steps.1.ratio: .*a ratio of 1 changes nothing: .*; 0.5 takes back a step of 2"),
    ({"workload": {**MINIMAL["workload"], "steps": [{"from_month": 4, "ratio": 2}, {"from_month": 4, "ratio": 1.5}]}},
     "workload: steps: from_month 4 stands twice; write one step of both, {from_month: 4, ratio: 3}"),
    ({"incumbent": {**MINIMAL["incumbent"], "ends_in_months": "2027-05-25"}},  # 182 days, of 365 / 12 a month
     "incumbent.ends_in_months: '2027-05-25' is not usable; it should be months from as_of, 2026-11-24: write 5.98$"),
    ({"incumbent": {**MINIMAL["incumbent"], "ends_in_months": "24.10.2026"}}, "from as_of, 2026-11-24: that day is past$"),
    ({"incumbent": {**MINIMAL["incumbent"], "ends_in_months": 2027}},  # 38 and 403 days
     "ends_in_months: 2027 is not usable; it should be months from as_of, 2026-11-24: the year 2027 begins in 1.25 and ends"),
    ({"incumbent": {**MINIMAL["incumbent"], "ends_in_months": {"value": 1900, "source": "a letter"}}}, "and at most 1200$"),
    ({"incumbent": {**MINIMAL["incumbent"], "committed_until": "2027-06-30"}},
     "incumbent: committed_until 2027-06-30 needs committed_usd_per_month, what is owed until then whether used or not$"),
    ({"incumbent": {**MINIMAL["incumbent"], "committed_until": "2027-06-30", "seats": {"users": 5, "usd_per_month": 30}}},
     "needs committed_usd_per_month, .*, or seats.committed_until for what is paid today$"),
    ({"horizon_months": "2028-11-24"}, "from as_of, 2026-11-24: write 24$"),  # 731 days
    ({"timing": {"months_to_live": {"api": "soon"}}}, "'soon' is not usable; it should be a valid number$"),
])
def test_what_is_refused_says_what_to_write_in_its_place(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_scenario({**MINIMAL, **changes})


@pytest.mark.parametrize("text", [
    "costs: [{name: office, option: stay, usd_per_month: 7.300}]", "costs:\n  - {name: a, option: stay, upfront_usd: '7.300'}",
    "apis:\n  openai/gpt-4.1: {committed_usd_per_month: 7.300}", "candidates: {provisioned_throughput: {usd_per_month: 7.300}}",
])  # fmt: skip
def test_an_amount_in_a_list_or_under_a_name_is_asked_alike_and_a_price_by_the_token_is_not(text: str, tmp_path: Path) -> None:
    """$7.300 a month of an office's costs was $7.30. USD a million tokens have three decimals: 1.250 is a price."""
    (tmp_path / "a.yaml").write_text(text + "\n")
    with pytest.raises(InputError, match=re.escape("7.300 is not usable; write 7300, or 7.3 for so many")):
        load_scenario(tmp_path / "a.yaml")
    load_scenario(None, ("apis={openai/gpt-4.1: {input_usd_per_mtok: 1.250, output_usd_per_mtok: 5.000}}",))


@pytest.mark.parametrize(("override", "says"), [
    ("workload.requests_per_day=20.000", "write 20000, or 20 for so many: a point groups no digits"),
    ("training.examples=1.000.000", "write 1000000: a point groups no digits"),
    ("training.examples=1.500", "write 1500, or 1.5 for so many"),
    ("incumbent.bill_usd_per_month=14.500", "write 14500, or 14.5"),
    ("own_hardware.purchase_usd_per_gpu=30.000", "write 30000, or 30 for so many"),
    ("verdict.min_items=1.000", "write 1000, or 1 for so many"),
    ("incumbent.bill_usd_per_month=-9.000", "write -9000, or -9 for so many"),
])  # fmt: skip
def test_a_count_whose_digits_a_point_may_group_is_asked_for(override: str, says: str, tmp_path: Path) -> None:
    """A German 20,000 was taken as 20.000. Of other figures three decimals say something: USD an hour, a ratio of 1.250."""
    block, field, number = re.split("[.=]", override, maxsplit=2)
    for written in (number, f"{{value: {number}, low: 1, high: 99999}}"):
        with pytest.raises(ScenarioError, match=re.escape(says)):
            load_scenario(None, (f"{block}.{field}={written}",))
        (tmp_path / "a.yaml").write_text(f"{block}:\n  {field}: {written}\n")
        with pytest.raises(InputError, match=re.escape(f"a.yaml:2: {block}.{field}") + ".*" + re.escape(says)):
            load_scenario(tmp_path / "a.yaml")
    for quoted in (f"'{number}'", f'" {number}"'):
        (tmp_path / "a.yaml").write_text(f"{block}:\n  {field}: {quoted}\n")
        with pytest.raises(InputError, match=re.escape(says)):
            load_scenario(tmp_path / "a.yaml")
        with pytest.raises(ScenarioError, match=re.escape(says)):
            load_scenario(None, (f"{block}.{field}={quoted}",))
    for other in ("workload.peak_to_mean=1.250", "quality.usd_per_error=1.250",
                  "people.usd_per_hour=95.000", "workload.requests_per_day=20.5",
                  "workload.requests_per_day=0.500", "workload.requests_per_day=1234.500",
                  "incumbent.bill_usd_per_month=224.959"):
        load_scenario(None, (other,))
