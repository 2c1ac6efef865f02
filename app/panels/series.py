"""Series: what is loaded, in words; images without k-space get simulated coils here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from app.display.words import TIME_NAMES
from app.document.case import SAMPLE_NOTE, Case
from app.document.results import mask_words
from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row, tool_button
from engine.core import axes
from engine.core.types import Evidence, ImageSeries, Kind, KSpaceSeries

KIND_WORDS = {Kind.CINE: "Cine", Kind.MOLLI: "MOLLI (T1)", Kind.T2PREP: "T2-prepared", Kind.UNKNOWN: "Kind unknown"}
FULL_WORDS = {
    Evidence.WHOLE: "fully sampled",
    Evidence.TOLD: "fully sampled",
    Evidence.PART: "fully sampled, as a part of the data shows",
    Evidence.NOTHING: "taken as fully sampled: nobody looked",
}


def axes_words(data: KSpaceSeries | ImageSeries) -> str:
    """Return all axes by name and size."""
    names = axes.KSPACE_AXES if isinstance(data, KSpaceSeries) else axes.IMAGE_AXES
    return axes.describe(data.shape, names)


def kind_words(data: KSpaceSeries | ImageSeries) -> str:
    """Return the kind with its times: frame duration of a cine, inversion or preparation times of a weighted series."""
    words = KIND_WORDS[data.kind]
    times = data.times_ms
    if times is None:
        return f"{words}, times unknown"
    first = times[0]
    if data.kind is Kind.CINE and len(first) > 1:
        step = float(first[1] - first[0])
        return f"{words}, {step:.1f} ms a frame"
    name = TIME_NAMES.get(data.kind, "times")
    shown = [f"{time:g}" for time in first]
    if len(shown) > 5:
        shown = [*shown[:3], "…", shown[-1]]
    listed = ", ".join(shown)
    other = "" if (times == first).all() else " (slice 1; others differ)"
    return f"{words}, {name} {listed} ms{other}"


def sampling_words(case: Case) -> str:
    """Return whether it is fully sampled."""
    data = case.data
    if case.saved is not None:
        return "saved result" if case.comparable else "saved result without a reference"
    if isinstance(data, ImageSeries):
        return "no k-space"
    if data.fully_sampled:
        return FULL_WORDS[data.acquisition.evidence]
    masks = data.acquisition.masks
    words = mask_words(masks[case.view.slice_index if len(masks) > 1 else 0])
    return f"undersampled when measured: {words}" + (", slices differ" if data.acquisition.varies_by_slice else "")


def voxel_words(data: KSpaceSeries | ImageSeries) -> str:
    """Return the voxel size."""
    if data.voxel_mm is None:
        return ""
    z, y, x = data.voxel_mm
    return f"Voxel {y:.3g} × {x:.3g} mm, slice {z:.3g} mm"


def _sentence(notes: Iterable[str]) -> str:
    joined = "; ".join(notes)
    return joined[:1].upper() + joined[1:]


class SeriesPanel(QWidget):
    """What is loaded.

    Signals
    -------
    selected(key), closed(key)
        Another series was chosen; the one on screen should go.
    simulate_requested(coils, snr)
        Coils should be simulated for the images on screen.
    """

    selected = Signal(str)
    closed = Signal(str)
    simulate_requested = Signal(int, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("series")
        self._list = drop_down("series.list", "Loaded series")
        self._list.setMinimumContentsLength(12)
        self._list.activated.connect(lambda _: self.selected.emit(str(self._list.currentData())))
        self._close = tool_button("✕", "series.close", "Take this series off the list")
        self._close.setAccessibleName("Close series")
        self._close.clicked.connect(lambda: self.closed.emit(str(self._list.currentData())))
        self._head = row(self._list, self._close, spacing=TIGHT, grow={0: 1})
        self._empty = label(
            "Nothing is loaded. Drop a file on the window, press Ctrl+O, or choose a sample.", "series.empty", "dim"
        )
        self._lines: dict[str, QLabel] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, TIGHT)
        layout.setSpacing(2)
        layout.addWidget(self._head)
        layout.addWidget(self._empty)
        # First of all: images can do nothing here until they have k-space.
        self._simulate = self._simulate_box()
        layout.addWidget(self._simulate)
        roles = {"axes": "", "kind": "", "voxel": "dim", "notes": "warning", "unknown": "dim"}
        for name, role in roles.items():
            self._lines[name] = label("", f"series.{name}", role)
            layout.addWidget(self._lines[name])
        layout.addStretch(1)
        self.show_case(None, ())

    def _simulate_box(self) -> QWidget:
        box = QWidget()
        box.setObjectName("series.simulate")
        self._coils = QSpinBox()
        self._coils.setObjectName("simulate.coils")
        self._coils.setRange(1, 64)
        self._coils.setMinimumWidth(56)
        self._coils.setValue(8)
        self._snr = QDoubleSpinBox()
        self._snr.setObjectName("simulate.snr")
        self._snr.setRange(1, 10000)
        self._snr.setDecimals(0)
        self._snr.setValue(40)
        self._snr.setMinimumWidth(56)
        self._start = button("Simulate", "simulate.start", "Make multi-coil k-space from these images, with noise")
        self._start.clicked.connect(lambda: self.simulate_requested.emit(*self.simulation()))
        coils, snr = QLabel("&Coils"), QLabel("S&NR")
        coils.setBuddy(self._coils)
        snr.setBuddy(self._snr)
        line = QHBoxLayout(box)
        line.setContentsMargins(0, 0, 0, TIGHT)
        line.setSpacing(TIGHT)
        for part in (coils, self._coils, snr, self._snr):
            line.addWidget(part)
        line.addWidget(self._start, 1)
        return box

    def set_simulation(self, coils: int, snr: float) -> None:
        """Set the numbers offered for simulation."""
        self._coils.setValue(coils)
        self._snr.setValue(snr)

    def simulation(self) -> tuple[int, float]:
        """Return the numbers of coils and of signal to noise that stand in the panel."""
        return self._coils.value(), self._snr.value()

    def show_case(self, current: Case | None, cases: Sequence[Case]) -> None:
        """Show the list and the current series."""
        with QSignalBlocker(self._list):
            self._list.clear()
            for case in cases:
                self._list.addItem(case.title, case.key)
            if current is not None:
                self._list.setCurrentIndex(self._list.findData(current.key))
                origin = [note for note in current.data.notes if note.startswith(SAMPLE_NOTE)]
                self._list.setToolTip("\n".join([current.data.source or current.title, *origin]))
        self._head.setVisible(bool(cases))
        self._empty.setVisible(current is None)
        words = dict.fromkeys(self._lines, "")
        if current is not None:
            data = current.data
            words = {
                "axes": axes_words(data),
                "kind": f"{kind_words(data)}, {sampling_words(current)}",
                "voxel": voxel_words(data),
                "notes": _sentence(note for note in data.notes if not note.startswith(SAMPLE_NOTE)),
                "unknown": f"Unknown: {', '.join(data.unknown)}" if data.unknown else "",
            }
        for name, text in words.items():
            self._lines[name].setText(text)
            self._lines[name].setVisible(bool(text))
        self._simulate.setVisible(current is not None and current.kspace is None and current.saved is None)
