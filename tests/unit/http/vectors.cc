#include "unit/http/vectors.h"

namespace seawall::http {
namespace {

using enum ErrorCode;

std::string get(std::string_view lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}
std::string post(std::string_view lines) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}
std::string line(std::string_view start) {
  return std::string(start) + "\r\nHost: a\r\n\r\n";
}
std::string host(std::string_view value) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(value) + "\r\n\r\n";
}
std::string ok(std::string_view lines) {
  return "HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n";
}

void add_start_lines(std::vector<Vector>& v) {
  v.insert(v.end(),
           {
               {"plain GET", get("")},
               {"many fields", get("Accept: */*\r\nX-Empty:\r\nX-Spaces: \t a b \t\r\nUser-Agent: curl/7.88.1\r\n")},
               {"own method", line("PURGEKEYS / HTTP/1.1")},
               {"unknown method", line("FOO / HTTP/1.1")},
               {"method in lower case", line("get / HTTP/1.1")},
               {"one CRLF before", "\r\n" + get("")},
               {"two CRLF before", "\r\n\r\n" + get(""), kMalformedStartLine},
               {"bare LF before", "\n" + get(""), kMalformedStartLine},
               {"CR before", "\r" + get(""), kMalformedStartLine},
               {"SP before", " " + get(""), kMalformedStartLine},
               {"HTTP/0.9", "GET /\r\n", kMalformedStartLine},
               {"HTTP/0.9 with fields", "GET /\r\nHost: a\r\n\r\n", kMalformedStartLine},
               {"HTTP/0.9 with LF", "GET /x\nHost: a\r\n\r\n", kMalformedStartLine},
               {"start line ends with LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", kMalformedStartLine},
               {"all lines end with LF", "GET / HTTP/1.1\nHost: a\n\n", kMalformedStartLine},
               {"CR in the start line", "GET / HTTP/1.1\rHost: a\r\n\r\n", kMalformedStartLine},
               {"HTTP/1.2", line("GET / HTTP/1.2"), kUnsupportedVersion},
               {"HTTP/2.0", line("GET / HTTP/2.0"), kUnsupportedVersion},
               {"HTTP/9.9", line("GET / HTTP/9.9"), kUnsupportedVersion},
               {"HTTP/0.9 spelled out", line("GET / HTTP/0.9"), kUnsupportedVersion},
               {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kUnsupportedVersion},
               {"HTTP/01.1", line("GET / HTTP/01.1"), kMalformedStartLine},
               {"HTTP/1.10", line("GET / HTTP/1.10"), kMalformedStartLine},
               {"HTTP/11", line("GET / HTTP/11"), kMalformedStartLine},
               {"HTTP/1", line("GET / HTTP/1"), kMalformedStartLine},
               {"HTTP/1.x", line("GET / HTTP/1.x"), kMalformedStartLine},
               {"http/1.1", line("GET / http/1.1"), kMalformedStartLine},
               {"HTTQ/1.1", line("GET / HTTQ/1.1"), kMalformedStartLine},
               {"two SP before the target", line("GET  / HTTP/1.1"), kMalformedStartLine},
               {"two SP before the version", line("GET /  HTTP/1.1"), kMalformedStartLine},
               {"SP after the version", line("GET / HTTP/1.1 "), kMalformedStartLine},
               {"TAB before the target", line("GET\t/ HTTP/1.1"), kMalformedStartLine},
               {"TAB before the version", line("GET /\tHTTP/1.1"), kMalformedTarget},
               {"SP in the target", line("GET /a b HTTP/1.1"), kMalformedStartLine},
               {"no target", line("GET HTTP/1.1"), kMalformedStartLine},
               {"no method", line(" / HTTP/1.1"), kMalformedStartLine},
               {"delimiter in the method", line("G(T / HTTP/1.1"), kMalformedStartLine},
               {"obs-text in the method", line("G\xe9T / HTTP/1.1"), kMalformedStartLine},
               {"method of 65 bytes", line(std::string(65, 'A') + " / HTTP/1.1"), kMalformedStartLine},
               {"TLS ClientHello", bytes("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), kMalformedStartLine},
               {"SSH banner", "SSH-2.0-OpenSSH_9.2\r\n", kMalformedStartLine},
               {"proxy protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(""), kMalformedStartLine},
           });
}

void add_targets(std::vector<Vector>& v) {
  v.insert(v.end(), {
                        {"query", line("GET /a?b=c&d HTTP/1.1")},
                        {"unwise bytes in the target", line("GET /a|b{c}\"^` HTTP/1.1")},
                        {"control byte in the target", line("GET /a\x01 HTTP/1.1"), kMalformedTarget},
                        {"NUL in the target", bytes("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"), kMalformedTarget},
                        {"DEL in the target", line("GET /a\x7f HTTP/1.1"), kMalformedTarget},
                        {"obs-text in the target", line("GET /\xc3\xa9 HTTP/1.1"), kMalformedTarget},
                        {"fragment in the target", line("GET /a#b HTTP/1.1"), kMalformedTarget},
                        {"relative target", line("GET a HTTP/1.1"), kMalformedTarget},
                        {"asterisk", line("OPTIONS * HTTP/1.1")},
                        {"asterisk and GET", line("GET * HTTP/1.1"), kMalformedTarget},
                        {"asterisk with more", line("OPTIONS *a HTTP/1.1"), kMalformedTarget},
                        {"absolute", line("GET http://a/b HTTP/1.1")},
                        {"absolute, another Host", line("GET http://b:81/b HTTP/1.1")},
                        {"absolute, no path", line("GET http://a HTTP/1.1")},
                        {"absolute, only a query", line("GET http://a?q HTTP/1.1")},
                        {"absolute OPTIONS, no path", line("OPTIONS http://a:8001 HTTP/1.1")},
                        {"absolute, https", line("GET HTTPS://a/ HTTP/1.1")},
                        {"absolute, ftp", line("GET ftp://a/ HTTP/1.1"), kMalformedTarget},
                        {"absolute, no host", line("GET http:///a HTTP/1.1"), kMalformedTarget},
                        {"absolute, userinfo", line("GET http://u:p@a/ HTTP/1.1"), kMalformedTarget},
                        {"absolute, bad port", line("GET http://a:99999/ HTTP/1.1"), kMalformedTarget},
                        {"authority and GET", line("GET a:80 HTTP/1.1"), kMalformedTarget},
                        {"CONNECT", line("CONNECT a:443 HTTP/1.1")},
                        {"CONNECT, IPv6", line("CONNECT [::1]:443 HTTP/1.1")},
                        {"CONNECT, no port", line("CONNECT a HTTP/1.1"), kMalformedTarget},
                        {"CONNECT, IPv6, no port", line("CONNECT [::1] HTTP/1.1"), kMalformedTarget},
                        {"CONNECT, origin-form", line("CONNECT / HTTP/1.1"), kMalformedTarget},
                        {"CONNECT, absolute-form", line("CONNECT http://a/ HTTP/1.1"), kMalformedTarget},
                        {"target at its limit", line("GET /" + std::string(8191, 'a') + " HTTP/1.1")},
                        {"target past its limit", line("GET /" + std::string(8192, 'a') + " HTTP/1.1"), kTargetTooLong},
                    });
}

void add_field_lines(std::vector<Vector>& v) {
  v.insert(v.end(),
           {
               {"field line ends with LF", get("X: 1\n"), kMalformedHeader},
               {"empty line is LF", "GET / HTTP/1.1\r\nHost: a\r\n\n", kMalformedHeader},
               {"CR before a hidden field", get("X: \rxTransfer-Encoding: chunked\r\n"), kMalformedHeader},
               {"CR in a value", get("X: a\rb\r\n"), kMalformedHeader},
               {"CR CR LF", get("X: a\r\r\n"), kMalformedHeader},
               {"CR in place of the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\rX", kMalformedHeader},
               {"NUL in a value", bytes("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"), kMalformedHeader},
               {"0x01 in a value", get("X: a\x01\r\n"), kMalformedHeader},
               {"ESC in a value", get("X: \x1b[31m\r\n"), kMalformedHeader},
               {"VT before a value",
                get("X:\x0b"
                    "a\r\n"),
                kMalformedHeader},
               {"DEL in a value", get("X: a\x7f\r\n"), kMalformedHeader},
               {"DEL far into a value", get("X: " + std::string(40, 'a') + "\x7f\r\n"), kMalformedHeader},
               {"obs-text in a value", get("X: caf\xe9\r\n")},
               {"HTAB in a value", get("X: a\tb\r\n")},
               {"obs-fold", get("X: a\r\n b\r\n"), kMalformedHeader},
               {"obs-fold with HTAB", get("X: a\r\n\tb\r\n"), kMalformedHeader},
               {"obs-fold hides Content-Length", post("X: a\r\n Content-Length: 5\r\n"), kMalformedHeader},
               {"obs-fold after the start line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", kMalformedHeader},
               {"SP before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", kMalformedHeader},
               {"HTAB before the colon", get("X\t: a\r\n"), kMalformedHeader},
               {"SP in a name", get("X Y: a\r\n"), kMalformedHeader},
               {"no name", get(": v\r\n"), kMalformedHeader},
               {"no colon", get("Xyz\r\n"), kMalformedHeader},
               {"no colon, long", get(std::string(40, 'x') + "\r\n"), kMalformedHeader},
               {"parenthesis in a name", get("X(: v\r\n"), kMalformedHeader},
               {"obs-text in a name", get("X\xe9: v\r\n"), kMalformedHeader},
               {"NUL in a name", bytes("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"), kMalformedHeader},
               {"all of tchar in a name", get("!#$%&'*+-.^_`|~09azAZ: v\r\n")},
               {"long name", get(std::string(100, 'x') + ": v\r\n")},
               {"100 fields", "GET / HTTP/1.1\r\nHost: a\r\n" +
                                  [] {
                                    std::string s;
                                    for (int i = 0; i < 99; ++i) s += "X: y\r\n";
                                    return s;
                                  }() +
                                  "\r\n"},
               {"101 fields",
                "GET / HTTP/1.1\r\nHost: a\r\n" +
                    [] {
                      std::string s;
                      for (int i = 0; i < 100; ++i) s += "X: y\r\n";
                      return s;
                    }() +
                    "\r\n",
                kHeadersTooLarge},
               {"head at its limit", get("X: " + std::string(32 * 1024 - 25 - 7, 'a') + "\r\n")},
               {"head past its limit", get("X: " + std::string(32 * 1024 - 25 - 6, 'a') + "\r\n"), kHeadersTooLarge},
               {"endless field", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40'000, 'a'), kHeadersTooLarge},
           });
}

void add_hosts(std::vector<Vector>& v) {
  v.insert(v.end(), {
                        {"no Host", "GET / HTTP/1.1\r\n\r\n", kBadHost},
                        {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"},
                        {"two Host lines", get("Host: a\r\n"), kBadHost},
                        {"two Host lines in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", kBadHost},
                        {"bad Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", kBadHost},
                        {"no Host with an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n", kBadHost},
                        {"bad Host with an absolute target", "GET http://a/ HTTP/1.1\r\nHost: @\r\n\r\n", kBadHost},
                        {"Host with port", host("a:8080")},
                        {"Host, IPv6", host("[2001:db8::1]:8080")},
                        {"Host empty", host(""), kBadHost},
                        {"Host list", host("a,b"), kBadHost},
                        {"Host with userinfo", host("u@a"), kBadHost},
                        {"Host with path", host("a/b"), kBadHost},
                        {"Host with SP", host("a b"), kBadHost},
                        {"Host with obs-text", host("a\xe9"), kBadHost},
                        {"Host with port 65536", host("a:65536"), kBadHost},
                        {"Host with port 0", host("a:0"), kBadHost},
                        {"Host with signed port", host("a:+80"), kBadHost},
                        {"Host with two ports", host("a:80:80"), kBadHost},
                        {"Host with scheme", host("http://a"), kBadHost},
                        {"Host with %-escape", host("%61"), kBadHost},
                        {"Host, IPv6 unclosed", host("[::1"), kBadHost},
                    });
}

void add_framing(std::vector<Vector>& v) {
  v.insert(
      v.end(),
      {
          {"Content-Length", post("Content-Length: 5\r\n") + "hello"},
          {"Content-Length 0", post("Content-Length: 0\r\n")},
          {"Content-Length with leading zeros", post("Content-Length: 0005\r\n") + "hello"},
          {"GET with a body", get("Content-Length: 5\r\n") + "hello"},
          {"chunked", post("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n"},
          {"Chunked", post("Transfer-Encoding: Chunked\r\n") + "0\r\n\r\n"},
          {"CL then TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
           kBadTransferEncoding},
          {"TE then CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n",
           kBadTransferEncoding},
          {"TE identity and CL", post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"), kBadTransferEncoding},
          {"two equal CL", post("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello", kBadContentLength},
          {"two different CL", post("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello", kBadContentLength},
          {"CL list", post("Content-Length: 1, 1\r\n") + "a", kBadContentLength},
          {"CL with a comma", post("Content-Length: 5,\r\n") + "hello", kBadContentLength},
          {"CL +1", post("Content-Length: +1\r\n") + "a", kBadContentLength},
          {"CL -1", post("Content-Length: -1\r\n"), kBadContentLength},
          {"CL 0x1", post("Content-Length: 0x1\r\n") + "a", kBadContentLength},
          {"CL 1 1", post("Content-Length: 1 1\r\n") + "a", kBadContentLength},
          {"CL 1_0", post("Content-Length: 1_0\r\n"), kBadContentLength},
          {"CL 1.0", post("Content-Length: 1.0\r\n") + "a", kBadContentLength},
          {"CL empty", post("Content-Length:\r\n"), kBadContentLength},
          {"CL 2^64+1", post("Content-Length: 18446744073709551617\r\n"), kBadContentLength},
          {"CL 2^63", post("Content-Length: 9223372036854775808\r\n"), kBadContentLength},
          {"CL 2^63-1", post("Content-Length: 9223372036854775807\r\n")},
          {"TE identity", post("Transfer-Encoding: identity\r\n"), kBadTransferEncoding},
          {"TE xchunked", post("Transfer-Encoding: xchunked\r\n"), kUnsupportedTransferCoding},
          {"TE gzip", post("Transfer-Encoding: gzip\r\n"), kUnsupportedTransferCoding},
          {"TE gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), kUnsupportedTransferCoding},
          {"TE chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), kBadTransferEncoding},
          {"TE chunked, gzip", post("Transfer-Encoding: chunked, gzip\r\n"), kBadTransferEncoding},
          {"TE chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n"), kBadTransferEncoding},
          {"TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), kBadTransferEncoding},
          {"TE twice, one identity", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
           kBadTransferEncoding},
          {"TE chunked;q=1", post("Transfer-Encoding: chunked;q=1\r\n"), kBadTransferEncoding},
          {"TE quoted", post("Transfer-Encoding: \"chunked\"\r\n"), kBadTransferEncoding},
          {"TE with trailing comma", post("Transfer-Encoding: chunked,\r\n"), kBadTransferEncoding},
          {"TE with leading comma", post("Transfer-Encoding: , chunked\r\n"), kBadTransferEncoding},
          {"TE with VT",
           post("Transfer-Encoding: \x0b"
                "chunked\r\n"),
           kMalformedHeader},
          {"TE empty", post("Transfer-Encoding:\r\n"), kBadTransferEncoding},
          {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           kBadTransferEncoding},
          {"two pipelined", get("") + get("")},
          {"Connection names Host", get("Connection: Host, Content-Length\r\n")},
          {"Connection with a bad option", get("Connection: close;\r\n"), kMalformedHeader},
          {"Connection with empty options", get("Connection: ,close,,\r\n")},
          {"Upgrade to h2c",
           get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")},
      });
}

}  // namespace

const std::vector<Vector>& request_vectors() {
  static const std::vector<Vector> all = [] {
    std::vector<Vector> v;
    add_start_lines(v);
    add_targets(v);
    add_field_lines(v);
    add_hosts(v);
    add_framing(v);
    return v;
  }();
  return all;
}

const std::vector<Vector>& response_vectors() {
  static const std::vector<Vector> all = {
      {"plain", ok("Content-Length: 2\r\n") + "ok"},
      {"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"},
      {"no space after the status", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"},
      {"reason with obs-text and HTAB", "HTTP/1.1 200 tr\xe8s\tbien\r\nContent-Length: 0\r\n\r\n"},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nbody"},
      {"status 799", "HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n"},
      {"status 999", "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"},
      {"chunked", ok("Transfer-Encoding: chunked\r\n") + "2\r\nok\r\n0\r\n\r\n"},
      {"until close", ok("") + "body"},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n"},
      {"304", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n"},
      {"103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
      {"CRLF before", "\r\n" + ok(""), kMalformedStartLine},
      {"garbage", "hello\r\n", kMalformedStartLine},
      {"HTML", "<html>", kMalformedStartLine},
      {"ICY", "ICY 200 OK\r\n\r\n", kMalformedStartLine},
      {"SSH banner", "SSH-2.0-OpenSSH_9.2\r\n", kMalformedStartLine},
      {"two SP", "HTTP/1.1  200 OK\r\n\r\n", kMalformedStartLine},
      {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", kMalformedStartLine},
      {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", kMalformedStartLine},
      {"status 099", "HTTP/1.1 099 OK\r\n\r\n", kMalformedStartLine},
      {"status 000", "HTTP/1.1 000 OK\r\n\r\n", kMalformedStartLine},
      {"signed status", "HTTP/1.1 +20 OK\r\n\r\n", kMalformedStartLine},
      {"status with letters", "HTTP/1.1 2xx OK\r\n\r\n", kMalformedStartLine},
      {"no status", "HTTP/1.1\r\n\r\n", kMalformedStartLine},
      {"TAB after the status", "HTTP/1.1 200\tOK\r\n\r\n", kMalformedStartLine},
      {"NUL in the reason", bytes("HTTP/1.1 200 O\0K\r\n\r\n"), kMalformedStartLine},
      {"LF after the reason", "HTTP/1.1 200 OK\n\r\n", kMalformedStartLine},
      {"CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", kMalformedStartLine},
      {"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", kUnsupportedVersion},
      {"HTTP/1.7", "HTTP/1.7 200 OK\r\n\r\n", kUnsupportedVersion},
      {"lower case", "http/1.1 200 OK\r\n\r\n", kMalformedStartLine},
      {"CL and TE", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), kBadTransferEncoding},
      {"two equal CL", ok("Content-Length: 5\r\nContent-Length: 5\r\n"), kBadContentLength},
      {"two different CL", ok("Content-Length: 5\r\nContent-Length: 6\r\n"), kBadContentLength},
      {"CL list", ok("Content-Length: 5, 5\r\n"), kBadContentLength},
      {"CL abc", ok("Content-Length: abc\r\n"), kBadContentLength},
      {"CL -1", ok("Content-Length: -1\r\n"), kBadContentLength},
      {"CL 2^64", ok("Content-Length: 18446744073709551616\r\n"), kBadContentLength},
      {"bad CL in 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n", kBadContentLength},
      {"TE gzip", ok("Transfer-Encoding: gzip\r\n"), kUnsupportedTransferCoding},
      {"TE chunked twice", ok("Transfer-Encoding: chunked, chunked\r\n"), kBadTransferEncoding},
      {"TE in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", kBadTransferEncoding},
      {"Connection with a bad option", ok("Connection: a b\r\n"), kMalformedHeader},
      {"Connection: close", ok("Connection: close\r\n")},
      {"space before colon", ok("X : a\r\n"), kMalformedHeader},
      {"obs-fold", ok("X: a\r\n b\r\n"), kMalformedHeader},
      {"CR in a value", ok("X: a\rb\r\n"), kMalformedHeader},
      {"LF in a value", ok("X: a\nSet-Cookie: b\r\n"), kMalformedHeader},
      {"NUL in a value", bytes("HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n"), kMalformedHeader},
      {"endless head", "HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'a'), kHeadersTooLarge},
      {"endless reason", "HTTP/1.1 200 " + std::string(40'000, 'a'), kHeadersTooLarge},
  };
  return all;
}

const std::vector<Vector>& chunked_vectors() {
  static const std::string kLongExt = "5;a=" + std::string(8 * 1024, 'b') + "\r\nhello\r\n0\r\n\r\n";
  static const std::vector<Vector> all = {
      {"empty", "0\r\n\r\n"},
      {"one chunk", "5\r\nhello\r\n0\r\n\r\n"},
      {"two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
      {"hex in both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"},
      {"leading zeros", "0000000000000005\r\nhello\r\n00\r\n\r\n"},
      {"extension", "5;a=b\r\nhello\r\n0;last\r\n\r\n"},
      {"quoted extension", "5;a=\"b;\\\"c\"\r\nhello\r\n0\r\n\r\n"},
      {"several extensions", "5;a;b=c;d=\"e\"\r\nhello\r\n0\r\n\r\n"},
      {"white space in the extension", "5 ; a = b\r\nhello\r\n0\r\n\r\n"},
      {"trailer", "0\r\nX-Sum: 1\r\n\r\n"},
      {"next message follows", "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n"},
      {"CRLF in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n"},
      {"0x1", "0x1\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"SP after the size", "1 \r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"SP before the size", " 1\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"HTAB after the size", "1\t\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"+1", "+1\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"-1", "-1\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"no size", "\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"only an extension", ";a\r\n", kMalformedChunk},
      {"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", kMalformedChunk},
      {"size past 2^64", "10000000000000001\r\na", kMalformedChunk},
      {"size past 2^63", "8000000000000000\r\na", kMalformedChunk},
      {"size of a letter", "g\r\n", kMalformedChunk},
      {"size line ends with LF", "1\na\r\n0\r\n\r\n", kMalformedChunk},
      {"size line ends with CR Z", "1\rZa\r\n0\r\n\r\n", kMalformedChunk},
      {"LF in the extension", "1;a\nb\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"CR in the extension", "1;a\rb\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"NUL in the extension", bytes("1;a\0\r\na\r\n0\r\n\r\n"), kMalformedChunk},
      {"unbalanced quote", "1;a=\"b\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"quote closed by a backslash only", "1;a=\"b\\\"\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"extension without name", "1;\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"extension without value", "1;a=\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"comma for semicolon", "1,a\r\na\r\n0\r\n\r\n", kMalformedChunk},
      {"data too long", "1\r\nab\r\n0\r\n\r\n", kMalformedChunk},
      {"data ends with LF", "1\r\na\n0\r\n\r\n", kMalformedChunk},
      {"data ends with CR", "1\r\na\r0\r\n\r\n", kMalformedChunk},
      {"no CRLF after the data", "1\r\na0\r\n\r\n", kMalformedChunk},
      {"size line past 8 KiB", kLongExt, kMalformedChunk},
      {"last chunk line ends with LF", "0\n\r\n", kMalformedChunk},
      {"trailer ends with LF", "0\r\nX: a\n\r\n", kMalformedTrailer},
      {"trailer with CR", "0\r\nX: a\rb\r\n\r\n", kMalformedTrailer},
      {"empty line is LF", "0\r\n\n", kMalformedTrailer},
      {"CR in place of the empty line", "0\r\n\rX", kMalformedTrailer},
      {"trailer without colon", "0\r\nGET / HTTP/1.1\r\n\r\n", kMalformedTrailer},
      {"trailer folded", "0\r\nX: a\r\n b\r\n\r\n", kMalformedTrailer},
      {"trailer with SP before the colon", "0\r\nX : a\r\n\r\n", kMalformedTrailer},
      {"trailer past 8 KiB", "0\r\nX: " + std::string(8192, 'a') + "\r\n\r\n", kMalformedTrailer},
      {"endless trailer", "0\r\nX: " + std::string(9000, 'a'), kMalformedTrailer},
      {"65 trailer fields",
       "0\r\n" +
           [] {
             std::string s;
             for (int i = 0; i < 65; ++i) s += "X: y\r\n";
             return s;
           }() +
           "\r\n",
       kMalformedTrailer},
  };
  return all;
}

}  // namespace seawall::http
