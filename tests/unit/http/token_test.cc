#include "http/token.h"

#include <boost/test/unit_test.hpp>
#include <string>

#include "http/list_syntax.h"

namespace seawall::http {
namespace {

BOOST_AUTO_TEST_SUITE(token)

BOOST_AUTO_TEST_CASE(every_field_is_found_by_its_name) {
  for (int i = 1; i <= static_cast<int>(Field::kXForwardedProto); ++i) {
    const auto field = static_cast<Field>(i);
    const std::string name(canonical_name(field));
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(!name.empty());
      std::string upper = name;
      for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 0x20 : c);
      for (const std::string& spelled : {name, to_lower(name), upper}) {
        BOOST_TEST((field_from_name(spelled) == field), spelled);
      }
      BOOST_TEST((field_from_name(name + "x") == Field::kOther));
      BOOST_TEST((field_from_name(name.substr(0, name.size() - 1)) != field));
    }
  }
}

// A name that differs in any bit of any byte, but for the case of a letter, is another name.
BOOST_AUTO_TEST_CASE(near_misses_are_other_names) {
  for (int i = 1; i <= static_cast<int>(Field::kXForwardedProto); ++i) {
    const auto field = static_cast<Field>(i);
    const std::string name(canonical_name(field));
    for (std::size_t at = 0; at < name.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string other = name;
        other[at] = static_cast<char>(other[at] ^ (1 << bit));
        const bool is_same = to_lower(other) == to_lower(name);
        if ((field_from_name(other) == field) != is_same) BOOST_ERROR(name << " against " << other);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(names_not_listed) {
  for (const char* name : {"", "a", "x", "X-Custom", "Hos", "Hostt", "Content-Lengt", "Content_Length",
                           "content-length ", "a-very-long-name-that-no-field-of-http-has"}) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST((field_from_name(name) == Field::kOther));
    }
  }
  BOOST_TEST(canonical_name(Field::kOther).empty());
  BOOST_TEST(canonical_name(Field::kXForwardedProto) == "X-Forwarded-Proto");
  BOOST_TEST(canonical_name(Field::kHost) == "Host");
}

BOOST_AUTO_TEST_CASE(methods) {
  struct Row {
    const char* name;
    Method method;
    bool is_safe;
    bool is_idempotent;
  };
  const Row rows[] = {
      {"GET", Method::kGet, true, true},          {"HEAD", Method::kHead, true, true},
      {"POST", Method::kPost, false, false},      {"PUT", Method::kPut, false, true},
      {"DELETE", Method::kDelete, false, true},   {"CONNECT", Method::kConnect, false, false},
      {"OPTIONS", Method::kOptions, true, true},  {"TRACE", Method::kTrace, true, true},
      {"PATCH", Method::kPatch, false, false},    {"PURGE", Method::kPurge, false, false},
      {"get", Method::kOther, false, false},      {"GETT", Method::kOther, false, false},
      {"M-SEARCH", Method::kOther, false, false}, {"", Method::kOther, false, false},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST((method_from_name(row.name) == row.method));
      BOOST_TEST(is_safe(row.method) == row.is_safe);
      BOOST_TEST(is_idempotent(row.method) == row.is_idempotent);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
