#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"

typedef struct output {
  FILE *file;
  const char *path;
  char *temporary; /* NULL: the file is written to where it is */
  struct output *next;
} output;

static output *outputs;

static void remove_temporaries(void) {
  output *out;
  for (out = outputs; out; out = out->next)
    if (out->temporary) unlink(out->temporary);
}

static FILE *open_temporary(output *out) {
  mode_t mask = umask(0);
  int handle;
  umask(mask);
  out->temporary = allocate(strlen(out->path) + 8);
  strcpy(out->temporary, out->path);
  strcat(out->temporary, ".XXXXXX");
  handle = mkstemp(out->temporary);
  if (handle < 0) {
    free(out->temporary);
    out->temporary = NULL;
    return NULL;
  }
  fchmod(handle, 0666 & ~mask);
  return fdopen(handle, "wb");
}

FILE *open_output(const char *path) {
  struct stat status;
  output *out = allocate(sizeof *out);
  int exists = stat(path, &status) == 0;
  if (!outputs) atexit(remove_temporaries);
  out->path = path;
  out->next = outputs;
  outputs = out;
  errno = 0;
  if (strcmp(path, "-") == 0)
    out->file = stdout;
  else if (exists && S_ISDIR(status.st_mode))
    fail("%s: this is a folder, and cannot be written to", path);
  else if (exists && !S_ISREG(status.st_mode))
    out->file = fopen(path, "wb");
  else
    out->file = open_temporary(out);
  if (!out->file) fail("%s: cannot be written: %s", path, strerror(errno));
  return out->file;
}

void finish_outputs(void) {
  output *out;
  for (out = outputs; out; out = out->next) {
    int failed = fflush(out->file) != 0 || ferror(out->file);
    if (out->file != stdout && fclose(out->file) != 0) failed = 1;
    if (failed) fail("%s: could not be written whole: %s", out->path, strerror(errno));
  }
  for (out = outputs; out; out = out->next) {
    if (!out->temporary) continue;
    if (rename(out->temporary, out->path) != 0) fail("%s: cannot be written: %s", out->path, strerror(errno));
    free(out->temporary);
    out->temporary = NULL;
  }
}
