// TLS and HTTP/2 to the origin: a real nginx and nghttpd behind, believed only when they prove who they are.
#include <signal.h>

#include <boost/test/unit_test.hpp>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/dns.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kLarge = std::size_t{4} << 20;

// What nginx says of the connection that a request came by, and what it passes on to a scripted origin.
constexpr const char* kServer = R"(
access_log off;
client_max_body_size 64m;
ssl_protocols PROTOCOLS;
server {
  listen 127.0.0.1:{port} ssl LISTEN;
  ssl_certificate {dir}/CERTIFICATE; ssl_certificate_key {dir}/CERTIFICATE;
  ssl_client_certificate {dir}/ca.pem; ssl_verify_client optional;
  ssl_session_cache shared:a:1m;
  location / {
    add_header Cache-Control no-store;
    add_header X-Version $ssl_protocol; add_header X-Reused "[$ssl_session_reused]"; add_header X-Name "[$ssl_server_name]";
    add_header X-Client "$ssl_client_verify"; add_header X-Client-Name "$ssl_client_s_dn"; add_header X-Host $http_host;
    add_header X-Http $server_protocol; add_header X-Connection $connection;
    return 200 "hello over TLS";
  }
  location /once/ { keepalive_timeout 0; add_header Cache-Control no-store; add_header X-Reused "[$ssl_session_reused]"; return 200 once; }
  location /stale/ {
    keepalive_timeout 0; add_header Cache-Control "max-age=1, stale-if-error=600"; add_header Age 10; return 200 old;
  }
  location /pass/ { proxy_pass http://127.0.0.1:PASS; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off; }
})";

struct NginxOptions {
  std::string certificate = "site.pem";
  std::string protocols = "TLSv1.2 TLSv1.3";
  std::string listen = {};  // more words: "http2", "proxy_protocol"
  std::uint16_t pass = 1;   // where /pass/ leads
};

std::string nginx_text(const NginxOptions& options) {
  std::string text = kServer;
  const auto fill_in = [&](std::string_view mark, const std::string& by) {
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += by.size())
      text.replace(at, mark.size(), by);
  };
  fill_in("PROTOCOLS", options.protocols);
  fill_in("LISTEN", options.listen);
  fill_in("CERTIFICATE", options.certificate);
  fill_in("PASS", std::to_string(options.pass));
  return text;
}

const std::string kCareless = "verify = false";

// A site whose certificate is for a name and for the address that tests use.
class Secured {
 public:
  const Site site{{"origin.test", "127.0.0.1"}};

  Server start(const NginxOptions& options = {}) const { return nginx(site.directory, nginx_text(options)); }
  // The sections for an origin on that port, with keys of its tls = { }, which trusts our authority unless careless.
  std::string config(std::uint16_t port, const std::string& tls = {}, const std::string& more = {},
                     const std::string& url = "https://127.0.0.1:") const {
    return std::string(kAdminSection) + "[[origin]]\nname = \"main\"\nservers = [\"" + url + std::to_string(port) +
           "\"]\ntls = { " + (tls == kCareless ? tls : "ca = \"" + site.ca + "\"" + (tls.empty() ? "" : ", " + tls)) +
           " }\n" + more + "\n";
  }
};

BOOST_AUTO_TEST_SUITE(behave_origin_tls, *boost::unit_test::precondition(Needs{{"nginx", "nghttpd", "openssl"}}))

BOOST_FIXTURE_TEST_CASE(an_origin_that_proves_itself_is_believed, Secured) {
  const Server server = start();
  Seawall seawall(config(server.port(), "server_name = \"origin.test\""));
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.body == "hello over TLS", response);
  BOOST_TEST(response.get("X-Version") == "TLSv1.3");
  BOOST_TEST(response.get("X-Name") == "[origin.test]");
  BOOST_TEST(response.get("X-Client") == "NONE");
  BOOST_TEST(response.get("X-Http") == "HTTP/1.1");
  // What clients asked for, whatever the server is called.
  BOOST_TEST(response.get("X-Host") == "a.test");
  // The connection is kept.
  BOOST_TEST(get(seawall, "/b").get("X-Connection") == response.get("X-Connection"));
}

// RFC 6066 section 3: an address is no server name. It is verified all the same.
BOOST_FIXTURE_TEST_CASE(an_address_is_verified_without_being_named, Secured) {
  const Server server = start();
  Seawall seawall(config(server.port()));
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.body == "hello over TLS", response);
  BOOST_TEST(response.get("X-Name") == "[]");
}

