"""The centre of the Maps workspace: what is shown and what a click does, the linked maps, their colour bars, the slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.display.map_state import FitOutput, MapTool
from app.maps.color_bar import ColorBar
from app.panels.parts import NORMAL, TIGHT, tool_button
from app.views.grid import PaneGrid

LAYERS: Final = (
    (FitOutput.VALUE, "Map", "The fitted T1 or T2 (V)"),
    (FitOutput.SD, "SD", "Its standard deviation, from the Jacobian and the residual (S)"),
    (FitOutput.R2, "R²", "Coefficient of determination of the fit (Q)"),
    (FitOutput.RESIDUAL, "Residual", "Root mean square of the residuals, in units of the images (E)"),
    (FitOutput.APPARENT, "T1*", "The apparent T1 before the Look-Locker correction (T)"),
)
TOOLS: Final = (
    (MapTool.INSPECT, "Pixel", "A click shows the curve of the pixel (A)"),
    (MapTool.ENDO, "Endo", "Clicks draw the endocardial contour (N)"),
    (MapTool.EPI, "Epi", "Clicks draw the epicardial contour (P)"),
    (MapTool.INSERTION, "RV", "A click sets the anterior RV insertion point (I)"),
    (MapTool.ROI, "ROI", "Clicks draw a region of interest (O)"),
    (MapTool.BLOOD, "Blood", "Clicks draw a region in the blood pool (B)"),
)


class MapsPanel(QWidget):
    """What is on screen; tells what is asked for.

    Signals
    -------
    layer_chosen(FitOutput), difference_toggled(bool), tool_chosen(MapTool)
        The strip above the maps.
    slice_chosen(index)
        The slider below.
    """

    layer_chosen = Signal(object)
    difference_toggled = Signal(bool)
    tool_chosen = Signal(object)
    slice_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps")
        self.setAccessibleName("Maps")
        self.grid = PaneGrid(name="maps")
        self.grid.setAccessibleName("Relaxation maps")
        self.scale_bar, self.difference_bar = (
            ColorBar("maps.scale", "the scale of the maps"),
            ColorBar("maps.difference_scale", "the differences"),
        )
        self._layers, self._tools = QButtonGroup(self), QButtonGroup(self)
        self._layer_buttons: dict[FitOutput, QToolButton] = {}
        self._tool_buttons: dict[MapTool, QToolButton] = {}
        self._strip = self._make_strip()
        self._slice_row = self._make_slice()
        self._side = QFrame()
        self._side.setObjectName("maps.side")
        self._side.setProperty("imageArea", True)
        column = QVBoxLayout(self._side)
        column.setContentsMargins(0, TIGHT, 0, TIGHT)
        column.setSpacing(NORMAL)
        column.addWidget(self.scale_bar, 3)
        column.addWidget(self.difference_bar, 2)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.grid, 1)
        middle.addWidget(self._side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._strip)
        layout.addLayout(middle, 1)
        layout.addWidget(self._slice_row)
        self.scale_bar.set_scale(None)
        self.difference_bar.set_scale(None)
        self.set_empty(True)

    def _make_strip(self) -> QWidget:
        strip = QWidget()
        strip.setObjectName("maps.strip")
        line = QHBoxLayout(strip)
        line.setContentsMargins(NORMAL, TIGHT, NORMAL, TIGHT)
        line.setSpacing(2)
        for layer, words, tip in LAYERS:
            made = _switch(words, f"maps.layer.{layer}", tip)
            made.clicked.connect(lambda _=False, chosen=layer: self.layer_chosen.emit(chosen))
            self._layers.addButton(made)
            self._layer_buttons[layer] = made
            line.addWidget(made)
        line.addSpacing(NORMAL)
        self.difference = _switch("Δ reference", "maps.difference", "Differences from the reference's map in a second row (D)")
        self.difference.clicked.connect(self.difference_toggled)
        line.addWidget(self.difference)
        line.addStretch(1)
        self._tool_label = QLabel("Click:")
        self._tool_label.setProperty("dim", True)
        line.addWidget(self._tool_label)
        for tool, words, tip in TOOLS:
            made = _switch(words, f"maps.tool.{tool}", tip)
            made.clicked.connect(lambda _=False, chosen=tool: self.tool_chosen.emit(chosen))
            self._tools.addButton(made)
            self._tool_buttons[tool] = made
            line.addWidget(made)
        return strip

    def _make_slice(self) -> QWidget:
        line = QWidget()
        layout = QHBoxLayout(line)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, TIGHT)
        layout.setSpacing(NORMAL)
        self._slice_text = QLabel("")
        self._slice_text.setObjectName("maps.slice.text")
        self._slice_text.setFont(theme.numbers(self.font()))
        self._slice = QSlider(Qt.Orientation.Horizontal)
        self._slice.setObjectName("maps.slice")
        self._slice.setAccessibleName("Slice")
        self._slice.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slice.setMaximumWidth(280)
        self._slice.valueChanged.connect(self.slice_chosen)
        self.said = QLabel("")
        self.said.setObjectName("maps.said")
        self.said.setProperty("dim", True)
        layout.addWidget(self._slice_text)
        layout.addWidget(self._slice)
        layout.addWidget(self.said, 1)
        return line

    # --- what it shows -------------------------------------------------------------------------------------------------

    def set_empty(self, empty: bool) -> None:
        """Show or hide what needs a map."""
        self._strip.setVisible(not empty)
        self._slice_row.setVisible(not empty)
        self._side.setVisible(not empty)

    def set_view(self, layer: FitOutput, difference: bool, tool: MapTool) -> None:
        """Mark what is chosen."""
        self._layer_buttons[layer].setChecked(True)
        self._tool_buttons[tool].setChecked(True)
        self.difference.setChecked(difference)

    def set_able(self, layers: Mapping[FitOutput, str], difference: bool, name: str) -> None:
        """Say what can be shown: layers with their words, whether differences; ``name`` is T1 or T2."""
        for layer, button in self._layer_buttons.items():
            button.setEnabled(layer in layers)
        self._layer_buttons[FitOutput.VALUE].setText(name)
        self._layer_buttons[FitOutput.APPARENT].setVisible(name == "T1")
        self.difference.setEnabled(difference)

    def set_slices(self, count: int, index: int) -> None:
        """Show which slice is on screen."""
        with QSignalBlocker(self._slice):
            self._slice.setRange(0, max(0, count - 1))
            self._slice.setValue(index)
        self._slice.setVisible(count > 1)
        self._slice_text.setText(f"slice {str(index + 1).rjust(len(str(count)), chr(0x2007))}/{count}")


def _switch(words: str, name: str, tip: str) -> QToolButton:
    made = tool_button(words, name, tip)
    made.setCheckable(True)
    return made
