/* Which file holds which tensor, by name, by position or in order. */
#ifndef WSE_MAIN_FILES_H
#define WSE_MAIN_FILES_H

#include "options.h"
#include "wse_abi.h"

/* For each tensor of a function the path of its file, "-" for standard input or output, NULL for none. */
typedef struct {
  const char **inputs;
  const char **outputs;
  const char **written; /* by input: where the value goes that a call has left in it */
} tensor_files;

/* Distributes the command line's words; ends the program when a name is unknown or an input is left without file. */
void assign_files(const wse_function_info *function, const options *given, tensor_files *files);

/* Whether a file holds bare elements: by its suffix .raw or .bin, or because --raw is given. */
int is_raw_file(const char *path, const options *given);

#endif
