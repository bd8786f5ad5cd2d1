// Boost.Beast's parser as the oracle: seawall may refuse more, but never accepts what Beast refuses, and where both
// accept, they see the same message.
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/optional/optional.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>

#include "base/rng.h"
#include "http/list_syntax.h"
#include "unit/http/feed.h"
#include "unit/http/vectors.h"

namespace seawall::http {
namespace {

namespace beast = boost::beast;

template <bool kIsRequest>
class Oracle final : public beast::http::basic_parser<kIsRequest> {
 public:
  Oracle() {
    this->header_limit(std::numeric_limits<std::uint32_t>::max());
    this->body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  // Whether the bytes can be the start of a message.
  bool accepts(std::string_view in) {
    this->eager(true);
    while (!this->is_done() && !in.empty()) {
      beast::error_code error;
      const std::size_t used = this->put(boost::asio::const_buffer(in.data(), in.size()), error);
      if (error == beast::http::error::need_more) return true;
      if (error) return false;
      if (used == 0) break;
      in.remove_prefix(used);
    }
    return true;
  }

  std::string start;
  std::string fields;
  std::string body;

 private:
  using Text = beast::string_view;
  static std::string copy(Text s) { return {s.data(), s.size()}; }

  void on_request_impl(beast::http::verb, Text method, Text target, int, beast::error_code&) override {
    start = copy(method) + " " + copy(target);
  }
  void on_response_impl(int code, Text, int, beast::error_code&) override { start = std::to_string(code); }
  void on_field_impl(beast::http::field, Text name, Text value, beast::error_code&) override {
    if (!this->is_header_done()) fields += copy(name) + "=[" + copy(value) + "] ";
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(Text text, beast::error_code&) override {
    body += copy(text);
    return text.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text text, beast::error_code&) override {
    body += copy(text);
    return text.size();
  }
  void on_finish_impl(beast::error_code&) override {}
};

struct Seen {
  bool accepted = false;
  bool complete_head = false;
  std::string start;
  std::string fields;
  std::string body;
  // Beast refuses a trailer that is about framing, seawall drops it (RFC 9110 section 6.5.1).
  bool has_framing_trailer = false;
};

template <typename Head>
void note_message(const Head& head, std::size_t head_size, std::string_view in, Side side, Seen& seen) {
  seen.complete_head = true;
  for (const HeaderMap::View f : head.headers) seen.fields.append(f.name).append("=[").append(f.value).append("] ");
  const FedBody body =
      feed_body(BodyDecoder(head.framing, head.content_length, side), in.substr(head_size), in.size() - head_size, 0);
  seen.accepted = !body.error;
  seen.body = body.payload;
  const std::string rest = to_lower(in.substr(head_size));
  for (const char* name : {"content-length", "transfer-encoding", "connection"}) {
    if (head.framing == BodyFraming::kChunked && rest.find(name) != std::string::npos) seen.has_framing_trailer = true;
  }
}

Seen read_request(std::string_view in) {
  Seen seen;
  RequestHead head;
  RequestParser parser{HeadLimits{}};
  const auto size = parser.parse(in, head);
  if (!size) return seen;
  seen.accepted = true;
  if (*size == 0) return seen;
  note_message(head, *size, in, Side::kClient, seen);
  seen.start = head.method_name;
  return seen;
}

Seen read_response(std::string_view in) {
  Seen seen;
  ResponseHead head;
  ResponseParser parser{HeadLimits{}};
  const auto size = parser.parse(in, Method::kGet, head);
  if (!size) return seen;
  seen.accepted = true;
  if (*size == 0) return seen;
  note_message(head, *size, in, Side::kOrigin, seen);
  seen.start = std::to_string(head.status);
  return seen;
}

std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 400)) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      constexpr std::string_view kHex = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      out.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  return out;
}

// Returns whether both accepted a complete head.
template <bool kIsRequest>
bool compare(std::string_view in) {
  const Seen ours = kIsRequest ? read_request(in) : read_response(in);
  if (!ours.accepted || !ours.complete_head) return false;
  // One empty line before a request is seawall's to skip (RFC 9112 section 2.2).
  if (kIsRequest && in.starts_with("\r\n")) in.remove_prefix(2);
  // Beast wants a space after the status; seawall does without (many servers do).
  if (!kIsRequest && in.size() > 12 && in[12] == '\r') return false;
  Oracle<kIsRequest> theirs;
  if (!theirs.accepts(in)) {
    if (ours.has_framing_trailer) return false;
    BOOST_ERROR("Beast refuses: " << printable(in));
    return false;
  }
  if (!theirs.start.starts_with(ours.start)) BOOST_ERROR("another start line: " << printable(in));
  // With an absolute target Host is rewritten; a body after 1xx, 204 and 304 is nobody's.
  const bool is_rewritten = kIsRequest && theirs.start.find("://") != std::string::npos;
  const bool is_connect = kIsRequest && theirs.start.starts_with("CONNECT ");
  if (!is_rewritten && !is_connect && theirs.fields != ours.fields) {
    BOOST_ERROR("other fields: " << printable(in) << " are " << printable(theirs.fields));
  }
  if (theirs.body != ours.body) BOOST_ERROR("another body: " << printable(in));
  return true;
}

std::string mutated(const std::vector<Vector>& all, Rng& rng) {
  static const std::vector<std::string> kPieces = {"\r\n",
                                                   "\n",
                                                   "\r",
                                                   " ",
                                                   "\t",
                                                   ":",
                                                   ",",
                                                   ";",
                                                   std::string(1, '\0'),
                                                   "\x7f",
                                                   "\xe9",
                                                   "0",
                                                   "\"",
                                                   "\\\"",
                                                   "=",
                                                   "a",
                                                   "Host: b\r\n",
                                                   "Content-Length: 5\r\n",
                                                   "Transfer-Encoding: chunked\r\n",
                                                   "Transfer-Encoding: gzip\r\n",
                                                   "Connection: close\r\n",
                                                   "5\r\nhello\r\n",
                                                   "0\r\n\r\n",
                                                   "X: y\r\n",
                                                   "\r\n\r\n",
                                                   "HTTP/1.1"};
  const auto pick = [&](std::size_t bound) { return static_cast<std::size_t>(rng.below(bound)); };
  std::string bytes;
  do {
    bytes = all[pick(all.size())].bytes;
  } while (bytes.size() > 1000);
  for (std::size_t rounds = 1 + pick(3); rounds > 0; --rounds) {
    const std::size_t at = pick(bytes.size() + 1);
    switch (pick(5)) {
      case 0: bytes.insert(at, kPieces[pick(kPieces.size())]); break;
      case 1: bytes.erase(at, 1 + pick(3)); break;
      case 2:
        if (at < bytes.size()) bytes[at] = static_cast<char>(rng.below(256));
        break;
      case 3: {
        const std::string& other = all[pick(all.size())].bytes;
        bytes = bytes.substr(0, at) + other.substr(std::min(other.size(), pick(100)), 200);
        break;
      }
      default: bytes.insert(at, bytes.substr(pick(bytes.size() + 1), pick(30))); break;
    }
  }
  return bytes;
}

std::vector<Vector> with_chunked_bodies(std::vector<Vector> all, const std::string& head) {
  for (const Vector& v : chunked_vectors()) all.push_back({.name = v.name, .bytes = head + v.bytes});
  return all;
}

BOOST_AUTO_TEST_SUITE(beast_oracle)

BOOST_AUTO_TEST_CASE(requests) {
  const auto all =
      with_chunked_bodies(request_vectors(), "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const Vector& v : all) {
    BOOST_TEST_CONTEXT(v.name) {
      compare<true>(v.bytes);
    }
  }
  Rng rng(20250707);
  int compared = 0;
  for (int i = 0; i < 40'000; ++i) compared += compare<true>(mutated(all, rng)) ? 1 : 0;
  BOOST_TEST(compared > 1'500);
}

BOOST_AUTO_TEST_CASE(responses) {
  const auto all = with_chunked_bodies(response_vectors(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const Vector& v : all) {
    BOOST_TEST_CONTEXT(v.name) {
      compare<false>(v.bytes);
    }
  }
  Rng rng(20250708);
  int compared = 0;
  for (int i = 0; i < 40'000; ++i) compared += compare<false>(mutated(all, rng)) ? 1 : 0;
  BOOST_TEST(compared > 1'500);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
