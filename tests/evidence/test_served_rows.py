"""Rows of a user's own serving table: what they make of a speed and its interval, and how `roi calibrate --add` keeps them."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from asked import ask
from tables_support import SERVING, read_serving, write_table

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import EngineEfficiencies, find_engine, load_serving_efficiencies
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.serving_errors import predict_serving
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.known_runs import known_runs
from roi.evidence.own_speed import PlanSpeed, half_of, own_speed
from roi.evidence.served_rows import ServedRow, ServedRows, find_served_rows, row_speeds, rows_speed
from roi.evidence.serving_speed import serving_evidence
from roi.resolution.plan_capacity import ServingPlan, plan_evidence

H100 = "H100-80GB-SXM"
PLAN = (1.0, "bf16")


def rows(*speeds, model="llama-3.1-8b", engine="vllm", gpu=H100):
    found = tuple(ServedRow(id=f"r-{k}", engine=engine, gpu=gpu, model=model, speed=speed, gpus=1.0, weight_dtype="bf16",
                            of_roofline=0.5)
                  for k, speed in enumerate(speeds))
    return ServedRows(schema="roi.served-rows/1", date=date(2026, 11, 26), roi="0", published="", table=f"{model}-table",
                      rows=found)


class Traffic:
    shape = RequestShape(1000.0, 200.0)


def new_share(low, high):
    """Of the variance of a published speed with these ends, that of a source which no fit has seen."""
    return (np.log(load_serving_efficiencies().new_source) / half_of((low, high))) ** 2


def load_share(low, high):
    """Of that variance, in scales of a Student distribution of 4 degrees of freedom, what loads of one plan scatter by: 11%."""
    return (0.11 * 2.115 / half_of((low, high))) ** 2


def test_rows_of_the_plan_itself_set_its_speed_and_narrow_its_interval():
    """Twelve rows at 0.79 to 0.81 of the published speed. Of the variance o is a load's, of the mean's o / 12: 0.8 to the power
    (1 - o) / (1 - o + o / 12)."""
    engine = find_engine("vllm")
    found = rows_speed([rows(*([0.79, 0.81, 0.8] * 4))], engine, H100, "llama-3.1-8b", PLAN, mixture=False)
    low, high = engine.ends("speed", H100, "llama-3.1-8b", mixture=False)
    own = load_share(low, high)
    assert found.found.centre == pytest.approx(0.8 ** ((1.0 - own) / (1.0 - own + own / 12)), rel=1e-3)
    assert np.log(found.spread.high / found.spread.low) < 0.85 * np.log(high / low)
    assert "by measurements, 12 of this model, on H100-80GB-SXM; " in found.spread.source
    assert f"{low:.2f} to {high:.2f} without" in found.spread.source
    assert "with llama-3.1-8b-table (n 12)" in found.spread.source


def test_the_more_a_plan_has_in_common_with_the_rows_the_narrower_it_is():
    engine, files = find_engine("vllm"), [rows(*[0.9] * 8, model="qwen3-32b")]
    widths = [rows_speed(files, engine, H100, "qwen3-32b", plan, mixture=False).found.half for plan in (PLAN, (2.0, "bf16"))]
    ends = rows_speed([rows(*[0.9] * 8, model="qwen3-32b")], engine, H100, "qwen3-8b", PLAN, mixture=False).found
    assert widths[0] < widths[1]
    assert ends.half <= half_of(ends.before)
    assert 0.9 < ends.centre < 1.0


def test_rows_of_a_model_that_the_catalog_does_not_have_are_those_of_a_mixture():
    """Another roi may have kept them; of any model they say how fast the engine is on the card."""
    engine = find_engine("vllm")
    unknown, mixture, dense = (row_speeds([rows(0.9, model=model)], engine, H100)[0].half
                               for model in ("nobody-1b", "llama-4-maverick", "yi-34b"))
    assert unknown == half_of(engine.ends("speed", H100, "nobody-1b", mixture=True)) == mixture
    assert (engine.level(H100, "llama-4-maverick"), engine.level(H100, "yi-34b")) == ("model", "model")
    assert unknown > dense
    assert rows_speed([rows(0.9, model="nobody-1b")], engine, H100, "qwen3-8b", PLAN, mixture=False).found.centre < 1.0


def test_loads_of_one_plan_are_one_measurement_from_one_table_or_several():
    """Rows of a plan at the published speed share p, all but a load's; their mean has (1 - p) / 12 besides. Another model has
    m = p (n + 0.4 (1 - n)) in common with it, n a new source's: 1 - m^2 / (p + (1 - p) / 12) is left of its variance, whoever
    measured."""
    ends = (0.5, 2.0)
    each = [PlanSpeed(f"table-{k % 3}", "qwen3-32b", PLAN, 0.0, half_of(ends)) for k in range(12)]
    mean = [PlanSpeed("profile", "qwen3-32b", PLAN, 0.0, half_of(ends), loads=12)]
    found, one, once = (own_speed(ends, known, "qwen3-8b", PLAN) for known in (each, mean, each[:1]))
    assert found.half == pytest.approx(one.half)
    assert [piece.n for piece in found.pieces] == [4, 4, 4]
    new = new_share(*ends)
    plan = 1.0 - load_share(*ends)
    other = plan * (new + 0.4 * (1.0 - new))
    assert found.half / once.half == pytest.approx(
        ((1.0 - other**2 / (plan + (1.0 - plan) / 12)) / (1.0 - other**2)) ** 0.5, rel=1e-5)


@pytest.mark.parametrize("ends", [(0.71, 1.40), (0.5, 2.0)])
def test_what_is_published_more_surely_leaves_other_loads_no_nearer_to_a_row(ends):
    """Loads of one plan scatter by 11%, 90% of them within 20%, however many were measured: one row at the published speed left
    9% where the ends are 0.71 and 1.40."""
    one, many = (own_speed(ends, [PlanSpeed("t", "qwen3-8b", PLAN, 0.0, half_of(ends))] * rows, "qwen3-8b", PLAN).half
                 for rows in (1, 50))
    assert many == pytest.approx(0.2, abs=0.005)
    assert 0.24 < one < 0.28


def test_tables_of_one_plan_that_contradict_each_other_are_less_sure_than_either_or_none():
    """Six rows at 0.75 of the published speed in one table and at 1.5 in another: both lie within, and which says what is told.
    The same rows in one table narrow it as before."""
    engine, one, other = find_engine("vllm"), rows(*[0.75] * 6), rows(*[1.5] * 6).model_copy(update={"table": "later"})
    first, second, both, same = (rows_speed(files, engine, H100, "llama-3.1-8b", PLAN, mixture=False).found
                                 for files in ([one], [other], [one, other], [one, one]))
    assert same.half <= first.half < half_of(first.before) < both.half
    assert second.half < both.half
    assert both.half > max(np.log(both.centre / 0.75), np.log(1.5 / both.centre))
    assert (first.apart, same.apart) == ("", "")
    assert both.told.endswith("with later (n 6), which contradicts what was known; by itself llama-3.1-8b-table says 0.75,"
                              " later 1.50")


def test_rows_that_contradict_what_is_published_say_so():
    found = rows_speed([rows(*[0.2] * 4)], find_engine("vllm"), H100, "llama-3.1-8b", PLAN, mixture=False)
    assert found.found.pieces[0].contradicts
    assert "which contradicts what was known" in found.spread.source
    assert 0.2 < found.found.centre < 0.3


def test_rows_of_another_card_or_engine_say_nothing():
    engine = find_engine("vllm")
    assert rows_speed([rows(0.8, gpu="L40S"), rows(0.8, engine="sglang")], engine, H100, "llama-3.1-8b", mixture=False) is None


def test_a_plan_is_replayed_at_the_speed_of_the_rows():
    plan = ServingPlan(find_model("llama-3.1-8b"), find_gpu(H100), 1, "bf16", "bf16")
    plain, slower = (plan_evidence(known_runs(rows=files), plan, Traffic()) for files in ((), (rows(*[0.8] * 6),)))
    centre = rows_speed([rows(*[0.8] * 6)], find_engine("vllm"), H100, "llama-3.1-8b", PLAN, mixture=False).found.centre
    assert float(slower.server.iteration.step_s) == pytest.approx(float(plain.server.iteration.step_s) / centre)
    assert 0.8 < centre < 0.85
    assert slower.speed_path == "serving.speed.rows-H100-80GB-SXM-llama-3-1-8b-1-bf16"
    assert "nearest: " in plain.source
    assert "interval held" in plain.source


def test_added_rows_are_kept_and_told_with_the_interval_before_and_after(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    table = write_table(tmp_path / "mine.csv", SERVING, *({"concurrency": str(c)} for c in (8, 16, 32)), {"gpu": "H1000"})
    told = ask("calibrate", "--add", table, "--profiles", folder, "--format", "json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    [piece] = answer["pieces"]
    assert (piece["rows"], piece["model"], len(answer["skipped"])) == (3, "llama-3.1-8b", 1)
    assert piece["before"] == list(find_engine("vllm").ends("speed", H100, "llama-3.1-8b", mixture=False))
    [file], damaged = find_served_rows([folder, folder.parent])  # reached twice, it counts once
    assert (file.table, len(file.rows), damaged) == ("mine", 3, ())
    shown = ask("calibrate", "--add", table, "--profiles", folder)
    assert "contradict" not in shown.stdout
    fast = write_table(tmp_path / "fast.csv", SERVING, *({"concurrency": str(c), "tpot_ms": "4.6"} for c in (8, 16)))
    twice = ask("calibrate", "--add", fast, "--profiles", folder)
    assert "Tables contradict each other on llama-3.1-8b, H100-80GB-SXM: by itself mine" in " ".join(twice.stdout.split())
    assert "Serving speed: 3 rows kept in mine.served" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_a_row_counts_once_whatever_table_it_is_in(tmp_path):
    """Copied under another name, beside new ones, and in a table without ids, whose rows are named by their lines."""
    engine, one = find_engine("vllm"), rows(0.8, 0.9)
    again = rows(0.8, 0.9, 1.0).model_copy(update={"table": "again"})
    unnamed = [one.model_copy(update={"table": str(first), "rows": tuple(
        row.model_copy(update={"id": f"line {k}"}) for k, row in enumerate(one.rows, start=first))}) for first in (2, 4)]
    assert [each.source for each in row_speeds([one, again, one], engine, H100)] == [one.table] * 2 + ["again"]
    assert len(row_speeds(unnamed, engine, H100)) == 2
    assert len(row_speeds([rows(0.8, 0.8)], engine, H100)) == 2  # two runs of one table
    renamed = one.model_copy(update={"table": "renamed", "rows": tuple(
        row.model_copy(update={"id": f"mine-{row.id}"}) for row in one.rows)})
    assert [each.source for each in row_speeds([one, renamed], engine, H100)] == [one.table] * 2
    other = renamed.model_copy(update={"rows": tuple(row.model_copy(update={"weight_dtype": "fp8"}) for row in renamed.rows)})
    assert len(row_speeds([one, other], engine, H100)) == 4

    folder, loads = tmp_path / "profiles", [{"concurrency": str(c)} for c in (8, 16, 32)]
    folder.mkdir()
    told = [ask("calibrate", "--add", write_table(tmp_path / name, SERVING, *loads), "--profiles", folder).stdout
            for name in ("mine.csv", "copy.csv", "mine.csv")]
    assert "known already" not in told[0]
    assert "Serving speed: 3 rows kept in copy.served" in told[1]
    assert "3 of the rows are known already, by their figures, and count once." in " ".join(told[1].split())
    assert "3 of the rows are known already" in " ".join(told[2].split())
    renamed = write_table(tmp_path / "renamed.csv", SERVING, *({**load, "id": f"other-{k}"} for k, load in enumerate(loads)))
    shown = ask("calibrate", "--add", renamed, "--profiles", folder, "--format", "json")
    assert json.loads(shown.stdout)["known"] == 3


def test_rows_over_other_published_speeds_are_left_out_until_their_table_is_added_again(tmp_path, monkeypatch):
    """After a refit that makes the engine 1.25 times as fast; and of a file that does not say what its rows stand against."""
    def add(name):
        table = write_table(tmp_path / name, SERVING, *({"concurrency": str(c)} for c in (8, 16, 32)))
        done = ask("calibrate", "--add", table, "--profiles", tmp_path, "--format", "json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout), " ".join(done.stderr.split())

    assert add("mine.csv")[0]["known"] == 0
    (tmp_path / "before.served").write_text(rows(0.8).model_dump_json(by_alias=True))
    why = "added before the published speeds changed: roi calibrate --add {}.csv adds it again"
    [file], left = find_served_rows([tmp_path])
    assert (file.table, left) == ("mine", ((tmp_path / "before.served", why.format("llama-3.1-8b-table")),))
    known = EngineEfficiencies.on
    monkeypatch.setattr(EngineEfficiencies, "on", lambda self, gpu: replace(
        known(self, gpu), decode_mbu=1.25 * known(self, gpu).decode_mbu))
    assert [path.name for path, _ in find_served_rows([tmp_path])[1]] == ["before.served", "mine.served"]
    found, said = add("copy.csv")
    assert (found["known"], found["pieces"][0]["rows"]) == (0, 3)
    assert f"mine.served is left out: {why.format('mine')}" in said
    assert add("mine.csv")[0]["known"] == 3
    assert [file.table for file in find_served_rows([tmp_path])[0]] == ["copy", "mine"]


def test_rows_are_left_out_where_a_rule_of_the_step_and_no_efficiency_has_changed(tmp_path, monkeypatch):
    """All-reduces twice as many slow down plans of several cards and no other."""
    for gpus in ("1", "2"):
        table = write_table(tmp_path / f"on-{gpus}.csv", SERVING, {"tp": gpus})
        assert ask("calibrate", "--add", table, "--profiles", tmp_path).exit_code == 0
    assert find_served_rows([tmp_path])[1] == ()
    monkeypatch.setattr("roi.estimate.serving.iteration.ALL_REDUCES_PER_LAYER", 4)
    [file], [(path, why)] = find_served_rows([tmp_path])
    assert (file.table, path.name) == ("on-1", "on-2.served")
    assert "added before the published speeds changed: roi calibrate --add on-2.csv adds it again" in why
    other = rows(0.8).model_copy(update={"rows": (rows(0.8).rows[0].model_copy(update={"weight_dtype": "int3"}),)})
    (tmp_path / "other.served").write_text(other.model_dump_json(by_alias=True))
    assert {path.name for path, _ in find_served_rows([tmp_path])[1]} == {"on-2.served", "other.served"}


def test_a_table_of_which_no_row_says_anything_is_refused_and_nothing_written(tmp_path):
    """90,000 tokens a second of one H100 are beyond its roofline."""
    good = write_table(tmp_path / "good.csv", SERVING, {})
    bad = write_table(tmp_path / "bad.csv", SERVING, {"output_tok_per_s": "90000"})
    told = ask("calibrate", "--add", good, "--add", bad, "--profiles", tmp_path)
    assert (told.exit_code, told.stdout) == (2, "")
    assert f"TABLE: {bad}: no row of 1 could be used; line 2, row 'lab-1', output_tok_per_s: '90000'" in told.stderr
    late = write_table(tmp_path / "late.csv", SERVING, {"output_tok_per_s": "", "ttft_ms": "100"})
    told = ask("calibrate", "--add", good, "--add", late, "--profiles", tmp_path)
    assert f"--add: {late}: nothing to keep, no row states a speed that its hardware can reach" in told.stderr
    assert not list(tmp_path.glob("*.served"))


TOTAL = {"model": "llama-3.3-70b", "weight_dtype": "fp8", "kv_dtype": "fp8", "tp": "2", "isl": "3400", "osl": "260",
         "concurrency": "32"}


def add(folder, *changes, strict=False):
    table = write_table(folder / "mine.csv", SERVING | TOTAL, *changes)
    return ask("calibrate", "--add", table, "--profiles", folder, *["--strict"] * strict)


def test_total_tokens_in_the_column_of_output_tokens_are_refused_and_the_other_rows_kept(tmp_path):
    """6,000 / 260 = 23.08 requests/s of 3,400 prompt tokens at 2 x 68.45e9 FLOP and 259 at 2 x 69.50e9 in fp8, and of the
    prompts' attention over 1,700 tokens, 4 x 80 x 8,192 x 1,700 = 4.46e9 FLOP each at half the rate: 12.3 PFLOP/s, not 3.96."""
    done = add(tmp_path, {"output_tok_per_s": "600"}, {"output_tok_per_s": "6000"})
    assert done.exit_code == 0
    said = " ".join(done.stdout.split())
    assert "Serving speed: 1 row kept in mine.served" in said
    assert ("6,000 output tokens/s of 3,400 + 260 tokens would take 12.3 PFLOP/s in fp8; 2 x H100-80GB-SXM do 3.96: are these"
            " total tokens, or of more cards?") in said
    [file], left = find_served_rows([tmp_path])
    assert (len(file.rows), left) == (1, ())
    assert file.rows[0].of_roofline == pytest.approx(0.31, abs=0.005)
    assert add(tmp_path, {"output_tok_per_s": "600"}, {"output_tok_per_s": "6000"}, strict=True).exit_code == 2


