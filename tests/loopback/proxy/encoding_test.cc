// Encoded forms of what is stored: asked for once, chosen by each request, known by their entity-tags.
#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cache/disk_body.h"
#include "encode/encoder.h"
#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

// Works when it is told to.
class HeldEncoder final : public encode::Encoder {
 public:
  HeldEncoder() : Encoder(2) {}
  bool submit(encode::Job job) override {
    if (refuses) return false;
    jobs.push_back(std::move(job));
    return true;
  }
  void work() {
    const std::atomic<bool> stop{false};
    for (encode::Job& job : std::exchange(jobs, {})) {
      auto encoded =
          encode::encode(job.body, job.coding, job.level, encode::most_output_bytes(job.body_bytes), job.budget, stop);
      job.executor->post(
          [done = std::move(job.done), encoded = std::move(encoded)]() mutable { done(std::move(encoded)); });
    }
  }
  std::vector<encode::Job> jobs;
  bool refuses = false;
};

const std::string kText(5000, 'x');
const Lines kResponse = {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"ETag", "\"1\""}};

struct Fixture {
  HeldEncoder encoder;  // outlives what asks it
  Harness h{
      {.guards = {.encode = {.codings = {http::Coding::kBrotli, http::Coding::kGzip}, .rules = {}, .levels = {}}}}};

  Fixture() {
    for (std::uint32_t w = 0; w < h.workers(); ++w) h.context(w).encoder = &encoder;
  }
  Client& ask(Lines headers, std::uint32_t worker = 0) {
    headers.insert(headers.begin(), {"Accept-Encoding", "gzip"});
    return h.ask({.headers = std::move(headers), .worker = worker});
  }
  void work() {
    encoder.work();
    h.settle();
  }
  // kResponse, without the body.
  cache::Object::Init describe() const {
    cache::Object::Init init;
    policy::append_key(init.key, "http", "example.com", "/a");
    init.hash = policy::hash_key(init.key);
    for (const auto& [name, value] : kResponse) init.headers.add(name, value);
    init.freshness = {.response_time = h.clock.wall_now(), .lifetime = Seconds{60}};
    init.complete_length = kText.size();
    return init;
  }
  // What is stored has a gzip form.
  void make_form(const Lines& response = kResponse) {
    h.store_object(response, kText);
    ask({});
    work();
  }
};

BOOST_AUTO_TEST_SUITE(loopback_encoding)

BOOST_AUTO_TEST_CASE(a_form_is_made_once_and_served_from_then_on) {
  Fixture f;
  f.h.store_object(kResponse, kText);
  for (std::uint32_t worker = 0; worker < 2; ++worker) {
    Client& early = f.ask({}, worker);
    BOOST_TEST(early.writer.is_answer(200, kText));
    BOOST_TEST(early.writer.field("Vary") == "Accept-Encoding");
  }
  BOOST_TEST(f.encoder.jobs.size() == 1U);
  f.work();
  Client& late = f.ask({}, 1);
  BOOST_TEST(late.writer.is_hit());
  BOOST_TEST(late.writer.field("Content-Encoding") == "gzip");
  BOOST_TEST(late.writer.field("ETag") == "W/\"1~gzip\"");
  BOOST_TEST(late.writer.body.size() < 200U);
  BOOST_TEST(f.encoder.jobs.empty());
  BOOST_TEST(f.h.ask({}).writer.is_answer(200, kText));
  BOOST_TEST(f.encoder.stats().codings[0].made == 1U);
  BOOST_TEST(f.encoder.stats().codings[0].answers == 1U);
}

BOOST_AUTO_TEST_CASE(a_first_miss_says_that_there_will_be_forms) {
  Fixture f;
  Client& first = f.ask({});
  f.h.upstream.last().respond(200, kResponse, kText);
  f.h.settle();
  BOOST_TEST(first.writer.is_answer(200, kText));
  BOOST_TEST(first.writer.field("Vary") == "Accept-Encoding");
  BOOST_TEST(f.encoder.jobs.empty());
}

