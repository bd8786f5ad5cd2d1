#include "support/behave/programs.h"

#include <signal.h>

#include <filesystem>

#include "support/behave/socket.h"

namespace seawall::behave {
namespace {

constexpr int kStartAttempts = 5;

std::string replaced(std::string text, std::string_view mark, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += by.size()) {
    text.replace(at, mark.size(), by);
  }
  return text;
}

std::string filled_in(const std::string& text, std::uint16_t port, const TemporaryDirectory& directory) {
  return replaced(replaced(text, "{port}", std::to_string(port)), "{dir}", directory.path());
}

bool accepts(std::uint16_t port) {
  try {
    Socket::connect("127.0.0.1:" + std::to_string(port));
    return true;
  } catch (const Failure&) {
    return false;
  }
}

// The last head of those that curl has dumped, and the trailers behind it.
void parse_dump(const std::string& dump, CurlResponse& response) {
  bool in_head = false;
  for (std::size_t at = 0; at < dump.size();) {
    const std::size_t end = std::min(dump.find("\r\n", at), dump.size());
    const std::string line = dump.substr(at, end - at);
    at = end + 2;
    if (line.starts_with("HTTP/")) {
      response.version = line.substr(0, line.find(' '));
      response.status = static_cast<int>(std::strtol(line.c_str() + response.version.size(), nullptr, 10));
      response.headers = {};
      response.trailers = {};
      in_head = true;
    } else if (line.empty()) {
      in_head = false;
    } else {
      (in_head ? response.headers : response.trailers).parse_line(line);
    }
  }
}

}  // namespace

boost::test_tools::assertion_result Needs::operator()(boost::unit_test::test_unit_id) const {
  boost::test_tools::assertion_result result(true);
  for (const std::string& program : programs) {
    if (!find_program(program).empty()) continue;
    result = boost::test_tools::assertion_result(false);
    result.message() << program << " is not installed";
  }
  return result;
}

CurlResponse curl(const std::vector<std::string>& arguments) {
  const TemporaryDirectory directory;
  std::vector<std::string> command = {"curl",       "-sS",
                                      "--noproxy",  "*",
                                      "--max-time", "30",
                                      "-D",         directory.path() + "/head",
                                      "-o",         directory.path() + "/body"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Outcome outcome = run(command, {}, Millis{40'000});
  CurlResponse response;
  response.code = outcome.code;
  response.errors = outcome.output;
  response.body = directory.read("body");
  response.complete = outcome.code == 0;
  parse_dump(directory.read("head"), response);
  return response;
}

Outcome python(const std::string& script, const std::vector<std::string>& arguments, Millis limit) {
  std::vector<std::string> command = {"/usr/bin/python3", "tests/support/behave/" + script};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command, {}, limit);
}

Server::Server(const Command& command) {
  std::string said;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    port_ = unused_port();
    process_ = std::make_unique<Process>(command(port_));
    until([this] { return process_->has_exited() || accepts(port_); });
    if (!process_->has_exited()) return;
    said = process_->output();
  }
  throw Failure("a server did not start: " + said);
}

Server::~Server() {
  process_->signal(SIGTERM);
  until([this] { return process_->has_exited(); });
}

Server nginx(const TemporaryDirectory& directory, const std::string& http) {
  std::filesystem::create_directories(directory.path() + "/temp");
  std::string text =
      "daemon off; master_process off; worker_processes 1;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log;\n"
      "events { worker_connections 512; }\nhttp {\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    text += std::string(kind) + "_temp_path {dir}/temp;\n";
  }
  text += http + "\n}\n";
  return Server([&](std::uint16_t port) {
    const std::string file = directory.write("nginx.conf", filled_in(text, port, directory));
    return std::vector<std::string>{
        find_program("nginx"), "-p", directory.path(), "-e", directory.path() + "/error.log", "-c", file};
  });
}

Server haproxy(const TemporaryDirectory& directory, const std::string& sections) {
  const std::string text =
      "global\n  maxconn 200\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n"
      "  timeout server 30s\n" +
      sections;
  return Server([&](std::uint16_t port) {
    const std::string file = directory.write("haproxy.cfg", filled_in(text, port, directory));
    return std::vector<std::string>{find_program("haproxy"), "-db", "-f", file};
  });
}

}  // namespace seawall::behave
