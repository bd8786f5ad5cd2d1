// One fetch for those who ask for the same: who joins it, who must not, and what becomes of them.
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

const Lines kFresh = {{"Cache-Control", "max-age=60"}};

BOOST_AUTO_TEST_SUITE(loopback_collapse)

BOOST_AUTO_TEST_CASE(many_requests_on_many_workers_are_one_fetch) {
  Harness h({.workers = 4});
  std::vector<Client*> clients;
  for (std::uint32_t i = 0; i < 100; ++i) clients.push_back(&h.ask({.worker = i % 4}));
  BOOST_TEST(h.upstream.calls() == 1U);
  BOOST_TEST(h.fills.waiting() == 99U);
  BOOST_TEST(h.fills.fills_in_flight() == 1U);
  h.upstream.last().respond(200, kFresh, "shared");
  h.settle();
  std::size_t collapsed = 0;
  for (Client* client : clients) {
    BOOST_TEST(client->writer.is_answer(200, "shared"));
    BOOST_TEST(client->finished == 1);
    collapsed += client->writer.is_collapsed() ? 1U : 0U;
  }
  BOOST_TEST(collapsed == 99U);
  BOOST_TEST(h.fills.waiting() == 0U);
  BOOST_TEST(h.ask({.worker = 3}).writer.is_hit());
  BOOST_TEST(h.upstream.calls() == 1U);
}

BOOST_AUTO_TEST_CASE(all_stream_what_arrives_late_ones_from_the_start) {
  Harness h({.workers = 3});
  Client& starter = h.ask();
  Client& joiner = h.ask({.worker = 1});
  auto& call = h.upstream.last();
  call.head(200, kFresh);
  call.body("one ");
  h.settle();
  Client& late = h.ask({.worker = 2});
  for (const Client* client : {&starter, &joiner, &late}) BOOST_TEST(client->writer.body == "one ");
  call.body("two");
  h.settle();
  for (const Client* client : {&starter, &joiner, &late}) {
    BOOST_TEST(client->writer.body == "one two");
    BOOST_TEST(!client->writer.has_ended());
  }
  call.complete();
  h.settle();
  for (const Client* client : {&starter, &joiner, &late}) BOOST_TEST(client->writer.is_answer(200, "one two"));
  BOOST_TEST(h.upstream.calls() == 1U);
}

BOOST_AUTO_TEST_CASE(those_who_joined_learn_the_age_those_who_asked_the_origins) {
  Harness h;
  h.store_object({{"Cache-Control", "max-age=10"}}, "old");
  h.advance(Seconds{100});
  Client& starter = h.ask();
  Client& joiner = h.ask({.worker = 1});
  h.upstream.last().head(200, {{"Cache-Control", "max-age=60"}, {"Age", "7"}});
  h.settle();
  h.advance(Seconds{5});
  Client& late = h.ask();
  h.upstream.last().body("new");
  h.upstream.last().complete();
  h.settle();
  BOOST_TEST(starter.writer.fields.combined(http::Field::kAge).value_or("") == "7");
  BOOST_TEST(joiner.writer.fields.combined(http::Field::kAge).value_or("") == "7");
  BOOST_TEST(late.writer.fields.combined(http::Field::kAge).value_or("") == "12");
}

