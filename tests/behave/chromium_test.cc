// A real browser: headless Chromium loads a page with 100 objects over HTTP/2 and TLS.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <regex>

#include "support/behave/client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

constexpr int kScripts = 50;
constexpr int kData = 50;
// A browser starts some twenty processes.
constexpr Millis kBrowserLimit = 12 * kLimit;

// Scripts that count, data that is fetched, and in the end a sentence about it all in the document.
std::string page() {
  std::string html =
      "<!doctype html><html><head><title>objects</title><link rel=\"icon\" href=\"data:,\"><script>let counted = "
      "0;</script>\n";
  for (int i = 0; i < kScripts; ++i) html += "<script src=\"/script/" + std::to_string(i) + ".js\"></script>\n";
  html += R"(</head><body><p id="result">not done</p><script>
    const names = [...Array()" +
          std::to_string(kData) + R"().keys()];
    Promise.all(names.map(i => fetch(`/data/${i}.json`).then(r => r.json()))).then(all => {
      const sum = all.reduce((a, b) => a + b.value, 0);
      const entries = performance.getEntriesByType('resource');
      const protocols = [...new Set(entries.map(e => e.nextHopProtocol))].join(',');
      document.getElementById('result').textContent =
        `scripts=${counted} sum=${sum} entries=${entries.length} protocols=${protocols}`;
    });
  </script></body></html>)";
  return html;
}

std::vector<std::string> chromium(const TemporaryDirectory& profile, const TestCertificate& trusted, std::uint16_t port,
                                  const std::string& path) {
  return {"chromium",
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
          "--disable-dev-shm-usage",
          "--no-proxy-server",
          "--user-data-dir=" + profile.path(),
          "--ignore-certificate-errors-spki-list=" + spki_fingerprint(trusted),
          "--host-resolver-rules=MAP a.test 127.0.0.1",
          "--virtual-time-budget=20000",
          "--dump-dom",
          "https://a.test:" + std::to_string(port) + path};
}

BOOST_AUTO_TEST_SUITE(behave_chromium, *boost::unit_test::precondition(Needs{{"chromium"}}))

BOOST_AUTO_TEST_CASE(a_page_with_a_hundred_objects_loads_over_http2) {
  Origin origin;
  origin.on("/", Reply{.headers = {"Content-Type: text/html", "Cache-Control: max-age=60"}, .body = page()});
  origin.on("/favicon.ico", Reply{.status = 404});
  int sum = 0;
  for (int i = 0; i < kScripts; ++i) {
    origin.on(
        "/script/" + std::to_string(i) + ".js",
        Reply{.headers = {"Content-Type: text/javascript", "Cache-Control: max-age=60"}, .body = "counted += 1;"});
  }
  for (int i = 0; i < kData; ++i) {
    sum += i;
    origin.on(
        "/data/" + std::to_string(i) + ".json",
        Reply{.headers = {"Content-Type: application/json", "Cache-Control: max-age=60"},
              .body = "{\"value\": " + std::to_string(i) + ", \"filler\": \"" + std::string(20'000, 'x') + "\"}"});
  }
  const Site site;
  const TemporaryDirectory logs;
  Seawall seawall(origin, {.listen = {"127.0.0.1:0 tls"},
                           .workers = 2,
                           .tls = site.certificates(),
                           .log = "access = \"" + logs.path() + "/access.log\""});
  const std::string expected = "scripts=" + std::to_string(kScripts) + " sum=" + std::to_string(sum) +
                               " entries=" + std::to_string(kScripts + kData) + " protocols=h2";
  for (int visit = 0; visit < 2; ++visit) {
    // A fresh profile each: the second visit finds nothing in the browser's own cache, and all of it in seawall's.
    const TemporaryDirectory profile;
    const Outcome outcome = run(chromium(profile, site.certificate, seawall.port(), "/"), {}, kBrowserLimit);
    BOOST_TEST(contains(outcome.output, expected), outcome.output);
  }
  BOOST_TEST(origin.count("/") == 1U);
  for (int i = 0; i < kData; ++i) BOOST_TEST(origin.count("/data/" + std::to_string(i) + ".json") == 1U);
  const auto logged = [&] {
    const std::string log = logs.read("access.log");
    const std::regex line(R"("GET /(script|data)/\S+ HTTP/2(\.0)?" 200 )");
    return std::distance(std::sregex_iterator(log.begin(), log.end(), line), std::sregex_iterator());
  };
  BOOST_TEST(until([&] { return logged() == 2 * (kScripts + kData); }), logs.read("access.log"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
