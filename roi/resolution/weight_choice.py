"""The formats of an option's weights: what is asked for or published, where card and engine run it, and why none runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.catalog.efficiencies.serving_efficiencies import engine_habits
from roi.catalog.models.stored_weights import StoredWeights, stored_by_name
from roi.estimate.serving.adapter_memory import AdapterSlots, adapter_bytes, slot_rank
from roi.estimate.serving.replica_memory import default_sequence_limit
from roi.estimate.serving.weight_formats import OF_GGUF, runs_format
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.resolution.plan_capacity import ENGINE
from roi.scenario.scenario import Scenario
from roi.scenario.sections.supply import Serving

USUAL_DTYPES: Final = ("bf16", "fp8")
"""Formats of weights where neither scenario nor publisher says; engines convert 16 bit to fp8 as they load it."""
USUAL_GGUF: Final = ("f16", "q8_0")
"""Formats of weights that nobody stated for engines of GGUF files: the files of 16 and 8 bits."""
DTYPES: Final = ("bf16", "fp16", "fp8", "int8", "int4", "mxfp4", "nvfp4")
"""All that `serving.weight_dtypes` takes, but for GGUF_DTYPES."""
GGUF_DTYPES: Final = (*USUAL_GGUF, "q6_k", "q5_k_m", "q4_k_m", "q4_0")
"""Formats of GGUF files that it takes."""


@dataclass(frozen=True)
class WeightChoice:
    """The formats of one option's weights, card by card."""

    serving: Serving
    shape: ModelShape
    adapters: int = 0
    """Adapters applied at run time."""
    rank: int = 0
    """Rank of each of these adapters."""
    merged: bool = False
    """True where an adapter is folded in: into 16 bit, whatever the base is published in."""
    named: StoredWeights | None = None
    """How the name of the model says that its checkpoint is packed; None where it says nothing."""

    @property
    def published(self) -> str | None:
        """The format of the checkpoint that was named, by its name or else its publisher; None: 16 bit, or no server's."""
        return self.shape.published_dtype if self.named is None else self.named.served

    def asked(self, gpu: Gpu) -> tuple[str, ...]:
        """The scenario's formats; else the publisher's own, or bf16 where that does not run; else the usual ones.

        Those too where a name says another format, which does not run: its release is there to be served in them. Engines of
        GGUF files, and so Apple's GPUs, run no publisher's own, and the usual files stand in.
        """
        own, stated = self.published, self.serving.weight_dtypes
        if gpu.apple or self.serving.engine in OF_GGUF:
            return stated or USUAL_GGUF
        if stated is not None or own is None or self.merged:
            return stated or USUAL_DTYPES
        if self.runs(gpu, own):
            return (own,)
        return ("bf16",) if self.named is None else USUAL_DTYPES

    def running(self, gpu: Gpu) -> tuple[str, ...]:
        """The weights among these that this card and the engine run."""
        return tuple(dtype for dtype in self.asked(gpu) if self.runs(gpu, dtype))

    def source(self, dtype: str) -> str:
        """Who says that the weights are served in this format."""
        if dtype != self.published or self.merged:
            return "scenario serving.weight_dtypes"
        return f"published in {dtype}: {self.shape.source if self.named is None else 'by the name of the model'}"

    def remark(self, dtypes: Iterable[str]) -> str:
        """What has to be made before the weights can be served in these formats; empty where they are published, or usual."""
        own, made = self.published, ", ".join(dtype for dtype in dtypes if dtype not in ("bf16", "fp16") or not self.merged)
        if own is None:
            return "" if self.named is None or self.merged else (
                f"its name says {self.named.told}, with which no server here is known; its 16-bit release is taken")
        if self.merged:
            return (f"an adapter is merged into a 16-bit copy, not into {own}{f', then converted to {made}' if made else ''};"
                    f" serving.adapters=shared keeps the base in {own} where the engine serves adapters beside it")
        others = ", ".join(dtype for dtype in dtypes if dtype != own)
        return f"published in {own}; {others} is a conversion, yours or another's" if others else ""

    def runs(self, gpu: Gpu, dtype: str) -> bool:
        """Whether card and engine have kernels for it."""
        return runs_format(self.shape, gpu, dtype, self.serving.engine, adapters=self.adapters > 0)

    def replicas(self, gpu: Gpu) -> tuple[int, ...]:
        """Tensor-parallel degrees that the scenario admits on this card: 1 where one model over several is not estimated.

        Macs, and engines that hold its layers on several GPUs one after the other: no faster than one, and never batched so.
        """
        alone = gpu.apple or self.serving.engine in OF_GGUF
        return tuple(tp for tp in self.serving.tensor_parallel if tp == 1 or not alone)

    def slots(self, gpu: Gpu, tensor_parallel: int) -> AdapterSlots | None:
        """Slots for adapters on each GPU of a replica: as stated, else all that the sequences of one step could ask for."""
        if not self.adapters:
            return None
        engine, stated = self.serving.engine or ENGINE, self.serving.adapter_slots
        limit = engine_habits(engine).sequence_limit or float(np.asarray(default_sequence_limit(gpu)))
        each, dense = (float(adapter_bytes(self.shape, slot_rank(self.rank, engine), tensor_parallel, experts))
                       for experts in (1.0, 0.0))
        return AdapterSlots(each, stated or min(float(self.adapters), limit), stated is not None, 1.0 - dense / each)

    def told(self, slots: float) -> str:
        """What so many slots are, in words."""
        engine = self.serving.engine or ENGINE
        held = f"{slots:,.0f} slot{'' if slots == 1 else 's'} for {self.adapters:,} adapter{'' if self.adapters == 1 else 's'}"
        return f"{held} of rank {slot_rank(self.rank, engine)} in 16 bits, reserved before the KV cache"

    def why_none_runs(self, gpus: Mapping[str, Gpu]) -> str:
        """What would have to change where no card computes in a format of the scenario."""
        engine, every = self.serving.engine, gpus.values()
        if engine == "tensorrt-llm" and all(gpu.amd for gpu in every):
            return f"{engine} runs on NVIDIA GPUs alone; name another serving.engine or such a GPU"
        macs = all(gpu.apple for gpu in every)
        if macs and engine not in (None, *OF_GGUF):
            return f"{engine} does not run on Apple's GPUs; {' and '.join(OF_GGUF)} do (serving.engine)"
        if macs or engine in OF_GGUF:
            which = "on Apple's GPUs" if macs else f"with {engine}"
            if self.adapters:
                return f"adapters at run time are not estimated {which}; merge them (serving.adapters=merged)"
            if not any(self.replicas(gpu) for gpu in every):
                return f"a replica {which} is one {'Mac' if macs else 'GPU'}: serving.tensor_parallel needs a 1"
        asked = ", ".join(dict.fromkeys(dtype for gpu in every for dtype in self.asked(gpu)))
        others = ", ".join(dtype for dtype in (*DTYPES, *GGUF_DTYPES) if any(self.runs(gpu, dtype) for gpu in every))
        usual = OF_GGUF[0] if macs else ENGINE
        none = f"{engine or usual} runs {self.shape.id} in {asked} on none of {', '.join(gpus)}; "
        files = any(dtype in GGUF_DTYPES for dtype in self.serving.weight_dtypes or ()) and engine not in OF_GGUF and not macs
        return none + (f"it runs there in {others} (serving.weight_dtypes)" if others else "it runs there in no format") + (
            f", {' and '.join(OF_GGUF)} in GGUF files (serving.engine)" if files else "")


def weight_choice(s: Scenario, shape: ModelShape, system: str, *, tuned: bool) -> WeightChoice:
    """The formats of the weights of a system's base model, or of one that is `tuned`, its adapters at run time or merged.

    The system is called as the scenario calls it, for a name may say how a checkpoint is packed.

    Several adapters of one workload are at run time, wherever they are: of each workload on the base as many.
    """
    serving, each = s.serving, s.training.adapters
    at_run_time = tuned and (serving.adapters == "shared" or each > 1)
    return WeightChoice(serving=serving, shape=shape, merged=tuned and not at_run_time,
                        named=stored_by_name(system.partition("+")[0]),
                        adapters=serving.adapters_on_base * each if at_run_time else 0, rank=s.training.rank)
