// TLS with clients: what is agreed on, what goes through it, and what does not get that far.
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/http2_client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kLarge = std::size_t{20} << 20;
// The beginning of a ClientHello, and no more of it.
constexpr std::string_view kHalfHello{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11};

SeawallOptions over_tls(const Site& site, SeawallOptions options = {}) {
  options.listen = {"127.0.0.1:0 tls"};
  options.tls = site.certificates() + options.tls;
  return options;
}

// Whether a handshake succeeds, and how it ended when not.
std::string handshake(const Seawall& seawall, const TlsOptions& options) {
  Socket socket = Socket::connect(seawall.address());
  return socket.start_tls(options) ? socket.tls().version() : "failed: " + socket.tls().failure();
}

BOOST_AUTO_TEST_SUITE(behave_tls)

BOOST_AUTO_TEST_CASE(requests_over_tls_are_answered_as_in_plain) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60", "ETag: \"1\""}, .body = "hello"});
  origin.on("/up", [](Exchange& x) { x.respond({.body = x.read_body()}); });
  const Site site;
  Seawall seawall(origin, over_tls(site));
  Client client(seawall, {.tls = site.client()});
  const Response miss = client.get("/a");
  BOOST_TEST(miss.status == 200, miss);
  BOOST_TEST(miss.body == "hello");
  BOOST_TEST(client.get("/a").is_hit());
  BOOST_TEST(client.request("HEAD", "/a").is_hit());
  BOOST_TEST(client.get("/a", {"If-None-Match: \"1\""}).status == 304);
  BOOST_TEST(client.get("/a", {"Range: bytes=1-3"}).body == "ell");
  BOOST_TEST(client.request("POST", "/up", {}, "sent").body == "sent");
  BOOST_TEST(client.request("POST", "/up", {"Transfer-Encoding: chunked"}, chunk("in chunks") + "0\r\n\r\n").body ==
             "in chunks");
  client.send(request_bytes("GET", "/a") + request_bytes("GET", "/a"));
  BOOST_TEST(client.read().is_hit());
  BOOST_TEST(client.read().is_hit());
  BOOST_TEST(origin.count("/a") == 1U);
  BOOST_TEST(origin.seen("/a").headers.get("X-Forwarded-Proto") == "https");
  BOOST_TEST(contains(origin.seen("/a").headers.get("Forwarded"), "proto=https"));
  client.send(request_bytes("GET", "/a", {"Connection: close"}));
  BOOST_TEST(client.read().is_hit());
  // With a close_notify.
  std::string rest;
  BOOST_TEST((client.socket().receive(rest) == Socket::Read::kEof), client.tls().failure());
}

// RFC 8446 section 6.1: a close_notify is answered with one. Who leaves without a word reads none.
BOOST_AUTO_TEST_CASE(an_idle_client_that_leaves_is_answered_in_kind) {
  Origin origin;
  origin.on("/a", Reply{.body = "hello"});
  const Site site;
  Seawall seawall(origin, over_tls(site));
  for (const bool says_so : {true, false}) {
    BOOST_TEST_CONTEXT((says_so ? "with" : "without") << " a close_notify") {
      Client client(seawall, {.tls = site.client()});
      BOOST_TEST(client.get("/a").body == "hello");
      if (says_so) {
        client.socket().half_close();
      } else {
        BOOST_TEST(::shutdown(client.socket().fd(), SHUT_WR) == 0);
      }
      std::string rest;
      const Socket::Read end = client.socket().receive(rest);
      BOOST_TEST((end == (says_so ? Socket::Read::kEof : Socket::Read::kReset)));
    }
  }
}

