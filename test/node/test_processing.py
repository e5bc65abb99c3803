"""From an image message to a frame, with the real model."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import clock
import numpy as np
import pytest
import running
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo

from pose_ros import processing
from pose_ros.blazepose import PoseTracker
from pose_ros.blazepose.errors import ImageError, PoseError
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.geometry.depth import DepthImage
from pose_ros.outputs.frame import Frame
from pose_ros.parameters import NodeOptions
from pose_ros.processing import FrameProcessor
from pose_ros.runtime.clock import stamp_to_ns
from pose_ros.runtime.diagnostics import STAGES, Diagnostics

(PERSON,) = running.person()
HEIGHT, WIDTH = PERSON.shape[:2]
WALL = DepthImage(np.full((HEIGHT, WIDTH), 2000, np.uint16), 0.001)


@pytest.fixture
def processor() -> FrameProcessor:
    return FrameProcessor(NodeOptions(model="upper_body"), Diagnostics())


def track(processor: FrameProcessor, stamp_ns: int | None = None, **how: Any) -> Frame:
    return processor.track(running.image(PERSON, stamp_ns), calibration(), **how)


def change(processor: FrameProcessor, **values: Any) -> None:
    processor.configure(dataclasses.replace(processor.options, **values))


def calibration(k: tuple[float, ...] = (500, 0, 200, 0, 500, 150, 0, 0, 1)) -> CameraInfo:
    return CameraInfo(width=400, height=300, k=[float(value) for value in k])


def person_id(frame: Frame) -> int:
    (person,) = frame.people
    return person.pose.person_id


def test_frame_holds_image_header_and_the_poses_of_the_core(processor: FrameProcessor) -> None:
    message = running.image(PERSON)
    frame = processor.track(message, None)
    (expected,) = PoseTracker(NodeOptions(model="upper_body")).track(
        PERSON, stamp_to_ns(message.header.stamp)
    )
    (found,) = frame.people
    assert frame.header == message.header
    assert frame.topology is UPPER_BODY
    assert frame.options is processor.options
    np.testing.assert_array_equal(frame.image, PERSON)
    np.testing.assert_array_equal(found.pose.landmarks_px, expected.landmarks_px)


def test_jpeg_is_decoded(processor: FrameProcessor) -> None:
    frame = processor.track(running.jpeg(PERSON), None)
    assert len(frame.people) == 1
    assert frame.image.shape == PERSON.shape


def test_bad_image_raises_and_the_person_is_kept(processor: FrameProcessor) -> None:
    before = person_id(track(processor))
    bad = running.image(PERSON)
    bad.encoding = "rgb7"
    with pytest.raises(ImageError, match="'rgb7'"):
        processor.track(bad, None)
    after = track(processor)
    assert person_id(after) == before
    assert after.people[0].pose.detection is None


@pytest.mark.parametrize(
    ("info", "fx", "has_problem"),
    [
        (None, 400 / 2 / math.tan(math.radians(30)), False),
        (calibration((0,) * 9), 400 / 2 / math.tan(math.radians(30)), True),
        (calibration(), 500, False),
    ],
    ids=["none", "uncalibrated", "calibrated"],
)
def test_camera_is_the_calibrated_one_else_the_assumed_one(
    processor: FrameProcessor, info: CameraInfo | None, fx: float, has_problem: bool
) -> None:
    assert processor.track(running.image(PERSON), info).camera.fx == pytest.approx(fx)
    assert (processor.problems["calibration"] is not None) == has_problem


def test_frame_period_is_that_of_the_stamps_where_they_have_one(
    processor: FrameProcessor,
) -> None:
    start_ns, period_ns = running.FIRST_NS, 100_000_000
    stamps_ns = [start_ns, start_ns + period_ns, start_ns + period_ns, 0, start_ns]
    periods_s = [track(processor, stamp_ns).period_s for stamp_ns in stamps_ns]
    assert periods_s == pytest.approx([1 / 30, 0.1, 1 / 30, 1 / 30, 1 / 30], rel=1e-3)


def test_reset_forgets_the_person(processor: FrameProcessor) -> None:
    first = person_id(track(processor))
    processor.reset()
    assert person_id(track(processor)) == first + 1


def test_only_the_frame_with_the_jump_reports_it(processor: FrameProcessor) -> None:
    stamps_ns = [running.FIRST_NS, running.FIRST_NS - 1, running.FIRST_NS]
    jumps = [track(processor, stamp_ns).poses.has_jumped for stamp_ns in stamps_ns]
    assert jumps == [False, True, False]


# Positions


def test_positions_are_those_of_the_depth_image(processor: FrameProcessor) -> None:
    frame = track(processor)
    assert not frame.is_located
    assert np.isnan(frame.people[0].landmarks_m).all()
    located = processor.locate(frame, WALL)
    assert located.is_located
    landmarks_m = located.people[0].landmarks_m
    assert np.isfinite(landmarks_m).any()
    np.testing.assert_allclose(landmarks_m[np.isfinite(landmarks_m[:, 2]), 2], 2.0)


def test_a_frame_of_nobody_is_located_too(processor: FrameProcessor) -> None:
    frame = processor.track(running.image(running.black()), None)
    assert processor.locate(frame, None).is_located


@pytest.mark.parametrize("values", [{"position_source": "none"}, {"depth_max_m": 1.5}])
def test_options_of_positions_change_between_frames(
    processor: FrameProcessor, values: dict[str, Any]
) -> None:
    change(processor, **values)
    located = processor.locate(track(processor), WALL)
    assert np.isnan(located.people[0].landmarks_m).all()


def depth_of(left_m: float, right_m: float) -> DepthImage:
    """Depth of an image of two, side by side."""
    depth_mm = np.full((HEIGHT, 2 * WIDTH), 1000 * left_m, np.uint16)
    depth_mm[:, WIDTH:] = 1000 * right_m
    return DepthImage(depth_mm, 0.001)


def are_left(processor: FrameProcessor, depth: DepthImage) -> list[bool]:
    """Show two people for four seconds; return for each image whether the left one is tracked."""
    pair, sides = np.hstack((PERSON, PERSON[:, ::-1])), []
    info = calibration()
    info.width = 2 * WIDTH
    for number in range(40):
        message = running.image(pair, running.FIRST_NS + number * 100_000_000)
        frame = processor.locate(processor.track(message, info), depth)
        sides += [bool(np.median(p.pose.landmarks_px[:, 0]) < WIDTH) for p in frame.people]
    return sides


def test_the_nearest_person_is_tracked_by_depth() -> None:
    options = NodeOptions(model="lite", max_persons=1, select="nearest", position_source="depth")
    for left_m, right_m in ((4.0, 2.0), (2.0, 4.0)):
        processor = FrameProcessor(options, Diagnostics())
        sides = are_left(processor, depth_of(left_m, right_m))
        assert sides[-1] == (left_m < right_m)
        assert processor.problems["select"] is None


def test_the_target_has_new_landmarks_on_every_image() -> None:
    options = NodeOptions(model="lite", max_persons=2, landmark_interval_s=0.4)
    processor, pair = FrameProcessor(options, Diagnostics()), np.hstack((PERSON, PERSON[:, ::-1]))

    def ages_ns(target_id: int | None) -> dict[int, int]:
        poses = processor.track(running.image(pair), None, target_id=target_id).poses
        return {pose.person_id: pose.held_ns for pose in poses}

    for target_id, other_id in ((None, 2), (2, 1), (1, 2)):
        ages = [ages_ns(target_id) for _ in range(40)][20:]
        assert {number for seen in ages for number in seen} == {1, 2}
        assert max(seen[3 - other_id] for seen in ages) == 0
        assert 0 == min(seen[other_id] for seen in ages) < max(seen[other_id] for seen in ages)


def test_without_positions_the_largest_is_tracked_and_that_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = clock.install(monkeypatch, processing)
    options = NodeOptions(model="lite", select="nearest", position_source="none")
    processor = FrameProcessor(options, Diagnostics())
    for _ in range(10):
        assert processor.problems["select"] is None
        processor.locate(track(processor), None)
        now.advance(0.25)
    assert "positions are unknown" in str(processor.problems["select"])
    change(processor, position_source="auto")
    for _ in range(10):
        processor.locate(track(processor), WALL)
        now.advance(0.25)
    assert processor.problems["select"] is None


def test_where_positions_come_from_is_counted() -> None:
    diagnostics = Diagnostics()
    processor = FrameProcessor(NodeOptions(model="upper_body"), diagnostics)
    processor.locate(track(processor), WALL)
    (status,) = diagnostics.report(Time(), "/pose", None, {}).status
    assert ("position source", "depth") in {(item.key, item.value) for item in status.values}
    timed = {item.key for item in status.values if item.key.endswith(" ms mean")}
    assert timed == {f"{name} ms mean" for name in STAGES if name != "publish"}


# Options


def test_another_model_is_loaded(processor: FrameProcessor) -> None:
    change(processor, model="lite")
    assert processor.topology is FULL_BODY
    assert track(processor).people[0].pose.landmarks_px.shape == (33, 3)


def test_options_that_do_not_work_change_nothing(processor: FrameProcessor) -> None:
    before, first = processor.options, person_id(track(processor))
    with pytest.raises(PoseError, match="NoSuchExecutionProvider"):
        change(processor, providers=("NoSuchExecutionProvider",))
    assert processor.options is before
    assert person_id(track(processor)) == first


def test_masks_are_predicted_on_demand(processor: FrameProcessor) -> None:
    change(processor, model="lite")
    first, masked, last = (track(processor, with_masks=on) for on in (False, True, False))
    assert [frame.has_masks for frame in (first, masked, last)] == [False, True, False]
    assert [frame.people[0].pose.mask is None for frame in (first, masked, last)] == [
        True,
        False,
        True,
    ]
    assert person_id(first) == person_id(masked) == person_id(last)
    assert processor.problems["masks"] is None


def test_a_model_without_masks_is_a_problem_while_masks_are_asked_for(
    processor: FrameProcessor,
) -> None:
    frame = track(processor, with_masks=True)
    assert len(frame.people) == 1
    assert not frame.has_masks
    assert "upper_body" in str(processor.problems["masks"])
    track(processor)
    assert processor.problems["masks"] is None
    track(processor, with_masks=True)
    assert processor.problems["masks"] is not None
    change(processor, model="lite")
    assert processor.problems["masks"] is None
    assert track(processor, with_masks=True).has_masks
