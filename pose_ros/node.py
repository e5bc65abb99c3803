"""The pose node: images in; landmarks, markers and annotated images out."""

from __future__ import annotations

import functools
import sys
import traceback
from dataclasses import dataclass

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.blazepose.datatypes import size_of
from pose_ros.blazepose.errors import ImageError
from pose_ros.command_line import command_line
from pose_ros.inputs.inputs import Inputs
from pose_ros.outputs.frame import Frame
from pose_ros.outputs.outputs import Outputs
from pose_ros.outputs.sink import Demand
from pose_ros.outputs.topics import TopicSink
from pose_ros.parameters import NodeOptions, NodeParameters, differing_values
from pose_ros.processing import FrameProcessor
from pose_ros.runtime import run
from pose_ros.runtime.clock import STEADY_CLOCK, stamp_to_ns
from pose_ros.runtime.diagnostics import PeopleCounts
from pose_ros.runtime.lifecycle import ManagedNode, held, transition
from pose_ros.runtime.report import Health, NodeReport, node_status
from pose_ros.runtime.requests import Requests
from pose_ros.runtime.worker import NewestWorker

_UPDATE_PERIOD_S = 0.25


@dataclass(frozen=True)
class _Configured:
    """What exists only while the node is configured."""

    processor: FrameProcessor
    topics: TopicSink
    requests: Requests

    def publish_names(self) -> None:
        """Publish the names of the landmarks of the model in use."""
        self.topics.publish_names(self.processor.options.model, self.processor.topology)


@dataclass(frozen=True)
class _Active(_Configured):
    """What exists only while the node is active; all of the configured node goes on."""

    inputs: Inputs
    worker: NewestWorker[Image | CompressedImage]
    outputs: Outputs


