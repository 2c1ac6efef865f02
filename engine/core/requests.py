"""Frozen requests: what the window and the command line ask of :mod:`engine.api`, and what a run says while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core.records.plain import Plain
from engine.core.types import ImageSeries, Kind, KSpaceSeries, Reconstruction, SamplingMask, Score


@dataclass(frozen=True, slots=True)
class MaskRequest:
    """A mask to make.

    ``acceleration`` is nominal (ACS not counted); ``acs`` lines (or block side) of the centre; ``per_frame`` None means the
    pattern's own habit; ``options`` are the pattern's further parameters.
    """

    pattern: str = "equispaced"
    acceleration: float = 8.0
    acs: int = 24
    seed: int = 0
    per_frame: bool | None = None
    options: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceSequence:
    """The second sequence of methods that are led by one: another contrast, another inversion time, or the temporal mean.

    Not to be confused with a series' own reference, its fully sampled image.

    Parameters
    ----------
    source
        Images, or fully sampled k-space, of the same anatomy and matrix; None is the series that is reconstructed.
    frame
        The frame of the source that leads all frames. None: of another series each frame leads its own, of the series itself it is
        the mean of what its frames measured.
    """

    source: KSpaceSeries | ImageSeries | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReconRequest:
    """A reconstruction to make.

    ``mask`` None uses the data as measured; ``weights`` is an id or a file; ``slices`` and ``frames`` None mean all;
    ``reference`` asks for the fully sampled image beside; ``options`` override the method's default settings; ``precision`` of a
    network's layers is ``float32``, ``bfloat16`` or, on CUDA, ``float16`` (the physics stays in single precision);
    ``reference_sequence`` is for methods that need a second sequence, None gives them the temporal mean.
    """

    series: KSpaceSeries
    method: str
    mask: SamplingMask | None = None
    weights: str | None = None
    slices: tuple[int, ...] | None = None
    frames: tuple[int, ...] | None = None
    device: str = "auto"
    stages: bool = False
    reference: bool = True
    options: Mapping[str, Plain] = field(default_factory=dict)
    precision: str = "float32"
    reference_sequence: ReferenceSequence | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MethodRequest:
    """One method of a run; fields as in :class:`ReconRequest`.

    ``earlier`` is what the method made of the same series before: when mask, weights, settings and frames are the same, slices
    that are not asked for now stay in the result, else it is left aside.
    """

    method: str
    weights: str | None = None
    options: Mapping[str, Plain] = field(default_factory=dict)
    precision: str = "float32"
    reference_sequence: ReferenceSequence | None = None
    earlier: Reconstruction | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RunRequest:
    """One series with one mask, reconstructed by several methods; fields as in :class:`ReconRequest`.

    ``slices`` are worked on in their order: all methods of the first one, then all of the next, so that who cancels has the same
    slices of every method. ``metrics`` are taken of every slice as soon as it is there, when the series is fully sampled: over the
    whole image and over the dynamic and the static region at ``percentile`` (none without names).
    """

    series: KSpaceSeries
    methods: tuple[MethodRequest, ...]
    mask: SamplingMask | None = None
    slices: tuple[int, ...] | None = None
    frames: tuple[int, ...] | None = None
    device: str = "auto"
    stages: bool = False
    reference: bool = True
    metrics: tuple[str, ...] = ()
    percentile: float = 90.0


@dataclass(frozen=True, slots=True, eq=False)
class SliceDone:
    """A method has made a slice.

    ``result`` holds all slices that are there: a view of the run's buffer, in the order of work until the method is ``finished``
    (then ascending); ``scores`` are those of all its slices that have been scored in this run, by metric and region, with slice
    ``"all"``; empty until every slice of ``result`` has been.
    """

    index: int
    slice_index: int
    result: Reconstruction
    scores: Mapping[tuple[str, str], Score] = field(default_factory=dict)
    finished: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MethodFailed:
    """A method of a run has failed and takes no further part; ``details`` is the traceback."""

    index: int
    error: Exception
    details: str


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """What a person may have to say about a file that does not say it itself.

    Parameters
    ----------
    axes
        Letters in storage order: ``s`` slice, ``f`` frame, ``c`` coil, ``y``, ``x`` (for k-space y and x mean ky and kx).
        None lets the reader decide.
    key
        Name of the variable in a file that holds several.
    times_ms
        Inversion or echo times, one per frame.
    kind
        ``cine``, ``molli`` or ``t2prep``; None lets the reader decide.
    """

    axes: str | None = None
    key: str | None = None
    times_ms: tuple[float, ...] | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    """What phantom to make: a numerical acquisition of a beating heart. The engine checks it when it is made.

    Parameters
    ----------
    kind
        ``cine``, ``molli`` or ``t2prep``.
    matrix
        Sizes (ky, kx) of k-space and of the image (y, x): phase encoding first, readout second. "192x160" is (192, 160).
    coils
        Receive loops, 1 to 64; one coil has a uniform sensitivity.
    slices
        Short-axis slices from base to apex; a single one is at mid-ventricle.
    frames
        Cardiac phases of a cine (None: 12). For MOLLI and T2-prep the scheme or the echo times decide: None, or the same number.
    field_t
        Field strength, 1.5 to 3 T.
    scheme
        MOLLI scheme ("5(3)3", "4(1)3(1)2", ...) of at least 3 images; the other kinds ignore it.
    rr_ms
        RR interval.
    snr
        Signal of myocardium in the frame where it is strongest, divided by the standard deviation of the noise in the real part of
        the coil-combined, fully sampled image. ``inf`` for no noise.
    seed
        Decides the person, the phase, the turn of the coil array and the noise.
    analytic
        Signal equations in closed form, with truth maps that are exact in every pixel, instead of Bloch simulation.
    motion_mm
        Largest in-plane drift of breathing. None: 1.5 for cine and 0 for maps, so that truth maps hold for every frame.
    echo_times_ms
        T2 preparation times.
    ordering
        Order of the lines in a simulated MOLLI or T2-prepared readout, ``linear`` or ``centric``.
    fov_mm
        Field of view (y, x); None: the smallest with square pixels that holds the chest.
    """

    kind: str = Kind.CINE.value
    matrix: tuple[int, int] = (192, 160)
    coils: int = 10
    slices: int = 1
    frames: int | None = None
    field_t: float = 3.0
    scheme: str = "5(3)3"
    rr_ms: float = 900.0
    snr: float = 40.0
    seed: int = 0
    analytic: bool = False
    motion_mm: float | None = None
    echo_times_ms: tuple[float, ...] = (0.0, 35.0, 55.0)
    ordering: str = "linear"
    fov_mm: tuple[float, float] | None = None
