// SPDX-License-Identifier: Apache-2.0
#include "process/function_name.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <mpc/function.h>

#include "os/loaded_object.hpp"
#include "process/function_registry.hpp"

namespace {

int registered_before_main() { return 11; }
MPC_REGISTER_FUNCTION(registered_before_main);

}  // namespace

// Its name is that of a function which was registered first.
namespace same_name {
namespace {

int registered_before_main() { return 12; }
MPC_REGISTER_FUNCTION(registered_before_main);

}  // namespace
}  // namespace same_name

namespace mpc {
namespace {

// Two builds of one library, and one that was linked without a build id.
constexpr const char* kFirst = MPC_TEST_FIRST_LIBRARY;
constexpr const char* kSecond = MPC_TEST_SECOND_LIBRARY;
constexpr const char* kPlain = MPC_TEST_PLAIN_LIBRARY;

using Number = int (*)();

int number_of_the_program() { return 7; }
int number_in_memory = 7;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Folder {
 public:
  Folder() : path_(testing::TempDir() + "/mpc-function-XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr) << path_;
  }
  ~Folder() {
    for (const std::string& file : files_) unlink(file.c_str());
    rmdir(path_.c_str());
  }

  // In place of what had the name: a file that is mapped must not change under its mappings.
  std::string put(const char* name, const std::string& bytes) {
    std::string path = path_ + "/" + name;
    std::string draft = path + ".new";
    std::ofstream(draft, std::ios::binary) << bytes;
    EXPECT_EQ(rename(draft.c_str(), path.c_str()), 0);
    files_.push_back(path);
    return path;
  }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

struct Library {
  explicit Library(const std::string& path) : handle(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(handle, nullptr) << dlerror();
  }
  ~Library() { close(); }
  void close() {
    if (handle != nullptr) dlclose(handle);
    handle = nullptr;
  }
  // A static function of the library.
  Number number() const { return reinterpret_cast<Number (*)()>(dlsym(handle, "the_function"))(); }
  void* handle;
};

bool is_loaded(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (handle != nullptr) dlclose(handle);
  return handle != nullptr;
}

const void* address(Number function) { return reinterpret_cast<const void*>(function); }
int call(const void* function) { return reinterpret_cast<Number>(const_cast<void*>(function))(); }

std::string hex(const std::string& bytes) {
  std::string text;
  char digits[3];
  for (unsigned char byte : bytes) {
    snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

// A page that could be run, as a JIT compiler makes one.
class GeneratedCode {
 public:
  GeneratedCode()
      : page_(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~GeneratedCode() { munmap(page_, 4096); }
  const void* function() const { return page_; }

 private:
  void* page_;
};

TEST(FunctionNameTest, AStaticFunctionOfTheProgramIsFoundAgain) {
  Result<FunctionName> name = function_name_of(address(number_of_the_program));
  ASSERT_TRUE(name) << name.error().message;
  EXPECT_TRUE(name->in_program);
  EXPECT_EQ(name->build_id, build_id_of_file("/proc/self/exe"));
  EXPECT_EQ(name->object.front(), '/');
  EXPECT_EQ(build_id_of_file(name->object.c_str()), name->build_id);
  EXPECT_EQ(name->registered, "");
  Result<const void*> found = function_found(*name);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, address(number_of_the_program));
}

TEST(FunctionNameTest, AFunctionOfTheCLibraryIsFoundAgain) {
  const void* function = dlsym(RTLD_DEFAULT, "abort");
  Result<FunctionName> name = function_name_of(function);
  ASSERT_TRUE(name) << name.error().message;
  Result<const void*> found = function_found(*name);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, function);
}

TEST(FunctionNameTest, AStaticFunctionOfALibraryThatIsNoLongerLoadedIsFoundByItsPath) {
  Folder folder;
  std::string path = folder.put("lib.so", contents(kFirst));
  Library library(path);
  Result<FunctionName> name = function_name_of(address(library.number()));
  ASSERT_TRUE(name) << name.error().message;
  EXPECT_EQ(name->object, path);
  EXPECT_FALSE(name->in_program);
  library.close();
  ASSERT_FALSE(is_loaded(path));
  Result<const void*> found = function_found(*name);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(call(*found), 1);
  EXPECT_TRUE(is_loaded(path));
}

TEST(FunctionNameTest, ALibraryThatWasOpenedByARelativePathIsNamedByItsAbsoluteOne) {
  Folder folder;
  std::string path = folder.put("relative.so", contents(kFirst));
  char before[PATH_MAX];
  ASSERT_NE(getcwd(before, sizeof before), nullptr);
  ASSERT_EQ(chdir(path.substr(0, path.rfind('/')).c_str()), 0);
  Library library("./relative.so");
  ASSERT_EQ(chdir(before), 0);
  Result<FunctionName> name = function_name_of(address(library.number()));
  ASSERT_TRUE(name) << name.error().message;
  char* real = realpath(path.c_str(), nullptr);
  EXPECT_EQ(name->object, real);
  free(real);
}

TEST(FunctionNameTest, ALibraryIsFoundUnderAnotherPathWhereItIsLoadedFromThere) {
  Folder folder;
  Library library(folder.put("here.so", contents(kSecond)));
  Result<FunctionName> name = function_name_of(address(library.number()));
  ASSERT_TRUE(name) << name.error().message;
  name->object = "/nowhere/there.so";
  Result<const void*> found = function_found(*name);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, address(library.number()));
}

TEST(FunctionNameTest, ALibraryThatWasReplacedByAnotherBuildIsRefused) {
  Folder folder;
  std::string path = folder.put("replaced.so", contents(kSecond));
  Library library(path);
  FunctionName name = *function_name_of(address(library.number()));
  library.close();
  ASSERT_FALSE(is_loaded(path));
  folder.put("replaced.so", contents(kFirst));
  // Another test may have left the first build loaded; the second one is what is asked for.
  Result<const void*> found = function_found(name);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().status, MPC_EFUNCTION);
  EXPECT_NE(found.error().message.find("the file changed since"), std::string::npos);
  EXPECT_NE(found.error().message.find(hex(build_id_of_file(kFirst))), std::string::npos);
  EXPECT_NE(found.error().message.find(hex(build_id_of_file(kSecond))), std::string::npos);
  EXPECT_FALSE(is_loaded(path)) << "no code of the other build may run";
}

TEST(FunctionNameTest, ALibraryThatIsLoadedInAnOlderBuildThanItsFileIsRefused) {
  Folder folder;
  std::string path = folder.put("older.so", contents(kPlain));
  Library older(path);
  folder.put("older.so", contents(kSecond));
  FunctionName name;
  name.object = path;
  name.build_id = build_id_of_file(path.c_str());
  Result<const void*> found = function_found(name);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().status, MPC_EFUNCTION);
  EXPECT_NE(found.error().message.find("has build id none"), std::string::npos)
      << found.error().message;
}

TEST(FunctionNameTest, ALibraryThatIsGoneIsRefusedWithTheReasonOfTheLoader) {
  FunctionName name;
  name.object = "/nowhere/lib.so";
  name.build_id = "some bytes";
  Result<const void*> found = function_found(name);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().status, MPC_EFUNCTION);
  EXPECT_NE(found.error().message.find("/nowhere/lib.so"), std::string::npos);
}

