"""The node with boxes from another detector, over DDS: rejected without vision_msgs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import detections
import numpy as np
import pytest
import running
from detections import STAND_IN, WITH_VISION_MSGS, WITHOUT_VISION_MSGS, Found
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.publisher import Publisher
from running import Client

from pose_ros.client import Landmarks
from pose_ros.runtime.clock import stamp_to_ns

(PERSON,) = running.person()
HEIGHT, WIDTH = PERSON.shape[:2]
TOPIC: dict[str, Any] = {"model": "lite", "person_detector": "topic", "max_persons": 2}


@WITHOUT_VISION_MSGS
def test_a_node_that_needs_vision_msgs_does_not_start_without_it() -> None:
    with running.node_process(*running.parameters(**TOPIC)) as process:
        assert process.wait() == 1
        (line,) = process.lines("FATAL")
        assert "person_detector" in line
        assert "vision_msgs" in line
        assert "Traceback" not in process.output


@WITHOUT_VISION_MSGS
def test_boxes_are_rejected_while_the_node_runs_without_vision_msgs(pose: Client) -> None:
    result = pose.set(person_detector="topic")
    assert not result.successful
    assert "vision_msgs" in result.reason
    assert pose.get("person_detector") == "blazepose"


@dataclass
class Detector:
    """A client that sends the detections of each image before it."""

    client: Client
    publisher: Publisher
    make: Callable[..., Any]

    def show(self, *found: Found, is_black: bool = False, late_ns: int = 0) -> Landmarks:
        """Send detections and an image; return its landmarks."""
        message = running.image(0 * PERSON if is_black else PERSON)
        stamp_ns = stamp_to_ns(message.header.stamp)
        self.publisher.publish(self.make(*found, stamp_ns=stamp_ns + late_ns))
        return self.client.landmarks(message)

    def until(self, count: int, *found: Found) -> Landmarks:
        """Send images until some people are tracked."""
        for _ in range(60):
            landmarks = self.show(*found)
            if len(landmarks.points) == count:
                return landmarks
        pytest.fail(f"{len(landmarks.points)} people")


@pytest.fixture(
    params=["stand-in", pytest.param("vision_msgs", marks=WITH_VISION_MSGS)], scope="module"
)
def detector(request: pytest.FixtureRequest) -> Iterator[Detector]:
    is_real = request.param == "vision_msgs"
    with pytest.MonkeyPatch.context() as patch:
        if not is_real:
            patch.setenv("PYTHONPATH", str(STAND_IN))
        make = detections.real if is_real else detections.stand_in
        message_type = type(make()) if is_real else DiagnosticArray
        with running.node_and_client(*running.parameters(**TOPIC)) as client:
            publisher = client.node.create_publisher(message_type, "detections", 1)
            client.listen("landmarks")
            client.until(publisher.get_subscription_count, "the subscription to detections")
            yield Detector(client, publisher, make)


def whole(**how: Any) -> Found:
    """A detection of the person, who fills the image."""
    return Found(WIDTH / 2, HEIGHT / 2, WIDTH * 0.6, HEIGHT, **how)


def test_a_person_is_found_in_a_box_and_goes_on_without(detector: Detector) -> None:
    detector.client.reset()
    assert len(detector.show().points) == 0
    assert len(detector.show().points) == 0
    found = detector.until(1, whole())
    again = detector.show()
    assert again.person_id.tolist() == found.person_id.tolist()
    middle_px = np.median(again.pixels[0, :, :2], axis=0)
    assert (middle_px > 0).all()
    assert (middle_px < (WIDTH, HEIGHT)).all()


def test_strange_boxes_are_reported_once_and_the_person_is_found(detector: Detector) -> None:
    client = detector.client
    client.reset()
    strange = [
        whole()._replace(x=float("nan")),
        whole()._replace(width=0.0),
        whole()._replace(x=-5000.0),
        *(Found(4 * x, 10, 9, 9, score=0.95) for x in range(90)),
    ]
    detector.until(1, *strange, whole(score=0.5))
    strange += [Found(x % WIDTH, 10, 9, 9) for x in range(1000)]

    def is_reported(status: DiagnosticStatus) -> bool:
        detector.show(*strange)
        return "boxes cannot be used" in status.message

    values = {item.key: item.value for item in client.status(is_reported, "strange boxes").values}
    assert int(values["boxes rejected total"]) >= 3
    assert len(client.process.lines("boxes cannot be used")) == 1


def test_late_detections_are_reported_once_with_the_difference(detector: Detector) -> None:
    client = detector.client
    client.reset()

    def is_reported(status: DiagnosticStatus) -> bool:
        detector.show(whole(), late_ns=-(10**9) // 2)
        return "0.5 s behind" in status.message

    client.status(is_reported, "late detections")
    (line,) = client.process.lines("0.5 s behind")
    assert "detections_slop_s is 0.1" in line
    assert client.set(detections_slop_s=0.8).successful
    for _ in range(20):
        detector.show(whole(), late_ns=-(10**9) // 2)
    assert client.set(detections_slop_s=0.1).successful


def test_the_own_detector_can_take_over_and_give_back(detector: Detector) -> None:
    client = detector.client
    assert client.set(person_detector="blazepose").successful
    client.until(lambda: len(detector.show().points) == 1, "the person without boxes")
    client.until(
        lambda: detector.publisher.get_subscription_count() == 0, "the end of the subscription"
    )
    assert client.set(person_detector="topic").successful
    client.until(detector.publisher.get_subscription_count, "the subscription to detections")
    detector.show(is_black=True)
    assert len(detector.show().points) == 0
    detector.until(1, whole())
