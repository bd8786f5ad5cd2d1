// RFC 9112 towards clients: whatever two parsers could read differently is refused, and nothing of it reaches the
// origin.
#include <boost/test/unit_test.hpp>
#include <string_view>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(behave_framing_request)

const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";

struct Row {
  const char* name;
  std::string request;
  std::vector<int> statuses = {400};
};

std::string get_with(const std::string& lines) {
  return "GET / HTTP/1.1\r\nHost: a.test\r\n" + lines + "\r\n";
}
std::string post_with(const std::string& lines) {
  return "POST / HTTP/1.1\r\nHost: a.test\r\n" + lines + "\r\n5\r\nhello\r\n0\r\n\r\n";
}
std::string line(const std::string& start) {
  return start + "\r\nHost: a.test\r\n\r\n";
}
std::string host(const std::string& lines) {
  return "GET / HTTP/1.1\r\n" + lines + "\r\n";
}

void expect_refused(const Row& row, Seawall& seawall, const Origin& origin) {
  BOOST_TEST_CONTEXT(row.name) {
    const std::size_t had = origin.total();
    Client client(seawall);
    client.send(row.request + kSmuggled);
    const Response response = client.read();
    BOOST_TEST((std::ranges::find(row.statuses, response.status) != row.statuses.end()), response);
    BOOST_TEST(response.complete);
    BOOST_TEST(iequals(response.get("Connection"), "close"), response);
    BOOST_TEST(client.is_closed());
    BOOST_TEST(origin.total() == had);
  }
}

BOOST_AUTO_TEST_CASE(ambiguous_lines_are_refused) {
  const Row rows[] = {
      {"all lines bare LF", "GET / HTTP/1.1\nHost: a.test\n\n"},
      {"one line bare LF", "GET / HTTP/1.1\r\nX: y\nHost: a.test\r\n\r\n"},
      {"start line bare LF", "GET /x\nHost: a.test\r\n\r\n"},
      {"start line with version, bare LF", "GET / HTTP/1.1\nHost: a.test\r\n\r\n"},
      {"CR hides a coding", get_with("X: \rxTransfer-Encoding: chunked\r\n")},
      {"CR in a value", get_with("X: a\rb\r\n")},
      {"CR at the end of a value", get_with("X: a\r\r\n")},
      {"NUL in a value", get_with("X: a\0b\r\n"s)},
      {"0x01 in a value", get_with("X: a\x01z\r\n")},
      {"DEL in a value", get_with("X: a\x7fz\r\n")},
      {"VT in a value", get_with("X: a\vz\r\n")},
      {"obs-fold", get_with("X: a\r\n b\r\n")},
      {"obs-fold with tab", get_with("X: a\r\n\tb\r\n")},
      {"obs-fold hides a length", "GET / HTTP/1.1\r\nHost: a.test\r\n Content-Length: 5\r\n\r\nhello"},
      {"fold before the first field", "GET / HTTP/1.1\r\n X: y\r\nHost: a.test\r\n\r\n"},
      {"space before colon", host("Host : a.test\r\n")},
      {"tab before colon", get_with("X\t: y\r\n")},
      {"space in a name", get_with("X Y: a\r\n")},
      {"empty name", get_with(": v\r\n")},
      {"no colon", get_with("X\r\n")},
      {"separator in a name", get_with("X(: v\r\n")},
      {"obs-text in a name", get_with("X\xe9: v\r\n")},
      {"NUL in a name", get_with("X\0Y: v\r\n"s)},
      {"CR after the empty line's CRLF", "GET / HTTP/1.1\r\nHost: a.test\r\n\rX\r\n\r\n"},
      {"two empty lines in front", "\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"},
      {"bare LF in front", "\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"},
  };
  Origin origin;
  Seawall seawall(origin);
  for (const Row& row : rows) expect_refused(row, seawall, origin);
}

