"""Settings of networks that count something: refused by name where they are too small."""

from __future__ import annotations

from engine.core.errors import InputError


def require_least(config: object, network: str, hint: str, **least: int) -> None:
    """Raise ``InputError`` unless every setting named in ``least`` is at least that.

    Parameters
    ----------
    config
        The settings.
    network
        Registry name of the network.
    hint
        A sentence that says what usual sizes are.
    **least
        Smallest value of each setting.
    """
    for name, smallest in least.items():
        found = getattr(config, name)
        if found < smallest:
            raise InputError(f"{name} of {network} is out of range (expected at least {smallest} / found {found})", hint)
