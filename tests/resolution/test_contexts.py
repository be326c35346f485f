"""A candidate whose model cannot take the requests is not possible; the reason names its context and the field to shorten."""

import pytest

from roi.economics.decision.comparison import Comparison, compare
from roi.resolution.resolution import Resolved, resolve
from roi.scenario.file import check_scenario, load_scenario

LONG = {
    "as_of": "2026-11-27", "draws": 0,
    "workload": {"requests_per_day": 5000, "input_tokens": 180_000, "output_tokens": 500, "can_wait_share": 1.0},
    "incumbent": {"provider": "openai", "model": "gpt-6.1-sol"},
    "quality": {"bar": 0.8, "usd_per_error": 0.1,
                "scores": {"gpt-6.1-sol": 0.92, "gpt-4o-mini": 0.9, "qwen3-8b": 0.9, "qwen3-8b+lora": 0.91}},
    "candidates": {"api_models": ["openai/gpt-4o-mini", "acme/own"], "cascade_first": ["openai/gpt-4o-mini"],
                   "self_hosted": ["qwen3-8b"], "vendor_tuned": ["openai/gpt-4o-mini"],
                   "hosted_adapters": ["together/qwen3-8b"], "own_hardware": True},
    "apis": {"acme/own": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 4.0}},
}  # fmt: skip


def barred(c: Comparison, says: str = "does not fit the context") -> dict[str, str]:
    return {o.id: o.reason for o in c.infeasible if says in o.reason}


def test_every_option_whose_context_is_too_short_is_barred_and_one_of_unknown_context_is_not() -> None:
    found = resolve(check_scenario(LONG))
    c = compare(found.case)
    told = barred(c)
    api = {f"{kind}:openai/gpt-4o-mini" for kind in ("cheaper-api", "cascade", "vendor-tuned")}
    base = {f"{kind}:qwen3-8b{tuned}" for kind in ("hybrid", "own-hardware") for tuned in ("", "+lora")}
    served = {"self-hosted-base:qwen3-8b", "self-hosted-adapter:qwen3-8b+lora", "hosted-adapter:together/qwen3-8b"}
    assert told.keys() == api | base | served
    assert all("128,000" in told[id] for id in api)
    assert all("context of qwen3-8b, 40,960 tokens" in told[id] for id in told.keys() - api)
    assert all(reason.endswith("shorten workload.input_tokens") for reason in told.values())
    assert "cheaper-api:acme/own" in {o.id for o in c.options}
    assert found.plans == {}


def test_a_vendor_that_states_no_context_takes_what_the_open_model_takes() -> None:
    """Groq's price list says none for llama-3.1-8b-instant; Llama-3.1-8B takes 131,072 tokens."""
    scores = {**LONG["quality"]["scores"], "llama-3.1-8b-instant": 0.9}
    hosted = {**LONG, "quality": {**LONG["quality"], "scores": scores}, "apis": {},
              "candidates": {"api_models": ["groq/llama-3.1-8b-instant"]}}
    told = barred(compare(resolve(check_scenario(hosted)).case))
    assert told.keys() == {"cheaper-api:groq/llama-3.1-8b-instant"}
    assert "context of llama-3.1-8b-instant, 131,072 tokens" in told["cheaper-api:groq/llama-3.1-8b-instant"]


@pytest.mark.parametrize(("tokens", "barred_by_it"), [(40_460, False), (40_461, True)])
def test_the_whole_request_must_fit_with_its_answer(tokens: int, barred_by_it: bool) -> None:
    """40,460 + 500 = 40,960, the context of qwen3-8b."""
    alone = {**LONG, "workload": {**LONG["workload"], "input_tokens": tokens}, "candidates": {"self_hosted": ["qwen3-8b"]}}
    assert ("hybrid:qwen3-8b" in barred(compare(resolve(check_scenario({**alone, "apis": {}})).case))) == barred_by_it


