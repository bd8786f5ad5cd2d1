// HTTP/1.1 messages as the tests see them: every line kept, nothing forgiven, independent of seawall's own parser.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seawall::behave {

// Field lines as written in tests: {"Cache-Control: max-age=60", "ETag: \"a\""}.
using Lines = std::vector<std::string>;

struct Fields {
  std::vector<std::pair<std::string, std::string>> lines;

  bool has(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  // All lines of that name joined with ", "; empty when there is none.
  std::string get(std::string_view name) const;
  // "Name: value\r\n".
  void parse_line(std::string_view line);
};

struct Response {
  int status = 0;  // 0: nothing came
  std::string version;
  Fields headers;
  std::string body;
  Fields trailers;
  std::vector<Response> informational;
  std::string head;  // its bytes
  bool chunked = false;
  bool complete = false;   // to the end that its framing announced
  bool malformed = false;  // the framing itself is broken
  bool closed = false;     // EOF or reset was seen before, or as, its end

  std::string get(std::string_view name) const { return headers.get(name); }
  bool has(std::string_view name) const { return headers.has(name); }
  // The head came, the end did not: what a client must be able to tell.
  bool is_cut() const { return status != 0 && !complete; }
  std::string cache_status() const { return headers.get("Cache-Status"); }
  bool is_hit() const;
  // The member's parameter; "" when it stands without a value, nullopt when it is not there.
  std::optional<std::string> cache_parameter(std::string_view name) const;
  long age() const;  // -1: no Age
};
// For BOOST_TEST: what is needed to see why it is not the expected one.
std::ostream& operator<<(std::ostream& out, const Response& response);

// Reads one response, with the 1xx before it, from the front of a buffer.
class ResponseReader {
 public:
  explicit ResponseReader(std::string_view method) : is_head_(method == "HEAD"), is_connect_(method == "CONNECT") {}

  void consume(std::string& buffer);
  void on_closed();
  bool head_done() const { return state_ != State::kHead; }
  bool done() const { return state_ == State::kDone || response.malformed; }
  Response response;

 private:
  enum class State { kHead, kLength, kUntilClose, kChunkSize, kChunkData, kTrailers, kDone };
  bool consume_head(std::string& buffer);
  bool consume_chunk_size(std::string& buffer);
  bool consume_data(std::string& buffer);
  bool consume_trailers(std::string& buffer);
  void finish();

  bool is_head_;
  bool is_connect_;
  State state_ = State::kHead;
  std::uint64_t left_ = 0;
};

struct Reply {
  int status = 200;
  Lines headers = {};
  std::string body = {};
  bool date = true;            // add Date
  bool content_length = true;  // add Content-Length where one may stand
};
std::string to_bytes(const Reply& reply, bool for_head = false);
std::string chunk(std::string_view payload);

// IMF-fixdate, that many seconds from now.
std::string http_date(long offset_seconds);
// Bytes that differ along the way, so that a piece out of place shows.
std::string pattern(std::size_t size, unsigned seed = 1);
bool iequals(std::string_view a, std::string_view b);
bool contains(std::string_view text, std::string_view part);

}  // namespace seawall::behave
