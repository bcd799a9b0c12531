#define _XOPEN_SOURCE 700 /* realpath */

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
  const char *place; /* the file itself, where `path` is a link to it */
  char *temporary;   /* NULL: the file is written to where it is */
  struct output *next;
} output;

static output *outputs;

static void remove_temporaries(void) {
  output *out;
  for (out = outputs; out; out = out->next)
    if (out->temporary) unlink(out->temporary);
}

static mode_t usual_mode(void) {
  mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

static FILE *open_temporary(output *out, mode_t mode) {
  int handle;
  out->temporary = allocate(strlen(out->place) + 8);
  strcpy(out->temporary, out->place);
  strcat(out->temporary, ".XXXXXX");
  handle = mkstemp(out->temporary);
  if (handle < 0) {
    free(out->temporary);
    out->temporary = NULL;
    return NULL;
  }
  fchmod(handle, mode);
  return fdopen(handle, "wb");
}

FILE *open_output(const char *path) {
  struct stat status;
  output *out = allocate(sizeof *out);
  int exists = stat(path, &status) == 0;
  if (!outputs) atexit(remove_temporaries);
  out->path = path;
  out->place = exists ? realpath(path, NULL) : path;
  if (!out->place) out->place = path;
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
    out->file = open_temporary(out, exists ? status.st_mode & 0777 : usual_mode());
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
    if (rename(out->temporary, out->place) != 0) fail("%s: cannot be written: %s", out->path, strerror(errno));
    free(out->temporary);
    out->temporary = NULL;
  }
}