BOOST_AUTO_TEST_CASE(versions_and_ciphers_follow_the_policy) {
  struct Row {
    const char* tls;
    int version;  // the only one that the client speaks
    std::string ciphers;
    bool works;
  };
  constexpr const char* kForward = "ECDHE-ECDSA-AES128-GCM-SHA256";
  constexpr const char* kCbc = "ECDHE-ECDSA-AES128-SHA";
  const Row rows[] = {
      {"", TLS1_3_VERSION, "", true},
      {"", TLS1_2_VERSION, kForward, true},
      {"", TLS1_2_VERSION, kCbc, false},
      {"", TLS1_1_VERSION, "", false},
      {"", TLS1_VERSION, "", false},
      {"policy = \"modern\"", TLS1_3_VERSION, "", true},
      {"policy = \"modern\"", TLS1_2_VERSION, "", false},
      {"policy = \"intermediate\"", TLS1_2_VERSION, kForward, true},
      {"policy = \"old\"", TLS1_3_VERSION, "", true},
      {"policy = \"old\"", TLS1_2_VERSION, kCbc, true},
      {"policy = \"old\"", TLS1_1_VERSION, "", false},
      {"policy = \"old\"", TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA", false},
      {"min_version = \"1.3\"", TLS1_2_VERSION, "", false},
      {"min_version = \"1.3\"", TLS1_3_VERSION, "", true},
      {"policy = \"modern\"\nmin_version = \"1.2\"", TLS1_2_VERSION, kForward, true},
  };
  Origin origin;
  const Site site;
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.tls << ", version " << std::hex << row.version << ' ' << row.ciphers) {
      Seawall seawall(origin, over_tls(site, {.tls = row.tls}));
      TlsOptions options = site.client();
      options.min_version = options.max_version = row.version;
      options.ciphers = row.ciphers;
      const std::string result = handshake(seawall, options);
      BOOST_TEST(result.starts_with("failed") != row.works, result);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_protocol_is_chosen_by_alpn) {
  struct Row {
    std::vector<std::string> offered;
    const char* chosen;
  };
  Origin origin;
  const Site site;
  const auto chosen = [&](const Seawall& seawall, const std::vector<std::string>& offered) {
    TlsOptions options = site.client();
    options.alpn = offered;
    return Client(seawall, {.tls = options}).tls().alpn();
  };
  {
    Seawall seawall(origin, over_tls(site));
    for (const Row& row : {Row{{"h2", "http/1.1"}, "h2"},
                           {{"http/1.1", "h2"}, "h2"},
                           {{"http/1.1"}, "http/1.1"},
                           {{"spdy/3", "http/1.1"}, "http/1.1"},
                           {{"http/1.0"}, "http/1.0"},
                           {{"http/1.0", "http/1.1"}, "http/1.1"},
                           {{"h2"}, "h2"},
                           {{}, ""}}) {
      BOOST_TEST(chosen(seawall, row.offered) == row.chosen);
    }
  }
  Seawall without(origin, over_tls(site, {.http2 = "enabled = false"}));
  BOOST_TEST(chosen(without, {"h2", "http/1.1"}) == "http/1.1");
}

BOOST_AUTO_TEST_CASE(clients_of_http_1_0_are_served) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "hello"});
  const Site site;
  Seawall seawall(origin, over_tls(site));
  const std::string port = std::to_string(seawall.port());
  const CurlResponse by_curl = curl({"--http1.0", "--cacert", site.ca, "--resolve", "a.test:" + port + ":127.0.0.1",
                                     "https://a.test:" + port + "/a"});
  BOOST_TEST(by_curl.code == 0, by_curl.errors);
  BOOST_TEST(by_curl.body == "hello", by_curl);
  TlsOptions options = site.client();
  options.alpn = {"http/1.0"};
  Client client(seawall, {.tls = options});
  client.send("GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n");
  BOOST_TEST(client.read().body == "hello");
}

