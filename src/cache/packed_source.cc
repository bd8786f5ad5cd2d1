#include "cache/packed_source.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace seawall::cache {

void PackedSource::select(http::ByteRange range) {
  SW_DASSERT(range.last < body_->raw_bytes(), "past the end of the body");
  at_ = range.first;
  end_ = range.last + 1;
}

BodySource::Outcome PackedSource::read(std::size_t most, SliceChain& out) {
  if (at_ == end_) return Outcome::kEnd;
  const auto block = static_cast<std::size_t>(at_ / PackedBody::kBlockBytes);
  if ((raw_.empty() || block != block_) && !unpack(block)) return Outcome::kFailed;
  const auto skip = static_cast<std::size_t>(at_ % PackedBody::kBlockBytes);
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>({most, raw_.size() - skip, end_ - at_}));
  out.push_back(raw_.subslice(skip, n));
  at_ += n;
  // It lives on in what was handed out.
  if (skip + n == raw_.size()) raw_ = {};
  return Outcome::kBytes;
}

bool PackedSource::unpack(std::size_t block) {
  raw_ = {};
  const MonoTime begun = clock_.mono_now();
  auto raw = body_->unpack(block, budget_);
  const auto spent = std::chrono::nanoseconds(clock_.mono_now() - begun);
  spent_ns_.fetch_add(static_cast<std::uint64_t>(spent.count()), std::memory_order_relaxed);
  if (!raw) return false;
  block_ = block;
  raw_ = std::move(*raw);
  return true;
}

}  // namespace seawall::cache
