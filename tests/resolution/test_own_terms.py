"""What a user knows of one option, and costs that no other line counts: stated by YAML and by --set, and what is refused."""

from typing import Any

import numpy as np
import pytest
from quiet_scenario import ADAPTER, CASCADE, CHEAPER, OWN, PER_MONTH, SELF, STAY, World, case_of, quiet, world

from roi.economics.decision.comparison import compare
from roi.errors import InputError, ScenarioError, UnknownName
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.numerics.sequence import sobol
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario, scenario_data

A100 = "A100-80GB-SXM"
BOUGHT = {"own_hardware": True, "gpus": ["l40s"], "hybrid": False}


def upfront(w: World, id: str, name: str) -> float:
    return w.line(id, name)[0]


def test_what_is_stated_of_an_option_goes_before_its_kind_and_that_before_its_kind_of_change() -> None:
    """Judging costs $100 + 300 labels x $1; cascades have 50 labels, gpt-6-luna alone takes 10 h x $100 and $7 to judge."""
    case = case_of(options={CHEAPER: {"setup_hours": 10, "evaluation_usd": 7.0}, "cascade": {"evaluation_labels": 50.0}})
    w = World(case)
    assert upfront(w, CHEAPER, "engineering, set-up") == 1000.0
    assert [upfront(w, id, "evaluation before the change") for id in (CHEAPER, CASCADE, SELF)] == [307.0, 150.0, 400.0]
    lines = {line.name: line for line in w.costed(CASCADE).costs.lines}
    assert "kinds.cascade.evaluation_labels" in lines["evaluation before the change"].facts
    both = World(case_of(options={"cascade": {"setup_hours": 1}, CASCADE: {"setup_hours": 2}}))
    assert upfront(both, CASCADE, "engineering, set-up") == 200.0
    assert both.options[CASCADE].own_facts["setup_hours"] == f"options.{CASCADE}.setup_hours"


def test_an_option_may_be_live_later_and_keep_another_spare() -> None:
    w = world(options={SELF: {"months_to_live": 2, "months_in_parallel": 1, "spares": 2}})
    assert (w.options[SELF].months_to_live, w.options[SELF].months_in_parallel, w.options[SELF].spares) == (2.0, 1.0, 2)
    assert w.line(SELF, "incumbent, until live and in parallel")[1][:4] == pytest.approx([STAY, STAY, STAY, 0.0])
    assert w.options["hybrid:qwen3-8b"].spares == 0


def test_a_migration_is_judged_as_the_scenario_says_whatever_the_options_own_evaluation_is() -> None:
    """40 h x $100 + $400, although the option itself was judged for $7."""
    own = {"evaluation_usd": 7.0, "evaluation_labels": 0}
    w = world(options={CHEAPER: own}, apis={"openai/gpt-6-luna": {"ends_in_months": 5}})
    assert w.line(CHEAPER, "vendor's model ends: migration")[1][4] == pytest.approx(4400.0)


def test_the_end_of_a_model_is_what_is_stated_and_so_is_its_first_successor() -> None:
    """claude-sonnet-4-5 ends six days after the as-of date by the catalog; here after 6 months, at 1.5 times the price."""
    incumbent = {"provider": "anthropic", "model": "claude-sonnet-4-5", "ends_in_months": 6, "successor_price_ratio": 1.5}
    scores = {"claude-sonnet-4-5": 0.95, "gpt-6-luna": 0.9, "qwen3-8b": 0.9, "qwen3-8b+lora": 0.94}
    terms = {"openai/gpt-6-luna": {"ends_in_months": 3, "successor_price_ratio": 0.5, "successor_error_ratio": 2.0}}
    case = case_of(incumbent=incumbent, quality={"scores": scores, "usd_per_error": 1.0}, apis=terms)
    w = World(case)
    assert case["vendors.anthropic/claude-sonnet-4-5.first_end_months"].basis is Basis.STATED
    staying, luna = (w.line(id, "API output")[1] for id in ("stay", CHEAPER))
    assert staying[6] / staying[5] == pytest.approx(1.5)
    assert luna[3] / luna[2] == pytest.approx(0.5)
    errors = w.line(CHEAPER, "wrong answers")[1]
    assert (errors[2], errors[3]) == (pytest.approx(PER_MONTH * 0.1), pytest.approx(PER_MONTH * 0.2))


