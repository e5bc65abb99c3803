// The engine for x86 processors with AVX2 and FMA.

#include "engine.h"

#ifdef __x86_64__
#include <immintrin.h>

enum { LANES = 8, WIDE = 4 };
typedef __m256 vec;
#define TARGET __attribute__((target("avx2,fma")))
#define splat _mm256_set1_ps
#define multiply_add _mm256_fmadd_ps
#define lowest _mm256_min_ps
#define highest _mm256_max_ps
#define keep(value) __asm__("" : "+x"(value))
#define RUN pose_ros_run_avx2
#include "engine_kernels.h"
#endif