BOOST_AUTO_TEST_CASE(openssl_is_content, *boost::unit_test::precondition(Needs{{"openssl"}})) {
  Origin origin;
  origin.on("/a", Reply{.body = "hello from the origin"});
  const Site site;
  Seawall seawall(origin, over_tls(site));
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const Outcome outcome =
        run({"openssl", "s_client", "-connect", seawall.address(), "-servername", "a.test", "-verify_hostname",
             "a.test", "-CAfile", site.ca, "-verify_return_error", "-ign_eof", version},
            request_bytes("GET", "/a", {"Connection: close"}));
    BOOST_TEST(outcome.code == 0, outcome.output);
    for (const char* part : {"Verify return code: 0 (ok)", "hello from the origin", "HTTP/1.1 200"})
      BOOST_TEST(contains(outcome.output, part), part << " in:\n" << outcome.output);
  }
  // RFC 5746, and CVE-2011-1473: nobody renegotiates.
  const Outcome again =
      run({"openssl", "s_client", "-connect", seawall.address(), "-tls1_2", "-CAfile", site.ca}, "R\n");
  BOOST_TEST(contains(again.output, "RENEGOTIATING"), again.output);
  BOOST_TEST(contains(again.output, "no renegotiation"), again.output);
}

BOOST_AUTO_TEST_CASE(sessions_are_resumed_by_every_worker_and_over_a_reload) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  const Site site;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    BOOST_TEST_CONTEXT("version " << std::hex << version) {
      Seawall seawall(origin, over_tls(site, {.admin = true, .workers = 4}));
      TlsOptions options = site.client();
      options.min_version = options.max_version = version;
      const auto resumes = [&] {
        Client client(seawall, {.tls = options});
        BOOST_TEST(client.get("/a").body == "a");
        const bool is_resumed = client.tls().is_resumed();
        if (client.tls().ticket()) options.ticket = client.tls().ticket();
        return is_resumed;
      };
      BOOST_TEST(!resumes());
      // With 4 workers, and the kernel's choice among their sockets.
      for (int i = 0; i < 24; ++i) BOOST_TEST(resumes());
      seawall.process().signal(SIGHUP);
      BOOST_TEST(seawall.process().says("reload"), seawall.process().output());
      for (int i = 0; i < 8; ++i) BOOST_TEST(resumes());
      const Admin admin(seawall);
      const std::string label = version == TLS1_2_VERSION ? "1.2" : "1.3";
      const auto handshakes = [&](const char* resumed) {
        return admin.metric("seawall_tls_handshakes_total{version=\"" + label + "\",resumed=\"" + resumed + "\"}");
      };
      BOOST_TEST(handshakes("no") == 1);
      BOOST_TEST(handshakes("yes") == 32);
    }
  }
}

BOOST_AUTO_TEST_CASE(without_tickets_nothing_is_resumed) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  const Site site;
  Seawall seawall(origin, over_tls(site, {.tls = "session_tickets = false"}));
  TlsOptions options = site.client();
  for (int i = 0; i < 3; ++i) {
    Client client(seawall, {.tls = options});
    BOOST_TEST(client.get("/a").body == "a");
    BOOST_TEST(!client.tls().is_resumed());
    options.ticket = client.tls().ticket();
  }
}

// RFC 6797 section 7.2: not on what came in plain.
BOOST_AUTO_TEST_CASE(strict_transport_security_is_said_over_tls_only) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  const Site site;
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 tls", "127.0.0.1:0"}, .tls = site.certificates() + "hsts = \"1d\""});
  Client client(seawall, {.tls = site.client()});
  for (const char* path : {"/a", "/a", "/none"}) {
    const Response response = client.get(path);
    BOOST_TEST(response.headers.count("Strict-Transport-Security") == 1U, response);
    BOOST_TEST(response.get("Strict-Transport-Security") == "max-age=86400");
  }
  BOOST_TEST(!Client(seawall.address(1)).get("/a").has("Strict-Transport-Security"));
  Seawall off(origin, over_tls(site));
  BOOST_TEST(!Client(off, {.tls = site.client()}).get("/a").has("Strict-Transport-Security"));
}

