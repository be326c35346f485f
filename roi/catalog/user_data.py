"""Where a user's own data lies: profiles that were measured, prices that were added; and what is kept to save time.

None of the folders and files need be there yet.
"""

import os
import sys
from functools import lru_cache
from pathlib import Path


def data_folder() -> Path:
    """The user's data folder for roi, as the platform has it."""
    return _folder("XDG_DATA_HOME", ".local/share", "Library/Application Support")


def cache_folder() -> Path:
    """The folder for what can be made again, such as the script that draws a report's pictures."""
    return _folder("XDG_CACHE_HOME", ".cache", "Library/Caches")


def prices_folder() -> Path:
    """The folder of the user's own prices."""
    return data_folder() / "prices"


def gpus_file() -> Path:
    """The file of the user's own GPUs."""
    return _gpus_in(data_folder())


@lru_cache(maxsize=64)
def _gpus_in(folder: Path) -> Path:
    """Kept, as `_placed` is: to put a path together takes as long as all else that is asked of a card by its name."""
    return folder / "gpus.json"


def _folder(variable: str, linux: str, mac: str) -> Path:
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where an account has no home
    stated = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else variable) or ""
    return _placed(sys.platform, stated, home, linux, mac)


@lru_cache(maxsize=64)
def _placed(platform: str, stated: str, home: str, linux: str, mac: str) -> Path:
    """Roi's folder there, kept, since it is asked for with every name of a card and every price."""
    if platform == "win32":
        base = Path(stated) if stated else Path(home, "AppData", "Local")
    elif platform == "darwin":
        base = Path(home, mac)
    else:
        base = Path(stated) if Path(stated).is_absolute() else Path(home, linux)  # the standard: relative paths are ignored
    return base / "roi"