def test_a_model_that_the_catalog_calls_retired_can_be_stated_to_live() -> None:
    """o4-mini ended on 2026-10-23."""
    for terms, why in (({}, "retired on 2026-10-23"), ({"ends_in_months": 12}, None)):
        c = compare(case_of(candidates={"api_models": ["openai/o4-mini"]}, apis={"openai/o4-mini": terms} if terms else {}))
        found = {o.id: o.reason for o in c.infeasible}
        assert found.get("cheaper-api:openai/o4-mini") == why


def test_the_price_of_training_is_that_of_every_option_and_needs_no_card() -> None:
    """5 GPU-hours x $3 = $15 although no card of the candidates could hold the run, and on cards that are owned as well."""
    own = {"cards": {A100: 2}, "resale_usd_per_gpu": 1000.0}
    case = case_of(training={"gpu_hours": 5, "usd_per_gpu_hour": 3, "longest_tokens": 30_000}, own_hardware=own)
    w = World(case)
    for id in (ADAPTER, "own-hardware:qwen3-8b+lora"):
        assert upfront(w, id, "training, the run that is kept") == 15.0
    with pytest.raises(InputError, match=r"training: .*usd_per_gpu_hour needs gpu_hours"):
        case_of(training={"usd_per_gpu_hour": 3})


def card(case: Case) -> World:
    return World(case, **{f"options.{OWN}.plans.0.capacity_requests_per_s": 1.0})


def test_cards_are_bought_at_the_stated_price_and_draw_the_stated_power() -> None:
    """Three cards (peak 3/s at 1/s each): 3 x $5,000 + nothing for a host; 3 x 0.5 kW x $100, power in it."""
    own = {"purchase_usd_per_gpu": {"l40s": 5000}, "watts_per_gpu": 500, "host_usd_per_gpu": 0, "gpus_per_server": 1,
           "colocation_usd_per_kw_month": 100}
    case = case_of(candidates=BOUGHT, own_hardware=own)
    w = card(case)
    assert upfront(w, OWN, "hardware, purchase and replacement") == 15_000.0
    assert w.line(OWN, "colocation")[1][0] == pytest.approx(150.0)
    assert case["purchase.L40S.usd_per_gpu"].basis is Basis.STATED


def test_power_that_is_stated_as_zero_is_in_the_price_of_colocation_which_stands() -> None:
    """0 = colocation, as the field says: what it costs is the default, $180 a kW; on one's own premises it is nothing."""
    for own, space in (({}, 180.0), ({"usd_per_kwh": 0}, 180.0), ({"usd_per_kwh": 0.1}, 0.0),
                       ({"usd_per_kwh": 0, "colocation_usd_per_kw_month": 0}, 0.0)):
        assert case_of(candidates=BOUGHT, own_hardware=own)["own_hardware.colocation_usd_per_kw_month"].value == space


def test_power_is_not_paid_twice_in_some_draws() -> None:
    """0 is colocation in every draw or in none: a draw above it would pay for power beside $180 a kW that include it."""
    with pytest.raises(InputError, match=r"own_hardware\.usd_per_kwh.*0 is a choice of its own.*up to 0\.2; state 0 alone"):
        case_of(candidates=BOUGHT, own_hardware={"usd_per_kwh": {"value": 0, "low": 0, "high": 0.2}})
    for paid in ({"value": 0}, {"value": 0, "low": 0, "high": 0}, {"value": 0.1, "low": 0, "high": 0.2}):
        assert case_of(candidates=BOUGHT, own_hardware={"usd_per_kwh": paid})["own_hardware.usd_per_kwh"].value == paid["value"]


def test_a_purchase_price_that_moves_nothing_is_refused() -> None:
    for own in ({"purchase_usd_per_gpu": 5000}, {"purchase_usd_per_gpu": 5000, "cards": {A100: 2}, "resale_usd_per_gpu": 1}):
        with pytest.raises(ScenarioError, match="it moves nothing"):
            case_of(own_hardware=own)


def test_servers_of_your_own_may_answer_at_once_what_could_wait() -> None:
    """Peak 3/s, two thirds could wait: one GPU of 1/s holds the mean; three hold the peak."""
    for waits, gpus in ((True, 1), (False, 3)):
        case = case_of(workload={"can_wait_share": 2 / 3}, serving={"lets_wait": waits})
        w = World(case, **{f"options.{SELF}.plans.0.{k}": v for k, v in
                           {"capacity_requests_per_s": 1.0, "gpus_per_instance": 1, "gpus_per_replica": 1}.items()})
        fleet = w.costed(SELF).costs.fleet
        assert fleet is not None
        assert np.ravel(fleet.gpus)[0] == gpus


