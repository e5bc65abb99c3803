"""Camera geometry and positions in m; knows nothing of ROS."""
