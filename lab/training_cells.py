"""Cells of research tables of training runs that lab/cells does not hold: read by their grammar, else left as they stand.

As for serving runs (serving_cells.py): a cell that cannot be read goes into the canonical table as it was written, and
`validate` skips the row with the reason; what a cell does not say stands in and is marked as assumed.
"""

import re
from collections.abc import Mapping
from typing import Final

from serving_cells import raw, read_model

from roi.catalog.cards.gpus import gpus_named
from roi.catalog.models.shapes import find_model
from roi.errors import RoiError
from roi.store.tables.training_table import SHARED

Cells = Mapping[str, str]

MODULES: Final = {
    "q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj", "gate": "gate_proj", "up": "up_proj", "down": "down_proj",
    "query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj", "out": "o_proj", "projection": "o_proj",
    "linear_qkv": "q_proj+k_proj+v_proj", "linear": "o_proj", "linear_fc1": "gate_proj+up_proj", "linear_fc2": "down_proj",
    "qkv": "q_proj+k_proj+v_proj", "wte": "full:wte", "embed_tokens": "full:wte", "mlp": "gate_proj+up_proj+down_proj",
    "attention": "attention", "attn": "attention",
}  # fmt: skip
TRAINERS: Final = "trainer|transformers|hugging ?face|\\bhf\\b|axolotl|factory|swift|accelerate|peft"
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


def _gpu(row: Cells) -> str:
    """One card; the first of several of one size; none where it could be of several sizes, as memory asks for none."""
    text = (row.get("gpu") or "").replace("_", " ")
    inside, size = re.search(CARD, text.lower()), re.search(r"(\d+) ?gi?b\b", text.lower())
    if re.search(r"\bcap\b|unknown|^$", text.lower()) or ("vram" in text.lower() and not inside):
        return ""
    for name in (text, re.sub(r"\(.*?\)", "", text), inside.group() if inside else ""):
        cards = gpus_named(name.strip()) if name.strip() else []
        if size:
            cards = [card for card in cards if abs(card.memory_bytes / (float(size.group(1)) * 1e9) - 1.0) < 0.1] or cards
        if cards:
            return f"gpu={cards[0].id}" if len({round(card.memory_bytes / 1e9, -1) for card in cards}) == 1 else ""
    return raw("gpu", text)


def _method(row: Cells) -> str:
    return _first("method", _low(row, "method"), {
        r"adapter_v2$": "method=llama_adapter_v2",
        r"peft:adapter$": "method=llama_adapter" if "gpt" in _low(row, "framework") else "method=houlsby",
        r"llamapro": "method=llamapro", r"lisa_\d+$": f"method=lisa rank={row['method'].rpartition('_')[2]}",
        r"galore(\d+|_perparam)$": "method=full", r"^peft:|galore|lisa|badam": raw("method", row["method"]),
        r"qdora": "method=qdora", r"dora": "method=dora",
        r"rs-?lora": "method=rslora", r"qlora": "method=qlora", r"lora": "method=lora",
        r"full|sft|fft|pre-?train|all weights": "method=full"})


def _quant(row: Cells) -> str:
    text = _low(row, "quant")
    doubled = re.search(r"(?<!no )(?<!without )(dq|double)(?!.?quant\w*[ =:]+(none|no\b|false))", text)
    double = "true" if doubled else "false"
    return _first("quant", text, {
        r"^(none|no\b|$)": "quant=none", r"gptq.*8|8.*gptq": "quant=gptq-int8", r"gptq|awq": "quant=gptq-int4",
        r"torchao": "quant=nf4 double_quant=true", r"nf4|4.?bit|int4": f"quant=nf4 double_quant={double}",
        r"8.?bit|int8": "quant=int8"})


def _targets(row: Cells) -> str:
    text = _low(row, "target_modules")
    if "full" in _low(row, "method") or re.search(r"all weights|^$", text):
        return ""
    if re.search(r"all[ -]?linear|\*_proj|all layers|all modules", text):
        return "target_modules=all-linear"
    bare = re.sub(r"\(.*?\)|modules?|layers|default|peft|full |\band\b", " ", text)
    found = [MODULES.get(re.sub(r"_(proj|lin)$", "", word), word) for word in re.split(r"[ +,/;&]+", bare) if word]
    words = list(dict.fromkeys("+".join(found or ["q_proj", "v_proj"]).split("+")))
    ends = {"head", "lm_head"} & set(words)
    head = " habits+=head_adapter" if ends and "full:wte" not in words else ""
    words = [word for word in words if word not in ends] + ["full:lm_head"] * bool(ends and not head)
    try:
        gated = any(k.gated for k in find_model(row["model"]).mlp)
    except RoiError:
        gated = True
    return f"target_modules={'+'.join(word for word in words if gated or word != 'gate_proj')}{head}"


