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
  std::vector<std::string> listen = {"127.0.0.1:0"};
  bool admin = false;    // with the listener that Admin asks
  unsigned workers = 1;  // one origin pool, so that connections can be counted
  std::string server = {};
  std::string timeouts = {};  // inside [server] timeout = { }, behind shutdown
  std::string shutdown = "1s";
  std::string tls = {};
  std::string http2 = {};
  std::string cache = {};
  std::string collapse = {};
  std::string log = {};
  std::string origin = {};
  std::string origin_timeouts = {};
  std::string route = {};
  std::vector<std::string> args = {};
  std::string whole = {};   // all but [server], in place of what the others would make
  std::string prefix = {};  // a shell command that becomes the server, before its own words: "ulimit -n 64; exec"
};

class Seawall {
 public:
  explicit Seawall(const Origin& origin, SeawallOptions options = {}) : Seawall(origin.port(), std::move(options)) {}
  explicit Seawall(std::uint16_t origin_port, SeawallOptions options = {});
  // Sections as they stand in the file, all but [server].
  explicit Seawall(std::string whole) : Seawall(0, {.whole = std::move(whole)}) {}
  explicit Seawall(SeawallOptions options) : Seawall(0, std::move(options)) {}
  ~Seawall();
  Seawall(const Seawall&) = delete;
  Seawall& operator=(const Seawall&) = delete;

  // Of the listener that stands there in `listen`.
  std::uint16_t port(std::size_t listener = 0) const;
  // As it says it, "127.0.0.1:8080" or "[::1]:8080" or "unix:/path".
  const std::string& address(std::size_t listener = 0) const { return addresses_.at(listener); }
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
  std::vector<std::string> addresses_;
  bool stopped_ = false;
  bool may_leave_requests_ = false;  // stopped by the test, perhaps with clients waiting
};

// SEAWALL_BINARY or SEAWALL_BIN, else build/seawall.
std::string seawall_binary();
// The ADDRESS of the first lines that say "listening on ADDRESS"; throws Failure when there do not come so many.
std::vector<std::string> listening_addresses(Process& process, std::size_t count);
std::uint16_t listening_port(Process& process);

}  // namespace seawall::behave
