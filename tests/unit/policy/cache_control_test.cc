// Cache-Control, targeted fields and Surrogate-Control: what is read from which text.
#include "policy/cache_control.h"

#include <boost/test/unit_test.hpp>

#include "policy/rules.h"
#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& n : names) out += (out.empty() ? "" : ",") + n;
  return out;
}

void append(std::string& out, std::string_view word) {
  out.append(out.empty() ? "" : " ").append(word);
}
void append(std::string& out, std::string_view name, const std::optional<Seconds>& value) {
  if (value) append(out, std::string(name) + "=" + std::to_string(value->count()));
}

std::string text_of(const ResponseDirectives& d) {
  std::string out;
  if (d.is_targeted) append(out, "targeted");
  if (d.no_store) append(out, "no-store");
  if (d.no_cache) append(out, "no-cache");
  if (!d.no_cache_fields.empty()) append(out, "no-cache[" + joined(d.no_cache_fields) + "]");
  if (d.is_private) append(out, "private");
  if (!d.private_fields.empty()) append(out, "private[" + joined(d.private_fields) + "]");
  if (d.is_public) append(out, "public");
  if (d.must_revalidate) append(out, "must-revalidate");
  if (d.proxy_revalidate) append(out, "proxy-revalidate");
  if (d.must_understand) append(out, "must-understand");
  if (d.no_transform) append(out, "no-transform");
  if (d.immutable) append(out, "immutable");
  append(out, "max-age", d.max_age);
  append(out, "s-maxage", d.s_maxage);
  append(out, "swr", d.stale_while_revalidate);
  append(out, "sie", d.stale_if_error);
  return out;
}

std::string text_of(const RequestDirectives& d) {
  std::string out;
  if (d.no_cache) append(out, "no-cache");
  if (d.no_store) append(out, "no-store");
  if (d.no_transform) append(out, "no-transform");
  if (d.only_if_cached) append(out, "only-if-cached");
  if (d.any_max_stale) append(out, "max-stale");
  append(out, "max-age", d.max_age);
  append(out, "min-fresh", d.min_fresh);
  append(out, "max-stale", d.max_stale);
  append(out, "sie", d.stale_if_error);
  return out;
}

struct Row {
  const char* name;
  Headers headers;
  const char* want;
};

void check_responses(const std::vector<Row>& rows) {
  const Rules rules;
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(text_of(parse_response_directives(map_of(row.headers), rules.targeted_fields)) == row.want);
    }
  }
}

Headers cc(const char* value) {
  return {{"Cache-Control", value}};
}
Headers cdn(const char* value) {
  return {{"Cache-Control", "max-age=7"}, {"CDN-Cache-Control", value}};
}
Headers surrogate(const char* value) {
  return {{"Cache-Control", "max-age=7"}, {"Surrogate-Control", value}};
}

BOOST_AUTO_TEST_SUITE(policy_cache_control)

BOOST_AUTO_TEST_CASE(response_directives) {
  check_responses({
      {.name = "nothing", .headers = {}, .want = ""},
      {.name = "empty value", .headers = cc(""), .want = ""},
      {.name = "only commas", .headers = cc(" , ,, "), .want = ""},
      {.name = "each flag",
       .headers = cc("no-store, no-cache, private, public, must-revalidate, proxy-revalidate, must-understand, "
                     "no-transform, immutable"),
       .want = "no-store no-cache private public must-revalidate proxy-revalidate must-understand no-transform "
               "immutable"},
      {.name = "each number",
       .headers = cc("max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4"),
       .want = "max-age=1 s-maxage=2 swr=3 sie=4"},
      {.name = "5.2 names compare without case",
       .headers = cc("No-StOrE, MaX-aGe=3600"),
       .want = "no-store max-age=3600"},
      {.name = "no space after the comma", .headers = cc("no-store,max-age=5"), .want = "no-store max-age=5"},
      {.name = "tabs are white space", .headers = cc("\tno-store\t,\tmax-age=5\t"), .want = "no-store max-age=5"},
      {.name = "several lines",
       .headers = {{"Cache-Control", "public"}, {"cache-control", "max-age=5"}},
       .want = "public max-age=5"},
      {.name = "extensions are ignored", .headers = cc("foobar, a=b, c=\"d, e\", max-age=5"), .want = "max-age=5"},
      {.name = "a name's prefix is another name", .headers = cc("max-ages=5, no-stored, xno-store"), .want = ""},
      {.name = "flag with an argument still counts",
       .headers = cc("no-store=1, must-revalidate=\"x\""),
       .want = "no-store must-revalidate"},
  });
}

