"""From an image message to the result of a frame, with the real model."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import running
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo

from pose_ros.blazepose import PoseTracker
from pose_ros.blazepose.errors import ImageError, OptionError, PoseError
from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY
from pose_ros.diagnostics import STAGES, Diagnostics
from pose_ros.frame import FrameResult
from pose_ros.parameters import NodeOptions
from pose_ros.processing import FrameProcessor
from pose_ros.stamps import stamp_to_ns

(PERSON,) = running.person()


@pytest.fixture
def processor() -> FrameProcessor:
    return FrameProcessor(NodeOptions(), None, Diagnostics())


def answer(processor: FrameProcessor, stamp_ns: int | None = None) -> FrameResult:
    return processor.answer(running.image(PERSON, stamp_ns), None)


def calibration(**values: object) -> CameraInfo:
    info = CameraInfo(width=400, height=300, k=[500.0, 0.0, 200.0, 0.0, 500.0, 150.0, 0, 0, 1.0])
    for name, value in values.items():
        setattr(info, name, value)
    return info


def test_stamps_become_nanoseconds_without_rounding() -> None:
    assert stamp_to_ns(Time(sec=1_700_000_000, nanosec=123_456_789)) == 1_700_000_000_123_456_789
    assert stamp_to_ns(Time()) == 0


def test_result_holds_image_header_and_the_poses_of_the_core(processor: FrameProcessor) -> None:
    message = running.image(PERSON)
    result = processor.answer(message, None)
    (expected,) = PoseTracker(NodeOptions()).track(PERSON, stamp_to_ns(message.header.stamp))
    (found,) = result.poses
    assert result.header == message.header
    assert result.topology is UPPER_BODY
    np.testing.assert_array_equal(result.image, PERSON)
    np.testing.assert_array_equal(found.landmarks_px, expected.landmarks_px)


def test_jpeg_is_decoded(processor: FrameProcessor) -> None:
    result = processor.answer(running.jpeg(PERSON), None)
    assert len(result.poses) == 1
    assert result.image.shape == PERSON.shape


def test_bad_image_raises_and_the_person_is_kept(processor: FrameProcessor) -> None:
    (before,) = answer(processor).poses
    bad = running.image(PERSON)
    bad.encoding = "rgb7"
    with pytest.raises(ImageError, match="'rgb7'"):
        processor.answer(bad, None)
    (after,) = answer(processor).poses
    assert after.person_id == before.person_id
    assert after.detection is None


def test_camera_is_the_calibrated_one_else_the_assumed_one(processor: FrameProcessor) -> None:
    assumed_fx = 400 / 2 / math.tan(math.radians(30))
    uncalibrated = calibration(k=[0.0] * 9)
    for info, expected_fx in (
        (None, assumed_fx),
        (uncalibrated, assumed_fx),
        (calibration(), 500),
    ):
        result = processor.answer(running.image(PERSON), info)
        assert result.camera.fx == pytest.approx(expected_fx)


def test_frame_period_is_that_of_the_stamps_where_they_have_one(
    processor: FrameProcessor,
) -> None:
    start_ns, period_ns = running.FIRST_NS, 100_000_000
    stamps_ns = [start_ns, start_ns + period_ns, start_ns + period_ns, 0, start_ns]
    periods_s = [answer(processor, stamp_ns).frame_period_s for stamp_ns in stamps_ns]
    assert periods_s == pytest.approx([1 / 30, 0.1, 1 / 30, 1 / 30, 1 / 30])


def test_a_frame_knows_the_one_before_it_and_no_more(processor: FrameProcessor) -> None:
    first, second, third = answer(processor), answer(processor), answer(processor)
    assert first.previous is None
    assert second.previous is not None
    assert second.previous.poses == first.poses
    assert third.previous is not None
    assert third.previous.poses == second.poses
    assert third.previous.previous is None


def test_reset_forgets_the_person(processor: FrameProcessor) -> None:
    (first,) = answer(processor).poses
    processor.reset()
    (second,) = answer(processor).poses
    assert second.person_id == first.person_id + 1


def test_time_jumps_are_counted(processor: FrameProcessor) -> None:
    answer(processor, running.FIRST_NS)
    answer(processor, running.FIRST_NS - 1)
    assert processor.time_jumps == 1


def test_options_are_followed_between_frames(processor: FrameProcessor) -> None:
    options = dataclasses.replace(processor.options, min_visibility=0.25, marker_distance_m=3.0)
    processor.configure(options)
    result = answer(processor)
    assert processor.options is options
    assert (result.min_visibility, result.marker_distance_m) == (0.25, 3.0)


def test_another_model_is_loaded(processor: FrameProcessor) -> None:
    processor.configure(dataclasses.replace(processor.options, model="lite"))
    assert processor.topology is FULL_BODY
    assert answer(processor).poses[0].landmarks_px.shape == (33, 3)


def test_options_that_do_not_work_change_nothing(processor: FrameProcessor) -> None:
    before = processor.options
    (first,) = answer(processor).poses
    with pytest.raises(PoseError, match="NoSuchExecutionProvider"):
        processor.configure(dataclasses.replace(before, providers=("NoSuchExecutionProvider",)))
    assert processor.options is before
    assert answer(processor).poses[0].person_id == first.person_id


def test_masks_are_predicted_on_demand(processor: FrameProcessor) -> None:
    processor.configure(dataclasses.replace(processor.options, model="lite"))
    person_id = answer(processor).poses[0].person_id
    processor.want_mask(True)
    result = answer(processor)
    assert processor.has_mask
    assert result.has_mask
    assert result.poses[0].mask is not None
    assert result.poses[0].person_id == person_id
    processor.want_mask(False)
    assert answer(processor).poses[0].mask is None


def test_a_model_without_masks_says_so_and_goes_on(processor: FrameProcessor) -> None:
    with pytest.raises(OptionError, match="upper_body"):
        processor.want_mask(True)
    assert not answer(processor).has_mask


def test_another_model_starts_without_masks(processor: FrameProcessor) -> None:
    processor.configure(dataclasses.replace(processor.options, model="lite"))
    processor.want_mask(True)
    processor.configure(dataclasses.replace(processor.options, model="upper_body"))
    assert not processor.has_mask


def test_stages_are_timed() -> None:
    diagnostics = Diagnostics()
    answer(FrameProcessor(NodeOptions(), None, diagnostics))
    status = diagnostics.report(Time(), "/pose", None, {}).status[0]
    timed = {item.key for item in status.values if item.key.endswith(" ms mean")}
    later = {"position", "publish"}
    assert timed == {f"{name} ms mean" for name in STAGES if name not in later}
