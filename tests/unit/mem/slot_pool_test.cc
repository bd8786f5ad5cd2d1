// Slots of one size: nobody gets what another holds, and emptied slabs give their memory back.
#include "mem/slot_pool.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <thread>
#include <vector>

#include "base/rng.h"

namespace seawall {
namespace {

BOOST_AUTO_TEST_SUITE(mem_slot_pool)

BOOST_AUTO_TEST_CASE(a_slot_is_its_takers_alone) {
  for (const std::size_t size : {16U, 544U, 928U, 7616U, 16384U}) {
    BOOST_TEST_CONTEXT(size) {
      const auto pool = SlotPool::create(size);
      BOOST_TEST_REQUIRE(pool.get() != nullptr);
      struct Held {
        unsigned char* slot;
        unsigned char mark;
      };
      std::vector<Held> held;
      Rng rng(size);
      for (int step = 0; step < 3000; ++step) {
        // It grows, then shrinks to nothing.
        const bool takes = rng.below(100) < (step < 1500 ? 70U : 30U);
        if (takes) {
          auto* const slot = static_cast<unsigned char*>(pool->take());
          BOOST_TEST_REQUIRE(slot != nullptr);
          BOOST_TEST(pool->owns(slot));
          BOOST_TEST(pool->owns(slot + size - 1));
          BOOST_TEST(reinterpret_cast<std::uintptr_t>(slot) % 16 == 0U);
          const auto mark = static_cast<unsigned char>(step);
          std::memset(slot, mark, size);
          held.push_back({slot, mark});
        } else if (!held.empty()) {
          const std::size_t which = rng.below(held.size());
          const Held gone = held[which];
          held[which] = held.back();
          held.pop_back();
          bool is_whole = true;
          for (std::size_t i = 0; i < size; ++i) is_whole = is_whole && gone.slot[i] == gone.mark;
          BOOST_TEST(is_whole);
          pool->give(gone.slot);
        }
      }
      const std::size_t most = pool->resident_bytes();
      for (const Held& h : held) pool->give(h.slot);
      // One slab is kept for what comes next.
      BOOST_TEST(pool->resident_bytes() == 320U * 1024);
      BOOST_TEST(most >= pool->resident_bytes());
    }
  }
}

BOOST_AUTO_TEST_CASE(memory_follows_what_is_held) {
  const auto pool = SlotPool::create(7616);
  BOOST_TEST(pool->resident_bytes() == 0U);
  std::vector<void*> slots;
  for (int i = 0; i < 1000; ++i) slots.push_back(pool->take());
  // 43 to a slab of 320 KiB.
  BOOST_TEST(pool->resident_bytes() == 24U * 320 * 1024);
  for (void* slot : slots) pool->give(slot);
  BOOST_TEST(pool->resident_bytes() == 320U * 1024);
  // What was given back is used again, from the first.
  std::vector<void*> again;
  for (int i = 0; i < 1000; ++i) again.push_back(pool->take());
  BOOST_TEST(pool->resident_bytes() == 24U * 320 * 1024);
  for (void* slot : again) pool->give(slot);
}

BOOST_AUTO_TEST_CASE(others_memory_is_not_its_own) {
  const auto pool = SlotPool::create(64);
  int on_the_stack = 0;
  const std::vector<int> on_the_heap(10);
  BOOST_TEST(!pool->owns(nullptr));
  BOOST_TEST(!pool->owns(&on_the_stack));
  BOOST_TEST(!pool->owns(on_the_heap.data()));
}

BOOST_AUTO_TEST_CASE(threads_share_it) {
  const auto pool = SlotPool::create(960);
  std::vector<std::jthread> threads;
  std::atomic<int> broken{0};
  for (unsigned char mark = 1; mark <= 4; ++mark) {
    threads.emplace_back([&, mark] {
      for (int round = 0; round < 200; ++round) {
        std::vector<unsigned char*> held;
        for (int i = 0; i < 20; ++i) {
          held.push_back(static_cast<unsigned char*>(pool->take()));
          std::memset(held.back(), mark, 960);
        }
        for (unsigned char* slot : held) {
          if (slot[0] != mark || slot[959] != mark) ++broken;
          pool->give(slot);
        }
      }
    });
  }
  threads.clear();
  BOOST_TEST(broken == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
