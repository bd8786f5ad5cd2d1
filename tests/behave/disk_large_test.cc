// Responses that memory may not hold: kept on disk, while they arrive and afterwards.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>

#include "base/rng.h"
#include "support/behave/client.h"
#include "support/behave/origin.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::string noise(std::size_t bytes, std::uint64_t seed) {
  Rng rng(seed);
  std::string text;
  text.reserve(bytes + 20);
  while (text.size() < bytes) text += std::to_string(rng.next());
  text.resize(bytes);
  return text;
}

// Memory takes objects of 640 KB or so.
struct LargeSite {
  explicit LargeSite(std::string more = {}) {
    directory.write("seawall.toml",
                    "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n[admin]\nlisten = \"off\"\nsocket = \"off\"\n"
                    "purge_from = [\"127.0.0.1\"]\n[cache]\nmemory = \"8MiB\"\ndisk = { path = \"" +
                        directory.path() + "/disk\", size = \"64MiB\" }\n" + more +
                        "[[origin]]\nname = \"main\"\nservers = [\"http://" + origin.authority() +
                        "\"]\n[[route]]\norigin = \"main\"\n");
    start();
  }
  void start() {
    process = std::make_unique<Process>(
        std::vector<std::string>{seawall_binary(), "serve", "-c", directory.path() + "/seawall.toml"});
    port = listening_port(*process);
    BOOST_TEST(process->says("objects found"));  // until then it takes no large ones
  }
  void stop() {
    process->signal(SIGTERM);
    BOOST_TEST(process->wait(2 * kLimit) == 0, process->output());
  }
  Response get(std::string_view path, const Lines& lines = {}) const { return Client(port).get(path, lines); }
  // The disk has it a moment after the client has.
  bool becomes_hit(std::string_view path) const {
    return until([&] { return get(path, {"Cache-Control: only-if-cached", "Range: bytes=0-0"}).status == 206; });
  }

  TemporaryDirectory directory;
  Origin origin;
  std::unique_ptr<Process> process;
  std::uint16_t port = 0;
};

Reply large(const std::string& body) {
  return {.headers = {"Cache-Control: max-age=600", "ETag: \"l\"", "Content-Type: video/mp4"}, .body = body};
}

BOOST_AUTO_TEST_SUITE(behave_disk_large)

