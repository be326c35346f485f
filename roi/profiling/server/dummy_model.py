"""A model folder that a server can load: a real shape, random weights or none, a tokenizer of words."""

from roi.profiling.stack import quiet, torch, transformers

# isort: split
import random
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer, models, pre_tokenizers

from roi.estimate.training.plan import TrainingPlan
from roi.profiling.model_to_build import ModelToBuild
from roi.profiling.server.probe import WORDS
from roi.profiling.train.real_model import build_model

TEMPLATE: Final = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}"


def write_model(folder: Path, chosen: ModelToBuild, *, weights: bool) -> None:
    """Write config, tokenizer and, where asked, random weights (bf16 on a GPU, fp32 on a CPU) of the model.

    Every id of the tokenizer is one printable word, and none ends an answer: another would be a hole in the stream.
    """
    entries = dict(chosen.config) | dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    draw, seen = random.Random(0), dict.fromkeys(WORDS[: entries["vocab_size"]])  # noqa: S311 -- words, not secrets
    while len(seen) < entries["vocab_size"]:
        seen["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=5))] = None
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(seen)}, unk_token=WORDS[0]))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=words)
    made.chat_template = TEMPLATE
    made.save_pretrained(folder)
    with quiet():
        if weights:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            plan = TrainingPlan(method="lora", checkpointing=False, dtype="fp32" if device == "cpu" else "bf16")
            built = build_model(entries, plan, device)
            built.config.use_cache = True
            built.generation_config = transformers.GenerationConfig(do_sample=False)
            transformers.utils.logging.disable_progress_bar()  # of writing files; a bar of our own is drawn
            built.save_pretrained(folder)
            return
        settings = transformers.AutoConfig.for_model(**entries)
        settings.architectures = [f"{type(settings).__name__.removesuffix('Config')}ForCausalLM"]
        settings.dtype = "bfloat16"
        settings.save_pretrained(folder)
