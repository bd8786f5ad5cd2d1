// Vary (RFC 9111 section 4.1): variants side by side, requests that are equal in effect sharing one.
#include <boost/test/unit_test.hpp>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_vary)

// Echoes what it varies on, and counts.
Handler varying(std::string vary, std::string field) {
  return [vary = std::move(vary), field = std::move(field)](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60", "Vary: " + vary},
               .body = x.request().headers.get(field) + "#" + std::to_string(x.number())});
  };
}

BOOST_AUTO_TEST_CASE(variants_are_kept_side_by_side) {
  Origin origin;
  origin.on("/a", varying("X-Kind", "X-Kind"));
  Seawall seawall(origin);
  const Lines kinds[] = {{"X-Kind: one"}, {"X-Kind: two"}, {}, {"X-Kind:"}, {"X-Kind: ONE"}};
  std::vector<std::string> bodies;
  for (const Lines& lines : kinds) {
    const Response response = get(seawall, "/a", lines);
    BOOST_TEST(!response.is_hit(), response);
    bodies.push_back(response.body);
  }
  for (std::size_t i = 0; i < std::size(kinds); ++i) {
    const Response response = get(seawall, "/a", kinds[i]);
    BOOST_TEST(response.is_hit(), response);
    BOOST_TEST(response.body == bodies[i]);
  }
  BOOST_TEST(origin.count("/a") == std::size(kinds));
}

// More than are read from disk at once.
BOOST_AUTO_TEST_CASE(all_variants_are_served_after_a_restart) {
  constexpr int kCount = 20;
  Origin origin;
  origin.on("/a", varying("X-Kind", "X-Kind"));
  const TemporaryDirectory directory;
  const SeawallOptions options{.cache = "max_variants = 32\ndisk = { path = \"" + directory.path() +
                                        "/disk\", size = \"64MiB\" }"};
  const auto kind = [](int i) { return Lines{"X-Kind: " + std::to_string(i)}; };
  {
    Seawall seawall(origin, options);
    for (int i = 0; i < kCount; ++i) BOOST_TEST(!get(seawall, "/a", kind(i)).is_hit());
    BOOST_TEST(seawall.stop() == 0);
  }
  Seawall seawall(origin, options);
  for (int i = 0; i < kCount; ++i) {
    const Response response = get(seawall, "/a", kind(i));
    BOOST_TEST(response.is_hit(), response);
    BOOST_TEST(response.body.starts_with(std::to_string(i) + "#"), response);
  }
  BOOST_TEST(origin.count("/a") == std::size_t{kCount});
}

BOOST_AUTO_TEST_CASE(a_missing_variant_says_so) {
  Origin origin;
  origin.on("/a", varying("X-Kind", "X-Kind"));
  Seawall seawall(origin);
  get(seawall, "/a", {"X-Kind: one"});
  const Response other = get(seawall, "/a", {"X-Kind: two"});
  BOOST_TEST(other.cache_parameter("fwd").value_or("") == "vary-miss", other);
}

BOOST_AUTO_TEST_CASE(all_lines_of_a_field_count) {
  Origin origin;
  origin.on("/a", varying("X-Kind", "X-Kind"));
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a", {"X-Kind: one", "X-Kind: two"}).body == "one, two#1");
  BOOST_TEST(get(seawall, "/a", {"X-Kind: one", "X-Kind: three"}).body == "one, three#2");
  BOOST_TEST(get(seawall, "/a", {"X-Kind: one"}).body == "one#3");
  BOOST_TEST(get(seawall, "/a", {"X-Kind: one, two"}).body == "one, two#1");
  BOOST_TEST(get(seawall, "/a", {"X-Kind: one ,two"}).body == "one, two#1");
  BOOST_TEST(get(seawall, "/a", {"X-Kind: two, one"}).body == "two, one#4");
}

BOOST_AUTO_TEST_CASE(several_fields_and_lines_of_vary_count_together) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60", "Vary: X-One", "vary: x-two ,X-ONE"},
               .body = std::to_string(x.number())});
  });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a", {"X-One: 1", "X-Two: 1"}).body == "1");
  BOOST_TEST(get(seawall, "/a", {"X-One: 1", "X-Two: 2"}).body == "2");
  BOOST_TEST(get(seawall, "/a", {"X-One: 2", "X-Two: 1"}).body == "3");
  BOOST_TEST(get(seawall, "/a", {"X-Two: 1", "X-One: 1", "X-Three: 9"}).body == "1");
}

BOOST_AUTO_TEST_CASE(variants_may_vary_on_different_fields) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    const bool has_one = x.request().headers.has("X-One");
    x.respond({.headers = {"Cache-Control: max-age=60", has_one ? "Vary: X-One" : "Vary: X-One, X-Two"},
               .body = std::to_string(x.number())});
  });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a", {"X-One: 1", "X-Two: 1"}).body == "1");
  BOOST_TEST(get(seawall, "/a", {"X-Two: 2"}).body == "2");
  BOOST_TEST(get(seawall, "/a", {"X-Two: 3"}).body == "3");
  BOOST_TEST(get(seawall, "/a", {"X-One: 1", "X-Two: 9"}).body == "1");
  BOOST_TEST(get(seawall, "/a", {"X-Two: 2"}).body == "2");
  BOOST_TEST(get(seawall, "/a", {"X-Two: 3"}).body == "3");
}