@pytest.mark.parametrize(("card", "planned"), [("P40", False), ("T4", True)])
def test_rows_on_a_card_on_which_no_plan_is_made_say_so(tmp_path, card, planned):
    done = add(tmp_path, {"model": "qwen3-8b", "gpu": card, "tp": "1", "weight_dtype": "int4", "output_tok_per_s": "30"})
    assert done.exit_code == 0, done.output
    assert (f"No plan is made on {card}, where engines do not run" in " ".join(done.stdout.split())) != planned


@pytest.mark.parametrize(("change", "column", "told"), [
    # 200 steps/s, each of which reads 68.5e9 weights in fp8 and 1.05e9 of the head in 16 bits, 70.6e9 bytes
    ({"concurrency": "1", "output_tok_per_s": "200"}, "output_tok_per_s", "weights at 14.1 TB/s; 2 x H100-80GB-SXM do 6.7"),
    ({"output_tok_per_s": "", "req_per_s": "23.08"}, "req_per_s", "12.3 PFLOP/s"),
    ({"output_tok_per_s": "", "total_tok_per_s": "84460"}, "total_tok_per_s", "12.3 PFLOP/s"),
    ({"output_tok_per_s": "600", "tpot_ms": "5"}, "tpot_ms", "a token takes 5 ms, and reading the fp8 weights once takes"),
    # half of the prompt from the cache: half of the work, still too much
    ({"output_tok_per_s": "6000", "cached_isl": "1700", "concurrency": "64"}, "output_tok_per_s", "of 1,700 + 260 tokens"),
])
def test_every_figure_above_the_roofline_is_refused_with_its_column(tmp_path, change, column, told):
    done = add(tmp_path, change)
    assert done.exit_code == 2
    assert f"row 'lab-1', {column}: " in done.stderr
    assert told in done.stderr
    assert not list(tmp_path.glob("*.served"))


