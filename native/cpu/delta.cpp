/* Heads and rows shared out to threads; blocks of tokens brought to padded float32 and back. rows.h does the arithmetic. */
#include "delta.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern "C" {
#include "../fused/pool.h"
}
#include "../fused/wide.h"
#include "numbers.h"

#define TOKENS 32 /* of a block: its S before each token, for R rows, fills the nearest cache in the backward pass */
#define WIDEST 1024 /* key channels: ROWS rows and a token fit the nearest cache */
#define ROWS 4      /* that are swept over together */
#define PIECES 16 /* at least so many pieces of work where there are rows enough; fixed, so that threads change no number */

struct Block { /* tokens of one head: k, q, dq, dk [n, K], a [n] or [n, K], b, db [n], v, e, o [n, rows] */
    int64_t n, rows, K;
    float *q, *k, *a, *b, *v, *e, *o, *dq, *dk, *da, *db;
};

struct Rows {
    int64_t K, W, R;
    void (*forward)(const Block &, int64_t row, float * s, float * kept);
    void (*keep)(const Block &, int64_t row, float * s, float * kept);
    void (*backward)(const Block &, int64_t row, float * ds, const float * kept);
};

struct Steps {
    int64_t K, R;
    void (*rows)(const Block &, int64_t row, int64_t n, const float * from, float * to); /* n a multiple of R */
    void (*row)(const Block &, int64_t row, int64_t n, const float * from, float * to);  /* any n */
};

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
namespace avx512 {
#define W 16
#define HELD HOLDS(1, 4) HOLDS(2, 4) HOLDS(4, 4) HOLDS(6, 2) HOLDS(8, 2) HOLDS(12, 1) HOLDS(16, 1)
#include "rows.h"
#undef W
#undef HELD
}
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define W 8
#define HELD /* sixteen registers: sweeps are as fast */
#include "rows.h"
#undef W
#undef HELD
}
#pragma GCC pop_options
#endif
namespace narrow { /* SSE2 or NEON */
#define W 4
#define HELD /* sixteen registers: sweeps are as fast */
#include "rows.h"
#undef W
#undef HELD
}

static int64_t most = 3; /* instruction sets beyond this are not used: 1 narrow, 2 AVX2, 3 AVX-512 */

extern "C" int64_t ps_delta_level(int64_t wanted) {
    if (wanted) most = wanted;
    int64_t able = 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) able = 2;
    if (able == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw")) able = 3;
#endif
    return able < most ? able : most;
}

#if defined(__x86_64__)
#define BY_LEVEL(of) (ps_delta_level(0) == 3 ? avx512::of : ps_delta_level(0) == 2 ? avx2::of : narrow::of)
#else
#define BY_LEVEL(of) narrow::of
#endif

extern "C" int64_t ps_delta_widest(void) { return WIDEST; }

/* One call, cut into pieces: piece = (sequence, value head, part of the rows) */

struct Work {
    const Delta * c;
    Rows by;
    Steps steps;
    int64_t parts, failed;
    float *surprise; /* [parts, passes, B, T, Hv]: sums of squares */
    float *dq, *dk;  /* [parts, B, Hv, T, Dk]: of each value head and part */
    float *da, *db;  /* [parts, B, Hv, T, K or 1], [parts, B, Hv, T] */
};

struct Piece {
    const Delta * c;
    const Work * w;
    int64_t b, h, part, first, rows, padded; /* rows of S: its own, and up to whole steps of R */
    int64_t blocks;                          /* of one pass */
    float *room, *s, *kept, *marks;
    Block x;
};

/* From a cache line's start. What is so large that malloc keeps none of it for the next call comes in large pages, where the system
 * has them: a page is a fault, and those of 4 KB took a third of a backward pass. */
