// Bodies that are kept compressed in memory on the real binary: more of them, and the same bytes.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/wait.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_compress_memory)

constexpr int kPages = 300;

std::string path_of(int page) {
  return "/page/" + std::to_string(page);
}

// 40 KB, no two alike.
std::string text_of(std::string_view path) {
  std::string lines;
  for (int i = 0; lines.size() < 40'000; ++i) lines.append(path) += " line " + std::to_string(i) + "\n";
  return lines;
}

void answer_pages(Origin& origin) {
  origin.otherwise([](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=600", "Content-Type: text/plain", "ETag: \"1\""},
               .body = text_of(x.request().target)});
  });
}

// Each page is asked for twice: what is stored of it is hit.
void ask_for_all(const Seawall& seawall) {
  for (int page = 0; page < kPages; ++page) {
    for (int turn = 0; turn < 2; ++turn) {
      const Response response = get(seawall, path_of(page));
      BOOST_REQUIRE(response.status == 200);
      BOOST_REQUIRE(response.body == text_of(path_of(page)));
    }
  }
}

double objects_held(const Admin& admin) {
  return admin.metric("seawall_cache_objects");
}

BOOST_AUTO_TEST_CASE(more_objects_are_held_and_all_bytes_are_the_same,
                     *boost::unit_test::precondition(Needs{{"curl"}})) {
  Origin origin;
  answer_pages(origin);
  double without = 0;
  {
    Seawall seawall(origin, {.admin = true, .cache = "memory = \"4MiB\""});
    const Admin admin(seawall);
    ask_for_all(seawall);
    without = objects_held(admin);
    BOOST_TEST(without > 50);
    BOOST_TEST(admin.value("/v1/memory", "/compression") == "");
  }
  Seawall seawall(origin, {.admin = true, .cache = "memory = \"4MiB\"\ncompress_memory = true"});
  const Admin admin(seawall);
  // Each round packs some more, in its own time. Raw there is room for no more than `without`.
  for (int round = 0; round < 20 && objects_held(admin) < 1.2 * without; ++round) ask_for_all(seawall);
  BOOST_TEST(objects_held(admin) >= 1.2 * without);
  BOOST_TEST(admin.metric("seawall_cache_compressed_objects") > 0);
  BOOST_TEST(admin.metric("seawall_cache_compressed_bytes") < admin.metric("seawall_cache_uncompressed_bytes") / 2);
  BOOST_TEST(admin.metric("seawall_cache_compress_bytes_total") > 0);
  BOOST_TEST(admin.number("/v1/memory", "/compression/objects") > 0);
  BOOST_TEST(admin.metric("seawall_cache_budget_used_bytes") <= 4 * 1048576);

  const auto answers = [&] { return admin.metric("seawall_cache_compressed_answers_total"); };
  // The youngest first: a miss would have what is packed evicted before it is asked for, as it may be all the same
  // where packing takes its time.
  int packed_page = -1;
  for (int asked = 0; asked < 10 * kPages && (packed_page < 0 || asked % kPages != 0); ++asked) {
    const int page = kPages - 1 - asked % kPages;
    const double before = packed_page < 0 ? answers() : 0;
    const std::string path = path_of(page);
    const std::string text = text_of(path);
    const Response part = get(seawall, path, {"Range: bytes=39000-39999"});
    BOOST_TEST(part.status == 206, path);
    BOOST_TEST(part.body == text.substr(39'000, 1000), path);
    if (packed_page < 0 && answers() > before) {
      packed_page = page;
      // Over HTTP/2 too.
      const CurlResponse response =
          curl({"--http2-prior-knowledge", "-H", "Host: a.test", "http://" + seawall.address() + path});
      BOOST_REQUIRE(response.code == 0);
      BOOST_TEST(response.body == text);
      BOOST_TEST(answers() == before + 2);
    }
    BOOST_TEST(get(seawall, path).body == text, path);
  }
  BOOST_TEST(packed_page >= 0);
  BOOST_TEST(admin.metric("seawall_cache_decompress_seconds_total") > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
