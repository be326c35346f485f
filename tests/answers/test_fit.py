"""The command `roi fit`."""

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from asked import ask

from roi.answers.fit import fit_model
from roi.catalog.cards.gpus import find_gpu
from roi.estimate.training.plan import TrainingPlan
from roi.evidence.training_speed import LARGEST_JOB
from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, Rate
from roi.report.layout.blocks import render
from roi.report.layout.wording import percent
from roi.report.training.fit import fit_blocks
from roi.scenario.template import template
from roi.store.profiles.lookup import save_profile
from roi.units import GIB

pytestmark = pytest.mark.usefixtures("no_profiles")

DATED = ("--as-of", "2026-11-24")


def run(*words):
    return ask("fit", *words, *DATED)


def answer(*words):
    result = run(*words, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


CASES = [
    ("llama-3.1-8b",),
    ("meta-llama/Llama-3.1-8B-Instruct", "--method", "qlora", "--examples", "5000", "--epochs", "3"),
    ("llama-3.1-405b", "--method", "full", "--no-checkpointing", "--micro-batch", "8", "--seq", "8192"),
    ("mixtral-8x7b", "--method", "qdora", "--targets", "attention", "--dropout", "0.05", "--examples", "100",
     "--gpu", "H200,L4"),
    ("qwen2.5-0.5b", "--targets", "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj", "--gpus", "8"),
]


def test_embedding_and_head_are_targets_that_are_trained_whole_both_or_refused():
    """Llama 3.1 8B: 41,943,040 parameters of adapters, and 128,256 x 4,096 twice; new tokens need them."""
    got = answer("llama-3.1-8b", "--targets", "all-linear,embed_tokens,lm_head", "--gpu", "H100")
    assert got["trained_parameters"] == 41_943_040 + 2 * 128_256 * 4_096
    assert (got["plan"]["targets"], got["plan"]["ends"]) == ("all-linear", True)
    for targets in ("q_proj,lm_head", "embed_tokens,lm_head"):
        assert "are known trained whole, both, beside adapters" in run("llama-3.1-8b", "--targets", targets).output
    split = run("llama-3.1-8b", "--targets", "qv,embed_tokens,lm_head", "--gpus", "2", "--sharding", "fsdp")
    assert (split.exit_code, "not known with sharding fsdp" in split.output) == (2, True)


def test_json_holds_the_plan_the_bytes_and_every_gpu():
    got = answer("llama-3.1-8b", "--gpu", "T4,H100", "--examples", "1000")
    assert got["schema"] == "roi.fit/1"
    assert (got["model"], got["method"], got["plan"]["rank"]) == ("llama-3.1-8b", "lora", 16)
    assert got["trained_parameters"] == 41_943_040
    assert got["memory"]["weights_bytes"] == pytest.approx(16.06e9, rel=1e-3)
    by_name = {g["gpu"]: g for g in got["gpus"]}
    assert by_name["H100-80GB-SXM"]["fits"]
    assert not by_name["T4"]["fits"]
    assert by_name["T4"]["nearest"] == "QLoRA"
    assert by_name["T4"]["binds"] == "weights"
    for g in got["gpus"]:
        assert g["low_bytes"] <= g["peak_bytes"] <= g["high_bytes"]


def test_usd_is_hours_times_the_offer_and_the_interval_holds_it():
    h100 = answer("llama-3.1-8b", "--gpu", "H100", "--examples", "1000")["gpus"][0]
    assert h100["usd"] == pytest.approx(h100["hours"] * h100["offer"]["usd_per_gpu_hour"])
    assert h100["usd_low"] < h100["usd"] < h100["usd_high"]


def test_hours_of_packed_rows_are_those_of_full_rows_that_hold_all_tokens():
    """3,000,000 tokens fill 1,465 rows of 2,048; examples of four rows take four; each row is as a full one of its own."""
    def hours(examples, tokens):
        return answer("llama-3.1-8b", "--gpu", "H100", "--packed", "--examples", examples, "--tokens-per-example",
                      tokens)["gpus"][0]["hours"]

    full = hours("10000", "2048")
    assert hours("10000", "300") == pytest.approx(full * 1465 / 10000)
    assert hours("2500", "8192") == pytest.approx(full)
    head = " ".join(run("llama-3.1-8b", "--gpu", "H100", "--packed", "--examples", "10000", "--tokens-per-example",
                        "300").stdout.split())
    assert "10,000 examples x 300 tokens x 1 epoch, in 1,465 full rows an epoch" in head


def test_without_examples_there_are_no_hours_and_no_usd():
    h100 = answer("llama-3.1-8b", "--gpu", "H100")["gpus"][0]
    assert (h100["hours"], h100["usd"]) == (None, None)


def test_the_largest_micro_batch_fits_and_the_next_does_not():
    a100 = answer("llama-3.1-8b", "--gpu", "A100-80GB-SXM")["gpus"][0]
    largest = a100["largest_micro_batch"]
    assert answer("llama-3.1-8b", "--gpu", "A100-80GB-SXM", "--micro-batch", str(largest))["gpus"][0]["fits"]
    assert not answer("llama-3.1-8b", "--gpu", "A100-80GB-SXM", "--micro-batch", str(largest + 1))["gpus"][0]["fits"]


@pytest.mark.parametrize(("words", "told"), [
    (("--method", "dora"), "--method: dora is not possible on the experts of qwen3-30b-a3b; take targets attention, or lora"),
    (("--dropout", "0.05"),
     "--dropout: 0.05 is not possible on the experts of qwen3-30b-a3b; take targets attention, or dropout 0"),
])
def test_what_peft_refuses_on_experts_is_refused_here(words, told):
    result = run("qwen3-30b-a3b", *words, "--gpu", "L4")
    assert (result.exit_code, result.stderr.strip()) == (2, f"roi: {told}")
    assert run("qwen3-30b-a3b", *words, "--gpu", "L4", "--targets", "attention").exit_code == 0


def test_litgpt_s_own_dropout_is_not_what_is_refused_of_a_mixture():
    assert run("mixtral-8x7b", "--stack", "litgpt").stderr.strip() == (
        "roi: --stack: litgpt is not known on the experts of mixtral-8x7b (MLPs in a loop there); take transformers")


def test_whole_instances_are_said_where_a_job_takes_a_part_of_one():
    """MI300X are rented in eights: 1.50 USD x 8 cards x hours for a job on four of them."""
    job = ("llama-3.1-8b", "--gpu", "MI300X-192GB", "--sharding", "fsdp", "--examples", "8000")
    line = answer(*job, "--gpus", "4")["gpus"][0]
    assert line["usd"] == pytest.approx(8 * 1.50 * line["hours"])
    told = "Whole instances are rented, and all their GPUs are in the USD: MI300X-192GB (8 for 4)"
    assert told in " ".join(run(*job, "--gpus", "4").stdout.split())
    assert ", rented by 8)" in " ".join(run(*job, "--gpus", "4", "--full").stdout.split())
    assert "Whole instances" not in run(*job, "--gpus", "8").stdout


def test_the_nearest_plan_really_fits():
    got = answer("llama-3.1-8b", "--gpu", "L4", "--micro-batch", "4")["gpus"][0]
    assert got["nearest"] == "kernels liger with micro-batch 3"  # four need 20.6 of 22.0 GiB, and 22.1 at the 95th percentile
    assert got["nearest_bytes"] <= got["memory_bytes"]
    named = answer("llama-3.1-8b", "--gpu", "L4", "--micro-batch", "3", "--kernels", "liger")["gpus"][0]
    assert named["peak_bytes"] == got["nearest_bytes"]


def test_galore_s_rank_is_halved_until_it_fits_and_where_none_does_an_adapter_of_a_usual_rank_may():
    """Moments of rank 4,096 are those of AdamW; 16 GB of weights and 16 of gradients leave no room for any on an L4."""
    galore = ("llama-3.1-8b", "--method", "full", "--optimizer", "galore-adamw")
    got = answer(*galore, "--rank", "4096", "--gpu", "MI210-64GB")["gpus"][0]
    assert got["nearest"] == "rank 2,048"
    assert answer(*galore, "--rank", "2048", "--gpu", "MI210-64GB")["gpus"][0]["peak_bytes"] == got["nearest_bytes"]
    got = answer(*galore, "--rank", "128", "--gpu", "L4")["gpus"][0]
    assert got["nearest"] == "LoRA of rank 16"
    assert answer("llama-3.1-8b", "--gpu", "L4")["gpus"][0]["peak_bytes"] == got["nearest_bytes"]


def test_without_a_length_a_model_of_a_shorter_context_takes_that_and_says_so():
    one = ("--examples", "100", "--gpu", "L4,H100")
    found, asked = run("gpt2", *one), run("gpt2", *one, "--seq", "1024")
    assert found.stdout == asked.stdout != ""
    assert "sequences are of 1,024 tokens, all that gpt2 takes; without --seq they are of 2,048" in found.stderr
    assert asked.stderr == run("llama-3.1-8b", *one).stderr == ""
    assert answer("gpt2", *one, "--tokens-per-example", "300")["plan"]["seq"] == 1024


@pytest.mark.parametrize(("words", "same"), [
    (("--method", "QLoRA"), ("--method", "qlora")), (("--method", "PiSSA"), ("--method", "lora")),
    (("--method", "(IA)^3"), ("--method", "ia3")), (("--method", "LoftQ"), ("--method", "qlora")),
    (("--method", "full", "--optimizer", "paged_adamw_8bit"), ("--method", "full", "--optimizer", "paged-adamw-8bit")),
    (("--method", "Full fine-tuning", "--optimizer", "Lion8bit"), ("--method", "full", "--optimizer", "lion-8bit")),
    (("--method", "prompt-tuning", "--rank", "20"), ("--method", "prompt_tuning", "--rank", "20")),
])
def test_methods_and_optimizers_are_known_as_people_and_libraries_write_them(words, same):
    assert answer("llama-3.2-1b", "--gpu", "H100", *words) == answer("llama-3.2-1b", "--gpu", "H100", *same)


@pytest.mark.parametrize(("model", "own", "usual"), [
    ("falcon-7b", "query_key_value", "q_proj,k_proj,v_proj"), ("mpt-7b", "Wqkv,out_proj", "q_proj,k_proj,v_proj,o_proj"),
    ("gpt2", "c_attn,c_proj", "q_proj,k_proj,v_proj,o_proj,down_proj"), ("opt-6.7b", "fc1,fc2", "up_proj,down_proj"),
    ("baichuan2-7b", "W_pack", "q_proj,k_proj,v_proj"),
])
def test_targets_are_known_by_the_names_of_the_model_s_own_code(model, own, usual):
    found, same = (answer(model, "--gpu", "H100", "--seq", "512", "--targets", names) for names in (own, usual))
    assert found["trained_parameters"] == same["trained_parameters"]
    assert found["gpus"] == same["gpus"]


def test_offloaded_states_leave_the_card():
    one = ("llama-3.1-8b", "--method", "full", "--gpu", "H100", "--sharding", "zero2")
    assert answer(*one, "--offload")["gpus"][0]["peak_bytes"] < 0.5 * answer(*one)["gpus"][0]["peak_bytes"]


def test_what_offloading_asks_of_the_host_is_said():
    """70,553,706,496 parameters x 18 bytes are 1,183 GiB, which few hosts have; a card of 24 GB fits all the same."""
    words = ("--method", "full", "--gpu", "RTX-4090", "--sharding", "zero3", "--offload")
    told = " ".join(run("llama-3.1-70b", *words).stdout.split())
    assert "Fits: yes" in told
    assert "Offload: at least 1,183 GiB of the host's memory, all GPUs together. Its speed is assumed, 60 GB/s and 20" in told


@pytest.mark.parametrize("words", [
    ("--gpu", "H100", "--gpus", "4", "--sharding", "zero2", "--offload"),
    ("--gpu", "A100-40GB-SXM", "--optimizer", "paged-adamw")])
def test_a_step_that_waits_for_the_host_is_as_unsure_as_the_hosts_rates(words):
    """64 GB of states cross a link of 10 to 40 GB/s: most of the step takes half to twice as long."""
    line = answer("llama-3.1-8b", "--method", "full", *words)["gpus"][0]
    ends = line["tokens_per_s_low"] / line["tokens_per_s"], line["tokens_per_s_high"] / line["tokens_per_s"]
    assert 0.5 < ends[0] < 0.6
    assert 1.6 < ends[1] < 2.0
    told = " ".join(run("llama-3.1-8b", "--method", "full", *words).stdout.split())
    assert "the interval takes half and twice of it" in told


def test_qlora_of_a_mixture_in_transformers_4_takes_a_seventh_of_what_5_does():
    """Mixtral, adapters on attention, 2,048 tokens: 26 GiB, its experts in NF4; 175 as one parameter, which stays in fp32."""
    words = ("mixtral-8x7b", "--method", "qlora", "--targets", "attention", "--gpu", "A100-80GB-SXM", "--format", "json")
    peaks = [json.loads(run(*words, *more).stdout)["memory"]["peak_allocated_bytes"] for more in ((), ("--split-experts",))]
    assert [peak / 2**30 for peak in peaks] == pytest.approx([175.0, 26.0], abs=0.1)


@pytest.mark.parametrize("sharding", ["fsdp", "zero3"])
@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_offloaded_parameters_of_adapters_have_a_report_too(method, sharding):
    done = run("llama-3.1-8b", "--method", method, "--gpu", "H100", "--gpus", "8", "--sharding", sharding, "--offload")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Fits: yes" in done.stdout


@pytest.mark.parametrize(("words", "whose"), [
    (("--method", "ia3"), "at the pace of tuners of its kind in peft's method comparison, 9 rows of ia3 among them (LoRA: n ="),
    (("--method", "hra"), "0 rows of hra among them ("),
    (("--method", "boft"), "4 rows of boft among them ("),
    (("--method", "lisa", "--rank", "2"), "at the pace of peft's tuners without targets (lisa is LMFlow's) ("),
    (("--method", "llama_adapter", "--stack", "litgpt"), "without targets (llama_adapter is LitGPT's) ("),
])
def test_a_tuner_s_speed_says_whose_pace_it_is_and_how_many_rows_are_its_own(words, whose):
    for full in ((), ("--full",)):
        assert whose in " ".join(run("llama-3.1-8b", "--gpu", "H100", *words, *full).stdout.split())


def test_the_size_of_osf_is_told_as_what_trains_not_as_peft_s_rank_pattern_which_is_what_is_kept():
    """It read "osf rank_pattern 16", with which peft would freeze 16 directions and train all others."""
    said = " ".join(run("llama-3.1-8b", "--gpu", "H100", "--method", "osf").stdout.split())
    assert "llama-3.1-8b: osf r16, all-linear" in said
    assert "trained parameters: the r least singular directions of each target (peft's rank_pattern is how many" in said


@pytest.mark.parametrize(("words", "size", "trained"), [
    (("houlsby",), 128, "33,689,600 trained parameters: a bottleneck behind every MLP (ms-swift's houlsby); base in bf16"),
    (("llamapro",), 4, "872,448,000 trained parameters: copies of layers"),
    (("lisa",), 2, "some layers at a time, embedding, head and last norm (LMFlow's lisa)"),
    (("llama_adapter", "--stack", "litgpt"), 10, "1,229,760 trained parameters: a prompt in every attention"),
    (("llama_adapter_v2", "--stack", "litgpt"), 10, "(LitGPT's llama_adapter_v2)"),
    (("loha",), 16, "a change of each target's weight that is made whole; base in bf16"),
    (("qlora",), 16, "low-rank adapters; base in NF4, what is not quantised cast to fp32: 2.0 GiB more"),
    (("lora-int8",), 16, "low-rank adapters; base in int8"), (("full",), 16, "8,030,261,248 trained parameters: every weight"),
])
def test_a_method_says_what_it_trains_on_which_base_and_has_its_packages_size(words, size, trained):
    """llama-3.1-8b, by hand: 32 x (2 x 128 x 4096 + 128 + 4096); 4 x 218,112,000; 30 x (10 x 4096 + 32); embedding and head
    2 x 128,256 x 4096, two bytes more each. A size that is stated stays."""
    assert answer("llama-3.1-8b", "--method", *words, "--gpu", "H200")["plan"]["rank"] == size
    assert trained in " ".join(run("llama-3.1-8b", "--method", *words, "--gpu", "H200").stdout.split())
    if words[0] != "full":
        assert answer("llama-3.1-8b", "--method", *words, "--rank", "8", "--gpu", "H200")["plan"]["rank"] == 8


def test_the_cast_of_a_mixtures_experts_is_on_the_first_screen():
    """qwen3-30b-a3b: 48 layers of 128 experts of 3 x 768 x 2048, embedding and head 2 x 151,936 x 2048, two bytes more each."""
    told = " ".join(run("qwen3-30b-a3b", "--method", "qlora", "--gpu", "H200").stdout.split())
    assert "what is not quantised cast to fp32: 55.2 GiB more" in told


@pytest.mark.parametrize("sharding", ["fsdp", "zero3"])
def test_where_sharded_parameters_take_one_dtype_the_first_screen_says_why_nothing_is_cast(sharding):
    found = run("qwen3-30b-a3b", "--method", "qlora", "--gpu", "H200", "--gpus", "4", "--sharding", sharding)
    told = " ".join(found.stdout.split())
    assert f"base in NF4, what is not quantised in bf16, not cast to fp32: {sharding} gathers one dtype; 4 GPUs" in told


def test_a_smaller_plan_of_a_method_whose_size_is_no_rank_has_a_rank_of_its_own():
    got = answer("llama-3.1-8b", "--method", "houlsby", "--gpu", "RTX-4080")["gpus"][0]
    assert got["nearest"] == "QLoRA of rank 16"
    assert answer("llama-3.1-8b", "--method", "qlora", "--gpu", "RTX-4080")["gpus"][0]["fits"]


def test_a_job_larger_than_any_that_speed_was_fitted_to_says_so():
    """The tables' largest has 512 GPUs."""
    tables = (Path(__file__).parents[2] / "lab/tables").glob("training-*.csv")
    rows = (row for table in tables for row in csv.DictReader(table.read_text("utf-8").splitlines()))
    assert max(int(float(row["n_gpus"] or 1)) for row in rows) == LARGEST_JOB
    for gpus in (LARGEST_JOB, LARGEST_JOB + 1):
        for full in ((), ("--full",)):
            told = " ".join(run("llama-3.1-8b", "--gpu", "H100", "--gpus", str(gpus), *full).stdout.split())
            assert ("Speed beyond 512 GPUs rests on no run" in told) == (gpus > LARGEST_JOB)


def test_an_empty_name_among_the_cards_is_passed_over():
    assert run("llama-3.1-8b", "--gpu", "h100,").stdout == run("llama-3.1-8b", "--gpu", "h100").stdout != ""


def test_checkpoints_of_inputs_alone_are_nearest_where_selective_ones_do_not_fit():
    got = answer("llama-3.1-8b", "--gpu", "L4", "--checkpoints", "selective")["gpus"][0]
    assert got["nearest"] == "checkpoints of inputs alone"
    assert answer("llama-3.1-8b", "--gpu", "L4", "--checkpoints", "inputs")["gpus"][0]["fits"]


def test_options_that_the_hours_leave_out_are_named():
    told = " ".join(run("llama-3.1-8b", "--gpu", "L40S", "--kernels", "liger", "--checkpoints", "offloaded").stdout.split())
    assert "Speed, hours and USD do not count the copies of offloaded checkpoints to the host and back" in told
    assert "do not count" not in run("llama-3.1-8b", "--gpu", "L40S").stdout


def test_what_does_not_fit_says_what_binds_and_what_would_fit():
    out = run("llama-3.1-8b", "--gpu", "T4", "--full").stdout
    assert "T4: does not fit" in out
    assert "mostly weights; fits: QLoRA" in " ".join(out.split())
    first = " ".join(run("llama-3.1-8b", "--gpu", "T4").stdout.splitlines()[1:3])
    got = answer("llama-3.1-8b", "--gpu", "T4")["gpus"][0]
    assert first == (f"Fits: no. Peak {got['peak_bytes'] / GIB:.1f} of 14.6 GiB on T4; mostly weights; fits: QLoRA"
                     f" ({got['nearest_bytes'] / GIB:.1f} GiB, tight; no bf16 units: use --dtype fp16).")


@pytest.mark.parametrize(("words", "message"), [
    (("lama-3.1-8b",), "nearest: llama-3.1-8b"),
    (("lama-3-8b",), "nearest: llama-3-8b"),
    (("zzz",), "known names is like it; or give the path of its config.json"),
    (("llama-3.1-8b", "--gpu", "H10"), "unknown GPU"),
    (("llama-3.1-8b", "--gpu", "A100"), "it may be"),
    (("llama-3.1-8b", "--gpu", " ,"), "--gpu: ' ,' names no card; all, or names with commas"),
    (("llama-3.1-8b", "--method", "lroa"), "lora-int8 and 46 more; nearest: lora"),
    (("llama-3.1-8b", "--method", "full", "--optimizer", "galore-adamw", "--rank", "4097"),
     "--rank: 4,097 is not usable; at most 4,096"),
    (("gpt2", "--seq", "2048"), "--seq: 2,048 tokens is not usable; gpt2 takes at most 1,024"),
    (("gpt2", "--examples", "9", "--tokens-per-example", "1500"), "--tokens-per-example: 1500 is above --seq 1024"),
    (("llama-3.1-8b", "--examples", "9", "--tokens-per-example", "3000"), "--tokens-per-example: 3000 is above --seq 2048"),
    (("llama-3.1-8b", "--method", "qlra"), "nearest: qlora"),
    (("llama-3.1-8b", "--method", "full", "--optimizer", "soap"), "'soap' is not one of adamw"),
    (("llama-3.1-8b", "--dtype", "nf4"), "--dtype: 'nf4' is how method qlora keeps its base"),
    (("llama-3.1-8b", "--optimizer", "adamx"), "apollo-adamw; nearest: adamw"),
    (("llama-3.1-8b", "--optimizer", "lomo"), "--optimizer: lomo applies gradients as they come of trained weights"),
    (("llama-3.1-8b", "--method", "full", "--optimizer", "Muon", "--gpus", "8", "--sharding", "fsdp"),
     "--optimizer: muon is not known with sharding fsdp"),
    (("llama-3.1-8b", "--offload"), "offload: not usable with sharding: 'none'; take zero2, zero3 or fsdp"),
    (("llama-3.1-8b", "--split-experts"), "--split-experts: llama-3.1-8b has no experts"),
    (("gpt-oss-20b", "--split-experts"), "--split-experts: the experts of gpt-oss-20b are one parameter"),
    (("llama-3.1-8b", "--rank", "0"), "rank: 0 is not usable; at least 1"),
    (("llama-3.1-8b", "--rank", "-4"), "rank: -4"),
    (("llama-3.1-8b", "--seq", "200000"), "at most 131,072"),
    (("llama-3.1-8b", "--targets", "c_attn"), "no target 'c_attn'"),
    (("llama-3.1-8b", "--dtype", "bf17"), "nearest: bf16"),
    (("llama-3.1-8b", "--examples", "-1"), "examples: -1 is not usable; from 1 to 1,000,000,000,000"),
    (("llama-3.1-8b", "--examples", "10", "--epochs", "inf"), "epochs: inf"),
    (("llama-3.1-8b", "--gpus", "0"), "gpus: 0"),
    (("llama-3.1-8b", "--dropout", "nan"), "dropout: nan"),
    (("llama-3.1-8b", "--rank", "100000000"), "at most 4,096, the full rank of the widest target of llama-3.1-8b"),
    (("llama-3.1-8b", "--rank", "2000", "--targets", "k_proj"), "at most 1,024"),
    (("llama-3.1-8b", "--micro-batch", "100000000000000000000"), "is not usable; at most 65,536"),
    (("llama-3.1-8b", "--accumulation", "2000000"), "at most 1,000,000"),
    (("llama-3.1-8b", "--gpus", "100000"), "--gpus: 100000 is not usable; at most 16,384"),
    (("llama-3.1-8b", "--examples", "1e30"), "from 1 to 1,000,000,000,000"),
    (("llama-3.1-8b", "--examples", "0.5"), "from 1 to"),
    (("llama-3.1-8b", "--examples", "1.5"), "examples: 1.5 is not usable; a whole number"),
    (("llama-3.1-8b", "--dtype", "fp32", "--attention", "flash"), "attention: 'flash' is not usable with dtype: 'fp32'"),
    (("llama-3.1-8b", "--method", "full", "--rank", "16"), "--rank: without effect here: --method full"),
    (("llama-3.1-8b", "--method", "ia3", "--rank", "16"), "--rank: without effect here: --method ia3 has no size"),
    (("llama-3.1-8b", "--method", "lisa", "--targets", "qv"), "--targets: without effect here: --method lisa has no targets"),
    (("llama-3.1-8b", "--method", "full", "--targets", "qv"), "--targets: without effect here"),
    (("llama-3.1-8b", "--method", "full", "--dropout", "0"), "--dropout: without effect here"),
    (("llama-3.1-8b", "--no-double-quant"), "--no-double-quant: without effect here: --method lora stores no NF4 scales"),
    (("llama-3.1-8b", "--method", "qlra", "--no-double-quant"), "nearest: qlora"),
    (("llama-3.1-8b", "--dtype", "fp32", "--autocast"), "--autocast: without effect here"),
    (("llama-3.1-8b", "--kernels", "liger", "--loss", "16bit"), "--loss: without effect here: --kernels liger takes its"),
    (("llama-3.1-8b", "--kernels", "liger", "--logits-kept"), "--logits-kept: without effect here: --kernels liger makes no"),
    (("bloom-7b1", "--attention", "flash"), "flash is not possible with the class of bloom-7b1 (bloom); take eager"),
    (("llama-4-scout", "--attention", "flash"), "flash is not possible with the class of llama-4-scout (llama4_text)"),
    (("gemma-2-9b", "--attention", "sdpa-flash"), "not possible with the class of gemma-2-9b (gemma2); take eager or flash"),
    (("llama-3.1-8b", "--epochs", "3"), "--epochs: without effect here: hours and USD need --examples"),
    (("llama-3.1-8b", "--tokens-per-example", "100"), "--tokens-per-example: without effect here"),
])
def test_bad_input_exits_2_with_what_is_allowed(words, message):
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


@pytest.mark.parametrize(("attention", "kernel"), [
    ("flash", "FlashAttention-2"), ("flash3", "FlashAttention-3"), ("sdpa-flash", "SDPA's FlashAttention"),
    ("sdpa-cudnn", "cuDNN's attention"),
])
def test_a_card_before_ampere_is_told_to_lack_the_kernel_that_is_asked_for(attention, kernel):
    """A T4 was called usable with FlashAttention-3 and with SDPA's pinned kernels, which would not start."""
    words = ("qwen2.5-0.5b", "--gpu", "T4", "--dtype", "fp16", "--attention", attention)
    assert f"Not usable: T4: {kernel} needs Ampere or newer." in run(*words).stdout.replace("\n", " ")


def test_a_card_that_is_named_twice_is_told_once():
    assert run("llama-3.1-8b", "--gpu", "L4,L4").stdout == run("llama-3.1-8b", "--gpu", "L4").stdout


@pytest.mark.parametrize(("held", "said"), [
    ((template("own-gpus")), "one of its candidates.self_hosted, qwen3-8b, or the path of a config.json"),
    ("a: 1\n", "a name of the catalog, or the path of a config.json"),
])
def test_a_scenario_in_the_place_of_a_model_is_answered_with_its_models(tmp_path, held, said):
    (tmp_path / "s.yaml").write_text(held, encoding="utf-8")
    result = run(str(tmp_path / "s.yaml"))
    assert result.exit_code == 2
    assert f"s.yaml is YAML, as a scenario is; roi fit takes a model: {said}\n" in result.stderr
    assert result.stderr.count("\n") == 1


def test_markdown_holds_the_same_process_memory():
    body = answer("llama-3.1-8b", "--gpu", "H100")
    out = run("llama-3.1-8b", "--gpu", "H100", "--format", "markdown", "--full").stdout
    assert "| GiB |" in out
    assert f"| process | {body['gpus'][0]['peak_bytes'] / GIB:.2f} c |" in out


@pytest.mark.full
@pytest.mark.parametrize(("words", "told"), [
    ((), "HF Trainer 41"), (("--trainer", "trl"), "TRL SFTTrainer 41"), (("--trainer", "plain"), "plain loop 41"),
    (("--packed",), "packed"), (("--gpus", "4", "--sharding", "zero3"), "4 GPUs, zero3"),
    (("--gpus", "4"), "4 GPUs, data parallel"),
    (("--dropout", "0.05"), "dropout 0.05"), (("--method", "qlora", "--no-double-quant"), "single quantisation"),
    (("--accumulation", "8"), "8 micro-steps a step"), (("--logits-kept",), "logits kept"), (("--no-autocast",), "no autocast"),
    (("--trainer", "plain", "--no-logits-kept"), "logits let go"),
])
def test_the_head_names_every_option_that_changes_the_answer(words, told):
    head = run("llama-3.1-8b", "--gpu", "H100", *words, "--full").stdout.partition("Peak on")[0]
    assert told in " ".join(head.split())


def test_a_trainers_own_habit_goes_without_saying():
    plain = run("llama-3.1-8b", "--gpu", "H100", "--trainer", "plain", "--full").stdout.partition("Peak on")[0]
    assert "plain loop 41" in " ".join(plain.split())
    assert "logits kept" not in " ".join(plain.split())


def test_usd_can_be_worked_out_from_what_is_printed():
    """GCP's L4 is 0.708 USD an hour: printed in full, and hours with three digits, so their product is USD within 0.5%."""
    out = run("llama-3.1-8b", "--examples", "5000", "--gpu", "L4", "--full").stdout
    line = next(line.split() for line in out.splitlines() if line.startswith("L4 "))
    assert "L4 0.708/h GCP" in " ".join(out.split())
    assert 0.708 * float(line[5]) == pytest.approx(float(line[7]), rel=0.005)
    h100 = run("llama-3.1-8b", "--examples", "5000", "--gpu", "H100", "--full").stdout
    assert "H100-80GB-SXM 3.95/h" in " ".join(h100.split())


@pytest.mark.full
@pytest.mark.parametrize("words", CASES)
@pytest.mark.parametrize("full", [(), ("--full",)])
def test_no_line_is_wider_than_80_columns_and_the_answer_has_at_most_40_lines(words, full):
    result = run(*words, *full)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert full or len(lines) <= 40


@pytest.mark.parametrize("words", [
    ("llama-3-8b", "--method", "full", "--sharding", "fsdp", "--gpus", "4", "--gpu", "A100-80GB-SXM"),
    ("llama-3.1-8b", "--gpu", "L4,L40S,T4"), ("llama-3.1-8b", "--gpu", "L4,L40S,T4", "--examples", "500"),
    ("llama-3.1-8b", "--gpu", "T4"), ("qwen3-30b-a3b", "--method", "qlora", "--gpu", "H100,A100-40GB-SXM"),
])
def test_full_says_all_that_the_short_answer_says(words):
    told, more = run(*words).stdout, run(*words, "--full").stdout
    short = told.partition("--full:")[0].rstrip()
    assert more.startswith(short)
    assert "--full:" not in more


def test_full_has_the_price_of_each_card_where_no_hours_were_asked_for():
    """Four cards at 1.29 USD an hour that train 9,248 tokens a second: 5.16 / 3,600 / 9,248 x 1e6 = 0.155 USD/Mtok."""
    words = ("llama-3-8b", "--method", "full", "--sharding", "fsdp", "--gpus", "4", "--gpu", "A100-80GB-SXM")
    out = run(*words, "--full").stdout
    row = next(line.split() for line in out.splitlines() if line.startswith("A100-80GB-SXM "))
    tokens_per_s, usd_per_mtok = float(row[4].replace(",", "")), float(row[-1])
    assert usd_per_mtok == pytest.approx(4 * 1.29 / 3600 / tokens_per_s * 1e6, rel=0.005)
    assert "A100-80GB-SXM 1.29/h Verda (2026-10-29)" in " ".join(out.split())
    assert "-" not in row


def test_the_answer_is_the_cheapest_card_that_fits_and_stands_first():
    """As JSON has it: at most five cards, cheapest first, and the one of the answer is `recommended`."""
    words = ("qwen3-8b", "--examples", "5000")
    told, body = run(*words).stdout, answer(*words)
    priced = [g for g in body["gpus"] if g["fits"] and not g["tight"] and not g["note"] and g["usd"] is not None]
    best = min(priced, key=lambda g: g["usd"])
    assert body["recommended"] == best["gpu"]
    first = " ".join(" ".join(told.splitlines()[1:4]).split())
    assert first.startswith(f"Cheapest card that fits: {best['gpu']}. A run takes {best['hours']:#.3g} hours,")
    assert f" ${best['usd']:.2f} (" in first
    assert f"Peak {best['peak_bytes'] / GIB:.1f} of {best['memory_bytes'] / GIB:.1f} GiB" in first
    sure = f"How sure (5-95%): {best['low_bytes'] / GIB:.1f}-{best['high_bytes'] / GIB:.1f} GiB"
    assert sure in " ".join(told.split())
    rows = told.partition("USD/GPU-h")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(rows) == 5
    costs = [float(row.split()[5].replace(",", "")) for row in rows]
    assert costs == sorted(costs)


@pytest.mark.full
def test_a_range_beyond_the_card_that_is_not_tight_says_what_the_allocator_gives_back():
    words = ("qwen3-8b", "--accumulation", "16", "--examples", "5000")
    told, body = " ".join(run(*words).stdout.split()), answer(*words)
    best = next(g for g in body["gpus"] if g["gpu"] == body["recommended"])
    assert best["needed_high_bytes"] <= best["memory_bytes"] < best["high_bytes"]
    assert f"GiB (of that the allocator gives back what is beyond {best['needed_high_bytes'] / GIB:.1f})," in told


def test_a_card_that_fits_but_not_at_the_95th_percentile_is_recommended_only_where_nothing_else_is_priced():
    """An L4 has 22.0 GiB, which the plan's 95th percentile exceeds; an H100 has room for it."""
    tight, both = (answer("qwen3-8b", "--examples", "100", "--gpu", cards) for cards in ("L4", "L4,H100"))
    assert tight["gpus"][0]["tight"]
    assert (tight["recommended"], both["recommended"]) == ("L4", "H100-80GB-SXM")
    assert "L4, tight: not at the 95th percentile." in run("qwen3-8b", "--examples", "100", "--gpu", "L4").stdout


def test_without_examples_cards_are_ranked_by_usd_a_million_tokens():
    """0.708 USD an hour / 3,600 s / tokens a second x 1e6."""
    body = answer("llama-3.1-8b", "--gpu", "L4,H100")
    l4 = next(g for g in body["gpus"] if g["gpu"] == "L4")
    assert l4["usd_per_mtok"] == pytest.approx(0.708 / 3600 / l4["tokens_per_s"] * 1e6)
    assert l4["tokens_per_s_low"] < l4["tokens_per_s"] < l4["tokens_per_s_high"]
    best = min(body["gpus"], key=lambda g: g["usd_per_mtok"])
    assert body["recommended"] == best["gpu"]
    told = " ".join(run("llama-3.1-8b", "--gpu", "L4,H100").stdout.split())
    assert "--examples N" in told
    dear, cheap = sorted(body["gpus"], key=lambda g: -g["usd_per_mtok"])
    least, most = (g["usd_per_mtok"] * g["tokens_per_s"] / g[end] for g, end in (
        (dear, "tokens_per_s_high"), (cheap, "tokens_per_s_low")))
    assert ("Ranges overlap: a run may cost less on 1 other card." in told) == (least < most)


def test_a_card_without_the_number_format_is_not_recommended():
    body = answer("qwen3-8b", "--gpu", "V100-32GB-SXM")
    assert (body["gpus"][0]["fits"], body["recommended"]) == (True, None)
    alone = run("qwen3-8b", "--gpu", "V100-32GB-SXM").stdout
    assert "Not usable: V100-32GB-SXM: no bf16 units: use --dtype fp16." in alone
    assert "--sharding" not in alone
    assert "--gpus 8 --sharding fsdp --dtype fp16" in run("llama-3.3-70b", "--gpu", "V100-32GB-SXM").stdout


def test_where_nothing_fits_the_largest_card_says_what_would():
    told = " ".join(run("llama-3.1-405b", "--method", "full").stdout.split())
    assert "Fits: no. Peak 3,069" in told
    assert "the largest card; mostly optimizer; fits: QLoRA" in told
    assert "--gpus 8 --sharding fsdp" in told


def test_where_each_gpu_would_hold_all_of_it_the_same_plan_split_over_them_is_named():
    """Nothing smaller fits eight cards that each hold 70B in NF4; split over them it is the answer of --sharding fsdp."""
    words = ("llama-3.1-70b", "--gpu", "RTX-3090", "--gpus", "8", "--method", "qlora", "--examples", "20000", "--seq", "1500")
    body, split = answer(*words), answer(*words, "--sharding", "fsdp")
    assert (body["recommended"], body["sharded"]["sharding"]) == (None, "fsdp")
    assert body["sharded"]["gpus"] == split["gpus"]
    hours, (told, full) = split["gpus"][0]["hours"], (" ".join(run(*words, *more).stdout.split()) for more in ((), ("--full",)))
    peak = split["gpus"][0]["peak_bytes"] / 2**30
    said = f"mostly weights; with --sharding fsdp it fits ({peak:.1f} of 23.6 GiB): a run takes"
    assert f"{said} {hours:.1f} hours on 8 GPUs over PCIe" in told
    assert said in full
    assert answer("llama-3.1-70b", "--gpu", "H200", "--gpus", "8", "--method", "qlora")["sharded"] is None
    assert answer("llama-3.1-405b", "--gpu", "RTX-3090", "--gpus", "8")["sharded"] is None
    for words in (("--method", "lora-int8"), ("--targets", "q_proj,embed_tokens,lm_head")):  # what cannot be split at all
        assert answer("llama-3.1-70b", "--gpu", "L4", "--gpus", "4", *words)["sharded"] is None


def test_how_long_cards_wait_for_pcie_is_told():
    """70B in NF4 on eight: 80 layers of 855.6 million weights at half a byte and 207 million adapters' at 2 are gathered
    twice, embedding and head, 4.2 GB, once; adapters' gradients are scattered. 7/8 of it at 0.85 of 31.5 GB/s: 2.4 s.
    """
    words = ("llama-3.1-70b", "--gpu", "RTX-3090", "--gpus", "8", "--sharding", "fsdp", "--method", "qlora", "--seq", "1500")
    [line] = answer(*words)["gpus"]
    gathered = 2 * (80 * 855_638_016 * 0.5 + 207_093_760 * 2) + 2 * 128_256 * 8192 * 2
    seconds = 7 / 8 * (gathered + 207_093_760 * 2) / (0.85 * 31.5e9)
    assert line["link_bytes_per_s"] == pytest.approx(0.85 * 31.5e9)
    assert line["link_share"] * 8 * 1500 / line["tokens_per_s"] == pytest.approx(seconds, rel=1e-3)
    told = " ".join(run(*words).stdout.split())
    assert f"Link: {percent(line['link_share'])} of the time is collectives over PCIe, none hidden, 27 GB/s" in told
    slow = line["tokens_per_s"] / (1 + line["link_share"])
    assert f"at half of it, as 8 may without peer-to-peer: {slow:,.0f} tokens a second" in told
    assert "Link:" not in run("llama-3.1-8b", "--gpu", "RTX-3090", "--method", "qlora", "--seq", "512").stdout


def test_a_job_of_several_servers_is_told_for_a_network_of_100_gbit_too():
    """A ring leaves each server once: 382 GB/s from each card (0.85 of NVLink's 450) ask 382 GB/s of its network, 100 Gbit/s
    give 12.5. Of 70B on 64 a third of the time becomes thirty times as long."""
    words = ("llama-3.1-70b", "--gpu", "H100", "--method", "full", "--sharding", "fsdp", "--gpus")
    [line] = answer(*words, "64")["gpus"]
    slow = line["tokens_per_s"] / (1 + line["link_share"] * (0.85 * 450 / 12.5 - 1))
    told = " ".join(run(*words, "64").stdout.split())
    assert f"from each card, taken between servers too; with 100 Gbit/s a server: {slow:,.0f} tokens a second" in told
    assert "Link:" not in run(*words, "8").stdout


def test_the_winner_is_bold_only_in_colour():
    report = fit_model("llama-3.1-8b", TrainingPlan(), gpus="L40S,H100", day=date(2026, 11, 24))
    assert "\x1b[1mL40S" in render(fit_blocks(report, full=False), colour=True)
    assert "\x1b" not in render(fit_blocks(report, full=False))
    wide = render(fit_blocks(report, full=False), width=120).splitlines()
    assert 80 < max(map(len, wide)) <= 120


def test_the_best_product_measured_on_a_card_is_the_ceiling_of_its_mfu(tmp_path, monkeypatch):
    """137 GFLOP in 2.75 ms are 50 TFLOP/s, 41% of the L4's 121 in bf16."""
    monkeypatch.setattr("roi.answers.fit.profile_folders", tuple)
    product = Rate(regime="matrix", name="mm", dtype="bf16", shape=(4096,) * 3, work=2.0 * 4096**3, unit="FLOP",
                   seconds=(2.75e-3,))
    card = Environment(device="cuda", gpu="L4", gpu_name="NVIDIA L4", versions={"torch": "2.13"})
    save_profile(DeviceProfile(started=datetime(2026, 11, 25, tzinfo=UTC), environment=card, rates=(product,)), tmp_path)
    words = ("qwen2.5-0.5b", "--gpu", "L4", "--profiles", str(tmp_path))
    assert "MFU at most 41%, by the best product of L4/device-2026-11-25.json" in " ".join(run(*words, "--full").stdout.split())
    [line] = json.loads(run(*words, "--format", "json").stdout)["gpus"]
    assert line["mfu_ceiling"]["share"] == pytest.approx(2.0 * 4096**3 / 2.75e-3 / find_gpu("L4").matrix_flops("bf16"))
    assert json.loads(run(*words[:3], "--format", "json").stdout)["gpus"][0]["mfu_ceiling"] is None


def test_a_tuner_s_sources_have_its_pace_s_and_its_words_say_which_way_its_size_counts():
    """OFT's r is a number of blocks: of 4,096 inputs 16 have 256 x 255 / 2 parameters each, 32 have 128 x 127 / 2."""
    body = answer("llama-3.1-8b", "--method", "hra", "--gpu", "H100")
    assert body["gpus"][0]["speed_sources"][-1] == "huggingface/peft method_comparison"
    few, many = (answer("llama-3.1-8b", "--method", "oft", "--gpu", "H100", "--rank", rank)["trained_parameters"]
                 for rank in ("16", "32"))
    assert many < few
    told = " ".join(run("llama-3.1-8b", "--method", "oft", "--gpu", "H100").stdout.split())
    assert "in r blocks, fewer parameters the more blocks" in told
