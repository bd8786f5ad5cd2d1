// Ranges: forwarded and shared, stored, combined and completed, cut from what is whole.
#include "http/range.h"

#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

constexpr std::size_t kLength = 1000;

// Bytes that tell where they are from.
std::string representation(char salt = 0) {
  std::string bytes(kLength, ' ');
  for (std::size_t i = 0; i < kLength; ++i)
    bytes[i] = static_cast<char>('a' + (i * 7 + i / 26 + static_cast<unsigned char>(salt)) % 26);
  return bytes;
}

std::string part(std::size_t first, std::size_t last) {
  return representation().substr(first, last - first + 1);
}

Lines ranged(std::size_t first, std::size_t last, const std::string& etag = "\"1\"") {
  Lines lines = {{"Cache-Control", "max-age=60"}};
  if (!etag.empty()) lines.emplace_back("ETag", etag);
  lines.emplace_back("Content-Range", http::format_content_range({first, last}, kLength));
  return lines;
}

Ask range(const std::string& spec, std::uint32_t worker = 0) {
  return {.headers = {{"Range", "bytes=" + spec}}, .worker = worker};
}

// Fetches and stores [first, last].
void store_part(Harness& h, std::size_t first, std::size_t last) {
  Client& client = h.ask(range(std::to_string(first) + "-" + std::to_string(last)));
  h.upstream.last().respond(206, ranged(first, last), part(first, last));
  h.settle();
  BOOST_REQUIRE(client.writer.is_answer(206, part(first, last)));
  BOOST_REQUIRE(h.is_stored());
}

BOOST_AUTO_TEST_SUITE(loopback_range)

BOOST_AUTO_TEST_CASE(a_range_of_nothing_stored_is_forwarded_and_shared_by_its_equals) {
  Harness h;
  Client& one = h.ask(range("0-99"));
  Client& two = h.ask(range("0-99", 1));
  Client& other = h.ask(range("100-199"));
  Client& whole = h.ask();
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  BOOST_TEST(h.upstream.call(0).field("Range").value_or("") == "bytes=0-99");
  BOOST_TEST(h.upstream.call(1).field("Range").value_or("") == "bytes=100-199");
  BOOST_TEST(!h.upstream.call(2).field("Range").has_value());
  h.upstream.call(0).respond(206, ranged(0, 99), part(0, 99));
  h.upstream.call(1).respond(206, ranged(100, 199), part(100, 199));
  h.settle();
  for (const Client* client : {&one, &two}) {
    BOOST_TEST(client->writer.is_answer(206, part(0, 99)));
    BOOST_TEST(client->writer.field("Content-Range") == "bytes 0-99/1000");
  }
  BOOST_TEST(other.writer.is_answer(206, part(100, 199)));
  // Both parts are held now, and combined.
  Client& both = h.ask(range("50-149"));
  BOOST_TEST(both.writer.is_answer(206, part(50, 149)));
  BOOST_TEST(both.writer.is_hit());
  h.upstream.call(2).respond(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, representation());
  h.settle();
  BOOST_TEST(whole.writer.is_answer(200, representation()));
}

BOOST_AUTO_TEST_CASE(a_late_part_does_not_replace_the_whole) {
  Harness h;
  Client& some = h.ask(range("0-99"));
  h.ask();
  h.upstream.call(1).respond(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, representation());
  h.settle();
  h.upstream.call(0).respond(206, ranged(0, 99), part(0, 99));
  h.settle();
  BOOST_TEST(some.writer.is_answer(206, part(0, 99)));
  BOOST_TEST(h.ask().writer.is_hit());
}

