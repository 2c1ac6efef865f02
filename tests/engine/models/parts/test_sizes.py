"""Settings that are too small are refused by name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from engine.core.errors import InputError
from engine.models.parts.sizes import require_least


def test_the_first_setting_that_is_too_small_is_named():
    config = SimpleNamespace(cells=3, channels=0, pools=-1)
    require_least(config, "some_net", "Use more.", cells=3)
    with pytest.raises(InputError, match=r"channels of some_net is out of range \(expected at least 1 / found 0\)") as caught:
        require_least(config, "some_net", "Use more.", cells=1, channels=1, pools=0)
    assert caught.value.hint == "Use more."
    with pytest.raises(InputError, match=r"pools of some_net .* found -1"):
        require_least(config, "some_net", "Use more.", pools=0)
