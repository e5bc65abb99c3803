"""What is recorded of one node during a soak run; times are of the monotonic clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

GOOD, BURST, SHIFTED = "good", "burst", "shifted"
"""Regular; in a burst, of which only the newest must be processed; stamped in the past."""
INVALID = ("truncated", "unknown encoding", "wrong step")
"""Kinds of images that must be rejected."""


class Frame(NamedTuple):
    """An image that a camera sent."""

    kind: str
    stamp_ns: int
    sent_ns: int


class Result(NamedTuple):
    """Landmarks that arrived."""

    stamp_ns: int
    arrival_ns: int


class Sample(NamedTuple):
    """The node's process at one time. `memory_mb` is what is resident, `shared_mb` part of it."""

    time_ns: int
    memory_mb: float
    shared_mb: float
    threads: int
    files: int
    cpu_s: float


class Span(NamedTuple):
    """A time in which the node need not process images, and why."""

    name: str
    start_ns: int
    end_ns: int


@dataclass
class Request:
    """A parameter change or service call; `is_accepted` is None until the node has processed."""

    name: str
    is_allowed: bool
    is_accepted: bool | None = None


@dataclass
class Record:
    """The record of one node. `dropped` and `rejected` are its own counts of images."""

    name: str
    rate_hz: float
    start_ns: int = 0
    end_ns: int = 0
    frames: list[Frame] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    annotated: int = 0
    most_people: int = 0
    dropped: int = 0
    rejected: int = 0
    restarts: int = 0
    log: str = ""
    exit_code: int | None = None
    ended_early: bool = False


def write_frame(frame: Frame) -> str:
    """Return a frame as a line of a camera's log."""
    return f"{frame.stamp_ns},{frame.sent_ns},{frame.kind}\n"


def read_frames(paths: Iterable[Path]) -> list[Frame]:
    """Read the logs of cameras; the line at which one was killed may be cut short."""
    lines = [line for path in paths if path.exists() for line in path.read_text().splitlines()]
    parts = [line.split(",") for line in lines]
    return [
        Frame(part[2], int(part[0]), int(part[1]))
        for part in parts
        if len(part) == 3 and part[2] in (GOOD, BURST, SHIFTED, *INVALID)
    ]
