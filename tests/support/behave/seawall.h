// The real binary, started on a port of the kernel's choice in front of an origin. It has failed when it does not end
// with exit code 0 after SIGTERM, or a sanitizer has spoken.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/behave/origin.h"
#include "support/behave/process.h"

namespace seawall::behave {

// Lines for the sections of the configuration; what is empty keeps the binary's default.
struct SeawallOptions {
  unsigned workers = 1;  // one origin pool, so that connections can be counted
  std::string server = {};
  std::string timeouts = {};  // inside [server] timeout = { }, behind shutdown
  std::string shutdown = "1s";
  std::string cache = {};
  std::string collapse = {};
  std::string log = {};
  std::string origin = {};
  std::string origin_timeouts = {};
  std::string route = {};
  std::vector<std::string> args = {};
  std::string whole = {};  // all but [server], in place of what the others would make
};

class Seawall {
 public:
  explicit Seawall(const Origin& origin, SeawallOptions options = {}) : Seawall(origin.port(), std::move(options)) {}
  explicit Seawall(std::uint16_t origin_port, SeawallOptions options = {});
  // Sections as they stand in the file, all but [server].
  explicit Seawall(std::string whole) : Seawall(0, {.whole = std::move(whole)}) {}
  ~Seawall();
  Seawall(const Seawall&) = delete;
  Seawall& operator=(const Seawall&) = delete;

  std::uint16_t port() const { return port_; }
  Process& process() { return *process_; }
  const Process& process() const { return *process_; }
  const TemporaryDirectory& directory() const { return directory_; }
  // Writes the configuration again, for SIGHUP.
  void write_config(const std::string& toml) const { directory_.write("seawall.toml", toml); }
  std::string config() const { return directory_.read("seawall.toml"); }
  // SIGTERM, and the exit code.
  int stop(Millis limit = 2 * kLimit);

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<Process> process_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
  bool may_leave_requests_ = false;  // stopped by the test, perhaps with clients waiting
};

// SEAWALL_BINARY or SEAWALL_BIN, else build/seawall.
std::string seawall_binary();
// The port in "listening on 127.0.0.1:PORT"; throws Failure when the process does not say it.
std::uint16_t listening_port(Process& process);

}  // namespace seawall::behave