def test_a_platform_of_which_only_the_sum_is_known() -> None:
    w = world(platform={"total": 900.0, "logs": 50.0})
    assert w.line(SELF, "platform")[1][0] == pytest.approx(900.0)


def test_costs_of_your_own_are_lines_of_those_who_bear_them() -> None:
    """A review for all but stay; a credit for staying; an exit fee once, in month 3, of what leaves for gpt-6-luna."""
    case = case_of(costs=[
        {"name": "review", "option": "all but stay", "upfront_usd": {"value": 5000, "low": 4000, "high": 8000}},
        {"name": "credit", "option": "stay", "usd_per_month": -100, "to_month": 2},
        {"name": "exit fee", "option": CHEAPER, "usd_per_month": 700, "from_month": 3, "to_month": 3},
    ])
    w = World(case)
    assert [upfront(w, id, "review") for id in ("stay", CHEAPER, SELF)] == [0.0, 5000.0, 5000.0]
    assert w.line("stay", "credit")[1][:3] == [-100.0, -100.0, 0.0]
    assert w.line(CHEAPER, "exit fee")[1][:4] == [0.0, 0.0, 700.0, 0.0]
    assert "exit fee" not in w.names(SELF)
    assert case["costs.0.upfront_usd"].uncertain
    result = compare(case)
    line = next(x for x in result.options[1].lines if x.name == "review")
    assert line.basis == "stated"


def test_a_customer_that_joins_is_a_step_of_the_volume() -> None:
    """Twice the requests from month 4 on, uncertain; what is billed and what is wrong follow."""
    case = case_of(workload={"steps": [{"from_month": 4, "ratio": {"value": 2, "low": 1.5, "high": 2.5}}]})
    assert World(case).line("stay", "API output")[1][2:5] == pytest.approx([PER_MONTH * 0.0015, *[PER_MONTH * 0.003] * 2])
    assert case["workload.steps.0.ratio"].uncertain


def test_a_model_that_one_serves_has_costs_and_no_terms_of_a_vendor() -> None:
    """Nobody bills or ends it; above a floor no API answers until one is evaluated; what it costs must be said."""
    mine = {"incumbent": {"provider": "self-hosted", "model": "llama-3.3-70b"}, "apis": {}, "accept": [],
            "quality": {"scores": {"llama-3.3-70b": 0.93, "gpt-6-luna": 0.92, "qwen3-8b": 0.92}},
            "costs": [{"name": "servers", "option": "stay", "usd_per_month": 7300}]}
    case = case_of(**mine)
    assert World(case).names("stay") == ["servers", "wrong answers"]
    assert case["options.hybrid:qwen3-8b.spills_to"].value == "cheaper-api:openai/gpt-6-luna"
    alone = case_of(**mine, candidates={"api_models": [], "cascade_first": []})
    assert str(alone["options.hybrid:qwen3-8b.infeasible"].value).startswith("no API takes what its floor does not hold")
    for change, message in (
        ({"costs": []}, r"^incumbent\.provider: 'self-hosted' is not usable; say what serving llama-3\.3-70b costs today"),
        ({"incumbent": {**mine["incumbent"], "discount": 0.1}}, r"^incumbent\.discount: 0\.1 .*no vendor has terms of"),
        ({"apis": {"self-hosted/llama-3.3-70b": {"input_usd_per_mtok": 1.0}}}, r"^apis: .*no token of a model that you serve"),
        ({"incumbent": {"provider": "vllm", "model": "llama-3.3-70b"}}, r"where you serve it already, provider: self-hosted"),
        ({"incumbent": {**mine["incumbent"], "model": "llama-3.3-70bb"}},
         r"^incumbent\.model: unknown model .*'llama-3\.3-70bb'; nearest: llama-3\.3-70b"),
    ):
        with pytest.raises(InputError, match=message):
            case_of(**{**mine, **change})


def test_an_adapter_that_one_serves_already_is_not_trained_again_on_other_cards() -> None:
    """A tuned 8B on two L40S is asked to move: no label, run or retraining; the hours of a model that is served as it is."""
    mine = {"incumbent": {"provider": "self-hosted", "model": "Qwen3-8B+lora"}, "apis": {}, "accept": [],
            "quality": {"scores": {"qwen3-8b+lora": 0.93}}, "candidates": {"api_models": [], "cascade_first": []},
            "costs": [{"name": "servers", "option": "stay", "usd_per_month": 1591}]}
    moved, id = case_of(**mine), "self-hosted-adapter:qwen3-8b+lora"
    names = World(moved).names(id)
    assert "GPU rent" in names
    assert not [name for name in names if "train" in name]
    assert moved[f"options.{id}.group"].value == "self_hosted"
    other = {**mine, "incumbent": {"provider": "self-hosted", "model": "llama-3.3-70b"}}
    other["quality"] = {"scores": {"llama-3.3-70b": 0.93}}
    assert "training data, labels" in World(case_of(**other)).names(id)


