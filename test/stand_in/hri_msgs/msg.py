"""Messages with the fields of hri_msgs that can be sent without it: each is a DiagnosticArray.

Its status has the type as the name, and the fields as a JSON object. It proves nothing of the
real types: tests with those run where hri_msgs is installed.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_msgs.msg import Header

NormalizedPointOfInterest2D = SimpleNamespace


def _message(name: str, **constants: int) -> type[DiagnosticArray]:
    """Make a type; the middleware takes it for what it has the name and the module of."""

    def fill(self: Any, *, header: Header, **fields: Any) -> None:
        text = json.dumps(fields, default=vars)
        status = [DiagnosticStatus(name=name, message=text)]
        DiagnosticArray.__init__(self, header=header, status=status)
        self.__dict__.update(fields)

    members = {"__init__": fill, "__module__": DiagnosticArray.__module__, **constants}
    return type("DiagnosticArray", (DiagnosticArray,), members)


Gesture = _message(
    "Gesture", LEFT_HAND_RAISED=3, RIGHT_HAND_RAISED=4, BOTH_HANDS_RAISED=5, WAVING=6
)
IdsList = _message("IdsList")
NormalizedRegionOfInterest2D = _message("NormalizedRegionOfInterest2D")
Skeleton2D = _message("Skeleton2D")
