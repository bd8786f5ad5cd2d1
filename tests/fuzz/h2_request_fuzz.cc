// Fields of HTTP/2 requests: what is accepted and written as HTTP/1.1 is read there as the same one request, so nothing
// was smuggled. An input is fields, each ended by RS (0x1e), names ended by US (0x1f); its first bit says END_STREAM.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/h1_writer.h"
#include "http/h2_request.h"
#include "unit/http/feed.h"

namespace {

using namespace seawall::http;

template <typename Take>
void each_field(std::string_view in, Take take) {
  while (!in.empty()) {
    const std::string_view field = in.substr(0, in.find('\x1e'));
    in.remove_prefix(std::min(in.size(), field.size() + 1));
    const std::size_t name_end = field.find('\x1f');
    if (name_end != std::string_view::npos) take(field.substr(0, name_end), field.substr(name_end + 1));
  }
}

void check_round_trip(RequestHead& head) {
  if (head.target_form == TargetForm::kAuthority) return;
  std::string out;
  append_request_line(out, head.method_name, head.path);
  append_fields(out, head.headers);
  append_end(out);
  RequestHead again;
  RequestParser parser{HeadLimits{.target_bytes = 1 << 20, .header_bytes = 1 << 20, .header_count = 1000}};
  const auto size = parser.parse(out, again, head.scheme);
  SW_CHECK(size && *size == out.size(), "HTTP/1.1 sees one whole request");
  // What HTTP/1.1 says with fields that are not there yet.
  again.version = head.version;
  if (head.framing == BodyFraming::kChunked) again.framing = BodyFraming::kChunked;
  again.wants_upgrade = head.wants_upgrade;
  SW_CHECK(describe(again) == describe(head), "and the same one");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool ends_stream = (data[0] & 1) != 0;
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  const HeadLimits tight{.target_bytes = 16, .header_bytes = 256, .header_count = 3};
  for (const HeadLimits& limits : {HeadLimits{}, tight}) {
    H2RequestReader reader(limits);
    RequestHead head;
    // The second time with what the first has left behind.
    for (int i = 0; i < 2; ++i) {
      reader.begin(head);
      each_field(in, [&](std::string_view name, std::string_view value) { reader.add(name, value, head); });
      if (!reader.finish(ends_stream, "https", head)) continue;
      SW_CHECK(head.path.size() <= limits.target_bytes, "within the limits");
      SW_CHECK(head.headers.size() <= limits.header_count + 3, "but for Host, Cookie and Upgrade, which are ours");
      SW_CHECK(!ends_stream || head.content_length == 0, "no body is promised that cannot come");
      SW_CHECK(!head.headers.contains(Field::kTransferEncoding), "no other framing");
      check_round_trip(head);
    }
  }
  H2TrailerReader trailers;
  each_field(in, [&](std::string_view name, std::string_view value) { trailers.add(name, value); });
  if (trailers.is_malformed()) return 0;
  for (const HeaderMap::View field : trailers.take()) {
    SW_CHECK(field.field == Field::kOther && !field.name.starts_with(':'), "nothing that has a meaning comes late");
  }
  return 0;
}
