"""The floor that people stand on, given to the running node: by the camera's height, or by TF."""

from __future__ import annotations

import media
import numpy as np
import pytest
import rgbd_camera
import running
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from running import Client

from outputs.test_tf_node import calibrated
from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.client import Landmarks, landmarks_from_msg

# Somebody who walks, from head to foot.
WALKER = np.ascontiguousarray(next(media.frames("walker"))[394:994, 1100:1700])
INFO = rgbd_camera.calibration(*WALKER.shape[:2])
HIPS, ANKLES = [23, 24], [27, 28]
ADULT_M, CHILD_M = 1.7, 1.1
FLOOR = "base_footprint"


def points_m(camera: Client) -> Float64Array:
    """The landmarks of the walker in m, once they are known."""

    def found() -> Landmarks | None:
        people = landmarks_from_msg(camera.ask(running.image(WALKER)))
        return people if len(people.xyz) == 1 and np.isfinite(people.xyz).all() else None

    return np.asarray(camera.until(found, "a position").xyz[0], np.float64)


def settled_m(camera: Client) -> Float64Array:
    """The landmarks after some seconds of the stamps, when the distance is steady."""
    for _ in range(60):
        points = points_m(camera)
    return points


def distance_m(points: Float64Array) -> float:
    return float(points[HIPS, 2].mean())


def height_of_a_child_m(points: Float64Array) -> float:
    """How high a level camera is that sees a child where it took somebody for an adult."""
    return float(points[ANKLES, 1].max()) * CHILD_M / ADULT_M


def looking_ahead(height_m: float) -> TransformStamped:
    """A camera at a height above the floor, valid for the next hour of the stamps."""
    turn = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
    transform = Transform(translation=Vector3(z=height_m), rotation=turn)
    header = running.header(running.FIRST_NS + 3600 * 10**9)
    header.frame_id = FLOOR
    return TransformStamped(header=header, child_frame_id=running.FRAME_ID, transform=transform)


def test_the_height_of_the_camera_gives_the_distance_of_who_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody smaller is nearer; without the height they are an adult again."""
    with calibrated(monkeypatch, INFO) as camera:
        adult = settled_m(camera)
        assert camera.set(camera_height_m=height_of_a_child_m(adult)).successful
        child_m = distance_m(settled_m(camera))
        assert child_m == pytest.approx(distance_m(adult) * CHILD_M / ADULT_M, rel=0.15)
        assert camera.set(camera_height_m=0.0).successful
        assert distance_m(settled_m(camera)) == pytest.approx(distance_m(adult), rel=0.05)
        assert not camera.set(camera_height_m=-1.0).successful


def test_a_floor_frame_that_tf_does_not_have_is_reported_once_and_used_when_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with calibrated(monkeypatch, INFO, floor_frame=FLOOR) as camera:
        transforms = camera.node.create_publisher(TransformStamped, "/tf", 10)
        adult = settled_m(camera)

        def warns(status: DiagnosticStatus) -> bool:
            points_m(camera)
            return bool(status.level == DiagnosticStatus.WARN and FLOOR in status.message)

        camera.status(warns, "a warning of the missing transform")
        camera.until(transforms.get_subscription_count, "the node's subscription to /tf")
        transforms.publish(looking_ahead(height_of_a_child_m(adult)))

        def is_near() -> bool:
            return distance_m(points_m(camera)) < distance_m(adult) * 0.8

        camera.until(is_near, "distances by the floor")
        child_m = distance_m(settled_m(camera))
        assert child_m == pytest.approx(distance_m(adult) * CHILD_M / ADULT_M, rel=0.15)
        (line,) = camera.process.lines(f"floor_frame {FLOOR!r}")
        assert "no transform" in line
        transforms.publish(looking_ahead(-0.2))

        def is_reported() -> bool:
            points_m(camera)
            return bool(camera.process.lines("-0.20 m above"))

        camera.until(is_reported, "a warning of a camera below the floor")
