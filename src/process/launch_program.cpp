// SPDX-License-Identifier: Apache-2.0
// The start method `program`: an executable that keeps its main(), and joins when it loads this
// library, if it does.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/handout.hpp"
#include "process/launch_image.hpp"
#include "process/launcher.hpp"

namespace mpc {
namespace {

bool may_run(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return false;
  if (!S_ISREG(st.st_mode)) {
    errno = EACCES;
    return false;
  }
  return eaccess(path.c_str(), X_OK) == 0;
}

// Where execvp() would find it. A file that may not be run is passed by, and remembered.
Result<std::string> found_in_path(const std::string& program) {
  const char* folders = getenv("PATH");
  std::string path = folders != nullptr ? folders : "/bin:/usr/bin";
  int error = ENOENT;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find(':', begin), path.size());
    std::string file = path.substr(begin, end - begin);
    if (!file.empty()) file += '/';
    file += program;
    if (may_run(file)) return file;
    if (errno == EACCES) error = EACCES;
    begin = end + 1;
  }
  return system_failure(("looking for " + program + " in PATH").c_str(), error);
}

// With a folder of its own the child is there by the time that it begins.
Result<std::string> absolute(const std::string& path) {
  char* folder = getcwd(nullptr, 0);
  if (folder == nullptr) return system_failure("getcwd", errno);
  std::string whole = std::string(folder) + '/' + path;
  free(folder);
  return whole;
}

Result<std::string> path_of(const std::string& program, const StartSetup* setup) {
  std::string path = program;
  if (program.find('/') == std::string::npos) {
    Result<std::string> found = found_in_path(program);
    if (!found) return found;
    path = std::move(*found);
  }
  bool moves = setup != nullptr && !setup->wanted->working_directory.empty();
  return moves && path[0] != '/' ? absolute(path) : path;
}

// The text of environment.hpp, taken apart.
std::vector<char*> entries_of(std::string& text) {
  std::vector<char*> entries;
  for (size_t at = 0; at < text.size(); at += strlen(&text[at]) + 1) entries.push_back(&text[at]);
  entries.push_back(nullptr);
  return entries;
}

}  // namespace

Result<Started> launch_program(Group& group, const StartRequest& request) {
  Program program = *request.task->program;
  Result<std::string> path = path_of(program.path, request.setup);
  if (!path) return path.error();
  Result<Handout> handout = Handout::make(group, request, nullptr, false);
  if (!handout) return handout.error();

  ImageStart start;
  start.path = std::move(*path);
  start.arguments.push_back(program.path.data());
  for (std::string& argument : program.arguments) start.arguments.push_back(argument.data());
  start.arguments.push_back(nullptr);
  std::string environment;
  if (request.setup != nullptr) {
    start.setup = request.setup->wanted;
    start.descriptors = request.setup->descriptors.passed();
    start.leads_group = start.setup->process_group == MPC_PROCESS_GROUP_NEW;
    if (start.setup->environment) environment = *start.setup->environment;
  }
  bool chosen = request.setup != nullptr && start.setup->environment;
  add_environment(start, chosen ? entries_of(environment).data() : environ);
  handout->give(start);
  Result<int32_t> pid = launch_image(start);
  if (!pid) return pid.error();
  return Started{*pid, handout->message()};
}

}  // namespace mpc
