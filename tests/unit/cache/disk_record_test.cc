// An object's head as bytes and back.
#include "cache/disk_record.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace seawall::cache {
namespace {

Object::Init full_init() {
  Object::Init init;
  init.key = "http://a.test/";
  init.status = 203;
  init.reason = "So to speak";
  init.headers.add("Content-Type", "text/plain");
  init.headers.add("ETag", "\"v\"");
  init.headers.add("X-Empty", "");
  init.headers.add("x-twice", "1");
  init.headers.add("x-twice", "2");
  init.trailers.add("X-Sum", "abc");
  init.freshness = {.response_time = WallTime{1'700'000'000'123},
                    .corrected_initial_age = Seconds{5},
                    .lifetime = Seconds{60},
                    .is_explicit = true,
                    .must_revalidate = true,
                    .no_cache = true,
                    .immutable = true,
                    .stale_while_revalidate = Seconds{7},
                    .stale_if_error = Seconds{8}};
  init.vary.names = {"accept", "accept-language"};
  init.selecting_values = std::string("accept:1\n\0x", 11);
  init.complete_length = 1'234'567'890'123;
  init.no_content_length = true;
  init.tags = {"one", "two"};
  init.fetch_ms = 77;
  return init;
}

std::string lines(const http::HeaderMap& map) {
  std::string text;
  for (const auto field : map) text.append(field.name).append(": ").append(field.value).append("\n");
  return text;
}

void check_same(const Object::Init& init, const std::optional<Object::Init>& back) {
  BOOST_TEST_REQUIRE(back.has_value());
  BOOST_TEST(back->status == init.status);
  BOOST_TEST(back->reason == init.reason);
  BOOST_TEST(lines(back->headers) == lines(init.headers));
  BOOST_TEST(lines(back->trailers) == lines(init.trailers));
  BOOST_TEST(back->freshness.response_time.unix_ms == init.freshness.response_time.unix_ms);
  BOOST_TEST(back->freshness.corrected_initial_age.count() == 5);
  BOOST_TEST(back->freshness.lifetime.count() == 60);
  BOOST_TEST(back->freshness.stale_while_revalidate.count() == 7);
  BOOST_TEST(back->freshness.stale_if_error.count() == 8);
  BOOST_TEST(back->freshness.is_explicit);
  BOOST_TEST(back->freshness.must_revalidate);
  BOOST_TEST(back->freshness.no_cache);
  BOOST_TEST(back->freshness.immutable);
  BOOST_TEST(back->no_content_length);
  BOOST_TEST((back->vary == init.vary));
  BOOST_TEST(back->selecting_values == init.selecting_values);
  BOOST_TEST(back->complete_length == init.complete_length);
  BOOST_TEST(back->tags == init.tags, boost::test_tools::per_element());
  BOOST_TEST(back->fetch_ms == 77U);
}

BOOST_AUTO_TEST_SUITE(cache_disk_record)

BOOST_AUTO_TEST_CASE(all_of_it_comes_back) {
  MemoryBudget budget(1 << 20);
  const std::string bytes = encode_head(*Object::create(budget, full_init()));
  const auto back = decode_head(bytes);
  check_same(full_init(), back);
  BOOST_TEST(encode_head(*Object::create(budget, *back)) == bytes);
}

// A head as that version wrote it, one for each that can still be read. When the last is not what is written any more,
// the layout has changed: then it needs a new version, and a file for that.
BOOST_AUTO_TEST_CASE(golden_heads_are_read_and_the_newest_is_what_is_written) {
  std::string newest;
  for (const char* path : {"tests/unit/cache/golden/head-version-2.bin"}) {
    BOOST_TEST_CONTEXT(path) {
      std::ifstream file(path, std::ios::binary);
      std::stringstream golden;
      golden << file.rdbuf();
      newest = golden.str();
      BOOST_TEST_REQUIRE(!newest.empty());
      check_same(full_init(), decode_head(newest));
    }
  }
  MemoryBudget budget(1 << 20);
  BOOST_TEST((encode_head(*Object::create(budget, full_init())) == newest));
}

BOOST_AUTO_TEST_CASE(each_flag_is_its_own) {
  MemoryBudget budget(1 << 20);
  bool Object::Init::* const own = &Object::Init::no_content_length;
  for (int which = 0; which < 5; ++which) {
    Object::Init init;
    init.*own = which == 0;
    init.freshness.is_explicit = which == 1;
    init.freshness.must_revalidate = which == 2;
    init.freshness.no_cache = which == 3;
    init.freshness.immutable = which == 4;
    const auto back = decode_head(encode_head(*Object::create(budget, init)));
    BOOST_TEST_REQUIRE(back.has_value());
    BOOST_TEST(back->no_content_length == (which == 0));
    BOOST_TEST(back->freshness.is_explicit == (which == 1));
    BOOST_TEST(back->freshness.must_revalidate == (which == 2));
    BOOST_TEST(back->freshness.no_cache == (which == 3));
    BOOST_TEST(back->freshness.immutable == (which == 4));
  }
}

BOOST_AUTO_TEST_CASE(what_is_cut_off_or_too_long_or_of_another_version_is_refused) {
  MemoryBudget budget(1 << 20);
  std::string bytes = encode_head(*Object::create(budget, full_init()));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    BOOST_TEST(!decode_head(bytes.substr(0, size)).has_value(), size);
  }
  BOOST_TEST(!decode_head(bytes + "x").has_value());
  bytes[0] = 1;
  BOOST_TEST(!decode_head(bytes).has_value());
  // Lengths that promise more than there is, or that would be billions of lines.
  BOOST_TEST(!decode_head(std::string("\2") + std::string(60, '\xFF')).has_value());
}

