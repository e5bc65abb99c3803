"""The node's states: every transition, its failures, and what is released."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest
import rclpy
import running
from lifecycle_msgs.msg import Transition
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from running import Client, Process
from sensor_msgs.msg import Image
from std_msgs.msg import String

from pose_ros.blazepose.errors import PoseError
from pose_ros.blazepose.model_files import MANIFEST
from pose_ros.blazepose.models import MODELS
from pose_ros.runtime.lifecycle import ManagedNode, transition

(PERSON,) = running.person()
CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE
CLEANUP = Transition.TRANSITION_CLEANUP
SHUTDOWN = {
    "unconfigured": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    "inactive": Transition.TRANSITION_INACTIVE_SHUTDOWN,
    "active": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}
WAY_TO = {"unconfigured": [], "inactive": [CONFIGURE], "active": [CONFIGURE, ACTIVATE]}
MANAGED = running.parameters(autostart=False)


def topics(client: Client) -> set[str]:
    """The outputs that the node advertises."""
    client.wait_for_name()
    found = client.node.get_publisher_names_and_types_by_node("pose", "/")
    return {name for name, _ in found if name.startswith("/pose/")} - {"/pose/transition_event"}


def test_autostart_ends_in_the_active_state() -> None:
    with running.node_and_client() as client:
        assert client.state == "active"


def test_an_inactive_node_publishes_nothing_and_resets_when_active_again() -> None:
    with running.node_and_client() as client:
        first = client.landmarks(running.image(PERSON)).person_id[0]
        assert client.change_state(DEACTIVATE)
        received = client.subscribe("landmarks")
        received.clear()
        client.until(lambda: not client.images_matched(), "the image subscription to be gone")
        client.publish(running.image(PERSON))
        assert client.change_state(ACTIVATE)
        client.until(client.images_matched, "the image subscription")
        assert client.landmarks(running.image(PERSON)).person_id[0] == first + 1
        assert len(received) == 1


def test_person_id_is_never_reused_after_reset_model_change_and_cleanup() -> None:
    with running.node_and_client() as client:
        ids = [client.landmarks(running.image(PERSON)).person_id[0]]

        def find_again() -> None:
            client.until(client.images_matched, "the image subscription")
            ids.append(client.landmarks(running.image(PERSON)).person_id[0])

        client.reset()
        find_again()
        assert client.set(model="lite").successful
        find_again()
        for _ in range(2):
            for step in (DEACTIVATE, CLEANUP):
                assert client.change_state(step)
            client.until(lambda: not client.images_matched(), "the subscription to be gone")
            for step in (CONFIGURE, ACTIVATE):
                assert client.change_state(step)
            find_again()
        assert ids == sorted(set(ids))


def test_state_changes_are_logged() -> None:
    way = {
        CONFIGURE: "from unconfigured to inactive",
        ACTIVATE: "from inactive to active",
        DEACTIVATE: "from active to inactive",
        CLEANUP: "from inactive to unconfigured",
        SHUTDOWN["unconfigured"]: "from unconfigured to finalized",
    }
    with running.node_and_client(*MANAGED) as client:
        for step in way:
            assert client.change_state(step)
        assert not client.change_state(CONFIGURE)
        lines = client.process.lines("lifecycle state changed")
    assert [line.partition("changed ")[2] for line in lines] == list(way.values())


def test_a_failed_activation_leaves_nothing_of_the_active_state_open() -> None:
    """The topic of the images is one that already has another type in this node."""
    remapped = (*MANAGED, "-r", "image:=/diagnostics")
    with running.node_process(*remapped) as process, running.client(process) as client:
        assert client.change_state(CONFIGURE)
        _, threads_before, _ = client.process.resources
        for _ in range(3):
            assert not client.change_state(ACTIVATE)
            assert client.state == "inactive"
        running.until(lambda: process.resources[1] == threads_before, "the end of its threads")
        assert client.change_state(CLEANUP)
        client.until(lambda: not topics(client), "the outputs to be gone")
        assert len(process.lines("[ERROR]")) == 3


@pytest.mark.parametrize("state", SHUTDOWN)
def test_shutdown_works_from_every_state_and_releases_all(state: str) -> None:
    with running.node_and_client(*MANAGED) as client:
        for step in WAY_TO[state]:
            assert client.change_state(step)
        assert client.state == state
        if state == "active":
            client.landmarks(running.image(PERSON))
        assert client.change_state(SHUTDOWN[state])
        assert client.state == "finalized"
        client.until(lambda: not topics(client), "the outputs to be gone")
        client.until(lambda: not client.images_matched(), "the image subscription to be gone")


@pytest.mark.parametrize(
    ("state", "step"),
    [("unconfigured", ACTIVATE), ("inactive", CONFIGURE), ("active", CLEANUP)],
)
def test_a_transition_that_does_not_fit_the_state_changes_nothing(state: str, step: int) -> None:
    with running.node_and_client(*MANAGED) as client:
        for allowed in WAY_TO[state]:
            assert client.change_state(allowed)
        assert not client.change_state(step)
        assert client.state == state


def test_connections_can_change_while_unconfigured() -> None:
    with running.node_and_client(*MANAGED, image_topic="/image") as client:
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        client.node.create_publisher(Image, "/image", best_effort)  # else auto is reliable too
        assert client.set(qos_reliability="reliable", qos_depth=3).successful
        assert client.change_state(CONFIGURE)
        assert client.change_state(ACTIVATE)
        client.until(client.images_matched, "the image subscription")
        (found,) = client.node.get_subscriptions_info_by_topic("/image")
        assert found.qos_profile.reliability.name == "RELIABLE"
        assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)


# Signals


def end_with(process: Process, *numbers: int) -> None:
    """Send signals at once after each other; the node has to end cleanly."""
    for number in numbers:
        process.signal(number)
    assert process.wait() == 0, process.output
    assert "Traceback" not in process.output, process.output
    assert "xception" not in process.output, process.output


SIGNALS = {
    "Ctrl-C": [signal.SIGINT],
    "Ctrl-C twice": [signal.SIGINT, signal.SIGINT],
    "SIGTERM": [signal.SIGTERM],
    "Ctrl-C and SIGTERM": [signal.SIGINT, signal.SIGTERM],
}


@pytest.mark.parametrize("numbers", SIGNALS.values(), ids=SIGNALS)
def test_signals_end_an_idle_node_cleanly(numbers: list[int]) -> None:
    with running.node_process() as process:
        process.wait_for_line("waiting for images")
        end_with(process, *numbers)


@pytest.mark.parametrize("numbers", SIGNALS.values(), ids=SIGNALS)
def test_signals_end_a_node_cleanly_while_it_works_on_an_image(numbers: list[int]) -> None:
    # The slowest model, so that the signal comes in the middle of an image.
    slow = running.parameters(model="heavy")
    with running.node_process(*slow) as process, running.client(process) as client:
        client.listen("landmarks", "annotated_image")
        for _ in range(3):
            client.publish(running.image(PERSON))
            client.spin(0.05)
        end_with(process, *numbers)


@pytest.mark.parametrize("numbers", SIGNALS.values(), ids=SIGNALS)
def test_signals_end_a_node_cleanly_while_its_model_loads(
    numbers: list[int], tmp_path: Path
) -> None:
    # A manifest that is a pipe: the node waits in it until we have written.
    source = running.ROOT / "models"
    for name in (MODELS["upper_body"].file, MODELS["upper_body"].detector.file):
        shutil.copyfile(source / name, tmp_path / name)
    pipe = tmp_path / MANIFEST
    os.mkfifo(pipe)
    with running.node_process(*running.parameters(models_dir=tmp_path)) as process:
        with running.until(lambda: opened(pipe), "the node to read its manifest") as manifest:
            shutil.copyfile(source / MANIFEST, tmp_path / "next")
            os.replace(tmp_path / "next", pipe)
            for number in numbers:
                process.signal(number)
            manifest.write((source / MANIFEST).read_bytes())
        end_with(process)


def opened(pipe: Path) -> BinaryIO | None:
    """The pipe's end to write to; None while nobody reads it."""
    try:
        return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "wb")
    except OSError:
        return None


