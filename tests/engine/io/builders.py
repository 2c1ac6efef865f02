"""Files in the layouts that the readers know, written by hand: nothing here uses the code under test."""

from __future__ import annotations

import h5py
import numpy as np

MATLAB_HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Fri Nov 20 10:00:00 2026 HDF5 schema 1.00 ."


def asymmetric(slices=3, frames=4, coils=5, ky=9, kx=8):
    """k-space (slice, frame, coil, ky, kx) whose value tells its place: no two axes can be swapped or flipped unnoticed."""
    grids = np.meshgrid(*(np.arange(1.0, n + 1) for n in (slices, frames, coils, ky, kx)), indexing="ij")
    s, f, c, y, x = grids
    return (1e4 * s + 1e3 * f + 100 * c + 10 * y + x + 1j * (s * x - f * y + 0.5 * c)).astype(np.complex64)


def matlab_order(kspace):
    """MATLAB's (kx, ky, coil, slice, time) of (slice, frame, coil, ky, kx)."""
    return kspace.transpose(4, 3, 2, 0, 1)


def write_v73(path, key, array, single=True, chunks=None, compression=None):
    """Write an array given in MATLAB's order as MATLAB 7.3 does: reversed axes, pairs of real and imag, 512-byte user block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.ascontiguousarray(array.transpose())
    if np.iscomplexobj(stored):
        part = "<f4" if single else "<f8"
        pairs = np.empty(stored.shape, [("real", part), ("imag", part)])
        pairs["real"], pairs["imag"] = stored.real, stored.imag
        stored = pairs
    with h5py.File(path, "a" if path.exists() else "w", **({} if path.exists() else {"userblock_size": 512})) as file:
        data = file.create_dataset(key, data=stored, chunks=chunks, compression=compression)
        data.attrs["MATLAB_class"] = np.bytes_("single" if single else "double")
    with path.open("rb+") as stream:
        stream.write(MATLAB_HEADER.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def lines_mask(ky=9, every=3, acs=(3, 7)):
    """Bool (ky): every n-th line and a centre."""
    lines = np.zeros(ky, bool)
    lines[::every] = True
    lines[slice(*acs)] = True
    return lines
