"""Cells of research tables of training runs that lab/cells does not hold: read by their grammar, else left as they stand.

As for serving runs (serving_cells.py): a cell that cannot be read goes into the canonical table as it was written, and
`validate` skips the row with the reason; what a cell does not say stands in and is marked as assumed.
"""

import re
from collections.abc import Mapping
from typing import Final, get_args

from serving_cells import raw, read_model

from roi.catalog.cards.gpus import gpus_named
from roi.catalog.models.shapes import find_model, load_models
from roi.errors import RoiError
from roi.estimate.training.optimizers import HELD, named_optimizer
from roi.estimate.training.peft_methods import TUNERS, named_method
from roi.estimate.training.plan import METHODS
from roi.estimate.training.targets import usual_targets
from roi.facts.methods import Other
from roi.store.tables.training_table import SHARED
from roi.units import GIB

Cells = Mapping[str, str]

MODULES: Final = {
    "q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj", "gate": "gate_proj", "up": "up_proj", "down": "down_proj",
    "query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj", "out": "o_proj", "projection": "o_proj",
    "linear_qkv": "q_proj+k_proj+v_proj", "linear": "o_proj", "linear_fc1": "gate_proj+up_proj", "linear_fc2": "down_proj",
    "qkv": "q_proj+k_proj+v_proj", "wte": "full:wte", "embed_tokens": "full:wte", "mlp": "gate_proj+up_proj+down_proj",
    "attention": "attention", "attn": "attention", "qv": "qv", "qkvo": "q_proj+k_proj+v_proj+o_proj",
    "wq": "q_proj", "wk": "k_proj", "wv": "v_proj", "wo": "o_proj", "lora_query": "q_proj", "lora_key": "k_proj",
    "lora_value": "v_proj", "lora_projection": "o_proj", "lora_mlp": "gate_proj+up_proj+down_proj",
    "gate_up": "gate_proj+up_proj",
    "attention_qkv": "q_proj+k_proj+v_proj", "attention_dense": "o_proj",
}  # fmt: skip
TARGETED: Final = {"unsloth|axolotl|factory|swift|xtuner": "all-linear", "": "q_proj+v_proj"}
"""Framework -> targets that stand in where a row states none: those of its notebooks and examples, else peft's and LitGPT's."""
DOUBLED: Final = "axolotl|factory|swift|xtuner|unsloth|torchtune|artidoro|qlora repo"
"""Frameworks that quantise NF4's scales unless told otherwise: axolotl (loaders/model.py), LLaMA-Factory (double_quantization),
ms-swift (bnb_4bit_use_double_quant), xtuner's configs, unsloth (models/llama.py), torchtune's NF4Tensor, the QLoRA
repository."""
FOREIGN: Final = "mlx|\\bjax\\b|maxtext|easylm|levanter|tunix|llama\\.cpp|paddle|mindspeed|neuron|habana|xla|oneflow"
"""Frameworks that are not torch on GPUs, of whose memory no formula here knows."""
TRAINERS: Final = ("trainer|transformers|hugging ?face|\\bhf\\b|axolotl|factory|swift|accelerate|peft|fastchat|alpaca|lmflow|"
                   "handbook|qlora repo|artidoro|longlora|autotrain|fms-|\\btrl\\b|sfttrainer")
"""Frameworks whose loop is the HF Trainer's, unless it is a custom one."""
OWN_STACK: Final = "torchtune|lit-?gpt|torchtitan"
CARD: Final = (r"gb[23]00|b[23]00|gh200|h[128]00|h20\b|a[18]00|a[1-4]0g?\b|l40s?\b|l20|l4\b|t4\b|v100|mi\d{3}x?|"
               r"(?:rtx|geforce)[ -]*(?:pro )?a?\d{4}(?:[ -](?:ti|super|ada))*")
"""A card's name inside a cell that says more."""


def inferred(row: Cells, columns: tuple[str, ...]) -> str:
    """What the row's cells of these columns set, read by their grammar; the first as it stands where they have none."""
    reader = READERS.get("+".join(columns[:2]) if columns[0] == "framework" else columns[0])
    return raw(columns[0], row.get(columns[0]) or "") if reader is None else reader(row)


