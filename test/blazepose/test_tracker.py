"""The tracker on a real clip with the real models: memory, time, loss, options, bad input."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import media
import numpy as np
import pytest

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions, Roi
from pose_ros.blazepose.datatypes import Float32Array, ImageArray
from pose_ros.blazepose.engine_model import EngineModel
from pose_ros.blazepose.errors import ImageError, ModelFileError, OptionError
from pose_ros.blazepose.inference import Shapes
from pose_ros.blazepose.mask_smoothing import smooth_mask
from pose_ros.blazepose.model_files import MANIFEST
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import ModelOptions
from pose_ros.blazepose.timeline import FRAME_NS, MAX_GAP_NS

PX = 2e-3  # float32 rounding of normalized coordinates
M = 1e-6  # the same of world landmarks
START_NS = 10**18
MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
# One model of each kind: with and without heatmap, world landmarks, mask and one-euro filters.
BOTH_KINDS = pytest.mark.parametrize("model", ["upper_body", "lite"])


@functools.cache
def frames(count: int = 12) -> tuple[ImageArray, ...]:
    """Return the first frames of the shipped clip, read-only."""
    media.require("person")
    images = tuple(itertools.islice(media.frames("person"), count))
    for image in images:
        image.setflags(write=False)
    return images


def black() -> ImageArray:
    return np.zeros_like(frames()[0])


class Kept(EngineModel):
    """The default backend, which loads a network once for all trackers of this module."""

    kept: ClassVar[dict[Any, Kept]] = {}
    is_loaded = False

    def __new__(
        cls, file: str, inputs: Shapes, outputs: Shapes, options: ModelOptions, _: Path | None
    ) -> Kept:
        return cls.kept.setdefault((file, options.part(ModelOptions)), super().__new__(cls))

    def __init__(self, *arguments: Any) -> None:
        if not self.is_loaded:
            super().__init__(*arguments)
            self.is_loaded = True


def make_tracker(**options: Any) -> PoseTracker:
    chosen = PoseTrackerOptions(**{"model": "upper_body", **options})
    return PoseTracker(chosen, backend=Kept)


def stamp(index: int) -> int:
    return START_NS + index * FRAME_NS


def track_one(
    tracker: PoseTracker,
    image: ImageArray,
    timestamp_ns: int,
    roi: Roi | None = None,
    with_mask: bool = False,
) -> Pose:
    (pose,) = tracker.track(image, timestamp_ns, roi, with_mask)
    return pose


def run(tracker: PoseTracker, stamps: list[int], with_mask: bool = False) -> list[Pose]:
    images = zip(frames(), stamps, strict=False)
    return [track_one(tracker, image, t, with_mask=with_mask) for image, t in images]


def jumps(tracker: PoseTracker, stamps: list[int]) -> list[bool]:
    return [tracker.track(image, t).has_jumped for image, t in zip(frames(), stamps, strict=False)]


def landmarks(poses: list[Pose]) -> list[list[float]]:
    return [pose.landmarks_px.ravel().tolist() for pose in poses]


def figures(poses: list[Pose]) -> list[list[float]]:
    """Return everything that is filtered over time, as one list for each pose."""
    arrays = ("landmarks_px", "auxiliary_px", "visibility", "world_landmarks_m", "mask")
    found = [[getattr(pose, name) for name in arrays] for pose in poses]
    return [
        np.concatenate([array.ravel() for array in row if array is not None]).tolist()
        for row in found
    ]


def person_roi() -> Roi:
    """Return an ROI around the person whose samples fall on whole pixels."""
    return Roi(np.array((200.0, 220.0)), 512.0, 0.0)


def test_the_detector_runs_once_and_tracking_goes_on_without_it() -> None:
    poses = run(make_tracker(), [stamp(i) for i in range(8)])
    assert [pose.detection is not None for pose in poses] == [True] + [False] * 7
    assert {pose.person_id for pose in poses} == {1}
    for last, pose in itertools.pairwise(poses):
        assert pose.roi.corners_px().tolist() == last.next_roi.corners_px().tolist()


def test_a_pose_has_the_models_landmarks_in_the_picture_and_a_score_above_the_threshold() -> None:
    pose = track_one(make_tracker(), frames()[0], stamp(0))
    height, width = frames()[0].shape[:2]
    nose = pose.landmarks_px[0]
    assert pose.landmarks_px.shape == (25, 3)
    assert 0 < nose[0] < width
    assert 0 < nose[1] < height
    assert pose.landmarks_px[11, 0] > pose.landmarks_px[12, 0]  # facing us: left is on the right
    assert 0.5 < pose.score <= 1
    assert ((pose.visibility >= 0) & (pose.visibility <= 1)).all()
    assert ((pose.presence >= 0) & (pose.presence <= 1)).all()
    assert pose.world_landmarks_m is None
    assert pose.mask is None


@pytest.mark.parametrize("stamps", [[START_NS] + [0] * 5, [0] * 6, list(range(1, 7))])
def test_stamps_that_do_not_tell_the_time_count_as_frames(stamps: list[int]) -> None:
    regular = run(make_tracker(), [stamp(i) for i in range(6)])
    assert landmarks(run(make_tracker(), stamps)) == landmarks(regular)


def test_a_longer_frame_time_is_smoothed_more() -> None:
    slow = run(make_tracker(), [START_NS + i * 10**8 for i in range(6)])
    assert landmarks(slow)[1:] != landmarks(run(make_tracker(), [stamp(i) for i in range(6)]))[1:]


@pytest.mark.parametrize("jump_ns", [-1, MAX_GAP_NS + 1])
def test_a_jump_in_time_resets_once(jump_ns: int) -> None:
    tracker = make_tracker()
    before = run(tracker, [stamp(i) for i in range(3)])
    images = frames()[3:6]
    after = [
        tracker.track(image, stamp(2) + jump_ns + i * FRAME_NS) for i, image in enumerate(images)
    ]
    expected_tracker = make_tracker()
    expected = [track_one(expected_tracker, image, stamp(i)) for i, image in enumerate(images)]
    assert [poses.has_jumped for poses in after] == [True, False, False]
    assert [poses.time_ns for poses in after] == [FRAME_NS, 2 * FRAME_NS, 3 * FRAME_NS]
    assert [poses[0].detection is not None for poses in after] == [True, False, False]
    assert landmarks([poses[0] for poses in after]) == landmarks(expected)
    assert (before[-1].person_id, {poses[0].person_id for poses in after}) == (1, {2})


def test_time_goes_on_over_a_gap_of_two_seconds_a_loss_and_zero_stamps() -> None:
    tracker, time_s = make_tracker(), []
    images = [frames()[0], frames()[1], black(), frames()[2], frames()[3]]
    for image, t in zip(images, (0, 2, 2.5, 2.75, 3), strict=True):
        poses = tracker.track(image, START_NS + int(t * 1e9))
        time_s.append(poses.time_ns / 1e9 - FRAME_NS / 1e9)
        assert (poses.has_jumped, poses.counted_as_frame) == (False, False)
    assert time_s == pytest.approx([0, 2, 2.5, 2.75, 3])
    assert tracker.track(frames()[4], 0).counted_as_frame


@BOTH_KINDS
def test_loss_clears_filters_and_a_new_person_gets_a_new_id(model: str) -> None:
    tracker, has_mask = make_tracker(model=model), model == "lite"
    run(tracker, [stamp(i) for i in range(5)], has_mask)
    assert tracker.track(black(), stamp(5), with_mask=has_mask) == ()
    assert tracker.track(black(), stamp(6)) == ()
    found = run(tracker, [stamp(7 + i) for i in range(3)], has_mask)
    expected = run(make_tracker(model=model), [stamp(i) for i in range(3)], has_mask)
    assert figures(found) == figures(expected)
    assert {pose.person_id for pose in found} == {2}


@BOTH_KINDS
def test_reset_is_a_fresh_tracker_but_for_the_ids(model: str) -> None:
    tracker, has_mask = make_tracker(model=model), model == "lite"
    run(tracker, [stamp(i) for i in range(4)], has_mask)
    tracker.reset()
    again = run(tracker, [5 + i * FRAME_NS for i in range(4)], has_mask)
    expected = run(make_tracker(model=model), [stamp(i) for i in range(4)], has_mask)
    assert figures(again) == figures(expected)
    assert {pose.person_id for pose in again} == {2}
    tracker.reset()
    assert jumps(tracker, [5]) == [False]


def test_a_tracker_goes_on_with_the_ids_of_the_one_before() -> None:
    tracker = make_tracker()
    run(tracker, [stamp(0), stamp(9999)])
    assert tracker.next_person_id == 3
    following = PoseTracker(
        PoseTrackerOptions(model="upper_body"), first_person_id=tracker.next_person_id
    )
    assert run(following, [stamp(0)])[0].person_id == 3


def test_another_image_size_resets() -> None:
    tracker = make_tracker()
    run(tracker, [stamp(i) for i in range(3)])
    narrow = np.ascontiguousarray(frames()[3][:, 20:-20])
    pose = track_one(tracker, narrow, stamp(3))
    expected = track_one(make_tracker(), narrow, stamp(0))
    assert pose.detection is not None
    assert np.array_equal(pose.landmarks_px, expected.landmarks_px)
    assert pose.person_id == 2


def test_static_images_do_not_know_of_each_other() -> None:
    tracker = make_tracker(static_image_mode=True)
    order = [0, 6, 0, 6, 6]
    poses = [track_one(tracker, frames()[i], stamp(n)) for n, i in enumerate(order)]
    assert all(pose.detection is not None for pose in poses)
    assert len({tuple(row) for row in landmarks(poses)}) == 2
    assert landmarks(poses)[0] == landmarks(poses)[2]
    assert len({pose.person_id for pose in poses}) == len(order)


def test_static_images_may_come_in_any_time() -> None:
    tracker = make_tracker(static_image_mode=True)
    assert jumps(tracker, [stamp(0), stamp(900), stamp(3), 0]) == [False] * 4


@pytest.mark.parametrize(
    ("options", "is_smoothing"),
    [({}, True), ({"smooth_landmarks": False}, False), ({"static_image_mode": True}, False)],
)
def test_the_result_holds_whether_it_is_smoothed(options: Any, is_smoothing: bool) -> None:
    tracker = make_tracker(**options)
    assert tracker.track(frames()[0], 0).is_smoothing == is_smoothing


@BOTH_KINDS
def test_smoothing_changes_all_frames_but_the_first(model: str) -> None:
    roi = person_roi()
    smooth, raw = make_tracker(model=model), make_tracker(model=model, smooth_landmarks=False)
    for i, image in enumerate(frames()[:4]):
        filtered = track_one(smooth, image, stamp(i), roi)
        unfiltered = track_one(raw, image, stamp(i), roi)
        # filtered values are stored normalized once more: the last bit may move
        same = np.allclose(filtered.landmarks_px, unfiltered.landmarks_px, rtol=1e-6, atol=1e-5)
        assert same == (i == 0)


def test_an_external_roi_is_used_for_its_image_and_tracking_goes_on_from_there() -> None:
    tracker, roi = make_tracker(), person_roi()
    first = track_one(tracker, frames()[0], stamp(0), roi)
    second = track_one(tracker, frames()[1], stamp(1))
    assert first.roi.corners_px() == pytest.approx(roi.corners_px(), abs=PX)
    assert (first.detection, second.detection) == (None, None)
    assert second.roi.corners_px().tolist() == first.next_roi.corners_px().tolist()
    assert (first.person_id, second.person_id) == (1, 1)


def test_a_pose_roi_that_the_user_resizes_changes_the_crop() -> None:
    tracker = make_tracker(static_image_mode=True)
    pose = track_one(tracker, frames()[0], 0)
    same = track_one(tracker, frames()[0], 0, pose.roi)
    wider = dataclasses.replace(pose.roi, size_px=1.2 * pose.roi.size_px)
    resized = track_one(tracker, frames()[0], 0, wider)
    assert np.abs(same.landmarks_px - pose.landmarks_px)[:, :2].max() < 0.1
    assert np.abs(resized.landmarks_px - pose.landmarks_px)[:, :2].max() > 0.1
    assert resized.roi.size_px == pytest.approx(wider.size_px, abs=PX)


def test_an_external_roi_without_a_person_loses_the_person() -> None:
    tracker = make_tracker()
    run(tracker, [stamp(0)])
    corner = Roi(np.array((5.0, 295.0)), 10.0, 0.0)
    assert tracker.track(frames()[1], stamp(1), corner) == ()
    assert track_one(tracker, frames()[2], stamp(2)).person_id == 2


@BOTH_KINDS
@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_turned_image_and_roi_give_turned_landmarks(quarter_turns: int, model: str) -> None:
    """The crop is the same to the byte: its samples fall on whole pixels.

    A pixel (x, y) of an image of height H is at (H - 1 - y, x) after a quarter turn clockwise,
    and so is the ROI's centre: coordinates count pixel centres on both sides.
    """
    image, roi = frames()[0], person_roi()
    pose = track_one(make_tracker(model=model), image, 0, roi)
    expected, world_m = pose.landmarks_px.astype(float), pose.world_landmarks_m
    for _ in range(quarter_turns):
        height = image.shape[0]
        x, y, z = expected.T
        expected = np.stack([height - 1 - y, x, z], axis=1)
        if world_m is not None:
            world_m = np.stack([-world_m[:, 1], world_m[:, 0], world_m[:, 2]], axis=1)
        center_px = np.array((height - 1 - roi.center_px[1], roi.center_px[0]))
        roi = Roi(center_px, roi.size_px, roi.rotation_rad + math.pi / 2)
        image = np.ascontiguousarray(np.rot90(image, -1))
    turned = track_one(make_tracker(model=model), image, 0, roi)
    assert np.abs(turned.landmarks_px - expected).max() <= PX
    assert_same_world(turned.world_landmarks_m, world_m)
    assert np.array_equal(turned.visibility, pose.visibility)


@BOTH_KINDS
def test_a_shifted_image_and_roi_give_shifted_landmarks(model: str) -> None:
    image, roi = frames()[0], person_roi()
    wide = np.pad(image, ((40, 20), (60, 10), (0, 0)), mode="edge")
    shifted_roi = Roi(roi.center_px + np.array((60, 40)), roi.size_px, 0.0)
    pose = track_one(make_tracker(model=model), image, 0, roi)
    shifted = track_one(make_tracker(model=model), wide, 0, shifted_roi)
    assert np.abs(shifted.landmarks_px - pose.landmarks_px - (60, 40, 0)).max() <= PX
    assert_same_world(shifted.world_landmarks_m, pose.world_landmarks_m)


@BOTH_KINDS
@pytest.mark.parametrize("factor", [2, 4])
def test_a_scaled_image_and_roi_give_scaled_landmarks_in_the_same_meters(
    factor: int, model: str
) -> None:
    """Each pixel becomes a square of equal ones, with its centre between the middle two."""
    image, roi, between = frames()[0], person_roi(), (factor - 1) / 2
    large = image.repeat(factor, axis=0).repeat(factor, axis=1)
    scaled_roi = Roi(roi.center_px * factor + between, roi.size_px * factor, 0.0)
    pose = track_one(make_tracker(model=model), image, 0, roi)
    scaled = track_one(make_tracker(model=model), large, 0, scaled_roi)
    expected = pose.landmarks_px * factor + np.array((between, between, 0))
    assert np.abs(scaled.landmarks_px - expected).max() <= PX * factor
    assert_same_world(scaled.world_landmarks_m, pose.world_landmarks_m)
    assert np.array_equal(scaled.visibility, pose.visibility)


def assert_same_world(ours: Float32Array | None, wanted: Float32Array | None) -> None:
    """Check world landmarks, or that a model without them has none."""
    assert (ours is None) == (wanted is None)
    if ours is not None and wanted is not None:
        assert np.abs(ours - wanted).max() <= M


@BOTH_KINDS
def test_a_mirror_image_gives_the_mirrored_pose_with_the_same_names(model: str) -> None:
    plain, mirrored = make_tracker(model=model), make_tracker(model=model, mirrored_input=True)
    for i, image in enumerate(frames()[:3]):
        pose = track_one(plain, image, stamp(i))
        selfie = track_one(mirrored, np.ascontiguousarray(image[:, ::-1]), stamp(i))
        assert np.array_equal(selfie.landmarks_px, mirror(pose.landmarks_px, image))
        assert np.array_equal(selfie.auxiliary_px, mirror(pose.auxiliary_px, image))
        assert np.array_equal(selfie.visibility, pose.visibility)
        assert selfie.next_roi.rotation_rad == -pose.next_roi.rotation_rad
        assert_same_world(selfie.world_landmarks_m, pose.world_landmarks_m)


def mirror(points_px: Float32Array, image: ImageArray) -> Float32Array:
    mirrored = points_px.copy()
    mirrored[:, 0] = np.float32(image.shape[1] - 1) - mirrored[:, 0]
    return mirrored


def test_in_a_mirror_image_an_external_roi_is_one_of_the_received_image() -> None:
    image, roi = frames()[0], Roi(np.array((200.0, 150.0)), 384.0, 0.2)
    mirrored_roi = Roi(np.array((199.0, 150.0)), 384.0, -0.2)
    pose = track_one(make_tracker(), image, 0, roi)
    selfie = track_one(
        make_tracker(mirrored_input=True), np.ascontiguousarray(image[:, ::-1]), 0, mirrored_roi
    )
    assert np.abs(selfie.landmarks_px - mirror(pose.landmarks_px, image)).max() <= PX
    assert np.array_equal(selfie.roi.center_px, mirrored_roi.center_px)


class FailingModel(EngineModel):
    """Fails to run, once it is asked to."""

    failing = ""

    def __init__(self, file: str, *arguments: Any) -> None:
        self._file = file
        super().__init__(file, *arguments)

    def run(self, tensor: Float32Array) -> list[Float32Array]:
        if FailingModel.failing and self._file.startswith(FailingModel.failing):
            raise RuntimeError(self._file)
        return super().run(tensor)


@pytest.mark.parametrize(("failing", "failed"), [("detector", 0), ("lite", 0), ("lite", 2)])
def test_an_image_whose_inference_fails_changes_nothing(
    failing: str, failed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the person, nor the ids, nor the time: it has another size and a stamp far ahead."""
    tracker = PoseTracker(PoseTrackerOptions(model="lite"), backend=FailingModel)
    poses = run(tracker, [stamp(i) for i in range(failed)])
    monkeypatch.setattr(FailingModel, "failing", failing)
    small = np.ascontiguousarray(frames()[0][::2, ::2])
    with pytest.raises(RuntimeError):
        tracker.track(small, stamp(900))
    monkeypatch.setattr(FailingModel, "failing", "")
    poses += [track_one(tracker, frames()[i], stamp(i)) for i in range(failed, 5)]
    assert figures(poses) == figures(run(make_tracker(model="lite"), [stamp(i) for i in range(5)]))
    assert {pose.person_id for pose in poses} == {1}