@pytest.mark.parametrize(("change", "column", "told"), [
    ({"total_tok_per_s": "3000"}, "total_tok_per_s",
     "it makes 0.8197 requests/s of 3,400 + 260 tokens, and output_tok_per_s 2.308"),
    ({"req_per_s": "3"}, "output_tok_per_s", "it makes 2.308 requests/s of 3,400 + 260 tokens, and req_per_s 3"),
    ({"tpot_ms": "600", "ttft_ms": "1000"}, "tpot_ms",
     "2.308 requests/s that take 156 s each (TTFT and TPOT) are 361 in flight, and concurrency 32 (Little's law)"),
])
def test_a_row_whose_figures_contradict_each_other_is_refused_with_both(tmp_path, change, column, told):
    """600 tokens/s of 260 are 2.308 requests/s; 1 s + 259 x 0.6 s = 156.4 s, 361 in flight."""
    done = add(tmp_path, {"output_tok_per_s": "600", **change})
    assert done.exit_code == 2
    assert f"row 'lab-1', {column}: " in done.stderr
    assert told in done.stderr
    assert add(tmp_path, {"output_tok_per_s": "600", "total_tok_per_s": "8446", "req_per_s": "2.3"}).exit_code == 0


def test_a_row_far_slower_than_anybody_published_is_not_kept(tmp_path):
    """600 tokens/s, and 3: 0.5% of that; of 32 requests one alone would still make 3%."""
    done = add(tmp_path, {"id": "all", "output_tok_per_s": "600"}, {"id": "one", "output_tok_per_s": "3"})
    assert "Not kept: row 'one', at 0.0" in " ".join(done.stdout.split())
    assert [row.id for row in find_served_rows([tmp_path])[0][0].rows] == ["all"]
    assert "or at least 0.04 of the published one" in add(tmp_path, {"output_tok_per_s": "3"}).stderr


