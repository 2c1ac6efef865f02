"""Readers and writers: one file per format, each registers itself."""

from engine.io.contract import FORMATS, Format, OpenOptions, WriteOptions
from engine.io.opening import entries, open_series
from engine.io.saving import save

__all__ = ["FORMATS", "Format", "OpenOptions", "WriteOptions", "entries", "open_series", "save"]
