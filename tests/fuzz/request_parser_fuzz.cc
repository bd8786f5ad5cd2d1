// Request heads: the cut of the input does not matter, what was accepted keeps seawall's promises, and written anew it
// is read again as the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/h1_writer.h"
#include "http/uri.h"
#include "unit/http/feed.h"

namespace {

using namespace seawall::http;

// A fault far into an unfinished line may show only when that line ends, if it came in pieces.
bool is_same(std::string_view in, const Fed& whole, const Fed& cut) {
  const std::size_t last_line = in.size() - (in.rfind('\n') + 1);
  return cut.text == whole.text || (last_line > 256 && whole.error && cut.text == "more");
}

void check_promises(const RequestHead& head) {
  SW_CHECK(!head.path.empty() && !head.scheme.empty() && !head.method_name.empty(), "no part is empty");
  SW_CHECK(head.version == Version::kHttp10 || !head.authority.empty(), "HTTP/1.1 has an authority");
  SW_CHECK(head.framing != BodyFraming::kUntilClose, "a request does not end with its connection");
  SW_CHECK(head.headers.count(Field::kHost) <= 1, "one Host at most");
  SW_CHECK(!head.headers.contains(Field::kTransferEncoding) || !head.headers.contains(Field::kContentLength),
           "not both framings");
  for (const HeaderMap::View field : head.headers) {
    SW_CHECK(field.value.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos, "clean values");
  }
  std::string path = head.path;
  if (normalise_path(path)) {
    std::string again = path;
    SW_CHECK(normalise_path(again) && again == path, "a normal form is its own normal form");
  }
}

void check_round_trip(RequestHead& head) {
  if (head.target_form == TargetForm::kAuthority || head.version == Version::kHttp10) return;
  std::string out;
  append_request_line(out, head.method_name, head.path);
  append_fields(out, head.headers);
  append_end(out);
  RequestHead again;
  RequestParser parser{HeadLimits{.target_bytes = 1 << 20, .header_bytes = 1 << 20}};
  const auto size = parser.parse(out, again, head.scheme);
  SW_CHECK(size && *size == out.size(), "what seawall writes, seawall reads");
  // From absolute-form to origin-form.
  if (head.target_form == TargetForm::kAbsolute) again.target_form = TargetForm::kAbsolute;
  SW_CHECK(describe(again) == describe(head), "and reads it as the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  const std::size_t step = size > 4096 ? 61 : 1;
  const HeadLimits tight{.target_bytes = 16, .header_bytes = 128, .header_count = 3};
  for (const HeadLimits& limits : {HeadLimits{}, tight}) {
    const Fed whole = feed_request(in, size, 0, limits);
    SW_CHECK(is_same(in, whole, feed_request(in, 1, step, limits)), "byte by byte as at once");
    SW_CHECK(is_same(in, whole, feed_request(in, size / 2, 0, limits)), "in halves as at once");
  }

  RequestHead head;
  RequestParser parser{HeadLimits{}};
  const auto used = parser.parse(in, head);
  if (used && *used != 0) {
    SW_CHECK(*used <= size, "within the input");
    check_promises(head);
    check_round_trip(head);
  }
  return 0;
}
