// Shares are measured over simulated traffic with a fixed seed; bounds are wide enough for chance, not for a mistake.
#include "origin/balancer.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::origin {
namespace {

using namespace std::chrono_literals;

// Less than a slow start after the clock's beginning.
constexpr MonoTime kNow{6'000'000};
constexpr Balance kAll[] = {Balance::kRoundRobin, Balance::kLeastConn, Balance::kRandomTwo, Balance::kHash};

std::string_view to_string(Balance balance) {
  switch (balance) {
    case Balance::kRoundRobin: return "round robin";
    case Balance::kLeastConn: return "least conn";
    case Balance::kRandomTwo: return "random two";
    case Balance::kHash: return "hash";
  }
  return "?";
}

std::vector<Candidate> servers_of(const std::vector<std::uint32_t>& weights) {
  std::vector<Candidate> servers;
  for (const std::uint32_t weight : weights) {
    servers.push_back({.id = 100 + servers.size(), .weight = weight, .usable_since = {}});
  }
  return servers;
}

// Requests for keys at random, of which `at_once` are in flight; the oldest ends first. The share of each server.
std::vector<double> shares_of(Balancer& balancer, std::vector<Candidate> servers, std::size_t at_once) {
  constexpr int kRequests = 20'000;
  Rng rng(7);
  std::vector<double> shares(servers.size());
  std::deque<std::size_t> in_flight;
  for (int i = 0; i < kRequests; ++i) {
    if (in_flight.size() == at_once) {
      --servers[in_flight.front()].in_flight;
      in_flight.pop_front();
    }
    const auto chosen = balancer.choose(servers, {}, false, rng.next(), kNow, rng);
    BOOST_TEST_REQUIRE(chosen.has_value());
    ++servers[*chosen].in_flight;
    in_flight.push_back(*chosen);
    shares[*chosen] += 1.0 / kRequests;
  }
  return shares;
}

// Where the keys 0 .. count-1 go, by the id of the server.
std::vector<std::uint64_t> places_of_keys(Balancer& balancer, const std::vector<Candidate>& servers, std::size_t count,
                                          MonoTime now = kNow) {
  Rng rng(1);
  std::vector<std::uint64_t> places;
  for (std::size_t key = 0; key < count; ++key) {
    places.push_back(servers[balancer.choose(servers, {}, false, key, now, rng).value()].id);
  }
  return places;
}

std::string sequence_of(Balancer& balancer, const std::vector<Candidate>& servers, int count) {
  Rng rng(1);
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += static_cast<char>('a' + servers[balancer.choose(servers, {}, false, 0, kNow, rng).value()].id - 100);
  }
  return text;
}

BOOST_AUTO_TEST_SUITE(origin_balancer)

