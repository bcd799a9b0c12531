/* Many threads share an instance; each has a state and gets, bit for bit, what a thread alone gets. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "zoo.h"

enum { THREADS = 8, ROUNDS = 25 };

typedef struct {
  const wse_instance *instance;
  float lenet[20], decode[3][32], open[4 * 5];
  int failed;
} job;

static float image[2 * 256], token[32];

static wse_status run_open_batch(job *work) {
  float left[4 * 8], right[4 * 5];
  wse_tensor inputs[2] = {{left, NULL, WSE_FLOAT32, 2, {4, 8}}, {right, NULL, WSE_FLOAT32, 2, {4, 5}}};
  wse_tensor outputs[2];
  wse_status status;
  memset(outputs, 0, sizeof outputs);
  memcpy(left, image, sizeof left);
  memcpy(right, image + 32, sizeof right);
  status = zoo_run(work->instance, zoo_index_open_batch, NULL, inputs, 2, outputs, 2, NULL);
  if (status == WSE_OK) memcpy(work->open, outputs[0].data, sizeof work->open);
  zoo_release(&outputs[0]);
  zoo_release(&outputs[1]);
  return status;
}

static void *run(void *argument) {
  job *work = argument;
  wse_state *state;
  work->failed = zoo_state_create(work->instance, &state, NULL) != WSE_OK;
  for (int round = 0; !work->failed && round < ROUNDS; ++round) {
    work->failed |= zoo_run_lenet(work->instance, image, work->lenet) != WSE_OK;
    work->failed |= run_open_batch(work) != WSE_OK;
    work->failed |= zoo_state_reset(state) != WSE_OK;
    for (int64_t step = 0; step < 3; ++step)
      work->failed |= zoo_run_decode(work->instance, state, token, &step, work->decode[step]) != WSE_OK;
  }
  zoo_state_destroy(state);
  return NULL;
}

int main(void) {
  wse_instance *instance;
  pthread_t threads[THREADS];
  static job alone, jobs[THREADS];
  for (size_t i = 0; i < sizeof image / sizeof *image; ++i) image[i] = (float)(i % 17) / 17 - 0.5f;
  memcpy(token, image, sizeof token);
  if (zoo_open(NULL, &instance, NULL) != WSE_OK) return 1;
  alone.instance = instance;
  run(&alone);
  for (int i = 0; i < THREADS; ++i) {
    jobs[i].instance = instance;
    if (pthread_create(&threads[i], NULL, run, &jobs[i])) return 2;
  }
  for (int i = 0; i < THREADS; ++i) {
    pthread_join(threads[i], NULL);
    if (memcmp(&jobs[i], &alone, sizeof alone)) return fprintf(stderr, "thread %d differs\n", i), 3;
  }
  zoo_close(instance);
  return alone.failed;
}
