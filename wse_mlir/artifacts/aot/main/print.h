/* What people read: values of tensors, and what the program is and takes. */
#ifndef WSE_MAIN_PRINT_H
#define WSE_MAIN_PRINT_H

#include <stdio.h>

#include "wse_abi.h"

/* Prints type and values, a row of the last dimension a line, each with the index of its largest value; of large
   tensors the first rows and columns. */
void print_tensor(FILE *to, const char *name, const wse_tensor *tensor);

/* Prints how the program is called, and each function with its tensors. */
void print_help(const wse_library *library);

/* Prints the times of calls, in seconds; sorts them. */
void print_times(FILE *to, double *seconds, long count);

#endif
