"""Every CUDA branch once, small, several in one process since an import costs seconds: smoke.py FOLDER train|trainers|infer."""

import sys
import time
import traceback
from pathlib import Path

from click.testing import CliRunner

from roi.cli import main

TRAIN = ("train", "tiny-llama", "--micro-batch", "1,2", "--no-find-largest")
INFER = ("infer", "tiny-llama", "--batch", "1,2", "--prompt", "64", "--decode", "8")
METHODS = ("lora", "qlora", "dora", "qdora", "lora-int8", "full")
TRAINERS = (("lora", "hf"), ("qlora", "hf"), ("lora", "trl"), ("qlora", "trl"))


def runs(which: str, seq: int) -> list[tuple[str, ...]]:
    """The commands of one kind."""
    small = (*TRAIN, "--seq", str(seq))
    plain = (*small, "--trainer", "plain")
    search = ("train", "tiny-llama", "--trainer", "plain", "--method", "qlora", "--micro-batch", "16", "--seq",
              f"{seq},{4 * seq}")
    return {
        "train": [*((*plain, "--method", method) for method in METHODS), (*plain, "--optimizer", "adamw-8bit"),
                  (*plain, "--dtype", "fp16", "--autocast"), search],
        "trainers": [(*small, "--method", method, "--trainer", trainer) for method, trainer in TRAINERS],
        "infer": [(*INFER, "--dtype", dtype) for dtype in ("bf16", "fp16", "nf4")],
    }[which]


def run(folder: Path, which: str, seq: int = 128, budget: str = "8s", more: tuple[str, ...] = ()) -> int:
    """The number of commands that failed, `more` at the end of each; each is told, with the end of its output."""
    folder.mkdir(parents=True, exist_ok=True)
    bad = 0
    for number, words in enumerate(runs(which, seq)):
        began = time.monotonic()
        output = folder / f"{which}-{number}.json"
        always = ("--budget", budget, "--device", "cuda", "--output", str(output))
        result = CliRunner().invoke(main, ["profile", *words, *more, *always])
        failed = result.exit_code != 0
        bad += failed
        print(f"{'FAIL' if failed else 'ok  '} {time.monotonic() - began:5.1f} s  {' '.join(words)}", flush=True)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            traceback.print_exception(result.exception, limit=-6)
        print("\n".join("      " + line for line in result.output.strip().splitlines()[-14 if failed else -9:]), flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:4])))
