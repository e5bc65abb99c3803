"""The position of the person of a real video is plausible, frame after frame, in the real node."""

from __future__ import annotations

import media
import numpy as np
import pytest
import trajectory
from trajectory import Trajectory


@pytest.fixture(scope="module")
def course() -> Trajectory:
    media.require("sports2d_demo")
    recorded = trajectory.record()
    for name, value in trajectory.figures(recorded).items():
        print(f"{name}: {value}")
    return recorded


def test_the_person_has_a_place_nearly_always(course: Trajectory) -> None:
    assert len(course.times_s) > 40
    assert np.isfinite(course.hips_m).all(axis=1).mean() > 0.9


def test_a_landmark_is_known_or_unknown_as_a_whole(course: Trajectory) -> None:
    known = np.isfinite(course.landmarks_m)
    assert (known.all(axis=2) == known.any(axis=2)).all()


def test_the_body_stays_in_one_piece(course: Trajectory) -> None:
    """Hips are 0.1 to 0.4 m apart, and no landmark is farther than 1.6 m from their middle."""
    left, right = np.moveaxis(course.landmarks_m[:, trajectory.HIPS], 1, 0)
    widths_m = np.linalg.norm(left - right, axis=1)
    assert 0.05 < np.nanmedian(widths_m) < 0.4
    reach_m = np.linalg.norm(course.landmarks_m - course.hips_m[:, None], axis=2)
    assert np.nanpercentile(reach_m, 99) < 1.6


def test_the_person_moves_as_people_do(course: Trajectory) -> None:
    """Bounds of a fast walk at the median, of a run at p95; positions are within the scene."""
    assert np.median(course.speeds_m_s) < 2.0
    assert np.percentile(course.speeds_m_s, 95) < 6.0
    z_m = course.hips_m[:, 2]
    assert np.nanmin(z_m) > 2.0
    assert np.nanmax(z_m) < 10.0


def test_markers_have_no_point_that_is_not_finite(course: Trajectory) -> None:
    points = [
        (point.x, point.y, point.z)
        for message in course.markers
        for marker in message.markers
        for point in marker.points
    ]
    assert len(points) > 1000
    assert np.isfinite(points).all()
