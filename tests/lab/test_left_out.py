"""Fits of an engine's efficiencies through the replay, and predictions of runs that a fit has not seen."""

import json
from dataclasses import replace
from types import SimpleNamespace

import left_out
import numpy as np
import pytest
from by_chance import by_chance, chances, likeness, of_all
from efficiency_fit import (
    OF_A_CARD,
    backlogged,
    fit_efficiencies,
    fitted_times,
    priors_of,
    same_shape,
    work_of,
    works_of,
)
from left_out import judged_groups, validate_without_model
from scipy.stats import betabinom, binom, norm
from serving_spreads import Cluster, Miss, Sizes, Spreads, clusters, factor, held, left_of_sources, sizes
from tables_support import SERVING, TRAINING, read_serving, serving_run_of, write_table

from roi.catalog.efficiencies.serving_efficiencies import engine_habits
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.serving_run import run_figures
from roi.estimate.serving.efficiencies import PERFECT
from roi.evidence.serving_speed import reached, serving_evidence
from roi.numerics.spreads import student

STATIC = {"source": "t", "model": "llama-2-7b", "gpu": "H100-80GB-SXM", "design": "2024", "weight_dtype": "fp16",
          "kv_dtype": "fp16", "load": "static", "isl": "128", "osl": "128", "concurrency": "8", "output_tok_per_s": "1000"}


@pytest.fixture
def table(tmp_path):
    return lambda *changes: read_serving(tmp_path / "t.csv", *changes)


@pytest.mark.parametrize("change", [
    STATIC, {"load": "closed", "concurrency": "8", "ttft_ms": "100", "tpot_ms": "8"},
    {**STATIC, "load": "saturated", "concurrency": "", "prompts": "300", "model": "mixtral-8x7b", "tp": "2"},
    {"load": "closed", "concurrency": "8", "ttft_ms": "100", "tpot_ms": "8", "engine": "sglang"},
])
def test_the_work_of_a_run_times_its_coefficients_is_its_replay(change):
    """To a tenth of a percent: a replay with a server's own latency differs by when a closed loop's next request is sent."""
    run = serving_run_of(**change)
    known = serving_evidence(run).efficiencies
    plain = replace(known, request_s=0.0, request_steps=1.5)
    work = work_of(run)
    figures = run_figures(run, plain, engine_habits(run.engine))(1.0)
    found = {name: float(value) for name, value in work.predicted(_undone(plain, run)).items()}
    assert found["pace"] * figures.requests_per_s == pytest.approx(1.0, rel=0.01)
    assert found["tpot"] == pytest.approx(figures.tpot_s, rel=1e-3)
    assert found["ttft"] == pytest.approx(figures.ttft_s, rel=0.02)


def test_a_closed_loop_of_an_engine_that_computes_prompts_alone_is_fitted_to_its_pace():
    """8 in flight, 100 ms and 9 x 10 ms: by Little's law a request each (0.1 + 0.09) / 8 = 23.75 ms."""
    loop = {"load": "closed", "concurrency": "8", "ttft_ms": "100", "tpot_ms": "10", "osl": "10", "output_tok_per_s": ""}
    alone, mixed = (work_of(serving_run_of(**loop, engine=engine)) for engine in ("sglang", "vllm"))
    assert (fitted_times(alone), fitted_times(mixed)) == (("pace",), ("tpot",))
    assert alone.seconds["pace"] == pytest.approx(0.02375)


def _undone(engine, run):
    """The efficiencies before what the card reaches: `predicted` applies that itself."""
    there = reached(engine, run.system.gpu)
    return replace(engine, decode_mfu=engine.decode_mfu**2 / there.decode_mfu,
                   prefill_mfu=engine.prefill_mfu**2 / there.prefill_mfu)


@pytest.mark.full
def test_a_fit_predicts_what_an_engine_of_known_efficiencies_does(table):
    """24 static batches as the catalog's vLLM of 2024 runs them, fitted from the priors alone: within 6% of each."""
    works = works_of(table(*made_rows(table)[::2]).runs)
    engine = fit_efficiencies(works)
    off = [abs(np.log(float(w.predicted(engine)["pace"]) / w.seconds["pace"])) for w in works]
    assert np.median(off) < 0.03
    assert max(off) < 0.12


def misses(level, *each, engine="vllm"):
    """(model, card, rows, size of every error), one source."""
    return [Miss(work, engine, level, size, float("nan")) for model, card, rows, size in each
            for work in [work_of(serving_run_of(model=model, gpu=card, source="t"))] for _ in range(rows)]


