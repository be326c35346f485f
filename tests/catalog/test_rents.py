"""Rents, purchase and tuning prices: the files, the newest row on or before a date, and what vendors ask."""

import re
from collections import defaultdict
from datetime import date

import pytest

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.prices.gpu_offers import purchase_prices, rental_offers, rented_offers
from roi.catalog.prices.own_prices import csv_text
from roi.catalog.prices.vendors import find_tuning_price, open_model_tuning, tuning_prices
from roi.catalog.rows import newest_rows, parse_row, read_rows
from roi.errors import ScenarioError, UnknownName
from roi.facts.price import ApiPrice, PurchasePrice, RentalKind, RentalOffer, TuningPrice
from roi.scenario.file import check_scenario

DAY = date(2026, 11, 24)
RENTALS = read_rows("prices/rentals.csv", RentalOffer)
HISTORY = [
    RentalOffer(gpu="G", vendor="V", kind=RentalKind.ON_DEMAND, usd_per_gpu_hour=usd, source="s", date=day)
    for day, usd in ((date(2026, 3, 1), 3.0), (date(2026, 1, 1), 1.0), (date(2026, 2, 1), 2.0))
]


@pytest.mark.parametrize(
    ("day", "usd"), [(date(2026, 1, 1), 1.0), (date(2026, 1, 31), 1.0), (date(2026, 2, 1), 2.0), (date(2027, 1, 1), 3.0)]
)
def test_the_newest_row_on_or_before_the_date_wins(day, usd):
    assert [row.usd_per_gpu_hour for row in newest_rows(HISTORY, lambda row: row.vendor, day)] == [usd]


def test_nebius_raised_its_h100_between_september_and_november():
    """3.85 in the row of 2026-09-25, 4.50 in that of 2026-11-24."""

    def nebius(day):
        return [o.usd_per_gpu_hour for o in rental_offers(day) if (o.gpu, o.vendor) == ("H100-80GB-SXM", "Nebius")]

    assert nebius(date(2026, 10, 1)) == [3.85]
    assert nebius(DAY) == [4.50]


def test_a_date_before_any_price_names_the_earliest():
    with pytest.raises(ScenarioError, match=r"as_of: '2020-01-01'.*earliest price in this catalog is of 2025-10-31"):
        rental_offers(date(2020, 1, 1))


@pytest.mark.parametrize(
    "names",
    [["T4"], ["L4"], ["A10", "A10G"], ["L40S"], ["A100-40"], ["A100-80"], ["H100"], ["H200"], ["B200"], ["MI300X"], ["4090"]],
)
def test_three_vendors_rent_each_common_gpu(names):
    ids = {find_gpu(name).id for name in names}
    assert len({offer.vendor for offer in rental_offers(DAY) if offer.gpu in ids}) >= 3


def test_every_row_names_a_gpu_of_the_catalog_and_has_source_and_date():
    rows = (*RENTALS, *read_rows("prices/purchase.csv", PurchasePrice), *read_rows("prices/tuning.csv", TuningPrice))
    assert all(row.source and row.date.year > 2020 for row in read_rows("prices/hosted.csv", ApiPrice))
    for row in rows:
        assert row.gpu is None or find_gpu(row.gpu).id == row.gpu
        assert row.source
        assert row.date.year > 2020
    assert len(RENTALS) > 80


def test_no_offer_is_stated_twice_on_one_day():
    seen = defaultdict(list)
    for o in RENTALS:
        seen[o.gpu, o.vendor, o.kind, o.gpus_per_instance, o.minimum_months, o.date].append(o)
    assert [key for key, offers in seen.items() if len(offers) > 1] == []


def test_instances_have_the_size_that_the_vendor_sells():
    """p5, p4d and p4de hold 8 GPUs; g5, g6 and g6e.xlarge one; Azure's NVL machine one."""
    size = {(o.vendor, o.gpu): o.gpus_per_instance for o in rental_offers(DAY) if o.kind == "on-demand"}
    assert [size["AWS", find_gpu(g).id] for g in ("H100", "A100-40", "A100-80")] == [8, 8, 8]
    assert [size["AWS", g] for g in ("T4", "A10G", "L4", "L40S")] == [1, 1, 1, 1]
    assert size["Azure", "H100-94GB-NVL"] == 1


def test_reserved_offers_carry_a_commitment():
    reserved = [o for o in rental_offers(DAY) if o.kind is RentalKind.RESERVED]
    assert reserved
    assert all(o.minimum_months == 12 for o in reserved)


def test_purchase_prices_hold_their_own_spread():
    assert {row.gpu for row in purchase_prices(DAY)} >= {find_gpu(g).id for g in ("H100", "H200", "B200", "A100-80", "4090")}
    for row in purchase_prices(DAY):
        assert row.low_usd_per_gpu < row.usd_per_gpu < row.high_usd_per_gpu
    assert {row.gpu: row.usd_per_gpu for row in purchase_prices(DAY)}["H100-80GB-SXM"] == 31600


