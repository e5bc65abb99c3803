"""The real node in a process of its own, and a client that talks to it over real DDS."""

from running.clients import Client, client, node_and_client
from running.local import local_node
from running.messages import (
    FIRST_NS,
    FRAME_ID,
    FRAME_NS,
    Message,
    black,
    header,
    image,
    jpeg,
    person,
    raw,
)
from running.processes import (
    MODEL,
    ROOT,
    Process,
    domain,
    module,
    node,
    node_process,
    parameters,
    process,
    resources_of,
)
from running.waiting import TIMEOUT_S, until

__all__ = [
    "FIRST_NS",
    "FRAME_ID",
    "FRAME_NS",
    "MODEL",
    "ROOT",
    "TIMEOUT_S",
    "Client",
    "Message",
    "Process",
    "black",
    "client",
    "domain",
    "header",
    "image",
    "jpeg",
    "local_node",
    "module",
    "node",
    "node_and_client",
    "node_process",
    "parameters",
    "person",
    "process",
    "raw",
    "resources_of",
    "until",
]
