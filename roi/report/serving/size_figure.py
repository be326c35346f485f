"""The figure of `roi size`, cost against latency, as a file.

It shows every fleet that was replayed, the ones that no cheaper one beats joined by a line.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roi.disk import replace_file
from roi.errors import InputError, RoiError, needs
from roi.units import GIB

FIGURES = (".svg", ".png", ".html")
ADDRESSES = 80 * GIB
"""V8, which draws, reserves so many when it starts, and ends the process where it does not get them: 64 GiB are too few."""


def check_figure(path: Path) -> None:
    """Raise where the figure could not be written, before the work is done and not after it."""
    if path.suffix.lower() not in FIGURES:
        raise InputError(f"--figure: {path.name!r} is not usable; a name that ends in {', '.join(FIGURES)}")
    if not path.parent.is_dir():
        raise InputError(f"--figure: no folder {path.parent}")
    if sys.platform != "win32":
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY and most < ADDRESSES:
            raise RoiError(f"--figure: to draw takes {ADDRESSES / GIB:g} GiB of addresses, though little memory; the limit here"
                           f" (ulimit -v) is {most / GIB:.3g} GiB")
    _converter()


def write_figure(spec: Mapping[str, Any], path: Path) -> None:  # Any: plain JSON values
    """Write the figure to `path`, completely or not at all; a browser that shows it fetches nothing."""
    convert, sized = _converter(), {**spec, "width": 620}
    match path.suffix.lower():
        case ".svg":
            figure = convert.vegalite_to_svg(sized)
        case ".png":
            figure = convert.vegalite_to_png(sized, scale=2)
        case _:
            figure = convert.vegalite_to_html(sized, bundle=True)
    replace_file(path, figure, "--figure")


def _converter() -> Any:  # Any: a module
    with needs("report", "vl-convert"):
        import vl_convert
    return vl_convert
