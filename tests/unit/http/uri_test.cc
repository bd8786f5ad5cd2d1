#include "http/uri.h"

#include <boost/test/unit_test.hpp>

namespace seawall::http {
namespace {

struct Row {
  std::string_view in;
  std::string_view want;
};

BOOST_AUTO_TEST_SUITE(uri)

BOOST_AUTO_TEST_CASE(authorities) {
  struct AuthorityRow {
    std::string_view in;
    std::string_view want;  // empty: nullopt
    std::string_view scheme = "http";
  };
  const std::string label(255, 'a');
  const AuthorityRow rows[] = {
      {"a", "a"},
      {"Example.COM", "example.com"},
      {"example.com.", "example.com"},
      {"example.com.:8080", "example.com:8080"},
      {"a:80", "a"},
      {"a:443", "a:443"},
      {"a:443", "a", "https"},
      {"a:80", "a:80", "https"},
      {"a:80", "a:80", ""},
      {"a:65535", "a:65535"},
      {"a:1", "a:1"},
      {"127.0.0.1:8080", "127.0.0.1:8080"},
      {"under_score-1.x~", "under_score-1.x~"},
      {"[::1]", "[::1]"},
      {"[::1]:80", "[::1]"},
      {"[::1]:81", "[::1]:81"},
      {"[2001:DB8:0:0::0001]", "[2001:db8::1]"},
      {"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"},
      {label, label},
      {"", ""},
      {".", ""},
      {"a..", ""},
      {"a..b", ""},
      {".a", ""},
      {":80", ""},
      {"a:", ""},
      {"a:0", ""},
      {"a:080", ""},
      {"a:65536", ""},
      {"a:100000", ""},
      {"a:-1", ""},
      {"a: 80", ""},
      {"a:80 ", ""},
      {"a:8a", ""},
      {"a:80:80", ""},
      {" a", ""},
      {"a b", ""},
      {"a,b", ""},
      {"a/b", ""},
      {"a?b", ""},
      {"a#b", ""},
      {"u@a", ""},
      {"u:p@a", ""},
      {"a\\b", ""},
      {"%61", ""},
      {"a\xc3\xa9", ""},
      {std::string_view("a\0b", 3), ""},
      {"[::1", ""},
      {"::1", ""},
      {"[]", ""},
      {"[::1]x", ""},
      {"[::1]80", ""},
      {"[::1%25eth0]", ""},
      {"[v1.a]", ""},
      {"[127.0.0.1]", ""},
      {"[:::]", ""},
      {std::string_view("[::1\0]", 6), ""},
      {"[1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:1:2:3:4:5:6:7:8:9]", ""},
  };
  for (const AuthorityRow& row : rows) {
    BOOST_TEST_CONTEXT(row.in << " of " << row.scheme) {
      BOOST_TEST(normalise_authority(row.in, row.scheme).value_or("") == row.want);
      std::string out = "x";
      BOOST_TEST(append_authority(out, row.in, row.scheme) == !row.want.empty());
      BOOST_TEST(out == "x" + std::string(row.want));
    }
  }
  BOOST_TEST(!normalise_authority(label + "a", "http"));
}

BOOST_AUTO_TEST_CASE(absolute_uris) {
  const Row rows[] = {
      {"http://a", "http|a|/"},           {"HTTP://A:80/B?c#d", "http|a|/B?c"},
      {"https://a:443?b", "https|a|/?b"}, {"https://a/b//c/../d", "https|a|/b//c/../d"},
      {"http://a/?#", "http|a|/?"},       {"http://a#b", "http|a|/"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.in) {
      const auto u = parse_absolute_uri(row.in);
      BOOST_REQUIRE(u);
      BOOST_TEST(u->scheme + "|" + u->authority + "|" + u->path == row.want);
    }
  }
  for (const std::string_view bad : {"", "a", "/a", "http:", "http:/a", "http://", "http:///a", "ftp://a/",
                                     "http://u@a/", "http://a:0/", "http://a b/", "http://a/b c", "http://a/\x01",
                                     "http://a/\xe9", "http://a/\x7f", "//a/b", "http ://a/", "javascript:alert(1)"}) {
    BOOST_TEST(!parse_absolute_uri(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(paths) {
  const Row rows[] = {
      {"/", "/"},
      {"/a/b?c=d", "/a/b?c=d"},
      {"*", "*"},
      {"/a/../b", "/b"},
      {"/..", "/"},
      {"/../../a", "/a"},
      {"/.", "/"},
      {"/./a", "/a"},
      {"/a/.", "/a/"},
      {"/a/..", "/"},
      {"/a/b/..", "/a/"},
      {"/a/b/../", "/a/"},
      {"/a/b/c/../../d", "/a/d"},
      {"/.a", "/.a"},
      {"/a/.b/..c/...", "/a/.b/..c/..."},
      {"//a//b", "//a//b"},
      {"/a//../b", "/a/b"},
      {"/a/b//../../c", "/a/c"},
      {"//..", "/"},
      {"/a?b/../c", "/a?b/../c"},
      {"/a/..?b/../c", "/?b/../c"},
      {"/%61", "/a"},
      {"/%41%7e%2D%5f%2e%30", "/A~-_.0"},
      {"/%2e%2e/a", "/a"},
      {"/a/%2E./b", "/b"},
      {"/a/.%2e?%2e", "/?%2E"},
      {"/a%2fb", "/a%2Fb"},
      {"/a/..%2fb", "/a/..%2Fb"},
      {"/%c3%a9", "/%C3%A9"},
      {"/%00%0a%7f%25", "/%00%0A%7F%25"},
      {"/%2541", "/%2541"},
      {"/a%3fb", "/a%3Fb"},
      {"/?%61%2f", "/?%61%2F"},
      {"/a?b=/./c", "/a?b=/./c"},
      {"/a?%zz", ""},
      {"/%", ""},
      {"/%4", ""},
      {"/%4g", ""},
      {"/%61%g1", ""},
      {"/a/../%", ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.in) {
      std::string path(row.in);
      const bool is_good = normalise_path(path);
      BOOST_TEST(is_good == !row.want.empty());
      BOOST_TEST(path == (is_good ? row.want : row.in));
      std::string again = path;
      BOOST_TEST(normalise_path(again) == is_good);
      BOOST_TEST(again == path);
    }
  }
}

// RFC 3986 section 5.4, but for the schemes that are not ours.
BOOST_AUTO_TEST_CASE(references) {
  const AbsoluteUri base{.scheme = "http", .authority = "a", .path = "/b/c/d;p?q"};
  const Row rows[] = {
      {"http://B/x#y", "http://b/x"},
      {"https://b", "https://b/"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"//g:80/x", "http://g/x"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {";x", "http://a/b/c/;x"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/../h", "http://a/b/c/h"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g:h", ""},
      {"mailto:a@b", ""},
      {"http:g", ""},
      {"//u@g/", ""},
      {"///g", ""},
      {"a b", ""},
      {"\xe9", ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.in) {
      const auto u = resolve_reference(base, row.in);
      BOOST_TEST((u ? u->scheme + "://" + u->authority + u->path : std::string()) == row.want);
    }
  }
  const AbsoluteUri root{.scheme = "https", .authority = "a", .path = "/"};
  BOOST_TEST(resolve_reference(root, "g")->path == "/g");
  BOOST_TEST(resolve_reference(root, "//b:443/")->authority == "b");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
