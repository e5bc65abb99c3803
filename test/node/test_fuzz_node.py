"""Fuzzed messages to the real node over DDS: each one processed or counted, and the node lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fuzzing
import pytest
import running
from detections import STAND_IN, Found, stand_in
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from running import Client, Message
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.blazepose.errors import ImageError
from pose_ros.blazepose.tracker import check_image
from pose_ros.inputs.images import rgb_from_compressed, rgb_from_image
from pose_ros.runtime.clock import stamp_to_ns

MESSAGES = 150
TURN_S = 0.05
RELIABLE = {"qos_reliability": "reliable", "qos_depth": 10}
(PERSON,) = running.person()


@pytest.fixture(params=[Image, CompressedImage], ids=["raw", "compressed"])
def transport(request: pytest.FixtureRequest) -> type[Message]:
    chosen: type[Message] = request.param
    return chosen


@pytest.fixture
def client(transport: type[Message]) -> Iterator[Client]:
    """A client of a node that takes every message of its transport."""
    is_raw = transport is Image
    with running.node_and_client(
        *running.parameters(image_transport="raw" if is_raw else "compressed", **RELIABLE),
        image_topic="/image" if is_raw else "/image/compressed",
        image_type=transport,
    ) as made:
        made.listen("landmarks")
        yield made


def drawn(strategy: st.SearchStrategy[Any], start: int) -> list[Any]:
    found: list[Any] = []

    def keep(item: Any) -> None:
        found.append(item)

    fuzzing.draw_each(MESSAGES, start, keep, strategy)
    return found


def is_usable(message: Message) -> bool:
    """Whether the message, as it arrives, is an image that the tracker takes."""
    arrived = deserialize_message(serialize_message(message), type(message))
    to_rgb = rgb_from_image if isinstance(message, Image) else rgb_from_compressed
    try:
        check_image(to_rgb(arrived))
    except ImageError:
        return False
    return True


def count(status: DiagnosticStatus, key: str) -> int:
    return int(next(item.value for item in status.values if item.key == key))


def test_each_message_is_processed_or_counted_as_rejected(
    client: Client, transport: type[Message], fuzz_seed: int
) -> None:
    strategy = fuzzing.images() if transport is Image else fuzzing.compressed_images()
    rejected = 0
    for message in drawn(strategy, fuzz_seed):
        if is_usable(message):
            client.ask(message)
        else:
            rejected += 1
            client.publish(message)
            client.spin(TURN_S)
        assert client.process.is_running, client.process.output
    assert MESSAGES / 10 < rejected < MESSAGES * 9 / 10

    # One that had not had its turn when the next one came was dropped for it, and is counted too.
    def all_counted(status: DiagnosticStatus) -> bool:
        return count(status, "rejected total") + count(status, "dropped total") == rejected

    status = client.status(all_counted, f"{rejected} images rejected or dropped")
    print(f"\n{MESSAGES - rejected} processed, {rejected} rejected", status.message)
    assert count(status, "dropped total") <= rejected / 2  # none on a machine that is not busy
    make_good = running.image if transport is Image else running.jpeg
    assert client.landmarks(make_good(PERSON)).points.shape == (1, 25)
    assert client.process.lines("bad image: ")
    assert not client.process.lines("internal error")


def test_detections_of_any_kind_do_not_keep_the_node_from_processing(
    monkeypatch: pytest.MonkeyPatch, fuzz_seed: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    several = running.parameters(model="lite", person_detector="topic", max_persons=3)
    nowhere = Found(float("nan"), 0, 10, 10)
    strange = drawn(st.tuples(fuzzing.detections(), st.integers(-5, 5), st.booleans()), fuzz_seed)
    with running.node_and_client(*several, *running.parameters(qos_depth=10)) as client:
        publisher = client.node.create_publisher(DiagnosticArray, "detections", 10)
        client.listen("landmarks")
        client.until(publisher.get_subscription_count, "the subscription to detections")

        def people(found: list[Found], late_ns: int = 0, frame_id: str = "") -> int:
            message = running.image(PERSON)
            stamp_ns = stamp_to_ns(message.header.stamp) + late_ns
            publisher.publish(stand_in(*found, stamp_ns=stamp_ns, frame_id=frame_id))
            return len(client.landmarks(message).points)

        for found, late, is_other in strange:
            assert people(found, late * 10**8, "another" if is_other else "") <= 3
        client.until(
            lambda: people([nowhere]) >= 0 and client.process.lines("cannot be used"),
            "a report of boxes",
        )
        assert len(client.process.lines("cannot be used")) < MESSAGES / 10
        assert not client.process.lines("internal error")
        client.reset()
        height, width = PERSON.shape[:2]
        whole = Found(width / 2, height / 2, 0.6 * width, height)
        client.until(lambda: people([whole]) == 1, "the person in a box")


def damaged_payloads(good: bytes) -> st.SearchStrategy[bytes]:
    """A serialized message: cut, with some bytes of its head replaced, or nonsense."""
    at = st.integers(0, 90)
    patched = st.builds(
        lambda start, patch: good[:start] + patch + good[start + len(patch) :],
        at,
        st.binary(min_size=1, max_size=4) | st.sampled_from((b"\xff" * 4, b"\xff\xff\xff\x7f")),
    )
    return at.map(lambda length: good[:length]) | patched | st.binary(max_size=80)


def test_payloads_that_are_no_messages_do_not_end_the_node(
    client: Client, transport: type[Message], fuzz_seed: int
) -> None:
    make_good = running.image if transport is Image else running.jpeg
    good = serialize_message(make_good(running.black()))
    for payload in drawn(damaged_payloads(good), fuzz_seed):
        client.publish(payload)
        client.spin(0.01)
        assert client.process.is_running, client.process.output
    assert client.landmarks(make_good(PERSON)).points.shape == (1, 25)
    assert not client.process.lines("internal error")