// The servers of before stay in use until others are known: not in the clear.
BOOST_FIXTURE_TEST_CASE(a_reload_to_plain_servers_that_are_not_found_goes_on_with_tls, Secured) {
  const Server server = start();
  Dns dns;
  dns.fail("plain.test", Dns::Fault::kNxDomain);
  const std::string resolver = "[dns]\nservers = [\"" + dns.authority() + "\"]\n";
  Seawall seawall(resolver + config(server.port()));
  BOOST_TEST(get(seawall, "/a").body == "hello over TLS");
  const std::string before = seawall.config();
  const std::string listen = before.substr(0, before.find(resolver));
  seawall.write_config(listen + resolver + std::string(kAdminSection) +
                       "[[origin]]\nname = \"main\"\nservers = [\"http://plain.test\"]\n");
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("plain.test: no such name"));
  BOOST_TEST(seawall.process().says("reloaded"));
  for (const char* path : {"/b", "/c"}) {
    const Response response = get(seawall, path);
    BOOST_TEST(response.body == "hello over TLS", response);
  }
}

BOOST_FIXTURE_TEST_CASE(a_name_is_resolved_and_verified, Secured) {
  const Server server = start();
  Dns dns;
  dns.a("origin.test", {"127.0.0.1"});
  dns.a("other.test", {"127.0.0.1"});
  const std::string resolver = "[dns]\nservers = [\"" + dns.authority() + "\"]\n";
  {
    Seawall seawall(resolver + config(server.port(), {}, {}, "https://origin.test:"));
    BOOST_TEST(get(seawall, "/a").get("X-Name") == "[origin.test]");
  }
  Seawall seawall(resolver + config(server.port(), {}, {}, "https://other.test:"));
  BOOST_TEST(contains(get(seawall, "/a").cache_status(), "detail=tls-certificate-name"));
}

BOOST_FIXTURE_TEST_CASE(sessions_are_resumed, Secured) {
  const Server server = start();
  for (const char* version : {"", "max_version = \"1.2\""}) {
    Seawall seawall(config(server.port(), version));
    BOOST_TEST(get(seawall, "/once/1").get("X-Reused") == "[.]");
    for (int i = 2; i < 6; ++i) BOOST_TEST(get(seawall, "/once/" + std::to_string(i)).get("X-Reused") == "[r]");
  }
}

BOOST_FIXTURE_TEST_CASE(a_client_certificate_is_shown, Secured) {
  const std::string own = site.add("own.pem", certificate_for({"cache.test"}));
  const Server server = start();
  for (const char* version : {"", ", max_version = \"1.2\""}) {
    Seawall seawall(config(server.port(), "certificate = \"" + own + "\"" + version));
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.get("X-Client") == "SUCCESS", response);
    BOOST_TEST(response.get("X-Client-Name") == "CN=cache.test");
  }
}

BOOST_FIXTURE_TEST_CASE(versions_are_pinned, Secured) {
  const Server server = start();
  Seawall pinned(config(server.port(), "max_version = \"1.2\""));
  BOOST_TEST(get(pinned, "/a").get("X-Version") == "TLSv1.2");
  Seawall modern(config(server.port(), "min_version = \"1.3\""));
  BOOST_TEST(get(modern, "/a").get("X-Version") == "TLSv1.3");
}

// Each is named in Cache-Status, Proxy-Status, the log and the metrics.
void expect_failure(Seawall& seawall, const std::string& name, int status, const std::string& proxy_error) {
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.status == status, response);
  BOOST_TEST(contains(response.cache_status(), "detail=" + name), response);
  BOOST_TEST(contains(response.get("Proxy-Status"), "error=" + proxy_error), response);
  const Admin admin(seawall);
  BOOST_TEST(admin.metric("seawall_origin_errors_total{origin=\"main\",error=\"" + name + "\"}") >= 1,
             admin.get("/metrics").body);
  BOOST_TEST(seawall.process().says(name), seawall.process().output());
}