TEST(FunctionNameTest, AFunctionOfAnotherBuildOfTheProgramIsRefused) {
  FunctionName name = *function_name_of(address(number_of_the_program));
  name.build_id[0] = static_cast<char>(name.build_id[0] ^ 1);
  Result<const void*> found = function_found(name);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().status, MPC_EFUNCTION);
  EXPECT_NE(found.error().message.find(hex(name.build_id)), std::string::npos);
}

TEST(FunctionNameTest, AnOffsetThatIsNoCodeIsRefused) {
  FunctionName name = *function_name_of(address(number_of_the_program));
  for (uint64_t offset : {uint64_t{1} << 40, UINT64_MAX, uint64_t{1} << 63}) {
    name.offset = offset;
    Result<const void*> found = function_found(name);
    ASSERT_FALSE(found) << offset;
    EXPECT_EQ(found.error().status, MPC_EFUNCTION);
  }
  name.offset = reinterpret_cast<uintptr_t>(&number_in_memory) -
                (reinterpret_cast<uintptr_t>(number_of_the_program) -
                 function_name_of(address(number_of_the_program))->offset);
  EXPECT_FALSE(function_found(name));
}

TEST(FunctionNameTest, GeneratedCodeIsRefusedWithTheWayOut) {
  GeneratedCode code;
  Result<FunctionName> name = function_name_of(code.function());
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().status, MPC_EFUNCTION);
  EXPECT_NE(name.error().message.find("use fork, or register a function in a file"),
            std::string::npos);
}

TEST(FunctionNameTest, DataIsNoFunction) {
  Result<FunctionName> name = function_name_of(&number_in_memory);
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().status, MPC_EFUNCTION);
  EXPECT_NE(name.error().message.find("not a function"), std::string::npos);
  EXPECT_FALSE(function_name_of(nullptr));
}

TEST(FunctionNameTest, AFunctionOfAFileWithoutBuildIdIsRefusedWithTheWayOut) {
  Library library(kPlain);
  Result<FunctionName> name = function_name_of(address(library.number()));
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().status, MPC_EFUNCTION);
  EXPECT_NE(name.error().message.find("-Wl,--build-id"), std::string::npos);
}

