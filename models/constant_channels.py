"""
Leave out channels that have the same value whatever the image is.

A bundle is a dense Conv, then Clip and depthwise Conv nodes, which keep channels apart, up to the
1x1 Convs that mix them again. Clip bounds what a depthwise Conv reads, and its weights bound what
it gives. A channel that arrives everywhere as a constant adds a constant to each 1x1 Conv: it goes
into the bias, and the channel goes out of the whole bundle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from network import Network, Node
from tflite import Array

# More than float32 sums of a kernel's taps are off by, so that rounding undoes no proof.
_MARGIN = 1e-3
# onnxruntime takes 8 or 16 channels at a time; whole blocks of both stay.
_BLOCK = 24


@dataclass(frozen=True)
class _Bundle:
    """The Conv that makes channels, the nodes that keep them apart, the Convs that mix them."""

    source: Node
    inner: tuple[Node, ...]
    mixers: tuple[Node, ...]


def drop_constant_channels(network: Network) -> Network:
    """Shrink every bundle in which channels are constant."""
    for output in [node.output for node in network.nodes]:
        (source,) = (node for node in network.nodes if node.output == output)
        bundle = _bundle(source, network)
        if bundle is not None:
            network = _shrink(bundle, network)
    return network


def _bundle(source: Node, network: Network) -> _Bundle | None:
    """Give the bundle that a dense Conv begins, if all that reads it is known."""
    if source.op != "Conv" or source.attributes["group"] != 1:
        return None
    values = {source.output}
    inner: list[Node] = []
    mixers: list[Node] = []
    for node in network.nodes:
        if node.inputs[0] in values and _keeps_channels(node, network):
            inner.append(node)
            values.add(node.output)
        elif values.intersection(node.inputs):
            mixers.append(node)
    is_known = values.isdisjoint(network.outputs) and all(_mixes(node, network) for node in mixers)
    return _Bundle(source, tuple(inner), tuple(mixers)) if inner and is_known else None


def _keeps_channels(node: Node, network: Network) -> bool:
    if node.op != "Conv":
        return node.op == "Clip"
    return bool(node.attributes["group"] == network.shapes[node.output][1] > 1)


def _mixes(node: Node, network: Network) -> bool:
    """Return whether the node is a 1x1 Conv with a bias, so that borders are like the middle."""
    if node.op != "Conv" or node.attributes["group"] != 1 or len(node.inputs) < 3:
        return False
    return network.constants[node.inputs[1]].shape[2:] == (1, 1) and not any(
        node.attributes["pads"]
    )


def _shrink(bundle: _Bundle, network: Network) -> Network:
    values = _constants(bundle, network)
    arriving = np.stack([values[mixer.inputs[0]] for mixer in bundle.mixers])
    kept = _kept(np.isfinite(arriving).all(axis=0))
    dropped = np.setdiff1d(np.arange(arriving.shape[1]), kept)
    if not len(dropped):
        return network
    constants, shapes = dict(network.constants), dict(network.shapes)
    groups: dict[str, int] = {}
    for node in (bundle.source, *bundle.inner):
        batch, _, *size = shapes[node.output]
        shapes[node.output] = (batch, len(kept), *size)
        if node.op == "Conv":
            constants |= {name: constants[name][kept] for name in node.inputs[1:]}
            groups[node.output] = 1 if node is bundle.source else len(kept)
    for mixer in bundle.mixers:
        weight, bias = (constants[name] for name in mixer.inputs[1:])
        value = values[mixer.inputs[0]][dropped]
        added = weight[:, dropped, 0, 0].astype(np.float64) @ value
        constants[mixer.inputs[1]] = weight[:, kept]
        constants[mixer.inputs[2]] = (bias + added).astype(np.float32) if added.any() else bias
    nodes = tuple(
        replace(node, attributes={**node.attributes, "group": groups[node.output]})
        if node.output in groups
        else node
        for node in network.nodes
    )
    return replace(network, nodes=nodes, constants=constants, shapes=shapes)


def _kept(is_constant: Array) -> Array:
    """Give the channels that stay, in their order: those that vary, filled up to whole blocks."""
    varying, constant = np.flatnonzero(~is_constant), np.flatnonzero(is_constant)
    return np.sort(np.concatenate([varying, constant[: -len(varying) % _BLOCK]]))


def _constants(bundle: _Bundle, network: Network) -> dict[str, Array]:
    """Give for each value of the bundle the constant that a channel (C,) is, or NaN."""
    count = network.shapes[bundle.source.output][1]
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    bounds = {bundle.source.output: (low, high)}
    for node in bundle.inner:
        low, high = bounds[node.inputs[0]]
        bounds[node.output] = (
            _clipped(low, high, node, network)
            if node.op == "Clip"
            else _convolved(low, high, node, network)
        )
    return {name: np.where(low == high, low, np.nan) for name, (low, high) in bounds.items()}


def _clipped(low: Array, high: Array, clip: Node, network: Network) -> tuple[Array, Array]:
    least, most = (float(network.constants[name]) for name in clip.inputs[1:])
    # a bound that a rounded sum could cross proves nothing
    low = np.where(low >= most + _MARGIN, most, np.clip(low, least, most - _MARGIN))
    high = np.where(high <= least - _MARGIN, least, np.clip(high, least + _MARGIN, most))
    return np.minimum(low, high), high


def _convolved(low: Array, high: Array, conv: Node, network: Network) -> tuple[Array, Array]:
    weight, bias = (network.constants[name] for name in conv.inputs[1:])
    taps = weight.reshape(len(weight), -1).astype(np.float64)
    if any(conv.attributes["pads"]):  # zeros are read beyond the border
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    with np.errstate(invalid="ignore"):  # 0 * inf, of channels without bounds
        ends = np.stack([taps * low[:, None], taps * high[:, None]])
    return bias + ends.min(axis=0).sum(axis=1), bias + ends.max(axis=0).sum(axis=1)
