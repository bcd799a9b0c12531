/* Threads that share the chunks of a parallel loop. docs/native-code.md says how they are used.
 *
 * Models are compiled where there need not be a C compiler, so what is used is the LLVM IR that clang makes
 * of this file, pool_x86_64.ll and pool_aarch64.ll: `make pool` writes them anew after a change, and a test
 * compares them. One text then serves models that are compiled in this process and libraries alike.
 *
 * One job runs at a time. Its chunks are claimed one by one, in ascending order, by the thread that brings
 * the job and by workers; the caller never waits for a worker to wake up, only for chunks that workers are in
 * the middle of. Who computes a chunk is left to chance, what a chunk computes is not.
 *
 * pool.ticket holds the number of the job (upper half) and how many of its chunks are unclaimed (lower half).
 * Whoever decrements it has a chunk. The words of the job are written only while nothing is unclaimed and
 * nothing is being computed, so that a worker whose decrement succeeds has read words of the very job that it
 * works for; one whose decrement fails may have read those of the next job, for which they are atomic.
 *
 * After a fork the child has no workers: pool.owner is the process that the workers live in, and a process
 * that is not the owner begins anew.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CACHE_LINE 64
#define MAX_WORKERS 256
#define PATIENCE 2000 /* turns of a loop that waits before the thread goes to sleep: tens of microseconds */

#define ONE_JOB (UINT64_C(1) << 32)
#define CHUNKS_OF_TICKET (ONE_JOB - 1)

#define relaxed memory_order_relaxed
#define acquire memory_order_acquire
#define release memory_order_release
#define acquire_release memory_order_acq_rel
#define sequential memory_order_seq_cst

typedef void chunk_body(void *environment, int64_t chunk);

/* What different threads write lies in different cache lines, and what a worker reads of a job in a single
 * one. It is one object because clang would lay out several as it likes. */
static struct {
    _Alignas(CACHE_LINE) _Atomic uint64_t ticket;

    _Alignas(CACHE_LINE) _Atomic uint32_t finished; /* chunks of this job that workers are done with */
    _Atomic uint32_t caller_sleeps;                 /* on `finished` */

    _Alignas(CACHE_LINE) _Atomic uint32_t sleepers; /* workers that sleep on the upper half of the ticket */
    _Atomic uint32_t stopping;

    _Alignas(CACHE_LINE) _Atomic uint32_t busy; /* 1 while a thread brings a job or starts workers */
    _Atomic int32_t owner;                      /* the process; minus the process while it takes over */
    uint64_t workers;

    /* the job */
    _Alignas(CACHE_LINE) _Atomic(chunk_body *) body;
    _Atomic(void *) environment;
    _Atomic int64_t chunks;
    _Atomic int64_t threads;           /* that may work on it, the caller included */
    _Atomic uint32_t float_mode;       /* rounding and denormals, as the caller has them */
    _Atomic uint32_t caller_processor; /* that the caller ran on */

    _Alignas(CACHE_LINE) pthread_t handles[MAX_WORKERS];
} pool = {.caller_processor = UINT32_MAX};

/* LLVM believes that a function which reads the mode depends on nothing, and might call it once instead of twice. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* What differs from one architecture to the next. */

#if defined(__x86_64__)

static inline void pause_briefly(void) { __builtin_ia32_pause(); }

/* Without the flags of exceptions that happened. */
static ALWAYS_INLINE uint32_t get_float_mode(void) { return __builtin_ia32_stmxcsr() & ~UINT32_C(63); }

static inline void write_float_mode(uint32_t mode) { __builtin_ia32_ldmxcsr(mode); }

#elif defined(__aarch64__) && defined(__clang__)

static inline void pause_briefly(void) { __builtin_arm_yield(); }

static ALWAYS_INLINE uint32_t get_float_mode(void) { return (uint32_t)__builtin_arm_rsr64("fpcr"); }

static inline void write_float_mode(uint32_t mode) { __builtin_arm_wsr64("fpcr", mode); }

#elif defined(__aarch64__)

static inline void pause_briefly(void) { __asm__ volatile("yield"); }

static ALWAYS_INLINE uint32_t get_float_mode(void) { return __builtin_aarch64_get_fpcr(); }

static inline void write_float_mode(uint32_t mode) { __builtin_aarch64_set_fpcr(mode); }

#else
#error "nobody has told how this architecture waits and rounds"
#endif

