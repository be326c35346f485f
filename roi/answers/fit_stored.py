"""What training makes of a checkpoint whose weights are packed: the plan that it admits, in the words of its method.

By transformers 5.24 (quantizers/, is_trainable; quantizers/auto.py, merge_quantization_configs; integrations/mxfp4.py and
finegrained_fp8.py) and peft 0.21 (tuners/lora/bnb.py, gptq.py).
"""

from dataclasses import replace
from typing import Final, Literal

from roi.catalog.models.stored_weights import UNNAMED, StoredWeights
from roi.errors import InputError
from roi.estimate.training.plan import TrainingPlan

ON_BITSANDBYTES: Final[dict[int, dict[str, str]]] = {
    4: {"lora": "qlora", "rslora": "qlora", "qlora": "qlora", "dora": "qdora", "qdora": "qdora"},
    8: {"lora": "lora-int8", "rslora": "lora-int8", "lora-int8": "lora-int8"},
}
"""Bits -> what is asked for -> the method that it is on weights which are packed so already."""
GPTQ_BITS: Final[dict[int, Literal[2, 3, 4, 8]]] = {2: 2, 3: 3, 4: 4, 8: 8}
UNPACKED: Final = {
    "mxfp4": "transformers does not train it so; it is counted unpacked to bf16 (Mxfp4Config(dequantize=True))",
    "fp8": "it is counted unpacked to bf16 (dequantize=True), as cards before compute capability 8.9 load it; transformers 5.24"
           " train adapters on the fp8 weights of later ones, in up to half the bytes of weights, which is not counted",
    "compressed-tensors": "transformers unpacks it to 16 bits, at the latest in the first step",
}  # fmt: skip
"""quant_method -> why its weights are counted in 16 bits."""
NO_MEMORY: Final = ("awq", "aqlm", "eetq", "hqq", "quanto", "sinq", "torchao")
"""Methods on which transformers trains adapters, with kernels of packages that no formula here knows."""
INFERENCE: Final = ("auto-round", "bitnet", "exl2", "exl3", "fbgemm_fp8", "fouroversix", "fp_quant", "gemma", "gguf", "higgs",
                    "metal", "mlx", "modelopt", "nvfp4", "quark", "spqr", "vptq")
"""Methods on which transformers does not train as they are stored, or that it does not load."""
WAY: Final = "give its 16-bit release (or take quantization_config out of the file) with --method qlora, or lora"


def plan_on_stored(plan: TrainingPlan, stored: StoredWeights | None, model: str) -> tuple[TrainingPlan, str]:
    """(The plan on weights that are packed so, what is said of it); an InputError where it cannot be, or is not known."""
    if stored is None:
        return plan, ""
    known = stored.method in ("bitsandbytes", "gptq")
    if known and plan.stack != "transformers":
        raise InputError(f"MODEL: {model} is stored in {stored.told}, which --stack {plan.stack} does not load; {WAY}")
    if stored.method == "bitsandbytes":
        return _on_bitsandbytes(plan, stored, model)
    if stored.method == "gptq":
        return _on_gptq(plan, stored, model)
    if stored.method == UNNAMED:
        raise InputError(f"MODEL: {model} is stored in {stored.bits} bits by its name, which does not say by which method; give"
                         f" its config.json, or {WAY}")
    if (why := UNPACKED.get("fp8" if stored.method == "mxfp8" else stored.method)) is not None:
        again = (f"; it packs nothing a second time: for --method {plan.method} save the unpacked weights first, or take a"
                 " 16-bit release") * (plan.quantised or plan.int8)
        return plan, f"Stored in {stored.told}: {why}{again}"
    if stored.method in NO_MEMORY:
        raise InputError(f"MODEL: {model} is stored in {stored.told}; transformers trains adapters on it, but what its kernels"
                         f" take is not known here; {WAY}")
    if stored.method in INFERENCE:
        raise InputError(f"MODEL: {model} is stored in {stored.told}, on which transformers does not train; {WAY}")
    named = f"quant_method {stored.method[:40]!r}" if stored.method else "a quantization_config without quant_method"
    raise InputError(f"MODEL: {model} has {named}, which is not known here; known: bitsandbytes, gptq, {', '.join(UNPACKED)};"
                     f" {WAY}")


def _on_bitsandbytes(plan: TrainingPlan, stored: StoredWeights, model: str) -> tuple[TrainingPlan, str]:
    ways = ON_BITSANDBYTES[stored.bits or 4]
    if plan.method not in ways:
        whole = "packed weights are frozen" if not plan.adapter else f"known: {', '.join(ways)}"
        raise InputError(f"method: {plan.method} is not possible on {model} as it is stored, in {stored.told}: {whole};"
                         f" take --method {'qlora' if stored.bits == 4 else 'lora-int8'}, or give its 16-bit release")
    method = ways[plan.method]
    becomes = "" if method == plan.method else f": --method {plan.method} on it is {method}, and counted so"
    apart = "; some modules of its layers are left in 16 bits, which is not counted" if stored.apart else ""
    double = stored.double_quant if stored.bits == 4 else plan.double_quant
    return replace(plan, method=method, double_quant=double), f"Stored in {stored.told}{becomes}{apart}"


def _on_gptq(plan: TrainingPlan, stored: StoredWeights, model: str) -> tuple[TrainingPlan, str]:
    bits = GPTQ_BITS.get(stored.bits or 0)
    if bits is None:
        raise InputError(f"MODEL: {model} is stored by gptq in {stored.bits or 'no stated number of'} bits;"
                         f" known: {', '.join(map(str, GPTQ_BITS))}; {WAY}")
    if plan.method not in ("lora", "rslora", "qlora") and not (plan.int8 and bits == 8):
        raise InputError(f"method: {plan.method} is not possible, or not known, on {model} as it is stored, in {stored.told};"
                         " take --method lora, or give its 16-bit release")
    if plan.shards_parameters:
        raise InputError(f"sharding: {plan.sharding} is not usable on {model} as it is stored, in {stored.told}: packed"
                         f" integers cannot be split; take zero2, or {WAY}")
    said = ("adapters train on the packed weights, which backward unpacks layer by layer with torch's operators; peft casts"
            " nothing else to fp32")
    method = "lora-int8" if bits == 8 else "qlora"
    return replace(plan, method=method, gptq=bits, kbit_prepared=False), f"Stored in {stored.told}: {said}"
