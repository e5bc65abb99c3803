"""The node and the follower of docs/following.md, in step with the simulation.

The next image is sent when all that came of the last one is here: however slow the machine is,
the same happens at the same simulated times.
"""

from __future__ import annotations

import math
import re
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import running
from geometry_msgs.msg import Twist
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from running import ROOT, Client, Process
from sensor_msgs.msg import CameraInfo

from following.simulation import LEAVES_AT_S, PERSON_M, Robot, calibration, person_at, view
from pose_ros.client import people_from_msg

RATE_HZ = 15
HOLD_S = 2.0
_CLOCK_AGAIN_S = 1.0
_DELIVERY_S = 0.02
"""For the people to reach the follower before the clock: else it acts on the image before."""
END_S = LEAVES_AT_S + HOLD_S + 1.0
FIRST_NS = running.FIRST_NS + 3600 * 10**9
OPTIONS = {
    "model": "full",
    "max_persons": 2,
    "follow": "nearest",
    "hold_time_s": HOLD_S,
    "person_height_m": PERSON_M,
}


@dataclass(frozen=True)
class Moment:
    """What was true at a time, and what the node and the follower made of it.

    `distance_m` is that from the robot to the person, NaN once the person has left;
    `seen_m` is where the node sees the target, ahead of the camera.
    """

    time_s: float
    robot: Robot
    distance_m: float
    seen_m: float
    speed_m_s: float
    turn_rad_s: float


def follower() -> str:
    """The program of the tutorial."""
    text = (ROOT / "docs" / "following.md").read_text(encoding="utf-8")
    (found,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        if "class Follower" in block
    )
    return str(found)


def follow(on_image: Callable[[Moment, Any], None] | None = None) -> list[Moment]:
    """Run node, follower and robot until some time after the person has left.

    `on_image` gets each moment and the annotated image of it.
    """
    with (
        running.node_and_client(*running.parameters(**OPTIONS)) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        script = Path(folder) / "follower.py"
        script.write_text(follower(), encoding="utf-8")
        arguments = (str(script), "--ros-args", "-p", "use_sim_time:=true")
        started = Process(client.process.domain_id, Path(folder), *arguments)
        try:
            moments = _Stepper(client, started, on_image).run()
            started.signal(signal.SIGINT)
            started.wait()
        finally:
            started.kill()
    return moments


class _Stepper:
    """Sends images and clock, and moves the robot by its commands."""

    def __init__(
        self,
        client: Client,
        process: Process,
        on_image: Callable[[Moment, Any], None] | None,
    ) -> None:
        self._client, self._process, self._on_image = client, process, on_image
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        client.node.create_publisher(CameraInfo, "camera_info", latched).publish(calibration())
        self._clock = client.node.create_publisher(Clock, "/clock", 10)
        self._commands = client.subscribe("/cmd_vel", Twist)
        self._names = ("people",) if on_image is None else ("people", "annotated_image")
        client.listen(*self._names)
        client.until(self._is_driven, "the follower's first command")

    def _is_driven(self) -> bool:
        """Whether the follower hears the clock, which stands still; it may start slowly."""
        assert self._process.is_running, self._process.output
        self._tick(FIRST_NS - 10**9)
        self._client.spin(0.1)
        self._tick(FIRST_NS - 5 * 10**8)
        self._client.spin(0.1)
        return bool(self._commands)

    def _tick(self, stamp_ns: int) -> None:
        self._clock.publish(Clock(clock=running.header(stamp_ns).stamp))

    def run(self) -> list[Moment]:
        robot, moments = Robot(), []
        for number in range(round(END_S * RATE_HZ)):
            time_s = number / RATE_HZ
            moment, annotated = self._step(robot, time_s)
            moments.append(moment)
            if self._on_image is not None:
                self._on_image(moment, annotated)
            robot = robot.moved(moment.speed_m_s, moment.turn_rad_s, 1 / RATE_HZ)
        return moments

    def _step(self, robot: Robot, time_s: float) -> tuple[Moment, Any]:
        stamp_ns = FIRST_NS + round(time_s * 1e9)
        message = running.image(view(robot, time_s), stamp_ns)
        found = people_from_msg(self._client.ask(message, "people"))
        annotated = None
        if self._on_image is not None:
            received = self._client.subscribe("annotated_image")
            annotated = self._client.until(
                lambda: received and received[-1].header == message.header and received[-1],
                "the annotated image",
            )
        command = self._command(stamp_ns)
        place_m = person_at(time_s)
        distance_m = math.nan if place_m is None else math.hypot(*robot.sees(*place_m))
        seen_m = found.xyz[found.is_target, 2]
        return Moment(
            time_s,
            robot,
            distance_m,
            float(seen_m[0]) if len(seen_m) else math.nan,
            command.linear.x,
            command.angular.z,
        ), annotated

    def _command(self, stamp_ns: int) -> Twist:
        """Let the time come, and return what the follower makes of it.

        The clock is best effort: a message of it may be lost on a loaded machine.
        """
        self._client.spin(_DELIVERY_S)
        self._commands.clear()
        sent_s = -math.inf

        def came() -> Twist | None:
            nonlocal sent_s
            assert self._process.is_running, self._process.output
            if time.monotonic() - sent_s > _CLOCK_AGAIN_S:
                self._tick(stamp_ns)
                sent_s = time.monotonic()
            return self._commands[-1] if self._commands else None

        command: Twist = self._client.until(came, "a command")
        return command
