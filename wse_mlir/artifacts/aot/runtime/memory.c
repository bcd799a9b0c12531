/* Kernels call these in place of malloc and free, so that a run for which there is not enough memory ends with a
   status: what it had allocated is known, and control returns to `guarded`. */
#include <setjmp.h>
#include <stdlib.h>

typedef struct block {
  struct block *next, *previous;
} block;

typedef struct {
  jmp_buf escape;
  block blocks; /* ring of what is allocated */
} call;

static _Thread_local call *running; /* the run that this thread is in */

static void *allocate(size_t size, block *ring) {
  if (size > PTRDIFF_MAX - 2 * WSE_ALIGNMENT) return NULL;
  size = (size + 2 * WSE_ALIGNMENT - 1) / WSE_ALIGNMENT * WSE_ALIGNMENT;
  block *made = aligned_alloc(WSE_ALIGNMENT, size);
  if (!made) return NULL;
  if (!ring) ring = made->next = made->previous = made;
  made->next = ring->next;
  made->previous = ring;
  ring->next->previous = made;
  ring->next = made;
  return (char *)made + WSE_ALIGNMENT;
}

static void unlink_block(block *member) {
  member->previous->next = member->next;
  member->next->previous = member->previous;
  member->next = member->previous = member;
}

static block *block_of(void *memory) { return (block *)((char *)memory - WSE_ALIGNMENT); }

static void release_memory(void *memory) {
  if (!memory) return;
  unlink_block(block_of(memory));
  free(block_of(memory));
}

static void release_ring(block *ring) {
  while (ring->next != ring) release_memory((char *)ring->next + WSE_ALIGNMENT);
}

WSE_HIDDEN void *WSE_SYMBOL(_malloc)(size_t size) {
  void *memory = allocate(size, &running->blocks);
  if (!memory) longjmp(running->escape, 1);
  return memory;
}

WSE_HIDDEN void WSE_SYMBOL(_free)(void *memory) { release_memory(memory); }

/* Runs a kernel; buffers that it allocated and did not free are in `guard` afterwards, unless it failed. */
static wse_status guarded(wse_kernel kernel, void **arguments, call *guard) {
  guard->blocks.next = guard->blocks.previous = &guard->blocks;
  running = guard;
  if (setjmp(guard->escape)) {
    running = NULL;
    release_ring(&guard->blocks);
    return WSE_OUT_OF_MEMORY;
  }
  kernel(arguments);
  running = NULL;
  return WSE_OK;
}
