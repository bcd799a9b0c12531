/* The functions of a library, the same for all; the generated source includes them behind its tables. */

/* Memory that no run uses now. */
typedef struct {
  _Atomic(void *) kept[WSE_KEPT_ARENAS];
} wse_arenas;

struct wse_instance {
  const wse_library *library;
  const unsigned char *weights;
  void *mapping; /* of the weights' file, NULL for embedded weights */
  void **blocks[WSE_FUNCTION_COUNT]; /* of each kernel, with the parameters filled in */
  int64_t *words;
  unsigned char *prepared; /* of all functions */
  wse_arenas arenas[WSE_FUNCTION_COUNT];
};

struct wse_state {
  const wse_library *library;
  const wse_instance *instance;
  unsigned char *memory;
};

#include "tensors.c"

#include "memory.c"

#include "weights.c"

#include "provisions.c"

#include "instances.c"

#include "checks.c"

#include "runs.c"

#include "queries.c"
