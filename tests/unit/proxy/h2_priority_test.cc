#include "proxy/h2_priority.h"

#include <boost/test/unit_test.hpp>

#include "proxy/websocket.h"

namespace seawall::proxy {
namespace {

BOOST_AUTO_TEST_SUITE(proxy_h2_priority)

BOOST_AUTO_TEST_CASE(fields) {
  struct Row {
    const char* field;
    H2Priority want;
  };
  const Row rows[] = {
      {"", {}},
      {"u=0", {.urgency = 0}},
      {"u=7, i", {.urgency = 7, .is_incremental = true}},
      {"i", {.urgency = 3, .is_incremental = true}},
      {"i=?0", {}},
      {"u=5, x=1", {.urgency = 5}},
      {"u=8", {}},
      {"u=-1", {}},
      {"u=1.5", {}},
      {"u=\"1\"", {}},
      {"i=1", {}},
      {"u=1, u=2", {.urgency = 2}},
      {"u=1;i", {.urgency = 1}},
      {"u=1 i", {}},
      {"U=1", {}},
  };
  for (const Row& row : rows) {
    H2Priority priority;
    merge_priority(row.field, priority);
    BOOST_TEST((priority == row.want), row.field);
  }
}

// RFC 9218 section 8: what the response does not say stays the client's.
BOOST_AUTO_TEST_CASE(merge) {
  H2Priority priority;
  merge_priority("u=5, i", priority);
  merge_priority("u=1", priority);
  BOOST_TEST((priority == H2Priority{.urgency = 1, .is_incremental = true}));
  merge_priority("i=?0", priority);
  BOOST_TEST((priority == H2Priority{.urgency = 1, .is_incremental = false}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(proxy_websocket)

// The example of RFC 6455 section 1.3.
BOOST_AUTO_TEST_CASE(accept) {
  BOOST_TEST(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

BOOST_AUTO_TEST_CASE(keys) {
  Rng rng(1);
  const std::string first = make_websocket_key(rng);
  BOOST_TEST(first.size() == 24U);
  BOOST_TEST(first.ends_with("=="));
  BOOST_TEST(first != make_websocket_key(rng));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