def test_calls_from_four_threads_wait_for_each_other() -> None:
    """Each gets the landmarks of its own image in every bit, while others configure and reset."""
    options = [
        PoseTrackerOptions(model=model, static_image_mode=True, mirrored_input=is_mirrored)
        for model, is_mirrored in (("lite", False), ("lite", True), ("upper_body", False))
    ]
    mirrored = np.ascontiguousarray(frames()[0][:, ::-1])
    images = [frames()[0], mirrored, frames()[6], frames()[11]]
    allowed: list[list[list[float]]] = [
        landmarks([track_one(PoseTracker(option), image, 0) for option in options])
        for image in images
    ]
    tracker, is_over, is_changed = PoseTracker(options[0]), threading.Event(), threading.Event()

    def change() -> None:
        try:
            for count in itertools.count(1):
                tracker.configure(options[count % len(options)])
                tracker.reset()
                if is_over.is_set():
                    return
                if count > len(options):
                    is_changed.set()
        finally:
            is_changed.set()

    def track(image: ImageArray) -> list[Pose]:
        poses: list[Pose] = []
        while len(poses) < 8 or not is_changed.is_set():
            poses.append(track_one(tracker, image, 0))
        return poses

    with ThreadPoolExecutor(5) as threads:
        changing = threads.submit(change)
        try:
            poses = list(threads.map(track, images))
        finally:
            is_over.set()
    changing.result()
    for expected, found in zip(allowed, poses, strict=True):
        assert all(item in expected for item in landmarks(found))
    ids = [pose.person_id for found in poses for pose in found]
    assert sorted(ids) == list(range(1, len(ids) + 1))


