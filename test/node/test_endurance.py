"""The same over and over, on the running node: nothing leaks, nothing is ever half done."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import running
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from running import Client
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker

from pose_ros.client import landmarks_from_msg
from pose_ros.outputs.messages import LANDMARK_NAMES, OUTPUTS, TARGET_OUTPUTS
from pose_ros.runtime.clock import stamp_to_ns

(PERSON,) = running.person()
ROUNDS = 100
WARM_UP = 20
# An image has 0.36 MB. Where models are loaded, of 10 MB and more, the heap itself goes up and
# down by as much before it settles (measured: 140 MB from the 170th to the 300th round).
MAX_GROWTH_MB = 0.05
MAX_LOADING_GROWTH_MB = 2.0

UP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
DOWN = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


def growth_mb(memory_mb: list[float]) -> float:
    """Memory that a round costs for good: the slope of a line through all but the first rounds."""
    kept = memory_mb[WARM_UP:]
    slope, _ = np.polyfit(range(len(kept)), kept, 1)
    return float(slope)


# States


OF_STATES = [f"/pose/{output.name}" for output in (*OUTPUTS, *TARGET_OUTPUTS, LANDMARK_NAMES)]
OF_STATES += ["/image", "/camera_info"]


def endpoints_when(client: Client, is_active: bool) -> Counter[str]:
    """The ends of the node once those that come and go with its state have come, or gone."""
    client.wait_for_name()

    def found() -> Counter[str]:
        counts = endpoints(client)
        is_settled = all(counts[name] == is_active for name in OF_STATES) and not counts["/depth"]
        return counts if is_settled else Counter()

    return client.until(found, "the ends of the state")


def endpoints(client: Client, node_name: str = "pose") -> Counter[str]:
    """How many publishers, subscriptions and services of a node there are, by name."""
    node, found = client.node, Counter[str]()
    for topic, _ in node.get_topic_names_and_types():
        ends = (
            *node.get_publishers_info_by_topic(topic),
            *node.get_subscriptions_info_by_topic(topic),
        )
        found[topic] += sum(end.node_name == node_name for end in ends)
    for service, _ in node.get_service_names_and_types_by_node(node_name, "/"):
        found[service] += 1
    return +found


def assert_nothing_is_left(
    what: str, held: list[tuple[float, int, int]], max_growth_mb: float
) -> None:
    """Look at memory, threads and files that a process held after each of many rounds."""
    memory_mb, threads, files = ([*values] for values in zip(*held, strict=True))
    print(
        f"{len(held)} {what}: memory {memory_mb[0]:.1f} to {memory_mb[-1]:.1f} MB, "
        f"{1024 * growth_mb(memory_mb):+.1f} kB each; threads {set(threads[WARM_UP:])}; "
        f"files {set(files[WARM_UP:])}"
    )
    # one that is just ending may still be counted, but what is left stays to the end
    for counts in (threads, files):
        assert min(counts[-WARM_UP:]) <= min(counts[WARM_UP : 2 * WARM_UP]), counts
    assert growth_mb(memory_mb) < max_growth_mb, memory_mb


def test_a_hundred_rounds_of_all_states_leak_nothing() -> None:
    with running.node_and_client(*running.parameters(autostart=False)) as client:
        assert client.state == "unconfigured"
        held, active, unconfigured = [], [], []
        for number in range(ROUNDS):
            assert all(client.change_state(step) for step in UP)
            if number % 10 == 0:
                assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)
                client.unsubscribe()
            if number in (WARM_UP, ROUNDS - 1):
                active.append(endpoints_when(client, is_active=True))
            assert all(client.change_state(step) for step in DOWN)
            if number in (WARM_UP, ROUNDS - 1):
                unconfigured.append(endpoints_when(client, is_active=False))
            held.append(client.process.resources)
        assert_nothing_is_left("rounds of all states", held, MAX_LOADING_GROWTH_MB)
        print(f"DDS: {active[0].total()} ends while active, {unconfigured[0].total()} else")
        assert active[0] == active[1]
        assert unconfigured[0] == unconfigured[1]
        assert active[0] != unconfigured[0]


def test_a_hundred_activations_leak_nothing() -> None:
    with running.node_and_client() as client:
        client.listen("landmarks")
        received = client.subscribe("landmarks")
        held = []
        for number in range(ROUNDS):
            assert client.change_state(Transition.TRANSITION_DEACTIVATE)
            assert client.change_state(Transition.TRANSITION_ACTIVATE)
            if number % 10 == 0:  # more than one image: DDS may know subscriptions that are gone
                received.clear()
                client.stream(PERSON, lambda: bool(received), "landmarks")
                assert (received[0].height, received[0].width) == (1, 25)
            held.append(client.process.resources)
        assert_nothing_is_left("activations", held, MAX_GROWTH_MB)


SHUT_DOWN_FROM_EACH_STATE = """
import itertools, os, sys
sys.path.insert(0, "test")
import running
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from pose_ros.node import PoseNode
rclpy.init()
ways = [[], [PoseNode.trigger_configure], [PoseNode.trigger_configure, PoseNode.trigger_activate]]
for way in itertools.islice(itertools.cycle(ways), int(sys.argv[1])):
    node = PoseNode()
    for step in (*way, PoseNode.trigger_shutdown):
        assert step(node) == TransitionCallbackReturn.SUCCESS
    node.destroy_node()
    print("held:", *running.resources_of(os.getpid()), flush=True)
