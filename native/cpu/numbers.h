/* float32 <-> float16 and bfloat16, to the nearest, ties to even. */
#pragma once
#include <stdint.h>
#include <string.h>

static inline float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static inline uint32_t to_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

static inline float half_to(uint16_t h) {
    const uint32_t sign = (uint32_t) (h & 0x8000) << 16, rest = h & 0x7fff;
    if (rest >= 0x7c00) return from_bits(sign | 0x7f800000 | (rest & 0x3ff) << 13);
    return from_bits(sign | to_bits(from_bits(rest << 13) * 0x1p112f)); /* the product sets the exponent, small numbers too */
}

static inline uint16_t to_half(float x) { /* to nearest, ties to even */
    const uint32_t bits = to_bits(x), sign = bits >> 16 & 0x8000;
    const float size = from_bits(bits & 0x7fffffff);
    if (!(size < 65520.0f)) return (uint16_t) (sign | (size != size ? 0x7e00 : 0x7c00));
    if (size < 0x1p-14f) return (uint16_t) (sign | (to_bits(size + 0.5f) - to_bits(0.5f))); /* the sum rounds at 2^-24 */
    const uint32_t b = bits & 0x7fffffff;
    return (uint16_t) (sign | ((b + 0xfff + (b >> 13 & 1) - 0x38000000) >> 13));
}

static inline uint16_t to_brain(float x) {
    const uint32_t bits = to_bits(x);
    return x != x ? 0x7fc0 : (uint16_t) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void take(float * to, const void * from, int64_t at, int64_t n, int64_t dtype) {
    const uint16_t * h = (const uint16_t *) from + at;
    if (dtype == FP32) memcpy(to, (const float *) from + at, (size_t) n * 4);
    else if (dtype == FP16) for (int64_t i = 0; i < n; i++) to[i] = half_to(h[i]);
    else for (int64_t i = 0; i < n; i++) to[i] = from_bits((uint32_t) h[i] << 16);
}

static void give(void * to, int64_t at, const float * from, int64_t n, int64_t dtype) {
    uint16_t * h = (uint16_t *) to + at;
    if (dtype == FP32) memcpy((float *) to + at, from, (size_t) n * 4);
    else if (dtype == FP16) for (int64_t i = 0; i < n; i++) h[i] = to_half(from[i]);
    else for (int64_t i = 0; i < n; i++) h[i] = to_brain(from[i]);
}
