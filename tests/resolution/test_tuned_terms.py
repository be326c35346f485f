"""Your own terms of a model that a vendor tunes: its prices by the token, and of training; by hand on 2,628,000 requests."""

from typing import Any

import pytest
from quiet_scenario import PER_MONTH, World, case_of

from roi.errors import InputError

HERE, ELSEWHERE = "fireworks/qwen3-8b", "deepinfra/qwen3-8b"
BY_TOKEN = {"input_usd_per_mtok": 0.2, "output_usd_per_mtok": 0.4}
EACH = 1000 * 0.2e-6 + 100 * 0.4e-6


def asked(name: str, terms: dict[str, Any] | None, **changes: Any) -> World:
    apis = {} if terms is None else {"apis": {f"{name}+tuned": terms}}
    candidates = {"hosted_adapters": [name], "self_hosted": [], "cascade_first": []}
    return World(case_of(candidates=candidates, quality={"scores": {"gpt-5.4": 0.95}}, **apis, **changes))


def test_an_adapter_with_prices_by_the_token_rents_no_gpu_and_trains_at_the_vendors_price() -> None:
    """$0.00024 a request, $630.72 a month. Without them a dedicated GPU by the hour, whatever is asked."""
    served, dedicated = asked(HERE, BY_TOKEN), asked(HERE, None)
    id = f"hosted-adapter:{HERE}"
    paid = sum(served.line(id, name)[1][3] for name in ("API input, uncached", "API output"))
    assert paid == pytest.approx(PER_MONTH * EACH)
    assert "GPU rent" not in served.names(id)
    assert "GPU rent" in dedicated.names(id)
    kept = "training, the run that is kept"
    assert served.line(id, kept)[0] == dedicated.line(id, kept)[0] > 0


def test_its_discount_cache_and_batch_are_those_of_any_api() -> None:
    """A tenth off. 800 of 1,000 prompt tokens at a hit rate of 0.5 read at a tenth; then half of the requests at half price."""
    work = {"shared_prefix_tokens": 800.0, "cache_hit_rate": 0.5}
    id = f"hosted-adapter:{HERE}"

    def month(terms: dict[str, Any], workload: dict[str, Any]) -> float:
        w = asked(HERE, {**BY_TOKEN, **terms}, workload=workload)
        return sum(w.line(id, name)[1][3] for name in w.names(id) if name.startswith("API "))

    assert month({"discount": 0.1}, {}) == pytest.approx(0.9 * PER_MONTH * EACH)
    cached = 600 * 0.2e-6 + 400 * 0.02e-6 + 100 * 0.4e-6
    assert month({"cache_read_usd_per_mtok": 0.02}, work) == pytest.approx(PER_MONTH * cached)
    assert month({}, work) == pytest.approx(PER_MONTH * EACH)
    half = {"batch_input_usd_per_mtok": 0.1, "batch_output_usd_per_mtok": 0.2}
    assert month(half, {"can_wait_share": 0.5}) == pytest.approx(0.75 * PER_MONTH * EACH)


def test_an_announced_price_of_it_is_todays_once_its_day_has_come() -> None:
    """$0.00024 a request, twice that; with output at $1.40 a million $0.00034; and by what was announced alone $0.00024."""
    day, id = {"from_date": "2026-11-20"}, f"hosted-adapter:{HERE}"
    for terms, each in (({**BY_TOKEN, "announced": [{**day, "price_ratio": 2.0}]}, 2 * EACH),
                        ({**BY_TOKEN, "announced": [{**day, "output_usd_per_mtok": 1.4}]}, EACH + 100 * 1e-6),
                        ({"announced": [{**day, **BY_TOKEN}]}, EACH)):
        w = asked(HERE, terms)
        assert sum(w.line(id, name)[1][3] for name in w.names(id) if name.startswith("API ")) == pytest.approx(PER_MONTH * each)


def test_a_vendor_that_the_catalog_does_not_hold_is_usable_with_what_it_takes_for_training() -> None:
    terms = {**BY_TOKEN, "trained_usd_per_mtok": 0.5}
    w, id = asked(ELSEWHERE, terms), f"hosted-adapter:{ELSEWHERE}"
    assert w.line(id, "API output")[1][3] == pytest.approx(PER_MONTH * 100 * 0.4e-6)
    here = asked(HERE, None)  # which takes $0.50 as well
    kept = "training, the run that is kept"
    assert w.line(id, kept)[0] == pytest.approx(here.line(f"hosted-adapter:{HERE}", kept)[0])
    unserved = asked(ELSEWHERE, {"trained_usd_per_mtok": 0.5}).options[id]
    assert unserved.infeasible == ("the catalog has no price for serving it there: apis.deepinfra/qwen3-8b+tuned"
                                   ".input_usd_per_mtok and output_usd_per_mtok state it")
    late = asked(ELSEWHERE, {**terms, "ttft_p95_s": 9.0}).options[id].infeasible
    assert str(late).startswith("TTFT 9 s as measured")


@pytest.mark.parametrize(("apis", "candidate", "told"), [
    ({}, ELSEWHERE, r"of another one state what it takes, apis: \{deepinfra/qwen3-8b\+tuned: \{trained_usd_per_mtok: USD"),
    ({f"{HERE}+tuned": {"input_usd_per_mtok": 0.2}}, HERE, "takes input_usd_per_mtok and output_usd_per_mtok together"),
    ({HERE: BY_TOKEN}, HERE, r"its prices under apis\.fireworks/qwen3-8b\+tuned"),
    ({HERE: {"trained_usd_per_mtok": 0.5}}, HERE, r"it is of the model that the vendor tunes: apis\.fireworks/qwen3-8b\+tuned"),
])  # fmt: skip
def test_what_is_stated_by_half_or_in_another_place_is_refused_with_where_it_stands(apis, candidate, told) -> None:
    with pytest.raises(InputError, match=told):
        case_of(apis=apis, candidates={"hosted_adapters": [candidate], "self_hosted": []})


def test_terms_of_an_adapter_at_a_vendor_that_is_no_candidate_are_refused() -> None:
    with pytest.raises(InputError, match=r"that vendor's is no candidate.*or write fireworks/qwen3-8b\+tuned"):
        asked(HERE, None, apis={f"{ELSEWHERE}+tuned": BY_TOKEN})
