// What the demo origin answers: from a request to an answer as a value, no I/O. Thread: one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/header_map.h"
#include "http/message.h"
#include "mem/slice.h"

namespace seawall::server {

struct DemoAnswer {
  std::uint16_t status = 200;
  http::HeaderMap headers;  // without framing
  Slice body;
  bool has_body = true;             // false: 304
  std::vector<std::string> pieces;  // in place of `body`: sent one by one with kPieceInterval between
  Millis delay{0};                  // before the first byte
};

class DemoPages {
 public:
  static constexpr Millis kPieceInterval{200};

  // `body` is that of /post; others need not keep theirs.
  DemoAnswer answer(const http::RequestHead& request, std::string_view body, WallTime now);

 private:
  DemoAnswer home(const http::RequestHead& request, WallTime now);
  DemoAnswer big(const http::RequestHead& request);
  std::string stamp(WallTime now) const;

  std::uint64_t requests_ = 0;
  std::string home_page_;
  std::string home_etag_;
  WallTime home_made_;
  Slice big_body_;
};

}  // namespace seawall::server
