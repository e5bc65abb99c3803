// The kernels, compiled by a file for each instruction set. It defines LANES, the floats of a vector
// `vec`; TARGET, the attribute of functions; splat, multiply_add, lowest, highest, and keep, which
// holds a value in a register; and WIDE, the most pixels whose sums over PANEL blocks fit in registers.

#include <math.h>

#include "engine.h"

#define INLINE static inline __attribute__((always_inline)) TARGET
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

// MAX_ROWS: of a step. LINE: floats of a cache line. TOGETHER: the weights of so many input blocks stay in the first cache.
enum { PANEL = 3, MAX_TILE = 12, MAX_KERNEL = 5, MAX_ROWS = 256, LINE = 16, TOGETHER = 256 / LANES };

typedef const struct pose_ros_operation *operation_t;

#define load(from) (*(const vec *)(from))
#define store(to, value) (*(vec *)(to) = (value))

// Clips P pixels of B blocks, unless there are no limits.
INLINE void clip(vec (*sums)[PANEL], float low, float high, const int P, const int B)
{
    if (low == -INFINITY && high == INFINITY)
        return;
    UNROLL for (int i = 0; i < P * B; i++)
        sums[i / B][i % B] = lowest(highest(sums[i / B][i % B], splat(low)), splat(high));
}

// The first pixel of a row in a block.
INLINE float *pixels(const struct pose_ros_tensor *tensor, float *memory, int32_t row, int32_t block)
{
    return memory + tensor->offset + (ptrdiff_t)(row % tensor->kept_rows) * tensor->row_stride +
           (ptrdiff_t)block * tensor->block_stride + tensor->pad * LANES;
}

struct panel {  // some inputs and output blocks of a convolution
    const int32_t *offsets;
    const float *bias, *weights;
    int32_t block, inputs, is_first, is_last, lines;  // of the cache to fetch for each input
};

// P pixels of B blocks. While these weights are used tile after tile, those at `next` come from far away.
INLINE void multiply(operation_t operation, const struct panel *panel, const float *from, const float *beside,
                     float *to, const float *next, const int P, const int B, const int lanes)
{
    const ptrdiff_t stride = operation->output.block_stride, beside_stride = operation->other.block_stride;
    const int step = lanes == 1 ? 2 : lanes;
    const float *weights = panel->weights;
    vec sums[MAX_TILE][PANEL];
    UNROLL for (int i = 0; i < P * B; i++)
        sums[i / B][i % B] = load(panel->is_first ? panel->bias + i % B * LANES : to + i % B * stride + i / B * LANES);
    for (int32_t i = 0; i < panel->inputs; i++, weights += lanes * B * LANES) {
        const float *input = from + panel->offsets[i];
        for (int32_t line = 0; line < panel->lines; line++, next += LINE)
            __builtin_prefetch(next);
        UNROLL for (int lane = 0; lane < lanes; lane++) {
            vec factors[PANEL];
            UNROLL for (int b = 0; b < B; b++) {
                factors[b] = load(weights + (lane * B + b) * LANES);
                keep(factors[b]);
            }
            UNROLL for (int p = 0; p < P; p++) {
                const vec value = splat(input[p * step + lane]);
                UNROLL for (int b = 0; b < B; b++)
                    sums[p][b] = multiply_add(value, factors[b], sums[p][b]);
            }
        }
    }
    if (panel->is_last)
        clip(sums, operation->low, operation->high, P, B);
    if (panel->is_last && beside) {
        UNROLL for (int i = 0; i < P * B; i++)
            sums[i / B][i % B] += load(beside + i % B * beside_stride + i / B * LANES);
        clip(sums, operation->final_low, operation->final_high, P, B);
    }
    UNROLL for (int i = 0; i < P * B; i++)
        store(to + i % B * stride + i / B * LANES, sums[i / B][i % B]);
}

INLINE void convolve_panel(operation_t operation, const struct panel *panel, int32_t begin, int32_t end,
                           float *memory, const int B, const int lanes)
{
    const struct pose_ros_tensor *other = &operation->other;
    const float *next = panel->weights + (ptrdiff_t)panel->inputs * B * lanes * LANES;
    for (int32_t y = begin; y < end; y++) {
        const float *from = pixels(&operation->input, memory, y, 0);
        const float *beside = other->blocks ? pixels(other, memory, y, panel->block) : NULL;
        float *to = pixels(&operation->output, memory, y, panel->block);
        int32_t left = operation->output.width;
#define TILES(P)                                                                                  \
    for (; left >= P; left -= P, to += P * LANES, beside += beside ? P * LANES : 0) {             \
        multiply(operation, panel, from, beside, to, next, P, B, lanes);                          \
        from += P * (lanes == 1 ? 2 : lanes);                                                     \
        next += panel->inputs * panel->lines * LINE;                                                           \
    }
        TILES((B == 3 ? WIDE : B == 2 ? WIDE * 3 / 2 : 8)) TILES(4) TILES(2) TILES(1)
    }
}

