// The plan of a network, which plan.py makes and checks; the kernels check nothing.
//
// A tensor lies in memory row by row: each row has blocks of channels, each block `width` pixels with
// `pad` zeros before and after them, each pixel as many channels as a vector has floats. While a tensor
// is made and read, only the last rows are kept: row r begins at offset + r % kept_rows * row_stride.
// Results are planes instead, in memory of their own: a block is a channel.

#ifndef POSE_ROS_ENGINE_H
#define POSE_ROS_ENGINE_H

#include "native.h"

enum { POSE_ROS_CONV, POSE_ROS_DEPTHWISE, POSE_ROS_MAX_POOL, POSE_ROS_UPSAMPLE, POSE_ROS_UNPACK };

struct pose_ros_tensor {
    int32_t offset, kept_rows, row_stride, block_stride;  // in floats
    int32_t blocks, height, width, pad;
};

// What it makes is clipped to low and high; `other`, if it has blocks, is added; the sum is clipped to
// final_low and final_high. Biases and weights begin at `values`. For a convolution, `inputs` offsets
// from an output pixel's place in the input lead to blocks; or to single values of an image, which has
// a border of zeros and is read with a stride of 2.
struct pose_ros_operation {
    struct pose_ros_tensor input, other, output;
    int32_t kind, kernel, stride, pad, values, offsets, inputs, is_of_image;
    float low, high, final_low, final_high;
};

// Rows of what an operation makes.
struct pose_ros_step { int32_t operation, begin, end; };

struct pose_ros_plan {
    const struct pose_ros_operation *operations;
    const struct pose_ros_step *steps;
    const float *values;
    const int32_t *offsets;
    int64_t step_count;
};

void pose_ros_run_avx2(const struct pose_ros_plan *plan, float *memory, float *results);
void pose_ros_run_avx512(const struct pose_ros_plan *plan, float *memory, float *results);
void pose_ros_run_neon(const struct pose_ros_plan *plan, float *memory, float *results);

#endif
