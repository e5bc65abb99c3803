// Landmarks moved to the center of mass of their heatmap.
//
// The definition is `refine` in blazepose/landmarker.py; the results here are the same bytes. Sums
// are sequential, cell by cell.

#include <math.h>

#include "native.h"

enum { VALUES = 3 };  // of a landmark: x, y, z

// The cell of a coordinate in crop px; -1 if it is not in the map.
static inline int32_t cell_of(float value_px, int32_t side, int32_t input_size)
{
    const float cell = truncf(value_px * (float)((double)side / input_size));
    return cell >= 0 && cell < (float)side ? (int32_t)cell : -1;
}

static inline int is_within(int32_t value, int32_t count)
{
    return value >= 0 && value < count;
}

void pose_ros_heatmap_windows(const float *heatmap, int32_t count, int32_t side, const float *landmarks,
                              int32_t input_size, int32_t kernel, float *windows)
{
    for (int32_t k = 0; k < count; k++, heatmap += (ptrdiff_t)side * side, landmarks += VALUES) {
        const int32_t column = cell_of(landmarks[0], side, input_size) - kernel / 2;
        const int32_t row = cell_of(landmarks[1], side, input_size) - kernel / 2;
        for (int32_t y = row; y < row + kernel; y++)
            for (int32_t x = column; x < column + kernel; x++)
                *windows++ = is_within(x, side) && is_within(y, side) ? heatmap[y * side + x] : 0;
    }
}

static void refine(const float *confidence, int32_t column, int32_t row, int32_t side, int32_t input_size,
                   int32_t kernel, float min_confidence, float *landmark)
{
    float total = 0, along_x = 0, along_y = 0, highest = 0;
    for (int32_t y = row - kernel / 2, dy = 0; dy < kernel; y++, dy++)
        for (int32_t x = column - kernel / 2, dx = 0; dx < kernel; x++, dx++, confidence++) {
            if (!is_within(x, side) || !is_within(y, side))
                continue;
            total += *confidence;
            along_x += *confidence * (float)x;
            along_y += *confidence * (float)y;
            highest = *confidence > highest ? *confidence : highest;
        }
    if (highest < min_confidence)
        return;
    landmark[0] = along_x / (float)side / total * (float)input_size;
    landmark[1] = along_y / (float)side / total * (float)input_size;
}

void pose_ros_refine(const float *confidences, int32_t count, int32_t side, int32_t input_size,
                     int32_t kernel, float min_confidence, float *landmarks)
{
    for (int32_t k = 0; k < count; k++, confidences += kernel * kernel, landmarks += VALUES) {
        const int32_t column = cell_of(landmarks[0], side, input_size);
        const int32_t row = cell_of(landmarks[1], side, input_size);
        if (column >= 0 && row >= 0)
            refine(confidences, column, row, side, input_size, kernel, min_confidence, landmarks);
    }
}
