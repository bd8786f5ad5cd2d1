// How a fetch may end, and what those who wait and the store have of it: errors, validation, refreshing, invalidation.
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

const Lines kFresh = {{"Cache-Control", "max-age=60"}};
const Lines kTagged = {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}};

BOOST_AUTO_TEST_SUITE(loopback_outcome)

struct StaleRow {
  const char* name;
  Lines stored;
  Lines request = {};
  bool is_used;
};

BOOST_AUTO_TEST_CASE(a_stale_copy_answers_for_a_failing_origin_where_it_may) {
  const std::vector<StaleRow> rows = {
      {.name = "by default", .stored = kFresh, .is_used = true},
      {.name = "must-revalidate", .stored = {{"Cache-Control", "max-age=60, must-revalidate"}}, .is_used = false},
      {.name = "stale-if-error=0", .stored = {{"Cache-Control", "max-age=60, stale-if-error=0"}}, .is_used = false},
      {.name = "no-cache", .stored = {{"Cache-Control", "no-cache"}, {"ETag", "\"1\""}}, .is_used = false},
      {.name = "asked not to", .stored = kFresh, .request = {{"Cache-Control", "stale-if-error=0"}}, .is_used = false},
  };
  for (const StaleRow& row : rows) {
    for (const bool answers : {true, false}) {
      BOOST_TEST_CONTEXT(row.name << (answers ? ", 503" : ", no answer")) {
        Harness h;
        h.store_object(row.stored, "old");
        h.advance(Seconds{61});
        std::vector<Client*> clients;
        for (std::uint32_t i = 0; i < 4; ++i) clients.push_back(&h.ask({.headers = row.request, .worker = i % 2}));
        BOOST_REQUIRE(h.upstream.calls() == 2U);
        // Where the 503 is not shared, the others ask for themselves.
        for (std::size_t i = 1; i < h.upstream.calls(); ++i) {
          if (answers) {
            h.upstream.call(i).respond(503, {}, "broken");
          } else {
            h.upstream.call(i).fail();
          }
          h.settle();
        }
        for (const Client* client : clients) {
          if (row.is_used) {
            BOOST_TEST(client->writer.is_answer(200, "old"));
            BOOST_TEST(client->writer.is_hit());
          } else {
            BOOST_TEST(client->writer.status == (answers ? 503 : 502));
          }
          BOOST_TEST(client->finished == 1);
        }
        if (row.is_used) BOOST_TEST(h.upstream.calls() == 2U);
        BOOST_TEST(h.is_stored());
      }
    }
  }
}

// Nor is it held against what is stored that the cache could not ask.
BOOST_AUTO_TEST_CASE(what_could_not_be_asked_is_asked_next_time) {
  for (const ErrorCode code : {ErrorCode::kPeerReset, ErrorCode::kNoDescriptors}) {
    Harness h;
    h.store_object(kFresh, "old");
    h.advance(Seconds{61});
    h.ask();
    h.upstream.last().fail(code);
    h.settle();
    const std::size_t asked = h.upstream.calls();
    h.ask();
    BOOST_TEST(h.upstream.calls() == asked + (code == ErrorCode::kNoDescriptors ? 1 : 0));
  }
}

BOOST_AUTO_TEST_CASE(an_error_before_the_head_is_everybodys) {
  Harness h;
  Client& starter = h.ask();
  Client& joiner = h.ask({.worker = 1});
  h.upstream.last().fail(ErrorCode::kFirstByteTimeout);
  h.settle();
  for (const Client* client : {&starter, &joiner}) {
    BOOST_TEST(client->writer.status == 504);
    BOOST_TEST(client->writer.field("Proxy-Status") ==
               "seawall; error=http_response_timeout; details=\"first-byte-timeout\"");
  }
  BOOST_TEST(h.upstream.calls() == 1U);
}

BOOST_AUTO_TEST_CASE(an_origin_that_never_answers_is_given_up) {
  Harness h;
  Client& client = h.ask();
  h.advance(Seconds{31});
  BOOST_TEST(client.writer.status == 504);
  BOOST_TEST(h.upstream.last().is_cancelled());
}