BOOST_AUTO_TEST_CASE(what_must_stay_as_it_is_does) {
  for (const auto& [name, value] : Lines{{"Cache-Control", "no-transform"}, {"Content-Type", "image/png"}}) {
    Fixture f;
    Lines response = kResponse;
    std::erase_if(response, [&](const auto& line) { return line.first == name && name == "Content-Type"; });
    response.emplace_back(name, value);
    f.h.store_object(response, kText);
    BOOST_TEST(f.ask({}).writer.is_answer(200, kText));
    BOOST_TEST(f.ask({}).writer.field("Vary").empty());
    BOOST_TEST(f.encoder.jobs.empty(), name);
  }
  Fixture f;
  f.make_form();
  BOOST_TEST(f.ask({{"Cache-Control", "no-transform"}}).writer.is_answer(200, kText));
}

BOOST_AUTO_TEST_CASE(a_full_queue_is_asked_again) {
  Fixture f;
  f.h.store_object(kResponse, kText);
  f.encoder.refuses = true;
  f.ask({});
  BOOST_TEST(f.encoder.stats().queue_full == 1U);
  f.encoder.refuses = false;
  f.ask({});
  BOOST_TEST(f.encoder.jobs.size() == 1U);
  f.work();
  BOOST_TEST(f.ask({}).writer.field("Content-Encoding") == "gzip");
}

BOOST_AUTO_TEST_CASE(what_gains_nothing_is_not_tried_again) {
  Fixture f;
  Rng rng(3);
  std::string noise;
  while (noise.size() < 5000) noise += static_cast<char>(rng.next() & 0xFF);
  f.h.store_object(kResponse, noise);
  f.ask({});
  f.work();
  BOOST_TEST(f.ask({}).writer.is_answer(200, noise));
  BOOST_TEST(f.encoder.jobs.empty());
  BOOST_TEST(f.encoder.stats().no_gain == 1U);
}

BOOST_AUTO_TEST_CASE(a_form_of_what_is_purged_meanwhile_is_dropped) {
  Fixture f;
  f.h.store_object(kResponse, kText);
  f.ask({});
  const Ref<cache::Object> object = f.h.variants().front();
  f.h.store.erase_key(object->key(), object->hash());
  f.work();
  BOOST_TEST(!f.h.is_stored());
  BOOST_TEST(f.encoder.stats().outdated == 1U);
}

BOOST_AUTO_TEST_CASE(either_form_is_not_modified) {
  Fixture f;
  f.make_form();
  for (const char* etag : {"\"1\"", "W/\"1~gzip\""}) {
    Client& client = f.ask({{"If-None-Match", etag}});
    BOOST_TEST(client.writer.status == 304, etag);
    BOOST_TEST(client.writer.field("ETag") == etag);
    BOOST_TEST(client.writer.field("Vary") == "Accept-Encoding");
  }
  BOOST_TEST(f.ask({{"If-None-Match", "\"2~gzip\""}}).writer.status == 200);
  // Of a coding that the request does not accept: a cache would give it to clients who did not ask for it.
  BOOST_TEST(f.ask({{"If-None-Match", "\"1~br\""}}).writer.status == 200);
  BOOST_TEST(f.h.ask({.headers = {{"If-None-Match", "\"1~gzip\""}}}).writer.is_answer(200, kText));
  BOOST_TEST(f.ask({{"If-None-Match", "\"1~gzip\""}}).writer.field("ETag") == "W/\"1~gzip\"");
  for (const char* list : {"*", "\"1\", W/\"1~gzip\""}) {
    BOOST_TEST(f.ask({{"If-None-Match", list}}).writer.field("ETag") == "W/\"1~gzip\"", list);
  }
  for (const char* list : {"*", "\"1\"", "\"1~gzip\"", "W/\"1~gzip\"", "\"2\", W/\"1~gzip\""}) {
    BOOST_TEST(f.ask({{"If-Match", list}}).writer.status == 200, list);
  }
  for (const char* list : {"W/\"1\"", "\"2~gzip\"", "W/\"2~gzip\""}) {
    BOOST_TEST(f.ask({{"If-Match", list}}).writer.status == 412, list);
  }
}

