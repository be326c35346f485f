"""A scenario of API options alone, as a file would hold it: it is resolved and compared in milliseconds."""

from pathlib import Path
from typing import Any

from roi.scenario.yaml import dump_yaml

SMALL: dict[str, Any] = {
    "title": "Tickets", "as_of": "2026-11-24", "draws": 0,
    "workload": {"requests_per_day": 4000, "input_tokens": 800, "output_tokens": 50},
    "incumbent": {"provider": "openai", "model": "gpt-6-sol"},
    "candidates": {"api_models": ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"], "cascade_first": ["openai/gpt-6-luna"]},
    "quality": {"scores": {"gpt-6-sol": 0.93, "gpt-6-luna": {"value": 0.91, "items": 500}}},
}  # fmt: skip


def written(folder: Path, scenario: dict[str, Any] = SMALL, name: str = "tickets.yaml") -> Path:
    """The scenario as a file in this folder."""
    path = folder / name
    path.write_text(dump_yaml(scenario), encoding="utf-8")
    return path
