"""Where the package's own files are: installed by colcon, by pip, or in a source tree."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from pose_ros.blazepose.errors import PoseError

_NAME = "pose_ros"
_SOURCE_TREE = Path(__file__).resolve().parents[2]
_KILTED_RCLPY = 9  # major version
_SOURCE_FOLDERS = {"demo": "docs/demo"}


def share_path(folder: str) -> Path:
    """Return an installed folder such as `models`; PoseError if there is none."""
    for path in _candidates(folder):
        if path.is_dir():
            return path
    raise PoseError(f"the folder {folder!r} of {_NAME} is not installed")


def fast_dds_environment() -> dict[str, str]:
    """Return the environment variable that makes Fast DDS use the shipped profile.

    From Kilted on (Fast DDS 3) it has a new name, and every process warns of the old one.
    """
    is_new = int(metadata.version("rclpy").partition(".")[0]) >= _KILTED_RCLPY
    variable = f"{'FASTDDS' if is_new else 'FASTRTPS'}_DEFAULT_PROFILES_FILE"
    return {variable: str(share_path("config") / "fastdds_shm.xml")}


def _candidates(folder: str) -> Iterator[Path]:
    try:
        from ament_index_python.packages import get_package_share_directory

        yield Path(get_package_share_directory(_NAME)) / folder
    except (ImportError, LookupError, OSError):
        pass  # no ROS environment is sourced, or the package is not in it
    yield _SOURCE_TREE / _SOURCE_FOLDERS.get(folder, folder)
    yield Path(sys.prefix) / "share" / _NAME / folder