def _dtype(row: Cells) -> str:
    return _first("base_dtype", _low(row, "base_dtype"), {
        r"mxfp8": "base_dtype=mxfp8", r"fp8|float8": "base_dtype=fp8", r"fp32 weights|float32 weights": "base_dtype=fp32",
        r"bf16|bfloat16": "base_dtype=bf16", r"fp16|float16|half": "base_dtype=fp16", r"fp32|float32|tf32": "base_dtype=fp32",
        r"^$|unknown|n\.?s\.?": "base_dtype=bf16 assumed+=base_dtype"})


def _packing(row: Cells) -> str:
    return _first("packed", _low(row, "packing"), {
        r"^(yes|true)|(?<!un)(?<!not )packed": "packed=true padded=false",
        r"full|fixed|dummy|synthetic|mock|constant|of that length|to max|equal": "packed=false padded=false"},
        f"packed=false padded={str(not re.search('lit-?gpt', _low(row, 'framework'))).lower()}")


def _checkpointing(row: Cells) -> str:
    text, quantised = _low(row, "gradient_checkpointing"), _low(row, "quant") not in ("", "none")
    return _first("gradient_checkpointing", text, {
        r"default true": "gradient_checkpointing=true assumed+=gradient_checkpointing",
        r"unknown|not stated|n\.s\.|^$": f"gradient_checkpointing={str(quantised).lower()} assumed+=gradient_checkpointing",
        r"offload": "gradient_checkpointing=offload", r"selective": "gradient_checkpointing=selective",
        r"true|yes|\bon\b|full|block": "gradient_checkpointing=true", r"false|\bno|\boff\b": "gradient_checkpointing=false"})


def _attention(row: Cells) -> str:
    return _first("attention_impl", _low(row, "attention_impl"), {
        r"^$|unknown|n\.s\.|default$": "attention_impl=sdpa assumed+=attention_impl", r"sdpa": "attention_impl=sdpa",
        r"flash.?(attention)?.?(v|-)?3|fa3|\bte\b|transformer ?engine|cudnn": "attention_impl=flash3",
        r"not flash|eager": "attention_impl=eager", r"flash|fa2|xformers|triton": "attention_impl=flash"})


def _dropout(row: Cells) -> str:
    stated = re.fullmatch(r"0?\.\d+|0", row.get("lora_dropout") or "")
    if "full" in _low(row, "method") or re.search(OWN_STACK, _low(row, "framework")):
        return f"lora_dropout={stated.group()}" if stated and "full" not in _low(row, "method") else ""
    return f"lora_dropout={stated.group()}" if stated else "lora_dropout=0 assumed+=lora_dropout"


def _trainer(row: Cells) -> str:
    text = f"{_low(row, 'framework')} {_low(row, 'trainer')}"
    own = {r"torchtune": "trainer=plain stack=torchtune", r"lit-?gpt": "trainer=plain stack=litgpt",
           r"torchtitan": "trainer=plain stack=torchtitan",
           r"foundry": "trainer=plain logits_kept=true kernels=fused loss=16bit",
           r"unsloth": "trainer=hf logits_kept=false kernels=fused loss=chunked",
           r"nemo|megatron": "trainer=plain logits_kept=true kernels=fused assumed+=logits_kept"}
    found = _first("", text, own, "")
    if found:
        return found
    kept = {"true": "true", "false": "false"}.get(_low(row, "logits_kept"))
    stated = _low(row, "trainer")
    usual = "hf" if re.search(TRAINERS, text) and not re.search("custom|loop|bench", text) else "plain"
    trainer = stated if stated in ("plain", "hf", "trl") else usual
    liger = " kernels=liger" if "liger" in text else ""
    if kept is None:
        return f"trainer={trainer} logits_kept={str(trainer == 'plain').lower()} assumed+=logits_kept{liger}"
    return f"trainer={trainer} logits_kept={kept}{liger}"


def _autocast(row: Cells) -> str:
    if re.search(OWN_STACK, _low(row, "framework")):
        return ""
    stated = {"true": "true", "false": "false"}.get(_low(row, "autocast"))
    if stated is not None:
        return f"autocast={stated}"
    runs = re.search(r"mixed|amp", _low(row, "base_dtype")) or _trainer(row).startswith(("trainer=hf", "trainer=trl"))
    return f"autocast={str(bool(runs)).lower()} assumed+=autocast"


