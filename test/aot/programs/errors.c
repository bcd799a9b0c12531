/* Every mistake of a caller is a status with a text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

static wse_error error;
static float data[1024];
static int64_t position;

static void expect(wse_status found, wse_status expected, const char *text, int line) {
  const char *general = zoo_error_text(expected);
  if (found == expected && (strstr(error.text, text) || strstr(general, text))) {
    memset(&error, 0, sizeof error);
    return;
  }
  printf("line %d: status %d, expected %d; text '%s', expected '%s'\n", line, (int)found, (int)expected, error.text,
         text);
  exit(1);
}
#define EXPECT(call, status, text) expect(call, status, text, __LINE__)

static wse_tensor tensor(wse_dtype dtype, int32_t rank, int64_t a, int64_t b) {
  wse_tensor made = {data, NULL, WSE_FLOAT32, 2, {0}};
  made.dtype = dtype;
  made.rank = rank;
  made.shape[0] = a;
  made.shape[1] = b;
  return made;
}

static wse_status run_mlp(const wse_instance *instance, wse_tensor input, wse_tensor *output) {
  return zoo_run(instance, zoo_index_mlp, NULL, &input, 1, output, 1, &error);
}

static wse_status run_open(const wse_instance *instance, wse_tensor left, wse_tensor right, wse_tensor *outputs) {
  wse_tensor inputs[2];
  inputs[0] = left;
  inputs[1] = right;
  return zoo_run(instance, zoo_index_open_batch, NULL, inputs, 2, outputs, 2, &error);
}

static void calls(const wse_instance *instance) {
  wse_tensor good = tensor(WSE_FLOAT32, 2, 9, 64), wrong = good, output, outputs[2];
  memset(&output, 0, sizeof output);
  memset(outputs, 0, sizeof outputs);
  EXPECT(run_mlp(NULL, good, &output), WSE_NULL_POINTER, "instance");
  EXPECT(zoo_run(instance, 99, NULL, &good, 1, &output, 1, &error), WSE_UNKNOWN_FUNCTION, "99");
  EXPECT(zoo_run(instance, -1, NULL, &good, 1, &output, 1, &error), WSE_UNKNOWN_FUNCTION, "-1");
  EXPECT(zoo_run(instance, 0, NULL, &good, 2, &output, 1, &error), WSE_WRONG_COUNT, "'mlp' has 1 inputs");
  EXPECT(zoo_run(instance, 0, NULL, NULL, 1, &output, 1, &error), WSE_NULL_POINTER, "NULL");
  EXPECT(zoo_run(instance, 0, NULL, &good, 1, NULL, 1, &error), WSE_NULL_POINTER, "NULL");
  EXPECT(run_mlp(instance, tensor(WSE_FLOAT64, 2, 9, 64), &output), WSE_WRONG_DTYPE,
         "input 0 ('input'): expected float32, found float64");
  EXPECT(run_mlp(instance, tensor(77, 2, 9, 64), &output), WSE_WRONG_DTYPE, "found ?");
  EXPECT(run_mlp(instance, tensor(WSE_FLOAT32, 1, 9, 0), &output), WSE_WRONG_RANK, "expected 2 dimensions, found 1");
  EXPECT(run_mlp(instance, tensor(WSE_FLOAT32, -5, 9, 64), &output), WSE_WRONG_RANK, "found -5");
  EXPECT(run_mlp(instance, tensor(WSE_FLOAT32, 2, 9, 63), &output), WSE_WRONG_SHAPE,
         "expected [9, 64], found [9, 63]");
  wrong.data = NULL;
  EXPECT(run_mlp(instance, wrong, &output), WSE_NULL_POINTER, "data is NULL");
  wrong.data = (char *)data + 2;
  EXPECT(run_mlp(instance, wrong, &output), WSE_MISALIGNED, "multiple of 4");
  output = tensor(WSE_FLOAT32, 2, 9, 11);
  EXPECT(run_mlp(instance, good, &output), WSE_WRONG_SHAPE, "output 0 ('output'): expected [9, 10], found [9, 11]");
  output = tensor(WSE_FLOAT32, 2, 9, 10);
  output.data = data + 100;
  EXPECT(run_mlp(instance, good, &output), WSE_OVERLAP, "output 0 ('output') lies on input 0 ('input')");
  EXPECT(run_open(instance, tensor(WSE_FLOAT32, 2, 3, 8), tensor(WSE_FLOAT32, 2, 4, 5), outputs), WSE_UNEQUAL_SIZES,
         "input 1 ('right'): dimension 0 is 4, but must equal dimension 0 of input 0, 3");
  EXPECT(run_open(instance, tensor(WSE_FLOAT32, 2, -3, 8), tensor(WSE_FLOAT32, 2, -3, 5), outputs), WSE_WRONG_SHAPE,
         "expected [?, 8], found [?, 8]");
  EXPECT(run_open(instance, tensor(WSE_FLOAT32, 2, INT64_MAX / 2, 8), tensor(WSE_FLOAT32, 2, 4, 5), outputs),
         WSE_WRONG_SHAPE, "expected [?, 8], found [4611686018427387903, 8]");
  outputs[0] = tensor(WSE_FLOAT32, 2, 3, 5);
  EXPECT(run_open(instance, tensor(WSE_FLOAT32, 2, 3, 8), tensor(WSE_FLOAT32, 2, 3, 5), outputs), WSE_WRONG_SHAPE,
         "pass NULL data");
  EXPECT(zoo_run_mlp(instance, NULL, data), WSE_NULL_POINTER, "NULL");
  EXPECT(zoo_run_mlp(instance, data, NULL), WSE_NULL_POINTER, "NULL");
}

static void states(const wse_instance *instance, const wse_instance *other) {
  wse_state *state;
  wse_tensor keys;
  float output[32];
  EXPECT(zoo_run_decode(instance, NULL, data, &position, output), WSE_NEEDS_STATE, "state");
  EXPECT(zoo_state_create(NULL, &state, &error), WSE_NULL_POINTER, "NULL");
  EXPECT(zoo_state_create(instance, NULL, &error), WSE_NULL_POINTER, "NULL");
  EXPECT(zoo_state_create(instance, &state, &error), WSE_OK, "");
  EXPECT(zoo_run_decode(other, state, data, &position, output), WSE_WRONG_INSTANCE, "another");
  EXPECT(zoo_state_tensor(state, zoo_index_decode, 0, &keys), WSE_OK, "");
  if (keys.rank != 3 || keys.shape[1] != 12 || keys.owner) exit(2);
  EXPECT(zoo_state_tensor(state, zoo_index_decode, 2, &keys), WSE_WRONG_COUNT, "");
  EXPECT(zoo_state_tensor(state, 50, 0, &keys), WSE_UNKNOWN_FUNCTION, "");
  EXPECT(zoo_state_tensor(NULL, 0, 0, &keys), WSE_NULL_POINTER, "");
  EXPECT(zoo_state_reset(NULL), WSE_NULL_POINTER, "");
  zoo_state_destroy(state);
  zoo_state_destroy(NULL);
}

static void memory(const wse_instance *instance) {
  /* 2^21 numbers make 16 TiB */
  wse_tensor input = tensor(WSE_FLOAT32, 1, (int64_t)1 << 21, 0), output;
  int attempt;
  memset(&output, 0, sizeof output);
  input.data = calloc((size_t)1 << 21, sizeof(float));
  for (attempt = 0; attempt < 3; ++attempt)
    EXPECT(zoo_run(instance, zoo_index_outer, NULL, &input, 1, &output, 1, &error), WSE_OUT_OF_MEMORY, "memory");
  input.shape[0] = 3;
  EXPECT(zoo_run(instance, zoo_index_outer, NULL, &input, 1, &output, 1, &error), WSE_OK, "");
  if (output.shape[0] != 3 || output.shape[1] != 3 || !output.owner) exit(2);
  zoo_release(&output);
  zoo_release(&output);
  zoo_release(NULL);
  free(input.data);
}

