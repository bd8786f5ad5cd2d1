// What an origin is sent of a client's request.
#include "proxy/outgoing.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

#include "net/proxy_protocol.h"
#include "net/tls_server.h"

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

const std::vector<net::Network> kNetworks = {*net::Network::parse("10.0.0.0/8")};

Hop hop_from(std::string_view ip) {
  return {.peer_ip = ip, .scheme = "http", .trusted = {.networks = kNetworks, .has_unix = true}};
}

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
      {"Forwarded is not the client's",
       {{"Forwarded", "for=192.0.2.9"}},
       "Forwarded",
       "for=192.0.2.1;proto=http;host=\"shop.example.com\""},
      {"X-Forwarded-For", {}, "X-Forwarded-For", "192.0.2.1"},
      {"X-Forwarded-For is not the client's",
       {{"X-Forwarded-For", "192.0.2.9"}, {"X-Forwarded-For", "b"}},
       "X-Forwarded-For",
       "192.0.2.1"},
      {"X-Forwarded-Port is not the client's", {{"X-Forwarded-Port", "443"}}, "X-Forwarded-Port", nullptr},
      {"X-Forwarded-Server is not the client's", {{"X-Forwarded-Server", "evil"}}, "X-Forwarded-Server", nullptr},
      {"nor in other letters", {{"x_forwarded_for", "192.0.2.9"}}, "x_forwarded_for", nullptr},
      {"X-Real-IP is not the client's", {{"X-Real-IP", "192.0.2.9"}}, "X-Real-IP", nullptr},
      {"nor in other letters", {{"X_Real_IP", "192.0.2.9"}}, "X_Real_IP", nullptr},
      {"Client-Cert is not the client's", {{"Client-Cert", ":AAAA:"}}, "Client-Cert", nullptr},
      {"nor in other letters", {{"X_SSL_Client_Verify", "SUCCESS"}}, "X_SSL_Client_Verify", nullptr},
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
      const auto out = make_outgoing(request_of(row.lines), origin, hop_from(row.client_ip), row.conditions);
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
  BOOST_TEST(make_outgoing(request, own, hop_from("192.0.2.1"), Conditions::kKeep).headers.combined("Host").value() ==
             "origin.test:8080");
  request.authority.clear();
  request.headers.add("X-Forwarded-Host", "evil");
  const auto out = make_outgoing(request, {.authority = "origin.test"}, hop_from("192.0.2.1"), Conditions::kKeep);
  BOOST_TEST(out.headers.combined("Host").value() == "origin.test");
  BOOST_TEST(!out.headers.contains("X-Forwarded-Host"));
  BOOST_TEST(out.headers.find("Forwarded").value() == "for=192.0.2.1;proto=http");
}

BOOST_AUTO_TEST_CASE(http_1_0_is_told_as_such) {
  http::RequestHead request = request_of({});
  request.version = http::Version::kHttp10;
  BOOST_TEST(make_outgoing(request, {}, hop_from("192.0.2.1"), Conditions::kKeep).headers.find("Via").value() ==
             "1.0 seawall");
}