@pytest.mark.parametrize(("shares", "told"), [
    ((1.0, 1.05, 1.1, 1.2, 1.25, 1.3), "rise with load, from 1.00 of the published speed with 2 in flight to 1.30 with 64:"),
    ((1.3, 1.2, 1.25, 1.1, 1.05, 1.0), "fall with load, from 1.30 of the published speed with 2 in flight to 1.00 with 64:"),
    ((1.0, 1.01, 1.02, 1.03, 1.04, 1.05), ""),  # less than the 11% that loads lie apart
    ((1.0, 1.3, 1.05, 0.9, 1.25, 1.2), ""),  # ranks 2, 6, 3, 1, 5, 4 of 1 to 6: rho = 1 - 6 x 30 / 210 = 0.14
    ((1.0, 1.1, 1.2, 1.3), ""),  # any order of four comes by chance once in 24
])
def test_a_trend_with_load_that_one_factor_hides_is_told(tmp_path, shares, told):
    loads = [str(2**k) for k in range(1, len(shares) + 1)]
    runs = read_serving(tmp_path / "p.csv", *({"concurrency": load} for load in loads)).runs
    rates = [share * predict_serving(run, serving_evidence(run))["throughput"].value
             for share, run in zip(shares, runs, strict=True)]
    changes = ({"concurrency": load, "output_tok_per_s": str(rate)} for load, rate in zip(loads, rates, strict=True))
    done = ask("calibrate", "--add", write_table(tmp_path / "own.csv", SERVING, *changes), "--profiles", tmp_path)
    assert ("with load" in done.stdout) == bool(told), done.output
    assert told in " ".join(done.stdout.split())


