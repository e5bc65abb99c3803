"""What is published of the target: pose, odometry and a frame on TF; pure functions."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    PoseWithCovariance,
    TransformStamped,
    Twist,
    TwistWithCovariance,
    Vector3,
)
from nav_msgs.msg import Odometry

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.outputs.frame import Frame, Target
from pose_ros.outputs.transforms import frame_transform, quaternion

_FACING_STD_RAD = 0.3
_UNIT = np.eye(6)
_UNKNOWN_STD_RAD, _UNKNOWN_STD_RAD_S = np.pi, 10.0


def target_pose(frame: Frame) -> PoseStamped | None:
    """Build the pose of the target's body: the pelvis, x out of the chest, z along the spine.

    Axes that are not known are those of the frame. None without a target.
    """
    if frame.target is None:
        return None
    return PoseStamped(header=frame.output_header, pose=_pose(frame.target))


def target_odometry(frame: Frame) -> Odometry | None:
    """Build pose and velocity with their covariances; the velocity is along the body's axes.

    Nothing is known of how fast the target turns. None without a target.
    """
    target = frame.target
    if target is None:
        return None
    facing_std = _UNKNOWN_STD_RAD if target.facing is None else _FACING_STD_RAD
    axes, motion = _axes(target), target.motion
    x, y, z = (axes.T @ motion.velocity_m_s).tolist()
    velocity_m2_s2 = axes.T @ motion.velocity_covariance_m2_s2 @ axes
    return Odometry(
        header=frame.output_header,
        child_frame_id=target_frame_name(frame) or f"person_{frame.target_id}",
        pose=PoseWithCovariance(
            pose=_pose(target), covariance=_covariance(motion.position_covariance_m2, facing_std)
        ),
        twist=TwistWithCovariance(
            twist=Twist(linear=Vector3(x=x, y=y, z=z)),
            covariance=_covariance(velocity_m2_s2, _UNKNOWN_STD_RAD_S),
        ),
    )


def target_transform(frame: Frame) -> TransformStamped | None:
    """Build the frame of the target on TF; None without a target, or without a name for it."""
    name, target = target_frame_name(frame), frame.target
    if target is None or not name:
        return None
    return frame_transform(frame.output_header, name, target.motion.position_m, _axes(target))


def target_frame_name(frame: Frame) -> str:
    """Return the name of the target's frame; empty if it has none."""
    name = frame.options.target_tf_frame
    return f"{frame.options.tf_prefix}{name}" if name else ""


def _axes(target: Target) -> Float64Array:
    return np.eye(3) if target.facing is None else target.facing


def _pose(target: Target) -> Pose:
    x, y, z = target.motion.position_m.tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=quaternion(_axes(target)))


def _covariance(linear: Float64Array, angular_std: float) -> Float64Array:
    """Return a covariance (36,) in the order of messages: that of a vector, and of angles."""
    covariance = angular_std**2 * _UNIT
    covariance[:3, :3] = linear
    return covariance.ravel()
