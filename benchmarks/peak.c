/* What the processor's multiply-and-add instructions reach with nothing in their way: many
 * independent accumulators in registers, no memory. Prints operations a second of one thread
 * (a multiplication and an addition are two) for fp32, and for 8-bit integers where there are
 * dot products (VNNI). Compile with: cc -O2 -march=native peak.c */
#include <immintrin.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 50000000L

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Twelve accumulators cover the latency of four to five cycles at two or more a cycle. Each is
 * made opaque, so that the compiler can neither merge nor drop them. */
#define TWELVE(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

#if defined(__AVX512F__)
typedef __m512 floats;
#define FLOATS 16
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define SET(x) _mm512_set1_ps(x)
#define FIXED "+v"
#else
typedef __m256 floats;
#define FLOATS 8
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define SET(x) _mm256_set1_ps(x)
#define FIXED "+x"
#endif

static double fp32(void) {
    floats x = SET(1.0001f), y = SET(0.9999f);
#define MAKE(i) floats a##i = SET(i);
    TWELVE(MAKE)
#undef MAKE
    double began = now();
    for (long r = 0; r < ROUNDS; r++) {
#define STEP(i) a##i = FMA(x, y, a##i); __asm__ volatile("" : FIXED(a##i));
        TWELVE(STEP)
#undef STEP
    }
    return ROUNDS * 12.0 * FLOATS * 2 / (now() - began);
}

#if defined(__AVX512VNNI__) && defined(__AVX512F__)
#define INTS 64
typedef __m512i ints;
#define DOT(c, a, b) _mm512_dpbusd_epi32(c, a, b)
#define SETI(x) _mm512_set1_epi8(x)
#elif defined(__AVXVNNI__)
#define INTS 32
typedef __m256i ints;
#define DOT(c, a, b) _mm256_dpbusd_avx_epi32(c, a, b)
#define SETI(x) _mm256_set1_epi8(x)
#endif

#ifdef INTS
static double int8(void) {
    ints x = SETI(1), y = SETI(1);
#define MAKE(i) ints a##i = SETI(0);
    TWELVE(MAKE)
#undef MAKE
    double began = now();
    for (long r = 0; r < ROUNDS; r++) {
#define STEP(i) a##i = DOT(a##i, x, y); __asm__ volatile("" : FIXED(a##i));
        TWELVE(STEP)
#undef STEP
    }
    return ROUNDS * 12.0 * INTS * 2 / (now() - began);
}
#else
static double int8(void) { return 0; }
#endif

int main(void) {
    printf("%.0f %.0f\n", fp32(), int8());
    return 0;
}
