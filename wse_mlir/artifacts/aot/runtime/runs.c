/* A run: descriptors are made, the kernel is called, results are handed out. */

/* Puts memory for a result behind its pointer: the caller's, or new memory that goes into `made`. */
static int provide(const wse_tensor_info *info, const int64_t *shape, void *given, void **made, int64_t **words,
                   void **pointer) {
  size_t bytes = 0;
  tensor_bytes(info->dtype, info->rank, shape, &bytes);
  *made = given ? NULL : allocate(bytes, NULL);
  if (!given && !*made) return 0;
  *pointer = *words;
  *words = describe(*words, given ? given : *made, info->rank, shape);
  return 1;
}

static void hand_out(wse_tensor *tensor, const wse_tensor_info *info, void *owner, void *data, const int64_t *shape) {
  tensor->owner = owner;
  tensor->data = data;
  tensor->dtype = info->dtype;
  tensor->rank = info->rank;
  memcpy(tensor->shape, shape, (size_t)info->rank * sizeof *shape);
}

static void write_back(const wse_tensor *input, const void *data) {
  size_t bytes = 0;
  tensor_bytes(input->dtype, input->rank, input->shape, &bytes);
  if (bytes) memcpy(input->data, data, bytes);
}

/* Runs a kernel and looks at what it found wrong, in `report`; what it allocated is freed if there is something. */
static wse_status run_kernel(const wse_function *function, void **block, const int64_t *report, call *guard) {
  wse_status status = guarded(function->kernel, block, guard);
  if (status != WSE_OK || !report[0]) return status;
  release_ring(&guard->blocks);
  switch (function->checks[report[0] - 1].kind) {
    case WSE_CHECK_ASSERTION: return WSE_ASSERTION_FAILED;
    case WSE_CHECK_DIVISION: return WSE_DIVISION_BY_ZERO;
    default: return WSE_INDEX_OUT_OF_RANGE;
  }
}

static wse_status describe_failure(const wse_function *function, const int64_t *report, wse_status status,
                                   wse_error *error) {
  const wse_check *check = &function->checks[report[0] - 1];
  if (status == WSE_ASSERTION_FAILED)
    return fail(error, status, "%s: an assertion of the model does not hold: %s", check->where, check->message);
  if (status == WSE_DIVISION_BY_ZERO) return fail(error, status, "%s: an integer is divided by zero", check->where);
  int from_end = check->kind == WSE_CHECK_EITHER_END;
  long long size = report[2] / (from_end ? 2 : 1), index = report[1] - (from_end ? size : 0);
  if (!size)
    return fail(error, status, "%s: index %lld is out of range for dimension %d of size 0, which has no elements",
                check->where, index, (int)check->dimension);
  return fail(error, status, "%s: index %lld is out of range for dimension %d of size %lld, which takes %lld to %lld",
              check->where, index, (int)check->dimension, size, from_end ? -size : 0LL, size - 1);
}

/* Fills in inputs, states, the status and the arena; returns the words that are left. */
static int64_t *bind_arguments(int32_t f, const wse_state *state, const wse_tensor *inputs, int64_t *report,
                               void *arena, void **pointers, int64_t *words) {
  const wse_function *function = wse_functions[f];
  for (int32_t a = 0; a < function->argument_count; ++a) {
    wse_place place = function->arguments[a];
    if (place.kind == WSE_PARAMETER || place.kind == WSE_PREPARED) continue;
    if (place.kind == WSE_STATUS) {
      static const int64_t size = WSE_STATUS_WORDS;
      pointers[a] = words;
      words = describe(words, report, 1, &size);
      continue;
    }
    if (place.kind == WSE_ARENA) {
      pointers[a] = words;
      words = describe_arena(words, arena, function->arena_bytes);
      continue;
    }
    const wse_tensor_info *info =
        place.kind == WSE_STATE ? wse_infos[f]->states[place.index] : wse_infos[f]->inputs[place.index];
    void *data = place.kind == WSE_STATE ? state_memory(state, function, place.index) : inputs[place.index].data;
    pointers[a] = words;
    words = describe(words, data, info->rank, place.kind == WSE_STATE ? info->shape : inputs[place.index].shape);
  }
  return words;
}

