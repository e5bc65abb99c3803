"""Packages that some outputs need: imported only when a parameter asks for one of these."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from pose_ros.blazepose.errors import OptionError
from pose_ros.outputs.options import OutputOptions


def check_packages(options: OutputOptions) -> None:
    """Raise OptionError if an option asks for an output whose package is not there."""
    if options.publish_tf:
        import_tf2("publish_tf")
    if options.target_frame:
        import_tf2("target_frame")
    if options.floor_frame:
        import_tf2("floor_frame")
    if options.publish_hri:
        import_hri()
        import_tf2("publish_hri")


def import_tf2(parameter: str) -> ModuleType:
    """Return tf2_ros; OptionError that names the parameter if it cannot be imported."""
    try:
        import tf2_ros
    except ImportError as error:
        raise OptionError(
            f"{parameter} needs the Python package tf2_ros, which cannot be imported ({error}); "
            "install tf2_ros_py, as with: apt install ros-$ROS_DISTRO-tf2-ros-py"
        ) from error
    module: ModuleType = tf2_ros
    return module


def import_hri() -> ModuleType:
    """Return hri_msgs.msg; OptionError that names `publish_hri` if it cannot be imported."""
    try:
        import hri_msgs.msg
    except ImportError as error:
        raise OptionError(
            f"publish_hri needs the package hri_msgs, which cannot be imported ({error}); "
            "install it, as with: apt install ros-$ROS_DISTRO-hri-msgs"
        ) from error
    module: ModuleType = hri_msgs.msg
    return module


def hri_gesture_type() -> type[Any] | None:
    """Return the type hri_msgs/Gesture; None without hri_msgs, or with one that has none."""
    try:
        found: type[Any] | None = getattr(import_hri(), "Gesture", None)
    except OptionError:
        return None
    return found
