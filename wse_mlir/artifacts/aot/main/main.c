/* The main program of executables made by `wse compile --emit=executable`: reads inputs from files, calls a function
   of the library that it is linked with, writes outputs to files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "element.h"
#include "files.h"
#include "message.h"
#include "npy.h"
#include "options.h"
#include "output.h"
#include "print.h"
#include "wse_abi.h"

enum { NAME_SIZE = 256 };

static const char *tensor_title(const char *kind, const wse_tensor_info *info, char *text) {
  snprintf(text, NAME_SIZE, "%s '%s'", kind, info->name);
  return text;
}

static void check(wse_status status, const wse_error *error, const wse_library *library) {
  if (status != WSE_OK) fail("%s", error && error->text[0] ? error->text : library->error_text(status));
}

static int32_t choose_function(const wse_library *library, const char *name) {
  char known[1024] = "";
  size_t used = 0;
  int32_t i, found = name ? library->find_function(name) : library->function_count == 1 ? 0 : -1;
  if (found >= 0) return found;
  for (i = 0; i < library->function_count && used < sizeof known; i++)
    used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", library->functions[i]->name);
  if (name) fail_usage("there is no function '%s'; there is %s", name, known);
  fail_usage("there are several functions: choose with --function one of %s", known);
}

static FILE *open_input(const char *path) {
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  if (!file) fail("%s: cannot be read: %s", path, strerror(errno));
  return file;
}

static wse_tensor *read_inputs(const wse_function_info *function, const tensor_files *files, const options *given) {
  wse_tensor *inputs = allocate(sizeof *inputs * (size_t)function->input_count);
  int32_t i;
  for (i = 0; i < function->input_count; i++) {
    char title[NAME_SIZE];
    array_file from;
    from.path = files->inputs[i];
    from.what = tensor_title("input", function->inputs[i], title);
    from.raw = is_raw_file(from.path, given);
    from.file = open_input(from.path);
    read_array(&from, function->inputs[i], &inputs[i]);
    if (from.file == stdin) continue; /* the next input may follow */
    expect_end(&from);
    fclose(from.file);
  }
  return inputs;
}

static void read_state(const wse_library *library, int32_t function, wse_state *state, const options *given) {
  const wse_function_info *info = library->functions[function];
  array_file from;
  int32_t i;
  if (!given->state_in) return;
  from.path = given->state_in;
  from.file = open_input(from.path);
  from.raw = is_raw_file(from.path, given);
  for (i = 0; i < info->state_count; i++) {
    char title[NAME_SIZE];
    wse_tensor held, read;
    from.what = tensor_title("state", info->states[i], title);
    read_array(&from, info->states[i], &read);
    check(library->state_tensor(state, function, i, &held), NULL, library);
    memcpy(held.data, read.data, tensor_bytes(&held));
    free(read.data);
  }
  from.what = "the states";
  if (from.file == stdin) return;
  expect_end(&from);
  fclose(from.file);
}

static void write_tensor(const char *path, const wse_tensor *tensor, const options *given) {
  array_file to;
  to.path = path;
  to.what = "";
  to.raw = is_raw_file(path, given);
  to.file = open_output(path);
  write_array(&to, tensor);
}

static void write_state(const wse_library *library, int32_t function, wse_state *state, const options *given) {
  array_file to;
  int32_t i;
  if (!given->state_out) return;
  to.path = given->state_out;
  to.what = "";
  to.raw = is_raw_file(to.path, given);
  to.file = open_output(to.path);
  for (i = 0; i < library->functions[function]->state_count; i++) {
    wse_tensor held;
    check(library->state_tensor(state, function, i, &held), NULL, library);
    write_array(&to, &held);
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Calls as often as asked for; the outputs of the last call stay. */
static wse_tensor *call(const wse_library *library, const wse_instance *instance, int32_t function, wse_state *state,
                        const wse_tensor *inputs, long repeat) {
  const wse_function_info *info = library->functions[function];
  wse_tensor *outputs = allocate(sizeof *outputs * (size_t)info->output_count);
  long count = repeat ? repeat : 1, i;
  double *seconds = allocate(sizeof *seconds * (size_t)count);
  int32_t k;
  for (i = 0; i < count; i++) {
    wse_error error = {""};
    double start;
    for (k = 0; i > 0 && info->allocates_outputs && k < info->output_count; k++) {
      library->release(&outputs[k]);
      memset(&outputs[k], 0, sizeof outputs[k]);
    }
    start = now();
    check(library->run(instance, function, state, inputs, info->input_count, outputs, info->output_count, &error),
          &error, library);
    seconds[i] = now() - start;
  }
  if (repeat) print_times(stderr, seconds, count);
  free(seconds);
  return outputs;
}

/* Whether standard output carries arrays, so that text has to go elsewhere. */
static int is_stdout_taken(const wse_function_info *function, const tensor_files *files, const options *given) {
  int32_t i;
  int taken = given->state_out && strcmp(given->state_out, "-") == 0;
  for (i = 0; i < function->output_count; i++) taken |= files->outputs[i] && strcmp(files->outputs[i], "-") == 0;
  for (i = 0; i < function->input_count; i++) taken |= files->written[i] && strcmp(files->written[i], "-") == 0;
  return taken;
}

static void run(const wse_library *library, const options *given) {
  int32_t index = choose_function(library, given->function), i;
  const wse_function_info *function = library->functions[index];
  wse_instance *instance = NULL;
  wse_state *state = NULL;
  wse_error error = {""};
  wse_tensor *inputs, *outputs;
  tensor_files files;
  FILE *text;
  assign_files(function, given, &files);
  if (!function->state_count && (given->state_in || given->state_out))
    fail_usage("function '%s' keeps no state", function->name);
  text = is_stdout_taken(function, &files, given) ? stderr : stdout;
  check(library->open(given->weights, &instance, &error), &error, library);
  inputs = read_inputs(function, &files, given);
  if (function->state_count) {
    check(library->state_create(instance, &state, &error), &error, library);
    read_state(library, index, state, given);
  }
  outputs = call(library, instance, index, state, inputs, given->repeat);
  for (i = 0; i < function->output_count; i++) {
    if (given->print) print_tensor(text, function->outputs[i]->name, &outputs[i]);
    if (files.outputs[i]) write_tensor(files.outputs[i], &outputs[i], given);
  }
  for (i = 0; i < function->input_count; i++)
    if (files.written[i]) write_tensor(files.written[i], &inputs[i], given);
  write_state(library, index, state, given);
  finish_outputs();
}

int main(int argc, char **argv) {
  options given;
  set_program_name(argc > 0 ? argv[0] : NULL);
  parse_options(argc, argv, &given);
  if (given.help)
    print_help(wse_get_library());
  else
    run(wse_get_library(), &given);
  if (fflush(stdout) != 0 || ferror(stdout)) fail("standard output could not be written whole");
  return 0;
}
