/* Arrays in files: NumPy's .npy format (versions 1 to 3, little endian, C order), or bare elements. */
#ifndef WSE_MAIN_NPY_H
#define WSE_MAIN_NPY_H

#include <stdio.h>

#include "wse_abi.h"

/* Where an array comes from or goes to.
   path: for messages; what: what the array is, such as "input 'x'"; raw: elements only, no header. */
typedef struct {
  FILE *file;
  const char *path;
  const char *what;
  int raw;
} array_file;

/* Reads one array, which must be as `info` says, into memory that the caller frees; ends the program otherwise.
   Bare elements may leave one size open: it follows from the file's length. */
void read_array(const array_file *from, const wse_tensor_info *info, wse_tensor *tensor);

/* Ends the program unless the file ends here. */
void expect_end(const array_file *from);

/* Writes one array; whether that went well is left to the file's own error flag. */
void write_array(const array_file *to, const wse_tensor *tensor);

#endif