BOOST_AUTO_TEST_CASE(shares_go_by_weight) {
  struct Row {
    std::vector<std::uint32_t> weights;
    std::size_t at_once;
  };
  const std::vector<Row> rows = {
      {.weights = {1, 1, 1, 1}, .at_once = 1}, {.weights = {1, 1, 1, 1}, .at_once = 60},
      {.weights = {1, 2, 3}, .at_once = 60},   {.weights = {5, 0, 5}, .at_once = 60},
      {.weights = {7}, .at_once = 60},
  };
  for (const Balance balance : kAll) {
    for (const auto& row : rows) {
      double total = 0;
      for (const std::uint32_t weight : row.weights) total += weight;
      Balancer balancer(balance, 0ms);
      const auto shares = shares_of(balancer, servers_of(row.weights), row.at_once);
      for (std::size_t i = 0; i < shares.size(); ++i) {
        BOOST_TEST_CONTEXT(to_string(balance)
                           << ", " << shares.size() << " servers, " << row.at_once << " at once, " << i) {
          const double want = row.weights[i] / total;
          // With hash the arcs of the ring are uneven: some 10 % with a hundred points.
          const double tolerance = balance == Balance::kHash ? 0.25 : 0.08;
          BOOST_TEST(std::abs(shares[i] - want) <= want * tolerance);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(idle_servers_are_chosen_by_weight) {
  for (const Balance balance : {Balance::kRoundRobin, Balance::kLeastConn, Balance::kRandomTwo}) {
    BOOST_TEST_CONTEXT(to_string(balance)) {
      Balancer balancer(balance, 0ms);
      std::vector<Candidate> servers = servers_of({1, 3});
      Rng rng(3);
      int heavy = 0;
      for (int i = 0; i < 4000; ++i) heavy += balancer.choose(servers, {}, false, 0, kNow, rng) == 1U ? 1 : 0;
      BOOST_TEST(std::abs(heavy - 3000) < 150);
    }
  }
}

BOOST_AUTO_TEST_CASE(who_may_be_chosen) {
  constexpr char kOut = 'x';
  struct Row {
    const char* name;
    std::string_view servers;  // u usable, x not; U and X a backup
    std::vector<std::size_t> excluded{};
    bool may_repeat = false;
    std::vector<std::size_t> want;  // any of these, and each of them; empty: none
  };
  const std::vector<Row> rows = {
      {.name = "no servers", .servers = "", .may_repeat = true, .want = {}},
      {.name = "all", .servers = "uuu", .want = {0, 1, 2}},
      {.name = "usable only", .servers = "uxu", .want = {0, 2}},
      {.name = "none usable", .servers = "xx", .want = {}},
      {.name = "none usable, repeated", .servers = "xx", .excluded = {0, 1}, .may_repeat = true, .want = {}},
      {.name = "no backup while another is usable", .servers = "uUU", .want = {0}},
      {.name = "backups when no other is", .servers = "xUUX", .want = {1, 2}},
      {.name = "backups alone", .servers = "UU", .want = {0, 1}},
      {.name = "not the tried", .servers = "uuu", .excluded = {1}, .want = {0, 2}},
      {.name = "not the tried, though it may be",
       .servers = "uuu",
       .excluded = {1},
       .may_repeat = true,
       .want = {0, 2}},
      {.name = "all tried", .servers = "uu", .excluded = {0, 1}, .want = {}},
      {.name = "all tried, repeated", .servers = "uu", .excluded = {1, 0}, .may_repeat = true, .want = {0, 1}},
      {.name = "only the usable repeat", .servers = "ux", .excluded = {0, 1}, .may_repeat = true, .want = {0}},
      {.name = "an untried backup before a tried server",
       .servers = "uU",
       .excluded = {0},
       .may_repeat = true,
       .want = {1}},
      {.name = "a backup that was tried is the last",
       .servers = "uU",
       .excluded = {0, 1},
       .may_repeat = true,
       .want = {0}},
      {.name = "a backup repeats when it is all", .servers = "xU", .excluded = {1}, .may_repeat = true, .want = {1}},
      {.name = "an index that is none", .servers = "u", .excluded = {17}, .want = {0}},
  };
  for (const Balance balance : kAll) {
    for (const auto& row : rows) {
      BOOST_TEST_CONTEXT(to_string(balance) << ": " << row.name) {
        auto servers = servers_of(std::vector<std::uint32_t>(row.servers.size(), 1));
        for (std::size_t i = 0; i < servers.size(); ++i) {
          const char c = row.servers[i];
          servers[i].is_backup = c == 'U' || c == 'X';
          servers[i].is_usable = c != kOut && c != 'X';
        }
        Balancer balancer(balance, 0ms);
        Rng rng(5);
        std::map<std::size_t, int> chosen;
        for (int i = 0; i < 100; ++i) {
          const auto index = balancer.choose(servers, row.excluded, row.may_repeat, rng.next(), kNow, rng);
          BOOST_TEST(index.has_value() == !row.want.empty());
          if (index) ++chosen[*index];
        }
        std::vector<std::size_t> got;
        for (const auto& [index, count] : chosen) got.push_back(index);
        BOOST_TEST(got == row.want, boost::test_tools::per_element());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(servers_without_a_weight_get_nothing) {
  for (const Balance balance : kAll) {
    BOOST_TEST_CONTEXT(to_string(balance)) {
      Balancer balancer(balance, 0ms);
      Rng rng(1);
      BOOST_TEST(!balancer.choose(servers_of({0, 0}), {}, true, 1, kNow, rng).has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(slow_start_gives_a_share_by_and_by) {
  struct Row {
    const char* name;
    Millis slow_start = 10s;
    MonoTime usable_since;
    double at_least;
    double at_most;
  };
  // Of four servers: a tenth of a weight is 0.1 of 3.1, a half is 0.5 of 3.5, all of it a quarter.
  const std::vector<Row> rows = {
      {.name = "just back", .usable_since = kNow, .at_least = 0.01, .at_most = 0.06},
      {.name = "back in the future", .usable_since = kNow + 1s, .at_least = 0.01, .at_most = 0.06},
      {.name = "half way", .usable_since = MonoTime{kNow.us - 5'000'000}, .at_least = 0.11, .at_most = 0.18},
      {.name = "over", .usable_since = MonoTime{kNow.us - 10'000'000}, .at_least = 0.20, .at_most = 0.30},
      {.name = "long over", .usable_since = MonoTime{-90'000'000}, .at_least = 0.20, .at_most = 0.30},
      {.name = "always there", .usable_since = MonoTime{}, .at_least = 0.20, .at_most = 0.30},
      {.name = "off, back in the future",
       .slow_start = 0ms,
       .usable_since = kNow + 1s,
       .at_least = 0.20,
       .at_most = 0.30},
  };
  for (const Balance balance : kAll) {
    for (const auto& row : rows) {
      BOOST_TEST_CONTEXT(to_string(balance) << ": " << row.name) {
        Balancer balancer(balance, row.slow_start);
        auto servers = servers_of({1, 1, 1, 1});
        servers[2].usable_since = row.usable_since;
        const double share = shares_of(balancer, servers, 40)[2];
        BOOST_TEST(share >= row.at_least);
        BOOST_TEST(share <= row.at_most);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(when_all_start_slowly_shares_are_as_ever) {
  for (const Balance balance : kAll) {
    Balancer balancer(balance, 10s);
    auto servers = servers_of({1, 1, 1});
    for (auto& server : servers) server.usable_since = kNow;
    for (const double share : shares_of(balancer, servers, 30)) {
      BOOST_TEST_CONTEXT(to_string(balance)) {
        BOOST_TEST(std::abs(share - 1.0 / 3) < 0.08);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(round_robin_is_smooth) {
  Balancer balancer(Balance::kRoundRobin, 0ms);
  BOOST_TEST(sequence_of(balancer, servers_of({5, 1, 1}), 14) == "aabacaaaabacaa");
}

BOOST_AUTO_TEST_CASE(round_robin_goes_on_when_the_list_changes) {
  const auto three = servers_of({1, 1, 1});
  // The credit is the server's, whatever its place in the list.
  for (const auto& fewer : {std::vector<Candidate>{three[0], three[1]}, std::vector<Candidate>{three[1], three[0]}}) {
    Balancer balancer(Balance::kRoundRobin, 0ms);
    BOOST_TEST(sequence_of(balancer, three, 1) == "a");
    BOOST_TEST(sequence_of(balancer, fewer, 1) == "b");
  }
}

BOOST_AUTO_TEST_CASE(least_conn_goes_by_load_for_weight) {
  struct Row {
    std::vector<std::uint32_t> weights;
    std::vector<std::uint32_t> in_flight;
    std::size_t want;
  };
  const std::vector<Row> rows = {
      {.weights = {1, 1, 1}, .in_flight = {3, 2, 4}, .want = 1},
      {.weights = {1, 4}, .in_flight = {2, 7}, .want = 1},
      {.weights = {1, 4}, .in_flight = {2, 9}, .want = 0},
      {.weights = {1, 1}, .in_flight = {0, 4'000'000'000}, .want = 0},
  };
  Rng rng(1);
  for (const auto& row : rows) {
    auto servers = servers_of(row.weights);
    for (std::size_t i = 0; i < servers.size(); ++i) servers[i].in_flight = row.in_flight[i];
    Balancer least(Balance::kLeastConn, 0ms);
    for (int i = 0; i < 20; ++i) BOOST_TEST(least.choose(servers, {}, false, 0, kNow, rng).value() == row.want);
    // Of two servers both are drawn.
    Balancer two(Balance::kRandomTwo, 0ms);
    if (servers.size() == 2) BOOST_TEST(two.choose(servers, {}, false, 0, kNow, rng).value() == row.want);
  }
}

BOOST_AUTO_TEST_CASE(random_two_never_takes_the_worst) {
  Balancer balancer(Balance::kRandomTwo, 0ms);
  auto servers = servers_of({1, 1, 1, 1});
  for (std::size_t i = 0; i < servers.size(); ++i) servers[i].in_flight = static_cast<std::uint32_t>(i);
  Rng rng(9);
  std::vector<int> counts(4);
  for (int i = 0; i < 6000; ++i) ++counts[balancer.choose(servers, {}, false, 0, kNow, rng).value()];
  // Of the six pairs the best is in three, the second is the better one in two, the third in one.
  BOOST_TEST(std::abs(counts[0] - 3000) < 200);
  BOOST_TEST(std::abs(counts[1] - 2000) < 200);
  BOOST_TEST(std::abs(counts[2] - 1000) < 200);
  BOOST_TEST(counts[3] == 0);
}

BOOST_AUTO_TEST_CASE(hash_keeps_the_keys_of_the_others) {
  constexpr std::size_t kKeys = 10'000;
  const auto five = servers_of({1, 1, 1, 1, 1});
  const std::uint64_t gone = five[1].id;
  struct Row {
    const char* name;
    std::vector<Candidate> servers;
  };
  std::vector<Row> rows = {{"out of the list", five}, {"not usable", five}, {"out, and in another order", five}};
  rows[0].servers.erase(rows[0].servers.begin() + 1);
  rows[1].servers[1].is_usable = false;
  rows[2].servers.erase(rows[2].servers.begin() + 1);
  std::ranges::reverse(rows[2].servers);
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Balancer balancer(Balance::kHash, 0ms);
      const auto before = places_of_keys(balancer, five, kKeys);
      const auto after = places_of_keys(balancer, row.servers, kKeys);
      std::size_t moved = 0;
      std::size_t moved_of_others = 0;
      std::map<std::uint64_t, std::size_t> heirs;
      for (std::size_t key = 0; key < kKeys; ++key) {
        if (before[key] == after[key]) continue;
        ++moved;
        if (before[key] != gone) ++moved_of_others;
        ++heirs[after[key]];
      }
      BOOST_TEST(moved_of_others == 0U);
      BOOST_TEST(moved == static_cast<std::size_t>(std::ranges::count(before, gone)));
      // All that are left inherit, not the next one alone.
      BOOST_TEST(heirs.size() == 4U);
      // And they come back.
      BOOST_TEST(places_of_keys(balancer, five, kKeys) == before);
    }
  }
}

BOOST_AUTO_TEST_CASE(hash_moves_few_keys_when_a_weight_grows) {
  constexpr std::size_t kKeys = 10'000;
  Balancer balancer(Balance::kHash, 0ms);
  const auto before = places_of_keys(balancer, servers_of({1, 1, 1, 1}), kKeys);
  const auto after = places_of_keys(balancer, servers_of({1, 1, 2, 1}), kKeys);
  std::size_t moved = 0;
  for (std::size_t key = 0; key < kKeys; ++key) {
    if (before[key] == after[key]) continue;
    ++moved;
    BOOST_TEST(after[key] == 102U);
  }
  // From a quarter to two fifths.
  BOOST_TEST(moved > kKeys / 10);
  BOOST_TEST(moved < kKeys / 5);
}

BOOST_AUTO_TEST_CASE(hash_bounds_the_load) {
  for (const std::uint64_t keys : {1U, 3U, 1000U}) {
    BOOST_TEST_CONTEXT(keys << " keys") {
      Balancer balancer(Balance::kHash, 0ms);
      auto servers = servers_of({1, 2, 1, 4});
      Rng rng(4);
      for (std::uint32_t load = 1; load <= 2000; ++load) {
        const auto chosen = balancer.choose(servers, {}, false, rng.below(keys), kNow, rng);
        BOOST_TEST_REQUIRE(chosen.has_value());
        ++servers[*chosen].in_flight;
        for (const auto& server : servers) {
          BOOST_TEST_REQUIRE(server.in_flight <= std::ceil(1.25 * load * server.weight / 8));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(hash_passes_a_key_on_to_the_next_and_back) {
  Balancer balancer(Balance::kHash, 0ms);
  auto servers = servers_of({1, 1, 1, 1});
  Rng rng(1);
  const auto home = balancer.choose(servers, {}, false, 42, kNow, rng).value();
  for (auto& server : servers) server.in_flight = 25;
  // With the one that comes 110 are in flight, and 1.25 times the mean is 34.4; then 111 and 34.7.
  servers[home].in_flight = 34;
  BOOST_TEST(balancer.choose(servers, {}, false, 42, kNow, rng).value() == home);
  servers[home].in_flight = 35;
  const auto next = balancer.choose(servers, {}, false, 42, kNow, rng).value();
  BOOST_TEST(next != home);
  const std::vector<std::size_t> excluded = {home};
  servers[home].in_flight = 25;
  BOOST_TEST(balancer.choose(servers, excluded, false, 42, kNow, rng).value() == next);
  BOOST_TEST(balancer.choose(servers, {}, false, 42, kNow, rng).value() == home);
}

BOOST_AUTO_TEST_CASE(hash_gives_a_slow_starter_ever_more_of_its_own_keys) {
  constexpr std::size_t kKeys = 5'000;
  Balancer balancer(Balance::kHash, 10s);
  auto servers = servers_of({1, 1, 1});
  const auto before = places_of_keys(balancer, servers, kKeys);
  const auto own = static_cast<double>(std::ranges::count(before, 101U));
  servers[1].usable_since = kNow;
  std::vector<std::uint64_t> earlier(kKeys, 0);
  for (const auto elapsed : {0s, 3s, 6s, 9s, 10s}) {
    const auto places = places_of_keys(balancer, servers, kKeys, kNow + elapsed);
    for (std::size_t key = 0; key < kKeys; ++key) {
      if (before[key] != 101) BOOST_TEST_REQUIRE(places[key] == before[key]);
      if (earlier[key] == 101) BOOST_TEST_REQUIRE(places[key] == 101U);
    }
    const double want = std::max(0.1, static_cast<double>(elapsed.count()) / 10);
    BOOST_TEST(std::abs(static_cast<double>(std::ranges::count(places, 101U)) / own - want) < 0.04);
    earlier = places;
  }
  BOOST_TEST(earlier == before);
  // Where all are as slow, nobody's keys move.
  for (auto& server : servers) server.usable_since = kNow;
  BOOST_TEST(places_of_keys(balancer, servers, kKeys) == before);
}

BOOST_AUTO_TEST_CASE(hash_rather_goes_to_a_slow_starter_than_over_the_bound) {
  Balancer balancer(Balance::kHash, 10s);
  auto servers = servers_of({1, 1});
  servers[0].in_flight = 100;
  servers[1].usable_since = MonoTime{kNow.us - 5'000'000};
  for (const std::uint64_t place : places_of_keys(balancer, servers, 200)) BOOST_TEST(place == 101U);
}

BOOST_AUTO_TEST_CASE(options_may_change) {
  Balancer balancer(Balance::kRoundRobin, 0ms);
  const auto servers = servers_of({1, 1, 1});
  BOOST_TEST(sequence_of(balancer, servers, 3) == "abc");
  balancer.set_options(Balance::kHash, 0ms);
  const std::string same = sequence_of(balancer, servers, 3);
  BOOST_TEST(same == std::string(3, same[0]));
  balancer.set_options(Balance::kRoundRobin, 10s);
  auto cold = servers;
  cold[0].usable_since = kNow;
  BOOST_TEST(sequence_of(balancer, cold, 4) == "bcbc");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::origin
