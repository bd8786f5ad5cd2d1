// A client's connection, whatever protocol it speaks. Thread: its worker.
#pragma once

#include <functional>

#include "base/list.h"
#include "proxy/connection_limits.h"

namespace seawall::proxy {

class Session {
 public:
  virtual ~Session() = default;
  virtual void start() = 0;
  // Finish what is being served, then close; idle connections close now.
  virtual void drain() = 0;

  ListNode link;                // the worker's list
  ConnectionLimits::Slot slot;  // among the connections of all workers
};

// Must take the session away by net::Loop::defer_delete.
using OnSessionClosed = std::function<void(Session&)>;

}  // namespace seawall::proxy