BOOST_AUTO_TEST_CASE(only_what_is_missing_is_fetched) {
  struct Row {
    const char* name;
    Lines request;
    const char* asked;
    http::ByteRange fetched;
    std::uint16_t status;
    std::string body;
  };
  const std::vector<Row> rows = {
      {"the whole", {}, "bytes=100-", {100, 999}, 200, representation()},
      {"an overlapping range", {{"Range", "bytes=50-149"}}, "bytes=100-149", {100, 149}, 206, part(50, 149)},
      {"a range behind a gap", {{"Range", "bytes=500-599"}}, "bytes=500-599", {500, 599}, 206, part(500, 599)},
      {"a suffix", {{"Range", "bytes=-10"}}, "bytes=990-", {990, 999}, 206, part(990, 999)},
      {"a range whose condition fails",
       {{"Range", "bytes=0-9"}, {"If-Range", "\"other\""}},
       "bytes=100-",
       {100, 999},
       200,
       representation()},
      {"a range whose condition holds",
       {{"Range", "bytes=90-109"}, {"If-Range", "\"1\""}},
       "bytes=100-109",
       {100, 109},
       206,
       part(90, 109)},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      store_part(h, 0, 99);
      Client& client = h.ask({.headers = row.request});
      Client& joiner = h.ask({.headers = row.request, .worker = 1});
      BOOST_REQUIRE(h.upstream.calls() == 2U);
      BOOST_TEST(h.upstream.last().field("Range").value_or("") == row.asked);
      BOOST_TEST(h.upstream.last().field("If-Range").value_or("") == "\"1\"");
      h.upstream.last().respond(206, ranged(row.fetched.first, row.fetched.last),
                                part(row.fetched.first, row.fetched.last));
      h.settle();
      BOOST_TEST(client.writer.is_answer(row.status, row.body));
      BOOST_TEST(joiner.writer.is_answer(row.status, row.body));
      Client& again = h.ask({.headers = row.request});
      BOOST_TEST(again.writer.is_answer(row.status, row.body));
      BOOST_TEST(again.writer.is_hit());
    }
  }
}

// Several ranges, in any order, need one run that covers them all.
BOOST_AUTO_TEST_CASE(several_ranges_are_completed_together) {
  Harness h;
  store_part(h, 0, 99);
  Client& client = h.ask(range("500-509,300-309"));
  BOOST_TEST(h.upstream.last().field("Range").value_or("") == "bytes=300-509");
  h.upstream.last().respond(206, ranged(300, 509), part(300, 509));
  h.settle();
  BOOST_TEST(client.writer.status == 206);
  BOOST_TEST(client.writer.field("Content-Type").starts_with("multipart/byteranges"));
  const std::size_t first = client.writer.body.find(part(500, 509));
  const std::size_t second = client.writer.body.find(part(300, 309));
  BOOST_TEST(first < second);
  BOOST_TEST(second != std::string::npos);
  BOOST_TEST(client.writer.is_ended);
}

struct Completion {
  const char* name;
  std::uint16_t status;
  Lines response;
  std::string body;
  bool is_asked_again;
};

