"""What the node publishes: pure functions from a frame to messages, and where they go."""
