#include "npy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "element.h"
#include "message.h"

enum { LONGEST_HEADER = 1 << 16, CODE_SIZE = 64, CHUNK = 1 << 20 };

/* What a file's header says. */
typedef struct {
  char code[CODE_SIZE];
  int fortran_order;
  int32_t rank;
  int64_t shape[WSE_MAX_RANK];
} header;

/* A place in the header's text: a Python dictionary of a string, a truth value and a tuple of integers. */
typedef struct {
  const char *at;
  const array_file *from;
} cursor;

static void malformed(const array_file *from, const char *why) {
  fail("%s: this is not a .npy file that can be read for %s: %s", from->path, from->what, why);
}

static void skip_space(cursor *c) { c->at += strspn(c->at, " \t\r\n"); }

static int accept(cursor *c, const char *text) {
  size_t length = strlen(text);
  skip_space(c);
  if (strncmp(c->at, text, length) != 0) return 0;
  c->at += length;
  return 1;
}

static void expect(cursor *c, const char *text) {
  if (!accept(c, text)) malformed(c->from, "its header is not a dictionary of descr, fortran_order and shape");
}

/* A quoted string without escapes; what is not printable becomes '?', since it may end up in a message. */
static void parse_string(cursor *c, char *text, size_t size) {
  char quote[2] = {0, 0};
  size_t length, i;
  skip_space(c);
  quote[0] = *c->at == '"' ? '"' : '\'';
  expect(c, quote);
  length = strcspn(c->at, quote);
  if (!c->at[length]) malformed(c->from, "a string of its header has no end");
  if (length >= size) malformed(c->from, "a string of its header is too long");
  for (i = 0; i < length; i++) text[i] = c->at[i] >= ' ' && c->at[i] <= '~' ? c->at[i] : '?';
  text[length] = 0;
  c->at += length + 1;
}

static int64_t parse_size(cursor *c) {
  int64_t size = 0;
  skip_space(c);
  if (*c->at < '0' || *c->at > '9') malformed(c->from, "its shape is not a tuple of sizes");
  for (; *c->at >= '0' && *c->at <= '9'; c->at++) {
    int digit = *c->at - '0';
    if (size > (INT64_MAX - digit) / 10) malformed(c->from, "a size in its shape is too large");
    size = size * 10 + digit;
  }
  if (*c->at == 'L') c->at++; /* long integers of Python 2 */
  return size;
}

static void parse_shape(cursor *c, header *found) {
  expect(c, "(");
  for (found->rank = 0; !accept(c, ")"); found->rank++) {
    if (found->rank == WSE_MAX_RANK) malformed(c->from, "it has more dimensions than any model takes");
    found->shape[found->rank] = parse_size(c);
    if (!accept(c, ",")) {
      expect(c, ")");
      found->rank++;
      return;
    }
  }
}

static void parse_header(const array_file *from, const char *text, header *found) {
  cursor c;
  int seen_code = 0, seen_order = 0, seen_shape = 0;
  c.at = text;
  c.from = from;
  memset(found, 0, sizeof *found);
  expect(&c, "{");
  while (!accept(&c, "}")) {
    char key[CODE_SIZE];
    parse_string(&c, key, sizeof key);
    expect(&c, ":");
    if (strcmp(key, "descr") == 0) {
      seen_code = 1;
      if (accept(&c, "[")) malformed(from, "its elements are records, not numbers");
      parse_string(&c, found->code, sizeof found->code);
    } else if (strcmp(key, "fortran_order") == 0) {
      seen_order = 1;
      found->fortran_order = accept(&c, "True");
      if (!found->fortran_order) expect(&c, "False");
    } else if (strcmp(key, "shape") == 0) {
      seen_shape = 1;
      parse_shape(&c, found);
    } else {
      malformed(from, "its header says more than descr, fortran_order and shape");
    }
    if (!accept(&c, ",")) {
      expect(&c, "}");
      break;
    }
  }
  skip_space(&c);
  if (*c.at) malformed(from, "its header does not end after the dictionary");
  if (!seen_code || !seen_order || !seen_shape)
    malformed(from, "its header lacks one of descr, fortran_order and shape");
}

static void read_exactly(const array_file *from, void *bytes, size_t count) {
  if (fread(bytes, 1, count, from->file) == count) return;
  if (ferror(from->file)) fail("%s: cannot be read", from->path);
  malformed(from, "it ends within its header");
}

static void read_header(const array_file *from, header *found) {
  unsigned char start[8], length_bytes[4] = {0, 0, 0, 0};
  char *text;
  size_t length;
  read_exactly(from, start, sizeof start);
  if (memcmp(start, "\x93NUMPY", 6) != 0) malformed(from, "it does not begin as one (--raw reads bare elements)");
  if (start[6] < 1 || start[6] > 3 || start[7] != 0) malformed(from, "its version is not 1.0, 2.0 or 3.0");
  read_exactly(from, length_bytes, start[6] == 1 ? 2 : 4);
  length = length_bytes[0] | (size_t)length_bytes[1] << 8 | (size_t)length_bytes[2] << 16 |
           (size_t)length_bytes[3] << 24;
  if (length > LONGEST_HEADER) malformed(from, "its header is longer than any real one");
  text = allocate(length + 1);
  read_exactly(from, text, length);
  if (memchr(text, 0, length)) malformed(from, "there is a zero byte in its header");
  parse_header(from, text, found);
  free(text);
}

