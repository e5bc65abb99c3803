"""
A network in NCHW layout with the operators of ONNX, and rewrites of it that keep its function.

The rewrites suit onnxruntime's blocked (NCHWc) layout. Each looks at one node at a time and
never deletes: what becomes unused is pruned at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from tflite import Array, Shape

Attribute = int | str | list[int]


@dataclass(frozen=True)
class Node:
    """One operator with one output; names as in ONNX."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """Nodes in execution order, constants by name, and the NCHW shape of every value."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array]
    shapes: dict[str, Shape]


def prune(network: Network, outputs: Iterable[str]) -> Network:
    """Keep only the wanted outputs and what they need."""
    wanted = tuple(outputs)
    needed = set(wanted)
    kept = []
    for node in reversed(network.nodes):
        if node.output in needed:
            kept.append(node)
            needed.update(node.inputs)
    constants = {name: array for name, array in network.constants.items() if name in needed}
    return replace(network, outputs=wanted, nodes=tuple(reversed(kept)), constants=constants)


def join_pads(network: Network) -> Network:
    """Let every Conv pad by itself where a Pad came before it."""
    return prune(apply(merge_pad, network), network.outputs)


def rewrite(network: Network) -> Network:
    """Apply every other rewrite, in the order of STEPS."""
    for step in STEPS:
        network = apply(step, network)
    return prune(network, network.outputs)


@dataclass
class Scope:
    """What a rewrite of one node may look up and add to."""

    producers: dict[str, Node]
    constants: dict[str, Array]
    shapes: dict[str, Shape]

    def producer(self, value: str, op: str) -> Node | None:
        """Give the node that makes `value` if it is an `op`."""
        node = self.producers.get(value)
        return node if node is not None and node.op == op else None

    def constant(self, name: str, array: Array) -> str:
        """Add a constant; a name stands for the same array wherever it is used."""
        self.constants[name] = array
        return name


Step = Callable[[Node, Scope], list[Node]]


def apply(step: Step, network: Network) -> Network:
    """Apply one rewrite to every node."""
    producers = {node.output: node for node in network.nodes}
    scope = Scope(producers, dict(network.constants), dict(network.shapes))
    nodes = tuple(new for node in network.nodes for new in step(node, scope))
    return replace(network, nodes=nodes, constants=scope.constants, shapes=scope.shapes)


def merge_pad(node: Node, scope: Scope) -> list[Node]:
    """Spatial Pad, then Conv: the Conv pads by itself."""
    pad = scope.producer(node.inputs[0], "Pad") if node.op == "Conv" else None
    if pad is None:
        return [node]
    amounts = scope.constants[pad.inputs[1]]
    spatial = amounts[[2, 3, 6, 7]]
    if amounts.sum() != spatial.sum():
        return [node]
    attributes = {**node.attributes, "pads": (spatial + node.attributes["pads"]).tolist()}
    return [replace(node, inputs=(pad.inputs[0], *node.inputs[1:]), attributes=attributes)]


def pad_channels(node: Node, scope: Scope) -> list[Node]:
    """Pad of channels with zeros: a 1x1 Conv whose weight is an identity, then zero rows."""
    if node.op != "Pad":
        return [node]
    amounts = scope.constants[node.inputs[1]]
    before, after = int(amounts[1]), int(amounts[5])
    if amounts.sum() != before + after:
        return [node]
    channels = scope.shapes[node.inputs[0]][1]
    weight = np.pad(np.eye(channels, dtype=np.float16), ((before, after), (0, 0)))
    name = scope.constant(f"pad_{before}_{channels}_{after}", weight[:, :, None, None])
    return [_conv(node.inputs[0], (name,), node.output, kernel=1)]


