"""The top bar: open, samples, workspaces at the left; device, memory, jobs and help at the right."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QTabBar, QToolBar, QToolButton, QWidget

from app import theme
from app.jobs import JobRunner
from app.panels.jobs import JobIndicator
from app.panels.parts import NORMAL
from app.workspaces import WORKSPACES


class TopBar(QToolBar):
    """Made from actions; tells about the machine through its labels.

    Signals
    -------
    workspace_chosen(name)
        A tab was chosen.
    """

    workspace_chosen = Signal(str)

    def __init__(self, actions: Mapping[str, QAction], runner: JobRunner, fill_samples: Callable[[QMenu], None]) -> None:
        super().__init__("Main")
        self.setObjectName("top")
        self.setMovable(False)
        self.setIconSize(QSize(18, 18))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addAction(actions["file.open"])
        self._add_samples(fill_samples)
        self.tabs = QTabBar()
        self.tabs.setObjectName("top.workspaces")
        self.tabs.setAccessibleName("Workspaces")
        self.tabs.setDrawBase(False)
        self.tabs.setAutoHide(True)
        self.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for number, workspace in enumerate(WORKSPACES, 1):
            index = self.tabs.addTab(workspace.title)
            self.tabs.setTabData(index, workspace.name)
            self.tabs.setTabToolTip(index, f"{workspace.tip} (Ctrl+{number})")
        self.tabs.currentChanged.connect(lambda index: self.workspace_chosen.emit(str(self.tabs.tabData(index))))
        self.addWidget(self.tabs)
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(gap)
        self.device = self._label("top.device", "Device", "starting…")
        self.memory = self._label("top.memory", "Memory in use", "")
        self.memory.setToolTip("Memory of this machine in use, and in all")
        self.indicator = JobIndicator(runner)
        self.addWidget(self.indicator)
        self.addAction(actions["help.shortcuts"])
        button = self.widgetForAction(actions["help.shortcuts"])
        if isinstance(button, QToolButton):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)

    def show_workspace(self, name: str) -> None:
        """Mark a tab, without telling."""
        with QSignalBlocker(self.tabs):
            names = [self.tabs.tabData(index) for index in range(self.tabs.count())]
            self.tabs.setCurrentIndex(names.index(name))

    def set_note(self, name: str, note: str) -> None:
        """Write what a workspace is doing behind its title, "" for nothing."""
        for index, workspace in enumerate(WORKSPACES):
            if workspace.name == name:
                self.tabs.setTabText(index, f"{workspace.title} {note}".rstrip())

    def _add_samples(self, fill: Callable[[QMenu], None]) -> None:
        self.samples_menu = QMenu(self)
        self.samples_menu.setObjectName("menu.top_samples")
        self.samples_menu.aboutToShow.connect(lambda: fill(self.samples_menu))
        self.samples_action = QAction("Samples", self)
        theme.set_icon(self.samples_action, "mdi6.heart-pulse")
        self.samples_action.setObjectName("file.samples")
        self.samples_action.setToolTip("Data that ship with the program, and phantoms made on demand")
        self.samples_action.setMenu(self.samples_menu)
        self.addAction(self.samples_action)
        button = self.widgetForAction(self.samples_action)
        if isinstance(button, QToolButton):
            button.setObjectName("top.samples")
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _label(self, name: str, words: str, text: str) -> QLabel:
        made = QLabel(text)
        made.setObjectName(name)
        made.setAccessibleName(words)
        made.setProperty("dim", True)
        made.setFont(theme.numbers(made.font()))
        made.setContentsMargins(NORMAL, 0, NORMAL, 0)
        self.addWidget(made)
        return made
