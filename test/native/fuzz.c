// Calls the native library with random arguments, two threads at a time; run by .ci/native.
//
// Images and tensors have exactly the size that is announced, so a sanitizer sees each byte beyond.

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "native.h"

enum { CHANNELS = 3, MAX_SIDE = 80, LANDMARKS = 39, MAP_SIDE = 64 };

static int calls;

static double between(unsigned *seed, double low, double high)
{
    return low + (high - low) * rand_r(seed) / RAND_MAX;
}

static int below(unsigned *seed, int limit)
{
    return (int)((unsigned)rand_r(seed) % (unsigned)limit);
}

static double any(unsigned *seed)
{
    static const double odd[] = {0, -0.0, 1e-300, 1e9, -1e9, 1e300, -1e300, INFINITY, -INFINITY, NAN};
    return below(seed, 8) ? between(seed, -100, 100) : odd[below(seed, sizeof odd / sizeof *odd)];
}

static void *allocated(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        abort();
    return memory;
}

static void crop(unsigned *seed)
{
    static const int sizes[] = {64, 128, 224, 256, POSE_ROS_MAX_CROP};
    const int size = sizes[below(seed, below(seed, 20) ? 4 : 5)];
    const int width = 1 + below(seed, MAX_SIDE), height = 1 + below(seed, MAX_SIDE);
    const ptrdiff_t pixel = CHANNELS, row = pixel * width;
    const int is_mirrored = below(seed, 2), is_upside_down = below(seed, 2);
    uint8_t *image = allocated((size_t)(row * height));
    float *tensor = allocated(sizeof *tensor * CHANNELS * (size_t)size * (size_t)size);
    const uint8_t *first = image + (is_mirrored ? row - pixel : 0) + (is_upside_down ? row * (height - 1) : 0);
    double map[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    for (ptrdiff_t i = 0; i < row * height; i++)
        image[i] = (uint8_t)i;
    for (int i = 0; i < 8; i++)
        map[i] = i < 6 ? any(seed) / 20 : any(seed) * 1e-9;
    pose_ros_crop(first, is_upside_down ? -row : row, is_mirrored ? -pixel : pixel, width, height, map, size,
                  below(seed, 2), 1 / 255.0, 0, tensor);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)CHANNELS * size * size; i++)
        if (!(tensor[i] >= 0 && tensor[i] <= 1))
            abort();
    free(image);
    free(tensor);
}

static void refine(unsigned *seed)
{
    const int count = 1 + below(seed, LANDMARKS), kernel = 1 + 2 * below(seed, 5);
    const size_t cells = (size_t)count * MAP_SIDE * MAP_SIDE, window = (size_t)(kernel * kernel * count);
    float *heatmap = allocated(sizeof *heatmap * cells), *windows = allocated(sizeof *windows * window);
    float *landmarks = allocated(sizeof *landmarks * CHANNELS * (size_t)count);
    for (size_t i = 0; i < cells; i++)
        heatmap[i] = (float)between(seed, 0, 1);
    for (int i = 0; i < CHANNELS * count; i++)
        landmarks[i] = (float)any(seed) * 3;
    pose_ros_heatmap_windows(heatmap, count, MAP_SIDE, landmarks, 256, kernel, windows);
    pose_ros_refine(windows, count, MAP_SIDE, 256, kernel, 0.5F, landmarks);
    free(heatmap);
    free(windows);
    free(landmarks);
}

static void *run(void *thread)
{
    unsigned seed = *(const unsigned *)thread;
    for (int i = 0; i < calls; i++) {
        crop(&seed);
        refine(&seed);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    unsigned seeds[2] = {1, 2};
    pthread_t other;
    calls = count > 1 ? atoi(arguments[1]) : 100;
    if (pose_ros_interface() < 1 || pthread_create(&other, NULL, run, &seeds[1]))
        return 1;
    run(&seeds[0]);
    pthread_join(other, NULL);
    printf("%d calls of each function by each of two threads\n", calls);
    return 0;
}
