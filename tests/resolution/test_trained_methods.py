"""Any tuner that `roi fit` knows trains an adapter of a scenario; what no engine serves is infeasible, with the reason."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest
from quiet_scenario import quiet

from roi.answers.fit import TrainingSet, fit_model
from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.catalog.models.shapes import find_model
from roi.catalog.prices.gpu_offers import Offer
from roi.economics.decision.comparison import compare
from roi.errors import InputError
from roi.estimate.fitting import gpu_fit
from roi.estimate.fitting.gpu_fit import Room, doubt_told
from roi.estimate.step.step_time import training_hours
from roi.estimate.training.peft_methods import TUNERS, unserved
from roi.estimate.training.plan import METHODS, TrainingPlan
from roi.evidence.known_runs import known_runs
from roi.evidence.training_speed import speed_evidence
from roi.facts.case import Case
from roi.facts.environment import Environment
from roi.facts.fact import Fact
from roi.facts.methods import AnyMethod, Other
from roi.facts.profiles import DeviceProfile, Rate
from roi.resolution.resolution import resolve
from roi.resolution.training import training_runs
from roi.resolution.training.training_runs import cheapest_run, dry_peak, places_of, run_room, training_cards
from roi.scenario.file import check_scenario
from roi.scenario.meaning import meaning_of
from roi.store.profiles.lookup import Store, load_profiles, save_profile
from roi.store.profiles.places import shipped_folder

TRAINED = {"examples": 5000, "epochs": 3, "gpu": "h100-sxm", "micro_batch": 4}


ONE_BY_ONE = ("RunPod",)
"""Rents its cards one by one: what one of them does not hold is sharded over none."""


def case_of(methods: list[str], model: str = "qwen3-8b", vendors: tuple[str, ...] = (), **changes: object) -> Case:
    candidates = {"self_hosted": [model], "methods": methods, "base": False, "hybrid": False, "vendors": vendors,
                  "gpus": ["h100-sxm", "b200"]}
    return resolve(check_scenario(quiet({"quality": {"scores": {"gpt-5.4": 0.95}}, "candidates": candidates, **changes}))).case


def why(case: Case, method: str, model: str = "qwen3-8b") -> str:
    path = f"options.self-hosted-adapter:{model}+{method}.infeasible"
    return str(case[path].value) if path in case else ""


def test_the_names_are_those_of_plans() -> None:
    """All but what LitGPT and ms-swift have of their own."""
    assert set(get_args(AnyMethod)) | set(get_args(Other)) == {*METHODS, *TUNERS}
    assert not set(get_args(AnyMethod)) & set(get_args(Other))


def test_an_unknown_method_is_answered_with_the_nearest_not_with_all() -> None:
    with pytest.raises(InputError, match=r"candidates\.methods\.0: 'prefix-tuning' is not usable; nearest: prefix_tuning, p"):
        case_of(["prefix-tuning"])


@pytest.mark.parametrize("method", ["ia3", "oft", "loha"])
def test_hours_of_a_tuner_are_those_of_its_plan(method: str) -> None:
    """5,000 examples of 1,100 tokens, 3 epochs on an H100: what `roi fit` states of the same plan."""
    shape, gpu = find_model("qwen3-8b"), find_gpu("h100-sxm")
    plan = TrainingPlan(method=method, micro_batch=4.0, seq=1100.0, trainer="hf", autocast=True)
    efficiency = speed_evidence(Store())(gpu, shape, plan).efficiency
    found = case_of([method], training=TRAINED)[f"options.self-hosted-adapter:qwen3-8b+{method}.training.gpu_hours_per_run"]
    assert found.value == pytest.approx(float(training_hours(
        shape, TrainingPlan(method=method, micro_batch=4.0, seq=4400.0, trainer="hf", autocast=True), gpu, efficiency,
        5000.0, 1100.0, 3.0)))


def test_what_no_engine_serves_is_infeasible_with_the_reason() -> None:
    served, others = ("lora", "ia3", "dora", "mica", "bdlora"), ("prefix_tuning", "beft")
    case = case_of([*served, *others], training=TRAINED)
    assert [why(case, name) for name in served] == [""] * len(served)
    for name in others:
        assert why(case, name) == (f"{name} cannot be merged into the base, and engines apply LoRA alone at run time; train"
                                   " another way")


def test_beside_other_adapters_on_one_base_only_lora_is_served() -> None:
    """vLLM's PEFTHelper refuses DoRA, and knows no other type; trained whole, nothing is left to share."""
    names = ["lora", "rslora", "qlora", "lora_fa", "mica", "dora", "full", "ia3"]
    case = case_of(names, training=TRAINED, serving={"adapters": "shared", "adapters_on_base": 4})
    served = [name for name in names if not why(case, name)]
    assert served == [name for name in names if not unserved(name, shared=True)] == names[:5]
    assert why(case, "dora") == ("engines apply LoRA alone at run time, not dora; take serving.adapters: merged, or train lora")


