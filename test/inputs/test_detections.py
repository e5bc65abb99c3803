"""Which detections belong to an image, and what is wrong with those that do not."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import clock
import numpy as np
import pytest
import running
from detections import STAND_IN, WITHOUT_VISION_MSGS, Found, stand_in
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from running import FIRST_NS

from pose_ros.blazepose.datatypes import ImageSize
from pose_ros.blazepose.errors import OptionError
from pose_ros.inputs import detections as module
from pose_ros.inputs.detections import DetectionsInput, check_detections
from pose_ros.inputs.options import InputOptions
from pose_ros.parameters import NodeOptions

SIZE = ImageSize(640, 480)
MS = 1_000_000
PROBLEMS = {
    "no detections",
    "detection stamps",
    "detection class",
    "detection boxes",
    "detection frame",
}


@WITHOUT_VISION_MSGS
def test_boxes_from_a_topic_are_rejected_without_vision_msgs() -> None:
    check_detections(NodeOptions())
    with pytest.raises(OptionError, match="vision_msgs"):
        check_detections(NodeOptions(person_detector="topic"))


class Detector:
    """An input of a node that is spun, and a publisher for it."""

    def __init__(self, node: Any, executor: Any) -> None:
        self.input = DetectionsInput(node, InputOptions(qos_depth=10))
        self.input.update(is_needed=True)
        self._publisher = node.create_publisher(DiagnosticArray, "detections", 10)
        self._executor = executor
        running.until(lambda: self._publisher.get_subscription_count() == 1, "a subscription")

    def send(self, *messages: DiagnosticArray) -> None:
        """Publish messages, one after the other has come."""
        for message in messages:
            before = self.input.received
            self._publisher.publish(message)
            running.until(functools.partial(self._has_received_after, before), "detections")

    def _has_received_after(self, before: int) -> bool:
        self._executor.spin_once(timeout_sec=0.1)
        return self.input.received > before

    def find(
        self, stamp_ns: int, detection_class: str = "person", slop_s: float = 0.1, **how: Any
    ) -> Any:
        """Return the middles of the boxes that belong to an image, None if there are none."""
        options = InputOptions(detection_class=detection_class, detections_slop_s=slop_s)
        found = self.input.find(running.header(stamp_ns), SIZE, options, **how)
        return None if found is None else found[:, [0, 2]].mean(axis=1).tolist()

    @property
    def problems(self) -> dict[str, str]:
        found = self.input.problems(5.0)
        assert found.keys() == PROBLEMS
        return {kind: text for kind, text in found.items() if text is not None}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> clock.Clock:
    return clock.install(monkeypatch, module)


@pytest.fixture
def detector(
    monkeypatch: pytest.MonkeyPatch, node: Node, executor: SingleThreadedExecutor
) -> Iterator[Detector]:
    monkeypatch.syspath_prepend(str(STAND_IN))
    for name in ("vision_msgs", "vision_msgs.msg"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    made = Detector(node, executor)
    yield made
    made.input.release()
    for name in ("vision_msgs", "vision_msgs.msg"):
        sys.modules.pop(name, None)


def at(x: float, **how: Any) -> Found:
    return Found(x, 100, 50, 150, **how)


def test_the_newest_within_the_slop_is_used_and_nothing_waits(detector: Detector) -> None:
    assert detector.find(FIRST_NS) is None
    detector.send(*(stand_in(at(100 + i), stamp_ns=FIRST_NS + i * 33 * MS) for i in range(5)))
    assert detector.find(FIRST_NS) == [103]
    assert detector.find(FIRST_NS + 4 * 33 * MS) == [104]
    assert detector.find(FIRST_NS + 231 * MS) == [104]
    assert detector.find(FIRST_NS + 10**9, slop_s=1.0) == [104]
    durations_s = []
    for _ in range(5):
        start_s = time.monotonic()
        assert detector.find(FIRST_NS + 10 * 10**9, slop_s=1.0) is None
        durations_s.append(time.monotonic() - start_s)
    assert min(durations_s) < 0.5  # a second each, if they waited
    assert detector.input.unpaired == 6
    assert detector.problems == {}


def test_stamps_that_count_as_frames_are_compared_as_frames(detector: Detector) -> None:
    detector.send(stand_in(at(50), stamp_ns=FIRST_NS))
    assert detector.find(FIRST_NS + 3, stamp_scale=33e6) == [50]
    assert detector.find(FIRST_NS + 4, stamp_scale=33e6) is None


def test_no_people_are_other_than_no_message(detector: Detector) -> None:
    detector.send(stand_in(stamp_ns=FIRST_NS))
    assert detector.find(FIRST_NS) == []


def test_the_class_can_change(detector: Detector) -> None:
    detector.send(stand_in(at(50), at(60, class_id="0"), stamp_ns=FIRST_NS))
    assert detector.find(FIRST_NS) == [50]
    assert detector.find(FIRST_NS, detection_class="0") == [60]
    assert detector.find(FIRST_NS, detection_class="") == [50, 60]


def test_bad_boxes_are_counted_and_reported_until_they_no_longer_come(
    detector: Detector, now: clock.Clock
) -> None:
    for number in range(3):
        stamp_ns = FIRST_NS + number * 100 * MS
        bad = [at(np.nan), at(-500)] if number % 2 == 0 else []
        detector.send(stand_in(at(50), *bad, stamp_ns=stamp_ns))
        assert detector.find(stamp_ns, slop_s=0.01) == [50]
        assert detector.find(stamp_ns, slop_s=0.01) == [50], "the same message again"
        assert "2 of 3" in detector.problems["detection boxes"]
        now.advance(2.0)
    assert detector.input.facts["boxes rejected total"] == "4"
    now.advance(4.0)
    assert "detection boxes" not in detector.problems


def test_detections_of_another_camera_are_reported_and_not_used(detector: Detector) -> None:
    detector.send(stand_in(at(50), stamp_ns=FIRST_NS, frame_id="rear"))
    assert detector.find(FIRST_NS) is None
    problem = detector.problems["detection frame"]
    assert "'rear'" in problem
    assert repr(running.FRAME_ID) in problem


def reported(detector: Detector, now: clock.Clock, kind: str, send: Callable[[int], None]) -> str:
    """Send messages for three seconds; return the problem that is reported then, not at once."""
    for number in range(12):
        send(FIRST_NS + number * 250 * MS)
        now.advance(0.25)
        if number < 4:
            assert detector.problems == {}
    return detector.problems[kind]


@pytest.mark.parametrize(
    ("late_ns", "words"), [(-300 * MS, "0.3 s behind"), (3600 * 10**9, "3600 s ahead")]
)
def test_detections_that_never_pair_are_reported_with_the_difference(
    detector: Detector, now: clock.Clock, late_ns: int, words: str
) -> None:
    def send(stamp_ns: int) -> None:
        detector.send(stand_in(at(50), stamp_ns=stamp_ns + late_ns))
        assert detector.find(stamp_ns) is None

    problem = reported(detector, now, "detection stamps", send)
    assert words in problem
    assert "detections_slop_s is 0.1" in problem
    assert detector.find(FIRST_NS + 11 * 250 * MS + late_ns) == [50]
    for number in range(12, 24):
        stamp_ns = FIRST_NS + number * 250 * MS
        detector.send(stand_in(at(50), stamp_ns=stamp_ns))
        assert detector.find(stamp_ns) == [50]
        now.advance(0.25)
    assert detector.problems == {}


def test_a_slow_detector_and_one_that_ends_are_no_problem(
    detector: Detector, now: clock.Clock
) -> None:
    for number in range(400):
        stamp_ns = FIRST_NS + number * 33 * MS
        if number < 300 and number % 15 == 0:
            detector.send(stand_in(at(50), stamp_ns=stamp_ns))
        detector.find(stamp_ns)
        now.advance(0.033)
        assert detector.problems == {}
    assert detector.input.unpaired > 200


def test_detections_of_other_classes_alone_are_reported_with_these(
    detector: Detector, now: clock.Clock
) -> None:
    def send(stamp_ns: int) -> None:
        message = stand_in(at(5, class_id="0"), at(6, class_id="56"), stamp_ns=stamp_ns)
        detector.send(message)
        assert detector.find(stamp_ns) == []

    problem = reported(detector, now, "detection class", send)
    assert "'person'" in problem
    assert "'0', '56'" in problem
    detector.send(stand_in(at(50), stamp_ns=FIRST_NS + 10**10))
    assert detector.find(FIRST_NS + 10**10) == [50]
    assert detector.problems == {}


def test_who_no_longer_needs_detections_forgets_them(detector: Detector) -> None:
    detector.send(stand_in(at(50), stamp_ns=FIRST_NS))
    detector.input.update(is_needed=False)
    assert detector.find(FIRST_NS) is None
