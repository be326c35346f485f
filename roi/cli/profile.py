"""`roi profile`: short real runs on the device at hand; each kind is a command of its own, imported when it is run."""

import click

from roi.cli import Door, House

KINDS = {
    "device": Door("roi.cli.profile_device:device", "Achieved rates of this GPU or CPU."),
    "train": Door("roi.cli.profile_train:train", "A short real training run: step time, memory, power."),
    "infer": Door("roi.cli.profile_infer:infer", "Prefill and decode: base, merged and unmerged adapter."),
}


@click.group(cls=House, doors=KINDS, short_help="Short real runs on the device at hand.")
def profile() -> None:
    """Measure on the device at hand, and keep what was measured, so that estimates can be calibrated by it."""