def test_openai_takes_no_new_job_after_6_january_2027():
    (mini,) = find_tuning_price("openai", "gpt-4o-mini", DAY)
    assert mini.new_jobs_until == date(2027, 1, 6)
    assert mini.retires_on == date(2027, 1, 14)
    assert (mini.usd_per_mtok_trained, mini.input_usd_per_mtok, mini.output_usd_per_mtok) == (3, 0.30, 1.20)
    (nano,) = find_tuning_price("openai", "gpt-4.1-nano", DAY)
    assert nano.retires_on == date(2026, 10, 23)


def test_an_open_model_is_tuned_in_the_smallest_class_that_holds_it():
    """An 8.2B model: Together and Fireworks "<=16B", Ori "<=10B", Tinker by name. A 70.6B model: "70-100B" and "16-80B"."""
    small = {(row.vendor, row.model) for row in open_model_tuning("qwen3-8b", 8.19e9, DAY)}
    assert small == {("together", "<=16B"), ("fireworks", "<=16B"), ("ori", "<=10B"), ("tinker", "Qwen3-8B")}
    large = {(row.vendor, row.model) for row in open_model_tuning("llama-3.3-70b", 70.6e9, DAY)}
    assert large == {("together", "70-100B"), ("fireworks", "16-80B")}
    assert open_model_tuning("llama-3.1-405b", 405e9, DAY) == ()


def test_a_dedicated_deployment_names_its_gpu_and_hourly_fee():
    fees = {row.gpu: row.usd_per_hosting_hour for row in find_tuning_price("fireworks", "<=16B", DAY)}
    assert fees == {"H100-80GB-SXM": 7, "H200-141GB-SXM": 7, "B200-192GB-SXM": 10}
    assert all(row.gpu is None or row.usd_per_hosting_hour > 0 for row in tuning_prices(DAY))


def test_tuning_that_has_no_price_yet_names_the_first_day_with_one():
    with pytest.raises(ScenarioError, match=r"as_of: '2026-10-01' .* earliest price of tuning azure/gpt-4.1 is of 2026-11-24"):
        find_tuning_price("azure", "gpt-4.1", date(2026, 10, 1))


def test_an_unknown_tuning_vendor_names_the_nearest():
    with pytest.raises(UnknownName, match="unknown tuning vendor 'togther'; nearest: together"):
        find_tuning_price("togther", "<=16B", DAY)


INDEX = {("H100-80GB-SXM", "SemiAnalysis index"), ("B200-192GB-SXM", "market")}
"""What the catalog holds of means and surveys of contracts."""


def test_an_index_of_rents_is_marked_and_no_row_of_a_vendor_is() -> None:
    said = {(row.gpu, row.vendor) for row in RENTALS if re.search("index|market$|contracts", f"{row.vendor} {row.note}")}
    assert {(row.gpu, row.vendor) for row in RENTALS if row.index} == said == INDEX


def rented(**candidates: object) -> list[tuple[str, int, float]]:
    """The H100 that a scenario may rent: vendor, GPUs of an instance, USD an hour."""
    asked = {"requests_per_day": 1000.0, "input_tokens": 1.0, "output_tokens": 1.0}
    s = check_scenario({"as_of": DAY.isoformat(), "workload": asked, "incumbent": {"provider": "openai", "model": "gpt-5.4"},
                        "candidates": {"gpus": ["h100-sxm"], "self_hosted": ["qwen3-8b"], **candidates}})  # fmt: skip
    return [(o.vendor, o.gpus_per_instance, o.usd_per_gpu_hour) for o in rented_offers(s)]


def test_an_index_is_no_candidate_unless_it_is_named() -> None:
    """The cheapest 8 x H100 that can be ordered is Lambda's at $3.99, not the index's $2.35 of 238 days ago."""
    eights = [(usd, vendor) for vendor, size, usd in rented() if size == 8]
    assert min(eights) == (3.99, "Lambda")
    assert rented(vendors=["semianalysis index"]) == [("SemiAnalysis index", 8, 2.35)]
    assert len(rented(vendors=["SemiAnalysis index", "Lambda"])) == 3


def test_a_rent_of_ones_own_is_written_without_a_column_for_indices() -> None:
    """Left out as other columns that no row needs; True is written and read again."""
    row = HISTORY[0]
    assert "index" not in csv_text(RentalOffer, [row])
    text = csv_text(RentalOffer, [row, row.model_copy(update={"index": True})])
    heads, *lines = (line.split(",") for line in text.splitlines())
    assert [parse_row(RentalOffer, dict(zip(heads, line, strict=True))).index for line in lines] == [False, True]
