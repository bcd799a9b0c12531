/* The part of the C interface that all libraries made by wse-mlir share; docs/c-abi.md explains it. */
#ifndef WSE_ABI_VERSION
#define WSE_ABI_VERSION 1

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WSE_MAX_RANK 16

typedef int32_t wse_dtype;
enum {
  WSE_BOOL = 1,     /* one byte, 0 or 1 */
  WSE_UINT8 = 2,
  WSE_INT8 = 3,
  WSE_INT16 = 4,
  WSE_INT32 = 5,
  WSE_INT64 = 6,
  WSE_FLOAT16 = 7,  /* IEEE binary16 */
  WSE_BFLOAT16 = 8, /* the upper half of a binary32 */
  WSE_FLOAT32 = 9,
  WSE_FLOAT64 = 10
};

typedef int32_t wse_status;
enum {
  WSE_OK = 0,
  WSE_NULL_POINTER = 1,         /* an argument that must not be NULL is */
  WSE_UNKNOWN_FUNCTION = 2,     /* no function has this index */
  WSE_WRONG_INSTANCE = 3,       /* the instance or state belongs to another library or instance */
  WSE_WRONG_COUNT = 4,          /* not as many inputs or outputs as the function has */
  WSE_WRONG_DTYPE = 5,
  WSE_WRONG_RANK = 6,
  WSE_WRONG_SHAPE = 7,
  WSE_UNEQUAL_SIZES = 8,        /* open sizes that must be equal are not */
  WSE_MISALIGNED = 9,           /* data does not lie on a multiple of its element's size */
  WSE_OVERLAP = 10,             /* an output lies on an input or on another output */
  WSE_NEEDS_STATE = 11,         /* the function keeps state, but none was given */
  WSE_OUT_OF_MEMORY = 12,
  WSE_UNSUPPORTED_CPU = 13,     /* this processor lacks instructions that the library uses */
  WSE_WEIGHTS_UNREADABLE = 14,  /* there is no such file, or it may not be read */
  WSE_WEIGHTS_FOREIGN = 15,     /* the file holds no weights, or those of another model or version */
  WSE_WEIGHTS_DAMAGED = 16,     /* the file was cut off or changed */
  WSE_INDEX_OUT_OF_RANGE = 17,  /* the run used an index that its dimension has not */
  WSE_ASSERTION_FAILED = 18,    /* something that the model asserts does not hold */
  WSE_DIVISION_BY_ZERO = 19     /* the run divided an integer by zero */
};

/* A dense, row-major tensor. `owner` is set by the library where it allocated `data`: see `release`. */
typedef struct wse_tensor {
  void *data;
  void *owner;
  wse_dtype dtype;
  int32_t rank;
  int64_t shape[WSE_MAX_RANK];
} wse_tensor;

/* What is known about a tensor before a call. */
typedef struct wse_tensor_info {
  const char *name;
  wse_dtype dtype;
  int32_t rank;
  const int64_t *shape;       /* -1: open, known only at the call */
  const char *const *symbols; /* names of the open sizes, "" for others; equal names are equal sizes */
  int32_t is_written;         /* 1: an input that a run changes */
} wse_tensor_info;

typedef struct wse_function_info {
  const char *name;
  int32_t input_count, output_count, state_count, parameter_count;
  const wse_tensor_info *const *inputs;
  const wse_tensor_info *const *outputs;
  const wse_tensor_info *const *states;
  const wse_tensor_info *const *parameters;
  int32_t allocates_outputs; /* 1: a run allocates all outputs, since their sizes are not known before */
} wse_function_info;

/* One sentence about what went wrong, with the tensor and the sizes in it. */
typedef struct wse_error {
  char text[256];
} wse_error;

typedef struct wse_instance wse_instance; /* the weights; immutable, shared by any number of threads */
typedef struct wse_state wse_state;       /* what functions keep between runs; one run at a time */

/* Everything a library offers, for programs that do not know its name. Later versions only append. */
typedef struct wse_library {
  int32_t abi_version;
  int32_t function_count;
  const char *name;
  const char *compiler; /* name and version of what made the library */
  const char *target;   /* processor that the code is for */
  const wse_function_info *const *functions;

  wse_status (*open)(const char *weights, wse_instance **instance, wse_error *error);
  void (*close)(wse_instance *instance);
  wse_status (*run)(const wse_instance *instance, int32_t function, wse_state *state, const wse_tensor *inputs,
                    int32_t input_count, wse_tensor *outputs, int32_t output_count, wse_error *error);
  void (*release)(wse_tensor *tensor);
  wse_status (*state_create)(const wse_instance *instance, wse_state **state, wse_error *error);
  wse_status (*state_reset)(wse_state *state);
  void (*state_destroy)(wse_state *state);
  wse_status (*state_tensor)(wse_state *state, int32_t function, int32_t index, wse_tensor *tensor);
  int32_t (*find_function)(const char *name);
  const char *(*error_text)(wse_status status);
} wse_library;

/* The one symbol that every library exports under the same name. */
const wse_library *wse_get_library(void);

#ifdef __cplusplus
}
#endif
#elif WSE_ABI_VERSION != 1
#error "headers of libraries with different versions of the C interface of wse-mlir in one program"
#endif
