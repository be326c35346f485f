"""65B and 70B models: one card with QLoRA, two with LoRA, eight with full fine-tuning."""

from dataclasses import dataclass, replace

from claims.claim import Claim, agreeing, count_verdict, mark, table
from claims.training import BASE, process_bytes
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import find_model
from roi.estimate.training.adapters import base_weight_bytes, trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.optimizers import optimizer_state_bytes
from roi.estimate.training.plan import DTYPE_BYTES, TrainingPlan
from roi.units import GIB

SEVENTY = "llama-3-70b"
CARD_80, CARD_40 = "A100-80GB-SXM", "A100-40GB-SXM"


@dataclass(frozen=True)
class Shard:
    """Bytes of one rank under ZeRO-3 or FSDP full sharding."""

    states: float
    """(weights + adapters + gradients + moments) / N."""
    gathered: float
    """One layer's weights, whole, in the dtype of the weights."""
    activations: float
    """One rank's own activations and logits in the loss's backward, not sharded."""
    context: float

    @property
    def total(self) -> float:
        """Everything on the card."""
        return self.states + self.gathered + self.activations + self.context


def sharded(plan: TrainingPlan, ranks: int) -> Shard:
    """Plain arithmetic beside the closed form, which has no sharding (see the page)."""
    shape = find_model(SEVENTY)
    trained = float(trained_parameters(shape, plan))
    weights, moments = base_weight_bytes(shape, plan), float(optimizer_state_bytes(shape, plan))
    adapters = trained * plan.trained_bytes if plan.adapter else 0.0
    layer = sum(x.inputs * x.outputs * x.layers for x in shape.linears) / shape.layers * DTYPE_BYTES[plan.dtype]
    alone = training_memory(shape, replace(plan, accumulation=1), find_gpu(CARD_80))
    resident = weights + adapters + moments + float(alone.workspaces_bytes)
    return Shard((weights + adapters + trained * plan.trained_bytes + moments) / ranks, layer,
                 float(alone.phase_bytes[1]) - resident, training_efficiencies().context_bytes.number())


def one_48_claim() -> Claim:
    """65B on 48 GB."""
    rows, outcomes = [], []
    cards = [find_gpu("RTX-A6000"), find_gpu("L40S")]
    for rank, optimizer, name in ((16.0, "adamw", "AdamW"), (64.0, "adamw", "AdamW"), (64.0, "paged-adamw-8bit", "paged")):
        for seq in (512.0, 1024.0, 2048.0):
            plan = replace(BASE, method="qlora", rank=rank, optimizer=optimizer, seq=seq)
            low, mid, high = (process_bytes("llama-65b", plan, cards[0].id, end) for end in (1, 0, 2))
            fits = [_fits(process_bytes("llama-65b", plan, c.id), process_bytes("llama-65b", plan, c.id, 2), c.memory_bytes)
                    for c in cards]
            outcomes.append(fits[0] != "no")
            rows.append([f"r{rank:.0f}, {name}", f"{seq:,.0f}", f"{mid / GIB:.1f}", f"{low / GIB:.1f}-{high / GIB:.1f}",
                         *fits])
    shape = find_model("llama-65b")
    weights = base_weight_bytes(shape, replace(BASE, method="qlora"))
    seventy = process_bytes(SEVENTY, replace(BASE, method="qlora", seq=512.0), cards[0].id)
    return Claim(
        "One 48 GB GPU for 65B with QLoRA",
        '"Enables fine-tuning of 65B+ models on a single 48GB GPU"',
        count_verdict(outcomes),
        f"Counted: rows that fit the RTX A6000 ({agreeing(outcomes)}).",
        (table(["adapter, optimizer", "tokens", "GiB", "5-95%", *(f"{c.id} ({c.memory_bytes / GIB:.1f})" for c in cards)], rows,
               "Llama-1 65B, NF4 with double quantisation, all linear layers, micro-batch 1, checkpointing; paged = moments"
               " outside"
               " torch; tight = fits, but not at the 95th percentile:"),),
        f"rank 16, or rank 64 with a paged optimizer (the QLoRA paper's choice), at micro-batch 1. The weights are"
        f" {weights / GIB:.1f} GiB of it.",
        "rank 64 on all linear layers with fp32 AdamW in device memory; long sequences; and cards that show less than 48 GiB"
        f" (L40S with ECC: 44.4). The plus of 65B+ is doubtful: Llama-3-70B needs {seventy / GIB:.1f} GiB at rank 16 and 512"
        " tokens, because"
        " its embedding and head of 128,256 words stay unquantised, in fp32 after k-bit preparation.",
        "closed form held to dry runs; slack from 120 replays of models up to 72B, context from"
        " out-of-memory messages."
        " Published: Guanaco-65B, rank 64, on one 48 GB card (arXiv 2305.14314).",
        "adapters in 16 bits (they are fp32 here, as peft makes them), pages that the driver moves back at the peak, loading"
        " peak.",
    )


