"""What a result says about how far it can be trusted, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TWO_SETS = (
    "the field of view folds over or cuts through tissue: two sets of coil maps were used, and where both hold signal the image is "
    "their root sum of squares"
)


def notes_of_maps(title: str, needed: int, used: int) -> tuple[str, ...]:
    """Return what is to be said when one set of coil maps is not enough: ``needed`` by the data, ``used`` by the method."""
    if needed < 2:
        return ()
    if used == needed:
        return (TWO_SETS,)
    return (
        f"warning: the field of view folds over or cuts through tissue, which one set of coil maps cannot explain, and {title} "
        "uses one: expect errors there; l1_wavelet, low_rank_sparse and cg_sense use two",
    )


def gathered(notes: Mapping[int, Sequence[str]]) -> tuple[str, ...]:
    """Return the notes of slices (numbered from 0), each once, with the slices that it holds for unless it does for all."""
    found: dict[str, list[int]] = {}
    for index, sentences in notes.items():
        for sentence in sentences:
            found.setdefault(sentence, []).append(index)
    return tuple(text if len(at) == len(notes) else f"{_slices(sorted(at))}: {text}" for text, at in found.items())


def _slices(indices: Sequence[int]) -> str:
    numbers = ", ".join(str(index + 1) for index in indices)
    return f"slice {numbers}" if len(indices) == 1 else f"slices {numbers}"