def test_a_table_added_again_elsewhere_takes_the_place_of_its_rows_and_says_what_it_lacks(tmp_path):
    """Of another folder, or another table by that name: of 3 rows one comes again."""
    first, then = tmp_path / "first", tmp_path / "then"
    for folder, speeds in ((first, (600, 700, 800)), (then, (600, 900))):
        folder.mkdir()
        table = write_table(folder / "mine.csv", SERVING | TOTAL, *({"output_tok_per_s": str(s)} for s in speeds))
        found = ask("calibrate", "--add", table, "--profiles", folder, "--profiles", first)
    assert "No longer counted: 2 rows of a table of the same name" in " ".join(found.stdout.split())
    [file], left = find_served_rows([then, first])
    assert (len(file.rows), [path for path, _ in left]) == (2, [first / "mine.served"])
    assert "of a table of the same name count" in left[0][1]


def test_answers_of_one_token_are_held_to_the_products_of_their_prompt(tmp_path):
    """Time to the end over one output: 3,400 tokens of 2 x 68.45e9 FLOP and of 4.46e9 at half the rate: 0.1252 s."""
    one = {"osl": "1", "output_tok_per_s": "", "tpot_kind": "end-to-end"}
    assert add(tmp_path, {**one, "tpot_ms": "200"}).exit_code == 0
    [file], _ = find_served_rows([tmp_path])
    assert file.rows[0].of_roofline == pytest.approx(0.1252 / 0.2, rel=0.002)
    assert "a token takes 100 ms, and its share of the prompt and of reading" in add(tmp_path, {**one, "tpot_ms": "100"}).stderr


