"""A Case's paths stand beside the fields that they fill: what resolution writes is what the economics reads."""

import re
from collections.abc import Iterator
from datetime import date

import pytest
from long_tables import every_row

from roi.catalog.prices.api_prices import find_api_price
from roi.economics.decision.evaluation import read_all
from roi.economics.inputs import (
    At,
    Hardware,
    Option,
    OwnCost,
    Plan,
    Shared,
    Tokens,
    Training,
    path_of,
    places,
)
from roi.economics.paid_units import Provisioned
from roi.economics.price_list import AnnouncedRates, Api
from roi.economics.worked_out import BillFacts, ErrorRate, OptionFacts, PlanFacts, TrainingFacts
from roi.facts.price import ApiPrice
from roi.resolution.resolution import Resolved, resolve
from roi.resolution.vendors.api_options import LISTED
from roi.scenario.file import load_scenario

RECORDS = (
    Shared, Tokens, Api, AnnouncedRates, Plan, Training, Hardware, Provisioned, Option, OwnCost, BillFacts, ErrorRate,
    OptionFacts, PlanFacts, TrainingFacts,
)  # fmt: skip

OWN_TERMS = ("{setup_hours: 1, run_hours_per_month: 1, months_to_live: 1, months_in_parallel: 1, evaluation_usd: 1,"
             " evaluation_labels: 1, spares: 1}")
EVERYTHING = (
    "own_hardware.cards={A100-80GB-SXM: 8}", "own_hardware.life_months=12", "serving.spill_share=0.1",
    "serving.prefix_hit_rate=0.9",
    "serving.billing_hours=1",
    "gpu_rents=[{gpu: h100-sxm, vendor: CoreWeave, usd_per_gpu_hour: 1.5, minimum_months: 12, cancel_usd: 500}]",
    "gpu_rents.0.later_gpus_bound=false",
    "candidates.methods=[lora]", "serving.adapters=shared", "serving.adapters_on_base=2", "training.adapters=3",
    "training.labels_owned=true",
    "workload.escalated_cache_hit_rate=0.1", "incumbent.successor_price_ratio=0.9", "incumbent.successor_error_ratio=1",
    "training.retrain_every_months=6", "tokens.gpt-6-luna.prompt_tokens_after_tuning=10",
    "candidates.api_models=[openai/gpt-6-luna,anthropic/claude-haiku-5-5,openai/gpt-4.1,openai/o4-mini,openai/gpt-3.5-turbo]",
    "workload.lengths.31.input_tokens=20000",
    "candidates.cascade_first=[openai/gpt-6-luna,anthropic/claude-haiku-5-5]", "quality.escalated.claude-haiku-5-5=0.1",
    "quality.scores.claude-haiku-5-5 > gpt-6-sol={value: 0.9, low: 0.8, high: 0.95, items: 200}",
    "quality.kept_error_rate.gpt-6-luna={value: 0.05, items: 300}", "quality.escalated={qwen3-8b: 0.1, claude-haiku-5-5: 0.1}",
    "quality.escalated_error_rate.qwen3-8b={value: 0.1, items: 100}", "quality.judge_usd_per_request=0.0001",
    "apis.openai/gpt-6-luna={discount: 0.1, cache_hit_rate: 0.5, batch_share: 0.1, committed_usd_per_month: 1}",
    "apis.openai/gpt-6-luna.committed_until=2027-06-30", "workload.shared_prefix_tokens=1024", "workload.cache_hit_rate=0.5",
    "candidates.shorter_prompt={prefix_tokens: 100, setup_hours: 20}", "candidates.less_reasoning.output_ratio=0.5",
    "candidates.flexible_tier={price_ratio: 0.5, share: 0.1}", "incumbent.tier_price_ratio=0.5",
    "incumbent.flexible_tier={price_ratio: 0.5, share: 0.1}",
    "training.retrain_evaluates=false", "candidates.provisioned_throughput={usd_per_month: 1000, requests_per_s: 1}",
    "accept=[growth]", "training.gpu_hours=10", "training.usd_per_gpu_hour=2", "platform.total=500",
    "workload.steps=[{from_month: 3, ratio: 2}]", "workload.waits_hours=30", "apis.openai/gpt-6-luna.batch_hours=20",
    f"options.hybrid={OWN_TERMS}", f"options.cheaper-api:openai/gpt-6-luna={OWN_TERMS}",
    "costs=[{name: review, option: all but stay, upfront_usd: 1, usd_per_month: 2, from_month: 1, to_month: 3}]",
    "costs.0.usd_per_request=1", "candidates.hosted_models=[groq/llama-3.1-8b-instant]", "quality.scores.llama-3.1-8b=0.9",
    "quality.scores.gpt-6-sol={value: 0.9, items: 200}",
    "quality.scores.qwen3-8b={value: 0.85, paired: {both_right: 80, only_incumbent: 10, only_this: 5, both_wrong: 5}}",
    "quality.cautions=[{says: 3 of 40 items have no score, about: qwen3-8b}]",
    "quality.scores.gpt-6-sol={value: 0.9, items: 120}",
)
"""Fields with which every fact that a scenario can lead to is written."""

