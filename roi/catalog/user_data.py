"""Where a user's own data lies: profiles that were measured, prices that were added."""

import os
from collections.abc import Mapping
from pathlib import Path


def data_folder(platform: str, environment: Mapping[str, str]) -> Path:
    """The user's data folder for roi, as the platform (sys.platform) has it; it may not exist yet."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where an account has no home
    if platform == "win32":
        base = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        stated = Path(environment.get("XDG_DATA_HOME") or "")
        base = stated if stated.is_absolute() else home / ".local" / "share"  # the standard: relative paths are ignored
    return base / "roi"
