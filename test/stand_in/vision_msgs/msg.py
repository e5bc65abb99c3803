"""Detections as a message that can be sent without vision_msgs: a DiagnosticArray.

A status is a detection: its name the class_id, its message a JSON list of the center's x and y,
the rotation, both sizes and the score. The node reads the fields of a Detection2DArray, which the
message has from here on. It proves nothing of the real type: tests with that one run where
vision_msgs is installed.
"""

from __future__ import annotations

import json
from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus


def _detection(status: DiagnosticStatus) -> SimpleNamespace:
    x, y, theta, size_x, size_y, score = json.loads(status.message)
    center = SimpleNamespace(position=SimpleNamespace(x=x, y=y), theta=theta)
    bbox = SimpleNamespace(center=center, size_x=size_x, size_y=size_y)
    hypothesis = SimpleNamespace(class_id=status.name, score=score)
    results = [SimpleNamespace(hypothesis=hypothesis)] if status.name else []
    return SimpleNamespace(results=results, bbox=bbox)


DiagnosticArray.detections = property(lambda self: [_detection(item) for item in self.status])
Detection2DArray = DiagnosticArray