def of_lengths(*bins: tuple[int, float], incumbent: dict[str, str] | None = None, **candidates: object) -> Resolved:
    """Prompts of so many tokens have this share of the requests; every answer has 100."""
    lengths = [{"input_tokens": tokens, "output_tokens": 100, "share": share} for tokens, share in bins]
    scores = {**LONG["quality"]["scores"], "gpt-4o": 0.92}
    return resolve(check_scenario({
        **LONG, "workload": {"requests_per_day": 5000, "can_wait_share": 1.0, "lengths": lengths}, "apis": {},
        "quality": {**LONG["quality"], "scores": scores}, "incumbent": incumbent or LONG["incumbent"],
        "costs": [{"name": "servers", "option": "stay", "usd_per_month": 1.0}],
        "candidates": {"self_hosted": ["qwen3-8b"], "gpus": ["h100-sxm"], **candidates}}))


def test_where_all_must_stay_with_a_candidate_a_twentieth_may_be_longer_with_a_warning() -> None:
    told = "qwen3-8b: 4.0% of requests, 69.5% of tokens, are longer than its context, 40,960 tokens"  # 2,404 : 2,404 + 1,056
    few, many = (of_lengths((1000, 1.0 - share), (60_000, share), by_length=False) for share in (0.04, 0.06))
    assert any(warning.startswith(told) for warning in few.warnings)
    assert barred(compare(few.case), "context") == {}
    assert "6% of the requests do not fit" in barred(compare(many.case), "context")["hybrid:qwen3-8b"]


@pytest.mark.parametrize("share", [0.0001, 0.04, 0.4, 0.9])
def test_what_is_longer_than_a_context_goes_to_the_api_and_the_fleet_is_for_the_rest(share: float) -> None:
    """Replicas are replayed with the short requests alone: as without the long ones, whatever their share is. All can wait, so
    today's model in batch is the cheapest API."""
    found, short = of_lengths((1000, 1.0 - share), (60_000, share)), of_lengths((1000, 0.5), (1000, 0.5))
    case, id = found.case, "self-hosted-base:qwen3-8b"
    stated = [case[f"options.{id}.{name}"].value for name in ("too_long", "long_to", "longest_tokens")]
    assert stated == [(0.0, 1.0), "cache-batch", 40_960]
    assert any(f"qwen3-8b: {share:.1%} of requests are longer than its context, 40,960 " in told for told in found.warnings)
    held, alone = ({(p.offer.gpu, p.serving.weight_dtype): p.capacity.alone.requests_per_s for p in each.plans[id]}
                   for each in (found, short))
    assert held == pytest.approx(alone)
    [option] = [o for o in compare(case).options if o.id == id]
    assert option.sent_on is not None
    assert option.sent_on.share_of_requests == pytest.approx(share)
    assert option.sent_on.share_of_tokens == pytest.approx(60_100 * share / (60_100 * share + 1100 * (1.0 - share)))


def test_an_adapter_is_trained_on_the_lengths_that_its_option_takes() -> None:
    """1,000 examples of 0.6 x 1,100 + 0.4 x 3,100 = 1,900 tokens; run and memory are those without the long requests."""
    def facts(*bins: tuple[int, float]) -> dict[str, object]:
        lengths = [{"input_tokens": tokens, "output_tokens": 100, "share": share} for tokens, share in bins]
        case = resolve(check_scenario({
            **LONG, "workload": {"requests_per_day": 5000, "can_wait_share": 1.0, "lengths": lengths}, "apis": {},
            "training": {"examples": 1000, "epochs": 1}, "candidates": {
                "self_hosted": ["qwen3-8b"], "base": False, "hosted_adapters": ["fireworks/qwen3-8b"],
                "gpus": ["RTX-4090"]}})).case
        own, vendors = "self-hosted-adapter:qwen3-8b+lora", "hosted-adapter:fireworks/qwen3-8b"
        paths = (f"options.{own}.training.memory_bytes", *(f"options.{id}.training.gpu_hours_per_run" for id in (own, vendors)),
                 f"options.{vendors}.training.vendor_usd_per_run")
        sources = [case[path].source for path in paths]
        assert any(source.startswith("1,900,000 tokens") for source in sources), sources
        return {path: case[path].value for path in paths}

    assert facts((1000, 0.588), (3000, 0.392), (60_000, 0.02)) == pytest.approx(facts((1000, 0.6), (3000, 0.4)))