static void weights(void) {
  wse_instance *instance;
  EXPECT(zoo_open(NULL, NULL, &error), WSE_NULL_POINTER, "NULL");
  EXPECT(zoo_open("missing.weights", &instance, &error), WSE_WEIGHTS_UNREADABLE, "missing.weights");
  EXPECT(zoo_open(".", &instance, &error), WSE_WEIGHTS_UNREADABLE, "'.'");
  EXPECT(zoo_open("empty.weights", &instance, &error), WSE_WEIGHTS_DAMAGED, "empty");
  EXPECT(zoo_open("text.weights", &instance, &error), WSE_WEIGHTS_FOREIGN, "holds no weights");
  EXPECT(zoo_open("other.weights", &instance, &error), WSE_WEIGHTS_FOREIGN, "another model");
  EXPECT(zoo_open("newer.weights", &instance, &error), WSE_WEIGHTS_FOREIGN, "version 9");
  EXPECT(zoo_open("cut.weights", &instance, &error), WSE_WEIGHTS_DAMAGED, "bytes, not");
  EXPECT(zoo_open("stub.weights", &instance, &error), WSE_WEIGHTS_DAMAGED, "cut off");
  EXPECT(zoo_open("changed.weights", &instance, &error), WSE_WEIGHTS_DAMAGED, "checksum");
  if (instance) exit(2);
  EXPECT(zoo_open("good.weights", &instance, &error), WSE_OK, "");
  zoo_close(instance);
  zoo_close(NULL);
}

int main(void) {
  wse_instance *instance, *other;
  int status;
  EXPECT(zoo_open(NULL, &instance, &error), WSE_OK, "");
  EXPECT(zoo_open(NULL, &other, &error), WSE_OK, "");
  calls(instance);
  states(instance, other);
  memory(instance);
  weights();
  if (zoo_find_function("lenet") != zoo_index_lenet || zoo_find_function("nothing") != -1) return 2;
  if (zoo_find_function(NULL) != -1 || zoo_function_info(-1) || zoo_function_info(zoo_function_count())) return 2;
  for (status = 0; status <= WSE_WEIGHTS_DAMAGED; ++status)
    if (!strcmp(zoo_error_text(status), zoo_error_text(-1))) return 2;
  zoo_close(other);
  zoo_close(instance);
  return 0;
}
