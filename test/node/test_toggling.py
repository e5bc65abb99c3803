"""Outputs that come and go under load: no error, and nothing of a disabled node."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import running
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from outputs.test_tf import STAND_IN
from rclpy.subscription import Subscription
from running import Client
from sensor_msgs.msg import CompressedImage

from pose_ros.outputs.messages import LANDMARK_NAMES, OUTPUTS

(PERSON,) = running.person()
STEPS = 300
ROUNDS, ENOUGH = 5, 3
MARGIN_S = 0.05
TOPICS = {f"/pose/{item.name}": item.message_type for item in (*OUTPUTS, LANDMARK_NAMES)}
# those of the stand-ins
TOPICS["/tf"] = TransformStamped
TOPICS |= {f"/humans/bodies/{name}": DiagnosticArray for name in ("tracked", "p1/roi")}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of a node that has the stand-ins for tf2_ros and hri_msgs, and a mask."""
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    with running.node_and_client(*running.parameters(model="heavy")) as client:
        client.listen("landmarks")
        yield client


class Toggler:
    """Changes what is asked of a node, at random but the same each time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._random = random.Random(7)
        self._subscriptions: dict[str, Subscription] = {}

    def step(self) -> None:
        actions: list[Callable[[], Any]] = [self.subscribers] * 6
        actions += [self.parameter, self.parameter, self.enabled]
        self._random.choice(actions)()

    def subscribers(self) -> None:
        topic = self._random.choice([*TOPICS])
        if (known := self._subscriptions.pop(topic, None)) is not None:
            self._client.node.destroy_subscription(known)
        else:
            make = self._client.node.create_subscription
            self._subscriptions[topic] = make(TOPICS[topic], topic, lambda message: None, 1)

    def parameter(self) -> None:
        values: list[dict[str, Any]] = [{"publish_tf": False}, {"publish_tf": True}]
        values += [{"target_frame": ""}, {"target_frame": "map"}]
        values += [{"publish_hri": False}, {"publish_hri": True}]
        assert self._client.set(**self._random.choice(values)).successful

    def enabled(self) -> None:
        assert self._client.enable(self._random.choice([False, True])).success


def test_outputs_that_are_toggled_under_load_give_no_error(client: Client) -> None:
    toggler = Toggler(client)
    for _ in range(STEPS):
        client.publish(running.image(PERSON))
        client.spin(0.02)
        toggler.step()
    assert client.enable(True).success
    assert client.set(target_frame="").successful
    client.reset()
    client.wait_until_idle()
    assert client.landmarks(running.image(PERSON)).points.shape == (1, 33)
    assert not client.process.lines("ERROR")

    status = client.status(lambda status: True, "any state")
    assert ("rejected total", "0") in {(item.key, item.value) for item in status.values}


def test_no_image_that_was_not_begun_is_published_once_the_node_is_disabled() -> None:
    """Who publishes the names of a changed model has begun with an image; that one may end."""
    large = np.asarray(cv2.resize(PERSON, (6400, 4800)), np.uint8)  # keeps the worker busy
    arguments = running.parameters(model="full", image_transport="compressed")
    with running.node_and_client(
        *arguments, image_topic="/image/compressed", image_type=CompressedImage
    ) as client:
        client.listen("landmarks")
        client.latched("landmark_names")  # from then on each change of them comes
        received, names = client.subscribe("landmarks"), client.subscribe("landmark_names")
        judged = 0
        for model in ["heavy", "full"] * ROUNDS:
            begun, waiting, last = (running.jpeg(rgb) for rgb in (large, large, PERSON))
            received.clear()
            names.clear()
            assert client.set(model=model).successful
            client.publish(begun)
            client.until(lambda: names, "the names of the changed model")
            client.publish(waiting)
            client.spin(MARGIN_S)
            assert client.enable(False).success
            client.spin(MARGIN_S)
            was_at_work = not received  # else the next one may have begun in time
            assert client.enable(True).success
            client.until(lambda: received, "the image at work")
            client.spin(MARGIN_S)
            published = list(received)
            client.ask(last)
            stamps = [cloud.header.stamp for cloud in (*published, *received)]
            if was_at_work:
                assert stamps == [begun.header.stamp, last.header.stamp]
            judged += was_at_work
            if judged == ENOUGH:
                return
    raise AssertionError(f"of {2 * ROUNDS} images {judged} were at work long enough")
