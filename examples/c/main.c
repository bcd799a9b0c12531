/* Says which shape a drawing shows: classify FILE, with 12 lines of 12 characters, '#' for ink.

   The network is in libshapes.so, weights and all; shapes.h is the header that was generated with it. */
#include <stdio.h>

#include "shapes.h"

enum { SIDE = 12, SHAPES = 4 };

static const char *const names[SHAPES] = {"square", "disc", "cross", "stripes"};

/* Reads a drawing; lines may be shorter, missing pixels are blank. */
static int read_drawing(const char *path, float drawing[SIDE * SIDE]) {
  FILE *file = fopen(path, "r");
  int row = 0, column = 0, character;
  if (!file) return 0;
  while ((character = fgetc(file)) != EOF && row < SIDE) {
    if (character == '\n') {
      ++row;
      column = 0;
    } else if (column < SIDE) {
      drawing[row * SIDE + column++] = character == '#';
    }
  }
  fclose(file);
  return 1;
}

int main(int argc, char **argv) {
  float drawing[SIDE * SIDE] = {0}, probabilities[SHAPES];
  wse_instance *network;
  wse_error error;
  wse_status status;
  int shape, likeliest = 0;

  if (argc != 2 || !read_drawing(argv[1], drawing)) {
    fprintf(stderr, "usage: %s FILE, a drawing of %d x %d characters\n", argv[0], SIDE, SIDE);
    return 2;
  }
  if (shapes_open(NULL, &network, &error) != WSE_OK) {
    fprintf(stderr, "%s\n", error.text);
    return 1;
  }
  status = shapes_run_classify(network, drawing, probabilities);
  shapes_close(network);
  if (status != WSE_OK) {
    fprintf(stderr, "%s\n", shapes_error_text(status));
    return 1;
  }
  for (shape = 0; shape < SHAPES; ++shape) {
    printf("%-8s %5.1f %%\n", names[shape], 100 * probabilities[shape]);
    if (probabilities[shape] > probabilities[likeliest]) likeliest = shape;
  }
  printf("a %s\n", names[likeliest]);
  return 0;
}