BOOST_AUTO_TEST_CASE(response_numbers) {
  check_responses({
      {.name = "0", .headers = cc("max-age=0"), .want = "max-age=0"},
      {.name = "leading zeros", .headers = cc("max-age=003600"), .want = "max-age=3600"},
      {.name = "2^31 - 1", .headers = cc("max-age=2147483647"), .want = "max-age=2147483647"},
      {.name = "2^31", .headers = cc("max-age=2147483648"), .want = "max-age=2147483648"},
      {.name = "1.2.2 more than 2^31", .headers = cc("max-age=2147483649"), .want = "max-age=2147483648"},
      {.name = "1.2.2 more than 64 bits",
       .headers = cc("max-age=99999999999999999999999"),
       .want = "max-age=2147483648"},
      {.name = "5.2 quoted form", .headers = cc("max-age=\"3600\", s-maxage=\"5\""), .want = "max-age=3600 s-maxage=5"},
      {.name = "4.2.1 single quotes", .headers = cc("max-age='3600'"), .want = "max-age=0"},
      {.name = "4.2.1 negative", .headers = cc("max-age=-3600"), .want = "max-age=0"},
      {.name = "4.2.1 plus", .headers = cc("max-age=+3600"), .want = "max-age=0"},
      {.name = "4.2.1 decimal", .headers = cc("max-age=3600.0"), .want = "max-age=0"},
      {.name = "4.2.1 leading letter", .headers = cc("max-age=a3600"), .want = "max-age=0"},
      {.name = "4.2.1 trailing letter", .headers = cc("max-age=3600a"), .want = "max-age=0"},
      {.name = "4.2.1 no argument", .headers = cc("max-age"), .want = "max-age=0"},
      {.name = "4.2.1 empty argument", .headers = cc("max-age="), .want = "max-age=0"},
      {.name = "4.2.1 empty quoted argument", .headers = cc("max-age=\"\""), .want = "max-age=0"},
      {.name = "4.2.1 space after the equals sign", .headers = cc("max-age= 3600"), .want = "max-age=0"},
      {.name = "space before the equals sign is another name", .headers = cc("max-age =3600"), .want = ""},
      {.name = "bad s-maxage", .headers = cc("s-maxage=x, max-age=5"), .want = "max-age=5 s-maxage=0"},
      {.name = "bad stale windows are absent",
       .headers = cc("stale-while-revalidate=x, stale-if-error, max-age=1"),
       .want = "max-age=1"},
      {.name = "explicit 0 window", .headers = cc("stale-while-revalidate=0, stale-if-error=0"), .want = "swr=0 sie=0"},
      {.name = "4.2.1 least of two, one line", .headers = cc("max-age=1800, max-age=1"), .want = "max-age=1"},
      {.name = "4.2.1 least of two, reversed", .headers = cc("max-age=1, max-age=1800"), .want = "max-age=1"},
      {.name = "4.2.1 least of two, two lines",
       .headers = {{"Cache-Control", "max-age=1800"}, {"Cache-Control", "max-age=1"}},
       .want = "max-age=1"},
      {.name = "good and bad", .headers = cc("max-age=1800, max-age=x"), .want = "max-age=0"},
      {.name = "bad and good", .headers = cc("max-age=x, max-age=1800"), .want = "max-age=0"},
      {.name = "least window", .headers = cc("stale-if-error=9, stale-if-error=3"), .want = "sie=3"},
  });
}

