#include "files.h"

#include <stdio.h>
#include <string.h>

#include "element.h"
#include "message.h"

/* Tensors of one kind, and their files. */
typedef struct {
  const char *kind;
  const wse_tensor_info *const *tensors;
  int32_t count;
  const char **files;
} slots;

static int is_name(const char *text, size_t length, const char *name) {
  return strlen(name) == length && strncmp(text, name, length) == 0;
}

/* The tensor that `length` bytes of text name, or give the position of; -1 for none. */
static int32_t find_tensor(const slots *in, const char *text, size_t length) {
  int32_t i;
  for (i = 0; i < in->count; i++) {
    char position[12];
    snprintf(position, sizeof position, "%d", (int)i);
    if (is_name(text, length, in->tensors[i]->name) || is_name(text, length, position)) return i;
  }
  return -1;
}

static int file_exists(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file) fclose(file);
  return file != NULL;
}

static void list_names(const slots *in, char *text, size_t size) {
  size_t used = 0;
  int32_t i;
  text[0] = 0;
  for (i = 0; i < in->count && used < size; i++)
    used += (size_t)snprintf(text + used, size - used, "%s'%s'", i ? ", " : "", in->tensors[i]->name);
}

static void set_file(const slots *in, int32_t index, const char *path) {
  if (in->files[index]) fail_usage("%s '%s' is given twice", in->kind, in->tensors[index]->name);
  in->files[index] = path;
}

/* The file's part of NAME=FILE, NULL when the word has no name before an '='. */
static const char *split_name(const char *word, size_t *length) {
  const char *equals = strchr(word, '=');
  if (!equals) return NULL;
  *length = (size_t)(equals - word);
  return memchr(word, '/', *length) || file_exists(word) ? NULL : equals + 1;
}

/* Gives the tensors that are named their files; words without a name become the next ones in order. */
static void assign_named(const slots *in, const slots *also, const words *given) {
  int i;
  for (i = 0; i < given->count; i++) {
    char known[DESCRIPTION_SIZE];
    size_t length;
    const char *path = split_name(given->items[i], &length);
    int32_t index;
    if (!path) continue;
    if ((index = find_tensor(in, given->items[i], length)) >= 0) {
      set_file(in, index, path);
    } else if (also && (index = find_tensor(also, given->items[i], length)) >= 0) {
      set_file(also, index, path);
    } else {
      list_names(in, known, sizeof known);
      fail_usage("there is no %s '%.*s'; there is %s", in->kind, (int)length, given->items[i], known);
    }
  }
}

/* Gives the next tensor without a file this one; 0 when all have theirs. */
static int assign_next(const slots *in, const char *path) {
  int32_t i;
  for (i = 0; i < in->count; i++)
    if (!in->files[i]) {
      in->files[i] = path;
      return 1;
    }
  return 0;
}

static void assign_rest(const slots *in, const words *given) {
  int i;
  size_t length;
  for (i = 0; i < given->count; i++)
    if (!split_name(given->items[i], &length) && !assign_next(in, given->items[i]))
      fail_usage("there are more %ss than the function has, which is %d", in->kind, (int)in->count);
}

static const char **no_files(int32_t count) { return allocate(sizeof(char *) * (size_t)count); }

void assign_files(const wse_function_info *function, const options *given, tensor_files *files) {
  slots inputs = {"input", function->inputs, function->input_count, no_files(function->input_count)};
  slots outputs = {"output", function->outputs, function->output_count, no_files(function->output_count)};
  slots written = {"output", function->inputs, function->input_count, no_files(function->input_count)};
  int i;
  assign_named(&inputs, NULL, &given->inputs);
  assign_named(&outputs, &written, &given->outputs);
  assign_rest(&inputs, &given->inputs);
  assign_rest(&outputs, &given->outputs);
  for (i = 0; i < given->files.count; i++)
    if (!assign_next(&inputs, given->files.items[i]) && !assign_next(&outputs, given->files.items[i]))
      fail_usage("there are more files than the function has inputs and outputs: '%s'", given->files.items[i]);
  for (i = 0; i < inputs.count; i++) {
    const wse_tensor_info *info = inputs.tensors[i];
    char type[DESCRIPTION_SIZE];
    if (!inputs.files[i])
      fail_usage("no file is given for input '%s', which is %s", info->name,
                 describe_type(element_name(info->dtype), info->rank, info->shape, type));
    if (written.files[i] && !info->is_written)
      fail_usage("input '%s' is not changed by a call, so it is no output", info->name);
  }
  files->inputs = inputs.files;
  files->outputs = outputs.files;
  files->written = written.files;
}

int is_raw_file(const char *path, const options *given) {
  const char *suffix = strrchr(path, '.');
  return given->raw || (suffix && (strcmp(suffix, ".raw") == 0 || strcmp(suffix, ".bin") == 0));
}