def seventy_claim() -> Claim:
    """70B on one, two and eight A100s."""
    qlora, gib = [], find_gpu(CARD_80).memory_bytes
    one = []
    for seq in (512.0, 2048.0, 4096.0):
        plan = replace(BASE, method="qlora", seq=seq)
        low, mid, high = (process_bytes(SEVENTY, plan, CARD_80, end) for end in (1, 0, 2))
        one.append(mid <= gib)
        small = process_bytes(SEVENTY, plan, CARD_40) <= find_gpu(CARD_40).memory_bytes
        qlora.append([f"{seq:,.0f}", f"{mid / GIB:.1f}", f"{low / GIB:.1f}-{high / GIB:.1f}", mark(agrees=one[-1]),
                      mark(agrees=small)])
    full = TrainingPlan(method="full")
    plans = (
        ("LoRA r16, 2 x A100-80", replace(BASE, seq=2048.0), 2), ("LoRA r16, 2 x A100-80, 4,096", replace(BASE, seq=4096.0), 2),
        ("full, fp32 states (16 B), 8 x", replace(full, dtype="fp32", autocast=True), 8),
        ("full, bf16 states (8 B), 8 x", full, 8),
        ("full, bf16, 8-bit Adam (6 B), 8 x", replace(full, optimizer="adamw-8bit"), 8),
        ("full, fp32 states (16 B), 16 x", replace(full, dtype="fp32", autocast=True), 16),
    )
    rows, fits = [], []
    for name, plan, ranks in plans:
        s = sharded(plan, ranks)
        fits.append(s.total <= gib)
        rows.append([name, *(f"{x / GIB:.1f}" for x in (s.states, s.gathered, s.activations, s.context, s.total)),
                     _fits(s.total, s.total * 1.1, gib)])
    outcomes = [*one, *fits[:5]]
    return Claim(
        "70B: one A100 with QLoRA, two with LoRA, eight A100-80 for full fine-tuning",
        '"full fine-tuning requires 8× A100 80GB GPUs. LoRA … can run on 2× A100s. QLoRA can run on a single A100"',
        count_verdict(outcomes),
        f"Counted: rows on the named number of A100-80 ({agreeing(outcomes)}). The article leaves the size of the A100 open"
        " for LoRA"
        " and QLoRA; on 40 GB neither fits (Llama-3-70B in 16 bits is"
        f" {base_weight_bytes(find_model(SEVENTY), full) / GIB:.0f} GiB).",
        (table(["tokens", "GiB", "5-95%", f"fits 80 GB ({gib / GIB:.1f})", "fits 40 GB (39.5)"], qlora,
               f"QLoRA r16 of {SEVENTY}, all linear layers, micro-batch 1, checkpointing, one card:"),
         table(["plan", "states", "layer", "activations", "context", "GiB a GPU", "fits"], rows,
               "LoRA and full fine-tuning, sharded; **not the closed form**, which has no sharding, but plain arithmetic on its"
               " parts: GiB a GPU = (weights + adapters + gradients + moments) / N + one layer gathered + one rank's"
               " activations"
               " + context (2,048 tokens, micro-batch 1, checkpointing):")),
        "QLoRA on one 80 GB card; LoRA on two 80 GB cards if the base is sharded (FSDP, ZeRO-3) and the sequence short; full"
        " fine-tuning on eight with 16-bit or 8-bit optimizer states.",
        "40 GB cards; plain data parallelism (each rank holds the whole base); full fine-tuning with the usual mixed"
        " precision (16"
        f" bytes a parameter: {rows[2][1]} GiB a GPU on eight for the states alone; sixteen are tight).",
        "QLoRA: closed form held to dry runs, slack calibrated up to 7B as in claim 6. Sharded rows: arithmetic, no spread, no"
        " measurement; fragmentation, prefetch of the next layer and communication buffers come on top, so a row within 10%"
        " of the"
        " card is marked tight.",
        "pipeline or tensor parallelism, offload to the host, prefetch, reduce-scatter buckets, whether the loss of 16-bit Adam"
        " states matters for quality.",
    )


def _fits(central: float, high: float, card: float) -> str:
    """yes, tight (the high estimate does not fit) or no."""
    if central > card:
        return "no"
    return "yes" if high <= card else "tight"
