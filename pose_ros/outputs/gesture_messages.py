"""What the gesture node publishes: pure functions from what people do to messages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, PoseStamped
from std_msgs.msg import ColorRGBA, Header, String
from visualization_msgs.msg import Marker, MarkerArray

from pose_ros.blazepose.drawing import person_color
from pose_ros.blazepose.topology import FULL_BODY, HIPS, SHOULDERS
from pose_ros.body.behavior import Doing
from pose_ros.body.figure import SIDES
from pose_ros.body.vectors import Vector, direction, middle
from pose_ros.outputs.body_ids import body_frame

_WRISTS = [FULL_BODY.names.index(f"{side}_wrist") for side in SIDES]
_RAY_M, _RAY_WIDTHS_M = 2.0, (0.02, 0.06, 0.1)
_TEXT_M, _TEXT_ABOVE_M = 0.12, 0.45
_STRAIGHT_BACK = 1e-9
_LIFETIME = Duration(nanosec=500_000_000)
# Where hri_msgs has a name: for what is going on together, the first row that fits.
_HRI_NAMES = (
    ({"waving_left"}, "WAVING"),
    ({"waving_right"}, "WAVING"),
    ({"raising_left_arm", "raising_right_arm"}, "BOTH_HANDS_RAISED"),
    ({"raising_left_arm"}, "LEFT_HAND_RAISED"),
    ({"raising_right_arm"}, "RIGHT_HAND_RAISED"),
)


class Shown(NamedTuple):
    """A person, what they do, and the landmarks (N, 3) in the frame of the header, in m."""

    person_id: int
    doing: Doing
    xyz: Sequence[Vector]


def gestures_text(header: Header, person_id: int, doing: Doing) -> String:
    """Build the JSON text of what somebody does."""
    content = {
        "stamp": {"sec": header.stamp.sec, "nanosec": header.stamp.nanosec},
        "frame_id": header.frame_id,
        "person_id": person_id,
        "posture": doing.posture,
        "gestures": list(doing.gestures),
    }
    return String(data=json.dumps(content))


def rays(shown: Shown) -> Iterator[tuple[str, Vector, Vector]]:
    """Give the side, the wrist (3,) and the unit vector (3,) of each arm that points.

    None without a position.
    """
    for side, shoulder, wrist in zip(SIDES, SHOULDERS, _WRISTS, strict=True):
        if f"pointing_{side}" in shown.doing.gestures:
            along = direction(shown.xyz[shoulder], shown.xyz[wrist])
            if math.isfinite(along[0]):
                yield side, shown.xyz[wrist], along


def pointing(header: Header, wrist_m: Vector, along: Vector) -> PoseStamped:
    """Build the pose of a ray: it begins at the wrist, and its x axis leads along the arm.

    It is turned from the frame's axes by the shortest turn.
    """
    x, y, z = along
    length = math.hypot(1 + x, y, z)
    pose = Pose(position=_point(wrist_m))
    turn = pose.orientation
    if length > _STRAIGHT_BACK:
        turn.y, turn.z, turn.w = -z / length, y / length, (1 + x) / length
    else:
        turn.z, turn.w = 1.0, 0.0
    return PoseStamped(header=header, pose=pose)


def gesture_markers(header: Header, people: list[Shown]) -> MarkerArray:
    """Build a text above each person, and an arrow along each arm that points."""
    markers = [marker for shown in people for marker in _markers(header, shown)]
    return MarkerArray(markers=markers)


def hri_gesture(message_type: type[Any], header: Header, shown: Shown, tf_prefix: str) -> Any:  # noqa: ANN401
    """Build a hri_msgs/Gesture in the frame of the body; None if no gesture has a name there."""
    going_on = set(shown.doing.gestures)
    names = [name for needed, name in _HRI_NAMES if needed <= going_on]
    if not names:
        return None
    own = Header(stamp=header.stamp, frame_id=body_frame(tf_prefix, shown.person_id))
    return message_type(header=own, gesture=getattr(message_type, names[0]))


def _markers(header: Header, shown: Shown) -> Iterator[Marker]:
    top_m, low_m = (middle(*(shown.xyz[i] for i in ends)) for ends in (SHOULDERS, HIPS))
    upward = direction(low_m, top_m)
    if math.isfinite(upward[0]):
        text = Marker(type=Marker.TEXT_VIEW_FACING, ns="gestures")
        text.pose.position = _point(_along(top_m, upward, _TEXT_ABOVE_M))
        text.text = "\n".join((f"{shown.person_id}: {shown.doing.posture}", *shown.doing.gestures))
        text.scale.z = _TEXT_M
        yield _finished(text, header, shown)
    for side, wrist_m, along in rays(shown):
        arrow = Marker(type=Marker.ARROW, ns=f"pointing_{side}")
        arrow.points = [_point(wrist_m), _point(_along(wrist_m, along, _RAY_M))]
        arrow.scale.x, arrow.scale.y, arrow.scale.z = _RAY_WIDTHS_M
        yield _finished(arrow, header, shown)


def _finished(marker: Marker, header: Header, shown: Shown) -> Marker:
    red, green, blue = (value / 255 for value in person_color(shown.person_id))
    marker.header, marker.id, marker.lifetime = header, shown.person_id, _LIFETIME
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    return marker


def _along(start_m: Vector, direction: Vector, length_m: float) -> Vector:
    return [a + length_m * b for a, b in zip(start_m, direction, strict=True)]


def _point(position_m: Vector) -> Point:
    x, y, z = position_m
    return Point(x=x, y=y, z=z)
