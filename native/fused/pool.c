/* A pool of threads that wait awake for a moment (a training step asks for them every few microseconds) and asleep after that. */
#include "pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 64
#define AWAKE 4000 /* looks before sleep, some 100 microseconds */

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;
static int64_t threads = 1, started = 1; /* the caller counts */
static uint32_t round_number;            /* a new one is a call to work */
static int64_t asleep, working, next, last;
static void (*work_now)(void *, int64_t);
static void * with_now;

static inline void breathe(int64_t looks) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    if (looks % 64 == 63) sched_yield(); /* others may need this processor to get on */
}

static void take(void) {
    for (;;) {
        const int64_t piece = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
        if (piece >= last) return;
        work_now(with_now, piece);
    }
}

typedef struct {
    uint32_t seen;
    int64_t number; /* the caller is 0 */
} Begin;

static void * serve(void * with) {
    const Begin begin = *(Begin *) with;
    uint32_t seen = begin.seen;
    free(with);
    for (;;) {
        uint32_t now;
        for (int64_t looks = 0; (now = __atomic_load_n(&round_number, __ATOMIC_ACQUIRE)) == seen; looks++) {
            if (looks < AWAKE) {
                breathe(looks);
                continue;
            }
            __atomic_fetch_add(&asleep, 1, __ATOMIC_SEQ_CST);
            syscall(SYS_futex, &round_number, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
            __atomic_fetch_sub(&asleep, 1, __ATOMIC_SEQ_CST);
        }
        seen = now;
        if (begin.number < __atomic_load_n(&threads, __ATOMIC_RELAXED)) take();
        __atomic_fetch_sub(&working, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void alone(void) { /* a child of fork has none of its parent's threads */
    started = 1;
    asleep = working = 0;
    pthread_mutex_init(&busy, NULL);
}

static void start(void) {
    static int once;
    if (!once) {
        once = 1;
        pthread_atfork(NULL, NULL, alone);
    }
    while (started < threads) {
        pthread_t thread;
        Begin * begin = malloc(sizeof *begin);
        if (!begin) return; /* go on with fewer */
        *begin = (Begin) {round_number, started};
        if (pthread_create(&thread, NULL, serve, begin)) {
            free(begin);
            return;
        }
        pthread_detach(thread);
        started++;
    }
}

void ps_threads(int64_t wanted) {
    pthread_mutex_lock(&busy);
    __atomic_store_n(&threads, wanted < 1 ? 1 : wanted > MOST ? MOST : wanted, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&busy);
}

void ps_each(void (*work)(void *, int64_t), void * with, int64_t pieces) {
    if (pieces < 2 || pthread_mutex_trylock(&busy)) {
        for (int64_t i = 0; i < pieces; i++) work(with, i);
        return;
    }
    start();
    work_now = work, with_now = with, last = pieces;
    __atomic_store_n(&next, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&working, started - 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&round_number, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST) > 0) syscall(SYS_futex, &round_number, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    take();
    for (int64_t looks = 0; __atomic_load_n(&working, __ATOMIC_ACQUIRE) > 0; looks++) breathe(looks);
    pthread_mutex_unlock(&busy);
}
