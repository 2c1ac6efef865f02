"""Sampling masks: one file per family, each registers its patterns. NumPy only."""

from engine.core.records.options import Option
from engine.sampling.contract import MASKS, MaskSpec, make_mask

__all__ = ["MASKS", "MaskSpec", "Option", "make_mask"]
