"""The menu bar, filled from the table of actions; recent files, samples and panels are listed when a menu is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMenu

from app import actions


def fill_menu_bar(
    window: QMainWindow,
    made: Mapping[str, QAction],
    docks: Callable[[], Iterable[QDockWidget]],
    recent: Callable[[], Sequence[str]],
    open_files: Callable[[Sequence[str]], None],
    fill_samples: Callable[[QMenu], None],
) -> dict[str, QMenu]:
    """Make all menus of :data:`app.actions.MENUS` and return them by title."""
    places = {
        "[recent]": partial(_submenu, "&Recent files", "menu.recent", lambda menu: _fill_recent(menu, recent(), open_files)),
        "[samples]": partial(_submenu, "S&amples", "menu.samples", fill_samples),
        "[docks]": partial(_submenu, "Pa&nels", "menu.panels", lambda menu: _fill_docks(menu, docks())),
    }
    menus: dict[str, QMenu] = {}
    for title, keys in actions.MENUS.items():
        menu = window.menuBar().addMenu(title)
        menu.setObjectName("menu." + title.replace("&", "").lower())
        actions.fill(menu, keys, made, places)
        menus[title] = menu
    return menus


def _submenu(title: str, name: str, fill: Callable[[QMenu], None], menu: QMenu) -> None:
    made = menu.addMenu(title)
    made.setObjectName(name)
    made.aboutToShow.connect(lambda: fill(made))


def _fill_recent(menu: QMenu, paths: Sequence[str], open_files: Callable[[Sequence[str]], None]) -> None:
    menu.clear()
    for path in paths:
        action = menu.addAction(Path(path).name)
        action.setToolTip(path)
        action.setStatusTip(path)
        action.triggered.connect(lambda _=False, file=path: open_files([file]))
    if menu.isEmpty():
        menu.addAction("No file was opened yet").setEnabled(False)


def _fill_docks(menu: QMenu, docks: Iterable[QDockWidget]) -> None:
    menu.clear()
    for dock in docks:
        menu.addAction(dock.toggleViewAction())