BOOST_AUTO_TEST_CASE(a_weak_tag_of_the_origin_stays_one) {
  Fixture f;
  f.make_form({{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"ETag", "W/\"1\""}});
  BOOST_TEST(f.ask({}).writer.field("ETag") == "W/\"1~gzip\"");
  BOOST_TEST(f.ask({{"If-None-Match", "W/\"1~gzip\""}}).writer.status == 304);
  BOOST_TEST(f.ask({{"If-Match", "W/\"1~gzip\""}}).writer.status == 412);
}

BOOST_AUTO_TEST_CASE(parts_are_of_the_stored_bytes_and_never_of_a_form) {
  Fixture f;
  f.make_form();
  const std::string form = f.ask({}).writer.body;
  const auto is_whole_form = [&](Lines headers) {
    const Client& client = f.ask(std::move(headers));
    return client.writer.is_answer(200, form) && client.writer.field("Content-Encoding") == "gzip" &&
           client.writer.field("ETag") == "W/\"1~gzip\"";
  };
  for (const Lines& condition : {Lines{}, Lines{{"If-Range", "\"1\""}}, Lines{{"If-Match", "W/\"1~gzip\""}}}) {
    Lines headers = condition;
    headers.emplace_back("Range", "bytes=0-9");
    const Client& part = f.ask(headers);
    BOOST_TEST(part.writer.is_answer(206, kText.substr(0, 10)));
    BOOST_TEST(part.writer.field("ETag") == "\"1\"");
    BOOST_TEST(part.writer.field("Vary") == "Accept-Encoding");
    BOOST_TEST(part.writer.field("Content-Encoding").empty());
  }
  for (const char* etag : {"\"1~gzip\"", "W/\"1~gzip\"", "\"1~br\"", "\"2\""}) {
    BOOST_TEST(is_whole_form({{"Range", "bytes=100-"}, {"If-Range", etag}}), etag);
  }
  BOOST_TEST(is_whole_form({{"Range", "lines=1-2"}}));
  BOOST_TEST(f.ask({{"Range", "bytes=9999-"}}).writer.status == 416);
  const Client& encoded_only =
      f.h.ask({.headers = {{"Accept-Encoding", "gzip, identity;q=0"}, {"Range", "bytes=0-9"}}});
  BOOST_TEST(encoded_only.writer.is_answer(200, form));
}

BOOST_AUTO_TEST_CASE(where_the_body_is_on_disk_only_the_rules_are_the_same) {
  Fixture f;
  cache::Object::Init init = f.describe();
  init.disk_body = make_ref<const cache::DiskBody>(disk::Candidate{});
  BOOST_REQUIRE(f.h.store.insert(cache::Object::create(f.h.store.budget(), std::move(init))));
  const Client& head = f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}, .method = "HEAD"});
  BOOST_TEST(head.writer.status == 200);
  BOOST_TEST(head.writer.field("ETag") == "\"1\"");
  BOOST_TEST(head.writer.field("Vary") == "Accept-Encoding");
  const Client& known = f.ask({{"If-None-Match", "W/\"1~gzip\""}});
  BOOST_TEST(known.writer.status == 304);
  BOOST_TEST(known.writer.field("ETag") == "W/\"1~gzip\"");
  BOOST_TEST(known.writer.field("Vary") == "Accept-Encoding");
  BOOST_TEST(f.ask({{"If-Match", "W/\"1~gzip\""}, {"If-None-Match", "*"}}).writer.status == 304);
  BOOST_TEST(f.ask({{"If-Match", "W/\"2~gzip\""}}).writer.status == 412);
  BOOST_TEST(f.encoder.jobs.empty());
}

