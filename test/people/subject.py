"""The tracker that is evaluated, and what it costs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import media

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.option_fields import option_specs

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Costs:
    """What a number of images cost."""

    images: int = 0
    detector_runs: int = 0
    cpu_s: float = 0.0

    def __add__(self, other: Costs) -> Costs:
        return Costs(
            self.images + other.images,
            self.detector_runs + other.detector_runs,
            self.cpu_s + other.cpu_s,
        )

    @property
    def detector_runs_per_image(self) -> float:
        """Runs of the person detector for an image."""
        return self.detector_runs / max(self.images, 1)

    @property
    def cpu_ms_per_image(self) -> float:
        """CPU time of all threads for an image."""
        return 1000 * self.cpu_s / max(self.images, 1)


def options_of(
    model: str,
    max_persons: int,
    detector: str,
    **others: Any,
) -> PoseTrackerOptions:
    """Return the tracker's options; OptionError for a value or an option that it does not have."""
    options: dict[str, Any] = {"model": model, **others}
    if max_persons != 1:
        options["max_persons"] = max_persons
    if detector != "blazepose":
        options["person_detector"] = detector
    known = option_specs(PoseTrackerOptions)
    for name in options:
        if name not in known:
            raise OptionError(f"{name} is {options[name]}; this tracker has no option {name}")
    return PoseTrackerOptions(**options)


class Subject:
    """A PoseTracker whose work is counted."""

    def __init__(self, options: PoseTrackerOptions) -> None:
        self.options = options
        self._runs: Counter[str] = Counter()
        self._tracker = PoseTracker(options, stage=self._stage)
        self.reset(rate_hz=30.0)

    def reset(self, rate_hz: float) -> None:
        """Forget everybody, and all costs; images come at this rate from now on."""
        self._tracker.reset()
        self._runs.clear()
        self._rate_hz, self._images, self._cpu_s = rate_hz, 0, 0.0

    @property
    def costs(self) -> Costs:
        """What all images since the reset cost."""
        return Costs(self._images, self._runs["detect"], self._cpu_s)

    def track(
        self, image: media.Image, boxes_px: Sequence[Sequence[float]] = ()
    ) -> tuple[Pose, ...]:
        """Return the poses in the next image.

        `boxes_px` (B, 4) are those of another detector, which sees every third image.
        """
        uses_boxes = self.options.person_detector == "topic" and self._images % 3 == 0
        self._images += 1
        stamp_ns = round(self._images / self._rate_hz * _NS_PER_S)
        start_s = time.process_time()
        given = boxes_px if uses_boxes else None
        poses = tuple(self._tracker.track(image, stamp_ns, boxes_px=given))
        self._cpu_s += time.process_time() - start_s
        return poses

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self._runs[name] += 1
        yield
