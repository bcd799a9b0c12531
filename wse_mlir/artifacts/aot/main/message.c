#include "message.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program = "program";

void set_program_name(const char *path) {
  const char *slash = path ? strrchr(path, '/') : NULL;
  if (path && *path) program = slash ? slash + 1 : path;
}

const char *program_name(void) { return program; }

static void print_error(const char *format, va_list values) {
  fflush(stdout);
  fprintf(stderr, "%s: error: ", program);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
}

void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_error(format, values);
  va_end(values);
  exit(EXIT_FAILED);
}

void fail_usage(const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_error(format, values);
  va_end(values);
  fprintf(stderr, "  hint: %s --help says how to call it\n", program);
  exit(EXIT_USAGE);
}

void *allocate(unsigned long long bytes) {
  void *memory = bytes <= SIZE_MAX ? calloc(bytes ? (size_t)bytes : 1, 1) : NULL;
  if (!memory) fail("out of memory: %llu bytes are needed", bytes);
  return memory;
}

char *copy_text(const char *text) {
  char *copy = allocate(strlen(text) + 1);
  strcpy(copy, text);
  return copy;
}
