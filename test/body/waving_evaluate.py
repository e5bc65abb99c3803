"""How soon waves are found, and that nobody is said to wave who does not.

`python test/body/waving_evaluate.py` prints both. Silence is judged on real clips, in which nobody
waves; some hold a hand up, beckon or throw (`real_clips.py`). No real clip shows a hand that
swings to and fro: for timing, one arm of real tracked people is replaced by one that waves, with
the lengths and noise of the tracked one, a camera's blur and the tracker's filter.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import media
import numpy as np
import numpy.typing as npt
from people.arrays import Arrays, stored_arrays

from body.labeled import pictures
from body.real_clips import ROWS
from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.topology import FULL_BODY, SHOULDERS
from pose_ros.body.behavior import Behavior
from pose_ros.body.figure import Figure

LATEST_S = 1.5
ALLOWED_LATE = 0.05
RATES_HZ = (30, 15, 10)
_EXPOSED_S = np.linspace(0, 0.05, 5)
"""A camera sees the arm blurred, at its average over so long."""
_MODEL = "full"
_ELBOW, _WRIST = (FULL_BODY.names.index(f"left_{part}") for part in ("elbow", "wrist"))
_HAND = [FULL_BODY.names.index(f"left_{part}") for part in ("pinky", "index", "thumb")]


@dataclass(frozen=True)
class Clip:
    """Images of a clip: every `step`-th of the first ones, `count` in all; perhaps mirrored."""

    name: str
    hz: float
    count: int
    step: int = 1
    is_mirrored: bool = False

    def at(self, hz: float) -> Clip:
        """Return the clip at a lower rate, or near it, as whole images are left out."""
        more = max(round(self.hz / self.step / hz), 1)
        return replace(self, step=self.step * more, count=self.count // more)


SILENT = (
    *(Clip(f"p2s_single_cam0{n}", 60.0, 50, 2) for n in (1, 2, 3, 4)),
    *(Clip(f"p2s_multi_cam0{n}", 60.0, 50, 2) for n in (1, 2, 3, 4)),
    Clip("sports2d_demo", 30.0, 230),
    Clip("cap12_edit", 30.0, 300),
    Clip("cap13_edit", 30.0, 300),
    Clip("franck", 25.0, 300),
    Clip("vtest", 10.0, 300),
    *(Clip(name, 30.0, 340) for name in ROWS),
)
"""Clips of people who balance, jump, walk, talk, and those of `real_clips.py`; nobody waves."""
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


def tracked(clip: Clip, model: str = _MODEL) -> Arrays:
    """Return what is tracked in a clip, a row per person and image: stored after the first time.

    `stamp_ns`, `person_id`, `world_m` (n, 33, 3), `visibility` (n, 33). Raises MediaUnavailable.
    """
    options = PoseTrackerOptions(model=model, max_persons=3)
    return stored_arrays(
        f"behavior_{clip.name}", (clip, options), lambda: _tracked(clip, PoseTracker(options))
    )


def _tracked(clip: Clip, tracker: PoseTracker) -> Arrays:
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
        rows = pictures() | ROWS
        file = media.stored(rows[clip.name], rows.values())
    capture = cv2.VideoCapture(str(file))
    for index in range(clip.count * clip.step):
        is_there, image = capture.read()
        if not is_there:
            return
        if index % clip.step == 0:
            rgb = np.asarray(image, np.uint8)[..., ::-1]
            yield np.ascontiguousarray(rgb[:, ::-1] if clip.is_mirrored else rgb)


def gestures_in(rows: Arrays) -> Iterator[tuple[str, ...]]:
    """Yield what is said of each person in each image."""
    behavior = Behavior()
    for stamp_ns in np.unique(rows["stamp_ns"]):
        now = np.flatnonzero(rows["stamp_ns"] == stamp_ns)
        figures = {
            int(rows["person_id"][row]): Figure(
                rows["world_m"][row].tolist(), rows["visibility"][row].tolist()
            )
            for row in now
        }
        for doing in behavior.update(figures, int(stamp_ns)).values():
            yield doing.gestures


def waves_in(rows: Arrays) -> tuple[int, float]:
    """Return in how many rows somebody is said to wave, and how long people were watched, in s."""
    waving = sum("waving" in " ".join(gestures) for gestures in gestures_in(rows))
    period_s = float(np.median(np.diff(np.unique(rows["stamp_ns"])))) * 1e-9
    return waving, period_s * len(rows["stamp_ns"])


def found_after_s(rows: Arrays, wave: Wave, wait_s: float = 0.3) -> float:
    """Return how long after its start the wave of a person is found; infinite if never.

    It is the person who is tracked longest. The arm is held up for some time before.
    """
    behavior, smoothing = Behavior(), MODELS[_MODEL].smoothing.world
    assert smoothing is not None
    own = np.flatnonzero(rows["person_id"] == np.bincount(rows["person_id"]).argmax())
    first_ns = int(rows["stamp_ns"][own[0]])
    for row in own:
        stamp_ns = int(rows["stamp_ns"][row])
        since_s = (stamp_ns - first_ns) * 1e-9 - wait_s
        seen_m = rows["world_m"][row].astype(np.float64)
        blurred_m = np.mean([waving_points(seen_m, wave, since_s - s) for s in _EXPOSED_S], axis=0)
        points_m, smoothing = smoothing.apply(
            blurred_m.astype(np.float32), stamp_ns, np.float32(1)
        )
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


_LARGE = ((20.0, 25.0), (30.0, 50.0), (35.0, 85.0), (45.0, 60.0))
_USUAL_HZ = (1.0, 1.4, 1.8, 2.2, 2.6)
USUAL = "20 to 45 degrees to each side"
WAVES = {
    USUAL: (_USUAL_HZ, _LARGE),
    "the same, faster": ((3.0, 3.5), _LARGE),
    "13 or 15 degrees": (_USUAL_HZ, ((13.0, 25.0), (15.0, 50.0))),
    "10 degrees": (_USUAL_HZ, ((10.0, 25.0), (10.0, 50.0), (10.0, 85.0))),
}
"""What is animated: how often a second; how far to each side, and the slope of the upper arm."""


def waves(name: str) -> Iterator[Wave]:
    """Give the waves of a row of `WAVES`."""
    rates_hz, shapes = WAVES[name]
    for hz in rates_hz:
        for swing_deg, upper_deg in shapes:
            yield Wave(hz, swing_deg, upper_deg)


def judge_silence(model: str, hz: float, is_mirrored: bool) -> int:
    """Print in which clips somebody is said to wave; return in how many rows."""
    said, watched_s = 0, 0.0
    for clip in SILENT:
        shown = replace(clip.at(hz), is_mirrored=is_mirrored)
        try:
            waving, seconds = waves_in(tracked(shown, model))
        except media.MediaUnavailable as error:
            print(f"  {clip.name}: left out, {error}")
            continue
        said, watched_s = said + waving, watched_s + seconds
        if waving:
            print(f"  {clip.name}: waving in {waving} images")
    print(f"{model}, {hz} Hz: {watched_s:.0f} s of people, waving in {said} images")
    return said


def judge_timing(name: str, hz: float) -> float:
    """Print how soon animated waves are found; return which part of them is late."""
    clips = [clip.at(hz) for clip in SILENT if clip.name in ANIMATED]
    rows = [tracked(clip) for clip in clips]
    delays_s = np.array([found_after_s(row, wave) for row in rows for wave in waves(name)])
    late = int(np.sum(~(delays_s <= LATEST_S)))
    middle_s, high_s = np.quantile(delays_s[np.isfinite(delays_s)], (0.5, 0.95))
    print(
        f"{name}, {hz} Hz: {len(delays_s) - late} of {len(delays_s)} within {LATEST_S} s, "
        f"{int(np.isinf(delays_s).sum())} never; median {middle_s:.2f} s, 95 % {high_s:.2f} s"
    )
    return late / len(delays_s)


def main() -> int:
    """Evaluate and print; 1 if somebody was said to wave, or too few waves were found in time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=[_MODEL], help="for silence")
    parser.add_argument("--mirrored", action="store_true", help="judge silence in mirrored images")
    args = parser.parse_args()
    said = sum(judge_silence(model, hz, args.mirrored) for model in args.models for hz in RATES_HZ)
    late = {name: [judge_timing(name, hz) for hz in RATES_HZ] for name in WAVES}
    return int(said > 0 or max(late[USUAL]) > ALLOWED_LATE)


if __name__ == "__main__":
    sys.exit(main())
