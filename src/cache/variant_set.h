// The variants stored for one key, newest first: never empty, never more than StoreOptions::max_variants. Immutable and
// shared: a look-up takes one reference, to the set, which holds the objects. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/ref.h"
#include "cache/object.h"
#include "mem/budget.h"

namespace seawall::cache {

class VariantSet final : public RefCounted<VariantSet> {
 public:
  // All of one key.
  static Ref<const VariantSet> create(MemoryBudget& budget, std::span<const Ref<Object>> newest_first);
  static void destroy(const VariantSet* set);

  const std::string& key() const { return variants().front()->key(); }
  std::uint64_t hash() const { return variants().front()->hash(); }
  // The references lie behind the set, in the same block.
  std::span<const Ref<Object>> variants() const { return {reinterpret_cast<const Ref<Object>*>(this + 1), count_}; }
  std::size_t charged_bytes() const { return charge_.bytes(); }

 private:
  explicit VariantSet(std::size_t count) : count_(count) {}
  ~VariantSet() = default;

  std::size_t count_;
  BudgetCharge charge_;
};

}  // namespace seawall::cache
