"""Time stamps of messages."""

from __future__ import annotations

from builtin_interfaces.msg import Time


def stamp_to_ns(stamp: Time) -> int:
    """Return a stamp in nanoseconds."""
    nanoseconds: int = stamp.sec * 10**9 + stamp.nanosec
    return nanoseconds
