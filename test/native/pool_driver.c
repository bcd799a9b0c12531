/* Programs for the thread pool: `pool_driver PROGRAM ROUNDS`. What chunks and callers hand to each other is plain memory,
 * so that ThreadSanitizer sees whether the pool orders it; threads that have to meet do so by relaxed atomics, which
 * order nothing. Ends with 1, and a line, when a result is wrong. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void chunk_body(void *environment, int64_t chunk);
void wse_pool_run(chunk_body *body, void *environment, int64_t chunks, int64_t threads);
void wse_pool_stop(void);

enum { MOST_CHUNKS = 40, CALLERS = 4 };

/* Threads may find wrong results at once: the first says so, the others wait for the end. */
static void check(int holds, const char *what) {
    static atomic_flag found = ATOMIC_FLAG_INIT;
    if (holds) return;
    while (atomic_flag_test_and_set(&found)) sched_yield();
    fprintf(stderr, "pool_driver: %s\n", what);
    _exit(1);
}

static int load(atomic_int *word) { return atomic_load_explicit(word, memory_order_relaxed); }

/* Counts this thread, and goes on when there are `wanted`. */
static void meet(atomic_int *there, int wanted) {
    atomic_fetch_add_explicit(there, 1, memory_order_relaxed);
    while (load(there) < wanted) sched_yield();
}

struct job {
    int64_t given[MOST_CHUNKS], result[MOST_CHUNKS];
    int times[MOST_CHUNKS];
    int64_t chunks, threads; /* of the jobs in each chunk, or 0 */
    atomic_int there;
    int wanted; /* threads that have to meet in a chunk each */
};

static void run(struct job *job, int64_t chunks, int64_t threads, int64_t seed);

static void chunk(void *environment, int64_t k) {
    struct job *job = environment;
    if (job->wanted > 0) meet(&job->there, job->wanted);
    if (job->chunks > 0) {
        struct job inner = {0};
        run(&inner, job->chunks, job->threads, job->given[k]);
    }
    job->result[k] = 3 * job->given[k] + k;
    job->times[k]++;
}

/* Runs one job, and looks whether each chunk was computed once, from what was given. */
static void run(struct job *job, int64_t chunks, int64_t threads, int64_t seed) {
    for (int64_t k = 0; k < chunks; k++) {
        job->given[k] = seed + 7 * k;
        job->result[k] = -1;
        job->times[k] = 0;
    }
    wse_pool_run(chunk, job, chunks, threads);
    for (int64_t k = 0; k < chunks; k++) {
        check(job->times[k] == 1, "a chunk was not computed once");
        check(job->result[k] == 3 * (seed + 7 * k) + k, "a chunk computed something else");
    }
}

/* A job whose chunks wait for each other: as many threads as chunks work on it. */
static void run_together(int threads, int64_t seed) {
    struct job job = {.wanted = threads};
    run(&job, threads, threads, seed);
}

static void together(int rounds) {
    for (int round = 0; round < rounds; round++) run_together(2 + round % 3, round);
}

/* Two threads bring jobs one after the other, and both start workers. */
static atomic_int turn;

static void *take_turns(void *first) {
    for (int mine = first != NULL ? 1 : 2; mine <= 6; mine += 2) {
        while (load(&turn) != mine - 1) sched_yield();
        run_together(1 + mine, mine);
        atomic_store_explicit(&turn, mine, memory_order_relaxed);
    }
    return NULL;
}

static void in_turns(int rounds) {
    (void)rounds;
    pthread_t other;
    check(pthread_create(&other, NULL, take_turns, NULL) == 0, "no thread");
    take_turns(&turn);
    pthread_join(other, NULL);
}

static int rounds_of_callers;
static atomic_int callers_end;

static void *call(void *number) {
    int64_t caller = (intptr_t)number;
    struct job job = {0};
    for (int round = 0; round < rounds_of_callers && !load(&callers_end); round++) {
        int64_t seed = 1000 * round + caller;
        job.chunks = round % 5 == 0 ? 3 : 0;
        job.threads = 2;
        run(&job, seed % 13 == 0 ? MOST_CHUNKS : seed % 7, 1 + (seed + round) % 8, seed);
    }
    return NULL;
}