BOOST_AUTO_TEST_CASE(an_error_in_the_body_cuts_every_answer_and_stores_nothing) {
  Harness h;
  Client& starter = h.ask();
  Client& joiner = h.ask({.worker = 1});
  h.upstream.last().head(200, kFresh);
  h.upstream.last().body("half");
  h.settle();
  h.upstream.last().fail();
  h.settle();
  for (const Client* client : {&starter, &joiner}) {
    BOOST_TEST(client->writer.body == "half");
    BOOST_TEST(client->writer.is_aborted);
    BOOST_TEST(!client->writer.is_ended);
    BOOST_TEST(client->finished == 1);
  }
  BOOST_TEST(!h.is_stored());
  h.ask();
  BOOST_TEST(h.upstream.calls() == 2U);
}

BOOST_AUTO_TEST_CASE(an_error_that_comes_with_the_head_is_told_in_words) {
  for (const bool has_stale : {false, true}) {
    Harness h;
    if (has_stale) {
      h.store_object(kFresh, "old");
      h.advance(Seconds{61});
    }
    Client& starter = h.ask();
    Client& joiner = h.ask({.worker = 1});
    h.upstream.last().head(200, kFresh);
    h.upstream.last().fail();  // before any worker has had its turn
    h.settle();
    for (const Client* client : {&starter, &joiner}) {
      BOOST_TEST(client->writer.status == (has_stale ? 200 : 502));
      BOOST_TEST(client->writer.is_ended);
      if (has_stale) BOOST_TEST(client->writer.body == "old");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_304_serves_all_and_renews_the_head) {
  Harness h;
  h.store_object({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"X", "old"}}, "body");
  h.advance(Seconds{61});
  std::vector<Client*> clients;
  for (std::uint32_t i = 0; i < 5; ++i) clients.push_back(&h.ask({.worker = i % 2}));
  BOOST_REQUIRE(h.upstream.calls() == 2U);
  BOOST_TEST(h.upstream.last().field("If-None-Match").value_or("") == "\"1\"");
  h.upstream.last().respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=100"}, {"X", "new"}});
  h.settle();
  for (const Client* client : clients) {
    BOOST_TEST(client->writer.is_answer(200, "body"));
    BOOST_TEST(client->writer.field("X") == "new");
  }
  h.advance(Seconds{90});
  BOOST_TEST(h.ask().writer.is_hit());
  BOOST_TEST(h.upstream.calls() == 2U);
}

BOOST_AUTO_TEST_CASE(of_several_variants_the_304_names_the_one) {
  Harness h;
  for (const char* x : {"1", "2"}) {
    h.store_object({{"Cache-Control", "max-age=60"}, {"Vary", "X"}, {"ETag", std::string("\"") + x + "\""}},
                   std::string("body ") + x, {.headers = {{"X", x}}});
  }
  Client& third = h.ask({.headers = {{"X", "3"}}});
  Client& joiner = h.ask({.headers = {{"X", "3"}}, .worker = 1});
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  BOOST_TEST(h.upstream.last().field("If-None-Match").value_or("") == "\"2\", \"1\"");
  h.upstream.last().respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}, {"Vary", "X"}});
  h.settle();
  BOOST_TEST(third.writer.is_answer(200, "body 1"));
  BOOST_TEST(joiner.writer.is_answer(200, "body 1"));
  BOOST_TEST(h.variants().size() == 3U);
  BOOST_TEST(h.ask({.headers = {{"X", "3"}}}).writer.is_hit());
  BOOST_TEST(h.ask({.headers = {{"X", "2"}}}).writer.body == "body 2");
}

BOOST_AUTO_TEST_CASE(a_new_variant_that_may_not_be_stored_leaves_the_others) {
  Harness h;
  h.store_object({{"Cache-Control", "max-age=60"}, {"Vary", "X"}, {"ETag", "\"1\""}}, "one", {.headers = {{"X", "1"}}});
  h.ask({.headers = {{"X", "2"}}});
  h.upstream.last().respond(200, {{"Cache-Control", "no-store"}, {"Vary", "X"}}, "two");
  h.settle();
  BOOST_TEST(h.ask({.headers = {{"X", "1"}}}).writer.is_hit());
}

