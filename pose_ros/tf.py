"""TF by tf2_ros, which is imported only when a parameter asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from pose_ros.blazepose.errors import OptionError
from pose_ros.frame import FrameResult
from pose_ros.stamps import STEADY
from pose_ros.transforms import person_transforms

_PATIENCE = Duration(nanoseconds=50_000_000)
"""How long a transform that is on its way may be waited for; part of a frame's time."""
_WARNING_PERIOD_S = 5.0


def check_tf(publish_tf: bool, target_frame: str) -> None:
    """Raise OptionError if one of these parameters asks for TF and there is no tf2_ros."""
    if publish_tf:
        _tf2_ros("publish_tf")
    if target_frame:
        _tf2_ros("target_frame")


class TransformOutput:
    """Publishes on /tf. Raises OptionError without tf2_ros."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._broadcaster = _tf2_ros("publish_tf").TransformBroadcaster(node)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody listens to /tf; the node's own TargetFrame counts."""
        return bool(self._broadcaster.pub_tf.get_subscription_count())

    def publish(self, transforms: Sequence[TransformStamped]) -> None:
        """Publish transforms in one message; none of it if there are none."""
        if transforms:
            self._broadcaster.sendTransform(list(transforms))

    def release(self) -> None:
        """Stop publishing."""
        self._node.destroy_publisher(self._broadcaster.pub_tf)


class TargetFrame:
    """Finds transforms from the camera's frame to another. Raises OptionError without tf2_ros.

    It listens to /tf and /tf_static with the node's executor; `find` may be called from another
    thread, and is to be, because it may wait.
    """

    def __init__(self, node: Node) -> None:
        self._tf2 = _tf2_ros("target_frame")
        self._buffer = self._tf2.Buffer()
        self._listener = self._tf2.TransformListener(self._buffer, node)

    def find(self, target: str, header: Header) -> TransformStamped | None:
        """Return the transform from the header's frame to the target at the header's stamp.

        A stamp of zero means the latest one. None if it is unknown; only frames that are connected
        are waited for, 50 ms at most.
        """
        source, time = header.frame_id, Time.from_msg(header.stamp)
        if target == source:
            return TransformStamped(header=header, child_frame_id=source)
        try:
            is_connected = self._buffer.can_transform(target, source, Time())
            timeout = _PATIENCE if is_connected else Duration()
            return self._buffer.lookup_transform(target, source, time, timeout)
        except self._tf2.TransformException:
            return None

    def clear(self) -> None:
        """Forget all transforms but the static ones: time has jumped."""
        self._buffer.clear()

    def release(self) -> None:
        """Stop listening."""
        self._listener.unregister()


class TfLink:
    """What a node has to do with TF: as much as its options ask for.

    The executor's thread connects; the worker's moves and publishes.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._output: TransformOutput | None = None
        self._target: TargetFrame | None = None

    def follow(self, publish_tf: bool, target_frame: str) -> None:
        """Connect to TF or leave it. Raises OptionError without tf2_ros."""
        if publish_tf and self._output is None:
            self._output = TransformOutput(self._node)
        if target_frame and self._target is None:
            self._target = TargetFrame(self._node)
        if not publish_tf and self._output is not None:
            self._output.release()
            self._output = None
        if not target_frame and self._target is not None:
            self._target.release()
            self._target = None

    def release(self) -> None:
        """Leave TF."""
        self.follow(publish_tf=False, target_frame="")

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens to the people's frames."""
        output = self._output
        return output is not None and output.is_wanted

    def move(self, frame: FrameResult, target_frame: str) -> FrameResult:
        """Return the frame with the transform to the target; as it is, and a warning, if none."""
        target = self._target
        if target is None:
            return frame
        transform = target.find(target_frame, frame.header)
        if transform is None:
            sentence = no_transform_sentence(target_frame, frame.header.frame_id)
            self._node.get_logger().warning(
                sentence,
                throttle_duration_sec=_WARNING_PERIOD_S,
                throttle_time_source_type=STEADY,
            )
        return replace(frame, transform=transform)

    def publish(self, frame: FrameResult, with_landmarks: bool) -> None:
        """Send the frames of the people whose place is known."""
        output = self._output
        if output is None:
            return
        for pose, landmarks_m in zip(frame.poses, frame.landmarks_m, strict=True):
            transforms = person_transforms(
                frame.header,
                pose.person_id,
                landmarks_m,
                pose.visibility,
                frame.topology,
                frame.min_visibility,
                with_landmarks,
            )
            output.publish(transforms)

    def clear(self) -> None:
        """Forget all transforms but the static ones: time has jumped."""
        target = self._target
        if target is not None:
            target.clear()


def no_transform_sentence(target: str, source: str) -> str:
    """Return what to tell when the output stays in the camera's frame."""
    return (
        f"no transform from frame {source!r} to target_frame {target!r}: "
        f"the output stays in {source!r}"
    )


def _tf2_ros(parameter: str) -> ModuleType:
    try:
        import tf2_ros
    except ImportError as error:
        raise OptionError(
            f"{parameter} needs the Python package tf2_ros, which cannot be imported ({error}); "
            "install tf2_ros_py, as with: apt install ros-$ROS_DISTRO-tf2-ros-py"
        ) from error
    module: ModuleType = tf2_ros
    return module
