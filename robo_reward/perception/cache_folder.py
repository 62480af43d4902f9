"""Where things are kept that can be computed again."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """Give `$XDG_CACHE_HOME/robo_reward/<name>`, with `~/.cache` where the variable is unset, empty or relative.

    Source:
        XDG Base Directory Specification 0.8.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():  # the specification: relative paths are invalid and must be ignored
        root = Path.home() / ".cache"
    return root / "robo_reward" / name
