#include "origin/health.h"

#include <algorithm>

namespace seawall::origin {
namespace {

constexpr std::uint64_t kHistory = 64;

}  // namespace

bool Health::record(bool ok, MonoTime now) {
  ++checks_;
  results_ = (results_ << 1) | (ok ? 1U : 0U);
  if (ok == is_healthy_) {
    contrary_ = 0;
    return false;
  }
  ++contrary_;
  if (contrary_ < (is_healthy_ ? options_.fall : options_.rise)) return false;
  is_healthy_ = ok;
  changed_at_ = now;
  contrary_ = 0;
  return true;
}

std::string Health::history() const {
  std::string text;
  for (std::uint64_t age = std::min(checks_, kHistory); age > 0; --age) {
    text.push_back((results_ >> (age - 1) & 1) != 0 ? 'H' : '-');
  }
  return text;
}

}  // namespace seawall::origin
