"""How people of real clips move by `~/people`, beside what four calibrated cameras show together.

`python test/outputs/real_motions.py` prints a line for each person and camera of the clips of
pose2sim, and one for all. The velocity of a camera's frame is compared with that of the pelvis in
space, which is triangulated from the most accurate model's poses in all four cameras, and smoothed
over 0.3 s. People seem too far or too near by one factor each, so the true velocity is taken that
many times: what remains is what the covariance of the noise has to cover. With `--step 2` the
images come at 30 Hz, with 6 at 10 Hz.

One person stands and sways, the other takes steps and balances on one leg.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media
from people.alone import Span
from people.calibrated import Camera as TrueCamera
from people.calibrated import read_cameras
from people.clips import P2S_PEOPLE, p2s_points_m

from outputs.test_messages import frame
from pose_ros.blazepose import PoseTracker, PoseTrackerOptions, Roi
from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.topology import HIPS
from pose_ros.body.velocity import Motion
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.distortion import distortion_from
from pose_ros.geometry.options import PositionOptions
from pose_ros.geometry.position import PositionEstimator
from pose_ros.outputs.frame import Person
from pose_ros.outputs.motions import Motions

Floats = npt.NDArray[np.float64]

RATE_HZ, SIZE = 60, ImageSize(1088, 1920)
SETTLED_S = 0.8
STANDING_M_S = 0.15
_HALF_WINDOW = 9


@dataclass(frozen=True)
class Moved:
    """Velocities (n, 3) of one person in the frame of one camera, found and true, in m/s."""

    found_m_s: Floats
    true_m_s: Floats
    std_m_s: Floats

    @property
    def is_covered(self) -> npt.NDArray[np.bool_]:
        """Which of them (n, 3) are within two standard deviations."""
        covered: npt.NDArray[np.bool_] = abs(self.found_m_s - self.true_m_s) <= 2 * self.std_m_s
        return covered

    @property
    def is_zero_covered(self) -> npt.NDArray[np.bool_]:
        """Which of those of somebody who stands (m, 3) are within two deviations of 0."""
        stands = np.linalg.norm(self.true_m_s, axis=1) < STANDING_M_S
        covered: npt.NDArray[np.bool_] = abs(self.found_m_s[stands]) <= 2 * self.std_m_s[stands]
        return covered


def moved(model: str, step: int) -> Iterator[tuple[str, Moved]]:
    """Yield what was found of each person and camera. MediaUnavailable without the clips."""
    cameras = read_cameras(media.path("p2s_calibration"))
    for name, spans in P2S_PEOPLE.items():
        pelvis_m = p2s_points_m(name, cameras)[:, HIPS].mean(axis=1)
        for span, camera in zip(spans, cameras, strict=True):
            yield f"{name} {span.clip[-5:]}", _compared(span, camera, pelvis_m, model, step)


def _compared(span: Span, seen_by: TrueCamera, pelvis_m: Floats, model: str, step: int) -> Moved:
    rotation, translation = seen_by.camera_from_world[:, :3], seen_by.camera_from_world[:, 3]
    true_m, true_m_s = _smoothed(pelvis_m @ rotation.T + translation)
    motions = dict(_motions(span, seen_by, model, step))
    numbers = [number for number in motions if number >= SETTLED_S * RATE_HZ]
    of_distance = [
        np.linalg.norm(motions[number].seen.position_m) / np.linalg.norm(true_m[number])
        for number in numbers
    ]
    found = [motions[number] for number in numbers]
    return Moved(
        np.array([motion.velocity_m_s for motion in found]),
        float(np.median(of_distance)) * true_m_s[numbers],
        np.sqrt([np.diag(motion.noise_covariance)[3:] for motion in found]),
    )


def _smoothed(points_m: Floats) -> tuple[Floats, Floats]:
    """Return points (n, 3) and their velocities by a parabola through what is around each."""
    fits = []
    for number in range(len(points_m)):
        near = np.arange(max(number - _HALF_WINDOW, 0), number + _HALF_WINDOW + 1)
        near = near[near < len(points_m)]
        fits.append(np.polynomial.polynomial.polyfit(near - number, points_m[near], 2)[:2])
    smooth: Floats = np.array(fits, np.float64)
    return np.asarray(smooth[:, 0]), np.asarray(smooth[:, 1] * RATE_HZ)


def _motions(
    span: Span, seen_by: TrueCamera, model: str, step: int
) -> Iterator[tuple[int, Motion]]:
    """Yield the motion in each image in which the person is located, by its number."""
    matrix = seen_by.matrix
    distortion = distortion_from("plumb_bob", [*seen_by.distortion, 0.0])
    focal_and_center = (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    camera = Camera(SIZE, *focal_and_center, is_calibrated=True, distortion=distortion)
    tracker = PoseTracker(PoseTrackerOptions(model=model))
    estimator = PositionEstimator(PositionOptions(), MODELS[model].distance_factor)
    used, roi = Motions(), Roi(np.array(span.start_roi[:2]), span.start_roi[2], 0.0)
    images = islice(media.frames(span.clip), span.first, span.first + span.count, step)
    for index, image in enumerate(images):
        time_ns = round((1 + index * step) * 1e9 / RATE_HZ)
        poses = tracker.track(image, time_ns, roi if index == 0 else None)
        positions = estimator.estimate(poses, camera, None)
        people = map(Person, poses, positions)
        shown = replace(frame(*people), poses=poses, camera=camera, is_located=True)
        for person in used.apply(shown).people:
            if person.motion is not None:
                yield index * step, person.motion


def main() -> int:
    """Print the velocities; 2 with the reason if the clips can't be had."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="full", help="default: full")
    parser.add_argument("--step", type=int, default=2, help="images from one to the next")
    asked = parser.parse_args()
    print(f"{asked.model}, {RATE_HZ / asked.step:.0f} images a second, m/s")
    found = []
    try:
        for name, one in moved(asked.model, asked.step):
            print(f"{name:<12} {_text(one)}", flush=True)
            found.append(one)
    except media.MediaUnavailable as error:
        print(f"real_motions: {error}", file=sys.stderr)
        return 2
    together = [
        np.concatenate([getattr(one, name) for one in found])
        for name in ("found_m_s", "true_m_s", "std_m_s")
    ]
    print(f"{'all':<12} {_text(Moved(*together))}")
    return 0


def _text(one: Moved) -> str:
    speeds, errors = (
        np.median(np.linalg.norm(part, axis=1))
        for part in (one.true_m_s, one.found_m_s - one.true_m_s)
    )
    text = (
        f"{len(one.true_m_s):>4} images: true speed {speeds:.2f}, error {errors:.2f}, stated "
        f"{np.median(one.std_m_s):.2f} an axis, {one.is_covered.mean():.0%} within 2"
    )
    zero = one.is_zero_covered
    return text + (
        f"; stands in {len(zero)}: {zero.mean():.0%} within 2 of 0" if len(zero) else ""
    )


if __name__ == "__main__":
    sys.exit(main())
