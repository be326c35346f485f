"""Where a user's own data lies: profiles that were measured, prices that were added; and what is kept to save time.

None of the folders and files need be there yet.
"""

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """The user's data folder for roi, as the platform has it."""
    return _folder("XDG_DATA_HOME", Path(".local") / "share", Path("Library") / "Application Support")


def cache_folder() -> Path:
    """The folder for what can be made again, such as the script that draws a report's pictures."""
    return _folder("XDG_CACHE_HOME", Path(".cache"), Path("Library") / "Caches")


def prices_folder() -> Path:
    """The folder of the user's own prices."""
    return data_folder() / "prices"


def gpus_file() -> Path:
    """The file of the user's own GPUs."""
    return data_folder() / "gpus.json"


def _folder(variable: str, linux: Path, mac: Path) -> Path:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where an account has no home
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / mac
    else:
        stated = Path(os.environ.get(variable) or "")
        base = stated if stated.is_absolute() else home / linux  # the standard: relative paths are ignored
    return base / "roi"
