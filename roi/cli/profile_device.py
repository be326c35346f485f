"""`roi profile device`: the rates that this machine's GPU or CPU reaches."""

from pathlib import Path

import click


@click.command(short_help="Achieved rates of this GPU or CPU.")
@click.option("--device", "asked", help="cuda or cpu.  [default: cuda where there is one]")
@click.option("--budget", default="60s", show_default=True, help="Time to spend: 45, 45s, 2m.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the operands.")
@click.option("--force", is_flag=True, help="Run although other processes use the GPU.")
@click.option("--output", type=click.Path(path_type=Path), help="File for the profile.  [default: a dated one in --profiles]")
@click.option("--profiles", type=click.Path(path_type=Path), help="Folder of profiles.  [default: ./profiles, else the user's]")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="How to print.")
def device(
    *, asked: str | None, budget: str, seed: int, force: bool, output: Path | None,
    profiles: Path | None, form: str,
) -> None:
    """Time matrix products, copies, 4-bit dequantisation, attention, element-wise operators and launches.

    Every timed call is kept in the profile; the report shows rates beside the datasheet. Ctrl-C keeps what is done.
    """
    from roi.cli.profile_words import check_new, leave_if_stopped, read_seconds

    seconds = read_seconds(budget, "--budget")
    check_new(output, profiles)

    from roi.catalog.cards.gpus import find_gpu  # after the checks: torch takes seconds to import
    from roi.cli.output import write
    from roi.profiling.device.operator_rates import profile_device
    from roi.profiling.host.this_machine import claim_board, pick_device, read_environment
    from roi.profiling.progress import show_progress
    from roi.profiling.stops import catch_stops
    from roi.report.profiles.profile_device import device_json, device_text
    from roi.store.profiles.lookup import save_profile

    picked = pick_device(asked)
    board, shared = claim_board(picked, force=force)
    environment = read_environment(picked, seed, board)
    with catch_stops() as stops:
        with show_progress() as watcher:
            run = profile_device(environment, seconds, board, watcher, stops)
        measured = run.profile.model_copy(update={"notes": (*shared, *run.profile.notes)})
        file = save_profile(measured, profiles, output)
        gpu = find_gpu(environment.gpu) if environment.gpu else None
        write({"table": device_text, "json": device_json}[form](measured, gpu, file))
        leave_if_stopped(stops, interrupted=run.interrupted)
