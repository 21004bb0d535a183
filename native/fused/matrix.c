/* Products with frozen weights in bfloat16: c = a b (+ c), b packed once and multiplied by many times.
 *
 * Weights and the rows they meet are rounded to bfloat16 (8 bits of mantissa), products are summed in float32.
 * Each entry of c is summed by one thread in one order, so numbers depend on no number of threads. AVX512-BF16
 * does two products per lane and instruction; where a processor lacks it ps_bf16 says 0 and nothing else may be called.
 *
 * Packed b [k, n]: panels of 64 columns, in each pair of rows 64 x 2 numbers: b[2i][j], b[2i+1][j] lie together.
 * Missing rows and columns are zeros. */
#include <stdint.h>
#include <string.h>

#include "pool.h"

#if defined(__x86_64__) && !defined(NARROW)
#include <immintrin.h>
#define WITH_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define PANEL 64  /* columns: four registers */
#define ROWS 6    /* of a at once: 6 x 4 sums + 4 of b + 1 of a are 29 of 32 registers */
#define DEPTH 512 /* k at once: 64 KiB of a panel stay near while all rows pass */
#define BLOCK 60  /* rows of a that one thread takes with a panel */

int64_t ps_bf16(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static uint16_t rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t) ((bits >> 16) | 0x40u); /* NaN stays one */
    return (uint16_t) ((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

typedef struct {
    const float * w;
    int64_t rows, cols, turned, k, n;
    uint16_t * to;
} Packing;

static void pack_panel(void * with, int64_t panel) {
    const Packing * s = with;
    const int64_t pairs = (s->k + 1) / 2;
    uint16_t * to = s->to + panel * pairs * 2 * PANEL;
    for (int64_t i = 0; i < pairs; i++)
        for (int64_t j = 0; j < PANEL; j++)
            for (int64_t half = 0; half < 2; half++) {
                const int64_t row = 2 * i + half, col = panel * PANEL + j;
                const int64_t at = s->turned ? col * s->cols + row : row * s->cols + col;
                *to++ = row < s->k && col < s->n ? rounded(s->w[at]) : 0;
            }
}

/* w [rows, cols] in order; turned: b = w', else b = w. `to` holds ceil(n / 64) x ceil(k / 2) x 128 numbers. */
void ps_pack(const float * w, uint16_t * to, int64_t rows, int64_t cols, int64_t turned) {
    Packing s = {w, rows, cols, turned, turned ? cols : rows, turned ? rows : cols, to};
    ps_each(pack_panel, &s, (s.n + PANEL - 1) / PANEL);
}

typedef struct {
    const float * a;
    float * c;
    const uint16_t * b;
    uint16_t * near; /* rows of a in bfloat16, [m, depth] with depth = k rounded up to 32 */
    int64_t m, n, k, depth, sa, sc, add, blocks;
} Product;

WITH_BF16 static void narrow_row(void * with, int64_t row) {
    const Product * s = with;
    const float * a = s->a + row * s->sa;
    uint16_t * to = s->near + row * s->depth;
    for (int64_t i = 0; i < s->depth; i += 32) {
        const int64_t left = s->k - i;
        const __mmask16 low = left >= 16 ? 0xffff : left > 0 ? (__mmask16) ((1u << left) - 1) : 0;
        const __mmask16 high = left >= 32 ? 0xffff : left > 16 ? (__mmask16) ((1u << (left - 16)) - 1) : 0;
        const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, a + i + 16), _mm512_maskz_loadu_ps(low, a + i));
        memcpy(to + i, &both, sizeof both);
    }
}

/* c [rows, 64] += near [rows, 2 pairs] b, of which `left` columns are wanted. */
WITH_BF16 static inline __attribute__((always_inline)) void tile(const uint16_t * near, int64_t depth, const uint16_t * b, int64_t pairs, float * c, int64_t sc, int64_t left,
                 const int rows, int add) {
    __m512 sum[ROWS][4];
    __mmask16 wanted[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
        const int64_t more = left - 16 * v;
        wanted[v] = more >= 16 ? 0xffff : more > 0 ? (__mmask16) ((1u << more) - 1) : 0;
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            sum[r][v] = add ? _mm512_maskz_loadu_ps(wanted[v], c + r * sc + 16 * v) : _mm512_setzero_ps();
    for (int64_t i = 0; i < pairs; i++, b += 2 * PANEL) {
        __m512bh column[4];
        memcpy(column, b, sizeof column);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, near + r * depth + 2 * i, sizeof pair);
            const __m512bh both = (__m512bh) _mm512_set1_epi32(pair);
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], both, column[v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) _mm512_mask_storeu_ps(c + r * sc + 16 * v, wanted[v], sum[r][v]);
}

WITH_BF16 static void block_of(void * with, int64_t piece) {
    const Product * s = with;
    const int64_t panel = piece / s->blocks, first = piece % s->blocks * BLOCK;
    const int64_t end = s->m - first < BLOCK ? s->m : first + BLOCK;
    const int64_t all = (s->k + 1) / 2, left = s->n - panel * PANEL;
    const uint16_t * b = s->b + panel * all * 2 * PANEL;
    for (int64_t from = 0; from < all; from += DEPTH / 2) {
        const int64_t pairs = all - from < DEPTH / 2 ? all - from : DEPTH / 2;
        const int add = from > 0 || s->add;
        for (int64_t r = first; r < end; r += ROWS) {
            const uint16_t * near = s->near + r * s->depth + 2 * from;
            float * c = s->c + r * s->sc + panel * PANEL;
            const uint16_t * at = b + from * 2 * PANEL;
            switch (end - r) {
            case 1: tile(near, s->depth, at, pairs, c, s->sc, left, 1, add); break;
            case 2: tile(near, s->depth, at, pairs, c, s->sc, left, 2, add); break;
            case 3: tile(near, s->depth, at, pairs, c, s->sc, left, 3, add); break;
            case 4: tile(near, s->depth, at, pairs, c, s->sc, left, 4, add); break;
            case 5: tile(near, s->depth, at, pairs, c, s->sc, left, 5, add); break;
            default: tile(near, s->depth, at, pairs, c, s->sc, left, ROWS, add);
            }
        }
    }
}

/* c [m, n] = a [m, k] b, or += where `add`; rows of a and c lie sa and sc apart. `near` holds m x (k rounded up to 32). */
void ps_multiply(const float * a, const uint16_t * b, float * c, uint16_t * near, int64_t m, int64_t n, int64_t k, int64_t sa,
                 int64_t sc, int64_t add) {
    Product s = {a, c, b, near, m, n, k, (k + 31) / 32 * 32, sa, sc, add, (m + BLOCK - 1) / BLOCK};
    ps_each(narrow_row, &s, m);
    ps_each(block_of, &s, (n + PANEL - 1) / PANEL * s.blocks);
}
#else
int64_t ps_bf16(void) { return 0; }
#endif