// RFC 9110 section 15.5.20: a browser reuses a connection for whatever its certificate covers, and for nothing else.
BOOST_AUTO_TEST_CASE(a_host_that_the_certificate_does_not_cover_is_misdirected) {
  Origin origin;
  origin.otherwise(reply({.body = "a"}));
  const Site site({"a.test", "*.b.test", "192.0.2.1"});
  Seawall seawall(origin, over_tls(site));
  Client client(seawall, {.tls = site.client()});
  for (const char* host : {"a.test", "A.TEST", "a.test:8443", "x.b.test", "192.0.2.1"}) {
    const Response response = client.get("/a", {std::string("Host: ") + host});
    BOOST_TEST(response.status == 200, host << ": " << response);
  }
  for (const char* host : {"other.test", "b.test", "x.y.b.test", "a.test.evil.test", "192.0.2.2"}) {
    const Response response = client.get("/a", {std::string("Host: ") + host});
    BOOST_TEST(response.status == 421, host << ": " << response);
    BOOST_TEST(contains(response.cache_status(), "misdirected"), response);
  }
  // What an absolute target names counts, not Host.
  BOOST_TEST(client.get("https://other.test/a").status == 421);
  BOOST_TEST(origin.total() == 5U);
}

BOOST_AUTO_TEST_CASE(plain_requests_are_redirected_where_that_is_said) {
  Origin origin;
  const Site site;
  // Wherever the kernel has put it.
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 redirect", "127.0.0.1:0 tls"}, .tls = site.certificates()});
  const std::string port = std::to_string(seawall.port(1));
  Client client(seawall);
  for (const char* method : {"GET", "HEAD", "POST"}) {
    const Response response = client.request(method, "/shop/%7euser?a=b&c=%0d", {"Host: a.test:8080"});
    BOOST_TEST(response.status == (std::string_view(method) == "POST" ? 308 : 301), response);
    BOOST_TEST(response.get("Location").starts_with("https://a.test:" + port + "/shop/"), response);
    BOOST_TEST(response.get("Location").ends_with("?a=b&c=%0d"), response);
  }
  BOOST_TEST(client.get("/", {"Host: [::1]:80"}).get("Location") == "https://[::1]:" + port + "/");
  seawall.process().signal(SIGHUP);
  BOOST_REQUIRE(until([&] { return seawall.process().says("reloaded: "); }));
  BOOST_TEST(Client(seawall).get("/", {"Host: a.test"}).get("Location") == "https://a.test:" + port + "/");
  BOOST_TEST(origin.total() == 0U);
}

// Published ports, and listeners that are a load balancer's.
BOOST_AUTO_TEST_CASE(a_redirect_leads_to_where_browsers_find_tls) {
  Origin origin;
  const Site site;
  const TemporaryDirectory sockets;
  const std::string path = "unix:" + sockets.path() + "/http.sock tls";
  const auto location = [](const Seawall& seawall, std::size_t listener) {
    return Client(seawall.address(listener)).get("/x", {"Host: a.test"}).get("Location");
  };
  const auto at = [](const Seawall& seawall, std::size_t listener) {
    return "https://a.test:" + std::to_string(seawall.port(listener)) + "/x";
  };
  const std::string trusted = "trusted_proxies = [\"127.0.0.9\"]";
  {
    Seawall seawall(origin, {.listen = {"127.0.0.1:0 redirect", path, "127.0.0.1:0 tls proxy", "127.0.0.1:0 tls",
                                        "127.0.0.1:0 redirect=8443", "127.0.0.1:0 redirect=443"},
                             .server = trusted,
                             .tls = site.certificates()});
    BOOST_TEST(location(seawall, 0) == at(seawall, 3));
    BOOST_TEST(location(seawall, 4) == "https://a.test:8443/x");
    BOOST_TEST(location(seawall, 5) == "https://a.test/x");
  }
  {
    Seawall seawall(origin, {.listen = {"127.0.0.1:0 redirect", path, "127.0.0.1:0 tls proxy"},
                             .server = trusted,
                             .tls = site.certificates()});
    BOOST_TEST(location(seawall, 0) == at(seawall, 2));
  }
  {
    Seawall seawall(origin, {.listen = {"127.0.0.1:0 redirect", path}, .tls = site.certificates()});
    BOOST_TEST(location(seawall, 0) == "https://a.test/x");
  }
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 redirect=8443"}});
  BOOST_TEST(location(seawall, 0) == "https://a.test:8443/x");
  BOOST_TEST(origin.total() == 0U);
}

