"""What is published of the target: pose, odometry and a frame on TF; pure functions."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, TransformStamped
from nav_msgs.msg import Odometry

from pose_ros.blazepose.datatypes import Float64Array
from pose_ros.outputs.frame import Frame, Target
from pose_ros.outputs.transforms import frame_transform, quaternion

_FACING_STD_RAD = 0.3
_UNIT = np.eye(3)
_ANGLES = slice(21, None, 7)
"""Their variances in a covariance (36,)."""
_UNKNOWN_STD_RAD, _UNKNOWN_STD_RAD_S = np.pi, 10.0


def target_pose(frame: Frame) -> PoseStamped | None:
    """Build the pose of the target's body: the pelvis, x out of the chest, z along the spine.

    Axes that are not known are those of the frame. None without a target.
    """
    if frame.target is None:
        return None
    message = PoseStamped()
    message.header = frame.output_header
    _fill_pose(message.pose, frame.target)
    return message


def target_odometry(frame: Frame) -> Odometry | None:
    """Build pose and velocity with their covariances; the velocity is along the body's axes.

    Nothing is known of how fast the target turns. None without a target.
    """
    target = frame.target
    if target is None:
        return None
    axes, motion = _axes(target), target.motion
    message = Odometry()
    message.header = frame.output_header
    message.child_frame_id = target_frame_name(frame) or f"person_{frame.target_id}"
    _fill_pose(message.pose.pose, target)
    facing_std = _UNKNOWN_STD_RAD if target.facing is None else _FACING_STD_RAD
    _fill_covariance(message.pose.covariance, motion.position_covariance_m2, facing_std)
    linear = message.twist.twist.linear
    linear.x, linear.y, linear.z = (axes.T @ motion.velocity_m_s).tolist()
    velocity_m2_s2 = axes.T @ motion.velocity_covariance_m2_s2 @ axes
    _fill_covariance(message.twist.covariance, velocity_m2_s2, _UNKNOWN_STD_RAD_S)
    return message


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
    return _UNIT if target.facing is None else target.facing


def _fill_pose(pose: Pose, target: Target) -> None:
    """Write where the target is into a new message: one made of finished parts costs more."""
    point, turn = pose.position, pose.orientation
    point.x, point.y, point.z = target.motion.position_m.tolist()
    turn.x, turn.y, turn.z, turn.w = quaternion(_axes(target))


def _fill_covariance(covariance: Float64Array, linear: Float64Array, angular_std: float) -> None:
    """Write into one (36,) of zeros: that of a vector, and that of angles."""
    square = covariance.reshape(6, 6)
    square[:3, :3] = linear
    covariance[_ANGLES] = angular_std**2