BOOST_AUTO_TEST_CASE(response_quotes) {
  check_responses({
      {.name = "directive inside a quoted extension",
       .headers = cc("extension=\"max-age=3600\", max-age=1"),
       .want = "max-age=1"},
      {.name = "the same, reversed", .headers = cc("max-age=1, extension=\"max-age=3600\""), .want = "max-age=1"},
      {.name = "comma inside a quoted extension",
       .headers = cc("a=\"b, no-store, c\", max-age=1"),
       .want = "max-age=1"},
      {.name = "escaped quote", .headers = cc("a=\"b\\\", no-store\", max-age=1"), .want = "max-age=1"},
      {.name = "unterminated quote hides nothing",
       .headers = cc("max-age=60, a=\"b, no-store"),
       .want = "no-store max-age=60"},
      {.name = "stray quotes hide nothing", .headers = cc("a\"b, no-store, c\"d"), .want = "no-store"},
      {.name = "text after the closing quote", .headers = cc("a=\"b\"c, private"), .want = "private"},
  });
}

BOOST_AUTO_TEST_CASE(response_field_lists) {
  check_responses({
      {.name = "5.2.2.4 one name", .headers = cc("no-cache=\"Set-Cookie\""), .want = "no-cache[set-cookie]"},
      {.name = "5.2.2.4 two names", .headers = cc("no-cache=\"A, b\""), .want = "no-cache[a,b]"},
      {.name = "5.2.2.7 private",
       .headers = cc("private=\"x-user,x-id\", max-age=1"),
       .want = "private[x-user,x-id] max-age=1"},
      {.name = "token form", .headers = cc("no-cache=a"), .want = "no-cache[a]"},
      {.name = "both lists", .headers = cc("no-cache=\"a\", private=\"b\""), .want = "no-cache[a] private[b]"},
      {.name = "repeated", .headers = cc("private=\"a\", private=\"b\""), .want = "private[a,b]"},
      {.name = "qualified and unqualified", .headers = cc("no-cache=\"a\", no-cache"), .want = "no-cache no-cache[a]"},
      {.name = "empty list is unqualified", .headers = cc("private=\"\""), .want = "private"},
      {.name = "missing argument is unqualified", .headers = cc("private="), .want = "private"},
      {.name = "not names: unqualified", .headers = cc("private=\"a b\""), .want = "private"},
      {.name = "unterminated: unqualified", .headers = cc("private=\"a"), .want = "private"},
  });
}

