/* Calls functions by their typed prototypes: NAME.in holds the inputs, one after the other, NAME.out gets the outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

static unsigned char input_bytes[1 << 16], output_bytes[1 << 16];

static void check(wse_status status) {
  if (status == WSE_OK) return;
  fprintf(stderr, "status %d: %s\n", (int)status, zoo_error_text(status));
  exit(1);
}

static void read_inputs(const char *name) {
  char path[64];
  FILE *file;
  sprintf(path, "%s.in", name);
  file = fopen(path, "rb");
  if (!file || fread(input_bytes, 1, sizeof input_bytes, file) == 0) exit(2);
  fclose(file);
}

static void write_outputs(const char *name, const void *data, size_t size, const char *mode) {
  char path[64];
  FILE *file;
  sprintf(path, "%s.out", name);
  file = fopen(path, mode);
  if (!file || fwrite(data, 1, size, file) != size || fclose(file)) exit(2);
}

/* Position of the inputs that lie behind `offset`; all are aligned as files of the test are written. */
static void *at(unsigned char *bytes, size_t offset) { return bytes + offset; }

static void run_decode(const wse_instance *instance) {
  float token[32], output[32];
  wse_state *state;
  int step, round;
  check(zoo_state_create(instance, &state, NULL));
  for (round = 0; round < 2; ++round) { /* the second time after a reset */
    for (step = 0; step < 3; ++step) {
      int64_t position = step;
      read_inputs("decode");
      memcpy(token, at(input_bytes, (size_t)step * sizeof token), sizeof token);
      check(zoo_run_decode(instance, state, token, &position, output));
      write_outputs("decode", output, sizeof output, step || round ? "ab" : "wb");
    }
    check(zoo_state_reset(state));
  }
  zoo_state_destroy(state);
}

static void run_every_type(const wse_instance *instance) {
  /* six elements of each type; inputs and outputs lie on multiples of 64 bytes */
  unsigned char *in = input_bytes, *out = output_bytes;
  read_inputs("every_type");
  check(zoo_run_every_type(
      instance, (const uint8_t *)at(in, 0), (const uint8_t *)at(in, 64), (const int8_t *)at(in, 128),
      (const int16_t *)at(in, 192), (const int32_t *)at(in, 256), (const int64_t *)at(in, 320),
      (const uint16_t *)at(in, 384), (const uint16_t *)at(in, 448), (const float *)at(in, 512),
      (const double *)at(in, 576), (uint8_t *)at(out, 0), (uint8_t *)at(out, 64), (int8_t *)at(out, 128),
      (int16_t *)at(out, 192), (int32_t *)at(out, 256), (int64_t *)at(out, 320), (uint16_t *)at(out, 384),
      (uint16_t *)at(out, 448), (float *)at(out, 512), (double *)at(out, 576)));
  write_outputs("every_type", out, 640, "wb");
}

int main(void) {
  float mlp[9 * 10], lenet[2 * 10], doubled[3 * 4];
  float *inputs = (float *)at(input_bytes, 0);
  wse_instance *instance;
  wse_error error;
  if (zoo_open(NULL, &instance, &error) != WSE_OK) {
    fprintf(stderr, "%s\n", error.text);
    return 1;
  }
  read_inputs("mlp");
  check(zoo_run_mlp(instance, inputs, mlp));
  write_outputs("mlp", mlp, sizeof mlp, "wb");
  read_inputs("lenet");
  check(zoo_run_lenet(instance, inputs, lenet));
  write_outputs("lenet", lenet, sizeof lenet, "wb");
  read_inputs("accumulate");
  check(zoo_run_accumulate(instance, inputs, inputs + 12, doubled));
  write_outputs("accumulate", doubled, sizeof doubled, "wb");
  write_outputs("accumulate", inputs + 12, 4 * sizeof *inputs, "ab");
  run_decode(instance);
  run_every_type(instance);
  zoo_close(instance);
  return 0;
}
