#include "obs/cache_status.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace seawall::obs {
namespace {

struct Row {
  CacheStatus status;
  const char* text;
};

BOOST_AUTO_TEST_SUITE(obs_cache_status)

BOOST_AUTO_TEST_CASE(as_rfc_9211_writes_it) {
  const std::vector<Row> rows = {
      {{}, "seawall"},
      {{.is_hit = true, .ttl = Seconds{42}}, "seawall; hit; ttl=42"},
      {{.is_hit = true, .ttl = Seconds{-3}, .detail = "stale-if-error"}, "seawall; hit; ttl=-3; detail=stale-if-error"},
      {{.is_hit = true, .ttl = Seconds{0}}, "seawall; hit; ttl=0"},
      {{.forward = "uri-miss", .forward_status = 200, .is_stored = true},
       "seawall; fwd=uri-miss; fwd-status=200; stored"},
      {{.forward = "stale", .forward_status = 304, .is_collapsed = true},
       "seawall; fwd=stale; fwd-status=304; collapsed"},
      {{.forward = "uri-miss", .detail = "connect-refused"}, "seawall; fwd=uri-miss; detail=connect-refused"},
      {{.is_hit = true, .forward = "uri-miss"}, "seawall; hit"},
  };
  for (const Row& row : rows) {
    std::string out = "x";
    append_cache_status(out, row.status);
    BOOST_TEST(out == "x" + std::string(row.text));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::obs
