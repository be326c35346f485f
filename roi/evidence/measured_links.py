"""Collectives between the cards of a machine as `roi profile device --link` timed them, for training and for serving."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roi.estimate.training.sharding import Links, link_speeds
from roi.facts.gpu import Gpu
from roi.facts.model import Number
from roi.facts.profiles import DeviceProfile
from roi.store.profiles.lookup import Store, of_card

if TYPE_CHECKING:
    from roi.estimate.serving.efficiencies import Efficiencies



def measured_links(store: Store, gpu: str, gpus: Number) -> tuple[Links, str]:
    """(speeds of the collectives between so many of these cards, the profile's name); empty where none was profiled."""
    for stored in of_card(store, DeviceProfile, gpu) if np.all(np.asarray(gpus) > 1) else ():
        links = link_speeds(rate for rate in stored.profile.link if rate.ranks == gpus)
        if links:
            return links, stored.name
    return {}, ""


def over_links(known: "Efficiencies", gpu: Gpu, tensor_parallel: int, store: Store) -> "tuple[Efficiencies, str]":
    """(an engine's efficiencies with the all-reduce that was timed between so many of these cards, the profile's name).

    As they were, and "", where none was. The bandwidth is the measured one; the latency too, where the cards have PCIe alone:
    engines then call NCCL, which the profile timed. Over faster links they reduce small messages with kernels of their own
    (vLLM, TensorRT-LLM, SGLang: custom all-reduce), whose latency the fits have.
    """
    links, name = measured_links(store, gpu.id, tensor_parallel)
    if "all-reduce" not in links:
        return known, ""
    link = links["all-reduce"]
    found = replace(known, link_efficiency=link.bytes_per_s / gpu.link_bytes_per_s)
    if gpu.pcie:
        found = replace(found, collective_latency_s=link.latency_s)
    return found, name


def all_over_links(known: "Efficiencies", gpus: Sequence[Gpu], degrees: Sequence[int], store: Store) -> "Efficiencies":
    """Efficiencies with the all-reduce that was timed (`over_links`) for one card and degree a plan; `known` holds arrays."""
    each = [over_links(known, gpu, degree, store) for gpu, degree in zip(gpus, degrees, strict=True)]
    if not any(name for _, name in each):
        return known

    def column(field: str) -> Number:
        values = [getattr(one, field) for one, _ in each]
        return np.array([np.broadcast_to(value, (len(each),))[k] for k, value in enumerate(values)], dtype=np.float64)

    return replace(known, link_efficiency=column("link_efficiency"), collective_latency_s=column("collective_latency_s"))
