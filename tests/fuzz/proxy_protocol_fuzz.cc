// PROXY headers out of any bytes: what is complete stays so with less and more behind it, what is read can be written
// and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "net/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace seawall::net;
  using Status = ProxyParse::Status;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ProxyParse parsed = parse_proxy_header(bytes);
  SW_CHECK((parsed.status == Status::kMalformed) == !parsed.problem.empty(),
           "a reason for refusals, and for nothing else");
  if (parsed.status == Status::kIncomplete) {
    SW_CHECK(size < kMaxProxyHeaderBytes, "bounded");
    return 0;
  }
  const std::string more = std::string(bytes) + "GET / HTTP/1.1\r\n";
  SW_CHECK(parse_proxy_header(more).status == parsed.status, "more bytes change nothing");
  if (parsed.status != Status::kComplete) return 0;
  const ProxyHeader& header = parsed.header;
  SW_CHECK(header.consumed <= size && header.consumed <= kMaxProxyHeaderBytes, "within the bytes");
  SW_CHECK(parse_proxy_header(bytes.substr(0, header.consumed)).status == Status::kComplete,
           "nothing behind it counts");
  SW_CHECK(parse_proxy_header(bytes.substr(0, header.consumed - 1)).status == Status::kIncomplete, "not a byte less");
  SW_CHECK(header.source.has_value() == header.destination.has_value(), "both ends or none");
  if (!header.source) return 0;
  for (const ProxyVersion version : {ProxyVersion::kV1, ProxyVersion::kV2}) {
    const std::string written = proxy_header(version, *header.source, *header.destination);
    const ProxyParse again = parse_proxy_header(written);
    SW_CHECK(again.status == Status::kComplete && again.header.consumed == written.size(), "reads back");
    SW_CHECK(again.header.source->to_string() == header.source->to_string(), "the same source");
    SW_CHECK(again.header.destination->to_string() == header.destination->to_string(), "the same destination");
  }
  return 0;
}
