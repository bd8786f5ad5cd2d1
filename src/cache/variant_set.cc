#include "cache/variant_set.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/check.h"
#include "mem/allocator.h"

namespace seawall::cache {

static_assert(alignof(VariantSet) >= alignof(Ref<Object>));
static_assert(alignof(VariantSet) <= alignof(std::max_align_t));

Ref<const VariantSet> VariantSet::create(MemoryBudget& budget, std::span<const Ref<Object>> newest_first) {
  SW_CHECK(!newest_first.empty(), "a set of no variants");
  void* block = std::malloc(sizeof(VariantSet) + newest_first.size_bytes());
  SW_CHECK(block != nullptr, "out of memory");
  auto* set = new (block) VariantSet(newest_first.size());
  set->charge_ = BudgetCharge(budget, block_bytes(block));
  std::uninitialized_copy(newest_first.begin(), newest_first.end(), reinterpret_cast<Ref<Object>*>(set + 1));
  return Ref<const VariantSet>(set);
}

void VariantSet::destroy(const VariantSet* set) {
  auto* mutable_set = const_cast<VariantSet*>(set);
  std::destroy_n(reinterpret_cast<Ref<Object>*>(mutable_set + 1), mutable_set->count_);
  mutable_set->~VariantSet();
  std::free(mutable_set);
}

}  // namespace seawall::cache
