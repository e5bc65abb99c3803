"""What a node reports of its health: log lines, and `/diagnostics` once a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ROSClock
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from pose_ros.native.library import native_state
from pose_ros.runtime.active_warnings import ActiveWarnings
from pose_ros.runtime.clock import STEADY_CLOCK
from pose_ros.runtime.diagnostics import Diagnostics, PeopleCounts, Status
from pose_ros.runtime.overrides import unknown_parameters_warning

_REPORT_PERIOD_S = 1.0
_REJECTION_LOG_PERIOD_S = 5.0
_JUMP_LOG_PERIOD_S = 1.0
# What says that no image comes, and why.
_NO_IMAGE_KINDS = ("no image", "lost images")
# What concerns the node as such, not the images that it processes.
_LASTING_KINDS = ("parameters", "outputs", "clock")
_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class Health(NamedTuple):
    """What a node itself knows of its health: a status (None: the counts say it), and facts."""

    status: Status | None
    facts: Mapping[str, str]


class Findings(NamedTuple):
    """What is found out while images are processed: problems by kind, and a notice.

    `inference` is what runs the landmark model.
    """

    problems: Mapping[str, str | None]
    notice: str | None
    model: str
    inference: str


class NodeReport:
    """Logs what goes wrong, and publishes `/diagnostics` as long as the node exists.

    `health` is called in the executor's thread before each message.
    """

    def __init__(self, node: Node, health: Callable[[], Health]) -> None:
        self._node = node
        self._health = health
        self._logger = node.get_logger()
        self.diagnostics = Diagnostics()
        self.warnings = ActiveWarnings(self._logger.warning)
        self._noted: set[str] = set()
        self._network: tuple[str, str] | None = None
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", _QOS)
        node.create_timer(_REPORT_PERIOD_S, self._publish, clock=STEADY_CLOCK)

    def start(self, values: str) -> None:
        """Report with which parameters the node starts, and which of those given do not exist."""
        self.warnings.update("parameters", unknown_parameters_warning(self._node, "pose_node"))
        self._logger.info(f"native library: {native_state()}")
        self._logger.info(f"parameters that differ from their defaults: {values}")

    def reject(self, kind: str, reason: str) -> None:
        """Count and log an image that cannot be used."""
        count = self.diagnostics.rejected(kind)
        self._logger.error(
            f"{kind}: {reason} (rejected so far: {count})",
            throttle_duration_sec=_REJECTION_LOG_PERIOD_S,
            throttle_time_source_type=STEADY_CLOCK,
        )

    def reject_depth(self, reason: str) -> None:
        """Count and log a depth image that cannot be used; the image itself goes on."""
        count = self.diagnostics.rejected_depth(reason)
        self._logger.error(
            f"depth rejected: {reason} (rejected so far: {count})",
            throttle_duration_sec=_REJECTION_LOG_PERIOD_S,
            throttle_time_source_type=STEADY_CLOCK,
        )

    def update(self, findings: Findings) -> None:
        """Take the present findings; log a notice once, and what runs the model as it changes."""
        self.warnings.update_all(findings.problems)
        notice, network = findings.notice, (findings.model, findings.inference)
        if notice is not None and notice not in self._noted:
            self._noted.add(notice)
            self._logger.info(notice)
        if network != self._network:
            self._network = network
            self._logger.info(f"model {findings.model}; inference: {findings.inference}")

    def jump(self) -> None:
        """Count and log a jump of the image stamps."""
        count = self.diagnostics.jumped()
        self._logger.warning(
            f"image stamps jumped; the tracker has been reset (jumps so far: {count})",
            throttle_duration_sec=_JUMP_LOG_PERIOD_S,
            throttle_time_source_type=STEADY_CLOCK,
        )

    def process(self, people: PeopleCounts, stamp_ns: int) -> None:
        """Count an image whose results went out; a debug line of it."""
        age_ns = image_age_ns(self._node.get_clock(), stamp_ns)
        self._logger.debug(
            f"processed the image of {stamp_ns} ns: {len(people.ids)} persons, "
            f"{people.detector_runs} detector runs"
        )
        self.diagnostics.processed(people, age_ns)

    def _publish(self) -> None:
        clock = self._node.get_clock()
        self.warnings.update("clock", clock_warning(clock))
        status, facts = self._health()
        name = self._node.get_fully_qualified_name()
        inference = {"inference": self._network[1]} if self._network else {}
        facts = {**facts, "native library": native_state(), **inference}
        message = self.diagnostics.report(clock.now().to_msg(), name, status, facts)
        self._publisher.publish(message)


def node_status(warnings: ActiveWarnings, idle: str | None) -> Status | None:
    """Return the status of a node that processes no image, which `idle` says, or has a warning."""
    if warnings.get("no image") is not None:
        found = filter(None, map(warnings.get, _NO_IMAGE_KINDS))
        return DiagnosticStatus.ERROR, "; ".join(found)
    texts = warnings.texts() if idle is None else warnings.texts(*_LASTING_KINDS)
    if texts:
        return DiagnosticStatus.WARN, "; ".join(texts if idle is None else [idle, *texts])
    return None if idle is None else (DiagnosticStatus.OK, idle)


def image_age_ns(clock: Clock, stamp_ns: int) -> int | None:
    """Return how long ago an image was taken; None if its stamp or the clock was never set."""
    now_ns: int = clock.now().nanoseconds
    return now_ns - stamp_ns if now_ns and stamp_ns else None


def clock_warning(clock: Clock) -> str | None:
    """Return a warning where simulated time is set and nobody publishes it, else None."""
    is_simulated = isinstance(clock, ROSClock) and clock.ros_time_is_active
    if not is_simulated or clock.now().nanoseconds:
        return None
    return (
        "use_sim_time is true, but nothing received on /clock: "
        "images are still processed, their age is unknown"
    )
