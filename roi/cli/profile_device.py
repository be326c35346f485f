"""`roi profile device`: the rates that this machine's GPU or CPU reaches, or those of the link between its GPUs."""

from functools import partial

import click

from roi.cli import profile_options as shared
from roi.errors import InputError


@click.command()
@shared.device_option
@click.option("--link", is_flag=True, help="Time the link between GPUs instead: all-reduce, all-gather, reduce-scatter.")
@click.option("--gpus", type=click.IntRange(2), help="With --link: how many GPUs; on a CPU processes.  [default: all; 2]")
@shared.seconds_option("--budget", default="60s", help="Time to spend: 45, 45s, 2m.")
@shared.seed_option(help="Seed of the operands.")
@shared.force_option
@shared.keep_options
def device(*, device: str | None, link: bool, gpus: int | None, budget: float, seed: int, force: bool,
           keep: shared.Keep) -> None:
    """Time matrix products, copies, 4-bit dequantisation, attention, element-wise operators and launches.

    Every timed call is kept in the profile; the report shows rates beside the datasheet. Ctrl-C keeps what is done.
    With --link: collectives between this machine's GPUs, by size of the message, for what roi fit says several cards send.
    """
    from roi.profiling.device.operator_rates import profile_device  # after the checks: torch takes seconds to import
    from roi.profiling.session import open_session, pick_device
    from roi.report.profiles.profile_device import device_json, device_text

    if gpus is not None and not link:
        raise InputError("--gpus: rates are those of one GPU; several have a link between them: --link")
    where, measure = pick_device(device), profile_device
    session = open_session(where, seed, budget, force=force, profiles=keep.profiles)
    if link:
        from roi.profiling.device.link import cards_here, profile_link
        from roi.profiling.torchrun import check_ranks

        gpus = gpus or cards_here(where)
        check_ranks(gpus, where, force=force)
        measure = partial(profile_link, gpus=gpus)
    shared.measure_and_tell(session, keep, measure, {"table": device_text, "json": device_json}[keep.form])
