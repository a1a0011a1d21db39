// SPDX-License-Identifier: Apache-2.0
#include "os/loaded_object.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include <atomic>
#include <string_view>
#include <vector>

#include "base/child_page.hpp"
#include "base/fd.hpp"

namespace mpc {
namespace {

static_assert(sizeof(void*) == 8, "entries of relocation tables are taken apart for 64 bits");

// Linkers write 8, 16 or 20 bytes; a longer one was typed in by hand, and counts as none beyond
// this.
constexpr size_t kLongestBuildId = 256;

template <class Visitor>
struct Visit {
  MPC_CHILD_CODE static int next(dl_phdr_info* object, size_t, void* data) {
    auto* self = static_cast<Visit*>(data);
    return self->visitor(*object, self->index++) ? 1 : 0;
  }
  Visitor& visitor;
  size_t index;
};

// Calls `visitor(object, index)` in the order of the loader's list until it returns true.
template <class Visitor>
bool visit_objects(Visitor&& visitor) {
  Visit<Visitor> visit{visitor, 0};
  return dl_iterate_phdr(visit.next, &visit) != 0;
}

// Whether the object has these bytes in memory, in a segment with these flags.
bool holds(const dl_phdr_info& object, uintptr_t address, size_t size, ElfW(Word) flags = 0) {
  for (size_t i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object.dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & flags) != flags) continue;
    uintptr_t into = address - (object.dlpi_addr + header.p_vaddr);
    if (into < header.p_memsz && size <= header.p_memsz - into) return true;
  }
  return false;
}

// The first object of the list is the program, unless the list is that of another namespace. Its
// name is empty in glibc, and what it was called by in other C libraries.
bool is_program(const dl_phdr_info& object, size_t index) {
  if (index != 0) return false;
  return object.dlpi_name == nullptr || object.dlpi_name[0] == '\0' ||
         reinterpret_cast<uintptr_t>(object.dlpi_phdr) == getauxval(AT_PHDR);
}

size_t align_up(size_t size, size_t alignment) { return (size + alignment - 1) & ~(alignment - 1); }

std::string_view build_id_in(const char* notes, size_t size, size_t alignment) {
  // Notes of objects of 64 bits are aligned to 4 bytes in spite of the standard; only those whose
  // segment says 8 are not.
  alignment = alignment == 8 ? 8 : 4;
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    memcpy(&note, notes, sizeof note);
    size_t start = align_up(sizeof note + note.n_namesz, alignment);
    size_t end = start + note.n_descsz;
    if (end > size) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
        memcmp(notes + sizeof note, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
      if (note.n_descsz > kLongestBuildId) break;
      return {notes + start, note.n_descsz};
    }
    size_t next = align_up(end, alignment);
    if (next >= size) break;
    notes += next;
    size -= next;
  }
  return {};
}

std::string_view build_id_of(const dl_phdr_info& object) {
  for (size_t i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object.dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    uintptr_t address = object.dlpi_addr + header.p_vaddr;
    // Tools add notes that are in the file alone.
    if (!holds(object, address, header.p_memsz, PF_R)) continue;
    std::string_view id =
        build_id_in(reinterpret_cast<const char*>(address), header.p_memsz, header.p_align);
    if (!id.empty()) return id;
  }
  return {};
}

// What is copied of an object while the loader's lock is held.
struct Copy {
  void take(const dl_phdr_info& object, size_t index) {
    base = object.dlpi_addr;
    mapped = 0;
    for (size_t i = 0; i < object.dlpi_phnum && mapped == 0; ++i) {
      const ElfW(Phdr)& header = object.dlpi_phdr[i];
      if (header.p_type == PT_LOAD && header.p_filesz > 0) mapped = base + header.p_vaddr;
    }
    program = is_program(object, index);
    snprintf(name, sizeof name, "%s", object.dlpi_name == nullptr ? "" : object.dlpi_name);
    std::string_view id = build_id_of(object);
    build_id_size = id.size();
    if (!id.empty()) memcpy(build_id, id.data(), id.size());
  }

  uintptr_t base;
  uintptr_t mapped;  // an address at which its file is mapped
  bool program = false;
  char name[PATH_MAX];
  size_t build_id_size;
  char build_id[kLongestBuildId];
};

// The kernel marks a file that has lost its name; whoever opens the old name again may find its
// successor there, and is told so by the build id.
std::string without_mark(std::string path) {
  constexpr std::string_view kMark = " (deleted)";
  if (path.ends_with(kMark) && access(path.c_str(), F_OK) != 0) {
    path.resize(path.size() - kMark.size());
  }
  return path;
}