"""


def test_nodes_shut_down_from_each_state_one_after_the_other_leave_nothing() -> None:
    with running.process("-c", SHUT_DOWN_FROM_EACH_STATE, str(ROUNDS)) as process:
        assert process.wait(5 * running.TIMEOUT_S) == 0, process.output
        lines = [line.split()[1:] for line in process.lines("held: ")]
        held = [(float(memory), int(threads), int(files)) for memory, threads, files in lines]
        assert len(held) == ROUNDS
        assert_nothing_is_left("nodes", held, MAX_LOADING_GROWTH_MB)


# Requests under load


def stamps(received: list[Any]) -> list[int]:
    return [stamp_to_ns(item.header.stamp) for item in received]


def test_reset_and_enable_under_load_are_obeyed_at_once() -> None:
    with running.node_and_client() as client:
        first = client.landmarks(running.image(PERSON)).person_id[0]
        received = client.subscribe("landmarks")
        received.clear()
        sent: list[int] = []
        silent: list[int] = []

        def publish(noted: list[int]) -> None:
            message = running.image(PERSON)
            noted.append(stamp_to_ns(message.header.stamp))
            client.publish(message)
            client.spin(0.005)

        start_s = time.monotonic()
        for _ in range(50):
            publish(sent)
            assert client.call("reset", Trigger.Request()).success
            publish(sent)
            assert client.enable(False).success
            publish(silent)
            client.spin(0.05)
            assert client.enable(True).success
            before = len(received)
            publish(sent)  # a busy node may have dropped all others of this round
            client.until(lambda: len(received) > before, "landmarks")  # noqa: B023, called at once
        client.until(lambda: stamps(received)[-1:] == sent[-1:], "the last image's landmarks")
        processed = stamps(received)
        print(
            f"150 requests in {time.monotonic() - start_s:.1f} s under load: {len(sent)} images "
            f"in time, {len(processed)} processed; {len(silent)} while disabled, none processed"
        )
        ids = [int(landmarks_from_msg(item).person_id[0]) for item in received]
        assert ids == sorted(ids)
        assert ids[-1] - first >= 50
        assert not set(silent) & set(processed)
        assert processed == sorted(set(processed))
        assert not client.process.lines("[ERROR]")


# Parameters

SETS: list[dict[str, Any]] = [
    {"mirrored_input": False, "marker_distance_m": 1.0, "assumed_hfov_deg": 40.0},
    {"mirrored_input": True, "marker_distance_m": 2.0, "assumed_hfov_deg": 70.0},
    {"mirrored_input": False, "marker_distance_m": 4.0, "assumed_hfov_deg": 100.0},
    {"mirrored_input": True, "marker_distance_m": 8.0, "assumed_hfov_deg": 20.0},
]
# Each with something good in it, which must not be taken over either.
REFUSED: list[dict[str, Any]] = [
    {"mirrored_input": True, "marker_distance_m": 3.0, "assumed_hfov_deg": 500.0},
    {"marker_distance_m": 5.0, "model": "enormous"},
    {"assumed_hfov_deg": 90.0, "mirrored_input": "yes"},
    {"marker_distance_m": 6.0, "qos_depth": 5},
]


def fingerprint(cloud: Any, markers: Any) -> tuple[bytes, ...]:
    """All that the parameters of `SETS` change in what is published for a picture."""
    people = landmarks_from_msg(cloud)
    added = [marker for marker in markers.markers if marker.action == Marker.ADD]
    (roi,) = (marker for marker in added if marker.ns == "roi")
    points = np.array([(point.x, point.y, point.z) for point in roi.points], np.float32)
    return people.pixels.tobytes(), points.tobytes()


class Frames:
    """Takes the landmarks and the ROI of each image together, by its stamp."""

    def __init__(self, client: Client) -> None:
        client.listen("landmarks", "roi_markers")
        self._client = client
        self._lists = [client.subscribe(name) for name in ("landmarks", "roi_markers")]

    def clear(self) -> None:
        for received in self._lists:
            received.clear()

    def ask(self) -> tuple[bytes, ...]:
        """Publish an image, and return what is published for it."""
        message = running.image(PERSON)
        self._client.publish(message)
        stamp_ns = stamp_to_ns(message.header.stamp)
        return self._client.until(lambda: self.fingerprints.get(stamp_ns), "landmarks and ROI")

    @property
    def fingerprints(self) -> dict[int, tuple[bytes, ...]]:
        """What was published for each image of a person, by its stamp."""
        clouds, markers = self._lists
        cloud_of = {stamp_to_ns(item.header.stamp): item for item in clouds if item.height}
        return {
            stamp_ns: fingerprint(cloud_of[stamp_ns], item)
            for item in markers
            if item.markers and (stamp_ns := stamp_to_ns(item.markers[0].header.stamp)) in cloud_of
        }


def test_a_thousand_parameter_changes_under_load_are_never_seen_half_done() -> None:
    chosen_at_start = running.parameters(static_image_mode=True, no_image_timeout_s=0.0)
    with running.node_and_client(*chosen_at_start) as client:
        frames, known = Frames(client), []
        for chosen in SETS:
            assert client.set_atomically(**chosen).successful
            frames.clear()
            known.append(frames.ask())
        assert len(set(known)) == len(SETS)

        frames.clear()
        start_s, sent = time.monotonic(), 0
        for number in range(1000):
            is_good = number % 2 == 0
            table = SETS if is_good else REFUSED
            result = client.set_atomically(**table[number // 2 % len(table)])
            assert result.successful == is_good
            assert bool(result.reason) != is_good
            if number % 3 == 0:
                client.publish(running.image(PERSON))
                sent += 1
        seconds = time.monotonic() - start_s
        last = frames.ask()
        seen = Counter(known.index(found) for found in frames.fingerprints.values())
        print(
            f"1000 changes in {seconds:.1f} s, {seconds:.1f} ms each; {sent} images, "
            f"processed with each of the sets: {[seen[index] for index in range(len(SETS))]}"
        )
        seen[known.index(last)] -= 1
        assert set(+seen) == set(range(len(SETS)))
        assert known.index(last) == 499 % len(SETS)
        assert not client.process.lines("[WARN]"), client.process.output
        assert not client.process.lines("[ERROR]"), client.process.output


def test_a_thousand_changes_one_by_one_leave_parameters_and_node_alike() -> None:
    """Not atomic, from two clients at once; the node works all along."""
    with running.node_and_client() as client, running.client(client.process) as other:
        first = client.landmarks(running.image(PERSON))
        start_s = time.monotonic()
        for number in range(125):
            one, two = (number % 100 / 100, (number * 37) % 100 / 100)
            for setter, value in ((client, one), (other, two)):
                assert setter.set(min_tracking_confidence=0.1, min_visibility=value).successful
                assert not setter.set(min_visibility=1.5).successful
                assert not setter.set(model="enormous").successful
            if number % 10 == 0:
                assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)
        print(f"1000 changes by two clients in {time.monotonic() - start_s:.1f} s")
        assert client.get("min_visibility") == two
        assert client.get("model") == "upper_body"
        assert Parameter("x", value=client.get("min_tracking_confidence")).value == 0.1
        assert client.landmarks(running.image(PERSON)).person_id[0] == first.person_id[0]
