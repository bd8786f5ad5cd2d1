#include "support/behave/seawall.h"

#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

namespace seawall::behave {
namespace {

std::string config_text(std::uint16_t origin_port, const SeawallOptions& o) {
  const auto inside = [](const std::string& text) { return text.empty() ? std::string() : ", " + text; };
  std::string toml = "[server]\nlisten = \"127.0.0.1:0\"\nworkers = " + std::to_string(o.workers) + "\n";
  toml += "timeout = { shutdown = \"" + o.shutdown + "\"" + inside(o.timeouts) + " }\n" + o.server + "\n";
  if (!o.whole.empty()) return toml + o.whole;
  if (!o.cache.empty()) toml += "[cache]\n" + o.cache + "\n";
  if (!o.collapse.empty()) toml += "[collapse]\n" + o.collapse + "\n";
  if (!o.log.empty()) toml += "[log]\n" + o.log + "\n";
  toml += "[[origin]]\nname = \"main\"\nservers = [\"http://127.0.0.1:" + std::to_string(origin_port) + "\"]\n";
  if (!o.origin_timeouts.empty()) toml += "timeout = { " + o.origin_timeouts + " }\n";
  toml += o.origin + "\n[[route]]\nhost = \"*\"\npath = \"/*\"\norigin = \"main\"\n" + o.route + "\n";
  return toml;
}

bool sanitizer_spoke(const std::string& output) {
  for (const char* mark :
       {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:"}) {
    if (contains(output, mark)) return true;
  }
  return false;
}

}  // namespace

std::string seawall_binary() {
  for (const char* name : {"SEAWALL_BINARY", "SEAWALL_BIN"}) {
    if (const char* path = std::getenv(name); path != nullptr && *path != '\0') return path;
  }
  return "build/seawall";
}

std::uint16_t listening_port(Process& process) {
  static constexpr std::string_view kMark = "listening on 127.0.0.1:";
  unsigned long port = 0;
  until([&] {
    const std::string output = process.output();
    const std::size_t at = output.find(kMark);
    // The whole line, lest the port be cut.
    if (at != std::string::npos && output.find('\n', at) != std::string::npos) {
      port = std::strtoul(output.c_str() + at + kMark.size(), nullptr, 10);
    }
    return port != 0 || process.has_exited();
  });
  if (port == 0 || port > 65535) throw Failure("seawall did not say where it listens:\n" + process.output());
  return static_cast<std::uint16_t>(port);
}

Seawall::Seawall(std::uint16_t origin_port, SeawallOptions options) {
  const std::string file = directory_.write("seawall.toml", config_text(origin_port, options));
  std::vector<std::string> arguments = {seawall_binary(), "serve", "-c", file};
  arguments.insert(arguments.end(), options.args.begin(), options.args.end());
  process_ = std::make_unique<Process>(arguments);
  port_ = listening_port(*process_);
}

int Seawall::stop(Millis limit) {
  stopped_ = true;
  may_leave_requests_ = true;
  process_->signal(SIGTERM);
  return process_->wait(limit);
}

Seawall::~Seawall() {
  int code = 0;
  try {
    if (!stopped_) {
      code = stop();
      may_leave_requests_ = false;
    }
  } catch (const Failure& failure) {
    BOOST_ERROR(failure.what());
  }
  const std::string output = process_->output();
  // By now the test's clients are gone: what is still being served is a leak.
  const bool leaked = contains(output, "requests unfinished") && !may_leave_requests_;
  const bool failed = code != 0 || leaked || sanitizer_spoke(output);
  if (failed) BOOST_ERROR("seawall ended with code " << code << ", having said:\n" << output);
  if (!failed && std::getenv("BEHAVE_VERBOSE") != nullptr) BOOST_TEST_MESSAGE(output);
}

}  // namespace seawall::behave
