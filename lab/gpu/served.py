"""A model folder that a server can load: served.py FOLDER MODEL [--no-weights]     (no weights: for a server's dummy ones).

Real shape, random bf16 weights, a tokenizer whose every id is one printable word: one without would be a hole in the stream.
"""

import json
import random
import sys
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerFast

from roi.estimate.training.plan import TrainingPlan
from roi.profiling.model_to_build import choose_model_to_build
from roi.profiling.server.probe import WORDS
from roi.profiling.session import pick_device
from roi.profiling.train.real_model import build_model


def write_model(folder: Path, model: str, *, weights: bool) -> dict[str, int]:
    """Sizes of the files that were written, by name."""
    device = pick_device(None)
    config = choose_model_to_build(model, None, device).config
    entries = dict(config) | dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    draw, seen = random.Random(0), dict.fromkeys(WORDS)
    while len(seen) < entries["vocab_size"]:
        seen["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=5))] = None
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(seen)}, unk_token=WORDS[0]))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=words)
    made.chat_template = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}"
    made.save_pretrained(folder)
    if weights:
        built = build_model(entries, TrainingPlan(method="lora", checkpointing=False), device)
        built.config.use_cache = True
        built.generation_config = GenerationConfig(do_sample=False)
        built.save_pretrained(folder)
    else:
        settings = AutoConfig.for_model(**entries)
        settings.architectures = [f"{type(settings).__name__.removesuffix('Config')}ForCausalLM"]
        settings.dtype = "bfloat16"
        settings.save_pretrained(folder)
    return {file.name: file.stat().st_size for file in sorted(folder.iterdir())}


if __name__ == "__main__":
    print(json.dumps(write_model(Path(sys.argv[1]), sys.argv[2], weights="--no-weights" not in sys.argv)))
