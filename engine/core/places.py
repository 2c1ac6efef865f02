"""Where the program keeps what is the user's own: in the platform's place, or where an environment variable says."""

from __future__ import annotations

import os
from pathlib import Path

APPLICATION = "myoscope"
CONFIG_VARIABLE = "MYOSCOPE_CONFIG_DIR"
WEIGHTS_VARIABLE = "MYOSCOPE_WEIGHTS"


def weights_folder() -> Path:
    """Return the folder of the user's weights: that of ``MYOSCOPE_WEIGHTS``, else in the place of application data."""
    if chosen := os.environ.get(WEIGHTS_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path(APPLICATION, appauthor=False) / "weights"


def config_folder() -> Path:
    """Return the folder of the user's settings: that of ``MYOSCOPE_CONFIG_DIR``, else the place of settings."""
    if chosen := os.environ.get(CONFIG_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_preference_path(APPLICATION, appauthor=False)