BOOST_AUTO_TEST_CASE(ambiguous_lengths_are_refused) {
  const std::vector<int> coding = {400, 501};
  const Row rows[] = {
      {"length, then coding", post_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
      {"coding, then length", post_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
      {"identity and length", post_with("Transfer-Encoding: identity\r\nContent-Length: 5\r\n")},
      {"two equal lengths", post_with("Content-Length: 5\r\nContent-Length: 5\r\n")},
      {"two lengths", post_with("Content-Length: 5\r\nContent-Length: 6\r\n")},
      {"list of lengths", post_with("Content-Length: 1, 1\r\n")},
      {"length and comma", post_with("Content-Length: 5,\r\n")},
      {"length +1", post_with("Content-Length: +1\r\n")},
      {"length -1", post_with("Content-Length: -1\r\n")},
      {"length 0x1", post_with("Content-Length: 0x1\r\n")},
      {"length 1 1", post_with("Content-Length: 1 1\r\n")},
      {"length 1_0", post_with("Content-Length: 1_0\r\n")},
      {"length 1.0", post_with("Content-Length: 1.0\r\n")},
      {"length empty", post_with("Content-Length:\r\n")},
      {"length of letters", post_with("Content-Length: five\r\n")},
      {"length 2^64 + 1", post_with("Content-Length: 18446744073709551617\r\n"), {400, 413}},
      {"length with VT", post_with("Content-Length: \v5\r\n")},
      {"identity", post_with("Transfer-Encoding: identity\r\n"), coding},
      {"xchunked", post_with("Transfer-Encoding: xchunked\r\n"), coding},
      {"chunked, identity", post_with("Transfer-Encoding: chunked, identity\r\n"), coding},
      {"gzip, chunked", post_with("Transfer-Encoding: gzip, chunked\r\n"), {501}},
      {"chunked, gzip", post_with("Transfer-Encoding: chunked, gzip\r\n"), coding},
      {"chunked, chunked", post_with("Transfer-Encoding: chunked, chunked\r\n")},
      {"two lines of coding", post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"coding, identity on the next line", post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
       coding},
      {"chunked with a parameter", post_with("Transfer-Encoding: chunked;q=1\r\n"), coding},
      {"VT before chunked", post_with("Transfer-Encoding: \vchunked\r\n")},
      {"empty coding", post_with("Transfer-Encoding:\r\n"), coding},
      {"quoted coding", post_with("Transfer-Encoding: \"chunked\"\r\n"), coding},
      {"chunked in HTTP/1.0",
       "POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"chunked with GET and length", get_with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
  };
  Origin origin;
  Seawall seawall(origin);
  for (const Row& row : rows) expect_refused(row, seawall, origin);
}

BOOST_AUTO_TEST_CASE(ambiguous_targets_and_hosts_are_refused) {
  const std::vector<int> version = {505, 400};
  const Row rows[] = {
      {"no Host", host("")},
      {"two Hosts", host("Host: a.test\r\nHost: b.test\r\n")},
      {"two equal Hosts", host("Host: a.test\r\nHost: a.test\r\n")},
      {"Host with a space", host("Host: a test\r\n")},
      {"Host with userinfo", host("Host: user@a.test\r\n")},
      {"Host with a path", host("Host: a.test/x\r\n")},
      {"Host with a comma", host("Host: a.test,b.test\r\n")},
      {"Host with a large port", host("Host: a.test:99999\r\n")},
      {"Host with a port of letters", host("Host: a.test:80a\r\n")},
      {"Host with an open bracket", host("Host: [::1\r\n")},
      {"Host with obs-text", host("Host: a\xe9.test\r\n")},
      {"Host with a quote", host("Host: a\"b\r\n")},
      {"HTTP/0.9", "GET /\r\n\r\n"},
      {"HTTP/1.2", line("GET / HTTP/1.2"), version},
      {"HTTP/9.9", line("GET / HTTP/9.9"), version},
      {"HTTP/01.1", line("GET / HTTP/01.1"), version},
      {"HTTP/1.10", line("GET / HTTP/1.10"), version},
      {"http/1.1", line("GET / http/1.1"), version},
      {"HTTP/1,1", line("GET / HTTP/1,1"), version},
      {"XHTTP/1.1", line("GET / XHTTP/1.1"), version},
      {"two spaces before the target", line("GET  / HTTP/1.1")},
      {"two spaces after the target", line("GET /  HTTP/1.1")},
      {"tab in the start line", line("GET\t/ HTTP/1.1")},
      {"space at the end of the start line", line("GET / HTTP/1.1 "), version},
      {"space before the method", line(" GET / HTTP/1.1")},
      {"space in the target", line("GET /a b HTTP/1.1")},
      {"no target", line("GET HTTP/1.1"), version},
      {"NUL in the target", line("GET /a\0b HTTP/1.1"s)},
      {"control in the target", line("GET /a\x01z HTTP/1.1")},
      {"DEL in the target", line("GET /a\x7fz HTTP/1.1")},
      {"CR in the target", line("GET /a\rb HTTP/1.1")},
      {"obs-text in the target", line("GET /\xe9 HTTP/1.1")},
      {"fragment", line("GET /a#b HTTP/1.1")},
      {"target without slash", line("GET a HTTP/1.1")},
      {"star with GET", line("GET * HTTP/1.1")},
      {"userinfo in the target", line("GET http://u@a.test/ HTTP/1.1")},
      {"empty host in the target", line("GET http:///a HTTP/1.1")},
      {"control in the method", line("GE\x01T / HTTP/1.1")},
      {"separator in the method", line("G(T / HTTP/1.1")},
      {"CONNECT", "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n", {405, 501, 400}},
  };
  Origin origin;
  Seawall seawall(origin);
  for (const Row& row : rows) expect_refused(row, seawall, origin);
}

// The head was good, so the origin may have been asked already; but it must never see an end of the body.
BOOST_AUTO_TEST_CASE(ambiguous_chunks_are_refused) {
  const std::vector<int> size = {400, 413, 431};
  const Row rows[] = {
      {"0x1", "0x1\r\na\r\n0\r\n\r\n"},
      {"space after the size", "1 \r\na\r\n0\r\n\r\n"},
      {"space before the size", " 1\r\na\r\n0\r\n\r\n"},
      {"+1", "+1\r\na\r\n0\r\n\r\n"},
      {"-1", "-1\r\na\r\n0\r\n\r\n"},
      {"1_0", "1_0\r\na\r\n0\r\n\r\n"},
      {"no size", "\r\na\r\n0\r\n\r\n"},
      {"a letter", "g\r\na\r\n0\r\n\r\n"},
      {"LF in an extension", "1;a\nb\r\na\r\n0\r\n\r\n"},
      {"LF in a quoted extension", "1;a=\"\n\"\r\na\r\n0\r\n\r\n"},
      {"CR in an extension", "1;a\rb\r\na\r\n0\r\n\r\n"},
      {"open quote in an extension", "1;a=\"b\r\na\r\n0\r\n\r\n"},
      {"NUL in an extension", "1;a\0b\r\na\r\n0\r\n\r\n"s},
      {"size line ends LF", "1\na\r\n0\r\n\r\n"},
      {"size line ends CR Z", "1\rZa\r\n0\r\n\r\n"},
      {"data ends LF", "1\r\na\n0\r\n\r\n"},
      {"data too long", "1\r\nab\r\n0\r\n\r\n"},
      {"data too short", "3\r\na\r\n0\r\n\r\n"},
      {"size 2^64 + 1", "10000000000000001\r\na\r\n0\r\n\r\n", size},
      {"size 2^64 - 1", "ffffffffffffffff\r\na\r\n0\r\n\r\n", size},
      {"long size line", "1;" + std::string(9000, 'a') + "\r\na\r\n0\r\n\r\n", size},
      {"many zeros", std::string(9000, '0') + "1\r\na\r\n0\r\n\r\n", size},
      {"last chunk ends LF", "1\r\na\r\n0\n\r\n"},
      {"trailer with CR", "1\r\na\r\n0\r\nX: a\rb\r\n\r\n"},
      {"trailer ends LF", "1\r\na\r\n0\r\nX: a\n\r\n"},
      {"trailer with NUL", "1\r\na\r\n0\r\nX: \0\r\n\r\n"s},
      {"trailer without colon", "1\r\na\r\n0\r\nX\r\n\r\n"},
      {"trailer with obs-fold", "1\r\na\r\n0\r\nX: a\r\n b\r\n\r\n"},
      {"trailer with a space before the colon", "1\r\na\r\n0\r\nX : a\r\n\r\n"},
      {"trailers without end", "1\r\na\r\n0\r\n" + std::string(2000, 'X') + ": " + std::string(70'000, 'y'), size},
  };
  Origin origin;
  std::atomic<int> complete = 0;
  origin.on("/up", [&](Exchange& x) {
    x.read_body();
    complete += x.request().body_complete ? 1 : 0;
    x.close();
  });
  Seawall seawall(origin);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Client client(seawall);
      client.send("POST /up HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" + row.request + kSmuggled);
      const Response response = client.read();
      BOOST_TEST((std::ranges::find(row.statuses, response.status) != row.statuses.end()), response);
      BOOST_TEST(client.is_closed());
      BOOST_TEST(complete == 0);
      BOOST_TEST(origin.count("/smuggled") == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_unusual_but_clear_is_accepted) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.respond({.body = x.request().method + " " + x.read_body()}); });
  Seawall seawall(origin);
  const Row rows[] = {
      {"one empty line in front", "\r\nGET /a HTTP/1.1\r\nHost: a.test\r\n\r\n", {200}},
      {"obs-text in a value", get_with("X: caf\xe9\r\n"), {200}},
      {"no space after the colon", get_with("X:y\r\n"), {200}},
      {"space around a value", get_with("X: \t y \t \r\n"), {200}},
      {"empty value", get_with("X:\r\n"), {200}},
      {"unknown method", line("FOO / HTTP/1.1"), {200}},
      {"CHUNKED", "POST /a HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", {200}},
      {"chunk sizes with zeros and capitals",
       "POST /a HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n000\r\n\r\n",
       {200}},
      {"extension",
       "POST /a HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b;c=\"d\\\"\"\r\na\r\n0;e\r\n\r\n",
       {200}},
      {"length zero", "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n", {200}},
      {"length with zeros", "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0001\r\n\r\na", {200}},
      {"no reason for a Host with port", host("Host: a.test:8080\r\n"), {200}},
      {"Host of IPv6", host("Host: [::1]:8080\r\n"), {200}},
      {"every octet a target may have", line("GET /a~!$&'()*+,;=:@%20?q=/?%41 HTTP/1.1"), {200}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Client client(seawall);
      // The next request on the connection shows that this one ended where it should.
      client.send(row.request + "GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n");
      const Response response = client.read();
      BOOST_TEST(response.status == 200, response);
      BOOST_TEST(client.read().body == "GET ");
      BOOST_TEST(client.is_quiet(Millis{5}));
    }
  }
  BOOST_TEST(contains(origin.seen("/", 1).head, "X: caf\xe9\r\n"));
}

BOOST_AUTO_TEST_CASE(a_body_is_never_taken_for_a_request) {
  Origin origin;
  origin.on("/a",
            [](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "got " + x.read_body()}); });
  Seawall seawall(origin);
  for (const char* method : {"GET", "POST", "DELETE", "OPTIONS", "FOO"}) {
    for (const bool chunked : {false, true}) {
      BOOST_TEST_CONTEXT(method << (chunked ? " chunked" : " with length")) {
        Client client(seawall);
        if (chunked) {
          client.send_request(method, "/a", {"Transfer-Encoding: chunked"}, chunk(kSmuggled) + "0\r\n\r\n");
        } else {
          client.send_request(method, "/a", {}, kSmuggled);
        }
        const Response response = client.read(method);
        BOOST_TEST((response.status == 200 || response.status == 400), response);
        if (response.status == 200) BOOST_TEST(response.body == "got " + kSmuggled);
        BOOST_TEST((response.closed || client.is_quiet(Millis{20}) || client.is_closed()));
      }
    }
  }
  BOOST_TEST(origin.count("/smuggled") == 0U);
}

BOOST_AUTO_TEST_CASE(nothing_is_read_after_the_last_request_of_a_connection) {
  Origin origin;
  origin.on("/a", Reply{.body = "a"});
  Seawall seawall(origin);
  for (const char* last : {"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
                           "GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: foo , CLOSE\r\n\r\n",
                           "GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n"}) {
    BOOST_TEST_CONTEXT(last) {
      Client client(seawall);
      client.send(last + kSmuggled);
      BOOST_TEST(client.read().body == "a");
      BOOST_TEST(client.is_closed());
    }
  }
  BOOST_TEST(origin.count("/smuggled") == 0U);
}

// What the origin gets is written from what was understood, not copied.
BOOST_AUTO_TEST_CASE(what_reaches_the_origin_is_written_anew) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond({.body = x.read_body()}); });
  Seawall seawall(origin);
  Client client(seawall);
  client.send(
      "\r\nPOST /a HTTP/1.1\r\nhOST:a.test\r\nX:   y  \r\nTransfer-Encoding: CHUNKED\r\nConnection: close\r\n\r\n"
      "0003;ext=1\r\nabc\r\n0;x\r\n\r\n");
  BOOST_TEST(client.read().body == "abc");
  const SeenRequest seen = origin.seen("/a");
  BOOST_TEST(seen.head.starts_with("POST /a HTTP/1.1\r\n"));
  BOOST_TEST(seen.headers.get("Host") == "a.test");
  BOOST_TEST(seen.headers.get("X") == "y");
  BOOST_TEST(!contains(seen.head, "   y"));
  BOOST_TEST(seen.headers.get("Transfer-Encoding") == "chunked");
  BOOST_TEST(seen.headers.count("Host") == 1U);
  BOOST_TEST(!contains(seen.body, "ext"));
  BOOST_TEST(!iequals(seen.headers.get("Connection"), "close"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
