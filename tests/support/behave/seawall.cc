#include "support/behave/seawall.h"

#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "support/behave/admin.h"

namespace seawall::behave {
namespace {

std::string config_text(std::uint16_t origin_port, const SeawallOptions& o) {
  const auto inside = [](const std::string& text) { return text.empty() ? std::string() : ", " + text; };
  std::string toml = "[server]\nlisten = [";
  for (const std::string& address : o.listen) toml += "\"" + address + "\", ";
  toml += "]\nworkers = " + std::to_string(o.workers) + "\n";
  toml += "timeout = { shutdown = \"" + o.shutdown + "\"" + inside(o.timeouts) + " }\n" + o.server + "\n";
  if (o.admin) toml += kAdminSection;
  if (!o.tls.empty()) toml += "[tls]\n" + o.tls + "\n";
  if (!o.http2.empty()) toml += "[http2]\n" + o.http2 + "\n";
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

std::vector<std::string> listening_addresses(Process& process, std::size_t count) {
  static constexpr std::string_view kMark = "listening on ";
  std::vector<std::string> addresses;
  until([&] {
    addresses.clear();
    const std::string output = process.output();
    for (std::size_t at = 0; (at = output.find(kMark, at)) != std::string::npos;) {
      at += kMark.size();
      const std::size_t end = output.find_first_of(" \n", at);
      // The whole line, lest the port be cut.
      if (output.find('\n', at) != std::string::npos) addresses.push_back(output.substr(at, end - at));
    }
    return addresses.size() >= count || process.has_exited();
  });
  if (addresses.size() < count) throw Failure("seawall did not say where it listens:\n" + process.output());
  return addresses;
}

std::uint16_t listening_port(Process& process) {
  const std::string address = listening_addresses(process, 1).front();
  return static_cast<std::uint16_t>(std::strtoul(address.c_str() + address.rfind(':') + 1, nullptr, 10));
}

Seawall::Seawall(std::uint16_t origin_port, SeawallOptions options) {
  const std::string file = directory_.write("seawall.toml", config_text(origin_port, options));
  std::vector<std::string> arguments = {seawall_binary(), "serve", "-c", file};
  arguments.insert(arguments.end(), options.args.begin(), options.args.end());
  if (!options.prefix.empty()) {
    const std::vector<std::string> shell = {"/bin/sh", "-c", options.prefix + " \"$0\" \"$@\""};
    arguments.insert(arguments.begin(), shell.begin(), shell.end());
  }
  process_ = std::make_unique<Process>(arguments);
  addresses_ = listening_addresses(*process_, options.listen.size());
}

std::uint16_t Seawall::port(std::size_t listener) const {
  const std::string& text = address(listener);
  return static_cast<std::uint16_t>(std::strtoul(text.c_str() + text.rfind(':') + 1, nullptr, 10));
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
