/* What MLX computes one element at a time on a CPU, in one pass each: gated activations and the loss of a
 * night's training, with their gradients. The compiler turns the loops into vector instructions of the machine
 * they run on; target_clones picks the widest when the library is loaded. */
#include "exp.h"
#include "pool.h"
#include "wide.h"

#define PORTION 8192 /* numbers that a thread takes at once */

typedef void (*Forward)(const float * g, const float * u, float * out, int64_t n);
typedef void (*Backward)(const float * g, const float * u, const float * dy, float * dg, float * du, int64_t n);

typedef struct {
    Forward forward;
    Backward backward; /* one of the two */
    const float * g, * u, * dy;
    float * out, * du;
    int64_t n;
} Gate;

static void gate_piece(void * with, int64_t piece) {
    const Gate * s = with;
    const int64_t at = piece * PORTION, n = s->n - at < PORTION ? s->n - at : PORTION;
    if (s->forward) s->forward(s->g + at, s->u + at, s->out + at, n);
    else s->backward(s->g + at, s->u + at, s->dy + at, s->out + at, s->du + at, n);
}

static void in_portions(Gate s) { ps_each(gate_piece, &s, (s.n + PORTION - 1) / PORTION); }

/* silu(g) = g s, s = 1 / (1 + e^-g); silu' = s (1 + g (1 - s)) */
WIDE static void silu(const float * restrict g, const float * restrict u, float * restrict out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = g[i] * u[i] / (1.0f + fast_exp(-g[i]));
}

WIDE static void silu_grad(const float * restrict g, const float * restrict u, const float * restrict dy, float * restrict dg,
                            float * restrict du, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const float s = 1.0f / (1.0f + fast_exp(-g[i]));
        dg[i] = dy[i] * u[i] * s * (1.0f + g[i] * (1.0f - s));
        du[i] = dy[i] * g[i] * s;
    }
}

/* gelu(g) = g (1 + t) / 2, t = tanh(z), z = sqrt(2/pi) (g + 0.044715 g^3): the form with tanh, as Gemma's */
#define ROOT 0.7978845608f
#define CUBE 0.044715f

INLINE float fast_tanh(float z) { return 1.0f - 2.0f / (fast_exp(2.0f * z) + 1.0f); }

WIDE static void gelu(const float * restrict g, const float * restrict u, float * restrict out, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const float x = g[i];
        out[i] = 0.5f * x * (1.0f + fast_tanh(ROOT * (x + CUBE * x * x * x))) * u[i];
    }
}

WIDE static void gelu_grad(const float * restrict g, const float * restrict u, const float * restrict dy, float * restrict dg,
                            float * restrict du, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const float x = g[i], t = fast_tanh(ROOT * (x + CUBE * x * x * x));
        dg[i] = dy[i] * u[i] * 0.5f * (1.0f + t + x * (1.0f - t * t) * ROOT * (1.0f + 3.0f * CUBE * x * x));
        du[i] = dy[i] * 0.5f * x * (1.0f + t);
    }
}

void ps_silu_gate(const float * g, const float * u, float * out, int64_t n) {
    in_portions((Gate) {.forward = silu, .g = g, .u = u, .out = out, .n = n});
}

void ps_silu_gate_grad(const float * g, const float * u, const float * dy, float * dg, float * du, int64_t n) {
    in_portions((Gate) {.backward = silu_grad, .g = g, .u = u, .dy = dy, .out = dg, .du = du, .n = n});
}

void ps_gelu_gate(const float * g, const float * u, float * out, int64_t n) {
    in_portions((Gate) {.forward = gelu, .g = g, .u = u, .out = out, .n = n});
}

void ps_gelu_gate_grad(const float * g, const float * u, const float * dy, float * dg, float * du, int64_t n) {
    in_portions((Gate) {.backward = gelu_grad, .g = g, .u = u, .dy = dy, .out = dg, .du = du, .n = n});
}

/* Rows of logits [n, v]. For row r with target t, weights h and s, and the teacher's k likeliest words:
 *   loss = h (lse - x_t) + s sum_j p_j (log p_j - (x_j - lse))
 *   d loss / d x = (h + s sum p) softmax(x) - h onehot(t) - s p
 * The gradient is written over `grad`; ids of one row are distinct. */
#define LANES 32 /* sums and maxima run in so many lanes: one order on every machine, and no NaN is lost */

