// Response heads: the cut of the input does not matter, and what was accepted is read again as the same when written
// anew. The first byte chooses the method of the request.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/h1_writer.h"
#include "unit/http/feed.h"

namespace {

using namespace seawall::http;

// A fault far into an unfinished line may show only when that line ends, if it came in pieces.
bool is_same(std::string_view in, const Fed& whole, const Fed& cut) {
  const std::size_t last_line = in.size() - (in.rfind('\n') + 1);
  return cut.text == whole.text || (last_line > 256 && whole.error && cut.text == "more");
}

void check_promises(const ResponseHead& head, Method method) {
  SW_CHECK(head.status >= 100 && head.status <= 999, "three digits");
  const bool is_bodyless = head.status < 200 || head.status == 204 || head.status == 304 || method == Method::kHead;
  SW_CHECK(!is_bodyless || head.framing == BodyFraming::kNone, "no body where there can be none");
  SW_CHECK(head.framing != BodyFraming::kUntilClose || !head.keep_alive, "its end is the connection's end");
  SW_CHECK(head.framing != BodyFraming::kLength || head.has_content_length, "a length comes from the field");
}

void check_round_trip(const ResponseHead& head, Method method) {
  if (head.version == Version::kHttp10) return;
  std::string out;
  append_status_line(out, head.status, head.reason);
  append_fields(out, head.headers);
  append_end(out);
  ResponseHead again;
  ResponseParser parser{HeadLimits{.header_bytes = 1 << 20}};
  const auto size = parser.parse(out, method, again);
  SW_CHECK(size && *size == out.size(), "what seawall writes, seawall reads");
  if (head.reason.empty()) again.reason.clear();
  SW_CHECK(describe(again) == describe(head), "and reads it as the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Method method = data[0] % 3 == 0 ? Method::kGet : data[0] % 3 == 1 ? Method::kHead : Method::kConnect;
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Fed whole = feed_response(in, in.size(), 0, method);
  SW_CHECK(is_same(in, whole, feed_response(in, 1, size > 4096 ? 61 : 1, method)), "byte by byte as at once");
  SW_CHECK(is_same(in, whole, feed_response(in, size / 2, 0, method)), "in halves as at once");

  ResponseHead head;
  ResponseParser parser{HeadLimits{}};
  const auto used = parser.parse(in, method, head);
  if (used && *used != 0) {
    SW_CHECK(*used <= in.size(), "within the input");
    check_promises(head, method);
    check_round_trip(head, method);
  }
  return 0;
}
