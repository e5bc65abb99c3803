"""The pose node: images in; landmarks, markers and annotated images out."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from pose_ros import spinning
from pose_ros.blazepose.datatypes import DepthImage, ImageSize
from pose_ros.blazepose.errors import ImageError, PoseError
from pose_ros.camera_input import CameraInput
from pose_ros.depth_input import DepthInput
from pose_ros.diagnostics import Diagnostics, Troubles, clock_sentence, image_age_ns
from pose_ros.lifecycle import OwningLifecycleNode, transition
from pose_ros.messages import Output
from pose_ros.parameters import (
    changed_parameters,
    check_change,
    declare_options,
    with_parameters,
)
from pose_ros.processing import FrameProcessor
from pose_ros.publishers import QOS, OutputPublishers
from pose_ros.share import share_path
from pose_ros.stamps import STEADY, stamp_to_ns
from pose_ros.tf import TfLink, check_tf
from pose_ros.worker import NewestWorker

_REPORT_PERIOD_S = 1.0
_DEMAND_PERIOD_S = 0.1
_LOG_PERIOD_S = 5.0
_JUMP_LOG_PERIOD_S = 1.0


class PoseNode(OwningLifecycleNode):
    """Finds the person in a camera's images; its interface is described in the README.

    The executor's thread takes messages and requests and puts the newest image into the worker's
    slot. The worker's thread does the rest; it alone uses the processor while the node is active.
    Raises OptionError for a parameter value that is not allowed.
    """

    def __init__(self) -> None:
        super().__init__("pose")
        self._options = declare_options(self)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._diagnostics = Diagnostics()
        self._processor: FrameProcessor | None = None
        self._enabled = True
        self._restart = False
        self._troubles = Troubles(self.get_logger().warning)

    @property
    def autostart(self) -> bool:
        """Whether the node is to be brought up by its own process."""
        return self._options.autostart

    # Lifecycle

    @transition
    def on_configure(self) -> None:
        """Load the models, advertise topics and services."""
        check_tf(self._options.publish_tf, self._options.target_frame)
        if self._options.allow_unverified_models:
            self.get_logger().warning("allow_unverified_models is true: no model file is checked")
        self._processor = FrameProcessor(self._options, self._models_dir, self._diagnostics)
        owned = self.while_configured
        owned.callback(setattr, self, "_processor", None)
        self._outputs = OutputPublishers(self)
        owned.callback(self._outputs.destroy)
        for service in (
            self.create_service(SetBool, "~/enable", self._on_enable),
            self.create_service(Trigger, "~/reset", self._on_reset),
        ):
            owned.callback(self.destroy_service, service)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the publishers, then subscribe."""
        super().on_activate(state)
        return self._activate(state)

    @transition
    def _activate(self) -> None:
        self._publish_names()
        self._restart = True
        owned = self.while_active
        self._depth = DepthInput(self, self._options)
        owned.callback(self._depth.release)
        self._tf = TfLink(self)
        owned.callback(self._tf.release)
        worker = NewestWorker(self._process, "pose_worker")
        owned.callback(worker.stop)
        receive = functools.partial(self._on_image, worker)
        self._camera = CameraInput(self, self._options, receive)
        owned.callback(self._camera.release)
        self._camera.take()
        self._every(_DEMAND_PERIOD_S, self._follow_demand)
        publisher = self.create_publisher(DiagnosticArray, "/diagnostics", QOS["data"])
        owned.callback(self.destroy_publisher, publisher)
        self._every(_REPORT_PERIOD_S, functools.partial(self._report, publisher))
        model = self._options.model
        self.get_logger().info(f"waits for images on {self._camera.topic}; model {model}")

    def _every(self, period_s: float, callback: Callable[[], None]) -> None:
        """Call back while the node is active, whatever the simulated time does."""
        timer = self.create_timer(period_s, callback, clock=STEADY)
        self.while_active.callback(self.destroy_timer, timer)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and finish the image at work, then silence the publishers."""
        self.while_active.close()
        return super().on_deactivate(state)

    @property
    def _models_dir(self) -> Path:
        return Path(self._options.models_dir) if self._options.models_dir else share_path("models")

    # Requests

    def _on_set_parameters(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        """Accept all or none; the worker follows before its next image."""
        is_configured = self._processor is not None
        try:
            options = with_parameters(self._options, parameters)
            check_change(self._options, options, is_configured, self._models_dir)
        except PoseError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._options = options
        return SetParametersResult(successful=True)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled, self._restart = request.data, True
        response.success = True
        response.message = "enabled" if self._enabled else "disabled: images are dropped"
        return response

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._restart = True
        response.success, response.message = True, "the tracker starts afresh with the next image"
        return response

    # Images

    def _on_image(
        self, worker: NewestWorker[Image | CompressedImage], message: Image | CompressedImage
    ) -> None:
        self._diagnostics.received()
        if not self._has_demand():
            self._restart = True
        elif worker.offer(message):
            self._diagnostics.dropped()

    def _follow_demand(self) -> None:
        self._tf.follow(self._options.publish_tf, self._options.target_frame)
        self._camera.follow(is_wanted=self._has_demand())
        wants_depth = self._options.position_source in ("auto", "depth")
        self._depth.follow(
            self._camera.is_taken and wants_depth and self._needs_place(self._outputs.wanted())
        )

    def _has_demand(self) -> bool:
        return self._enabled and (bool(self._outputs.wanted()) or self._tf.is_heard)

    def _needs_place(self, wanted: Sequence[Output]) -> bool:
        return self._tf.is_heard or any(output.needs_place for output in wanted)

    def _find_depth(
        self, slop_s: float, header: Header, image_size: ImageSize
    ) -> DepthImage | None:
        """Return the depth image of an image; a bad one is told and counted."""
        try:
            return self._depth.find(header, image_size, slop_s)
        except ImageError as error:
            self._refuse("bad depth", str(error))
            return None

    def _process(self, message: Image | CompressedImage) -> None:
        """Answer one image in the worker's thread; no image may end it."""
        try:
            self._answer(message)
        except ImageError as error:
            self._refuse("bad image", str(error))
        except Exception:
            if self.context.ok():  # else a signal came meanwhile, and nothing can be published
                self._refuse("internal error", traceback.format_exc())

    def _refuse(self, kind: str, reason: str) -> None:
        count = self._diagnostics.refused(kind)
        self.get_logger().error(
            f"{kind}: {reason} (refused so far: {count})",
            throttle_duration_sec=_LOG_PERIOD_S,
            throttle_time_source_type=STEADY,
        )

    def _answer(self, message: Image | CompressedImage) -> None:
        processor = self._processor
        if processor is None:
            return
        wanted = self._outputs.wanted()
        self._follow_options(processor)
        self._follow_mask(processor, any(output.needs_mask for output in wanted))
        if self._restart:
            self._restart = False
            processor.reset()
        jumps = processor.time_jumps
        options = processor.options
        find_depth = functools.partial(self._find_depth, options.depth_slop_s)
        is_needed = self._needs_place(wanted)
        frame = processor.answer(
            message, self._camera.camera_info, find_depth if is_needed else None
        )
        self._troubles.follow("calibration", processor.calibration_problem)
        if processor.time_jumps != jumps:
            self._tell_jump(processor.time_jumps)
            self._tf.clear()
        with self._diagnostics.stage("publish"):
            self._outputs.publish(self._tf.move(frame, options.target_frame), wanted)
            self._tf.publish(frame, options.tf_landmarks)
        age_ns = image_age_ns(self.get_clock(), stamp_to_ns(message.header.stamp))
        detections = sum(pose.detection is not None for pose in frame.poses)
        self._diagnostics.answered(len(frame.poses), detections, age_ns)

    def _tell_jump(self, count: int) -> None:
        self.get_logger().warning(
            f"image stamps jumped; the tracker has started afresh (jumps so far: {count})",
            throttle_duration_sec=_JUMP_LOG_PERIOD_S,
            throttle_time_source_type=STEADY,
        )

    def _follow_options(self, processor: FrameProcessor) -> None:
        """Apply changed parameters; those that turn out not to work are set back."""
        new, old = self._options, processor.options
        if new is old:
            return
        try:
            processor.configure(new)
        except PoseError as error:
            self.get_logger().error(f"the parameters stay as they were: {error}")
            self.set_parameters_atomically(changed_parameters(old, new))
            processor.configure(self._options)
        if processor.options.model != old.model:
            self._publish_names()

    def _follow_mask(self, processor: FrameProcessor, is_wanted: bool) -> None:
        """Predict masks while somebody subscribes."""
        try:
            processor.want_mask(is_wanted)
        except PoseError as error:
            self.get_logger().error(f"~/segmentation_mask stays silent: {error}")

    def _publish_names(self) -> None:
        if self._processor is not None:
            self._outputs.publish_names(self._processor.options.model, self._processor.topology)

    # Health

    def _report(self, publisher: Publisher) -> None:
        publisher.publish(
            self._diagnostics.report(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                self._state_in_words(),
                {
                    "model": self._options.model,
                    "providers": ", ".join(self._options.providers),
                    "images without their depth": str(self._depth.unpaired),
                },
            )
        )

    def _state_in_words(self) -> tuple[bytes, str] | None:
        """Return level and text of a state in which no image is answered, else None."""
        follow = self._troubles.follow
        silence = follow("silence", self._camera.silence(self._options.no_image_timeout_s))
        crowd = follow("crowd", self._camera.crowd())
        follow("clock", clock_sentence(self.get_clock()))
        needs_depth = self._options.position_source == "depth"
        timeout_s = self._options.no_image_timeout_s
        follow("depth", self._depth.silence(timeout_s) if needs_depth else None)
        if silence is not None:
            return DiagnosticStatus.ERROR, silence
        if not self._enabled:
            return DiagnosticStatus.OK, "disabled by ~/enable"
        if not self._has_demand():
            return DiagnosticStatus.OK, "idle: nobody subscribed"
        if crowd is not None:
            return DiagnosticStatus.WARN, crowd
        return None


def start() -> PoseNode:
    """Make the node and, unless `autostart` is false, bring it up; PoseError if it cannot."""
    node = PoseNode()
    if node.autostart:
        node.bring_up()
    return node


def main() -> None:
    """Run the node; exit code 1 and one line if it cannot start."""
    try:
        spinning.run(start)
    except PoseError as error:
        get_logger("pose").fatal(str(error))
        spinning.shutdown()
        sys.exit(1)


if __name__ == "__main__":
    main()