def test_two_trackers_share_nothing() -> None:
    alone = run(make_tracker(), [stamp(i) for i in range(6)])
    one, two = make_tracker(), make_tracker()
    together = []
    for i, image in enumerate(frames()[:6]):
        together.append(track_one(one, image, stamp(i)))
        two.track(black() if i % 2 else frames()[-i], 7 * i)
    assert landmarks(together) == landmarks(alone)
    assert [pose.person_id for pose in together] == [1] * 6


@pytest.mark.parametrize(("model", "count"), [("upper_body", 7), ("lite", 9)])
def test_images_are_not_changed_and_results_are_read_only(model: str, count: int) -> None:
    image = frames()[0].copy()
    has_mask = model == "lite"
    tracker = make_tracker(model=model, mirrored_input=True)
    pose = track_one(tracker, image, 0, with_mask=has_mask)
    assert np.array_equal(image, frames()[0])
    assert pose.detection is not None
    arrays = [getattr(pose, item.name) for item in dataclasses.fields(pose)]
    arrays += [pose.roi.center_px, pose.next_roi.center_px, pose.detection.keypoints_px]
    arrays = [array for array in arrays if isinstance(array, np.ndarray)]
    assert len(arrays) == count
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@BOTH_KINDS
def test_a_result_does_not_change_when_tracking_goes_on(model: str) -> None:
    tracker, has_mask = make_tracker(model=model), model == "lite"
    pose = track_one(tracker, frames()[0], stamp(0), with_mask=has_mask)
    before = figures([pose])
    track_one(tracker, frames()[5], stamp(1), with_mask=has_mask)
    assert figures([pose]) == before


