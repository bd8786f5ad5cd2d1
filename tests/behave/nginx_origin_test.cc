// A real nginx as the origin: files with validators, ranges, gzip, and its idea of keep-alive.
#include <boost/test/unit_test.hpp>
#include <set>

#include "support/behave/client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kLarge = std::size_t{20} << 20;

class Nginx {
 public:
  std::uint16_t port() const { return server_.port(); }
  // Requests answered so far for that path; nginx logs after it has answered.
  std::size_t count(const std::string& line) const {
    const std::string log = directory_.read("access.log");
    std::size_t n = 0;
    for (std::size_t at = 0; (at = log.find(line, at)) != std::string::npos; ++at) ++n;
    return n;
  }
  void change(const std::string& name, std::string_view text) const { directory_.write("www" + name, text); }

  const std::string kText = pattern(5000);

 private:
  const TemporaryDirectory& with_files() const {
    directory_.write("www/fresh/a.txt", kText);
    directory_.write("www/stale/a.txt", kText);
    directory_.write("www/fresh/large.bin", pattern(kLarge));
    return directory_;
  }

  const TemporaryDirectory directory_;
  Server server_ =
      nginx(with_files(),
            "log_format short '$request_method $uri $status|';\naccess_log {dir}/access.log short;\n"
            "types { text/plain txt; }\ngzip on; gzip_types text/plain; gzip_vary on; gzip_min_length 100; "
            "gzip_proxied any;\nserver { listen 127.0.0.1:{port}; root {dir}/www;\n"
            "location /fresh/ { add_header Cache-Control max-age=60; }\n"
            "location /stale/ { add_header Cache-Control max-age=10; add_header Age 1000; }\n"
            "location /plain/ { add_header Cache-Control no-store; add_header X-Connection $connection; "
            "return 200 $request_uri; }\n"
            "location /close/ { keepalive_timeout 0; add_header Cache-Control no-store; "
            "return 200 $request_uri; }\n}\n");
};

BOOST_AUTO_TEST_SUITE(behave_nginx_origin, *boost::unit_test::precondition(Needs{{"nginx"}}))

BOOST_AUTO_TEST_CASE(a_file_is_fetched_once) {
  Nginx nginx;
  Seawall seawall(nginx.port());
  const Response miss = get(seawall, "/fresh/a.txt");
  BOOST_TEST(miss.body == nginx.kText);
  const Response hit = get(seawall, "/fresh/a.txt");
  BOOST_TEST(hit.is_hit(), hit);
  BOOST_TEST(hit.body == nginx.kText);
  BOOST_TEST(hit.get("ETag") == miss.get("ETag"));
  BOOST_TEST(hit.get("Last-Modified") == miss.get("Last-Modified"));
  BOOST_TEST(hit.get("Server") == miss.get("Server"));
  BOOST_TEST(get(seawall, "/fresh/a.txt", {"If-None-Match: " + miss.get("ETag")}).status == 304);
  BOOST_TEST(get(seawall, "/fresh/a.txt", {"If-Modified-Since: " + miss.get("Last-Modified")}).status == 304);
  BOOST_TEST(fetch(seawall, "HEAD", "/fresh/a.txt").is_hit());
  BOOST_TEST(until([&] { return nginx.count("GET /fresh/a.txt 200") == 1; }));
  BOOST_TEST(nginx.count("/fresh/a.txt") == 1U);
}

BOOST_AUTO_TEST_CASE(gzip_is_a_variant) {
  Nginx nginx;
  Seawall seawall(nginx.port());
  const Response zipped = get(seawall, "/fresh/a.txt", {"Accept-Encoding: gzip"});
  BOOST_TEST(zipped.get("Content-Encoding") == "gzip");
  const Response plain = get(seawall, "/fresh/a.txt");
  BOOST_TEST(!plain.has("Content-Encoding"));
  BOOST_TEST(plain.body == nginx.kText);
  for (int round = 0; round < 2; ++round) {
    const Response again = get(seawall, "/fresh/a.txt", {"Accept-Encoding: GZIP;q=1.0"});
    BOOST_TEST(again.is_hit(), again.cache_status());
    BOOST_TEST((again.body == zipped.body));
    BOOST_TEST(get(seawall, "/fresh/a.txt").is_hit());
  }
  BOOST_TEST(until([&] { return nginx.count("GET /fresh/a.txt 200") == 2; }));
}

