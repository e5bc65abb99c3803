"""`~/joint_states`: the message of frames, and the topic of the running node over DDS."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import media
import numpy as np
import pytest
import running
from rclpy.serialization import deserialize_message, serialize_message
from running import Client
from sensor_msgs.msg import JointState
from synthetic.angles import body_at_angles

from outputs.test_messages import HEADER, MODELS_DIR, frame, pose
from pose_ros.blazepose import PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.body.joints import JOINT_ANGLES
from pose_ros.outputs.joint_states import joint_states

NAMES = [f"{side}{row.name}" for row in JOINT_ANGLES for side in row.sides]
BENT = {name: 70.0 for name in NAMES if "elbow" in name or "knee" in name}
MODEL = PoseTrackerOptions(static_image_mode=True)
(PERSON,) = running.person()
PAIR = np.hstack((PERSON, PERSON[:, ::-1]))


def somebody(person_id: int = 1, **fields: Any) -> Any:
    """The pose of somebody with bent elbows and knees."""
    visible = {"visibility": np.ones(33), "world_landmarks_m": body_at_angles(BENT)}
    return pose(person_id, 33, **{**visible, **fields})


def built(*people: Any, **fields: Any) -> JointState:
    message = joint_states(frame(*people, **{"topology": FULL_BODY, **fields}))
    assert message.header == HEADER
    assert len(message.name) == len(message.position) == len(set(message.name))
    again = deserialize_message(serialize_message(message), JointState)
    assert again == message
    return message


def test_each_person_has_the_angles_of_the_table_under_the_id() -> None:
    message = built(somebody(2), somebody(7))
    assert message.name == [f"person_{number}/{name}" for number in (2, 7) for name in NAMES]
    found = dict(zip(message.name, np.degrees(message.position), strict=True))
    assert found["person_7/left_elbow_flexion"] == pytest.approx(70)
    assert found["person_7/trunk_rotation"] == pytest.approx(0, abs=1e-4)
    assert not message.velocity
    assert not message.effort


def test_a_joint_is_left_out_below_the_visibility_that_is_asked_for() -> None:
    visibility = np.ones(33)
    visibility[FULL_BODY.names.index("left_wrist")] = 0.6
    blurred = somebody(visibility=visibility)
    left_out = {"person_1/left_elbow_flexion", "person_1/left_shoulder_rotation"}
    everything = set(built(blurred).name)
    assert everything - set(built(blurred, min_visibility=0.7).name) == left_out


def test_without_people_or_world_landmarks_there_are_no_joints() -> None:
    assert built().name == []
    assert built(pose(visibility=np.ones(25))).name == []


def test_who_was_not_looked_at_has_no_joints_unless_held() -> None:
    waiting = somebody(2, held_ns=5_000_000)
    held = somebody(3, held_ns=5_000_000, is_held=True)
    found = {name.partition("/")[0] for name in built(somebody(1), waiting, held).name}
    assert found == {"person_1", "person_3"}


def test_a_mirrored_camera_shows_the_angles_of_the_real_world() -> None:
    """The person's own left stays the left, and nothing of the body is reflected."""
    image = next(media.frames("walker"))
    mirror = np.ascontiguousarray(image[:, ::-1])
    views = ((image, MODEL), (mirror, dataclasses.replace(MODEL, mirrored_input=True)))
    plain, mirrored = (
        joint_states(frame(*PoseTracker(options, MODELS_DIR).track(rgb, 0), topology=FULL_BODY))
        for rgb, options in views
    )
    assert len(plain.name) > 5
    assert mirrored.name == plain.name
    np.testing.assert_allclose(mirrored.position, plain.position, atol=1e-3)


# The running node


@pytest.fixture(scope="module")
def node() -> Iterator[Client]:
    """The people at the desk are cut off: landmarks count that are not visible."""
    options = {"model": "lite", "max_persons": 2, "min_visibility": 0.0}
    with running.node_and_client(*running.parameters(**options)) as client:
        client.listen("joint_states")
        yield client


def angles(message: JointState) -> dict[str, float]:
    return dict(zip(message.name, message.position, strict=True))


def shown(node: Client, image: Any, people: int) -> dict[str, float]:
    """Send an image until a message has the angles of so many people; return them by name."""
    received: list[JointState] = node.subscribe("joint_states")
    received.clear()

    def found() -> JointState | None:
        return next((item for item in received if len(people_of(item)) == people), None)

    return angles(node.stream(image, found, f"angles of {people} people", 0.1))


def people_of(message: JointState) -> set[str]:
    return {name.partition("/")[0] for name in message.name}


def test_the_node_publishes_angles_to_subscribers_of_nothing_else(node: Client) -> None:
    found = shown(node, PERSON, people=1)
    (person,) = {name.partition("/")[0] for name in found}
    every = {f"{person}/{name}" for name in NAMES}
    assert {name for name in every if not name.endswith("_rotation")} <= set(found) <= every
    assert 0 < found[f"{person}/left_elbow_flexion"] < np.pi
    shown(node, running.black(), people=0)


def test_two_people_have_angles_each(node: Client) -> None:
    found = shown(node, PAIR, people=2)
    assert len(found) >= 2 * (len(NAMES) - 6)


def test_the_program_of_the_documents_prints_angles(node: Client, tmp_path: Path) -> None:
    text = (running.ROOT / "docs" / "bones.md").read_text(encoding="utf-8")
    script = tmp_path / "listener.py"
    script.write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], encoding="utf-8")
    listener = running.Process(node.process.domain_id, tmp_path, "-u", str(script))
    try:
        node.stream(
            PERSON, lambda: listener.lines("knee_flexion: "), "a line of the listener", 0.1
        )
    finally:
        listener.kill()
