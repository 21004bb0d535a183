/* Included once for each instruction set, inside a namespace, with W the floats of a vector.
 *
 * Rows of S never meet: given k and the decay, row i of S needs v[i] and nothing of its neighbours. So a few rows are brought
 * near, all tokens of a block pass by, and the rows are put back. */

typedef float V __attribute__((vector_size(4 * W)));
typedef float U __attribute__((vector_size(4 * W), aligned(4), may_alias)); /* anywhere in memory */

#ifndef AHEAD
#define AHEAD 2048 /* floats: memory is asked for what the next rows need while these are computed */
#endif
#define HOT static inline __attribute__((always_inline))
#define ALL(i, n) _Pragma("GCC unroll 64") for (int i = 0; i < n; i++)

HOT V load(const float * p) { return *(const U *) p; }
HOT void store(float * p, V x) { *(U *) p = x; }

HOT float sum(V x) {
#if W == 16
    typedef float H __attribute__((vector_size(32)));
    const H h = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
#elif W == 8
    const V h = x;
#endif
    typedef float Q __attribute__((vector_size(16)));
#if W >= 8
    const Q a = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#else
    const Q a = x;
#endif
    const Q b = a + __builtin_shufflevector(a, a, 2, 3, 0, 1);
    return b[0] + b[1];
}

/* to[r] = the sum of rows[r]. Rows of AVX-512 are folded into one vector first: two shuffles for a row instead of four. */
template <int R>
HOT void totals(const V * rows, float * to) {
#if W == 16
    if (R == 2 || R == 4) {
        V pairs[2];
        ALL(i, R / 2) {
            const V a = rows[2 * i], b = rows[2 * i + 1];
            pairs[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                       __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        }
        const V c = pairs[0], d = pairs[R / 2 - 1]; /* the same where there are two rows */
        V x = __builtin_shufflevector(c, d, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
              __builtin_shufflevector(c, d, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
        x += __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
        ALL(r, R) to[r] = x[4 * r];
        return;
    }
#endif
    ALL(r, R) to[r] = sum(rows[r]);
}

#include "swept.h"

/* One token where registers hold R rows of NV vectors: from memory to memory, [n, K], n a multiple of R. */
template <int NV, int R, bool CHANNELS>
static void step_held(const Block & x, int64_t row, int64_t n, const float * from, float * to) {
    const float *k = x.k, *q = x.q, *a = x.a, *v = x.v + row, b = x.b[0];
    float *errors = x.e + row, *o = x.o + row;
    const int64_t K = NV * W;
    for (int64_t i = 0; i < n; i += R, from += R * K, to += R * K) {
        V S[R][NV], recalled[R][4] = {}, out[R][4] = {};
        ALL(j, NV) {
            const V kj = load(k + j * W), aj = CHANNELS ? load(a + j * W) : a[0] - V {};
            ALL(r, R) {
                S[r][j] = load(from + r * K + j * W) * aj;
                __builtin_prefetch(from + AHEAD + r * K + j * W);
                recalled[r][j % 4] += S[r][j] * kj;
            }
        }
        float u[R], said[R];
        V sums[R];
        ALL(r, R) sums[r] = (recalled[r][0] + recalled[r][1]) + (recalled[r][2] + recalled[r][3]);
        totals<R>(sums, said);
        ALL(r, R) {
            errors[i + r] = v[i + r] - said[r];
            u[r] = b * errors[i + r];
        }
        ALL(j, NV) {
            const V kj = load(k + j * W), qj = load(q + j * W);
            ALL(r, R) {
                S[r][j] += u[r] * kj;
                out[r][j % 4] += S[r][j] * qj;
                store(to + r * K + j * W, S[r][j]);
            }
        }
        ALL(r, R) sums[r] = (out[r][0] + out[r][1]) + (out[r][2] + out[r][3]);
        totals<R>(sums, o + i);
    }
}

static Rows rows(int64_t Dk, bool channels) {
    const int64_t K = (Dk + W - 1) / W * W;
    if (channels) return {K, W, ROWS, forward<true, false>, forward<true, true>, backward<true>};
    return {K, W, ROWS, forward<false, false>, forward<false, true>, backward<false>};
}

/* One token: the narrowest kernel whose registers hold Dk channels, or sweeps. */
template <bool CHANNELS>
static Steps steps_of(int64_t Dk) {
#define HOLDS(NV, R) if (Dk <= NV * W) return {NV * W, R, step_held<NV, R, CHANNELS>, step_held<NV, 1, CHANNELS>};
    HELD
#undef HOLDS
    return {(Dk + W - 1) / W * W, ROWS, step<ROWS, CHANNELS>, step<1, CHANNELS>};
}

static Steps steps(int64_t Dk, bool channels) { return channels ? steps_of<true>(Dk) : steps_of<false>(Dk); }

#undef HOT
#undef ALL
