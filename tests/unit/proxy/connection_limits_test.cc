// Connections of the whole process and of each client.
#include "proxy/connection_limits.h"

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace seawall::proxy {
namespace {

using Slot = ConnectionLimits::Slot;
using Refusal = ConnectionLimits::Refusal;

BOOST_AUTO_TEST_SUITE(proxy_connection_limits)

BOOST_AUTO_TEST_CASE(the_whole_is_bounded) {
  ConnectionLimits limits;
  std::vector<Slot> held;
  for (int i = 0; i < 3; ++i) held.push_back(std::move(limits.try_take("192.0.2.1", 3, 0).value()));
  BOOST_TEST(limits.connections() == 3U);
  BOOST_TEST((limits.try_take("192.0.2.2", 3, 0).error() == Refusal::kTooMany));
  BOOST_TEST((limits.try_take("unix", 3, 1).error() == Refusal::kTooMany));
  BOOST_TEST(limits.connections() == 3U);
  held.pop_back();
  BOOST_TEST(limits.connections() == 2U);
  BOOST_TEST(limits.try_take("192.0.2.2", 3, 0).has_value());
  BOOST_TEST(limits.connections() == 2U);
  // A lower bound after a reload closes nothing, and admits nobody until there is room.
  BOOST_TEST((limits.try_take("192.0.2.2", 1, 0).error() == Refusal::kTooMany));
  held.clear();
  BOOST_TEST(limits.connections() == 0U);
  BOOST_TEST(limits.clients() == 0U);
}

BOOST_AUTO_TEST_CASE(who_is_one_client) {
  struct Row {
    std::string first;
    std::string second;
    bool is_same;
  };
  const Row rows[] = {
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"2001:db8:0:1::1", "2001:db8:0:1::1", true},
      {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
      {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
      {"::1", "::2", true},
      // The same bits, of another family.
      {"0.0.0.0", "::", false},
      {"unix", "unix", false},
      {"", "", false},
      {std::string(100, '1'), std::string(100, '1'), false},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.first << " and " << row.second) {
      ConnectionLimits limits;
      const auto first = limits.try_take(row.first, 10, 1);
      BOOST_REQUIRE(first.has_value());
      const auto second = limits.try_take(row.second, 10, 1);
      BOOST_TEST(second.has_value() != row.is_same);
      if (!second) BOOST_TEST((second.error() == Refusal::kTooManyOfClient));
      BOOST_TEST(limits.connections() == (row.is_same ? 1U : 2U));
    }
  }
}

BOOST_AUTO_TEST_CASE(each_client_is_bounded) {
  ConnectionLimits limits;
  auto a = limits.try_take("192.0.2.1", 10, 2);
  auto b = limits.try_take("192.0.2.1", 10, 2);
  BOOST_TEST((limits.try_take("192.0.2.1", 10, 2).error() == Refusal::kTooManyOfClient));
  BOOST_TEST(limits.try_take("192.0.2.2", 10, 2).has_value());
  BOOST_TEST(limits.connections() == 2U);
  BOOST_TEST(limits.clients() == 1U);
  *a = Slot();
  BOOST_TEST(limits.try_take("192.0.2.1", 10, 2).has_value());
  BOOST_TEST(limits.clients() == 1U);
  *b = Slot();
  BOOST_TEST(limits.clients() == 0U);
}

BOOST_AUTO_TEST_CASE(without_a_bound_no_client_is_counted) {
  ConnectionLimits limits;
  const auto early = limits.try_take("192.0.2.1", 10, 0);
  BOOST_TEST(limits.clients() == 0U);
  // A bound that comes later counts from there.
  const auto late = limits.try_take("192.0.2.1", 10, 1);
  BOOST_TEST(late.has_value());
  BOOST_TEST(limits.clients() == 1U);
  BOOST_TEST(!limits.try_take("192.0.2.1", 10, 1).has_value());
  // And one that goes is forgotten with who was counted for it.
  BOOST_TEST(limits.try_take("192.0.2.1", 10, 0).has_value());
  BOOST_TEST(limits.connections() == 2U);
}

BOOST_AUTO_TEST_CASE(slots_move) {
  ConnectionLimits limits;
  Slot slot;
  BOOST_TEST(!slot);
  slot = std::move(*limits.try_take("192.0.2.1", 10, 5));
  BOOST_TEST(static_cast<bool>(slot));
  BOOST_TEST(limits.connections() == 1U);
  Slot other(std::move(slot));
  BOOST_TEST(limits.connections() == 1U);
  other = std::move(*limits.try_take("192.0.2.2", 10, 5));
  BOOST_TEST(limits.connections() == 1U);
  BOOST_TEST(limits.clients() == 1U);
  other = Slot();
  BOOST_TEST(limits.connections() == 0U);
  BOOST_TEST(limits.clients() == 0U);
}

BOOST_AUTO_TEST_CASE(bounds_hold_among_threads) {
  constexpr std::size_t kTotal = 20;
  constexpr std::size_t kPerClient = 5;
  constexpr std::size_t kClients = 6;
  ConnectionLimits limits;
  std::array<std::atomic<std::size_t>, kClients> held{};
  std::atomic<std::size_t> all{0};
  std::atomic<bool> is_exceeded{false};
  std::atomic<std::size_t> taken{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::pair<std::size_t, Slot>> mine;
      for (std::size_t i = 0; i < 5000; ++i) {
        const std::size_t client = (i * 7 + t) % kClients;
        auto slot = limits.try_take("192.0.2." + std::to_string(client), kTotal, kPerClient);
        if (slot) {
          if (++held[client] > kPerClient || ++all > kTotal) is_exceeded = true;
          ++taken;
          mine.emplace_back(client, std::move(*slot));
        }
        if (mine.size() > 3 || (!slot && !mine.empty())) {
          --held[mine.back().first];
          --all;
          mine.pop_back();
        }
      }
      for (auto& [client, slot] : mine) {
        --held[client];
        --all;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(!is_exceeded);
  BOOST_TEST(taken > 0U);
  BOOST_TEST(limits.connections() == 0U);
  BOOST_TEST(limits.clients() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
