// The disk cache over restarts and SIGKILLs of the real binary under load: what is answered is whole, of the right URL,
// and no older than a purge that was answered, and what was written is there. SEAWALL_KILLS=300 makes more of them.
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/rng.h"
#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/origin.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kKeys = 24;

// "/k/7" says "/k/7 v3 " and then as many bytes as that makes, the same ones each time; of some keys more than memory
// may hold.
std::string body_of(const std::string& path, int version) {
  const std::string head = path + " v" + std::to_string(version) + " ";
  Rng rng(std::hash<std::string>()(head));
  const bool is_large = std::atoi(path.c_str() + 3) % 8 == 3;
  const std::size_t size = is_large            ? 900'000 + rng.below(400'000)
                           : rng.below(5) == 0 ? 200'000 + rng.below(200'000)
                                               : rng.below(20'000);
  std::string body = head;
  while (body.size() < size) body += std::to_string(rng.next());
  return body;
}

struct Site {
  explicit Site(const std::string& memory) {
    origin.otherwise([this](Exchange& x) {
      const std::string path = x.request().target;
      const auto key = static_cast<std::size_t>(std::atoi(path.c_str() + 3)) % kKeys;
      x.respond({.headers = {"Cache-Control: max-age=3600", "Surrogate-Key: all",
                             "ETag: \"v" + std::to_string(versions[key]) + "\""},
                 .body = body_of(path, versions[key])});
    });
    directory.write(
        "seawall.toml",
        "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\nsocket = \"off\"\n"
        "purge_from = [\"127.0.0.1\"]\n[cache]\nmemory = \"" +
            memory + "\"\nmax_object = \"800KiB\"\ndisk = { path = \"" + directory.path() +
            "/disk\", size = \"64MiB\" }\n[[origin]]\nname = \"main\"\nservers = [\"http://" + origin.authority() +
            "\"]\n[[route]]\norigin = \"main\"\n");
    start();
  }

  void start() {
    process = std::make_unique<Process>(
        std::vector<std::string>{seawall_binary(), "serve", "-c", directory.path() + "/seawall.toml"});
    port = listening_port(*process);
  }
  void kill() {
    process->signal(SIGKILL);
    process->wait();
  }
  void stop() {
    process->signal(SIGTERM);
    BOOST_TEST(process->wait(2 * kLimit) == 0, process->output());
  }

  TemporaryDirectory directory;
  Origin origin;
  std::array<std::atomic<int>, kKeys> versions{};
  std::array<std::atomic<int>, kKeys> least{};  // by purges that were answered
  std::unique_ptr<Process> process;
  std::uint16_t port = 0;
};

std::string path_of(std::size_t key) {
  return "/k/" + std::to_string(key);
}

// Empty when the answer is right.
std::string fault_of(const Response& response, std::size_t key, int least, const Site& site) {
  if (response.status != 200) return "status " + std::to_string(response.status);
  const std::string begin = path_of(key) + " v";
  if (!response.body.starts_with(begin)) return "another URL's: " + response.body.substr(0, 40);
  const int version = std::atoi(response.body.c_str() + begin.size());
  if (response.body != body_of(path_of(key), version)) return "mixed or cut: " + response.body.substr(0, 40);
  if (version < least) return "purged: v" + std::to_string(version) + " after v" + std::to_string(least);
  if (version > site.versions[key]) return "of the future";
  return {};
}

enum class Load { kGets, kGetsAndPurges };

// Until the server is gone.
void load(Load what, Site& site, std::uint64_t seed, std::mutex& mutex, std::vector<std::string>& faults,
          std::atomic<int>& answers) {
  Rng rng(seed);
  try {
    Client client(site.port);
    for (int i = 0; i < 100'000; ++i) {
      const std::size_t key = rng.below(kKeys);
      if (what == Load::kGetsAndPurges && rng.below(12) == 0) {
        const int version = ++site.versions[key];
        if (client.request("PURGE", path_of(key)).status != 200) return;
        int known = site.least[key];
        while (known < version && !site.least[key].compare_exchange_weak(known, version)) {
        }
        continue;
      }
      const int least = site.least[key];
      const Response response = client.get(path_of(key));
      if (response.status == 0 || response.is_cut()) return;  // killed in the middle
      ++answers;
      if (const std::string fault = fault_of(response, key, least, site); !fault.empty()) {
        const std::scoped_lock lock(mutex);
        faults.push_back(fault);
      }
    }
  } catch (const Failure&) {
    // As well.
  }
}