BOOST_AUTO_TEST_CASE(what_is_replaced_by_an_answer_that_may_not_be_stored_is_gone) {
  struct Row {
    const char* name;
    Lines stored;
  };
  for (const Row& row : {Row{"with a validator", kTagged}, Row{"without", kFresh}}) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      h.store_object(row.stored, "old");
      h.advance(Seconds{61});
      Client& client = h.ask();
      h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "new");
      h.settle();
      BOOST_TEST(client.writer.is_answer(200, "new"));
      BOOST_TEST(!h.is_stored());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_304_that_brings_another_vary_takes_the_place_of_what_was_stored) {
  Harness h;
  h.store_object({{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}}, "body", {.headers = {{"X", "1"}}});
  Client& client = h.ask({.headers = {{"X", "1"}, {"Cache-Control", "no-cache"}}});
  h.upstream.last().respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}, {"Vary", "X"}});
  h.settle();
  BOOST_TEST(client.writer.is_answer(200, "body"));
  BOOST_TEST(h.variants().size() == 1U);
  BOOST_TEST(h.ask({.headers = {{"X", "1"}}}).writer.is_answer(200, "body"));
  BOOST_TEST(h.upstream.calls() == 2U);
  h.ask({.headers = {{"X", "2"}}});
  BOOST_TEST(h.upstream.calls() == 3U);
  h.upstream.last().respond(200, {{"ETag", "\"2\""}, {"Cache-Control", "max-age=60"}, {"Vary", "X"}}, "other");
  h.settle();
}

BOOST_AUTO_TEST_CASE(a_304_for_something_else_is_asked_again_once_without_condition) {
  Harness h;
  h.store_object(kTagged, "old");
  h.advance(Seconds{61});
  Client& client = h.ask();
  Client& joiner = h.ask({.worker = 1});
  h.upstream.call(1).respond(304, {{"ETag", "\"other\""}});
  h.settle();
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  BOOST_TEST(!h.upstream.call(2).field("If-None-Match").has_value());
  h.upstream.call(2).respond(200, kFresh, "new");
  h.settle();
  BOOST_TEST(client.writer.is_answer(200, "new"));
  BOOST_TEST(joiner.writer.is_answer(200, "new"));
  // And not again.
  h.advance(Seconds{61});
  Client& next = h.ask();
  h.upstream.last().respond(304, {{"ETag", "\"other\""}});
  h.settle();
  BOOST_TEST(h.upstream.calls() == 4U);
  BOOST_TEST(next.writer.is_answer(200, "new"));  // stale, for lack of a usable answer
}

BOOST_AUTO_TEST_CASE(a_304_that_forbids_storing_is_served_and_forgotten) {
  Harness h;
  h.store_object(kTagged, "old");
  h.advance(Seconds{61});
  Client& client = h.ask();
  Client& joiner = h.ask();
  h.upstream.call(1).respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "no-store"}});
  h.settle();
  BOOST_TEST(client.writer.is_answer(200, "old"));
  BOOST_TEST(!h.is_stored());
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  h.upstream.call(2).respond(200, kFresh, "own");
  h.settle();
  BOOST_TEST(joiner.writer.is_answer(200, "own"));
}