/* Reading is cheap, writing is not. */
static inline void set_float_mode(uint32_t mode) {
    if (get_float_mode() != mode) write_float_mode(mode);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the upper half of the ticket is its second word");

/* The half of the ticket that changes with every job; a futex is a word of 32 bits. */
static inline void *job_number(void) { return (char *)&pool.ticket + 4; }

static void futex_wait(void *word, uint32_t value) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL); }

static void futex_wake(void *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX); }

static bool take(void) {
    uint32_t idle = 0;
    return atomic_compare_exchange_strong_explicit(&pool.busy, &idle, 1, acquire, relaxed);
}

/* Forgets what the parent's threads were doing; whether this thread is the one of the process that did. */
static bool take_over(int32_t process, int32_t owner) {
    int32_t taking = -process;
    if (owner == taking) return false;
    if (!atomic_compare_exchange_strong_explicit(&pool.owner, &owner, taking, acquire_release, relaxed)) return false;
    atomic_store_explicit(&pool.ticket, 0, relaxed);
    atomic_store_explicit(&pool.caller_sleeps, 0, relaxed);
    atomic_store_explicit(&pool.sleepers, 0, relaxed);
    atomic_store_explicit(&pool.stopping, 0, relaxed);
    pool.workers = 0;
    atomic_store_explicit(&pool.busy, 0, relaxed);
    atomic_store_explicit(&pool.owner, process, release);
    return true;
}

/* Whether the pool is the calling thread's, until it stores 0 into pool.busy. The system is asked for the
 * process at every call: what pthread_atfork registers would outlive a library that is unloaded. */
static bool enter(void) {
    int32_t process = getpid();
    int32_t owner = atomic_load_explicit(&pool.owner, acquire);
    return (owner == process || take_over(process, owner)) && take();
}

/* Keeps the calling worker off the processor that it shares with the caller. A scheduler that likes to leave
 * processors idle, or thinks that the other one is slow, puts them together, and does so again at the next
 * time the worker wakes: so the worker stays away from that processor, until it meets the caller on another
 * one. */
static void leave_caller(const cpu_set_t *home) {
    uint32_t here = (uint32_t)sched_getcpu();
    uint32_t there = atomic_load_explicit(&pool.caller_processor, relaxed);
    if (here != there || here >= CPU_SETSIZE) return;
    cpu_set_t others = *home;
    CPU_CLR(here, &others);
    sched_setaffinity(0, sizeof others, &others); /* fails where there is no other */
}

/* Claims and computes chunks of the present job while there are any; returns how many. Thread 0 is the
 * caller. */
static int64_t work(int64_t thread) {
    int64_t computed = 0;
    for (;;) {
        uint64_t ticket = atomic_load_explicit(&pool.ticket, acquire);
        int64_t unclaimed = (int64_t)(ticket & CHUNKS_OF_TICKET);
        if (unclaimed == 0) return computed;
        int64_t threads = atomic_load_explicit(&pool.threads, relaxed);
        int64_t chunks = atomic_load_explicit(&pool.chunks, relaxed);
        chunk_body *body = atomic_load_explicit(&pool.body, relaxed);
        void *environment = atomic_load_explicit(&pool.environment, relaxed);
        uint32_t mode = atomic_load_explicit(&pool.float_mode, relaxed);
        if (thread >= threads) return computed;
        bool claimed =
            atomic_compare_exchange_strong_explicit(&pool.ticket, &ticket, ticket - 1, acquire_release, relaxed);
        if (!claimed) continue;
        set_float_mode(mode);
        body(environment, chunks - unclaimed);
        computed++;
        if (thread == 0) continue;
        atomic_fetch_add_explicit(&pool.finished, 1, sequential);
        if (atomic_load_explicit(&pool.caller_sleeps, sequential)) futex_wake(&pool.finished);
    }
}

/* Waits a while for another job than this one. */
static bool await_job(uint32_t number) {
    for (int turn = 0; turn <= PATIENCE; turn++) {
        if (atomic_load_explicit(&pool.ticket, acquire) >> 32 != number) return true;
        pause_briefly();
    }
    return false;
}

/* A thread of the pool; `index` counts from 0, so that it is thread index + 1 of a pool. */
static void *worker(void *index) {
    cpu_set_t home; /* where it may run */
    bool home_known = sched_getaffinity(0, sizeof home, &home) >= 0;
    for (;;) {
        if (home_known) leave_caller(&home);
        uint32_t number = (uint32_t)(atomic_load_explicit(&pool.ticket, acquire) >> 32);
        work((int64_t)(intptr_t)index + 1);
        if (atomic_load_explicit(&pool.stopping, acquire)) return NULL;
        if (await_job(number)) continue; /* the next loop of a model is not far */
        atomic_fetch_add_explicit(&pool.sleepers, 1, sequential);
        futex_wait(job_number(), number);
        atomic_fetch_sub_explicit(&pool.sleepers, 1, sequential);
    }
}

