from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QWidget

from app.views.steady import hold_room, show_text


class Layouts(QObject):
    """Counts how often a widget is asked to lay out its children."""

    def __init__(self, widget):
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, _, event):  # noqa: N802 - Qt
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False


def shown(qtbot, parent, *labels):
    layout = QHBoxLayout(parent)
    for label in labels:
        layout.addWidget(label)
    qtbot.addWidget(parent)
    parent.show()
    QApplication.processEvents()
    return Layouts(parent)


def test_other_words_in_the_room_that_is_held_lay_nothing_out(qtbot, themed):
    free, held = QLabel("frame 1/20"), QLabel("frame 1/20")
    hold_room(held, "frame 20/20")
    assert held.text() == "frame 1/20"
    parent = QWidget()
    layouts = shown(qtbot, parent, free, held)
    held.setText("frame 12/20")
    QApplication.processEvents()
    assert layouts.count == 0
    assert held.width() >= held.fontMetrics().horizontalAdvance("frame 20/20")
    free.setText("frame 12/20")
    QApplication.processEvents()
    assert layouts.count == 1, "which a label without held room does"


def test_a_label_grows_with_its_words_and_never_shrinks(qtbot, themed):
    label = QLabel()
    assert show_text(label, "", 60)
    assert label.width() == 60
    assert not show_text(label, "x 1")
    assert show_text(label, "a sentence that is far longer than the room")
    wide = label.width()
    assert wide >= label.fontMetrics().horizontalAdvance(label.text())
    assert not show_text(label, "x 2")
    assert label.width() == wide