// HTTP/1.0 may leave out Host; what is there for TLS alone is not served for it in plain.
BOOST_AUTO_TEST_CASE(who_cannot_be_redirected_gets_nothing_else) {
  Origin origin;
  origin.otherwise(reply({.body = "from the origin"}));
  const Site site;
  const TemporaryDirectory directory;
  directory.write("token", "token.thumbprint");
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 redirect", "127.0.0.1:0 tls"},
                           .tls = site.certificates() + "acme = \"" + directory.path() + "\""});
  const auto ask = [&](const std::string& request) {
    Client client(seawall);
    client.send(request);
    return client.read();
  };
  for (const char* request : {"GET /a HTTP/1.0\r\n\r\n", "POST /a HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
                              "GET /a HTTP/1.0\r\nHost:\r\n\r\n", "GET /a HTTP/1.1\r\nHost:\r\n\r\n"}) {
    const Response response = ask(request);
    BOOST_TEST(response.status == 400, request << response);
    BOOST_TEST(contains(response.body, "Host"), response);
  }
  BOOST_TEST(origin.total() == 0U);
  BOOST_TEST(ask("GET /.well-known/acme-challenge/token HTTP/1.0\r\n\r\n").body == "token.thumbprint");
  // Under TLS it is a request like any other.
  Client secure(seawall.port(1), {.tls = site.client()});
  secure.send("GET /a HTTP/1.0\r\n\r\n");
  BOOST_TEST(secure.read().body == "from the origin");
}

BOOST_AUTO_TEST_CASE(acme_challenges_come_from_a_directory) {
  Origin origin;
  origin.otherwise(reply({.body = "from the origin"}));
  const Site site;
  const TemporaryDirectory directory;
  directory.write("secret", "secret");
  directory.write("acme/token-1_x", "token-1_x.thumbprint");
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 redirect", "127.0.0.1:0", "127.0.0.1:0 tls"},
                           .tls = site.certificates() + "acme = \"" + directory.path() + "/acme\""});
  for (const std::size_t listener : {0U, 1U}) {
    const auto ask = [&](const std::string& token) {
      return Client(seawall.address(listener)).get("/.well-known/acme-challenge/" + token);
    };
    const Response response = ask("token-1_x");
    BOOST_TEST(response.status == 200, response);
    BOOST_TEST(response.body == "token-1_x.thumbprint");
    BOOST_TEST(!response.is_hit());
    directory.write("acme/token-1_x", "another answer");
    BOOST_TEST(ask("token-1_x").body == "another answer");
    directory.write("acme/token-1_x", "token-1_x.thumbprint");
    for (const char* bad : {"none", "", "../secret", "..%2fsecret", "%2e%2e/secret", ".", "..", "token-1_x%00"}) {
      const Response refused = ask(bad);
      BOOST_TEST(refused.status != 200, bad << ": " << refused);
      BOOST_TEST(!contains(refused.body, "secret"));
    }
  }
}