static TARGET void convolve(operation_t operation, const int32_t *offsets, int32_t begin, int32_t end,
                            const float *values, float *memory)
{
    const int32_t outputs = operation->output.blocks, lanes = operation->is_of_image ? 1 : LANES;
    const int32_t tiles = (end - begin) * ((operation->output.width + WIDE - 1) / WIDE);
    struct panel panel = {.weights = values + outputs * LANES};
    panel.lines = (PANEL * LANES * lanes / LINE + tiles - 1) / tiles;
    for (int32_t count; panel.block < outputs; panel.block += count) {
        const int32_t left = outputs - panel.block, panels = (left + PANEL - 1) / PANEL;
        count = (left + panels - 1) / panels;
        panel.bias = values + panel.block * LANES;
        for (int32_t i = 0; i < operation->inputs; i += panel.inputs) {
            panel.offsets = offsets + i;
            panel.inputs = i + TOGETHER < operation->inputs ? TOGETHER : operation->inputs - i;
            panel.is_first = !i;
            panel.is_last = i + panel.inputs == operation->inputs;
#define CONVOLVE(B, lanes) convolve_panel(operation, &panel, begin, end, memory, B, lanes)
            operation->is_of_image
                ? (count == 3 ? CONVOLVE(3, 1) : count == 2 ? CONVOLVE(2, 1) : CONVOLVE(1, 1))
                : (count == 3 ? CONVOLVE(3, LANES) : count == 2 ? CONVOLVE(2, LANES) : CONVOLVE(1, LANES));
            panel.weights += (ptrdiff_t)panel.inputs * count * lanes * LANES;
        }
    }
}

// T pixels of a row. Each vector of the input is loaded once for each row of the kernel, of which
// those from `first` to `last` are inside of the input.
INLINE void depthwise_tile(operation_t operation, float *const *rows, ptrdiff_t at, int first, int last,
                           const float *values, float *to, const int T, const int K, const int S)
{
    vec sums[MAX_TILE][PANEL];
    UNROLL for (int t = 0; t < T; t++)
        sums[t][0] = load(values);
    for (int ky = first; ky < last; ky++) {
        vec factors[MAX_KERNEL];
        UNROLL for (int kx = 0; kx < K; kx++)
            factors[kx] = load(values + (1 + ky * K + kx) * LANES);
        UNROLL for (int x = 0; x < (T - 1) * S + K; x++) {
            const vec value = load(rows[ky] + at + x * LANES);
            UNROLL for (int t = 0; t < T; t++)
                if (x >= t * S && x < t * S + K)
                    sums[t][0] = multiply_add(value, factors[x - t * S], sums[t][0]);
        }
    }
    clip(sums, operation->low, operation->high, T, 1);
    UNROLL for (int t = 0; t < T; t++)
        store(to + t * LANES, sums[t][0]);
}

INLINE void depthwise_row(operation_t operation, float *const *rows, ptrdiff_t at, int first, int last,
                          const float *values, float *to, const int K, const int S)
{
    int32_t left = operation->output.width;
    at -= operation->pad * LANES;
#define DEPTHWISE_TILES(T)                                                      \
    for (; left >= T; left -= T, at += T * S * LANES, to += T * LANES)          \
        depthwise_tile(operation, rows, at, first, last, values, to, T, K, S);
    DEPTHWISE_TILES(8) DEPTHWISE_TILES(4) DEPTHWISE_TILES(2) DEPTHWISE_TILES(1)
}

static TARGET void depthwise(operation_t operation, int32_t begin, int32_t end, const float *values, float *memory)
{
    const struct pose_ros_tensor *input = &operation->input, *output = &operation->output;
    const int32_t kernel = operation->kernel, stride = operation->stride, top = begin * stride - operation->pad;
    float *rows[2 * MAX_ROWS + MAX_KERNEL], *results[MAX_ROWS];
    for (int32_t y = top < 0 ? 0 : top; y < top + (end - begin - 1) * stride + kernel && y < input->height; y++)
        rows[y - top] = pixels(input, memory, y, 0);
    for (int32_t y = begin; y < end; y++)
        results[y - begin] = pixels(output, memory, y, 0);
    for (int32_t block = 0; block < output->blocks; block++, values += (1 + kernel * kernel) * LANES)
        for (int32_t i = 0; i < end - begin; i++) {
            const int32_t y = top + i * stride, first = y < 0 ? -y : 0;
            const int32_t last = y + kernel > input->height ? input->height - y : kernel;
            const ptrdiff_t at = (ptrdiff_t)block * input->block_stride;
            float *to = results[i] + (ptrdiff_t)block * output->block_stride;
#define DEPTHWISE(K, S)                                                       \
    (last - first == K ? depthwise_row(operation, rows + i * S, at, 0, K, values, to, K, S) \
                       : depthwise_row(operation, rows + i * S, at, first, last, values, to, K, S))
            kernel == 3 ? (stride == 1 ? DEPTHWISE(3, 1) : DEPTHWISE(3, 2))
                        : (stride == 1 ? DEPTHWISE(5, 1) : DEPTHWISE(5, 2));
        }
}

