// Where clients are accepted: the entries of server.listen, and what they need elsewhere in the file.
#include <boost/test/unit_test.hpp>

#include "config/listen_entry.h"
#include "unit/config/error_rows.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_listen)

BOOST_AUTO_TEST_CASE(entries) {
  using Listen = net::ListenOptions;
  struct Row {
    std::string entry;
    Listen want;
    std::string dumped = {};  // when it is not the entry
  };
  const Row rows[] = {
      {"127.0.0.1:8080", {.address = "127.0.0.1:8080"}},
      {"[::1]:0", {.address = "[::1]:0"}},
      {":80", {.address = ":80"}},
      {":80 plain", {.address = ":80"}, ":80"},
      {":80 redirect", {.address = ":80", .redirects = true}},
      {":80 redirect=8443", {.address = ":80", .redirects = true, .redirect_port = 8443}},
      {":80 redirect=1 proxy",
       {.address = ":80", .expects_proxy = true, .redirects = true, .redirect_port = 1},
       ":80 proxy redirect=1"},
      {":8443 tls plain redirect=65535",
       {.address = ":8443", .takes_tls = true, .redirects = true, .redirect_port = 65535}},
      {":443 tls", {.address = ":443", .takes_plain = false, .takes_tls = true}},
      {":8443 tls plain", {.address = ":8443", .takes_tls = true}},
      {":8443 plain tls", {.address = ":8443", .takes_tls = true}, ":8443 tls plain"},
      {":8443 tls plain redirect", {.address = ":8443", .takes_tls = true, .redirects = true}},
      {"10.0.0.1:8080 proxy", {.address = "10.0.0.1:8080", .expects_proxy = true}},
      {" :443\tproxy  tls ",
       {.address = ":443", .takes_plain = false, .takes_tls = true, .expects_proxy = true},
       ":443 tls proxy"},
      {"unix:/run/seawall/http.sock", {.path = "/run/seawall/http.sock"}},
      {"unix:http.sock mode=600", {.path = "http.sock"}, "unix:http.sock"},
      {"unix:/a mode=666", {.path = "/a", .mode = 0666}},
      {"unix:/a mode=0660 proxy", {.path = "/a", .mode = 0660, .expects_proxy = true}, "unix:/a proxy mode=660"},
      {"unix:/a mode=007", {.path = "/a", .mode = 07}},
      {"unix:/a tls plain proxy redirect mode=777",
       {.path = "/a", .mode = 0777, .takes_tls = true, .expects_proxy = true, .redirects = true}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.entry) {
      const auto got = parse_listen(row.entry);
      BOOST_REQUIRE(got);
      BOOST_TEST((*got == row.want));
      BOOST_TEST(format_listen(*got) == (row.dumped.empty() ? row.entry : row.dumped));
      BOOST_TEST((*parse_listen(format_listen(*got)) == row.want));
    }
  }
}

