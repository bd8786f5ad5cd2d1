// HTTP/2 with real clients, over TLS and with prior knowledge: the same answers as over HTTP/1.1, many at once.
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <regex>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/http2_client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

// Larger than the windows that a connection begins with.
constexpr std::size_t kLarge = std::size_t{4} << 20;

// Both kinds of HTTP/2, and HTTP/1.1 beside them.
class Edge {
 public:
  explicit Edge(SeawallOptions options = {}) : seawall(origin, with_listeners(std::move(options))) {}

  Origin origin;
  const Site site;
  Seawall seawall;

  Http2Client plain() const { return Http2Client(seawall.port(1)); }
  Http2Client secure() const { return Http2Client(seawall.port(0), {.tls = site.client()}); }
  std::string secure_url(const std::string& path) const {
    return "https://a.test:" + std::to_string(seawall.port(0)) + path;
  }
  std::string plain_url(const std::string& path) const {
    return "http://a.test:" + std::to_string(seawall.port(1)) + path;
  }
  CurlResponse curl_to(const std::string& url, std::vector<std::string> arguments) const {
    for (const std::size_t listener : {0U, 1U}) {
      arguments.insert(arguments.end(),
                       {"--resolve", "a.test:" + std::to_string(seawall.port(listener)) + ":127.0.0.1"});
    }
    arguments.insert(arguments.end(), {"--cacert", site.ca, url});
    return curl(arguments);
  }

 private:
  SeawallOptions with_listeners(SeawallOptions options) const {
    options.listen = {"127.0.0.1:0 tls", "127.0.0.1:0"};
    options.tls = site.certificates();
    return options;
  }
};

// RFC 6455 section 4.2.2.
std::string websocket_accept(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 64> out{};
  const int size = EVP_EncodeBlock(out.data(), digest.data(), static_cast<int>(digest.size()));
  return {out.begin(), out.begin() + size};
}

BOOST_AUTO_TEST_SUITE(behave_http2)

