// URIs: normal forms are their own normal forms, hold no dot segments, and what a reference resolves to is a URI that
// means itself.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/uri.h"

namespace {

using namespace seawall::http;

void check_authority(std::string_view in) {
  for (const char* scheme : {"http", "https"}) {
    const auto authority = normalise_authority(in, scheme);
    if (!authority) continue;
    SW_CHECK(normalise_authority(*authority, scheme) == authority, "its own normal form");
    SW_CHECK(authority->find_first_of(std::string_view("@/?#\\ %\0", 8)) == std::string::npos, "a host and a port");
  }
}

void check_path(std::string_view in) {
  std::string path = "/" + std::string(in);
  const std::string before = path;
  if (!normalise_path(path)) {
    SW_CHECK(path == before, "left alone when malformed");
    return;
  }
  SW_CHECK(path.starts_with('/') && path.size() <= before.size(), "still a path, and no longer");
  const std::string segments = path.substr(0, path.find('?')) + "/";
  SW_CHECK(segments.find("/./") == std::string::npos && segments.find("/../") == std::string::npos, "no dot segments");
  std::string again = path;
  SW_CHECK(normalise_path(again) && again == path, "its own normal form");
}

void check_reference(std::string_view in) {
  const AbsoluteUri base{.scheme = "http", .authority = "a.example", .path = "/b/c?d"};
  const auto uri = resolve_reference(base, in);
  if (!uri) return;
  const std::string text = uri->scheme + "://" + uri->authority + uri->path;
  const auto direct = parse_absolute_uri(text);
  SW_CHECK(direct && direct->authority == uri->authority && direct->path == uri->path, "a URI of ours");
  const auto again = resolve_reference(base, text);
  SW_CHECK(again && again->path == uri->path && again->scheme == uri->scheme, "means itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  check_authority(in);
  check_path(in);
  check_reference(in);
  return 0;
}
