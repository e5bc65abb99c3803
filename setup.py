"""Installation for colcon (ament_python) and pip."""

from pathlib import Path

from setuptools import Extension, find_packages, setup

NAME = "pose_ros"
SHARE = f"share/{NAME}"


def files(target: str, folder: str, *patterns: str) -> tuple[str, list[str]]:
    """Return a data_files row that installs a folder's matching files into `target`."""
    found = [str(path) for pattern in patterns for path in sorted(Path(folder).glob(pattern))]
    return target, found


# Plain C, loaded by ctypes: no Python.h. Optional: without a compiler the package works as well.
# Contracted sums would change the last bits of the results.
NATIVE = Extension(
    f"{NAME}.native._pose_ros",
    [str(path) for path in sorted(Path(f"{NAME}/native").glob("*.c"))],
    depends=[str(path) for path in sorted(Path(f"{NAME}/native").glob("*.h"))],
    extra_compile_args=["-std=gnu11", "-O3", "-fno-wrapv", "-ffp-contract=off"],
    libraries=["m"],
    optional=True,
)

setup(
    name=NAME,
    version="0.2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    ext_modules=[NATIVE],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (SHARE, ["package.xml"]),
        files(f"{SHARE}/launch", "launch", "*.launch.py"),
        files(f"{SHARE}/config", "config", "*"),
        files(f"{SHARE}/models", "models", "*.onnx", "*.data", "manifest.json"),
        files(f"{SHARE}/demo", "docs/demo", "*"),
        # for `ros2 run` only: pip would put console scripts with names such as `demo` on the PATH
        files(f"lib/{NAME}", "resource/tools", "*"),
    ],
    # numpy, OpenCV and onnxruntime come from rosdep on a robot: see package.xml and the README
    install_requires=["setuptools"],
    extras_require={"test": ["hypothesis", "pytest", "pyyaml"]},
    python_requires=">=3.10",
    zip_safe=False,
    maintainer="pose_ros maintainers",
    maintainer_email="maintainers@pose-ros.example",
    description="Human pose (MediaPipe BlazePose) as a ROS 2 node, with onnxruntime",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            f"pose_node = {NAME}.node:main",
            f"gesture_node = {NAME}.gesture_node:main",
        ]
    },
)