BOOST_AUTO_TEST_CASE(equal_preferences_share_a_variant) {
  struct Row {
    const char* field;
    const char* first;
    const char* second;
    bool shared = true;
  };
  const Row rows[] = {
      {"Accept-Encoding", "gzip, br", "br, gzip"},
      {"Accept-Encoding", "gzip,br", "GZIP ,  BR"},
      {"Accept-Encoding", "gzip;q=1.0, br", "br;q=1, gzip"},
      {"Accept-Encoding", "gzip;q=0.5, br", "br, gzip; q=0.500"},
      {"Accept-Encoding", "gzip", "br", false},
      {"Accept-Encoding", "gzip;q=0", "gzip", false},
      {"Accept-Encoding", "gzip;q=0.5, br", "gzip, br;q=0.5", false},
      {"Accept-Language", "de, en;q=0.8", "en;q=0.8,DE"},
      {"Accept-Language", "de, en;q=0.8", "de, en;q=0.9", false},
      {"Accept-Language", "de", "de-AT", false},
  };
  Origin origin;
  Seawall seawall(origin);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.first << " | " << row.second) {
      const std::string path = "/" + std::to_string(&row - rows);
      origin.on(path, varying(row.field, row.field));
      const std::string name = std::string(row.field) + ": ";
      get(seawall, path, {name + row.first});
      const Response second = get(seawall, path, {name + row.second});
      BOOST_TEST(second.is_hit() == row.shared, second);
      BOOST_TEST(origin.count(path) == (row.shared ? 1U : 2U));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_validation_refreshes_the_right_variant) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    const std::string kind = x.request().headers.get("X-Kind");
    const std::string tag = "\"" + kind + "\"";
    const bool known = contains(x.request().headers.get("If-None-Match"), tag);
    x.respond({.status = known ? 304 : 200,
               .headers = {known ? "Cache-Control: max-age=60" : "Cache-Control: max-age=10",
                           known ? "Age: 0" : "Age: 1000", "Vary: X-Kind", "ETag: " + tag},
               .body = kind});
  });
  Seawall seawall(origin);
  for (const char* kind : {"one", "two"}) BOOST_TEST(get(seawall, "/a", {std::string("X-Kind: ") + kind}).body == kind);
  for (int round = 0; round < 3; ++round) {
    for (const char* kind : {"one", "two"})
      BOOST_TEST(get(seawall, "/a", {std::string("X-Kind: ") + kind}).body == kind);
  }
  BOOST_TEST(origin.count("/a") == 4U);
}

// The origin says which of several stored variants it would have sent.
BOOST_AUTO_TEST_CASE(a_304_selects_a_variant_by_its_tag) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    const bool known = contains(x.request().headers.get("If-None-Match"), "\"shared\"");
    x.respond({.status = known ? 304 : 200,
               .headers = {"Cache-Control: max-age=60", "Vary: X-Kind", "ETag: \"shared\""},
               .body = "from " + x.request().headers.get("X-Kind")});
  });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a", {"X-Kind: one"}).body == "from one");
  const Response other = get(seawall, "/a", {"X-Kind: two"});
  BOOST_TEST(other.status == 200, other);
  BOOST_TEST((other.body == "from one" || other.body == "from two"), other);
  BOOST_TEST(get(seawall, "/a", {"X-Kind: two"}).is_hit());
}

BOOST_AUTO_TEST_CASE(variants_of_a_url_are_bounded) {
  Origin origin;
  origin.on("/a", varying("X-Kind", "X-Kind"));
  Seawall seawall(origin, {.cache = "max_variants = 4"});
  for (int i = 0; i < 10; ++i) get(seawall, "/a", {"X-Kind: " + std::to_string(i)});
  BOOST_TEST(get(seawall, "/a", {"X-Kind: 9"}).is_hit());
  BOOST_TEST(!get(seawall, "/a", {"X-Kind: 0"}).is_hit());
  BOOST_TEST(origin.count("/a") == 11U);
}

BOOST_AUTO_TEST_CASE(an_unsafe_method_removes_all_variants) {
  Origin origin;
  origin.on("/a", varying("X-Kind", "X-Kind"));
  Seawall seawall(origin);
  for (const char* kind : {"one", "two"}) get(seawall, "/a", {std::string("X-Kind: ") + kind});
  fetch(seawall, "POST", "/a", {}, "x");
  for (const char* kind : {"one", "two"}) BOOST_TEST(!get(seawall, "/a", {std::string("X-Kind: ") + kind}).is_hit());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
