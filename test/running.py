"""The real node in a process of its own, and a client that talks to it over real DDS."""

from __future__ import annotations

import ctypes
import fcntl
import functools
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import media
import numpy as np
import numpy.typing as npt
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.client import Landmarks, landmarks_from_msg
from pose_ros.images import compressed_from_rgb, image_from_rgb
from pose_ros.messages import LANDMARK_NAMES, OUTPUTS

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 30.0
FRAME_ID = "camera_optical"
FRAME_NS = 33_333_333
FIRST_NS = 1_700_000_000 * 10**9
DOMAINS = tuple(range(71, 100))

Answer = TypeVar("Answer")
Message: TypeAlias = "Image | CompressedImage"
_TYPES = {output.name: output.message_type for output in (*OUTPUTS, LANDMARK_NAMES)}
_SERVICES = {
    "enable": SetBool,
    "reset": Trigger,
    "change_state": ChangeState,
    "get_state": GetState,
}
_domains = itertools.cycle(DOMAINS)
_stamps_ns = itertools.count(FIRST_NS, FRAME_NS)


def until(
    condition: Callable[[], Answer | None], what: str, timeout_s: float = TIMEOUT_S
) -> Answer:
    """Return the first result that is neither None nor False; AssertionError after the time."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited {timeout_s} s in vain for {what}")


# Pictures


@functools.cache
def person(count: int = 1) -> tuple[ImageArray, ...]:
    """The first frames of the shipped clip, RGB."""
    return tuple(itertools.islice(media.frames("person"), count))


def black(height: int = 48, width: int = 64) -> ImageArray:
    return np.zeros((height, width, 3), np.uint8)


def header(stamp_ns: int | None = None) -> Header:
    """A header with the given stamp, or one that follows the last by a frame."""
    seconds, nanoseconds = divmod(next(_stamps_ns) if stamp_ns is None else stamp_ns, 10**9)
    return Header(frame_id=FRAME_ID, stamp=Time(sec=seconds, nanosec=nanoseconds))


def image(rgb: ImageArray, stamp_ns: int | None = None) -> Image:
    return image_from_rgb(rgb, header(stamp_ns))


def raw(encoding: str, pixels: npt.NDArray[Any], padding: int = 0) -> Image:
    """A message of any encoding from its rows (H, W, ...), each padded with some bytes."""
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(len(pixels), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    height, width = pixels.shape[:2]
    message = Image(header=header(), height=height, width=width, encoding=encoding)
    message.step = padded.shape[1]
    message.data.frombytes(padded.tobytes())
    return message


def jpeg(rgb: ImageArray, quality: int = 95) -> CompressedImage:
    return compressed_from_rgb(rgb, header(), quality)


# The node


@contextmanager
def domain() -> Iterator[int]:
    """Claim a ROS domain that no other test on this machine uses at this time."""
    for number in itertools.islice(_domains, 10 * len(DOMAINS)):
        path = Path(tempfile.gettempdir()) / f"pose_ros_test_domain_{number}.lock"
        try:
            with path.open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield number
                return
        except (BlockingIOError, PermissionError):
            continue
    raise AssertionError(f"the ROS domains {DOMAINS[0]} to {DOMAINS[-1]} are all in use")


def parameters(**values: object) -> list[str]:
    """Command line arguments that set parameters."""
    written = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }
    return [word for name, value in written.items() for word in ("-p", f"{name}:={value}")]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def held_by(pid: int) -> tuple[float, int, int]:
    """Memory of its own in MB (neither files nor shared), threads and open files of a process."""
    folder = Path(f"/proc/{pid}")
    own = folder.joinpath("status").read_text().partition("RssAnon:")[2].split()[0]
    return int(own) / 1024, len(os.listdir(folder / "task")), len(os.listdir(folder / "fd"))


class Process:
    """A Python process in a ROS domain; what it prints is kept in a file.

    `launcher` is a command that ends by running the words that follow it.
    """

    def __init__(
        self, domain_id: int, folder: Path, *command: str, launcher: Sequence[str] = ()
    ) -> None:
        self.domain_id = domain_id
        self._log = folder / "output"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*launcher, sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, "ROS_DOMAIN_ID": str(domain_id)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def output(self) -> str:
        """All that was printed so far."""
        return self._log.read_text(encoding="utf-8")

    def lines(self, text: str) -> list[str]:
        """The printed lines that contain a text."""
        return [line for line in self.output.splitlines() if text in line]

    def wait_for_line(self, text: str, timeout_s: float = TIMEOUT_S) -> str:
        def last() -> str | None:
            is_running, found = self.is_running, self.lines(text)
            assert found or is_running, f"no line {text!r} in\n{self.output}"
            return found[-1] if found else None

        return until(last, f"the line {text!r}", timeout_s)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for the end; return the exit code."""
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def cpu_s(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/task"))

    @property
    def held(self) -> tuple[float, int, int]:
        return held_by(self._process.pid)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None


@contextmanager
def process(*command: str) -> Iterator[Process]:
    """Run a Python process; whatever happens, it is gone at the end."""
    with domain() as number, tempfile.TemporaryDirectory() as folder:
        running = Process(number, Path(folder), *command)
        try:
            yield running
        finally:
            running.kill()


def node_process(*ros_args: str) -> Any:
    """Run the node and nothing else: for tests of how it starts and ends."""
    return process("-m", "pose_ros.node", "--ros-args", *ros_args)


@contextmanager
def node(*ros_args: str) -> Iterator[Process]:
    """Run the node; at the end interrupt it, and demand exit code 0 and no traceback."""
    with node_process(*ros_args) as running:
        yield running
        assert running.is_running, running.output
        running.signal(signal.SIGINT)
        assert running.wait() == 0, running.output
        assert "Traceback" not in running.output, running.output


# The client


class Client:
    """Publishes images for a node and receives what it publishes; spins only while it waits."""

    def __init__(
        self,
        process: Process,
        name: str = "/pose",
        image_topic: str = "/image",
        image_type: type[Message] = Image,
    ) -> None:
        self.process = process
        self._name = name
        self._received: dict[str, list[Any]] = defaultdict(list)
        self._context = Context()
        rclpy.init(context=self._context, domain_id=process.domain_id)
        self.node = rclpy.create_node("client", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._images = self.node.create_publisher(image_type, image_topic, 10)
        self._parameters = AsyncParameterClient(self.node, name)
        self._services = {
            service: self.node.create_client(service_type, f"{name}/{service}")
            for service, service_type in _SERVICES.items()
        }
        self._is_known = False
        self._make_black = jpeg if image_type is CompressedImage else image

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def until(
        self, condition: Callable[[], Answer | None], what: str, timeout_s: float = TIMEOUT_S
    ) -> Answer:
        """Handle messages until a condition gives something; AssertionError after the time."""
        deadline_s = time.monotonic() + timeout_s
        while not (result := condition()):
            left_s = deadline_s - time.monotonic()
            if left_s < 0 or not self.process.is_running:
                raise AssertionError(f"waited in vain for {what}\n{self.process.output}")
            self._executor.spin_once(timeout_sec=min(left_s, 0.1))
        return result

    def spin(self, seconds: float) -> None:
        """Handle messages for a while."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def spin_until_done(self, future: Any, timeout_s: float) -> None:
        """Handle messages until a future is done, or until the time is over."""
        self._executor.spin_until_future_complete(future, timeout_s)

    def wait_for_name(self) -> None:
        """Return when the node is known by its name; its topics and services may be so before."""
        namespace, _, name = self._name.rpartition("/")
        found = self.node.get_node_names_and_namespaces
        self.until(lambda: (name, namespace or "/") in found(), "the node's name")

    # Topics

    def images_matched(self) -> bool:
        """Whether the node's image subscription is known to the publisher."""
        return bool(self._images.get_subscription_count())

    def subscribe(self, name: str, message_type: Any = None, qos: Any = 10) -> list[Any]:
        """Subscribe to an output, or to any topic; return the list that messages are put into."""
        topic = name if name.startswith("/") else f"{self._name}/{name}"
        if name not in self._received:
            received = self._received[name]
            self.node.create_subscription(
                message_type or _TYPES[name], topic, received.append, qos
            )
        return self._received[name]

    def unsubscribe(self) -> None:
        """Let go of all topics."""
        for subscription in list(self.node.subscriptions):
            if subscription.topic_name != "/parameter_events":
                self.node.destroy_subscription(subscription)
        self._received.clear()

    def listen(self, *names: str) -> None:
        """Subscribe to outputs, and return when the node is known to publish them for us.

        Black images are sent until each output came once; then the tracker is reset.
        """
        if all(name in self._received for name in names):
            return
        for name in names:
            self.subscribe(name).clear()
        self.until(self.images_matched, "the node's image subscription")
        for _ in range(100):
            self.publish(self._make_black(black()))
            try:
                self.until(lambda: all(self._received[name] for name in names), "a wake-up", 0.3)
            except AssertionError:
                continue
            break
        else:
            raise AssertionError(f"no output on {names}\n{self.process.output}")
        self.reset()

    def publish(self, message: Message) -> None:
        self._images.publish(message)

    def latched(self, name: str) -> Any:
        """Join a latched topic late, and return what it holds."""
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        received = self.subscribe(name, qos=qos)
        return self.until(lambda: received and received[-1], f"the latched {name}")

    def ask(
        self,
        message: Message,
        name: str = "landmarks",
        accept: Callable[[Any], bool] | None = None,
    ) -> Any:
        """Publish an image, and return its output: that with its stamp, or that is acceptable.

        An output without a stamp can be late for the image before: `accept` is to tell.
        """
        self.listen(name)
        received = self._received[name]
        received.clear()
        self.publish(message)
        stamp = message.header.stamp
        is_answer = accept or (lambda item: _stamp(item) == stamp)
        return self.until(
            lambda: next(filter(is_answer, received), None),
            f"~/{name} of the image stamped {stamp.sec}.{stamp.nanosec:09}",
        )

    def landmarks(self, message: Message) -> Landmarks:
        """Publish an image, and return its landmarks."""
        cloud: PointCloud2 = self.ask(message)
        return landmarks_from_msg(cloud)

    def status(self, condition: Callable[[DiagnosticStatus], bool], what: str) -> DiagnosticStatus:
        """Return the first health report from now on that meets a condition."""
        received = self.subscribe("/diagnostics", DiagnosticArray)
        received.clear()
        return self.until(
            lambda: next((item.status[0] for item in received if condition(item.status[0])), None),
            f"diagnostics with {what}",
        )

    # Services and parameters

    def call(self, service: str, request: Any) -> Any:
        """Call a service of the node, and return the response."""
        self._introduce()
        client = self._services[service]
        self.until(client.service_is_ready, f"service {service}")
        return self._result(client.call_async(request), service)

    def _introduce(self) -> None:
        """Ask for the state until the node answers: from then on it can answer all our calls.

        A service that has not yet found the client drops its response. What a node tells of
        itself is found in order, and the client for the state was made last.
        """
        client = self._services["get_state"]
        while not self._is_known:
            self.until(client.service_is_ready, "the node's services")
            future = client.call_async(GetState.Request())
            self.spin_until_done(future, 1.0)
            self._is_known = future.done()

    def _result(self, future: Any, what: str) -> Any:
        self.until(future.done, what)
        return future.result()

    def reset(self) -> None:
        assert self.call("reset", Trigger.Request()).success

    def enable(self, on: bool) -> SetBool.Response:
        return self.call("enable", SetBool.Request(data=on))

    def change_state(self, transition_id: int) -> bool:
        """Do a lifecycle transition; return whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition_id))
        return bool(self.call("change_state", request).success)

    @property
    def state(self) -> str:
        label: str = self.call("get_state", GetState.Request()).current_state.label
        return label

    def set(self, **values: Any) -> SetParametersResult:
        """Set parameters one by one; return the first refusal, or the last result."""
        results = self._set(self._parameters.set_parameters, values).results
        return next((result for result in results if not result.successful), results[-1])

    def set_atomically(self, **values: Any) -> SetParametersResult:
        return self._set(self._parameters.set_parameters_atomically, values).result

    def _set(self, send: Callable[[list[Parameter]], Any], values: dict[str, Any]) -> Any:
        self._wait_for_parameters()
        chosen = [Parameter(name, value=value) for name, value in values.items()]
        return self._result(send(chosen), f"the answer to {values}")

    def get(self, name: str) -> Any:
        self._wait_for_parameters()
        future = self._parameters.get_parameters([name])
        (value,) = self._result(future, f"parameter {name}").values
        return Parameter.from_parameter_msg(_named(name, value)).value

    def describe(self, *names: str) -> list[ParameterDescriptor]:
        self._wait_for_parameters()
        future = self._parameters.describe_parameters(list(names))
        descriptors: list[ParameterDescriptor] = self._result(future, "descriptors").descriptors
        return descriptors

    def _wait_for_parameters(self) -> None:
        self._introduce()
        self.until(self._parameters.services_are_ready, "the parameter services")


def _named(name: str, value: Any) -> Any:
    from rcl_interfaces.msg import Parameter as ParameterMessage

    return ParameterMessage(name=name, value=value)


def _stamp(message: Any) -> Time | None:
    """The stamp of a message; None for a list of no markers."""
    if isinstance(message, MarkerArray):
        return message.markers[0].header.stamp if message.markers else None
    return message.header.stamp


@contextmanager
def client(process: Process, **options: Any) -> Iterator[Client]:
    made = Client(process, **options)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def node_and_client(*ros_args: str, **options: Any) -> Iterator[Client]:
    with node(*ros_args) as running, client(running, **options) as made:
        yield made
