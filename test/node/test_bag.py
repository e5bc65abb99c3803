"""The outputs can be recorded: what is read back from a bag equals what was published."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import running
from rclpy.serialization import deserialize_message, serialize_message

from pose_ros.client import landmarks_from_msg
from pose_ros.outputs.messages import LANDMARK_NAMES, OUTPUTS

pytest.importorskip("rosbags", reason="rosbags is needed to write and read bags")
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
FRAMES = 5


def type_name(message_type: Any) -> str:
    package, kind, *_ = message_type.__module__.split(".")
    return f"{package}/{kind}/{message_type.__name__}"


def _have(received: dict[str, list[Any]], count: int) -> bool:
    return all(len(messages) >= count for messages in received.values())


@pytest.fixture(scope="module")
def published() -> dict[str, list[Any]]:
    """What a node with a mask published for a clip, by topic."""
    with running.node_and_client(*running.parameters(model="lite")) as client:
        names = client.latched("landmark_names")
        client.listen(*(output.name for output in OUTPUTS))
        client.wait_until_idle()
        received = {output.name: client.subscribe(output.name) for output in OUTPUTS}
        for messages in received.values():
            messages.clear()
        for count, rgb in enumerate(running.person(FRAMES), start=1):
            client.publish(running.image(rgb))
            client.until(partial(_have, received, count), f"all outputs of frame {count}")
        return {**received, "landmark_names": [names]}


def write(path: Path, plugin: StoragePlugin, published: dict[str, list[Any]]) -> None:
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        for output in (*OUTPUTS, LANDMARK_NAMES):
            connection = writer.add_connection(
                f"/pose/{output.name}", type_name(output.message_type), typestore=STORE
            )
            for number, message in enumerate(published[output.name]):
                writer.write(connection, number, serialize_message(message))


@pytest.mark.parametrize("plugin", list(StoragePlugin), ids=lambda plugin: plugin.name)
def test_a_bag_holds_exactly_what_was_published(
    published: dict[str, list[Any]], plugin: StoragePlugin, tmp_path: Path
) -> None:
    write(tmp_path / "bag", plugin, published)
    types = {f"/pose/{item.name}": item.message_type for item in (*OUTPUTS, LANDMARK_NAMES)}
    found: dict[str, list[Any]] = {topic: [] for topic in types}
    with AnyReader([tmp_path / "bag"]) as reader:
        for connection, _, data in reader.messages():
            found[connection.topic].append(
                deserialize_message(bytes(data), types[connection.topic])
            )
    assert all(len(messages) for messages in found.values())
    for topic, messages in found.items():
        assert messages == published[topic.removeprefix("/pose/")]


def test_the_landmarks_can_be_read_without_ros(
    published: dict[str, list[Any]], tmp_path: Path
) -> None:
    write(tmp_path / "bag", StoragePlugin.MCAP, published)
    with AnyReader([tmp_path / "bag"], default_typestore=STORE) as reader:
        chosen = [item for item in reader.connections if item.topic == "/pose/landmarks"]
        clouds: list[Any] = [
            reader.deserialize(data, item.msgtype) for item, _, data in reader.messages(chosen)
        ]
    assert len(clouds) == len(published["landmarks"])
    for cloud, message in zip(clouds, published["landmarks"], strict=True):
        points = landmarks_from_msg(cloud).points
        sent = landmarks_from_msg(message).points
        assert points.tobytes() == sent.tobytes()
        assert cloud.header.frame_id == running.FRAME_ID
        assert points.shape == (1, 33)
