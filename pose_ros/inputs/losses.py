"""Whether images are lost on their way from the camera, as far as counts and stamps show."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_WINDOW_S = 10.0
_MIN_IMAGES = 20
_LOST_SHARE = 0.1
_INFO_RATIO = 1.5
_GAP_SHARE = 0.3
_FIT_SHARE = 0.9
_FIT = 0.15
"""Largest distance of a step from a multiple of the usual one, as a part of the usual one."""
_USUAL_PERCENTILE = 10
_MAX_MULTIPLE = 4  # longer ones differ by more than their jitter


class Counts(NamedTuple):
    """Numbers of received images, of received camera_info, and of images reported lost."""

    images: int
    infos: int
    lost: int


class LossCheck:
    """Looks at the last ten seconds of a stream of images; times are those of a steady clock."""

    def __init__(self) -> None:
        self._totals: deque[tuple[float, Counts]] = deque()
        self._stamps: deque[tuple[float, int]] = deque()
        self._found_s, self._found = 0.0, ""

    def reset(self) -> None:
        """Forget the stream: its counts begin at 0 again."""
        self._totals.clear()
        self._stamps.clear()
        self._found = ""

    def receive(self, now_s: float, stamp_ns: int) -> None:
        """Take an image."""
        self._stamps.append((now_s, stamp_ns))
        while self._stamps[0][0] < now_s - _WINDOW_S:
            self._stamps.popleft()

    def evidence(self, now_s: float, totals: Counts) -> str | None:
        """Return what shows that images are lost, else None; for one call a second or so.

        `totals` are those since the stream began. Nothing is decided in its first ten seconds.
        What was found holds for ten seconds, so that few losses less do not end it.
        """
        found = self._evidence(now_s, totals)
        if found is not None:
            self._found_s, self._found = now_s, found
        return self._found if self._found and now_s - self._found_s < _WINDOW_S else None

    def _evidence(self, now_s: float, totals: Counts) -> str | None:
        self._totals.append((now_s, totals))
        while len(self._totals) > 1 and self._totals[1][0] <= now_s - _WINDOW_S:
            self._totals.popleft()
        begin_s, begin = self._totals[0]
        if now_s - begin_s < _WINDOW_S:
            return None
        counts = Counts(*(now - before for now, before in zip(totals, begin, strict=True)))
        stamps_ns = [stamp_ns for received_s, stamp_ns in self._stamps if received_s >= begin_s]
        return loss_evidence(counts, stamps_ns, now_s - begin_s)


def loss_evidence(counts: Counts, stamps_ns: Sequence[int], seconds: float) -> str | None:
    """Return what shows that images were lost in some seconds, else None.

    That is what the middleware reported, camera_info that came far more often, or gaps between the
    stamps of a regular camera.
    """
    sent = counts.images + counts.lost
    if sent >= _MIN_IMAGES and counts.lost >= _LOST_SHARE * sent:
        return f"{counts.lost} of {sent} in {seconds:.0f} s"
    if counts.images and counts.infos >= max(_MIN_IMAGES, _INFO_RATIO * counts.images):
        info_hz, image_hz = counts.infos / seconds, counts.images / seconds
        return f"images arrive at {image_hz:.1f} Hz, their camera_info at {info_hz:.1f} Hz"
    share = gap_share(stamps_ns)
    if share < _GAP_SHARE:
        return None
    return (
        f"{share:.0%} of the steps between stamps are multiples of the usual one, unless the "
        "camera itself leaves images out"
    )


def gap_share(stamps_ns: Sequence[int]) -> float:
    """Return which part of the steps between stamps are multiples of the usual step.

    0 if there are few, or if the steps are of no regular camera.
    """
    steps_ns = np.diff(np.asarray(stamps_ns, np.float64))
    steps_ns = steps_ns[steps_ns > 0]
    if len(steps_ns) < _MIN_IMAGES:
        return 0.0
    short_ns = steps_ns[steps_ns < 1.5 * np.percentile(steps_ns, _USUAL_PERCENTILE)]
    ratios = steps_ns / np.median(short_ns)
    judged = ratios[ratios < _MAX_MULTIPLE + 0.5]
    is_regular = np.mean(abs(judged - np.rint(judged)) <= _FIT) >= _FIT_SHARE
    return float(np.mean(np.rint(ratios) >= 2)) if is_regular else 0.0
