"""The table of methods: ticked to run, sorted, filtered; those that cannot run here say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QFont

from engine.core.records.methods import MethodInfo
from engine.core.records.options import Option
from engine.core.records.plain import Plain

Index = QModelIndex | QPersistentModelIndex

COLUMNS: Final = ("Method", "Status", "Parameters", "MACs", "Weights", "Paper")
NAME, STATUS, PARAMETERS, MACS, WEIGHTS, PAPER = range(len(COLUMNS))
SORT_ROLE: Final = Qt.ItemDataRole.UserRole + 1
KEY_ROLE: Final = Qt.ItemDataRole.UserRole + 2


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method as the table shows it.

    ``chosen`` are the weights that would be used, ``settings`` what is not at its default, ``memory_mib`` what the series on screen
    will take, ``sources`` where published weights can be had.
    """

    name: str
    title: str
    paper: str = ""
    kinds: tuple[str, ...] = ()
    parameters: int = 0
    macs: float | None = None
    macs_shape: str = ""
    paper_macs: float | None = None
    macs_counting: str = ""
    memory_mib: float | None = None
    trainable: bool = False
    weights: tuple[str, ...] = ()
    chosen: str | None = None
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    needs_reference: bool = False
    max_coils: int | None = None
    options: tuple[Option, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    status: str = ""

    @property
    def variant(self) -> str:
        """What tells this run of the method from one as it comes: chosen weights of several, settings; "" for none.

        Weights that bear the method's own name are those it comes with.
        """
        weights = [self.chosen] if self.chosen and len(self.weights) > 1 and self.chosen != self.name else []
        return ", ".join([*weights, *(f"{name.replace('_', ' ')} {value}" for name, value in self.settings.items())])


@dataclass(frozen=True, slots=True)
class Suitability:
    """What the series on screen needs of a method: its kind and number of coils (None when nothing is loaded)."""

    kind: str | None = None
    coils: int | None = None


def from_catalogue(method: MethodInfo) -> MethodRow:
    """Return the row of a record of the engine's catalogue."""
    preset = method.default_preset
    return MethodRow(
        name=method.name,
        title=method.title,
        paper=method.paper,
        kinds=method.kinds,
        parameters=preset.parameters,
        macs=preset.macs,
        macs_shape=preset.macs_shape,
        paper_macs=preset.paper_macs,
        macs_counting=method.macs_counting,
        sources=method.sources,
        trainable=method.trainable,
        weights=method.weights,
        chosen=method.weights[0] if method.weights else None,
        notes=method.notes,
        needs_reference=method.needs_reference,
        max_coils=method.max_coils,
        options=method.options,
    )


def obstacle(row: MethodRow, series: Suitability) -> str:
    """Return why a method cannot run on a series, "" when it can."""
    if row.trainable and row.chosen is None:
        return "no weights"
    if series.kind not in (None, "unknown") and row.kinds and series.kind not in row.kinds:
        return f"not for {series.kind}"
    if row.max_coils is not None and series.coils is not None and series.coils > row.max_coils:
        return f"at most {row.max_coils} coil{'s' if row.max_coils > 1 else ''}"
    return ""


def tip(row: MethodRow, blocked: str) -> str:
    """Return all that is known about a method, one fact a line; why it cannot run comes first."""
    way = "tick it to import published ones" if row.sources else "tick it to train it"
    lines = [f"Cannot run: {blocked}" + (f" ({way})" if row.trainable and row.chosen is None else "")]
    lines = [*(lines if blocked else []), row.title, row.paper]
    if row.parameters:
        lines.append(f"{count_words(row.parameters)} parameters")
    if row.macs:
        paper = f" (the paper: {count_words(row.paper_macs)})" if row.paper_macs else ""
        lines.append(f"{count_words(row.macs)} MACs" + (f" at {row.macs_shape}" if row.macs_shape else "") + paper)
        lines.append(row.macs_counting)
    if row.memory_mib:
        lines.append(f"About {memory_words(row.memory_mib)} for a slice of this series")
    if row.chosen:
        lines.append(f"Weights {row.chosen}")
    if row.needs_reference:
        lines.append("Reference sequence: the mean of what the frames measured")
    if row.settings:
        lines.append("Changed settings: " + ", ".join(f"{name} = {value}" for name, value in row.settings.items()))
    return "\n".join(line for line in [*lines, *row.notes] if line)


def memory_words(mib: float) -> str:
    """Return an amount of memory in short: 440 MiB, 1.6 GiB."""
    return f"{mib / 1024:.1f} GiB" if mib >= 1000 else f"{10 * round(mib / 10)} MiB"


def count_words(number: float) -> str:
    """Return a large number in short: 1.3 M, 27.4 G."""
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {letter}"
    return f"{number:g}"


class MethodsModel(QAbstractTableModel):
    """All methods. ``ticked_changed`` when the set of ticked ones changed, ``weights_missing`` when one without was ticked."""

    ticked_changed = Signal()
    weights_missing = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._rows: list[MethodRow] = []
        self._ticked: set[str] = set()
        self._series = Suitability()

    # --- contents ------------------------------------------------------------------------------------------------------

    def set_rows(self, rows: Sequence[MethodRow]) -> None:
        """Replace all rows; ticks and chosen weights stay where they still exist."""
        before = {row.name: row for row in self._rows}
        self.beginResetModel()
        self._rows = [_keep_choice(row, before.get(row.name)) for row in rows]
        self.endResetModel()
        self.ticked_changed.emit()

    def set_series(self, series: Suitability) -> None:
        """Say what the methods must serve."""
        if series != self._series:
            self._series = series
            self._touch_all()
            self.ticked_changed.emit()

    def set_ticked(self, names: Sequence[str]) -> None:
        """Tick exactly these."""
        self._ticked = set(names)
        self._touch_all()
        self.ticked_changed.emit()

    def set_status(self, name: str, status: str) -> None:
        """Show what a method is doing, or did."""
        for number, row in enumerate(self._rows):
            if row.name == name and row.status != status:
                self._rows[number] = replace(row, status=status)
                self.dataChanged.emit(self.index(number, STATUS), self.index(number, STATUS))

    def set_macs(self, name: str, macs: float | None) -> None:
        """Show what a method was counted at."""
        self._show(name, macs=macs)

    def set_memory(self, name: str, mib: float | None) -> None:
        """Show how much memory the series on screen will take."""
        self._show(name, memory_mib=mib)

    def _show(self, name: str, **facts: Any) -> None:
        for number, row in enumerate(self._rows):
            if row.name == name:
                self._rows[number] = replace(row, **facts)
                self.dataChanged.emit(self.index(number, 0), self.index(number, len(COLUMNS) - 1))

    def choose_weights(self, name: str, weights: str | None) -> None:
        """Use these weights for a method."""
        self._change(name, chosen=weights)

    def set_settings(self, name: str, settings: Mapping[str, Plain]) -> None:
        """Use these settings for a method; what is not named stays at its default."""
        self._change(name, settings=dict(settings))

    def _change(self, name: str, **changes: Any) -> None:
        for number, row in enumerate(self._rows):
            if row.name == name:
                self._rows[number] = replace(row, **changes)
                self.dataChanged.emit(self.index(number, 0), self.index(number, len(COLUMNS) - 1))
        self.ticked_changed.emit()

    def row_of(self, name: str) -> MethodRow | None:
        """Return a row by method name."""
        return next((row for row in self._rows if row.name == name), None)

    def rows(self) -> list[MethodRow]:
        """Return all rows in the order of the catalogue."""
        return list(self._rows)

    def ticked(self) -> list[MethodRow]:
        """Return the ticked methods that can run: zero-filling first, networks last, each in the order of the catalogue."""
        chosen = [row for row in self._rows if row.name in self._ticked and not obstacle(row, self._series)]
        return sorted(chosen, key=lambda row: (row.name != "zero_filled", row.trainable))

    def ticked_names(self) -> list[str]:
        """Return the names of all ticked methods, runnable or not."""
        return sorted(self._ticked)

    # --- Qt's model ----------------------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole and section in (PARAMETERS, MACS):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        row = self._rows[index.row()]
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        if not obstacle(row, self._series):
            flags |= Qt.ItemFlag.ItemIsEnabled
            if index.column() == NAME:
                flags |= Qt.ItemFlag.ItemIsUserCheckable
        elif row.trainable:
            # Can be chosen, so that weights can be had for it; a tick asks for them.
            flags |= Qt.ItemFlag.ItemIsEnabled
            if index.column() == NAME and row.chosen is None:
                flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        blocked = obstacle(row, self._series)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column, blocked)
        if role == SORT_ROLE:
            return self._sort_key(row, column, blocked)
        if role == KEY_ROLE:
            return row.name
        if role == Qt.ItemDataRole.CheckStateRole and column == NAME:
            return Qt.CheckState.Checked if row.name in self._ticked and not blocked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(row, blocked)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (PARAMETERS, MACS):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.FontRole and blocked:
            font = QFont()
            font.setItalic(True)
            return font
        if role == Qt.ItemDataRole.AccessibleTextRole:
            ticked = ", ticked" if column == NAME and row.name in self._ticked else ""
            return f"{COLUMNS[column]}: {self._text(row, column, blocked) or 'none'}{ticked}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid() or index.column() != NAME:
            return False
        row = self._rows[index.row()]
        if obstacle(row, self._series):
            if row.trainable and row.chosen is None:
                self.weights_missing.emit(row.name)
            return False
        on = Qt.CheckState(value) == Qt.CheckState.Checked
        (self._ticked.add if on else self._ticked.discard)(row.name)
        self.dataChanged.emit(index, index)
        self.ticked_changed.emit()
        return True

    def _text(self, row: MethodRow, column: int, blocked: str) -> str:
        if column == NAME:
            return f"{row.title} ({row.variant})" if row.settings else row.title
        if column == STATUS:
            return blocked or row.status or "ready"
        if column == PARAMETERS:
            return count_words(row.parameters) if row.parameters else "–"
        if column == MACS:
            return count_words(row.macs) if row.macs else "–" if not row.trainable else "…"
        if column == WEIGHTS:
            return (row.chosen or "none") if row.trainable else "not needed"
        return row.paper

    def _sort_key(self, row: MethodRow, column: int, blocked: str) -> Any:
        if column == PARAMETERS:
            return row.parameters
        if column == MACS:
            return row.macs or 0.0
        return self._text(row, column, blocked).lower()

    def _touch_all(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(COLUMNS) - 1))


def _keep_choice(row: MethodRow, before: MethodRow | None) -> MethodRow:
    if before is None:
        return row
    chosen = before.chosen if before.chosen in row.weights else row.chosen
    macs = before.macs if row.macs is None else row.macs
    return replace(row, chosen=chosen, settings=before.settings, status=before.status, macs=macs)


class MethodsFilter(QSortFilterProxyModel):
    """Sorts by column and keeps the rows that hold every typed word in any column."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setSortRole(SORT_ROLE)
        self._words: tuple[str, ...] = ()

    def set_words(self, text: str) -> None:
        """Keep rows that hold all words of ``text``."""
        self.beginFilterChange()
        self._words = tuple(text.lower().split())
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        model = self.sourceModel()
        texts = [str(model.index(source_row, c, source_parent).data() or "") for c in range(model.columnCount())]
        whole = " ".join(texts).lower()
        return all(word in whole for word in self._words)
