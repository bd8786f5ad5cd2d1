// The small origin of `seawall demo-origin`: HTTP/1.1 with keep-alive and pipelining on one loop. Thread: its loop's.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "net/listener.h"
#include "net/loop.h"
#include "server/demo_pages.h"

namespace seawall::server {

class DemoOrigin {
 public:
  static constexpr std::size_t kMaxConnections = 1024;  // one more is closed at once

  DemoOrigin(net::Loop& loop, std::unique_ptr<net::Listener> listener);
  ~DemoOrigin();
  DemoOrigin(const DemoOrigin&) = delete;
  DemoOrigin& operator=(const DemoOrigin&) = delete;

  const net::Address& address() const { return listener_->address(); }

 private:
  class Connection;
  void accept(Fd fd);
  void close(Connection& connection);

  net::Loop& loop_;
  std::unique_ptr<net::Listener> listener_;
  DemoPages pages_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
};

// Serves until SIGTERM or SIGINT; prints its URL first. The error is text for a person.
std::expected<void, std::string> run_demo_origin(const std::string& listen);

}  // namespace seawall::server
