"""Sampling: pattern, acceleration, centre, seed; the mask and what it does, nominal and effective R in large type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QLabel, QSlider, QSpinBox, QVBoxLayout, QWidget

from app import theme
from app.forms import OptionsForm
from app.panels.parts import NORMAL, TIGHT, WIDE, button, drop_down, label, row, tool_button
from app.review.mask_view import MaskView
from engine.core.records.registries import MaskFamily
from engine.core.requests import MaskRequest
from engine.core.types import Float, SamplingMask

FROM_FILE = "file"
# The slider goes in half steps to 32; the spin box takes any R.
_STEPS = 2
_LARGEST = 32


class SamplingPanel(QWidget):
    """The mask.

    Signals
    -------
    request_changed(MaskRequest)
        Something was edited.
    edit_began()
        What is edited from now on is another edit: all positions of a slider that is held are one.
    file_requested()
        A mask file should be chosen.
    """

    request_changed = Signal(object)
    edit_began = Signal()
    file_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sampling")
        self._specs: dict[str, MaskFamily] = {}
        self._make_controls()
        self.view = MaskView()
        self.view.setObjectName("sampling.mask")
        self._arrange()
        self.show_mask(None, None)

    def _make_controls(self) -> None:
        self._pattern = drop_down("sampling.pattern", "Sampling pattern")
        self._pattern.activated.connect(self._on_pattern)
        self._file = button("File…", "sampling.file", "A mask from a file (h5, npz, npy, mat)")
        self._file.clicked.connect(self.file_requested)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("sampling.acceleration.slider")
        self._slider.setAccessibleName("Nominal acceleration")
        self._slider.setRange(_STEPS, _LARGEST * _STEPS)
        self._slider.setPageStep(_STEPS)
        self._slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slider.valueChanged.connect(self._on_slider)
        self._slider.sliderPressed.connect(self.edit_began)
        self._acceleration = QDoubleSpinBox()
        self._acceleration.setObjectName("sampling.acceleration")
        self._acceleration.setAccessibleName("Nominal acceleration R")
        self._acceleration.setRange(1.0, 64.0)
        self._acceleration.setDecimals(1)
        self._acceleration.setKeyboardTracking(False)
        self._acceleration.valueChanged.connect(self._on_spin)
        self._acs = QSpinBox()
        self._acs.setObjectName("sampling.acs")
        self._acs.setAccessibleName("ACS lines")
        self._acs.setToolTip("Fully sampled lines in the centre; nominal R does not count them")
        self._acs.setRange(0, 1024)
        self._seed = QSpinBox()
        self._seed.setObjectName("sampling.seed")
        self._seed.setAccessibleName("Seed")
        self._seed.setToolTip("The same seed gives the same mask on every machine")
        self._seed.setRange(0, 2**31 - 1)
        for spin in (self._acs, self._seed):
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(self._tell)
        for control in (self._acceleration, self._acs, self._seed):
            # Wide enough for what is usual, not for the largest number that fits.
            control.setMinimumWidth(72)
        self._per_frame = QCheckBox("One &mask per frame")
        self._per_frame.setObjectName("sampling.per_frame")
        self._per_frame.setToolTip("Otherwise all frames share one mask")
        self._per_frame.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._per_frame.toggled.connect(self._tell)
        self._make_options()

    def _make_options(self) -> None:
        self._options = OptionsForm("sampling.option")
        self._options.changed.connect(self._tell)
        self._more = tool_button("Options", "sampling.more", "Further settings of this pattern")
        self._more.setCheckable(True)
        self._more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        theme.set_icon(self._more, "mdi6.tune-variant")
        self._more.toggled.connect(self._show_options)
        self._nominal = label("", "sampling.nominal", "large")
        self._effective = label("", "sampling.effective", "large")
        for big in (self._nominal, self._effective):
            big.setWordWrap(False)
        self._note = label("", "sampling.note", "dim")

    def _arrange(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(NORMAL)
        grid.setVerticalSpacing(TIGHT)
        top = row(self._pattern, self._file, spacing=TIGHT, grow={0: 1})
        grid.addWidget(top, 0, 0, 1, 4)
        for line, column, words, control in (
            (1, 0, "R", self._acceleration),
            (2, 0, "&ACS", self._acs),
            (2, 2, "See&d", self._seed),
        ):
            name = QLabel(words)
            name.setBuddy(control)
            grid.addWidget(name, line, column)
            grid.addWidget(control, line, column + 1)
        grid.addWidget(self._slider, 1, 2, 1, 2)
        grid.addWidget(row(self._per_frame, None, self._more), 3, 0, 1, 4)
        grid.setColumnStretch(3, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, TIGHT)
        layout.setSpacing(TIGHT)
        layout.addLayout(grid)
        layout.addWidget(self._options)
        layout.addWidget(row(self._nominal, self._effective, None, spacing=WIDE))
        layout.addWidget(self._note)
        layout.addWidget(self.view, 1)
        order = (self._pattern, self._file, self._acceleration, self._slider, self._acs, self._seed, self._per_frame, self._more)
        for first, second in pairwise(order):
            QWidget.setTabOrder(first, second)

    # --- what is set ---------------------------------------------------------------------------------------------------

    def set_patterns(self, specs: Sequence[Any]) -> None:
        """Fill the list of patterns (records of the engine's mask registry)."""
        self._specs = {spec.name: spec for spec in specs}
        with QSignalBlocker(self._pattern):
            self._pattern.clear()
            for spec in specs:
                self._pattern.addItem(spec.title, spec.name)
                self._pattern.setItemData(self._pattern.count() - 1, spec.description, Qt.ItemDataRole.ToolTipRole)

    def has_pattern(self, name: str) -> bool:
        """Whether a pattern of this name is in the list."""
        return name in self._specs

    def request(self) -> MaskRequest:
        """Return what is set."""
        return MaskRequest(
            pattern=str(self._pattern.currentData() or "equispaced"),
            acceleration=self._acceleration.value(),
            acs=self._acs.value(),
            seed=self._seed.value(),
            per_frame=self._per_frame.isChecked(),
            options=self._options.values(),
        )

    def set_request(self, request: MaskRequest) -> None:
        """Show a request, without telling."""
        self._choose(request.pattern)
        per_frame = request.per_frame
        spec = self._specs.get(request.pattern)
        if per_frame is None:
            per_frame = bool(spec is not None and spec.per_frame)
        with QSignalBlocker(self._acceleration), QSignalBlocker(self._acs), QSignalBlocker(self._seed):
            self._acceleration.setValue(request.acceleration)
            self._acs.setValue(request.acs)
            self._seed.setValue(request.seed)
        with QSignalBlocker(self._slider):
            self._slider.setValue(round(request.acceleration * _STEPS))
        with QSignalBlocker(self._per_frame):
            self._per_frame.setChecked(per_frame)
        self._options.set_values(request.options)

    def set_limits(self, ky: int) -> None:
        """Let no more ACS lines be asked for than there are."""
        with QSignalBlocker(self._acs):
            self._acs.setMaximum(ky)

    def set_editable(self, editable: bool, note: str = "") -> None:
        """Allow or forbid choosing a mask, and say why."""
        controls = (self._pattern, self._file, self._slider, self._acceleration, self._acs, self._seed, self._per_frame)
        for control in (*controls, self._options):
            control.setEnabled(editable)
        if editable:
            self._enable_used()
        self.show_note(note)

    def show_mask(self, mask: SamplingMask | None, psf: Float | None, note: str | None = None) -> None:
        """Show a mask, its point-spread function and both accelerations."""
        if mask is None:
            self._nominal.setText("R –")
            self._effective.setText("")
        else:
            nominal = mask.nominal_acceleration
            self._nominal.setText("R" if nominal is None else f"R {nominal:g}")
            known = "Nominal: what was asked for, the centre (ACS) not counted"
            self._nominal.setToolTip("This mask has no nominal acceleration" if nominal is None else known)
            self._effective.setText(f"{mask.effective_acceleration:.2f} effective")
            self._effective.setToolTip("Effective: samples of full k-space divided by measured samples, ACS counted")
        self.view.set_mask(mask, psf)
        if note is not None:
            self.show_note(note)

    def show_note(self, text: str) -> None:
        """Show a sentence under the accelerations ("" hides it)."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def from_file(self) -> bool:
        """Whether the panel shows a mask from a file."""
        return bool(self._pattern.currentData() == FROM_FILE)

    def show_file(self, name: str) -> None:
        """Say that the mask came from a file."""
        with QSignalBlocker(self._pattern):
            index = self._pattern.findData(FROM_FILE)
            if index < 0:
                self._pattern.addItem("", FROM_FILE)
                index = self._pattern.count() - 1
            self._pattern.setItemText(index, f"File: {name}")
            self._pattern.setCurrentIndex(index)
        # Nothing that makes a mask has any say over one from a file.
        self._pattern.setToolTip("Choose a pattern to leave the file")
        self._more.setVisible(False)
        self._options.set_options(())
        self._show_options()
        self._enable_used()

    # --- edits ---------------------------------------------------------------------------------------------------------

    def _choose(self, pattern: str) -> None:
        with QSignalBlocker(self._pattern):
            self._pattern.setCurrentIndex(max(0, self._pattern.findData(pattern)))
        spec = self._specs.get(pattern)
        options = () if spec is None else spec.options
        self._options.set_options(options)
        self._more.setVisible(bool(options))
        self._show_options()
        self._pattern.setToolTip("" if spec is None else f"{spec.description}\n{spec.source}".strip())
        self._enable_used()

    def _show_options(self, *_: object) -> None:
        self._options.setVisible(self._more.isChecked() and self._options.count() > 0)

    def _enable_used(self) -> None:
        spec = self._specs.get(str(self._pattern.currentData()))
        uses: Mapping[QWidget, bool] = {
            self._acceleration: spec is not None and spec.uses_acceleration,
            self._slider: spec is not None and spec.uses_acceleration,
            self._acs: spec is not None and spec.uses_acs,
            self._seed: spec is not None and spec.uses_seed,
            self._per_frame: spec is not None,
        }
        for control, used in uses.items():
            control.setEnabled(used)

    def _on_pattern(self) -> None:
        name = str(self._pattern.currentData())
        if name == FROM_FILE:
            return
        self._choose(name)
        with QSignalBlocker(self._per_frame):
            self._per_frame.setChecked(bool(self._specs[name].per_frame))
        self._tell()

    def _on_slider(self, position: int) -> None:
        with QSignalBlocker(self._acceleration):
            self._acceleration.setValue(position / _STEPS)
        self._tell()

    def _on_spin(self, value: float) -> None:
        with QSignalBlocker(self._slider):
            self._slider.setValue(round(value * _STEPS))
        self._tell()

    def _tell(self, *_: object) -> None:
        if not self.from_file():
            if not self._slider.isSliderDown():
                self.edit_began.emit()
            self.request_changed.emit(self.request())
