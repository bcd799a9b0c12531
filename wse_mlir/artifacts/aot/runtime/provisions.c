/* What kernels take besides tensors of the caller's and of the model: tensors that were prepared of the parameters when
   the instance was opened, and an arena for what is temporary. */

/* Arenas of a function are kept for later runs, as many as usually run at the same time: a steady run allocates none. */
static void *take_arena(const wse_instance *instance, int32_t function) {
  wse_arenas *arenas = &((wse_instance *)(uintptr_t)instance)->arenas[function];
  for (int i = 0; i < WSE_KEPT_ARENAS; ++i) {
    void *kept = atomic_exchange(&arenas->kept[i], NULL);
    if (kept) return kept;
  }
  return allocate((size_t)wse_functions[function]->arena_bytes, NULL);
}

static void give_arena(const wse_instance *instance, int32_t function, void *arena) {
  wse_arenas *arenas = &((wse_instance *)(uintptr_t)instance)->arenas[function];
  for (int i = 0; arena && i < WSE_KEPT_ARENAS; ++i) arena = atomic_exchange(&arenas->kept[i], arena);
  release_memory(arena);
}

static void release_arenas(wse_instance *instance) {
  for (int32_t f = 0; f < WSE_FUNCTION_COUNT; ++f)
    for (int i = 0; i < WSE_KEPT_ARENAS; ++i) release_memory(atomic_load(&instance->arenas[f].kept[i]));
}

static int64_t *describe_arena(int64_t *words, void *arena, int64_t bytes) { return describe(words, arena, 1, &bytes); }

/* Computes the prepared tensors of a function; `pointers` is its block, with parameters and prepared tensors in it. */
static wse_status prepare_function(const wse_function *function, void **pointers) {
  if (!function->prepare) return WSE_OK;
  void *block[WSE_MAX_BLOCK], *arena = NULL;
  int64_t words[5];
  call guard;
  int32_t count = 0;
  for (int32_t a = 0; a < function->argument_count; ++a)
    if (function->arguments[a].kind == WSE_PARAMETER) block[count++] = pointers[a];
  if (function->prepare_arena_bytes >= 0) {
    arena = allocate((size_t)function->prepare_arena_bytes, NULL);
    if (!arena) return WSE_OUT_OF_MEMORY;
    describe_arena(words, arena, function->prepare_arena_bytes);
    block[count++] = words;
  }
  for (int32_t a = 0; a < function->argument_count; ++a)
    if (function->arguments[a].kind == WSE_PREPARED) block[count++] = pointers[a];
  wse_status status = guarded(function->prepare, block, &guard);
  if (status == WSE_OK) release_ring(&guard.blocks);
  release_memory(arena);
  return status;
}