ONLY_TOLD = (
    r"title", r"as_of", r"accept", r"reconciliation\.(as_with|told|bill_over_units)", r"incumbent\.context_tokens",
    r"quality\.cautions\..+",
    r"vendors\..+\.(?:successor|ends_elsewhere|announced\.\d+\.from)",
    r"systems\..+\.(?:error_rate\.items|(?:kept|escalated)_error_rate\.items)",
    r"(?:vendors|systems)\..+\.(?:follows|correlation|beside|beside_correlation)",
    r"draws", r"seed", r"unused", r"candidates\.in_use", r"prices\.unusual", r"quality\.(?:gate_(?:doubt|impossible)|in_vain)",
    r"workload\.tokens_told",
    r"gates\.\w+", r"training\.labels_from", r"workload\.(ttft|tpot)_p95_s",
    r"serving\.prefix_hit_rate",
    r"options\..+\.plans\.\d+\.(rental|adapter_bytes_per_gpu|adapter_slots|in_flight|in_flight_measured|tokens|tokens_measured|measured_by)",
    r"options\..+\.(?:longest_tokens|longest_is_context|too_long_counted)",
    r"options\..+\.training\.(gpus?|memory_bytes)", r"own_hardware\.gpus_per_server",
    r"changes\.own_hardware\.\w+", r"serving\.speed\..+_(low|high)", r"serving\.adapter_speed\..+_(low|high)",
)
"""Facts that the report tells or the draws need, and no record holds."""
ONLY_SAVED = {
    "quality.evaluation_noise", "options.{option}.escalated_share", "systems.{system}.right_where_right",
    "systems.{system}.right_where_wrong",
}  # fmt: skip
"""Places of older comparisons, which resolution writes no more."""


class Watched(dict):
    """Values that remember which paths were asked for."""

    def __init__(self, values):
        super().__init__(values)
        self.asked = set()

    def get(self, path, default=None):
        self.asked.add(path)
        return super().get(path, default)

    def __getitem__(self, path):
        self.asked.add(path)
        return super().__getitem__(path)

    def __contains__(self, path):
        self.asked.add(path)
        return super().__contains__(path)


@pytest.fixture(scope="module")
def resolved() -> Iterator[Resolved]:
    """With a list of gpt-6-luna that is announced, which no vendor of the catalog has in all rates."""
    rates = dict.fromkeys(LISTED, (1.0,)) | {"edges_tokens": (0.0,)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("roi.resolution.vendors.list_prices.find_api_price", lambda *asked: _changing(find_api_price(*asked)))
        patch.setattr("roi.resolution.vendors.list_prices.announced_price",
                      lambda price: price.model_copy(update={**rates, "changes_on": None}))  # fmt: skip
        yield resolve(load_scenario(None, EVERYTHING))


def _changing(price: ApiPrice) -> ApiPrice:
    return price.model_copy(update={"changes_on": date(2027, 3, 1)}) if price.model == "gpt-6-luna" else price


@pytest.fixture(scope="module")
def sharded() -> Resolved:
    """Where no hours of training are stated, one owned card does not hold it, and staying is not allowed."""
    seats = "incumbent.seats={users: 300, usd_per_month: 30, growth_per_year: 0.1}"
    words = ("own_hardware.cards={L40S: 8}", "candidates.methods=[full]", "incumbent.may_stay=false", seats)
    return resolve(load_scenario(None, words))


@pytest.fixture(scope="module")
def by_unit() -> Resolved:
    """Where units of throughput are paid today, some of them idle."""
    units = "incumbent.provisioned_throughput={units: 50, usd_per_month: 260, peak_utilization: 0.6, spills_over: false}"
    words = ("incumbent.provisioned_throughput.committed_until=2027-05-24", "incumbent.uses_cache=true")
    return resolve(load_scenario(None, (units, *words)))


@pytest.mark.full
@pytest.mark.parametrize("where", ["resolved", "sharded", "by_unit"])
def test_every_fact_is_read_into_a_record_or_is_one_that_is_only_told(where, request):
    resolved = request.getfixturevalue(where)
    values = Watched(resolved.case.values())
    read_all(resolved.case, values)
    unread = [path for path in values if path not in values.asked]
    assert [path for path in unread if not any(re.fullmatch(told, path) for told in ONLY_TOLD)] == []


@pytest.mark.full
@every_row("field, at", [(f"{record.__name__}.{name}", at) for record in RECORDS for name, at in places(record).items()])
def test_every_place_of_a_field_is_written_by_resolution(
    resolved: Resolved, sharded: Resolved, by_unit: Resolved, field: str, at: At
) -> None:
    for path in set(at.paths) - ONLY_SAVED:
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(path))
        facts = (written for each in (resolved, sharded, by_unit) for written in each.case.facts)
        assert any(re.fullmatch(pattern, written) for written in facts), (field, path)


def test_places_of_older_comparisons_are_still_read():
    assert {path for record in RECORDS for at in places(record).values() for path in at.paths} >= ONLY_SAVED


def test_a_path_holds_the_names_of_its_option_and_plan():
    assert path_of(Plan, "watts", option="hybrid:m", plan=2) == "options.hybrid:m.plans.2.watts"
    assert path_of(Shared, "growth") == "workload.growth_per_year"


def test_plans_are_the_records_that_the_cases_plans_were_written_from(resolved):
    shared_and_options = read_all(resolved.case, resolved.case.values())
    plans = {id: option.plans for id, option in shared_and_options[1].items() if option.plans}
    assert plans.keys() == resolved.plans.keys()
    for id, records in resolved.plans.items():
        told = [(p.gpu, p.weight_dtype, p.gpus_per_replica, p.vendor, p.capacity, p.pooling) for p in plans[id]]
        assert told == [
            (r.offer.gpu, r.serving.weight_dtype, r.serving.tensor_parallel, r.offer.vendor,
             r.capacity.alone.requests_per_s, r.capacity.pooling) for r in records
        ]  # fmt: skip
