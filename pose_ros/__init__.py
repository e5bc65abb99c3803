"""Human pose for ROS 2: MediaPipe's BlazePose pipeline with onnxruntime."""