# The classes


class Recorder(ManagedNode):
    """Does in each transition what a test wants."""

    def __init__(self, configure: Callable[[Recorder], None]) -> None:
        super().__init__("recorder")
        self.configure = configure
        self.activate: Callable[[Recorder], None] = do_nothing

    @transition
    def on_configure(self) -> None:
        self.configure(self)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        super().on_activate(state)
        return self._activate(state)

    @transition
    def _activate(self) -> None:
        self.activate(self)


def do_nothing(_node: Recorder) -> None:
    return None


@pytest.fixture
def make_node(_ros: None) -> object:
    with ExitStack() as made:

        def make(configure: Callable[[Recorder], None] = do_nothing) -> Recorder:
            node = Recorder(configure)
            made.callback(node.destroy_node)
            return node

        yield make


@pytest.fixture
def _ros() -> object:
    with running.domain() as number:
        rclpy.init(domain_id=number)
        yield
        rclpy.shutdown()


MakeNode = Callable[..., Recorder]


def test_bring_up_raises_why_it_fails(make_node: MakeNode) -> None:
    def fail(_node: Recorder) -> None:
        raise PoseError("no model here")

    with pytest.raises(PoseError, match="no model here"):
        make_node(fail).bring_up()


def test_a_failed_transition_can_be_tried_again(make_node: MakeNode) -> None:
    def fail(_node: Recorder) -> None:
        raise PoseError("no model here")

    node = make_node(fail)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    node.configure = do_nothing
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS


