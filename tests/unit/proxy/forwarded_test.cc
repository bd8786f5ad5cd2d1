// Whom a request is from, as far as proxies in front are believed, and what an origin is told of it.
#include "proxy/forwarded.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

#include "http/uri.h"

namespace seawall::proxy {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

http::HeaderMap headers_of(const Lines& lines) {
  http::HeaderMap headers;
  for (const auto& [name, value] : lines) headers.add(name, value);
  return headers;
}

const std::vector<net::Network> kNetworks = {*net::Network::parse("10.0.0.0/8"), *net::Network::parse("fd00::/8")};
const TrustedProxies kTrusted{.networks = kNetworks, .has_unix = true};
constexpr std::string_view kProxy = "10.0.0.1";

std::string times(std::size_t n, const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += text;
  return out;
}

std::string brief(const ForwardedClient& client) {
  return std::string(client.ip.view()) + (client.scheme.empty() ? "" : " " + std::string(client.scheme));
}

struct Row {
  const char* name;
  Lines lines;
  std::string want;  // "ip scheme"
  std::string_view peer = kProxy;
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(brief(find_forwarded(headers_of(row.lines), row.peer, kTrusted)) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE(proxy_forwarded)

BOOST_AUTO_TEST_CASE(x_forwarded_for) {
  check({
      {"one", {{"X-Forwarded-For", "192.0.2.1"}}, "192.0.2.1"},
      {"of a peer that is not trusted", {{"X-Forwarded-For", "192.0.2.1"}}, "", "192.0.2.9"},
      {"of a peer on a Unix socket", {{"X-Forwarded-For", "192.0.2.1"}}, "192.0.2.1", "unix"},
      {"what the client invented", {{"X-Forwarded-For", "10.0.0.9, 127.0.0.1, 192.0.2.1"}}, "192.0.2.1"},
      {"over trusted proxies", {{"X-Forwarded-For", "192.0.2.1, 10.0.0.3, 10.0.0.2"}}, "192.0.2.1"},
      {"all trusted", {{"X-Forwarded-For", "10.0.0.4, 10.0.0.3"}}, "10.0.0.4"},
      {"in two lines", {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-For", "192.0.2.1,10.0.0.2"}}, "192.0.2.1"},
      {"with empty elements", {{"X-Forwarded-For", ", 192.0.2.1 ,, 10.0.0.2,"}}, "192.0.2.1"},
      {"nothing", {{"X-Forwarded-For", " , "}}, ""},
      {"with a port", {{"X-Forwarded-For", "192.0.2.1:5678"}}, "192.0.2.1"},
      {"IPv6", {{"X-Forwarded-For", "2001:DB8:0::1"}}, "2001:db8::1"},
      {"IPv6 in brackets", {{"X-Forwarded-For", "[2001:db8::1]"}}, "2001:db8::1"},
      {"IPv6 with a port", {{"X-Forwarded-For", "[2001:db8::1]:80, fd00::7"}}, "2001:db8::1"},
      {"IPv4 in IPv6", {{"X-Forwarded-For", "::ffff:192.0.2.1, ::ffff:10.0.0.2"}}, "192.0.2.1"},
      {"unknown", {{"X-Forwarded-For", "unknown"}}, ""},
      {"the last good one", {{"X-Forwarded-For", "192.0.2.1, unknown, 10.0.0.2"}}, "10.0.0.2"},
      {"a name", {{"X-Forwarded-For", "client.test, 10.0.0.2"}}, "10.0.0.2"},
      {"every address", {{"X-Forwarded-For", "*"}}, ""},
      {"a port alone", {{"X-Forwarded-For", ":80"}}, ""},
      {"a port of nothing", {{"X-Forwarded-For", "192.0.2.1:"}}, ""},
      {"brackets left open", {{"X-Forwarded-For", "[2001:db8::1"}}, ""},
      {"brackets around IPv4", {{"X-Forwarded-For", "[192.0.2.1]"}}, ""},
      {"something behind brackets", {{"X-Forwarded-For", "[2001:db8::1]x"}}, ""},
      {"a zone", {{"X-Forwarded-For", "fe80::1%eth0"}}, ""},
      {"leading zeros", {{"X-Forwarded-For", "192.0.2.01"}}, ""},
      {"as far as the chain is followed",
       {{"X-Forwarded-For", "192.0.2.1, " + times(31, "10.0.0.2, ") + "10.0.0.3"}},
       "10.0.0.2"},
      {"just so long", {{"X-Forwarded-For", "192.0.2.1, " + times(30, "10.0.0.2, ") + "10.0.0.3"}}, "192.0.2.1"},
      {"the field of another name", {{"X_Forwarded_For", "192.0.2.1"}}, ""},
  });
}

BOOST_AUTO_TEST_CASE(forwarded) {
  check({
      {"one", {{"Forwarded", "for=192.0.2.1"}}, "192.0.2.1"},
      {"of a peer that is not trusted", {{"Forwarded", "for=192.0.2.1;proto=https"}}, "", "192.0.2.9"},
      {"with all that there may be",
       {{"Forwarded", "By=_x; FOR=\"192.0.2.1:_port\" ;host=\"a,b;c\";Proto=HTTPS;ext=\"\\\"\""}},
       "192.0.2.1 https"},
      {"IPv6", {{"Forwarded", "for=\"[2001:db8::1]\""}}, "2001:db8::1"},
      {"IPv6 with a port", {{"Forwarded", "for=\"[2001:db8::1]:4711\";proto=http"}}, "2001:db8::1 http"},
      {"over trusted proxies",
       {{"Forwarded", "for=127.0.0.1;proto=http, for=192.0.2.1;proto=https, for=10.0.0.2;proto=http"}},
       "192.0.2.1 https"},
      {"in two lines",
       {{"Forwarded", "for=127.0.0.1, for=192.0.2.1"}, {"Forwarded", "for=\"[fd00::1]\";by=\"a, b\""}},
       "192.0.2.1"},
      {"all trusted", {{"Forwarded", "for=10.0.0.4;proto=https, for=10.0.0.3"}}, "10.0.0.4 https"},
      {"hidden", {{"Forwarded", "for=_hidden"}}, ""},
      {"unknown", {{"Forwarded", "for=192.0.2.1, for=unknown, for=10.0.0.2"}}, "10.0.0.2"},
      {"without for", {{"Forwarded", "for=192.0.2.1, proto=https"}}, ""},
      {"two of them", {{"Forwarded", "for=192.0.2.1;for=192.0.2.2"}}, ""},
      {"two schemes", {{"Forwarded", "for=192.0.2.1;proto=http;proto=https"}}, ""},
      {"another scheme", {{"Forwarded", "for=192.0.2.1;proto=gopher"}}, "192.0.2.1"},
      {"no pair", {{"Forwarded", "192.0.2.1"}}, ""},
      {"no value", {{"Forwarded", "for="}}, ""},
      {"an address that must be quoted", {{"Forwarded", "for=[2001:db8::1]"}}, ""},
      {"spaces around the sign", {{"Forwarded", "for = 192.0.2.1"}}, ""},
      // The proxy's element stays its own, whatever the client has left open in front of it.
      {"an open quote", {{"Forwarded", "for=\"x, for=192.0.2.1"}}, "192.0.2.1"},
      {"an open quote, and quotes", {{"Forwarded", "for=\"x, for=\"[2001:db8::1]\""}}, "2001:db8::1"},
      {"an open quote, and commas in quotes", {{"Forwarded", "for=\"x, for=192.0.2.1;host=\"a,b\""}}, "192.0.2.1"},
      {"an open escape", {{"Forwarded", "for=\"x\\, for=\"192.0.2.1\""}}, "192.0.2.1"},
      {"an open quote of the client's, over a proxy", {{"Forwarded", "for=\"x, for=10.0.0.2"}}, "10.0.0.2"},
      {"escapes at the end of a quote", {{"Forwarded", "for=192.0.2.1, for=10.0.0.2;x=\"a\\\\\""}}, "192.0.2.1"},
      {"as far as the chain is followed", {{"Forwarded", "for=192.0.2.1, " + times(32, "for=10.0.0.2, ")}}, "10.0.0.2"},
  });
}

BOOST_AUTO_TEST_CASE(schemes) {
  check({
      {"alone", {{"X-Forwarded-Proto", "https"}}, " https"},
      {"alone, of a peer that is not trusted", {{"X-Forwarded-Proto", "https"}}, "", "192.0.2.9"},
      {"in capitals", {{"X-Forwarded-Proto", "HTTPS"}}, " https"},
      {"of the kind that there is not", {{"X-Forwarded-Proto", "wss"}}, ""},
      {"nothing", {{"X-Forwarded-Proto", ","}}, ""},
      {"of the chain", {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}}, "192.0.2.1 https"},
      {"one for each hop",
       {{"X-Forwarded-For", "192.0.2.1, 10.0.0.2"}, {"X-Forwarded-Proto", "https, http"}},
       "192.0.2.1 https"},
      {"one for each hop, some invented",
       {{"X-Forwarded-For", "127.0.0.1, 192.0.2.1"}, {"X-Forwarded-Proto", "https, http"}},
       "192.0.2.1 http"},
      {"of the nearest proxy when they do not match",
       {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https, http"}},
       "192.0.2.1 http"},
      {"one for all", {{"X-Forwarded-For", "192.0.2.1, 10.0.0.2"}, {"X-Forwarded-Proto", "https"}}, "192.0.2.1 https"},
      {"with a chain that says nothing", {{"X-Forwarded-For", "unknown"}, {"X-Forwarded-Proto", "https"}}, " https"},
      {"beside Forwarded", {{"Forwarded", "for=192.0.2.1"}, {"X-Forwarded-Proto", "https"}}, "192.0.2.1 https"},
      {"against Forwarded",
       {{"Forwarded", "for=192.0.2.1;proto=http"}, {"X-Forwarded-Proto", "https"}},
       "192.0.2.1 http"},
  });
}

BOOST_AUTO_TEST_CASE(both_families) {
  check({
      {"agreed", {{"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=192.0.2.1"}}, "192.0.2.1"},
      {"a Forwarded that a proxy handed on",
       {{"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=10.9.9.9"}},
       "192.0.2.1"},
      {"its scheme counts for nothing, even when the client knows who it is",
       {{"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=192.0.2.1;proto=https"}},
       "192.0.2.1"},
      {"a chain that says nothing hides nobody", {{"X-Forwarded-For", "unknown"}, {"Forwarded", "for=10.9.9.9"}}, ""},
  });
}

BOOST_AUTO_TEST_CASE(nobody_is_trusted_by_default) {
  const auto headers = headers_of({{"X-Forwarded-For", "192.0.2.1"}, {"Forwarded", "for=192.0.2.1"}});
  for (const char* peer : {"127.0.0.1", "::1", "unix", "10.0.0.1"}) {
    BOOST_TEST(brief(find_forwarded(headers, peer, {})) == "", peer);
    BOOST_TEST(!TrustedProxies().contains(peer), peer);
  }
  BOOST_TEST(TrustedProxies().empty());
  BOOST_TEST(!(TrustedProxies{.networks = kNetworks}.contains("unix")));
  BOOST_TEST(!(TrustedProxies{.networks = {}, .has_unix = true}.empty()));
}

BOOST_AUTO_TEST_CASE(the_scheme_that_was_told_becomes_the_requests) {
  struct SchemeRow {
    const char* host;
    const char* scheme;
    const char* told;
    const char* want;
  };
  const SchemeRow rows[] = {
      {"a.test", "http", "https", "a.test"},           {"A.test:443", "http", "https", "a.test"},
      {"a.test:80", "http", "https", "a.test:80"},     {"a.test:80", "https", "http", "a.test"},
      {"a.test:8080", "http", "https", "a.test:8080"}, {"a.test", "http", "http", "a.test"},
  };
  for (const SchemeRow& row : rows) {
    BOOST_TEST_CONTEXT(row.host << ", " << row.told) {
      http::RequestHead request;
      request.scheme = row.scheme;
      request.headers.add("Host", row.host);
      request.authority = *http::normalise_authority(row.host, row.scheme);
      apply_scheme(request, row.told);
      BOOST_TEST(request.scheme == row.told);
      BOOST_TEST(request.authority == row.want);
    }
  }
  // Without Host, as HTTP/2 and HTTP/1.0 allow.
  http::RequestHead request;
  request.scheme = "http";
  request.authority = "a.test:443";
  apply_scheme(request, "https");
  BOOST_TEST(request.authority == "a.test");
  request.authority.clear();
  apply_scheme(request, "http");
  BOOST_TEST(request.authority == "");
}

BOOST_AUTO_TEST_CASE(names_that_must_not_come_from_clients) {
  for (const char* name : {"Forwarded", "forwarded", "X-Forwarded-For", "x-forwarded-port", "X_Forwarded-Server",
                           "X-Forwarded", "X-Forwarded-Prefix", "X-Real-IP", "x_real_ip"}) {
    BOOST_TEST(is_forwarding_field(name), name);
  }
  for (const char* name : {"Forwarded-For", "X-Forward", "Via", "X-Real", "X-Real-IPs", ""}) {
    BOOST_TEST(!is_forwarding_field(name), name);
  }
  for (const char* name : {"Client-Cert", "client-cert-chain", "Client_Cert", "X-Client-Cert", "X-Client-Cert-Sub",
                           "X-SSL-Client-Verify", "x_ssl_client_s_dn", "X-SSL-Client-Cert"}) {
    BOOST_TEST(is_certificate_field(name), name);
  }
  for (const char* name : {"Client", "Cert", "X-SSL-Version", "Certificate", ""}) {
    BOOST_TEST(!is_certificate_field(name), name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
