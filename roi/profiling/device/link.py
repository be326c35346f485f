"""`roi profile device --link`: how fast the cards of this machine reduce, gather and scatter, by size of the message."""

import tempfile
from pathlib import Path

from roi.disk import read_text
from roi.errors import InputError, RoiError
from roi.facts.profiles import DeviceProfile, LinkRate
from roi.profiling.device.link_run import LINK, RATES, SIZES, LinkOrder
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.profiling.torchrun import MOST_BYTES, first_failure, run_ranks


def cards_here(device: str) -> int:
    """How many ranks are timed without a wish: all GPUs, an InputError where that is one; on a CPU two processes."""
    there = torch.cuda.device_count() if device == "cuda" else 2
    if there < 2:
        raise InputError("--link: 1 GPU is there, and a link needs two; --device cpu times processes on this host")
    return there


def profile_link(session: Session, gpus: int) -> DeviceProfile:
    """A device profile that holds the link between `gpus` cards; on a CPU between so many processes.

    Ctrl-C, a rank that dies, or the budget ends it early with complete=False; sizes that were done are kept. Where none was
    done, it is a RoiError that says why.
    """
    link: tuple[LinkRate, ...] = ()

    def look() -> None:
        nonlocal link
        session.show(f"link between {gpus} ranks")
        if (folder / LINK).exists():
            link = RATES.validate_json(read_text(folder / LINK, MOST_BYTES))

    def run() -> None:
        order = LinkOrder(session.device, session.budget_s)
        if (said := run_ranks("roi.profiling.device.link_run", folder, order, gpus, look)) is not None:
            failure = first_failure(folder, gpus, said)
            raise RoiError(f"rank {failure.rank}: {failure.said}")

    with tempfile.TemporaryDirectory(prefix="roi-ranks-") as name:
        folder = Path(name)
        session.measure(run, lambda: link)
    done, asked = len({rate.message_bytes for rate in link}), len(SIZES[session.device])
    if not link:
        raise RoiError(f"nothing was measured: {'; '.join(session.notes) or 'the ranks ended without a word'}")
    if done < asked:
        session.notes.append(f"{asked - done} of {asked} sizes of messages were not timed")
    return DeviceProfile(started=session.started, environment=session.environment, rates=(), link=link,
                         complete=done == asked and not session.cut, notes=session.all_notes)