BOOST_AUTO_TEST_CASE(it_is_stored_and_answers_whatever_is_asked_of_it) {
  LargeSite site;
  const std::string body = noise(5 * kMiB + 12'345, 1);
  site.origin.on("/l", large(body));
  const Response first = site.get("/l");
  BOOST_TEST((first.body == body));
  BOOST_TEST(!first.is_hit(), first);
  BOOST_REQUIRE(site.becomes_hit("/l"));
  for (int restarts = 0; restarts < 2; ++restarts) {
    const Response hit = site.get("/l");
    BOOST_TEST((hit.body == body));
    BOOST_TEST(hit.is_hit(), hit);
    BOOST_TEST(hit.get("Content-Length") == std::to_string(body.size()));
    BOOST_TEST(hit.age() >= 0);
    const Response part = site.get("/l", {"Range: bytes=2000000-4000000"});
    BOOST_TEST(part.status == 206);
    BOOST_TEST((part.body == body.substr(2'000'000, 2'000'001)));
    BOOST_TEST((site.get("/l", {"Range: bytes=-7"}).body == body.substr(body.size() - 7)));
    const Response parts = site.get("/l", {"Range: bytes=0-9,3000000-3000009"});
    BOOST_TEST(parts.status == 206);
    BOOST_TEST(parts.get("Content-Type").starts_with("multipart/byteranges"));
    BOOST_TEST(parts.body.find("\r\n\r\n" + body.substr(3'000'000, 10) + "\r\n--") != std::string::npos);
    BOOST_TEST(site.get("/l", {"Range: bytes=9999999-"}).status == 416);
    BOOST_TEST(site.get("/l", {"If-None-Match: \"l\""}).status == 304);
    BOOST_TEST(site.get("/l", {"If-Match: \"x\""}).status == 412);
    const Response head = Client(site.port).request("HEAD", "/l");
    BOOST_TEST(head.get("Content-Length") == std::to_string(body.size()));
    BOOST_TEST(head.is_hit(), head);
    site.stop();
    site.start();
  }
  BOOST_TEST(site.origin.total() == 1U);
  site.stop();
}

BOOST_AUTO_TEST_CASE(several_come_over_one_connection) {
  LargeSite site;
  const std::string body = noise(2 * kMiB, 2);
  site.origin.on("/l", large(body));
  site.origin.on("/s", {.headers = {"Cache-Control: max-age=600"}, .body = "small"});
  Client client(site.port);
  BOOST_TEST((client.get("/l").body == body));
  BOOST_REQUIRE(site.becomes_hit("/l"));
  for (int i = 0; i < 3; ++i) {
    client.send_request("GET", "/l");
    client.send_request("GET", "/s");
    BOOST_TEST((client.read().body == body));
    BOOST_TEST(client.read().body == "small");
  }
  BOOST_TEST(site.origin.total() == 2U);
  site.stop();
}

BOOST_AUTO_TEST_CASE(whoever_comes_while_it_arrives_gets_all_of_it) {
  for (const bool has_length : {true, false}) {
    LargeSite site;
    const std::string body = noise(9 * kMiB, 3);
    Gate rest;
    site.origin.on("/l", [&](Exchange& x) {
      if (has_length) {
        x.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n");
        x.send(body.substr(0, 7 * kMiB));
        x.hold(rest);
        x.send(body.substr(7 * kMiB));
      } else {
        x.begin_chunked({"Cache-Control: max-age=600"});
        for (std::size_t at = 0; at < body.size(); at += kMiB) {
          if (at == 7 * kMiB) x.hold(rest);
          x.send_chunk(body.substr(at, kMiB));
        }
        x.end_chunks();
      }
    });
    // One who does not read at first holds nobody up.
    Client idle(site.port, {.receive_buffer = 65'536});
    idle.send_request("GET", "/l");
    idle.read_head();
    Client first(site.port);
    first.send_request("GET", "/l");
    first.read_body(6 * kMiB);
    Client late(site.port);
    late.send_request("GET", "/l");
    late.read_body(6 * kMiB);
    rest.open();
    BOOST_TEST((first.read_rest().body == body));
    BOOST_TEST((late.read_rest().body == body));
    BOOST_TEST((idle.read_rest().body == body));
    BOOST_REQUIRE(site.becomes_hit("/l"));
    BOOST_TEST((site.get("/l").body == body));
    BOOST_TEST(site.origin.total() == 1U);
    site.stop();
  }
}

BOOST_AUTO_TEST_CASE(one_that_breaks_off_is_shown_as_cut_and_not_stored) {
  LargeSite site;
  const std::string body = noise(4 * kMiB, 4);
  site.origin.script("/l", {[&](Exchange& x) {
                              x.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: " +
                                     std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, 3 * kMiB));
                              x.close();
                            },
                            reply(large(body))});
  BOOST_TEST(site.get("/l").is_cut());
  BOOST_TEST((site.get("/l").body == body));
  BOOST_TEST(site.origin.total() == 2U);
  site.stop();
}

BOOST_AUTO_TEST_CASE(it_is_validated_without_being_sent_again) {
  LargeSite site;
  const std::string body = noise(2 * kMiB, 5);
  const auto unchanged = [](const std::string& x) {
    return reply({.status = 304, .headers = {"Cache-Control: max-age=600", "ETag: \"l\"", "X: " + x}});
  };
  site.origin.script("/l", {reply(large(body)), unchanged("2"), unchanged("3")});
  BOOST_TEST((site.get("/l").body == body));
  BOOST_REQUIRE(site.becomes_hit("/l"));
  for (const char* const x : {"2", "3"}) {
    const Response again = site.get("/l", {"Cache-Control: no-cache"});
    BOOST_TEST((again.body == body));
    BOOST_TEST(again.get("X") == x, again);
  }
  BOOST_TEST(site.origin.total() == 3U);
  site.stop();
}

BOOST_AUTO_TEST_CASE(a_purge_and_a_newer_version_take_its_place) {
  LargeSite site;
  const std::string one = noise(2 * kMiB, 6);
  const std::string two = noise(3 * kMiB, 7);
  site.origin.script("/l", {reply(large(one)), reply(large(two)), reply(large("small now"))});
  BOOST_TEST((site.get("/l").body == one));
  BOOST_REQUIRE(site.becomes_hit("/l"));
  BOOST_TEST(Client(site.port).request("PURGE", "/l").status == 200);
  BOOST_TEST((site.get("/l").body == two));
  BOOST_REQUIRE(site.becomes_hit("/l"));
  BOOST_TEST(site.get("/l", {"Cache-Control: no-cache"}).body == "small now");
  site.stop();
  site.start();
  BOOST_TEST(site.get("/l").body == "small now");
  BOOST_TEST(site.origin.total() == 3U);
  site.stop();
}

BOOST_AUTO_TEST_CASE(what_the_disk_has_let_go_is_fetched_again) {
  LargeSite site;
  const std::string body = noise(2 * kMiB, 8);
  site.origin.on("/l", [&](Exchange& x) {
    if (x.request().headers.has("If-None-Match")) return x.respond({.status = 304, .headers = {"ETag: \"l\""}});
    x.respond(large(body));
  });
  site.origin.otherwise([](Exchange& x) { x.respond(large(noise(8 * kMiB, 9))); });
  BOOST_TEST((site.get("/l").body == body));
  BOOST_REQUIRE(site.becomes_hit("/l"));
  int flooded = 0;
  const auto flood = [&] {
    for (int i = 0; i < 9; ++i) {
      const std::string path = "/flood/" + std::to_string(flooded++);
      BOOST_TEST(site.get(path).body.size() == 8 * kMiB);
      BOOST_REQUIRE(site.becomes_hit(path));
    }
  };
  flood();
  const Response again = site.get("/l");
  BOOST_TEST((again.body == body));
  BOOST_TEST(!again.is_hit(), again);
  BOOST_TEST(site.origin.count("/l") == 2U);
  // Nor is it of use then that it is good still.
  BOOST_REQUIRE(site.becomes_hit("/l"));
  flood();
  BOOST_TEST((site.get("/l", {"Cache-Control: no-cache"}).body == body));
  BOOST_TEST(site.origin.count("/l") == 4U);
  site.stop();
}

BOOST_AUTO_TEST_CASE(what_is_too_large_for_the_disk_streams_through) {
  LargeSite site("disk_max_object = \"1MiB\"\n");
  const std::string body = noise(2 * kMiB, 10);
  site.origin.on("/l", large(body));
  for (std::size_t i = 1; i <= 2; ++i) {
    BOOST_TEST((site.get("/l").body == body));
    BOOST_TEST(site.origin.total() == i);
  }
  site.stop();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
