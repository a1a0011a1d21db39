// SPDX-License-Identifier: Apache-2.0
// unused_library_test PROGRAM-WITHOUT-THE-LIBRARY: linking the library gives a program no thread,
// no descriptor and no memory but the library's own segments. The same source is built with and
// without the library; the first runs the second and compares.
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if WITH_LIBRARY
#include <mpc/mpc.h>
#endif

typedef struct surroundings {
  int threads;
  int descriptors;
  int odd_mappings;  // Shared ones, and files that have no name.
  unsigned long nameless_bytes;
} surroundings;

static int entries(const char* folder) {
  DIR* opened = opendir(folder);
  if (opened == NULL) return -1;
  int count = 0;
  for (struct dirent* entry; (entry = readdir(opened)) != NULL;) count += entry->d_name[0] != '.';
  closedir(opened);
  return count;
}

static void look_around(surroundings* out) {
  memset(out, 0, sizeof(*out));
  out->threads = entries("/proc/self/task");
  out->descriptors = entries("/proc/self/fd");
  FILE* maps = fopen("/proc/self/maps", "re");
  char line[PATH_MAX + 128];
  while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
    unsigned long begin;
    unsigned long end;
    char access[8];
    char path[PATH_MAX] = "";
    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %4095[^\n]", &begin, &end, access, path) < 3)
      continue;
    out->odd_mappings += access[3] == 's' || strstr(path, "(deleted)") != NULL;
    if (path[0] == '\0') out->nameless_bytes += end - begin;
  }
  if (maps == NULL) out->threads = -1;
  if (maps != NULL) fclose(maps);
}

#if WITH_LIBRARY

static int failures;

static void check(int ok, const char* what, long with, long without) {
  if (ok) return;
  printf("%s: %ld with the library, %ld without\n", what, with, without);
  failures++;
}

static unsigned long in_pages(unsigned long bytes) {
  const unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}

// What the loader itself adds for the library: the zeroed end of its data, and its share of each
// thread's storage, either of which may begin a page.
static int add_zeroed_data(struct dl_phdr_info* object, size_t size, void* user_data) {
  (void)size;
  const char* name = strrchr(object->dlpi_name, '/');
  if (name == NULL || strncmp(name, "/lib" LIBRARY_NAME ".so", sizeof(LIBRARY_NAME) + 6) != 0)
    return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr)* segment = &object->dlpi_phdr[i];
    if (segment->p_type == PT_LOAD)
      *(unsigned long*)user_data += in_pages(segment->p_memsz - segment->p_filesz);
    if (segment->p_type == PT_TLS)
      *(unsigned long*)user_data += in_pages(segment->p_memsz + segment->p_align);
  }
  return 1;
}

int main(int count, char** arguments) {
  surroundings with;
  surroundings without;
  look_around(&with);
  // By way of a variable, whatever there is in the path.
  FILE* other =
      count == 2 && setenv("PROGRAM", arguments[1], 1) == 0 ? popen("\"$PROGRAM\"", "re") : NULL;
  if (other == NULL || fscanf(other, "%d %d %d %lu", &without.threads, &without.descriptors,
                              &without.odd_mappings, &without.nameless_bytes) != 4) {
    fprintf(stderr, "cannot run the program without the library\n");
    return 2;
  }
  pclose(other);
  unsigned long zeroed = 0;
  const int found = dl_iterate_phdr(add_zeroed_data, &zeroed);
  check(found == 1, "library loaded", found, 0);
  check(with.threads == 1 && without.threads == 1, "threads", with.threads, without.threads);
  check(with.descriptors == without.descriptors, "descriptors", with.descriptors,
        without.descriptors);
  check(with.odd_mappings == without.odd_mappings, "shared or nameless files mapped",
        with.odd_mappings, without.odd_mappings);
  check(with.nameless_bytes <= without.nameless_bytes + zeroed, "bytes mapped without a file",
        (long)with.nameless_bytes, (long)without.nameless_bytes);
  if (strcmp(mpc_library_version(), LIBMPC_VERSION_STRING) != 0) return 1;
  return failures != 0;
}

#else

int main(void) {
  surroundings here;
  look_around(&here);
  printf("%d %d %d %lu\n", here.threads, here.descriptors, here.odd_mappings, here.nameless_bytes);
  return 0;
}

#endif
