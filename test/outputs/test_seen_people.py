"""Figures of messages of landmarks: the same that the client's arrays give."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from synthetic.limbs import UP
from synthetic.postures import ALL_VISIBLE, HANGING, body_in_posture

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.body.figure import LEVEL_CAMERA_UP, SIDES, Figure
from pose_ros.outputs.layout import HELD, LANDMARK_DTYPE, TRACKED
from pose_ros.outputs.seen_people import seen_people

RAISED = body_in_posture("sitting", HANGING, (UP, UP))


def row_of(points_m: Float64Array, person_id: int, state: int = TRACKED) -> npt.NDArray[Any]:
    """Return the points (N,) of somebody whose landmarks in the image are those upside down."""
    points = np.zeros(len(points_m), LANDMARK_DTYPE)
    points["wx"], points["wy"], points["wz"] = points_m.T
    points["u"], points["v"], points["depth_rel"] = (points_m * (1, -1, 1)).T
    points["visibility"], points["person_id"], points["state"] = 0.95, person_id, state
    return points


def assert_same(figure: Figure, points_m: Float64Array) -> None:
    expected = Figure(points_m.tolist(), ALL_VISIBLE[: len(points_m)].tolist())
    for side in SIDES:
        for part in ("arm", "leg"):
            found, known = (getattr(item, part)(side) for item in (figure, expected))
            assert (found and found.rise) == pytest.approx(known and known.rise, abs=1e-5)


def test_who_is_tracked_is_seen_with_the_world_landmarks() -> None:
    rows = (
        row_of(body_in_posture("standing"), 7),
        row_of(body_in_posture("lying"), 3, HELD),
        row_of(RAISED, 2**32 - 1),
    )
    seen = seen_people(np.stack(rows), LEVEL_CAMERA_UP)
    assert {number: item.row for number, item in seen.items()} == {7: 0, 2**32 - 1: 2}
    assert_same(seen[7].figure, body_in_posture("standing"))
    assert_same(seen[2**32 - 1].figure, RAISED)


@pytest.mark.parametrize("count", [25, 33])
def test_without_world_landmarks_those_in_the_image_count(count: int) -> None:
    row = row_of(RAISED[:count], 7)
    row["wx"] = row["wy"] = row["wz"] = np.nan
    seen = seen_people(row[None], LEVEL_CAMERA_UP)
    assert_same(seen[7].figure, RAISED[:count] * (1, -1, 1))


def test_nobody_is_seen_in_an_empty_message() -> None:
    assert seen_people(np.zeros((0, 33), LANDMARK_DTYPE), LEVEL_CAMERA_UP) == {}


def test_points_may_lie_apart() -> None:
    points = np.zeros((2, 33, 2), LANDMARK_DTYPE)
    points[:, :, 0] = np.stack((row_of(body_in_posture("standing"), 1), row_of(RAISED, 2)))
    seen = seen_people(points[:, :, 0], LEVEL_CAMERA_UP)
    assert_same(seen[2].figure, RAISED)
