#include "obs/cache_status.h"

#include "http/h1_writer.h"

namespace seawall::obs {

void append_cache_status(std::string& out, const CacheStatus& status) {
  out += "seawall";
  if (status.is_hit) {
    out += "; hit";
  } else if (!status.forward.empty()) {
    out += "; fwd=";
    out += status.forward;
  }
  if (status.forward_status != 0) {
    out += "; fwd-status=";
    http::append_decimal(out, status.forward_status);
  }
  if (status.ttl) {
    out += "; ttl=";
    const auto seconds = status.ttl->count();
    if (seconds < 0) out += '-';
    http::append_decimal(out, static_cast<std::uint64_t>(seconds < 0 ? -seconds : seconds));
  }
  if (status.is_stored) out += "; stored";
  if (status.is_collapsed) out += "; collapsed";
  if (!status.detail.empty()) {
    out += "; detail=";
    out += status.detail;
  }
}

}  // namespace seawall::obs
