"""The QoS that the node requests is chosen by the publishers found."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import running
from hypothesis import given
from hypothesis import strategies as st
from rclpy.publisher import Publisher
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from running import Client
from sensor_msgs.msg import Image
from timed_camera import timed_camera

from pose_ros.inputs.qos import InputQos, is_latched

(PERSON,) = running.person()
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
OFFERS = [
    QoSProfile(depth=1, reliability=reliability, durability=durability)
    for reliability, durability in itertools.product((RELIABLE, BEST_EFFORT), (VOLATILE, LATCHED))
]
offers = st.lists(st.sampled_from(OFFERS), max_size=4)


# The choice


@given(offers)
def test_auto_fits_every_publisher(offered: list[QoSProfile]) -> None:
    qos = InputQos("auto", 1).fitting(offered)
    for offer in offered:
        compatibility, _ = qos_check_compatible(offer, qos)
        assert compatibility != QoSCompatibility.ERROR


@given(offers)
def test_auto_is_reliable_if_all_publishers_are(offered: list[QoSProfile]) -> None:
    qos = InputQos("auto", 1).fitting(offered)
    are_reliable = bool(offered) and all(offer.reliability == RELIABLE for offer in offered)
    assert qos.reliability == (RELIABLE if are_reliable else BEST_EFFORT)
    assert is_latched(qos) == (are_reliable and all(map(is_latched, offered)))


@given(offers, st.sampled_from(["best_effort", "reliable", "system_default"]))
def test_what_the_user_chose_is_requested(offered: list[QoSProfile], chosen: str) -> None:
    qos = InputQos(chosen, 7).fitting(offered)
    assert (qos.reliability.name.lower(), qos.depth) == (chosen, 7)
    assert not is_latched(qos) or chosen == "reliable"


# The running node


def reliabilities(client: Client) -> list[ReliabilityPolicy]:
    """What the node's image subscriptions request."""
    found = client.node.get_subscriptions_info_by_topic("/image")
    return [item.qos_profile.reliability for item in found]


def test_the_node_requests_what_the_cameras_offer_as_they_come_and_go() -> None:
    with running.node_and_client() as client:
        client.subscribe("landmarks")

        def requests(reliability: ReliabilityPolicy) -> bool:
            return reliabilities(client) == [reliability]

        client.until(lambda: requests(RELIABLE), "a reliable subscription")
        qos = QoSProfile(depth=1, reliability=BEST_EFFORT)
        other = client.node.create_publisher(Image, "/image", qos)
        client.until(lambda: requests(BEST_EFFORT), "a best-effort subscription")
        client.node.destroy_publisher(other)
        client.until(lambda: requests(RELIABLE), "a reliable subscription")
        assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)
        client.spin(1.2)  # a warning of QoS comes a second late
        assert not client.process.lines("incompatible QoS")


def test_a_publisher_that_comes_and_goes_does_not_disturb_the_camera() -> None:
    """The node subscribes once for it, and then no more."""
    with running.node_and_client(*running.parameters(no_image_timeout_s=0.0)) as client:
        client.listen("landmarks")
        seen: set[tuple[int, ...]] = set()

        def see() -> None:
            found = client.node.get_subscriptions_info_by_topic("/image")
            seen.update(tuple(item.endpoint_gid) for item in found)

        see()
        qos = QoSProfile(depth=1, reliability=BEST_EFFORT)
        for _ in range(6):
            other = client.node.create_publisher(Image, "/image", qos)
            client.until(lambda: reliabilities(client) == [BEST_EFFORT], "a new subscription")
            client.status(lambda status: "2 publishers" in status.message, "both publishers")
            client.node.destroy_publisher(other)
            for _ in range(6):
                client.spin(0.1)
                see()
        assert len(seen) == 2
        assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)


def test_without_cameras_the_node_requests_best_effort() -> None:
    with running.node_and_client(image_topic="/elsewhere") as client:
        client.until(lambda: reliabilities(client) == [BEST_EFFORT], "a subscription")


@contextmanager
def node_after_image() -> Iterator[Client]:
    """A node that becomes active after its only image was sent: it is latched."""
    arguments = running.parameters(no_image_timeout_s=0.5, autostart=False)
    with running.node_and_client(*arguments, image_topic="/elsewhere") as client:
        qos = QoSProfile(depth=1, reliability=RELIABLE, durability=LATCHED)
        client.node.create_publisher(Image, "/image", qos).publish(running.image(PERSON))
        yield client


@pytest.mark.parametrize("delay_s", [0.0, 2.0])
def test_an_image_that_was_sent_once_and_latched_is_processed(delay_s: float) -> None:
    """Also for somebody who subscribes when the node has already seen it."""
    with node_after_image() as client:
        client.bring_up()
        client.spin(delay_s)
        received = client.subscribe("landmarks")
        client.until(lambda: received, "the landmarks")
        assert received[0].height == 1
        before = client.process.lines("no image")  # its publisher may have been found late
        client.spin(1.5)
        assert client.process.lines("no image") == before
        assert len(received) == 1


def test_a_stream_beside_a_latched_image_is_received() -> None:
    with node_after_image() as client:
        camera: Publisher = client.node.create_publisher(Image, "/image", 1)
        client.bring_up()
        received = client.subscribe("landmarks")
        for _ in range(2):
            before = len(received)

            def next_one(before: int = before) -> bool:
                camera.publish(running.image(PERSON))
                return len(received) > before

            client.until(next_one, "landmarks of the stream")


# A node that stalls


STALL_S = 4


@pytest.mark.timed
@pytest.mark.parametrize(
    ("reliability", "size", "rate_hz"),
    [
        ("reliable", (640, 480), 30),
        ("best_effort", (640, 480), 30),
        ("reliable", (1920, 1080), 15),
        ("best_effort", (1920, 1080), 15),
    ],
)
def test_a_stalled_node_does_not_slow_the_camera(
    tmp_path: Path, reliability: str, size: tuple[int, int], rate_hz: int
) -> None:
    words = ("--size", *size, "--rate", rate_hz, "--reliability", reliability)
    with running.node_and_client(image_topic="/elsewhere") as client:
        client.subscribe("landmarks")
        with timed_camera(client.process.domain_id, tmp_path, *map(str, words)) as camera:
            client.until(lambda: len(camera.lines(" ")) > 2 * rate_hz, "two seconds of images")
            assert reliabilities(client) == [ReliabilityPolicy[reliability.upper()]]
            first = len(camera.lines(" "))
            client.process.signal(signal.SIGSTOP)
            client.spin(STALL_S)
            client.process.signal(signal.SIGCONT)
            taken_ms = np.array([line.split()[1] for line in camera.lines(" ")], float)
    before_ms, stalled_ms = np.median(taken_ms[:first]), np.median(taken_ms[first:])
    rate_found_hz = len(taken_ms[first:]) / STALL_S
    print(f"{rate_found_hz:.1f} Hz, publish {stalled_ms:.1f} ms, before {before_ms:.1f} ms")
    assert rate_found_hz >= 0.9 * rate_hz
    assert stalled_ms < 0.75 * 1000 / rate_hz