/* The caller, or the library where the caller gives no memory, allocates results. */
static wse_status run_into(int32_t f, const wse_tensor *inputs, wse_tensor *outputs, const int64_t *report,
                           void **pointers, int64_t *words, call *guard) {
  const wse_function *function = wse_functions[f];
  void *made[WSE_MAX_RESULTS];
  int32_t provided = 0, complete = 1;
  for (; complete && provided < function->result_count; ++provided) {
    wse_place place = function->results[provided];
    void **pointer = &pointers[function->argument_count + provided];
    if (place.kind == WSE_OUTPUT) {
      const wse_tensor_info *info = wse_infos[f]->outputs[place.index];
      complete = provide(info, info->shape, outputs[place.index].data, &made[provided], &words, pointer);
    } else {
      const wse_tensor_info *info = wse_infos[f]->inputs[place.index];
      complete = provide(info, inputs[place.index].shape, NULL, &made[provided], &words, pointer);
    }
  }
  wse_status status = complete ? run_kernel(function, pointers, report, guard) : WSE_OUT_OF_MEMORY;
  for (int32_t r = 0; r < provided; ++r) {
    wse_place place = function->results[r];
    if (status == WSE_OK && place.kind == WSE_OUTPUT && made[r]) {
      const wse_tensor_info *info = wse_infos[f]->outputs[place.index];
      hand_out(&outputs[place.index], info, made[r], made[r], info->shape);
      continue;
    }
    if (status == WSE_OK && place.kind == WSE_INPUT) write_back(&inputs[place.index], made[r]);
    release_memory(made[r]);
  }
  return status;
}

/* The kernel allocates results. */
static wse_status run_returning(int32_t f, const wse_tensor *inputs, wse_tensor *outputs, const int64_t *report,
                                void **pointers, int64_t *words, call *guard) {
  const wse_function *function = wse_functions[f];
  pointers[-1] = words;
  wse_status status = run_kernel(function, pointers - 1, report, guard);
  for (int32_t r = 0; status == WSE_OK && r < function->result_count; ++r) {
    wse_place place = function->results[r];
    void *owner = (void *)(intptr_t)words[0], *data = (void *)(intptr_t)words[1];
    if (place.kind == WSE_OUTPUT) {
      const wse_tensor_info *info = wse_infos[f]->outputs[place.index];
      unlink_block(block_of(owner));
      hand_out(&outputs[place.index], info, owner, data, words + 3);
      words += 3 + 2 * info->rank;
    } else {
      write_back(&inputs[place.index], data);
      words += 3 + 2 * wse_infos[f]->inputs[place.index]->rank;
    }
  }
  return status;
}

WSE_EXPORT wse_status WSE_SYMBOL(run)(const wse_instance *instance, int32_t function, wse_state *state,
                                      const wse_tensor *inputs, int32_t input_count, wse_tensor *outputs,
                                      int32_t output_count, wse_error *error) {
  wse_status status =
      check_run(instance, function, state, inputs, input_count, outputs, output_count, error);
  if (status != WSE_OK) return status;
  void *arena = NULL;
  if (wse_functions[function]->arena_bytes >= 0 && !(arena = take_arena(instance, function)))
    return fail_plainly(error, WSE_OUT_OF_MEMORY);
  void *bound[WSE_MAX_BLOCK];
  int64_t words[WSE_MAX_WORDS], report[WSE_STATUS_WORDS] = {0};
  call guard;
  int32_t returns = wse_infos[function]->allocates_outputs;
  void **pointers = bound + returns;
  memcpy(pointers, instance->blocks[function] + returns,
         (size_t)wse_functions[function]->argument_count * sizeof *pointers);
  int64_t *rest = bind_arguments(function, state, inputs, report, arena, pointers, words);
  status = (returns ? run_returning : run_into)(function, inputs, outputs, report, pointers, rest, &guard);
  give_arena(instance, function, arena);
  if (status == WSE_INDEX_OUT_OF_RANGE || status == WSE_DIVISION_BY_ZERO || status == WSE_ASSERTION_FAILED)
    return describe_failure(wse_functions[function], report, status, error);
  if (status != WSE_OK) return fail_plainly(error, status);
  release_ring(&guard.blocks); /* what the kernel did not free and hand out */
  return WSE_OK;
}

WSE_EXPORT void WSE_SYMBOL(release)(wse_tensor *tensor) {
  if (!tensor) return;
  release_memory(tensor->owner);
  tensor->owner = tensor->data = NULL;
}