static TARGET void max_pool(operation_t operation, int32_t y, int32_t block, float *memory)
{
    const float *top = pixels(&operation->input, memory, 2 * y, block);
    const float *bottom = pixels(&operation->input, memory, 2 * y + 1, block);
    float *to = pixels(&operation->output, memory, y, block);
    for (int32_t x = 0; x < operation->output.width; x++, top += 2 * LANES, bottom += 2 * LANES, to += LANES)
        store(to, highest(highest(load(top), load(top + LANES)), highest(load(bottom), load(bottom + LANES))));
}

// Twice as many rows and columns, linearly between the centers of pixels.
static TARGET void upsample(operation_t operation, int32_t y, int32_t block, float *memory)
{
    const struct pose_ros_tensor *input = &operation->input, *other = &operation->other;
    const int32_t above = y > 0 ? (y - 1) / 2 : 0, below = (y + 1) / 2 < input->height ? (y + 1) / 2 : above;
    const vec far = splat(0.25F), near = splat(0.75F), upper = y % 2 ? near : far, lower = y % 2 ? far : near;
    const float *top = pixels(input, memory, above, block), *bottom = pixels(input, memory, below, block);
    const float *beside = other->blocks ? pixels(other, memory, y, block) : NULL;
    float *to = pixels(&operation->output, memory, y, block);
    vec left = load(top) * upper + load(bottom) * lower, middle = left;
    for (int32_t x = 0; x < input->width; x++, to += 2 * LANES) {
        const int32_t next = (x + 1 < input->width ? x + 1 : x) * LANES;
        const vec right = load(top + next) * upper + load(bottom + next) * lower;
        vec pair[2][PANEL] = {{far * left + near * middle}, {near * middle + far * right}};
        for (int i = 0; i < 2 && beside; i++, beside += LANES)
            pair[i][0] += load(beside);
        clip(pair, operation->final_low, operation->final_high, 2, 1);
        store(to, pair[0][0]);
        store(to + LANES, pair[1][0]);
        left = middle;
        middle = right;
    }
}

static TARGET void unpack(operation_t operation, int32_t y, int32_t channel, float *memory, float *results)
{
    const float *from = pixels(&operation->input, memory, y, channel / LANES) + channel % LANES;
    float *restrict to = pixels(&operation->output, results, y, channel);
    for (int32_t x = 0; x < operation->output.width; x++)
        to[x] = from[x * LANES];
}

static TARGET void clear_pads(const struct pose_ros_tensor *tensor, int32_t y, int32_t block, float *memory)
{
    float *row = pixels(tensor, memory, y, block);
    for (int32_t x = 0; x < tensor->pad; x++) {
        store(row - (x + 1) * LANES, splat(0));
        store(row + (tensor->width + x) * LANES, splat(0));
    }
}

TARGET void RUN(const struct pose_ros_plan *plan, float *memory, float *results)
{
    for (const struct pose_ros_step *step = plan->steps; step < plan->steps + plan->step_count; step++) {
        operation_t operation = &plan->operations[step->operation];
        const float *values = plan->values + operation->values;
        if (operation->kind == POSE_ROS_CONV)
            convolve(operation, plan->offsets + operation->offsets, step->begin, step->end, values, memory);
        else if (operation->kind == POSE_ROS_DEPTHWISE)
            depthwise(operation, step->begin, step->end, values, memory);
        for (int32_t y = step->begin; y < step->end; y++)
            for (int32_t block = 0; block < operation->output.blocks; block++) {
                if (operation->kind == POSE_ROS_MAX_POOL)
                    max_pool(operation, y, block, memory);
                else if (operation->kind == POSE_ROS_UPSAMPLE)
                    upsample(operation, y, block, memory);
                else if (operation->kind == POSE_ROS_UNPACK)
                    unpack(operation, y, block, memory, results);
                if (operation->output.pad)
                    clear_pads(&operation->output, y, block, memory);
            }
    }
}
