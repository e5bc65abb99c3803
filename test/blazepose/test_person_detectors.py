"""People who are found by MoveNet or in boxes from outside; people are rectangles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from blazepose.rectangles import ASPECT, WIDTH_PX, Rectangles, Somebody, draw
from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import Poses
from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.models import MODELS, MOVENET

STEP_NS = 10**9 // 30
TOPIC = PoseTrackerOptions(model="lite", max_persons=4, person_detector="topic")
ROW = [Somebody(50 + 70 * index, 90, 80, index) for index in range(4)]
NOWHERE = [
    (np.nan, 0, 20, 20),
    (5, 5, 5, 5),
    (20, 20, 10, 10),
    (-90, -90, -10, -10),
    (500, 10, 600, 90),
    (0, 0, np.inf, 9),
]


def box_of(one: Somebody, margin: float = 0.05) -> tuple[float, ...]:
    """Return a box around somebody that is a little too large."""
    half = np.array((ASPECT, 1)) * one.height_px * (0.5 + margin)
    middle = np.array((one.x_px, one.y_px))
    return (*(middle - half), *(middle + half))


class Scene:
    """A tracker, and the time that passes with each image."""

    def __init__(self, **options: Any) -> None:
        self.stages: list[str] = []
        self.tracker = PoseTracker(replace(TOPIC, **options), stage=self._note, backend=Rectangles)
        self._time_ns = 0

    @contextmanager
    def _note(self, stage: str) -> Iterator[None]:
        self.stages.append(stage)
        yield

    def show(
        self, people: Sequence[Somebody], boxes_px: Any = None, images: int = 1, **given: Any
    ) -> Poses:
        """Return the result for the last of some equal images."""
        image = draw(people)
        for _ in range(images):
            self._time_ns += STEP_NS
            result = self.tracker.track(image, self._time_ns, boxes_px=boxes_px, **given)
        return result


def ids(poses: Sequence[Pose]) -> list[int]:
    return [pose.person_id for pose in poses]


def places_px(poses: Sequence[Pose]) -> list[float]:
    return sorted(float(pose.landmarks_px[23:25, 0].mean()) for pose in poses)


def test_nobody_is_found_without_boxes() -> None:
    scene = Scene()
    assert scene.show(ROW, images=10) == ()
    assert scene.show(ROW, [], images=10) == ()


@pytest.mark.parametrize("max_persons", [1, 4])
def test_people_are_found_in_boxes_and_go_on_without(max_persons: int) -> None:
    scene, boxes_px = Scene(max_persons=max_persons), [box_of(one) for one in ROW]
    first = scene.show(ROW, boxes_px)
    assert ids(first) == [1]
    assert first[0].detection is None
    assert places_px(first) == pytest.approx([ROW[0].x_px], abs=2)
    scene.show(ROW, boxes_px, images=5)
    expected = ROW[:max_persons]
    result = scene.show(ROW, None, images=5)
    assert ids(result) == [number + 1 for number in range(max_persons)]
    assert places_px(result) == pytest.approx([one.x_px for one in expected], abs=2)


def test_a_place_is_looked_at_twice_with_the_landmarks_own_roi() -> None:
    """So the ROI is that of the person, not of a box that is far too large or beside it."""
    (one,) = ROW[:1]
    x_min, y_min, x_max, y_max = box_of(one)
    exact = PoseTracker(replace(TOPIC, person_detector="blazepose"), backend=Rectangles)
    (expected,) = exact.track(draw([one]), STEP_NS)
    (found,) = Scene().show([one], [(x_min - 12, y_min - 9, x_max + 4, y_max + 20)])
    assert found.roi.size_px == pytest.approx(expected.roi.size_px, rel=0.05)
    assert found.roi.center_px == pytest.approx(expected.roi.center_px, abs=3)


def test_boxes_of_known_people_cost_nothing() -> None:
    scene, boxes_px = Scene(), [box_of(one) for one in ROW[:3]]
    scene.show(ROW[:3], boxes_px, images=6)
    scene.stages.clear()
    scene.show(ROW[:3], boxes_px, images=30)
    assert scene.stages.count("landmark") == 30, "once for each image"


def test_bad_boxes_and_boxes_of_nobody_hide_no_person() -> None:
    """The strongest come first, but where nobody is seen the others get their turn."""
    empty = [(x, 0, x + 8, 8) for x in range(0, 300, 3)]
    for max_persons in (1, 4, 16):
        scene = Scene(max_persons=max_persons)
        boxes_px = [*NOWHERE, *empty, box_of(ROW[3])]
        assert ids(scene.show(ROW, boxes_px, images=len(empty) // max_persons + 1)) == [1]


def test_each_box_has_its_turn_while_somebody_is_tracked_too() -> None:
    """There is room for one only, but a place for two in each turn."""
    empty = [(x, 0, x + 8, 8) for x in range(0, 30, 3)]
    scene = Scene(max_persons=2)
    scene.show(ROW, [box_of(ROW[0])])
    result = scene.show(ROW, [*empty, box_of(ROW[3]), box_of(ROW[0])], images=4 * 2 * len(empty))
    assert ids(result) == [1, 2]


def test_somebody_lost_comes_back_with_the_id_in_a_box() -> None:
    scene = Scene(hold_time_s=5.0)
    scene.show(ROW[:2], [box_of(one) for one in ROW[:2]], images=6)
    gone = scene.show(ROW[:1], [box_of(ROW[0])], images=30)
    assert [ids(gone), ids(gone.held)] == [[1], [2]]
    back = scene.show(ROW[:2], [box_of(one) for one in ROW[:2]], images=10)
    assert ids(back) == [1, 2]


def test_limits_restrict_boxes_too() -> None:
    scene = Scene(roi_limits=(0.5, 0, 1, 1))
    result = scene.show(ROW, [box_of(one) for one in ROW], images=8)
    assert places_px(result) == pytest.approx([one.x_px for one in ROW[2:]], abs=2)


def test_boxes_are_those_of_the_image_as_it_was_received() -> None:
    scene = Scene(mirrored_input=True)
    result = scene.show(ROW[:1], [box_of(ROW[0])], images=5)
    assert places_px(result) == pytest.approx([ROW[0].x_px], abs=2)
    assert ROW[0].x_px < WIDTH_PX / 3


def test_static_images_show_everybody_in_boxes_at_once() -> None:
    scene = Scene(static_image_mode=True)
    boxes_px = [box_of(one) for one in ROW]
    assert ids(scene.show(ROW, boxes_px)) == [1, 2, 3, 4]
    assert ids(scene.show(ROW, boxes_px)) == [5, 6, 7, 8]


def test_boxes_take_the_place_of_the_own_detector() -> None:
    scene = Scene(person_detector="blazepose")
    assert scene.show(ROW, []) == ()
    result = scene.show(ROW, [box_of(ROW[2])])
    assert places_px(result) == pytest.approx([ROW[2].x_px], abs=2)
    assert len(scene.show(ROW, images=10)) == 4


def test_boxes_of_another_shape_are_rejected_and_nobody_is_lost() -> None:
    scene = Scene()
    scene.show(ROW[:1], [box_of(ROW[0])])
    with pytest.raises(ValueError, match=r"\(1, 3\)"):
        scene.show(ROW[:1], [[1, 2, 3]])
    assert ids(scene.show(ROW[:1])) == [1]


def noting(loaded: list[str]) -> type[Rectangles]:
    """Return a backend that notes the files it loads."""

    class Noting(Rectangles):
        def __init__(self, file: str, *rest: Any) -> None:
            loaded.append(file)
            super().__init__(file, *rest)

    return Noting


def test_the_own_detector_is_not_loaded_if_another_one_finds_people() -> None:
    loaded: list[str] = []
    tracker = PoseTracker(TOPIC, backend=noting(loaded))
    assert loaded == [MODELS["lite"].file]
    tracker.configure(replace(TOPIC, person_detector="blazepose"))
    assert loaded[1:] == [MODELS["lite"].detector.file, MODELS["lite"].file]
    assert len(tracker.track(draw(ROW), STEP_NS)) == 1


def test_a_detector_that_is_none_is_rejected() -> None:
    with pytest.raises(OptionError, match="person_detector"):
        PoseTrackerOptions(person_detector="yolo")


# --- MoveNet


SMALL = [Somebody(40 + 60 * index, 50 + 25 * index, 28, index) for index in range(4)]
LARGE = Somebody(160, 90, 176, 0)


def test_movenet_finds_small_people_in_the_whole_image() -> None:
    missed = Scene(person_detector="blazepose", detect_regions="off").show(SMALL, images=20)
    assert missed == ()
    result = Scene(person_detector="movenet").show(SMALL, images=10)
    assert ids(result) == [1, 2, 3, 4]
    assert places_px(result) == pytest.approx([one.x_px for one in SMALL], abs=2)


@pytest.mark.parametrize("static", [False, True])
def test_who_is_too_large_for_movenet_is_found_by_the_other_detector(static: bool) -> None:
    (pose,) = Scene(person_detector="movenet", static_image_mode=static).show([LARGE])
    assert pose.detection is not None


def test_who_is_too_large_for_movenet_is_found_beside_others() -> None:
    near = Somebody(200, 90, 170, 4)
    scene = Scene(person_detector="movenet")
    assert len(scene.show(SMALL[:1], images=5)) == 1
    result = scene.show([near, *SMALL[:1]], images=20)
    assert places_px(result) == pytest.approx([SMALL[0].x_px, near.x_px], abs=2)


def test_movenet_rests_while_there_is_no_room_and_runs_now_and_then_while_there_is() -> None:
    """Everybody who is there has been found, and nothing moves."""
    for room, most in ((0, 0), (1, 9)):
        scene = Scene(person_detector="movenet", max_persons=2 + room)
        scene.show(SMALL[:2], images=10)
        scene.stages.clear()
        scene.show(SMALL[:2], images=30)
        assert scene.stages.count("detect") <= most
        assert (scene.stages.count("detect") > 0) == bool(room)


def test_movenet_is_loaded_only_if_it_is_asked_for() -> None:
    loaded: list[str] = []
    tracker = PoseTracker(replace(TOPIC, person_detector="blazepose"), backend=noting(loaded))
    assert MOVENET.file not in loaded
    tracker.configure(replace(TOPIC, person_detector="movenet"))
    assert {MOVENET.file, MODELS["lite"].detector.file} <= set(loaded)
