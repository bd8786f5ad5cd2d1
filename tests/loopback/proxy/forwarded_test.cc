// Who asks, and by which scheme, when a trusted proxy stands in front.
#include <boost/test/unit_test.hpp>

#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

const Lines kFresh = {{"Cache-Control", "max-age=60"}};

// The client of the harness is 192.0.2.1.
struct Fixture {
  Fixture() { h.context().trusted_proxies = networks; }

  const std::vector<net::Network> networks = {*net::Network::parse("192.0.2.1")};
  const std::vector<net::Network> allowed = {*net::Network::parse("198.51.100.7"), *net::Network::parse("192.0.2.1")};
  Harness h;

  Client& ask_and_answer(const Lines& lines, std::string_view body) {
    Client& client = h.ask({.headers = lines});
    h.upstream.last().respond(200, kFresh, body);
    h.settle();
    BOOST_TEST(client.writer.is_answer(200, body));
    return client;
  }
  bool is_stored_under(std::string_view scheme) {
    std::string key;
    policy::append_key(key, scheme, "example.com", "/a");
    return !h.store.peek_all(key, policy::hash_key(key)).empty();
  }
  void forget_https() {
    std::string key;
    policy::append_key(key, "https", "example.com", "/a");
    h.store.erase_key(key, policy::hash_key(key));
  }
};

BOOST_FIXTURE_TEST_SUITE(loopback_forwarded, Fixture)

BOOST_AUTO_TEST_CASE(the_scheme_that_was_told_is_in_the_key) {
  Client& client = ask_and_answer({{"X-Forwarded-Proto", "https"}}, "secure");
  BOOST_TEST(h.upstream.last().field("X-Forwarded-Proto").value() == "https");
  BOOST_TEST(is_stored_under("https"));
  BOOST_TEST(!is_stored_under("http"));
  // The next request of the connection is one of its own.
  h.repeat(client, {});
  h.upstream.last().respond(200, kFresh, "plain");
  h.settle();
  BOOST_TEST(client.writer.is_answer(200, "plain"));
  BOOST_TEST(h.upstream.last().field("X-Forwarded-Proto").value() == "http");
  BOOST_TEST(is_stored_under("http"));
  h.repeat(client, {.headers = {{"Forwarded", "for=192.0.2.9;proto=https"}}});
  BOOST_TEST(client.writer.is_answer(200, "secure"));
  BOOST_TEST(h.upstream.calls() == 2U);
  forget_https();
}

BOOST_AUTO_TEST_CASE(nobody_is_believed_who_is_not_trusted) {
  h.context().trusted_proxies = {};
  ask_and_answer({{"X-Forwarded-Proto", "https"}, {"X-Forwarded-For", "198.51.100.7"}}, "plain");
  BOOST_TEST(h.upstream.last().field("X-Forwarded-For").value() == "192.0.2.1");
  BOOST_TEST(h.upstream.last().field("X-Forwarded-Proto").value() == "http");
  BOOST_TEST(is_stored_under("http"));
}

BOOST_AUTO_TEST_CASE(purge_is_for_the_client_that_was_found) {
  h.context().purge_from = allowed;
  const auto status_of = [&](const Lines& lines) { return h.ask({.headers = lines, .method = "PURGE"}).writer.status; };
  BOOST_TEST(status_of({}) == 200);
  BOOST_TEST(status_of({{"X-Forwarded-For", "198.51.100.7"}}) == 200);
  BOOST_TEST(status_of({{"X-Forwarded-For", "198.51.100.7, 203.0.113.1"}}) == 403);
  BOOST_TEST(status_of({{"Forwarded", "for=198.51.100.7, for=\"x, for=203.0.113.1"}}) == 403);
  BOOST_TEST(status_of({{"Forwarded", "for=192.0.2.1"}, {"X-Forwarded-For", "203.0.113.1"}}) == 403);
  h.context().trusted_proxies = {};
  h.context().purge_from = std::span(allowed).first(1);
  BOOST_TEST(status_of({{"X-Forwarded-For", "198.51.100.7"}}) == 403);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
