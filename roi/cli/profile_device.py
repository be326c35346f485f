"""`roi profile device`: the rates that this machine's GPU or CPU reaches."""

import click

from roi.cli import profile_options as shared


@click.command(short_help="Achieved rates of this GPU or CPU.")
@shared.device_option
@shared.seconds_option("--budget", default="60s", help="Time to spend: 45, 45s, 2m.")
@shared.seed_option(help="Seed of the operands.")
@shared.force_option
@shared.keep_options
def device(*, device: str | None, budget: float, seed: int, force: bool, keep: shared.Keep) -> None:
    """Time matrix products, copies, 4-bit dequantisation, attention, element-wise operators and launches.

    Every timed call is kept in the profile; the report shows rates beside the datasheet. Ctrl-C keeps what is done.
    """
    from roi.profiling.device.operator_rates import profile_device  # after the checks: torch takes seconds to import
    from roi.profiling.session import open_session, pick_device
    from roi.report.profiles.profile_device import device_json, device_text

    session = open_session(pick_device(device), seed, budget, force=force, profiles=keep.profiles)
    shared.measure_and_tell(session, keep, profile_device, {"table": device_text, "json": device_json}[keep.form])
