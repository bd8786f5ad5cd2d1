// Answers from bodies that are packed in memory: the same as from raw ones, and only as much unpacked as the client
// takes.
#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>

#include "cache/memory_packer.h"
#include "loopback/proxy/harness.h"
#include "support/held_background.h"

namespace seawall::test {
namespace {

std::string text(std::size_t size) {
  std::string out;
  for (std::size_t n = 0; out.size() < size; ++n) out += "<li>number " + std::to_string(n) + "</li>\n";
  out.resize(size);
  return out;
}

const std::string kText = text(1'000'000);
const Lines kResponse = {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/html"}, {"ETag", "\"1\""}};

struct Fixture {
  HeldBackground background;  // outlives what asks it
  Harness h{{.memory_bytes = std::size_t{64} << 20}};
  cache::MemoryPacker packer{h.store, background, h.clock};

  Fixture() {
    h.store.attach(packer);
    packer.start(h.executor());
  }
  ~Fixture() { work(); }
  void work() {
    background.work();
    h.settle();
  }
  Ref<cache::Object> stored() const { return h.variants().front(); }
  void store_packed(const Lines& response = kResponse) {
    h.store_object(response, kText);
    const Ref<cache::Object> raw = stored();
    BOOST_REQUIRE(packer.try_ask(*raw));
    packer.pack(raw);
    work();
    BOOST_REQUIRE(stored()->packed());
  }
};

Ask with(Lines headers) {
  return {.headers = std::move(headers)};
}

BOOST_AUTO_TEST_SUITE(loopback_packing)

BOOST_AUTO_TEST_CASE(the_whole_body_and_its_head) {
  Fixture f;
  f.store_packed();
  const Client& get = f.h.ask();
  BOOST_TEST(get.writer.is_answer(200, kText));
  BOOST_TEST(get.writer.is_hit());
  BOOST_TEST(!get.writer.is_stored);
  BOOST_TEST((get.writer.length == kText.size()));
  BOOST_TEST(get.writer.field("ETag") == "\"1\"");
  const Client& head = f.h.ask({.method = "HEAD"});
  BOOST_TEST(head.writer.status == 200);
  BOOST_TEST((head.writer.length == kText.size()));
  BOOST_TEST(head.writer.body.empty());
  BOOST_TEST(head.writer.is_ended);
  BOOST_TEST(f.packer.stats().answers == 1U);
}

BOOST_AUTO_TEST_CASE(one_range_and_several) {
  Fixture f;
  f.store_packed();
  const Client& one = f.h.ask(with({{"Range", "bytes=65000-131500"}}));
  BOOST_TEST(one.writer.is_answer(206, kText.substr(65'000, 66'501)));
  BOOST_TEST(one.writer.field("Content-Range") == "bytes 65000-131500/1000000");
  const Client& last = f.h.ask(with({{"Range", "bytes=-7"}, {"If-Range", "\"1\""}}));
  BOOST_TEST(last.writer.is_answer(206, kText.substr(kText.size() - 7)));
  const Client& other = f.h.ask(with({{"Range", "bytes=-7"}, {"If-Range", "\"2\""}}));
  BOOST_TEST(other.writer.is_answer(200, kText));
  const Client& beyond = f.h.ask(with({{"Range", "bytes=1000000-"}}));
  BOOST_TEST(beyond.writer.status == 416);

  const Client& several = f.h.ask(with({{"Range", "bytes=900000-900009,10-19"}}));
  BOOST_TEST(several.writer.status == 206);
  const std::string& body = several.writer.body;
  BOOST_TEST((several.writer.length == body.size()));
  BOOST_TEST(several.writer.is_ended);
  const std::size_t first = body.find("Content-Range: bytes 900000-900009/1000000\r\n\r\n" + kText.substr(900'000, 10));
  const std::size_t second = body.find("Content-Range: bytes 10-19/1000000\r\n\r\n" + kText.substr(10, 10));
  BOOST_TEST(std::min(first, second) != std::string::npos);
  BOOST_TEST(std::max(first, second) != std::string::npos);
  BOOST_TEST(body.ends_with("--\r\n"));
}

BOOST_AUTO_TEST_CASE(conditions_need_no_body) {
  Fixture f;
  f.store_packed();
  const Client& same = f.h.ask(with({{"If-None-Match", "\"1\""}}));
  BOOST_TEST(same.writer.status == 304);
  const Client& failed = f.h.ask(with({{"If-Match", "\"2\""}}));
  BOOST_TEST(failed.writer.status == 412);
  BOOST_TEST(f.packer.stats().answers == 0U);
}

BOOST_AUTO_TEST_CASE(a_slow_client_holds_no_more_than_it_may) {
  Fixture f;
  f.store_packed();
  const std::size_t before = f.h.store.budget().used_bytes();
  Client& slow = f.h.client();
  slow.writer.stop_reading();
  f.h.repeat(slow, {});
  BOOST_TEST(slow.is_active());
  BOOST_TEST(slow.writer.largest_unsent <= 2 * proxy::ResponseWriter::kHighWater);
  // All of it is charged.
  const std::size_t held = f.h.store.budget().used_bytes() - before;
  BOOST_TEST(held >= proxy::ResponseWriter::kHighWater);
  BOOST_TEST(held <= 2 * proxy::ResponseWriter::kHighWater);
  for (int turn = 0; slow.is_active() && turn < 100; ++turn) {
    slow.writer.take(100'000);
    slow.on_writable();
    f.h.settle();
  }
  slow.writer.resume_reading();
  slow.on_writable();
  f.h.settle();
  BOOST_TEST(slow.writer.is_answer(200, kText));
  BOOST_TEST(f.h.store.budget().used_bytes() <= before);
}

BOOST_AUTO_TEST_CASE(a_client_may_leave_in_its_midst) {
  Fixture f;
  f.store_packed();
  Client& slow = f.h.client();
  slow.writer.stop_reading();
  f.h.repeat(slow, {});
  slow.leave();
  f.h.settle();
  BOOST_TEST(!slow.is_active());
  f.h.forget(slow);
}

// More than a turn's worth: the worker gets to others in between.
BOOST_AUTO_TEST_CASE(a_long_body_takes_several_turns) {
  Fixture f;
  const std::string large = text(1'600'000);
  f.h.store_object(kResponse, large);
  const Ref<cache::Object> raw = f.stored();
  BOOST_REQUIRE(f.packer.try_ask(*raw));
  f.packer.pack(raw);
  f.work();
  Client& first = f.h.client();
  first.ask({});
  BOOST_TEST(first.is_active());
  BOOST_TEST(first.writer.body.size() < large.size());
  Client& gone = f.h.client();
  gone.ask({});
  gone.leave();
  f.h.settle();
  BOOST_TEST(first.writer.is_answer(200, large));
}

BOOST_AUTO_TEST_CASE(trailers_come_after_it) {
  Fixture f;
  const Client& miss = f.h.ask();
  auto& call = f.h.upstream.last();
  call.head(200, kResponse);
  call.body(kText);
  call.complete({{"X-Sum", "1"}});
  f.h.settle();
  BOOST_REQUIRE(miss.writer.is_ended);
  const Ref<cache::Object> raw = f.stored();
  BOOST_REQUIRE(f.packer.try_ask(*raw));
  f.packer.pack(raw);
  f.work();
  const Client& hit = f.h.ask();
  BOOST_TEST(hit.writer.is_answer(200, kText));
  BOOST_TEST(hit.writer.trailers.find("X-Sum").value_or("") == "1");
}

BOOST_AUTO_TEST_CASE(a_304_of_the_origin_keeps_it_packed) {
  Fixture f;
  f.store_packed();
  f.h.advance(Millis{61'000});
  Client& asking = f.h.ask();
  BOOST_TEST(f.h.upstream.last().field("If-None-Match").value_or("") == "\"1\"");
  f.h.upstream.last().respond(304, kResponse, "");
  f.h.settle();
  BOOST_TEST(asking.writer.is_answer(200, kText));
  BOOST_TEST((f.stored()->packed() != nullptr));
  const std::size_t calls = f.h.upstream.calls();
  BOOST_TEST(f.h.ask().writer.is_answer(200, kText));
  BOOST_TEST(f.h.upstream.calls() == calls);
}

BOOST_AUTO_TEST_CASE(asked_for_often_it_lies_ready_again) {
  Fixture f;
  f.store_packed();
  for (unsigned n = 0; n < cache::MemoryPacker::kHotHits; ++n) {
    BOOST_TEST(f.h.ask().writer.is_answer(200, kText));
    f.work();
    f.work();
  }
  BOOST_TEST(!f.stored()->packed());
  const Client& hit = f.h.ask();
  BOOST_TEST(hit.writer.is_stored);
  BOOST_TEST(hit.writer.is_answer(200, kText));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
