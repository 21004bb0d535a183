/* What makes whitened training out of plain Adam: W = gain (1 - span diag(cut) span') applied to many small matrices. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "wide.h"

/* For each of several matrices a [n, r], b of the same shape or NULL for zeros: a = b + W (a - b) with
 * W = gain (1 - span diag(cut) span'), span [n, k]. */
typedef struct {
    float * a;
    const float * b, * span, * cut;
    int64_t n, k, r;
    float gain;
} Filtered;

#define TOGETHER 4 /* rows of a */
#define WIDTH 8    /* columns of a */
#define ROW(y) ((i + (y) < n ? (y) : 0) * k) /* a row that is not there is read as the first, and meets zeros */

#pragma GCC diagnostic ignored "-Wpsabi" /* how a Wide would be passed is moot: whatever takes or gives one is inlined */
typedef float Wide __attribute__((vector_size(WIDTH * sizeof(float))));

INLINE Wide load(const float * at, int64_t count) {
    Wide x = {0.0f};
    memcpy(&x, at, (size_t) (count < WIDTH ? count : WIDTH) * sizeof(float));
    return x;
}

/* a - b at row i and column c; zeros beyond the matrix. */
INLINE Wide difference(const Filtered * s, int64_t i, int64_t c) {
    const int64_t at = i * s->r + c, left = s->r - c;
    if (i >= s->n) return (Wide) {0.0f};
    return s->b ? load(s->a + at, left) - load(s->b + at, left) : load(s->a + at, left);
}

INLINE void put(const Filtered * s, int64_t i, int64_t c, Wide within) {
    const int64_t at = i * s->r + c, left = s->r - c;
    if (i >= s->n) return;
    const Wide sum = s->b ? load(s->b + at, left) + s->gain * within : s->gain * within;
    memcpy(s->a + at, &sum, (size_t) (left < WIDTH ? left : WIDTH) * sizeof(float));
}

/* Columns c .. c + WIDTH, TOGETHER rows at once; low [k] is room for cut span' (a - b). */
INLINE void filter_columns(const Filtered * s, int64_t c, Wide * restrict low) {
    const int64_t k = s->k, n = s->n;
    for (int64_t j = 0; j < k; j++) low[j] = (Wide) {0.0f};
    for (int64_t i = 0; i < n; i += TOGETHER) {
        const float * u = s->span + i * k, * v = u + ROW(1), * w = u + ROW(2), * z = u + ROW(3);
        const Wide d0 = difference(s, i, c), d1 = difference(s, i + 1, c), d2 = difference(s, i + 2, c), d3 = difference(s, i + 3, c);
        for (int64_t j = 0; j < k; j++) low[j] += u[j] * d0 + v[j] * d1 + w[j] * d2 + z[j] * d3;
    }
    for (int64_t j = 0; j < k; j++) low[j] *= s->cut[j];
    for (int64_t i = 0; i < n; i += TOGETHER) {
        const float * u = s->span + i * k, * v = u + ROW(1), * w = u + ROW(2), * z = u + ROW(3);
        Wide s0 = {0.0f}, s1 = {0.0f}, s2 = {0.0f}, s3 = {0.0f};
        for (int64_t j = 0; j < k; j++) {
            s0 += u[j] * low[j];
            s1 += v[j] * low[j];
            s2 += w[j] * low[j];
            s3 += z[j] * low[j];
        }
        put(s, i, c, difference(s, i, c) - s0);
        put(s, i + 1, c, difference(s, i + 1, c) - s1);
        put(s, i + 2, c, difference(s, i + 2, c) - s2);
        put(s, i + 3, c, difference(s, i + 3, c) - s3);
    }
}

typedef struct {
    const int64_t * pointers, * sizes;
    const float * gains;
} Many;

WIDE static void filter_one(void * with, int64_t piece) {
    const Many * many = with;
    const int64_t * p = many->pointers + 4 * piece, * n = many->sizes + 3 * piece;
    const Filtered one = {(float *) p[0], (const float *) p[1], (const float *) p[2], (const float *) p[3],
                          n[0], n[1], n[2], many->gains[piece]}, * s = &one;
    Wide * low = aligned_alloc(sizeof *low, (size_t) s->k * sizeof *low);
    for (int64_t c = 0; low && c < s->r; c += WIDTH) filter_columns(s, c, low);
    for (int64_t i = 0; !low && i < s->n * s->r; i++) s->a[i] = NAN; /* without room nothing may look like a result */
    free(low);
}

/* Rows of pointers: a, b, span, cut of each; sizes n, k, r of each; the gains. */
void ps_filter(const int64_t * pointers, const int64_t * sizes, const float * gains, int64_t count) {
    const Many s = {pointers, sizes, gains};
    ps_each(filter_one, (void *) &s, count);
}
