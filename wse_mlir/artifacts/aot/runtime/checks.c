/* What is wrong with the arguments of a run. */

static wse_status check_tensor(const char *what, int32_t position, const wse_tensor_info *info,
                               const wse_tensor *given, wse_error *error) {
  char expected[100], found[100];
  if (given->dtype != info->dtype)
    return fail(error, WSE_WRONG_DTYPE, "%s %d ('%s'): expected %s, found %s", what, (int)position, info->name,
                dtype_name(info->dtype), dtype_name(given->dtype));
  if (given->rank != info->rank)
    return fail(error, WSE_WRONG_RANK, "%s %d ('%s'): expected %d dimensions, found %d", what, (int)position,
                info->name, (int)info->rank, (int)given->rank);
  size_t bytes = 0;
  int fits = tensor_bytes(given->dtype, given->rank, given->shape, &bytes);
  for (int32_t d = 0; d < info->rank; ++d) fits &= info->shape[d] < 0 || info->shape[d] == given->shape[d];
  if (!fits)
    return fail(error, WSE_WRONG_SHAPE, "%s %d ('%s'): expected %s, found %s", what, (int)position, info->name,
                shape_text(expected, sizeof expected, info->rank, info->shape),
                shape_text(found, sizeof found, given->rank, given->shape));
  if (!given->data && bytes)
    return fail(error, WSE_NULL_POINTER, "%s %d ('%s'): data is NULL", what, (int)position, info->name);
  if ((uintptr_t)given->data % dtypes[info->dtype].bytes)
    return fail(error, WSE_MISALIGNED, "%s %d ('%s'): data does not lie on a multiple of %u", what, (int)position,
                info->name, (unsigned)dtypes[info->dtype].bytes);
  return WSE_OK;
}

/* Open sizes of one name must be equal: compiled code relies on it. */
static wse_status check_equal_sizes(const wse_function_info *info, const wse_tensor *inputs, wse_error *error) {
  for (int32_t i = 0; i < info->input_count; ++i)
    for (int32_t d = 0; d < info->inputs[i]->rank; ++d) {
      const char *symbol = info->inputs[i]->symbols[d];
      if (!symbol[0]) continue;
      for (int32_t j = 0; j <= i; ++j)
        for (int32_t e = 0; e < info->inputs[j]->rank; ++e)
          if (!strcmp(info->inputs[j]->symbols[e], symbol) && inputs[j].shape[e] != inputs[i].shape[d])
            return fail(error, WSE_UNEQUAL_SIZES,
                        "input %d ('%s'): dimension %d is %lld, but must equal dimension %d of input %d, %lld", (int)i,
                        info->inputs[i]->name, (int)d, (long long)inputs[i].shape[d], (int)e, (int)j,
                        (long long)inputs[j].shape[e]);
    }
  return WSE_OK;
}

static int overlap(const wse_tensor *a, const wse_tensor *b) {
  size_t a_bytes = 0, b_bytes = 0;
  tensor_bytes(a->dtype, a->rank, a->shape, &a_bytes);
  tensor_bytes(b->dtype, b->rank, b->shape, &b_bytes);
  uintptr_t x = (uintptr_t)a->data, y = (uintptr_t)b->data;
  return a_bytes && b_bytes && (x < y ? y - x < a_bytes : x - y < b_bytes);
}

static wse_status check_outputs(const wse_function_info *info, const wse_tensor *inputs, const wse_tensor *outputs,
                                wse_error *error) {
  for (int32_t o = 0; o < info->output_count; ++o) {
    if (!outputs[o].data) continue; /* the library allocates it */
    if (info->allocates_outputs)
      return fail(error, WSE_WRONG_SHAPE, "output %d ('%s'): its sizes are known after the run only: pass NULL data",
                  (int)o, info->outputs[o]->name);
    wse_status status = check_tensor("output", o, info->outputs[o], &outputs[o], error);
    if (status != WSE_OK) return status;
    for (int32_t i = 0; i < info->input_count; ++i)
      if (overlap(&outputs[o], &inputs[i]))
        return fail(error, WSE_OVERLAP, "output %d ('%s') lies on input %d ('%s')", (int)o, info->outputs[o]->name,
                    (int)i, info->inputs[i]->name);
    for (int32_t p = 0; p < o; ++p)
      if (outputs[p].data && overlap(&outputs[o], &outputs[p]))
        return fail(error, WSE_OVERLAP, "outputs %d and %d overlap", (int)p, (int)o);
  }
  return WSE_OK;
}

static wse_status check_run(const wse_instance *instance, int32_t function, const wse_state *state,
                            const wse_tensor *inputs, int32_t input_count, const wse_tensor *outputs,
                            int32_t output_count, wse_error *error) {
  if (!instance) return fail(error, WSE_NULL_POINTER, "the instance is NULL");
  if (instance->library != WSE_SYMBOL(library)() || (state && state->instance != instance))
    return fail_plainly(error, WSE_WRONG_INSTANCE);
  if (function < 0 || function >= WSE_FUNCTION_COUNT)
    return fail(error, WSE_UNKNOWN_FUNCTION, "there is no function %d: there are %d", (int)function,
                (int)WSE_FUNCTION_COUNT);
  const wse_function_info *info = wse_infos[function];
  if (input_count != info->input_count || output_count != info->output_count)
    return fail(error, WSE_WRONG_COUNT, "'%s' has %d inputs and %d outputs, but %d and %d were given", info->name,
                (int)info->input_count, (int)info->output_count, (int)input_count, (int)output_count);
  if ((input_count && !inputs) || (output_count && !outputs))
    return fail(error, WSE_NULL_POINTER, "inputs or outputs are NULL");
  if (info->state_count && !state)
    return fail(error, WSE_NEEDS_STATE, "'%s' keeps state, but none was given", info->name);
  for (int32_t i = 0; i < input_count; ++i) {
    wse_status status = check_tensor("input", i, info->inputs[i], &inputs[i], error);
    if (status != WSE_OK) return status;
  }
  wse_status status = check_equal_sizes(info, inputs, error);
  return status != WSE_OK ? status : check_outputs(info, inputs, outputs, error);
}
