// What the library gives to library.py. All functions work on their arguments alone, so any
// number of threads may call them at once.

#ifndef POSE_ROS_NATIVE_H
#define POSE_ROS_NATIVE_H

#include <stddef.h>
#include <stdint.h>

// Compiled twice on x86, and chosen when the library is loaded: most processors have AVX2. The
// choice comes before sanitizers are ready.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(SANITIZED)
#define FOR_EACH_CPU __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

enum { POSE_ROS_MAX_CROP = 1024 };

// Changes whenever a function below does.
int32_t pose_ros_interface(void);

// Samples an RGB image into a tensor (3, size, size); `size` is at most POSE_ROS_MAX_CROP.
// A row of the image starts `row_bytes` after the one before, a pixel `pixel_bytes`; both may be
// negative. `map` (3, 3) takes the crop's px to the image's. Levels of 8 bits become
// level * scale + offset. No side of the image is longer than 32766 px.
void pose_ros_crop(const uint8_t *pixels, ptrdiff_t row_bytes, ptrdiff_t pixel_bytes, int32_t width,
                   int32_t height, const double map[9], int32_t size, int32_t is_black_outside,
                   double scale, double offset, float *tensor);

// Copies the window of `kernel` x `kernel` logits around each of `count` landmarks (x, y, z), in px
// of the crop, from their heatmaps (count, side, side). Cells outside of the map are 0.
void pose_ros_heatmap_windows(const float *heatmap, int32_t count, int32_t side, const float *landmarks,
                              int32_t input_size, int32_t kernel, float *windows);

// Moves x and y of the landmarks to the center of mass of the confidences in their windows. A
// landmark stays that is outside of the map, or whose confidences are all below `min_confidence`.
void pose_ros_refine(const float *confidences, int32_t count, int32_t side, int32_t input_size,
                     int32_t kernel, float min_confidence, float *landmarks);

// The floats of a vector in the engine's kernels for this processor, at most `most`; 0 if it has none.
int32_t pose_ros_engine_lanes(int32_t most);

// Runs a network as planned for vectors of that many floats: see engine.h.
struct pose_ros_plan;
void pose_ros_engine_run(int32_t lanes, const struct pose_ros_plan *plan, float *memory, float *results);

#endif