def _low(row: Cells, column: str) -> str:
    return (row.get(column) or "").lower()


def _first(column: str, text: str, known: Mapping[str, str], otherwise: str | None = None) -> str:
    """What the first pattern that the text holds sets; without one `otherwise`, or the text as it stands."""
    for pattern, sets in known.items():
        if re.search(pattern, text):
            return sets
    return raw(column, text) if otherwise is None else otherwise


MODELS: Final = {
    r"mistral-?7b(-instruct|-base|-hf)?": "mistral-7b-v0.1", r"mixtral(-instruct)?": "mixtral-8x7b",
    r"command-r(-v01)?": "command-r-35b", r"(?:stanford-)?alpaca-?(7b|13b)": r"llama-\1", r"wizardlm-?(7b|13b)": r"llama-\1",
    r"vicuna-?(7b|13b|33b)(?:-v1\.[0-3])?": r"llama-\1",
}
"""Names of several versions of one shape, or of a further training that no repository of the catalog names -> its shape."""


def _model(row: Cells) -> str:
    """As in serving rows; else with its size out of brackets and nothing else that stands in them, or a name of `MODELS`."""
    found = read_model(row)
    if found.removeprefix("model=") in {model.id for model in load_models()}:
        return found
    text = re.sub(r"\(.*?\)", " ", re.sub(r"\((\d[\d.]*[bBmM])\)", r" \1", row["model"])).strip()
    name = re.sub(r"[ -]+", "-", re.sub(r"(?i)code llama", "codellama", text)).lower()
    name = re.sub(r"(\d)_(\d)_(\d+b)", r"\1.\2-\3", name)
    bare = name.rpartition("/")[2]
    for pattern, model in MODELS.items():
        if re.fullmatch(pattern, bare):
            name = re.sub(pattern, model, bare)
    again = read_model({"model": name})
    return again if again.removeprefix("model=") in {model.id for model in load_models()} else found


INSTANCES: Final = {r"p4de": "A100-80GB-SXM", r"p4d\b": "A100-40GB-SXM", r"p5\.": "H100-80GB-SXM", r"g5\.": "A10G",
                    r"g6e": "L40S", r"g6\.": "L4", r"g4dn": "T4", r"p3\.": "V100-16GB-SXM"}
"""Instance types of EC2 -> their card."""
NVIDIA: Final = r"rtx|gtx|geforce|titan|quadro|tesla|nvidia|\b[pkv]\d{2,3}\b|\b\d{4} ?ti\b|radeon|\brx \d{4}|\bmi\d{2,3}|\ba2\b"
"""Cards for torch, in the catalog or not: without one, memory is predicted all the same."""


def _gpu(row: Cells) -> str:
    """One card; the first of several of one size; none where it could be of several sizes, as memory asks for none."""
    text = (row.get("gpu") or "").replace("_", " ")
    low = text.lower()
    inside, size = re.search(CARD, low), re.search(r"(\d+) ?gi?b?\b", low)
    if re.search(r"\bcap\b|unknown|^$|^[^a-z0-9]$|n\.?s\.?$|n/a|not stated", low):
        return ""
    if not inside and re.search(r"vram|^(consumer|\d+ ?gb)[ \dgbpu]*(gpu|card)?$", low):
        return ""
    for name in (text, re.sub(r"\(.*?\)", "", text), re.sub(r"^ *\d+ ?x ?", "", text), inside.group() if inside else ""):
        cards = gpus_named(name.strip()) if name.strip() else []
        if size:
            cards = [card for card in cards if abs(card.memory_bytes / (float(size.group(1)) * 1e9) - 1.0) < 0.1] or cards
        if cards:
            return f"gpu={cards[0].id}" if len({round(card.memory_bytes / 1e9, -1) for card in cards}) == 1 else ""
    return _first("gpu", low, {pattern: f"gpu={card}" for pattern, card in INSTANCES.items()} | {NVIDIA: ""}, raw("gpu", text))


UNCOUNTED: Final = (r"dpo|grpo|ppo\b|rlhf|orpo|\bkto|simpo|mezo|relora|loqt|flora\b|\bfira|lora-?xs|nola\b|\bmora\b|qa-?lora|"
                    r"lq-?lora|delta-?lora|dylora|x-?lora|loramoe|(?<![a-z])s-?lora\b|longlora|s2-?attn|q-?galore|q-?apollo|spectrum|reft\b|bitfit|"
                    r"head.only|last.layer|linear.prob|galore_")
