"""Ways to train, as plans and scenarios name them."""

from typing import Literal

Method = Literal["full", "lora", "rslora", "dora", "qlora", "qdora", "lora-int8"]
"""Every weight; or LoRA and its kin."""
PeftType = Literal[
    "adalora", "adamss", "adaption_prompt", "bat", "bdlora", "beft", "boft", "c3a", "deft", "delora", "fourierft", "frod",
    "glora", "gralora", "hira", "hra", "ia3", "lily", "ln_tuning", "loha", "lokr", "lora_fa", "mica", "miss", "oft", "osf",
    "p_tuning", "peanut", "prefix_tuning", "prompt_tuning", "psoft", "pvera", "randlora", "road", "shira", "tinylora",
    "trainable_tokens", "unilora", "vblora", "vera", "waveft",
]
"""peft's other tuners, by `peft_type` in small letters, and variants of LoRA and MiSS (estimate/training/peft_methods.py). What
other packages have of their own (`Other`) no scenario trains: most of it is no model that engines know."""
AnyMethod = Literal[Method, PeftType]
Other = Literal["llama_adapter", "llama_adapter_v2", "houlsby", "llamapro", "lisa"]
"""LitGPT's, ms-swift's and LMFlow's."""
