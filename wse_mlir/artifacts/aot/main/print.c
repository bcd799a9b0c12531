#include "print.h"

#include <inttypes.h>
#include <stdlib.h>

#include "element.h"
#include "message.h"

enum { MOST_ROWS = 32, MOST_COLUMNS = 16 };

/* Index of the largest value of a row, or of its first NaN. */
static int64_t largest(const wse_tensor *tensor, size_t first, int64_t columns) {
  int64_t best = 0, i;
  double most = element_value(tensor, first);
  for (i = 1; i < columns && most == most; i++) {
    double value = element_value(tensor, first + (size_t)i);
    if (value > most || value != value) {
      most = value;
      best = i;
    }
  }
  return best;
}

static void print_row(FILE *to, const wse_tensor *tensor, size_t first, int64_t columns) {
  int64_t i;
  char text[32];
  for (i = 0; i < columns && i < MOST_COLUMNS; i++) {
    element_text(tensor, first + (size_t)i, text);
    fprintf(to, "  %s", text);
  }
  if (columns > MOST_COLUMNS) fprintf(to, "  ... (%" PRId64 " more)", columns - MOST_COLUMNS);
  if (columns > 1 && tensor->dtype != WSE_BOOL) fprintf(to, "  argmax %" PRId64, largest(tensor, first, columns));
  fputc('\n', to);
}

void print_tensor(FILE *to, const char *name, const wse_tensor *tensor) {
  char type[DESCRIPTION_SIZE];
  int64_t count = element_count(tensor->rank, tensor->shape, element_size(tensor->dtype));
  int64_t columns = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
  int64_t rows = columns > 0 ? count / columns : 0, i;
  describe_type(element_name(tensor->dtype), tensor->rank, tensor->shape, type);
  fprintf(to, "%s: %s\n", name, type);
  for (i = 0; i < rows && i < MOST_ROWS; i++) print_row(to, tensor, (size_t)(i * columns), columns);
  if (rows > MOST_ROWS) fprintf(to, "  ... (%" PRId64 " more rows)\n", rows - MOST_ROWS);
}

static void print_tensors(const char *title, const wse_tensor_info *const *tensors, int32_t count) {
  int32_t i;
  for (i = 0; i < count; i++) {
    char type[DESCRIPTION_SIZE];
    describe_tensor(tensors[i], type);
    printf("    %-7s %s: %s%s\n", title, tensors[i]->name, type, tensors[i]->is_written ? ", changed by a call" : "");
  }
}

void print_help(const wse_library *library) {
  int32_t i;
  printf("Usage: %s [OPTION...] [INPUT...] [OUTPUT...]\n\n", program_name());
  puts("Runs a compiled model. Files are NumPy's .npy, or bare elements (.raw, .bin); '-' is standard input or output.\n");
  puts("  -i, --input [NAME=]FILE   an input, by name or position; without NAME the next one");
  puts("  -o, --output [NAME=]FILE  where an output goes; what is not asked for is not written");
  puts("  -f, --function NAME       which function to call; needed when there are several");
  puts("  --print                   print the outputs: values, and the index of the largest one of each row");
  puts("  --raw                     all files hold bare elements: little endian, row by row");
  puts("  --repeat N                call N times and print the times; state goes on from call to call");
  puts("  --state-in FILE           the state before the first call, as --state-out wrote it");
  puts("  --state-out FILE          the state after the last call: one .npy array after the other");
  puts("  --weights FILE            the weights, where they are neither in this program nor beside it\n");
  puts("Exit code: 0 when all went well, 1 for files that do not fit, 2 for a command line that is wrong.");
  for (i = 0; i < library->function_count; i++) {
    const wse_function_info *function = library->functions[i];
    printf("\n  %s\n", function->name);
    print_tensors("input", function->inputs, function->input_count);
    print_tensors("output", function->outputs, function->output_count);
    print_tensors("state", function->states, function->state_count);
  }
  printf("\nMade by %s for %s.\n", library->compiler, library->target);
}

static int by_size(const void *a, const void *b) {
  double first = *(const double *)a, second = *(const double *)b;
  return (first > second) - (first < second);
}

void print_times(FILE *to, double *seconds, long count) {
  double sum = 0;
  long i;
  for (i = 0; i < count; i++) sum += seconds[i];
  qsort(seconds, (size_t)count, sizeof *seconds, by_size);
  fprintf(to, "%ld call%s: median %.3f us, fastest %.3f us, slowest %.3f us, mean %.3f us\n", count,
          count == 1 ? "" : "s", seconds[count / 2] * 1e6, seconds[0] * 1e6, seconds[count - 1] * 1e6,
          sum / (double)count * 1e6);
}
