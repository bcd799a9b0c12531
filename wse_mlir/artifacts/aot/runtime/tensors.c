/* Errors as text, sizes of tensors, memref descriptors. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

WSE_EXPORT const char *WSE_SYMBOL(error_text)(wse_status status) {
  switch (status) {
    case WSE_OK: return "no error";
    case WSE_NULL_POINTER: return "an argument that must not be NULL is";
    case WSE_UNKNOWN_FUNCTION: return "the library has no such function";
    case WSE_WRONG_INSTANCE: return "the instance or state belongs to another library or instance";
    case WSE_WRONG_COUNT: return "not as many inputs or outputs as the function has";
    case WSE_WRONG_DTYPE: return "a tensor has another element type than the function takes";
    case WSE_WRONG_RANK: return "a tensor has another number of dimensions than the function takes";
    case WSE_WRONG_SHAPE: return "a tensor has a size that the function does not take";
    case WSE_UNEQUAL_SIZES: return "open sizes that must be equal are not";
    case WSE_MISALIGNED: return "a tensor's data does not lie on a multiple of its element's size";
    case WSE_OVERLAP: return "an output lies on an input or on another output";
    case WSE_NEEDS_STATE: return "the function keeps state, but none was given";
    case WSE_OUT_OF_MEMORY: return "there is not enough memory";
    case WSE_UNSUPPORTED_CPU: return "this processor lacks instructions that the library uses";
    case WSE_WEIGHTS_UNREADABLE: return "the file of the weights cannot be read";
    case WSE_WEIGHTS_FOREIGN: return "the file holds no weights, or those of another model or version";
    case WSE_WEIGHTS_DAMAGED: return "the file of the weights was cut off or changed";
    case WSE_INDEX_OUT_OF_RANGE: return "an index is out of range";
    case WSE_ASSERTION_FAILED: return "an assertion of the model does not hold";
    case WSE_DIVISION_BY_ZERO: return "an integer is divided by zero";
    default: return "unknown status";
  }
}

__attribute__((format(printf, 3, 4))) static wse_status fail(wse_error *error, wse_status status,
                                                             const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
  }
  return status;
}

static wse_status fail_plainly(wse_error *error, wse_status status) {
  return fail(error, status, "%s", WSE_SYMBOL(error_text)(status));
}

static const struct {
  const char *name;
  uint32_t bytes;
} dtypes[] = {{"?", 0},     {"bool", 1},  {"uint8", 1},   {"int8", 1},     {"int16", 2},  {"int32", 4},
              {"int64", 8}, {"float16", 2}, {"bfloat16", 2}, {"float32", 4}, {"float64", 8}};

static const char *dtype_name(wse_dtype dtype) {
  return dtypes[dtype >= WSE_BOOL && dtype <= WSE_FLOAT64 ? dtype : 0].name;
}

/* "[2, ?, 16]" */
static const char *shape_text(char *text, size_t size, int32_t rank, const int64_t *shape) {
  size_t used = (size_t)snprintf(text, size, "[");
  for (int32_t d = 0; d < rank && used < size; ++d) {
    const char *comma = d ? ", " : "";
    int wrote = shape[d] < 0 ? snprintf(text + used, size - used, "%s?", comma)
                             : snprintf(text + used, size - used, "%s%lld", comma, (long long)shape[d]);
    used += (size_t)wrote;
  }
  if (used < size) snprintf(text + used, size - used, "]");
  return text;
}

/* Bytes of a tensor; false where they are more than can be addressed, or a size is negative. */
static int tensor_bytes(wse_dtype dtype, int32_t rank, const int64_t *shape, size_t *bytes) {
  size_t total = dtypes[dtype].bytes;
  int empty = 0;
  for (int32_t d = 0; d < rank; ++d) {
    if (shape[d] < 0) return 0;
    if (shape[d] == 0) empty = 1;
    else if (__builtin_mul_overflow(total, (size_t)shape[d], &total) || total > PTRDIFF_MAX) return 0;
  }
  *bytes = empty ? 0 : total;
  return 1;
}

static int64_t *describe(int64_t *words, void *data, int32_t rank, const int64_t *shape) {
  words[0] = words[1] = (int64_t)(intptr_t)data;
  words[2] = 0;
  int64_t stride = 1;
  for (int32_t d = rank - 1; d >= 0; --d) {
    words[3 + d] = shape[d];
    words[3 + rank + d] = stride;
    stride *= shape[d];
  }
  return words + 3 + 2 * rank;
}
