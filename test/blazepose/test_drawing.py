"""Poses drawn on images: what is drawn, what is left out, and that nothing crashes it."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import media
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import Detection, ImageArray, Pose, Roi
from pose_ros.blazepose.drawing import (
    CENTER_COLOR,
    CONNECTION_COLOR,
    DETECTION_COLOR,
    LEFT_COLOR,
    PERSON_COLORS,
    RIGHT_COLOR,
    ROI_COLOR,
    box_corners_px,
    draw_poses,
)
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
FAR_ROI = Roi(np.array((9e8, 9e8)), 10.0, 0.0)  # draws nothing
BLACK = np.zeros((960, 1280, 3), np.uint8)


def pose(points: Mapping[str, tuple[float, float]] | None = None, **fields: Any) -> Pose:
    """An upper body of which only the landmarks in `points` are inside the image and visible."""
    landmarks_px = np.full((25, 3), -50.0, np.float32)
    for name, point_px in (points or {}).items():
        landmarks_px[UPPER_BODY.names.index(name), :2] = point_px
    defaults: dict[str, Any] = {
        "landmarks_px": landmarks_px,
        "visibility": np.ones(25, np.float32),
        "presence": np.ones(25, np.float32),
        "auxiliary_px": np.zeros((2, 3), np.float32),
        "score": 1.0,
        "roi": FAR_ROI,
        "next_roi": FAR_ROI,
        "person_id": 1,
    }
    return Pose(**{**defaults, **fields})


def draw(one: Pose, image: ImageArray = BLACK, min_visibility: float = 0.5) -> ImageArray:
    return draw_poses(image, (one,), UPPER_BODY, min_visibility)


def color_at(image: ImageArray, x: float, y: float) -> tuple[int, ...]:
    return tuple(image[int(y), int(x)].tolist())


SHOULDERS = {"left_shoulder": (400, 200), "right_shoulder": (200, 200)}


def test_landmarks_have_the_colors_of_their_sides() -> None:
    drawn = draw(pose({**SHOULDERS, "nose": (300, 100), "mouth_left": (320, 130)}))
    assert color_at(drawn, 400, 200) == LEFT_COLOR
    assert color_at(drawn, 200, 200) == RIGHT_COLOR
    assert color_at(drawn, 300, 100) == CENTER_COLOR
    assert color_at(drawn, 320, 130) == LEFT_COLOR


def test_landmarks_lie_over_a_ring_over_the_connections() -> None:
    drawn = draw(pose(SHOULDERS))
    row = drawn[200, 200:401]
    is_connection = (row == CONNECTION_COLOR).all(axis=1)
    assert is_connection[10:-10].all()
    assert not is_connection[:6].any()
    above = drawn[180:200, 400]
    assert (above == CONNECTION_COLOR).all(axis=1).any()
    assert not above[:10].any()


def test_connections_have_the_color_of_the_person() -> None:
    """The first one's is that of MediaPipe; the colors of eight people are all different."""
    ids = range(1, len(PERSON_COLORS) + 2)
    drawn = [draw(pose(SHOULDERS, person_id=person_id)) for person_id in ids]
    colors = [color_at(image, 300, 200) for image in drawn]
    assert colors[0] == colors[-1] == CONNECTION_COLOR
    assert len(set(colors)) == len(PERSON_COLORS)


@pytest.mark.parametrize(
    ("shift_px", "above"),
    [((0, 0), True), ((-190, 0), True), ((870, 0), True), ((0, -190), False)],
    ids=["middle", "left", "right", "top"],
)
def test_label_stands_above_the_person_inside_the_image(
    shift_px: tuple[int, int], above: bool
) -> None:
    right_px, down_px = shift_px
    points = {name: (x + right_px, y + down_px) for name, (x, y) in SHOULDERS.items()}
    one = pose(points, person_id=2)
    plain = draw_poses(BLACK, (one,), UPPER_BODY)
    labeled = draw_poses(BLACK, (one,), UPPER_BODY, labels=["2: 1.5 m"])
    rows, columns = np.nonzero((labeled != plain).any(axis=2))
    assert len(rows) > 500
    if above:
        assert rows.max() < 200
        assert columns.max() - columns.min() < 300
    assert (rows.min(), columns.min()) > (0, 0)
    assert columns.max() < 1279


