// RFC 9112 towards origins: a response that is malformed, short or contradictory is neither stored nor shown as
// complete.
#include <boost/test/unit_test.hpp>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(behave_framing_response)

enum class End { kClose, kReset, kStay };

struct Row {
  const char* name;
  std::string response;
  End end = End::kClose;
};

Handler raw(const Row& row) {
  return [row](Exchange& x) {
    x.send(row.response);
    switch (row.end) {
      case End::kClose: x.close(); break;
      case End::kReset: x.reset(); break;
      case End::kStay: x.wait_for_close(); break;
    }
  };
}

std::string ok(const std::string& lines, const std::string& body = "hello") {
  return "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + lines + "\r\n" + body;
}
std::string chunked(const std::string& body) {
  return ok("Transfer-Encoding: chunked\r\n", body);
}
std::string start(const std::string& line) {
  return line + "\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello";
}

bool tells_why(const Response& response) {
  return response.cache_parameter("detail").has_value() || response.has("Proxy-Status");
}

BOOST_AUTO_TEST_CASE(a_bad_head_gives_502) {
  const std::string sized = "Content-Length: 5\r\n";
  const Row rows[] = {
      {"nothing", ""},
      {"nothing, reset", "", End::kReset},
      {"garbage", "this is not HTTP\r\n\r\n"},
      {"half a head", "HTTP/1.1 200 OK\r\nContent-"},
      {"head without end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"},
      {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"},
      {"one bare LF", ok("X: y\nContent-Length: 5\r\n")},
      {"two digits", start("HTTP/1.1 20 OK")},
      {"four digits", start("HTTP/1.1 2000 OK")},
      {"letters", start("HTTP/1.1 abc OK")},
      {"status 099", start("HTTP/1.1 099 OK")},
      {"two spaces", start("HTTP/1.1  200 OK")},
      {"lower case", start("http/1.1 200 OK")},
      {"version 2", start("HTTP/2.0 200 OK")},
      {"ICY", start("ICY 200 OK")},
      {"length and coding", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"coding and length", ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"two lengths", ok("Content-Length: 5\r\nContent-Length: 4\r\n")},
      {"two equal lengths", ok("Content-Length: 5\r\nContent-Length: 5\r\n")},
      {"list of lengths", ok("Content-Length: 5, 5\r\n")},
      {"length with comma", ok("Content-Length: 5,\r\n")},
      {"length +5", ok("Content-Length: +5\r\n")},
      {"length -5", ok("Content-Length: -5\r\n")},
      {"length 0x5", ok("Content-Length: 0x5\r\n")},
      {"length of letters", ok("Content-Length: five\r\n")},
      {"length empty", ok("Content-Length:\r\n")},
      {"length 2^64 + 5", ok("Content-Length: 18446744073709551621\r\n")},
      {"coding gzip", ok("Transfer-Encoding: gzip\r\n")},
      {"coding gzip, chunked", ok("Transfer-Encoding: gzip, chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"coding chunked, gzip", ok("Transfer-Encoding: chunked, gzip\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"coding identity", ok("Transfer-Encoding: identity\r\n")},
      {"coding twice", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"coding xchunked", ok("Transfer-Encoding: xchunked\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"coding in HTTP/1.0",
       "HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
      {"space before the colon", ok("X : y\r\n" + sized)},
      {"space in a name", ok("X y: z\r\n" + sized)},
      {"empty name", ok(": y\r\n" + sized)},
      {"no colon", ok("X\r\n" + sized)},
      {"NUL in a value", ok("X: a\0b\r\n"s + sized)},
      {"CR in a value", ok("X: a\rb\r\n" + sized)},
      {"control in a value", ok("X: a\x01z\r\n" + sized)},
      {"obs-fold", ok("X: a\r\n b\r\n" + sized)},
      {"too many bytes", ok("X: " + std::string(100'000, 'a') + "\r\n" + sized)},
      {"too many fields",
       [] {
         std::string lines;
         for (int i = 0; i < 400; ++i) lines += "X-" + std::to_string(i) + ": y\r\n";
         return ok(lines + "Content-Length: 5\r\n");
       }()},
      {"1xx and then nothing", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"},
      {"1xx with a bad head after it", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 2xx OK\r\n\r\n"},
  };
  Origin origin;
  Seawall seawall(origin);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string path = "/" + std::to_string(&row - rows);
      origin.on(path, raw(row));
      for (std::size_t round = 1; round <= 2; ++round) {
        const Response response = get(seawall, path);
        BOOST_TEST(response.status == 502, response);
        BOOST_TEST(response.complete);
        BOOST_TEST(tells_why(response), response);
        BOOST_TEST(origin.count(path) == round);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_bad_body_is_cut_and_not_stored) {
  const Row rows[] = {
      {"shorter than its length", ok("Content-Length: 10\r\n")},
      {"shorter than its length, reset", ok("Content-Length: 10\r\n"), End::kReset},
      {"nothing of its length", ok("Content-Length: 10\r\n", "")},
      {"until close, but reset", ok("", "hello"), End::kReset},
      {"nothing of the chunks", chunked("")},
      {"chunk cut", chunked("a\r\nhello")},
      {"chunk size cut", chunked("5\r\nhello\r\n5")},
      {"after a chunk", chunked("5\r\nhello\r\n")},
      {"no CRLF after a chunk", chunked("5\r\nhello")},
      {"last chunk without its empty line", chunked("5\r\nhello\r\n0\r\n")},
      {"trailer cut", chunked("5\r\nhello\r\n0\r\nX: y\r\n")},
      {"reset between chunks", chunked("5\r\nhello\r\n"), End::kReset},
      {"chunk longer than its size", chunked("5\r\nhelloX\r\n0\r\n\r\n"), End::kStay},
      {"size 0x5", chunked("5\r\nhello\r\n0x5\r\nhello\r\n0\r\n\r\n"), End::kStay},
      {"size +5", chunked("5\r\nhello\r\n+5\r\nhello\r\n0\r\n\r\n"), End::kStay},
      {"size -5", chunked("5\r\nhello\r\n-5\r\nhello\r\n0\r\n\r\n"), End::kStay},
      {"space after the size", chunked("5\r\nhello\r\n5 \r\nhello\r\n0\r\n\r\n"), End::kStay},
      {"size 2^64 + 5", chunked("5\r\nhello\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"), End::kStay},
      {"size line ends LF", chunked("5\r\nhello\r\n5\nhello\r\n0\r\n\r\n"), End::kStay},
      {"data ends LF", chunked("5\r\nhello\n0\r\n\r\n"), End::kStay},
      {"LF in an extension", chunked("5\r\nhello\r\n5;a\nb\r\nhello\r\n0\r\n\r\n"), End::kStay},
      {"size line without end", chunked("5\r\nhello\r\n5;" + std::string(100'000, 'a')), End::kStay},
      {"trailer without colon", chunked("5\r\nhello\r\n0\r\nX\r\n\r\n"), End::kStay},
      {"trailer with NUL", chunked("5\r\nhello\r\n0\r\nX: \0\r\n\r\n"s), End::kStay},
      {"trailers without end", chunked("5\r\nhello\r\n0\r\nX: " + std::string(200'000, 'a')), End::kStay},
  };
  Origin origin;
  Seawall seawall(origin);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string path = "/" + std::to_string(&row - rows);
      origin.on(path, raw(row));
      for (std::size_t round = 1; round <= 2; ++round) {
        const Response response = get(seawall, path);
        // A body that is bad from its first byte may be found out before the head has been passed on.
        BOOST_TEST((response.is_cut() || response.status == 502), response);
        BOOST_TEST(!response.malformed);
        BOOST_TEST(std::string_view("hello").starts_with(response.is_cut() ? response.body : ""), response);
        BOOST_TEST(origin.count(path) == round);
      }
      const std::size_t before = origin.count(path);
      Client old(seawall);
      old.send("GET " + path + " HTTP/1.0\r\nHost: a.test\r\n\r\n");
      const Response response = old.read();
      // Close-delimited: only a reset can tell that it is not complete.
      if (!response.has("Content-Length") && response.status == 200) BOOST_TEST(!response.complete, response);
      BOOST_TEST(origin.count(path) == before + 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_endless_head_is_cut_off) {
  Origin origin;
  const auto flood = [](const char* first, const char* again) {
    return [first, again](Exchange& x) {
      std::string block;
      for (int i = 0; i < 100; ++i) block += again;
      x.send(first);
      // The peer's close ends it; the bound is for a peer that never does.
      for (int i = 0; i < 5000; ++i) x.send(block);
      x.close();
    };
  };
  origin.on("/fields", flood("HTTP/1.1 200 OK\r\n", "X-Field: some value\r\n"));
  origin.on("/value", flood("HTTP/1.1 200 OK\r\nX: ", "some value "));
  origin.on("/line", flood("HTTP/1.1 200 ", "reason "));
  Seawall seawall(origin);
  const std::size_t before = seawall.process().resident_bytes();
  for (const char* path : {"/fields", "/value", "/line"}) {
    BOOST_TEST_CONTEXT(path) {
      BOOST_TEST(get(seawall, path).status == 502);
    }
  }
  if (!kSanitized) BOOST_TEST(seawall.process().resident_bytes() < before + (std::size_t{8} << 20));
}

BOOST_AUTO_TEST_CASE(endless_interim_responses_end_in_an_error) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    std::string block;
    for (int i = 0; i < 100; ++i) block += "HTTP/1.1 100 Continue\r\n\r\n";
    for (int i = 0; i < 20'000; ++i) x.send(block);
    x.close();
  });
  Seawall seawall(origin, {.origin_timeouts = "first_byte = \"1s\", total = \"2s\""});
  const Response response = get(seawall, "/a");
  BOOST_TEST((response.status == 502 || response.status == 504), response);
}

// Nobody asked for a condition or a range: such an answer stands for nothing that could be stored.
BOOST_AUTO_TEST_CASE(an_answer_to_another_question_is_not_stored) {
  Origin origin;
  origin.on("/304", Reply{.status = 304, .headers = {"Cache-Control: max-age=60", "ETag: \"a\""}});
  origin.on(
      "/206",
      Reply{.status = 206, .headers = {"Cache-Control: max-age=60", "Content-Range: bytes 0-4/10"}, .body = "hello"});
  origin.on("/206/bad", Reply{.status = 206,
                              .headers = {"Cache-Control: max-age=60", "ETag: \"a\"", "Content-Range: bytes 5-4/10"},
                              .body = "hello"});
  Seawall seawall(origin);
  for (const char* path : {"/304", "/206", "/206/bad"}) {
    BOOST_TEST_CONTEXT(path) {
      for (std::size_t round = 1; round <= 2; ++round) {
        const Response response = get(seawall, path);
        BOOST_TEST(!response.is_hit(), response);
        BOOST_TEST(origin.count(path) == round);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(surplus_bytes_never_reach_the_next_client) {
  const std::string evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL";
  Origin origin;
  struct Surplus {
    const char* name;
    const char* method;
    std::string response;
  };
  const Surplus rows[] = {
      {"after a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil},
      {"after the last chunk", "GET",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + evil},
      {"after 204", "GET", "HTTP/1.1 204 No Content\r\n\r\n" + evil},
      {"after 204 with a length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nEVIL"},
      {"after 304", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n" + evil},
      {"after the head for HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"},
      {"after POST", "POST", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil},
      {"a byte", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n"},
  };
  origin.on("/next", Reply{.headers = {"Cache-Control: no-store"}, .body = "good"});
  Seawall seawall(origin);
  for (const Surplus& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string path = "/" + std::to_string(&row - rows);
      origin.on(path, [&row](Exchange& x) { x.send(row.response); });
      Client client(seawall);
      const Lines lines = {std::string("If-None-Match: \"") + row.name + "\""};
      const Response first = client.request(row.method, path, lines);
      BOOST_TEST(first.complete, first);
      BOOST_TEST(!contains(first.body, "EVIL"), first);
      BOOST_TEST(client.get("/next").body == "good");
      BOOST_TEST(get(seawall, "/next").body == "good");
    }
  }
}

BOOST_AUTO_TEST_CASE(an_unsolicited_response_closes_the_idle_connection) {
  Origin origin;
  Gate gate;
  std::atomic<bool> closed = false;
  origin.on("/a", [&](Exchange& x) {
    x.respond({.headers = {"Cache-Control: no-store"}, .body = "a"});
    x.hold(gate);
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL");
    closed = x.wait_for_close();
  });
  origin.on("/b", Reply{.headers = {"Cache-Control: no-store"}, .body = "b"});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "a");
  gate.open();
  BOOST_TEST(until([&] { return closed.load(); }));
  BOOST_TEST(get(seawall, "/b").body == "b");
}

// Field values that an attacker may have got into a response end up in one field or nowhere.
BOOST_AUTO_TEST_CASE(reflected_bytes_do_not_split_a_response) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60", "X-Echo: " + x.request().headers.get("X-Echo")}, .body = "a"});
  });
  Seawall seawall(origin);
  std::string path = "/a?";
  for (const char* value : {"a%0d%0aSet-Cookie:%20b=c", "a\\r\\nSet-Cookie: b=c"}) {
    const Response response = get(seawall, path += "x", {std::string("X-Echo: ") + value});
    BOOST_TEST(response.get("X-Echo") == value);
    BOOST_TEST(!response.has("Set-Cookie"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
