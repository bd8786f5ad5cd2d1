// Selecting values: the first line of the input is a Vary field, the second an Accept-Encoding, Accept-Language and Foo
// value. Their normal form is one line for each name, and the same however the value is spread over field lines.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/header_map.h"
#include "policy/vary.h"

namespace {

using namespace seawall;
using namespace seawall::policy;

void require(bool condition) {
  if (!condition) std::abort();
}

http::HeaderMap request_of(std::string_view value) {
  http::HeaderMap request;
  for (const char* name : {"Accept-Encoding", "Accept-Language", "Foo"}) request.add(name, value);
  return request;
}

std::string selecting(const VarySpec& spec, const http::HeaderMap& request) {
  std::string out;
  append_selecting_values(spec, request, out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line_end = std::min(text.find('\n'), text.size());
  const std::string_view vary = text.substr(0, line_end);
  // A parsed field value holds no line ends.
  std::string value(text.substr(std::min(line_end + 1, text.size())));
  std::erase(value, '\n');

  http::HeaderMap response;
  response.add("Vary", vary);
  const VarySpec spec = parse_vary(response);
  require(!spec.any || spec.names.empty());
  require(std::is_sorted(spec.names.begin(), spec.names.end()));

  const auto request = request_of(value);
  const std::string form = selecting(spec, request);
  require(static_cast<std::size_t>(std::count(form.begin(), form.end(), '\n')) == spec.names.size());
  require(form == selecting(spec, request_of(" " + value + "\t")));
  require(spec.empty() || spec.any || form != selecting(spec, http::HeaderMap{}) ||
          form.find_first_of(":=") == form.npos);

  const auto comma = value.find(',');
  if (comma != std::string::npos && value.find('"') == std::string::npos) {
    http::HeaderMap two_lines;
    for (const char* name : {"Accept-Encoding", "Accept-Language", "Foo"}) {
      two_lines.add(name, std::string_view(value).substr(0, comma));
      two_lines.add(name, std::string_view(value).substr(comma + 1));
    }
    require(form == selecting(spec, two_lines));
  }
  language_selects(request, value);
  return 0;
}
