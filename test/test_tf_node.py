"""The node with TF, over DDS: refused in words without tf2_ros, the real thing where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
from running import Client
from test_depth_camera import rgbd
from test_tf import WITH_TF2, WITHOUT_TF2, placed

from pose_ros.client import landmarks_from_msg

ASKED = [("publish_tf", True), ("target_frame", "map")]


@WITHOUT_TF2
@pytest.mark.parametrize(("name", "value"), ASKED)
def test_a_node_that_needs_tf_does_not_start_without_it(name: str, value: Any) -> None:
    with running.node_process(*running.parameters(**{name: value})) as process:
        assert process.wait() == 1
        (line,) = process.lines("FATAL")
        assert f"{name} needs the Python package tf2_ros" in line
        assert "Traceback" not in process.output


@WITHOUT_TF2
@pytest.mark.parametrize(("name", "value"), ASKED)
def test_tf_is_refused_while_the_node_runs(pose: Client, name: str, value: Any) -> None:
    before = pose.get(name)
    result = pose.set(**{name: value})
    assert not result.successful
    assert f"{name} needs the Python package tf2_ros" in result.reason
    assert pose.get(name) == before


@WITH_TF2
def test_people_become_frames(tmp_path: Path) -> None:
    from tf2_msgs.msg import TFMessage

    arguments = running.parameters(model="lite", publish_tf=True, tf_landmarks=True)
    with running.node_and_client(*arguments) as client:
        received = client.subscribe("/tf", TFMessage)
        with rgbd(client, tmp_path):
            client.until(lambda: len(received) > 5, "transforms")
        frames = {item.child_frame_id: item for message in received for item in message.transforms}
    assert {"person_1", "person_1/nose"} <= frames.keys()
    assert {item.header.frame_id for item in frames.values()} == {"camera_optical"}
    assert frames["person_1"].transform.translation.z > 0.3


@WITH_TF2
def test_places_are_moved_to_the_target_frame_as_soon_as_it_is_known(tmp_path: Path) -> None:
    from tf2_ros import StaticTransformBroadcaster

    with running.node_and_client(*running.parameters(model="lite", target_frame="map")) as client:
        clouds = client.subscribe("landmarks")
        with rgbd(client, tmp_path):
            client.until(lambda: any(cloud.height for cloud in clouds), "landmarks")
            assert clouds[-1].header.frame_id == "camera_optical"
            line = client.process.wait_for_line("no transform from frame 'camera_optical'")
            assert "target_frame 'map'" in line
            StaticTransformBroadcaster(client.node).sendTransform(
                placed("map", "camera_optical", 10.0)
            )
            client.until(lambda: clouds[-1].header.frame_id == "map", "landmarks in the map")
            client.until(lambda: clouds[-1].height, "a person in the map")
    found = landmarks_from_msg(clouds[-1])
    assert np.isfinite(found.xyz).any()
    assert np.nanmin(found.xyz[..., 0]) > 7.0
