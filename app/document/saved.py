"""What a session file holds, field by field: the document written out, with references to data in the place of data.

Nothing here names a person: titles, paths and settings only. A path below the home folder begins with ``~``.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from app.display.map_state import Drawing, MapView
from app.display.state import ViewState
from app.document.case import Source, Value

FORMAT: Final = "myoscope session"
VERSION: Final = 1

Numbers = list[list[float]]
PanelValue: TypeAlias = bool | int | float | str | list[int | float | str] | None


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all: immutable; a field that is not known is an error."""


Hashed: TypeAlias = Literal["whole", "parts", "folder"]


class FileReference(Record, kw_only=True, frozen=True):
    """A file (or folder) that the session uses, and how to know it again.

    ``beside`` is its path from the folder of the session file, "" when there is none. ``sha256`` is that of all bytes (``whole``),
    or over parts of a large one (``parts``), see :func:`app.document.locate.fingerprint`.
    """

    path: str
    beside: str = ""
    size: int
    sha256: str
    hashed: Hashed


class SavedOrigin(Record, kw_only=True, frozen=True):
    """How the data are had again; see :class:`app.document.case.Origin`."""

    source: Source
    name: str = ""
    options: dict[str, Value] = {}
    coils: int | None = None
    snr: float | None = None
    data: FileReference | None = None


class SavedMask(Record, kw_only=True, frozen=True):
    """A sampling mask: its lines as bits, packed, deflated, in base 64."""

    pattern: str
    nominal_acceleration: float | None = None
    acs: tuple[int, int] | None = None
    seed: int | None = None
    shape: tuple[int, int, int]
    bits: str


class SavedRequest(Record, kw_only=True, frozen=True):
    """What the sampling panel showed."""

    pattern: str
    acceleration: float
    acs: int
    seed: int
    per_frame: bool | None = None
    options: dict[str, Value] = {}


class SavedFit(Record, kw_only=True, frozen=True):
    """How maps are fitted; see :class:`app.display.map_state.FitSettings`."""

    model: str = ""
    signed: str = "auto"
    motion: str = "none"
    efficiency: float = 1.0
    background: float = 0.05
    times_ms: Numbers | None = None
    weights: str | None = None
    skipped: list[str] = []


class SavedResult(Record, kw_only=True, frozen=True):
    """How a result was made, and where it lies when it was written; ``mask`` counts the masks of the file."""

    key: str
    title: str
    method: str
    mask: int
    slices: tuple[int, ...]
    options: dict[str, Value] = {}
    weights: str | None = None
    weights_sha256: str = ""
    file: FileReference | None = None


class SavedMaps(Record, kw_only=True, frozen=True):
    """How maps were fitted, and where they lie when they were written."""

    key: str
    title: str
    fit: SavedFit
    file: FileReference | None = None


class SavedCase(Record, kw_only=True, frozen=True):
    """One case; see :class:`app.document.case.Case`."""

    key: str
    title: str
    origin: SavedOrigin
    path: str = ""
    commands: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    request: SavedRequest | None = None
    mask: int | None = None
    mask_file: str = ""
    results: tuple[SavedResult, ...] = ()
    view: ViewState = msgspec.field(default_factory=ViewState)
    selected: str = ""
    maps: tuple[SavedMaps, ...] = ()
    fit: SavedFit = SavedFit()
    map_view: MapView = msgspec.field(default_factory=MapView)
    map_selected: str = ""
    drawings: dict[int, Drawing] = {}


class SavedWindow(Record, kw_only=True, frozen=True):
    """What the window shows besides: workspace, arrangement of the docks by workspace (base 64), settings of panels by name."""

    workspace: str = ""
    docks: dict[str, str] = {}
    panels: dict[str, dict[str, PanelValue]] = {}


class SavedSession(Record, kw_only=True, frozen=True):
    """All of a session file."""

    format: str
    version: int
    program: str = ""
    current: str = ""
    cases: tuple[SavedCase, ...] = ()
    masks: tuple[SavedMask, ...] = ()
    window: SavedWindow = SavedWindow()