@pytest.mark.parametrize(
    ("error", "result", "undone"),
    [
        (PoseError("no TF"), TransitionCallbackReturn.FAILURE, ["active"]),
        (ValueError("a bug"), TransitionCallbackReturn.ERROR, ["active", "configured"]),
    ],
    ids=["failure", "error"],
)
def test_a_failed_activation_leaves_nothing_open(
    make_node: MakeNode, error: Exception, result: TransitionCallbackReturn, undone: list[str]
) -> None:
    released: list[str] = []

    def fail(node: Recorder) -> None:
        node.while_active.callback(released.append, "active")
        raise error

    node = make_node()
    node.activate = fail
    node.while_configured.callback(released.append, "configured")
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == result
    assert released == undone


def test_publishers_are_disabled_after_a_failed_activation(make_node: MakeNode) -> None:
    def fail(_node: Recorder) -> None:
        raise PoseError("no camera")

    node = make_node()
    publisher = node.create_lifecycle_publisher(String, "text", 1)
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    for activate, result in (
        (fail, TransitionCallbackReturn.FAILURE),
        (do_nothing, TransitionCallbackReturn.SUCCESS),
    ):
        node.activate = activate
        assert node.trigger_activate() == result
        assert publisher.is_activated == (activate is do_nothing)
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert not publisher.is_activated


def test_a_failed_configuration_leaves_nothing_open(make_node: MakeNode) -> None:
    released: list[str] = []

    def fail(node: Recorder) -> None:
        node.while_configured.callback(released.append, "topics")
        raise PoseError("no model here")

    assert make_node(fail).trigger_configure() == TransitionCallbackReturn.FAILURE
    assert released == ["topics"]


def test_release_undoes_in_reverse_order(make_node: MakeNode) -> None:
    undone: list[str] = []
    node = make_node()
    for name in ("first", "second"):
        node.while_configured.callback(undone.append, name)
    node.while_active.callback(undone.append, "active")
    node.release()
    assert undone == ["active", "second", "first"]
    node.release()
    assert len(undone) == 3


def test_destroying_a_node_releases_it(make_node: MakeNode) -> None:
    undone: list[str] = []
    node = make_node()
    node.while_configured.callback(undone.append, "topics")
    node.destroy_node()
    assert undone == ["topics"]