/* Starts workers until there are `wanted`; where the system gives no more, there are fewer. */
static void start_workers(uint64_t wanted) {
    while (pool.workers < wanted) {
        void *index = (void *)(uintptr_t)pool.workers;
        if (pthread_create(&pool.handles[pool.workers], NULL, worker, index) != 0) return;
        pool.workers++;
    }
}

/* Starts workers until there are `threads` with the caller, with all signals blocked: they are for the
 * caller's threads. */
static void grow(int64_t threads) {
    uint64_t wanted = (threads > MAX_WORKERS ? MAX_WORKERS + 1 : (uint64_t)threads) - 1;
    if (pool.workers >= wanted) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    start_workers(wanted);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Makes the next job visible and wakes who sleeps. A worker that goes to sleep counts itself before the
 * system compares the ticket; the ticket is stored before the sleepers are counted: one of the two sees the
 * other. */
static void announce(int64_t chunks) {
    uint64_t number = atomic_load_explicit(&pool.ticket, relaxed) & ~CHUNKS_OF_TICKET;
    atomic_store_explicit(&pool.ticket, (number + ONE_JOB) | (uint64_t)chunks, sequential);
    if (atomic_load_explicit(&pool.sleepers, sequential)) futex_wake(job_number());
}

/* Sleeps until workers are done with so many chunks: one of them lost its processor. */
static void sleep_until_finished(uint32_t wanted) {
    for (;;) {
        atomic_store_explicit(&pool.caller_sleeps, 1, sequential);
        uint32_t finished = atomic_load_explicit(&pool.finished, sequential);
        if (finished == wanted) break;
        futex_wait(&pool.finished, finished);
    }
    atomic_store_explicit(&pool.caller_sleeps, 0, relaxed);
}

/* Waits until workers are done with so many chunks: spins a while, for usually the chunks are equally long. */
static void await_finished(uint32_t wanted) {
    for (int turn = 0; turn <= PATIENCE; turn++) {
        if (atomic_load_explicit(&pool.finished, acquire) == wanted) return;
        pause_briefly();
    }
    sleep_until_finished(wanted);
}

static void run_on_workers(chunk_body *body, void *environment, int64_t chunks, int64_t threads) {
    grow(threads);
    atomic_store_explicit(&pool.body, body, relaxed);
    atomic_store_explicit(&pool.environment, environment, relaxed);
    atomic_store_explicit(&pool.chunks, chunks, relaxed);
    atomic_store_explicit(&pool.threads, threads, relaxed);
    atomic_store_explicit(&pool.float_mode, get_float_mode(), relaxed);
    atomic_store_explicit(&pool.caller_processor, (uint32_t)sched_getcpu(), relaxed);
    atomic_store_explicit(&pool.finished, 0, relaxed);
    announce(chunks);
    await_finished((uint32_t)(chunks - work(0)));
    atomic_store_explicit(&pool.busy, 0, release);
}

/* Calls body(environment, k) for k = 0 ... chunks - 1, from at most `threads` threads; returns when all are
 * done. Any number of threads may call this at the same time: one gets the workers, the others run their
 * chunks themselves. */
void wse_pool_run(chunk_body *body, void *environment, int64_t chunks, int64_t threads) {
    if (chunks > 1 && threads > 1 && enter()) {
        run_on_workers(body, environment, chunks, threads);
        return;
    }
    for (int64_t chunk = 0; chunk < chunks; chunk++) body(environment, chunk);
}

/* Ends the workers and waits for them; from then on there is one thread. For code that is about to be
 * unloaded. */
void wse_pool_stop(void) {
    if (atomic_load_explicit(&pool.owner, acquire) != getpid()) return;
    while (!take()) { /* and keep: whoever calls later finds the pool taken */
        if (atomic_load_explicit(&pool.stopping, acquire)) return;
        pause_briefly();
    }
    atomic_store_explicit(&pool.stopping, 1, sequential);
    announce(0);
    for (uint64_t index = 0; index < pool.workers; index++) pthread_join(pool.handles[index], NULL);
}
