"""The angles of people's joints as a message; a pure function."""

from __future__ import annotations

from sensor_msgs.msg import JointState

from pose_ros.body.joints import joint_angles
from pose_ros.outputs.frame import Frame


def joint_states(frame: Frame) -> JointState:
    """Build the angles in rad of all people, as `person_<id>/<joint>`, by id and table.

    Who was not looked at in this image has none, nor anybody without world landmarks.
    """
    angles = {
        f"person_{person.pose.person_id}/{name}": value
        for person in frame.people
        if person.is_of_this_image and person.pose.world_landmarks_m is not None
        for name, value in joint_angles(
            person.pose.world_landmarks_m, person.pose.visibility, frame.options.min_visibility
        ).items()
    }
    return JointState(header=frame.header, name=[*angles], position=[*angles.values()])