std::string path_of_running_file() {
  char path[PATH_MAX];
  ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0 || static_cast<size_t>(size) == sizeof path) return {};
  return without_mark(std::string(path, static_cast<size_t>(size)));
}

// The path of the file that is mapped at `address`.
std::string path_of_mapping(uintptr_t address) {
  FILE* file = fopen("/proc/self/maps", "re");
  if (file == nullptr) return {};
  std::string path;
  char* line = nullptr;
  size_t capacity = 0;
  for (ssize_t size; (size = getline(&line, &capacity, file)) > 0;) {
    unsigned long start, end;
    int name = 0;
    if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &start, &end, &name) < 2) continue;
    if (address < start || address >= end) continue;
    if (line[size - 1] == '\n') line[size - 1] = '\0';
    if (name > 0 && line[name] == '/') path = line + name;
    break;
  }
  free(line);
  fclose(file);
  // A line break is all that is escaped there.
  constexpr std::string_view kEscaped = "\\012";
  for (size_t at; (at = path.find(kEscaped)) != std::string::npos;) {
    path.replace(at, kEscaped.size(), "\n");
  }
  return without_mark(std::move(path));
}

std::string made_absolute(const char* path) {
  char folder[PATH_MAX];
  if (path[0] == '/' || getcwd(folder, sizeof folder) == nullptr) return path;
  return std::string(folder) + "/" + path;
}

std::string path_of(const Copy& object) {
  if (object.name[0] == '/') return object.name;
  std::string path;
  // Where the loader was called by hand, as a program of its own, the running file is the loader.
  if (object.program && getauxval(AT_BASE) != 0) path = path_of_running_file();
  // The working directory may be another than when a relative path was opened.
  if (path.empty()) path = path_of_mapping(object.mapped);
  if (!path.empty()) return path;
  auto called = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  return made_absolute(object.program && called != nullptr ? called : object.name);
}

LoadedObject described(const Copy& object) {
  return LoadedObject{path_of(object), std::string(object.build_id, object.build_id_size),
                      object.base, object.program};
}

std::optional<LoadedObject> object_around(const void* address, ElfW(Word) flags) {
  Copy copy;
  bool found = visit_objects([&](const dl_phdr_info& object, size_t index) {
    if (!holds(object, reinterpret_cast<uintptr_t>(address), 1, flags)) return false;
    copy.take(object, index);
    return true;
  });
  if (!found) return std::nullopt;
  return described(copy);
}

