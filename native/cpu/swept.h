/* R rows of S lie in the nearest cache and are swept over once a token: what token t - 1 wrote is put in, and what stands there
 * then is read, by its query and by the key of token t. So a number of S is loaded and stored once a token, beside four operations
 * that take longer; k and q are loaded once for R rows. Included by rows.h; K, a multiple of W, is a number of the block. */

/* Sums of S k_t into `recalled` (READ) and of S q_{t-1} into `out` (SAY), by row; u: what token t - 1 writes (WRITE). */
template <int R, bool CHANNELS, bool WRITE, bool READ, bool SAY, bool STORE>
HOT void sweep(const Block & x, int64_t t, const float * from, float * to, const float * u, V * recalled, V * out) {
    const int64_t K = x.K, here = t * K, before = here - K;
    V w[R], fade = {};
    if (WRITE) ALL(r, R) w[r] = u[r] - V {};
    if (WRITE && !CHANNELS) fade = x.a[t - 1] - V {};
    for (int64_t c = 0; c < K; c += W) {
        V read = {}, wrote = {}, asked = {};
        if (READ) read = CHANNELS ? load(x.k + here + c) * load(x.a + here + c) : load(x.k + here + c);
        if (WRITE) wrote = load(x.k + before + c);
        if (WRITE && CHANNELS) fade = load(x.a + before + c);
        if (SAY) asked = load(x.q + before + c);
        ALL(r, R) {
            V S = load(from + r * K + c);
            if (!WRITE) __builtin_prefetch(from + AHEAD + r * K + c);
            if (WRITE) S = S * fade + w[r] * wrote;
            if (STORE) store(to + r * K + c, S);
            if (READ) recalled[r] += S * read;
            if (SAY) out[r] += S * asked;
        }
    }
}

/* Of what was recalled at token t: the errors, and what is written, u. */
template <int R, bool CHANNELS>
HOT void correct(const Block & x, int64_t t, const float * v, float * e, const V * recalled, float * u) {
    float said[R];
    totals<R>(recalled, said);
    ALL(r, R) {
        e[r] = v[r] - (CHANNELS ? said[r] : x.a[t] * said[r]);
        u[r] = x.b[t] * e[r];
    }
}

template <bool CHANNELS, bool KEEP>
static void forward(const Block & block, int64_t row, float * s, float * kept) {
    const Block x = block;
    const int64_t each = KEEP ? ROWS * x.K : 0; /* S stays in its place, or each token's is kept */
    float u[ROWS], * at = KEEP ? kept : s;
    for (int64_t t = 0; t <= x.n; t++, at += each) {
        V recalled[ROWS] = {}, out[ROWS] = {};
        const int64_t here = t * x.rows + row;
        if (t == 0) sweep<ROWS, CHANNELS, false, true, false, KEEP>(x, t, s, at, u, recalled, out);
        else if (t < x.n) sweep<ROWS, CHANNELS, true, true, !KEEP, true>(x, t, at - each, at, u, recalled, out);
        else sweep<ROWS, CHANNELS, true, false, !KEEP, true>(x, t, at - each, at, u, recalled, out);
        if (t && !KEEP) totals<ROWS>(out, x.o + here - x.rows);
        if (t < x.n) correct<ROWS, CHANNELS>(x, t, x.v + here, x.e + here, recalled, u);
    }
}

/* Backwards: token t + 1 is done with (DONE), and token t taken up (TAKE). `old` is S between the two. */
template <bool CHANNELS, bool DONE, bool TAKE>
HOT void sweep_back(const Block & x, int64_t t, int64_t row, float * ds, const float * old, const float * de, V * du) {
    const int64_t K = x.K, here = t * K, later = here + K;
    V written[ROWS], error[ROWS], slope[ROWS], fade = {}, whole = {};
    if (DONE) ALL(r, ROWS) error[r] = de[r] - V {};
    if (DONE && !CHANNELS) fade = x.a[t + 1] - V {};
    if (TAKE) ALL(r, ROWS) slope[r] = x.o[t * x.rows + row + r] - V {};
    if (TAKE) ALL(r, ROWS) written[r] = x.b[t] * x.e[t * x.rows + row + r] - V {};
    for (int64_t c = 0; c < K; c += W) {
        V k = {}, q = {}, gq = {}, gk = {}, done = {}, taken = {}, ga = {};
        if (DONE) done = load(x.k + later + c);
        if (DONE && CHANNELS) fade = load(x.a + later + c);
        if (TAKE) k = load(x.k + here + c), q = load(x.q + here + c), gq = load(x.dq + here + c), gk = load(x.dk + here + c);
        ALL(r, ROWS) {
            const V was = load(old + r * K + c);
            V d = load(ds + r * K + c);
            if (DONE) {
                d -= error[r] * done;
                taken += error[r] * was;
                ga += d * was;
                d *= fade;
            }
            if (TAKE) {
                d += slope[r] * q;
                du[r] += d * k;
                gq += slope[r] * was;
                gk += written[r] * d;
            }
            store(ds + r * K + c, d);
        }
        if (TAKE) store(x.dq + here + c, gq), store(x.dk + here + c, gk);
        if (DONE) store(x.dk + later + c, load(x.dk + later + c) - fade * taken);
        if (DONE && CHANNELS) store(x.da + later + c, load(x.da + later + c) + ga);
        whole += ga;
    }
    if (DONE && !CHANNELS) store(x.da + (t + 1) * W, load(x.da + (t + 1) * W) + whole);
}

template <bool CHANNELS>
static void backward(const Block & block, int64_t row, float * ds, const float * kept) {
    const Block x = block;
    float de[ROWS], d[ROWS];
    for (int64_t t = x.n - 1; t >= -1; t--) {
        V du[ROWS] = {};
        const float * old = kept + (t + 1) * ROWS * x.K;
        if (t == x.n - 1) sweep_back<CHANNELS, false, true>(x, t, row, ds, old, de, du);
        else if (t >= 0) sweep_back<CHANNELS, true, true>(x, t, row, ds, old, de, du);
        else sweep_back<CHANNELS, true, false>(x, t, row, ds, old, de, du);
        if (t < 0) return;
        totals<ROWS>(du, d);
        ALL(r, ROWS) {
            de[r] = x.b[t] * d[r];
            x.db[t] += d[r] * x.e[t * x.rows + row + r];
            x.v[t * x.rows + row + r] = de[r];
        }
    }
}

template <int R, bool CHANNELS>
static void step(const Block & block, int64_t row, int64_t n, const float * from, float * to) {
    const Block x = block;
    for (int64_t i = row; i < row + n; i += R, from += R * x.K, to += R * x.K) {
        V recalled[R] = {}, out[R] = {};
        float u[R];
        sweep<R, CHANNELS, false, true, false, false>(x, 0, from, to, u, recalled, out);
        correct<R, CHANNELS>(x, 0, x.v + i, x.e + i, recalled, u);
        sweep<R, CHANNELS, true, false, true, true>(x, 1, from, to, u, recalled, out);
        totals<R>(out, x.o + i);
    }
}
