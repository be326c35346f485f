"""Answers of the commands as files, to hold a change of the house to: run it before and after, then `diff -r`.

    python lab/answers_before_and_after.py OUT [BEFORE]

writes into the folder OUT, one file an answer: `roi compare` of the bundled scenario, of the business cases in tests/ and
of twenty random scenarios, as JSON and as its longest text; `roi size`, `roi fit`, and `roi usage` of every fixture, as JSON.
A refusal is kept as its message. The random scenarios are the bundled one with fields drawn from a seeded generator, so that
they are the same everywhere. With BEFORE, what an earlier run wrote, it tells where the two differ: numbers of JSON by more
than 1e-9, which is rounding of sums of thousands, all else by a letter.
"""

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from roi.cli import main

REPOSITORY = Path(__file__).parent.parent
DAY = ("--as-of", "2026-11-24")
NEAR = 1e-9
"""Share of a number, and of 1 beside 0, by which it may differ."""

FITS = (
    ("qwen3-8b", "--gpu", "L4,L40S,H100", "--examples", "5000"), ("llama-3.1-8b", "--gpu", "all", "--method", "qlora"),
    ("llama-3.1-70b", "--gpu", "H100,H200", "--gpus", "8", "--sharding", "fsdp"), ("mixtral-8x7b", "--gpu", "A100-80GB"),
    ("qwen2.5-7b", "--method", "full", "--gpu", "H200"), ("llama-3.2-3b", "--method", "dora", "--seq", "8192"),
)
SIZES = (
    (), ("--set", "workload.requests_per_day=5000000"), ("--set", "workload.ttft_p95_s=0.3"),
    ("--set", "workload.tpot_p95_s=0.01"),
)


def random_fields(seed: int) -> tuple[str, ...]:
    """`--set` options of the random scenario `seed`: each field with a chance of one half."""
    draw = random.Random(seed)
    fields = {
        "workload.requests_per_day": f"{10 ** draw.uniform(2.5, 6.5):.0f}",
        "workload.growth_per_year": f"{draw.uniform(-0.3, 1.0):.2f}",
        "workload.peak_to_mean": f"{draw.uniform(1.2, 6.0):.2f}",
        "workload.can_wait_share": f"{draw.uniform(0.0, 1.0):.2f}",
        "workload.shared_prefix_tokens": draw.choice(["0", "50", "80"]),
        "workload.ttft_p95_s": f"{draw.uniform(0.5, 8.0):.2f}",
        "incumbent.uses_cache": draw.choice(["true", "false"]),
        "quality.bar": f"{draw.uniform(0.75, 0.93):.3f}",
        "quality.usd_per_error": f"{10 ** draw.uniform(-4, -0.5):.5f}",
        "horizon_months": str(draw.choice([12, 24, 36, 60])),
        "discount_rate": f"{draw.uniform(0.0, 0.25):.3f}",
        "training.examples": str(draw.choice([500, 5000, 50000])),
        "training.retrain_every_months": str(draw.choice([3, 6, 12])),
        "people.usd_per_hour": f"{draw.uniform(30, 200):.0f}",
        "candidates.own_hardware": draw.choice(["true", "false"]),
        "candidates.methods": draw.choice(["[lora]", "[lora, qlora]"]),
        "candidates.self_hosted": draw.choice(["[qwen3-8b]", "[qwen3-8b, llama-3.1-8b]"]),
    }
    return tuple(word for name, value in fields.items() if draw.random() < 0.5 for word in ("--set", f"{name}={value}"))


def commands() -> dict[str, tuple[str, ...]]:
    """File name -> the words behind `roi`."""
    found: dict[str, tuple[str, ...]] = {"compare-bundled": ("compare",)}
    cases = sorted((REPOSITORY / "tests").rglob("cases/*.yaml"))
    found |= {f"compare-case-{case.stem}": ("compare", str(case)) for case in cases}
    found |= {f"compare-random-{seed:02d}": ("compare", *random_fields(seed)) for seed in range(20)}
    found |= {f"size-{index}": ("size", *words) for index, words in enumerate(SIZES)}
    found |= {f"fit-{index}": ("fit", *words, *DAY) for index, words in enumerate(FITS)}
    usage = next(folder for folder in (REPOSITORY / "tests").rglob("data/usage") if folder.is_dir())
    files = sorted(file for file in usage.rglob("*") if file.is_file())
    found |= {f"usage-{file.relative_to(usage).as_posix().replace('/', '-')}": ("usage", str(file)) for file in files}
    return found | {"usage-example": ("usage", str(REPOSITORY / "examples" / "openai_export.csv"))}


def without_expectations(word: str) -> str:
    """The words of the command line; a business case is copied without what its test expects of it."""
    path = Path(word)
    if path.parent.name != "cases":
        return word
    kept = Path(tempfile.mkdtemp()) / path.name
    kept.write_text(path.read_text(encoding="utf-8").partition("\nexpect:")[0] + "\n", encoding="utf-8")
    return str(kept)


def answer(*words: str) -> str:
    """What the command prints, or the message of its refusal, without this repository's path."""
    words = tuple(without_expectations(word) for word in words)
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, words, prog_name="roi")
    return f"exit {done.exit_code}\n{done.stdout}{done.stderr}".replace(str(REPOSITORY), "REPOSITORY")


def write(out: Path) -> None:
    """Put every answer into the folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name, words in commands().items():
        (out / f"{name}.json").write_text(answer(*words, "--format", "json"), encoding="utf-8")
        if words[0] == "compare":
            (out / f"{name}.txt").write_text(answer(*words, "--full"), encoding="utf-8")


def read(path: Path) -> Any:  # Any: plain JSON values
    """The exit code, an answer's JSON without its digest, and what was said besides; or the lines of what is none."""
    text = path.read_text(encoding="utf-8") if path.exists() else "no such answer"
    code, _, rest = text.partition("\n")
    try:
        values, end = json.JSONDecoder(object_hook=without_digest).raw_decode(rest)
    except ValueError:
        return text.splitlines()
    return [code, values, rest[end:].splitlines()]


def without_digest(values: dict[str, Any]) -> dict[str, Any]:  # Any: plain JSON values
    """A JSON object without the digest of its figures, which rounding changes."""
    return {name: value for name, value in values.items() if name != "answer" or not isinstance(value, str)}


def differences(was: Any, now: Any, place: str) -> Iterator[str]:  # Any: as above
    """Where two values differ by more than rounding."""
    if isinstance(was, dict) and isinstance(now, dict) and was.keys() == now.keys():
        for key, value in was.items():
            yield from differences(value, now[key], f"{place}.{key}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for k, value in enumerate(was):
            yield from differences(value, now[k], f"{place}[{k}]")
    elif isinstance(was, float) and isinstance(now, float):
        if abs(was - now) > NEAR * max(abs(was), abs(now), 1.0):
            yield f"{place}: {was!r} -> {now!r}"
    elif was != now:
        yield f"{place}: {str(was)[:200]!r} -> {str(now)[:200]!r}"


if __name__ == "__main__":
    out, *before = map(Path, sys.argv[1:])
    write(out)
    names = sorted({path.name for folder in (out, *before) for path in folder.iterdir()})
    moved = [each for old in before for name in names for each in differences(read(old / name), read(out / name), name)]
    print("\n".join(moved) or f"{len(names)} answers{', all as they were' if before else ''}")
    sys.exit(bool(moved))
