/* Instances, which bind the weights, and states. */

WSE_EXPORT void WSE_SYMBOL(close)(wse_instance *instance) {
  if (!instance || instance->library != WSE_SYMBOL(library)()) return;
  if (instance->mapping) munmap(instance->mapping, WSE_WEIGHTS_SIZE);
  release_arenas(instance);
  release_memory(instance->prepared);
  free(instance->words);
  free(instance->blocks[0]);
  free(instance);
}

/* The descriptor of an argument that is the same for all runs; NULL for the others. */
static int64_t *describe_bound(int64_t *words, const wse_instance *instance, int32_t f, wse_place place) {
  const wse_function *function = wse_functions[f];
  if (place.kind == WSE_PREPARED) {
    const wse_prepared *prepared = &function->prepared[place.index];
    return describe(words, instance->prepared + prepared->place, prepared->rank, prepared->shape);
  }
  if (place.kind != WSE_PARAMETER) return NULL;
  const wse_tensor_info *info = wse_infos[f]->parameters[place.index];
  const wse_slot *slot = &wse_parameter_slots[function->parameter_slots[place.index]];
  return describe(words, (void *)(uintptr_t)(instance->weights + slot->offset), info->rank, info->shape);
}

/* Descriptors of all parameters and prepared tensors, and blocks that point to them. */
static wse_status bind_parameters(wse_instance *instance) {
  int64_t *words = instance->words = calloc(WSE_DESCRIPTOR_WORDS + 1, sizeof *words);
  void **pointers = instance->blocks[0] = calloc(WSE_BLOCK_POINTERS + 1, sizeof *pointers);
  instance->prepared = allocate(WSE_PREPARED_BYTES, NULL);
  if (!words || !pointers || !instance->prepared) return WSE_OUT_OF_MEMORY;
  for (int32_t f = 0; f < WSE_FUNCTION_COUNT; ++f) {
    const wse_function *function = wse_functions[f];
    instance->blocks[f] = pointers;
    pointers += wse_infos[f]->allocates_outputs; /* where the results' descriptors are */
    for (int32_t a = 0; a < function->argument_count; ++a, ++pointers) {
      int64_t *rest = describe_bound(words, instance, f, function->arguments[a]);
      if (!rest) continue;
      *pointers = words;
      words = rest;
    }
    if (prepare_function(function, pointers - function->argument_count) != WSE_OK) return WSE_OUT_OF_MEMORY;
    pointers += wse_infos[f]->allocates_outputs ? 0 : function->result_count;
  }
  return WSE_OK;
}

WSE_EXPORT wse_status WSE_SYMBOL(open)(const char *weights, wse_instance **instance, wse_error *error) {
  if (!instance) return fail_plainly(error, WSE_NULL_POINTER);
  *instance = NULL;
  const char *missing = wse_missing_feature();
  if (missing) return fail(error, WSE_UNSUPPORTED_CPU, "this processor has no %s, which the library uses", missing);
  wse_instance *made = calloc(1, sizeof *made);
  if (!made) return fail_plainly(error, WSE_OUT_OF_MEMORY);
  made->library = WSE_SYMBOL(library)();
  made->weights = wse_embedded_weights;
  wse_status status = WSE_OK;
  if (weights) status = map_weights(weights, made, error);
  else if (!made->weights) status = map_weights_beside(made, error);
  if (status == WSE_OK && bind_parameters(made) != WSE_OK) status = fail_plainly(error, WSE_OUT_OF_MEMORY);
  if (status == WSE_OK) *instance = made;
  else WSE_SYMBOL(close)(made);
  return status;
}

WSE_EXPORT wse_status WSE_SYMBOL(state_reset)(wse_state *state) {
  if (!state) return WSE_NULL_POINTER;
  if (state->library != WSE_SYMBOL(library)()) return WSE_WRONG_INSTANCE;
  for (int32_t s = 0; s < WSE_STATE_COUNT; ++s) {
    const wse_slot *slot = &wse_state_slots[s];
    if (slot->offset == WSE_ZEROS) memset(state->memory + slot->place, 0, slot->bytes);
    else memcpy(state->memory + slot->place, state->instance->weights + slot->offset, slot->bytes);
  }
  return WSE_OK;
}

WSE_EXPORT void WSE_SYMBOL(state_destroy)(wse_state *state) {
  if (!state || state->library != WSE_SYMBOL(library)()) return;
  release_memory(state->memory);
  free(state);
}

WSE_EXPORT wse_status WSE_SYMBOL(state_create)(const wse_instance *instance, wse_state **state, wse_error *error) {
  if (!instance || !state) return fail_plainly(error, WSE_NULL_POINTER);
  *state = NULL;
  if (instance->library != WSE_SYMBOL(library)()) return fail_plainly(error, WSE_WRONG_INSTANCE);
  wse_state *made = calloc(1, sizeof *made);
  void *memory = allocate(WSE_STATE_BYTES, NULL);
  if (!made || !memory) {
    free(made);
    release_memory(memory);
    return fail_plainly(error, WSE_OUT_OF_MEMORY);
  }
  made->library = instance->library;
  made->instance = instance;
  made->memory = memory;
  *state = made;
  return WSE_SYMBOL(state_reset)(made);
}

static void *state_memory(const wse_state *state, const wse_function *function, int32_t index) {
  return state->memory + wse_state_slots[function->state_slots[index]].place;
}

WSE_EXPORT wse_status WSE_SYMBOL(state_tensor)(wse_state *state, int32_t function, int32_t index,
                                               wse_tensor *tensor) {
  if (!state || !tensor) return WSE_NULL_POINTER;
  if (state->library != WSE_SYMBOL(library)()) return WSE_WRONG_INSTANCE;
  if (function < 0 || function >= WSE_FUNCTION_COUNT) return WSE_UNKNOWN_FUNCTION;
  if (index < 0 || index >= wse_infos[function]->state_count) return WSE_WRONG_COUNT;
  const wse_tensor_info *info = wse_infos[function]->states[index];
  *tensor = (wse_tensor){state_memory(state, wse_functions[function], index), NULL, info->dtype, info->rank, {0}};
  memcpy(tensor->shape, info->shape, (size_t)info->rank * sizeof *info->shape);
  return WSE_OK;
}