def test_a_method_that_is_none_is_answered_by_the_nearest_and_by_what_lists_all() -> None:
    for meant, typed in (("ia3", "ai3"), ("lora", "lroa")):
        told = rf"^candidates\.methods\.1: '{typed}' is not usable; nearest: {meant}.*; `roi help candidates.methods` lists all"
        with pytest.raises(InputError, match=told):
            case_of(["dora", typed])
        with pytest.raises(InputError, match=rf"is not one of full, lora, .* and \d+ more; nearest: {meant}$"):
            TrainingPlan(method=typed)
    assert meaning_of("candidates.methods").kind == f"a list, each one of {', '.join(get_args(AnyMethod))}"
    for name in get_args(Other):
        with pytest.raises(InputError, match=rf"^candidates.methods.1: '{name}' is not usable; `roi fit` alone knows it, peft"):
            case_of(["lora", name])


@pytest.mark.full
@pytest.mark.parametrize(("model", "method", "longest", "advised"), [
    ("gpt-oss-120b", "qlora", 1100, ""), ("gpt-oss-20b", "qlora", 1100, "use lora, or "),
    ("llama-3.1-70b", "lora", 1100, "use qlora, or "), ("llama-3.1-8b", "full", 131072, "shorten training.longest_tokens, or "),
    ("llama-3.1-70b", "lora", None, "use qlora, or "),
])
def test_only_what_fits_is_advised(model: str, method: str, longest: int | None, advised: str) -> None:
    """k-bit preparation makes experts that stay unquantised fp32, so QLoRA of a mixture takes more than LoRA.

    Weights on an H100 of 80 GB: 120B take more in any way, 20B in bf16 40 GB and in fp32 80, 70B 140 in bf16 and 35 in NF4.
    """
    told = {} if longest is None else {"longest_tokens": longest}
    training = {"examples": 5000, "epochs": 3, "gpu": "h100-sxm", **told}
    found = why(case_of([method], model, ONE_BY_ONE, training=training), method, model)
    assert found.partition("H100-80GB-SXM; ")[2] == f"{advised}state training.gpu and gpu_hours"


@pytest.mark.full
def test_a_size_above_every_target_is_infeasible_and_blocks_must_divide() -> None:
    """qwen3-0.6b is 1,024 wide; 4,096 and 1,024, the sides of qwen3-8b's products, have 32 as a divisor next to 48."""
    small = case_of(["lora"], "qwen3-0.6b", training={**TRAINED, "rank": 2048})
    assert why(small, "lora", "qwen3-0.6b") == "training.rank 2,048 is above 1,024, the full rank of the widest target"
    assert why(case_of(["lora"], "qwen3-0.6b", training={**TRAINED, "rank": 1024}), "lora", "qwen3-0.6b") == ""
    case = case_of(["lora", "c3a"], training={**TRAINED, "rank": 48})
    assert why(case, "lora") == ""
    assert why(case, "c3a") == "rank: 48 does not divide the 4,096 inputs of q_proj, as c3a needs; 32 does"


