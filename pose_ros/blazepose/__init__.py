"""MediaPipe Pose (BlazePose) with numpy, OpenCV and onnxruntime; knows nothing of ROS."""

from pose_ros.blazepose.datatypes import Pose, Roi
from pose_ros.blazepose.errors import PoseError
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.tracker import PoseTracker

__all__ = ["Pose", "PoseError", "PoseTracker", "PoseTrackerOptions", "Roi"]
