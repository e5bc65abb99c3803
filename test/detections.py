"""Messages of another detector: of vision_msgs where it is installed, else of a stand-in."""

from __future__ import annotations

import importlib
import importlib.util
import json
from typing import Any, NamedTuple

import pytest
import running
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

STAND_IN = running.ROOT / "test" / "stand_in"
HAS_VISION_MSGS = importlib.util.find_spec("vision_msgs") is not None
WITHOUT_VISION_MSGS = pytest.mark.skipif(
    HAS_VISION_MSGS, reason="vision_msgs is installed here: nothing to reject"
)
WITH_VISION_MSGS = pytest.mark.skipif(
    not HAS_VISION_MSGS, reason="vision_msgs is not installed, and not on PyPI"
)


class Found(NamedTuple):
    """A detection: middle and sizes in px, score, class and rotation."""

    x: float
    y: float
    width: float
    height: float
    score: float = 0.9
    class_id: str = "person"
    theta: float = 0.0


def stand_in(*found: Found, stamp_ns: int | None = None, frame_id: str = "") -> DiagnosticArray:
    """Return detections as the stand-in sends them; without a frame_id that of all messages."""
    header = running.header(stamp_ns)
    header.frame_id = frame_id or header.frame_id
    status = [
        DiagnosticStatus(
            name=one.class_id,
            message=json.dumps([one.x, one.y, one.theta, one.width, one.height, one.score]),
        )
        for one in found
    ]
    return DiagnosticArray(header=header, status=status)


def real(*found: Found, stamp_ns: int | None = None) -> Any:
    """Return detections as vision_msgs has them."""
    types = importlib.import_module("vision_msgs.msg")
    message = types.Detection2DArray(header=running.header(stamp_ns))
    for one in found:
        detection = types.Detection2D(header=message.header)
        result = types.ObjectHypothesisWithPose()
        box = detection.bbox
        box.center.position.x, box.center.position.y = float(one.x), float(one.y)
        box.center.theta = float(one.theta)
        box.size_x, box.size_y = float(one.width), float(one.height)
        result.hypothesis.class_id, result.hypothesis.score = one.class_id, float(one.score)
        detection.results = [result]
        message.detections.append(detection)
    return message