BOOST_AUTO_TEST_CASE(what_a_trusted_proxy_sends_is_kept_and_added_to) {
  const std::string own = "for=10.0.0.1;proto=http;host=\"shop.example.com\"";
  const std::vector<Row> rows = {
      {"Forwarded", {{"Forwarded", "for=192.0.2.9;proto=https"}}, "Forwarded", "for=192.0.2.9;proto=https, OWN"},
      {"X-Forwarded-For",
       {{"X-Forwarded-For", "a"}, {"X-Forwarded-For", "192.0.2.9"}},
       "X-Forwarded-For",
       "a, 192.0.2.9, 10.0.0.1"},
      {"X-Forwarded-For anew", {}, "X-Forwarded-For", "10.0.0.1"},
      {"X-Forwarded-Host", {{"X-Forwarded-Host", "front.test"}}, "X-Forwarded-Host", "front.test"},
      {"X-Forwarded-Host anew", {}, "X-Forwarded-Host", "shop.example.com"},
      {"X-Forwarded-Port", {{"X-Forwarded-Port", "443"}}, "X-Forwarded-Port", "443"},
      {"X-Forwarded-Server", {{"X-Forwarded-Server", "front"}}, "X-Forwarded-Server", "front"},
      {"X-Real-IP", {{"X-Real-IP", "192.0.2.9"}}, "X-Real-IP", "192.0.2.9"},
      {"X-Real-IP of another client goes",
       {{"X-Real-IP", "192.0.2.8"}, {"X-Forwarded-For", "192.0.2.9"}},
       "X-Real-IP",
       nullptr},
      // A proxy writes none of these: they are its client's.
      {"X_Forwarded_For", {{"X_Forwarded_For", "192.0.2.9"}}, "X_Forwarded_For", nullptr},
      {"X-Forwarded_Proto", {{"X-Forwarded_Proto", "https"}}, "X-Forwarded_Proto", nullptr},
      {"X_Real_IP", {{"X_Real_IP", "192.0.2.9"}}, "X_Real_IP", nullptr},
      {"a Forwarded of the same client",
       {{"Forwarded", "for=192.0.2.9"}, {"X-Forwarded-For", "192.0.2.9"}},
       "Forwarded",
       "for=192.0.2.9, OWN"},
      {"a Forwarded of another client goes",
       {{"Forwarded", "for=192.0.2.8"}, {"X-Forwarded-For", "192.0.2.9"}},
       "Forwarded",
       "OWN"},
      {"a malformed Forwarded goes", {{"Forwarded", "for=\"x, for=192.0.2.9"}}, "Forwarded", "OWN"},
      {"Client-Cert goes all the same", {{"Client-Cert", ":AAAA:"}}, "Client-Cert", nullptr},
      // A Unix socket has no address that another proxy could read over.
      {"Forwarded of a Unix socket",
       {{"Forwarded", "for=192.0.2.9"}},
       "Forwarded",
       "for=192.0.2.9, for=_unix;proto=http;host=\"shop.example.com\"",
       Conditions::kKeep,
       "unix"},
      {"X-Forwarded-For of a Unix socket",
       {{"X-Forwarded-For", "192.0.2.9"}},
       "X-Forwarded-For",
       "192.0.2.9",
       Conditions::kKeep,
       "unix"},
      {"X-Forwarded-For of a Unix socket, anew", {}, "X-Forwarded-For", nullptr, Conditions::kKeep, "unix"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const char* peer = row.client_ip == std::string("unix") ? "unix" : "10.0.0.1";
      const auto out = make_outgoing(request_of(row.lines), {}, hop_from(peer), row.conditions);
      const auto sent = out.headers.combined(row.field);
      BOOST_TEST(sent.has_value() == (row.sent != nullptr));
      if (!sent || !row.sent) continue;
      std::string want = row.sent;
      if (const std::size_t at = want.find("OWN"); at != std::string::npos) want.replace(at, 3, own);
      BOOST_TEST(*sent == want);
    }
  }
  // The scheme that was told is the request's, and what is said of this hop is this hop's.
  http::RequestHead request = request_of({{"X-Forwarded-For", "192.0.2.9"}, {"X-Forwarded-Proto", "https"}});
  request.scheme = "https";
  const auto out = make_outgoing(request, {}, hop_from("10.0.0.1"), Conditions::kKeep);
  BOOST_TEST(out.headers.combined("X-Forwarded-Proto").value() == "https");
  BOOST_TEST(out.headers.find("Forwarded").value() == own);
}

