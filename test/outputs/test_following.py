"""The target of frames, and what is published of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from synthetic.limbs import UP
from synthetic.postures import HANGING, waving_arm
from synthetic.postures import body_in_posture as standing

from outputs.test_motions import FRAME_NS, at, body, map_from_camera, read, shown
from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.body.velocity import PREDICTED_NS
from pose_ros.outputs.following import Following
from pose_ros.outputs.frame import Frame, Person, Target
from pose_ros.outputs.messages import TARGET_OUTPUTS
from pose_ros.outputs.motions import Motions
from pose_ros.outputs.target_messages import target_odometry, target_pose, target_transform
from pose_ros.outputs.topics import QOS

HOLD_S = 2.0
STEP_M = FRAME_NS * 1e-9


class Scene:
    """Frame after frame of people by id, who walk to the right at 1 m/s."""

    def __init__(self, follow: str = "nearest", **fields: Any) -> None:
        self.following, self._motions = Following(), Motions()
        self._fields: dict[str, Any] = {"follow": follow, **fields}
        self._number = 0

    def show(self, *ids: int, frames: int = 1, hold_s: float = HOLD_S, **fields: Any) -> Frame:
        """People of an id from 1 on are as many meters away."""
        for _ in range(frames):
            x_m = self._number * STEP_M - 2
            persons = (Person(body(number), at((x_m, 0, number))) for number in ids)
            frame = self._motions.apply(shown(self._number, *persons, **(self._fields | fields)))
            frame = self.following.apply(frame, self._motions.find, hold_s)
            self._number += 1
        return frame

    @property
    def fact(self) -> str:
        return self.following.facts("nearest")["target"]


class Signers(Scene):
    """People who stand, two to four meters away, and make gestures with their arms."""

    def __init__(self) -> None:
        super().__init__(follow="gesture")

    def sign(self, seconds: float, **arms: str) -> Frame:
        """Show people 2 and 3; `arms` says what each does: waves, or raises both."""
        for number in range(round(seconds / STEP_M)):
            persons = (self._person(n, arms.get(f"p{n}", ""), number * STEP_M) for n in (2, 3))
            frame = self._motions.apply(shown(self._number, *persons, **self._fields))
            frame = self.following.apply(frame, self._motions.find, HOLD_S)
            self._number += 1
        return frame

    @staticmethod
    def _person(number: int, what: str, time_s: float) -> Person:
        left = {"waves": waving_arm(time_s), "sends away": (UP, UP)}.get(what, HANGING)
        right = (UP, UP) if what == "sends away" else HANGING
        world_m = standing("standing", left, right)
        return Person(body(number, world_landmarks_m=world_m), at((0, 0, number)))


def test_who_waves_is_followed_until_both_arms_are_raised() -> None:
    scene = Signers()
    assert scene.sign(2).target_id is None
    assert "nobody waves" in scene.fact
    assert scene.sign(1.5, p3="waves").target_id == 3
    assert scene.sign(3, p2="waves").target_id == 3  # who is followed already stays it
    assert scene.sign(1).target_id == 3
    assert scene.sign(1, p2="sends away").target_id == 3
    assert scene.sign(1, p3="sends away").target_id is None
    assert scene.sign(2).target_id is None
    assert scene.sign(1.5, p2="waves").target_id == 2


def test_services_work_beside_gestures() -> None:
    scene = Signers()
    scene.sign(1)
    scene.following.request_next()
    assert scene.sign(1).target_id == 2
    scene.following.request_release()
    assert scene.sign(1).target_id is None
    assert scene.sign(1.5, p3="waves").target_id == 3


def quaternion_axes(found: Any) -> Float64Array:
    """The axes, in columns, of a quaternion."""
    x, y, z, w = found.x, found.y, found.z, found.w
    axes: Float64Array = np.array(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
            (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
            (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
        )
    )
    return axes


def target_of(frame: Frame) -> Target:
    assert frame.target is not None
    return frame.target


def sent(message: Any, message_type: Any) -> Any:
    assert isinstance(message, message_type)
    return deserialize_message(serialize_message(message), message_type)


def test_nobody_is_followed_by_default() -> None:
    frame = Scene(follow="none").show(2, 3, frames=30)
    assert (frame.target_id, frame.target) == (None, None)
    for build in (target_pose, target_odometry, target_transform):
        assert build(frame) is None
    assert not read(frame).is_target.any()
    assert Following().facts("none") == {"target": "none: follow is none"}


def test_the_nearest_one_is_followed_and_marked() -> None:
    frame = Scene().show(3, 2, frames=30)
    assert read(frame).person_id.tolist() == [3, 2]
    assert read(frame).is_target.tolist() == [False, True]


@pytest.mark.parametrize(("is_held", "expected"), [(False, 2), (True, 3)])
def test_who_is_tracked_but_not_seen_in_this_image_may_become_the_target(
    is_held: bool, expected: int
) -> None:
    motions, following = Motions(), Following()
    for number in range(2):
        age = {"held_ns": number * FRAME_NS, "is_held": is_held and number > 0}
        near, far = Person(body(2, **age), at((0, 0, 2))), Person(body(3), at((0, 0, 3)))
        follow = ("none", "nearest")[number]
        frame = motions.apply(shown(number, near, far, follow=follow))
        frame = following.apply(frame, motions.find, HOLD_S)
    assert frame.target_id == following.target_id == expected


def test_the_pose_is_that_of_the_body() -> None:
    frame = Scene().show(3, frames=60)
    message = sent(target_pose(frame), PoseStamped)
    assert message.header == frame.output_header
    position = message.pose.position
    np.testing.assert_allclose(
        (position.x, position.y, position.z), (59 * STEP_M - 2, 0, 3), atol=0.02
    )
    forward, left, up = quaternion_axes(message.pose.orientation).T
    np.testing.assert_allclose(forward, (0, 0, -1), atol=1e-6)
    np.testing.assert_allclose(left, (1, 0, 0), atol=1e-6)
    np.testing.assert_allclose(up, (0, -1, 0), atol=1e-6)


def test_the_odometry_has_the_velocity_in_the_body_and_full_covariances() -> None:
    """To the right of the image is to the left of somebody who faces the camera."""
    frame = Scene(target_frame="map", transform=map_from_camera()).show(3, frames=60)
    message = sent(target_odometry(frame), Odometry)
    assert message.header.frame_id == "map"
    assert message.child_frame_id == "target_person"
    assert message.pose.pose == sent(target_pose(frame), PoseStamped).pose
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    np.testing.assert_allclose((linear.x, linear.y, linear.z), (0, 1, 0), atol=0.05)
    assert (angular.x, angular.y, angular.z) == (0, 0, 0)
    of_pose, of_twist = (
        np.reshape(part.covariance, (6, 6)) for part in (message.pose, message.twist)
    )
    target = target_of(frame)
    assert target.facing is not None
    np.testing.assert_allclose(of_pose[:3, :3], target.motion.position_covariance_m2)
    turned = target.facing.T @ target.motion.velocity_covariance_m2_s2 @ target.facing
    np.testing.assert_allclose(of_twist[:3, :3], turned)
    for covariance in (of_pose, of_twist):
        np.testing.assert_allclose(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > 0
    assert np.abs(of_pose[:3, :3] - np.diag(np.diag(of_pose[:3, :3]))).max() > 1e-4


def test_a_heading_that_was_never_known_is_stated_as_unknown() -> None:
    scene = Scene()
    person = Person(body(1, visibility=np.zeros(33)), at((0, 0, 1)))
    motions = Motions()
    frame = motions.apply(shown(0, person, follow="nearest"))
    frame = scene.following.apply(frame, motions.find, HOLD_S)
    message = sent(target_odometry(frame), Odometry)
    np.testing.assert_allclose(quaternion_axes(message.pose.pose.orientation), np.eye(3))
    assert np.reshape(message.pose.covariance, (6, 6))[5, 5] == pytest.approx(np.pi**2)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "target_person"),
        ({"tf_prefix": "front/"}, "front/target_person"),
        ({"target_tf_frame": "leader"}, "leader"),
        ({"target_tf_frame": "", "tf_prefix": "front/"}, None),
    ],
)
def test_the_frame_on_tf_has_a_constant_name(options: dict[str, str], name: str | None) -> None:
    frame = Scene(**options).show(3, frames=10)
    odometry = sent(target_odometry(frame), Odometry)
    if name is None:
        assert target_transform(frame) is None
        assert odometry.child_frame_id == "person_3"
        return
    transform = sent(target_transform(frame), TransformStamped)
    assert transform.child_frame_id == odometry.child_frame_id == name
    assert transform.header == frame.output_header
    pose = sent(target_pose(frame), PoseStamped).pose
    assert transform.transform.rotation == pose.orientation
    assert transform.transform.translation.z == pose.position.z


# Lost


def test_who_is_out_of_sight_is_predicted_for_a_second_then_lost() -> None:
    scene = Scene()
    scene.show(2, 3, frames=60)
    for number in range(1, 60):
        frame = scene.show(3)
        is_predicted = number * FRAME_NS <= PREDICTED_NS
        assert frame.target_id == 2
        assert (target_pose(frame) is not None) == is_predicted
    position = target_of(scene.show(2)).motion.position_m
    np.testing.assert_allclose(position, ((119 * STEP_M) - 2, 0, 2), atol=0.05)


def test_after_the_hold_time_somebody_else_is_the_target() -> None:
    scene = Scene()
    scene.show(2, 3, frames=30)
    assert scene.show(3, frames=60).target_id == 2
    assert scene.show(3, frames=2).target_id == 3


def test_a_shorter_hold_time_ends_the_prediction_too() -> None:
    scene = Scene()
    scene.show(2, frames=30)
    assert scene.show(frames=3, hold_s=0.1).target is not None
    frame = scene.show(hold_s=0.1)
    assert (frame.target_id, frame.target) == (None, None)


def test_a_jump_of_time_forgets_the_target_at_once() -> None:
    scene = Scene()
    scene.show(2, 3, frames=30)
    assert scene.show(3, has_jumped=True).target_id == 3


def test_another_way_to_choose_chooses_anew() -> None:
    scene = Scene()
    assert scene.show(2, 3, frames=5).target_id == 2
    scene.following.request_next()
    assert scene.show(2, 3, frames=5).target_id == 3
    assert scene.show(2, 3, follow="largest").target_id == 2
    scene.following.request_release()
    assert scene.show(2, 3, follow="largest").target_id is None
    assert scene.show(2, 3, follow="center").target_id is None, "until ~/next_target"


def test_a_jump_of_time_forgets_since_when_the_target_is_lost() -> None:
    """A bag that starts again is earlier than that."""
    scene = Scene()
    scene.show(2, frames=30)
    scene.show(frames=60)
    scene.show(has_jumped=True)
    assert scene.fact == "none, never there: nobody is tracked"


def test_nobody_is_followed_whose_position_is_unknown() -> None:
    scene, motions = Scene(), Motions()
    frame = motions.apply(shown(0, Person(body(1)), follow="nearest"))
    frame = scene.following.apply(frame, motions.find, HOLD_S)
    assert frame.target_id is None
    assert scene.fact == "none, never there: the position of nobody is known"


# Requests and reports


def test_the_next_one_is_followed_on_request_and_nobody_after_a_release() -> None:
    scene = Scene()
    assert scene.show(2, 3, frames=5).target_id == 2
    scene.following.request_next()
    assert scene.show(2, 3, frames=5).target_id == 3
    scene.following.request_release()
    frame = scene.show(2, 3, frames=100)
    assert (frame.target_id, frame.target) == (None, None)
    assert "released by ~/release_target" in scene.fact
    scene.following.request_next()
    assert scene.show(2, 3).target_id == 2


def test_what_is_reported() -> None:
    scene = Scene()
    assert scene.fact == "none, never there: no image was processed for it"
    scene.show()
    assert scene.fact == "none, never there: nobody is tracked"
    scene.show(2, 3)
    assert scene.fact == "person 2"
    scene.show(3, frames=40)
    assert scene.fact == "none, lost since 12.000, 0.0 s ago: person 2 is not seen"


def test_outputs_of_the_target_can_be_sent() -> None:
    frame = Scene().show(3, frames=2)
    for output in TARGET_OUTPUTS:
        assert output.qos in QOS
        assert output.is_possible(frame)
        assert sent(output.build(frame), output.message_type) == output.build(frame)
        assert not output.is_possible(shown(0))
