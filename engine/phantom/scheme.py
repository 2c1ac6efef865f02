"""MOLLI schemes: how "5(3)3" is read, and when each image is taken."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.core.errors import InputError

FIRST_TI_MS = 120.0
TI_STEP_MS = 80.0
MAX_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Scheme:
    """A MOLLI scheme: ``images`` in each inversion group, heartbeats of ``rest`` between groups.

    Raises
    ------
    InputError
        No group, a group without images, a negative rest.
    """

    images: tuple[int, ...]
    rest: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.images or min(self.images) < 1 or any(beats < 0 for beats in self.rest) or sum(self.images) > MAX_IMAGES:
            raise InputError(
                f"the scheme {self} cannot be played (expected 1 to {MAX_IMAGES} images in all, at least one after each inversion)",
                "Use for example --scheme '5(3)3' or '4(1)3(1)2'.",
            )

    def __str__(self) -> str:
        parts = [str(self.images[0])] if self.images else []
        for beats, images in zip(self.rest, self.images[1:], strict=True):
            parts.append(f"({beats}){images}")
        return "".join(parts)

    @property
    def count(self) -> int:
        """Number of images."""
        return sum(self.images)

    def first_tis(self) -> tuple[float, ...]:
        """Return the first inversion time of each group in ms: 120, 200, 280 ..."""
        return tuple(FIRST_TI_MS + TI_STEP_MS * group for group in range(len(self.images)))

    def times_ms(self, rr_ms: float) -> tuple[float, ...]:
        """Return the inversion time of each image in ms, in the order of acquisition."""
        return tuple(first + k * rr_ms for first, images in zip(self.first_tis(), self.images, strict=True) for k in range(images))


def parse_scheme(text: str) -> Scheme:
    """Read a scheme: images, then rest heartbeats in brackets, in turn ("5(3)3", "4(1)3(1)2", "3(3)3(3)5", "8").

    Raises
    ------
    InputError
        The text is something else.
    """
    compact = re.sub(r"\s+", "", text)
    if not re.fullmatch(r"\d{1,3}(\(\d{1,3}\)\d{1,3})*", compact):
        raise InputError(
            f"the scheme {text!r} cannot be read (expected images, then rest beats in brackets, in turn)",
            "Use for example --scheme '5(3)3' or '4(1)3(1)2'.",
        )
    numbers = [int(n) for n in re.findall(r"\d+", compact)]
    return Scheme(tuple(numbers[0::2]), tuple(numbers[1::2]))