BOOST_AUTO_TEST_CASE(the_certificate_of_a_client_is_told) {
  net::ClientCertificate shown{
      .verification = "SUCCESS", .subject = "CN=client\r\nX-Evil: 1,O=\xC3\xA9", .fingerprint = "00ff", .der = {}};
  ClientTls tls;
  const auto show = [&] { tls.certificate_fields = std::make_unique<http::HeaderMap>(certificate_fields(shown)); };
  show();
  const http::RequestHead request = request_of({{"Client-Cert", ":evil:"}, {"X-SSL-Client-Verify", "SUCCESS"}});
  Hop hop = hop_from("192.0.2.1");
  const auto sent = [&](const char* field) {
    return make_outgoing(request, {}, hop, Conditions::kKeep).headers.combined(field).value_or("-");
  };
  // Not under TLS, or not to be told.
  for (const ClientTls* known : {static_cast<const ClientTls*>(nullptr), static_cast<const ClientTls*>(&tls)}) {
    hop.tls = known;
    hop.tells_certificate = known == nullptr;
    BOOST_TEST(sent("Client-Cert") == "-");
    BOOST_TEST(sent("X-SSL-Client-Verify") == "-");
  }
  hop.tells_certificate = true;
  BOOST_TEST(sent("X-SSL-Client-Verify") == "SUCCESS");
  BOOST_TEST(sent("X-SSL-Client-S-DN") == "CN=client??X-Evil: 1,O=\xC3\xA9");
  BOOST_TEST(sent("X-SSL-Client-Fingerprint") == "00ff");
  // RFC 4648 section 10.
  const std::pair<const char*, const char*> vectors[] = {
      {"f", ":Zg==:"},         {"fo", ":Zm8=:"},         {"foo", ":Zm9v:"},      {"foob", ":Zm9vYg==:"},
      {"fooba", ":Zm9vYmE=:"}, {"foobar", ":Zm9vYmFy:"}, {"\xFB\xFF", ":+/8=:"},
  };
  for (const auto& [der, want] : vectors) {
    shown.der = der;
    show();
    BOOST_TEST(sent("Client-Cert") == want);
  }
  shown.verification = "FAILED:certificate has expired";
  show();
  BOOST_TEST(sent("X-SSL-Client-Verify") == "FAILED:certificate has expired");
  BOOST_TEST(sent("Client-Cert") == "-");
  // It has shown none; or was not asked for it when it came.
  shown = {};
  show();
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(sent("X-SSL-Client-Verify") == "NONE");
    BOOST_TEST(sent("X-SSL-Client-S-DN") == "-");
    tls.certificate_fields = nullptr;
  }
}

// Of a client whose TLS ends at a proxy.
BOOST_AUTO_TEST_CASE(the_certificate_that_a_proxy_tells_of_is_told) {
  struct ToldRow {
    const char* name;
    net::ProxySsl told;
    const char* verify;
    const char* subject = "-";
  };
  const ToldRow rows[] = {
      {"none", {.is_tls = true}, "NONE"},
      {"none, and a name all the same", {.is_tls = true, .common_name = "admin"}, "NONE"},
      {"good", {.is_tls = true, .has_certificate = true}, "SUCCESS"},
      {"of the session", {.is_tls = true, .has_session_certificate = true, .common_name = "a"}, "SUCCESS", "CN=a"},
      {"bad", {.is_tls = true, .has_certificate = true, .verify = 10, .common_name = "a"}, "FAILED:error 10", "CN=a"},
      {"a name that would be two attributes",
       {.is_tls = true, .has_certificate = true, .common_name = "a,O=b+C=\"d\"\\;<>"},
       "SUCCESS",
       "CN=a\\,O=b\\+C=\\\"d\\\"\\\\\\;\\<\\>"},
      {"a name that would be a line",
       {.is_tls = true, .has_certificate = true, .common_name = " #\r\nX: \xC3\xA9 "},
       "SUCCESS",
       "CN=\\ #\\0D\\0AX: \\C3\\A9\\ "},
      {"a number sign", {.is_tls = true, .has_certificate = true, .common_name = "#05"}, "SUCCESS", "CN=\\#05"},
  };
  const http::RequestHead request =
      request_of({{"Client-Cert", ":evil:"}, {"X-SSL-Client-Verify", "SUCCESS"}, {"x_ssl_client_s_dn", "CN=evil"}});
  for (const ToldRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const http::HeaderMap fields = certificate_fields(row.told);
      Hop hop = hop_from("192.0.2.1");
      hop.told_certificate = &fields;
      const auto out = make_outgoing(request, {}, hop, Conditions::kKeep);
      BOOST_TEST(out.headers.combined("X-SSL-Client-Verify").value_or("-") == row.verify);
      BOOST_TEST(out.headers.combined("X-SSL-Client-S-DN").value_or("-") == row.subject);
      for (const char* name : {"Client-Cert", "X-SSL-Client-Fingerprint", "x_ssl_client_s_dn"}) {
        BOOST_TEST(!out.headers.contains(name), name);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