static void check_header(const array_file *from, const wse_tensor_info *info, const header *found) {
  char type[DESCRIPTION_SIZE], wanted[DESCRIPTION_SIZE], actual[DESCRIPTION_SIZE];
  int fits = is_element_code(info->dtype, found->code) && found->rank == info->rank;
  int32_t i;
  for (i = 0; fits && i < found->rank; i++)
    fits = info->shape[i] < 0 || info->shape[i] == found->shape[i];
  if (!fits) {
    describe_code(found->code, type, sizeof type);
    fail("%s: %s must be %s, but the file holds %s", from->path, from->what,
         describe_type(element_name(info->dtype), info->rank, info->shape, wanted),
         describe_type(type, found->rank, found->shape, actual));
  }
  if (found->fortran_order)
    fail("%s: %s must be in C order, but the file holds Fortran order (numpy.ascontiguousarray changes that)",
         from->path, from->what);
}

/* Up to `limit` bytes: memory grows with what is really there, whatever a header claims. */
static char *read_bytes(const array_file *from, size_t limit, size_t *count) {
  size_t capacity = limit < CHUNK ? limit : CHUNK, used = 0;
  char *bytes = allocate(capacity);
  for (;;) {
    used += fread(bytes + used, 1, capacity - used, from->file);
    if (used < capacity || used == limit) break;
    capacity = capacity < limit / 2 ? capacity * 2 : limit;
    bytes = realloc(bytes, capacity);
    if (!bytes) fail("%s: out of memory: %s needs more than %zu bytes", from->path, from->what, used);
  }
  if (ferror(from->file)) fail("%s: cannot be read", from->path);
  *count = used;
  return bytes;
}

/* The one size that a shape leaves open, from the number of bytes; 0 when they do not come out even. */
static int fill_open_size(wse_tensor *tensor, size_t bytes) {
  int32_t i, open = -1;
  int64_t rest;
  for (i = 0; i < tensor->rank; i++)
    if (tensor->shape[i] < 0) {
      if (open >= 0) return 0;
      open = i;
    }
  if (open < 0) return 1;
  tensor->shape[open] = 1;
  rest = element_count(tensor->rank, tensor->shape, element_size(tensor->dtype));
  rest *= rest > 0 ? (int64_t)element_size(tensor->dtype) : 0;
  if (rest <= 0 || bytes % (size_t)rest != 0) return 0;
  tensor->shape[open] = (int64_t)(bytes / (size_t)rest);
  return 1;
}

static void read_elements(const array_file *from, wse_tensor *tensor) {
  char type[DESCRIPTION_SIZE];
  size_t size = element_size(tensor->dtype), wanted, found, i;
  int64_t count = element_count(tensor->rank, tensor->shape, size);
  describe_type(element_name(tensor->dtype), tensor->rank, tensor->shape, type);
  if (count < 0 && !from->raw) fail("%s: %s of %s is too large for any memory", from->path, from->what, type);
  wanted = count < 0 ? SIZE_MAX : (size_t)count * size;
  tensor->data = read_bytes(from, wanted, &found);
  if (count < 0 && fill_open_size(tensor, found)) wanted = found;
  if (wanted == SIZE_MAX)
    fail("%s: %s is %s, and %zu bytes are no whole number of those", from->path, from->what, type, found);
  if (found < wanted)
    fail("%s: %s is %s, %zu bytes, but the file ends after %zu of them", from->path, from->what, type, wanted,
         found);
  for (i = 0; tensor->dtype == WSE_BOOL && i < found; i++)
    ((char *)tensor->data)[i] = ((char *)tensor->data)[i] != 0;
}

void read_array(const array_file *from, const wse_tensor_info *info, wse_tensor *tensor) {
  memset(tensor, 0, sizeof *tensor);
  tensor->dtype = info->dtype;
  tensor->rank = info->rank;
  if (info->rank > 0) memcpy(tensor->shape, info->shape, (size_t)info->rank * sizeof *info->shape);
  if (!from->raw) {
    header found;
    read_header(from, &found);
    check_header(from, info, &found);
    memcpy(tensor->shape, found.shape, sizeof found.shape);
  }
  read_elements(from, tensor);
}

void expect_end(const array_file *from) {
  if (fgetc(from->file) != EOF) fail("%s: there is more in the file than %s", from->path, from->what);
}

void write_array(const array_file *to, const wse_tensor *tensor) {
  char text[DESCRIPTION_SIZE] = "", head[2 * DESCRIPTION_SIZE];
  size_t size = element_size(tensor->dtype), used = 0;
  int64_t count = element_count(tensor->rank, tensor->shape, size);
  int32_t i;
  if (!to->raw) {
    for (i = 0; i < tensor->rank; i++)
      used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64 "%s", i ? ", " : "", tensor->shape[i],
                               tensor->rank == 1 ? "," : "");
    used = (size_t)snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                            element_code(tensor->dtype), text);
    while ((10 + used + 1) % 64 != 0) head[used++] = ' ';
    head[used++] = '\n';
    fwrite("\x93NUMPY\x01\x00", 1, 8, to->file);
    fputc((int)(used & 255), to->file);
    fputc((int)(used >> 8), to->file);
    fwrite(head, 1, used, to->file);
  }
  if (count > 0) fwrite(tensor->data, size, (size_t)count, to->file);
}