BOOST_AUTO_TEST_CASE(a_completion_that_does_not_fit_ends_with_the_whole) {
  const std::string fresh = representation(5);
  const Lines whole = {{"Cache-Control", "max-age=60"}, {"ETag", "\"2\""}};
  const std::vector<Completion> rows = {
      {"the whole, changed", 200, whole, fresh, false},
      {"another etag", 206, ranged(100, 199, "\"2\""), part(100, 199), true},
      {"no etag", 206, ranged(100, 199, ""), part(100, 199), true},
      {"a weak etag", 206, ranged(100, 199, "W/\"1\""), part(100, 199), true},
      {"another range", 206, ranged(100, 150), part(100, 150), true},
      {"416", 416, {{"Content-Range", "bytes */10"}}, "", true},
  };
  for (const Completion& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      store_part(h, 0, 99);
      Client& client = h.ask(range("50-199"));
      Client& joiner = h.ask(range("50-199", 1));
      h.upstream.call(1).respond(row.status, row.response, row.body);
      h.settle();
      BOOST_REQUIRE(h.upstream.calls() == (row.is_asked_again ? 3U : 2U));
      if (row.is_asked_again) {
        BOOST_TEST(!h.upstream.call(2).field("Range").has_value());
        BOOST_TEST(!h.upstream.call(2).field("If-Range").has_value());
        h.upstream.call(2).respond(200, whole, fresh);
        h.settle();
      }
      BOOST_TEST(client.writer.is_answer(206, fresh.substr(50, 150)));
      BOOST_TEST(joiner.writer.is_answer(206, fresh.substr(50, 150)));
      BOOST_TEST(h.ask().writer.is_answer(200, fresh));
      BOOST_TEST(h.upstream.calls() == (row.is_asked_again ? 3U : 2U));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_completion_that_is_cut_is_an_error) {
  Harness h;
  store_part(h, 0, 99);
  Client& client = h.ask(range("50-199"));
  h.upstream.last().head(206, ranged(100, 199));
  h.upstream.last().body(part(100, 120));
  h.upstream.last().complete();
  h.settle();
  BOOST_TEST(client.writer.status == 502);
  BOOST_TEST(h.ask(range("0-99")).writer.is_hit());
}

// The one in flight brings too little for the second, which must neither take it for enough nor wait for ever.
BOOST_AUTO_TEST_CASE(a_completion_for_less_is_not_mistaken_for_enough) {
  Harness h;
  store_part(h, 0, 99);
  Client& some = h.ask(range("0-199"));
  Client& whole = h.ask({.worker = 1});
  Client& behind = h.ask(range("0-149", 1));
  h.upstream.call(1).respond(206, ranged(100, 199), part(100, 199));
  h.settle();
  BOOST_TEST(some.writer.is_answer(206, part(0, 199)));
  for (std::size_t i = 2; i < h.upstream.calls(); ++i) {
    BOOST_REQUIRE(i < 6U);
    const auto asked = http::resolve(*http::parse_range(h.upstream.call(i).field("Range").value_or("")), kLength).at(0);
    h.upstream.call(i).respond(206, ranged(asked.first, asked.last), part(asked.first, asked.last));
    h.settle();
  }
  BOOST_TEST(whole.writer.is_answer(200, representation()));
  BOOST_TEST(behind.writer.is_answer(206, part(0, 149)));
}

BOOST_AUTO_TEST_CASE(a_stale_part_is_validated_only_where_it_answers) {
  struct Row {
    const char* name;
    Ask ask;
    bool is_validated;
  };
  for (const Row& row : {Row{"a range that is held", range("0-99"), true}, Row{"the whole", {}, false},
                         Row{"a range that is not", range("0-199"), false}}) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      store_part(h, 0, 99);
      h.advance(Seconds{61});
      Client& client = h.ask(row.ask);
      // Joins a validation at best to find that it has to ask for more.
      Client& whole = h.ask({.worker = 1});
      BOOST_TEST(h.upstream.call(1).field("If-None-Match").has_value() == row.is_validated);
      for (std::size_t i = 1; i < h.upstream.calls(); ++i) {
        BOOST_REQUIRE(i < 6U);
        auto& call = h.upstream.call(i);
        const auto asked = call.field("Range");
        if (call.field("If-None-Match")) {
          call.respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}});
        } else if (asked) {
          const auto run = http::resolve(*http::parse_range(*asked), kLength).at(0);
          call.respond(206, ranged(run.first, run.last), part(run.first, run.last));
        } else {
          call.respond(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, representation());
        }
        h.settle();
      }
      BOOST_TEST(whole.writer.is_answer(200, representation()));
      BOOST_TEST(client.writer.is_ended);
      BOOST_TEST(client.writer.status == (row.ask.headers.empty() ? 200 : 206));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_part_that_is_being_refreshed_behind_an_answer_does_not_stand_for_the_whole) {
  Harness h;
  h.ask(range("0-99"));
  Lines response = ranged(0, 99);
  response[0].second = "max-age=10, stale-while-revalidate=100";
  h.upstream.last().respond(206, response, part(0, 99));
  h.settle();
  h.advance(Seconds{11});
  BOOST_TEST(h.ask(range("0-99")).writer.is_hit());  // and refreshes
  BOOST_REQUIRE(h.upstream.calls() == 2U);
  Client& whole = h.ask();
  h.upstream.call(1).respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}});
  h.settle();
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  h.upstream.call(2).respond(206, ranged(100, 999), part(100, 999));
  h.settle();
  BOOST_TEST(whole.writer.is_answer(200, representation()));
}

BOOST_AUTO_TEST_CASE(a_partial_variant_is_not_offered_for_another_request) {
  Harness h;
  Ask first = range("0-99");
  first.headers.emplace_back("X", "1");
  h.ask(first);
  Lines response = ranged(0, 99);
  response.emplace_back("Vary", "X");
  h.upstream.last().respond(206, response, part(0, 99));
  h.settle();
  BOOST_REQUIRE(h.is_stored());
  Client& whole = h.ask({.headers = {{"X", "2"}}});
  BOOST_TEST(!h.upstream.last().field("If-None-Match").has_value());
  h.upstream.last().respond(200, {{"Cache-Control", "max-age=60"}, {"Vary", "X"}}, "two");
  h.settle();
  BOOST_TEST(whole.writer.is_answer(200, "two"));
}