def test_the_longest_sequence_is_no_shorter_than_the_mean_example() -> None:
    """1,000 tokens in, 100 out."""
    assert why(case_of(["lora"], training={**TRAINED, "longest_tokens": 1100}), "lora") == ""
    with pytest.raises(InputError, match=r"longest_tokens: 1099 is not usable; at least the mean example, 1,100 tokens"):
        case_of(["lora"], training={**TRAINED, "longest_tokens": 1099})


def test_a_comparison_holds_adapters_of_several_tuners() -> None:
    c = compare(case_of(["lora", "ia3"], training=TRAINED, draws=64))
    assert {o.id for o in c.options} >= {"self-hosted-adapter:qwen3-8b+lora", "self-hosted-adapter:qwen3-8b+ia3"}


BIG, OWNED = "llama-3.3-70b", "options.own-hardware:llama-3.3-70b"


def owned_case(
    method: str, longest: int, *, cards: int = 4, server: int = 8, vendors: tuple[str, ...] = (), **training: object,
) -> Case:
    """70B beside A100 of 80 GB that are owned, where a B200 can be rented too."""
    candidates = {"api_models": [], "cascade_first": [], "self_hosted": [BIG], "methods": [method], "base": False,
                  "own_hardware": True, "gpus": ["b200", "a100-80gb-sxm"], "vendors": vendors}
    return resolve(check_scenario(quiet({
        "quality": {"scores": {"gpt-5.4": 0.95}}, "candidates": candidates,
        "own_hardware": {"cards": {"A100-80GB-SXM": cards}, "gpus_per_server": server},
        "training": {"examples": 5000, "longest_tokens": longest, **training},
    }))).case


@pytest.mark.parametrize(("method", "longest", "server", "card", "told"), [
    ("lora", 2750, 1, "B200-192GB-SXM", "2,750 tokens fits on no single card of yours: use qlora"),
    ("lora", 2750, 2, "B200-192GB-SXM", "2,750 tokens fits on no single card of yours, nor over 2 with FSDP: use qlora"),
    ("lora-int8", 2750, 8, "B200-192GB-SXM", "2,750 tokens fits on no single card of yours, nor over 4 with FSDP: use qlora"),
    ("qlora", 11000, 1, "B200-192GB-SXM", "11,000 tokens fits on no single card of yours: shorten training.longest_tokens"),
    ("qlora", 2750, 8, "A100-80GB-SXM", ""),
])
def test_a_run_that_fits_on_no_owned_card_says_what_would(method: str, longest: int, server: int, card: str, told: str) -> None:
    """70B: 140 GB of weights in bf16, 40 in NF4, beside which 80 GB hold activations of 2,750 tokens and not of 11,000.

    Of bf16 two cards hold 70 GB each and have no room for 3.4 GB of gathered layers, 4.2 of embedding and head, and a step.
    Packed integers cannot be split.
    """
    case = owned_case(method, longest, server=server)
    gpu = case[f"{OWNED}+{method}.training.gpu"]
    assert (gpu.value, gpu.source.partition("; a run at ")[2]) == (card, told)
    assert not any(path.endswith((".training.gpus", ".gpus_to_train")) for path in case.facts)