bool read_at(int fd, void* buffer, size_t size, uint64_t offset) {
  auto* bytes = static_cast<char*>(buffer);
  while (size > 0) {
    if (offset > INT64_MAX) return false;
    ssize_t n = pread(fd, bytes, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<size_t>(n);
    offset += static_cast<uint64_t>(n);
  }
  return true;
}

// Read rather than mapped: a mapped file that somebody shortens is a SIGBUS.
std::string build_id_of_descriptor(int fd) {
  // Far more than a linker writes; a damaged size is not to become an allocation.
  constexpr size_t kLongestNotes = 1 << 20;
  ElfW(Ehdr) file;
  constexpr unsigned char kOrder =
      __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  if (!read_at(fd, &file, sizeof file, 0) || memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 ||
      file.e_ident[EI_CLASS] != ELFCLASS64 || file.e_ident[EI_DATA] != kOrder ||
      file.e_phentsize != sizeof(ElfW(Phdr))) {
    return {};
  }
  std::vector<ElfW(Phdr)> headers(file.e_phnum);
  if (!read_at(fd, headers.data(), headers.size() * sizeof headers[0], file.e_phoff)) return {};
  std::vector<char> notes;
  for (const ElfW(Phdr) & header : headers) {
    if (header.p_type != PT_NOTE || header.p_filesz > kLongestNotes) continue;
    notes.resize(header.p_filesz);
    if (!read_at(fd, notes.data(), notes.size(), header.p_offset)) continue;
    std::string_view id = build_id_in(notes.data(), notes.size(), header.p_align);
    if (!id.empty()) return std::string(id);
  }
  return {};
}

// The dynamic section of an object in memory.
class Dynamic {
 public:
  explicit Dynamic(const dl_phdr_info& object) : object_(object) {
    for (size_t i = 0; i < object.dlpi_phnum; ++i) {
      const ElfW(Phdr)& header = object.dlpi_phdr[i];
      uintptr_t address = object.dlpi_addr + header.p_vaddr;
      if (header.p_type != PT_DYNAMIC || !holds(object, address, header.p_memsz)) continue;
      first_ = reinterpret_cast<const ElfW(Dyn)*>(address);
      count_ = header.p_memsz / sizeof *first_;
    }
    strings_size_ = value(DT_STRSZ);
    strings_ = table<char>(DT_STRTAB, strings_size_);
    if (strings_ == nullptr) strings_size_ = 0;
  }

  // Calls `visitor(tag, value)` for each entry.
  template <class Visitor>
  void each(Visitor&& visitor) const {
    for (size_t i = 0; i < count_ && first_[i].d_tag != DT_NULL; ++i) {
      visitor(first_[i].d_tag, first_[i].d_un.d_val);
    }
  }

  ElfW(Xword) value(ElfW(Sxword) wanted) const {
    ElfW(Xword) found = 0;
    each([&](ElfW(Sxword) tag, ElfW(Xword) value) {
      if (tag == wanted) found = value;
    });
    return found;
  }

  // The table of `size` bytes that an entry points to; null if there is none. glibc has turned the
  // addresses of most objects into those of memory, but not where the section is read-only, as in
  // the kernel's own object; other loaders leave them as they are in the file.
  template <class T>
  const T* table(ElfW(Sxword) tag, size_t size) const {
    uintptr_t address = value(tag);
    if (address == 0 || size == 0) return nullptr;
    if (!holds(object_, address, size)) address += object_.dlpi_addr;
    return holds(object_, address, size) ? reinterpret_cast<const T*>(address) : nullptr;
  }

  // Null where the place is not in the table, or no NUL follows.
  const char* string(ElfW(Xword) place) const {
    if (place >= strings_size_) return nullptr;
    const char* text = strings_ + place;
    return memchr(text, '\0', strings_size_ - place) != nullptr ? text : nullptr;
  }

 private:
  const dl_phdr_info& object_;
  const ElfW(Dyn) * first_ = nullptr;
  size_t count_ = 0;
  const char* strings_ = nullptr;
  size_t strings_size_ = 0;
};

#if defined(__x86_64__)
bool is_slot(ElfW(Xword) type) { return type == R_X86_64_GLOB_DAT || type == R_X86_64_JUMP_SLOT; }
#elif defined(__aarch64__)
bool is_slot(ElfW(Xword) type) { return type == R_AARCH64_GLOB_DAT || type == R_AARCH64_JUMP_SLOT; }
#else
bool is_slot(ElfW(Xword)) { return false; }
#endif

MPC_CHILD_CODE void** slot_in(const dl_phdr_info& object, const Dynamic& dynamic,
                              const ElfW(Rela) * entries, size_t count, const char* symbol) {
  auto* symbols = dynamic.table<ElfW(Sym)>(DT_SYMTAB, sizeof(ElfW(Sym)));
  if (entries == nullptr || symbols == nullptr) return nullptr;
  for (size_t i = 0; i < count; ++i) {
    if (!is_slot(ELF64_R_TYPE(entries[i].r_info))) continue;
    const ElfW(Sym)* entry = symbols + ELF64_R_SYM(entries[i].r_info);
    if (!holds(object, reinterpret_cast<uintptr_t>(entry), sizeof *entry)) continue;
    const char* name = dynamic.string(entry->st_name);
    if (name == nullptr || strcmp(name, symbol) != 0) continue;
    uintptr_t slot = object.dlpi_addr + entries[i].r_offset;
    if (holds(object, slot, sizeof(void*))) return reinterpret_cast<void**>(slot);
  }
  return nullptr;
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whether `needed`, the name in another object's dynamic section, means this object.
bool answers_to(const dl_phdr_info& object, const char* needed) {
  Dynamic dynamic(object);
  ElfW(Xword) place = dynamic.value(DT_SONAME);
  const char* soname = place == 0 ? nullptr : dynamic.string(place);
  if (soname != nullptr && strcmp(soname, needed) == 0) return true;
  return object.dlpi_name != nullptr && object.dlpi_name[0] != '\0' &&
         last_part(object.dlpi_name) == last_part(needed);
}

// How many objects, at the front of the loader's list, were loaded for the start of the program.
//
// Nothing public tells when an object was loaded, and what the environment says about LD_PRELOAD
// may have been changed since. But the loader's list grows at its end alone, and what is loaded for
// the start, which is never unloaded, is complete before any code runs that could call dlopen().
// What is at the start is thus the front part of the list, up to the last object that one of its
// members needs. Preloaded objects need not be known: they stand right behind the program, before
// what it needs. The first object that has a name is meant where several have it, as for the loader
// itself.
size_t count_at_start() {
  size_t last = 0;
  bool ours = false;
  // The loader's lock is recursive.
  visit_objects([&](const dl_phdr_info& object, size_t index) {
    if (index == 0) ours = is_program(object, index);
    if (!ours || index > last) return true;
    Dynamic dynamic(object);
    dynamic.each([&](ElfW(Sxword) tag, ElfW(Xword) value) {
      if (tag != DT_NEEDED && tag != DT_AUXILIARY && tag != DT_FILTER) return;
      const char* needed = dynamic.string(value);
      if (needed == nullptr) return;
      visit_objects([&](const dl_phdr_info& other, size_t place) {
        if (!answers_to(other, needed)) return false;
        if (place > last) last = place;
        return true;
      });
    });
    return false;
  });
  return ours ? last + 1 : 0;
}

}  // namespace

std::optional<LoadedObject> loaded_object_at(const void* address) {
  return object_around(address, PF_X);
}

std::optional<LoadedObject> loaded_object_around(const void* address) {
  return object_around(address, 0);
}

std::optional<LoadedObject> loaded_object_with(const std::string& build_id,
                                               const std::string& path) {
  if (build_id.empty()) return std::nullopt;
  Copy copy;
  bool found = false;
  visit_objects([&](const dl_phdr_info& object, size_t index) {
    if (build_id_of(object) != build_id) return false;
    bool same_path = object.dlpi_name != nullptr && path == object.dlpi_name;
    if (!found || same_path) copy.take(object, index);
    found = true;
    return same_path;
  });
  if (!found) return std::nullopt;
  return described(copy);
}

std::optional<LoadedObject> loaded_program() {
  Copy copy;
  visit_objects([&](const dl_phdr_info& object, size_t index) {
    copy.take(object, index);
    return true;
  });
  if (!copy.program) return std::nullopt;
  return described(copy);
}

const void* program_code_at(std::string_view build_id, uintptr_t offset) {
  const void* code = nullptr;
  visit_objects([&](const dl_phdr_info& object, size_t index) {
    uintptr_t address = object.dlpi_addr + offset;
    if (is_program(object, index) && build_id_of(object) == build_id &&
        holds(object, address, 1, PF_X)) {
      code = reinterpret_cast<const void*>(address);
    }
    return true;
  });
  return code;
}

std::string build_id_of_file(const char* path) {
  int error = errno;
  std::string id;
  {
    // Not to wait for the other side of a FIFO, and no terminal becomes the controlling one.
    Fd fd(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status;
    if (fd && fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode)) {
      id = build_id_of_descriptor(fd.get());
    }
  }
  errno = error;
  return id;
}

MPC_CHILD_CODE void** program_slot_of(const char* symbol) {
  void** slot = nullptr;
  visit_objects([&](const dl_phdr_info& object, size_t index) {
    if (!is_program(object, index)) return true;
    Dynamic dynamic(object);
    size_t size = dynamic.value(DT_RELASZ);
    slot = slot_in(object, dynamic, dynamic.table<ElfW(Rela)>(DT_RELA, size),
                   size / sizeof(ElfW(Rela)), symbol);
    if (slot != nullptr || dynamic.value(DT_PLTREL) != DT_RELA) return true;
    size = dynamic.value(DT_PLTRELSZ);
    slot = slot_in(object, dynamic, dynamic.table<ElfW(Rela)>(DT_JMPREL, size),
                   size / sizeof(ElfW(Rela)), symbol);
    return true;
  });
  return slot;
}

bool loaded_with_program(const void* address) {
  // Never changes; looked for once, because it takes as many walks as there are needed names.
  static constinit std::atomic<size_t> at_start{0};
  size_t count = at_start.load(std::memory_order_relaxed);
  if (count == 0) {
    count = count_at_start();
    at_start.store(count, std::memory_order_relaxed);
  }
  bool found = false;
  visit_objects([&](const dl_phdr_info& object, size_t index) {
    if (index >= count) return true;
    found = holds(object, reinterpret_cast<uintptr_t>(address), 1);
    return found;
  });
  return found;
}

void keep_loaded(const void* address) {
  Dl_info info;
  void* found = nullptr;
  if (dladdr1(address, &info, &found, RTLD_DL_LINKMAP) == 0 || found == nullptr) return;
  const char* name = static_cast<link_map*>(found)->l_name;
  // The program has no name, and is never unloaded.
  if (name == nullptr || name[0] == '\0') return;
  if (dlopen(name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == nullptr) dlerror();
}

}  // namespace mpc