BOOST_AUTO_TEST_CASE(mistakes_in_an_entry) {
  const std::string form =
      "4:10: server.listen must be \"ADDR:PORT\" such as \"127.0.0.1:8080\", \"[::1]:8080\" or \":8080\", not ";
  const std::string unix_form = "4:10: server.listen must be \"unix:\" and a path of at most 107 bytes, not ";
  const std::string mode = "4:10: server.listen takes a mode of octal digits from 000 to 777, not ";
  const std::string redirect = "4:10: server.listen redirects to a port from 1 to 65535, not ";
  const std::string redirect_hint =
      " | for example redirect=443, or redirect alone for the port of the listener that takes TLS";
  const std::string long_path = "unix:/" + std::string(107, 'x');
  const ErrorRow rows[] = {
      {"nothing", "[server]\nlisten = \"\"", form + "\"\""},
      {"words alone", "[server]\nlisten = \"tls\"", form + "\"tls\""},
      {"a path", "[server]\nlisten = \"/run/a.sock\"", form + "\"/run/a.sock\" | did you mean \"unix:/run/a.sock\"?"},
      {"unix without a path", "[server]\nlisten = \"unix:\"",
       unix_form + "\"unix:\" | for example \"unix:/run/seawall/http.sock\""},
      {"a path too long", "[server]\nlisten = \"" + long_path + "\"",
       unix_form + "\"" + long_path.substr(0, 80) + "...\" | choose a shorter path"},
      {"unknown word", "[server]\nlisten = \":443 tsl\"",
       "4:10: server.listen has an unknown word \"tsl\" behind \":443\" | did you mean \"tls\"?"},
      {"unknown word, nothing like it", "[server]\nlisten = \":443 default_server\"",
       "4:10: server.listen has an unknown word \"default_server\" behind \":443\" | words are tls, plain, proxy, "
       "redirect, redirect=PORT and mode=OCTAL"},
      {"the word of another server", "[server]\nlisten = \"unix:/a modes=660\"",
       "4:10: server.listen has an unknown word \"modes=660\" behind \"unix:/a\" | did you mean \"mode=OCTAL\"?"},
      {"a word with a value", "[server]\nlisten = \":443 tls=yes\"",
       "4:10: server.listen has an unknown word \"tls=yes\" behind \":443\" | did you mean \"tls\"?"},
      {"a word twice", "[server]\nlisten = \":443 tls tls\"",
       "4:10: server.listen gives tls twice: \":443 tls tls\" | remove one of the two"},
      {"mode twice", "[server]\nlisten = \"unix:/a mode=600 mode=660\"",
       "4:10: server.listen gives mode twice: \"unix:/a mode=600 mode=660\" | remove one of the two"},
      {"mode of a port", "[server]\nlisten = \":80 mode=660\"",
       "4:10: server.listen takes a mode with \"unix:\" only: \"mode=660\" | leave it out"},
      {"mode of nothing", "[server]\nlisten = \"unix:/a mode\"", mode + "\"mode\" | for example mode=660"},
      {"mode of decimals", "[server]\nlisten = \"unix:/a mode=689\"", mode + "\"mode=689\" | for example mode=660"},
      {"mode too short", "[server]\nlisten = \"unix:/a mode=6\"", mode + "\"mode=6\" | for example mode=660"},
      {"mode with more than permissions", "[server]\nlisten = \"unix:/a mode=1777\"",
       mode + "\"mode=1777\" | for example mode=660"},
      {"redirect twice", "[server]\nlisten = \":80 redirect redirect=443\"",
       "4:10: server.listen gives redirect twice: \":80 redirect redirect=443\" | remove one of the two"},
      {"redirect to no port", "[server]\nlisten = \":80 redirect=\"", redirect + "\"redirect=\"" + redirect_hint},
      {"redirect to port 0", "[server]\nlisten = \":80 redirect=0\"", redirect + "\"redirect=0\"" + redirect_hint},
      {"redirect too far", "[server]\nlisten = \":80 redirect=65536\"",
       redirect + "\"redirect=65536\"" + redirect_hint},
      {"redirect to a name", "[server]\nlisten = \":80 redirect=443s\"",
       redirect + "\"redirect=443s\"" + redirect_hint},
      {"redirect to a port where nothing is plain", "[server]\nlisten = \":443 tls redirect=443\"",
       "4:10: server.listen redirects plain requests, and takes none there: \":443 tls redirect=443\" | put redirect "
       "behind the address for plain requests, such as \":80 redirect\""},
      {"redirect where nothing is plain", "[server]\nlisten = \":443 tls redirect\"",
       "4:10: server.listen redirects plain requests, and takes none there: \":443 tls redirect\" | put redirect "
       "behind "
       "the address for plain requests, such as \":80 redirect\""},
      {"the second of two", "[server]\nlisten = [\":80\", \":81 proxi\"]",
       "4:18: server.listen has an unknown word \"proxi\" behind \":81\" | did you mean \"proxy\"?"},
  };
  check_after(kOrigin, rows);
}

