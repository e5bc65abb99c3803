"""Two hosts on one machine: network namespaces with a memory of their own, joined by a cable.

Needs root, iproute2 and, for losses, nftables. Both hosts have the machine's clock. A rig runs
cameras, nodes and viewers on them and reads what those print.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
from running import ROOT, Process

PREFIX = "pose_ros"
_DOMAIN_ID = 1  # nobody else is on the cable
_MEMORY = Path("/dev/shm")
# A host has its own shared memory, else DDS could find a way around the cable.
_ENTER = f'mount --bind "$0" {_MEMORY} && exec env "$@"'
# Packets are dropped as they come in, so that each piece of a fragmented datagram counts.
_CHAIN = "{ type filter hook prerouting priority -450; }"


class HostError(Exception):
    """A command that shapes hosts or cable failed; the text is what it said."""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


@dataclass(frozen=True)
class Host:
    """One of the two ends; `address` is that of its only interface."""

    name: str
    interface: str
    address: str
    memory: Path

    def run(self, *command: str) -> str:
        """Run a command on the host; return what it prints."""
        return _run("ip", "netns", "exec", self.name, *command)

    def launcher(self, environment: Mapping[str, str]) -> list[str]:
        """The words before a command that make it run on the host."""
        variables = [f"{name}={value}" for name, value in environment.items()]
        return [*f"ip netns exec {self.name} sh -c".split(), _ENTER, str(self.memory), *variables]

    @property
    def dropped_packets(self) -> int:
        """How many packets the rules have dropped so far."""
        counters = re.findall(r"counter packets (\d+)", self.run("nft", "list", "ruleset"))
        return sum(map(int, counters))

    @property
    def received_bytes(self) -> int:
        """What came over the cable so far."""
        counter = f"/sys/class/net/{self.interface}/statistics/rx_bytes"
        return int(self.run("cat", counter))

    @property
    def is_connected(self) -> bool:
        """Whether the kernel regards the interface as running, which takes up to a second."""
        state = f"/sys/class/net/{self.interface}/operstate"
        return self.run("cat", state).strip() == "up"

    def set_link(self, *, up: bool) -> None:
        """Switch the interface; the other end loses its carrier meanwhile."""
        self.run("ip", "link", "set", self.interface, "up" if up else "down")

    def shape(self, *words: str) -> None:
        """Let a queueing discipline handle what goes out."""
        self.run("tc", "qdisc", "replace", "dev", self.interface, "root", *words)

    def drop(self, rule: str) -> None:
        """Drop the incoming packets that match, in words of nftables."""
        self.run("nft", "add", "table", "ip", PREFIX)
        self.run("nft", "add", "chain", "ip", PREFIX, "input", _CHAIN)
        self.run("nft", "add", "rule", "ip", PREFIX, "input", *rule.split(), "counter", "drop")


@contextmanager
def cable() -> Iterator[tuple[Host, Host]]:
    """Make two hosts that see each other and nobody else; they vanish at the end.

    Whatever still runs on them then must be on its way out.
    """
    _sweep()
    with ExitStack() as stack:
        hosts = [_host(number, stack) for number in (1, 2)]
        first, second = hosts
        _run(
            *f"ip link add {first.interface} netns {first.name} type veth".split(),
            *f"peer name {second.interface} netns {second.name}".split(),
        )
        for host in hosts:
            host.run("ip", "address", "add", f"{host.address}/24", "dev", host.interface)
            host.run("ip", "link", "set", "lo", "up")
            host.set_link(up=True)
        running.until(lambda: all(host.is_connected for host in hosts), "the cable", 5.0)
        yield first, second


def _host(number: int, stack: ExitStack) -> Host:
    memory = stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=_MEMORY))
    name = f"{PREFIX}_{os.getpid()}_{Path(memory).name.removeprefix(PREFIX)}"
    _run("ip", "netns", "add", name)
    stack.callback(_run, "ip", "netns", "delete", name)
    return Host(name, f"cable{number}", f"10.77.0.{number}", Path(memory))


def _sweep() -> None:
    """Remove what killed processes have left behind."""
    for name in _run("ip", "netns", "list").split():
        owner = name.removeprefix(f"{PREFIX}_").partition("_")[0]
        if name.startswith(f"{PREFIX}_") and not Path("/proc", owner).exists():
            _run("ip", "netns", "delete", name)


@functools.cache
def _obstacle(tool: str, *qdisc: str) -> str | None:
    """Why there cannot be such hosts here, or None."""
    if os.environ.get("POSE_ROS_TWO_HOSTS") != "1":
        return "not asked for; .ci/two_hosts runs this as root, with POSE_ROS_TWO_HOSTS=1"
    if os.geteuid():
        return "network namespaces need root"
    if shutil.which(tool) is None:
        return f"{tool} is not installed"
    try:
        with ExitStack() as stack:
            host = _host(0, stack)
            if qdisc:
                host.run("tc", "qdisc", "replace", "dev", "lo", "root", *qdisc)
    except HostError as error:
        return str(error)
    return None


def require(*qdisc: str, tool: str = "ip") -> None:
    """Skip the running test, with the reason, unless two hosts can be, and such a network."""
    if reason := _obstacle(tool, *qdisc):
        pytest.skip(reason)


def reported(process: Process, topic: str) -> list[Any]:
    """What a camera or a viewer has printed of a topic, without its name."""
    return [json.loads(line)[1:] for line in process.lines(f'["{topic}"') if line.endswith("]")]


@dataclass(frozen=True)
class Figures:
    """What a viewer got of the images that were sent within some seconds."""

    seconds: float
    sent: int
    latencies_ms: tuple[float, ...]

    @property
    def rate_hz(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def __str__(self) -> str:
        rate = f"{self.rate_hz:.1f} of {self.sent / self.seconds:.1f} Hz"
        if not self.latencies_ms:
            return rate
        median, p95 = np.percentile(self.latencies_ms, (50, 95))
        return f"{rate}, latency {median:.0f} ms (p95 {p95:.0f})"


class Rig:
    """Starts processes on two hosts, all with one Fast DDS profile, and reads what they print."""

    def __init__(
        self, hosts: tuple[Host, Host], profile: str, folder: Path, stack: ExitStack
    ) -> None:
        self.near, self.far = hosts
        self._folder, self._stack = folder, stack
        file = str(ROOT / "config" / f"fastdds_{profile}.xml")
        self._environment = {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'test'}",
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
            "FASTRTPS_DEFAULT_PROFILES_FILE": file,
            "FASTDDS_DEFAULT_PROFILES_FILE": file,
        }

    def start(self, host: Host, *command: str, **environment: str) -> Process:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        launcher = host.launcher({**self._environment, **environment})
        process = Process(_DOMAIN_ID, folder, *command, launcher=launcher)
        self._stack.callback(process.kill)
        return process

    def camera(self, host: Host, transport: str = "raw", **arguments: Any) -> Process:
        """A camera at 30 Hz; `arguments` are `size`, `reliability`."""
        return self._peer(host, "camera", transport=transport, **arguments)

    def viewer(self, host: Host, *topics: str, **environment: str) -> Process:
        return self._peer(host, "viewer", environment, topics=topics)

    def _peer(
        self, host: Host, role: str, environment: Mapping[str, str] | None = None, **arguments: Any
    ) -> Process:
        words = ("-m", "two_hosts_peers", role, json.dumps(arguments))
        return self.start(host, *words, **(environment or {}))

    def node(self, host: Host, parameters: Mapping[str, object], **environment: str) -> Process:
        ros_args = ("--ros-args", *running.parameters(**parameters)) if parameters else ()
        return self.start(host, "-m", "pose_ros.node", *ros_args, **environment)


@contextmanager
def rig(profile: str = "shm") -> Iterator[Rig]:
    """Two hosts, and what runs on them until the end."""
    with cable() as hosts, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        yield Rig(hosts, profile, Path(folder), stack)


def figures(camera: Process, viewer: Process, topic: str, start_ns: int, end_ns: int) -> Figures:
    """What came on a topic of the images that were sent between two times."""
    sent = {stamp for stamp, *_ in reported(camera, "sent") if start_ns <= stamp < end_ns}
    latencies_ms = {
        stamp: (arrival_ns - stamp) / 1e6
        for stamp, arrival_ns, _ in reported(viewer, topic)
        if stamp in sent
    }
    return Figures((end_ns - start_ns) / 1e9, len(sent), tuple(latencies_ms.values()))