"""Methods that train something else, or in another way, than those whose name they hold."""


def _method(row: Cells) -> str:
    text = _low(row, "method")
    named = f"peft:{named_method(text)}" if named_method(text) in TUNERS else row["method"]
    known = _first("method", text, {
        r"adapter_v2$": "method=llama_adapter_v2",
        r"peft:adapter$": "method=llama_adapter" if "gpt" in _low(row, "framework") else "method=houlsby",
        r"lisa_\d+$": f"method=lisa rank={row['method'].rpartition('_')[2]}", r"galore(\d+|_perparam)$": "method=full",
        UNCOUNTED: raw("method", row["method"]), r"galore|apollo|lomo\b": "method=full",
        r"^peft:(lora|dora)$": f"method={text[5:]}",
        r"^peft:(?!llamapro)": raw("method", named)}, "")
    if known:
        return known
    bare = re.sub(r"\(.*?\)|\br ?= ?\d+", " ", text)
    parts = (text, bare, *re.findall(r"\((.*?)\)", text), *re.split(r"[ ,/:;()]+", text))
    found = [name for part in parts if (name := named_method(part.strip())) in (*METHODS, *TUNERS)]
    found = [name for name in found if name != "houlsby" or "lora" not in text]
    special = [name for name in found if name not in ("full", "lora")] or found
    if special and "dora" in text and special[0] in ("lora", "qlora"):
        special = ["qdora" if special[0] == "qlora" else "dora"]
    if special:
        if special[0].startswith("llama_adapter") and "gpt" not in _low(row, "framework"):
            return "method=peft:adaption_prompt"
        own = special[0] in METHODS or special[0] in get_args(Other)
        return f"method={special[0]}" if own else f"method=peft:{special[0]}"
    return _first("method", text, {
        r"qdora": "method=qdora", r"dora": "method=dora", r"rs-?lora": "method=rslora", r"q-?lora": "method=qlora",
        r"lora": "method=lora",
        r"full|sft|fft|pre-?train|all (weights|param)|fine-?tun|supervised|^(cpt|none)$": "method=full"})


def _quant(row: Cells) -> str:
    text, method = _low(row, "quant"), _low(row, "method")
    if not text.strip():
        text = "nf4" if re.search(r"4.?bit|q-?lora|qdora", method) else "int8" if re.search(r"8.?bit|int8", method) else ""
    doubled = re.search(r"(?<!no )(?<!without )(dq|double)(?!.?quant\w*[ =:]+(none|no\b|false))", text)
    double = "true" if doubled or "nf4tensor" in text else "false"
    bits = re.search(r"(\d) ?-?bits?|(?:int|w)(\d)", text)
    gptq = (bits and (bits[1] or bits[2])) or "4"
    packed = r"nf4|fp4|4.?bit|8.?bit|[23].?bit|int[48]|gptq|awq|hqq|aqlm|eetq|quip|fp8|float8"
    return _first("quant", text, {
        r"dequanti[sz]ed": "quant=none",
        r"^(none|no\b|not|un(quanti|compress)|full prec|false|off|-$|n/?a\b|n\.?s\.?$|$)": "quant=none",
        rf"^(?!.*({packed})).*(bf16|bfloat16|fp16|float16|fp32|float32|\b16\b|16.?bit|\b32\b|32.?bit)": "quant=none",
        r"gptq": f"quant=gptq-int{gptq}", r"awq": "quant=gptq-int4",
        r"mxfp4|nvfp4|aqlm|quip|gguf|[123].?bit": raw("quant", text),
        r"float8|fp8": "quant=none" if re.search("full|sft|train|torchao|float8", method + text) else raw("quant", text),
        r"int4.?wo|torchao.*int4|int4.*torchao": raw("quant", text), r"torchao.*int8|int8.*torchao|eetq": "quant=int8",
        r"torchao": "quant=nf4 double_quant=true", r"nf4|fp4|4.?bit|int4|^4$": f"quant=nf4 double_quant={double}",
        r"8.?bit|int8|^8$": "quant=int8"})