def test_an_image_that_is_a_view_gives_the_same_pose() -> None:
    bgr = np.ascontiguousarray(frames()[0][..., ::-1])
    assert not bgr[..., ::-1].flags.c_contiguous
    pose = track_one(make_tracker(), bgr[..., ::-1], 0)
    assert np.array_equal(
        pose.landmarks_px, track_one(make_tracker(), frames()[0], 0).landmarks_px
    )


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((10, 10), np.uint8), r"\(10, 10\)"),
        (np.zeros((10, 10, 4), np.uint8), r"\(10, 10, 4\)"),
        (np.zeros((10, 10, 1), np.uint8), r"\(10, 10, 1\)"),
        (np.zeros((0, 10, 3), np.uint8), r"\(0, 10, 3\)"),
        (np.zeros((10, 0, 3), np.uint8), r"\(10, 0, 3\)"),
        (np.zeros((10, 10, 3), np.float32), "float32"),
        (np.zeros((10, 10, 3), np.int8), "int8"),
        (None, "NoneType"),
        ("image.png", "str"),
        ([[[0, 0, 0]]], "list"),
    ],
)
def test_what_is_no_image_is_rejected_and_tracking_goes_on(image: Any, found: str) -> None:
    tracker = make_tracker()
    run(tracker, [stamp(0)])
    with pytest.raises(ImageError, match=found) as rejected:
        tracker.track(image, stamp(1))
    assert "allowed is (height, width, 3) uint8, RGB" in str(rejected.value)
    assert track_one(tracker, frames()[1], stamp(1)).person_id == 1