BOOST_AUTO_TEST_CASE(a_head_has_the_fields_that_a_get_would_have) {
  Fixture f;
  f.make_form();
  for (const Lines& more : {Lines{}, Lines{{"Range", "bytes=0-9"}}}) {
    Lines headers = more;
    headers.emplace_back("Accept-Encoding", "gzip");
    const Client& head = f.h.ask({.headers = headers, .method = "HEAD"});
    BOOST_TEST(head.writer.status == 200);
    BOOST_TEST(head.writer.field("Content-Encoding") == "gzip");
    BOOST_TEST(head.writer.field("ETag") == "W/\"1~gzip\"");
    BOOST_TEST(head.writer.field("Vary") == "Accept-Encoding");
  }
}

BOOST_AUTO_TEST_CASE(a_tag_of_the_origin_may_end_like_that_of_a_form) {
  Fixture f;
  f.make_form({{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"ETag", "\"o~gzip\""}});
  BOOST_TEST(f.ask({}).writer.field("ETag") == "W/\"o~gzip~gzip\"");
  BOOST_TEST(f.ask({{"If-None-Match", "\"o~gzip\""}}).writer.status == 304);
  BOOST_TEST(f.ask({{"If-None-Match", "W/\"o~gzip~gzip\""}}).writer.status == 304);
  BOOST_TEST(f.ask({{"If-Match", "\"o~gzip\""}}).writer.status == 200);
  BOOST_TEST(f.ask({{"If-Match", "\"o\""}}).writer.status == 412);
  BOOST_TEST(f.ask({{"Range", "bytes=0-9"}, {"If-Range", "\"o~gzip\""}}).writer.status == 206);
}

BOOST_AUTO_TEST_CASE(a_date_does_not_tell_of_which_form_a_client_has_a_part) {
  constexpr const char* kDate = "Wed, 01 Jan 2020 00:00:00 GMT";
  const Lines whole = {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"Last-Modified", kDate}};
  Lines part = whole;
  part.emplace_back("Content-Range", "bytes 0-9/5000");
  Fixture f;
  f.ask({{"Range", "bytes=0-9"}});
  f.h.upstream.last().respond(206, part, kText.substr(0, 10));
  f.h.settle();
  BOOST_TEST(f.ask({{"Range", "bytes=0-9"}}).writer.is_answer(206, kText.substr(0, 10)));
  Client& client = f.ask({{"Range", "bytes=0-9"}, {"If-Range", kDate}});
  f.h.upstream.last().respond(200, whole, kText);
  f.h.settle();
  BOOST_TEST(client.writer.is_answer(200, kText));
  BOOST_TEST(f.ask({{"Range", "bytes=0-9"}, {"If-Range", kDate}}).writer.is_answer(200, kText));
}

BOOST_AUTO_TEST_CASE(a_304_of_the_origin_keeps_the_forms) {
  Fixture f;
  f.make_form();
  f.h.advance(Millis{61'000});
  Client& client = f.ask({});
  BOOST_TEST(f.h.upstream.last().field("If-None-Match").value_or("") == "\"1\"");
  f.h.upstream.last().respond(304, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}, {"X-New", "yes"}});
  f.h.settle();
  BOOST_TEST(client.writer.field("Content-Encoding") == "gzip");
  BOOST_TEST(client.writer.field("X-New") == "yes");
  BOOST_TEST(f.ask({}).writer.field("Content-Encoding") == "gzip");
  BOOST_TEST(f.encoder.jobs.empty());
}

BOOST_AUTO_TEST_CASE(the_origin_is_asked_by_the_tags_it_knows) {
  Fixture f;
  Client& put = f.h.ask({.headers = {{"If-Match", "\"1~gzip\", \"2\""}}, .method = "PUT"});
  BOOST_TEST(f.h.upstream.last().field("If-Match").value_or("") == "\"1~gzip\", \"1\", \"2\"");
  f.h.upstream.last().respond(204, {});
  f.h.settle();
  BOOST_TEST(put.writer.status == 204);
}