BOOST_AUTO_TEST_CASE(the_fetch_goes_on_when_its_starter_leaves) {
  for (const bool before_head : {true, false}) {
    BOOST_TEST_CONTEXT((before_head ? "before the head" : "in the body")) {
      Harness h;
      Client& starter = h.ask();
      Client& joiner = h.ask({.worker = 1});
      auto& call = h.upstream.last();
      if (!before_head) {
        call.head(200, kFresh);
        h.settle();
      }
      starter.leave();
      joiner.leave();
      h.settle();
      BOOST_REQUIRE(call.is_open());
      if (before_head) call.head(200, kFresh);
      call.body("kept");
      call.complete();
      h.settle();
      Client& next = h.ask();
      BOOST_TEST(next.writer.is_hit());
      BOOST_TEST(next.writer.body == "kept");
    }
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_stored_ends_with_its_last_reader) {
  Harness h;
  Client& only = h.ask();
  auto& call = h.upstream.last();
  call.head(200, {{"Cache-Control", "no-store"}});
  call.body("some");
  h.settle();
  BOOST_TEST(only.writer.body == "some");
  only.leave();
  h.settle();
  BOOST_TEST(call.is_cancelled());
}

BOOST_AUTO_TEST_CASE(a_fetch_of_one_client_alone_ends_with_it) {
  Harness h;
  Client& alone = h.ask({.headers = {{"Authorization", "Basic x"}}});
  alone.leave();
  h.settle();
  BOOST_TEST(h.upstream.last().is_cancelled());
}

struct Unshared {
  const char* name;
  Lines response;
  bool is_marked;
  bool is_stored = false;
  Lines request = {};
};

BOOST_AUTO_TEST_CASE(what_must_not_be_shared_is_fetched_side_by_side) {
  const std::vector<Unshared> rows = {
      {.name = "no-store", .response = {{"Cache-Control", "no-store"}}, .is_marked = true},
      {.name = "private", .response = {{"Cache-Control", "private, max-age=60"}}, .is_marked = true},
      {.name = "nothing", .response = {}, .is_marked = true},
      {.name = "Set-Cookie without lifetime", .response = {{"Set-Cookie", "a=1"}}, .is_marked = true},
      {.name = "Set-Cookie",
       .response = {{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=1"}},
       .is_marked = false,
       .is_stored = true},
      {.name = "no-cache",
       .response = {{"Cache-Control", "no-cache"}, {"ETag", "\"1\""}},
       .is_marked = false,
       .is_stored = true},
      {.name = "Vary: *", .response = {{"Cache-Control", "max-age=60"}, {"Vary", "*"}}, .is_marked = true},
  };
  for (const Unshared& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      std::vector<Client*> clients;
      for (std::uint32_t i = 0; i < 20; ++i) clients.push_back(&h.ask({.worker = i % 2}));
      BOOST_REQUIRE(h.upstream.calls() == 1U);
      h.upstream.call(0).head(200, row.response);
      h.settle();
      // All at once, not one after the other.
      BOOST_REQUIRE(h.upstream.calls() == 20U);
      BOOST_TEST(h.fills.waiting() == 0U);
      h.upstream.call(0).body("0");
      h.upstream.call(0).complete();
      for (std::size_t i = 1; i < 20; ++i) h.upstream.call(i).respond(200, row.response, std::to_string(i));
      h.settle();
      std::vector<std::string> bodies;
      for (const Client* client : clients) {
        BOOST_TEST(client->writer.is_answer(200, client->writer.body));
        BOOST_TEST(!client->writer.is_collapsed());
        bodies.push_back(client->writer.body);
      }
      std::ranges::sort(bodies);
      BOOST_TEST((std::ranges::adjacent_find(bodies) == bodies.end()), "one body went to two clients");
      BOOST_TEST(h.is_stored() == row.is_stored);
      std::string key;
      policy::append_key(key, "http", "example.com", "/a");
      BOOST_TEST(h.fills.is_marked_uncacheable(policy::hash_key(key), h.clock.mono_now()) == row.is_marked);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_key_that_proved_uncacheable_is_not_collapsed_until_it_proves_otherwise) {
  Harness h({.fill = {.hit_for_miss = Seconds{120}}});
  h.ask();
  h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "mine");
  h.settle();
  Client& one = h.ask();
  Client& two = h.ask();
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  BOOST_TEST(h.fills.waiting() == 0U);
  h.upstream.call(1).respond(200, {{"Cache-Control", "no-store"}}, "1");
  h.upstream.call(2).respond(200, kFresh, "now for all");
  h.settle();
  BOOST_TEST(one.writer.body == "1");
  BOOST_TEST(two.writer.body == "now for all");
  BOOST_TEST(h.ask().writer.is_hit());
  // The mark is gone: requests collapse again.
  h.advance(Seconds{61});
  h.ask();
  h.ask();
  BOOST_TEST(h.upstream.calls() == 4U);
  h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "");
  h.settle();
  h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "");
  h.settle();
  // A mark ends by itself as well.
  h.advance(Seconds{121});
  h.ask();
  h.ask();
  BOOST_TEST(h.upstream.calls() == 6U);
}

BOOST_AUTO_TEST_CASE(authorized_requests_neither_join_nor_are_joined) {
  Harness h;
  Client& mine = h.ask({.headers = {{"Authorization", "Basic x"}}});
  Client& yours = h.ask({.headers = {{"Authorization", "Basic y"}}});
  Client& anybodys = h.ask();
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  for (std::size_t i = 0; i < 3; ++i) h.upstream.call(i).respond(200, kFresh, std::to_string(i));
  h.settle();
  BOOST_TEST(mine.writer.body == "0");
  BOOST_TEST(yours.writer.body == "1");
  BOOST_TEST(anybodys.writer.body == "2");
  // Only what the origin lets be shared is stored.
  BOOST_TEST(h.variants().size() == 1U);
  BOOST_TEST(h.ask({.headers = {{"Authorization", "Basic x"}}}).writer.body == "2");
}

BOOST_AUTO_TEST_CASE(what_one_user_is_answered_does_not_throw_out_what_is_stored_for_all) {
  Harness h;
  h.store_object({{"Cache-Control", "max-age=60, public"}, {"ETag", "\"1\""}}, "public");
  h.advance(Seconds{61});
  h.ask({.headers = {{"Authorization", "Basic expired"}}});
  h.upstream.last().respond(401, {}, "no");
  h.settle();
  BOOST_TEST(h.is_stored());
}

BOOST_AUTO_TEST_CASE(variants_collapse_each_among_themselves) {
  Harness h;
  const Lines vary = {{"Cache-Control", "max-age=60"}, {"Vary", "X"}};
  std::vector<Client*> ones;
  std::vector<Client*> twos;
  for (std::uint32_t i = 0; i < 6; ++i) {
    ones.push_back(&h.ask({.headers = {{"X", "1"}}, .worker = i % 2}));
    twos.push_back(&h.ask({.headers = {{"X", "2"}}, .worker = i % 2}));
  }
  BOOST_REQUIRE(h.upstream.calls() == 1U);
  h.upstream.call(0).head(200, vary);
  h.settle();
  BOOST_REQUIRE(h.upstream.calls() == 2U);
  BOOST_TEST(h.upstream.call(1).field("X").value_or("") == "2");
  // From now on the table knows better.
  ones.push_back(&h.ask({.headers = {{"X", "1"}}}));
  BOOST_TEST(h.upstream.calls() == 2U);
  h.upstream.call(0).body("one");
  h.upstream.call(0).complete();
  h.upstream.call(1).respond(200, vary, "two");
  h.settle();
  for (const Client* client : ones) BOOST_TEST(client->writer.is_answer(200, "one"));
  for (const Client* client : twos) BOOST_TEST(client->writer.is_answer(200, "two"));
  BOOST_TEST(h.upstream.calls() == 2U);
  BOOST_TEST(h.variants().size() == 2U);
  // And the store's variants tell it for a third.
  h.ask({.headers = {{"X", "3"}}});
  h.ask({.headers = {{"X", "4"}}});
  BOOST_TEST(h.upstream.calls() == 4U);
}

BOOST_AUTO_TEST_CASE(ever_changing_variants_do_not_make_a_request_go_round_for_ever) {
  Harness h;
  // Every response varies on another field, in which all requests differ.
  std::vector<Client*> clients;
  constexpr std::size_t kClients = 12;
  for (std::size_t i = 0; i < kClients; ++i) {
    Lines headers;
    for (std::size_t f = 0; f < kClients; ++f) headers.emplace_back("X" + std::to_string(f), std::to_string(i));
    clients.push_back(&h.ask({.headers = headers}));
  }
  for (std::size_t i = 0; i < h.upstream.calls(); ++i) {
    BOOST_REQUIRE(i < 2 * kClients);
    const Lines response = {{"Cache-Control", "max-age=60"}, {"Vary", "X" + std::to_string(i)}};
    h.upstream.call(i).respond(200, response, std::string(h.upstream.call(i).field("X0").value_or("")));
    h.settle();
  }
  for (std::size_t i = 0; i < kClients; ++i) BOOST_TEST(clients[i]->writer.is_answer(200, std::to_string(i)));
  BOOST_TEST(h.upstream.calls() == kClients);
}

BOOST_AUTO_TEST_CASE(waiting_is_bounded_in_number) {
  struct Row {
    const char* name;
    fill::FillOptions options;
  };
  for (const Row& row : {Row{"per object", {.waiters_per_object = 2}}, Row{"in all", {.waiters_total = 2}}}) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h({.fill = row.options});
      h.ask();
      h.ask();
      Client& second = h.ask();
      Client& third = h.ask();
      BOOST_TEST(third.writer.status == 503);
      BOOST_TEST(third.writer.field("Retry-After") == "1");
      BOOST_TEST(h.fills.waiting() == 2U);
      // A place that is given up is free again.
      second.leave();
      BOOST_TEST(h.ask().writer.status == 0);
      // Who has nothing to wait for needs no place.
      h.upstream.last().head(200, kFresh);
      BOOST_TEST(h.ask().writer.status == 200);
      h.upstream.last().body("x");
      h.upstream.last().complete();
      h.settle();
    }
  }
}