@pytest.mark.parametrize("shape", [(1, 32_767), (32_767, 1), (2, 70_000)])
def test_an_image_too_long_to_be_sampled_is_rejected(shape: tuple[int, int]) -> None:
    tracker = make_tracker()
    with pytest.raises(ImageError, match=f"image has {shape[1]} x {shape[0]} pixels; allowed are"):
        tracker.track(np.zeros((*shape, 3), np.uint8), 0)
    tracker.track(np.zeros((1, 32_766, 3), np.uint8), 0)
    tracker.track(np.zeros((32_766, 1, 3), np.uint8), 0)


@pytest.mark.parametrize("mirrored_input", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3), (3, 2, 3)])
def test_the_smallest_images_have_nobody_in_them(
    shape: tuple[int, ...], mirrored_input: bool
) -> None:
    tracker = make_tracker(mirrored_input=mirrored_input)
    assert tracker.track(np.full(shape, 90, np.uint8), 0) == ()


def test_thresholds_change_between_two_images() -> None:
    tracker = make_tracker()
    run(tracker, [stamp(0)])
    tracker.configure(dataclasses.replace(tracker.options, min_tracking_confidence=1.0))
    assert tracker.track(frames()[1], stamp(1)) == ()
    tracker.configure(PoseTrackerOptions(min_detection_confidence=1.0))
    assert tracker.track(frames()[2], stamp(2)) == ()
    tracker.configure(PoseTrackerOptions(model="upper_body"))
    assert track_one(tracker, frames()[3], stamp(3)).person_id == 2


