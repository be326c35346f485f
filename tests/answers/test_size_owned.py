"""`roi size` with cards that are owned: a plan beside those that are rented, within their number."""

import pytest
from sizing_support import size_text, sized_scenario

from roi.answers.size import size_service
from roi.errors import InputError
from roi.report.serving.size import frontier
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario


@pytest.fixture
def size(tmp_path):
    file = sized_scenario(tmp_path)
    return lambda *overrides: size_service(resolve(load_scenario(file, overrides)))


@pytest.mark.usefixtures("whole_days")
def test_owned_cards_are_a_plan_that_costs_power_and_space_and_no_rent(size):
    """One A100 draws 0.4 kW: x 0.7 of the board limit x PUE 1.4 x 730 h x $0.15 = $42.92 a month; no colocation is said."""
    found = size("own_hardware.cards={A100-80GB-SXM: 8}", "own_hardware.usd_per_kwh=0.15")
    own, rented = found.plans[:2]
    assert (rented.owned, own.owned, own.gpu) == (None, 8, "A100-80GB-SXM")
    assert [plan.fleet.usd_per_month for plan in found.plans] == sorted(plan.fleet.usd_per_month for plan in found.plans)
    assert own.fleet.usd_per_month == pytest.approx(own.fleet.gpus * 42.924)
    assert own.fleet.gpus == own.replicas + own.spares
    assert sum(plan.owned is not None for plan in found.plans) == 1
    assert all(fleet.gpus <= 8 for fleet in own.fleets)
    lines = size_text(found).splitlines()
    text = " ".join(" ".join(lines).split())
    assert f"Cheapest plan that holds: {own.replicas} replica" in text
    assert "Your own cards hold it too:" not in text
    assert f" a month of power and space; {own.fleet.gpus} of 8 cards are used." in text
    assert "1 x A100-80GB-SXM fp8, yours 0.0588" in text
    assert "what selling the cards would bring is not in it" in text
    assert len(lines) <= 40
    assert max(map(len, size_text(found, full=True).splitlines())) <= 80
    assert frontier(found)[0][0] is own


@pytest.mark.full
@pytest.mark.usefixtures("whole_days")
def test_owned_cards_that_cost_more_than_rent_come_after_it_and_are_said_to_hold_too(size):
    """At $15 a kWh the same card costs $4,292 a month."""
    found = size("own_hardware.cards={A100-80GB-SXM: 8}", "own_hardware.usd_per_kwh=15")
    own = found.plans[-1]
    assert (found.plans[0].owned, own.owned) == (None, 8)
    text = " ".join(size_text(found).split())
    assert f"Cheapest plan that holds: {found.plans[0].replicas} replica" in text
    assert f"Your own cards hold it too: {own.replicas} replica" in text
    assert max(map(len, size_text(found, full=True).splitlines())) <= 80


def test_all_owned_cards_draw_power_where_they_are_kept_as_a_whole(size):
    """Eight of them: 8 x $42.92."""
    own = size("own_hardware={cards: {A100-80GB-SXM: 8}, usd_per_kwh: 0.15, as_a_whole: true}").plans[0]
    assert own.fleet.usd_per_month == pytest.approx(8 * 42.924)


def test_what_cards_would_sell_for_decides_nothing_of_what_they_draw(size):
    """An A100 of 40 GB draws 0.4 kW and one is enough; a 3090 draws 0.35 kW and two are needed. Power is all that is priced."""
    words = ("own_hardware.cards={RTX-3090: 8, A100-40GB-SXM: 2}", "own_hardware.usd_per_kwh=0.25", "workload.ttft_p95_s=5")
    worths = ("{RTX-3090: 700, A100-40GB-SXM: 3500}", "{RTX-3090: 10, A100-40GB-SXM: 9000}", "0")
    for plans in (size(*words, f"own_hardware.resale_usd_per_gpu={worth}").plans for worth in worths):
        mine = [plan for plan in plans if plan.owned is not None]
        assert {plan.gpu for plan in mine} == {"RTX-3090", "A100-40GB-SXM"}
        assert (mine[0].gpu, mine[0].fleet.gpus) == ("A100-40GB-SXM", 2)
        assert mine[0].fleet.usd_per_month == pytest.approx(2 * 0.7 * 1.4 * 0.4 * 730 * 0.25)


def test_more_cards_than_are_owned_are_no_plan_and_said(size):
    found = size("own_hardware.cards={A100-80GB-SXM: 1}")
    assert all(plan.owned is None for plan in found.plans)
    said = " ".join(size_text(found).split())
    assert "Your own cards do not hold it: 2 x A100-80GB-SXM are needed, spares included, 1 are yours, enough without a" in said
    found = size("own_hardware.cards={A100-80GB-SXM: 1}", "serving.tensor_parallel=[2]", "candidates.gpus=[MI300X]",
                 "candidates.vendors=[TensorWave]")
    assert "do not hold it: serving.tensor_parallel names no replica as small" in " ".join(size_text(found).split())


def test_cards_too_few_for_a_spare_are_a_floor_which_needs_none(size):
    """One A100 holds the peak, a spare makes two: with one card the same floor stays, at 0.7 x 1.4 x 0.4 kW x 730 h x $0.01."""
    few = [size(f"own_hardware.cards={{A100-80GB-SXM: {cards}}}", "own_hardware.usd_per_kwh=0.01") for cards in (1, 2)]
    assert [found.plans[0].owned for found in few] == [None, 2]
    [one] = [way for way in few[0].ways if way.name == "floor on your A100-80GB-SXM, the rest to the API"]
    [two] = [way for way in few[1].ways if way.name == "floor, the rest to the API"]
    assert (one.gpus, one.usd) == (two.gpus, two.usd)
    assert one.rent_usd == pytest.approx(0.7 * 1.4 * 0.4 * 730 * 0.01)
    assert all("The API alone costs less" not in size_text(found, full=full) for found in few for full in (False, True))


def test_owned_cards_are_the_answer_where_no_rented_one_holds(size):
    """A TTFT of 0.1 s is too short for an L40S, the one card that may be rented."""
    with pytest.raises(InputError, match="no plan holds"):
        size("workload.ttft_p95_s=0.1")
    found = size("workload.ttft_p95_s=0.1", "own_hardware.cards={H200-141GB-SXM: 8}", "own_hardware.usd_per_kwh=0.1")
    assert found.plans[0].owned == 8
    assert "H200-141GB-SXM fp8, yours: $" in " ".join(size_text(found).split())
    assert "autoscaled by the hour" not in {way.name for way in found.ways}
    assert all(way.gpus <= 8 for way in found.ways)


def test_words_say_of_what_each_share_is_and_which_vendor_rents_whole_instances(size):
    found = size("candidates.gpus=[MI300X]", "candidates.vendors=[TensorWave]", "workload.can_wait_share=0.3",
                 "incumbent.batch_share=0.3")
    text = " ".join(size_text(found).split())
    assert "% of the time." in text
    assert "20% of the requests a second that hold the SLO are kept free" in text
    assert "TensorWave rents 8 GPUs at a time" in text
    assert "all of it to the API (gpt-6-luna; 30% of the requests in batch)" in text