def sizes_of(known):
    """Of models left out."""
    return Sizes(sizes(clusters(known, "speed"), "speed"), "model")


H100, H200, L40S = "H100-80GB-SXM", "H200-141GB-SXM", "L40S"
MODELS = ("llama-2-7b", "llama-2-13b", "llama-3-8b", "qwen2-7b")


def test_what_is_a_cards_own_is_not_drawn_to_the_engines():
    """A spread of 0.3 of the prior's for the rest; vLLM's early build for AMD has priors of its own."""
    one, card = (priors_of("sglang", PERFECT, width) for width in (1.0, 0.3))
    assert {name for name in one if card[name].spread == one[name].spread} == {*OF_A_CARD}
    assert priors_of("vllm-rocm-2024")["decode_mfu"].middle < priors_of("vllm")["decode_mfu"].middle


def test_a_card_is_shrunk_to_its_engine_and_the_engine_to_all_of_them():
    """Two engines, errors of e and of 1 / e on one card each, with one model of 20 rows: all 0 in logs, the first engine
    (1 + 4 x 0) / 5, its card (1 + 4 x 0.2) / 5 = 0.36; 10 rows count half: (0.5 + 4 x 0.111) / 4.5 = 0.210."""
    far = misses("model", (MODELS[0], H100, 20, float(np.e)))
    near = misses("model", (MODELS[0], H100, 20, float(1 / np.e)), engine="sglang")
    found = sizes_of([*far, *near])
    assert found.raw("vllm", H100, mixture=False) == pytest.approx(student(5.0) * np.exp(0.36))
    assert found.raw("vllm", L40S, mixture=False) == pytest.approx(student(4.0) * np.exp(0.2))
    assert found.raw("tgi", None, mixture=False) == pytest.approx(student(4.0))
    few = sizes_of([*far[:10], *near])
    assert few.raw("vllm", H100, mixture=False) == pytest.approx(student(4.5) * np.exp((0.5 + 4 * 0.5 / 4.5) / 4.5))


def test_an_engine_of_one_chip_takes_what_engines_have_in_common_and_gives_nothing_to_it():
    """One engine whose errors are 1, and 0.1 on a chip of a family of its own: an engine that was not seen: 0, a log;
    of the chip's -2.30 / 5 = -0.46, of its card (-2.30 + 4 x -0.46) / 5 = -0.83. How much larger a mixture's are beside it, and
    how far they reach, is its own too."""
    rest = misses("model", *((model, H100, 20, 1.0) for model in MODELS[:3]))
    chip = [miss._replace(one_chip=True) for miss in misses("model", (MODELS[0], H200, 20, 0.1), engine="llama.cpp-metal")]
    found = sizes_of([*rest, *chip])
    assert found.raw("tgi", None, mixture=False) == pytest.approx(student(4.0))
    assert found.raw("llama.cpp-metal", H200, mixture=False) == pytest.approx(student(5.0) * np.exp(9 / 25 * np.log(0.1)))
    far = [miss._replace(speed=5.0) for miss in misses("model", ("qwen3-30b-a3b", H200, 20, 5.0), engine="llama.cpp-metal")]
    with_it, without = (Spreads([*rest, *more], [], []) for more in (
        [*chip, *(miss._replace(one_chip=True) for miss in far)], []))
    for mixture in (False, True):
        assert with_it.half("model", "speed", "vllm", H100, mixture=mixture) == pytest.approx(
            without.half("model", "speed", "vllm", H100, mixture=mixture))


@pytest.mark.parametrize(("error", "more"), [(0.2, 2.0), (0.05, 1.0)])
def test_a_mixture_is_wider_by_what_mixtures_beside_dense_models_need(error, more):
    """0.2 beside 0.1 is twice as much, also where none ran; a mixture is known no better than a dense model."""
    known = misses("model", (MODELS[0], H100, 20, 0.1), ("qwen3-30b-a3b", H100, 20, error))
    found = sizes_of(known)
    for engine, gpu in (("vllm", H100), ("vllm", L40S), ("tgi", None)):
        dense, mixture = (found.raw(engine, gpu, mixture=each) for each in (False, True))
        assert mixture == pytest.approx(more * dense)
    assert more == 1.0 or found.raw("vllm", H100, mixture=False) == pytest.approx(student(6.0) * 0.1)
    other = Spreads([], known, []).other
    assert (other["speed", False], other["speed", True]) == (0.1, max(error, 0.1))