def test_what_is_too_long_goes_nowhere_where_all_fits_where_nothing_does_and_where_no_api_takes_it() -> None:
    """gpt-4o takes 128,000 tokens itself; a model that one serves is no API. The four shares add up to 1 but for rounding."""
    fits, none = of_lengths((1000, 0.5), (40_000, 0.5)), of_lengths(*((60_000, x) for x in (0.6386, 0.1507, 0.1523, 0.0584)))
    too_short = of_lengths((1000, 0.9), (130_000, 0.1), incumbent={"provider": "openai", "model": "gpt-4o"})
    own = of_lengths((1000, 0.9), (60_000, 0.1), incumbent={"provider": "self-hosted", "model": "gpt-6.1-sol"})
    for found in (fits, none, too_short, own):
        assert not any(path.endswith((".too_long", ".long_to")) for path in found.case.facts)
    assert barred(compare(fits.case), "context") == {}
    for found in (none, too_short, own):
        assert "self-hosted-base:qwen3-8b" in barred(compare(found.case), "context")


def test_a_card_that_has_no_room_for_the_longest_serves_the_longest_that_it_holds() -> None:
    """Beside 16.4 GB of weights a card of 24 GB holds 20,100 tokens of 144 KiB (3.0 GB), and no 40,100 (5.9 GB)."""
    bins = (1000, 0.9), (20_000, 0.06), (39_000, 0.02), (40_000, 0.02)
    id, kept = "self-hosted-base:qwen3-8b", {"gpus": ["RTX-4090"], "base": True, "methods": [], "hybrid": False}
    serving = {"weight_dtypes": ["bf16"], "tensor_parallel": [1]}
    lengths = [{"input_tokens": tokens, "output_tokens": 100, "share": share} for tokens, share in bins]
    data = {**LONG, "workload": {"requests_per_day": 5000, "can_wait_share": 1.0, "lengths": lengths}, "apis": {},
            "serving": serving, "candidates": {"self_hosted": ["qwen3-8b"], **kept}}
    case = resolve(check_scenario(data)).case
    assert case[f"options.{id}.too_long"].value == (0.0, 0.0, 1.0, 1.0)
    assert case[f"options.{id}.longest_tokens"].value == 20_100
    [option] = [o for o in compare(case).options if o.id == id]
    assert option.sent_on is not None
    assert not option.sent_on.of_context
    refused = resolve(check_scenario({**data, "candidates": {"self_hosted": ["qwen3-8b"], **kept, "by_length": False}})).case
    assert "KV memory" in str(refused[f"options.{id}.infeasible"].value)


def test_requests_longer_than_a_replica_holds_are_told_with_their_share_and_nothing_is_where_all_fit() -> None:
    """40,100 tokens of 144 KiB are 5.9 GB; beside 16.4 GB of weights a card of 24 GB has no room for them, two have. Exactly
    4% of the requests of each replay have this length; a stated capacity stands, since nothing of it is replayed. Of 32,400
    one is 0.003%, which is not none."""
    def told(gpus: int, share: float = 0.04) -> list[str]:
        bins = [{"input_tokens": 1000, "output_tokens": 100, "share": 1.0 - share},
                {"input_tokens": 40_000, "output_tokens": 100, "share": share}]
        found = resolve(check_scenario({
            **LONG, "workload": {"requests_per_day": 5000, "can_wait_share": 1.0, "lengths": bins}, "apis": {},
            "candidates": {"self_hosted": ["qwen3-8b"], "gpus": ["RTX-4090"]},
            "serving": {"weight_dtypes": ["bf16"], "tensor_parallel": [gpus], "capacities": [
                {"model": "qwen3-8b", "gpu": "RTX-4090", "gpus": gpus, "requests_per_s": 2.0}]}}))
        return [warning for warning in found.warnings if "a replica refuses" in warning]

    assert told(1) == [f"qwen3-8b{tuned}: a replica refuses requests longer than it holds: 4.00% on 1 x RTX-4090 bf16; they are"
                       " counted as if it took them: cut them, or send them elsewhere" for tuned in ("", "+lora")]
    assert told(2) == []
    assert all("holds: less than 0.01% on" in warning for warning in told(1, 3e-5))
    assert len(told(1, 3e-5)) == 2


def test_the_bundled_scenario_fits_every_context() -> None:
    assert barred(compare(resolve(load_scenario(None, ("draws=0",))).case)) == {}
