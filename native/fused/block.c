/* The parts of a transformer block that are not matrix products, over packed rows: tokens lie one after the
 * other, a prefix of `p` tokens that all rows share first, then each row without padding. Row r holds tokens
 * start[r] .. start[r+1]-1; its token t sees the prefix and the row's tokens up to t. Gradients included.
 * Inner loops run over LANES floats at a time, so widths must be multiples of it (pocketsleep checks). */
#include <math.h>
#include <stdint.h>

#include "wide.h"
#define INLINE static inline __attribute__((always_inline))
#define LANES 16

INLINE float dot(const float * restrict a, const float * restrict b, int64_t n) {
    float lane[LANES] = {0.0f}, sum = 0.0f;
    for (int64_t i = 0; i < n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += a[i + j] * b[i + j];
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return sum;
}

INLINE void add(float * restrict to, const float * restrict x, float by, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += by * x[i];
}

/* y = x r w, r = 1 / sqrt(mean x^2 + eps), for n rows of d floats at strides sx and sy. */
WIDE void ps_rms(const float * x, const float * restrict w, float * y, int64_t n, int64_t d, int64_t sx, int64_t sy,
                 double eps) {
    for (int64_t t = 0; t < n; t++) {
        const float * in = x + t * sx;
        float * out = y + t * sy;
        const float r = (float) (1.0 / sqrt((double) dot(in, in, d) / (double) d + eps));
        for (int64_t i = 0; i < d; i++) out[i] = in[i] * r * w[i];
    }
}

/* dx += r w dy - x r^3 / d sum(x w dy) */
WIDE void ps_rms_grad(const float * x, const float * restrict w, const float * dy, float * dx, int64_t n, int64_t d,
                      int64_t sx, int64_t sdy, int64_t sdx, double eps) {
    for (int64_t t = 0; t < n; t++) {
        const float * in = x + t * sx, * g = dy + t * sdy;
        float * out = dx + t * sdx, lane[LANES] = {0.0f}, sum = 0.0f;
        const float r = (float) (1.0 / sqrt((double) dot(in, in, d) / (double) d + eps));
        for (int64_t i = 0; i < d; i += LANES)
            for (int j = 0; j < LANES; j++) lane[j] += in[i + j] * w[i + j] * g[i + j];
        for (int j = 0; j < LANES; j++) sum += lane[j];
        const float by = sum * r * r * r / (float) d;
        for (int64_t i = 0; i < d; i++) out[i] += r * w[i] * g[i] - in[i] * by;
    }
}

/* Turn each head's halves (a, b) at position pos[t] by its angles: (a c - b s, b c + a s); sign -1 turns back. */
WIDE void ps_rope(float * x, const int32_t * pos, const float * cosines, const float * sines, int64_t n, int64_t heads,
                  int64_t d, int64_t stride, int64_t sign) {
    const int64_t half = d / 2;
    const float turn = (float) sign;
    for (int64_t t = 0; t < n; t++) {
        const float * restrict c = cosines + pos[t] * half, * restrict s = sines + pos[t] * half;
        for (int64_t h = 0; h < heads; h++) {
            float * restrict a = x + t * stride + h * d, * restrict b = a + half;
            for (int64_t i = 0; i < half; i++) {
                const float u = a[i], v = b[i];
                a[i] = u * c[i] - v * s[i] * turn;
                b[i] = v * c[i] + u * s[i] * turn;
            }
        }
    }
}

typedef struct {
    int64_t heads, groups, d, stride, p;
    const float * qkv; /* [n, heads + 2 groups, d]: queries, keys, values of a token lie together */
    float scale;
} Shape;

INLINE const float * key(const Shape * s, int64_t j, int64_t h) {
    return s->qkv + j * s->stride + (s->heads + h / (s->heads / s->groups)) * s->d;
}

/* The i-th token that a token of the row sees: the prefix first, then the row itself. */
INLINE int64_t seen(const Shape * s, int64_t start, int64_t i) { return i < s->p ? i : start + i - s->p; }

WIDE static void attend_token(const Shape * s, int64_t start, int64_t t, int64_t h, int64_t count, float * restrict prob,
                              float * restrict out) {
    const float * q = s->qkv + t * s->stride + h * s->d;
    float top = -INFINITY, sum = 0.0f;
    for (int64_t i = 0; i < count; i++) {
        prob[i] = s->scale * dot(q, key(s, seen(s, start, i), h), s->d);
        top = prob[i] > top ? prob[i] : top;
    }
    for (int64_t i = 0; i < count; i++) sum += prob[i] = expf(prob[i] - top);
    for (int64_t i = 0; i < s->d; i++) out[i] = 0.0f;
    for (int64_t i = 0; i < count; i++) {
        prob[i] /= sum;
        add(out, key(s, seen(s, start, i), h) + s->groups * s->d, prob[i], s->d);
    }
}

/* out [n, heads, d]; prob [at[n] x heads]: token t's shares start at at[t] x heads, head by head. With p > 0
 * row 0 is the prefix itself (start[0] = 0, start[1] = p). */
void ps_attend(const float * qkv, const int64_t * start, const int64_t * at, float * prob, float * out, int64_t rows,
               int64_t p, int64_t heads, int64_t groups, int64_t d, double scale) {
    const Shape s = {heads, groups, d, (heads + 2 * groups) * d, p, qkv, (float) scale};
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = start[r]; t < start[r + 1]; t++)
            for (int64_t h = 0; h < heads; h++) {
                const int64_t count = at[t + 1] - at[t];
                attend_token(&s, start[r], t, h, count, prob + at[t] * heads + h * count, out + (t * heads + h) * d);
            }
}

WIDE static void attend_token_grad(const Shape * s, int64_t start, int64_t t, int64_t h, const float * restrict prob,
                                   const float * dout, float * dqkv, int64_t count, float * restrict dp) {
    const int64_t g = s->heads + h / (s->heads / s->groups), v = s->groups * s->d;
    const float * q = s->qkv + t * s->stride + h * s->d;
    float * dq = dqkv + t * s->stride + h * s->d, sum = 0.0f;
    for (int64_t i = 0; i < count; i++) {
        const int64_t j = seen(s, start, i);
        dp[i] = dot(dout, key(s, j, h) + v, s->d);
        add(dqkv + j * s->stride + g * s->d + v, dout, prob[i], s->d);
        sum += prob[i] * dp[i];
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t j = seen(s, start, i);
        const float ds = prob[i] * (dp[i] - sum) * s->scale;
        add(dq, key(s, j, h), ds, s->d);
        add(dqkv + j * s->stride + g * s->d, q, ds, s->d);
    }
}

/* dqkv [n, heads + 2 groups, d] must be zero on entry; `room` holds as many floats as the longest row sees. */
void ps_attend_grad(const float * qkv, const int64_t * start, const int64_t * at, const float * prob, const float * dout,
                    float * dqkv, float * room, int64_t rows, int64_t p, int64_t heads, int64_t groups, int64_t d,
                    double scale) {
    const Shape s = {heads, groups, d, (heads + 2 * groups) * d, p, qkv, (float) scale};
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = start[r]; t < start[r + 1]; t++)
            for (int64_t h = 0; h < heads; h++) {
                const int64_t count = at[t + 1] - at[t];
                attend_token_grad(&s, start[r], t, h, prob + at[t] * heads + h * count, dout + (t * heads + h) * d, dqkv,
                                  count, room);
            }
}
