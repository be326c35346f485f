"""What peft's tuners beside LoRA train and keep for backward, under their `peft_type`; and methods of other packages.

A target takes `i` inputs to `o` outputs; `r` is its rank, or where a tuner has none the size that peft's configuration asks for
(block, frequencies). By what autograd keeps of a target:

    path     a narrow path beside the product, as LoRA's: its input, and what the path makes
    weight   the weight or its difference is made whole: i x o elements
    scale    the product's input or result is scaled: that
    whole    no target: virtual tokens, norms, rows of the embedding, a prompt in every attention

Read off peft 0.21 (peft/tuners) with the configuration's other defaults; tests/profiling/test_dry_run_tuners.py holds it to
peft's own classes. Then what LitGPT, ms-swift and LMFlow have of their own, with their defaults (`usual`):

    llama_adapter       10: a prompt in every attention from the third layer on, and a gate a head (litgpt/adapter.py)
    llama_adapter_v2    that, a scale and a bias on every product, and the norms (litgpt/adapter_v2.py)
    houlsby             128: two products and a GELU behind every MLP (swift/tuners/adapter.py; arXiv 1902.00751)
    llamapro            4: copies of layers, spread over the stack, trained alone (swift/tuners/llamapro.py, arguments of
                        `swift sft`; arXiv 2401.02415)
    lisa                2: of full training, so many layers at a time beside embedding, head and last norm (lmflow/args.py; in
                        ms-swift it is off, and 2 or 8 are suggested; arXiv 2403.17919)
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, get_args

import numpy as np

from roi.facts.methods import Method
from roi.facts.model import ModelShape, Number

Count = Callable[[float, float, Number], Number]
"""A number of elements by a target's inputs, its outputs and the tuner's size."""


def _none(i: float, o: float, r: Number) -> Number:
    del i, o
    return 0.0 * r


def _path(i: float, o: float, r: Number) -> Number:
    return r * (i + o)


def _weight(i: float, o: float, r: Number) -> Number:
    return i * o + 0.0 * r


def _kronecker(i: float, o: float, r: Number) -> Number:
    """LoKr: each side in its two most equal factors, a small factor whole and a large one of rank r where that is less."""
    (a, b), (c, d) = _factors(o), _factors(i)
    return a * c + np.where(np.asarray(r) < max(b, d) / 2.0, r * (b + d), b * d)


def _factors(n: float) -> tuple[int, int]:
    small = next(f for f in range(int(n**0.5), 0, -1) if n % f == 0)
    return small, int(n) // small


def block(i: float, r: Number) -> Number:
    """The divisor of a target's inputs nearest to the size asked for, the lower of two: OFT takes that instead."""
    divisors = np.array([d for d in range(1, int(i) + 1) if i % d == 0], dtype=float)
    return np.asarray(divisors[np.abs(divisors - np.asarray(r, dtype=float)[..., None]).argmin(axis=-1)])


class Making(NamedTuple):
    """What a tuner does to make a target's weight, or its change, whatever the tokens; products with that are i x o."""

    bytes_fp32: tuple[float, float]
    """Bytes an element of the weight that element-wise kernels move, forward and backward, where its products are fp32."""
    bytes_16bit: tuple[float, float]
    """Bytes an element that those kernels move, forward and backward, where autocast makes its products 16-bit."""
    factors: tuple[float, float] = (0.0, 0.0)
    """Products of factors of rank r, as many elements as the weight has, forward and backward."""
    instead: bool = False
    """True where the base's own product is not done beside it."""