int kills() {
  const char* const more = std::getenv("SEAWALL_KILLS");
  return more != nullptr ? std::atoi(more) : 60;
}

struct Killer {
  Killer(Site& s, Load l) : site(s), what(l) {}

  // After a random number of answers; and starts it again.
  void kill_under_load() {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 3; ++i) {
      clients.emplace_back([this, seed = rng.next()] { load(what, site, seed, mutex, faults, answers); });
    }
    const int wanted = answers + 20 + static_cast<int>(rng.below(300));
    BOOST_TEST(until([&] { return answers >= wanted; }));
    site.kill();
    clients.clear();
    site.start();
  }

  Site& site;
  Load what;
  Rng rng{7};
  std::mutex mutex;
  std::vector<std::string> faults;
  std::atomic<int> answers{0};
};

BOOST_AUTO_TEST_SUITE(behave_disk_crash)

BOOST_AUTO_TEST_CASE(a_restart_serves_what_was_stored) {
  Site site("64MiB");  // all of it may wait to be written
  for (std::size_t key = 0; key < kKeys; ++key) {
    Client client(site.port);
    BOOST_TEST(client.get(path_of(key)).body == body_of(path_of(key), 0));
  }
  site.stop();
  site.start();
  const std::size_t asked = site.origin.total();
  for (std::size_t key = 0; key < kKeys; ++key) {
    Client client(site.port);
    const Response response = client.get(path_of(key));
    BOOST_TEST((response.body == body_of(path_of(key), 0)));
    BOOST_TEST(response.is_hit(), response);
    BOOST_TEST(client.get(path_of(key), {"If-None-Match: \"v0\""}).status == 304);
    BOOST_TEST(client.get(path_of(key), {"Range: bytes=0-3"}).body == "/k/" + path_of(key).substr(3, 1));
  }
  BOOST_TEST(site.origin.total() == asked);
  site.stop();
}

BOOST_AUTO_TEST_CASE(a_killed_server_comes_back_with_nothing_wrong) {
  Site site("16MiB");
  Killer killer(site, Load::kGetsAndPurges);
  for (int round = 0; round < kills(); ++round) killer.kill_under_load();
  BOOST_TEST(killer.faults.size() == 0U);
  for (const std::string& fault : killer.faults) BOOST_TEST_MESSAGE(fault);
  // What was there before the last end is served still, but for what was on its way.
  const std::size_t asked = site.origin.total();
  std::size_t hits = 0;
  for (std::size_t key = 0; key < kKeys; ++key) {
    Client client(site.port);
    const Response response = client.get(path_of(key));
    BOOST_TEST(fault_of(response, key, site.least[key], site) == "");
    if (response.is_hit()) ++hits;
  }
  BOOST_TEST(hits > 0U);
  BOOST_TEST(site.origin.total() == asked + kKeys - hits);
  site.stop();
  const Outcome check = run({seawall_binary(), "disk", "check", site.directory.path() + "/disk"});
  BOOST_TEST(check.code == 0, check.output);
}

BOOST_AUTO_TEST_CASE(what_was_written_before_a_kill_is_served_after_it) {
  Site site("16MiB");
  Killer killer(site, Load::kGets);
  for (int round = 0; round < std::max(kills() / 6, 1); ++round) {
    BOOST_TEST_CONTEXT("round " << round) {
      Client client(site.port);
      for (std::size_t key = 0; key < kKeys; ++key) {
        site.least[key] = ++site.versions[key];
        BOOST_TEST_REQUIRE(client.request("PURGE", path_of(key)).status == 200);
        BOOST_TEST(client.get(path_of(key)).body == body_of(path_of(key), round + 1));
        BOOST_TEST(client.get(path_of(key)).body.size() > 0U);  // asked for again
      }
      const Admin admin(*site.process);
      BOOST_TEST_REQUIRE(until([&] { return admin.number("/v1/disk", "/objects") == kKeys; }),
                         admin.get("/v1/disk").body);
      killer.kill_under_load();
      const std::size_t asked = site.origin.total();
      Client after(site.port);
      for (std::size_t key = 0; key < kKeys; ++key) {
        const Response response = after.get(path_of(key));
        BOOST_TEST((response.body == body_of(path_of(key), round + 1)), response);
        BOOST_TEST(response.is_hit(), response);
      }
      BOOST_TEST(site.origin.total() == asked);
    }
  }
  BOOST_TEST(killer.faults.size() == 0U);
  for (const std::string& fault : killer.faults) BOOST_TEST_MESSAGE(fault);
  site.stop();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