def _targets(row: Cells) -> str:
    labels = r"[\[\]'\"{}]|lora_(attn_modules|target|target_modules)\b:?|target_modules[:=]"
    text = re.sub(labels, " ", _low(row, "target_modules")).strip()
    if "full" in _low(row, "method") or "all weights" in text:
        return ""
    if re.fullmatch(r"|-|n\.?s\.?|n/a|unknown.*|not stated|default|peft default|\d+ modules", text):
        known = _first("", _low(row, "framework"), TARGETED) if "default" not in text else "q_proj+v_proj"
        return f"target_modules={known}" + ("" if "default" in text else " assumed+=target_modules")
    if re.search(r"\ball[ _-]?linear|\*_proj|(all|every)( the)? (linear )?(layers?|modules|linears?)|^all$", text):
        return "target_modules=all-linear"
    if re.search(r"apply_lora_to_mlp:? *true", text):
        text = text.replace("apply_lora_to_mlp", " mlp ")
    idle = r"\(.*?\)|\bmodules?|\b(layers|peft|and|only|all|true)\b|\bdefault|full |apply_lora_to_\w+:? *false"
    bare = re.sub(idle, " ", text)
    found = [MODULES.get(re.sub(r"_(proj|lin)$", "", word), word) for word in re.split(r"[ +,/;&:]+", bare) if word]
    words = list(dict.fromkeys("+".join(found or ["q_proj", "v_proj"]).split("+")))
    if "attention" in words and len(words) > 1:
        words = list(dict.fromkeys(["q_proj", "k_proj", "v_proj", "o_proj", *(word for word in words if word != "attention")]))
    ends = {"head", "lm_head"} & set(words)
    head = " habits+=head_adapter" if ends and "full:wte" not in words else ""
    words = [word for word in words if word not in ends] + ["full:lm_head"] * bool(ends and not head)
    try:
        model = find_model(row["model"])
        gated, own = any(k.gated for k in model.mlp), {x.name for x in model.linears}
        named = usual_targets(model, tuple(words))
        words = list(named) if own & {*named} else words
        if not own & {"w1", "w2", "w3"}:  # as Llama's own code and Mixtral name them
            words = [{"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}.get(word, word) for word in words]
    except RoiError:
        gated = True
    return f"target_modules={'+'.join(word for word in words if gated or word != 'gate_proj')}{head}"


def _dtype(row: Cells) -> str:
    text = _low(row, "base_dtype")
    if re.search(r"float8|\bfp8", _low(row, "quant")):
        text = "fp8"
    return _first("base_dtype", text, {
        r"mxfp8": "base_dtype=mxfp8", r"nvfp4|mxfp4|int8": raw("base_dtype", text), r"fp8|float8": "base_dtype=fp8",
        r"(fp32|float32) (master|weights|param)": "base_dtype=fp32",
        r"bf16|bfloat16": "base_dtype=bf16", r"fp16|float16|half|^16\b|^16.?bit": "base_dtype=fp16",
        r"fp32|float32|tf32|^32\b": "base_dtype=fp32", r"^pure$|^default \(mixed\)": "base_dtype=bf16",
        r"^$|unknown|n\.?s\.?|mixed|\bamp\b|auto|default|not stated": "base_dtype=bf16 assumed+=base_dtype"})


def _packing(row: Cells) -> str:
    padded = f"packed=false padded={str(not re.search('lit-?gpt', _low(row, 'framework'))).lower()}"
    return _first("packed", _low(row, "packing"), {
        r"padding.?free|varlen|flatten": "packed=true padded=false",
        r"^(no|not|false|none|off|without)\b|unpacked|not packed|no packing|[:=] ?false": padded,
        r"^(yes|true)|packed|packing|multipack|block.?diagonal|packing[:=] ?true": "packed=true padded=false",
        r"full|fixed|dummy|synthetic|mock|random|constant|concat|group_texts|of that length|to max|max_length|equal|pad_to":
        "packed=false padded=false"}, padded)


def _checkpointing(row: Cells) -> str:
    """Megatron's selective recomputing is that of attention's scores, which fused kernels never hold."""
    text, quantised = _low(row, "gradient_checkpointing"), _low(row, "quant") not in ("", "none")
    core = re.search(r"megatron|nemo", _low(row, "framework"))
    return _first("gradient_checkpointing", text, {
        r"default[ )]*true": "gradient_checkpointing=true assumed+=gradient_checkpointing",
        r"^(no|yes|true|false)\b.*default": f"gradient_checkpointing={str(text.startswith(('yes', 'true'))).lower()} "
                                            "assumed+=gradient_checkpointing",
        r"unknown|not stated|n\.s\.|^default$|^$":
        f"gradient_checkpointing={str(quantised).lower()} assumed+=gradient_checkpointing",
        r"off.?load(?!\w*:? *false)|unsloth": "gradient_checkpointing=offload",
        r"core.?att|selective.*\batt|granularity selective": "gradient_checkpointing=false",
        r"every[ -](other|\d|2nd)|selective [2-9]|\bmlp\b|\d+ ?%": raw("gradient_checkpointing", text),
        r"selective 1|every layer": "gradient_checkpointing=true",
        r"selective": f"gradient_checkpointing={'false' if core else 'selective'}",
        r"^(true|yes|on|enabled)\b|reentrant": "gradient_checkpointing=true",
        r"false|\bno\b|\boff\b|^0$|disabled|without|w/o|^none$": "gradient_checkpointing=false",
        r"true|yes|\bon\b|full|block|^1$|\bwith\b|w/|uniform|checkpointing|act(ivation)? ckpt|^ac$":
        "gradient_checkpointing=true"})


def _attention(row: Cells) -> str:
    return _first("attention_impl", _low(row, "attention_impl"), {
        r"sage": raw("attention_impl", row.get("attention_impl") or ""),
        r"^(no|without|w/o) flash|flash.*(off|false)": "attention_impl=sdpa assumed+=attention_impl",
        r"^$|unknown|n\.?s\.?|^none$|^unsloth$|not stated|^default$|(?<!\()default$":
        "attention_impl=sdpa assumed+=attention_impl",
        r"sdpa.*math|^math$": "attention_impl=sdpa-math", r"sdpa|scaled.dot": "attention_impl=sdpa",
        r"flash.?(attention|attn)?.?(v|-| |=)*3\b|fa3|flash.?attn3|\bte\b|transformer ?engine|cudnn": "attention_impl=flash3",
        r"flash.?(attention|attn)?.?(v|-| |=)*1\b": "attention_impl=flash1",
        r"not flash|eager|vanilla|naive|standard|^torch$": "attention_impl=eager",
        r"flash|fa2|xformers|triton|flex|mem\w*.?eff|s2.?attn|shift|ring": "attention_impl=flash"})


def _dropout(row: Cells) -> str:
    stated = re.fullmatch(r"0?\.\d+|0", row.get("lora_dropout") or "")
    if "full" in _low(row, "method") or re.search(OWN_STACK, _low(row, "framework")):
        return f"lora_dropout={stated.group()}" if stated and "full" not in _low(row, "method") else ""
    return f"lora_dropout={stated.group()}" if stated else "lora_dropout=0 assumed+=lora_dropout"


KEPT_SINCE: Final = "2025-02-13"
"""Day of TRL 0.15.0: since then SFTTrainer takes the accuracy of tokens from the model's output (trl/trainer/sft_trainer.py,
compute_loss), before it was the HF Trainer's loop."""
CHUNKED_SINCE: Final = "2026-08-13"
"""Day of TRL 1.10.0, whose head works in chunks (`roi.estimate.training.stacks.trainer_habits`)."""


def _trainer(row: Cells) -> str:
    text = f"{_low(row, 'framework')} {_low(row, 'trainer')}"
    own = {r"torchtune": "trainer=plain stack=torchtune", r"lit-?gpt": "trainer=plain stack=litgpt",
           r"torchtitan": "trainer=plain stack=torchtitan", FOREIGN: raw("stack", row.get("framework") or ""),
           r"foundry|composer": "trainer=plain logits_kept=true kernels=fused loss=16bit",
           r"unsloth": "trainer=hf logits_kept=false kernels=fused loss=chunked",
           r"llama-(recipes|cookbook)": "trainer=plain logits_kept=false",  # loss = model(**batch).loss (utils/train_utils.py)
           r"nemo|megatron": "trainer=plain logits_kept=true kernels=fused assumed+=logits_kept"}
    found = _first("", text, own, "")
    if found:
        return found
    kept = {"true": "true", "yes": "true", "false": "false", "no": "false"}.get(_low(row, "logits_kept"))
    stated = _first("", _low(row, "trainer"), {r"sft|\btrl\b": "trl", r"^hf|trainer": "hf", r"plain|custom|loop": "plain"}, "")
    plain = re.search("custom|loop|bench|lightning|torch fsdp|pytorch fsdp|^deepspeed", text)
    usual = "hf" if re.search(TRAINERS, text) and not plain else "plain"
    day, version = row.get("source_date") or "", re.search(r"\btrl[ =]+(\d+)\.(\d+)", _low(row, "framework_version"))
    release = (int(version[1]), int(version[2])) if version else None
    if usual == "hf" and re.search(r"\btrl\b|sfttrainer|handbook", text):
        usual = "trl" if (release >= (0, 15) if release else day >= KEPT_SINCE) else "hf"
    trainer = stated or usual
    liger = " kernels=liger" if "liger" in text else ""
    if kept is None:
        whole = trainer == "plain" or (trainer == "trl" and (release < (1, 10) if release else day < CHUNKED_SINCE))
        return f"trainer={trainer} logits_kept={str(whole).lower()} assumed+=logits_kept{liger}"
    return f"trainer={trainer} logits_kept={kept}{liger}"


def _autocast(row: Cells) -> str:
    """A Trainer's autocast is not DeepSpeed's, which casts the module, nor that of a run in pure 16 bits or in fp32."""
    if re.search(OWN_STACK, _low(row, "framework")):
        return ""
    dtype = _low(row, "base_dtype")
    stated = {"true": "true", "yes": "true", "false": "false", "no": "false"}.get(_low(row, "autocast"))
    if stated is not None:
        return f"autocast={stated}"
    if re.search(r"pure|-true", dtype):
        return "autocast=false"
    mixed = re.search(r"mixed|\bamp|compute|autocast", dtype)
    if _sharding(row).startswith("sharding=zero") or (re.search(r"fp32|float32|tf32|^32", dtype) and not mixed):
        return "autocast=false assumed+=autocast"
    runs = mixed or _trainer(row).startswith(("trainer=hf", "trainer=trl"))
    return f"autocast={str(bool(runs)).lower()} assumed+=autocast"


def _optimizer(row: Cells) -> str:
    text, states, method = _low(row, "optimizer"), _low(row, "optimizer_state_dtype"), _low(row, "method")
    full = not re.search("lora|dora|peft:", method) and _method(row).startswith("method=full")
    inside = " habits+=step_in_backward" if full and re.search(r"in[ _]b(ac)?k?wa?r?d|layer.?wise", text) else ""
    if re.search(r"paged", text) and re.search(r"adamw for lora", text) and not full:
        text = "adamw"
    if re.search(r"galore|apollo|lomo", method):
        text = f"{method} {'' if re.search('galore|apollo|lomo', text) else text}"
    bare = re.sub(r"\(.*?\)|layer.?wise|\+? ?optimizer.?in[ _]b\w+|in b(ac)?k?wa?r?d\w*", " ", text)
    found = _first("optimizer", text, {
        r"^$|unknown|^(recipe )?default|n\.s\.|not stated|^-$|n/a": "optimizer=adamw assumed+=optimizer",
        r"cpu.?adam|adam.?cpu|hybrid.?adam|cpu.?off.?load":
        "optimizer=adamw" if _sharding(row).endswith("offload") else raw("optimizer", text),
        r"lora-?fa": raw("optimizer", row.get("optimizer") or ""),
        r"distributed.*(adam|optim)|zero.?1|zero.?redundancy": "optimizer=adamw", r"foreach": "optimizer=adamw-foreach"}, "")
    if not found:
        name = next((name for each in (text, bare) if (name := named_optimizer(each)) in HELD), None)
        found = f"optimizer={name}" if name else raw("optimizer", row.get("optimizer") or "")
    narrow = re.search(r"bf16|bfloat16", states + text) or "bf16-true" in _low(row, "base_dtype")
    if narrow and found == "optimizer=adamw":
        found = "optimizer=adamw-bf16"
    if found in ("optimizer=adamw", "optimizer=adamw-fused") and re.search(r"8.?bit|int8", states):
        found = "optimizer=adamw-8bit"
    if full and found == "optimizer=adamw" and re.search(r"fp32|float32", states) and _dtype(row) != "base_dtype=fp32":
        found = "optimizer=adamw-32bit"
    doubt = found == "optimizer=adamw" and not states and not full
    return found + inside + (" assumed+=optimizer_states" if doubt else "")


def _memory_kind(row: Cells) -> str:
    text, packing = _low(row, "peak_mem_kind"), _packing(row)
    gb = " peak_mem_unit=GB" if re.search(r"not stated", text) and "(gb" in text else ""
    kind = _first("", text, {
        r"estimat|calculat": "peak_mem_kind=estimated", r"wandb|w&b": "peak_mem_kind=process",
        r"allocated|active|alloc\b|memory metrics|tracemalloc": "peak_mem_kind=allocated",
        r"reserved": "peak_mem_kind=reserved",
        r"smi\b|nvml|nvtop|gpustat|process|gpu memory used": "peak_mem_kind=process",
        r"oom|out of mem": "peak_mem_kind=unstated fits=false", r"\bfits?\b": "peak_mem_kind=unstated fits=true"},
        "peak_mem_kind=unstated")
    emptied = " habits+=emptied_cache" if "empty_cache" in text else ""
    varied = " habits+=variable_lengths" if "padded=true" in packing and not emptied and "allocated" not in kind else ""
    shared = re.search(r"total|sum|all (gpus|cards)", text) and re.search(r"gpus|cards", text) and "divided" not in text
    return kind + emptied + varied + gb + (" peak_mem_of=all" if shared else "")


ONE_NODE: Final = 8
"""GPUs up to which a hybrid of shards inside a node and replicas between nodes is shards alone."""


def _sharding(row: Cells) -> str:
    stated, several = _low(row, "sharding"), re.sub(r"\(.*", "", row.get("n_gpus") or "1").strip() not in ("1", "1x")
    text = f"{stated} {_low(row, 'framework')} {_low(row, 'optimizer')} {_low(row, 'notes')}"
    if stated in SHARED and not (stated == "fsdp" and not several):
        return f"sharding={stated}"
    away = re.search(r"off.?load(?!\w*[ :=]*(0|false|none))|infinity|nvme|cpu.?adam|adam.?cpu|hybrid.?adam|_z[23]_off", text)
    host = "-offload" if away and not re.search(r"activation.?off", text) else ""
    split = (r"(?<![a-z])(ep|cp|sp|tp)[ =]*[2-9]|(tensor|context|sequence|expert).?parallel|ulysses|ring att|3d par|"
             r"\+ ?tp\b")
    inside = int(re.sub(r"\D.*", "", row.get("n_gpus") or "1") or 1) <= ONE_NODE
    alike = not several or re.match(r"(none|no|n/?a|-|dd?p|data.?parallel|replica\w*|single|unknown)\b|$", stated)
    return _first("sharding", text, {
        r"(?<![a-z])pp ?= ?[2-9]|(?<![a-z])pp[2-9]|pipeline.?parallel": "sharding=pipeline-parallel",
        split: "sharding=tensor-parallel",
        r"no_shard": "sharding=none", r"gemini|low.?level.?zero(?!.*stage)": raw("sharding", stated or "gemini"),
        r"zero.*(\+\+|hpz)|mics|hsdp|hybrid.?shard|dp_replicate": raw("sharding", stated) if not (inside and several) else
        f"sharding={'zero3' if re.search('zero|mics', stated) and 'hybrid' not in stated else 'fsdp'}",
        r"zero-?[ _]?(stage)?[ _-]?3|zero.?infinity|ds_z3|\bstage.?3": f"sharding=zero3{host}",
        r"zero-?[ _]?(stage)?[ _-]?2|ds_z2|shard_grad_op|\bstage.?2": f"sharding=zero2{host}",
        r"zero-?[ _]?(stage)?[ _-]?1|\bstage.?1|zero.?redundancy|distributed.?optim|distributed_fused":
        f"sharding={'zero1' if several else 'none'}",
        r"megatron|nemo": f"sharding={'tensor-parallel' if several else 'none'}",
        r"device_map|naive|(?<!tensor.)(?<!pipeline.)model.?parallel|^pipeline ": "sharding=model-parallel",
        f"fsdp|full_shard|fully_shard|dp_shard|{OWN_STACK}":
        f"sharding={'cpu-offload' if host else 'fsdp' if several else 'none'}"},
        "sharding=none" if alike else raw("sharding", stated))


def number(row: Cells, column: str) -> str:
    """The one number of a cell; of a size the cell as it stands, where a run needs it, and else nothing."""
    text = re.sub(r"\(.*?\)", "", _low(row, column)).replace(",", "").strip()
    found = re.findall(r"\d+(?:\.\d+)?", text)
    if column in FIGURES and len(found) == 1 and not re.search("[<>]|unknown", text):
        times = 1000.0 if re.search(r"\dk\b", text) else 1.0 / 1024.0 if "mib" in text else 1.0
        times *= 1e9 / GIB if re.search(r"\dgb\b|\d gb\b", text) and "peak" in column else 1.0
        each, gpus = column == "tokens_per_s" and "per gpu" in _low(row, column), row.get("n_gpus") or "1"
        times *= float(gpus) if each and gpus.isdigit() else 1.0
        return f"{column}={float(found[0]) * times:.6g}"
    if column == "n_gpus" and (product := re.fullmatch(r"(\d+) ?x ?(\d*)", text)):
        return f"n_gpus={int(product[1]) * int(product[2] or 1)}"
    if column == "source_date":
        return _day(text)
    if column in SIZES and len(found) == 1 and "unknown" not in text:
        thousand = 1024 if re.search(r"\d ?k\b", text) and column.startswith("seq") else None
        if thousand or not re.search(r"\d ?[km]\b", text):
            return f"{column}={float(found[0]) * (thousand or 1):g}" if thousand else f"{column}={found[0]}"
    return raw(column, row[column]) if column in SIZES and column != "seq_len_mean" else ""


def _day(text: str) -> str:
    """Month and year as a date; the last of several years."""
    named = [k for k, name in enumerate(MONTHS, 1) if name in text]
    month = next(iter([*named, *re.findall(r"^(\d\d?)/", text)]), None)
    years = re.findall(r"20\d\d", text)
    if not years:
        return ""
    return f"date={years[-1]}" + (f"-{int(month):02d}" if month else "")


def _prepared(row: Cells) -> str:
    """peft's preparation is what Trainers' scripts run on a quantised base; Unsloth and FSDP's loops do not.

    It casts nothing of models that GPTQ, AQLM, EETQ, torchao or HQQ packed (peft/utils/other.py). What frameworks do with the
    scales of NF4 where a row is silent stands in, too.
    """
    quant, framework = _quant(row), _low(row, "framework")
    if quant.startswith("quant=none"):
        return ""
    apart = re.search(r"unsloth|fsdp", framework) or re.search(r"hqq|eetq|aqlm|torchao|quanto", _low(row, "quant"))
    usual = "double_quant=false" in quant and re.search(DOUBLED, framework) and "double" not in _low(row, "quant")
    found = ["kbit_prepared=false"] * bool(apart) + ["double_quant=true assumed+=double_quant"] * bool(usual)
    return " ".join(found)


MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FIGURES: Final = ("tokens_per_s", "peak_mem_gib", "peak_mem_reserved_gib", "peak_mem_process_gib")
SIZES: Final = ("micro_batch", "rank", "seq_len_max", "seq_len_mean", "grad_accum", "n_gpus")
READERS: Final = {
    "model": _model, "gpu": _gpu, "method": _method, "quant": _quant, "target_modules": _targets, "base_dtype": _dtype,
    "packing": _packing, "gradient_checkpointing": _checkpointing, "attention_impl": _attention, "optimizer": _optimizer,
    "peak_mem_kind": _memory_kind, "sharding": _sharding, "framework+method": _dropout, "framework+trainer": _trainer,
    "framework+autocast": _autocast, "framework+quant": _prepared,
}  # fmt: skip