WIDE static float row_max(const float * restrict x, int64_t v) {
    float lane[LANES], top = x[0];
    int64_t i = 0;
    for (int j = 0; j < LANES; j++) lane[j] = top;
    for (; i + LANES <= v; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (; i < v; i++) top = x[i] > top ? x[i] : top;
    for (int j = 0; j < LANES; j++) top = lane[j] > top ? lane[j] : top;
    return top;
}

WIDE static float row_exp(const float * restrict x, float * restrict d, int64_t v, float top) {
    float lane[LANES] = {0.0f};
    double sum = 0.0;
    int64_t i = 0;
    for (; i + LANES <= v; i += LANES)
        for (int j = 0; j < LANES; j++) {
            d[i + j] = fast_exp(x[i + j] - top);
            lane[j] += d[i + j];
        }
    for (; i < v; i++) {
        d[i] = fast_exp(x[i] - top);
        sum += d[i];
    }
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return (float) sum;
}

WIDE static void row_scale(float * restrict d, int64_t v, float by) {
    for (int64_t i = 0; i < v; i++) d[i] *= by;
}

/* log sum exp of the row; d becomes weight x softmax. */
static float row_softmax(const float * x, float * d, int64_t v, float weight) {
    const float top = row_max(x, v), sum = row_exp(x, d, v, top);
    row_scale(d, v, weight / sum);
    return top + logf(sum);
}

typedef struct {
    const float * logits, * hard, * soft, * top_p;
    const int32_t * target, * top_ids;
    float * loss, * grad;
    int64_t v, k;
} Loss;

static void loss_row(void * with, int64_t r) {
    const Loss * s = with;
    const int64_t k = s->k;
    const float * x = s->logits + r * s->v, * p = s->top_p + r * k;
    const int32_t * ids = s->top_ids + r * k;
    float * d = s->grad + r * s->v, mass = 0.0f, kl = 0.0f;
    for (int64_t j = 0; j < k; j++) mass += p[j];
    const float lse = row_softmax(x, d, s->v, s->hard[r] + s->soft[r] * mass);
    for (int64_t j = 0; j < k; j++) {
        if (p[j] > 0.0f) kl += p[j] * (logf(p[j]) - (x[ids[j]] - lse));
        d[ids[j]] -= s->soft[r] * p[j];
    }
    d[s->target[r]] -= s->hard[r];
    s->loss[r] = s->hard[r] * (lse - x[s->target[r]]) + s->soft[r] * kl;
}

void ps_loss(const float * logits, const int32_t * target, const float * hard, const float * soft,
             const int32_t * top_ids, const float * top_p, float * loss, float * grad, int64_t n, int64_t v, int64_t k) {
    Loss s = {logits, hard, soft, top_p, target, top_ids, loss, grad, v, k};
    ps_each(loss_row, &s, n);
}

/* The k largest of each row and where they stand, largest first; the earlier of equals first. */
typedef struct {
    const float * logits;
    int32_t * ids;
    float * values;
    int64_t v, k;
} Top;

static void top_row(void * with, int64_t r) {
    const Top * s = with;
    const float * x = s->logits + r * s->v;
    int32_t * id = s->ids + r * s->k;
    float * best = s->values + r * s->k;
    int64_t held = 0;
    for (int64_t i = 0; i < s->v; i++) {
        if (held == s->k && !(x[i] > best[s->k - 1])) continue;
        int64_t at = held < s->k ? held++ : s->k - 1;
        for (; at > 0 && x[i] > best[at - 1]; at--) {
            best[at] = best[at - 1];
            id[at] = id[at - 1];
        }
        best[at] = x[i];
        id[at] = (int32_t) i;
    }
}

void ps_top(const float * logits, int32_t * ids, float * values, int64_t n, int64_t v, int64_t k) {
    Top s = {logits, ids, values, v, k};
    ps_each(top_row, &s, n);
}

/* AdamW without decay over n numbers, gradients scaled by `by`: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
 * p -= rate m / (sqrt(v) / root + eps). The caller divides the rate by 1 - b1^t and gives root = sqrt(1 - b2^t). */
WIDE void ps_adam(float * restrict p, float * restrict m, float * restrict v, const float * restrict g, int64_t n,
                  double by, double rate, double b1, double b2, double root, double eps) {
    const float scale = (float) by, step = (float) rate, c1 = (float) b1, c2 = (float) b2, d1 = (float) (1.0 - b1),
                d2 = (float) (1.0 - b2), unroot = (float) (1.0 / root), least = (float) eps;
    for (int64_t i = 0; i < n; i++) {
        const float x = g[i] * scale;
        m[i] = c1 * m[i] + d1 * x;
        v[i] = c2 * v[i] + d2 * x * x;
        p[i] -= step * m[i] / (sqrtf(v[i]) * unroot + least);
    }
}
