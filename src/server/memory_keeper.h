// Keeps the cache within its memory: sees four times a second what the allocator has made of it, holds back what
// mem/budget_governor.h says, and evicts what a lowered budget or maximum leaves over, in slices, for nobody waits for
// that. Thread: the home worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "admin/admin_handler.h"
#include "base/clock.h"
#include "mem/budget_governor.h"
#include "proxy/context.h"

namespace seawall::server {

class MemoryKeeper {
 public:
  // `shown` is kept up to date for the admin listener.
  MemoryKeeper(proxy::Context& context, admin::MemoryState& shown);

  // After the context has the router whose groups may have new bounds.
  void apply(std::size_t configured_bytes);
  // Each kTick.
  static constexpr Millis kTick{250};
  void tick(MonoTime now);

 private:
  void set_limit();
  void begin_shrinking();
  void shrink_some();
  bool shrink_slice();
  std::uint64_t resident_when_full();

  proxy::Context& context_;
  admin::MemoryState& shown_;
  BudgetGovernor governor_;
  std::optional<std::uint64_t> uncharged_at_start_;
  std::size_t used_when_given_back_ = 0;
  bool is_shrinking_ = false;
  const std::shared_ptr<const bool> life_ = std::make_shared<const bool>(true);
};

}  // namespace seawall::server