BOOST_AUTO_TEST_CASE(ranges_are_cut_from_a_body_on_its_way) {
  Harness h;
  Client& whole = h.ask();
  Client& middle = h.ask(range("400-599"));
  Client& beyond = h.ask(range("2000-"));
  Client& several = h.ask(range("0-1,5-6"));
  Client& conditional = h.ask({.headers = {{"Range", "bytes=0-9"}, {"If-Range", "\"0\""}}});
  BOOST_REQUIRE(h.upstream.calls() == 1U);
  auto& call = h.upstream.last();
  call.head(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"Content-Length", "1000"}});
  call.body(part(0, 499));
  h.settle();
  BOOST_TEST(middle.writer.body == part(400, 499));
  BOOST_TEST(middle.writer.status == 206);
  call.body(part(500, 699));
  h.settle();
  BOOST_TEST(middle.writer.is_answer(206, part(400, 599)));
  BOOST_TEST(middle.writer.field("Content-Range") == "bytes 400-599/1000");
  BOOST_TEST(beyond.writer.status == 416);
  BOOST_TEST(beyond.writer.field("Content-Range") == "bytes */1000");
  call.body(part(700, 999));
  call.complete();
  h.settle();
  for (const Client* client : {&whole, &several, &conditional})
    BOOST_TEST(client->writer.is_answer(200, representation()));
}

BOOST_AUTO_TEST_CASE(ranges_of_a_body_of_unknown_length_get_the_whole) {
  Harness h;
  h.ask();
  Client& some = h.ask(range("0-1"));
  h.upstream.last().head(200, {{"Cache-Control", "max-age=60"}});
  h.upstream.last().body("12345");
  h.upstream.last().complete();
  h.settle();
  BOOST_TEST(some.writer.is_answer(200, "12345"));
}

BOOST_AUTO_TEST_CASE(an_origin_may_ignore_the_range_or_send_another) {
  Harness h;
  Client& client = h.ask(range("10-19"));
  Client& joiner = h.ask(range("10-19", 1));
  h.upstream.last().respond(200, {{"Cache-Control", "max-age=60"}}, representation());
  h.settle();
  BOOST_TEST(client.writer.is_answer(206, part(10, 19)));
  BOOST_TEST(joiner.writer.is_answer(206, part(10, 19)));
  BOOST_TEST(h.ask().writer.is_hit());

  Harness other;
  Client& shifted = other.ask(range("10-19"));
  other.upstream.last().respond(206, ranged(10, 14), part(10, 14));
  other.settle();
  BOOST_TEST(shifted.writer.is_answer(206, part(10, 14)));
  BOOST_TEST(shifted.writer.field("Content-Range") == "bytes 10-14/1000");
}

BOOST_AUTO_TEST_CASE(a_206_that_nobody_asked_for_is_an_error) {
  Harness h;
  Client& client = h.ask();
  h.upstream.last().respond(206, ranged(0, 9), part(0, 9));
  h.settle();
  BOOST_TEST(client.writer.status == 502);
  BOOST_TEST(!h.is_stored());
}

BOOST_AUTO_TEST_CASE(an_unstorable_part_is_its_askers_alone) {
  Harness h;
  Client& one = h.ask(range("0-9"));
  Client& two = h.ask(range("0-9", 1));
  Lines response = ranged(0, 9);
  response[0].second = "private";
  h.upstream.call(0).respond(206, response, "first part");
  h.settle();
  BOOST_REQUIRE(h.upstream.calls() == 2U);
  h.upstream.call(1).respond(206, response, "secondpart");
  h.settle();
  BOOST_TEST(one.writer.is_answer(206, "first part"));
  BOOST_TEST(two.writer.is_answer(206, "secondpart"));
  BOOST_TEST(!h.is_stored());
}

BOOST_AUTO_TEST_CASE(stored_wholes_answer_ranges) {
  struct Row {
    const char* name;
    const char* spec;
    std::uint16_t status;
    std::string body;
  };
  Harness h;
  h.store_object({{"Cache-Control", "max-age=60"}}, representation());
  for (const Row& row :
       {Row{"first", "0-0", 206, part(0, 0)}, Row{"to the end", "990-", 206, part(990, 999)},
        Row{"suffix", "-5", 206, part(995, 999)}, Row{"beyond", "1000-", 416, "416 Range Not Satisfiable\n"},
        Row{"reversed: ignored", "5-1", 200, representation()}, Row{"past the end", "990-5000", 206, part(990, 999)}}) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(h.ask(range(row.spec)).writer.is_answer(row.status, row.body));
      BOOST_TEST(h.upstream.calls() == 1U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