// An origin that negotiates by itself.
const Lines kNegotiated = {
    {"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"ETag", "\"n\""}, {"Vary", "Accept-Encoding"}};

Lines negotiated(std::string content_encoding) {
  Lines response = kNegotiated;
  response.emplace_back("Content-Encoding", std::move(content_encoding));
  return response;
}

BOOST_AUTO_TEST_CASE(clients_that_accept_the_same_codings_share_what_the_origin_encoded) {
  Fixture f;
  const auto ask = [&](const char* accepted) -> Client& {
    return f.h.ask({.headers = {{"Accept-Encoding", accepted}}});
  };
  ask("gzip, deflate, br");
  BOOST_TEST(f.h.upstream.last().field("Accept-Encoding").value_or("") == "gzip, br");
  f.h.upstream.last().respond(200, negotiated("br"), "encoded");
  f.h.settle();
  for (const char* accepted : {"gzip, deflate, br", "br, gzip;q=0.1", "BR,X-GZIP", "gzip, br, *;q=0, identity"}) {
    const Client& client = ask(accepted);
    BOOST_TEST(client.writer.is_hit(), accepted);
    BOOST_TEST(client.writer.is_answer(200, "encoded"), accepted);
  }
  for (const auto& [accepted, sent] : Lines{{"gzip, deflate", "gzip"},
                                            {"gzip, deflate, br, zstd", "gzip, br, zstd"},
                                            {"gzip, br, identity;q=0", "gzip, br, identity;q=0"},
                                            {"deflate", "identity"}}) {
    const Client& client = ask(accepted.c_str());
    BOOST_TEST(f.h.upstream.last().field("Accept-Encoding").value_or("") == sent, accepted);
    f.h.upstream.last().respond(200, kNegotiated, kText);
    f.h.settle();
    BOOST_TEST(!client.writer.is_hit(), accepted);
  }
  BOOST_TEST(f.h.ask().writer.is_hit());
  BOOST_TEST(f.h.variants().size() == 5U);
}

// nginx says nothing of it without gzip_vary.
BOOST_AUTO_TEST_CASE(what_an_origin_encodes_without_vary_is_for_those_who_accept_it) {
  Fixture f;
  const Lines response = {
      {"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}};
  const Client& first = f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}});
  f.h.upstream.last().respond(200, response, "encoded");
  f.h.settle();
  BOOST_TEST(first.writer.field("Vary") == "Accept-Encoding");
  BOOST_TEST(f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}}).writer.is_hit());
  const Client& plain = f.h.ask({.headers = {{"Accept-Encoding", "identity"}}});
  f.h.upstream.last().respond(200, {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}}, "plain");
  f.h.settle();
  BOOST_TEST(plain.writer.is_answer(200, "plain"));
  BOOST_TEST(f.encoder.jobs.empty());
}

// A 304 says nothing of the coding, and its Vary is not all that there is.
BOOST_AUTO_TEST_CASE(nor_does_a_validation_make_it_for_all) {
  Fixture f;
  const Lines response = {{"Cache-Control", "max-age=60"},
                          {"Content-Type", "text/plain"},
                          {"ETag", "\"1\""},
                          {"Vary", "Origin"},
                          {"Content-Encoding", "gzip"}};
  f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}});
  f.h.upstream.last().respond(200, response, "encoded");
  f.h.settle();
  f.h.advance(Millis{61'000});
  const Client& again = f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}});
  f.h.upstream.last().respond(304, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"Vary", "Origin"}});
  f.h.settle();
  BOOST_TEST(again.writer.is_answer(200, "encoded"));
  BOOST_TEST(f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}}).writer.is_hit());
  const std::size_t asked = f.h.upstream.calls();
  f.h.ask({.headers = {{"Accept-Encoding", "identity"}}});
  BOOST_TEST(f.h.upstream.calls() == asked + 1);
}

