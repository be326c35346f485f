"""A decision whose figures divide in the head, and made years after it, month by month and as an export by day."""

from datetime import date, timedelta

SCENARIO = {
    "schema": "roi.scenario/1",
    "title": "Mail",
    "as_of": "2026-11-24",
    "draws": 256,
    "horizon_months": 24,
    "workload": {
        "requests_per_day": 60000,
        "growth_per_year": 0,
        "input_tokens": 2000,
        "output_tokens": 10,
        "shared_prefix_tokens": 1200,
        "cache_hit_rate": 0.8,
    },
    "incumbent": {"provider": "openai", "model": "gpt-6-sol"},
    "quality": {"usd_per_error": 0, "scores": {"gpt-6-sol": 0.94, "gpt-6-luna": 0.94}},
    "people": {"usd_per_hour": 100, "wage_growth_per_year": 0, "setup_hours": {"api": 70, "cache_batch": 30}},
    "timing": {"months_to_live": {"api": 0, "cache_batch": 0}, "months_in_parallel": 0},
    "evaluation": {"labels": 0, "usd": 1000, "usd_per_label": 0},
    "drift": {"model_life_months": 240, "successor_price_ratio": 1, "successor_price_ratio_own": 1, "successor_error_ratio": 1},
    "candidates": {"api_models": ["openai/gpt-6-luna"], "cascade_first": []},
}
LUNA, CACHE = "cheaper-api:openai/gpt-6-luna", "cache-batch"
DAYS = (31, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30)
"""December 2026 to November 2027."""
HORIZON_DAYS = (*DAYS, 31, 31, 29, *DAYS[3:])
"""To November 2028, all 24 months of the scenario."""
SOL_USD = 2000 * 2.00e-6 + 10 * 10.0e-6
"""A request on gpt-6-sol, nothing cached: 0.0041."""
LUNA_USD = (960 * 0.01 + 240 * 0.125 + 800 * 0.10 + 10 * 0.50) * 1e-6
"""A request on gpt-6-luna: 960 tokens are read from the cache, 240 written, 800 neither, 10 answered: 0.0001246."""


def cached_usd(hit: float) -> float:
    """A request on gpt-6-sol of whose 2,000 tokens 1,200 are read (0.20) where they are found, else written (2.50)."""
    return (1200 * hit * 0.20 + 1200 * (1 - hit) * 2.50 + 800 * 2.00 + 10 * 10.0) * 1e-6


def export(model, months, *, per_day=60000, given=2000, made=10, cached=960, usd=LUNA_USD):
    """CSV with a row a day; `cached` tokens of each prompt are read from the cache."""
    lines, day = ["date,provider,model,requests,input_tokens,cached_tokens,output_tokens,cost_usd"], date(2026, 12, 1)
    for _ in range(sum(DAYS[:months])):
        lines.append(
            f"{day},openai,{model},{per_day},{per_day * given},{per_day * cached},{per_day * made},{per_day * usd:.8f}"
        )
        day += timedelta(days=1)
    return "\n".join(lines) + "\n"
