"""A client of the running node: it publishes images, calls services and receives outputs."""

from __future__ import annotations

import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.client import Landmarks, landmarks_from_msg
from pose_ros.outputs.messages import LANDMARK_NAMES, OUTPUTS, TARGET_OUTPUTS
from running.messages import Message, black, image, jpeg
from running.processes import Process, node
from running.waiting import TIMEOUT_S

Result = TypeVar("Result")
_RELIABLE = ReliabilityPolicy.RELIABLE
_TYPES = {
    output.name: output.message_type for output in (*OUTPUTS, *TARGET_OUTPUTS, LANDMARK_NAMES)
}
_SERVICES = {
    "enable": SetBool,
    "reset": Trigger,
    "next_target": Trigger,
    "release_target": Trigger,
    "change_state": ChangeState,
    "get_state": GetState,
}


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
        self._heard: set[str] = set()
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
        self._make_image = jpeg if image_type is CompressedImage else image

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def until(
        self, condition: Callable[[], Result | None], what: str, timeout_s: float = TIMEOUT_S
    ) -> Result:
        """Handle messages until a condition gives something; AssertionError after the time."""
        deadline_s = time.monotonic() + timeout_s
        while not (result := condition()):
            self._check(deadline_s, what)
            self._executor.spin_once(timeout_sec=0.1)
        return result

    def stream(
        self,
        rgb: ImageArray,
        condition: Callable[[], Result | None],
        what: str,
        period_s: float = 1 / 30,
    ) -> Result:
        """Publish an image once a period until a condition gives something."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not (result := condition()):
            self._check(deadline_s, what)
            self.publish(self._make_image(rgb))
            self.spin(period_s)
        return result

    def _check(self, deadline_s: float, what: str) -> None:
        if time.monotonic() > deadline_s or not self.process.is_running:
            raise AssertionError(f"waited too long for {what}\n{self.process.output}")

    def spin(self, seconds: float) -> None:
        """Handle messages for a while."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def wait_for_name(self) -> None:
        """Return when the node is known by its name; its topics and services may be so before."""
        namespace, _, name = self._name.rpartition("/")
        found = self.node.get_node_names_and_namespaces
        self.until(lambda: (name, namespace or "/") in found(), "the node's name")

    # Topics

    def images_matched(self) -> bool:
        """Whether the node's image subscription is known to the publisher, with its final QoS."""
        found = self.node.get_subscriptions_info_by_topic(self._images.topic_name)
        is_final = all(item.qos_profile.reliability == _RELIABLE for item in found)
        return is_final and bool(self._images.get_subscription_count())

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
        """Unsubscribe from all topics."""
        for subscription in list(self.node.subscriptions):
            if subscription.topic_name != "/parameter_events":
                self.node.destroy_subscription(subscription)
        self._received.clear()
        self._heard.clear()

    def listen(self, *names: str) -> None:
        """Subscribe to outputs, and return when the node is known to publish them for us.

        Black images are sent until each output came once; then the tracker is reset.
        """
        if self._heard.issuperset(names):
            return
        received = [self.subscribe(name) for name in names]
        for messages in received:
            messages.clear()
        self.until(self.images_matched, "the node's image subscription")
        self.stream(black(), lambda: all(received), f"{names}", 0.3)
        self._heard.update(names)
        self.reset()

    def spin_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Handle messages until a condition holds; return whether it came to hold in time."""
        end_s = time.monotonic() + timeout_s
        while not (is_met := condition()) and (left_s := end_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)
        return is_met

    def publish(self, message: Message) -> None:
        self._images.publish(message)

    def latched(self, name: str) -> Any:
        """Subscribe late to a latched topic, and return its message."""
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        received = self.subscribe(name, qos=qos)
        return self.until(lambda: received and received[-1], f"latched {name}")

    def ask(
        self,
        message: Message,
        name: str = "landmarks",
        accept: Callable[[Any], bool] | None = None,
    ) -> Any:
        """Publish an image, and return its output: that with its stamp, or that is acceptable.

        An output without a stamp can be late for the image before: `accept` is to decide.
        """
        self.listen(name)
        received = self._received[name]
        received.clear()
        self.publish(message)
        stamp = message.header.stamp
        is_output = accept or (lambda item: _stamp(item) == stamp)
        return self.until(
            lambda: next(filter(is_output, received), None),
            f"~/{name} of the image stamped {stamp.sec}.{stamp.nanosec:09}",
        )

    def landmarks(self, message: Message) -> Landmarks:
        """Publish an image, and return its landmarks."""
        cloud: PointCloud2 = self.ask(message)
        return landmarks_from_msg(cloud)

    def status(
        self,
        condition: Callable[[DiagnosticStatus], bool],
        what: str,
        do: Callable[[], object] = lambda: None,
    ) -> DiagnosticStatus:
        """Do something; return the first health report from before it on with a condition met."""
        received = self.subscribe("/diagnostics", DiagnosticArray)
        received.clear()
        do()
        return self.until(
            lambda: next((item.status[0] for item in received if condition(item.status[0])), None),
            f"diagnostics with {what}",
        )

    def wait_until_idle(self) -> None:
        """Return when no image is on its way to the node, or processed there."""

        def is_idle(status: DiagnosticStatus) -> bool:
            rates = {item.key: item.value for item in status.values if item.key.endswith(" Hz")}
            return float(rates["input rate Hz"]) == float(rates["processed rate Hz"]) == 0

        self.status(is_idle, "no images")

    # Services and parameters

    def call(self, service: str, request: Any) -> Any:
        """Call a service of the node, and return the response."""
        self._wait_until_known()
        client = self._services[service]
        self.until(client.service_is_ready, f"service {service}")
        return self._result(client.call_async(request), service)

    def _wait_until_known(self) -> None:
        """Call for the state until a response comes: from then on responses to all calls do.

        A service that has not yet discovered the client drops its response. The endpoints of a
        process are discovered in order, and the client for the state was made last.
        """
        client = self._services["get_state"]
        while not self._is_known:
            self.until(client.service_is_ready, "the node's services")
            future = client.call_async(GetState.Request())
            self._is_known = self.spin_until(future.done, 1.0)

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

    def bring_up(self) -> None:
        """Configure and activate a node that does not by itself."""
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            assert self.change_state(transition)

    @property
    def state(self) -> str:
        label: str = self.call("get_state", GetState.Request()).current_state.label
        return label

    def set(self, **values: Any) -> SetParametersResult:
        """Set parameters one by one; return the first rejection, or the last result."""
        results = self._set(self._parameters.set_parameters, values).results
        return next((result for result in results if not result.successful), results[-1])

    def set_atomically(self, **values: Any) -> SetParametersResult:
        return self._set(self._parameters.set_parameters_atomically, values).result

    def _set(self, send: Callable[[list[Parameter]], Any], values: dict[str, Any]) -> Any:
        self._wait_for_parameters()
        chosen = [Parameter(name, value=value) for name, value in values.items()]
        return self._result(send(chosen), f"response to {values}")

    def get(self, name: str) -> Any:
        self._wait_for_parameters()
        future = self._parameters.get_parameters([name])
        (value,) = self._result(future, f"parameter {name}").values
        found = Parameter.from_parameter_msg(ParameterMessage(name=name, value=value)).value
        return found.tolist() if isinstance(found, array) else found

    def describe(self, *names: str) -> list[ParameterDescriptor]:
        self._wait_for_parameters()
        future = self._parameters.describe_parameters(list(names))
        descriptors: list[ParameterDescriptor] = self._result(future, "descriptors").descriptors
        return descriptors

    def _wait_for_parameters(self) -> None:
        self._wait_until_known()
        self.until(self._parameters.services_are_ready, "parameter services")


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
    with node(*ros_args) as started, client(started, **options) as made:
        yield made
