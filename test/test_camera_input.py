"""The camera is held while somebody wants results, and let go after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
import running
from rclpy.context import Context
from rclpy.node import Node

from pose_ros import camera_input
from pose_ros.camera_input import CameraInput
from pose_ros.parameters import NodeOptions

GRACE_S = 0.2


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., CameraInput]]:
    """Make camera inputs of one node of a context of its own."""
    monkeypatch.setattr(camera_input, "_GRACE_S", GRACE_S)
    with running.domain() as domain_id:
        context = Context()
        rclpy.init(context=context, domain_id=domain_id)
        node = rclpy.create_node("camera_input_test", context=context)

        def camera(**options: Any) -> CameraInput:
            return CameraInput(node, NodeOptions(**options), lambda message: None)

        camera.node = node  # type: ignore[attr-defined]
        yield camera
        node.destroy_node()
        rclpy.shutdown(context=context)


def subscriptions(make: Any, topic: str) -> int:
    node: Node = make.node
    return len(node.get_subscriptions_info_by_topic(topic))


def test_taking_twice_subscribes_once(make: Any) -> None:
    camera = make()
    camera.take()
    camera.take()
    assert camera.is_taken
    running.until(lambda: subscriptions(make, "/image") == 1, "one image subscription")
    assert subscriptions(make, "/camera_info") == 1


def test_it_is_let_go_only_some_time_after_the_demand_ends(make: Any) -> None:
    camera = make()
    camera.follow(is_wanted=True)
    camera.follow(is_wanted=False)
    assert camera.is_taken
    time.sleep(1.5 * GRACE_S)
    camera.follow(is_wanted=False)
    assert not camera.is_taken
    running.until(lambda: subscriptions(make, "/image") == 0, "no image subscription")


def test_a_new_demand_takes_it_again_at_once(make: Any) -> None:
    camera = make()
    camera.take()
    camera.release()
    camera.follow(is_wanted=True)
    assert camera.is_taken


def test_silence_counts_only_while_it_is_taken(make: Any) -> None:
    camera = make()
    time.sleep(0.05)
    assert camera.silence(0.01) is None
    camera.take()
    time.sleep(0.05)
    assert camera.silence(0.0) is None
    assert camera.silence(60.0) is None
    assert camera.silence(0.01) == "no image on /image for 0.01 s: nobody publishes there"


def test_compressed_images_come_from_the_topic_below(make: Any) -> None:
    assert make(image_transport="compressed").topic == "/image/compressed"


def test_the_running_node_wakes_when_somebody_subscribes() -> None:
    """Nobody listens for longer than the grace, then somebody does: the answer comes soon."""
    (picture,) = running.person()
    with running.node_and_client() as client:
        client.landmarks(running.image(picture))
        client.unsubscribe()
        deadline_s = time.monotonic() + camera_input._GRACE_S + 5.0
        while client.images_matched() and time.monotonic() < deadline_s:
            client.publish(running.image(picture))
            client.spin(0.1)
        assert not client.images_matched()
        received = client.subscribe("landmarks")
        received.clear()
        start_s = time.monotonic()
        while not received:
            client.publish(running.image(picture))
            client.spin(1 / 30)
            assert time.monotonic() - start_s < running.TIMEOUT_S
        print(f"first landmarks {time.monotonic() - start_s:.2f} s after subscribing")
