"""What a file does not say by itself: the order of its axes, which array, times, kind."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from app.dialogs.base import FormDialog
from app.panels.parts import label
from engine.core.requests import OpenOptions

LETTERS = {"s": "slice", "f": "frame", "c": "coil", "y": "or ky", "x": "or kx"}


def problem_with(letters: str) -> str:
    """Return what is wrong with axis letters, "" when they can be used."""
    if not letters:
        return ""
    if unknown := sorted(set(letters) - set(LETTERS)):
        return f"{', '.join(unknown)}: unknown letter"
    if len(set(letters)) != len(letters):
        return "each letter once"
    return "" if {"x", "y"} <= set(letters) else "y and x are needed"


class AxesDialog(FormDialog):
    """Asks for what a reader could not find out."""

    def __init__(self, name: str, message: str, parent: QWidget | None, told: OpenOptions | None = None) -> None:
        super().__init__(f"Axes of {name}", message[:1].upper() + message[1:] + ".", "Open", "axes", parent)
        self._axes = QLineEdit()
        self._axes.setObjectName("axes.letters")
        self._axes.setPlaceholderText("for example sfyx")
        self._axes.setToolTip(
            "One letter for each axis in the order of the file: " + ", ".join(f"{k} = {v}" for k, v in LETTERS.items())
        )
        self._key = QLineEdit()
        self._key.setObjectName("axes.key")
        self._key.setPlaceholderText("name of the array, empty: the only one")
        self._times = QLineEdit()
        self._times.setObjectName("axes.times")
        self._times.setPlaceholderText("100, 180, 260 … one for each frame, in ms")
        self._kind = QComboBox()
        self._kind.setObjectName("axes.kind")
        for title, kind in (("as the file says", None), ("cine", "cine"), ("MOLLI", "molli"), ("T2-prepared", "t2prep")):
            self._kind.addItem(title, kind)
        self._note = label("", "axes.note", "warning")
        self.form.addRow("&Axes", self._axes)
        self.form.addRow("", label(",  ".join(f"{k} {v}" for k, v in LETTERS.items()), "axes.legend", "dim"))
        self.form.addRow("A&rray", self._key)
        self.form.addRow("&Times", self._times)
        self.form.addRow("&Kind", self._kind)
        self.form.addRow("", self._note)
        self._set(told or OpenOptions())
        for control in (self._axes, self._key, self._times):
            control.textChanged.connect(self._check)
        self._kind.currentIndexChanged.connect(self._check)
        self._check()
        self._axes.setFocus()

    def _set(self, told: OpenOptions) -> None:
        """Show what was said before and did not do."""
        self._axes.setText(told.axes or "")
        self._key.setText(told.key or "")
        self._times.setText(", ".join(f"{time:g}" for time in told.times_ms or ()))
        self._kind.setCurrentIndex(max(0, self._kind.findData(told.kind)))

    def _check(self) -> None:
        problem = problem_with(self._axes.text().strip())
        try:
            self._numbers()
        except ValueError:
            problem = problem or "times are numbers with commas between them"
        self._note.setText(problem)
        self._note.setVisible(bool(problem))
        # Nothing said: the answer would be the same again.
        self.set_acceptable(not problem and self.options() != OpenOptions())

    def _numbers(self) -> tuple[float, ...]:
        return tuple(float(word) for word in self._times.text().replace(";", ",").split(",") if word.strip())

    def options(self) -> OpenOptions:
        """Return what was said; None for what was left open."""
        return OpenOptions(
            axes=self._axes.text().strip() or None,
            key=self._key.text().strip() or None,
            times_ms=self._numbers() or None,
            kind=self._kind.currentData(),
        )
