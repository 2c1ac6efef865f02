"""Light and dark: one palette, one style sheet without colours of its own, icons tinted from the palette.

The background of images is dark in both themes: the eye judges grey levels against what surrounds them.
"""

from __future__ import annotations

from enum import StrEnum
from string import Template
from typing import Final
from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPalette
from PySide6.QtWidgets import QAbstractButton, QApplication, QStyleFactory
from shiboken6 import isValid

from app.resources import path


class Mode(StrEnum):
    """What the user chose."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"


IMAGE_BACKGROUND: Final = "#0b0c0e"
IMAGE_TEXT: Final = "#c9ced6"
IMAGE_DIM: Final = "#8a919c"
"""Background and words of the image area, the same in both themes."""

IMAGE_TOKENS: Final = {"image": IMAGE_BACKGROUND, "image_text": IMAGE_TEXT, "image_dim": IMAGE_DIM, "image_raised": "#24282d"}

DARK: Final = {
    "window": "#17191c",
    "base": "#1e2125",
    "raised": "#2a2e34",
    "text": "#e4e7eb",
    "dim": "#9aa2ad",
    "line": "#353a41",
    "accent": "#4cb3d4",
    "on_accent": "#06171d",
    "warning": "#e0a648",
    "error": "#f07a6e",
    "good": "#6cc58a",
}
LIGHT: Final = {
    "window": "#eff1f3",
    "base": "#ffffff",
    "raised": "#e1e5e9",
    "text": "#1b1f24",
    "dim": "#59626e",
    "line": "#c8ced5",
    "accent": "#0b6f93",
    "on_accent": "#ffffff",
    "warning": "#8a5a00",
    "error": "#b3261e",
    "good": "#1c7040",
}

_state: dict[str, str] = {"mode": Mode.SYSTEM, "shown": Mode.DARK}


def apply(app: QApplication, mode: str = Mode.SYSTEM) -> None:
    """Set style, palette and style sheet of the whole application; ``mode`` is "system", "dark" or "light".

    With "system" the theme follows the desktop while the program runs. Unknown desktops count as dark, the habit of a reading room.
    """
    first = not app.property("myoscopeThemed")
    _state["mode"] = Mode(mode)
    if first:
        app.setProperty("myoscopeThemed", True)
        app.setStyle(QStyleFactory.create("Fusion"))
        app.styleHints().colorSchemeChanged.connect(lambda _: _paint(app))
    scheme = {Mode.DARK: Qt.ColorScheme.Dark, Mode.LIGHT: Qt.ColorScheme.Light, Mode.SYSTEM: Qt.ColorScheme.Unknown}
    app.styleHints().setColorScheme(scheme[Mode(mode)])
    _paint(app)


def mode() -> str:
    """Return what the user chose."""
    return _state["mode"]


def is_dark() -> bool:
    """Whether the dark theme is on screen."""
    return _state["shown"] == Mode.DARK


def colors() -> dict[str, str]:
    """Return the colours of the theme on screen, by meaning."""
    return {**(DARK if is_dark() else LIGHT), **IMAGE_TOKENS}


def color(name: str) -> QColor:
    """Return one colour of the theme on screen ("text", "dim", "accent", "warning", "error", "good", "line" ...)."""
    return QColor(colors()[name])


def _paint(app: QApplication) -> None:
    chosen = _state["mode"]
    if chosen == Mode.SYSTEM:
        light = app.styleHints().colorScheme() == Qt.ColorScheme.Light
        _state["shown"] = Mode.LIGHT if light else Mode.DARK
    else:
        _state["shown"] = chosen
    tokens = colors()
    app.setPalette(palette(tokens))
    tokens["check"] = path("icons", "check-dark.svg" if is_dark() else "check-light.svg").as_posix()
    sheet = Template(path("style", "myoscope.qss").read_text(encoding="utf-8")).substitute(tokens)
    if app.styleSheet() != sheet:
        app.setStyleSheet(sheet)
        for target, (name, tint) in list(_dressed.items()):
            # A window that is gone leaves Python objects without a Qt object until the next garbage collection.
            if isValid(target):
                target.setIcon(icon(name, tint))
        _notifier.changed.emit()


def palette(tokens: dict[str, str]) -> QPalette:
    """Return the Qt palette of a set of colours."""
    role = QPalette.ColorRole
    made = QPalette()
    for which, token in (
        (role.Window, "window"),
        (role.WindowText, "text"),
        (role.Base, "base"),
        (role.AlternateBase, "window"),
        (role.ToolTipBase, "raised"),
        (role.ToolTipText, "text"),
        (role.Text, "text"),
        (role.PlaceholderText, "dim"),
        (role.Button, "raised"),
        (role.ButtonText, "text"),
        (role.BrightText, "error"),
        (role.Link, "accent"),
        (role.Highlight, "accent"),
        (role.HighlightedText, "on_accent"),
        (role.Mid, "line"),
        (role.Midlight, "line"),
        (role.Light, "raised"),
        (role.Dark, "line"),
        (role.Accent, "accent"),
    ):
        made.setColor(which, QColor(tokens[token]))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, QColor(tokens["dim"]))
    made.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(tokens["line"]))
    return made


def small(font: QFont, share: float = 0.9) -> QFont:
    """Return ``font`` at a share of its size, but large enough to be read."""
    made = QFont(font)
    made.setPointSizeF(max(7.5, made.pointSizeF() * share))
    return made


def numbers(font: QFont) -> QFont:
    """Return ``font`` with tabular digits, so that changing numbers do not jump."""
    made = QFont(font)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def monospace(size: int = 0) -> QFont:
    """Return the fixed-width font of the desktop, in points (0: as the application's font)."""
    made = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    made.setPointSizeF(size or QGuiApplication.font().pointSizeF())
    return made


class _Notifier(QObject):
    """Tells that the theme on screen is another one."""

    changed = Signal()


_notifier = _Notifier()
_dressed: WeakKeyDictionary[QAction | QAbstractButton, tuple[str, str]] = WeakKeyDictionary()


def notifier() -> _Notifier:
    """Return the object whose signal ``changed`` follows every change of theme."""
    return _notifier


def icon(name: str, tint: str = "text") -> QIcon:
    """Return a qtawesome icon ("mdi6.play") in a colour of the theme on screen; "" gives none. See :func:`set_icon`."""
    if not name:
        return QIcon()
    import qtawesome  # loads its fonts: not before an icon is wanted

    made: QIcon = qtawesome.icon(name, color=color(tint), color_disabled=color("line"))
    return made


def set_icon(target: QAction | QAbstractButton, name: str, tint: str = "text") -> None:
    """Set the icon of an action or a button, and tint it anew whenever the theme changes."""
    _dressed[target] = (name, tint)
    target.setIcon(icon(name, tint))
