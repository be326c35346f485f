"""The scenario that tests of fleets begin with: one model, one card, one format of the weights; and what is told of them."""

from roi.answers.size import size_service
from roi.report.layout.blocks import render
from roi.report.serving.size import size_blocks
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

SIZED_SCENARIO = """\
title: sizing
as_of: 2026-11-24
workload: {requests_per_day: 200000, input_tokens: 600, output_tokens: 120, peak_to_mean: 3, ttft_p95_s: 1.0, tpot_p95_s: 0.05}
incumbent: {provider: openai, model: gpt-6-luna}
candidates: {self_hosted: [qwen3-8b], methods: [], gpus: [L40S], vendors: [RunPod]}
serving: {weight_dtypes: [fp8], tensor_parallel: [1]}
"""


def sized_scenario(folder):
    """The scenario's file, written into the folder."""
    path = folder / "sizing.yaml"
    path.write_text(SIZED_SCENARIO, encoding="utf-8")
    return path


def sized(file, *overrides, **rest):
    """The answer to it."""
    return size_service(resolve(load_scenario(file, overrides)), **rest)


def size_text(sizing, **options):
    """What the command prints of it."""
    return render(size_blocks(sizing, **options))