def _optimizer(row: Cells) -> str:
    text, states = _low(row, "optimizer"), _low(row, "optimizer_state_dtype")
    full = "full" in _low(row, "method")
    inside = " habits+=step_in_backward" if full and re.search(r"in[ _]b(ac)?k?wa?r?d", text) else ""
    if re.search(r"paged", text) and re.search(r"adamw for lora", text) and not full:
        text = "adamw"
    found = _first("optimizer", text, {
        r"paged.*8.?bit": "optimizer=paged-adamw-8bit", r"paged": "optimizer=paged-adamw",
        r"8.?bit": "optimizer=adamw-8bit", r"foreach": "optimizer=adamw-foreach",
        r"fused": "optimizer=adamw-fused", r"^$|unknown|default|n\.s\.": "optimizer=adamw assumed+=optimizer",
        r"lora-?fa|lion|sgd|adafactor|muon|galore": raw("optimizer", row.get("optimizer") or ""), r"adam": "optimizer=adamw"})
    narrow = re.search(r"bf16|bfloat16", states + text) or "bf16-true" in _low(row, "base_dtype")
    if narrow and found == "optimizer=adamw":
        found = "optimizer=adamw-bf16"
    doubt = found == "optimizer=adamw" and not states and not full
    return found + inside + (" assumed+=optimizer_states" if doubt else "")


def _memory_kind(row: Cells) -> str:
    text, packing = _low(row, "peak_mem_kind"), _packing(row)
    gb = " peak_mem_unit=GB" if re.search(r"not stated", text) and "(gb" in text else ""
    kind = _first("", text, {
        r"allocated|active": "peak_mem_kind=allocated", r"reserved": "peak_mem_kind=reserved",
        r"smi|nvml|process|wandb|gpu memory used": "peak_mem_kind=process",
        r"oom|out of mem": "peak_mem_kind=unstated fits=false", r"fit": "peak_mem_kind=unstated fits=true"},
        "peak_mem_kind=unstated")
    emptied = " habits+=emptied_cache" if "empty_cache" in text else ""
    varied = " habits+=variable_lengths" if "padded=true" in packing and not emptied and "allocated" not in kind else ""
    return kind + emptied + varied + gb


def _sharding(row: Cells) -> str:
    text = f"{_low(row, 'sharding')} {_low(row, 'framework')} {_low(row, 'optimizer')} {_low(row, 'notes')}"
    stated, several = _low(row, "sharding"), (row.get("n_gpus") or "1") != "1"
    if stated in SHARED:
        return f"sharding={stated}"
    alike = not several or re.match(r"(none|no|ddp|data.?parallel|zero-?1|unknown)\b|$", stated)
    return _first("sharding", text, {
        r"\bpp ?= ?[2-9]|\bpp[2-9]|pipeline.?parallel": "sharding=pipeline-parallel",
        r"\btp ?= ?[2-9]|\btp[2-9]|tensor.?parallel": "sharding=tensor-parallel",
        r"megatron|nemo": f"sharding={'tensor-parallel' if several else 'none'}",
        r"zero-?[ _]?(stage)?[ _-]?3": "sharding=zero3", r"zero-?[ _]?(stage)?[ _-]?2|shard_grad_op": "sharding=zero2",
        r"cpu.?offload(?! ?= ?(0|false))": "sharding=cpu-offload", r"device_map|model.?parallel": "sharding=model-parallel",
        f"fsdp|full_shard|{OWN_STACK}": f"sharding={'fsdp' if several else 'none'}"},
        "sharding=none" if alike else raw("sharding", stated))


def number(row: Cells, column: str) -> str:
    """The one number of a cell of sizes; else the cell as it stands, where a run needs it, and nothing where it does not."""
    found = re.findall(r"\d+(?:\.\d+)?", (row.get(column) or "").replace(",", ""))
    if column in SIZES and len(found) == 1 and not re.search(r"unknown|\d ?[km]\b", _low(row, column)):
        return f"{column}={found[0]}"
    return raw(column, row[column]) if column in SIZES and column != "seq_len_mean" else ""


def _prepared(row: Cells) -> str:
    """peft's preparation is what Trainers' scripts run on a quantised base; Unsloth and FSDP's loops do not."""
    apart = re.search(r"unsloth|fsdp", _low(row, "framework")) and _low(row, "quant") not in ("", "none")
    return "kbit_prepared=false" if apart else ""


SIZES: Final = ("micro_batch", "rank", "seq_len_max", "seq_len_mean", "grad_accum", "n_gpus")
READERS: Final = {
    "model": read_model, "gpu": _gpu, "method": _method, "quant": _quant, "target_modules": _targets, "base_dtype": _dtype,
    "packing": _packing, "gradient_checkpointing": _checkpointing, "attention_impl": _attention, "optimizer": _optimizer,
    "peak_mem_kind": _memory_kind, "sharding": _sharding, "framework+method": _dropout, "framework+trainer": _trainer,
    "framework+autocast": _autocast, "framework+quant": _prepared,
}  # fmt: skip