BOOST_AUTO_TEST_CASE(a_post_detaches_what_is_being_fetched) {
  struct Row {
    const char* name;
    Lines request;
    bool with_head;  // whether the head has come by then
  };
  const std::vector<Row> rows = {
      {.name = "before the head", .request = {}, .with_head = false},
      {.name = "in the body", .request = {}, .with_head = true},
      {.name = "fetched by one alone", .request = {{"Authorization", "x"}}, .with_head = true},
      {.name = "by one alone, before the head", .request = {{"Authorization", "x"}}, .with_head = false},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      const Lines response = {{"Cache-Control", "public, max-age=60"}};
      Client& before = h.ask({.headers = row.request});
      auto& call = h.upstream.last();
      if (row.with_head) {
        call.head(200, response);
        h.settle();
      }
      Client& post = h.ask({.method = "POST"});
      h.upstream.last().respond(200, {}, "done");
      h.settle();
      BOOST_TEST(post.writer.is_answer(200, "done"));
      Client& after = h.ask();
      BOOST_REQUIRE(h.upstream.calls() == 3U);
      if (!row.with_head) call.head(200, response);
      call.body("old");
      call.complete();
      h.settle();
      BOOST_TEST(before.writer.is_answer(200, "old"));
      BOOST_TEST(!h.is_stored());
      h.upstream.last().respond(200, response, "new");
      h.settle();
      BOOST_TEST(after.writer.is_answer(200, "new"));
      BOOST_TEST(h.ask().writer.body == "new");
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_stored_but_not_shared_is_detached_too) {
  Harness h;
  h.ask();
  auto& call = h.upstream.last();
  call.head(200, {{"Cache-Control", "no-cache"}, {"ETag", "\"1\""}});
  h.settle();
  h.ask({.method = "DELETE"});
  h.upstream.last().respond(204, {});
  h.settle();
  call.body("old");
  call.complete();
  h.settle();
  BOOST_TEST(!h.is_stored());
}

BOOST_AUTO_TEST_CASE(a_post_that_fails_changes_nothing) {
  Harness h;
  h.store_object(kFresh, "stored");
  h.ask({.method = "POST"});
  h.upstream.last().respond(500, {}, "");
  h.settle();
  BOOST_TEST(h.ask().writer.is_hit());
}

BOOST_AUTO_TEST_CASE(a_post_may_store_its_answer_for_those_who_get) {
  Harness h;
  h.store_object(kFresh, "old");
  h.ask({.method = "POST"});
  h.upstream.last().respond(200, {{"Cache-Control", "max-age=60"}, {"Content-Location", "/a"}}, "new");
  h.settle();
  Client& get = h.ask();
  BOOST_TEST(get.writer.is_hit());
  BOOST_TEST(get.writer.body == "new");
}

BOOST_AUTO_TEST_CASE(a_validation_does_not_bring_back_what_was_invalidated) {
  for (const bool varies : {false, true}) {
    Harness h;
    Lines stored = kTagged;
    if (varies) stored.emplace_back("Vary", "X");
    h.store_object(stored, "old", {.headers = {{"X", "1"}}});
    h.advance(Seconds{61});
    h.ask({.headers = {{"X", varies ? "2" : "1"}}});
    auto& call = h.upstream.last();
    h.ask({.method = "PUT"});
    h.upstream.last().respond(204, {});
    h.settle();
    call.respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}});
    h.settle();
    BOOST_TEST(!h.is_stored());
  }
}

struct RefreshRow {
  const char* name;
  std::uint16_t status;  // 0: the exchange fails
  Lines response;
  const char* served_after;
};

BOOST_AUTO_TEST_CASE(stale_while_revalidate_is_one_refresh_behind_the_answer) {
  const std::vector<RefreshRow> rows = {
      {.name = "not modified",
       .status = 304,
       .response = {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}},
       .served_after = "old"},
      {.name = "new", .status = 200, .response = kFresh, .served_after = "new"},
      {.name = "fails", .status = 0, .response = {}, .served_after = "old"},
      {.name = "503", .status = 503, .response = {}, .served_after = "old"},
      {.name = "storable 500", .status = 500, .response = kFresh, .served_after = "old"},
  };
  for (const RefreshRow& row : rows) {
    for (const bool has_validator : {true, false}) {
      if (row.status == 304 && !has_validator) continue;
      BOOST_TEST_CONTEXT(row.name << (has_validator ? "" : ", no validator")) {
        Harness h;
        Lines stored = {{"Cache-Control", "max-age=10, stale-while-revalidate=1000"}};
        if (has_validator) stored.emplace_back("ETag", "\"1\"");
        h.store_object(stored, "old");
        h.advance(Seconds{11});
        for (std::uint32_t i = 0; i < 6; ++i) {
          Client& client = h.ask({.worker = i % 2});
          BOOST_TEST(client.writer.is_answer(200, "old"));
          BOOST_TEST(client.writer.is_hit());
        }
        BOOST_REQUIRE(h.upstream.calls() == 2U);
        BOOST_TEST(h.upstream.last().field("If-None-Match").has_value() == has_validator);
        if (row.status == 0) {
          h.upstream.last().fail();
        } else {
          h.upstream.last().respond(row.status, row.response, row.status == 304 ? "" : "new");
        }
        h.settle();
        BOOST_TEST(h.ask().writer.body == row.served_after);
        if (std::string_view(row.served_after) == "new" || row.status == 304) BOOST_TEST(h.upstream.calls() == 2U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_failing_origin_does_not_replace_a_good_copy) {
  Harness h;
  h.store_object(kFresh, "good");  // without a validator
  h.advance(Seconds{61});
  Client& client = h.ask();
  h.upstream.last().respond(500, {{"Cache-Control", "max-age=600"}}, "bad");
  h.settle();
  BOOST_TEST(client.writer.is_answer(200, "good"));
  BOOST_TEST(h.ask().writer.is_answer(200, "good"));
  BOOST_TEST(h.upstream.calls() == 2U);  // not asked again yet
  h.advance(Seconds{2});
  h.ask();
  BOOST_TEST(h.upstream.calls() == 3U);  // nor is the 500 remembered
}

BOOST_AUTO_TEST_CASE(a_head_request_refreshes_or_refutes_what_is_stored) {
  struct Row {
    const char* name;
    Lines response;
    bool is_kept;
    std::uint16_t status = 200;
    std::uint16_t stored_status = 200;
  };
  const std::vector<Row> rows = {
      {.name = "agrees", .response = {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}}, .is_kept = true},
      {.name = "same length",
       .response = {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}, {"Content-Length", "4"}},
       .is_kept = true},
      {.name = "other etag", .response = {{"ETag", "\"2\""}, {"Cache-Control", "max-age=60"}}, .is_kept = false},
      {.name = "other length",
       .response = {{"Cache-Control", "max-age=60"}, {"Content-Length", "5"}},
       .is_kept = false},
      {.name = "no-store", .response = {{"ETag", "\"1\""}, {"Cache-Control", "no-store"}}, .is_kept = false},
      {.name = "another status was stored",
       .response = {{"Cache-Control", "max-age=60"}},
       .is_kept = false,
       .stored_status = 404},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      h.ask();
      const Lines stored = row.stored_status == 200 ? kTagged : kFresh;
      h.upstream.last().respond(row.stored_status, stored, "body");
      h.settle();
      BOOST_REQUIRE(h.is_stored());
      h.advance(Seconds{61});
      Client& head = h.ask({.method = "HEAD"});
      h.upstream.last().head(row.status, row.response);
      h.upstream.last().complete();
      h.settle();
      BOOST_TEST(head.writer.is_answer(200, ""));
      BOOST_TEST(h.is_stored() == row.is_kept);
      if (row.is_kept) BOOST_TEST(h.ask().writer.is_hit());
    }
  }
}

