/* Files that appear when they are complete, and not before. */
#ifndef WSE_MAIN_OUTPUT_H
#define WSE_MAIN_OUTPUT_H

#include <stdio.h>

/* Opens a file under a temporary name beside `path`; "-" is standard output, and devices and pipes are written to as
   they are. Ends the program when it cannot be written. */
FILE *open_output(const char *path);

/* Gives all files that were opened their names; ends the program when one of them could not be written. Until then,
   and when the program ends before, nothing is there. */
void finish_outputs(void);

#endif