@pytest.mark.parametrize(("method", "longest", "gpus"), [("lora", 2750, 3), ("lora", 5000, 4), ("qlora", 11000, 2)])
def test_what_one_owned_card_does_not_hold_is_sharded_over_the_fewest_that_do_as_roi_fit_counts_it(
    method: str, longest: int, gpus: int,
) -> None:
    """3 x 80 GB hold 47 GB of bf16 weights each; two hold activations of 11,000 tokens beside 20 GB of NF4. No rent is paid.

    At 5,000 tokens three hold the central memory and not its 95th percentile, which four do.
    roi fit --gpus N --sharding fsdp gives the hours on the clock, of N GPU-hours each, and the memory of one card; each card
    more takes more GPU-hours.
    """
    case, id = owned_case(method, longest), f"{OWNED}+{method}"
    plan = TrainingPlan(method=method, seq=float(longest), trainer="hf", autocast=True, gpus=gpus, sharding="fsdp")
    data, day = TrainingSet(5000.0, 1100.0, 3.0), date(2026, 11, 24)
    lines = {n: fit_model(BIG, replace(plan, gpus=n), gpus="a100-80gb-sxm", data=data, day=day).lines[0] for n in (2, 3, 4)}
    hours = {n: n * line.hours[0] for n, line in lines.items() if line.hours is not None}
    assert case[f"{id}.training.gpu_hours_per_run"].value == pytest.approx(hours[gpus])
    assert hours[2] < hours[3] < hours[4]
    assert case[f"{id}.training.gpus"].value == gpus
    assert gpus == min(n for n, line in lines.items() if line.fit.fits and not line.fit.tight)
    assert case[f"{id}.training.memory_bytes"].value == pytest.approx(lines[gpus].fit.needed_bytes)
    assert case[f"{id}.training.usd_per_gpu_hour"].value == 0.0
    assert f"FSDP over {gpus} takes {hours[gpus] / gpus:.3g} h a run" in case[f"{id}.training.gpu"].source


def test_where_no_card_holds_a_run_those_that_are_owned_were_tried_together() -> None:
    """70B trained whole under autocast: 16 bytes a parameter, 282 GB on each of four."""
    told = str(owned_case("full", 2750, vendors=ONE_BY_ONE)[f"{OWNED}+full.infeasible"].value)
    assert "fits on no single rented GPU, nor over 4 with FSDP; use lora, or state" in told
    rented = owned_case("full", 2750)
    assert (rented[f"{OWNED}+full.training.gpu"].value, rented[f"{OWNED}+full.training.gpus"].value) == ("B200-192GB-SXM", 8)
    assert f"{OWNED}+full.plans.0.gpus_to_train" not in rented


def test_stated_hours_of_a_run_are_those_of_all_its_cards_and_cards_are_kept_for_a_retraining() -> None:
    """90 GPU-hours over 3 cards take 30 h; a plan on these cards keeps 3 of them, where a retraining is to come."""
    case = owned_case("lora", 2750, gpu_hours=90.0)
    assert "FSDP over 3 takes 30 h a run" in case[f"{OWNED}+lora.training.gpu"].source
    assert case[f"{OWNED}+lora.training.gpu_hours_per_run"].value == 90.0
    assert case[f"{OWNED}+lora.plans.0.gpus_to_train"].value == 3
    once = owned_case("lora", 2750, retrain_every_months=None)
    assert once[f"{OWNED}+lora.training.gpus"].value == 3
    assert f"{OWNED}+lora.plans.0.gpus_to_train" not in once


RENTED = {"gpu": "H100-80GB-SXM", "vendor": "Ours", "usd_per_gpu_hour": 2.0, "gpus_per_instance": 8}


def rented_case(longest: int = 2750, rents: tuple[dict[str, object], ...] = (RENTED,), **training: object) -> Case:
    """70B where H100 are rented in these instances alone."""
    training = {"examples": 5000, "longest_tokens": longest, **training}
    return case_of(["lora"], BIG, ("Ours",), gpu_rents=list(rents), training=training)