BOOST_AUTO_TEST_CASE(targeted_fields) {
  check_responses({
      {.name = "RFC 9213 2.2 wins over Cache-Control", .headers = cdn("max-age=60"), .want = "targeted max-age=60"},
      {.name = "RFC 9213 2.2 nothing of Cache-Control stays",
       .headers = {{"Cache-Control", "no-store, private"}, {"CDN-Cache-Control", "max-age=60"}},
       .want = "targeted max-age=60"},
      {.name = "no-store", .headers = cdn("no-store"), .want = "targeted no-store"},
      {.name = "flags",
       .headers = cdn("public, must-revalidate, immutable=?1"),
       .want = "targeted public must-revalidate immutable"},
      {.name = "false is absent", .headers = cdn("no-store=?0, max-age=1"), .want = "targeted max-age=1"},
      {.name = "RFC 9213 2.2 empty is absent", .headers = cdn(""), .want = "max-age=7"},
      {.name = "RFC 9213 2.2 spaces are empty", .headers = cdn("   "), .want = "max-age=7"},
      {.name = "RFC 9213 2.2 syntax error is absent", .headers = cdn("max-age=60, &"), .want = "max-age=7"},
      {.name = "keys are lower case", .headers = cdn("Max-Age=60"), .want = "max-age=7"},
      {.name = "trailing comma", .headers = cdn("max-age=60,"), .want = "max-age=7"},
      {.name = "RFC 9213 2.1 decimal is no argument for max-age", .headers = cdn("max-age=60.5"), .want = "targeted"},
      {.name = "RFC 9213 2.1 string is no argument for max-age", .headers = cdn("max-age=\"60\""), .want = "targeted"},
      {.name = "negative is no argument for max-age", .headers = cdn("max-age=-60"), .want = "targeted"},
      {.name = "no argument", .headers = cdn("max-age"), .want = "targeted"},
      {.name = "integer for a flag", .headers = cdn("no-store=1"), .want = "targeted"},
      {.name = "large", .headers = cdn("max-age=999999999999999"), .want = "targeted max-age=2147483648"},
      {.name = "too large is a syntax error", .headers = cdn("max-age=9999999999999999"), .want = "max-age=7"},
      {.name = "parameters are ignored",
       .headers = cdn("max-age=60;a;b=2, no-store;x=?0"),
       .want = "targeted no-store max-age=60"},
      {.name = "last of two", .headers = cdn("max-age=60, max-age=30"), .want = "targeted max-age=30"},
      {.name = "qualified no-cache", .headers = cdn("no-cache=\"a, B\""), .want = "targeted no-cache[a,b]"},
      {.name = "unknown only", .headers = cdn("foo"), .want = "targeted"},
      {.name = "two lines",
       .headers = {{"CDN-Cache-Control", "max-age=60"}, {"CDN-Cache-Control", "public"}},
       .want = "targeted public max-age=60"},
      {.name = "our own field before CDN",
       .headers = {{"CDN-Cache-Control", "max-age=60"}, {"Seawall-Cache-Control", "max-age=5"}},
       .want = "targeted max-age=5"},
      {.name = "bad own field falls through to CDN",
       .headers = {{"CDN-Cache-Control", "max-age=60"}, {"Seawall-Cache-Control", "("}},
       .want = "targeted max-age=60"},
      {.name = "field not on our list",
       .headers = {{"Cache-Control", "max-age=7"}, {"Other-Cache-Control", "max-age=5"}},
       .want = "max-age=7"},
  });
}

BOOST_AUTO_TEST_CASE(surrogate_control) {
  check_responses({
      {.name = "max-age", .headers = surrogate("max-age=3600"), .want = "targeted max-age=3600"},
      {.name = "large", .headers = surrogate("max-age=99999999999"), .want = "targeted max-age=2147483648"},
      {.name = "case", .headers = surrogate("MaX-aGe=3600"), .want = "targeted max-age=3600"},
      {.name = "extension", .headers = surrogate("foobar, max-age=3600"), .want = "targeted max-age=3600"},
      {.name = "no-store", .headers = surrogate("no-store"), .want = "targeted no-store"},
      {.name = "our target", .headers = surrogate("max-age=3600;seawall"), .want = "targeted max-age=3600"},
      {.name = "our target, case and space",
       .headers = surrogate("max-age=3600 ; SeaWall"),
       .want = "targeted max-age=3600"},
      {.name = "one of several targets",
       .headers = surrogate("max-age=3600;abc;seawall"),
       .want = "targeted max-age=3600"},
      {.name = "target of another", .headers = surrogate("max-age=3600;not-for-you"), .want = "max-age=7"},
      {.name = "one for us, one for another",
       .headers = surrogate("max-age=3600;abc, no-store"),
       .want = "targeted no-store"},
      {.name = "ours overrides the general",
       .headers = surrogate("max-age=60, max-age=3600;seawall"),
       .want = "targeted max-age=3600"},
      {.name = "ours overrides the general, reversed",
       .headers = surrogate("max-age=3600;seawall, max-age=60"),
       .want = "targeted max-age=3600"},
      {.name = "time to serve stale", .headers = surrogate("max-age=600+30"), .want = "targeted max-age=600 swr=30"},
      {.name = "bad time to serve stale", .headers = surrogate("max-age=600+x"), .want = "targeted max-age=600"},
      {.name = "content alone changes nothing", .headers = surrogate("content=\"ESI/1.0\""), .want = "max-age=7"},
      {.name = "content with a target", .headers = surrogate("content=\"ESI/1.0;x, y\";abc"), .want = "max-age=7"},
      {.name = "unknown alone changes nothing", .headers = surrogate("foo"), .want = "max-age=7"},
      {.name = "empty", .headers = surrogate(""), .want = "max-age=7"},
      {.name = "space before the equals sign", .headers = surrogate("max-age =100"), .want = "max-age=7"},
      {.name = "space after the equals sign", .headers = surrogate("max-age= 100"), .want = "targeted max-age=0"},
      {.name = "no-store-remote is for others", .headers = surrogate("no-store-remote"), .want = "max-age=7"},
      {.name = "CDN-Cache-Control comes first",
       .headers = {{"Surrogate-Control", "max-age=1"}, {"CDN-Cache-Control", "max-age=2"}},
       .want = "targeted max-age=2"},
      {.name = "two lines",
       .headers = {{"Surrogate-Control", "max-age=5"}, {"Surrogate-Control", "no-cache"}},
       .want = "targeted no-cache max-age=5"},
  });
}

