// The tools of the other suites against one another, without seawall between them: what they cannot see they cannot
// test.
#include <signal.h>

#include <boost/test/unit_test.hpp>

#include "support/behave/client.h"
#include "support/behave/http2_client.h"
#include "support/behave/origin.h"
#include "support/behave/process.h"
#include "support/behave/programs.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_harness)

BOOST_AUTO_TEST_CASE(a_client_sees_what_an_origin_sends) {
  struct Row {
    const char* name;
    std::string bytes;
    bool reset = false;
    std::string body = "hello";
    bool complete = true;
    bool malformed = false;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  const Row rows[] = {
      {.name = "length", .bytes = ok + "Content-Length: 5\r\n\r\nhello"},
      {.name = "chunks", .bytes = chunked + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
      {.name = "until close", .bytes = ok + "\r\nhello"},
      {.name = "short of its length", .bytes = ok + "Content-Length: 6\r\n\r\nhello", .complete = false},
      {.name = "no last chunk", .bytes = chunked + "5\r\nhello\r\n", .complete = false},
      {.name = "no empty line", .bytes = chunked + "5\r\nhello\r\n0\r\n", .complete = false},
      {.name = "bad chunk", .bytes = chunked + "5\r\nhello\r\nx\r\n", .complete = false, .malformed = true},
      {.name = "until reset", .bytes = ok + "\r\n", .reset = true, .body = "", .complete = false},
      {.name = "bad length",
       .bytes = ok + "Content-Length: x\r\n\r\n",
       .body = "",
       .complete = false,
       .malformed = true},
  };
  Origin origin;
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string path = "/" + std::to_string(&row - rows);
      Gate read;
      origin.on(path, [&](Exchange& x) {
        x.send(row.bytes);
        // A reset may overtake what has been sent.
        if (row.reset) x.hold(read);
        row.reset ? x.reset() : x.close();
      });
      Client client(origin.port());
      client.send_request("GET", path);
      client.read_head();
      read.open();
      const Response response = client.read_rest();
      BOOST_TEST(response.status == 200);
      BOOST_TEST(response.body == row.body);
      BOOST_TEST(response.complete == row.complete, response);
      BOOST_TEST(response.malformed == row.malformed);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_origin_sees_what_a_client_sends) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond({.headers = {"X: y"}, .body = x.read_body()}); });
  Client client(origin.port());
  client.send(
      request_bytes("POST", "/a?q", {"X-Sent: 1"}, "one") +
      request_bytes("POST", "/a", {"Transfer-Encoding: chunked"}, chunk("tw") + chunk("o") + "0\r\nT: u\r\n\r\n") +
      request_bytes("HEAD", "/a") + request_bytes("GET", "/b"));
  BOOST_TEST(client.read().body == "one");
  BOOST_TEST(client.read().body == "two");
  const Response head = client.read("HEAD");
  BOOST_TEST(head.complete);
  BOOST_TEST(head.get("x") == "y");
  BOOST_TEST(client.read().body == kPoison);
  BOOST_TEST(origin.count("/a") == 3U);
  BOOST_TEST(origin.count("/b") == 1U);
  BOOST_TEST(origin.total() == 4U);
  BOOST_TEST(origin.unexpected() == 1U);
  BOOST_TEST(origin.connections() == 1U);
  BOOST_TEST(origin.seen("/a", 1).target == "/a?q");
  BOOST_TEST(origin.seen("/a", 1).headers.get("X-Sent") == "1");
  BOOST_TEST(origin.seen("/a", 2).trailers.get("T") == "u");
  BOOST_TEST(origin.seen("/a").method == "HEAD");
  BOOST_CHECK_THROW(origin.seen("/a", 4), Failure);
}

BOOST_AUTO_TEST_CASE(a_script_ends_in_poison) {
  Origin origin;
  origin.script("/a", {reply({.body = "1"}), reply({.body = "2"})});
  Client client(origin.port());
  BOOST_TEST(client.get("/a").body == "1");
  BOOST_TEST(client.get("/a").body == "2");
  BOOST_TEST(client.get("/a").body == kPoison);
  BOOST_TEST(origin.unexpected() == 1U);
}

