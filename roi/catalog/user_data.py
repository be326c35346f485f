"""Where a user's own data lies: profiles that were measured, prices that were added; and what is kept to save time."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def data_folder(platform: str, environment: Mapping[str, str]) -> Path:
    """The user's data folder for roi, as the platform (sys.platform) has it; it may not exist yet."""
    return _folder(platform, environment, "XDG_DATA_HOME", Path(".local") / "share", Path("Library") / "Application Support")


def cache_folder(platform: str, environment: Mapping[str, str]) -> Path:
    """The folder for what can be made again, such as the script that draws a report's pictures; it may not exist yet."""
    return _folder(platform, environment, "XDG_CACHE_HOME", Path(".cache"), Path("Library") / "Caches")


def prices_folder() -> Path:
    """The folder of the user's own prices, which may not exist."""
    return data_folder(sys.platform, os.environ) / "prices"


def gpus_file() -> Path:
    """The file of the user's own GPUs, which may not exist."""
    return data_folder(sys.platform, os.environ) / "gpus.json"


def _folder(platform: str, environment: Mapping[str, str], variable: str, linux: Path, mac: Path) -> Path:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where an account has no home
    if platform == "win32":
        base = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif platform == "darwin":
        base = home / mac
    else:
        stated = Path(environment.get(variable) or "")
        base = stated if stated.is_absolute() else home / linux  # the standard: relative paths are ignored
    return base / "roi"
