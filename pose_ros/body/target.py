"""Who of the people is the target: one is chosen, and stays it until lost for some time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

FOLLOW = ("none", "nearest", "center", "largest", "gesture")
"""What a target is chosen by."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may become the target, and what counts for that.

    `distance_m` is that from the camera, `off_center` that of the region from the middle of the
    image, and `size_px` the side of the region.
    """

    person_id: int
    distance_m: float
    off_center: float
    size_px: float


_COSTS: dict[str, Callable[[Candidate], float]] = {
    "nearest": lambda candidate: candidate.distance_m,
    "center": lambda candidate: candidate.off_center,
    "largest": lambda candidate: -candidate.size_px,
    "gesture": lambda candidate: candidate.distance_m,  # of those who ask for it
}


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """Who is the target, if anybody, and when the target was last seen.

    `is_released`: nobody is, until the next one is asked for.
    """

    person_id: int | None = None
    seen_ns: int = 0
    is_released: bool = False

    def updated(
        self,
        present: Sequence[int],
        candidates: Sequence[Candidate],
        follow: str,
        hold_ns: int,
        time_ns: int,
    ) -> TargetChoice:
        """Return the choice after an image that shows the people `present`.

        The target stays it while present, and for `hold_ns` after; then the best one of the
        `candidates` becomes the target.
        """
        if follow == "none":
            return TargetChoice()
        if self.person_id is not None:
            if self.person_id in present:
                return replace(self, seen_ns=time_ns)
            if time_ns - self.seen_ns <= hold_ns:
                return self
        if self.is_released or not candidates:
            return TargetChoice(is_released=self.is_released)
        best = min(candidates, key=lambda one: (_COSTS[follow](one), one.person_id))
        return TargetChoice(best.person_id, time_ns)

    def next(self, candidates: Sequence[Candidate], time_ns: int) -> TargetChoice:
        """Return the choice of the next candidate by id, the first after the last.

        Without another candidate the target stays it; after a release somebody is chosen again.
        """
        ids = sorted(candidate.person_id for candidate in candidates)
        others = [number for number in ids if number != self.person_id]
        if self.person_id is None or not others:
            return replace(self, is_released=False)
        following = [number for number in others if number > self.person_id]
        return TargetChoice((following or others)[0], time_ns)

    def released(self) -> TargetChoice:
        """Return the choice of nobody."""
        return TargetChoice(is_released=True)


def off_center(center_px: Sequence[float], image_size: Sequence[float]) -> float:
    """Return how far a point is from the middle of the image, as a part of the diagonal."""
    middle_px = [side / 2 for side in image_size]
    return math.dist(center_px, middle_px) / math.hypot(*image_size)
