// The memory budget: what does not fit goes or is not kept, and slow readers cannot hold more than it.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

BOOST_AUTO_TEST_SUITE(behave_store)

bool is_stored(const Seawall& seawall, const std::string& path) {
  return get(seawall, path, {"Cache-Control: only-if-cached"}).status == 200;
}

BOOST_AUTO_TEST_CASE(objects_are_evicted_to_stay_within_the_budget) {
  constexpr std::size_t kObjects = 150;
  const std::string body = pattern(256 * kKiB);
  Origin origin;
  origin.otherwise([&](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=600"}, .body = body}); });
  Seawall seawall(origin, {.cache = "memory = \"8MiB\""});
  BOOST_TEST(get(seawall, "/warm").body.size() == body.size());
  const std::size_t before = seawall.process().resident_bytes();
  Client client(seawall);
  bool all_right = true;
  for (std::size_t i = 0; i < kObjects; ++i) {
    const std::string path = "/" + std::to_string(i);
    all_right = all_right && client.get(path).body == body;
  }
  BOOST_TEST(all_right);
  if (!kSanitized) BOOST_TEST(seawall.process().resident_bytes() < before + 24 * kMiB);
  std::size_t stored = 0;
  for (std::size_t i = 0; i < kObjects; ++i) stored += is_stored(seawall, "/" + std::to_string(i)) ? 1U : 0U;
  BOOST_TEST(stored >= 5U);
  BOOST_TEST(stored <= 8 * kMiB / body.size());
}

BOOST_AUTO_TEST_CASE(small_objects_are_charged_with_all_they_cost) {
  Origin origin;
  origin.otherwise([](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=600", "X-Fill: " + std::string(1000, 'x')}, .body = "x"});
  });
  Seawall seawall(origin, {.cache = "memory = \"1MiB\""});
  Client client(seawall);
  constexpr std::size_t kObjects = 3000;
  for (std::size_t i = 0; i < kObjects; ++i) client.get("/" + std::to_string(i));
  std::size_t stored = 0;
  for (std::size_t i = 0; i < kObjects; ++i) {
    stored += client.get("/" + std::to_string(i), {"Cache-Control: only-if-cached"}).status == 200 ? 1U : 0U;
  }
  BOOST_TEST(stored >= 50U);
  // A head of 1000 bytes each, and not one byte more than the budget.
  BOOST_TEST(stored <= kMiB / 1000);
}

BOOST_AUTO_TEST_CASE(what_is_used_often_stays) {
  const std::string body = pattern(64 * kKiB);
  Origin origin;
  origin.otherwise([&](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=600"}, .body = body}); });
  Seawall seawall(origin, {.cache = "memory = \"8MiB\""});
  Client client(seawall);
  for (int i = 0; i < 4; ++i) client.get("/popular");
  for (int i = 0; i < 400; ++i) {
    client.get("/once/" + std::to_string(i));
    if (i % 20 == 0) client.get("/popular");
  }
  BOOST_TEST(origin.count("/popular") == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_streamed_and_not_stored) {
  const std::string body = pattern(2 * kMiB);
  Origin origin;
  origin.on("/sized", Reply{.headers = {"Cache-Control: max-age=600"}, .body = body});
  origin.on("/chunked", [&](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=600"});
    for (std::size_t at = 0; at < body.size(); at += 64 * kKiB)
      x.send_chunk(std::string_view(body).substr(at, 64 * kKiB));
    x.end_chunks();
  });
  origin.on("/small", Reply{.headers = {"Cache-Control: max-age=600"}, .body = "small"});
  Seawall seawall(origin, {.cache = "memory = \"8MiB\"\nmax_object = \"10%\""});
  get(seawall, "/small");
  for (const char* path : {"/sized", "/chunked"}) {
    BOOST_TEST_CONTEXT(path) {
      for (std::size_t round = 1; round <= 2; ++round) {
        const Response response = get(seawall, path);
        BOOST_TEST((response.body == body));
        BOOST_TEST(response.complete);
        BOOST_TEST(!response.is_hit(), response.cache_status());
        BOOST_TEST(origin.count(path) == round);
      }
    }
  }
  BOOST_TEST(is_stored(seawall, "/small"));
}

// jemalloc leaves a page free beside each block of more than 14 KiB.
BOOST_AUTO_TEST_CASE(what_the_allocator_takes_beside_a_body_is_charged) {
  constexpr double kObjects = 200;
  const std::string body = pattern(20'000);
  Origin origin;
  origin.otherwise([&](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=600"}, .body = body}); });
  Seawall seawall(origin, {.admin = true});
  const Admin admin(seawall);
  if (admin.value("/v1/memory", "/allocator").empty()) return;
  Client client(seawall);
  for (int i = 0; i < kObjects; ++i) BOOST_TEST(client.get("/" + std::to_string(i)).status == 200);
  const double each = admin.number("/v1/memory", "/used/bodies_bytes") / kObjects;
  BOOST_TEST(each >= 24.0 * kKiB);
  BOOST_TEST(each < 25.0 * kKiB);
}

BOOST_AUTO_TEST_CASE(slow_readers_share_what_they_read) {
  const std::string body = pattern(16 * kMiB);
  Origin origin;
  origin.on("/stored", Reply{.headers = {"Cache-Control: max-age=600"}, .body = body});
  origin.on("/passed", [&](Exchange& x) {
    x.send(to_bytes({.headers = {"Cache-Control: no-store", "Content-Length: " + std::to_string(body.size())}}));
    x.send(body);
  });
  Seawall seawall(origin, {.cache = "memory = \"64MiB\"\nmax_object = \"50%\""});
  BOOST_TEST((get(seawall, "/stored").body == body));
  for (const char* path : {"/stored", "/passed"}) {
    BOOST_TEST_CONTEXT(path) {
      const std::size_t before = seawall.process().resident_bytes();
      std::vector<Client> clients;
      for (int i = 0; i < 50; ++i) {
        clients.emplace_back(seawall, ClientOptions{.receive_buffer = 4096});
        clients.back().send_request("GET", path);
      }
      for (Client& client : clients) BOOST_TEST(client.read_head().status == 200);
      // As much as will come without their reading.
      Client other(seawall);
      BOOST_TEST(other.is_quiet(Millis{300}));
      if (!kSanitized) BOOST_TEST(seawall.process().resident_bytes() < before + 64 * kMiB);
      const Response one = clients.front().read_rest(4 * kLimit);
      BOOST_TEST((one.body == body));
    }
  }
}

constexpr const char* kTwoRoutes = R"(
[cache]
memory = "16MiB"
[[origin]]
servers = ["http://127.0.0.1:{}"]
[[route]]
name = "kept"
path = "/kept/*"
memory.guaranteed = "50%"
[[route]]
name = "flood"
memory.max = "60%"
)";

std::string nth_of(std::string_view route, std::size_t i) {
  return fmt::format("/{}/{}", route, i);
}

BOOST_AUTO_TEST_CASE(a_flood_on_one_route_leaves_what_is_guaranteed_to_another) {
  constexpr std::size_t kKept = 100;
  const std::string body = pattern(64 * kKiB);
  Origin origin;
  origin.otherwise([&](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=600"}, .body = body}); });
  Seawall seawall(std::string(kAdminSection) + fmt::format(fmt::runtime(kTwoRoutes), origin.port()));
  const Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < kKept; ++i) client.get(nth_of("kept", i));
  for (std::size_t i = 0; i < 1000; ++i) client.get(nth_of("flood", i));
  for (std::size_t i = 0; i < kKept; ++i) {
    BOOST_TEST_REQUIRE(client.get(nth_of("kept", i), {"Cache-Control: only-if-cached"}).status == 200, i);
  }
  BOOST_TEST(admin.number("/v1/routes/kept", "/memory/guaranteed_bytes") == 8.0 * kMiB);
  BOOST_TEST(admin.number("/v1/routes/kept", "/memory/used_bytes") >= 6.25 * kMiB);
  BOOST_TEST(admin.number("/v1/routes/flood", "/memory/used_bytes") <= 0.6 * 16 * kMiB);
  BOOST_TEST(admin.metric(R"(seawall_route_memory_bytes{route="flood"})") > 4.0 * kMiB);
  // Its own flood evicts its own.
  for (std::size_t i = kKept; i < 500; ++i) client.get(nth_of("kept", i));
  std::size_t left = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    left += client.get(nth_of("kept", i), {"Cache-Control: only-if-cached"}).status == 200 ? 1U : 0U;
  }
  BOOST_TEST(left < 250U);
  BOOST_TEST(left >= 8 * kMiB / (body.size() + 2 * kKiB));
}

// Within seconds and without a request, and so is what a route may have at most.
BOOST_AUTO_TEST_CASE(a_smaller_memory_is_reached_by_a_reload) {
  const std::string body = pattern(2 * kKiB);
  Origin origin;
  origin.otherwise([&](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=600"}, .body = body}); });
  Seawall seawall(std::string(kAdminSection) + fmt::format(fmt::runtime(kTwoRoutes), origin.port()));
  const Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 3000; ++i) client.get(nth_of("kept", i));
  const double before = admin.number("/v1/memory", "/used_bytes");
  BOOST_TEST(before > 8.0 * kMiB);
  BOOST_TEST(admin.number("/v1/memory", "/used/bodies_bytes") > before / 3);
  const auto reload_with = [&](std::string_view memory) {
    std::string changed = seawall.config();
    const std::size_t at = changed.find("memory = \"") + 10;
    changed.replace(at, changed.find('"', at) - at, memory);
    seawall.write_config(changed);
    seawall.process().signal(SIGHUP);
  };
  reload_with("2MiB");
  BOOST_TEST(until([&] { return admin.number("/v1/memory", "/used_bytes") <= 2.0 * kMiB; }));
  BOOST_TEST(admin.number("/v1/memory", "/configured_bytes") == 2.0 * kMiB);
  BOOST_TEST(admin.number("/v1/memory", "/objects") > 100);
  reload_with("16MiB");
  BOOST_TEST(until([&] { return admin.number("/v1/memory", "/limit_bytes") == 16.0 * kMiB; }));
  for (std::size_t i = 0; i < 3000; ++i) client.get(nth_of("kept", i));
  BOOST_TEST(admin.number("/v1/memory", "/used_bytes") > 8.0 * kMiB);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
