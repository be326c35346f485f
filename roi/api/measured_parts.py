"""What files say of a scenario, as the blocks that `load_scenario` lays over it: usage logs, results of an evaluation."""

from datetime import date as Date
from pathlib import Path
from typing import Any

from roi.answers.quality import QualityQuestion, answer_quality
from roi.errors import InputError
from roi.quality.result_rows import Asked
from roi.scenario.file import BLOCKS
from roi.scenario.yaml import PART_SCHEMA, QUALITY_PART, parse_yaml


def measure_usage(
    *files: Path | str, incumbent: str | None = None, bill_usd_per_month: float | None = None
) -> dict[str, Any]:  # Any: plain values
    """Workload and incumbent as usage logs and exports settle them; needs the extra [usage].

    Args:
        *files: what a provider, a gateway or a tool exports; several of one kind are read together (docs/usage.md).
        incumbent: the model that is to be replaced, where the files name several.
        bill_usd_per_month: what was really paid, where you know it.

    Raises:
        InputError: a file cannot be read, or the files settle no workload.

    Example:
        >>> from roi import load_scenario, measure_usage
        >>> part = measure_usage("examples/openai_export.csv", incumbent="gpt-6-sol")
        >>> round(part["workload"]["requests_per_day"])
        16326
        >>> load_scenario(part=part).incumbent.model
        'gpt-6-sol'
    """
    from roi.usage.measure.scenario_part import part_yaml
    from roi.usage.read.record import FileOptions
    from roi.usage.summary import Question, summarize

    if not files:
        raise InputError("files: needed and not given; name what was exported")
    spent = summarize(Question(files=tuple(map(str, files)), options=FileOptions(), incumbent=incumbent))
    return _blocks(part_yaml(spent, bill_usd_per_month), PART_SCHEMA)


def measure_quality(*files: Path | str, incumbent: str, bar: float | None = None) -> dict[str, Any]:  # Any: plain values
    """The block `quality` as results per item and system settle it: scores with their spread, rates of cascades.

    Args:
        *files: results, as docs/quality.md lists them; prompts and answers are never read.
        incumbent: the system that is paid today, as the files call it.
        bar: the lowest score that is acceptable.

    Raises:
        InputError: the files hold one system only, or no item of both.

    Example:
        >>> from roi import load_scenario, measure_quality
        >>> files = "examples/quality_promptfoo.json", "examples/quality_rows.jsonl"
        >>> quality = measure_quality(*files, incumbent="gpt-6-sol", bar=0.85)
        >>> sorted(quality["scores"])
        ['gpt-6-luna', 'gpt-6-sol', 'qwen3-8b', 'qwen3-8b+lora']
        >>> load_scenario(quality=quality).quality.bar
        0.85
    """
    question = QualityQuestion(files=tuple(map(str, files)), asked=Asked(), incumbent=incumbent, bar=bar)
    found: dict[str, Any] = _blocks(answer_quality(question, Date.min).part, QUALITY_PART)["quality"]  # the day is left out
    return found


def _blocks(text: str, schema: str) -> dict[str, Any]:
    """What a part holds of the scenario, without its schema and the record for a next run."""
    part = parse_yaml(text, schema)
    return {name: part[name] for name in BLOCKS[schema] if name in part and name != "record"}