TEST(FunctionRegistryTest, WhatIsRegisteredIsFoundByItsNameAlone) {
  GeneratedCode code;
  ASSERT_TRUE(function_register("generated", code.function()));
  Result<FunctionName> name = function_name_of(code.function());
  ASSERT_TRUE(name) << name.error().message;
  EXPECT_EQ(name->registered, "generated");
  EXPECT_EQ(name->object, "");
  Result<const void*> found = function_found(*name);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, code.function());
}

TEST(FunctionRegistryTest, WhereTheNameIsNotRegisteredTheFileIsLookedAt) {
  FunctionName name = *function_name_of(address(number_of_the_program));
  name.registered = "registered nowhere";
  Result<const void*> found = function_found(name);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, address(number_of_the_program));
  name.build_id.clear();
  found = function_found(name);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().status, MPC_EFUNCTION);
  EXPECT_NE(found.error().message.find("registered nowhere"), std::string::npos);
}

TEST(FunctionRegistryTest, ANameIsOneFunctionsForEver) {
  const void* one = address([] { return 1; });
  const void* other = address([] { return 2; });
  ASSERT_TRUE(function_register("taken", one));
  EXPECT_TRUE(function_register("taken", one));
  Result<void> again = function_register("taken", other);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().status, MPC_ESTATE);
  EXPECT_EQ(function_registered("taken"), one);
  EXPECT_EQ(function_registered_name(other), "");
}

TEST(FunctionRegistryTest, AFunctionIsSentByTheFirstOfItsNames) {
  const void* function = address([] { return 3; });
  ASSERT_TRUE(function_register("z first", function));
  ASSERT_TRUE(function_register("a second", function));
  EXPECT_EQ(function_registered_name(function), "z first");
  EXPECT_EQ(function_registered("a second"), function);
}

TEST(FunctionRegistryTest, ANameHas1To255Bytes) {
  const void* function = address([] { return 4; });
  EXPECT_EQ(function_register("", function).error().status, MPC_EINVAL);
  EXPECT_EQ(function_register(std::string(256, 'n'), function).error().status, MPC_EINVAL);
  EXPECT_TRUE(function_register(std::string(255, 'n'), function));
  EXPECT_EQ(function_register("null", nullptr).error().status, MPC_EINVAL);
}

TEST(FunctionRegistryTest, ALibraryWithARegisteredFunctionStaysLoaded) {
  Folder folder;
  std::string path = folder.put("registered.so", contents(kFirst));
  Library library(path);
  ASSERT_TRUE(function_register("of a library", address(library.number())));
  library.close();
  ASSERT_TRUE(is_loaded(path));
  EXPECT_EQ(call(function_registered("of a library")), 1);
}

