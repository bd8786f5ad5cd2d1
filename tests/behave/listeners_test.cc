// Where clients are accepted, how many of them, and what happens when the process runs out of descriptors.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/http2_client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

Reply cacheable(std::string body) {
  return {.headers = {"Cache-Control: max-age=60"}, .body = std::move(body)};
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode : 0;
}

BOOST_AUTO_TEST_SUITE(behave_listeners)

BOOST_AUTO_TEST_CASE(several_serve_from_one_cache) {
  Origin origin;
  origin.on("/a", cacheable("a"));
  const Site site;
  const TemporaryDirectory sockets;
  const std::string path = sockets.path() + "/http.sock";
  Seawall seawall(origin, {.listen = {"127.0.0.1:0", "[::1]:0", "unix:" + path + " mode=666", "127.0.0.1:0 tls"},
                           .workers = 2,
                           .tls = site.certificates()});
  BOOST_TEST(seawall.address(1).starts_with("[::1]:"));
  BOOST_TEST(seawall.address(2) == "unix:" + path);
  for (const std::size_t listener : {0U, 1U, 2U}) {
    for (int i = 0; i < 4; ++i) BOOST_TEST(Client(seawall.address(listener)).get("/a").body == "a");
  }
  BOOST_TEST(origin.count("/a") == 1U);
  BOOST_TEST(Client(seawall.address(3), {.tls = site.client()}).get("/a").body == "a");
  BOOST_TEST(curl({"--unix-socket", path, "http://a.test/a"}).is_hit());
  BOOST_TEST(curl({"--http2-prior-knowledge", "--unix-socket", path, "http://a.test/a"}).version == "HTTP/2");
  BOOST_TEST(seawall.stop() == 0);
  BOOST_TEST(!std::filesystem::exists(path));
}

BOOST_AUTO_TEST_CASE(a_unix_socket_has_the_mode_that_was_asked_for) {
  Origin origin;
  origin.on("/a", cacheable("a"));
  const TemporaryDirectory sockets;
  struct Row {
    const char* words;
    mode_t mode;
  };
  for (const Row& row : {Row{" mode=666", 0666}, {" mode=660", 0660}, {"", 0600}}) {
    const std::string path = sockets.path() + "/http.sock";
    Seawall seawall(origin, {.listen = {"unix:" + path + row.words}});
    BOOST_TEST(S_ISSOCK(mode_of(path)));
    BOOST_TEST((mode_of(path) & 0777U) == row.mode, row.words);
    BOOST_TEST(Client(seawall.address()).get("/a").body == "a");
    // RFC 7239 section 6.3; there is no address to name.
    BOOST_TEST(contains(origin.seen("/a").headers.get("Forwarded"), "for=_unix"));
    BOOST_TEST(!origin.seen("/a").headers.has("X-Forwarded-For"));
  }
}

// What a crash has left behind is taken over; what lives, or is no socket, is not.
BOOST_AUTO_TEST_CASE(a_stale_socket_is_replaced_and_a_live_one_is_not) {
  Origin origin;
  origin.on("/a", cacheable("a"));
  const TemporaryDirectory sockets;
  const std::string path = sockets.path() + "/http.sock";
  const std::string config =
      sockets.write("seawall.toml", "[server]\nlisten = [\"unix:" + path + "\"]\n[[origin]]\nservers = [\"http://" +
                                        origin.authority() + "\"]\n");
  {
    Process killed({seawall_binary(), "serve", "-c", config});
    listening_addresses(killed, 1);
    killed.signal(SIGKILL);
    killed.wait();
    BOOST_TEST(std::filesystem::exists(path));
  }
  Seawall seawall(origin, {.listen = {"unix:" + path}});
  BOOST_TEST(Client(seawall.address()).get("/a").body == "a");
  const Outcome second = run({seawall_binary(), "serve", "-c", config});
  BOOST_TEST(second.code == 1, second.output);
  BOOST_TEST(contains(second.output, path), second.output);
  BOOST_TEST(Client(seawall.address()).get("/a").body == "a");
  sockets.write("file", "precious");
  const std::string other =
      sockets.write("other.toml", "[server]\nlisten = [\"unix:" + sockets.path() +
                                      "/file\"]\n[[origin]]\nservers = [\"http://" + origin.authority() + "\"]\n");
  BOOST_TEST(run({seawall_binary(), "serve", "-c", other}).code == 1);
  BOOST_TEST(sockets.read("file") == "precious");
}

BOOST_AUTO_TEST_CASE(one_client_may_not_take_all_connections) {
  Origin origin;
  origin.on("/a", cacheable("a"));
  const Site site;
  Seawall seawall(origin, {.listen = {"127.0.0.1:0", "127.0.0.1:0 tls"},
                           .admin = true,
                           .workers = 2,
                           .server = "connections_per_client = 3",
                           .tls = site.certificates()});
  const Admin admin(seawall);
  std::vector<Client> greedy;
  for (int i = 0; i < 2; ++i) {
    greedy.emplace_back(seawall);
    BOOST_TEST(greedy.back().get("/a").body == "a");
  }
  greedy.emplace_back(seawall.port(1), ClientOptions{.tls = site.client()});
  BOOST_TEST(greedy.back().get("/a").body == "a");
  {
    Client fourth(seawall);
    fourth.send_request("GET", "/a");
    const Response refused = fourth.read();
    BOOST_TEST(refused.status == 503, refused);
    BOOST_TEST(fourth.is_closed());
    Socket fifth = Socket::connect(seawall.address(1));
    BOOST_TEST(!fifth.start_tls(site.client()));
  }
  BOOST_TEST(admin.metric("seawall_connections_refused_total{reason=\"client\"}") == 2);
  Client other(seawall, {.from = "127.0.0.2"});
  BOOST_TEST(other.get("/a").body == "a");
  for (Client& client : greedy) BOOST_TEST(client.get("/a").body == "a");
  greedy.pop_back();
  BOOST_TEST(until([&] { return get(seawall, "/a").status == 200; }));
}

