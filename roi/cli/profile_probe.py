"""`roi profile probe`: what only this machine's GPU can settle."""

import click

from roi.cli import profile_options as shared


@click.command()
@shared.device_option
@shared.seconds_option("--budget", default="60s", help="Time to spend: 45, 45s, 2m.")
@shared.force_option
@shared.keep_options
def probe(*, device: str | None, budget: float, force: bool, keep: shared.Keep) -> None:
    """Ask the GPU, one question after the other, what no datasheet says.

    Which attention kernels torch takes, what they and cuBLAS hold, what the first call of a length costs, how the energy
    counter moves, what running out of memory leaves. The answers become part of every profile of this machine, and roi fit
    --dry-run takes its kernels from them.
    """
    from roi.profiling.device.card_probe import profile_probe  # after the checks: torch takes seconds to import
    from roi.profiling.session import open_session, pick_device
    from roi.report.profiles.profile_probe import probe_json, probe_text

    session = open_session(pick_device(device), 0, budget, force=force)
    shared.measure_and_tell(session, keep, profile_probe, {"table": probe_text, "json": probe_json}[keep.form])