BOOST_AUTO_TEST_CASE(variants_of_a_key_are_told_apart) {
  const DiskKey key = disk_key("http://a.test/");
  const policy::VarySpec accept{.names = {"accept"}};
  const policy::VarySpec both{.names = {"accept", "cookie"}};
  BOOST_TEST(disk_variant(key, {}, "") == kPlainVariant);
  BOOST_TEST(disk_variant(key, accept, "a") != kPlainVariant);
  BOOST_TEST(disk_variant(key, accept, "a") != disk_variant(key, accept, "b"));
  BOOST_TEST(disk_variant(key, accept, "a") != disk_variant(key, both, "a"));
  BOOST_TEST(disk_variant(key, accept, "a") == disk_variant(key, accept, "a"));
  BOOST_TEST(disk_variant(disk_key("http://b.test/"), accept, "a") != disk_variant(key, accept, "a"));
}

// On disk for years: a hash that changes makes every cache start empty.
BOOST_AUTO_TEST_CASE(hashes_are_what_they_have_been) {
  const DiskKey key = disk_key("http://a.test/");
  BOOST_TEST(key.hash == 0xD452F67801F98504U);
  BOOST_TEST(key.rest == 0xB3F0334BB2A5C123U);
  BOOST_TEST(disk_label("shop") == 1'297'190'105U);
}

BOOST_AUTO_TEST_CASE(it_is_of_use_for_as_long_as_something_may_be_done_with_it) {
  MemoryBudget budget(1 << 20);
  struct Row {
    const char* name;
    Seconds age, lifetime, while_revalidate, if_error;
    bool has_validator;
    std::int64_t want;  // from the response on
  };
  const Row rows[] = {
      {"fresh", Seconds{0}, Seconds{60}, Seconds{0}, Seconds{0}, false, 60},
      {"it was old when it came", Seconds{20}, Seconds{60}, Seconds{0}, Seconds{0}, false, 40},
      {"stale while revalidating", Seconds{0}, Seconds{60}, Seconds{10}, Seconds{5}, false, 70},
      {"stale on errors", Seconds{0}, Seconds{60}, Seconds{10}, Seconds{50}, false, 110},
      {"to be validated", Seconds{0}, Seconds{60}, Seconds{0}, Seconds{0}, true, 86'460},
      {"without end", Seconds{0}, Seconds{100'000'000'000}, Seconds{0}, Seconds{0}, false,
       4'294'967'295 - 1'700'000'000},
      {"older than the epoch", Seconds{10'000'000'000}, Seconds{0}, Seconds{0}, Seconds{0}, false, -1'700'000'000},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Object::Init init;
      if (row.has_validator) init.headers.add("ETag", "\"v\"");
      init.freshness = {.response_time = WallTime::from_unix_seconds(1'700'000'000),
                        .corrected_initial_age = row.age,
                        .lifetime = row.lifetime,
                        .stale_while_revalidate = row.while_revalidate,
                        .stale_if_error = row.if_error};
      BOOST_TEST(usable_until(*Object::create(budget, init)) == 1'700'000'000 + row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::cache