class Tuner(NamedTuple):
    """What a tuner does to a target; elements, not bytes, where nothing else is said."""

    family: str
    """path, weight, scale or whole."""
    trained: Count = _none
    """Trained parameters."""
    reads: str = "own"
    """The input that it keeps: own (a copy in the adapter's type, as LoRA's), fp32 (such a copy under autocast too), stream
    (what the product reads), weight (own, but under autocast stream), least (a copy as wide as the narrower side), made (as
    wide as the input, in the type of what it keeps), or empty."""
    kept: Count = _none
    """Elements that forward makes of weights and keeps, in the adapter's type."""
    words: Count = _none
    """Elements of 4 bytes that forward makes of weights and keeps whatever the types: indices count twice, being int64."""
    narrowed: Count = _none
    """Elements that forward makes of weights and keeps in the type of a 16-bit base; none on an fp32 base."""
    outputs: float = 0.0
    """Tensors of the outputs' width that it keeps a token, in the adapter's type."""
    ranks: float = 0.0
    """Tensors as wide as r that it keeps a token."""
    wide_ranks: float = 0.0
    """How many of those autocast makes in fp32."""
    width: float | None = None
    """Width of its path over r, as step time counts it; None: 1 where it keeps ranks, 0 where the path is one element wide."""
    frozen: Count = _none
    """Frozen fp32 elements of its own."""
    moved: Count = _none
    """Frozen elements that it leaves on the host and copies to the card in every forward; a Trainer moves them there."""
    moved_once: Count = _none
    """Such elements that the targets of one name share over all layers: each copies them, a Trainer moves them once."""
    moves: str = "fp32"
    """Type of what is moved: fp32, or base, in which the card then multiplies with it."""
    making: Count = _none
    """Elements of 4 bytes that are there, beside `kept`, when its weight is made; of what is kept the result comes then."""
    turning: tuple[float, float] = (0.0, 0.0)
    """Bytes a token that its backward holds at once beside what is kept, for each input and for each output of a target: fp32
    copies of gradients, complex numbers (c3a), 16-bit gradients of gate and up where the highest point is theirs."""
    shared: Count = _none
    """Trained parameters that the targets of one name share over all layers."""
    once: float = 0.0
    """Trained parameters of the model, whatever its targets."""
    size: str = "r"
    """Field of peft's configuration that a plan's rank fills; empty where there is none."""
    stays: str = ""
    """Type of what it keeps where autocast does not change it: base or fp32; empty: the adapter's, 16 bits under autocast."""
    copied: Count = _none
    """Elements of its factors that autocast copies to 16 bits."""
    widened: Count = _none
    """Elements of a 16-bit base's weight that it keeps in fp32, where autocast casts none."""
    makes: Making | None = None
    """What makes its weight; what makes rotations and bases, as wide as the inputs, is in estimate/step/tuner_work.py."""
    token_bytes: tuple[tuple[float, float], tuple[float, float]] | None = None
    """Bytes an element of a token's outputs that its own passes move, forward and backward, beside LoRA's: with fp32 products,
    and under autocast."""
    stack: str = "transformers"
    """The stack whose model classes it belongs to."""
    built: bool = True
    """True where a class of peft's is its peft_type."""
    package: str = "peft"
    """The package that has it."""
    usual: float | None = None
    """The package's own default of the size; None for peft's, of which a plan's own default is asked."""


SUBSPACES: Final = 5.0
"""Subspaces of AdaMSS that peft takes by itself (num_subspaces)."""


def adamss(subspaces: Number) -> Tuner:
    """What AdaMSS does to a target in so many subspaces, each of one row of r and a column of its share of the outputs.

    All is in the base's type, but parameters and projection in fp32 (peft/tuners/adamss/layer.py). The one element a token
    that each subspace keeps is left out.
    """
    return Tuner("path", lambda i, o, r: subspaces * r + o, reads="", ranks=1.0, width=0.0, frozen=lambda i, o, r: r * i,
                 narrowed=lambda i, o, r: r * (i + subspaces) + o, stays="base")


