// Bodies: the cut of the input does not matter, nothing past the end is consumed, and a body that was complete is the
// same when framed anew. The first byte chooses the framing.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/h1_writer.h"
#include "unit/http/feed.h"

namespace {

using namespace seawall::http;

void check_chunked(std::string_view in, const FedBody& whole) {
  if (!whole.done) return;
  const BodyDecoder fresh(BodyFraming::kChunked, 0, seawall::Side::kClient);
  const FedBody exact = feed_body(fresh, in.substr(0, whole.consumed), whole.consumed, 0);
  SW_CHECK(exact.text() == whole.text(), "what follows a body has no part in it");
  SW_CHECK(!feed_body(fresh, in.substr(0, whole.consumed - 1), whole.consumed, 0).done, "no prefix is complete");

  std::string out;
  if (!whole.payload.empty()) {
    append_chunk_size(out, whole.payload.size());
    out.append(whole.payload).append(kCrlf);
  }
  append_last_chunk(out, HeaderMap());
  SW_CHECK(feed_body(fresh, out, out.size(), 0).payload == whole.payload, "framed anew it is the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool has_length = data[0] % 4 == 1;
  const BodyDecoder fresh(has_length ? BodyFraming::kLength : BodyFraming::kChunked, data[0], seawall::Side::kClient);
  const FedBody whole = feed_body(fresh, in, in.size(), 0);
  SW_CHECK(whole.consumed <= in.size(), "within the input");
  SW_CHECK(feed_body(fresh, in, 1, size > 4096 ? 61 : 1).text() == whole.text(), "byte by byte as at once");
  SW_CHECK(feed_body(fresh, in, size / 2, 0).text() == whole.text(), "in halves as at once");
  if (!has_length) check_chunked(in, whole);
  return 0;
}