def test_no_label_without_a_landmark() -> None:
    assert not draw_poses(BLACK, (pose(),), UPPER_BODY, labels=["2"]).any()


def test_no_connection_without_both_ends() -> None:
    drawn = draw(pose({"left_shoulder": (400, 200)}))
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert abs(rows - 200).max() <= 10
    assert abs(columns - 400).max() <= 10


@pytest.mark.parametrize("field", ["visibility", "presence"])
@pytest.mark.parametrize(
    ("value", "is_drawn"), [(0.5, True), (0.499, False), (0.0, False), (np.nan, False)]
)
def test_unsure_landmarks_are_left_out(field: str, value: float, is_drawn: bool) -> None:
    sureness = np.full(25, value, np.float32)
    assert draw(pose(SHOULDERS, **{field: sureness})).any() == is_drawn


def test_min_visibility_is_the_callers() -> None:
    half = pose(SHOULDERS, visibility=np.full(25, 0.3, np.float32))
    assert draw(half, min_visibility=0.3).any()
    assert not draw(half, min_visibility=0.31).any()


@pytest.mark.parametrize(
    ("point_px", "is_drawn"),
    [((0, 0), True), ((1280, 960), True), ((-0.1, 9), False), ((9, 960.1), False)],
)
def test_landmarks_outside_the_image_are_left_out(
    point_px: tuple[float, float], is_drawn: bool
) -> None:
    assert draw(pose({"nose": point_px})).any() == is_drawn


def test_roi_is_drawn_with_its_up_direction() -> None:
    drawn = draw(pose(roi=Roi(np.array((320.0, 240.0)), 400.0, np.pi / 2)))  # up points right
    for corner_side in ((120, 240), (520, 240), (320, 40), (320, 440)):
        assert color_at(drawn, *corner_side) == ROI_COLOR
    inside = drawn[60:420, 140:500].any(axis=2)
    columns = np.flatnonzero(inside.any(axis=0)) + 140
    assert 317 <= columns.min() <= 320
    assert 340 <= columns.max() <= 344


def test_detection_is_drawn_when_there_is_one() -> None:
    box_px = np.array((50, 60, 250, 260), np.float32)
    keypoints_px = np.full((4, 2), 300, np.float32)
    drawn = draw(pose(detection=Detection(0.9, box_px, keypoints_px)))
    for point_px in ((50, 160), (250, 160), (150, 60), (150, 260), (300, 300)):
        assert color_at(drawn, *point_px) == DETECTION_COLOR


def test_a_detection_has_thin_lines_and_dots_as_large_as_landmarks() -> None:
    box_px = np.array((50, 60, 250, 260), np.float32)
    keypoints_px = np.full((4, 2), 400, np.float32)
    found = Detection(0.9, box_px, keypoints_px)
    drawn = draw(pose(SHOULDERS, roi=Roi(np.array((900.0, 500.0)), 400.0, 0.0), detection=found))

    def width_px(row: int, columns: slice, color: tuple[int, ...]) -> int:
        return int((drawn[row, columns] == color).all(axis=1).sum())

    box_line_px = width_px(160, slice(40, 60), DETECTION_COLOR)
    assert 0 < box_line_px == width_px(500, slice(690, 710), ROI_COLOR)
    connection_px = int((drawn[190:210, 300] == CONNECTION_COLOR).all(axis=1).sum())
    assert box_line_px < connection_px
    landmark_px = width_px(200, slice(380, 420), LEFT_COLOR)
    assert width_px(400, slice(380, 420), DETECTION_COLOR) == landmark_px


def test_box_corners_go_around() -> None:
    detection = Detection(0.9, np.array((1, 2, 30, 40), np.float32), np.zeros((4, 2), np.float32))
    assert box_corners_px(detection).tolist() == [[1, 2], [30, 2], [30, 40], [1, 40]]


