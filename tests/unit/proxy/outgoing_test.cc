// What an origin is sent of a client's request.
#include "proxy/outgoing.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

namespace seawall::proxy {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

http::RequestHead request_of(const Lines& lines) {
  http::RequestHead head;
  head.method_name = "GET";
  head.scheme = "http";
  head.authority = "shop.example.com";
  head.path = "/a?b";
  for (const auto& [name, value] : lines) head.headers.add(name, value);
  return head;
}

struct Row {
  const char* name;
  Lines lines;
  const char* field;
  const char* sent;  // null: absent
  Conditions conditions = Conditions::kKeep;
  const char* client_ip = "192.0.2.1";
};

BOOST_AUTO_TEST_SUITE(proxy_outgoing)

BOOST_AUTO_TEST_CASE(fields_are_written_anew) {
  const std::vector<Row> rows = {
      {"Host is the client's", {{"Host", "SHOP.example.com:80"}}, "Host", "shop.example.com"},
      {"one Via", {}, "Via", "1.1 seawall"},
      {"Via is added to", {{"Via", "1.0 other"}}, "Via", "1.0 other, 1.1 seawall"},
      {"Forwarded", {}, "Forwarded", "for=192.0.2.1;proto=http;host=\"shop.example.com\""},
      {"Forwarded of IPv6",
       {},
       "Forwarded",
       "for=\"[2001:db8::1]\";proto=http;host=\"shop.example.com\"",
       Conditions::kKeep,
       "2001:db8::1"},
      {"Forwarded is added to",
       {{"Forwarded", "for=a"}},
       "Forwarded",
       "for=a, for=192.0.2.1;proto=http;host=\"shop.example.com\""},
      {"X-Forwarded-For", {{"X-Forwarded-For", "a"}, {"X-Forwarded-For", "b"}}, "X-Forwarded-For", "a, b, 192.0.2.1"},
      {"X-Forwarded-Proto is not the client's", {{"X-Forwarded-Proto", "https"}}, "X-Forwarded-Proto", "http"},
      {"X-Forwarded-Host is not the client's", {{"X-Forwarded-Host", "evil"}}, "X-Forwarded-Host", "shop.example.com"},
      {"Connection goes", {{"Connection", "keep-alive"}}, "Connection", nullptr},
      {"what it names goes", {{"Connection", "x-secret"}, {"X-Secret", "1"}}, "X-Secret", nullptr},
      {"Transfer-Encoding goes", {{"Transfer-Encoding", "chunked"}}, "Transfer-Encoding", nullptr},
      {"Content-Length goes", {{"Content-Length", "5"}}, "Content-Length", nullptr},
      {"TE goes", {{"TE", "trailers"}}, "TE", nullptr},
      {"Expect goes", {{"Expect", "100-continue"}}, "Expect", nullptr},
      {"Upgrade goes", {{"Upgrade", "h2c"}}, "Upgrade", nullptr},
      {"Max-Forwards counts down", {{"Max-Forwards", "5"}}, "Max-Forwards", "4"},
      {"Max-Forwards not below zero", {{"Max-Forwards", "0"}}, "Max-Forwards", "0"},
      {"Max-Forwards of nonsense stays", {{"Max-Forwards", "x"}}, "Max-Forwards", "x"},
      {"others stay", {{"X-Any", "1"}}, "X-Any", "1"},
      {"all lines of them", {{"Cookie", "a"}, {"Cookie", "b"}}, "Cookie", "a, b"},
      {"conditions stay", {{"If-None-Match", "\"1\""}}, "If-None-Match", "\"1\""},
      {"conditions go for a fetch", {{"If-None-Match", "\"1\""}}, "If-None-Match", nullptr, Conditions::kRemove},
      {"a range stays", {{"Range", "bytes=0-1"}}, "Range", "bytes=0-1"},
      {"a range goes for a fetch", {{"Range", "bytes=0-1"}}, "Range", nullptr, Conditions::kRemove},
  };
  const Origin origin{.name = "o", .authority = "origin.test"};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto out = make_outgoing(request_of(row.lines), origin, row.client_ip, row.conditions);
      BOOST_TEST(out.target == "/a?b");
      const auto sent = out.headers.combined(row.field);
      BOOST_TEST(sent.has_value() == (row.sent != nullptr));
      if (sent && row.sent) BOOST_TEST(*sent == row.sent);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_host_is_the_origins_where_it_wants_that_or_the_client_named_none) {
  http::RequestHead request = request_of({});
  const Origin own{.authority = "origin.test:8080", .host_policy = HostPolicy::kOrigin};
  BOOST_TEST(make_outgoing(request, own, "192.0.2.1", Conditions::kKeep).headers.combined("Host").value() ==
             "origin.test:8080");
  request.authority.clear();
  request.headers.add("X-Forwarded-Host", "evil");
  const auto out = make_outgoing(request, {.authority = "origin.test"}, "192.0.2.1", Conditions::kKeep);
  BOOST_TEST(out.headers.combined("Host").value() == "origin.test");
  BOOST_TEST(!out.headers.contains("X-Forwarded-Host"));
  BOOST_TEST(out.headers.find("Forwarded").value() == "for=192.0.2.1;proto=http");
}

BOOST_AUTO_TEST_CASE(http_1_0_is_told_as_such) {
  http::RequestHead request = request_of({});
  request.version = http::Version::kHttp10;
  BOOST_TEST(make_outgoing(request, {}, "192.0.2.1", Conditions::kKeep).headers.find("Via").value() == "1.0 seawall");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
