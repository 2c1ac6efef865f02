from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QAction, QColor, QPalette
from PySide6.QtWidgets import QToolButton
from shiboken6 import delete

from app import theme
from app.resources import path


def luminance(color):
    def linear(v):
        return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4

    c = QColor(color)
    return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF())


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tokens", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
def test_words_can_be_read(tokens):
    for text in ("text", "dim", "warning", "error", "good", "accent"):
        for ground in ("window", "base"):
            assert contrast(tokens[text], tokens[ground]) >= 4.5, (text, ground)
    assert contrast(tokens["on_accent"], tokens["accent"]) >= 4.5
    assert contrast(tokens["text"], tokens["raised"]) >= 4.5
    assert contrast(theme.IMAGE_DIM, theme.IMAGE_BACKGROUND) >= 4.5


def test_both_themes_have_the_same_tokens():
    assert theme.DARK.keys() == theme.LIGHT.keys()


def test_style_sheet_has_no_colour_of_its_own():
    sheet = path("style", "myoscope.qss").read_text(encoding="utf-8")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", re.sub(r"QLabel#\S+", "", sheet))
    used = set(re.findall(r"\$(\w+)", sheet)) - {"check"}
    assert used <= theme.DARK.keys() | theme.IMAGE_TOKENS.keys()


def test_apply_changes_palette_sheet_and_icons(qapp):
    button, action = QToolButton(), QAction()
    theme.apply(qapp, "dark")
    theme.set_icon(button, "mdi6.play")
    theme.set_icon(action, "mdi6.pause")
    seen = []
    theme.notifier().changed.connect(lambda: seen.append(theme.is_dark()))
    dark = button.icon().pixmap(16, 16).toImage()
    theme.apply(qapp, "light")
    assert seen == [False]
    assert not theme.is_dark()
    assert theme.mode() == "light"
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(theme.LIGHT["window"])
    assert theme.LIGHT["accent"] in qapp.styleSheet()
    assert button.icon().pixmap(16, 16).toImage() != dark
    theme.apply(qapp, "dark")
    assert button.icon().pixmap(16, 16).toImage() == dark
    theme.apply(qapp, "dark")
    assert seen == [False, True]


def test_system_follows_the_desktop_or_is_dark(qapp):
    theme.apply(qapp, "system")
    assert theme.mode() == "system"
    assert theme.color("window") == QColor((theme.DARK if theme.is_dark() else theme.LIGHT)["window"])
    theme.apply(qapp, "dark")


def test_unknown_mode(qapp):
    with pytest.raises(ValueError, match="'sepia' is not a valid Mode"):
        theme.apply(qapp, "sepia")


def test_no_icon_and_fonts(qapp):
    assert theme.icon("").isNull()
    assert not theme.icon("mdi6.play").isNull()
    assert theme.numbers(qapp.font()).featureTags()
    assert theme.monospace(9).pointSizeF() == 9
    assert theme.small(theme.monospace(20)).pointSizeF() == 18
    assert theme.small(theme.monospace(6)).pointSizeF() == 7.5


def test_what_is_gone_is_left_alone(qapp):
    theme.apply(qapp, "dark")
    kept, gone = QToolButton(), QToolButton()
    for button in (kept, gone):
        theme.set_icon(button, "mdi6.play")
    delete(gone)
    before = kept.icon().pixmap(16, 16).toImage()
    theme.apply(qapp, "light")
    assert kept.icon().pixmap(16, 16).toImage() != before
    theme.apply(qapp, "dark")
