// The engine for ARM processors of 64 bits; all of them have NEON.

#include "engine.h"

#ifdef __aarch64__
#include <arm_neon.h>

enum { LANES = 4, WIDE = 8 };
typedef float32x4_t vec;
#define TARGET
#define splat vdupq_n_f32
#define multiply_add(a, b, c) vfmaq_f32(c, a, b)
#define lowest vminq_f32
#define highest vmaxq_f32
#define keep(value) __asm__("" : "+w"(value))
#define RUN pose_ros_run_neon
#include "engine_kernels.h"
#endif
