"""Readers and writers: one file per format, each registers itself."""

from engine.core.requests import OpenOptions
from engine.io.contract import FORMATS, Format, WriteOptions
from engine.io.opening import entries, open_series
from engine.io.saving import save

__all__ = ["FORMATS", "Format", "OpenOptions", "WriteOptions", "entries", "open_series", "save"]
