/* Element types: their names, their codes in .npy files, their values. */
#ifndef WSE_MAIN_ELEMENT_H
#define WSE_MAIN_ELEMENT_H

#include <stddef.h>

#include "wse_abi.h"

enum { DESCRIPTION_SIZE = 512 };

/* Bytes of an element. */
size_t element_size(wse_dtype dtype);

/* "float32" */
const char *element_name(wse_dtype dtype);

/* The code in the header of a .npy file, such as "<f4". */
const char *element_code(wse_dtype dtype);

/* Whether a code from a file's header stands for the type. */
int is_element_code(wse_dtype dtype, const char *code);

/* The name of the type that a code stands for; the code itself when there is no such type here. */
void describe_code(const char *code, char *text, size_t size);

/* "float32[16, 64]"; sizes of -1 are written as '?'. Returns `text`, which has DESCRIPTION_SIZE bytes. */
char *describe_type(const char *element, int32_t rank, const int64_t *shape, char *text);

/* The same of what a function takes or gives; open sizes have names, and equal ones the same: "float32[s0, 64]". */
char *describe_tensor(const wse_tensor_info *info, char *text);

/* Element `index` of a tensor as text; `text` has 32 bytes. */
void element_text(const wse_tensor *tensor, size_t index, char *text);

/* Element `index` as a number that orders as the elements do, up to rounding of 64-bit integers. */
double element_value(const wse_tensor *tensor, size_t index);

/* Number of elements of a shape; -1 when it does not fit, or when the bytes of that many elements would not. */
int64_t element_count(int32_t rank, const int64_t *shape, size_t size);

/* Bytes of a tensor's elements. */
size_t tensor_bytes(const wse_tensor *tensor);

#endif
