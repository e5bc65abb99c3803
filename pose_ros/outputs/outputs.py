"""Everywhere that results go to, and what is done to them on the way."""

from __future__ import annotations

from collections.abc import Mapping

from rclpy.node import Node

from pose_ros.geometry.floor import Floor
from pose_ros.outputs.following import Following
from pose_ros.outputs.frame import Frame
from pose_ros.outputs.hri import HriSink
from pose_ros.outputs.motions import Motions
from pose_ros.outputs.options import OutputOptions
from pose_ros.outputs.sink import Demand, Sink, total_demand
from pose_ros.outputs.target_services import TargetServices
from pose_ros.outputs.tf import TfSink
from pose_ros.outputs.tf_frames import TfFrames
from pose_ros.outputs.topics import TopicSink


class Outputs:
    """The sinks of an active node; frames get their transform and people's motions for them.

    The executor's thread updates and releases it; the worker's publishes.
    """

    def __init__(self, node: Node, topics: TopicSink) -> None:
        self._frames = TfFrames(node)
        self._motions, self._following = Motions(), Following()
        self._services = TargetServices(node, self._following)
        self._own: tuple[Sink, ...] = (HriSink(node), TfSink(node))
        self._sinks: tuple[Sink, ...] = (topics, *self._own)

    def demand(self, locates_always: bool) -> Demand:
        """Return what the present subscribers need; `locates_always` as in `total_demand`."""
        return total_demand(self._sinks, locates_always)

    def update(self, options: OutputOptions) -> None:
        """Connect and advertise as the options ask. OptionError without a package for it."""
        self._frames.update(options)
        self._services.follow = options.follow
        for sink in self._sinks:
            sink.update(options)

    def floor(self, frame: Frame) -> Floor | None:
        """Return the floor that the people of a frame stand on; None if it is unknown."""
        return self._frames.floor(frame)

    def publish(self, frame: Frame, demand: Demand, hold_time_s: float) -> None:
        """Publish a frame that was made for a demand; a target is lost after `hold_time_s`."""
        frame = self._frames.to_target(frame)
        if demand.needs_motions:
            frame = self._motions.apply(frame)
            frame = self._following.apply(frame, self._motions.find, hold_time_s)
        for sink in self._sinks:
            sink.publish(frame)

    @property
    def target_id(self) -> int | None:
        """Who was the target in the last frame; None if nobody was."""
        return self._following.target_id

    @property
    def problems(self) -> Mapping[str, str | None]:
        """What was wrong with the last frame, by kind; None where nothing was."""
        return self._frames.problems

    @property
    def facts(self) -> Mapping[str, str]:
        """What the diagnostics have of the target."""
        return self._following.facts(self._services.follow)

    def release(self) -> None:
        """Disconnect what connects only while the node is active."""
        self._services.release()
        for sink in self._own:
            sink.release()
        self._frames.release()
