"""Version, purpose, licence."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.dialogs.base import TextDialog
from engine.core.provenance import software


def about(parent: QWidget | None) -> TextDialog:
    """Return the dialog."""
    versions = software()
    lines = [
        f"Myoscope {versions.pop('myoscope')}",
        "",
        "Review and improve accelerated cardiac MRI.",
        "Research use only: not a medical device, not for diagnosis.",
        "",
        "Licence Apache-2.0. The licences of samples and colour maps lie in resources/licences.",
        "Scientific colour maps by Fabio Crameri (MIT). Porcine cine: Sunnybrook (CC0).",
        "",
        *(f"{name} {version}" for name, version in versions.items()),
    ]
    return TextDialog("About Myoscope", "\n".join(lines), "about", parent)
