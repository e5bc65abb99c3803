"""What the node receives: images, depth and calibration, and the subscriptions to them."""
