"""What `roi profile infer` says of the serving engine transformers: its decode steps over those that are published."""

import numpy as np

from roi.catalog.efficiencies.serving_efficiencies import EngineEfficiencies
from roi.catalog.models.shapes import known_model
from roi.estimate.serving.iteration import kv_bytes_per_gpu, kv_element_bytes, roofline_iteration
from roi.estimate.serving.weight_formats import WEIGHT_FORMATS
from roi.evidence.own_speed import PlanSpeed, half_of
from roi.evidence.serving_speed import known_ends, on_card
from roi.facts.gpu import Gpu
from roi.facts.profiles import InferProfile
from roi.store.profiles.lookup import Store, of_card

ENGINE = "transformers"
"""The engine that the profile runs: generation through transformers, one batch at a time."""


def infer_speeds(store: Store, engine: EngineEfficiencies, gpu: Gpu) -> list[PlanSpeed]:
    """Each profile's decode steps of the base model on this card over the published ones; none for other engines.

    A profile whose model the catalog lacks, or in a format that no server has (nf4), says nothing. KV is in the weights' width.
    """
    found = []
    for stored in of_card(store, InferProfile, gpu.id) if engine.engine == ENGINE else ():
        profile, shape = stored.profile, known_model(stored.profile.model, exact=True)
        if shape is None or profile.dtype not in WEIGHT_FORMATS:
            continue
        logs, kv_dtype = [], "bf16" if profile.dtype == "bf16" else "fp16"
        for point in profile.points:
            if point.adapter != "base" or not point.decode_s:
                continue
            context = point.prompt_tokens + point.decoded_tokens / 2.0
            step = roofline_iteration(shape, gpu, 1, profile.dtype, point.prompt_tokens / 2.0, on_card(engine, gpu))
            kv = point.batch * float(kv_bytes_per_gpu(shape, context, 1, kv_element_bytes(kv_dtype)))
            logs.append(float(np.log(float(step.decode_s(point.batch, kv)) / np.median(point.decode_s))))
        if logs:
            half = half_of(known_ends(engine, gpu.id, shape.id, mixture=shape.mixture))
            found.append(PlanSpeed(source=stored.name, model=shape.id, plan=(1.0, profile.dtype),
                                   log_speed=float(np.mean(logs)), half=half, loads=len(logs)))
    return found
