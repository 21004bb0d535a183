/* The gated delta rule on a CPU. Shapes, names and order of the arithmetic: pocketsleep/fastweights/reference.py. */
#pragma once
#include <stdint.h>

enum { FP32, FP16, BF16 }; /* of q, k, v, out and their slopes; everything else is float32 */

/* One call. Arrays lie in row order without gaps. What is not wanted is NULL; a state that is NULL is zero. */
struct Delta {
    const void *q, *k, *v;          /* [B, T, Hk, Dk] twice, [B, T, Hv, Dv] */
    const float *decay, *beta;      /* [B, T, Hv] or, with `channels`, [B, T, Hv, Dk]; [B, T, Hv] */
    const float *state;             /* [B, Hv, Dv, Dk] */
    void *out;                      /* [B, T, Hv, Dv], of the last pass */
    float *last, *surprise;         /* [B, Hv, Dv, Dk] (may be `state` itself), [passes, B, T, Hv] */
    const void *dout;               /* backward: slopes by out and by the last state */
    const float *dlast;
    void *dq, *dk, *dv;
    float *ddecay, *dbeta, *dstate;
    int64_t B, T, Hk, Hv, Dk, Dv, passes, dtype, channels;
};
