"""ROS domains that nobody on this machine uses."""

from __future__ import annotations

import random
import socket

_DOMAINS = range(1, 71)  # the tests claim higher ones
_FIRST_PORT, _DOMAIN_PORTS = 7400, 250
_USED_PORTS = 40  # two for discovery by multicast, then from the tenth on two for each process


def is_unused(domain_id: int) -> bool:
    """Return whether no process of this machine is in a ROS domain.

    ref: DDSI-RTPS 2.2, 9.6.1.1, the ports of a domain; the first 15 processes are looked for.
    """
    first = _FIRST_PORT + _DOMAIN_PORTS * domain_id
    try:
        for port in range(first, first + _USED_PORTS):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
                taken.bind(("", port))
    except OSError:
        return False
    return True


def unused_domain() -> int:
    """Return a random domain that is unused; if all are in use, any."""
    chosen = random.sample(_DOMAINS, len(_DOMAINS))
    return next(filter(is_unused, chosen), chosen[0])