BOOST_AUTO_TEST_CASE(all_together_may_not_either) {
  Origin origin;
  origin.on("/a", cacheable("a"));
  Seawall seawall(origin, {.admin = true, .workers = 2, .server = "connections = 4"});
  const Admin admin(seawall);
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(seawall, ClientOptions{.from = "127.0.0." + std::to_string(2 + i)});
    BOOST_TEST(clients.back().get("/a").body == "a");
  }
  BOOST_TEST(get(seawall, "/a").status == 503);
  BOOST_TEST(admin.metric("seawall_connections_refused_total{reason=\"total\"}") == 1);
  // Streams are not connections.
  clients.pop_back();
  BOOST_TEST(until([&] {
    try {
      return Http2Client(seawall).get("/a").status == 200;
    } catch (const Failure&) {
      return false;
    }
  }));
}

// accept(2) fails with EMFILE and the socket stays readable: a server that asks again at once burns a processor.
BOOST_AUTO_TEST_CASE(running_out_of_descriptors_neither_spins_nor_lasts) {
  Origin origin;
  origin.on("/a", cacheable("a"));
  origin.otherwise(reply({.headers = {"Cache-Control: no-store", "Connection: close"}, .body = "b"}));
  // The hard limit too: seawall raises the soft one to it.
  Seawall seawall(origin, {.admin = true, .workers = 2, .prefix = "ulimit -n 64; exec"});
  const Admin admin(seawall);
  Client first(seawall);
  BOOST_TEST(first.get("/a").body == "a");
  // Again, and a miss: the undefined-behaviour sanitizer needs descriptors for its first look at a type.
  BOOST_TEST(first.get("/a").body == "a");
  BOOST_TEST(first.get("/b").body == "b");
  std::vector<Client> crowd;
  for (int i = 0; i < 100; ++i) crowd.emplace_back(seawall);
  BOOST_TEST(until([&] {
    return std::distance(
               std::filesystem::directory_iterator("/proc/" + std::to_string(seawall.process().pid()) + "/fd"), {}) >=
           60;
  }));
  // Those who are in are served.
  BOOST_TEST(first.get("/a").body == "a");
  // What needs another one gets an error of our own, and nothing is held against the origin.
  std::size_t refused = 0;
  for (int i = 0; i < 8; ++i) {
    const Response response = first.get("/c" + std::to_string(i));
    if (response.body == "b") continue;
    ++refused;
    BOOST_TEST(response.status == 503, response);
    BOOST_TEST(contains(response.body, "no-descriptors"), response);
  }
  BOOST_TEST(refused > 5U);  // more than it takes for a breaker to open
  const Millis before = seawall.process().processor_time();
  BOOST_TEST(!until([&] { return seawall.process().has_exited(); }, Millis{700}));
  BOOST_TEST((seawall.process().processor_time() - before <= Millis{kSanitized ? 400 : 150}));
  // And those who waited, once the others go.
  crowd.erase(crowd.begin(), crowd.begin() + 60);
  BOOST_TEST(crowd.back().get("/a").body == "a");
  crowd.clear();
  BOOST_TEST(until([&] { return get(seawall, "/a").body == "a"; }));
  BOOST_TEST(get(seawall, "/d").body == "b");
  // Each round is counted, and the log is not full of it.
  BOOST_TEST(admin.metric("seawall_accept_failures_total") > 1);
  const std::string said = seawall.process().output();
  const std::size_t at = said.find("cannot accept connections");
  BOOST_TEST(at != std::string::npos);
  BOOST_TEST(said.find("cannot accept connections", at + 1) == std::string::npos);
  BOOST_TEST(contains(said, "no-descriptors; raise the limit of open files"), said);
}

BOOST_AUTO_TEST_CASE(listeners_outlive_a_reload) {
  Origin origin;
  origin.on("/a", cacheable("a"));
  const TemporaryDirectory sockets;
  const Site site;
  Seawall seawall(origin, {.listen = {"127.0.0.1:0", "unix:" + sockets.path() + "/http.sock", "127.0.0.1:0 tls"},
                           .tls = site.certificates()});
  Client tcp(seawall.address(0));
  Client local(seawall.address(1));
  BOOST_TEST(tcp.get("/a").body == "a");
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("reloaded"));
  BOOST_TEST(tcp.get("/a").is_hit());
  BOOST_TEST(local.get("/a").is_hit());
  for (const std::size_t listener : {0U, 1U}) BOOST_TEST(Client(seawall.address(listener)).get("/a").is_hit());
  BOOST_TEST(Client(seawall.address(2), {.tls = site.client()}).get("/a").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
