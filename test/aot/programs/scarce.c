/* Memory ends at the first, second, third ... request of an opening or a call: each time it says so; a later one works. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

static int remaining; /* requests that succeed */

/* The library's requests come here, since the program's functions go before the C library's. */
void *aligned_alloc(size_t alignment, size_t size) {
  void *memory;
  if (remaining-- == 0 || posix_memalign(&memory, alignment, size)) return NULL;
  return memory;
}

static float image[2 * 256], left[3 * 8], right[3 * 5];

static wse_status run_lenet(const wse_instance *instance, wse_tensor outputs[2]) {
  wse_tensor input = {image, NULL, WSE_FLOAT32, 4, {2, 1, 16, 16}};
  return zoo_run(instance, zoo_index_lenet, NULL, &input, 1, outputs, 1, NULL);
}

static wse_status run_open_batch(const wse_instance *instance, wse_tensor outputs[2]) {
  wse_tensor inputs[2] = {{left, NULL, WSE_FLOAT32, 2, {3, 8}}, {right, NULL, WSE_FLOAT32, 2, {3, 5}}};
  return zoo_run(instance, zoo_index_open_batch, NULL, inputs, 2, outputs, 2, NULL);
}

static wse_status run_decode(const wse_instance *instance, wse_tensor outputs[2]) {
  wse_state *state;
  int64_t position = 0;
  wse_tensor inputs[2] = {{image, NULL, WSE_FLOAT32, 2, {1, 32}}, {&position, NULL, WSE_INT64, 1, {1}}};
  wse_status status = zoo_state_create(instance, &state, NULL);
  if (status == WSE_OK) status = zoo_run(instance, zoo_index_decode, state, inputs, 2, outputs, 1, NULL);
  zoo_state_destroy(state);
  return status;
}

static void try_all(const char *name, wse_status (*run)(const wse_instance *, wse_tensor *),
                    const wse_instance *instance) {
  wse_tensor outputs[2];
  wse_status status = WSE_OUT_OF_MEMORY;
  int enough;
  for (enough = 0; status == WSE_OUT_OF_MEMORY; ++enough) {
    memset(outputs, 0, sizeof outputs);
    remaining = enough;
    status = run(instance, outputs);
    if (status != WSE_OK && (outputs[0].owner || outputs[1].owner)) exit(2);
  }
  printf("%s: %d after %d\n", name, (int)status, enough - 1);
  zoo_release(&outputs[0]);
  zoo_release(&outputs[1]);
}

int main(void) {
  wse_instance *instance;
  wse_status status = WSE_OUT_OF_MEMORY;
  for (int enough = 0; status == WSE_OUT_OF_MEMORY; ++enough) {
    remaining = enough;
    status = zoo_open(NULL, &instance, NULL);
    if (status != WSE_OK && instance) exit(2);
  }
  if (status != WSE_OK) return 1;
  try_all("lenet", run_lenet, instance);
  try_all("open_batch", run_open_batch, instance);
  try_all("decode", run_decode, instance);
  zoo_close(instance);
  return 0;
}
