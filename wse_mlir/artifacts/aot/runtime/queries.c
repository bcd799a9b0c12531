/* What the library offers, and the wrappers' way of making tensors. */

WSE_EXPORT int32_t WSE_SYMBOL(find_function)(const char *name) {
  for (int32_t f = 0; name && f < WSE_FUNCTION_COUNT; ++f)
    if (!strcmp(wse_infos[f]->name, name)) return f;
  return -1;
}

WSE_EXPORT int32_t WSE_SYMBOL(function_count)(void) { return WSE_FUNCTION_COUNT; }

WSE_EXPORT const wse_function_info *WSE_SYMBOL(function_info)(int32_t function) {
  return function < 0 || function >= WSE_FUNCTION_COUNT ? NULL : wse_infos[function];
}

WSE_EXPORT const wse_library *WSE_SYMBOL(library)(void) {
  static const wse_library library = {
      WSE_ABI_VERSION, WSE_FUNCTION_COUNT, WSE_LIBRARY_NAME, WSE_COMPILER, WSE_TARGET, wse_infos,
      WSE_SYMBOL(open), WSE_SYMBOL(close), WSE_SYMBOL(run), WSE_SYMBOL(release), WSE_SYMBOL(state_create),
      WSE_SYMBOL(state_reset), WSE_SYMBOL(state_destroy), WSE_SYMBOL(state_tensor), WSE_SYMBOL(find_function),
      WSE_SYMBOL(error_text)};
  return &library;
}

/* Weak: several libraries may be linked into one program, which then asks each by its own name. */
WSE_EXPORT __attribute__((weak)) const wse_library *wse_get_library(void) { return WSE_SYMBOL(library)(); }

__attribute__((unused)) static wse_tensor fixed(const wse_tensor_info *info, const void *data) {
  wse_tensor tensor = {(void *)(uintptr_t)data, NULL, info->dtype, info->rank, {0}};
  memcpy(tensor.shape, info->shape, (size_t)info->rank * sizeof *info->shape);
  return tensor;
}