def test_switching_smoothing_off_and_on_keeps_the_person_and_resets_filters() -> None:
    tracker, roi = make_tracker(), person_roi()
    for i in range(3):
        track_one(tracker, frames()[i], stamp(i), roi)
    tracker.configure(dataclasses.replace(tracker.options, smooth_landmarks=False))
    raw = track_one(tracker, frames()[3], stamp(3), roi)
    tracker.configure(PoseTrackerOptions(model="upper_body"))
    first = track_one(tracker, frames()[3], stamp(4), roi)
    assert np.allclose(first.landmarks_px, raw.landmarks_px, rtol=1e-6, atol=1e-5)
    assert (raw.person_id, first.person_id) == (1, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("static_image_mode", True), ("mirrored_input", True), ("intra_op_threads", 2)],
)
def test_another_kind_of_input_or_runtime_resets(name: str, value: Any) -> None:
    tracker = make_tracker()
    run(tracker, [stamp(0)])
    tracker.configure(PoseTrackerOptions(**{name: value}))
    tracker.configure(PoseTrackerOptions(model="upper_body"))
    pose = track_one(tracker, frames()[1], stamp(1))
    assert pose.detection is not None
    assert pose.person_id == 2


def test_options_that_fail_to_load_change_nothing() -> None:
    tracker = make_tracker()
    run(tracker, [stamp(0)])
    before = tracker.options
    with pytest.raises(OptionError, match="'NoSuchProvider'"):
        tracker.configure(
            PoseTrackerOptions(providers=("NoSuchProvider",), min_tracking_confidence=1.0)
        )
    assert tracker.options is before
    pose = track_one(tracker, frames()[1], stamp(1))
    assert (pose.detection, pose.person_id) == (None, 1)


