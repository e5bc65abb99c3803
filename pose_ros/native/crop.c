// A rotated square of an image, sampled into a model's input tensor.
//
// The definition is the numpy code in blazepose/crop.py; the results here are the same bytes.
// So sums keep its order, and the compiler must not contract them (-ffp-contract=off).

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "native.h"

enum { CHANNELS = 3, MAX_SIZE = POSE_ROS_MAX_CROP, SUBPIXEL_BITS = 5, SUBPIXELS = 1 << SUBPIXEL_BITS };
enum { BLOCK = 64 };                      // of the order of sums; MAX_SIZE is a multiple of it
static const double LIMIT = 32767 * SUBPIXELS;  // coordinates of OpenCV's maps have 16 bits

struct image {
    const uint8_t *pixels;
    ptrdiff_t row_bytes, pixel_bytes;
    int32_t width, height;
};

// Where a row of the crop is in the image, in 1/32 px.
struct positions {
    int32_t x[MAX_SIZE], y[MAX_SIZE];
};

// The four pixels around each position: red in the lowest byte, then green and blue.
struct neighbors {
    uint32_t top_left[MAX_SIZE], top_right[MAX_SIZE], bottom_left[MAX_SIZE], bottom_right[MAX_SIZE];
};

static inline int32_t to_subpixels(double value)
{
    if (value != value)
        return 0;  // of a square without a size
    value = value < -LIMIT ? -LIMIT : value > LIMIT ? LIMIT : value;
    return (int32_t)rint(value);
}

static inline int32_t clamped(int32_t value, int32_t count)
{
    return value < 0 ? 0 : value < count ? value : count - 1;
}

// `map` (3, 3) is the projective map from the crop to the image.
FOR_EACH_CPU
static void map_row(const double map[9], int32_t row, int32_t size, struct positions *restrict to)
{
    for (int32_t start = 0; start < size; start += BLOCK) {
        double from[3];
        for (int axis = 0; axis < 3; axis++)
            from[axis] = map[3 * axis] * start + map[3 * axis + 1] * row + map[3 * axis + 2];
        for (int32_t i = 0; i < BLOCK; i++) {
            const double scale = SUBPIXELS / (from[2] + map[6] * i);
            to->x[start + i] = to_subpixels((from[0] + map[0] * i) * scale);
            to->y[start + i] = to_subpixels((from[1] + map[3] * i) * scale);
        }
    }
}

static inline uint32_t three_bytes(const uint8_t *pixel)
{
    return pixel[0] | (uint32_t)pixel[1] << 8 | (uint32_t)pixel[2] << 16;
}

// One load; the byte after the pixel must exist.
static inline uint32_t four_bytes(const uint8_t *pixel)
{
    uint32_t value;
    memcpy(&value, pixel, sizeof value);
    return value;
}

static inline const uint8_t *nearest_pixel(const struct image *image, int32_t x, int32_t y)
{
    const int32_t column = clamped(x, image->width), row = clamped(y, image->height);
    return image->pixels + row * image->row_bytes + column * image->pixel_bytes;
}

// Outside of the image is black, or the border is repeated.
static uint32_t pixel_at(const struct image *image, int32_t x, int32_t y, int is_black_outside)
{
    const int is_outside = x < 0 || y < 0 || x >= image->width || y >= image->height;
    return is_outside && is_black_outside ? 0 : three_bytes(nearest_pixel(image, x, y));
}

static void gather_row(const struct image *image, const struct positions *at, int32_t size,
                       int is_black_outside, struct neighbors *restrict to)
{
    for (int32_t i = 0; i < size; i++) {
        const int32_t x = at->x[i] >> SUBPIXEL_BITS, y = at->y[i] >> SUBPIXEL_BITS;
        // Not in the outer columns: whatever the order of pixels, a byte follows those within.
        if (x > 0 && y >= 0 && x + 2 < image->width && y + 1 < image->height) {
            const uint8_t *top = image->pixels + y * image->row_bytes + x * image->pixel_bytes;
            const uint8_t *bottom = top + image->row_bytes;
            to->top_left[i] = four_bytes(top);
            to->top_right[i] = four_bytes(top + image->pixel_bytes);
            to->bottom_left[i] = four_bytes(bottom);
            to->bottom_right[i] = four_bytes(bottom + image->pixel_bytes);
        } else {
            to->top_left[i] = pixel_at(image, x, y, is_black_outside);
            to->top_right[i] = pixel_at(image, x + 1, y, is_black_outside);
            to->bottom_left[i] = pixel_at(image, x, y + 1, is_black_outside);
            to->bottom_right[i] = pixel_at(image, x + 1, y + 1, is_black_outside);
        }
    }
}

// Mixes one channel of the neighbors by their distances, rounded to 8 bits, then scaled.
FOR_EACH_CPU
static void mix_row(const struct neighbors *restrict of, const struct positions *restrict at, int32_t size,
                    int shift, double scale, double offset, float *restrict to)
{
    for (int32_t i = 0; i < size; i++) {
        const int32_t u = at->x[i] & (SUBPIXELS - 1), v = at->y[i] & (SUBPIXELS - 1);
        const int32_t top = (int32_t)(of->top_left[i] >> shift & 255) * (SUBPIXELS - u) +
                            (int32_t)(of->top_right[i] >> shift & 255) * u;
        const int32_t bottom = (int32_t)(of->bottom_left[i] >> shift & 255) * (SUBPIXELS - u) +
                               (int32_t)(of->bottom_right[i] >> shift & 255) * u;
        const int32_t sum = top * (SUBPIXELS - v) + bottom * v;
        const int32_t level = (sum + SUBPIXELS * SUBPIXELS / 2) >> (2 * SUBPIXEL_BITS);
        to[i] = (float)(level * scale + offset);
    }
}

// See native.h.
void pose_ros_crop(const uint8_t *pixels, ptrdiff_t row_bytes, ptrdiff_t pixel_bytes, int32_t width,
                   int32_t height, const double map[9], int32_t size, int32_t is_black_outside,
                   double scale, double offset, float *tensor)
{
    const struct image image = {pixels, row_bytes, pixel_bytes, width, height};
    const ptrdiff_t plane = (ptrdiff_t)size * size;
    struct positions rows[2];
    struct neighbors of;
    map_row(map, 0, size, &rows[0]);
    for (int32_t row = 0; row < size; row++) {
        const struct positions *at = &rows[row % 2];
        struct positions *next = &rows[(row + 1) % 2];
        map_row(map, row + 1, size, next);
        // A turned square jumps through memory: ask for the next row's pixels in time. The lower
        // ones will do, and a loop of its own is faster than the one that gathers.
        for (int32_t i = 0; i < size; i++)
            __builtin_prefetch(nearest_pixel(&image, next->x[i] >> SUBPIXEL_BITS,
                                             (next->y[i] >> SUBPIXEL_BITS) + 1));
        gather_row(&image, at, size, is_black_outside, &of);
        for (int channel = 0; channel < CHANNELS; channel++)
            mix_row(&of, at, size, 8 * channel, scale, offset,
                    tensor + channel * plane + (ptrdiff_t)row * size);
    }
}
