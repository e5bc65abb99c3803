"""How soon waves are found, and that nobody is said to wave who does not.

`python test/body/waving_evaluate.py` prints both. Silence is judged on real clips, in which nobody
waves. Of real waves there are too few clips: for timing, one arm of real tracked people is
replaced by one that waves, with lengths, noise and the rest of the body as they were tracked.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import media
import numpy as np
import numpy.typing as npt
from people.arrays import Arrays, stored_arrays

from body.labeled import pictures
from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.topology import FULL_BODY, SHOULDERS
from pose_ros.body.behavior import Behavior
from pose_ros.body.figure import Figure

LATEST_S = 1.5
ALLOWED_LATE = 0.05
_OPTIONS = PoseTrackerOptions(model="full", max_persons=3)
_ELBOW, _WRIST = (FULL_BODY.names.index(f"left_{part}") for part in ("elbow", "wrist"))
_HAND = [FULL_BODY.names.index(f"left_{part}") for part in ("pinky", "index", "thumb")]


@dataclass(frozen=True)
class Clip:
    """Images of a clip: every `step`-th of the first ones, `count` in all."""

    name: str
    hz: float
    count: int
    step: int = 1


SILENT = (
    *(Clip(f"p2s_single_cam0{n}", 60.0, 50, 2) for n in (1, 2, 3, 4)),
    *(Clip(f"p2s_multi_cam0{n}", 60.0, 50, 2) for n in (1, 2, 3, 4)),
    Clip("sports2d_demo", 30.0, 230),
    Clip("cap12_edit", 30.0, 300),
    Clip("cap13_edit", 30.0, 300),
    Clip("franck", 25.0, 300),
    Clip("vtest", 10.0, 300),
)
"""Clips of people who balance, jump, walk, talk; nobody waves."""
ANIMATED = ("p2s_single_cam02", "p2s_multi_cam01", "p2s_multi_cam02", "sports2d_demo")
"""Clips of people whose arm is made to wave: seen from several sides."""


@dataclass(frozen=True)
class Wave:
    """A wave: swings a second, how far to each side in degrees, and the slope of the upper arm.

    `upper_deg` is 0 for an upper arm that hangs, and 90 for one that is level.
    """

    hz: float
    swing_deg: float
    upper_deg: float


def tracked(clip: Clip) -> Arrays:
    """Return what is tracked in a clip, a row per person and image: stored after the first time.

    `stamp_ns`, `person_id`, `world_m` (n, 33, 3), `visibility` (n, 33).
    """
    return stored_arrays(f"behavior_{clip.name}", (clip, _OPTIONS), lambda: _tracked(clip))


def _tracked(clip: Clip) -> Arrays:
    tracker = PoseTracker(_OPTIONS)
    rows = []
    for index, image in enumerate(_images(clip)):
        stamp_ns = 1_000_000_000 + round(index * clip.step * 1e9 / clip.hz)
        for pose in tracker.track(image, stamp_ns):
            assert pose.world_landmarks_m is not None
            rows.append((stamp_ns, pose.person_id, pose.world_landmarks_m, pose.visibility))
    names = ("stamp_ns", "person_id", "world_m", "visibility")
    return {
        name: np.array(part) for name, part in zip(names, zip(*rows, strict=True), strict=True)
    }


def _images(clip: Clip) -> Iterator[media.Image]:
    """Give the images. Raises MediaUnavailable."""
    if clip.name in media.TABLE:
        file = media.path(clip.name)
    else:
        file = media.stored(pictures()[clip.name], pictures().values())
    capture = cv2.VideoCapture(str(file))
    for index in range(clip.count * clip.step):
        is_there, image = capture.read()
        if not is_there:
            return
        if index % clip.step == 0:
            yield np.ascontiguousarray(np.asarray(image, np.uint8)[..., ::-1])


def waves_in(rows: Arrays) -> tuple[int, float]:
    """Return in how many rows somebody is said to wave, and how long people were watched, in s."""
    behavior, waving = Behavior(), 0
    for stamp_ns in np.unique(rows["stamp_ns"]):
        now = np.flatnonzero(rows["stamp_ns"] == stamp_ns)
        figures = {
            int(rows["person_id"][row]): Figure(
                rows["world_m"][row].tolist(), rows["visibility"][row].tolist()
            )
            for row in now
        }
        doings = behavior.update(figures, int(stamp_ns))
        waving += sum("waving" in " ".join(doing.gestures) for doing in doings.values())
    period_s = float(np.median(np.diff(np.unique(rows["stamp_ns"])))) * 1e-9
    return waving, period_s * len(rows["stamp_ns"])


def found_after_s(rows: Arrays, wave: Wave, wait_s: float = 0.3) -> float:
    """Return how long after its start the wave of the first person is found; infinite if never.

    The arm is held up for some time before, as everybody does.
    """
    behavior = Behavior()
    own = np.flatnonzero(rows["person_id"] == rows["person_id"][0])
    first_ns = int(rows["stamp_ns"][own[0]])
    for row in own:
        stamp_ns = int(rows["stamp_ns"][row])
        since_s = (stamp_ns - first_ns) * 1e-9 - wait_s
        points_m = waving_points(rows["world_m"][row].astype(np.float64), wave, since_s)
        visibility = rows["visibility"][row].copy()
        visibility[[SHOULDERS[0], _ELBOW, _WRIST]] = 0.9
        doing = behavior.update({1: Figure(points_m.tolist(), visibility.tolist())}, stamp_ns)[1]
        if "waving_left" in doing.gestures:
            return since_s
    return math.inf


def waving_points(
    points_m: npt.NDArray[np.float64], wave: Wave, since_s: float
) -> npt.NDArray[np.float64]:
    """Return landmarks (33, 3) with the left arm waving since some time, as long as it was.

    What the tracked elbow and wrist tremble from image to image, about their lengths, stays.
    """
    shoulder, elbow, wrist = points_m[SHOULDERS[0]], points_m[_ELBOW], points_m[_WRIST]
    upper_m, forearm_m = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    outward = 1.0 if shoulder[0] >= points_m[SHOULDERS[1]][0] else -1.0
    slope = math.radians(wave.upper_deg)
    swing = math.sin(2 * math.pi * wave.hz * max(since_s, 0.0))
    angle = math.radians(wave.swing_deg) * swing
    moved = points_m.copy()
    moved[_ELBOW] = shoulder + upper_m * np.array(
        (outward * math.sin(slope), math.cos(slope), 0.0)
    )
    forearm = np.array((math.sin(angle), -math.cos(angle), -0.2)) / math.hypot(1, 0.2)
    moved[_WRIST] = moved[_ELBOW] + forearm_m * forearm
    moved[_HAND] = moved[_WRIST] + 0.08 * forearm
    return moved


def waves() -> Iterator[Wave]:
    """Give the waves that are animated."""
    for hz in (1.0, 1.4, 1.8, 2.2, 2.6):
        for swing_deg, upper_deg in ((20.0, 25.0), (30.0, 50.0), (35.0, 85.0), (45.0, 60.0)):
            yield Wave(hz, swing_deg, upper_deg)


def main() -> int:
    """Evaluate and print; 1 if somebody was said to wave, or too few waves were found in time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    said = 0
    for clip in SILENT:
        try:
            waving, watched_s = waves_in(tracked(clip))
        except media.MediaUnavailable as error:
            print(f"{clip.name}: left out, {error}")
            continue
        said += waving
        print(f"{clip.name}: {watched_s:.1f} s of people, waving in {waving} images")
    clips = [clip for clip in SILENT if clip.name in ANIMATED]
    delays_s = np.array([found_after_s(tracked(clip), wave) for clip in clips for wave in waves()])
    late = int(np.sum(~(delays_s <= LATEST_S)))
    middle_s, high_s = np.quantile(delays_s[np.isfinite(delays_s)], (0.5, 0.95))
    print(
        f"{len(delays_s)} animated waves: {len(delays_s) - late} found within {LATEST_S} s, "
        f"{int(np.isinf(delays_s).sum())} never; median {middle_s:.2f} s, 95 % {high_s:.2f} s"
    )
    return int(said > 0 or late > ALLOWED_LATE * len(delays_s))


if __name__ == "__main__":
    sys.exit(main())
