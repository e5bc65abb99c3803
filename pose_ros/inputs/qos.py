"""The quality of service that is requested from the publishers of an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from pose_ros.inputs.options import InputOptions

_RELIABLE, _LATCHED = ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL


@dataclass(frozen=True)
class InputQos:
    """What is requested: a value of `qos_reliability`, and how many messages may queue."""

    reliability: str
    depth: int

    def fitting(self, offered: Sequence[QoSProfile]) -> QoSProfile:
        """Return the QoS to request where publishers offer theirs.

        auto is reliable if all of them are. Latched messages are requested if all publishers
        latch theirs, as a volatile one would not match; they come to reliable subscribers only.
        """
        reliability = self._reliability(offered)
        is_late = reliability == _RELIABLE and bool(offered) and all(map(is_latched, offered))
        durability = _LATCHED if is_late else DurabilityPolicy.VOLATILE
        return QoSProfile(depth=self.depth, reliability=reliability, durability=durability)

    def _reliability(self, offered: Sequence[QoSProfile]) -> ReliabilityPolicy:
        if self.reliability != "auto":
            return ReliabilityPolicy[self.reliability.upper()]
        are_reliable = offered and all(qos.reliability == _RELIABLE for qos in offered)
        return _RELIABLE if are_reliable else ReliabilityPolicy.BEST_EFFORT


def input_qos(options: InputOptions, depth: int) -> InputQos:
    """Return what is requested from the publishers of an input."""
    return InputQos(options.qos_reliability, depth)


def is_latched(qos: QoSProfile) -> bool:
    """Return whether messages that were sent before also come."""
    return bool(qos.durability == _LATCHED)
