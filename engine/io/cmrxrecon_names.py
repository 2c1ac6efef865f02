"""What the names of CMRxRecon's files, folders and variables say: kind, sampling, where the mask and the tables are.

Source: ChallengeDataFormat of CMRxRecon (2023), CMRxRecon2024 and CMRxRecon2025.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.core.types import Kind

# kspace_full, kspace_single_full, kspace_sub04, kspace_single_sub08 (2023); kspace_full, kus (2024); kspace (2025).
KEYS = re.compile(r"kspace(_single)?(_full|_sub\d+)?|kus", re.IGNORECASE)
UNDERSAMPLED_KEY = re.compile(r"kspace(_single)?_sub\d+|kus", re.IGNORECASE)
UNDERSAMPLED_STEM = re.compile(r"^(?P<base>.+)_kus_(?P<pattern>[A-Za-z]+?)(?P<rate>\d+)$")
# mask04, kspace_sub04, kspace_single_sub04; cine_lax_kus_Uniform4, cine_lax_mask_ktRadial16, usmask_ktGaussian10; AccFactor04.
# Anything wider takes "sub07" for R = 7 and 16 radial lines for R = 16.
RATES = (
    re.compile(r"(?:mask|kspace_sub|kspace_single_sub)(\d{2})", re.IGNORECASE),
    re.compile(r".*(?:mask|kus)_(?:Uniform|kt[A-Za-z]+)(\d{1,2})", re.IGNORECASE),
    re.compile(r"AccFactor(\d{1,2})", re.IGNORECASE),
)
# The longer names first: T1mappost is a MOLLI, T2smap is T2*.
KINDS = (
    ("cine", Kind.CINE),
    ("aorta", Kind.CINE),
    ("tagging", Kind.CINE),
    ("t1map", Kind.MOLLI),
    ("t2smap", Kind.UNKNOWN),
    ("t2map", Kind.T2PREP),
)
STATIC = ("blackblood", "lge", "t1w", "t2w")


@dataclass(frozen=True, slots=True)
class Names:
    """What the path of a k-space file says.

    ``base`` is the name without what tells the sampling ("cine_sax"); ``undersampled`` None means that the names do not say.
    """

    base: str
    kind: Kind
    static: bool
    single_coil: bool
    undersampled: bool | None
    nominal: float | None


def parse(path: Path, key: str) -> Names:
    """Return what ``path`` and the variable's name ``key`` say."""
    match = UNDERSAMPLED_STEM.match(path.stem)
    base = match["base"] if match else path.stem
    folders = {part.lower() for part in path.parts[:-1]}
    undersampled: bool | None = None
    if UNDERSAMPLED_KEY.fullmatch(key) or match:
        undersampled = True
    elif key.lower().endswith("_full") or "fullsample" in folders:
        undersampled = False
    return Names(
        base=base,
        kind=kind_of(base),
        static=base.lower().startswith(STATIC),
        single_coil="single" in key.lower() or "singlecoil" in folders,
        undersampled=undersampled,
        nominal=nominal_of(path, key) if undersampled is not False else None,
    )


def kind_of(base: str) -> Kind:
    """Return the kind of series that a file name begins with."""
    for prefix, kind in KINDS:
        if base.lower().startswith(prefix):
            return kind
    return Kind.UNKNOWN


def nominal_of(path: Path, key: str) -> float | None:
    """Return the nominal acceleration in the variable's name, the file's or its folders'; the ACS lines are not counted in it."""
    in_key, in_stem, in_folder = RATES
    matches = (in_key.fullmatch(key), in_stem.fullmatch(path.stem), *map(in_folder.fullmatch, reversed(path.parts[:-1])))
    return next((float(match[1]) for match in matches if match and int(match[1]) > 0), None)


def mask_files(path: Path) -> Iterator[Path]:
    """Yield where the mask of a k-space file may be: beside it, or in the Mask_* folder that belongs to UnderSample_*."""
    match = UNDERSAMPLED_STEM.match(path.stem)
    stem = f"{match['base']}_mask_{match['pattern']}{match['rate']}" if match else f"{path.stem}_mask"
    yield path.with_name(f"{stem}.mat")
    parts = list(path.parent.parts)
    for index, part in enumerate(parts):
        if part.lower().startswith("undersample"):
            moved = [*parts[:index], "Mask" + part[len("undersample") :], *parts[index + 1 :]]
            yield Path(*moved) / f"{stem}.mat"


def table_files(path: Path, base: str, ending: str) -> Iterator[Path]:
    """Yield where a table ``base + ending`` may be: beside the file, or in the ImgSnapshot folder of the same subject."""
    yield path.with_name(f"{base}{ending}")
    subject = path.parent.name
    for parent in list(path.parents)[1:4]:
        yield parent / "ImgSnapshot" / subject / f"{base}{ending}"
