/* A thread pool on futexes and pthread_create.

   One counter holds an epoch and the number of tasks left to claim; what the tasks are is only
   written while nothing can be claimed, so a claim never mixes two regions.  The caller works
   too, and never waits for a worker that sleeps.  A second caller, and one inside a task, runs
   serially. */
#include "ej.h"
#include <stddef.h>
#define EXPORT __attribute__((visibility("default")))
#define RELAXED __ATOMIC_RELAXED
#define load(p, order) __atomic_load_n(p, order)
#define store(p, v, order) __atomic_store_n(p, v, order)

extern int pthread_create(void *, const void *, void *(*)(void *), void *) __attribute__((weak));
extern long syscall(long, ...);
#if defined(__x86_64__)
enum { FUTEX = 202, YIELD = 24 };
#define pause() __builtin_ia32_pause()
#else
enum { FUTEX = 98, YIELD = 124 };
#define pause() __builtin_arm_yield()
#endif
enum { WAIT = 128, WAKE = 129, SPINS = 3000, MOST = 256 };

static ej_pool head;
static int64_t workers;
static uint64_t left __attribute__((aligned(64)));   /* epoch << 32 | tasks left */
static int64_t done __attribute__((aligned(64)));
static uint32_t generation __attribute__((aligned(64)));
static uint32_t sleepers __attribute__((aligned(64)));
static uint32_t busy __attribute__((aligned(64)));
static ej_task *job;
static void *job_table;
static int64_t job_size;

static void drain(void) {
    for (;;) {
        uint64_t seen = load(&left, __ATOMIC_ACQUIRE);
        uint64_t rest = seen & 0xffffffffu;
        if (!rest) return;
        ej_task *task = load(&job, RELAXED);
        void *table = load(&job_table, RELAXED);
        int64_t n = load(&job_size, RELAXED);
        if (!__atomic_compare_exchange_n(&left, &seen, seen - 1, 0, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) continue;
        task(table, n - (int64_t)rest, n);
        __atomic_fetch_add(&done, 1, __ATOMIC_ACQ_REL);
    }
}

static void *work(void *unused) {
    uint32_t last = 0;
    (void)unused;
    for (;;) {
        uint32_t now = last;
        for (int spin = 0; spin < SPINS && (now = load(&generation, __ATOMIC_ACQUIRE)) == last;
             spin++) pause();
        if (now == last) {
            __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
            while ((now = load(&generation, __ATOMIC_SEQ_CST)) == last)
                syscall(FUTEX, &generation, WAIT, last, NULL, NULL, 0);
            __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
        }
        last = now;
        drain();
    }
    return NULL;
}

static void start(void) {
    uint64_t thread;
    while (workers < head.threads - 1 && pthread_create &&
           !pthread_create(&thread, NULL, work, NULL)) workers++;
    if (workers < head.threads - 1) head.threads = workers + 1;
}

static void parallel_for(ej_pool *pool, ej_task *task, void *table, int64_t n) {
    (void)pool;
    uint32_t free_ = 0;
    if (head.threads <= 1 || !__atomic_compare_exchange_n(&busy, &free_, 1, 0, __ATOMIC_ACQUIRE,
                                                          RELAXED)) {
        for (int64_t k = 0; k < n; k++) task(table, k, n);
        return;
    }
    if (workers < head.threads - 1) start();
    uint64_t epoch = (load(&left, RELAXED) >> 32) + 1;
    store(&job, task, RELAXED);
    store(&job_table, table, RELAXED);
    store(&job_size, n, RELAXED);
    store(&done, 0, RELAXED);
    store(&left, epoch << 32 | (uint64_t)n, __ATOMIC_RELEASE);
    __atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
    if (load(&sleepers, __ATOMIC_SEQ_CST)) syscall(FUTEX, &generation, WAKE, MOST, NULL, NULL, 0);
    drain();
    /* Where cores are fewer than threads, the last task may lie with a thread that waits for one. */
    for (int spin = 0; load(&done, __ATOMIC_ACQUIRE) != n; spin++) {
        if (spin < SPINS) pause();
        else syscall(YIELD);
    }
    store(&busy, 0, __ATOMIC_RELEASE);
}

/* The pool of this object with at least so many threads, the caller counted; threads start when
   they are first needed. */
EXPORT ej_pool *ej_pool_start(int64_t threads) {
    head.parallel_for = parallel_for;
    if (threads > MOST) threads = MOST;
    if (threads > head.threads) head.threads = threads;
    return &head;
}

/* In a child after fork: no worker came along, and none of the state means anything. */
EXPORT void ej_pool_after_fork(void) {
    workers = 0;
    left = 0;
    done = 0;
    generation = 0;
    sleepers = 0;
    busy = 0;
}
