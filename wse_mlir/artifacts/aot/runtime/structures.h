/* What the generated tables of a library consist of; private to the library. */
#define WSE_EXPORT __attribute__((visibility("default")))
#define WSE_HIDDEN __attribute__((visibility("hidden")))
#define WSE_ALIGNMENT 64 /* of weights, states and everything that is allocated */

#define WSE_KEPT_ARENAS 4 /* of a function */

_Static_assert(sizeof(void *) == 8, "memref descriptors have words of 64 bits");

/* Takes pointers to memref descriptors {allocated, aligned, offset, sizes..., strides...}, one for each argument,
   then one for each result; where outputs are allocated by the kernel, the first instead points to the results'
   descriptors, one after the other. */
typedef void (*wse_kernel)(void **block);

/* Where an argument of a kernel comes from, or a result goes to: the kind, and the position among those. */
typedef enum { WSE_INPUT, WSE_OUTPUT, WSE_PARAMETER, WSE_STATE, WSE_PREPARED, WSE_ARENA, WSE_STATUS } wse_kind;
typedef struct {
  wse_kind kind;
  int32_t index;
} wse_place;

/* A tensor that is computed of the parameters when an instance is opened. */
typedef struct {
  uint64_t place; /* in the memory of all of them */
  int32_t rank;
  const int64_t *shape;
} wse_prepared;

/* Something that a run checks. An index is counted from the front, or from either end. */
typedef enum { WSE_CHECK_FRONT, WSE_CHECK_EITHER_END, WSE_CHECK_DIVISION, WSE_CHECK_ASSERTION } wse_check_kind;
typedef struct {
  wse_check_kind kind;
  int32_t dimension; /* of the tensor that is indexed */
  const char *where; /* the place in the model */
  const char *message;
} wse_check;

#define WSE_STATUS_WORDS 3 /* number of the check that failed, from 1, or 0; the two sides of its comparison */

typedef struct {
  wse_kernel kernel;
  wse_kernel prepare; /* takes the parameters, an arena and the prepared tensors; NULL when there are none */
  int32_t argument_count, result_count;
  const wse_place *arguments;
  const wse_place *results;       /* WSE_OUTPUT, or WSE_INPUT where the model changes an input */
  const int32_t *parameter_slots; /* of each parameter: position in wse_parameter_slots */
  const int32_t *state_slots;     /* of each state: position in wse_state_slots */
  const wse_prepared *prepared;
  const wse_check *checks;
  int64_t arena_bytes, prepare_arena_bytes; /* of the kernel and of `prepare`; -1: it takes no arena */
} wse_function;

#define WSE_ZEROS UINT64_MAX
typedef struct {
  uint64_t offset; /* in the weights; WSE_ZEROS for states that begin as zeros and are not stored */
  uint64_t bytes;
  uint64_t place; /* of a state: offset in the memory of a wse_state */
} wse_slot;

/* First bytes of the weights, little-endian; the data follows. */
typedef struct {
  char magic[8]; /* "WSEWTS\r\n" */
  uint32_t version;
  uint32_t header_size;
  uint64_t size;           /* of all, with the header */
  uint64_t fingerprint[2]; /* of names, shapes, dtypes and offsets, not of values */
  uint64_t checksum[2];    /* of the data as words of 64 bits: sum of the words, sum of those sums (Fletcher) */
  uint64_t reserved;
} wse_weights_header;
