"""A stand-in for hri_msgs, which PyPI does not have."""
