// Pumps a Loop by hand until something has happened; a watchdog turns a hang into a failure. Thread: one.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <boost/test/unit_test.hpp>
#include <string_view>

#include "net/loop.h"

namespace seawall::test {

// Requires done() to become true.
template <typename Done>
void pump_until(net::Loop& loop, std::string_view what, Done done) {
  constexpr timeval kPatience{.tv_sec = 20, .tv_usec = 0};
  bool is_late = false;
  event watchdog;
  event_assign(
      &watchdog, loop.base(), -1, 0, [](evutil_socket_t, short, void* arg) { *static_cast<bool*>(arg) = true; },
      &is_late);
  event_add(&watchdog, &kPatience);
  while (!done() && !is_late) loop.turn(net::Loop::Wait::kBlock);
  event_del(&watchdog);
  BOOST_REQUIRE_MESSAGE(!is_late, "never happened: " << what);
}

// Lets everything happen that can without waiting: loopback sockets deliver at once.
inline void settle(net::Loop& loop) {
  for (int i = 0; i < 30; ++i) loop.turn(net::Loop::Wait::kPoll);
}

}  // namespace seawall::test