def test_many_loads_of_one_model_say_no_more_than_twenty():
    once, often = (sizes_of(misses("model", (MODELS[0], H100, rows, 0.5), (MODELS[1], H100, 20, 0.1))).raw(
        "vllm", H100, mixture=False) for rows in (20, 400))
    assert often == pytest.approx(once)


def test_the_factor_takes_in_nine_tenths_of_the_models_that_were_left_out():
    """Forty models, of which four lie further out; half widths of 0.4 before the factor: nine tenths lie within 0.5 of them."""
    errors = [0.2] * 36 + [0.6] * 4
    known = {Cluster("vllm", H100, k, "t", False): np.full(20, error) for k, error in enumerate(errors)}
    raw = dict.fromkeys(known, 0.4)
    assert factor(known, raw) == pytest.approx(0.5)
    raw |= dict.fromkeys(list(known)[:1], 0.1)  # a tenth of the weight beyond the end, and a fortieth more
    assert factor(known, raw) == pytest.approx(1.5)


def test_what_is_further_from_evidence_is_no_less_uncertain():
    close = misses("same", *((model, H100, 20, 0.5) for model in MODELS))
    away = misses("model", *((model, H100, 20, 0.1) for model in MODELS))
    cards = misses("elsewhere", *((model, card, 20, 0.2) for model in MODELS for card in (H100, H200)))
    found = Spreads([*close, *away, *cards], [], [])
    halves = [found.half(level, "speed", "vllm", H100, mixture=False) for level in ("same", "model", "elsewhere")]
    assert halves[0] == halves[1] == pytest.approx(0.5, rel=0.3)
    assert halves == sorted(halves)
    assert found.half("same", "ttft", "vllm", H100, mixture=False) == pytest.approx(np.log(3.0))
    assert found.other["speed", False] == pytest.approx(np.log(3.0))


def test_a_card_that_was_not_seen_is_known_no_better_than_the_worst_that_was():
    """On the H100 models lie 0.4 off, on the H200 0.1, and cards left out 0.1 as well: 0.4 is what another card may need."""
    models = misses("model", *((model, card, 20, error) for model in MODELS for card, error in ((H100, 0.4), (H200, 0.1))))
    cards = misses("elsewhere", *((model, card, 20, 0.1) for model in MODELS for card in (H100, H200)))
    found = Spreads([*models, *cards], [], [])
    near = found.half("model", "speed", "vllm", H100, mixture=False)
    assert found.half("elsewhere", "speed", "vllm", mixture=False) < near
    assert found.unseen("speed", "vllm", (H100, H200), mixture=False) == near
    assert found.unseen("speed", "vllm", (H200,), mixture=False) == found.half("elsewhere", "speed", "vllm", mixture=False)
    tried = found.left_out("elsewhere", "speed")
    assert min(half for one, half in tried.items() if one.gpu == H200) >= near * 0.99


def test_a_ttft_behind_a_backlog_says_nothing_of_others():
    """512 in flight, 0.1 s and 1,023 steps of 10 ms: 512 x 1,024 / 10.33 = 50,700 tokens/s; 16 of them 1,590."""
    loop = {"load": "closed", "osl": "1024", "ttft_ms": "100", "tpot_ms": "10", "output_tok_per_s": "", "source": "t"}
    many, few = (work_of(serving_run_of(**loop, concurrency=c)) for c in ("512", "16"))
    assert (backlogged(many), backlogged(few)) == (True, False)
    found = [Miss(work, "vllm", "model", 0.1, 0.2) for work in (many, few)]
    assert [sum(map(len, clusters(found, quantity).values())) for quantity in ("speed", "ttft")] == [2, 1]


def test_a_new_source_adds_what_its_rows_need_by_the_square():
    """Models left out lie 0.3 off at most, those of a source left out 0.5: 0.4 besides, if the half width is 0.3."""
    known = misses("model", *((model, card, 20, 0.3) for model in MODELS for card in (H100, H200)))
    elsewhere = [miss._replace(work=replace(miss.work, run=replace(miss.work.run, source="u")), speed=0.5)
                 for miss in misses("model", (MODELS[0], H100, 20, 0.5))]
    found = Spreads(known, [], elsewhere)
    half = found.half("model", "speed", "vllm", H100, mixture=False)
    assert half == pytest.approx(0.3, rel=0.1)
    assert found.source == pytest.approx((0.25 - half**2) ** 0.5)


