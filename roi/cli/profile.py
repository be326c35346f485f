"""`roi profile`: short real runs on the device at hand, or on a server; each kind is a command, imported when it is run."""

import click

from roi.cli import Door, LazyGroup

KINDS = {
    "device": Door("roi.cli.profile_device:device", "Achieved rates of this GPU or CPU."),
    "probe": Door("roi.cli.profile_probe:probe", "What only this GPU can settle: kernels, buffers, counters."),
    "train": Door("roi.cli.profile_train:train", "A short real training run: step time, memory, power."),
    "infer": Door("roi.cli.profile_infer:infer", "Prefill and decode: base, merged and unmerged adapter."),
    "serve": Door("roi.cli.profile_serve:serve", "Load on a running server: TTFT, TPOT, throughput."),
}


@click.group(cls=LazyGroup, doors=KINDS)
def profile() -> None:
    """Measure on the device at hand, or on a running server, and keep what was measured: estimates are calibrated by it."""
