"""ROS domains that nobody on this machine uses."""

from __future__ import annotations

import random
import socket

from pose_ros.runtime.shared_memory import domain_ports

_DOMAINS = range(1, 71)  # the tests claim higher ones
_USED_PORTS = 40  # two for discovery by multicast, then from the tenth on two for each process


def is_unused(domain_id: int) -> bool:
    """Return whether no process of this machine is in a ROS domain.

    The first 15 processes are looked for.
    """
    try:
        for port in domain_ports(domain_id)[:_USED_PORTS]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
                taken.bind(("", port))
    except OSError:
        return False
    return True


def unused_domain() -> int:
    """Return a random domain that is unused; if all are in use, any."""
    chosen = random.sample(_DOMAINS, len(_DOMAINS))
    return next(filter(is_unused, chosen), chosen[0])
