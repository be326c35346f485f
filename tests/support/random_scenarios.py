"""Random scenarios, the same for a seed in every run: plain data as a user would write it, over all kinds of options."""

from functools import cache
from typing import Any

import numpy as np

from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

WIDER = 200
"""The first seed whose scenario may have deadlines, hours of work, a large model, a measured latency and a bill besides."""
MORE = 220
"""The first whose scenario may have besides what `_more` draws: other terms, a model that is served, several adapters."""
COUNTED = 240
"""The first whose scenario may have besides lengths of its own, scores that are counts, and capacities that are stated."""
KINDS = ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware")
GPUS = ("l40s", "h100-sxm", "l4", "rtx-4090")


def scenario(seed: int) -> dict[str, Any]:
    """A valid scenario without draws. Amounts are drawn evenly in the log, flags by a coin."""
    rng = np.random.default_rng(seed)

    def amount(low: float, high: float) -> float:
        return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.4g}")

    def share(most: float = 1.0) -> float:
        return round(float(rng.uniform(0.0, most)), 3)

    def often(chance: float = 0.5) -> bool:
        return bool(rng.random() < chance)

    def some(*names: str) -> list[str]:
        return [name for name in names if often()]

    tokens = amount(200.0, 4000.0)
    prefix = round(tokens * share()) if often() else 0
    hosted = ["qwen3-8b"] if often(0.7) else []
    scores = {"gpt-5.4": 0.9 + share(0.08), "gpt-6-luna": 0.85 + share(0.1)}
    if hosted:
        scores |= {"qwen3-8b": 0.8 + share(0.15), "qwen3-8b+lora": 0.85 + share(0.12)}
    cascade, committed = often(), str(rng.choice(["", "", "incumbent", "candidate"]))
    escalation: dict[str, Any] = {}
    if cascade and often():
        escalation = {"kept_error_rate": {"gpt-6-luna": share(0.08)}, "judge_usd_per_request": amount(1e-6, 1e-4)}
    gpu = str(rng.choice(GPUS))
    owned = {"cards": {gpu: int(rng.integers(1, 40))}, "resale_usd_per_gpu": {gpu: amount(200.0, 2e4)}}
    levers: dict[str, Any] = {
        "shorter_prompt": {"prefix_tokens": prefix // 2} if prefix > 1 else None,
        "less_reasoning": {"output_ratio": 0.5 + share(0.4)}, "flexible_tier": {"price_ratio": 0.5, "share": share()},
        "provisioned_throughput": {"usd_per_month": amount(100.0, 5000.0), "requests_per_s": amount(0.5, 20.0)},
    }  # fmt: skip
    made: dict[str, Any] = {
        "as_of": "2026-11-24",
        "horizon_months": int(rng.integers(12, 49)),
        "discount_rate": share(0.2),
        "draws": 0,
        "workload": {
            "requests_per_day": amount(300.0, 3e6),
            "growth_per_year": round(float(rng.uniform(-0.3, 0.8)), 3) if often(0.7) else 0.0,
            "input_tokens": tokens,
            "output_tokens": amount(10.0, 400.0),
            "shared_prefix_tokens": prefix,
            "cache_hit_rate": share(),
            "can_wait_share": share(0.5) if often(0.3) else 0.0,
            "peak_to_mean": round(1.0 + share(6.0), 2),
        },
        "incumbent": {
            "provider": "openai", "model": "gpt-5.4", "uses_cache": often(), "discount": share(0.3) if often(0.3) else 0.0,
            "committed_usd_per_month": amount(100.0, 1e5) if committed == "incumbent" else 0.0,
            "committed_until": "2027-09-30",
        },
        "quality": {
            "bar": 0.0 if often() else 0.85, "usd_per_error": 0.0 if often(0.3) else amount(1e-4, 0.05), "scores": scores,
            **escalation,
        },
        "apis": {
            "openai/gpt-6-luna": {
                "discount": share(0.4), "uses_cache": often(), "batch_share": share() if often() else None,
                "committed_usd_per_month": amount(10.0, 1e4) if committed == "candidate" else 0.0,
                "committed_until": "2027-12-31",
            },
        },
        "evaluation": {"usd": amount(10.0, 500.0), "labels": 300.0, "usd_per_label": amount(0.1, 3.0)},
        "training": {"examples": 2000.0, "retrain_every_months": float(rng.integers(3, 13)) if often(0.7) else None},
        "people": {
            "usd_per_hour": amount(50.0, 200.0),
            "existing_hours_per_month": amount(1.0, 100.0) if often(0.3) else 0.0,
            "setup_hours": {kind: amount(4.0, 400.0) for kind in KINDS},
            "run_hours_per_month": {kind: 0.0 if often() else amount(1.0, 60.0) for kind in KINDS},
        },
        "timing": {"months_to_live": {kind: share(6.0) for kind in KINDS}, "months_in_parallel": share(1.0)},
        "serving": {
            "spares": int(rng.integers(0, 3)), "headroom": share(0.4), "autoscale": often(0.3), "weight_dtypes": ["fp8"],
            "tensor_parallel": [1], "spill_share": share(0.3) if often(0.2) else None,
        },
        "drift": {"gpu_rent_per_year": round(float(rng.uniform(-0.3, 0.2)), 3), "model_life_months": amount(10.0, 60.0)},
        "own_hardware": {"usd_per_kwh": share(0.3), "life_months": int(rng.integers(24, 61)), **(owned if often(0.3) else {})},
        "candidates": {
            "api_models": ["openai/gpt-6-luna", *some("anthropic/claude-haiku-5-5")],
            "hosted_models": some("groq/openai/gpt-oss-20b"),
            "cascade_first": ["openai/gpt-6-luna"] if cascade else [],
            "vendor_tuned": some("azure/gpt-4.1-mini"),
            "hosted_adapters": some("fireworks/qwen3-8b"),
            "self_hosted": hosted,
            "methods": ["lora"],
            "base": often(),
            "hybrid": often(0.7),
            "own_hardware": often() or None,
            "gpus": [gpu],
            **{name: lever for name, lever in levers.items() if often(0.3)},
        },
    }  # fmt: skip
    made["incumbent"] |= _by_unit(np.random.default_rng([seed, 1]))
    own = made["own_hardware"]
    if "cards" in own and own["life_months"] < made["horizon_months"]:  # a new card takes its place, at a price that is known
        own["purchase_usd_per_gpu"] = {gpu: round(2.5 * owned["resale_usd_per_gpu"][gpu])}
    made = widened(made, np.random.default_rng([seed, 1])) if seed >= WIDER else made
    made = _more(made, np.random.default_rng([seed, 2])) if seed >= MORE else made
    return _counted(made, np.random.default_rng([seed, 3])) if seed >= COUNTED else made


def widened(made: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The scenario with what the first seeds have nothing of, each by a coin."""
    workload, incumbent, apis = made["workload"], made["incumbent"], made["apis"]

    def often(chance: float = 0.5) -> bool:
        return bool(rng.random() < chance)

    def between(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 3)

    if often(0.7):
        workload |= {"can_wait_share": 1.0 if often(0.3) else between(0.05, 1.0), "waits_hours": between(1.5, 72.0)}
        if workload["waits_hours"] < 24.0:  # no batch tier promises that
            apis["openai/gpt-6-luna"]["batch_share"] = None
    if often():
        hours = workload["hourly_weights"] = [between(0.0, 1.0) for _ in range(24)]
        workload["peak_to_mean"] = max(workload["peak_to_mean"], round(24.0 * max(hours) / sum(hours), 4))
    if often():
        least = 0 if workload["can_wait_share"] == 1.0 else 1
        made["serving"] |= {"autoscale": True, "autoscale_floor": int(rng.integers(least, 3)),
                            "startup_hours": between(0.05, 2.0), "billing_hours": _step(between(0.0, 1.0))}
    if often(0.3):
        _on_a_large_model(made, between(0.8, 0.95), between(0.85, 0.97))
    if often():
        incumbent |= {"ttft_p95_s": between(0.2, 5.0), "tpot_p95_s": between(0.01, 0.08)}
    if often():
        each = (2.5 * workload["input_tokens"] + 15.0 * workload["output_tokens"]) / 1e6
        usd = max(workload["requests_per_day"] * 30.4 * each * between(0.4, 2.5), 0.01)
        incumbent |= {"bill_usd_per_month": round(usd, 2), "bill_is_volume_share": between(0.0, 1.0)}
    return made


def _step(drawn: float) -> float:
    """Hours of a step of the bill: up to 0.7 as drawn, above some that go into a day."""
    return drawn if drawn <= 0.7 else (2.0, 6.0, 24.0)[int(drawn * 1e3) % 3]


def _more(made: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The scenario with terms that the first seeds have nothing of, each by a coin."""
    workload, incumbent, quality, serving = (made[block] for block in ("workload", "incumbent", "quality", "serving"))
    luna, gpu, day = made["apis"]["openai/gpt-6-luna"], made["candidates"]["gpus"][0], workload["requests_per_day"]

    def often(chance: float = 0.4) -> bool:
        return bool(rng.random() < chance)

    def between(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 4)

    def month() -> int:
        return int(rng.integers(2, made["horizon_months"]))

    cascades, rented = bool(made["candidates"]["cascade_first"]), not made["own_hardware"].get("cards")
    seats, units = (incumbent.get(name, {}) for name in ("seats", "provisioned_throughput"))
    costs = [{"name": f"cost {k}", "option": str(who), "usd_per_month": between(-500.0, 3000.0), "from_month": month()}
             for k, who in enumerate(rng.choice(["all", "stay", "all but stay"], 2))]
    rent = {"gpu": gpu, "vendor": "Ours", "usd_per_gpu_hour": between(0.3, 4.0), "minimum_months": int(rng.integers(1, 40)),
            "later_gpus_bound": often()}
    terms: list[tuple[bool, dict[str, Any], dict[str, Any]]] = [
        (True, workload, {"steps": [{"from_month": month(), "ratio": between(0.3, 3.0)}]}),
        (bool(seats), seats, {"growth_per_year": between(-0.2, 0.6)}),
        (bool(units), units, {"at_requests_per_day": day * between(0.5, 2.0)}),
        ("bill_usd_per_month" in incumbent, incumbent, {"bill_of": {"requests_per_day": day * between(0.5, 2.0)}}),
        (True, incumbent, {"ends_in_months": between(1.0, 30.0), "successor_price_ratio": between(0.4, 1.5)}),
        (True, luna, {"ends_in_months": between(7.0, 30.0), "successor_error_ratio": between(0.5, 1.2)}),
        (True, luna, {"cache_hit_rate": between(0.0, 1.0)}),
        (True, luna, {"input_usd_per_mtok": between(0.05, 2.0), "output_usd_per_mtok": between(0.2, 8.0)}),
        (cascades, quality, {"escalated": {"gpt-6-luna": between(0.01, 0.6)},
                             "escalated_error_rate": {"gpt-6-luna": between(0.0, 0.4)}}),
        (True, made, {"gates": {"one_task_type": str(rng.choice(["yes", "no", "unknown"])), "facts_are_stable": "yes"}}),
        (True, made["training"], {"adapters": int(rng.integers(1, 6)), "labels_owned": often()}),
        (rented, made, {"gpu_rents": [rent]}), (True, made, {"costs": costs}),
        (True, made, {"platform": {"total": between(0.0, 2000.0)}}),
        (True, serving, {"replicas_least": int(rng.integers(1, 5)), "lets_wait": often()}),
        (True, serving, {"adapters_on_base": int(rng.integers(1, 5))}),
    ]  # fmt: skip
    for may_be, block, drawn in terms:
        if may_be and often():
            block.update(drawn)
    if serving.get("lets_wait") is False:  # then nothing waits for a start
        serving["autoscale_floor"] = max(serving.get("autoscale_floor", 1), 1)
    if made["training"].get("adapters", 1) > 1 or serving.get("adapters_on_base", 1) > 1:
        serving["adapters"] = "shared"
    if not (seats or units) and often(0.2):
        made["incumbent"] = {"provider": "self-hosted", "model": "gpt-5.4"}
        each = {"usd_per_request": between(0.0, 0.002)} if often(0.6) else {}
        made["costs"] = [{"name": "servers", "option": "stay", "usd_per_month": between(500.0, 40000.0), **each}]
        made["candidates"] |= dict.fromkeys(("shorter_prompt", "less_reasoning", "flexible_tier", "provisioned_throughput"))
    return made


def _counted(made: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The scenario with lengths of its own, scores counted on the same items, and stated capacities, each by a coin."""
    workload, quality, candidates, serving = (made[block] for block in ("workload", "quality", "candidates", "serving"))

    def often(chance: float = 0.5) -> bool:
        return bool(rng.random() < chance)

    if often(0.6):
        shares = rng.dirichlet(np.ones(int(rng.integers(2, 6)))).clip(0.01).round(4)
        shares[0] += 1.0 - shares.sum()
        given, answered = workload.pop("input_tokens"), workload.pop("output_tokens")
        least = workload["shared_prefix_tokens"] if often() else 1.0  # shorter prompts than what others share
        times = np.exp(rng.normal(0.0, 0.7, (len(shares), 2)))
        workload["lengths"] = [
            {"input_tokens": round(max(given * float(x), least, 1.0), 2), "output_tokens": round(answered * float(y), 2),
             "share": round(float(share), 4)} for share, (x, y) in zip(shares, times, strict=True)]
        if workload["cache_hit_rate"] and round(shares[0] * 1e4) % 2:  # some of them with what they find in a cache
            for k, cell in enumerate(workload["lengths"][1:]):
                cell["cached_tokens"] = round(cell["input_tokens"] * times[k][0] / (1.0 + times[k][0]), 2)
    if often(0.6):
        items = int(rng.integers(40, 800))
        right = rng.random(items) < quality["scores"]["gpt-5.4"]
        quality["scores"]["gpt-5.4"] = {"value": float(right.mean()), "items": items}
        for system, score in quality["scores"].items():
            if system != "gpt-5.4" and often(0.7):
                same = rng.random(items) < 0.6
                own = np.where(same, right, rng.random(items) < score)
                counts = {"both_right": right & own, "only_incumbent": right & ~own, "only_this": ~right & own,
                          "both_wrong": ~right & ~own}
                quality["scores"][system] = {"value": float(own.mean()), "items": items,
                                             "paired": {name: int(each.sum()) for name, each in counts.items()}}
    if candidates["self_hosted"] and often(0.4):
        model, gpus = str(rng.choice(candidates["self_hosted"])), serving["tensor_parallel"][0]
        serving["capacities"] = [{"model": model, "gpu": candidates["gpus"][0], "gpus": gpus, "pooling": 1.0 + 0.5 * often(),
                                  "requests_per_s": float(f"{np.exp(rng.uniform(np.log(0.2), np.log(60.0))):.4g}")}]
    return made


def _by_unit(rng: np.random.Generator) -> dict[str, Any]:
    """Units or seats that are paid today in place of tokens, in a third of the scenarios."""
    until = "2027-03-31" if rng.random() < 0.5 else None
    fee, number = float(f"{np.exp(rng.uniform(np.log(20.0), np.log(4000.0))):.4g}"), int(rng.integers(1, 60))
    used = round(float(rng.uniform(0.1, 1.0)), 3)
    holds = {"requests_per_s": fee / 500.0} if rng.random() < 0.5 else {"peak_utilization": used}
    spills = bool(rng.random() < 0.5)
    units = {"units": number, "usd_per_month": fee, "committed_until": until, "spills_over": spills, **holds}
    seats = {"users": number, "usd_per_month": fee, "committed_until": until}
    paid = [{}, {}, {}, {}, {"provisioned_throughput": units}, {"seats": seats}][int(rng.integers(6))]
    return {name: {k: v for k, v in block.items() if v is not None} for name, block in paid.items()}


def _on_a_large_model(made: dict[str, Any], score: float, tuned: float) -> None:
    """Put a model in the small one's place whose adapter is trained over several cards."""
    made["candidates"] |= {"self_hosted": ["llama-3.3-70b"], "gpus": ["h100-sxm"], "own_hardware": False}
    made["serving"]["tensor_parallel"] = [2, 4]
    scores = {name: each for name, each in made["quality"]["scores"].items() if not name.startswith("qwen3-8b")}
    made["quality"]["scores"] = scores | {"llama-3.3-70b": score, "llama-3.3-70b+lora": tuned}
    made["own_hardware"] = {"usd_per_kwh": made["own_hardware"]["usd_per_kwh"]}


@cache
def random_case(seed: int) -> Case:
    """The Case of a random scenario."""
    return resolve(check_scenario(scenario(seed))).case
