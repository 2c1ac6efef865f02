"""What numerical phantom to make."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QSpinBox, QWidget

from app.dialogs.base import FormDialog
from engine.core.requests import PhantomSettings
from engine.core.types import Kind


class PhantomDialog(FormDialog):
    """A beating short-axis heart: kind, matrix, coils, slices, frames, noise, seed."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(
            "Make a phantom", "A beating short-axis heart whose truth is known, by Bloch simulation.", "Make", "phantom", parent
        )
        self._kind = QComboBox()
        self._kind.setObjectName("phantom.kind")
        for title, kind in (("Cine (bSSFP)", Kind.CINE), ("MOLLI (T1)", Kind.MOLLI), ("T2-prepared", Kind.T2PREP)):
            self._kind.addItem(title, str(kind))
        self._kind.currentIndexChanged.connect(self._on_kind)
        self._numbers: dict[str, QSpinBox] = {}
        self.form.addRow("&Kind", self._kind)
        for name, words, low, high, value in (
            ("ky", "Lines (k&y)", 32, 512, 192),
            ("kx", "Readout (k&x)", 32, 512, 160),
            ("coils", "&Coils", 1, 64, 10),
            ("slices", "S&lices", 1, 20, 1),
            ("frames", "&Frames", 2, 60, 12),
            ("snr", "S&NR", 1, 10000, 40),
            ("seed", "S&eed", 0, 2**31 - 1, 0),
        ):
            spin = QSpinBox()
            spin.setObjectName(f"phantom.{name}")
            spin.setRange(low, high)
            spin.setValue(value)
            self._numbers[name] = spin
            self.form.addRow(words, spin)

    def _on_kind(self) -> None:
        # MOLLI and T2-prep have as many frames as their scheme has images.
        self._numbers["frames"].setEnabled(self._kind.currentData() == str(Kind.CINE))

    def settings(self) -> PhantomSettings:
        """Return what was asked for."""
        ky, kx, coils, slices, frames, snr, seed = (spin.value() for spin in self._numbers.values())
        kind = Kind(self._kind.currentData())
        return PhantomSettings(kind, (ky, kx), coils, slices, frames if kind is Kind.CINE else None, snr=float(snr), seed=seed)