def conv_before_resize(node: Node, scope: Scope) -> list[Node]:
    """
    Bilinear Resize, then 1x1 Conv: the Conv first, on fewer pixels.

    The weights of a bilinear sample sum to one, so that the bias passes unchanged.
    """
    resize = scope.producer(node.inputs[0], "Resize") if node.op == "Conv" else None
    weight_shape = scope.constants[node.inputs[1]].shape if resize else ()
    if resize is None or weight_shape[2:] != (1, 1) or weight_shape[0] > weight_shape[1]:
        return [node]
    small = f"{node.output}_small"
    source = resize.inputs[0]
    scope.shapes[small] = (1, weight_shape[0], *scope.shapes[source][2:])
    return [
        replace(node, inputs=(source, *node.inputs[1:]), output=small),
        replace(resize, inputs=(small, *resize.inputs[1:]), output=node.output),
    ]


def flatten_head(node: Node, scope: Scope) -> list[Node]:
    """
    DepthToSpace(2), depthwise 3x3 Conv of stride 2, 1x1 Conv: two Convs on the deep tensor.

    The 3x3 taps fall on four channel groups of 2x2 blocks; the 1x1 Conv sums the groups.
    """
    depthwise = scope.producer(node.inputs[0], "Conv") if node.op == "Conv" else None
    shuffle = scope.producer(depthwise.inputs[0], "DepthToSpace") if depthwise else None
    if depthwise is None or shuffle is None:
        return [node]
    weight, bias = (scope.constants[name] for name in depthwise.inputs[1:])
    attributes = depthwise.attributes
    expected = {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": len(weight)}
    is_head = weight.shape[1:] == (1, 3, 3) and all(
        attributes[key] == value for key, value in expected.items()
    )
    point = scope.constants[node.inputs[1]]
    if not is_head or point.shape[2:] != (1, 1) or shuffle.attributes["blocksize"] != 2:
        return [node]
    deep = f"{node.output}_deep"
    scope.shapes[deep] = (1, 4 * len(weight), *scope.shapes[node.output][2:])
    parameters = (
        scope.constant(f"{deep}_weight", _deep_weight(weight)),
        scope.constant(f"{deep}_bias", np.pad(bias, (0, 3 * len(bias)))),
    )
    groups = 4 * len(weight)
    total = scope.constant(f"{node.output}_sum", np.tile(point, (1, 4, 1, 1)))
    return [
        _conv(shuffle.inputs[0], parameters, deep, kernel=2, pads=[1, 1, 0, 0], group=groups),
        replace(node, inputs=(deep, total, node.inputs[2])),
    ]


def _deep_weight(weight: Array) -> Array:
    """Spread taps (C, 1, 3, 3) over the blocks and groups they read: (4 C, 1, 2, 2)."""
    deep = np.zeros((2, 2, len(weight), 2, 2), weight.dtype)
    # Tap 0 reads the last line of the block before, taps 1 and 2 the two lines of this block.
    line_and_block = ((1, 0), (0, 1), (1, 1))
    for tap_y, (line_y, block_y) in enumerate(line_and_block):
        for tap_x, (line_x, block_x) in enumerate(line_and_block):
            deep[line_y, line_x, :, block_y, block_x] = weight[:, 0, tap_y, tap_x]
    return deep.reshape(-1, 1, 2, 2)


def fuse_clip(node: Node, scope: Scope) -> list[Node]:
    """Clip on something else than a Conv: an identity Conv before it, for it to be fused to."""
    if node.op != "Clip" or scope.producer(node.inputs[0], "Conv"):
        return [node]
    value = node.inputs[0]
    channels = scope.shapes[value][1]
    same = f"{value}_same"
    scope.shapes[same] = scope.shapes[value]
    ones = scope.constant(f"ones_{channels}", np.ones((channels, 1, 1, 1), np.float16))
    identity = _conv(value, (ones,), same, kernel=1, group=channels)
    return [identity, replace(node, inputs=(same, *node.inputs[1:]))]


def _conv(
    source: str, parameters: tuple[str, ...], output: str, kernel: int, **changes: Attribute
) -> Node:
    attributes = {"kernel_shape": [kernel] * 2, "strides": [1, 1], "pads": [0] * 4, "group": 1}
    return Node("Conv", (source, *parameters), output, {**attributes, **changes})


STEPS: tuple[Step, ...] = (
    pad_channels,
    conv_before_resize,
    flatten_head,
    fuse_clip,
)
