// Chooses the kernels for this processor. See native.h.

#include "engine.h"

typedef void run_t(const struct pose_ros_plan *plan, float *memory, float *results);

static run_t *kernels(int32_t lanes)
{
#if defined(__x86_64__)
    if (lanes == 16 && __builtin_cpu_supports("avx512f"))
        return pose_ros_run_avx512;
    if (lanes == 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return pose_ros_run_avx2;
#elif defined(__aarch64__)
    if (lanes == 4)
        return pose_ros_run_neon;
#endif
    return NULL;
}

int32_t pose_ros_engine_lanes(int32_t most)
{
    while (most > 0 && !kernels(most))
        most--;
    return most;
}

void pose_ros_engine_run(int32_t lanes, const struct pose_ros_plan *plan, float *memory, float *results)
{
    kernels(lanes)(plan, memory, results);
}
