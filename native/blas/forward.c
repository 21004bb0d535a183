/* The three matrix products that libmlx imports, handed on to another BLAS.
 *
 * MLX's CPU wheel for Linux binds cblas_?gemm to reference BLAS. This library defines the same names;
 * loaded with RTLD_GLOBAL before libmlx, it is found first. NumPy's OpenBLAS takes 64-bit integers
 * under prefixed names, so every call widens its integers; the addresses are given by ps_blas_bind. */
#include <stdint.h>

typedef void (*sgemm_t)(int32_t, int32_t, int32_t, int64_t, int64_t, int64_t, float,
                        const float *, int64_t, const float *, int64_t, float, float *, int64_t);
typedef void (*dgemm_t)(int32_t, int32_t, int32_t, int64_t, int64_t, int64_t, double,
                        const double *, int64_t, const double *, int64_t, double, double *, int64_t);
typedef void (*cgemm_t)(int32_t, int32_t, int32_t, int64_t, int64_t, int64_t, const void *,
                        const void *, int64_t, const void *, int64_t, const void *, void *, int64_t);

static sgemm_t sgemm;
static dgemm_t dgemm;
static cgemm_t cgemm;
static int64_t calls;

void ps_blas_bind(void * s, void * d, void * c) {
    sgemm = (sgemm_t) s; dgemm = (dgemm_t) d; cgemm = (cgemm_t) c;
}

/* How many products came through here: proof that libmlx found these names. */
int64_t ps_blas_calls(void) { return __atomic_load_n(&calls, __ATOMIC_RELAXED); }

static void count(void) { __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED); }

void cblas_sgemm(int32_t order, int32_t ta, int32_t tb, int32_t m, int32_t n, int32_t k, float alpha,
                 const float * a, int32_t lda, const float * b, int32_t ldb, float beta, float * c, int32_t ldc) {
    count();
    sgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas_dgemm(int32_t order, int32_t ta, int32_t tb, int32_t m, int32_t n, int32_t k, double alpha,
                 const double * a, int32_t lda, const double * b, int32_t ldb, double beta, double * c, int32_t ldc) {
    count();
    dgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas_cgemm(int32_t order, int32_t ta, int32_t tb, int32_t m, int32_t n, int32_t k, const void * alpha,
                 const void * a, int32_t lda, const void * b, int32_t ldb, const void * beta, void * c, int32_t ldc) {
    count();
    cgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
