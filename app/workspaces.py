"""The workspaces: one line each. A page is built when its workspace is first opened, so that none of them delays the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, Protocol, TypeAlias

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

Panels: TypeAlias = Mapping[str, Mapping[str, bool | int | float | str | list[int | float | str] | None]]
"""Settings of panels, by their name and that of the setting."""

LEFT, RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea


@dataclass(frozen=True, slots=True)
class DockSpec:
    """A dock: name, title, side; ``scrolls``: its panel may be higher than the window; ``tab_of``: the dock it lies behind."""

    name: str
    title: str
    area: Qt.DockWidgetArea
    scrolls: bool = True
    tab_of: str = ""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace.

    Parameters
    ----------
    name, title, tip
        Name in code, words on its tab, sentence in the status bar.
    docks
        Names of the docks it shows, its own and those of others.
    page
        ``module:function`` that makes its :class:`Page` from the window; "" for the one that is there from the start.
    widths
        Width in pixels of the first left and the first right dock.
    heights
        Dock -> share of its side's height.
    front
        Docks in front of those they share their place with.
    """

    name: str
    title: str
    tip: str
    docks: tuple[str, ...]
    page: str = ""
    widths: tuple[int, int] = (300, 296)
    heights: Mapping[str, int] = field(default_factory=dict)
    front: tuple[str, ...] = ()


class Page(Protocol):
    """What a workspace shows and does.

    ``widget`` stands in the centre; ``docks`` are its own panels with where they go.
    """

    widget: QWidget
    docks: tuple[tuple[DockSpec, QWidget], ...]

    def set_active(self, active: bool) -> None:
        """Work while on screen, rest while not."""

    def set_flip(self, on: bool) -> None:
        """Show the reference in the place of the selected picture while the key is down."""

    def zoom(self, factor: float) -> None:
        """Zoom about the middle."""

    def zoom_reset(self) -> None:
        """Show whole images."""

    def closing_choice(self) -> Any:
        """Return what must be decided before the window closes (:class:`app.dialogs.closing.ClosingChoice`), None for nothing."""

    def close_with(self, way: str, then: Callable[[], Any]) -> None:
        """Let what goes on end in the way that was chosen, and call ``then`` when it has."""

    def keep(self) -> Panels:
        """Return what is set in the panels, for the session file."""

    def recall(self, panels: Panels) -> None:
        """Set the panels as they were kept; what is not there stays."""

    def stop(self) -> None:
        """Stand still: the window closes."""


WORKSPACES: Final[tuple[Workspace, ...]] = (
    Workspace(
        "review", "Review", "Undersample, reconstruct, compare", ("series", "sampling", "methods", "inspector"), "",
        (300, 296), {"series": 116, "sampling": 256, "methods": 221},
    ),
    Workspace(
        "maps", "Maps", "T1 and T2 maps, curves, segments",
        ("series", "maps_fit", "maps_pixel", "maps_regions", "maps_ecv", "maps_agreement"),
        "app.maps.page:MapsPage", (288, 376), {"series": 100, "maps_fit": 520}, ("maps_pixel",),
    ),
    Workspace(
        "train", "Train", "Train from scratch, fine-tune, watch", ("train_form", "train_runs", "train_log"),
        "app.train.page:TrainPage", (336, 288), {"train_runs": 300, "train_log": 260},
    ),
)  # fmt: skip


def find(name: str) -> Workspace:
    """Return a workspace by name, the first when there is none of that name."""
    return next((workspace for workspace in WORKSPACES if workspace.name == name), WORKSPACES[0])


def preload() -> None:
    """Load the library that the pages' plots need: two thirds of what a page's first opening takes. Any thread may."""
    import_module("pyqtgraph")


def build(workspace: Workspace, window: Any) -> Page:
    """Make the page of a workspace."""
    module, _, function = workspace.page.partition(":")
    made: Page = getattr(import_module(module), function)(window)
    return made