def test_what_no_rented_gpu_holds_is_sharded_over_those_of_one_instance() -> None:
    """70B in bf16: 141 GB of weights, 35 GB on each of 4 x 80 GB and 18 on each of 8; an instance of 8 is paid as a whole.

    So 8 cost least: the hours on the clock of roi fit --gpus 8 --sharding fsdp, x 8 GPUs x $2. It was infeasible.
    """
    case, id = rented_case(), f"options.self-hosted-adapter:{BIG}+lora"
    plan = TrainingPlan(method="lora", seq=2750.0, trainer="hf", autocast=True, gpus=8, sharding="fsdp")
    data, day = TrainingSet(5000.0, 1100.0, 3.0), date(2026, 11, 24)
    lines = {n: fit_model(BIG, replace(plan, gpus=n), gpus="h100-sxm", data=data, day=day).lines[0] for n in (2, 4, 8)}
    hours = {n: line.hours[0] for n, line in lines.items() if line.hours is not None}
    assert [lines[n].fit.fits for n in (2, 4, 8)] == [False, True, True]
    assert hours[8] < hours[4]
    assert (case[f"{id}.training.gpu"].value, case[f"{id}.training.gpus"].value) == ("H100-80GB-SXM", 8)
    assert case[f"{id}.training.gpu_hours_per_run"].value == pytest.approx(8 * hours[8])
    assert case[f"{id}.training.usd_per_gpu_hour"].value == 2.0
    assert case[f"{id}.training.memory_bytes"].value == pytest.approx(lines[8].fit.needed_bytes)
    assert f"FSDP over 8 of an instance of 8 takes {hours[8]:.3g} h a run" in case[f"{id}.training.gpu"].source
    run = compare(case)
    assert {o.id for o in run.options} >= {f"self-hosted-adapter:{BIG}+lora"}


def test_of_instances_of_two_sizes_the_one_that_costs_least_is_taken() -> None:
    """4 GPUs at $1.00 cost $4 an hour and take less than twice as long as 8 at $2.00, which cost $16."""
    four = {**RENTED, "gpus_per_instance": 4, "usd_per_gpu_hour": 1.0}
    case, id = rented_case(rents=(RENTED, four)), f"options.self-hosted-adapter:{BIG}+lora"
    assert (case[f"{id}.training.gpus"].value, case[f"{id}.training.usd_per_gpu_hour"].value) == (4, 1.0)


def test_stated_hours_over_several_rented_gpus_are_those_of_all() -> None:
    """60 GPU-hours over 8 take 7.5 h and cost what they do over 4, so that all 8 work.

    Where not even 8 hold it, the reason says so and what to write.
    """
    case, id = rented_case(gpu_hours=60.0), f"options.self-hosted-adapter:{BIG}+lora"
    assert case[f"{id}.training.gpu_hours_per_run"].value == 60.0
    assert case[f"{id}.training.gpus"].value == 8
    assert "takes 7.5 h a run" in case[f"{id}.training.gpu"].source
    told = why(rented_case(longest=100_000), "lora", BIG)
    assert "at 100,000 tokens fits on no single rented GPU, nor over 8 with FSDP; " in told
    assert told.endswith("state training.gpu and gpu_hours")


@pytest.mark.parametrize(("longest", "tight", "squeezed"), [(5120, False, False), (6016, True, False), (6912, True, True)])
def test_a_card_holds_a_run_by_the_rule_of_roi_fit(longest: int, tight: bool, squeezed: bool) -> None:
    """A card that is sure comes before a cheaper one that is not; one that is squeezed is taken alone, and with a warning.

    4 rows of 5,120, 6,016 and 6,912 tokens beside 16 GB of weights: an A100 of 80 GB holds the first, the second by the central
    estimate, the third only without the allocator's cache: where roi fit gave 6 chances in 10, roi compare found no card.
    """
    rents = [{**RENTED, "gpu": name, "usd_per_gpu_hour": usd, "gpus_per_instance": 1}
             for name, usd in (("A100-80GB-PCIe", 1.0), ("B200-192GB-SXM", 30.0))]

    def found(*rents: dict[str, object]) -> tuple[Fact, tuple[str, ...]]:
        s = check_scenario(quiet({"gpu_rents": list(rents), "training": {"micro_batch": 4, "longest_tokens": longest},
                                  "candidates": {"self_hosted": ["qwen3-8b"], "gpus": [], "vendors": ["Ours"]}}))
        resolved = resolve(s)
        return resolved.case["options.self-hosted-adapter:qwen3-8b+lora.training.gpu"], resolved.warnings

    plan = TrainingPlan(method="lora", micro_batch=4.0, seq=float(longest), trainer="hf", autocast=True)
    fit = fit_model("qwen3-8b", plan, gpus="a100-80gb-pcie", day=date(2026, 11, 24)).lines[0].fit
    assert (fit.fits, fit.tight, fit.squeezed) == (True, tight, squeezed)
    both, (alone, warnings) = found(*rents)[0], found(rents[0])
    assert both.value == ("B200-192GB-SXM" if tight else "A100-80GB-PCIe")
    assert ("cheaper, but tight (not at the 95th percentile): A100" in both.source) == (tight and not squeezed)
    assert alone.value == "A100-80GB-PCIe"
    assert alone.source.partition("fits on")[2] == f"; {doubt_told(fit)}" * tight
    told = "may not fit on A100-80GB-PCIe at 6,912 tokens: 6 chances in 10: only as torch gives its cache back; shorten"
    assert any(told in line for line in warnings) == squeezed


