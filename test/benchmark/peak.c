// Multiplies and adds as fast as the core can: MOST sums of one register each, none of which waits
// for another. Compiled for the processor that it runs on.

#include <stdint.h>

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
enum { SUMS = 12 };

typedef float vector __attribute__((vector_size(BYTES)));

// Returns the operations of `rounds` rounds; the sum is returned so that none of them is left out.
double pose_ros_peak(int64_t rounds, float *sum) {
    vector sums[SUMS], factor = {0}, term = {0};
    for (int i = 0; i < SUMS; i++)
        sums[i] = (vector){0} + (float)i;
    factor += 0.999f, term += *sum;
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++)
            sums[i] = sums[i] * factor + term;
    }
    for (int i = 1; i < SUMS; i++)
        sums[0] += sums[i];
    *sum = sums[0][0];
    return 2.0 * SUMS * (BYTES / sizeof(float)) * (double)rounds;
}