BOOST_AUTO_TEST_CASE(an_expired_file_is_revalidated) {
  Nginx nginx;
  Seawall seawall(nginx.port(), {.route = "stale = { while_revalidate = \"0s\" }"});
  BOOST_TEST(get(seawall, "/stale/a.txt").body == nginx.kText);
  BOOST_TEST(get(seawall, "/stale/a.txt").body == nginx.kText);
  BOOST_TEST(until([&] { return nginx.count("GET /stale/a.txt 304") == 1; }));
  nginx.change("/stale/a.txt", "changed, and of another length");
  BOOST_TEST(get(seawall, "/stale/a.txt").body == "changed, and of another length");
  BOOST_TEST(until([&] { return nginx.count("GET /stale/a.txt 200") == 2; }));
}

BOOST_AUTO_TEST_CASE(ranges_are_stored_and_completed) {
  Nginx nginx;
  Seawall seawall(nginx.port());
  const std::string path = "/fresh/a.txt";
  const Response part = get(seawall, path, {"Range: bytes=0-999"});
  BOOST_TEST(part.status == 206, part);
  BOOST_TEST(part.body == nginx.kText.substr(0, 1000));
  BOOST_TEST(get(seawall, path, {"Range: bytes=100-199"}).is_hit());
  BOOST_TEST(get(seawall, path).body == nginx.kText);
  BOOST_TEST(get(seawall, path).is_hit());
  BOOST_TEST(until([&] { return nginx.count("GET " + path) == 2; }));
  BOOST_TEST(nginx.count("GET " + path + " 206") == 2U);
}

BOOST_AUTO_TEST_CASE(a_large_file_comes_whole) {
  Nginx nginx;
  const std::string body = pattern(kLarge);
  for (const char* memory : {"memory = \"256MiB\"", "memory = \"8MiB\""}) {
    BOOST_TEST_CONTEXT(memory) {
      Seawall seawall(nginx.port(), {.cache = memory});
      for (int round = 0; round < 2; ++round) {
        const Response response = get(seawall, "/fresh/large.bin");
        BOOST_TEST(response.complete);
        BOOST_TEST((response.body == body));
      }
      const Response tail = get(seawall, "/fresh/large.bin", {"Range: bytes=-1000"});
      BOOST_TEST(tail.status == 206);
      BOOST_TEST(tail.body == body.substr(kLarge - 1000));
    }
  }
}

BOOST_AUTO_TEST_CASE(errors_come_through) {
  Nginx nginx;
  Seawall seawall(nginx.port());
  BOOST_TEST(get(seawall, "/none").status == 404);
  BOOST_TEST(fetch(seawall, "POST", "/fresh/a.txt", {}, "x").status == 405);
  BOOST_TEST(get(seawall, "/fresh/a.txt").body == nginx.kText);
  BOOST_TEST(get(seawall, "/fresh/../fresh/./a.txt").is_hit());
}

BOOST_AUTO_TEST_CASE(connections_are_kept_and_given_up_as_nginx_wants) {
  Nginx nginx;
  Seawall seawall(nginx.port());
  Client client(seawall);
  std::set<std::string> connections;
  for (int i = 0; i < 20; ++i)
    BOOST_TEST(client.get("/plain/" + std::to_string(i)).body == "/plain/" + std::to_string(i));
  // More than nginx lets a connection serve.
  for (int i = 0; i < 1100; ++i) {
    const Response response = client.get("/plain/x");
    if (response.status != 200) BOOST_ERROR("request " << i << " failed: " << response);
    connections.insert(response.get("X-Connection"));
  }
  BOOST_TEST(connections.size() >= 2U);
  BOOST_TEST(connections.size() <= 3U);
  for (int i = 0; i < 20; ++i) BOOST_TEST(client.get("/close/x").status == 200);
  BOOST_TEST(until([&] { return nginx.count("/close/x 200") == 20; }));
  BOOST_TEST(nginx.count("/plain/x 200") == 1100U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