TEST(FunctionRegistryTest, ThreadsRegisterAtOnce) {
  constexpr int kThreads = 4, kNames = 200;
  const void* functions[kThreads] = {address([] { return 0; }), address([] { return 1; }),
                                     address([] { return 2; }), address([] { return 3; })};
  std::vector<int> taken(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < kNames; ++n) {
        taken[i] += function_register("shared " + std::to_string(n), functions[i]) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int sum = 0;
  for (int count : taken) sum += count;
  EXPECT_EQ(sum, kNames);
}

TEST(FunctionApiTest, TheMacroRegistersBeforeMain) {
  EXPECT_EQ(mpc_registered_registered_before_main, MPC_OK);
  mpc_function function;
  ASSERT_EQ(mpc_function_find("registered_before_main", &function), MPC_OK);
  EXPECT_EQ(reinterpret_cast<Number>(function)(), 11);
}

TEST(FunctionApiTest, TheMacroTellsWhereTheNameIsAnothersAndTheFunctionIsFoundByItsFile) {
  EXPECT_EQ(same_name::mpc_registered_registered_before_main, MPC_ESTATE);
  FunctionName name = *function_name_of(address(same_name::registered_before_main));
  EXPECT_EQ(name.registered, "");
  EXPECT_EQ(call(*function_found(name)), 12);
}

TEST(FunctionApiTest, TellsWhatIsWrong) {
  mpc_function function = nullptr;
  EXPECT_EQ(mpc_function_find("unknown", &function), MPC_EFUNCTION);
  char message[512];
  mpc_last_error_message(message, sizeof message);
  EXPECT_NE(strstr(message, "'unknown'"), nullptr) << message;
  EXPECT_EQ(function, nullptr);
  EXPECT_EQ(mpc_function_find(nullptr, &function), MPC_EINVAL);
  EXPECT_EQ(mpc_function_find("unknown", nullptr), MPC_EINVAL);
  EXPECT_EQ(mpc_function_register(nullptr, reinterpret_cast<mpc_function>(number_of_the_program)),
            MPC_EINVAL);
  EXPECT_EQ(mpc_function_register("null", nullptr), MPC_EINVAL);
}

TEST(LoadedObjectTest, TheBuildIdInMemoryIsThatOfTheFile) {
  for (Number function :
       {number_of_the_program, reinterpret_cast<Number>(dlsym(RTLD_DEFAULT, "abort"))}) {
    std::optional<LoadedObject> object = loaded_object_at(address(function));
    ASSERT_TRUE(object);
    EXPECT_FALSE(object->build_id.empty());
    EXPECT_EQ(build_id_of_file(object->path.c_str()), object->build_id) << object->path;
  }
}

TEST(LoadedObjectTest, TellsWhatWasLoadedForTheStartOfTheProgram) {
  GeneratedCode code;
  Library library(kSecond);
  EXPECT_TRUE(loaded_with_program(address(number_of_the_program)));
  EXPECT_TRUE(loaded_with_program(&number_in_memory));
  EXPECT_TRUE(loaded_with_program(dlsym(RTLD_DEFAULT, "abort")));
  EXPECT_TRUE(loaded_with_program(reinterpret_cast<const void*>(_r_debug.r_brk))) << "the loader";
  EXPECT_FALSE(loaded_with_program(address(library.number())));
  EXPECT_FALSE(loaded_with_program(code.function()));
  EXPECT_FALSE(loaded_with_program(nullptr));
}

TEST(LoadedObjectTest, FindsTheSlotThroughWhichTheProgramCallsAFunction) {
  void** slot = program_slot_of("__libc_start_main");
  ASSERT_NE(slot, nullptr);
  EXPECT_TRUE(loaded_object_at(*slot));
  EXPECT_EQ(*slot, dlsym(RTLD_DEFAULT, "__libc_start_main"));
  EXPECT_TRUE(loaded_object_around(slot)->is_program);
  EXPECT_EQ(program_slot_of("called_by_nobody"), nullptr);
}

TEST(BuildIdOfFileTest, IsEmptyForWhatIsNoElfFileAndKeepsErrno) {
  Folder folder;
  std::string text = folder.put("text", "no program at all, but longer than the header of one is");
  std::string empty = folder.put("empty", "");
  std::string fifo = text + "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  errno = EDOM;
  for (const char* path : {text.c_str(), empty.c_str(), fifo.c_str(), "/", "/nowhere/at-all",
                           kPlain, "/dev/null", ""}) {
    EXPECT_EQ(build_id_of_file(path), "") << path;
    EXPECT_EQ(errno, EDOM) << path;
  }
  unlink(fifo.c_str());
  EXPECT_NE(build_id_of_file(kFirst), "");
  EXPECT_EQ(errno, EDOM);
}

TEST(BuildIdOfFileTest, AFileThatWasCutAnywhereHasItsBuildIdOrNone) {
  Folder folder;
  std::string whole = contents(kFirst);
  std::string id = build_id_of_file(kFirst);
  std::string path = folder.put("cut.so", whole);
  int with = 0, without = 0;
  // Byte by byte where headers and notes are.
  for (size_t size = whole.size(); size > 0; size -= size > 2048 ? size / 100 : 1) {
    ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size)), 0);
    std::string found = build_id_of_file(path.c_str());
    ++(found.empty() ? without : with);
    ASSERT_TRUE(found.empty() || found == id) << "cut to " << size << " bytes";
  }
  EXPECT_GT(without, 300);
  EXPECT_GT(with, 50);
}

TEST(BuildIdOfFileTest, DamagedHeadersAndNotesAreHarmless) {
  Folder folder;
  std::string whole = contents(kFirst);
  std::string path = folder.put("damaged.so", whole);
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  for (off_t at = 0; at < 1024; ++at) {
    for (const char* bytes : {"\0", "\x7f", "\xff", "\xff\xff\xff\xff\xff\xff\xff\xff"}) {
      size_t size = bytes[0] == '\0' ? 1 : strlen(bytes);
      ASSERT_EQ(pwrite(fd, bytes, size, at), static_cast<ssize_t>(size));
      EXPECT_LE(build_id_of_file(path.c_str()).size(), whole.size());
      ASSERT_EQ(pwrite(fd, &whole[static_cast<size_t>(at)], size, at), static_cast<ssize_t>(size));
    }
  }
  close(fd);
  EXPECT_EQ(build_id_of_file(path.c_str()), build_id_of_file(kFirst));
}

}  // namespace
}  // namespace mpc
