"""`~/people` of the running node, over DDS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rgbd_camera
import running
from rclpy.qos import DurabilityPolicy, QoSProfile
from running import Client
from sensor_msgs.msg import CameraInfo

from pose_ros.client import People, landmarks_from_msg, people_from_msg

(PERSON,) = running.person()
INFO = rgbd_camera.calibration(*PERSON.shape[:2])
STEP_PX = 2


@pytest.fixture(scope="module")
def camera() -> Iterator[Client]:
    """A node with a calibrated camera."""
    with running.node_and_client(*running.parameters(model="lite")) as client:
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        client.node.create_publisher(CameraInfo, "camera_info", latched).publish(INFO)
        client.listen("people")
        yield client


def people(camera: Client, shift_px: int) -> People:
    """The people of the image of the person, shifted to the right."""
    return people_from_msg(camera.ask(running.image(np.roll(PERSON, shift_px, axis=1)), "people"))


def test_people_have_positions_velocities_and_ages(camera: Client) -> None:
    """The velocity is that by which the image moves, at the person's distance."""
    camera.until(lambda: np.isfinite(people(camera, -40).xyz).all(), "a position")
    for number in range(40):
        found = people(camera, -40 + STEP_PX * number)
    (x, _, z), (vx, vy, vz) = found.xyz[0], found.velocity[0]
    speed_m_s = STEP_PX / INFO.k[0] * z / (running.FRAME_NS * 1e-9)
    assert z > 0.3
    assert abs(x) < z
    assert vx == pytest.approx(speed_m_s, rel=0.3)
    assert abs(vy) < 0.3 * speed_m_s
    assert abs(vz) < speed_m_s
    assert found.points["age_s"][0] >= 39 * running.FRAME_NS * 1e-9
    assert found.points["score"][0] > 0.5
    assert 0 < found.xyz_std[0, 0] < found.xyz_std[0, 2] < 0.2 * z
    assert np.linalg.norm(found.heading[0]) == pytest.approx(1, abs=1e-5)
    assert found.points["size_px"][0] > 50


def test_the_point_is_that_of_the_landmarks_person(camera: Client) -> None:
    camera.listen("landmarks")
    message = running.image(PERSON)
    found = people_from_msg(camera.ask(message, "people"))
    landmarks = landmarks_from_msg(camera.ask(running.image(PERSON), "landmarks"))
    assert found.person_id.tolist() == landmarks.person_id.tolist()
    hips_m = landmarks.xyz[0, [23, 24]].mean(axis=0)
    np.testing.assert_allclose(found.xyz[0], hips_m, atol=0.1)


def test_nobody_is_no_point(camera: Client) -> None:
    assert len(people_from_msg(camera.ask(running.image(running.black()), "people")).points) == 0


def test_the_program_of_the_documents_prints_who_is_where(camera: Client, tmp_path: Path) -> None:
    text = (running.ROOT / "docs" / "following.md").read_text(encoding="utf-8")
    script = tmp_path / "watcher.py"
    script.write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], encoding="utf-8")
    watcher = running.Process(camera.process.domain_id, tmp_path, "-u", str(script))
    try:
        camera.stream(PERSON, lambda: watcher.lines("person "), "a line of the watcher", 0.1)
        assert running.FRAME_ID in watcher.lines("person ")[0]
    finally:
        watcher.kill()