BOOST_AUTO_TEST_CASE(plain_http_on_a_tls_port_is_told_so) {
  Origin origin;
  const Site site;
  Seawall seawall(origin, over_tls(site));
  for (const std::string& request : {request_bytes("GET", "/"), std::string("POST / HTTP/1.0\r\n\r\n")}) {
    Client client(seawall);
    client.send(request);
    const Response response = client.read();
    BOOST_TEST(response.status == 400, response);
    BOOST_TEST(contains(response.body, "https://"), response);
    BOOST_TEST(client.is_closed());
  }
  const CurlResponse by_curl = curl({"http://" + seawall.address() + "/"});
  BOOST_TEST(by_curl.status == 400, by_curl);
  // What is neither is closed without a word of HTTP, perhaps with an alert.
  Client neither(seawall);
  neither.send(std::string_view("\x00\x01\x02\x03 and so on", 14));
  BOOST_TEST(neither.read().status != 200);
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(one_port_may_take_both) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: no-store"}, .body = "a"});
  const Site site;
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 tls plain"}, .tls = site.certificates()});
  BOOST_TEST(get(seawall, "/a").body == "a");
  BOOST_TEST(origin.seen("/a").headers.get("X-Forwarded-Proto") == "http");
  BOOST_TEST(Client(seawall, {.tls = site.client()}).get("/a").body == "a");
  BOOST_TEST(origin.seen("/a").headers.get("X-Forwarded-Proto") == "https");
  // The first byte decides, when it comes.
  Client slow(seawall);
  BOOST_TEST(slow.is_quiet());
  slow.send("G");
  BOOST_TEST(slow.is_quiet());
  slow.send(request_bytes("GET", "/a").substr(1));
  BOOST_TEST(slow.read().body == "a");
}

BOOST_AUTO_TEST_CASE(plain_and_tls_do_not_share_what_is_stored) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().headers.get("X-Forwarded-Proto")});
  });
  const Site site;
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 tls plain"}, .tls = site.certificates()});
  for (int round = 0; round < 2; ++round) {
    BOOST_TEST(get(seawall, "/a").body == "http");
    BOOST_TEST(Client(seawall, {.tls = site.client()}).get("/a").body == "https");
  }
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(whether_the_kernel_encrypts_is_said_at_the_start) {
  Origin origin;
  const Site site;
  for (const char* kernel : {"kernel = true", "kernel = false"}) {
    Seawall seawall(origin, over_tls(site, {.tls = kernel}));
    BOOST_TEST(seawall.process().says("kTLS"), seawall.process().output());
  }
}

BOOST_AUTO_TEST_CASE(large_bodies_pass_both_ways) {
  Origin origin;
  origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(kLarge)});
  origin.on("/up", [](Exchange& x) { x.respond({.body = x.read_body()}); });
  const Site site;
  const std::string body = pattern(kLarge);
  const std::string other = pattern(kLarge, 7);
  for (const char* kernel : {"kernel = true", "kernel = false"}) {
    Seawall seawall(origin, over_tls(site, {.tls = kernel, .cache = "memory = \"256MiB\"\nmax_object = \"50%\""}));
    Client client(seawall, {.tls = site.client()});
    for (int round = 0; round < 2; ++round) {
      const Response response = client.get("/big");
      BOOST_TEST(response.complete);
      BOOST_TEST((response.body == body));
    }
    BOOST_TEST(client.get("/big").is_hit());
    const Response range = client.get("/big", {"Range: bytes=1000000-9999999"});
    BOOST_TEST((range.body == body.substr(1'000'000, 9'000'000)));
    const Response echo = client.request("POST", "/up", {}, other);
    BOOST_TEST((echo.body == other));
    const CurlResponse by_curl =
        curl({"--cacert", site.ca, "--resolve", "a.test:" + std::to_string(seawall.port()) + ":127.0.0.1",
              "https://a.test:" + std::to_string(seawall.port()) + "/big"});
    BOOST_TEST(by_curl.code == 0, by_curl.errors);
    BOOST_TEST((by_curl.body == body));
  }
}