BOOST_AUTO_TEST_CASE(waiting_is_bounded_in_time) {
  for (const bool has_stale : {false, true}) {
    BOOST_TEST_CONTEXT((has_stale ? "with a stale copy" : "without")) {
      Harness h({.fill = {.waiter_deadline = Seconds{5}}});
      if (has_stale) {
        h.store_object({{"Cache-Control", "max-age=60"}}, "old");
        h.advance(Seconds{61});
      }
      Client& starter = h.ask();
      Client& joiner = h.ask({.worker = 1});
      h.advance(Millis{4'900});
      BOOST_TEST(joiner.writer.status == 0);
      h.advance(Millis{200});
      if (has_stale) {
        BOOST_TEST(joiner.writer.is_answer(200, "old"));
        BOOST_TEST(joiner.writer.has_parameter("; detail=wait-timeout"));
      } else {
        BOOST_TEST(joiner.writer.status == 503);
      }
      BOOST_TEST(starter.writer.status == 0);
      h.upstream.last().respond(200, kFresh, "new");
      h.settle();
      BOOST_TEST(starter.writer.is_answer(200, "new"));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_has_changed_in_the_store_meanwhile_is_looked_at_again) {
  Harness h;
  fill::FillRequest wanted;
  wanted.head = request_head({});
  policy::append_key(wanted.key, "http", "example.com", "/a");
  wanted.hash = policy::hash_key(wanted.key);
  const auto fresh = make_ref<fill::Fill>(h.fills, h.store, h.executor(), 2U, wanted);
  h.store_object(kFresh, "stored");
  BOOST_TEST((h.fills.join_or_start(fresh, nullptr).outcome == fill::FillTable::Join::kChanged));
  const Ref<cache::Object> stored = h.variants().front();
  BOOST_TEST((h.fills.join_or_start(fresh, stored.get()).outcome == fill::FillTable::Join::kStarted));
  h.fills.remove(*fresh);
}

BOOST_AUTO_TEST_CASE(a_body_that_has_gone_stale_on_its_way_is_not_for_those_who_come_now) {
  Harness h;
  Client& early = h.ask();
  h.upstream.last().head(200, {{"Cache-Control", "max-age=2"}});
  h.settle();
  h.advance(Seconds{3});
  Client& late = h.ask();
  Client& later = h.ask();
  BOOST_REQUIRE(h.upstream.calls() == 2U);
  // So it is for those who want an answer from the origin.
  h.upstream.call(1).head(200, kFresh);
  h.settle();
  Client& reload = h.ask({.headers = {{"Cache-Control", "no-cache"}}});
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  for (std::size_t i = 0; i < 2; ++i) {
    h.upstream.call(i).body(std::to_string(i));
    h.upstream.call(i).complete();
  }
  h.upstream.call(2).respond(200, kFresh, "2");
  h.settle();
  BOOST_TEST(early.writer.is_answer(200, "0"));
  BOOST_TEST(late.writer.is_answer(200, "1"));
  BOOST_TEST(later.writer.is_answer(200, "1"));
  BOOST_TEST(reload.writer.is_answer(200, "2"));
}

BOOST_AUTO_TEST_CASE(head_requests_share_among_themselves_and_take_part_in_whole_fetches) {
  Harness h;
  Client& one = h.ask({.method = "HEAD"});
  Client& two = h.ask({.method = "HEAD", .worker = 1});
  BOOST_REQUIRE(h.upstream.calls() == 1U);
  BOOST_TEST((h.upstream.last().request().method == http::Method::kHead));
  Client& get = h.ask();
  BOOST_REQUIRE(h.upstream.calls() == 2U);
  h.upstream.call(0).respond(200, kFresh, "12345");
  h.settle();
  for (const Client* client : {&one, &two}) {
    BOOST_TEST(client->writer.is_answer(200, ""));
    BOOST_TEST(!client->writer.has_body);
    BOOST_TEST(client->writer.length.value_or(0) == 5U);
  }
  BOOST_TEST(!h.is_stored());
  Client& joins = h.ask({.method = "HEAD"});
  BOOST_TEST(h.upstream.calls() == 2U);
  h.upstream.call(1).respond(200, kFresh, "12345");
  h.settle();
  BOOST_TEST(get.writer.is_answer(200, "12345"));
  BOOST_TEST(joins.writer.is_answer(200, ""));
  BOOST_TEST(joins.writer.is_collapsed());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