BOOST_AUTO_TEST_CASE(gates_hold_and_conditions_time_out) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    x.send("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
    x.hold(gate);
    x.respond({.body = "a"});
  });
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(origin.port());
    clients.back().send_request("GET", "/a");
    BOOST_TEST(clients.back().read_informational());
  }
  BOOST_TEST(origin.most_at_once() == 3U);
  BOOST_TEST(clients.back().is_quiet(Millis{20}));
  BOOST_TEST(!until([&] { return origin.count("/a") == 4; }, Millis{20}));
  BOOST_CHECK_THROW(clients.back().read("GET", Millis{20}), Failure);
  gate.open();
  for (Client& client : clients) {
    const Response response = client.read();
    BOOST_TEST(response.body == "a");
    BOOST_TEST(response.informational.size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(closing_is_seen_on_both_sides) {
  Origin origin;
  std::atomic<bool> closed = false;
  origin.on("/wait", [&](Exchange& x) { closed = x.wait_for_close(); });
  origin.on("/close", [](Exchange& x) { x.close(); });
  Client waiting(origin.port());
  waiting.send_request("GET", "/wait");
  BOOST_TEST(until([&] { return origin.count("/wait") == 1; }));
  BOOST_TEST(!closed);
  waiting.reset();
  BOOST_TEST(until([&] { return closed.load(); }));
  Client client(origin.port());
  client.send_request("GET", "/close");
  const Response none = client.read();
  BOOST_TEST(none.status == 0);
  BOOST_TEST(none.closed);
  origin.stop();
  BOOST_CHECK_THROW(Client{origin.port()}, Failure);
}

BOOST_AUTO_TEST_CASE(cache_status_is_read_by_its_last_member) {
  Response response;
  response.headers.parse_line("Cache-Status: behind; hit; ttl=5, seawall; fwd=uri-miss; stored");
  BOOST_TEST(!response.is_hit());
  BOOST_TEST(response.cache_parameter("fwd").value_or("") == "uri-miss");
  BOOST_TEST(response.cache_parameter("stored").has_value());
  BOOST_TEST(!response.cache_parameter("ttl").has_value());
  response.headers.lines.front().second = "seawall; hit; ttl=-3; detail=stale-if-error";
  BOOST_TEST(response.is_hit());
  BOOST_TEST(response.cache_parameter("ttl").value_or("") == "-3");
}

BOOST_AUTO_TEST_CASE(processes_are_watched_to_their_end) {
  Process echo({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
  BOOST_TEST(echo.wait() == 3);
  BOOST_TEST(echo.output() == "out\nerr\n");
  Process sleeper({"/bin/sh", "-c", "echo up; exec sleep 60"});
  BOOST_TEST(sleeper.says("up"));
  BOOST_TEST(!sleeper.has_exited());
  BOOST_TEST(sleeper.resident_bytes() > 0U);
  sleeper.signal(SIGTERM);
  BOOST_TEST(sleeper.wait() == 128 + SIGTERM);
  BOOST_CHECK_THROW(Process({"/nonexistent/binary"}), Failure);
}

// What a server says of a connection: protocol, whether resumed, who the client is.
constexpr const char* kTlsServer = R"(
access_log off;
ssl_protocols TLSv1.2 TLSv1.3;
server {
  listen 127.0.0.1:{port} ssl http2;
  ssl_certificate {dir}/site.pem; ssl_certificate_key {dir}/site.pem;
  ssl_certificate {dir}/rsa.pem; ssl_certificate_key {dir}/rsa.pem;
  ssl_client_certificate {dir}/ca.pem; ssl_verify_client optional;
  ssl_stapling on; ssl_stapling_file {dir}/ocsp.der;
  ssl_session_cache shared:a:1m;
  location / {
    add_header X-Seen "$ssl_protocol $ssl_session_reused $ssl_server_name $ssl_client_verify";
    return 200 $server_protocol;
  }
})";

class TlsServer {
 public:
  const Site site;
  const Server server = nginx(with_files(), kTlsServer);

 private:
  const TemporaryDirectory& with_files() const {
    site.add("rsa.pem", certificate_for({"a.test"}, KeyType::kRsa));
    site.directory.write("ocsp.der", site.authority.ocsp_response(site.certificate));
    return site.directory;
  }
};

BOOST_AUTO_TEST_CASE(a_tls_client_sees_what_a_server_shows, *boost::unit_test::precondition(Needs{{"nginx"}})) {
  const TlsServer nginx;
  TlsOptions tls{.ca = nginx.site.ca, .asks_for_staple = true};
  Client client(nginx.server.port(), {.tls = tls});
  const Response first = client.get("/");
  BOOST_TEST(first.get("X-Seen") == "TLSv1.3 . a.test NONE");
  BOOST_TEST(first.body == "HTTP/1.1");
  BOOST_TEST(client.tls().version() == "TLSv1.3");
  BOOST_TEST(client.tls().key_type() == "EC");
  BOOST_TEST(client.tls().common_name() == "a.test");
  BOOST_TEST(client.tls().fingerprint() == nginx.site.certificate.fingerprint());
  BOOST_TEST((client.tls().staple() == nginx.site.directory.read("ocsp.der")));
  tls.ticket = client.tls().ticket();
  BOOST_REQUIRE(tls.ticket);
  Client again(nginx.server.port(), {.tls = tls});
  BOOST_TEST(again.get("/").get("X-Seen") == "TLSv1.3 r a.test NONE");
  BOOST_TEST(again.tls().is_resumed());
  Client old(nginx.server.port(), {.tls = TlsOptions{.max_version = TLS1_2_VERSION, .signatures = "RSA+SHA256"}});
  BOOST_TEST(old.get("/").get("X-Seen") == "TLSv1.2 . a.test NONE");
  BOOST_TEST(old.tls().key_type() == "RSA");
  Client known(nginx.server.port(), {.tls = TlsOptions{.certificate = nginx.site.pem}});
  BOOST_TEST(known.get("/").get("X-Seen") == "TLSv1.3 . a.test SUCCESS");
  Socket stranger = Socket::connect(nginx.server.authority());
  BOOST_TEST(!stranger.start_tls({.server_name = "b.test", .ca = tls.ca}));
  BOOST_TEST(contains(stranger.tls().failure(), "certificate verify failed"), stranger.tls().failure());
}

BOOST_AUTO_TEST_CASE(http2_clients_see_what_a_server_says, *boost::unit_test::precondition(Needs{{"nginx", "curl"}})) {
  const TlsServer nginx;
  Http2Client client(nginx.server.port(), {.tls = TlsOptions{}});
  BOOST_TEST(client.setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS).value_or(0) == 128U);
  const std::int32_t one = client.open("GET", "/1");
  const std::int32_t two = client.open("HEAD", "/2");
  BOOST_TEST(client.read(two).complete);
  const Response response = client.read(one);
  BOOST_TEST(response.status == 200, response);
  BOOST_TEST(response.body == "HTTP/2.0");
  BOOST_TEST(response.get("x-seen") == "TLSv1.3 . a.test NONE");
  BOOST_TEST(client.get("/3").complete);
  client.send_frame(NGHTTP2_PING, 0, 1, "12345678");
  BOOST_TEST(client.read_goaway().value_or(0) == static_cast<unsigned>(NGHTTP2_PROTOCOL_ERROR));
  BOOST_TEST(client.is_closed());

  const CurlResponse by_curl = curl({"-k", "--http2", "https://" + nginx.server.authority() + "/"});
  BOOST_TEST(by_curl.code == 0, by_curl.errors);
  BOOST_TEST(by_curl.version == "HTTP/2");
  BOOST_TEST(by_curl.body == "HTTP/2.0");
  BOOST_TEST(curl({"-k", "--http1.1", "https://" + nginx.server.authority() + "/"}).body == "HTTP/1.1");
  BOOST_TEST(curl({"http://127.0.0.1:" + std::to_string(unused_port())}).code == 7);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