def test_a_dry_run_and_a_formula_that_differ_beyond_their_intervals_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula of memory that said a third of what it does would lie beside the dry run of Qwen3-8B that comes with roi."""
    s = check_scenario(quiet({"training": {"gpu": "h100-sxm", "micro_batch": 1, "longest_tokens": 4096},
                              "candidates": {"self_hosted": ["qwen3-8b"], "gpus": ["h100-sxm"]}}))
    store, ranged = load_profiles((shipped_folder(),)), gpu_fit.planned_range
    assert not any("differ by more" in line for line in resolve(s, known_runs(store)).warnings)
    monkeypatch.setattr(gpu_fit, "planned_range", lambda *args: tuple(x / 3.0 for x in ranged(*args)))
    told = [line for line in resolve(s, known_runs(store)).warnings if "differ by more" in line]
    assert [line.partition(": ")[0] for line in told] == ["lora of qwen3-8b on H100-80GB-SXM"]


def test_between_the_sizes_of_a_dry_run_fit_and_compare_read_one_line() -> None:
    """The dry run of Qwen3-8B that comes with roi has 2,048 and 8,192 tokens: 5,120 lie half way."""
    shape, store, gpu = find_model("qwen3-8b"), load_profiles((shipped_folder(),)), find_gpu("h100-sxm")
    plan = TrainingPlan(method="lora", seq=5120.0, trainer="hf", autocast=True)
    fitted = fit_model("qwen3-8b", plan, gpus="h100-sxm", day=date(2026, 11, 24))
    fit, dry = fitted.lines[0].fit, dry_peak(store, shape, plan)
    assert dry is not None
    room = run_room(shape, plan, gpu, dry, known_runs(store))
    assert room == Room(**{name: getattr(fit, name) for name in Room._fields})
    ends = [dry_peak(store, shape, replace(plan, seq=n)) for n in (2048.0, 8192.0)]
    assert fit.run_dry
    assert fitted.dry_run is None
    assert dry[1].own.reserved_bytes == pytest.approx(sum(each[1].own.reserved_bytes for each in ends if each) / 2)
    assert sum(dry[1].parts_bytes.values()) == pytest.approx(dry[1].own.allocated_bytes)


@pytest.mark.parametrize("longest", [2048, 5120])
def test_what_a_card_s_own_rates_make_of_hours_is_one_figure_in_fit_and_compare(tmp_path: Path, longest: int) -> None:
    """Rates of an H100, with the operators of the dry run that comes with roi: of 2,048 tokens, and beside it."""
    environment = Environment(device="cuda", gpu="H100-80GB-SXM", gpu_name="NVIDIA H100 80GB HBM3", versions={"torch": "2.13"})
    rates = (Rate(regime="matrix", name="mm", dtype="bf16", shape=(4096, 4096, 4096), work=6e14, unit="FLOP", seconds=(1.5,)),
             Rate(regime="copy", name="copy", dtype="bf16", shape=(2**30,), work=2e12, unit="byte", seconds=(1.0,)))
    save_profile(DeviceProfile(started=datetime(2026, 11, 25, tzinfo=UTC), environment=environment, rates=rates), tmp_path)
    plan = TrainingPlan(method="lora", seq=float(longest), trainer="hf", autocast=True)
    line = fit_model("qwen3-8b", plan, gpus="h100-sxm", data=TrainingSet(5000.0, 1100.0, 3.0), day=date(2026, 11, 24),
                     profiles=[tmp_path]).lines[0]
    known = known_runs(load_profiles((tmp_path, shipped_folder())))
    s = check_scenario(quiet({"training": {**TRAINED, "micro_batch": 1, "longest_tokens": longest},
                              "candidates": {"self_hosted": ["qwen3-8b"], "gpus": [], "vendors": ["Ours"]},
                              "gpu_rents": [{**RENTED, "gpus_per_instance": 1}]}))
    hours = resolve(s, known).case["options.self-hosted-adapter:qwen3-8b+lora.training.gpu_hours_per_run"]
    assert line.evidence.level == "device"
    assert line.hours is not None
    assert hours.value == pytest.approx(line.hours[0])
    assert (hours.date, "device-2026-11-25" in hours.source) == (date(2026, 11, 25), True)


@pytest.mark.parametrize(("named", "card"), [(None, "H100-80GB-SXM"), ("mi300x", "MI300X-192GB")])
def test_a_cheaper_amd_card_trains_only_where_it_is_named(named: str | None, card: str) -> None:
    """No measured training run on AMD stands behind the estimate."""
    cheap = {"gpu": "MI300X-192GB", "vendor": "Ours", "usd_per_gpu_hour": 0.5, "gpus_per_instance": 1}
    s = check_scenario(quiet({"training": {"gpu": named}, "gpu_rents": [cheap, {**RENTED, "gpus_per_instance": 1}],
                              "candidates": {"self_hosted": ["qwen3-8b"], "gpus": [], "vendors": ["Ours"]}}))
    assert resolve(s).case["options.self-hosted-adapter:qwen3-8b+lora.training.gpu"].value == card


def test_a_run_is_priced_at_no_list_price_with_a_commitment_and_at_no_index_of_rents(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rent that the user states is taken with its commitment, and an index where it is named as a vendor."""
    plain = Offer(gpu="H100-80GB-SXM", vendor="Plain", kind="on-demand", source="list", date=date(2026, 11, 1),
                  usd_per_gpu_hour=3.0, gpus_per_instance=1)
    bound = plain._replace(vendor="Bound", usd_per_gpu_hour=1.0, minimum_months=12)
    index = plain._replace(vendor="Index", usd_per_gpu_hour=2.0, level_only=True)

    def paid(*offers: Offer, vendors: tuple[str, ...] = ()) -> list[float]:
        monkeypatch.setattr(training_runs, "rents", lambda _: offers)
        scenario = check_scenario(quiet({"candidates": {"gpus": [], "vendors": vendors}}))
        return [offer.usd_per_gpu_hour for offer in training_runs.training_cards(scenario, ()).single]

    assert paid(bound, index, plain) == [3.0]
    assert paid(bound._replace(stated=0), index, plain) == [1.0]
    assert paid(bound, index, plain, vendors=("Index",)) == [2.0]


@pytest.mark.parametrize("method", ["qlora", "lora"])
def test_what_cards_of_a_kind_share_of_a_run_is_what_each_has_alone(method: str) -> None:
    """Memory on every card is that without any other; the interval of the cheapest run's speed ends at its card's peak."""
    shape, plan, known = find_model("qwen3-8b"), TrainingPlan(method=method, micro_batch=4.0, seq=2048.0), known_runs()
    for gpu in load_gpus():
        assert run_room(shape, plan, gpu, None, known) == run_room(shape, plan, gpu, None, known_runs()), gpu.id
    s = check_scenario(quiet({"training": {**TRAINED, "gpu": "a100-80gb"}}))
    run = cheapest_run(s, shape, plan, 1100.0, None, known, places_of(training_cards(s, ()), 8)[0][2])
    assert run is not None
    assert run.evidence == speed_evidence(Store())(run.gpu, shape, replace(plan, seq=1100.0))
