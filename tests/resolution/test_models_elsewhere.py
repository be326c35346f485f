"""A model in the wrong list of candidates is told where it belongs: an API among open models, one that nobody tunes."""

import pytest

from roi.errors import InputError
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

TASK = {"as_of": "2026-11-24", "workload": {"requests_per_day": 10.0, "input_tokens": 100.0, "output_tokens": 10.0},
        "incumbent": {"provider": "openai", "model": "gpt-6-sol"}}


@pytest.mark.parametrize(("field", "name", "said"), [
    ("vendor_tuned", "openai/gpt-6-luna",
     "'openai/gpt-6-luna' is not usable; openai sells this model, and no price of tuning it is known; nearest that it tunes"),
    ("vendor_tuned", "openai/gpt-4.1-minni", "unknown model that openai tunes: 'gpt-4.1-minni'; nearest: gpt-4.1-mini"),
    ("vendor_tuned", "opnai/gpt-6-luna", "unknown tuning vendor 'opnai'; nearest: openai"),
    ("self_hosted", "gpt-6-luna", "'gpt-6-luna' is not usable; an API of openai"),
    ("self_hosted", "openai/gpt-6-luna", "no weights of it are known; candidates.api_models: [openai/gpt-6-luna] comp"),
    *(("self_hosted", name, "the catalog holds text models alone; where this one is made of one, name that (qwen2.5-7b of")
      for name in ("qwen2.5-vl-7b", "Qwen/Qwen3-VL-8B-Instruct", "llama-3.2-11b-vision", "qwen3-reranker-8b", "internvl3-8b")),
    ("self_hosted", "qwen3-9b", "unknown model 'qwen3-9b'; nearest: qwen3.5-9b, qwen3-8b"),
    ("hosted_adapters", "together/gpt-6-luna", "no weights of it are known; candidates.api_models: [openai"),
    ("api_models", "qwen3-8b", "; qwen3-8b is an open model: candidates.self_hosted; a model without a list price needs"),
])
def test_a_model_in_the_wrong_list_is_told_where_it_belongs(field: str, name: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        resolve(load_scenario({**TASK, "candidates": {field: [name]}}))
    assert str(raised.value).startswith(f"candidates.{field}: ")
    assert said in str(raised.value)
