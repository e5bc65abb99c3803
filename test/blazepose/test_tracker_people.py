"""The tracker with several people: somebody twice, side by side, the one a mirror image."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import cv2
import media
import numpy as np
import pytest

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions, Roi
from pose_ros.blazepose.datatypes import ImageArray, Poses
from pose_ros.blazepose.errors import OptionError

STEP_NS = 10**9 // 30
MIDDLE_PX = 400


@functools.cache
def frames(count: int = 24) -> tuple[ImageArray, ...]:
    """Return images (300, 800, 3) of the two."""
    media.require("person")
    images = itertools.islice(media.frames("person"), count)
    return tuple(np.hstack([image, image[:, ::-1]]) for image in images)


def hidden(image: ImageArray, left: bool = False, right: bool = False) -> ImageArray:
    """Return the image without one of the two."""
    covered = image.copy()
    if left:
        covered[:, :MIDDLE_PX] = 110
    if right:
        covered[:, MIDDLE_PX:] = 110
    return covered


def make_tracker(**options: Any) -> PoseTracker:
    return PoseTracker(PoseTrackerOptions(**{"model": "lite", "max_persons": 4, **options}))


def run(tracker: PoseTracker, images: list[ImageArray], **given: Any) -> list[Poses]:
    return [
        tracker.track(image, (index + 1) * STEP_NS, **given) for index, image in enumerate(images)
    ]


def ids(result: Poses) -> list[int]:
    return [pose.person_id for pose in result]


def is_left(pose: Pose) -> bool:
    return bool(np.median(pose.landmarks_px[:, 0]) < MIDDLE_PX)


@functools.cache
def both() -> tuple[Poses, ...]:
    """Return the results for the two people."""
    return tuple(run(make_tracker(), list(frames())))


@pytest.mark.parametrize("left", [False, True])
def test_two_people_keep_one_id_each_and_are_where_each_is_alone(left: bool) -> None:
    assert {tuple(ids(result)) for result in both()[12:]} == {(1, 2)}
    alone = run(make_tracker(), [hidden(image, left, not left) for image in frames()])
    (expected,) = alone[-1]
    (pose,) = [pose for pose in both()[-1] if is_left(pose) != left]
    difference_px = np.hypot(*(pose.landmarks_px - expected.landmarks_px)[:13, :2].T)
    assert np.median(difference_px) < 0.02 * expected.roi.size_px, "of what is in the image"


def test_the_first_one_comes_at_once_and_the_second_is_tentative_before() -> None:
    counts = [len(result) for result in both()]
    assert counts == sorted(counts)
    assert counts[0] == 1
    second = counts.index(2)
    assert [result.tentative for result in both()[second - 2 : second + 1]] == [1, 1, 0]
    assert all(ids(result) == sorted(ids(result)) for result in both())


def test_one_person_alone_comes_on_the_same_image_as_with_one_and_keeps_the_id() -> None:
    alone = [hidden(image, left=True) for image in frames()[:6]]
    images = [np.zeros_like(alone[0])] * 3 + alone
    one, several = (run(make_tracker(max_persons=count), images) for count in (1, 4))
    assert [ids(result) for result in one] == [ids(result) for result in several]
    for single, result in zip(one, several, strict=True):
        for expected, pose in zip(single, result, strict=True):
            assert np.array_equal(expected.landmarks_px, pose.landmarks_px)


def hide_one(options: dict[str, Any], images: int) -> list[Poses]:
    """Return the results for two people of whom one is hidden for some images."""
    seen, last = list(frames()[:16]), frames()[15]
    return run(make_tracker(**options), seen + [hidden(last, left=True)] * images + [last] * 9)


def test_a_person_who_is_hidden_shortly_is_held_and_returns_with_the_same_id() -> None:
    results = hide_one({}, images=12)
    assert ids(results[15]) == ids(results[-1]) == [1, 2]
    (staying,) = results[27]
    (held,) = results[27].held
    assert {staying.person_id, held.person_id} == {1, 2}
    assert staying.held_ns == 0
    assert held.held_ns == 12 * STEP_NS
    last_px = next(p for p in results[15] if p.person_id == held.person_id).landmarks_px
    assert np.array_equal(held.landmarks_px, last_px)
    assert results[-1].held == ()


def test_a_person_who_is_hidden_for_longer_is_lost() -> None:
    results = hide_one({"hold_time_s": 0.2}, images=12)
    assert results[20].held != ()
    assert results[27].held == ()
    assert max(ids(results[-1])) == 3
    assert len(results[-1]) == 2


def test_no_more_people_are_tracked_than_may_be() -> None:
    tracker = make_tracker(max_persons=1)
    assert [ids(result) for result in run(tracker, list(frames()[:12]))] == [[1]] * 12


def test_the_number_of_people_can_change_between_two_images() -> None:
    tracker = make_tracker()
    assert ids(run(tracker, list(frames()[:16]))[-1]) == [1, 2]
    tracker.configure(PoseTrackerOptions(model="lite", max_persons=1))
    assert ids(tracker.track(frames()[16], 17 * STEP_NS)) == [1]


@pytest.mark.parametrize("threads", [2, 16])
def test_threads_that_share_the_people_change_nothing(threads: int) -> None:
    shared = run(make_tracker(people_threads=threads), list(frames()[:16]))
    assert ids(shared[-1]) == [1, 2]
    for expected, result in zip(both(), shared, strict=False):
        assert ids(expected) == ids(result)
        for one, other in zip(expected, result, strict=True):
            assert np.array_equal(one.landmarks_px, other.landmarks_px)
            assert np.array_equal(one.visibility, other.visibility)


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize(("limits", "left"), [((0, 0, 0.45, 1), True), ((0.45, 0, 1, 1), False)])
def test_people_are_detected_within_the_limits_only(
    limits: tuple[float, ...], left: bool, is_mirrored: bool
) -> None:
    tracker = make_tracker(roi_limits=limits, mirrored_input=is_mirrored)
    results = run(tracker, list(frames()[:12]))
    assert {len(result) for result in results} == {1}
    assert {is_left(result[0]) for result in results} == {left}


@pytest.mark.parametrize("limits", [(0.5, 0, 0.5, 1), (0, 1, 1, 0), (0, 0, 1), (0, 0, 1, 1.5)])
def test_limits_that_are_no_part_of_the_image_are_rejected(limits: tuple[float, ...]) -> None:
    with pytest.raises(OptionError, match="roi_limits"):
        make_tracker(roi_limits=limits)


def test_static_images_show_everybody_at_once() -> None:
    tracker = make_tracker(static_image_mode=True)
    results = run(tracker, [frames()[0]] * 2)
    assert [ids(result) for result in results] == [[1, 2], [3, 4]]


def test_a_small_person_is_found_in_a_part_of_the_image() -> None:
    media.require("walker")
    images = []
    for image in itertools.islice(media.frames("walker"), 12):
        small = cv2.resize(image, (530, 298), interpolation=cv2.INTER_AREA)
        large = np.full((1080, 1920, 3), 110, np.uint8)
        large[600:898, 100:630] = small
        images.append(large)
    assert len(run(make_tracker(), images)[-1]) >= 1
    assert run(make_tracker(detect_regions="off"), images)[-1] == ()


def box_of(pose: Pose) -> list[float]:
    points_px = pose.landmarks_px[:, :2]
    return [*points_px.min(axis=0).tolist(), *points_px.max(axis=0).tolist()]


@pytest.mark.parametrize("model", ["upper_body", "lite"])
def test_people_are_found_in_boxes_from_outside(model: str) -> None:
    boxes_px = [box_of(pose) for pose in both()[12]]
    tracker = make_tracker(model=model, person_detector="topic")
    found = run(tracker, list(frames()[12:18]), boxes_px=boxes_px)
    assert ids(found[0]) == [1]
    assert ids(found[-1]) == [1, 2]
    assert {is_left(pose) for pose in found[-1]} == {True, False}


def test_an_roi_is_one_more_place_to_look() -> None:
    tracker = make_tracker()
    roi: Roi = both()[12][1].roi
    image = frames()[12]
    first = tracker.track(image, STEP_NS, roi)
    assert ids(first) == [1]
    results = [tracker.track(image, (index + 2) * STEP_NS) for index in range(12)]
    assert ids(results[-1]) == [1, 2]


def test_the_largest_takes_the_place_of_another_after_a_second() -> None:
    tracker = make_tracker(max_persons=1, select="largest")
    image = frames()[0]
    height, width = image.shape[:2]
    pair = np.full((2 * height, 3 * width, 3), 90, np.uint8)
    pair[-height:, -width:] = image
    large = cv2.resize(image, None, fx=2, fy=2)
    found = run(tracker, [pair] * 3)
    assert ids(found[-1]) == [1]
    pair[:, : 2 * width] = large
    results = [tracker.track(pair, (index + 4) * STEP_NS) for index in range(100)]
    assert [len(result) for result in results] == [1] * 100
    assert ids(results[25]) == [1]
    assert ids(results[-1]) == [2]
    assert results[-1][0].roi.size_px > 1.5 * found[-1][0].roi.size_px
