/* The command line, before anything is known about the library. */
#ifndef WSE_MAIN_OPTIONS_H
#define WSE_MAIN_OPTIONS_H

/* A list of words; `count` of them. */
typedef struct {
  const char **items;
  int count;
} words;

typedef struct {
  words inputs, outputs; /* of --input and --output: [NAME=]FILE */
  words files;           /* of no option: inputs, then outputs */
  const char *function, *weights, *state_in, *state_out; /* NULL when not given */
  long repeat;           /* 0 when not given */
  int raw, print, help;
} options;

/* Reads the command line; ends the program when it is wrong. */
void parse_options(int argc, char **argv, options *found);

#endif