static void * room_for(int64_t floats) {
    const size_t size = (size_t) (floats > 0 ? floats : 1) * 4, page = (size_t) 1 << 21;
    const bool large = size >= 16 * page;
    void * p = NULL;
    if (posix_memalign(&p, large ? page : 64, size)) return NULL;
#ifdef MADV_HUGEPAGE
    if (large) madvise(p, size / page * page, MADV_HUGEPAGE);
#endif
    return p;
}

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static Piece cut(const Work * w, int64_t piece, bool back) {
    const Delta * c = w->c;
    Piece p = {};
    p.c = c, p.w = w;
    p.part = piece % w->parts, p.h = piece / w->parts % c->Hv, p.b = piece / w->parts / c->Hv;
    const int64_t each = up((c->Dv + w->parts - 1) / w->parts, w->by.R), K = w->by.K, R = w->by.R;
    p.first = p.part * each;
    p.rows = c->Dv - p.first < each ? c->Dv - p.first : each;
    if (p.rows <= 0) {
        p.rows = 0;
        return p;
    }
    p.padded = up(p.rows, R), p.blocks = (c->T + TOKENS - 1) / TOKENS;
    const int64_t state = p.padded * K, row = TOKENS * K, col = up(TOKENS * p.padded, 16), few = up(TOKENS, 16);
    const int64_t marks = back ? state * p.blocks * c->passes : 0;
    p.room = (float *) room_for(state + 3 * row + 2 * few + 3 * col + (back ? 3 * row + (TOKENS + 1) * R * K + marks : 0));
    if (!p.room) return p;
    float * at = p.room;
    p.s = at, at += state;
    p.x.q = at, at += row, p.x.k = at, at += row, p.x.a = at, at += row;
    p.x.b = at, at += few, p.x.db = at, at += few;
    p.x.v = at, at += col, p.x.e = at, at += col, p.x.o = at, at += col;
    if (back) {
        p.x.dq = at, at += row, p.x.dk = at, at += row, p.x.da = at, at += row;
        p.kept = at, at += (TOKENS + 1) * R * K;
        p.marks = at;
    }
    p.x.rows = p.padded, p.x.K = K;
    return p;
}

static int64_t by_token(const Piece & p, int64_t t, int64_t heads, int64_t h) { return (p.b * p.c->T + t) * heads + h; }

/* [n, width] of `from`, token by token, with zeros beyond */
static void columns(const Piece & p, float * to, const void * from, int64_t at, int64_t width, int64_t first, int64_t stride) {
    for (int64_t t = 0; t < p.x.n; t++) {
        take(to + t * p.padded, from, by_token(p, at + t, p.c->Hv, p.h) * width + first, p.rows, p.c->dtype);
        memset(to + t * stride + p.rows, 0, (size_t) (stride - p.rows) * 4);
    }
}

static void gather(Piece & p, int64_t at) {
    const Delta * c = p.c;
    const int64_t K = p.w->by.K, Dk = c->Dk, hk = p.h / (c->Hv / c->Hk);
    p.x.n = c->T - at < TOKENS ? c->T - at : TOKENS;
    for (int64_t t = 0; t < p.x.n; t++) {
        const int64_t key = by_token(p, at + t, c->Hk, hk) * Dk, gate = by_token(p, at + t, c->Hv, p.h);
        float * q = p.x.q + t * K, * k = p.x.k + t * K, * a = p.x.a + t * K;
        take(q, c->q, key, Dk, c->dtype);
        take(k, c->k, key, Dk, c->dtype);
        for (int64_t j = Dk; j < K; j++) q[j] = k[j] = 0.0f;
        if (c->channels) {
            memcpy(a, c->decay + gate * Dk, (size_t) Dk * 4);
            for (int64_t j = Dk; j < K; j++) a[j] = 0.0f;
        } else p.x.a[t] = c->decay[gate];
        p.x.b[t] = c->beta[gate];
    }
    columns(p, p.x.v, c->v, at, c->Dv, p.first, p.padded);
}

static void open_state(const Piece & p, const float * from) { /* [rows, Dk] -> [padded, K] */
    const int64_t K = p.w->by.K, Dk = p.c->Dk;
    memset(p.s, 0, (size_t) (p.padded * K) * 4);
    if (!from) return;
    from += ((p.b * p.c->Hv + p.h) * p.c->Dv + p.first) * Dk;
    for (int64_t i = 0; i < p.rows; i++) memcpy(p.s + i * K, from + i * Dk, (size_t) Dk * 4);
}

static void close_state(const Piece & p, float * to) {
    const int64_t K = p.w->by.K, Dk = p.c->Dk;
    to += ((p.b * p.c->Hv + p.h) * p.c->Dv + p.first) * Dk;
    for (int64_t i = 0; i < p.rows; i++) memcpy(to + i * Dk, p.s + i * K, (size_t) Dk * 4);
}