BOOST_AUTO_TEST_CASE(mistakes_over_several_keys) {
  const ErrorRow rows[] = {
      {"the same address in other words", "[server]\nlisten = [\":80\", \"*:80 redirect\", \":443 tls\"]\n[tls]\n",
       "4:18: server.listen names \"*:80\" twice | remove one of the two"},
      {"the same socket", "[server]\nlisten = [\"unix:/a\", \"unix:/a mode=666\"]",
       "4:22: server.listen names \"unix:/a\" twice | remove one of the two"},
      {"TLS without a certificate", "[server]\nlisten = \":443 tls\"",
       "4:10: server.listen takes TLS, and there is no certificate for it | add [tls] with certificates = [\"FILE "
       "key=FILE\"]"},
      {"TLS without a certificate, in other words", "[server]\nlisten = \":443 tls\"\n[tls]\ncertificates = []",
       "4:10: server.listen takes TLS, and there is no certificate for it | add [tls] with certificates = [\"FILE "
       "key=FILE\"]"},
      {"TLS without a certificate, in the second place", "[server]\nlisten = [\":80\", \":443 tls\"]",
       "4:18: server.listen takes TLS, and there is no certificate for it | add [tls] with certificates = [\"FILE "
       "key=FILE\"]"},
      {"a redirect to nowhere", "[server]\nlisten = \":80 redirect\"",
       "4:10: server.listen redirects to https, and no listener takes TLS | add one, such as \":443 tls\", name the "
       "port "
       "of another server with redirect=443, or leave out redirect"},
      {"a second redirect to nowhere", "[server]\nlisten = [\":80 redirect=443\", \":81 redirect\"]",
       "4:31: server.listen redirects to https, and no listener takes TLS | add one, such as \":443 tls\", name the "
       "port "
       "of another server with redirect=443, or leave out redirect"},
      {"a PROXY header of anybody", "[server]\nlisten = \":80 proxy\"",
       "4:10: server.listen expects a PROXY header, and no proxy is trusted to send it | add trusted_proxies with "
       "their "
       "addresses, or leave out proxy"},
      {"a PROXY header of anybody's address", "[server]\nlisten = \":80 proxy\"\ntrusted_proxies = \"unix\"",
       "4:10: server.listen expects a PROXY header, and no proxy is trusted to send it | add trusted_proxies with "
       "their "
       "addresses, or leave out proxy"},
      {"a PROXY header on a socket that nobody is trusted on",
       "[server]\nlisten = [\":80 proxy\", \"unix:/a proxy\"]\ntrusted_proxies = \"10.0.0.1\"",
       "4:24: server.listen expects a PROXY header, and no proxy is trusted to send it | add \"unix\" to "
       "trusted_proxies, or leave out proxy"},
      {"the socket of the admin API", "[server]\nlisten = \"unix:/a\"\n[admin]\nsocket = \"/a\"",
       "6:10: admin.socket and server.listen are both \"/a\" | give each a path of its own"},
      {"whom to trust", "[server]\ntrusted_proxies = [\"unix\", \"localhost\"]",
       "4:28: server.trusted_proxies must be \"unix\", an address, or a network such as \"10.0.0.0/8\" or "
       "\"fd00::/8\", "
       "not \"localhost\""},
      {"more of one client than of all", "[server]\nconnections_per_client = 20000",
       "4:26: server.connections_per_client = 20000 is more than server.connections = 10000, its default | lower it, "
       "or "
       "raise server.connections"},
  };
  for (const ErrorRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto loaded = load_text(kOrigin + row.text);
      BOOST_REQUIRE(!loaded);
      BOOST_TEST(brief(loaded.error().front()) == row.want);
    }
  }
}

// TLS may be another program's.
BOOST_AUTO_TEST_CASE(a_redirect_that_names_its_port_needs_no_listener_with_tls) {
  const Config config = load_good("[server]\nlisten = \":80 redirect=443\"\n" + kOrigin);
  BOOST_TEST(config.listen.front().redirect_port == 443U);
  BOOST_TEST(dump(load_good(dump(config))) == dump(config));
}

BOOST_AUTO_TEST_CASE(several_listeners) {
  const Config config = load_good(R"(
[server]
listen = ["127.0.0.1:0", "127.0.0.1:0", "unix:/run/a mode=660", ":8080 proxy"]
trusted_proxies = ["10.0.0.0/8", "::1", "unix"]
connections_per_client = 50
timeout.tls = "3s"
)" + kOrigin);
  BOOST_REQUIRE(config.listen.size() == 4U);
  BOOST_TEST(config.listen[2].mode == 0660U);
  BOOST_TEST(config.listen[3].expects_proxy);
  BOOST_TEST(config.trusted_proxies.size() == 3U);
  BOOST_TEST(config.session.connections_per_client == 50U);
  BOOST_TEST((config.session.tls_timeout == Millis{3000}));
  BOOST_TEST(dump(load_good(dump(config))) == dump(config));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
