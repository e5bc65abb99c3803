"""Time stamps of messages, and the clock that nobody sets."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from rclpy.clock import Clock
from rclpy.clock_type import ClockType

STEADY_CLOCK = Clock(clock_type=ClockType.STEADY_TIME)
"""For timers and throttled logs: simulated time may stand still, or go back."""


def stamp_to_ns(stamp: Time) -> int:
    """Return a stamp in nanoseconds."""
    nanoseconds: int = stamp.sec * 10**9 + stamp.nanosec
    return nanoseconds
