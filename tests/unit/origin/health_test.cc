#include "origin/health.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::origin {
namespace {

using namespace std::chrono_literals;

// 'H' is a good check and '-' a bad one, a second apart, the first at 1 s.
void feed(Health& health, std::string_view results) {
  for (const char c : results) {
    health.record(c == 'H', MonoTime{} + 1s * static_cast<std::int64_t>(health.checks() + 1));
  }
}

BOOST_AUTO_TEST_SUITE(origin_health)

BOOST_AUTO_TEST_CASE(rise_and_fall) {
  struct Row {
    const char* name;
    std::uint32_t rise = 2;
    std::uint32_t fall = 3;
    std::string_view results;
    bool is_healthy;
    std::int64_t changed_at;  // seconds; 0: never
  };
  const std::vector<Row> rows = {
      {.name = "healthy before the first check", .results = "", .is_healthy = true, .changed_at = 0},
      {.name = "a good one says nothing new", .results = "H", .is_healthy = true, .changed_at = 0},
      {.name = "too few failures", .results = "--", .is_healthy = true, .changed_at = 0},
      {.name = "enough failures", .results = "---", .is_healthy = false, .changed_at = 3},
      {.name = "failures not in a row", .results = "--H--", .is_healthy = true, .changed_at = 0},
      {.name = "failures in a row after others", .results = "--H---", .is_healthy = false, .changed_at = 6},
      {.name = "more failures change nothing", .results = "-----", .is_healthy = false, .changed_at = 3},
      {.name = "too few successes", .results = "---H", .is_healthy = false, .changed_at = 3},
      {.name = "enough successes", .results = "---HH", .is_healthy = true, .changed_at = 5},
      {.name = "successes not in a row", .results = "---H-H", .is_healthy = false, .changed_at = 3},
      {.name = "what came before the change does not count after it",
       .results = "---HH--",
       .is_healthy = true,
       .changed_at = 5},
      {.name = "sick again", .results = "---HH---", .is_healthy = false, .changed_at = 8},
      {.name = "one is enough", .rise = 1, .fall = 1, .results = "-H-", .is_healthy = false, .changed_at = 3},
      {.name = "none is one", .rise = 0, .fall = 0, .results = "-H", .is_healthy = true, .changed_at = 2},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      HealthOptions options;
      options.rise = row.rise;
      options.fall = row.fall;
      Health health(options);
      feed(health, row.results);
      BOOST_TEST(health.is_healthy() == row.is_healthy);
      BOOST_TEST(health.changed_at().us == row.changed_at * 1'000'000);
      BOOST_TEST(health.checks() == row.results.size());
      BOOST_TEST(health.history() == row.results);
    }
  }
}

BOOST_AUTO_TEST_CASE(record_tells_of_changes_only) {
  Health health(HealthOptions{});
  std::string changes;
  for (const char c : std::string_view("--H----HHH-")) changes += health.record(c == 'H', MonoTime{1}) ? '!' : '.';
  BOOST_TEST(changes == ".....!..!..");
}

BOOST_AUTO_TEST_CASE(history_keeps_the_last_64) {
  Health health(HealthOptions{});
  feed(health, "H-" + std::string(62, 'H'));
  BOOST_TEST(health.history() == "H-" + std::string(62, 'H'));
  feed(health, "-");
  BOOST_TEST(health.history() == "-" + std::string(62, 'H') + "-");
  feed(health, std::string(64, '-'));
  BOOST_TEST(health.history() == std::string(64, '-'));
  BOOST_TEST(health.checks() == 129U);
}

BOOST_AUTO_TEST_CASE(new_options_keep_the_state) {
  Health health(HealthOptions{});
  feed(health, "---H");
  HealthOptions options;
  options.rise = 3;
  health.set_options(options);
  BOOST_TEST(!health.is_healthy());
  BOOST_TEST(health.history() == "---H");
  feed(health, "H");
  BOOST_TEST(!health.is_healthy());
  feed(health, "H");
  BOOST_TEST(health.is_healthy());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::origin