def test_models_of_which_ninety_percent_of_rows_lie_inside_show_a_range():
    """Ten models of a row: 7 or more inside in 98.7 of 100 samples, 6 or more in 99.8; all ten in 35. So do a model's rows that
    go their own ways; of two models whose rows go together, both are inside in 81 of 100, one in 18, none in one."""
    assert by_chance([1] * 10, 0.3) == (70.0, 100.0)
    assert by_chance([1] * 100, 0.3) == (84.0, 95.0)
    assert by_chance([100], 1e-6) == (84.0, 95.0)
    assert by_chance([50, 50], 0.9999) == (50.0, 100.0)


def test_the_chances_of_a_models_rows_are_the_beta_binomials():
    """scipy's, and two rows by hand: both inside by 0.81 + 0.09 x 0.2."""
    assert chances(2, 0.2)[2] == pytest.approx(0.81 + 0.09 * 0.2)
    assert chances(60, 0.24) == pytest.approx(betabinom(60, 0.9 * (1 / 0.24 - 1), 0.1 * (1 / 0.24 - 1)).pmf(np.arange(61)))


def test_shares_of_a_cell_by_chance_hardly_hang_on_the_beta():
    """Log errors of a normal part of a model and one of a row, 90% of them inside: seven models of 20 rows hold 85 to 95% as
    often, within 3 of 100, where two rows' being inside is as alike."""
    own = norm.ppf((np.arange(2000) + 0.5) / 2000)

    def inside(shared):  # the chance of a row, by its model's part
        ends = (norm.ppf(0.95) * side - shared**0.5 * own for side in (1, -1))
        above, below = (norm.cdf(end / (1 - shared) ** 0.5) for end in ends)
        return above - below

    alike = 0.2
    shared = min(np.arange(0.02, 1.0, 0.01), key=lambda each: abs(np.var(inside(each)) / 0.09 - alike))
    one, cell = binom.pmf(np.arange(21)[:, None], 20, inside(shared)).mean(axis=1), np.ones(1)
    for _ in range(7):
        cell = np.convolve(cell, one)
    assert cell[119:134].sum() == pytest.approx(of_all([20] * 7, alike)[119:134].sum(), abs=0.03)


def test_what_cells_hold_stands_beside_what_chance_and_an_oracle_make_of_it():
    """Half widths of 0.4. Errors of 0.3 of four models on five cards, 20 rows each, and of 3 of two on an L40S: 400 of 440 rows
    inside, none of that cell, by 0.8 and 0.8 + 20 x 2.6 = 52.8; by an oracle's 0.3 and 3, 0.6 and 6. Of 80 rows 68 to 76 are 85
    to 95%, of 40 rows 34 to 38; fewer than 64 and 32 are below 80%. A cell of 20 rows is not looked at."""
    near = {Cluster("vllm", f"card-{card}", model, "t", False): 0.3 for card in range(5) for model in range(4)}
    far = {Cluster("vllm", L40S, model, "t", False): 3.0 for model in range(2)}
    known = {one: np.full(20, error) for one, error in (near | far).items()}
    halves = dict.fromkeys(known, 0.4)
    found, = held(SimpleNamespace(levels={("model", "speed"): SimpleNamespace(known=known)}, left_out=lambda *_: halves))
    assert (found.rows, found.inside, found.cells, found.within, found.below) == (440, pytest.approx(10 / 11), 6, 0, 1)
    assert found.beyond == ("L40S vllm: 0% of 40 rows, 2 pieces",)
    assert found.score == pytest.approx((400 * 0.8 + 40 * 52.8) / 440)
    assert found.oracle == pytest.approx((400 * 0.6 + 40 * 6.0) / 440)
    alike = likeness([(20, 20)] * 20 + [(20, 0)] * 2)
    four, two = (of_all([20] * models, alike) for models in (4, 2))
    assert found.within_by_chance == pytest.approx(5 * four[68:77].sum() + two[34:39].sum())
    assert found.below_by_chance == pytest.approx(5 * four[:64].sum() + two[:32].sum())
    halves = {one: half for one, half in halves.items() if one.gpu == L40S and one.unit == 0}
    few, = held(SimpleNamespace(levels={("model", "speed"): SimpleNamespace(known=known)}, left_out=lambda *_: halves))
    assert (few.rows, few.cells, few.within_by_chance) == (20, 0, 0.0)


@pytest.mark.parametrize("alike", [0.1, 0.4])
def test_how_alike_rows_are_is_found_in_models_that_were_drawn_so(alike):
    rng = np.random.default_rng(7)
    shares = rng.beta(0.9 * (1 / alike - 1), 0.1 * (1 / alike - 1), 500)
    assert likeness((30, int(inside)) for inside in rng.binomial(30, shares)) == pytest.approx(alike, abs=0.05)


