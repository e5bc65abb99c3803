"""Human pose for ROS 2: MediaPipe's BlazePose pipeline with onnxruntime."""

import os

# onnxruntime (1.32 on Linux) else keeps a record of its use below the home folder, for a server.
# It reads this when it is imported, so it is said before anything here can import it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