static void tell_surprise(const Piece & p, int64_t pass, int64_t at) {
    const Delta * c = p.c;
    for (int64_t t = 0; t < p.x.n; t++) {
        float squares = 0.0f;
        for (int64_t i = 0; i < p.rows; i++) squares += p.x.e[t * p.padded + i] * p.x.e[t * p.padded + i];
        p.w->surprise[((p.part * c->passes + pass) * c->B * c->T * c->Hv) + by_token(p, at + t, c->Hv, p.h)] = squares;
    }
}

static void over_rows(const Piece & p) {
    const Rows & by = p.w->by;
    for (int64_t i = 0; i < p.padded; i += by.R) by.forward(p.x, i, p.s + i * by.K, NULL);
}

/* All passes over the tokens of a piece. With marks, the state before each block is kept there and nothing is given out. */
static void go_over(Piece & p) {
    const Delta * c = p.c;
    const int64_t state = p.padded * p.w->by.K;
    for (int64_t i = 0; i < p.blocks * c->passes; i++) {
        const int64_t at = i % p.blocks * TOKENS, pass = i / p.blocks;
        if (p.marks) memcpy(p.marks + i * state, p.s, (size_t) state * 4);
        if (p.marks && i == p.blocks * c->passes - 1) return;
        gather(p, at);
        over_rows(p);
        if (p.marks) continue;
        if (c->surprise) tell_surprise(p, pass, at);
        if (pass == c->passes - 1)
            for (int64_t t = 0; t < p.x.n; t++)
                give(c->out, by_token(p, at + t, c->Hv, p.h) * c->Dv + p.first, p.x.o + t * p.padded, p.rows, c->dtype);
    }
}

/* from the first state over all passes; false where a piece has no rows, or no room was to be had */
static bool begun(Work * w, Piece & p) {
    if (!p.rows) return false;
    if (!p.room) {
        __atomic_store_n(&w->failed, 1, __ATOMIC_RELAXED);
        return false;
    }
    open_state(p, w->c->state);
    go_over(p);
    return true;
}

static void forward_piece(void * with, int64_t piece) {
    Work * w = (Work *) with;
    Piece p = cut(w, piece, false);
    if (!begun(w, p)) return;
    close_state(p, w->c->last);
    free(p.room);
}

/* slopes of a block, onto those that earlier blocks of later passes left */
static void add_up(const Piece & p, int64_t at, bool whole) {
    const Delta * c = p.c;
    const int64_t K = p.w->by.K, Dk = c->Dk, W = p.w->by.W;
    const int64_t mine = ((p.part * c->B + p.b) * c->Hv + p.h) * c->T + at;
    for (int64_t t = 0; t < p.x.n; t++) {
        float * dq = p.w->dq + (mine + t) * Dk, * dk = p.w->dk + (mine + t) * Dk, * da = p.w->da + (mine + t) * (c->channels ? Dk : 1);
        const float * ga = p.x.da + t * (c->channels ? K : W);
        float one = 0.0f;
        for (int64_t j = 0; j < Dk; j++) {
            dq[j] = (whole ? 0.0f : dq[j]) + p.x.dq[t * K + j];
            dk[j] = (whole ? 0.0f : dk[j]) + p.x.dk[t * K + j];
        }
        if (c->channels) for (int64_t j = 0; j < Dk; j++) da[j] = (whole ? 0.0f : da[j]) + ga[j];
        else {
            for (int64_t j = 0; j < W; j++) one += ga[j];
            *da = (whole ? 0.0f : *da) + one;
        }
        p.w->db[mine + t] = (whole ? 0.0f : p.w->db[mine + t]) + p.x.db[t];
    }
}

static void give_dv(Piece & p, int64_t at, bool whole) {
    const Delta * c = p.c;
    float * sums = p.x.e; /* errors are done with */
    for (int64_t t = 0; t < p.x.n; t++) {
        const int64_t to = by_token(p, at + t, c->Hv, p.h) * c->Dv + p.first;
        float * dv = p.x.v + t * p.padded, * held = (float *) c->dv + to;
        if (c->passes > 1) { /* held as float32 until the last pass is added */
            for (int64_t i = 0; i < p.rows; i++) sums[i] = (whole ? 0.0f : held[i]) + dv[i];
            memcpy(held, sums, (size_t) p.rows * 4);
        } else give(c->dv, to, dv, p.rows, c->dtype);
    }
}

