#include "cache/share_group.h"

namespace seawall::cache {
namespace {

// Groups that are compared for one victim.
constexpr int kCompared = 8;

}  // namespace

void ShareGroups::set_bounds(ShareGroup& group, ShareBounds bounds) {
  spared_bytes_ -= group.spared_bytes();
  group.guaranteed_.store(bounds.guaranteed_bytes, std::memory_order_relaxed);
  group.max_.store(bounds.max_bytes, std::memory_order_relaxed);
  settle(group);
}

ShareGroup* ShareGroups::next_giving() {
  ShareGroup* most = nullptr;
  const auto excess = [](const ShareGroup& group) { return group.used_bytes() - group.guaranteed_bytes(); };
  for (int i = 0; i < kCompared; ++i) {
    ShareGroup* group = giving_.front();
    if (!group) break;
    if (!most || excess(*group) > excess(*most)) most = group;
    giving_.push_back(*group);
  }
  return most;
}

}  // namespace seawall::cache