static void start_callers(pthread_t callers[CALLERS], int rounds) {
    rounds_of_callers = rounds;
    for (intptr_t caller = 0; caller < CALLERS; caller++)
        check(pthread_create(&callers[caller], NULL, call, (void *)caller) == 0, "no thread");
}

static void join_callers(pthread_t callers[CALLERS]) {
    for (int caller = 0; caller < CALLERS; caller++) pthread_join(callers[caller], NULL);
}

/* Threads bring jobs at the same time, some with jobs in their chunks. */
static void callers(int rounds) {
    pthread_t threads[CALLERS];
    start_callers(threads, rounds);
    join_callers(threads);
}

static void nested_job(int depth, int64_t seed);

static void nested_chunk(void *environment, int64_t k) {
    int depth = *(int *)environment;
    if (depth > 0) nested_job(depth - 1, k);
}

static void nested_job(int depth, int64_t seed) {
    struct job job = {.chunks = 2, .threads = 3};
    run(&job, 5, 4, seed);
    wse_pool_run(nested_chunk, &depth, 3, 4);
}

static void nested(int rounds) {
    for (int round = 0; round < rounds; round++) nested_job(3, round);
}

/* More threads than processors, fewer, more than the pool has room for. */
static void sizes(int rounds) {
    static const int64_t threads[] = {1, 2, 3, 5, 16, 64, 300};
    struct job job = {0};
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
            for (int64_t chunks = 0; chunks <= MOST_CHUNKS; chunks += 8)
                run(&job, chunks, threads[i], round + chunks);
}

static void wait_for(pid_t child) {
    int status = 0;
    check(child > 0 && waitpid(child, &status, 0) == child, "no process");
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a forked process failed");
}

/* Processes that are forked while jobs run have workers, and their children, too. */
static void forks(int rounds) {
    pthread_t threads[CALLERS];
    start_callers(threads, INT32_MAX);
    for (int round = 0; round < rounds; round++) {
        pid_t child = fork();
        if (child == 0) {
            run_together(2 + round % 2, round);
            pid_t grandchild = fork();
            if (grandchild == 0) {
                run_together(3, round);
                _exit(0);
            }
            run_together(4, round);
            wait_for(grandchild);
            _exit(0);
        }
        wait_for(child);
    }
    atomic_store_explicit(&callers_end, 1, memory_order_relaxed);
    join_callers(threads);
}

static pthread_t only;

static void alone_chunk(void *environment, int64_t k) {
    (void)environment;
    (void)k;
    check(pthread_equal(pthread_self(), only), "a stopped pool has workers");
}

static void run_alone(void) {
    only = pthread_self();
    wse_pool_run(alone_chunk, NULL, 9, 4);
}

static void *stop(void *unused) {
    wse_pool_stop();
    return unused;
}

/* Pools that are stopped by several threads, while a job runs or not, and begin anew in a forked process. */
static void stops(int rounds) {
    for (int round = 0; round < rounds; round++) {
        pid_t child = fork();
        if (child > 0) {
            wait_for(child);
            continue;
        }
        pthread_t threads[CALLERS], stopping;
        run_together(2 + round % 3, round);
        if (round % 2) {
            start_callers(threads, 20);
            check(pthread_create(&stopping, NULL, stop, NULL) == 0, "no thread");
            wse_pool_stop();
            pthread_join(stopping, NULL);
            join_callers(threads);
        } else {
            wse_pool_stop();
        }
        wse_pool_stop();
        run_alone();
        child = fork();
        if (child == 0) run_together(3, round);
        if (child > 0) wait_for(child);
        _exit(0);
    }
}

static const struct program {
    const char *name;
    void (*run)(int rounds);
} programs[] = {
    {"together", together}, {"in-turns", in_turns}, {"callers", callers}, {"nested", nested},
    {"sizes", sizes},       {"forks", forks},       {"stops", stops},
};

int main(int count, char **words) {
    for (size_t i = 0; count == 3 && i < sizeof programs / sizeof *programs; i++) {
        if (strcmp(words[1], programs[i].name) != 0) continue;
        programs[i].run(atoi(words[2]));
        wse_pool_stop();
        return 0;
    }
    fprintf(stderr, "pool_driver PROGRAM ROUNDS\n");
    return 2;
}