def refusals() -> list[tuple[dict[str, Any], str]]:
    return [
        ({"options": {"cascades": {"setup_hours": 1}}}, r"options: unknown option.*cascades.*cascade"),
        ({"options": {"stay": {"setup_hours": 1}}}, r"options: unknown option.*stay"),
        ({"costs": [{"name": "x", "option": "al", "upfront_usd": 1}]}, r"costs\.0\.option.*all"),
        ({"costs": [{"name": "x", "option": "all", "usd_per_month": 1, "from_month": 4, "to_month": 3}]},
         r"to_month 3 is before from_month 4"),
        ({"costs": [{"name": "x", "option": "all"}]},
         r"^costs\.0: x has no amount: give upfront_usd, usd_per_month or usd_per_request$"),
        ({"costs": [{"name": "x", "option": "all but cascade", "upfront_usd": 1}]},
         r'^costs\.0\.option: \'all but cascade\' is not usable; "all but stay" is the only one of its form; else'),
        ({"costs": {"name": "x", "option": "all"}},
         r"^costs: {name: x, option: all} is not usable; it should be a valid list; write \[{name: x, option: all}\]$"),
    ]


@pytest.mark.parametrize(("changes", "message"), refusals())
def test_a_mistake_names_the_nearest(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((UnknownName, InputError), match=message):
        case_of(**changes)


def test_what_moves_nothing_is_told() -> None:
    said = resolve(check_scenario(quiet({
        "options": {"cache-batch": {"evaluation_usd": 1.0}, CHEAPER: {"spares": 1}},
        "costs": [{"name": "x", "option": "all", "usd_per_month": 1, "from_month": 25}],
        "workload": {"steps": [{"from_month": 25, "ratio": 2}]},
    }))).warnings  # fmt: skip
    assert [w.partition(" moves nothing")[0] for w in said if "moves nothing" in w] == [
        "options.cache-batch: an evaluation of its own", f"options.{CHEAPER}.spares", "costs.0.from_month",
        "workload.steps.0.from_month",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["gpt-6-luna", "OpenAI/gpt-6-luna", "GPT-6-Luna"])
def test_own_terms_of_an_api_under_its_bare_name_are_refused_with_the_name_that_counts(name: str) -> None:
    """They would change no figure. Under provider/model they count, and a model of nobody here stays a warning."""
    with pytest.raises(ScenarioError, match=rf"^apis: '{name}' is not usable; .* provider/model: write openai/gpt-6-luna$"):
        case_of(apis={name: {"discount": 0.5}})
    case_of(apis={"openai/gpt-6-luna": {"discount": 0.5}})
    said = resolve(check_scenario(quiet({"apis": {"anthropic/claude-haiku-5-5": {"discount": 0.5}}}))).warnings
    assert any(w.startswith("apis.anthropic/claude-haiku-5-5: not used") for w in said)
    assert case_of(apis={"anthropic/claude-haiku-5-5": {"discount": 0.5}})["unused"].value == "apis.anthropic/claude-haiku-5-5"


def test_own_terms_of_todays_api_under_its_bare_name_and_of_a_model_that_one_serves_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"^apis: 'gpt-5.4' is not usable; .* write openai/gpt-5.4$"):
        case_of(apis={"gpt-5.4": {"input_usd_per_mtok": 1.0}})
    with pytest.raises(ScenarioError, match=r"^apis: 'qwen3-8b' is not usable; you serve it yourself, it is no API here"):
        case_of(apis={"qwen3-8b": {"discount": 0.5}})