@pytest.mark.parametrize("size_px", [1e3, 1e4, 1e5, 1e6])
def test_edge_of_a_huge_roi_is_where_it_belongs(size_px: float) -> None:
    roi = Roi(np.array((100 - size_px / 2, 100.0)), size_px, 0.0)  # its right edge at x = 100
    drawn = draw(pose(roi=roi))
    assert (drawn[:500, 100] == ROI_COLOR).all()
    assert not drawn[:500, 104:].any()


def test_lines_grow_with_the_image() -> None:
    def line_px(height: int, width: int) -> int:
        points = {"left_shoulder": (0.9 * width, 50), "right_shoulder": (0.1 * width, 50)}
        drawn = draw(pose(points), np.zeros((height, width, 3), np.uint8))
        return int((drawn[:, width // 2] == CONNECTION_COLOR).all(axis=1).sum())

    assert line_px(2160, 3840) > line_px(1080, 1920) > line_px(480, 640) > 0


def test_the_given_image_stays_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    image.setflags(write=False)
    before = image.copy()
    drawn = draw(pose({"nose": (40, 30)}), image)
    np.testing.assert_array_equal(image, before)
    assert (drawn != image).any()
    np.testing.assert_array_equal(draw_poses(image, (), UPPER_BODY), image)
    assert not np.shares_memory(draw_poses(image, (), UPPER_BODY), image)


def test_image_may_be_any_view() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    view = image[::2, ::-1, ::-1]
    one = pose({"nose": (20, 20)})
    np.testing.assert_array_equal(draw(one, view), draw(one, view.copy()))


_any_float = st.floats(width=32) | st.sampled_from(
    (np.nan, np.inf, -np.inf, float(np.float32(3e38)), 2**27, 1e6)
)


def _arrays(*shape: int) -> st.SearchStrategy[npt.NDArray[np.float32]]:
    return st_numpy.arrays(np.float32, shape, elements=_any_float)


@settings(max_examples=200)
@given(
    landmarks_px=_arrays(33, 3),
    box_px=_arrays(4),
    keypoints_px=_arrays(4, 2),
    center_px=st.tuples(*[st.floats(-1e300, 1e300)] * 2),
    size_px=st.floats(1e-300, 1e300) | st.floats(1, 1000),
    rotation_rad=st.floats(-10, 10),
    image_size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_nothing_crashes_it(
    landmarks_px: npt.NDArray[np.float32],
    box_px: npt.NDArray[np.float32],
    keypoints_px: npt.NDArray[np.float32],
    center_px: tuple[float, float],
    size_px: float,
    rotation_rad: float,
    image_size: tuple[int, int],
) -> None:
    one = pose(
        landmarks_px=landmarks_px,
        visibility=np.ones(33, np.float32),
        presence=np.ones(33, np.float32),
        roi=Roi(np.array(center_px), size_px, rotation_rad),
        detection=Detection(0.9, box_px, keypoints_px),
    )
    image = np.zeros((*image_size, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw_poses(image, (one,), FULL_BODY, 0.5, ["1: 2.0 m"]).shape == image.shape


def test_a_real_person_is_drawn_where_she_is() -> None:
    media.require("astronaut")
    image = next(media.frames("astronaut"))
    options = PoseTrackerOptions(static_image_mode=True)
    (person,) = PoseTracker(options, MODELS_DIR).track(image, 0)
    plain = dataclasses.replace(person, roi=FAR_ROI, detection=None)
    drawn = draw(plain, image)

    def landmark(name: str) -> tuple[float, float]:
        x, y, _ = person.landmarks_px[UPPER_BODY.names.index(name)].tolist()
        return x, y

    assert color_at(drawn, *landmark("left_shoulder")) == LEFT_COLOR
    assert color_at(drawn, *landmark("right_shoulder")) == RIGHT_COLOR
    assert color_at(drawn, *landmark("nose")) == CENTER_COLOR
    middle = np.mean([landmark("left_shoulder"), landmark("right_shoulder")], axis=0)
    assert color_at(drawn, *middle) == CONNECTION_COLOR
    changed = (drawn != image).any(axis=2)
    assert not changed[:, 350:].any()  # the shuttle and the helmet are nobody
    assert 0.005 < changed.mean() < 0.03
