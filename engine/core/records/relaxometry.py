"""What is read from maps: statistics of segments, agreement of two fits, extracellular volume, reference values of a site."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from engine.core.errors import InputError
from engine.core.records.plain import FLAT
from engine.core.types import Float, ParameterMap

QUANTITIES = {"T1": "ms", "T2": "ms", "ECV": "%"}
"""What a site reference can be of, and its unit."""


@dataclass(frozen=True, slots=True)
class SegmentStatistics:
    """Statistics of the valid pixels of a segment.

    ``segment`` is its number and ``name`` what the AHA calls it ("" for other regions); ``sd`` is that of a sample (n - 1); ``n``
    counts valid pixels, ``n_invalid`` the others. Numbers that do not exist (mean of no pixel, SD of one) are NaN.
    """

    segment: int
    name: str
    mean: float
    sd: float
    median: float
    n: int
    n_invalid: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Bias and limits of agreement of ``n`` paired values (Bland and Altman, Lancet 1986;327:307).

    ``bias`` is the mean difference, ``sd`` that of the differences (n - 1), ``lower`` and ``upper`` are bias -/+ 1.96 sd;
    ``median``, ``rmse`` and ``mae`` are of the differences, ``bias_percent`` is of ``reference_mean``. NaN where there are too few.
    """

    n: int
    bias: float
    sd: float
    lower: float
    upper: float
    median: float
    rmse: float
    mae: float
    reference_mean: float
    bias_percent: float


@dataclass(frozen=True, slots=True)
class SegmentAgreement:
    """Agreement of the pixels of one segment in one slice (its number in the series); ``mean`` is the estimate's."""

    slice: int
    segment: int
    name: str
    mean: float
    n_invalid: int
    agreement: Agreement = field(metadata=FLAT)


@dataclass(frozen=True, slots=True, eq=False)
class MapComparison:
    """How the main map of one fit differs from that of the reference, pixel by pixel.

    Parameters
    ----------
    agreement
        Of all pixels that are valid in both and lie in the region.
    quantity, unit, title, reference_title, region
        What was compared.
    slices
        Numbers in the series that both have.
    n_invalid, n_lost
        Pixels of the region that one of the two has no value for, and of them those that only the reference has.
    means, differences
        float32 (n,), the points of a Bland-Altman plot.
    difference
        Map of the common slices.
    notes
        What was fitted in another way.
    segments, segment_agreement
        With masks: a row for each slice and segment, and the agreement of the segments' means.
    """

    agreement: Agreement
    quantity: str
    unit: str
    title: str
    reference_title: str
    region: str
    slices: tuple[int, ...]
    n_invalid: int
    n_lost: int
    means: Float
    differences: Float
    difference: ParameterMap
    notes: tuple[str, ...] = ()
    segments: tuple[SegmentAgreement, ...] = ()
    segment_agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """T1 of a region before and after contrast: mean, standard deviation over pixels, number of pixels."""

    native_ms: float
    native_sd_ms: float
    native_n: int
    post_ms: float
    post_sd_ms: float
    post_n: int


@dataclass(frozen=True, slots=True)
class WallEcv:
    """The extracellular volume of a region of myocardium.

    ``ecv`` and ``ecv_sd`` in percent and ``partition`` are those of the mean T1 (which needs no register), ``ecv_mean``,
    ``ecv_spread`` and ``n`` those of the map's pixels.
    """

    t1: Pool = field(metadata=FLAT)
    ecv: float
    ecv_sd: float
    partition: float
    ecv_mean: float
    ecv_spread: float
    n: int


@dataclass(frozen=True, slots=True)
class EcvSummary:
    """What an ECV map was made of; ``n_outside`` counts pixels with T1 but a value outside 0 to 100 %."""

    haematocrit: float
    blood: Pool
    n_outside: int
    myocardium: WallEcv | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteReference:
    """Mean and standard deviation of a quantity in healthy people, as one site measured it.

    Parameters
    ----------
    quantity
        ``T1`` or ``T2`` in ms, ``ECV`` in percent.
    field_t
        Field strength.
    sequence
        Sequence and scheme in the site's words, for example "MOLLI 5(3)3".
    mean, sd
        In the unit of the quantity.
    note
        Vendor, sex, age, number of people: whatever else tells for whom it holds.
    """

    quantity: str
    field_t: float
    sequence: str
    mean: float
    sd: float
    note: str = ""

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise InputError(f"unknown quantity {self.quantity!r} (expected {', '.join(QUANTITIES)})", "Choose one of them.")
        for name in ("sequence", "note"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"the {name} is no text (found {getattr(self, name)!r})", "Write it in words.")
        if not self.sequence.strip():
            raise InputError("the site reference names no sequence (expected for example MOLLI 5(3)3)", "Say how it was measured.")
        for name in ("field_t", "mean", "sd"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
                raise InputError(
                    f"{name} of the site reference {self.sequence} cannot be used (expected a number above 0 / found {value!r})",
                    "Give the mean and the standard deviation over healthy people, and the field in tesla.",
                )
            object.__setattr__(self, name, float(value))

    @property
    def unit(self) -> str:
        """Unit of mean and standard deviation."""
        return QUANTITIES[self.quantity]

    @property
    def name(self) -> str:
        """What a person reads in a list: "T1, 3 T, MOLLI 5(3)3"."""
        return f"{self.quantity}, {self.field_t:g} T, {self.sequence}" + (f" ({self.note})" if self.note else "")