BOOST_AUTO_TEST_CASE(nor_does_a_validation_that_names_the_coding_take_what_else_it_varies_by) {
  Fixture f;
  const auto ask = [&](const char* language) -> Client& {
    return f.h.ask({.headers = {{"Accept-Encoding", "gzip"}, {"Accept-Language", language}}});
  };
  ask("de");
  f.h.upstream.last().respond(200,
                              {{"Cache-Control", "max-age=60"},
                               {"Content-Type", "text/plain"},
                               {"ETag", "\"1\""},
                               {"Vary", "Accept-Language"},
                               {"Content-Encoding", "gzip"}},
                              "deutsch");
  f.h.settle();
  f.h.advance(Millis{61'000});
  ask("de");
  f.h.upstream.last().respond(304, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"Content-Encoding", "gzip"}});
  f.h.settle();
  BOOST_TEST(ask("de").writer.is_hit());
  const std::size_t asked = f.h.upstream.calls();
  ask("en");
  BOOST_TEST(f.h.upstream.calls() == asked + 1);
}

// Many origins have one weak tag for all codings, and say by a 304 that a client has the right page in any.
BOOST_AUTO_TEST_CASE(what_a_client_does_not_accept_is_not_asked_about) {
  Fixture f;
  const Lines response = {{"Cache-Control", "max-age=60"},
                          {"Content-Type", "text/plain"},
                          {"ETag", "W/\"1\""},
                          {"Vary", "Accept-Encoding"},
                          {"Content-Encoding", "gzip"}};
  f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}});
  f.h.upstream.last().respond(200, response, "encoded");
  f.h.settle();
  f.h.ask({.headers = {{"Accept-Encoding", "identity"}}});
  BOOST_TEST(!f.h.upstream.last().field("If-None-Match"));
  f.h.ask({.headers = {{"Accept-Encoding", "gzip, br"}}});
  BOOST_TEST(f.h.upstream.last().field("If-None-Match").value_or("") == "W/\"1\"");
}

BOOST_AUTO_TEST_CASE(what_a_client_likes_best_still_chooses_the_form) {
  Fixture f;
  f.h.store_object(kResponse, kText);
  const auto ask = [&](const char* accepted) -> Client& {
    return f.h.ask({.headers = {{"Accept-Encoding", accepted}}});
  };
  ask("br, gzip");
  ask("br;q=0.1, gzip");
  f.work();
  BOOST_TEST(ask("br, gzip").writer.field("Content-Encoding") == "br");
  BOOST_TEST(ask("br;q=0.1, gzip").writer.field("Content-Encoding") == "gzip");
  BOOST_TEST(ask("br;q=0.1, identity;q=0.2").writer.is_answer(200, kText));
}

BOOST_AUTO_TEST_CASE(also_after_a_reload_while_it_waited) {
  Fixture f;
  f.ask({});
  const Client& waits = f.h.ask({.headers = {{"Accept-Encoding", "br;q=0.1, gzip"}}});
  const proxy::Router& before = *f.h.context(0).router;
  for (std::uint32_t w = 0; w < f.h.workers(); ++w) {
    f.h.context(w).router = f.h.guards.make_router({before.origins().front().name}, 0);
  }
  cache::Object::Init init = f.describe();
  init.parts.push_back({.first = 0, .size = kText.size(), .slices = {Slice::copy_of(&f.h.store.budget(), kText)}});
  BOOST_REQUIRE(f.h.store.insert(cache::Object::create(f.h.store.budget(), std::move(init))));
  f.h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "for one");
  f.h.settle();
  BOOST_TEST(waits.writer.is_answer(200, kText));
  BOOST_REQUIRE(f.encoder.jobs.size() == 1U);
  BOOST_TEST((f.encoder.jobs[0].coding == http::Coding::kGzip));
}

