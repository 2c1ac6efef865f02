"""What a series is, in plain values: what ``myoscope info`` prints."""

from __future__ import annotations

import numpy as np

from engine.core import axes
from engine.core.records.series import Acceleration, SeriesInfo
from engine.core.records.values import number, tabled
from engine.core.types import Float, ImageSeries, KSpaceSeries


def describe(series: KSpaceSeries | ImageSeries) -> SeriesInfo:
    """Return kind, axes, times, sampling, voxel size and what is unknown."""
    names = axes.KSPACE_AXES if isinstance(series, KSpaceSeries) else axes.IMAGE_AXES
    full, acceleration, pattern = _sampling(series)
    return SeriesInfo(
        name=series.name,
        format=series.format,
        content="kspace" if isinstance(series, KSpaceSeries) else "images",
        kind=str(series.kind),
        axes=dict(zip(names, (int(n) for n in series.shape), strict=True)),
        times_ms=_times(series.times_ms),
        fully_sampled=full,
        acceleration=acceleration,
        pattern=pattern,
        sampling_known_from=str(series.acquisition.evidence) if isinstance(series, KSpaceSeries) else None,
        window=_window(series),
        voxel_mm=series.voxel_mm,
        orientation=series.geometry.orientation or None,
        phase_encode=series.geometry.phase_encode or None,
        scale=_scale(series),
        unknown=series.unknown,
        notes=series.notes,
    )


def _times(times: Float | None) -> tuple[float, ...] | tuple[tuple[float, ...], ...] | None:
    if times is None:
        return None
    rows = tuple(tuple(round(float(t), 4) for t in row) for row in times)
    return rows[0] if all(row == rows[0] for row in rows) else rows


def _sampling(series: KSpaceSeries | ImageSeries) -> tuple[bool, Acceleration, str | None]:
    """Return whether it is fully sampled, how it was accelerated, and the mask pattern."""
    nominal, effective, pattern = None, 1.0, None
    if isinstance(series, KSpaceSeries):
        acquired = series.acquisition
        full, nominal, effective = acquired.fully_sampled, acquired.nominal_acceleration, acquired.effective_acceleration
        pattern = acquired.masks[0].pattern if acquired.masks else None
    else:
        made = series.attributes.get("acceleration")
        full = made is None
        if made is not None:
            told = tabled(made)
            nominal = None if told["nominal"] is None else number(told["nominal"])
            effective, pattern = number(told["effective"]), None if told.get("pattern") is None else str(told["pattern"])
    return full, Acceleration(nominal, round(effective, 4)), pattern


def _window(series: KSpaceSeries | ImageSeries) -> dict[str, tuple[int, int]] | None:
    """Return the acquired window where it is known and smaller than the matrix."""
    window = series.acquisition.window if isinstance(series, KSpaceSeries) else None
    if window is None or window.covers(*series.shape[-2:]):
        return None
    return {"ky": window.ky, "kx": window.kx}


def _scale(series: KSpaceSeries | ImageSeries) -> float | None:
    frame = series.reader.read_frame(0, 0) if isinstance(series, KSpaceSeries) else series.images[0, 0]
    with np.errstate(invalid="ignore", over="ignore"):  # NaN is refused where a slice is read
        magnitude = np.abs(frame)
    finite = magnitude[np.isfinite(magnitude)]
    return float(finite.max()) if finite.size else None