// A client whose window is small holds back the server, and neither may lose a byte by it.
BOOST_AUTO_TEST_CASE(a_slow_reader_gets_all_of_it) {
  Origin origin;
  origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(kLarge / 4)});
  const Site site;
  Seawall seawall(origin, over_tls(site));
  const std::string body = pattern(kLarge / 4);
  for (int round = 0; round < 2; ++round) {
    Client client(seawall, {.receive_buffer = 4096, .tls = site.client()});
    client.send_request("GET", "/big");
    client.read_body(100'000);
    const Response response = client.read_rest();
    BOOST_TEST(response.complete);
    BOOST_TEST((response.body == body));
  }
}

BOOST_AUTO_TEST_CASE(websockets_pass) {
  Origin origin;
  origin.on("/socket", [](Exchange& x) {
    x.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    for (std::string bytes; !(bytes = x.read_raw(4096)).empty();) x.send(bytes);
    x.close();
  });
  const Site site;
  Seawall seawall(origin, over_tls(site));
  Client client(seawall, {.tls = site.client()});
  client.send_request("GET", "/socket",
                      {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="});
  BOOST_TEST(client.read_head().status == 101);
  const std::string bytes = pattern(200'000);
  for (std::size_t at = 0; at < bytes.size(); at += 10'000) {
    client.send(bytes.substr(at, 10'000));
    BOOST_TEST((client.read_raw(10'000) == bytes.substr(at, 10'000)));
  }
  client.half_close();
  BOOST_TEST(client.is_closed());
}

BOOST_AUTO_TEST_CASE(sigterm_lets_requests_over_tls_finish) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.hold(gate);
    x.send_chunk("last");
    x.end_chunks();
  });
  origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  const Site site;
  Seawall seawall(origin, over_tls(site, {.workers = 2, .shutdown = "10s"}));
  Client idle(seawall, {.tls = site.client()});
  BOOST_TEST(idle.get("/b").body == "b");
  Client half(seawall);
  half.send(kHalfHello);
  Client busy(seawall, {.tls = site.client()});
  busy.send_request("GET", "/a");
  BOOST_TEST(busy.read_body(5).body == "first");
  seawall.process().signal(SIGTERM);
  std::string rest;
  BOOST_TEST((idle.socket().receive(rest) == Socket::Read::kEof), "no close_notify: " << idle.tls().failure());
  BOOST_TEST(half.is_closed());
  BOOST_TEST(!seawall.process().has_exited());
  gate.open();
  const Response response = busy.read_rest();
  BOOST_TEST(response.body == "firstlast");
  BOOST_TEST(response.complete);
  BOOST_TEST(seawall.process().wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_does_not_end_is_cut) {
  Origin origin;
  const Site site;
  Seawall seawall(origin, over_tls(site, {.admin = true, .timeouts = "tls = \"300ms\""}));
  Client silent(seawall);
  Client half(seawall);
  half.send(kHalfHello);
  // A byte now and then must not prolong it.
  Client dripping(seawall);
  dripping.send(kHalfHello);
  const auto begin = SteadyClock::now();
  while (dripping.is_quiet(Millis{20}) && SteadyClock::now() - begin < kLimit) dripping.send("\x01");
  BOOST_TEST((SteadyClock::now() - begin < Millis{3000}));
  BOOST_TEST(half.is_closed());
  BOOST_TEST(silent.is_closed());
  const Admin admin(seawall);
  BOOST_TEST(admin.metric("seawall_tls_handshake_failures_total{reason=\"tls-timeout\"}") >= 2);
}

BOOST_AUTO_TEST_CASE(failed_handshakes_are_counted_by_reason) {
  Origin origin;
  origin.on("/a", Reply{.body = "a"});
  const Site site;
  Seawall seawall(origin, over_tls(site, {.admin = true}));
  const Admin admin(seawall);
  const auto failures = [&](const std::string& reason) {
    return admin.metric("seawall_tls_handshake_failures_total{reason=\"" + reason + "\"}");
  };
  TlsOptions old = site.client();
  old.max_version = TLS1_1_VERSION;
  BOOST_TEST(handshake(seawall, old).starts_with("failed"));
  BOOST_TEST(until([&] { return failures("tls-version") == 1; }), admin.get("/metrics").body);
  Client garbage(seawall);
  garbage.send(std::string("\x16\x03\x01\x00\x20", 5) + std::string(32, 'x'));
  BOOST_TEST(until([&] { return failures("tls-handshake-failed") == 1; }), admin.get("/metrics").body);
  // A client that does not believe us says so by an alert.
  const TestCertificate other = TestCertificate::authority("Other CA");
  TlsOptions suspicious = site.client();
  suspicious.ca = site.directory.write("other.pem", other.pem());
  BOOST_TEST(handshake(seawall, suspicious).starts_with("failed"));
  BOOST_TEST(Client(seawall, {.tls = site.client()}).get("/a").body == "a");
  // 2100.
  BOOST_TEST(admin.total("seawall_tls_certificate_not_after_seconds{name=\"a.test\"") == 4'102'444'800.0);
}

// What a connection needed to send its answer is given back when it is idle.
BOOST_AUTO_TEST_CASE(idle_connections_keep_little_memory) {
  constexpr std::size_t kIdle = 400;
  constexpr std::size_t kWarm = 50;
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(100'000)});
  const Site site;
  Seawall seawall(origin, over_tls(site));
  const auto grown_by = [&](const auto& open_one) {
    for (std::size_t i = 0; i < kWarm; ++i) open_one();
    const std::size_t before = seawall.process().resident_bytes();
    for (std::size_t i = 0; i < kIdle; ++i) open_one();
    return (seawall.process().resident_bytes() - before) / kIdle;
  };
  std::vector<Client> http1;
  const std::size_t of_http1 = grown_by([&] {
    http1.emplace_back(seawall, ClientOptions{.tls = site.client()});
    BOOST_REQUIRE(http1.back().get("/a").complete);
  });
  TlsOptions options = site.client();
  options.alpn = {"h2"};
  std::vector<std::unique_ptr<Http2Client>> http2;
  const std::size_t of_http2 = grown_by([&] {
    http2.push_back(std::make_unique<Http2Client>(seawall, ClientOptions{.tls = options}));
    BOOST_REQUIRE(http2.back()->get("/a").complete);
  });
  BOOST_TEST_MESSAGE("bytes of an idle connection: " << of_http1 << ", of HTTP/2 " << of_http2);
  if (kSanitized) return;
  BOOST_TEST(of_http1 < std::size_t{24} * 1024);
  BOOST_TEST(of_http2 < std::size_t{48} * 1024);
}

BOOST_AUTO_TEST_CASE(a_thousand_half_open_handshakes_hurt_nobody) {
  constexpr std::size_t kHalfOpen = 1000;
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  const Site site;
  Seawall seawall(origin, over_tls(site));
  BOOST_TEST(Client(seawall, {.tls = site.client()}).get("/a").body == "a");
  std::vector<Client> half_open;
  half_open.reserve(kHalfOpen);
  for (std::size_t i = 0; i < kHalfOpen; ++i) {
    half_open.emplace_back(seawall);
    half_open.back().send(kHalfHello.substr(0, 1 + i % kHalfHello.size()));
  }
  const Millis before = seawall.process().processor_time();
  for (int i = 0; i < 20; ++i) BOOST_TEST(Client(seawall, {.tls = site.client()}).get("/a").is_hit());
  BOOST_TEST((seawall.process().processor_time() - before < Millis{1000}));
  // Some go on where they stopped being clients, some reset.
  for (std::size_t i = 0; i < kHalfOpen; i += 3) half_open[i].reset();
  for (std::size_t i = 1; i < kHalfOpen; i += 3) half_open[i].send("nonsense");
  BOOST_TEST(Client(seawall, {.tls = site.client()}).get("/a").is_hit());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
