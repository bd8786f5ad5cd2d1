// GET /v1/events as its reader sees it: from where it begins, what a slow one misses, and how it ends.
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>

#include "admin/stream.h"
#include "loopback/admin/fixture.h"

namespace seawall::test {
namespace {

struct Fixture : Harness {
  Fixture() : Harness({.events = {.kept = 100}}) {}

  FakeWriter writer;
  std::unique_ptr<admin::Stream> stream;

  ~Fixture() { stream.reset(); }

  void open(std::optional<std::uint64_t> last_id = {}) {
    stream = admin::make_event_stream(context(), writer, last_id);
  }
  void offer(int i, const std::string& padding = {}) {
    miss_events.offer({.sequence = 0,
                       .time = clock.wall_now(),
                       .url = "http://example.com/" + std::to_string(i) + padding,
                       .route = "all",
                       .origin = "one",
                       .why = "uri-miss"},
                      static_cast<std::uint64_t>(i), clock.mono_now());
  }
  void offer_all(int begin, int end, const std::string& padding = {}) {
    for (int i = begin; i < end; ++i) offer(i, padding);
    settle();
  }
  // "1 2 lost:3 4 :": what the reader has got since it was asked last, comments as ":".
  std::string take() {
    std::string told;
    std::string text = std::exchange(writer.body, {});
    while (!text.empty()) {
      const std::size_t end = text.find("\n\n");
      BOOST_REQUIRE(end != std::string::npos);
      const std::string event = text.substr(0, end);
      text.erase(0, end + 2);
      if (!told.empty()) told += ' ';
      if (event == ":") {
        told += ':';
      } else if (event.starts_with("event: lost\ndata: ")) {
        told += "lost:" + Json::parse(event.substr(event.rfind('\n') + 7))["lost"].dump();
      } else {
        const std::string id = event.substr(4, event.find('\n') - 4);
        BOOST_TEST(event.starts_with("id: " + id + "\nevent: miss\ndata: {"), event);
        const Json data = Json::parse(event.substr(event.rfind('\n') + 7));
        BOOST_TEST(data["id"].dump() == id);
        told += id;
      }
    }
    return told;
  }
};

BOOST_FIXTURE_TEST_SUITE(admin_event_stream, Fixture)

BOOST_AUTO_TEST_CASE(its_head_goes_at_once) {
  std::string calls;
  writer.hook = [&](std::string_view call) { calls += std::string(call) + " "; };
  open();
  BOOST_TEST(calls == "head flush ");
  BOOST_TEST(writer.status == 200);
  BOOST_TEST(writer.field("Content-Type") == "text/event-stream");
  BOOST_TEST(writer.field("Cache-Control") == "no-store");
  BOOST_TEST(writer.field("X-Content-Type-Options") == "nosniff");
  BOOST_TEST(!writer.length.has_value());
  BOOST_TEST(!writer.has_ended());
}

BOOST_AUTO_TEST_CASE(events_come_as_they_happen) {
  offer_all(0, 2);
  open();
  BOOST_TEST(take() == "");
  offer(2);
  settle();
  BOOST_TEST(writer.body ==
             "id: 3\nevent: miss\ndata: {\"id\":3,\"time\":\"2023-11-14T22:13:20.000Z\",\"url\":"
             "\"http://example.com/2\",\"route\":\"all\",\"origin\":\"one\",\"why\":\"uri-miss\"}\n\n");
  take();
  offer_all(3, 40);
  BOOST_TEST(take().starts_with("4 5 6 "));
  BOOST_TEST(!writer.has_ended());
}

BOOST_AUTO_TEST_CASE(a_reader_that_comes_back_gets_what_it_missed) {
  struct Row {
    const char* name;
    std::uint64_t last_id;
    const char* want;
  };
  constexpr Row kRows[] = {
      {"some", 3, "4 5"},
      {"all", 0, "1 2 3 4 5"},
      {"none", 5, ""},
      {"of a server that was restarted", 6, "1 2 3 4 5"},
  };
  offer_all(0, 5);
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      writer.clear();
      open(row.last_id);
      BOOST_TEST(take() == row.want);
      stream.reset();
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_kept_any_more_is_told_as_lost) {
  offer_all(0, 103);
  open(1);
  const std::string told = take();
  BOOST_TEST(told.starts_with("lost:2 4 5 6 "), told);
  BOOST_TEST(told.ends_with(" 102 103"), told);
}

BOOST_AUTO_TEST_CASE(a_silent_line_shows_that_it_is_alive) {
  open();
  advance(Millis{14'900});
  BOOST_TEST(take() == "");
  advance(Millis{200});
  BOOST_TEST(take() == ":");
  advance(Millis{15'000});
  BOOST_TEST(take() == ":");
}

BOOST_AUTO_TEST_CASE(a_reader_that_stands_still_is_given_no_more) {
  const std::string padding(8000, 'x');
  open();
  writer.stop_reading();
  for (int i = 0; i < 500; ++i) {
    offer(i, padding);
    settle();
  }
  BOOST_TEST(writer.unsent_bytes() >= proxy::ResponseWriter::kHighWater);
  BOOST_TEST(writer.unsent_bytes() < proxy::ResponseWriter::kHighWater + 200'000);
  BOOST_TEST(miss_events.last() == 500U);
  advance(Millis{15'100});  // no word that it is alive: it has enough to read
  writer.resume_reading();
  const std::string before = take();
  BOOST_TEST(before.find(':') == std::string::npos, before);
  const int last = std::stoi(before.substr(before.rfind(' ') + 1));
  stream->on_writable();
  const std::string after = take();
  BOOST_TEST(after.starts_with("lost:" + std::to_string(400 - last) + " 401 402 "), after);
  BOOST_TEST(after.ends_with(" 500"), after);
}

BOOST_AUTO_TEST_CASE(may_go_in_the_midst_of_a_write) {
  offer_all(0, 100);
  open();
  writer.hook = [&](std::string_view call) {
    if (call == "flush") stream.reset();
  };
  offer_all(100, 140);
  BOOST_TEST(!stream);
  const std::string told = take();
  BOOST_TEST(told.starts_with("101 "), told);
  offer_all(140, 150);
  advance(Millis{15'100});
  BOOST_TEST(take() == "");

  writer.clear();
  writer.hook = [](std::string_view) {};
  open();
  writer.hook = [&](std::string_view call) {
    if (call == "flush") stream.reset();
  };
  advance(Millis{15'100});
  BOOST_TEST(!stream);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
