/* A run whose indices are out of range ends with a status and a sentence, and hands nothing out. */
#include <stdio.h>
#include <string.h>
#include "rows.h"

static int failures;
static wse_error error;

static void expect(int line, wse_status status, wse_status wanted, const char *text) {
  if (status == wanted && (!text || strstr(error.text, text))) return;
  printf("line %d: status %d, '%s'\n", line, (int)status, error.text);
  ++failures;
}
#define EXPECT(status, wanted, text) expect(__LINE__, status, wanted, text)

static wse_status run(const wse_instance *instance, int32_t function, int64_t *ids, int64_t count, wse_tensor *output) {
  wse_tensor input;
  memset(&input, 0, sizeof input);
  input.data = ids;
  input.dtype = WSE_INT64;
  input.rank = 1;
  input.shape[0] = count;
  memset(output, 0, sizeof *output);
  return rows_run(instance, function, NULL, &input, 1, output, 1, &error);
}

int main(void) {
  int64_t good[3] = {0, 9, 1}, large[4] = {0, 10, 1, 2}, negative[3] = {0, -1, 1};
  float values[12];
  wse_instance *instance;
  wse_tensor output;
  EXPECT(rows_open(NULL, &instance, &error), WSE_OK, NULL);
  for (int32_t function = 0; function < 3; ++function) {
    EXPECT(run(instance, function, good, 3, &output), WSE_OK, NULL);
    rows_release(&output);
    EXPECT(run(instance, function, large, 3, &output), WSE_INDEX_OUT_OF_RANGE,
           "index 10 is out of range for dimension 0 of size 10");
    if (output.data || output.owner) EXPECT(WSE_OK, WSE_INDEX_OUT_OF_RANGE, "nothing is handed out");
  }
  EXPECT(run(instance, rows_index_embed, negative, 3, &output), WSE_INDEX_OUT_OF_RANGE,
         "aten.embedding): index -1 is out of range for dimension 0 of size 10, which takes 0 to 9");
  EXPECT(run(instance, rows_index_index, negative, 3, &output), WSE_OK, NULL);
  rows_release(&output);
  EXPECT(rows_run_embed(instance, good, values), WSE_OK, NULL);
  EXPECT(rows_run_embed(instance, large, values), WSE_INDEX_OUT_OF_RANGE, NULL);
  EXPECT(run(instance, rows_index_divide, good, 3, &output), WSE_DIVISION_BY_ZERO,
         "aten.floor_divide): an integer is divided by zero");
  EXPECT(run(instance, rows_index_divide, negative + 1, 2, &output), WSE_WRONG_SHAPE, NULL);
  EXPECT(run(instance, rows_index_divide, large + 1, 3, &output), WSE_OK, NULL);
  rows_release(&output);
  if (strcmp(rows_error_text(WSE_INDEX_OUT_OF_RANGE), "an index is out of range")) ++failures;
  rows_close(instance);
  return failures;
}