TUNERS: Final[dict[str, Tuner]] = {
    "adalora": Tuner("path", lambda i, o, r: r * (i + o + 1.0) + 1.0, outputs=1.0, ranks=1.0, size="init_r",
                     turning=(0.0, 28.0), token_bytes=((0.0, 39.0), (8.0, 54.0))),
    "adamss": adamss(SUBSPACES),
    "bat": Tuner("weight", lambda i, o, r: r * o, kept=lambda i, o, r: 2.0 * i * o + 0.0 * r, built=False,
                 makes=Making((60.0, 29.0), (58.0, 29.0), instead=True)),
    "bdlora": Tuner("path", lambda i, o, r: r * (min(i, o) + max(i, o) / 2.0), ranks=1.0, copied=_path, built=False),
    "beft": Tuner("scale", lambda i, o, r: o + 0.0 * r, reads="", size=""),
    "boft": Tuner("weight", lambda i, o, r: i * r + o, reads="stream", kept=lambda i, o, r: 3.0 * i * i + 0.0 * r,
                  outputs=1.0, moved=lambda i, o, r: i * i + 0.0 * r, size="boft_block_size", stays="base"),
    "c3a": Tuner("path", lambda i, o, r: i * o / r, reads="fp32", size="block_size", turning=(16.0, 8.0),
                 token_bytes=((32.0, 37.0), (48.0, 55.0))),
    "deft": Tuner("path", _path, outputs=1.0, ranks=1.0, copied=_path, turning=(0.0, 20.0),
                  token_bytes=((12.0, 10.0), (28.0, 43.0))),
    "delora": Tuner("path", lambda i, o, r: r * (i + o) + 1.0, ranks=2.0, copied=_path),
    "fourierft": Tuner("weight", lambda i, o, r: r, kept=_weight, making=lambda i, o, r: 5.0 * i * o + 0.0 * r,
                       makes=Making((64.0, 56.0), (70.0, 62.0)), size="n_frequency"),
    "frod": Tuner("path", lambda i, o, r: np.floor(0.01 * i * i) + i + 0.0 * r, reads="made", stays="base", size="",
                  words=lambda i, o, r: 4.0 * np.floor(0.01 * i * i) + 0.0 * r, narrowed=lambda i, o, r: i * i + 0.0 * r,
                  moved=_weight, moved_once=lambda i, o, r: i * i + 0.0 * r, moves="base"),
    "glora": Tuner("weight", lambda i, o, r: 2.0 * r * (i + o), reads="stream", kept=_weight, stays="base",
                   makes=Making((30.0, 18.0), (18.0, 6.0), (2.0, 4.0))),
    "gralora": Tuner("path", _path, ranks=1.0, copied=_path),
    "hira": Tuner("weight", _path, kept=_weight, makes=Making((10.0, 10.0), (6.0, 6.0), (1.0, 2.0))),
    "hra": Tuner("weight", lambda i, o, r: r * i, reads="weight", widened=_weight,
                 kept=lambda i, o, r: (r + 1.0) * i * i + i * o, making=lambda i, o, r: 3.0 * i * i + 0.0 * r),
    "ia3": Tuner("scale", lambda i, o, r: o + 0.0 * r, reads="", outputs=1.0, size="", stays="base"),
    "lily": Tuner("path", lambda i, o, r: r * (i + 2.0), ranks=1.0, copied=_path, shared=lambda i, o, r: 2.0 * r * o),
    "loha": Tuner("weight", lambda i, o, r: 2.0 * r * (i + o), reads="weight", kept=_weight,
                  makes=Making((20.0, 32.0), (10.0, 24.0), (2.0, 6.0))),
    "lokr": Tuner("weight", _kronecker, kept=_weight, makes=Making((12.0, 32.0), (18.0, 38.0))),
    "lora_fa": Tuner("path", lambda i, o, r: r * o, reads="", ranks=1.0, copied=_path, built=False),
    "mica": Tuner("path", lambda i, o, r: r * i, copied=_path, built=False),
    "miss": Tuner("path", lambda i, o, r: r * o, reads="", ranks=1.0),
    "oft": Tuner("path", lambda i, o, r: i * (i / block(i, r) - 1.0) / 2.0, kept=lambda i, o, r: 4.0 * i * i / block(i, r),
                 copied=lambda i, o, r: 3.0 * i * i / block(i, r), turning=(12.0, 0.0)),
    "osf": Tuner("path", lambda i, o, r: r * (i + o + 1.0), kept=lambda i, o, r: 2.0 * r * (i + o), ranks=2.0, width=2.0,
                 frozen=lambda i, o, r: r * (i + o + 1.0) + (min(i, o) - r) * max(i, o) * float(i != o), size="rank_pattern"),
    "peanut": Tuner("weight", lambda i, o, r: 2.0 * r * o, reads="weight", kept=_weight, widened=_weight, copied=_weight,
                    makes=Making((14.0, 8.0), (16.0, 4.0), (2.0, 3.0))),
    "psoft": Tuner("path", lambda i, o, r: r * (r + 3.0) / 2.0, reads="", kept=lambda i, o, r: 5.0 * r * r, ranks=1.0,
                   frozen=lambda i, o, r: min(i, o) * i + r * o),
    "pvera": Tuner("path", lambda i, o, r: o + 2.0 * r, reads="", outputs=1.0, ranks=4.0, wide_ranks=2.0,
                   copied=lambda i, o, r: r * (2.0 * i + o), token_bytes=((0.0, 12.0), (12.0, 31.0))),
    "randlora": Tuner("weight", lambda i, o, r: np.ceil(min(i, o) / r) * (r + min(i, o)), reads="least",
                      kept=lambda i, o, r: min(i, o) ** 2 + 0.0 * r,
                      copied=_weight),
    "road": Tuner("scale", lambda i, o, r: o + 0.0 * r, reads="", outputs=2.0, size="", stays="fp32",
                  token_bytes=((11.0, 33.0), (19.0, 44.0))),
    "shira": Tuner("weight", _path, reads="stream", kept=_weight, stays="base", frozen=lambda i, o, r: 2.0 * r * (i + o),
                   words=lambda i, o, r: 5.0 * r * (i + o),
                   makes=Making((8.0, 10.0), (8.0, 10.0), instead=True)),
    "tinylora": Tuner("path", lambda i, o, r: r, reads="", size="u"),
    "unilora": Tuner("path", kept=_path, ranks=1.0, frozen=lambda i, o, r: 3.0 * r * (i + o), once=256.0),
    "vblora": Tuner("path", _path, kept=_path, words=lambda i, o, r: 2.0 * r * (i + o), ranks=1.0, once=65536.0),
    "vera": Tuner("path", lambda i, o, r: o + r, reads="", outputs=1.0, ranks=1.0, copied=_path,
                  token_bytes=((0.0, 12.0), (12.0, 31.0))),
    "waveft": Tuner("weight", lambda i, o, r: r, reads="weight", kept=lambda i, o, r: 2.0 * i * o + 0.0 * r,
                    makes=Making((33.0, 96.0), (31.0, 92.0)), size="n_frequency"),
    "adaption_prompt": Tuner("whole", size="adapter_len"), "ln_tuning": Tuner("whole", size=""),
    "p_tuning": Tuner("whole", size="num_virtual_tokens"), "prefix_tuning": Tuner("whole", size="num_virtual_tokens"),
    "prompt_tuning": Tuner("whole", size="num_virtual_tokens"), "trainable_tokens": Tuner("whole", size="token_indices"),
    "llama_adapter": Tuner("whole", size="adapter_prompt_length", stack="litgpt", built=False, package="LitGPT", usual=10.0),
    "llama_adapter_v2": Tuner("whole", size="adapter_prompt_length", stack="litgpt", built=False, package="LitGPT", usual=10.0),
    "houlsby": Tuner("whole", size="adapter_length", built=False, package="ms-swift", usual=128.0),
    "llamapro": Tuner("whole", size="num_new_blocks", built=False, package="ms-swift", usual=4.0),
    "lisa": Tuner("whole", size="lisa_activated_layers", built=False, package="LMFlow", usual=2.0),
}
"""peft_type in small letters, or another package's method -> what it does. Of LoRA's own variants lora_fa is peft's optimizer
that freezes A, mica freezes B, and bdlora has the factor on a product's wide side in two diagonal blocks; bat is
MiSS with init_weights bat, which multiplies blocks of the weight: a copy of it and the sum stay (tuners/miss/layer.py). OSF is
that of peft 0.21; the rows of its comparison are of 0.17 to 0.19, whose class made each weight anew of both its parts, all of
the base's type: 36 GiB there, 41 here."""
VIRTUAL: Final = ("prompt_tuning", "p_tuning")
"""Tuners whose virtual tokens come before those of every sequence."""
AT_RUN_TIME: Final = ("lora", "rslora", "qlora", "lora-int8", "lora_fa", "mica")
"""Methods whose adapter is LoRA, which alone engines apply at run time: vLLM refuses DoRA and knows no other type
(vllm/lora/peft_helper.py); its prompt adapters went with V0."""
UNMERGED: Final = ("adaption_prompt", "beft", "p_tuning", "prefix_tuning", "prompt_tuning")
"""Tuners that peft cannot merge: prompts, and biases that the base's products lack (peft/tuners/beft/layer.py)."""
ALIASES: Final = {"bone": "miss"}
"""Earlier names of tuners, and today's."""
SPELLINGS: Final = {
    **dict.fromkeys(("fullfinetuning", "fullfinetune", "fullparameter", "fullparam", "fft", "fullft", "fullsft"), "full"),
    **dict.fromkeys(("lora+", "loraplus", "pissa", "olora", "eva", "corda", "loraga", "milora", "lora16bit"), "lora"),
    **dict.fromkeys(("lora4bit", "4bitlora", "qloranf4", "nf4", "4bit", "qloraplus", "loftq", "qpissa"), "qlora"),
    **dict.fromkeys(("lora8bit", "8bitlora"), "lora-int8"),
    **dict.fromkeys(("softprompt", "softprompts"), "prompt_tuning"), **dict.fromkeys(("ptuningv2", "prefix"), "prefix_tuning"),
    **dict.fromkeys(("adapter", "houlsbyadapter", "bottleneck", "bottleneckadapter", "adapters"), "houlsby"),
    "layernormtuning": "ln_tuning", "oftv2": "oft", "adaptionprompts": "adaption_prompt", "adaptationprompt": "adaption_prompt",
    "blockexpansion": "llamapro", "trainabletoken": "trainable_tokens",
}
"""Other names, as `named_method` squeezes them: of the same method, or of one whose adapters differ in how they begin (PiSSA,
OLoRA, EVA, CorDA, LoRA-GA, LoftQ) or in their learning rates (LoRA+), so that memory and speed are LoRA's."""
PROMPTED: Final = 2
"""First layer whose attention has a prompt in LitGPT (adapter_start_layer)."""