def test_a_source_of_few_rows_has_hardly_moved_the_fit():
    """Two models of one source and one of another: w = 2/3, 1/3, q = 5/9: (1 - 4/3 + 5/9) / (14/9) = 1/7, (1 - 2/3 + 5/9) /
    (14/9) = 4/7. One source alone is where the fit is. Tables of one publisher are one source."""
    one, two, other = (serving_run_of(source="t", model=model) for model in MODELS[:3])
    less = [one, two, replace(other, source="u")]
    assert left_of_sources(less, ["t", "u", "v"]) == {"t": pytest.approx(1 / 7, abs=1e-3), "u": pytest.approx(4 / 7, abs=1e-3)}
    assert left_of_sources([one, two], ["t", "u"]) == {"t": 0.0}
    assert left_of_sources([replace(one, source="xjd")], ["xjd", "xjdm"]) == {"xjd": 0.0, "xjdm": 0.0}
    assert left_of_sources([*[one] * 100, *less[2:]], ["t"]) == left_of_sources([*[one] * 8, *less[2:]], ["t"])


def test_llama_3_and_3_1_are_one_architecture():
    assert same_shape(serving_run_of()) == same_shape(serving_run_of(model="llama-3-8b"))
    assert find_model("llama-3-8b").id != find_model("llama-3.1-8b").id


def test_a_group_is_judged_from_three_models_on(table):
    """Llama-3-8B and 3.1-8B are one architecture: two models with Llama-2-7B, three with Qwen."""
    two = (STATIC, {**STATIC, "model": "llama-3-8b"}, {**STATIC, "model": "llama-3.1-8b"})
    found = table(*two)
    assert judged_groups(found.runs, {x.id: x for x in found.labels}) == frozenset()
    found = table(*two, {**STATIC, "model": "qwen2-7b"})
    assert judged_groups(found.runs, {x.id: x for x in found.labels}) == {"H100-80GB-SXM vllm-2024"}


def made_rows(table):
    """48 static batches as the catalog's vLLM of 2024 runs them, on one card."""
    changes = [{**STATIC, "model": model, "tp": tp, "concurrency": c, "isl": n, "osl": n, "output_tok_per_s": "1"}
               for model in ("llama-2-7b", "llama-2-13b", "llama-3-8b", "llama-2-70b") for tp in ("4", "8")
               for c in ("1", "16", "64") for n in ("128", "512")]
    for change, run in zip(changes, table(*changes).runs, strict=True):
        known = serving_evidence(run)
        at = run_figures(run, known.efficiencies, known.habits)(1.0)
        change |= {"output_tok_per_s": str(at.output_tokens_per_s), "req_per_s": str(at.requests_per_s)}
    return changes


@pytest.mark.full
def test_a_model_left_out_is_predicted_from_the_others_and_other_groups_are_only_listed(table):
    few = [{**change, "gpu": "A100-80GB-SXM", "ttft_ms": "900"} for change in made_rows(table)[:6]]
    found = validate_without_model(table(*made_rows(table), *few))
    block = found.counted.blocks["throughput"]
    assert (block.n, block.eligible, found.counted.unpredicted) == (48, 48, ())
    assert block.median_ape < 10.0
    assert found.judged == {"H100-80GB-SXM vllm-2024"}
    body = found.json()
    assert (body["rows"], body["throughput"]["n"], body["left_out"]) == (54, 48, "model")
    groups = body["by"]["group"]
    assert {name: (block["throughput"]["n"], block["judged"]) for name, block in groups.items()} == {
        "H100-80GB-SXM vllm-2024": (48, True), "A100-80GB-SXM vllm-2024": (6, False)}


@pytest.mark.full
def test_the_script_prints_the_report_and_refuses_tables_of_training_runs(table, tmp_path, capsys, monkeypatch):
    path = write_table(tmp_path / "s.csv", SERVING, *made_rows(table))
    monkeypatch.setattr("sys.argv", ["left_out.py", str(path), "--format", "json"])
    left_out.main()
    assert json.loads(capsys.readouterr().out)["throughput"]["n"] == 48
    monkeypatch.setattr("sys.argv", ["left_out.py", str(write_table(tmp_path / "t.csv", TRAINING, {}))])
    with pytest.raises(SystemExit, match="is a table of training runs"):
        left_out.main()
