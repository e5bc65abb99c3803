"""Console commands around the node."""