def test_a_prompt_that_the_row_says_is_cached_takes_no_products(tmp_path):
    """3,399 of 3,400 cached: 23.08 requests/s x 260 tokens are 0.84 of 3.96 PFLOP/s; 6,000 / 32 = 188 reads of 70.6 GB are 13
    TB/s, so that there must be more in flight: 128 make it 3.3."""
    assert add(tmp_path, {"output_tok_per_s": "6000", "cached_isl": "3399"}).exit_code == 2
    assert add(tmp_path, {"output_tok_per_s": "6000", "cached_isl": "3399", "concurrency": "128"}).exit_code == 0


def test_kept_rows_that_are_above_the_roofline_do_not_count(tmp_path):
    file = rows(9.8)
    kept = tuple(row.model_copy(update={"of_roofline": 3.1}) for row in file.rows)
    (tmp_path / "above.served").write_text(file.model_copy(update={"rows": kept}).model_dump_json(by_alias=True))
    told = "rows above the roofline, which no engine reaches: r-0 3.1 x"
    assert find_served_rows([tmp_path]) == ((), ((tmp_path / "above.served", told),))


def test_a_file_that_lacks_a_field_says_which(tmp_path):
    """And not, of what stands around it, that it is not usable."""
    (tmp_path / "old.served").write_text(rows(0.8).model_dump_json(by_alias=True, exclude={"published"}))
    (_, told), = find_served_rows([tmp_path])[1]
    assert told == "published: needed and not given"


def test_of_an_unknown_column_the_nearest_of_serving_tables_is_named(tmp_path):
    table = tmp_path / "served.csv"
    table.write_text("engin,gpu,model\nvllm,H100-80GB-SXM,llama-3.1-8b\n")
    assert "unknown column 'engin'; nearest: engine" in ask("calibrate", "--add", table).stderr
