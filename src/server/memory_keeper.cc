#include "server/memory_keeper.h"

#include <algorithm>

#include "cache/share_group.h"
#include "proxy/route_state.h"

namespace seawall::server {
namespace {

constexpr std::size_t kEvictedPerTurn = 512;
constexpr std::size_t kStepBytes = std::size_t{16} << 20;
// Free pages are given back while the cache shrinks each time that they may be so many, and at its end if so many.
constexpr std::size_t kGiveBackBytes = std::size_t{64} << 20;
constexpr std::size_t kLeastGiveBackBytes = std::size_t{1} << 20;
// The part of the budget that free pages have to make up to be given back at once.
constexpr std::uint64_t kFreePagesDivisor = 64;
// What is allocated takes about that part of it more in pages.
constexpr std::uint64_t kPageShare = 32;

std::uint64_t free_pages_of(const AllocatorStats& a) {
  return a.resident - std::min(a.resident, a.active + a.metadata);
}

}  // namespace

MemoryKeeper::MemoryKeeper(proxy::Context& context, admin::MemoryState& shown)
    : context_(context), shown_(shown), governor_(context.store.budget().limit_bytes()) {}

void MemoryKeeper::apply(std::size_t configured_bytes) {
  governor_.set_configured(configured_bytes);
  set_limit();
  begin_shrinking();
}

void MemoryKeeper::tick(MonoTime now) {
  give_back_old_pages();
  shown_.allocator = allocator_stats();
  shown_.resident_bytes = resident_bytes().value_or(0);
  // What goes anyway is no excess.
  if (is_shrinking_) return;
  const std::uint64_t resident = resident_when_full();
  // What was free counts this once: it was resident, and is going to be again.
  if (shown_.allocator && governor_.is_too_much(resident)) {
    if (free_pages_of(*shown_.allocator) > governor_.configured_bytes() / kFreePagesDivisor) give_back_pages();
  }
  governor_.update(resident, now);
  set_limit();
  // Not for what others have charged past the limit for a while: that would be taken from what is guaranteed, too.
  if (context_.store.budget().limit_bytes() != governor_.limit_bytes()) begin_shrinking();
}

void MemoryKeeper::set_limit() {
  MemoryBudget& budget = context_.store.budget();
  // Else in steps: see shrink_slice().
  if (governor_.limit_bytes() >= budget.used_bytes()) budget.set_limit_bytes(governor_.limit_bytes());
  shown_.configured_bytes = governor_.configured_bytes();
}

void MemoryKeeper::begin_shrinking() {
  if (is_shrinking_) return;
  is_shrinking_ = true;
  used_when_given_back_ = context_.store.budget().used_bytes();
  shrink_some();
}

void MemoryKeeper::shrink_some() {
  const bool has_more = shrink_slice();
  const std::size_t used = context_.store.budget().used_bytes();
  if (used + (has_more ? kGiveBackBytes : kLeastGiveBackBytes) <= used_when_given_back_) {
    give_back_pages();
    used_when_given_back_ = used;
  }
  if (!has_more) {
    is_shrinking_ = false;
    return;
  }
  context_.executor.post([this, life = std::weak_ptr(life_)] {
    if (!life.expired()) shrink_some();
  });
}

// Whether there is more. The limit comes down by steps: whoever stores something meanwhile has that much to evict.
bool MemoryKeeper::shrink_slice() {
  cache::Store& store = context_.store;
  MemoryBudget& budget = store.budget();
  const std::size_t target = governor_.limit_bytes();
  const std::size_t used = budget.used_bytes();
  budget.set_limit_bytes(std::max(target, used - std::min(used, kStepBytes)));
  if (store.shrink_some(kEvictedPerTurn)) return true;
  if (budget.limit_bytes() > target && budget.used_bytes() < used) return true;
  budget.set_limit_bytes(target);
  return std::ranges::any_of(context_.router->routes(), [&](const proxy::Route& route) {
    cache::ShareGroup& share = *route.state->share;
    return share.is_over_max() && store.shrink_some(share, kEvictedPerTurn);
  });
}

// What will be resident when the budget is used up, the first of which goes into free pages and holes. Not what
// came since the start and is nobody's to charge, connections and their TLS: a crowd of those must not empty the cache.
// Without jemalloc's word neither is known.
std::uint64_t MemoryKeeper::resident_when_full() {
  if (!shown_.allocator) return shown_.resident_bytes;
  const AllocatorStats& a = *shown_.allocator;
  const std::uint64_t charged = context_.store.budget().used_bytes();
  const std::uint64_t uncharged = a.allocated - std::min(charged, a.allocated);
  if (!uncharged_at_start_) uncharged_at_start_ = uncharged;
  const std::uint64_t guests = uncharged - std::min(*uncharged_at_start_, uncharged);
  const std::uint64_t room = governor_.limit_bytes() - std::min(charged, governor_.limit_bytes());
  const std::uint64_t room_pages = room + room / kPageShare;
  const std::uint64_t holes = a.active - std::min(a.allocated, a.active) + free_pages_of(a);
  return shown_.resident_bytes - std::min(guests, shown_.resident_bytes) + room_pages - std::min(holes, room_pages);
}

}  // namespace seawall::server