def test_configuring_the_same_options_changes_nothing() -> None:
    tracker = make_tracker()
    first = run(tracker, [stamp(0)])
    tracker.configure(PoseTrackerOptions(model="upper_body"))
    second = track_one(tracker, frames()[1], stamp(1))
    assert landmarks([*first, second]) == landmarks(run(make_tracker(), [stamp(0), stamp(1)]))


def test_without_smoothing_the_full_bodys_rois_are_those_with_it() -> None:
    """Its auxiliary landmarks are always filtered."""
    stamps = [stamp(i) for i in range(5)]
    smooth = run(make_tracker(model="lite"), stamps)
    raw = run(make_tracker(model="lite", smooth_landmarks=False), stamps)
    for filtered, unfiltered in zip(smooth, raw, strict=True):
        assert filtered.next_roi.corners_px().tolist() == unfiltered.next_roi.corners_px().tolist()
    assert landmarks(smooth)[1:] != landmarks(raw)[1:]


def with_model(tracker: PoseTracker, model: str, **changes: Any) -> None:
    tracker.configure(dataclasses.replace(tracker.options, model=model, **changes))


def test_another_model_is_in_force_at_once_and_ids_go_on() -> None:
    tracker = make_tracker()
    found = []
    for i, model in enumerate(["upper_body", "lite", "full", "lite", "upper_body"]):
        with_model(tracker, model)
        first = track_one(tracker, frames()[2 * i], stamp(2 * i))
        second = track_one(tracker, frames()[2 * i + 1], stamp(2 * i + 1))
        found.append((len(first.landmarks_px), first.person_id, second.person_id))
        assert len(second.landmarks_px) == len(MODELS[model].topology)
        assert (first.detection is not None, second.detection is not None) == (True, False)
        assert (first.world_landmarks_m is None) == (model == "upper_body")
    assert found == [(25, 1, 1), (33, 2, 2), (33, 3, 3), (33, 4, 4), (25, 5, 5)]


def test_a_switched_tracker_is_a_fresh_one_of_that_model() -> None:
    tracker = make_tracker()
    run(tracker, [stamp(i) for i in range(3)])
    with_model(tracker, "lite")
    stamps = [stamp(3 + i) for i in range(3)]
    assert figures(run(tracker, stamps)) == figures(run(make_tracker(model="lite"), stamps))


def copy_models(folder: Path) -> None:
    for file in MODELS_DIR.iterdir():
        if file.name.startswith(("upper_body", "lite", "detector", "manifest")):
            shutil.copy(file, folder)


@pytest.mark.parametrize("missing", ["lite.onnx", "lite.data", "detector.onnx", MANIFEST])
def test_a_missing_file_keeps_the_old_model_and_the_person(missing: str, tmp_path: Path) -> None:
    copy_models(tmp_path)
    tracker = PoseTracker(PoseTrackerOptions(model="upper_body"), tmp_path)
    first = run(tracker, [stamp(0)])
    (tmp_path / missing).unlink()
    before = tracker.options
    with pytest.raises(ModelFileError, match=missing):
        with_model(tracker, "lite")
    assert tracker.options is before
    second = track_one(tracker, frames()[1], stamp(1))
    assert (second.detection, second.person_id) == (None, 1)
    assert landmarks([*first, second]) == landmarks(run(make_tracker(), [stamp(0), stamp(1)]))


