"""The drawing script of a page: Vega, Vega-Lite and Vega-Embed in one text, made once by vl-convert and kept by version."""

import contextlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from roi.disk import replace_file
from roi.errors import MissingExtra, RoiError

VEGA_LITE = "6.4"
"""The version of Vega-Lite that draws; what notebooks show as version 5 it draws alike."""
PACKAGE = "vl-convert-python"


def drawing_script(cache: Path) -> str:
    """The script, about 0.9 MB; from the folder `cache` where it lies there, else made (some seconds) and put there.

    MissingExtra where vl-convert is not installed. A folder that cannot be written costs only the time.
    """
    try:
        kept = cache / f"vega-lite-{VEGA_LITE}-{version(PACKAGE)}.js"
    except PackageNotFoundError as error:
        raise MissingExtra("report", "vl-convert") from error
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := kept.read_text(encoding="utf-8"):
            return text
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtra("report", "vl-convert") from error
    text = _inline(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE))
    with contextlib.suppress(OSError, RoiError):
        _keep(kept, text)
    return text


def _inline(script: str) -> str:
    """The script as it may stand between tags: in scope of its own, with nothing in it that would end the tag."""
    safe = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f"(()=>{{{safe}\n}})();"


def _keep(path: Path, text: str) -> None:
    """Put the script where the next report finds it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text, "cache")