def test_all_of_it_is_set_from_the_command_line_too() -> None:
    s = load_scenario(None, ("options.cheaper-api:openai/gpt-4.1.setup_hours=3", "options.cascade={spares: 2}",
                             "options.cheaper-api:openai/gpt-4.1.run_hours_per_month.low=0",
                             "options.cheaper-api:openai/gpt-4.1.run_hours_per_month.value=1",
                             "options.cheaper-api:openai/gpt-4.1.run_hours_per_month.high=2",
                             "costs=[{name: review, option: all, upfront_usd: 5}]", "costs.0.upfront_usd=6"))
    assert s.options["cheaper-api:openai/gpt-4.1"].setup_hours == 3
    assert s.options["cascade"].spares == 2
    assert s.costs[0].upfront_usd == 6
    assert scenario_data(s)["costs"] == [{"name": "review", "option": "all", "upfront_usd": 6.0}]
    assert resolve(load_scenario(None, ("costs=[{name: review, option: all, upfront_usd: 5}]",))).case["costs.0.name"].value


def test_a_model_may_be_named_under_quality_and_tokens_as_under_candidates() -> None:
    """provider/model is the model, tuned or in a cascade too; both names at once are refused."""
    luna, plain = "openai/gpt-6-luna", "gpt-6-luna"

    def said(today: str, other: str) -> dict[str, Any]:
        scores = {today: 0.95, other: {"value": 0.9, "items": 200}, f"{other} > {today}": 0.94}
        return {"quality": {"scores": scores, "escalated": {other: 0.1}}, "tokens": {other: {"ratio": 1.6}}}

    assert case_of(**said("openai/gpt-5.4", luna)).facts == case_of(**said("gpt-5.4", plain)).facts
    with pytest.raises(InputError, match=r"openai/gpt-6-luna and gpt-6-luna are one model here: say what is meant"):
        case_of(tokens={luna: {"ratio": 1.6}, plain: {"ratio": 1.2}})


def test_one_tokenizer_has_one_ratio_whoever_serves_the_weights_and_tuned_or_not() -> None:
    """Llama 3.1 8B makes 1.6 times the tokens at a host, and so on own cards; what is stated of a system goes first."""
    llama = {"candidates": {"hosted_models": ["groq/llama-3.1-8b-instant"], "self_hosted": ["llama-3.1-8b", "qwen3-8b"]}}
    names = ("llama-3.1-8b-instant", "llama-3.1-8b", "llama-3.1-8b+lora", "qwen3-8b")

    def ratios(**tokens: float) -> list[float]:
        case = case_of(**llama, tokens={name: {"ratio": ratio} for name, ratio in tokens.items()})
        return [case[f"systems.{name}.token_ratio"].number() for name in names]

    assert ratios(**{"llama-3.1-8b-instant": 1.6}) == [1.6, 1.6, 1.6, 1.0]
    assert ratios(**{"llama-3.1-8b": 1.6, "llama-3.1-8b+lora": 1.7}) == [1.6, 1.6, 1.7, 1.0]


def test_a_ratio_that_nobody_counted_is_one_draw_for_all_names_of_one_tokenizer() -> None:
    """Llama 3.1 8B at a host, on own cards and tuned makes as many tokens in each draw; other weights draw their own."""
    case = case_of(candidates={"hosted_models": ["groq/llama-3.1-8b-instant"], "self_hosted": ["llama-3.1-8b", "qwen3-8b"]})
    values = case.values(sobol(0, 256, len(case.uncertain), 1))
    host, own, tuned, qwen, qwen_tuned = (
        np.ravel(np.asarray(values[f"systems.{name}.token_ratio"], dtype=np.float64))
        for name in ("llama-3.1-8b-instant", "llama-3.1-8b", "llama-3.1-8b+lora", "qwen3-8b", "qwen3-8b+lora"))
    assert own == pytest.approx(host)
    assert tuned == pytest.approx(host)
    assert qwen_tuned == pytest.approx(qwen)
    assert abs(np.corrcoef(host, qwen)[0, 1]) < 0.2


@pytest.mark.parametrize(("incumbent", "told"), [
    ({"bill_usd_per_month": 3000.0, "bill_of": {"requests_per_day": 1e-300}}, r"the estimate is \$1.2e-301 a month"),
    ({"bill_usd_per_month": 3000.0, "discount": 1.0}, r"leave it out: the estimate is \$0 a month"),
    ({"seats": {"users": 30, "usd_per_month": 20.0, "at_requests_per_day": 1e-300}}, "must be at least 1e-09"),
])
def test_what_is_too_small_to_divide_by_is_refused(incumbent: dict[str, Any], told: str) -> None:
    """365/12 days x 1e-300 requests x $0.004 are 1.2e-301; a bill over that is no number."""
    with pytest.raises(InputError, match=told):
        case_of(incumbent={"provider": "openai", "model": "gpt-5.4", **incumbent})
