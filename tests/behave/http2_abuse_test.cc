// HTTP/2 as an attacker speaks it: what costs the server more than the client ends the connection and is counted, and
// no request may mean one thing to seawall and another to the origin.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/http2_client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

using Json = nlohmann::json;

Json report_of(const Outcome& outcome) {
  Json report = Json::parse(outcome.output, nullptr, false);
  if (outcome.code != 0 || !report.is_object()) throw Failure("the script failed: " + outcome.output);
  return report;
}

class Attacked {
 public:
  Origin origin;
  Seawall seawall{origin, {.admin = true}};
  const Admin admin{seawall};
  Gate gate;

  Attacked() {
    origin.on("/slow", [this](Exchange& x) {
      x.hold(gate);
      x.respond({.headers = {"Cache-Control: no-store"}, .body = "slow"});
    });
    origin.on("/upload", [](Exchange& x) { x.respond({.body = x.read_body()}); });
    origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
    origin.on("/large", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(100'000)});
  }
  ~Attacked() { gate.open(); }

  Json attack(const std::string& name) const {
    return report_of(python("h2_abuse.py", {std::to_string(seawall.port()), name}));
  }
  double counted(const std::string& kind) const {
    return admin.metric("seawall_http2_abuse_total{kind=\"" + kind + "\"}");
  }
  void serves_the_next_client() const {
    BOOST_TEST(Http2Client(seawall).get("/a").body == "a");
    BOOST_TEST(get(seawall, "/a").body == "a");
  }
};

BOOST_AUTO_TEST_SUITE(behave_http2_abuse)

BOOST_FIXTURE_TEST_CASE(what_costs_too_much_ends_the_connection_and_is_counted, Attacked) {
  struct Row {
    const char* attack;
    const char* kind;
    int most;  // blows that it may take before it has enough
  };
  for (const Row& row : {Row{"rapid-reset", "rapid-reset", 2000},
                         {"made-you-reset-by-window", "made-you-reset", 2000},
                         {"made-you-reset-by-length", "made-you-reset", 2000},
                         {"made-you-reset-by-field", "made-you-reset", 2000},
                         {"settings", "settings", 5000},
                         {"ping", "ping", 5000},
                         {"empty-data", "empty-frames", 5000},
                         {"padding", "empty-frames", 5000},
                         {"window-update", "window-update", 20'000},
                         {"priority", "priority", 20'000},
                         {"priority-update", "priority", 20'000},
                         {"unknown-frames", "unknown-frames", 5000},
                         {"late-data", "late-data", 5000},
                         {"tiny-window", "tiny-window", 2000},
                         {"continuation", "continuation", 2000},
                         {"empty-continuation", "continuation", 2000}}) {
    BOOST_TEST_CONTEXT(row.attack) {
      const double before = counted(row.kind);
      const Json report = attack(row.attack);
      BOOST_TEST(report["closed"] == true, report.dump());
      BOOST_TEST(report["goaway"] == "ENHANCE_YOUR_CALM", report.dump());
      BOOST_TEST(report["sent"].get<int>() <= row.most, report.dump());
      BOOST_TEST(until([&] { return counted(row.kind) == before + 1; }), admin.get("/metrics").body);
      serves_the_next_client();
    }
  }
}

// A few bytes that become megabytes: refused one by one, and in the end with the connection.
BOOST_FIXTURE_TEST_CASE(header_bombs_are_not_unpacked, Attacked) {
  get(seawall, "/a");
  for (const char* bomb : {"header-bomb", "cookie-crumbs"}) {
    BOOST_TEST_CONTEXT(bomb) {
      const std::size_t before = seawall.process().resident_bytes();
      const Json report = attack(bomb);
      BOOST_TEST(report["closed"] == true, report.dump());
      BOOST_TEST(report["goaway"] == "ENHANCE_YOUR_CALM", report.dump());
      BOOST_TEST(counted("headers") >= 1);
      if (!kSanitized) BOOST_TEST(seawall.process().resident_bytes() < before + (std::size_t{16} << 20));
      serves_the_next_client();
    }
  }
  BOOST_TEST(origin.count("/slow") == 0U);
}

// One head that is too large is a request that gets its answer, as over HTTP/1.1.
BOOST_FIXTURE_TEST_CASE(one_large_head_gets_431, Attacked) {
  Http2Client client(seawall);
  Http2Fields many;
  for (int i = 0; i < 150; ++i) many.emplace_back("x-" + std::to_string(i), "y");
  const Response count = client.get("/a", many);
  BOOST_TEST(count.status == 431, count);
  Http2Client other(seawall);
  const std::int32_t stream =
      other.open("GET", "/a", {{"x-large", std::string(12'000, 'z')}, {"x-larger", std::string(3000, 'z')}});
  BOOST_TEST(other.read(stream).status == 200);
}

BOOST_FIXTURE_TEST_CASE(streams_that_are_never_ended_stay_within_their_number, Attacked) {
  const Json report = report_of(python("h2_abuse.py", {std::to_string(seawall.port()), "too-many-streams", "5000"}));
  BOOST_TEST((report["closed"] == true || report["resets"].contains("REFUSED_STREAM")), report.dump());
  BOOST_TEST(origin.most_at_once() <= 100U);
  serves_the_next_client();
}

// RFC 9113 section 8.2 and 8.3. Whatever would mean something else as HTTP/1.1 is refused on its stream, and what may
// pass is written anew.
BOOST_FIXTURE_TEST_CASE(no_request_smuggles_another, Attacked) {
  struct Row {
    const char* name;
    Json fields;
    std::optional<std::string> body = {};
  };
  origin.otherwise(reply({.headers = {"Cache-Control: no-store"}, .body = "passed"}));
  const auto request = [](const std::string& path, const Json& more = Json::array()) {
    Json fields = Json::array({{":method", "GET"}, {":scheme", "http"}, {":authority", "a.test"}, {":path", path}});
    for (const Json& field : more) fields.push_back(field);
    return fields;
  };
  const auto with = [&](const char* name, const std::string& value) {
    return request("/refused", Json::array({{name, value}}));
  };
  const std::string inner = "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
  const auto replaced = [&](const char* pseudo, const std::string& value) {
    Json fields = request("/refused");
    for (Json& field : fields)
      if (field[0] == pseudo) field[1] = value;
    return fields;
  };
  const auto without = [&](const char* pseudo) {
    Json fields = Json::array();
    for (const Json& field : request("/refused"))
      if (field[0] != pseudo) fields.push_back(field);
    return fields;
  };
  const Row rows[] = {
      {"CRLF in a value", with("x", "a\r\nTransfer-Encoding: chunked")},
      {"LF in a value", with("x", "a\nX-Y: z")},
      {"CR in a value", with("x", "a\rb")},
      {"NUL in a value", with("x", std::string("a\0b", 3))},
      {"a request in a value", with("x", inner)},
      {"CRLF in a name", with("x\r\ny", "z")},
      {"colon in a name", with("x:y", "z")},
      {"space in a name", with("x y", "z")},
      {"upper case", with("X-Upper", "z")},
      {"empty name", with("", "z")},
      {"leading space", with("x", " z")},
      {"transfer-encoding", with("transfer-encoding", "chunked"), "0" + inner},
      {"connection", with("connection", "x-secret")},
      {"keep-alive", with("keep-alive", "timeout=5")},
      {"proxy-connection", with("proxy-connection", "keep-alive")},
      {"upgrade", with("upgrade", "h2c")},
      {"te", with("te", "gzip")},
      {"length without a body", with("content-length", "5")},
      {"length too small", with("content-length", "1"), "more than one"},
      {"length too large", with("content-length", "100"), "less"},
      {"length twice", request("/refused", Json::array({{"content-length", "4"}, {"content-length", "5"}})), "abcd"},
      {"length with a sign", with("content-length", "+4"), "abcd"},
      {"length as a list", with("content-length", "4, 4"), "abcd"},
      {"host is another", with("host", "b.test")},
      {"host twice", request("/refused", Json::array({{"host", "a.test"}, {"host", "b.test"}}))},
      {"CRLF in :path", replaced(":path", "/ HTTP/1.1" + inner)},
      {"space in :path", replaced(":path", "/refused /x")},
      {"fragment in :path", replaced(":path", "/refused#x")},
      {"empty :path", replaced(":path", "")},
      {"relative :path", replaced(":path", "refused")},
      {"absolute :path", replaced(":path", "http://b.test/refused")},
      {"asterisk for GET", replaced(":path", "*")},
      {"CRLF in :method", replaced(":method", "GET / HTTP/1.1" + inner)},
      {"space in :method", replaced(":method", "GET /smuggled")},
      {"empty :method", replaced(":method", "")},
      {"CRLF in :authority", replaced(":authority", "a.test" + inner)},
      {"userinfo in :authority", replaced(":authority", "user@a.test")},
      {"path in :authority", replaced(":authority", "a.test/x")},
      {"bad port in :authority", replaced(":authority", "a.test:99999")},
      {"CRLF in :scheme", replaced(":scheme", "http" + inner)},
      {"unknown :scheme", replaced(":scheme", "gopher")},
      {"no :method", without(":method")},
      {"no :path", without(":path")},
      {"no :scheme", without(":scheme")},
      {"no host at all", without(":authority")},
      {":path twice", request("/refused", Json::array({{":path", "/smuggled"}}))},
      {"unknown pseudo-field", with(":smuggled", "x")},
      {":status in a request", with(":status", "200")},
      {"pseudo-field behind a field",
       Json::array(
           {{":method", "GET"}, {":scheme", "http"}, {"x", "y"}, {":authority", "a.test"}, {":path", "/refused"}})},
      {"CONNECT with a path", replaced(":method", "CONNECT")},
      {":protocol without CONNECT", with(":protocol", "websocket")},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      // No UTF-8: the script reads \u00XX as bytes.
      std::vector<std::string> arguments = {std::to_string(seawall.port()), row.fields.dump()};
      if (row.body) arguments.push_back(*row.body);
      const Json report = report_of(python("h2_request.py", arguments));
      const int status = report["status"];
      BOOST_TEST((!report["reset"].is_null() || !report["goaway"].is_null() || (status >= 400 && status < 600)),
                 report.dump());
      serves_the_next_client();
    }
  }
  BOOST_TEST(origin.count("/smuggled") == 0U);
  // Its head may be on its way before its body turns out to be too short; then it never ends.
  BOOST_TEST(origin.count("/refused") <= 1U);
  if (origin.count("/refused") == 1) BOOST_TEST(!origin.seen("/refused").body_complete);
  for (const char* path : {"/", "/x", "*"}) BOOST_TEST(origin.count(path) == 0U, path);
}

// What passes is framed by us, whatever the client has said about lengths.
BOOST_FIXTURE_TEST_CASE(what_passes_is_framed_anew, Attacked) {
  origin.otherwise([](Exchange& x) { x.respond({.headers = {"Cache-Control: no-store"}, .body = x.read_body()}); });
  const std::string body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
  Http2Client client(seawall);
  for (const Http2Fields& more : {Http2Fields{}, Http2Fields{{"content-length", std::to_string(body.size())}}}) {
    const std::int32_t stream = client.open("POST", "/passed", more, false);
    client.send_data(stream, body.substr(0, 10));
    client.send_data(stream, body.substr(10), true);
    BOOST_TEST(client.read(stream).body == body);
    const SeenRequest seen = origin.seen("/passed");
    BOOST_TEST(seen.body_complete);
    BOOST_TEST(seen.headers.count("Content-Length") + seen.headers.count("Transfer-Encoding") == 1U);
  }
  const Response host =
      client.request({{":method", "GET"}, {":scheme", "http"}, {":path", "/hosted"}, {"host", "a.test"}});
  BOOST_TEST(host.status == 200, host);
  BOOST_TEST(origin.seen("/hosted").headers.get("Host") == "a.test");
  BOOST_TEST(origin.count("/smuggled") == 0U);
}

// Frames that no HTTP/2 peer may send end the connection, and only that one.
BOOST_FIXTURE_TEST_CASE(broken_frames_end_the_connection, Attacked) {
  const std::string request(
      "\x82\x86\x84\x41\x06"
      "a.test",
      11);  // GET http://a.test/, in HPACK
  struct Row {
    const char* name;
    std::uint8_t type;
    std::uint8_t flags;
    std::int32_t stream;
    std::string payload;
  };
  const Row rows[] = {
      {"DATA on stream 0", NGHTTP2_DATA, 0, 0, "x"},
      {"DATA on an idle stream", NGHTTP2_DATA, 0, 5, "x"},
      {"HEADERS on stream 0", NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 0, request},
      {"HEADERS on an even stream", NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2, request},
      {"a stream that depends on itself", NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_PRIORITY, 1,
       std::string("\0\0\0\1\7", 5) + request},
      {"more padding than payload", NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_PADDED, 1,
       "\xff" + request},
      {"broken HPACK", NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
       "\xff\xff\xff\xff\xff\xff"},
      {"CONTINUATION of nothing", NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, request},
      {"PUSH_PROMISE by a client", NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1,
       std::string("\0\0\0\2", 4) + request},
      {"SETTINGS of an odd length", NGHTTP2_SETTINGS, 0, 0, "12345"},
      {"SETTINGS that allow nothing", NGHTTP2_SETTINGS, 0, 0, std::string("\0\5\0\0\0\1", 6)},
      {"a window that is too large", NGHTTP2_SETTINGS, 0, 0, std::string("\0\4\xff\xff\xff\xff", 6)},
      {"PING of a wrong length", NGHTTP2_PING, 0, 0, "1234567"},
      {"WINDOW_UPDATE by nothing", NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\0\0\0\0", 4)},
      {"a connection window that is too large", NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff"},
      {"RST_STREAM of an idle stream", NGHTTP2_RST_STREAM, 0, 7, std::string("\0\0\0\x8", 4)},
      {"a frame that is too large", NGHTTP2_DATA, 0, 1, std::string(20'000, 'x')},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Http2Client client(seawall);
      client.send_frame(row.type, row.flags, row.stream, row.payload);
      const auto error = client.read_goaway();
      BOOST_TEST(error.value_or(99) != static_cast<unsigned>(NGHTTP2_NO_ERROR));
      BOOST_TEST(error.has_value());
      BOOST_TEST(client.is_closed());
      serves_the_next_client();
    }
  }
  // Not even the preface.
  Client garbage(seawall);
  garbage.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
  BOOST_TEST(garbage.read().status != 200);
  serves_the_next_client();
}

// A peer that has opened a connection and says nothing more is as slow as one that never ends its head.
BOOST_AUTO_TEST_CASE(half_a_head_is_not_awaited_for_ever) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Seawall seawall(origin, {.timeouts = "header = \"300ms\", idle = \"300ms\""});
  Http2Client silent(seawall);
  Http2Client half(seawall);
  half.send_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, "\x82");
  Client preface(seawall);
  preface.send(std::string_view(NGHTTP2_CLIENT_MAGIC).substr(0, 10));
  BOOST_TEST(half.is_closed());
  BOOST_TEST(silent.is_closed());
  BOOST_TEST(preface.read().status != 200);
  BOOST_TEST(get(seawall, "/a").body == "a");
}

// Responses that wait for a client which does not read them are bounded in number and time.
BOOST_AUTO_TEST_CASE(a_client_that_takes_nothing_is_cut_off) {
  Origin origin;
  origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(1 << 20)});
  Seawall seawall(origin, {.timeouts = "send = \"300ms\""});
  BOOST_TEST(get(seawall, "/big").complete);
  Http2Client client(seawall.port(), {}, Http2Client::Windows::kKept);
  const std::int32_t stream = client.open("GET", "/big");
  BOOST_TEST(!client.read(stream).complete);
  BOOST_TEST(get(seawall, "/big").is_hit());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
