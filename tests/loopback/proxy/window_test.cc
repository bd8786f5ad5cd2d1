// Bodies that are not kept: larger than may be stored, out of budget, and readers slower than the origin.
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

constexpr std::size_t kPiece = 16 * 1024;
constexpr std::size_t kMemory = std::size_t{4} << 20;
constexpr std::size_t kWindow = 256 * 1024;
const Lines kFresh = {{"Cache-Control", "max-age=60"}};

std::string piece(std::size_t i) {
  std::string bytes(kPiece, static_cast<char>('a' + i % 26));
  bytes[i % kPiece] = '!';
  return bytes;
}

std::string pieces(std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += piece(i);
  return all;
}

BOOST_AUTO_TEST_SUITE(loopback_window)

BOOST_AUTO_TEST_CASE(a_body_too_large_to_store_streams_through_a_bounded_window) {
  for (const bool knows_length : {true, false}) {
    BOOST_TEST_CONTEXT((knows_length ? "known length" : "unknown length")) {
      Harness h({.memory_bytes = kMemory});
      constexpr std::size_t kPieces = 200;  // 3.2 MiB; 0.32 may be stored
      Client& one = h.ask();
      Client& two = h.ask({.worker = 1});
      auto& call = h.upstream.last();
      Lines head = kFresh;
      if (knows_length) head.emplace_back("Content-Length", std::to_string(kPieces * kPiece));
      call.head(200, head);
      h.settle();
      std::size_t most = 0;
      for (std::size_t i = 0; i < kPieces; ++i) {
        BOOST_REQUIRE(!call.is_paused());
        call.body(piece(i));
        h.settle();
        most = std::max(most, h.store.budget().used_bytes());
      }
      call.complete();
      h.settle();
      BOOST_TEST(one.writer.is_answer(200, pieces(kPieces)));
      BOOST_TEST(two.writer.is_answer(200, pieces(kPieces)));
      BOOST_TEST(!h.is_stored());
      BOOST_TEST(h.upstream.calls() == 1U);
      BOOST_TEST(most < kMemory / 5);
      // The next are not made to wait for one another.
      h.ask();
      h.ask();
      BOOST_TEST(h.upstream.calls() == 3U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_slow_reader_holds_the_origin_back) {
  Harness h({.memory_bytes = kMemory});
  Client& fast = h.ask();
  Client& slow = h.ask({.worker = 1});
  slow.writer.stop_reading();
  auto& call = h.upstream.last();
  constexpr std::size_t kPieces = 200;
  call.head(200, {{"Cache-Control", "max-age=60"}, {"Content-Length", std::to_string(kPieces * kPiece)}});
  h.settle();
  std::size_t sent = 0;
  std::size_t most = 0;
  const auto send = [&] {
    while (sent < kPieces && !call.is_paused()) {
      call.body(piece(sent++));
      h.settle();
      most = std::max(most, h.store.budget().used_bytes());
    }
  };
  send();
  BOOST_TEST(call.is_paused());
  BOOST_TEST(sent < kPieces / 2);
  BOOST_TEST(slow.writer.unsent_bytes() >= proxy::ResponseWriter::kHighWater);
  BOOST_TEST(slow.writer.unsent_bytes() <= proxy::ResponseWriter::kHighWater + 64 * 1024);
  // It takes a little at a time, and hears of room as a session tells it: below half of the mark.
  while (sent < kPieces) {
    slow.writer.take(100'000);
    if (slow.writer.unsent_bytes() < proxy::ResponseWriter::kHighWater / 2) slow.on_writable();
    h.settle();
    send();
  }
  call.complete();
  h.settle();
  slow.writer.resume_reading();
  slow.on_writable();
  h.settle();
  for (Client* client : {&fast, &slow}) BOOST_TEST(client->writer.is_answer(200, pieces(kPieces)));
  BOOST_TEST(call.pauses() > 1);
  BOOST_TEST(call.resumes() == call.pauses());
  // What the slow one has not taken, the window, and segments that are half of each.
  BOOST_TEST(most <= 2 * (proxy::ResponseWriter::kHighWater + kWindow) + 512 * 1024);
}

BOOST_AUTO_TEST_CASE(a_slow_reader_that_leaves_holds_nobody_back) {
  Harness h({.memory_bytes = kMemory});
  Client& fast = h.ask();
  Client& slow = h.ask({.worker = 1});
  slow.writer.stop_reading();
  auto& call = h.upstream.last();
  call.head(200, {{"Cache-Control", "max-age=60"}, {"Content-Length", std::to_string(kMemory)}});
  h.settle();
  std::size_t sent = 0;
  while (!call.is_paused()) {
    call.body(piece(sent++));
    h.settle();
  }
  slow.leave();
  h.settle();
  BOOST_TEST(!call.is_paused());
  fast.leave();
  h.settle();
  BOOST_TEST(call.is_cancelled());
}

BOOST_AUTO_TEST_CASE(a_kept_body_waits_for_nobody) {
  Harness h({.memory_bytes = kMemory, .max_object_share = 0.5});
  Client& slow = h.ask();
  slow.writer.stop_reading();
  auto& call = h.upstream.last();
  call.head(200, kFresh);
  constexpr std::size_t kPieces = 64;  // 1 MiB
  for (std::size_t i = 0; i < kPieces; ++i) call.body(piece(i));
  call.complete();
  h.settle();
  BOOST_TEST(call.pauses() == 0);
  BOOST_TEST(h.ask({.worker = 1}).writer.is_answer(200, pieces(kPieces)));
  BOOST_TEST(slow.writer.unsent_bytes() < 400'000U);
  BOOST_TEST(!slow.writer.is_ended);
  while (!slow.writer.is_ended) {
    slow.writer.take(200'000);
    slow.on_writable();
    h.settle();
  }
  slow.writer.resume_reading();
  BOOST_TEST(slow.writer.is_answer(200, pieces(kPieces)));
}

BOOST_AUTO_TEST_CASE(out_of_budget_a_body_streams_on_and_is_not_stored) {
  Harness h({.memory_bytes = kMemory, .max_object_share = 0.5});
  Client& client = h.ask();
  Client& joiner = h.ask({.worker = 1});
  auto& call = h.upstream.last();
  call.head(200, kFresh);
  call.body(piece(0));
  h.settle();
  // Others take all there is.
  BudgetCharge hog(h.store.budget(), kMemory - h.store.budget().used_bytes());
  for (std::size_t i = 1; i < 20; ++i) {
    call.body(piece(i));
    h.settle();
  }
  Client& late = h.ask();
  BOOST_TEST(h.upstream.calls() == 2U);  // what is gone cannot be had any more
  call.complete();
  h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "alone");
  h.settle();
  BOOST_TEST(client.writer.is_answer(200, pieces(20)));
  BOOST_TEST(joiner.writer.is_answer(200, pieces(20)));
  BOOST_TEST(late.writer.is_answer(200, "alone"));
  BOOST_TEST(!h.is_stored());
}

BOOST_AUTO_TEST_CASE(a_part_that_no_memory_is_left_to_complete_is_fetched_whole_instead) {
  Harness h({.memory_bytes = kMemory, .max_object_share = 0.5});
  const std::string whole = pieces(10);
  h.ask({.headers = {{"Range", "bytes=0-99"}}});
  h.upstream.last().respond(206,
                            {{"Cache-Control", "max-age=60"},
                             {"ETag", "\"1\""},
                             {"Content-Range", "bytes 0-99/" + std::to_string(whole.size())}},
                            whole.substr(0, 100));
  h.settle();
  BOOST_REQUIRE(h.is_stored());
  Client& client = h.ask();
  auto& completion = h.upstream.last();
  BOOST_TEST(completion.field("Range").value_or("") == "bytes=100-");
  completion.head(
      206, {{"Cache-Control", "max-age=60"},
            {"ETag", "\"1\""},
            {"Content-Range", "bytes 100-" + std::to_string(whole.size() - 1) + "/" + std::to_string(whole.size())}});
  {
    BudgetCharge hog(h.store.budget(), kMemory);
    completion.body(std::string_view(whole).substr(100, kPiece));
    h.settle();
    BOOST_TEST(completion.is_cancelled());
    BOOST_REQUIRE(h.upstream.calls() == 3U);
    BOOST_TEST(!h.upstream.last().field("Range").has_value());
    h.upstream.last().respond(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, whole);
    h.settle();
  }
  BOOST_TEST(client.writer.is_answer(200, whole));
}

BOOST_AUTO_TEST_CASE(a_range_of_a_window_lets_what_lies_before_it_pass) {
  Harness h({.memory_bytes = kMemory});
  constexpr std::size_t kPieces = 100;
  Client& client = h.ask({.headers = {{"Range", "bytes=1000000-1000099"}}});
  h.ask();  // the whole; its answer is marked too large
  h.upstream.call(1).head(200, {{"Cache-Control", "max-age=60"}, {"Content-Length", std::to_string(kPieces * kPiece)}});
  auto& call = h.upstream.call(0);
  call.head(200, {{"Cache-Control", "max-age=60"}, {"Content-Length", std::to_string(kPieces * kPiece)}});
  h.settle();
  for (std::size_t i = 0; i < kPieces && call.is_open(); ++i) {
    BOOST_REQUIRE(!call.is_paused());
    call.body(piece(i));
    h.settle();
  }
  BOOST_TEST(client.writer.is_answer(206, pieces(kPieces).substr(1'000'000, 100)));
  BOOST_TEST(call.is_cancelled());  // nobody wants the rest
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
