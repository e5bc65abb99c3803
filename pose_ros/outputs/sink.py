"""The form of everything that results go to: what it needs, and how it publishes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pose_ros.outputs.frame import Frame
from pose_ros.outputs.options import OutputOptions


@dataclass(frozen=True)
class Demand:
    """What somebody subscribed to, and so what has to be computed for the next image."""

    has_subscribers: bool = False
    needs_masks: bool = False
    needs_positions: bool = False
    needs_motions: bool = False


class Sink(Protocol):
    """A destination of results.

    The executor's thread updates and releases it; the worker's publishes.
    """

    @property
    def demand(self) -> Demand:
        """What the present subscribers need."""

    def update(self, options: OutputOptions) -> None:
        """Connect or disconnect as the options ask."""

    def publish(self, frame: Frame) -> None:
        """Publish a frame to the subscribers whose needs it meets."""

    def release(self) -> None:
        """Disconnect."""


def total_demand(sinks: Iterable[Sink], locates_always: bool = False) -> Demand:
    """Return what the subscribers of some sinks need together.

    `locates_always`: positions are needed for any of them.
    """
    demands = [sink.demand for sink in sinks]
    has_subscribers = any(demand.has_subscribers for demand in demands)
    needs_motions = any(demand.needs_motions for demand in demands)
    needs_positions = needs_motions or any(demand.needs_positions for demand in demands)
    return Demand(
        has_subscribers,
        any(demand.needs_masks for demand in demands),
        needs_positions or (has_subscribers and locates_always),
        needs_motions,
    )
