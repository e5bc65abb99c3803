"""What runs a node: life cycle, threads, clocks, endpoints and health."""
