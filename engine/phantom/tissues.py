"""Structures of the phantom and the relaxation times of what they are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from engine.core.errors import InputError

FIELD_RANGE_T = (1.5, 3.0)
FAT_SHIFT_PPM = -3.4
GAMMA_MHZ_PER_T = 42.577


class Structure(IntEnum):
    """Label of each structure; the numbers are those of the truth array ``labels``."""

    BACKGROUND = 0
    LV_BLOOD = 1
    LV_MYOCARDIUM = 2
    RV_BLOOD = 3
    RV_WALL = 4
    PAPILLARY = 5
    FAT = 6
    MUSCLE = 7
    LUNG = 8
    LIVER = 9
    VESSEL = 10
    BONE = 11
    MARROW = 12
    SPLEEN = 13
    CSF = 14


@dataclass(frozen=True, slots=True)
class Tissue:
    """Relaxation times in ms, proton density relative to water, off-resonance in Hz."""

    t1_ms: float
    t2_ms: float
    pd: float
    off_resonance_hz: float = 0.0


# (T1, T2 at 1.5 T, T1, T2 at 3 T in ms, proton density). Blood, fat, liver, muscle and lung: middle of the ranges reported for
# native tissue; myocardium: the true T1, which is longer than what MOLLI reads (1000 and 1250 ms); spleen, marrow, bone and
# cerebrospinal fluid: the order of Stanisz, MRM 2005;54:507. Lung and bone are mostly seen by their lack of protons.
_TABLE: dict[Structure, tuple[float, float, float, float, float]] = {
    Structure.LV_BLOOD: (1600.0, 250.0, 1850.0, 150.0, 0.95),
    Structure.LV_MYOCARDIUM: (1150.0, 50.0, 1400.0, 45.0, 0.80),
    Structure.RV_BLOOD: (1550.0, 210.0, 1800.0, 125.0, 0.95),
    Structure.RV_WALL: (1150.0, 50.0, 1400.0, 45.0, 0.80),
    Structure.PAPILLARY: (1150.0, 50.0, 1400.0, 45.0, 0.80),
    Structure.FAT: (300.0, 60.0, 380.0, 60.0, 0.70),
    Structure.MUSCLE: (1000.0, 40.0, 1300.0, 32.0, 0.80),
    Structure.LUNG: (1200.0, 30.0, 1300.0, 30.0, 0.18),
    Structure.LIVER: (590.0, 46.0, 750.0, 34.0, 0.90),
    Structure.VESSEL: (1600.0, 230.0, 1850.0, 140.0, 0.95),
    Structure.BONE: (220.0, 1.0, 300.0, 0.6, 0.12),
    Structure.MARROW: (550.0, 49.0, 590.0, 49.0, 0.60),
    Structure.SPLEEN: (1060.0, 79.0, 1330.0, 61.0, 0.90),
    Structure.CSF: (4000.0, 1500.0, 4000.0, 1300.0, 1.00),
}
MYOCARDIUM = (Structure.LV_MYOCARDIUM, Structure.RV_WALL, Structure.PAPILLARY)


def tissues(field_t: float) -> dict[Structure, Tissue]:
    """Return the tissue of each structure (all but the background) at a field strength.

    Between 1.5 and 3 T relaxation times follow a power of the field through the two tabulated values (Bottomley, Med Phys
    1984;11:425, for T1).

    Raises
    ------
    InputError
        ``field_t`` is outside 1.5 ... 3 T.
    """
    low, high = FIELD_RANGE_T
    if not low <= field_t <= high:
        raise InputError(
            f"the field strength cannot be used (expected {low:g} to {high:g} T / found {field_t:g})",
            "Use --field 1.5 or --field 3.0.",
        )
    share = math.log(field_t / low) / math.log(high / low)
    found = {}
    for structure, (t1_low, t2_low, t1_high, t2_high, pd) in _TABLE.items():
        shift = FAT_SHIFT_PPM * GAMMA_MHZ_PER_T * field_t if structure is Structure.FAT else 0.0
        found[structure] = Tissue(t1_low * (t1_high / t1_low) ** share, t2_low * (t2_high / t2_low) ** share, pd, shift)
    return found