BOOST_AUTO_TEST_CASE(no_targeted_fields) {
  const auto d = parse_response_directives(map_of(cdn("max-age=60")), {});
  BOOST_TEST(text_of(d) == "max-age=7");
}

BOOST_AUTO_TEST_CASE(request_directives) {
  const std::vector<Row> rows = {
      {.name = "nothing", .headers = {}, .want = ""},
      {.name = "all",
       .headers = cc("no-cache, no-store, no-transform, only-if-cached, max-age=1, min-fresh=2, "
                     "max-stale=3, stale-if-error=4"),
       .want = "no-cache no-store no-transform only-if-cached max-age=1 min-fresh=2 max-stale=3 sie=4"},
      {.name = "case", .headers = cc("NO-CACHE, Max-Age=\"5\""), .want = "no-cache max-age=5"},
      {.name = "5.2.1.2 max-stale without argument", .headers = cc("max-stale"), .want = "max-stale"},
      {.name = "bounded max-stale is the stricter", .headers = cc("max-stale, max-stale=5"), .want = "max-stale=5"},
      {.name = "bad max-stale allows nothing", .headers = cc("max-stale=x"), .want = ""},
      {.name = "empty max-stale allows nothing", .headers = cc("max-stale="), .want = ""},
      {.name = "bad numbers are absent",
       .headers = cc("max-age=x, min-fresh=-1, stale-if-error=1.5, max-age"),
       .want = ""},
      {.name = "most restrictive",
       .headers = cc("max-age=9, max-age=3, min-fresh=3, min-fresh=9, max-stale=9, max-stale=3"),
       .want = "max-age=3 min-fresh=9 max-stale=3"},
      {.name = "several lines",
       .headers = {{"Cache-Control", "no-store"}, {"Cache-Control", "max-age=0"}},
       .want = "no-store max-age=0"},
      {.name = "unknown", .headers = cc("nothing-to-see-here"), .want = ""},
      {.name = "5.4 Pragma", .headers = {{"Pragma", "no-cache"}}, .want = "no-cache"},
      {.name = "5.4 Pragma in a list", .headers = {{"Pragma", "foo, No-Cache"}}, .want = "no-cache"},
      {.name = "5.4 Pragma with an unknown word", .headers = {{"Pragma", "foo"}}, .want = ""},
      {.name = "5.4 Cache-Control puts Pragma aside",
       .headers = {{"Pragma", "no-cache"}, {"Cache-Control", "max-age=5"}},
       .want = "max-age=5"},
      {.name = "a request has no private", .headers = cc("private, public, s-maxage=5"), .want = ""},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(text_of(parse_request_directives(map_of(row.headers))) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
