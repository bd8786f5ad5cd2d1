// Other people's programs as clients and servers of a test.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/behave/message.h"
#include "support/behave/process.h"

namespace seawall::behave {

// Skips a case or suite where one of these is not installed: *boost::unit_test::precondition(Needs{"nginx"}).
struct Needs {
  std::vector<std::string> programs;

  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id) const;
};

struct CurlResponse : Response {
  int code = 0;        // curl's exit status; 0: the answer came whole
  std::string errors;  // what it said
};
// The last response that curl gets; `version` is "HTTP/1.1" or "HTTP/2".
CurlResponse curl(const std::vector<std::string>& arguments);

// A script of tests/support/behave, under the Python that has Debian's modules.
Outcome python(const std::string& script, const std::vector<std::string>& arguments, Millis limit = 4 * kLimit);

// A server that cannot choose a port itself: it gets one that was free a moment ago, and another if somebody has taken
// it since. It ends by SIGTERM.
class Server {
 public:
  // The command line for a port.
  using Command = std::function<std::vector<std::string>(std::uint16_t port)>;

  explicit Server(const Command& command);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return port_; }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }
  Process& process() { return *process_; }

 private:
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

// One worker with what stands in its http { }, where {port} and {dir} are replaced; its files are in the directory,
// error.log among them. Where its access log goes is for `http` to say.
Server nginx(const TemporaryDirectory& directory, const std::string& http);
// What stands behind a plain global and defaults section, with the same replacements.
Server haproxy(const TemporaryDirectory& directory, const std::string& sections);

}  // namespace seawall::behave