BOOST_AUTO_TEST_CASE(curl_gets_the_same_over_every_version) {
  Edge edge;
  edge.origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60", "ETag: \"1\"", "X-Mixed-Case: Kept",
                                         "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5"},
                             .body = pattern(100'000)});
  edge.origin.on("/up", [](Exchange& x) { x.respond({.status = 201, .body = x.read_body()}); });
  struct Way {
    std::string url;
    const char* flag;
    const char* version;
  };
  const auto ways = [&](const std::string& path) {
    return std::vector<Way>{{edge.secure_url(path), "--http2", "HTTP/2"},
                            {edge.plain_url(path), "--http2-prior-knowledge", "HTTP/2"},
                            {edge.secure_url(path), "--http1.1", "HTTP/1.1"},
                            {edge.plain_url(path), "--http1.1", "HTTP/1.1"}};
  };
  const std::string upload = edge.site.directory.write("upload", pattern(kLarge));
  for (const Way& way : ways("/a")) {
    BOOST_TEST_CONTEXT(way.flag << ' ' << way.url) {
      edge.curl_to(way.url, {way.flag});
      const CurlResponse hit = edge.curl_to(way.url, {way.flag});
      BOOST_TEST(hit.code == 0, hit.errors);
      BOOST_TEST(hit.version == way.version);
      BOOST_TEST(hit.status == 200);
      BOOST_TEST(hit.is_hit(), hit);
      BOOST_TEST((hit.body == pattern(100'000)));
      BOOST_TEST(hit.get("X-Mixed-Case") == "Kept");
      BOOST_TEST(hit.get("ETag") == "\"1\"");
      BOOST_TEST(hit.get("Content-Length") == "100000");
      for (const char* name : {"X-Hop", "Keep-Alive", "Transfer-Encoding"}) BOOST_TEST(!hit.has(name), name);
      if (hit.version == "HTTP/2") BOOST_TEST(!hit.has("Connection"));
      BOOST_TEST(edge.curl_to(way.url, {way.flag, "-H", "If-None-Match: \"1\""}).status == 304);
      const CurlResponse range = edge.curl_to(way.url, {way.flag, "-r", "1000-1999"});
      BOOST_TEST(range.status == 206);
      BOOST_TEST((range.body == pattern(100'000).substr(1000, 1000)));
      const CurlResponse head = edge.curl_to(way.url, {way.flag, "-I"});
      BOOST_TEST(head.code == 0, head.errors);
      BOOST_TEST(head.get("Content-Length") == "100000");
      BOOST_TEST(edge.curl_to(way.url, {way.flag, "-r", "200000-"}).status == 416);
    }
  }
  for (const Way& way : ways("/up")) {
    BOOST_TEST_CONTEXT(way.flag << ' ' << way.url) {
      const CurlResponse echo = edge.curl_to(way.url, {way.flag, "--data-binary", "@" + upload});
      BOOST_TEST(echo.code == 0, echo.errors);
      BOOST_TEST(echo.status == 201);
      BOOST_TEST((echo.body == pattern(kLarge)));
      // Of a length that is not told: in chunks, where there are any.
      const bool is_http2 = std::string_view(way.version) == "HTTP/2";
      const CurlResponse streamed = edge.curl_to(
          way.url, {way.flag, "-T", upload, "-H", is_http2 ? "Content-Length:" : "Transfer-Encoding: chunked"});
      BOOST_TEST((streamed.body == pattern(kLarge)));
    }
  }
  // One for each scheme.
  BOOST_TEST(edge.origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(the_origin_sees_what_it_would_see_of_http1) {
  Edge edge;
  edge.origin.otherwise(reply({.headers = {"Cache-Control: no-store"}, .body = "a"}));
  Http2Client client = edge.secure();
  Http2Fields fields = {{":method", "GET"},      {":scheme", "https"}, {":authority", "a.test"},
                        {":path", "/a?b=c%20d"}, {"cookie", "one=1"},  {"cookie", "two=2"},
                        {"x-empty", ""},         {"te", "trailers"},   {"accept", "text/html"},
                        {"accept", "text/plain"}};
  BOOST_TEST(client.request(fields).body == "a");
  const SeenRequest seen = edge.origin.seen("/a");
  BOOST_TEST(seen.target == "/a?b=c%20d");
  BOOST_TEST(seen.headers.get("Host") == "a.test");
  BOOST_TEST(seen.headers.count("Host") == 1U);
  // RFC 9113 section 8.2.3.
  BOOST_TEST(seen.headers.get("Cookie") == "one=1; two=2");
  BOOST_TEST(seen.headers.count("Cookie") == 1U);
  BOOST_TEST(seen.headers.has("X-Empty"));
  BOOST_TEST(seen.headers.get("Accept") == "text/html, text/plain");
  BOOST_TEST(!contains(seen.head, "\n:"));
  BOOST_TEST(seen.headers.get("X-Forwarded-Proto") == "https");
  BOOST_TEST(contains(seen.headers.get("Via"), "2"), seen.headers.get("Via"));
}

BOOST_AUTO_TEST_CASE(requests_share_a_connection_and_answers_overtake) {
  Gate gate;
  Edge edge;
  edge.origin.on("/slow", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: no-store"}, .body = "slow"});
  });
  edge.origin.on("/quick", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "quick"});
  for (const bool is_secure : {true, false}) {
    Http2Client client = is_secure ? edge.secure() : edge.plain();
    std::vector<std::int32_t> slow;
    for (int i = 0; i < 20; ++i) slow.push_back(client.open("GET", "/slow?" + std::to_string(i)));
    for (int i = 0; i < 20; ++i) BOOST_TEST(client.get("/quick").body == "quick");
    if (is_secure) gate.open();
    for (const std::int32_t stream : slow) BOOST_TEST(client.read(stream).body == "slow");
  }
}

BOOST_AUTO_TEST_CASE(streams_beyond_the_limit_are_refused_not_lost) {
  Gate gate;
  Edge edge({.http2 = "streams = 10"});
  edge.origin.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: no-store"}, .body = "a"});
  });
  Http2Client client = edge.plain();
  BOOST_TEST(client.setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS).value_or(0) == 10U);
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(client.open("GET", "/" + std::to_string(i)));
  BOOST_TEST(until([&] { return edge.origin.total() == 10; }));
  gate.open();
  for (const std::int32_t stream : streams) BOOST_TEST(client.read(stream).body == "a");
  BOOST_TEST(client.get("/more").body == "a");
}

// Flow control: what a client does not take stays in the cache, and the others on the connection go on.
BOOST_AUTO_TEST_CASE(a_stream_without_a_window_holds_up_nobody) {
  Edge edge;
  edge.origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(kLarge)});
  edge.origin.on("/small", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "small"});
  for (int round = 0; round < 2; ++round) {
    Http2Client client(edge.seawall.port(1), {}, Http2Client::Windows::kKept);
    const std::int32_t big = client.open("GET", "/big");
    BOOST_TEST(client.read_body(big, 65'535).body.size() == 65'535U);
    client.give_window(0, 1'000'000);
    BOOST_TEST(client.get("/small").body == "small");
    client.give_window(big, 100'000);
    BOOST_TEST(client.read_body(big, 165'535).body.size() == 165'535U);
    client.give_window(0, kLarge);
    client.give_window(big, kLarge);
    const Response response = client.read(big);
    BOOST_TEST(response.complete);
    BOOST_TEST((response.body == pattern(kLarge)));
  }
}

BOOST_AUTO_TEST_CASE(an_upload_is_paced_by_its_origin) {
  Gate gate;
  Edge edge;
  edge.origin.on("/up", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.body = std::to_string(x.read_body().size())});
  });
  edge.origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Http2Client client = edge.plain();
  const std::uint32_t window = client.setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE).value_or(65'535);
  const std::int32_t up = client.open("POST", "/up", {}, false);
  std::string body(std::min<std::size_t>(window, 65'535), 'x');
  for (std::string_view left = body; !left.empty(); left.remove_prefix(std::min<std::size_t>(left.size(), 16'384)))
    client.send_data(up, left.substr(0, 16'384));
  BOOST_TEST(client.get("/a").body == "a");
  gate.open();
  client.send_data(up, {}, true);
  BOOST_TEST(client.read(up).body == std::to_string(body.size()));
}

BOOST_AUTO_TEST_CASE(trailers_pass_both_ways) {
  Edge edge;
  edge.origin.on("/a", [](Exchange& x) {
    const std::string body = x.read_body();
    x.begin_chunked({"Cache-Control: no-store", "Trailer: X-Sum"});
    x.send_chunk(body);
    x.end_chunks({"X-Sum: " + x.request().trailers.get("X-Sent")});
  });
  Http2Client client = edge.plain();
  const std::int32_t stream = client.open("POST", "/a", {{"te", "trailers"}, {"trailer", "x-sent"}}, false);
  client.send_data(stream, "hello");
  client.send_trailers(stream, {{"x-sent", "5"}});
  const Response response = client.read(stream);
  BOOST_TEST(response.body == "hello");
  BOOST_TEST(response.trailers.get("x-sum") == "5", response);
}

BOOST_AUTO_TEST_CASE(informational_responses_pass) {
  Edge edge;
  edge.origin.on("/a", [](Exchange& x) {
    x.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
    x.respond({.headers = {"Cache-Control: no-store"}, .body = "a"});
  });
  edge.origin.on("/up", [](Exchange& x) { x.respond({.body = x.read_body()}); });
  Http2Client client = edge.plain();
  const Response response = client.get("/a");
  BOOST_TEST(response.body == "a");
  BOOST_TEST(response.informational.size() == 1U);
  const std::int32_t up = client.open("POST", "/up", {{"expect", "100-continue"}, {"content-length", "2"}}, false);
  client.send_data(up, "up", true);
  BOOST_TEST(client.read(up).body == "up");
}

// RFC 9218: what is more urgent goes first, and what is not incremental goes whole.
BOOST_AUTO_TEST_CASE(the_more_urgent_goes_first) {
  Edge edge;
  for (const char* path : {"/image", "/style", "/script"})
    edge.origin.on(path, Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(200'000)});
  Http2Client warm = edge.plain();
  for (const char* path : {"/image", "/style", "/script"}) BOOST_TEST(warm.get(path).complete);
  Http2Client client(edge.seawall.port(1), {}, Http2Client::Windows::kKept);
  // The connection's window is the bottleneck; each stream has room.
  const std::int32_t image = client.open("GET", "/image", {{"priority", "u=6"}});
  BOOST_TEST(client.read_body(image, 65'535).body.size() == 65'535U);
  const std::int32_t script = client.open("GET", "/script", {{"priority", "u=3"}});
  const std::int32_t style = client.open("GET", "/style", {{"priority", "u=1"}});
  BOOST_TEST(client.read_head(style).status == 200);
  BOOST_TEST(client.read_head(script).status == 200);
  for (const std::int32_t stream : {image, script, style}) client.give_window(stream, 1'000'000);
  const std::size_t before = client.data_order().size();
  client.give_window(0, 600'000);
  for (const std::int32_t stream : {image, script, style}) BOOST_TEST(client.read(stream).complete);
  const std::vector<std::int32_t> order(client.data_order().begin() + static_cast<std::ptrdiff_t>(before),
                                        client.data_order().end());
  const auto last = [&](std::int32_t stream) {
    return std::find(order.rbegin(), order.rend(), stream).base() - order.begin();
  };
  const auto first = [&](std::int32_t stream) { return std::find(order.begin(), order.end(), stream) - order.begin(); };
  BOOST_TEST(last(style) <= first(script));
  BOOST_TEST(last(script) <= first(image));
}

// PRIORITY_UPDATE (RFC 9218 section 7.1) and the PRIORITY of RFC 7540 do no harm.
BOOST_AUTO_TEST_CASE(priorities_may_change_underway) {
  Edge edge;
  edge.origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Http2Client client = edge.plain();
  client.send_frame(NGHTTP2_PRIORITY, 0, 3, std::string_view("\0\0\0\0\7", 5));
  const std::int32_t stream = client.open("GET", "/a", {{"priority", "u=9, i=?2, nonsense"}});
  client.send_frame(0x10, 0, 0, std::string_view("\0\0\0\1u=0, i", 10));
  client.send_frame(0x10, 0, 0, std::string_view("\0\0\0\x63nonsense", 12));
  BOOST_TEST(client.read(stream).body == "a");
  BOOST_TEST(client.get("/a").is_hit());
}

BOOST_AUTO_TEST_CASE(a_cancelled_stream_leaves_the_others_alone) {
  Edge edge;
  std::atomic<bool> was_closed = false;
  edge.origin.on("/slow", [&](Exchange& x) { was_closed = x.wait_for_close(); });
  edge.origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(kLarge)});
  edge.origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Http2Client client = edge.secure();
  const std::int32_t slow = client.open("POST", "/slow", {}, false);
  BOOST_TEST(until([&] { return edge.origin.count("/slow") == 1; }));
  const std::int32_t big = client.open("GET", "/big");
  client.read_body(big, 1000);
  client.reset(big);
  client.reset(slow);
  BOOST_TEST(until([&] { return was_closed.load(); }));
  BOOST_TEST(client.get("/a").body == "a");
  // The fetch went on without its client.
  const Response response = client.get("/big");
  BOOST_TEST((response.body == pattern(kLarge)));
  BOOST_TEST(edge.origin.count("/big") == 1U);
}

BOOST_AUTO_TEST_CASE(a_half_closed_client_gets_its_answers) {
  Edge edge;
  Gate gate;
  edge.origin.on("/slow", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: no-store"}, .body = "slow"});
  });
  Http2Client plain = edge.plain();
  Http2Client secure = edge.secure();
  std::size_t asked = 0;
  for (Http2Client* client : {&plain, &secure}) {
    const std::int32_t stream = client->open("GET", "/slow");
    BOOST_TEST(stream == 1);
    ++asked;
    BOOST_TEST(until([&] { return edge.origin.count("/slow") == asked; }));
    client->connection().half_close();
    BOOST_TEST(!client->is_closed(Millis{100}));
  }
  gate.open();
  for (Http2Client* client : {&plain, &secure}) {
    BOOST_TEST(client->read(1).body == "slow");
    BOOST_TEST(client->is_closed());
  }
  Http2Client idle = edge.secure();
  BOOST_TEST(idle.get("/slow").body == "slow");
  idle.connection().half_close();
  BOOST_TEST(idle.is_closed());
}

BOOST_AUTO_TEST_CASE(a_broken_off_body_is_a_reset_not_an_end) {
  Edge edge;
  edge.origin.on("/cut", [](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.reset();
  });
  edge.origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Http2Client client = edge.plain();
  const std::int32_t stream = client.open("GET", "/cut");
  BOOST_TEST(!client.read(stream).complete);
  BOOST_TEST(client.reset_code(stream).has_value());
  BOOST_TEST(client.get("/a").body == "a");
  const CurlResponse by_curl = edge.curl_to(edge.secure_url("/cut"), {"--http2"});
  BOOST_TEST(by_curl.code != 0);
}

BOOST_AUTO_TEST_CASE(stale_and_error_answers_are_the_same) {
  Edge edge;
  edge.origin.on("/s", [](Exchange& x) {
    if (x.number() > 1) return x.reset();
    x.respond({.headers = {"Cache-Control: max-age=1, stale-if-error=600", "Age: 10"}, .body = "old"});
  });
  Http2Client client = edge.plain();
  BOOST_TEST(client.get("/s").body == "old");
  const Response stale = client.get("/s");
  BOOST_TEST(stale.body == "old");
  BOOST_TEST(stale.is_hit(), stale);
  BOOST_TEST(contains(stale.cache_status(), "detail=stale"), stale);
  edge.origin.stop();
  const Response error = client.get("/none");
  BOOST_TEST(error.status == 502, error);
  BOOST_TEST(contains(error.cache_status(), "connect-refused"), error);
  BOOST_TEST(!error.has("connection"));
  BOOST_TEST(client.get("/s").body == "old");
}

BOOST_AUTO_TEST_CASE(nghttp_and_h2load_are_content, *boost::unit_test::precondition(Needs{{"nghttp", "h2load"}})) {
  Edge edge({.workers = 2});
  edge.origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(3000)});
  edge.origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(1'000'000)});
  for (const std::string& base : {"https://" + edge.seawall.address(0), "http://" + edge.seawall.address(1)}) {
    BOOST_TEST_CONTEXT(base) {
      const std::vector<std::string> host = {"-H", ":authority: a.test"};
      const Outcome many = run({"nghttp", "-nas", "-m", "20", host[0], host[1], base + "/a", base + "/big"});
      BOOST_TEST(many.code == 0, many.output);
      BOOST_TEST(!contains(many.output, "ERROR"), many.output);
      const std::regex answered(R"( 200 +\S+ /(a|big))");
      BOOST_TEST(std::distance(std::sregex_iterator(many.output.begin(), many.output.end(), answered),
                               std::sregex_iterator()) == 40,
                 many.output);
      for (const char* path : {"/a", "/big"}) {
        const std::string requests = std::string_view(path) == "/a" ? "5000" : "200";
        const Outcome load =
            run({"h2load", "-n", requests, "-c", "20", "-m", "10", host[0], host[1], base + path}, {}, Millis{60'000});
        BOOST_TEST(load.code == 0, load.output);
        BOOST_TEST(contains(load.output, requests + " succeeded, 0 failed, 0 errored, 0 timeout"), load.output);
        BOOST_TEST(contains(load.output, "status codes: " + requests + " 2xx"), load.output);
      }
    }
  }
  BOOST_TEST(edge.origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(a_websocket_runs_over_extended_connect) {
  Edge edge;
  edge.origin.on("/socket", [](Exchange& x) {
    x.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
           websocket_accept(x.request().headers.get("Sec-WebSocket-Key")) + "\r\n\r\n");
    // The text of a masked frame back, unmasked, as a server sends it.
    const auto read = [&](std::size_t size) {
      std::string bytes;
      for (std::string more; bytes.size() < size && !(more = x.read_raw(size - bytes.size())).empty();) bytes += more;
      bytes.resize(size);
      return bytes;
    };
    const std::string head = read(6);
    const std::size_t size = static_cast<unsigned char>(head.at(1)) & 0x7fU;
    std::string text = read(size);
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(text[i] ^ head.at(2 + i % 4));
    x.send("\x81" + std::string(1, static_cast<char>(text.size())) + text);
    x.wait_for_close();
    x.close();
  });
  edge.origin.on("/refused", Reply{.status = 403, .body = "no"});
  const std::string port = std::to_string(edge.seawall.port(1));
  const Outcome outcome = python("h2_request.py", {port, "--websocket", "/socket"});
  const auto report = nlohmann::json::parse(outcome.output, nullptr, false);
  BOOST_REQUIRE_MESSAGE(report.is_object(), outcome.output);
  BOOST_TEST(report["enabled"] == 1);
  BOOST_TEST(report["status"] == 200, outcome.output);
  BOOST_TEST(report["body"].get<std::string>() == "\xc2\x81\x0bover HTTP/2", outcome.output);
  const SeenRequest seen = edge.origin.seen("/socket");
  BOOST_TEST(seen.method == "GET");
  BOOST_TEST(iequals(seen.headers.get("Upgrade"), "websocket"));
  BOOST_TEST(contains(seen.headers.get("Connection"), "pgrade"));
  BOOST_TEST(seen.headers.has("Sec-WebSocket-Key"));
  BOOST_TEST(seen.headers.get("Sec-WebSocket-Version") == "13");
  const auto refused =
      nlohmann::json::parse(python("h2_request.py", {port, "--websocket", "/refused"}).output, nullptr, false);
  BOOST_TEST(refused.value("status", 0) == 403, refused.dump());
}

BOOST_AUTO_TEST_CASE(sigterm_says_goaway_and_lets_streams_finish) {
  Gate gate;
  Edge edge({.workers = 2, .shutdown = "10s"});
  edge.origin.on("/a", [&](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.hold(gate);
    x.send_chunk("last");
    x.end_chunks();
  });
  edge.origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  Http2Client idle = edge.secure();
  BOOST_TEST(idle.get("/b").body == "b");
  Http2Client busy = edge.secure();
  const std::int32_t stream = busy.open("GET", "/a");
  BOOST_TEST(busy.read_body(stream, 5).body == "first");
  edge.seawall.process().signal(SIGTERM);
  BOOST_TEST(idle.read_goaway().value_or(99) == static_cast<unsigned>(NGHTTP2_NO_ERROR));
  BOOST_TEST(idle.is_closed());
  BOOST_TEST(busy.read_goaway().value_or(99) == static_cast<unsigned>(NGHTTP2_NO_ERROR));
  BOOST_TEST(busy.goaway_last_stream() >= stream);
  BOOST_TEST(!edge.seawall.process().has_exited());
  gate.open();
  const Response response = busy.read(stream);
  BOOST_TEST(response.body == "firstlast");
  BOOST_TEST(response.complete);
  BOOST_TEST(busy.is_closed());
  BOOST_TEST(edge.seawall.process().wait() == 0);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_gets_goaway) {
  Edge edge({.timeouts = "idle = \"300ms\""});
  edge.origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  Http2Client used = edge.plain();
  BOOST_TEST(used.get("/b").body == "b");
  BOOST_TEST(used.read_goaway().value_or(99) == static_cast<unsigned>(NGHTTP2_NO_ERROR));
  BOOST_TEST(used.is_closed());
}

// An Upgrade to h2c is not followed (RFC 9113 section 3.1 has dropped it), and the request is answered.
BOOST_AUTO_TEST_CASE(an_upgrade_to_h2c_is_ignored) {
  Edge edge;
  edge.origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  const CurlResponse response = edge.curl_to(edge.plain_url("/b"), {"--http2"});
  BOOST_TEST(response.version == "HTTP/1.1");
  BOOST_TEST(response.body == "b");
  BOOST_TEST(!edge.origin.seen("/b").headers.has("HTTP2-Settings"));
}

BOOST_AUTO_TEST_CASE(without_http2_the_preface_is_a_bad_request) {
  Edge edge({.http2 = "enabled = false"});
  edge.origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  Client client(edge.seawall.address(1));
  client.send(NGHTTP2_CLIENT_MAGIC);
  const Response response = client.read();
  BOOST_TEST((response.status == 400 || response.status == 505), response);
  BOOST_TEST(client.is_closed());
  BOOST_TEST(edge.curl_to(edge.secure_url("/b"), {"--http2"}).version == "HTTP/1.1");
}

BOOST_AUTO_TEST_CASE(connections_and_streams_are_counted_and_logged) {
  const TemporaryDirectory logs;
  Edge edge({.admin = true, .log = "access = \"" + logs.path() + "/access.log\""});
  edge.origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  {
    Http2Client client = edge.secure();
    for (int i = 0; i < 3; ++i) BOOST_TEST(client.get("/b").body == "b");
    Http2Client other = edge.plain();
    BOOST_TEST(other.get("/b").body == "b");
  }
  const Admin admin(edge.seawall);
  BOOST_TEST(admin.metric("seawall_http2_connections_total") == 2);
  BOOST_TEST(admin.metric("seawall_http2_streams_total") == 4);
  BOOST_TEST(until([&] { return contains(logs.read("access.log"), "GET /b HTTP/2"); }), logs.read("access.log"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