BOOST_AUTO_TEST_CASE(what_the_cache_does_not_answer_goes_as_it_came) {
  Fixture f;
  f.h.ask({.headers = {{"Accept-Encoding", "br, deflate;q=0.1"}}, .method = "POST"});
  BOOST_TEST(f.h.upstream.last().field("Accept-Encoding").value_or("") == "br, deflate;q=0.1");
  f.h.upstream.last().respond(204, {});
  f.h.settle();
  Harness plain;
  plain.ask({.headers = {{"Accept-Encoding", "br, deflate;q=0.1"}}});
  BOOST_TEST(plain.upstream.last().field("Accept-Encoding").value_or("") == "br, deflate;q=0.1");
  plain.upstream.last().respond(200, kNegotiated, kText);
  plain.settle();
}

// As before the route encoded.
void store_for(Harness& h, const char* accepted, const Lines& response) {
  cache::Object::Init init;
  policy::append_key(init.key, "http", "example.com", "/a");
  init.hash = policy::hash_key(init.key);
  init.headers = header_map(response);
  init.freshness = {.response_time = h.clock.wall_now(), .lifetime = Seconds{60}};
  init.vary = policy::parse_vary(init.headers);
  policy::append_selecting_values(init.vary, header_map({{"Accept-Encoding", accepted}}), init.selecting_values);
  init.complete_length = kText.size();
  init.parts.push_back({.first = 0, .size = kText.size(), .slices = {Slice::copy_of(&h.store.budget(), kText)}});
  BOOST_REQUIRE(h.store.insert(cache::Object::create(h.store.budget(), std::move(init))));
}

BOOST_AUTO_TEST_CASE(variants_of_before_are_found) {
  Fixture f;
  store_for(f.h, "gzip, deflate, br", negotiated("br"));
  const Ask wanted{.headers = {{"Accept-Encoding", "br, gzip;q=0.5"}}};
  BOOST_TEST(f.h.ask(wanted).writer.is_hit());
  BOOST_TEST(f.h.ask(wanted).writer.is_answer(200, kText));

  f.h.advance(Millis{61'000});
  Client& late = f.h.ask(wanted);
  BOOST_TEST(f.h.upstream.last().field("If-None-Match").value_or("") == "\"n\"");
  BOOST_TEST(f.h.upstream.last().field("Accept-Encoding").value_or("") == "gzip, br");
  f.h.upstream.last().respond(304, {{"ETag", "\"n\""}, {"Cache-Control", "max-age=60"}});
  f.h.settle();
  BOOST_TEST(late.writer.is_answer(200, kText));
  BOOST_TEST(f.h.ask(wanted).writer.is_hit());
  BOOST_TEST(f.h.upstream.calls() == 1U);
}

BOOST_AUTO_TEST_CASE(but_not_in_a_coding_that_the_client_may_not_accept) {
  Fixture f;
  store_for(f.h, "gzip, deflate", negotiated("deflate"));
  Client& client = f.h.ask({.headers = {{"Accept-Encoding", "gzip"}}});
  BOOST_TEST(!client.writer.is_hit());
  f.h.upstream.last().respond(200, negotiated("gzip"), "encoded");
  f.h.settle();
  BOOST_TEST(client.writer.is_answer(200, "encoded"));
}

BOOST_AUTO_TEST_CASE(a_variant_of_before_goes_when_its_successor_may_not_be_stored) {
  Fixture f;
  store_for(f.h, "gzip, deflate", negotiated("gzip"));
  f.h.advance(Millis{61'000});
  f.ask({});
  f.h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "new");
  f.h.settle();
  BOOST_TEST(!f.h.is_stored());
}

BOOST_AUTO_TEST_CASE(the_origins_vary_is_not_said_twice) {
  Fixture f;
  Lines response = kResponse;
  response.emplace_back("Vary", "accept-encoding");
  Client& first = f.ask({});
  f.h.upstream.last().respond(200, response, kText);
  f.h.settle();
  BOOST_TEST(first.writer.fields.count(http::Field::kVary) == 1U);
  f.ask({});
  f.work();
  Client& client = f.ask({});
  BOOST_TEST(client.writer.field("Content-Encoding") == "gzip");
  BOOST_TEST(client.writer.fields.count(http::Field::kVary) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
