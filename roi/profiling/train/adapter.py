"""What a plan trains: the adapter that peft attaches, how it is saved, read again and merged."""

from pathlib import Path
from typing import Any

from roi.errors import InputError, nearest
from roi.estimate.training.plan import TARGET_SETS, TrainingPlan
from roi.facts.model import Number
from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import known_warnings, peft, torch, transformers

LINEARS = (torch.nn.Linear, bnb.nn.Linear4bit, bnb.nn.Linear8bitLt)

PRODUCTS = (*LINEARS, transformers.pytorch_utils.Conv1D)
"""Conv1D: gpt2's linear layer with its weight the other way round."""


def prepare_training(model: Any, plan: TrainingPlan, fused: tuple[tuple[str, ...], ...] = ()) -> Any:
    """The model ready for training steps: k-bit preparation, adapter, checkpointing, train mode.

    `fused`: names of modules that hold several usual ones, as `ModelShape.module_names` has them. Checkpointing is the
    non-reentrant one, as transformers 5 does it by default.
    """
    if plan.prepared:
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if plan.checkpointing:
        _checkpoint(model)
    if plan.adapter:
        settings = peft.LoraConfig(
            r=int(plan.rank), lora_alpha=2 * int(plan.rank), lora_dropout=float(plan.dropout),
            target_modules=target_modules(model, plan.targets, fused), use_dora=plan.weight_decomposed,
            use_rslora=plan.method == "rslora", task_type="CAUSAL_LM",
            exclude_modules=_routers(model) or None,
        )
        try:
            with known_warnings():
                model = peft.get_peft_model(model, settings)
        except ValueError as error:  # fused experts take no dropout and no DoRA
            said = " ".join(str(error).split())[:300]
            raise InputError(f"--method {plan.method}: peft refuses this model: {said}") from error
    model.train()
    return model


def _checkpoint(model: Any) -> None:
    """Turn checkpointing on, under the name that this transformers has for it."""
    how = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):  # the name from 5.2x on
        model.activation_checkpointing_enable(how)
    else:
        model.gradient_checkpointing_enable(how)


def target_modules(model: Any, targets: str | tuple[str, ...], fused: tuple[tuple[str, ...], ...] = ()) -> str | list[str]:
    """Names of the modules that carry an adapter, as peft takes them; an InputError names those that the model has."""
    if targets == "all-linear":
        return "all-linear"
    head = model.get_output_embeddings()
    linears = (name for name, layer in model.named_modules() if isinstance(layer, LINEARS) and layer is not head)
    present = {name.rpartition(".")[2] for name in linears}
    holders = {usual: module for module, *usuals in fused for usual in usuals if module in present}
    known_set = isinstance(targets, str) and targets in TARGET_SETS
    asked = TARGET_SETS.get(targets, tuple(targets.split(","))) if isinstance(targets, str) else targets
    found: set[str] = set()
    for name in (word.strip() for word in asked):
        module = name if name in present else holders.get(name)
        if module is not None:
            found.add(module)
        elif not known_set:
            known = ["all-linear", *TARGET_SETS, *sorted(present)]
            near = nearest(name, known)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise InputError(f"--targets: this model has no target {name!r}; it has {', '.join(known)}{hint}")
    if not found:
        raise InputError(f"--targets: {targets!r} matches nothing; this model has {', '.join(sorted(present))}")
    return sorted(found)


def check_rank(
    model: Any, rank: Number, targets: str | tuple[str, ...], fused: tuple[tuple[str, ...], ...] = (), field: str = "--rank",
) -> None:
    """Raise where the rank is above the full rank of every target, as `estimate` does from a shape."""
    names, head = target_modules(model, targets, fused), model.get_output_embeddings()
    carry = ((name.rpartition(".")[2], m) for name, m in model.named_modules() if isinstance(m, PRODUCTS) and m is not head)
    most = max((min(m.weight.shape) for name, m in carry if names == "all-linear" or name in names), default=None)
    if most is not None and rank > most:
        raise InputError(f"{field}: {rank:,} is not usable; at most {most:,}, the full rank of this model's widest target")


def _routers(model: Any) -> list[str]:
    """Routers that are linear layers: llama 4's returns two results, which an adapter cannot add to."""
    return ["router"] if any(name.endswith(".router") and isinstance(m, LINEARS) for name, m in model.named_modules()) else []


def trained_count(model: Any) -> int:
    """Parameters that get a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter alone; nothing is asked of the Hub."""
    model.save_pretrained(folder, save_embedding_layers=False)


def load_adapter(base: Any, folder: Path, *, trainable: bool = False) -> Any:
    """A base model with the adapter of a folder on it."""
    with known_warnings():
        return peft.PeftModel.from_pretrained(base, folder, is_trainable=trainable)


def merge_adapter(base: Any, folder: Path) -> Any:
    """A plain model: the adapter of a folder added into the base's weights.

    A quantised base is dequantised first: merging into 4-bit weights would round the sum again, and what is served would
    no longer be what was trained. Takes a freshly loaded base, since k-bit preparation changes dtypes; consumes it.
    """
    if getattr(base, "is_quantized", False):
        base = base.dequantize()
    return load_adapter(base, folder).merge_and_unload()
