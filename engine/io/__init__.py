"""Readers and writers: one file per format, each reader registers itself."""

from engine.io.contract import FORMATS, FormatSpec, OpenOptions, open_series

__all__ = ["FORMATS", "FormatSpec", "OpenOptions", "open_series"]