BOOST_FIXTURE_TEST_CASE(an_origin_that_does_not_prove_itself_is_not_asked, Secured) {
  CertificateSpec late = certificate_for({"origin.test", "127.0.0.1"});
  late.not_after = WallTime::from_unix_seconds(1'600'000'000);
  site.add("late.pem", late);
  CertificateSpec early = certificate_for({"origin.test", "127.0.0.1"});
  early.not_before = WallTime::from_unix_seconds(4'000'000'000);
  site.add("early.pem", early);
  site.add("named.pem", certificate_for({"other.test", "127.0.0.2"}));
  const TestCertificate elsewhere = TestCertificate::authority("Other CA");
  site.directory.write("stranger.pem", pem_with_key(elsewhere.issue(certificate_for({"origin.test", "127.0.0.1"}))));
  site.directory.write("own.pem", pem_with_key(TestCertificate::self_signed(certificate_for({"127.0.0.1"}))));
  struct Row {
    const char* name;
    NginxOptions server;
    std::string error;
    std::string proxy_error = "tls_certificate_error";
  };
  for (const Row& row : {Row{"expired", {.certificate = "late.pem"}, "tls-certificate-expired"},
                         {"not yet valid", {.certificate = "early.pem"}, "tls-certificate-expired"},
                         {"another's", {.certificate = "named.pem"}, "tls-certificate-name"},
                         {"signed by a stranger", {.certificate = "stranger.pem"}, "tls-certificate-untrusted"},
                         {"signed by itself", {.certificate = "own.pem"}, "tls-certificate-untrusted"}}) {
    BOOST_TEST_CONTEXT(row.name) {
      const Server server = start(row.server);
      Seawall seawall(config(server.port()));
      expect_failure(seawall, row.error, 502, row.proxy_error);
      // For those who ask for it.
      Seawall careless(config(server.port(), kCareless));
      BOOST_TEST(get(careless, "/a").body == "hello over TLS");
    }
  }
  // The system's store does not know our authority.
  const Server server = start();
  Seawall seawall(std::string(kAdminSection) + "[[origin]]\nname = \"main\"\nservers = [\"https://" +
                  server.authority() + "\"]\n");
  expect_failure(seawall, "tls-certificate-untrusted", 502, "tls_certificate_error");
}

BOOST_FIXTURE_TEST_CASE(other_failures_are_named_too, Secured) {
  {
    const Server server = start({.protocols = "TLSv1.2"});
    Seawall seawall(config(server.port(), "min_version = \"1.3\""));
    expect_failure(seawall, "tls-version", 502, "tls_protocol_error");
  }
  {
    const Server plain = nginx(site.directory, "access_log off; server { listen 127.0.0.1:{port}; }");
    Seawall seawall(config(plain.port()));
    expect_failure(seawall, "tls-handshake-failed", 502, "tls_protocol_error");
  }
  {
    std::uint16_t port = 0;
    const Fd silent = listen_on_loopback(port);
    Seawall seawall(config(port, {}, "timeout = { tls = \"300ms\" }"));
    expect_failure(seawall, "tls-timeout", 504, "connection_timeout");
  }
  {
    const Server server = start();
    Seawall seawall(config(server.port(), {}, "protocol = \"http2\""));
    expect_failure(seawall, "http2-failed", 502, "http_protocol_error");
  }
}

// In TLS 1.3 the refusal comes behind the handshake, in answer to the request.
BOOST_FIXTURE_TEST_CASE(an_origin_that_wants_a_certificate_is_named, Secured) {
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    BOOST_TEST_CONTEXT(version) {
      const Server server([&](std::uint16_t port) {
        return std::vector<std::string>{"openssl",
                                        "s_server",
                                        "-accept",
                                        "127.0.0.1:" + std::to_string(port),
                                        "-cert",
                                        site.pem,
                                        "-key",
                                        site.pem,
                                        "-CAfile",
                                        site.ca,
                                        "-Verify",
                                        "1",
                                        "-verify_return_error",
                                        "-www",
                                        version};
      });
      Seawall seawall(config(server.port()));
      expect_failure(seawall, "tls-client-certificate", 502, "tls_alert_received");
      const std::string own = site.add("own.pem", certificate_for({"cache.test"}));
      Seawall known(config(server.port(), "certificate = \"" + own + "\""));
      BOOST_TEST(get(known, "/").status == 200);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(what_is_stored_outlives_the_trust, Secured) {
  const Server server = start();
  Seawall seawall(config(server.port()));
  const Admin admin(seawall);
  BOOST_TEST(get(seawall, "/stale/a").body == "old");
  // Of somebody else.
  site.directory.write("ca.pem", TestCertificate::authority("Other CA").pem());
  seawall.process().signal(SIGHUP);
  BOOST_TEST(until([&] {
    const Response response = get(seawall, "/stale/a");
    BOOST_TEST(response.body == "old", response);
    return admin.metric("seawall_origin_errors_total{origin=\"main\",error=\"tls-certificate-untrusted\"}") >= 1;
  }));
  const Response stale = get(seawall, "/stale/a");
  BOOST_TEST(stale.is_hit(), stale);
}

// As certificates for clients are: whoever rotates an authority need not know who reads the file.
BOOST_FIXTURE_TEST_CASE(files_that_change_are_read_again_without_being_told, Secured) {
  Gate gate;
  Origin behind;
  behind.on("/pass/slow", [&](Exchange& x) {
    x.begin_chunked({"Cache-Control: no-store"});
    x.send_chunk("first");
    x.hold(gate);
    x.send_chunk("last");
    x.end_chunks();
  });
  const Server server = start({.pass = behind.port()});
  const std::string stranger = TestCertificate::authority("Other CA").pem();
  const std::string ca = site.directory.write("trusted.pem", stranger);
  const std::string own = site.add("own.pem", certificate_for({"one.test"}));
  Seawall seawall(std::string(kAdminSection) + "[[origin]]\nname = \"main\"\nservers = [\"https://" +
                  server.authority() + "\"]\ntls = { ca = \"" + ca + "\", certificate = \"" + own + "\" }\n");
  BOOST_TEST(contains(get(seawall, "/a").cache_status(), "detail=tls-certificate-untrusted"));
  site.directory.write("trusted.pem", site.authority.pem());
  BOOST_TEST(seawall.process().says("certificates have changed and are in use"), seawall.process().output());
  BOOST_TEST(until([&] { return get(seawall, "/a").status == 200; }), seawall.process().output());
  BOOST_TEST(get(seawall, "/a").get("X-Client-Name") == "CN=one.test");
  // What is under way goes on, what begins is under the new certificate.
  Client busy(seawall);
  busy.send_request("GET", "/pass/slow");
  BOOST_TEST(busy.read_body(5).body == "first");
  site.add("own.pem", certificate_for({"two.test"}));
  BOOST_TEST(until([&] { return get(seawall, "/a").get("X-Client-Name") == "CN=two.test"; }),
             seawall.process().output());
  gate.open();
  const Response slow = busy.read_rest();
  BOOST_TEST(slow.body == "firstlast");
  BOOST_TEST(slow.complete);
  // What is no certificate changes nothing, and is said.
  site.directory.write("trusted.pem", "this is no certificate\n");
  BOOST_TEST(seawall.process().says("origin \"main\": " + ca), seawall.process().output());
  BOOST_TEST(get(seawall, "/a").status == 200);
  // Nor is one believed any more whose authority has gone.
  site.directory.write("trusted.pem", stranger);
  BOOST_TEST(until([&] { return get(seawall, "/a").status == 502; }), seawall.process().output());
}

BOOST_FIXTURE_TEST_CASE(bodies_pass_both_ways, Secured) {
  Origin behind;
  behind.on("/pass/up",
            [](Exchange& x) { x.respond({.headers = {"Cache-Control: no-store"}, .body = x.read_body()}); });
  behind.on("/pass/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(kLarge)});
  behind.on("/pass/cut", [](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.close();
  });
  for (const char* protocol : {"http1", "http2"}) {
    BOOST_TEST_CONTEXT(protocol) {
      const Server server = start({.listen = "http2", .pass = behind.port()});
      Seawall seawall(config(server.port(), {}, "protocol = \"" + std::string(protocol) + "\""));
      for (int round = 0; round < 2; ++round) {
        const Response big = get(seawall, "/pass/big");
        BOOST_TEST(big.complete);
        BOOST_TEST((big.body == pattern(kLarge)));
      }
      BOOST_TEST(get(seawall, "/pass/big", {"Range: bytes=5-9"}).is_hit());
      const Response echo = fetch(seawall, "POST", "/pass/up", {}, pattern(kLarge, 5));
      BOOST_TEST((echo.body == pattern(kLarge, 5)));
      BOOST_TEST(
          fetch(seawall, "POST", "/pass/up", {"Transfer-Encoding: chunked"}, chunk("in chunks") + "0\r\n\r\n").body ==
          "in chunks");
      // Never as if it were whole, and never stored: cut, or an error when that shows before anything was sent.
      for (int round = 0; round < 2; ++round) {
        const Response cut = get(seawall, "/pass/cut");
        BOOST_TEST((cut.is_cut() || cut.status == 502), cut);
        BOOST_TEST(!cut.is_hit(), cut);
      }
    }
  }
  BOOST_TEST(behind.count("/pass/big") == 2U);
}

// An attacker can end a TCP connection: without close_notify a body that runs to the end of the connection is not
// whole.
BOOST_FIXTURE_TEST_CASE(a_truncated_body_is_not_complete, Secured) {
  // Answers and waits; when it is killed, the kernel ends the connection and nobody says goodbye.
  static constexpr const char* kScript = R"(
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    try:
        client = context.wrap_socket(listener.accept()[0], server_side=True)
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nhalf of it")
        client.recv(4096)
    except OSError:
        pass
)";
  Server server([&](std::uint16_t port) {
    return std::vector<std::string>{"/usr/bin/python3", "-c", kScript, std::to_string(port), site.pem};
  });
  Seawall seawall(config(server.port()));
  Client client(seawall);
  client.send_request("GET", "/a");
  BOOST_TEST(client.read_body(10).body == "half of it");
  server.process().signal(SIGKILL);
  BOOST_TEST(client.read_rest().is_cut());
}

BOOST_FIXTURE_TEST_CASE(http2_is_spoken_where_it_is_said, Secured) {
  struct Row {
    const char* protocol;
    const char* listen;
    const char* spoken;
  };
  for (const Row& row : {Row{"http1", "http2", "HTTP/1.1"},
                         {"http2", "http2", "HTTP/2.0"},
                         {"auto", "http2", "HTTP/2.0"},
                         {"auto", "", "HTTP/1.1"}}) {
    BOOST_TEST_CONTEXT(row.protocol << " with " << row.listen) {
      const Server server = start({.listen = row.listen});
      Seawall seawall(config(server.port(), {}, "protocol = \"" + std::string(row.protocol) + "\""));
      for (const char* path : {"/a", "/b", "/c"}) {
        const Response response = get(seawall, path);
        BOOST_TEST(response.get("X-Http") == row.spoken, response);
        BOOST_TEST(response.get("X-Host") == "a.test");
        BOOST_TEST(response.body == "hello over TLS");
      }
      BOOST_TEST(fetch(seawall, "HEAD", "/a").status == 200);
    }
  }
}

// Many requests share the connection of one worker.
BOOST_FIXTURE_TEST_CASE(requests_share_an_http2_connection, Secured) {
  Gate gate;
  Origin behind;
  behind.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: no-store"}, .body = x.request().target});
  });
  const Server server = start({.listen = "http2", .pass = behind.port()});
  Seawall seawall(config(server.port(), {}, "protocol = \"http2\""));
  const std::string one = get(seawall, "/a").get("X-Connection");
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(seawall);
    clients.back().send_request("GET", "/pass/" + std::to_string(i));
  }
  BOOST_TEST(until([&] { return behind.most_at_once() == 20; }));
  BOOST_TEST(get(seawall, "/a").get("X-Connection") == one);
  gate.open();
  for (int i = 0; i < 20; ++i)
    BOOST_TEST(clients[static_cast<std::size_t>(i)].read().body == "/pass/" + std::to_string(i));
}

BOOST_FIXTURE_TEST_CASE(http2_without_tls_is_by_prior_knowledge, Secured) {
  site.directory.write("www/a", pattern(100'000));
  const Server server([&](std::uint16_t port) {
    return std::vector<std::string>{find_program("nghttpd"),
                                    "--no-tls",
                                    "--echo-upload",
                                    "-a",
                                    "127.0.0.1",
                                    "-d",
                                    site.directory.path() + "/www",
                                    "--trailer",
                                    "x-sum: 5",
                                    std::to_string(port)};
  });
  Seawall seawall(std::string("[[origin]]\nprotocol = \"http2\"\nservers = [\"http://") + server.authority() + "\"]\n");
  const Response first = get(seawall, "/a");
  BOOST_TEST(first.status == 200, first);
  BOOST_TEST((first.body == pattern(100'000)));
  BOOST_TEST(get(seawall, "/a").is_hit());
  BOOST_TEST(get(seawall, "/a", {"Range: bytes=10-19"}).body == pattern(100'000).substr(10, 10));
  BOOST_TEST(get(seawall, "/none").status == 404);
  const Response echo = fetch(seawall, "POST", "/a", {}, pattern(200'000, 3));
  BOOST_TEST((echo.body == pattern(200'000, 3)));
}

BOOST_FIXTURE_TEST_CASE(health_is_asked_over_tls_too, Secured) {
  const std::string health = "health = { path = \"/health\", interval = \"50ms\", fall = 1 }";
  const Server server = start();
  Seawall seawall(config(server.port(), {}, health));
  const auto checks = [](const Admin& admin) { return admin.number("/v1/origins/main", "/servers/0/checks"); };
  const Admin admin(seawall);
  BOOST_TEST(until([&] { return checks(admin) >= 2; }));
  BOOST_TEST(admin.value("/v1/origins/main", "/servers/0/healthy") == "true");
  const Server old = start({.protocols = "TLSv1.2"});
  Seawall sick(config(old.port(), "min_version = \"1.3\"", health));
  const Admin of_sick(sick);
  BOOST_TEST(until([&] { return of_sick.value("/v1/origins/main", "/servers/0/healthy") == "false"; }));
  BOOST_TEST(sick.process().says("tls-version"), sick.process().output());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
