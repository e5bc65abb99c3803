"""A stand-in for vision_msgs, which PyPI does not have."""