class PoseNode(ManagedNode):
    """Finds the person in a camera's images; its interface is described in the README.

    The executor's thread takes messages and requests and puts the newest image into the worker's
    slot. The worker's thread does the rest; it alone uses the processor while the node is active.
    Raises OptionError for a parameter value that is not allowed.
    """

    def __init__(self) -> None:
        super().__init__("pose")
        self._settings = NodeParameters(self)
        self._next_person_id = 1
        self._configured: _Configured | None = None
        self._active: _Active | None = None
        self._report = NodeReport(self, self._health)

    @property
    def options(self) -> NodeOptions:
        """The options of the next image."""
        return self._settings.options

    # Lifecycle

    @transition
    def on_configure(self) -> None:
        """Load the models, advertise topics and services."""
        if self.options.allow_unverified_models:
            self.get_logger().warning("allow_unverified_models is true: no model file is checked")
        processor = FrameProcessor(self.options, self._report.diagnostics, self._next_person_id)
        self._report.update(processor.findings)
        topics = held(self.while_configured, TopicSink(self))
        requests = held(self.while_configured, Requests(self))
        self._configured = _Configured(processor, topics, requests)
        self._settings.is_configured = True
        self.while_configured.callback(self._forget, processor)

    def _forget(self, processor: FrameProcessor) -> None:
        """Forget the configured state, but not which ids have been given to people."""
        self._next_person_id = processor.next_person_id
        self._configured, self._settings.is_configured = None, False

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the publishers, then subscribe."""
        super().on_activate(state)
        return self._activate(state)

    @transition
    def _activate(self) -> None:
        assert self._configured is not None
        self._configured.requests.request_reset()
        self._active = active = self._connect(self._configured)
        self.while_active.callback(setattr, self, "_active", None)
        active.publish_names()
        active.inputs.camera.update(is_needed=True)
        active.inputs.camera.check()
        update = functools.partial(self._update, active)
        timer = self.create_timer(_UPDATE_PERIOD_S, update, clock=STEADY_CLOCK)
        self.while_active.callback(self.destroy_timer, timer)
        topic, model = active.inputs.camera.topic, self.options.model
        self.get_logger().info(f"waiting for images on {topic}; model {model}")

    def _connect(self, configured: _Configured) -> _Active:
        """Make what exists only while the node is active, to be released in reverse order."""
        outputs = held(self.while_active, Outputs(self, configured.topics))
        worker = held(self.while_active, NewestWorker(self._process, "pose_worker"))
        configured.requests.on_disable = worker.drop
        inputs = held(self.while_active, Inputs(self, self.options, self._receive))
        kept = (configured.processor, configured.topics, configured.requests)
        return _Active(*kept, inputs, worker, outputs)

    # Demand

    def _demand(self) -> Demand:
        """Return what the subscribers need; nothing while the node is disabled."""
        active = self._active
        if active is None or not active.requests.is_enabled:
            return Demand()
        return active.outputs.demand(locates_always=self.options.select == "nearest")

    def _update(self, active: _Active) -> None:
        """Subscribe and advertise as demand and options ask."""
        active.outputs.update(self.options)
        demand, options = self._demand(), self.options
        needs_depth = demand.needs_positions and options.position_source in ("auto", "depth")
        needs_detections = demand.has_subscribers and options.person_detector == "topic"
        active.inputs.update(demand.has_subscribers, needs_depth, needs_detections)

    # Images: receive, track, locate, publish

    def _receive(self, message: Image | CompressedImage) -> None:
        self._report.diagnostics.received()
        active = self._active
        if active is None:
            return
        if not self._demand().has_subscribers:
            active.requests.request_reset()
            active.inputs.camera.update(is_needed=False)  # a latched image comes again then
        elif active.worker.offer(message):
            self._report.diagnostics.dropped()

    def _process(self, message: Image | CompressedImage) -> None:
        """Process one image in the worker's thread; no image may end it."""
        try:
            active, demand = self._active, self._demand()
            if active is not None and demand.has_subscribers:
                frame = self._track(active, message, demand)
                if demand.needs_positions:
                    frame = self._locate(active, frame)
                self._publish(active, frame, demand)
        except ImageError as error:
            self._report.reject("bad image", str(error))
        except Exception:
            if self.context.ok():  # else a signal came meanwhile, and nothing can be published
                self._report.reject("internal error", traceback.format_exc())

    def _track(self, active: _Active, message: Image | CompressedImage, demand: Demand) -> Frame:
        self._apply_options(active)
        if active.requests.take_reset():
            active.processor.reset()
        inputs = active.inputs
        frame = active.processor.track(
            message,
            inputs.camera.camera_info,
            demand.needs_masks,
            inputs.detections.find,
            active.outputs.target_id,
        )
        self._report.update(active.processor.findings)
        if frame.poses.has_jumped:
            self._report.jump()
        return frame

    def _apply_options(self, active: _Active) -> None:
        """Apply changed parameters; a new model's names go out before its first landmarks."""
        options = active.processor.options
        if self.options is not options:
            self._settings.apply(options, active.processor.configure)
            if active.processor.options.model != options.model:
                active.publish_names()

    def _locate(self, active: _Active, frame: Frame) -> Frame:
        """Return the frame with positions; a bad depth image is rejected, the frame goes on."""
        depth = None
        try:
            if frame.people:
                size, slop_s = size_of(frame.image), self.options.depth_slop_s
                depth = active.inputs.depth.find(frame.header, size, slop_s, frame.stamp_scale)
        except ImageError as error:
            self._report.reject_depth(str(error))
        return active.processor.locate(frame, depth, active.outputs.floor(frame))

    def _publish(self, active: _Active, frame: Frame, demand: Demand) -> None:
        with self._report.diagnostics.stage("publish"):
            active.outputs.publish(frame, demand, self.options.hold_time_s)
        self._report.warnings.update_all(active.outputs.problems)
        self._report.process(PeopleCounts.of(frame.poses), stamp_to_ns(frame.header.stamp))

    # Health

    def _health(self) -> Health:
        """Return what the node knows; log the warnings that begin."""
        options, warnings, active = self.options, self._report.warnings, self._active
        warnings.update("outputs", self._configured.topics.problem if self._configured else None)
        facts = {"model": options.model, "providers": ", ".join(options.providers)}
        if active is None:
            return Health(node_status(warnings, self.state_label), facts)
        needs_depth, inputs = options.position_source == "depth", active.inputs
        needs_info = options.needs_calibration(inputs.depth.has_received)
        needs_info = needs_info and self._demand().needs_positions
        timeout_s = options.no_image_timeout_s
        warnings.update_all(inputs.problems(timeout_s, needs_info, needs_depth))
        facts |= {**inputs.facts, **active.outputs.facts}
        return Health(node_status(warnings, self._idle(active)), facts)

    def _idle(self, active: _Active) -> str | None:
        """Return why no image is processed; None if images are."""
        if not active.requests.is_enabled:
            return "disabled by ~/enable"
        return None if self._demand().has_subscribers else "idle: nobody subscribed"

    def report_start(self) -> None:
        """Report with which parameters the node starts."""
        self._report.start(differing_values(self.options))


def start() -> PoseNode:
    """Make the node and, unless `autostart` is false, bring it up; PoseError if it cannot."""
    node = PoseNode()
    try:
        if node.options.autostart:
            node.bring_up()
    finally:
        node.report_start()
    return node


def main() -> None:
    """Run the node; exit code 1 and one line if it cannot start, 2 for arguments not for ROS."""
    command_line().parse_args(run.own_arguments(sys.argv[1:]))
    run.run_or_exit("pose", start)


if __name__ == "__main__":
    main()
