/* Included once for each instruction set, inside a namespace, with W the floats of a vector.
 *
 * Rows of S never meet: given k and the decay, row i of S needs v[i] and nothing of its neighbours. So R rows are taken
 * into registers, all tokens of a block pass by, and the rows are put back. NV vectors hold a row; swept.h has longer ones. */

typedef float V __attribute__((vector_size(4 * W)));
typedef float U __attribute__((vector_size(4 * W), aligned(4), may_alias)); /* anywhere in memory */

#ifndef AHEAD
#define AHEAD 2048 /* floats: memory is asked for what the next rows need while these are computed */
#endif
#define P 2 /* sums of a row that is swept over: with R rows enough to hide what an addition waits for */
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

HOT V joined(const V (&parts)[4]) { return (parts[0] + parts[1]) + (parts[2] + parts[3]); }
HOT V joined(const V (&parts)[2]) { return parts[0] + parts[1]; }

/* to[r] = sum of row r's parts. Rows of AVX-512 are folded into one vector first: two shuffles for a row instead of four. */
template <int R, int N>
HOT void totals(const V (*parts)[N], float * to) {
#if W == 16
    if (R == 2 || R == 4) {
        V pairs[2];
        ALL(i, R / 2) {
            const V a = joined(parts[2 * i]), b = joined(parts[2 * i + 1]);
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
    ALL(r, R) to[r] = sum(joined(parts[r]));
}

/* n tokens over R rows: s [R, K] in and out (K = NV W), e, o [n, rows] where wanted; kept [n, R, K]: S before each token. */
template <int NV, int R, bool CHANNELS, bool KEEP>
static void forward(const Block & block, int64_t row, float * s, float * kept) {
    const Block x = block; /* a copy: no store can change its pointers */
    V S[R][NV];
    const int64_t K = NV * W;
    ALL(r, R) ALL(j, NV) S[r][j] = load(s + r * K + j * W);
    for (int64_t t = 0; t < x.n; t++) {
        const float * k = x.k + t * K, * q = x.q + t * K, * a = x.a + t * K;
        if (KEEP) ALL(r, R) ALL(j, NV) store(kept + (t * R + r) * K + j * W, S[r][j]);
        V recalled[R][4] = {}, out[R][4] = {};
        ALL(j, NV) {
            const V kj = load(k + j * W), aj = CHANNELS ? load(a + j * W) : x.a[t] - V {};
            ALL(r, R) {
                S[r][j] *= aj;
                recalled[r][j % 4] += S[r][j] * kj;
            }
        }
        float u[R], said[R];
        totals<R>(recalled, said);
        ALL(r, R) {
            const float e = x.v[t * x.rows + row + r] - said[r];
            x.e[t * x.rows + row + r] = e;
            u[r] = x.b[t] * e;
        }
        ALL(j, NV) {
            const V kj = load(k + j * W), qj = load(q + j * W);
            ALL(r, R) {
                S[r][j] += u[r] * kj;
                if (!KEEP) out[r][j % 4] += S[r][j] * qj;
            }
        }
        if (!KEEP) totals<R>(out, x.o + t * x.rows + row);
    }
    if (KEEP) ALL(r, R) ALL(j, NV) store(kept + (x.n * R + r) * K + j * W, S[r][j]);
    else ALL(r, R) ALL(j, NV) store(s + r * K + j * W, S[r][j]);
}

/* The same tokens backwards: ds [R, K] in and out; adds to dq, dk [n, K] and da [n, K], or [n, W] for a decay without channels. */
template <int NV, int R, bool CHANNELS>
static void backward(const Block & block, int64_t row, float * ds, const float * kept) {
    const Block x = block;
    V dS[R][NV];
    const int64_t K = NV * W;
    ALL(r, R) ALL(j, NV) dS[r][j] = load(ds + r * K + j * W);
    for (int64_t t = x.n - 1; t >= 0; t--) {
        const float * k = x.k + t * K, * q = x.q + t * K, * a = x.a + t * K;
        const float * before = kept + t * R * K, * after = before + R * K;
        const float * go = x.o + t * x.rows + row, * e = x.e + t * x.rows + row;
        V du[R][4] = {};
        ALL(j, NV) {
            const V kj = load(k + j * W), qj = load(q + j * W);
            V gq = load(x.dq + t * K + j * W), gk = load(x.dk + t * K + j * W);
            ALL(r, R) {
                dS[r][j] += go[r] * qj;
                du[r][j % 4] += dS[r][j] * kj;
                gq += go[r] * load(after + r * K + j * W);
                gk += (x.b[t] * e[r]) * dS[r][j];
            }
            store(x.dq + t * K + j * W, gq);
            store(x.dk + t * K + j * W, gk);
        }
        float de[R], d[R];
        totals<R>(du, d);
        ALL(r, R) {
            de[r] = x.b[t] * d[r];
            x.db[t] += d[r] * e[r];
            x.v[t * x.rows + row + r] = de[r]; /* v is not needed any more: dv in its place */
        }
        V whole = {};
        ALL(j, NV) {
            const V kj = load(k + j * W), aj = CHANNELS ? load(a + j * W) : x.a[t] - V {};
            V gk = load(x.dk + t * K + j * W), ga = {};
            ALL(r, R) {
                const V old = load(before + r * K + j * W), d = dS[r][j] - de[r] * kj;
                gk -= de[r] * (old * aj);
                ga += d * old;
                dS[r][j] = d * aj;
            }
            store(x.dk + t * K + j * W, gk);
            if (CHANNELS) store(x.da + t * K + j * W, load(x.da + t * K + j * W) + ga);
            else whole += ga;
        }
        if (!CHANNELS) store(x.da + t * W, load(x.da + t * W) + whole);
    }
    ALL(r, R) ALL(j, NV) store(ds + r * K + j * W, dS[r][j]);
}

/* One token: R rows at a time of n (a multiple of R) straight from memory to memory, [n, K]. */
template <int NV, int R, bool CHANNELS>
static void step(const Block & x, int64_t row, int64_t n, const float * from, float * to) {
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
        totals<R>(recalled, said);
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
        totals<R>(out, o + i);
    }
}

template <int NV, int R, bool CHANNELS>
static Rows rows_of() {
    return {NV * W, W, R, forward<NV, R, CHANNELS, false>, forward<NV, R, CHANNELS, true>, backward<NV, R, CHANNELS>,
            step<NV, R, CHANNELS>, step<NV, 1, CHANNELS>};
}

#include "swept.h"

/* The narrowest kernel whose rows hold Dk channels; its K is 0 where none does. */
template <bool CHANNELS>
static Rows widths(int64_t Dk) {
#define HOLDS(NV, R) if (Dk <= NV * W) return rows_of<NV, R, CHANNELS>();
#define SWEPT(R) if (Dk <= WIDEST) return swept<R, CHANNELS>(Dk);
    WIDTHS
#undef HOLDS
#undef SWEPT
    return Rows {};
}

static Rows rows(int64_t Dk, bool channels) { return channels ? widths<true>(Dk) : widths<false>(Dk); }

#undef HOT
#undef ALL
#undef P
