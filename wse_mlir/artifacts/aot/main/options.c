#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "message.h"

enum { MOST_CALLS = 100000000 };

static void add(words *list, const char *word) { list->items[list->count++] = word; }

/* The value of `--name=value` or `--name value`; NULL when the word at `*at` is another option. */
static const char *value_of(const char *name, const char *letter, int argc, char **argv, int *at) {
  const char *word = argv[*at];
  size_t length = strlen(name);
  if (strncmp(word, name, length) == 0 && word[length] == '=') return word + length + 1;
  if (strcmp(word, name) != 0 && (!letter || strcmp(word, letter) != 0)) return NULL;
  if (*at + 1 >= argc) fail_usage("%s needs a value", word);
  return argv[++*at];
}

static void set_once(const char **place, const char *name, const char *value) {
  if (*place) fail_usage("%s is given twice", name);
  *place = value;
}

static long parse_count(const char *text) {
  char *end;
  long count = strtol(text, &end, 10);
  if (end == text || *end || count < 1 || count > MOST_CALLS)
    fail_usage("--repeat %s: give a number of calls from 1 to %d", text, (int)MOST_CALLS);
  return count;
}

static void parse_option(int argc, char **argv, int *at, options *found) {
  const char *word = argv[*at], *value;
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
    found->help = 1;
  else if (strcmp(word, "--raw") == 0)
    found->raw = 1;
  else if (strcmp(word, "--print") == 0)
    found->print = 1;
  else if ((value = value_of("--input", "-i", argc, argv, at)))
    add(&found->inputs, value);
  else if ((value = value_of("--output", "-o", argc, argv, at)))
    add(&found->outputs, value);
  else if ((value = value_of("--function", "-f", argc, argv, at)))
    set_once(&found->function, "--function", value);
  else if ((value = value_of("--weights", NULL, argc, argv, at)))
    set_once(&found->weights, "--weights", value);
  else if ((value = value_of("--state-in", NULL, argc, argv, at)))
    set_once(&found->state_in, "--state-in", value);
  else if ((value = value_of("--state-out", NULL, argc, argv, at)))
    set_once(&found->state_out, "--state-out", value);
  else if ((value = value_of("--repeat", NULL, argc, argv, at)))
    found->repeat = parse_count(value);
  else
    fail_usage("there is no option '%s'", word);
}

void parse_options(int argc, char **argv, options *found) {
  int at, only_files = 0;
  size_t bytes = sizeof(char *) * (size_t)(argc > 0 ? argc : 1);
  memset(found, 0, sizeof *found);
  found->inputs.items = allocate(bytes);
  found->outputs.items = allocate(bytes);
  found->files.items = allocate(bytes);
  for (at = 1; at < argc; at++) {
    const char *word = argv[at];
    if (only_files || word[0] != '-' || strcmp(word, "-") == 0)
      add(&found->files, word);
    else if (strcmp(word, "--") == 0)
      only_files = 1;
    else
      parse_option(argc, argv, &at, found);
  }
}