def test_a_mask_that_the_model_has_not_is_an_error_each_time_and_changes_nothing() -> None:
    tracker = make_tracker()
    run(tracker, [stamp(0)])
    for _ in range(2):
        with pytest.raises(OptionError, match="upper_body"):
            tracker.track(frames()[1], stamp(1), with_mask=True)
    second = track_one(tracker, frames()[1], stamp(1))
    assert landmarks([second]) == landmarks(run(make_tracker(), [stamp(0), stamp(1)])[1:])


def test_a_mask_whose_file_is_missing_is_an_error_until_it_is_there(tmp_path: Path) -> None:
    copy_models(tmp_path)
    tracker = PoseTracker(PoseTrackerOptions(model="lite"), tmp_path)
    (tmp_path / "lite_mask.onnx").rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(ModelFileError, match=r"lite_mask\.onnx"):
            tracker.track(frames()[0], stamp(0), with_mask=True)
    (tmp_path / "away").rename(tmp_path / "lite_mask.onnx")
    pose = track_one(tracker, frames()[0], stamp(0), with_mask=True)
    assert (pose.person_id, pose.mask is None) == (1, False)


@pytest.mark.parametrize("inference", ["onnxruntime", "auto"])
def test_masks_come_and_go_and_neither_person_nor_landmarks_change(inference: str) -> None:
    """By not a bit with onnxruntime. It gives the masks, so an engine's sums have another order.

    That difference is judged in the first image with a mask: later ones follow from that.
    """
    tracker = make_tracker(model="lite", inference=inference)
    poses = [track_one(tracker, frames()[i], stamp(i), with_mask=i in (2, 3, 5)) for i in range(6)]
    assert [pose.mask is not None for pose in poses] == [i in (2, 3, 5) for i in range(6)]
    assert [pose.detection is not None for pose in poses] == [True] + [False] * 5
    assert {pose.person_id for pose in poses} == {1}
    alone = run(make_tracker(model="lite", inference=inference), [stamp(i) for i in range(6)])
    for ours, wanted in zip(poses[:3], alone, strict=False):
        assert np.abs(ours.landmarks_px - wanted.landmarks_px)[:, :2].max() <= 0.02
    if inference == "onnxruntime":
        plain = [dataclasses.replace(pose, mask=None) for pose in poses]
        assert figures(plain) == figures(alone)


def test_a_mask_covers_the_person_in_the_image() -> None:
    pose = track_one(make_tracker(model="lite"), frames()[0], 0, with_mask=True)
    assert pose.mask is not None
    assert pose.mask.shape == frames()[0].shape[:2]
    assert 0 <= pose.mask.min() <= pose.mask.max() <= 1
    x, y = pose.landmarks_px[0, :2].astype(int)
    assert pose.mask[y, x] > 0.9
    assert pose.mask[5, 5] < 0.1
    assert pose.mask[5, -5] < 0.1


def test_the_mask_of_a_mirror_image_is_the_mirrored_mask() -> None:
    image = frames()[0]
    mirrored = make_tracker(model="lite", mirrored_input=True)
    selfie = track_one(mirrored, np.ascontiguousarray(image[:, ::-1]), 0, with_mask=True)
    pose = track_one(make_tracker(model="lite"), image, 0, with_mask=True)
    assert selfie.mask is not None
    assert pose.mask is not None
    assert np.array_equal(selfie.mask, pose.mask[:, ::-1])


@pytest.mark.parametrize(
    ("options", "is_blended"),
    [
        ({}, True),
        ({"smooth_segmentation": False}, False),
        ({"static_image_mode": True}, False),
        ({"smooth_landmarks": False}, True),
    ],
)
def test_masks_are_blended_with_the_one_before_if_wanted(
    options: dict[str, bool], is_blended: bool
) -> None:
    tracker = make_tracker(model="lite", **options)
    first = track_one(tracker, frames()[0], stamp(0), person_roi(), with_mask=True).mask
    second = track_one(tracker, frames()[6], stamp(1), person_roi(), with_mask=True).mask
    alone = make_tracker(model="lite")
    raw = track_one(alone, frames()[6], stamp(0), person_roi(), with_mask=True).mask
    assert first is not None
    assert second is not None
    assert raw is not None
    assert np.array_equal(second, raw) != is_blended
    assert np.array_equal(second, smooth_mask(raw, first)) == is_blended
