// Who is told what, how often, and how it is written down.
#include "fill/miss_events.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/manual_clock.h"
#include "support/pump_executor.h"

namespace seawall::fill {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kStart{5'000'000'000};

MissEvent event_of(std::uint64_t hash) {
  return {
      .sequence = 777, .time = {}, .url = "http://a/" + std::to_string(hash), .route = "r", .origin = "o", .why = "w"};
}

// The URL is the hash.
bool offer(MissEvents& events, std::uint64_t hash, MonoTime now = kStart) {
  return events.offer(event_of(hash), hash, now);
}

std::string urls_of(const MissEvents::Batch& batch) {
  std::string urls;
  for (const MissEvent& event : batch.events) urls += event.url.substr(event.url.rfind('/') + 1) + " ";
  return urls;
}

struct Fixture {
  test::ManualClock clock;
  test::PumpExecutor executor{0, clock};
};

BOOST_AUTO_TEST_SUITE(fill_miss_events)

BOOST_AUTO_TEST_CASE(a_url_is_told_once_in_a_while) {
  MissEvents events({.repeat = 10s});
  BOOST_TEST(offer(events, 1));
  BOOST_TEST(!offer(events, 1));
  BOOST_TEST(offer(events, 2, kStart + 5s));
  BOOST_TEST(!offer(events, 1, kStart + 9'999ms));
  BOOST_TEST(offer(events, 1, kStart + 10s));
  // Told anew, it counts from then.
  BOOST_TEST(!offer(events, 1, kStart + 19'999ms));
  BOOST_TEST(offer(events, 2, kStart + 15s));
  BOOST_TEST(events.stats().emitted == 4U);
  BOOST_TEST(events.stats().duplicates == 3U);
  BOOST_TEST(events.stats().limited == 0U);
}

BOOST_AUTO_TEST_CASE(what_the_rate_refuses_is_told_when_asked_for_again) {
  MissEvents events({.repeat = 10s, .per_second = 10});
  for (std::uint64_t hash = 0; hash < 15; ++hash) BOOST_TEST(offer(events, hash) == (hash < 10));
  BOOST_TEST(events.stats().limited == 5U);
  BOOST_TEST(!offer(events, 12, kStart + 99ms));
  BOOST_TEST(offer(events, 12, kStart + 100ms));
  BOOST_TEST(!offer(events, 12, kStart + 500ms), "told by now");
  BOOST_TEST(!offer(events, 3, kStart + 500ms));
  BOOST_TEST(events.stats().emitted == 11U);
  BOOST_TEST(events.stats().duplicates == 2U);
  BOOST_TEST(events.stats().limited == 6U);
}

BOOST_AUTO_TEST_CASE(no_more_than_a_second_is_saved) {
  MissEvents events({.per_second = 10});
  std::uint64_t hash = 0;
  const auto told_at = [&](MonoTime now, int offered = 30) {
    int told = 0;
    for (int i = 0; i < offered; ++i) told += offer(events, ++hash, now) ? 1 : 0;
    return told;
  };
  BOOST_TEST(told_at(kStart) == 10);
  BOOST_TEST(told_at(kStart + 1s) == 10);
  BOOST_TEST(told_at(kStart + 1500ms) == 5);
  // A clock that lags gives nothing twice.
  BOOST_TEST(told_at(kStart + 1h, 4) == 4);
  BOOST_TEST(told_at(kStart + 30min) == 6);
  BOOST_TEST(told_at(kStart + 1h) == 0);
}

BOOST_AUTO_TEST_CASE(of_the_urls_remembered_the_oldest_goes) {
  MissEvents events({.repeat = 1h, .urls = 3});
  for (std::uint64_t hash = 1; hash <= 4; ++hash) BOOST_TEST(offer(events, hash));
  for (std::uint64_t hash = 2; hash <= 4; ++hash) BOOST_TEST(!offer(events, hash));
  BOOST_TEST(offer(events, 1), "forgotten");
  BOOST_TEST(!offer(events, 3));
  BOOST_TEST(offer(events, 2), "made room for 1");
}

BOOST_AUTO_TEST_CASE(a_url_told_again_is_the_youngest) {
  MissEvents events({.repeat = 10s, .urls = 2});
  BOOST_TEST(offer(events, 1));
  BOOST_TEST(offer(events, 2, kStart + 5s));
  BOOST_TEST(offer(events, 1, kStart + 10s));
  BOOST_TEST(offer(events, 3, kStart + 11s));
  BOOST_TEST(!offer(events, 1, kStart + 12s));
  BOOST_TEST(offer(events, 2, kStart + 12s), "made room for 3");
}

BOOST_AUTO_TEST_CASE(late_readers_get_what_is_kept) {
  MissEvents events({.kept = 4});
  BOOST_TEST(events.last() == 0U);
  BOOST_TEST(events.after(0, 100).events.empty());
  for (std::uint64_t hash = 1; hash <= 6; ++hash) offer(events, hash);
  BOOST_TEST(events.last() == 6U);

  struct Row {
    std::uint64_t after;
    std::size_t max;
    const char* urls;
    std::uint64_t lost;
  };
  const std::vector<Row> rows = {
      {.after = 0, .max = 100, .urls = "3 4 5 6 ", .lost = 2},
      {.after = 1, .max = 100, .urls = "3 4 5 6 ", .lost = 1},
      {.after = 2, .max = 100, .urls = "3 4 5 6 ", .lost = 0},
      {.after = 4, .max = 100, .urls = "5 6 ", .lost = 0},
      {.after = 0, .max = 2, .urls = "3 4 ", .lost = 2},
      {.after = 4, .max = 1, .urls = "5 ", .lost = 0},
      {.after = 6, .max = 100, .urls = "", .lost = 0},
      {.after = 7, .max = 100, .urls = "", .lost = 0},
      {.after = std::numeric_limits<std::uint64_t>::max(), .max = 100, .urls = "", .lost = 0},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT("after " << row.after << ", at most " << row.max) {
      const auto batch = events.after(row.after, row.max);
      BOOST_TEST(urls_of(batch) == row.urls);
      BOOST_TEST(batch.lost == row.lost);
    }
  }
  std::uint64_t sequence = 3;
  for (const MissEvent& event : events.after(2, 100).events) BOOST_TEST(event.sequence == sequence++);
}

BOOST_AUTO_TEST_CASE(options_change_what_is_held) {
  MissEvents events({.repeat = 1h});
  for (std::uint64_t hash = 1; hash <= 6; ++hash) offer(events, hash);
  events.set_options({.repeat = 1h, .kept = 2, .urls = 1});
  BOOST_TEST(urls_of(events.after(0, 100)) == "5 6 ");
  BOOST_TEST(events.after(0, 100).lost == 4U);
  BOOST_TEST(!offer(events, 6));
  BOOST_TEST(offer(events, 5), "forgotten");
  events.set_options({.repeat = 0s, .kept = 0, .urls = 0});
  BOOST_TEST(offer(events, 5));
  BOOST_TEST(offer(events, 5));
  BOOST_TEST(urls_of(events.after(0, 100)) == "5 ", "the last one, so that readers get on");
}

BOOST_FIXTURE_TEST_CASE(a_subscriber_is_woken_in_a_turn_of_its_own_and_once, Fixture) {
  MissEvents events({});
  int woken = 0;
  std::string seen;
  std::uint64_t sequence = 0;
  const auto subscription = events.subscribe(executor, [&] {
    ++woken;
    const auto batch = events.after(sequence, 100);
    seen += urls_of(batch);
    sequence += batch.events.size();
  });
  BOOST_TEST(!executor.has_work());
  for (std::uint64_t hash = 1; hash <= 3; ++hash) offer(events, hash);
  BOOST_TEST(woken == 0);
  BOOST_TEST(executor.run_one());
  BOOST_TEST(!executor.run_one());
  BOOST_TEST(woken == 1);
  BOOST_TEST(seen == "1 2 3 ");
  offer(events, 3);
  BOOST_TEST(!executor.has_work(), "a duplicate is no news");
  offer(events, 4);
  BOOST_TEST(executor.run_one());
  BOOST_TEST(seen == "1 2 3 4 ");
}

BOOST_FIXTURE_TEST_CASE(what_comes_while_it_reads_wakes_it_again, Fixture) {
  MissEvents events({});
  std::uint64_t hash = 0;
  const auto subscription = events.subscribe(executor, [&] {
    if (hash < 3) offer(events, ++hash);
  });
  offer(events, 100);
  int turns = 0;
  while (executor.run_one()) ++turns;
  BOOST_TEST(turns == 4);
}

BOOST_FIXTURE_TEST_CASE(every_subscriber_on_its_own_executor, Fixture) {
  MissEvents events({});
  test::PumpExecutor other{1, clock};
  int here = 0;
  int there = 0;
  auto first = events.subscribe(executor, [&] { ++here; });
  const auto second = events.subscribe(other, [&] { ++there; });
  offer(events, 1);
  BOOST_TEST(executor.run_one());
  BOOST_TEST(other.run_one());
  first.reset();
  offer(events, 2);
  BOOST_TEST(!executor.has_work());
  BOOST_TEST(other.run_one());
  BOOST_TEST(here == 1);
  BOOST_TEST(there == 2);
}

BOOST_FIXTURE_TEST_CASE(a_subscription_that_goes_leaves_a_turn_that_does_nothing, Fixture) {
  auto events = std::make_unique<MissEvents>(MissEventOptions{});
  auto state = std::make_unique<int>(0);
  auto subscription = events->subscribe(executor, [&state] { ++*state; });
  offer(*events, 1);
  subscription.reset();
  state.reset();
  BOOST_TEST(executor.run_one());

  // From within its own turn, and after the events themselves.
  subscription = events->subscribe(executor, [&] {
    subscription.reset();
    events.reset();
  });
  offer(*events, 2);
  BOOST_TEST(executor.run_one());
  BOOST_TEST(!executor.has_work());
  BOOST_TEST(!events);
}

BOOST_AUTO_TEST_CASE(many_threads_tell_each_url_once) {
  constexpr std::uint64_t kUrls = 2000;
  MissEvents events({.per_second = 1'000'000, .kept = kUrls});
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::uint64_t hash = 0; hash < kUrls; ++hash) {
        offer(events, hash);
        if (hash % 100 == 0) events.after(events.last() / 2, 10);
      }
    });
  }
  threads.clear();
  BOOST_TEST(events.stats().emitted == kUrls);
  BOOST_TEST(events.stats().duplicates == 3 * kUrls);
  const auto batch = events.after(0, 2 * kUrls);
  BOOST_REQUIRE(batch.events.size() == kUrls);
  for (std::uint64_t i = 0; i < kUrls; ++i) BOOST_TEST(batch.events[i].sequence == i + 1);
}

BOOST_AUTO_TEST_CASE(one_line_of_json) {
  const MissEvent event{.sequence = 42,
                        .time = WallTime{1'767'225'600'007},
                        .url = "http://shop.example.com/a?b",
                        .route = "shop \"new\"",
                        .origin = "c:\\shop",
                        .why = "uri-miss"};
  BOOST_TEST(to_json(event) == R"({"id":42,"time":"2026-01-01T00:00:00.007Z","url":"http://shop.example.com/a?b",)"
                               R"("route":"shop \"new\"","origin":"c:\\shop","why":"uri-miss"})");
}

BOOST_AUTO_TEST_CASE(times) {
  struct Row {
    std::int64_t unix_ms;
    const char* want;
  };
  const std::vector<Row> rows = {
      {0, "1970-01-01T00:00:00.000Z"},
      {1'709'210'096'789, "2024-02-29T12:34:56.789Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {std::numeric_limits<std::int64_t>::max(), "9999-12-31T23:59:59.999Z"},
      {std::numeric_limits<std::int64_t>::min(), "0000-01-01T00:00:00.000Z"},
  };
  for (const Row& row : rows) {
    const std::string json = to_json({.time = WallTime{row.unix_ms}});
    BOOST_TEST(json.find(std::string("\"time\":\"") + row.want + "\"") != std::string::npos, json);
  }
}

std::string escaped(std::string url) {
  const std::string json = to_json({.time = {}, .url = std::move(url)});
  const std::string before = R"("url":")";
  const std::size_t begin = json.find(before) + before.size();
  return json.substr(begin, json.find(R"(","route")") - begin);
}

BOOST_AUTO_TEST_CASE(every_byte_by_itself) {
  for (int byte = 0; byte < 256; ++byte) {
    BOOST_TEST_CONTEXT("byte " << byte) {
      const char c = static_cast<char>(byte);
      std::string want(1, c);
      if (c == '"' || c == '\\') want.insert(0, "\\");
      if (byte < 0x20 || byte == 0x7F) {
        constexpr const char* kDigits = "0123456789abcdef";
        want = std::string("\\u00") + kDigits[byte / 16] + kDigits[byte % 16];
      }
      if (byte >= 0x80) want = "\\ufffd";
      BOOST_TEST(escaped(std::string(1, c)) == want);
      BOOST_TEST(escaped("a" + std::string(1, c) + "b") == "a" + want + "b");
    }
  }
}

BOOST_AUTO_TEST_CASE(utf8) {
  struct Row {
    const char* name;
    std::string in;
    std::string want;
  };
  const std::string bad = "\\ufffd";
  const std::vector<Row> rows = {
      {"two bytes", "\xC2\x80\xDF\xBF", "\xC2\x80\xDF\xBF"},
      {"three bytes", "\xE0\xA0\x80\xE2\x82\xAC\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
       "\xE0\xA0\x80\xE2\x82\xAC\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"},
      {"four bytes", "\xF0\x90\x80\x80\xF0\x9F\x8C\x8A\xF4\x8F\xBF\xBF",
       "\xF0\x90\x80\x80\xF0\x9F\x8C\x8A\xF4\x8F\xBF\xBF"},
      {"overlong, two", "\xC0\xAF", bad + bad},
      {"overlong, two, the last", "\xC1\xBF", bad + bad},
      {"overlong, three", "\xE0\x9F\xBF", bad + bad + bad},
      {"overlong, four", "\xF0\x8F\xBF\xBF", bad + bad + bad + bad},
      {"a surrogate", "\xED\xA0\x80", bad + bad + bad},
      {"past the last code point", "\xF4\x90\x80\x80", bad + bad + bad + bad},
      {"no such lead", "\xF5\x80", bad + bad},
      {"cut short by the end", "\xE2\x82", bad + bad},
      {"cut short by a letter", "\xE2\x82x", bad + bad + "x"},
      {"cut short by a quote", "\xF0\x9F\x8C\"", bad + bad + bad + "\\\""},
      {"cut short by a good one", "\xE2\xC3\xA9", bad + "\xC3\xA9"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(escaped(row.in) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::fill