static void backward_block(Piece & p, int64_t i) {
    const Delta * c = p.c;
    const Rows & by = p.w->by;
    const int64_t at = i % p.blocks * TOKENS, last = c->passes - 1, pass = i / p.blocks, K = by.K;
    gather(p, at);
    memset(p.x.dq, 0, (size_t) (3 * TOKENS * K) * 4); /* dk and da lie behind it */
    memset(p.x.db, 0, (size_t) p.x.n * 4);
    if (pass == last) columns(p, p.x.o, c->dout, at, c->Dv, p.first, p.padded);
    else memset(p.x.o, 0, (size_t) (p.x.n * p.padded) * 4);
    float * from = p.marks + i * p.padded * K;
    for (int64_t row = 0; row < p.padded; row += by.R) {
        by.keep(p.x, row, from + row * K, p.kept);
        by.backward(p.x, row, p.s + row * K, p.kept);
    }
    add_up(p, at, pass == last);
    give_dv(p, at, pass == last);
}

static void backward_piece(void * with, int64_t piece) {
    Work * w = (Work *) with;
    Piece p = cut(w, piece, true);
    if (!begun(w, p)) return;
    open_state(p, w->c->dlast);
    for (int64_t i = p.blocks * w->c->passes - 1; i >= 0; i--) backward_block(p, i);
    close_state(p, w->c->dstate);
    free(p.room);
}

/* parts, and value heads of one key head, in order */
static void reduce_token(void * with, int64_t bt) {
    const Work * w = (const Work *) with;
    const Delta * c = w->c;
    const int64_t Dk = c->Dk, group = c->Hv / c->Hk, b = bt / c->T, t = bt % c->T, gates = c->channels ? Dk : 1;
    float dq[WIDEST], dk[WIDEST];
    for (int64_t hk = 0; hk < c->Hk; hk++) {
        memset(dq, 0, (size_t) Dk * 4);
        memset(dk, 0, (size_t) Dk * 4);
        for (int64_t h = hk * group; h < (hk + 1) * group; h++) {
            const int64_t gate = (b * c->T + t) * c->Hv + h;
            for (int64_t j = 0; j < gates; j++) c->ddecay[gate * gates + j] = 0.0f;
            c->dbeta[gate] = 0.0f;
            for (int64_t part = 0; part < w->parts; part++) {
                const int64_t mine = ((part * c->B + b) * c->Hv + h) * c->T + t;
                for (int64_t j = 0; j < Dk; j++) dq[j] += w->dq[mine * Dk + j], dk[j] += w->dk[mine * Dk + j];
                for (int64_t j = 0; j < gates; j++) c->ddecay[gate * gates + j] += w->da[mine * gates + j];
                c->dbeta[gate] += w->db[mine];
            }
        }
        give(c->dq, ((b * c->T + t) * c->Hk + hk) * Dk, dq, Dk, c->dtype);
        give(c->dk, ((b * c->T + t) * c->Hk + hk) * Dk, dk, Dk, c->dtype);
    }
}

static int64_t parts_of(const Delta * c, int64_t R) {
    const int64_t heads = c->B * c->Hv, most_parts = (c->Dv + R - 1) / R, wanted = (PIECES + heads - 1) / heads;
    const int64_t parts = wanted < most_parts ? wanted : most_parts;
    return (c->Dv + up((c->Dv + parts - 1) / parts, R) - 1) / up((c->Dv + parts - 1) / parts, R); /* none without rows */
}

static Work begin(const Delta * c) {
    Work w = {};
    w.c = c, w.failed = c->Dk > WIDEST;
    if (w.failed) return w;
    w.by = BY_LEVEL(rows)(c->Dk, c->channels), w.steps = BY_LEVEL(steps)(c->Dk, c->channels);
    w.parts = parts_of(c, w.by.R);
    return w;
}

/* 0, or why not: 1 more than WIDEST channels, 2 no memory */
extern "C" int64_t ps_delta_forward(const Delta * c) {
    Work w = begin(c);
    if (w.failed) return 1;
    const int64_t n = c->passes * c->B * c->T * c->Hv;
    if (c->surprise && !(w.surprise = (float *) room_for(w.parts * n))) return 2;
    ps_each(forward_piece, &w, c->B * c->Hv * w.parts);
    if (c->surprise)
        for (int64_t i = 0; i < n; i++) {
            float squares = 0.0f;
            for (int64_t part = 0; part < w.parts; part++) squares += w.surprise[part * n + i];
            c->surprise[i] = sqrtf(squares);
        }
    free(w.surprise);
    return w.failed ? 2 : 0;
}