def named_method(text: str) -> str:
    """The method that a name means as people and libraries write it: QLoRA, (IA)^3, prompt-tuning, LoRA-FA, PiSSA, peft:vera.

    Case and punctuation do not matter. A name that means none, or one that is not counted, stays as it is.
    """
    word = re.sub(r"[^a-z0-9+]", "", text.lower().removeprefix("peft:"))
    plain = {re.sub(r"[^a-z0-9]", "", name): name for name in (*get_args(Method), *TUNERS)}
    return plain.get(word) or SPELLINGS.get(word) or ALIASES.get(word) or text


def unserved(method: str, *, shared: bool) -> str:
    """Why no engine serves what the method trains, merged, or with `shared` beside other adapters on one base; else empty."""
    if method in UNMERGED:
        return f"{method} cannot be merged into the base, and engines apply LoRA alone at run time; train another way"
    if shared and method not in AT_RUN_TIME:
        return f"engines apply LoRA alone at run time, not {method}; take serving.adapters: merged, or train lora"
    return ""


def whole_parameters(model: ModelShape, method: str, size: Number) -> Number:
    """Trained parameters of a tuner without targets; `size`: virtual tokens, rows of the embedding, a width, or layers.

    p-tuning's encoder is an MLP of the stream's width in three layers; a prefix holds keys and values of every layer.
    """
    h, found = float(model.hidden), size * float(model.hidden)
    last = model.final_norm * h * (1.0 + model.norm_bias)
    match method:
        case "adaption_prompt":
            found = model.layers * (found + 1.0)
        case "ln_tuning":
            found = model.stream_norm_parameters + 0.0 * size
        case "p_tuning":
            found = found + 3.0 * (h * h + h)
        case "prefix_tuning":
            found = size * sum(a.layers * a.kv_heads * (a.head_dim + a.value_width) for a in model.attention)
        case "llama_adapter" | "llama_adapter_v2":
            found = (model.layers - PROMPTED) * (found + model.attention[0].heads)
            norms = h * (1.0 + model.norm_bias) * min(model.norms_per_layer, 2) * model.layers + last  # not Gemma's post-norms
            scaled = model.vocab + sum(x.outputs * x.layers * x.experts for x in model.linears)
            found = found + (norms + 2.0 * scaled) * float(method == "llama_adapter_v2")
        case "houlsby":
            found = model.layers * (2.0 * found + size + h)
        case "llamapro" | "lisa":
            inside = sum(x.parameters for x in model.linears) + model.norm_parameters - last
            found = float(model.parameters - inside) * float(method == "lisa") + size / model.layers * inside
    return found


def share_trained(method: str, size: Number, layers: int) -> Number:
    """Share of the decoder layers whose weights are trained: all of full training, `size` layers of llamapro and lisa."""
    return size / layers if method in ("llamapro", "lisa") else 0.0 * size + float(method == "full")
