// Objects in demand are fetched anew before they expire, and what came together does not expire together.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_refresh)

// Behind the keys of [server].
const std::string kAdmin = "\n" + std::string(kAdminSection);
const std::string kNoRamp = "fill = { cold_start = \"0s\" }";
constexpr Millis kOriginTakes{300};

// Here time is the matter: an origin that works for that long, and an object that is fresh for two seconds.
void answer_slowly(Exchange& x) {
  std::this_thread::sleep_for(kOriginTakes);
  x.respond({.headers = {"Cache-Control: max-age=2"}, .body = std::to_string(x.number())});
}

long ttl_of(const Response& response) {
  return std::strtol(response.cache_parameter("ttl").value_or("-1000000").c_str(), nullptr, 10);
}

BOOST_AUTO_TEST_CASE(a_hot_object_is_fetched_anew_before_it_expires) {
  Origin origin;
  origin.on("/a", answer_slowly);
  Seawall seawall(origin, {.server = kAdmin, .origin = kNoRamp, .route = "name = \"r\""});
  Client client(seawall);
  BOOST_TEST(client.get("/a").body == "1");
  std::size_t waited = 0;
  std::set<std::string> bodies;
  // Longer than one of them is fresh: without it somebody would have had to wait.
  BOOST_TEST(until(
      [&] {
        const Response response = client.get("/a");
        waited += !response.is_hit() || ttl_of(response) <= 0 ? 1U : 0U;
        bodies.insert(response.body);
        return bodies.size() == 4;
      },
      3 * kLimit));
  BOOST_TEST(waited == 0U);
  // One at a time, and not for each request.
  BOOST_TEST(origin.count("/a") <= 5U);
  BOOST_TEST(origin.most_at_once() == 1U);
  BOOST_TEST(Admin(seawall).metric("seawall_refreshes_total{route=\"r\"}") >= 3);
}

BOOST_AUTO_TEST_CASE(it_is_not_where_that_is_turned_off) {
  Origin origin;
  origin.on("/a", answer_slowly);
  Seawall seawall(origin, {.origin = kNoRamp, .route = "refresh = { ahead = false }"});
  Client client(seawall);
  BOOST_TEST(client.get("/a").body == "1");
  std::size_t early = 0;
  BOOST_TEST(until([&] {
    const Response response = client.get("/a");
    if (!response.is_hit()) return true;
    early += origin.count("/a") > 1 ? 1U : 0U;
    return false;
  }));
  BOOST_TEST(early == 0U);
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(an_object_far_from_its_expiry_is_left_alone) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=1000"}, .body = std::to_string(x.number())});
  });
  Seawall seawall(origin, {.origin = kNoRamp});
  Client client(seawall);
  for (int round = 0; round < 300; ++round) BOOST_TEST(client.get("/a").body == "1");
  BOOST_TEST(origin.count("/a") == 1U);
}

BOOST_AUTO_TEST_CASE(a_refresh_ahead_that_fails_leaves_the_fresh_object) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    if (x.number() == 1) return answer_slowly(x);
    x.reset();
  });
  Seawall seawall(origin, {.origin = kNoRamp});
  Client client(seawall);
  BOOST_TEST(client.get("/a").body == "1");
  std::size_t others = 0;
  BOOST_TEST(until([&] {
    others += client.get("/a").body == "1" ? 0U : 1U;
    return origin.count("/a") >= 2;
  }));
  for (int round = 0; round < 100; ++round) others += client.get("/a").body == "1" ? 0U : 1U;
  BOOST_TEST(others == 0U);
  BOOST_TEST(origin.count("/a") <= 4U);
}

std::vector<long> lifetimes_of_forty(const std::string& route) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=1000"}, .body = "a"}); });
  Seawall seawall(origin, {.route = route});
  Client client(seawall);
  std::vector<long> lifetimes;
  for (int i = 0; i < 40; ++i) lifetimes.push_back(ttl_of(client.get("/" + std::to_string(i))));
  // What was said when it was stored is what holds.
  for (int i = 0; i < 40; ++i) {
    const Response hit = client.get("/" + std::to_string(i));
    const long stated = lifetimes[static_cast<std::size_t>(i)];
    BOOST_TEST(hit.is_hit());
    BOOST_TEST(ttl_of(hit) <= stated);
    BOOST_TEST(ttl_of(hit) >= stated - 30);
  }
  return lifetimes;
}

BOOST_AUTO_TEST_CASE(jitter_spreads_what_was_stored_together) {
  const std::vector<long> lifetimes = lifetimes_of_forty("refresh = { jitter = \"50%\" }");
  const auto [least, most] = std::ranges::minmax(lifetimes);
  // A Date is whole seconds: one may have passed already.
  BOOST_TEST(least >= 499);
  BOOST_TEST(most <= 1000);
  BOOST_TEST(most - least > 100);
  BOOST_TEST((std::set<long>(lifetimes.begin(), lifetimes.end()).size()) > 20U);
}

BOOST_AUTO_TEST_CASE(without_jitter_all_live_as_long_as_their_origin_says) {
  for (const long lifetime : lifetimes_of_forty("")) {
    BOOST_TEST(lifetime >= 998);
    BOOST_TEST(lifetime <= 1000);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
