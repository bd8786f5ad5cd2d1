// A child process with its output gathered. Thread: one owner; output() any.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/behave/wait.h"

namespace seawall::behave {

class Process {
 public:
  // stdout and stderr go to output(); it reads `input`.
  explicit Process(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {},
                   std::string_view input = {});
  ~Process();  // SIGKILL if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number);
  bool has_exited();
  // 128 + signal when it was killed; throws Failure when it does not end in time.
  int wait(Millis limit = kLimit);
  std::string output() const;
  // Whether the output comes to hold that text.
  bool says(std::string_view text, Millis limit = kLimit) const;
  std::size_t resident_bytes() const;
  // User and system time so far.
  Millis processor_time() const;

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int code_ = 0;
  mutable std::mutex mutex_;
  std::string output_;
  std::thread reader_;
};

struct Outcome {
  int code;
  std::string output;
};
// A program to its end.
Outcome run(const std::vector<std::string>& arguments, std::string_view input = {}, Millis limit = 2 * kLimit);

// Where the program is, in $PATH or the system's sbin; empty: it is not installed.
std::string find_program(const std::string& name);

// A directory that goes with its owner.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  // The file's path.
  std::string write(const std::string& name, std::string_view text) const;
  std::string read(const std::string& name) const;

 private:
  std::string path_;
};

}  // namespace seawall::behave
