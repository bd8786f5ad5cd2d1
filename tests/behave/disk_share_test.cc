// What routes have of the disk: a guarantee that a flood of others does not touch, and a maximum.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kBodyBytes = 64 * 1024;
constexpr double kMiB = 1024 * 1024;
// What waits to be written has to fit into an eighth of the memory: these do at once.
constexpr std::size_t kKept = 40;

constexpr const char* kRoutes = R"(
[cache]
memory = "32MiB"
disk = {{ path = "{}", size = "64MiB" }}
[[origin]]
servers = ["http://127.0.0.1:{}"]
[[route]]
name = "kept"
path = "/kept/*"
disk.guaranteed = "16MiB"
[[route]]
name = "bounded"
path = "/bounded/*"
disk.max = "8MiB"
[[route]]
name = "flood"
)";

BOOST_AUTO_TEST_SUITE(behave_disk_share)

double on_disk(const Admin& admin, std::string_view route) {
  return admin.metric(fmt::format("seawall_route_disk_bytes{{route=\"{}\"}}", route));
}

std::size_t stored(Client& client, std::string_view route, std::size_t from, std::size_t to) {
  std::size_t count = 0;
  for (std::size_t i = from; i < to; ++i) {
    const Response response = client.get(fmt::format("/{}/{}", route, i), {"Cache-Control: only-if-cached"});
    count += response.status == 200 && response.body.size() == kBodyBytes ? 1U : 0U;
  }
  return count;
}

void reload_with_max(Seawall& seawall, std::string_view size) {
  std::string changed = seawall.config();
  const std::size_t at = changed.find("disk.max = \"") + 12;
  changed.replace(at, changed.find('"', at) - at, size);
  seawall.write_config(changed);
  seawall.process().signal(SIGHUP);
}

BOOST_AUTO_TEST_CASE(a_flood_leaves_what_is_guaranteed_on_disk_and_a_maximum_holds) {
  TemporaryDirectory folder;
  Origin origin;
  // Of a type that is not compressed.
  origin.otherwise([body = pattern(kBodyBytes)](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=6000", "Content-Type: image/png"}, .body = body});
  });
  const std::string config =
      std::string(kAdminSection) + fmt::format(fmt::runtime(kRoutes), folder.path(), origin.port());
  {
    Seawall seawall(config);
    const Admin admin(seawall);
    Client client(seawall);
    const auto fill = [&](std::string_view route, std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) client.get(fmt::format("/{}/{}", route, i));
    };
    fill("kept", 0, kKept);
    BOOST_TEST(until([&] { return on_disk(admin, "kept") >= static_cast<double>(kKept * kBodyBytes); }));
    const double kept = on_disk(admin, "kept");
    BOOST_TEST(admin.number("/v1/routes/kept", "/disk/guaranteed_bytes") == 16 * kMiB);
    BOOST_TEST(admin.value("/v1/routes/kept", "/disk/max_bytes") == "null");
    for (std::size_t i = 0; i < 400; i += kKept) {
      fill("bounded", i, i + kKept);
      BOOST_TEST(on_disk(admin, "bounded") <= 8 * kMiB);
      // What a slow machine has no time to write would be refused.
      BOOST_TEST(until([&] { return admin.number("/v1/disk", "/volumes/0/backlog_bytes") == 0; }));
    }
    BOOST_TEST(until([&] { return admin.number("/v1/routes/bounded", "/disk/evicted") > 100; }));
    BOOST_TEST(on_disk(admin, "bounded") > 6 * kMiB);
    reload_with_max(seawall, "2MiB");
    BOOST_TEST(until([&] { return on_disk(admin, "bounded") <= 2 * kMiB; }));
    BOOST_TEST(on_disk(admin, "bounded") > kMiB);
    BOOST_TEST(admin.number("/v1/routes/bounded", "/disk/max_bytes") == 2 * kMiB);
    // Until more has gone than there is room for.
    for (std::size_t i = 0; admin.metric("seawall_disk_evictions_total") < 1500; i += kKept) {
      fill("flood", i, i + kKept);
      BOOST_TEST_REQUIRE(i < 40'000U);
    }
    BOOST_TEST(on_disk(admin, "kept") == kept);
    BOOST_TEST(seawall.stop() == 0);
  }
  // Nothing is in memory now.
  Seawall seawall(config);
  BOOST_TEST(seawall.process().says("objects found"));
  Client client(seawall);
  BOOST_TEST(on_disk(Admin(seawall), "kept") >= static_cast<double>(kKept * kBodyBytes));
  BOOST_TEST(stored(client, "kept", 0, kKept) == kKept);
  BOOST_TEST(stored(client, "bounded", 0, 100) == 0U);
  BOOST_TEST(seawall.stop() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
