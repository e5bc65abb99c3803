// The engine for x86 processors with AVX-512.

#include "engine.h"

#ifdef __x86_64__
#include <immintrin.h>

enum { LANES = 16, WIDE = 8 };
typedef __m512 vec;
#define TARGET __attribute__((target("avx512f")))
#define splat _mm512_set1_ps
#define multiply_add _mm512_fmadd_ps
#define lowest _mm512_min_ps
#define highest _mm512_max_ps
#define keep(value) __asm__("" : "+v"(value))
#define RUN pose_ros_run_avx512
#include "engine_kernels.h"
#endif
