/* The file of the weights: found, mapped, checked. */
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static wse_status check_weights(const char *path, const unsigned char *weights, size_t size, wse_error *error) {
  wse_weights_header header;
  if (size < sizeof header) return fail(error, WSE_WEIGHTS_DAMAGED, "'%s' was cut off", path);
  memcpy(&header, weights, sizeof header);
  if (memcmp(header.magic, "WSEWTS\r\n", sizeof header.magic))
    return fail(error, WSE_WEIGHTS_FOREIGN, "'%s' holds no weights", path);
  if (header.version != WSE_WEIGHTS_VERSION)
    return fail(error, WSE_WEIGHTS_FOREIGN, "'%s' has version %u of the format, not %u", path,
                (unsigned)header.version, WSE_WEIGHTS_VERSION);
  if (memcmp(header.fingerprint, wse_fingerprint, sizeof wse_fingerprint) || header.size != WSE_WEIGHTS_SIZE)
    return fail(error, WSE_WEIGHTS_FOREIGN, "'%s' holds the weights of another model", path);
  if (size != header.size)
    return fail(error, WSE_WEIGHTS_DAMAGED, "'%s' has %llu bytes, not %llu", path, (unsigned long long)size,
                (unsigned long long)header.size);
  const uint64_t *words = (const uint64_t *)(const void *)(weights + sizeof header);
  uint64_t sum = 0, sums = 0;
  for (size_t i = 0; i < (size - sizeof header) / sizeof *words; ++i) sums += sum += words[i];
  if (sum != header.checksum[0] || sums != header.checksum[1])
    return fail(error, WSE_WEIGHTS_DAMAGED, "'%s' was changed: its checksum is wrong", path);
  return WSE_OK;
}

static wse_status map_weights(const char *path, wse_instance *instance, wse_error *error) {
  struct stat status;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || fstat(file, &status) || !S_ISREG(status.st_mode)) {
    if (file >= 0) close(file);
    return fail(error, WSE_WEIGHTS_UNREADABLE, "there is no file '%s', or it may not be read", path);
  }
  if (status.st_size == 0) {
    close(file);
    return fail(error, WSE_WEIGHTS_DAMAGED, "'%s' is empty", path);
  }
  size_t size = (size_t)status.st_size;
  void *mapping = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (mapping == MAP_FAILED) return fail_plainly(error, WSE_OUT_OF_MEMORY);
  wse_status checked = check_weights(path, mapping, size, error);
  if (checked != WSE_OK) {
    munmap(mapping, size);
    return checked;
  }
  instance->mapping = mapping;
  instance->weights = mapping;
  return WSE_OK;
}

typedef struct {
  uintptr_t address;
  const char *path;
} search;

static int holds_address(struct dl_phdr_info *object, size_t size, void *data) {
  search *wanted = data;
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    uintptr_t start = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
    if (object->dlpi_phdr[i].p_type == PT_LOAD && wanted->address - start < object->dlpi_phdr[i].p_memsz) {
      wanted->path = object->dlpi_name;
      return 1;
    }
  }
  return 0;
}

/* The weights' file in the folder of the shared object or executable that this code is in. */
static wse_status map_weights_beside(wse_instance *instance, wse_error *error) {
  search here = {(uintptr_t)&holds_address, ""};
  char program[4096];
  dl_iterate_phdr(holds_address, &here);
  if (!here.path[0]) {
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
    here.path = program;
  }
  const char *slash = strrchr(here.path, '/');
  size_t folder = slash ? (size_t)(slash - here.path) + 1 : 0;
  char *path = malloc(folder + sizeof WSE_WEIGHTS_FILE);
  if (!path) return fail_plainly(error, WSE_OUT_OF_MEMORY);
  memcpy(path, here.path, folder);
  memcpy(path + folder, WSE_WEIGHTS_FILE, sizeof WSE_WEIGHTS_FILE);
  wse_status status = map_weights(path, instance, error);
  free(path);
  return status;
}