BOOST_AUTO_TEST_CASE(conditions_of_the_client_are_answered_here) {
  Harness h;
  Client& first = h.ask({.headers = {{"If-None-Match", "\"1\""}}});
  BOOST_TEST(!h.upstream.last().field("If-None-Match").has_value());
  Client& other = h.ask({.headers = {{"If-None-Match", "\"2\""}}});
  Client& failed = h.ask({.headers = {{"If-Match", "\"2\""}}});
  h.upstream.last().respond(200, kTagged, "body");
  h.settle();
  BOOST_TEST(first.writer.is_answer(304, ""));
  BOOST_TEST(first.writer.field("ETag") == "\"1\"");
  BOOST_TEST(other.writer.is_answer(200, "body"));
  BOOST_TEST(failed.writer.status == 412);
  BOOST_TEST(h.ask({.headers = {{"If-None-Match", "\"1\""}}}).writer.is_answer(304, ""));
  BOOST_TEST(h.upstream.calls() == 1U);
}

BOOST_AUTO_TEST_CASE(trailers_come_along_and_are_kept) {
  Harness h;
  Client& client = h.ask();
  h.upstream.last().head(200, kFresh);
  h.upstream.last().body("x");
  h.upstream.last().complete({{"X-Sum", "1"}});
  h.settle();
  BOOST_TEST(client.writer.trailers.find("X-Sum").value_or("") == "1");
  Client& hit = h.ask();
  BOOST_TEST(hit.writer.is_answer(200, "x"));
  BOOST_TEST(hit.writer.trailers.find("X-Sum").value_or("") == "1");
  // HTTP/1.0 knows none.
  Client& old = h.ask({.version = http::Version::kHttp10});
  BOOST_TEST(old.writer.is_answer(200, "x"));
  BOOST_TEST(old.writer.trailers.empty());
}

BOOST_AUTO_TEST_CASE(only_if_cached_never_asks) {
  Harness h;
  Client& miss = h.ask({.headers = {{"Cache-Control", "only-if-cached"}}});
  BOOST_TEST(miss.writer.status == 504);
  h.store_object(kFresh, "x");
  BOOST_TEST(h.ask({.headers = {{"Cache-Control", "only-if-cached"}}}).writer.is_hit());
  BOOST_TEST(h.upstream.calls() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
