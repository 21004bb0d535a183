/* The parts of a transformer block that are not matrix products, over packed rows: tokens lie one after the
 * other, a prefix of `p` tokens that all rows share first, then each row without padding. Row r holds tokens
 * start[r] .. start[r+1]-1; its token t sees the prefix and the row's tokens up to t. Gradients included.
 * Inner loops run over LANES floats at a time, so widths must be multiples of it (pocketsleep checks). */
#include "exp.h"
#include "pool.h"
#include "wide.h"
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
    int64_t rows, p, heads, groups, d, stride, longest;
    float scale;
    const int64_t * start, * at;
    const float * qkv; /* [n, heads + 2 groups, d]: queries, keys, values of a token lie together */
    float * prob, * out;
    const float * given, * dout; /* the shares again, and the gradient of `out` */
    float * dqkv, * dp, * dprefix;
} Attention;

INLINE const float * key(const Attention * s, int64_t j, int64_t g) { return s->qkv + j * s->stride + (s->heads + g) * s->d; }

/* The i-th token that a token of the row sees: the prefix first, then the row itself. */
INLINE int64_t seen(const Attention * s, int64_t start, int64_t i) { return i < s->p ? i : start + i - s->p; }

WIDE static void attend_head(const Attention * s, int64_t start, int64_t t, int64_t h) {
    const int64_t count = s->at[t + 1] - s->at[t], g = h / (s->heads / s->groups);
    const float * q = s->qkv + t * s->stride + h * s->d;
    float * restrict prob = s->prob + s->at[t] * s->heads + h * count, * restrict out = s->out + (t * s->heads + h) * s->d;
    float top = -INFINITY, sum = 0.0f;
    for (int64_t i = 0; i < count; i++) {
        prob[i] = s->scale * dot(q, key(s, seen(s, start, i), g), s->d);
        top = prob[i] > top ? prob[i] : top;
    }
    for (int64_t i = 0; i < count; i++) prob[i] = fast_exp(prob[i] - top);
    for (int64_t i = 0; i < count; i++) sum += prob[i];
    for (int64_t i = 0; i < s->d; i++) out[i] = 0.0f;
    for (int64_t i = 0; i < count; i++) {
        prob[i] /= sum;
        add(out, key(s, seen(s, start, i), g) + s->groups * s->d, prob[i], s->d);
    }
}

static void attend_piece(void * with, int64_t piece) {
    const Attention * s = with;
    const int64_t r = piece / s->heads, h = piece % s->heads;
    for (int64_t t = s->start[r]; t < s->start[r + 1]; t++) attend_head(s, s->start[r], t, h);
}

/* out [n, heads, d]; prob [at[n] x heads]: token t's shares start at at[t] x heads, head by head. With p > 0
 * row 0 is the prefix itself (start[0] = 0, start[1] = p). */
void ps_attend(const float * qkv, const int64_t * start, const int64_t * at, float * prob, float * out, int64_t rows,
               int64_t p, int64_t heads, int64_t groups, int64_t d, double scale) {
    Attention s = {.rows = rows, .p = p, .heads = heads, .groups = groups, .d = d, .stride = (heads + 2 * groups) * d,
                   .scale = (float) scale, .start = start, .at = at, .qkv = qkv, .prob = prob, .out = out};
    ps_each(attend_piece, &s, rows * heads);
}

/* Where a row adds up what its tokens say of the i-th token's key: the row's own tokens are nobody else's, but the
 * prefix is everybody's, so each row has sums of its own for it. The value's lie groups x d further on. */
INLINE float * grad_of_key(const Attention * s, int64_t r, int64_t i, int64_t g) {
    const int64_t kv = 2 * s->groups * s->d;
    return i < s->p ? s->dprefix + (r * s->p + i) * kv + g * s->d
                    : s->dqkv + (s->start[r] + i - s->p) * s->stride + (s->heads + g) * s->d;
}

WIDE static void attend_grad_head(const Attention * s, int64_t r, int64_t t, int64_t h, float * restrict dp) {
    const int64_t count = s->at[t + 1] - s->at[t], g = h / (s->heads / s->groups), v = s->groups * s->d;
    const float * q = s->qkv + t * s->stride + h * s->d, * prob = s->given + s->at[t] * s->heads + h * count,
                * dout = s->dout + (t * s->heads + h) * s->d;
    float * dq = s->dqkv + t * s->stride + h * s->d, sum = 0.0f;
    for (int64_t i = 0; i < count; i++) {
        dp[i] = dot(dout, key(s, seen(s, s->start[r], i), g) + v, s->d);
        add(grad_of_key(s, r, i, g) + v, dout, prob[i], s->d);
        sum += prob[i] * dp[i];
    }
    for (int64_t i = 0; i < count; i++) {
        const float ds = prob[i] * (dp[i] - sum) * s->scale;
        add(dq, key(s, seen(s, s->start[r], i), g), ds, s->d);
        add(grad_of_key(s, r, i, g), q, ds, s->d);
    }
}

static void attend_grad_piece(void * with, int64_t piece) {
    const Attention * s = with;
    const int64_t r = piece / s->groups, each = s->heads / s->groups, first = piece % s->groups * each;
    for (int64_t t = s->start[r]; t < s->start[r + 1]; t++)
        for (int64_t h = first; h < first + each; h++) attend_grad_head(s, r, t, h, s->dp + piece * s->longest);
}

/* dqkv [n, heads + 2 groups, d] must be zero on entry, and so must the first rows x p x 2 groups x d numbers of `room`,
 * which holds rows x groups x longest more: as many as the longest row sees. */
void ps_attend_grad(const float * qkv, const int64_t * start, const int64_t * at, const float * prob, const float * dout,
                    float * dqkv, float * room, int64_t rows, int64_t p, int64_t heads, int64_t groups, int64_t d,
                    int64_t longest, double scale) {
    const int64_t stride = (heads + 2 * groups) * d, kv = 2 * groups * d;
    Attention s = {.rows = rows, .p = p, .heads = heads, .groups = groups, .d = d, .stride = stride, .longest = longest,
                   .scale = (float) scale, .start = start, .at = at, .qkv = qkv, .given = prob, .dout = dout, .dqkv = dqkv,
                   .dprefix = room, .dp = room + rows * p * kv};
    ps_each(attend_grad_piece, &s, rows * groups);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < p; i++) add(dqkv + i * stride + heads * d, room + (r * p + i) * kv, 1.0f, kv);
}
