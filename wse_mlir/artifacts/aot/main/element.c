#include "element.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  const char *name;
  size_t size;
  const char *code; /* as NumPy writes it */
} element;

/* By wse_dtype. NumPy has no bfloat16 of its own: arrays of it are saved as two bytes without a meaning. */
static const element elements[] = {
    {"unknown", 1, "|V1"}, {"bool", 1, "|b1"},     {"uint8", 1, "|u1"},   {"int8", 1, "|i1"},
    {"int16", 2, "<i2"},   {"int32", 4, "<i4"},    {"int64", 8, "<i8"},   {"float16", 2, "<f2"},
    {"bfloat16", 2, "<V2"}, {"float32", 4, "<f4"}, {"float64", 8, "<f8"},
};
enum { ELEMENTS = sizeof elements / sizeof *elements };

static const element *find(wse_dtype dtype) {
  return &elements[dtype > 0 && dtype < ELEMENTS ? dtype : 0];
}

size_t element_size(wse_dtype dtype) { return find(dtype)->size; }

const char *element_name(wse_dtype dtype) { return find(dtype)->name; }

const char *element_code(wse_dtype dtype) { return find(dtype)->code; }

static int is_code_of(const element *type, const char *code) {
  /* Byte order means nothing to elements of one byte, nor to bytes without a meaning. */
  int any_order = type->size == 1 || type->code[1] == 'V';
  int order = any_order ? code[0] && strchr("<>|=", code[0]) != NULL : code[0] == type->code[0];
  return order && strcmp(code + 1, type->code + 1) == 0;
}

int is_element_code(wse_dtype dtype, const char *code) { return is_code_of(find(dtype), code); }

void describe_code(const char *code, char *text, size_t size) {
  char little[8];
  size_t i;
  int big = code[0] == '>' && strlen(code) < sizeof little;
  snprintf(little, sizeof little, "%s", code);
  if (big) little[0] = '<';
  for (i = 1; i < ELEMENTS; i++) {
    if (!is_code_of(&elements[i], big ? little : code)) continue;
    snprintf(text, size, "%s%s", big && elements[i].size > 1 ? "big-endian " : "", elements[i].name);
    return;
  }
  snprintf(text, size, "'%s'", code);
}

static char *describe(const char *name, int32_t rank, const int64_t *shape, const char *const *symbols, char *text) {
  size_t used = (size_t)snprintf(text, DESCRIPTION_SIZE, "%.100s[", name);
  int32_t i;
  for (i = 0; i < rank && used < DESCRIPTION_SIZE; i++) {
    const char *comma = i ? ", " : "", *symbol = symbols && symbols[i][0] ? symbols[i] : "?";
    used += shape[i] < 0 ? (size_t)snprintf(text + used, DESCRIPTION_SIZE - used, "%s%.60s", comma, symbol)
                         : (size_t)snprintf(text + used, DESCRIPTION_SIZE - used, "%s%" PRId64, comma, shape[i]);
  }
  if (used < DESCRIPTION_SIZE) snprintf(text + used, DESCRIPTION_SIZE - used, "]");
  return text;
}

char *describe_type(const char *name, int32_t rank, const int64_t *shape, char *text) {
  return describe(name, rank, shape, NULL, text);
}

char *describe_tensor(const wse_tensor_info *info, char *text) {
  return describe(element_name(info->dtype), info->rank, info->shape, info->symbols, text);
}

static double half_value(uint16_t bits) {
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double size = exponent == 31  ? (mantissa ? NAN : INFINITY)
                : exponent == 0 ? ldexp(mantissa, -24)
                                : ldexp(mantissa + 1024, exponent - 25);
  return bits >> 15 ? -size : size;
}

#define LOAD(type, name)                                                                    \
  type name;                                                                                \
  memcpy(&name, (const char *)tensor->data + index * sizeof name, sizeof name)

static int64_t integer_value(const wse_tensor *tensor, size_t index) {
  switch (tensor->dtype) {
    case WSE_INT8: { LOAD(int8_t, value); return value; }
    case WSE_INT16: { LOAD(int16_t, value); return value; }
    case WSE_INT32: { LOAD(int32_t, value); return value; }
    case WSE_INT64: { LOAD(int64_t, value); return value; }
    default: { LOAD(uint8_t, value); return value; }
  }
}

double element_value(const wse_tensor *tensor, size_t index) {
  switch (tensor->dtype) {
    case WSE_FLOAT16: { LOAD(uint16_t, bits); return half_value(bits); }
    case WSE_BFLOAT16: {
      LOAD(uint16_t, bits);
      uint32_t wide = (uint32_t)bits << 16;
      float value;
      memcpy(&value, &wide, sizeof value);
      return value;
    }
    case WSE_FLOAT32: { LOAD(float, value); return value; }
    case WSE_FLOAT64: { LOAD(double, value); return value; }
    default: return (double)integer_value(tensor, index);
  }
}

void element_text(const wse_tensor *tensor, size_t index, char *text) {
  if (tensor->dtype == WSE_BOOL)
    strcpy(text, integer_value(tensor, index) ? "true" : "false");
  else if (tensor->dtype >= WSE_FLOAT16)
    snprintf(text, 32, "%.6g", element_value(tensor, index));
  else
    snprintf(text, 32, "%" PRId64, integer_value(tensor, index));
}

int64_t element_count(int32_t rank, const int64_t *shape, size_t size) {
  int64_t count = 1;
  int32_t i;
  for (i = 0; i < rank; i++)
    if (shape[i] == 0) return 0;
  for (i = 0; i < rank; i++) {
    if (shape[i] < 0 || shape[i] > INT64_MAX / (int64_t)size / count) return -1;
    count *= shape[i];
  }
  return count;
}

size_t tensor_bytes(const wse_tensor *tensor) {
  size_t size = element_size(tensor->dtype);
  return (size_t)element_count(tensor->rank, tensor->shape, size) * size;
}