/* dv is float32 where there are several passes. */
extern "C" int64_t ps_delta_backward(const Delta * c) {
    Work w = begin(c);
    if (w.failed) return 1;
    const int64_t n = w.parts * c->B * c->Hv * c->T;
    float * room = (float *) room_for(n * (2 * c->Dk + (c->channels ? c->Dk : 1) + 1));
    if (!room) return 2;
    w.dq = room, w.dk = w.dq + n * c->Dk, w.da = w.dk + n * c->Dk, w.db = w.da + n * (c->channels ? c->Dk : 1);
    ps_each(backward_piece, &w, c->B * c->Hv * w.parts);
    if (!w.failed) ps_each(reduce_token, &w, c->B * c->T);
    free(room);
    return w.failed ? 2 : 0;
}

/* One token (T = 1): S is read once and written once. */
static void step_piece(void * with, int64_t piece) {
    const Work * w = (const Work *) with;
    const Delta * c = w->c;
    const Steps & by = w->steps;
    const int64_t h = piece % c->Hv, b = piece / c->Hv, Dk = c->Dk, Dv = c->Dv, gate = b * c->Hv + h;
    const int64_t K = by.K, key = (b * c->Hk + h / (c->Hv / c->Hk)) * Dk;
    alignas(64) float q[WIDEST], k[WIDEST], a[WIDEST], row[WIDEST];
    float beta = c->beta[gate];
    float * v = (float *) room_for(3 * Dv);
    if (!v) {
        __atomic_store_n((int64_t *) &w->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    take(q, c->q, key, Dk, c->dtype);
    take(k, c->k, key, Dk, c->dtype);
    memcpy(a, c->decay + gate * (c->channels ? Dk : 1), (size_t) (c->channels ? Dk : 1) * 4);
    for (int64_t j = Dk; j < K; j++) q[j] = k[j] = row[j] = 0.0f;
    if (c->channels) for (int64_t j = Dk; j < K; j++) a[j] = 0.0f;
    take(v, c->v, gate * Dv, Dv, c->dtype);
    Block x = {};
    x.n = 1, x.rows = Dv, x.K = K, x.q = q, x.k = k, x.a = a, x.b = &beta, x.v = v, x.e = v + Dv, x.o = v + 2 * Dv;
    const float * from = c->state + gate * Dv * Dk;
    float * to = c->last + gate * Dv * Dk;
    const int64_t whole = K == Dk ? Dv - Dv % by.R : 0;
    by.rows(x, 0, whole, from, to);
    for (int64_t i = whole; i < Dv; i++) { /* rows that do not fill their vectors, or are left over */
        memcpy(row, from + i * Dk, (size_t) Dk * 4);
        by.row(x, i, 1, row, row);
        memcpy(to + i * Dk, row, (size_t) Dk * 4);
    }
    give(c->out, gate * Dv, x.o, Dv, c->dtype);
    if (c->surprise) {
        float squares = 0.0f;
        for (int64_t j = 0; j < Dv; j++) squares += x.e[j] * x.e[j];
        c->surprise[gate] = sqrtf(squares);
    }
    free(v);
}

extern "C" int64_t ps_delta_step(const Delta * c) {
    Work w = begin(c);
    if (w.failed) return 1;
    ps_each(step_piece, &w, c->B * c->Hv);
    return w.failed ? 2 : 0;
}

/* What a step is measured against: n floats read and written once, by the same threads. */
struct Stream {
    const float * from;
    float * to;
    int64_t n;
};

#define STRETCH 16384

WIDE static void stretch(const float * from, float * to, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = from[i] * 0.999f;
}

static void stream_piece(void * with, int64_t piece) {
    const Stream * s = (const Stream *) with;
    const int64_t end = (piece + 1) * STRETCH < s->n ? (piece + 1) * STRETCH : s->n;
    stretch(s->from + piece * STRETCH, s->to + piece * STRETCH, end - piece * STRETCH);
}

extern "C" void ps_delta_stream(const float * from, float * to, int64_t n) {
    Stream s = {from, to, n};
    ps_each(stream_piece, &s, (n + STRETCH - 1) / STRETCH);
}
