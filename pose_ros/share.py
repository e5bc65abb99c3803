"""Where the package's own files are: installed by colcon, by pip, or in a source tree."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pose_ros.blazepose.errors import PoseError

_NAME = "pose_ros"
_SOURCE_TREE = Path(__file__).resolve().parents[1]
_SOURCE_FOLDERS = {"demo": "docs/demo"}


def share_path(folder: str) -> Path:
    """Return an installed folder such as `models`; PoseError if there is none."""
    for path in _candidates(folder):
        if path.is_dir():
            return path
    raise PoseError(f"the folder {folder!r} of {_NAME} is not installed")


def _candidates(folder: str) -> Iterator[Path]:
    try:
        from ament_index_python.packages import get_package_share_directory

        yield Path(get_package_share_directory(_NAME)) / folder
    except (ImportError, LookupError, OSError):
        pass  # no ROS environment is sourced, or the package is not in it
    yield _SOURCE_TREE / _SOURCE_FOLDERS.get(folder, folder)
    yield Path(sys.prefix) / "share" / _NAME / folder
