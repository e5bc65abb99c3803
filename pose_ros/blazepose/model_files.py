"""Where model files lie, and whether they are the ones that were published."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from pose_ros.blazepose.errors import ModelFileError, quote
from pose_ros.blazepose.options import ModelOptions

MANIFEST = "manifest.json"
_FILE_NAME = re.compile(r"\w[\w.-]*")
_SHA256 = re.compile("[0-9a-f]{64}")
_MAX_MANIFEST_BYTES = 2**20
_PIECE_BYTES = 2**20
_SOURCE_TREE = Path(__file__).resolve().parents[2] / "models"


def find_models(options: ModelOptions, models_dir: Path | None = None) -> None:
    """Raise ModelFileError unless all files of the networks are there, and named in the manifest.

    That takes no time. Whether they are undamaged shows when they are loaded.
    """
    folder = models_dir or _SOURCE_TREE
    for file, _ in _expected(options.model_files, folder, options.allow_unverified_models):
        _inside(folder, file)


def model_path(file: str, models_dir: Path | None = None, allow_unverified: bool = False) -> Path:
    """Return where a model file, whose sha256 is the manifest's, really lies; else ModelFileError.

    `models_dir` None means the `models/` folder of the source tree. The file and its weights must
    lie in the folder, or below it, also when links have been followed; that is the folder in which
    the manifest really lies, so that an installation made of links passes. `allow_unverified`
    leaves out the manifest's check, but not that of the place. A file is hashed again only if it
    has changed.
    """
    folder = models_dir or _SOURCE_TREE
    paths = [
        _inside(folder, name) if sha256 is None else _check_sha256(folder, name, sha256)
        for name, sha256 in _expected((file,), folder, allow_unverified)
    ]
    return paths[0]


def _expected(
    files: tuple[str, ...], folder: Path, allow_unverified: bool
) -> list[tuple[str, str | None]]:
    """Return names and sha256 of graphs and their weights; without sha256 the graphs alone."""
    if allow_unverified:
        return [(file, None) for file in files]
    entries = _manifest(folder)
    return [pair for file in files for pair in _hashes(file, entries, folder)]


def _hashes(file: str, entries: dict[str, Any], folder: Path) -> list[tuple[str, str | None]]:
    """Return names and sha256 of a graph and its weights, all files of the folder itself."""
    entry = entries.get(file)
    if not isinstance(entry, dict):
        entry = {}
    data_files = entry.get("data_files", {})
    if not isinstance(data_files, dict) or not all(map(_FILE_NAME.fullmatch, data_files)):
        raise ModelFileError(
            f"model manifest {folder / MANIFEST} has data_files {quote(data_files)} for {file}; "
            "allowed are names of files in its folder"
        )
    pairs = [(file, entry.get("sha256")), *data_files.items()]
    for name, sha256 in pairs:
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise ModelFileError(
                f"model file {folder / name} has no sha256 in {folder / MANIFEST}"
            )
    return pairs


def _check_sha256(folder: Path, file: str, expected: str) -> Path:
    path = _inside(folder, file)
    try:
        found = _sha256(path)
    except OSError as error:
        raise _unreadable(folder / file, error) from error
    if found != expected:
        raise ModelFileError(
            f"model file {folder / file} is damaged or was replaced: its sha256 is {found}, "
            f"the manifest says {expected}"
        )
    return path


def _sha256(path: Path) -> str:
    status = path.stat()
    identity = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return _sha256_of(path, identity)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, _identity: tuple[int, ...]) -> str:
    """Hash a file in pieces, once for each of its identities: a large one takes 0.1 s."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _inside(folder: Path, file: str) -> Path:
    """Return where a file really lies; ModelFileError unless that is in the models folder."""
    named = folder / file
    try:
        path = named.resolve(strict=True)
        root = (folder / MANIFEST).resolve().parent
    except (OSError, RuntimeError, ValueError) as error:  # ring of links; name with a zero byte
        raise _unreadable(named, error) from error
    if not path.is_relative_to(root):
        raise ModelFileError(f"model file {named} leads to {path}; allowed is a file in {root}")
    if not path.is_file():
        raise ModelFileError(f"model file {named} cannot be read: it is not a regular file")
    return path


def _unreadable(path: Path, error: Exception) -> ModelFileError:
    reason = error.strerror if isinstance(error, OSError) else error
    return ModelFileError(f"model file {path} cannot be read: {reason}")


def _manifest(models_dir: Path) -> dict[str, Any]:
    path = models_dir / MANIFEST
    try:
        with path.open("rb") as file:  # it may be endless, and is asked for by a parameter
            content = file.read(_MAX_MANIFEST_BYTES + 1)
        if len(content) > _MAX_MANIFEST_BYTES:
            raise ModelFileError(
                f"model manifest {path} has more than {_MAX_MANIFEST_BYTES} bytes"
            )
        entries = json.loads(content.decode())
    except OSError as error:
        raise ModelFileError(f"model manifest {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"model manifest {path} is not valid JSON: {error}") from error
    if not isinstance(entries, dict):
        raise ModelFileError(f"model manifest {path} is not a table of files")
    return entries
