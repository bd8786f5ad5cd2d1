// Miss events as a file, a Unix socket and a webhook get them, over real sockets and on a manual clock: all of them, in
// order, through failures.
#include "server/miss_delivery.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "loopback/net/dns_fixture.h"
#include "obs/log.h"
#include "support/behave/process.h"
#include "support/scripted_origin.h"

namespace seawall::test {
namespace {

using Json = nlohmann::json;
using server::MissDelivery;

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

// "1 2 3": the ids of events, a line each.
std::string ids_of_lines(const std::string& text) {
  std::string ids;
  BOOST_TEST((text.empty() || text.ends_with('\n')), text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const Json event = Json::parse(text.substr(at, end - at), nullptr, false);
    BOOST_REQUIRE_MESSAGE(event.is_object(), text.substr(at, end - at));
    ids += (ids.empty() ? "" : " ") + event["id"].dump();
    at = end + 1;
  }
  return ids;
}

std::string range(int first, int last) {
  std::string ids;
  for (int i = first; i <= last; ++i) ids += (i == first ? "" : " ") + std::to_string(i);
  return ids;
}

struct DeliveryFixture : DnsFixture {
  behave::TemporaryDirectory directory;
  Rng rng{1};
  fill::MissEvents events{{.per_second = 1'000'000, .kept = 1000}};
  std::optional<MissDelivery> delivery;
  int offered = 0;

  DeliveryFixture() {
    std::string error;
    BOOST_REQUIRE_MESSAGE(obs::init_log({.level = obs::LogLevel::kInfo, .target = path("log")}, error), error);
  }
  ~DeliveryFixture() {
    delivery.reset();
    settle(loop);
    std::string error;
    obs::init_log({}, error);
  }

  std::string path(const std::string& name) const { return directory.path() + "/" + name; }
  std::string log() const { return read_file(path("log")); }

  void start(const config::PushOptions& options) {
    delivery.emplace(loop, events, options, *resolver, rng);
    delivery->start();
    settle(loop);
  }
  void offer(int n, const std::string& padding = {}) {
    for (int i = 0; i < n; ++i) {
      ++offered;
      events.offer({.sequence = 0,
                    .time = clock.wall_now(),
                    .url = "http://example.com/" + std::to_string(offered) + padding,
                    .route = "all",
                    .origin = "one",
                    .why = "uri-miss"},
                   static_cast<std::uint64_t>(offered), clock.mono_now());
    }
    settle(loop);
  }
};

BOOST_FIXTURE_TEST_SUITE(miss_delivery, DeliveryFixture)

BOOST_AUTO_TEST_CASE(without_a_target_nothing_happens) {
  start({});
  offer(3);
  delivery->reopen();
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(a_file_is_made_at_once_for_its_group_to_read) {
  start({.file = path("events")});
  struct stat status{};
  BOOST_REQUIRE(::stat(path("events").c_str(), &status) == 0);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  BOOST_TEST((status.st_mode & 0777) == (0640 & ~mask));
}

BOOST_AUTO_TEST_CASE(lines_are_added_to_a_file) {
  directory.write("events", "{\"id\":0}\n");
  offer(2);  // before it starts
  start({.file = path("events")});
  offer(1);
  offer(600);
  advance(Millis{100});
  BOOST_TEST(ids_of_lines(read_file(path("events"))) == range(0, 603));
  BOOST_TEST(log() == "");
}

BOOST_AUTO_TEST_CASE(a_file_that_was_moved_away_is_begun_anew) {
  start({.file = path("events")});
  offer(2);
  std::filesystem::rename(path("events"), path("events.1"));
  offer(1);
  delivery->reopen();
  offer(2);
  BOOST_TEST(ids_of_lines(read_file(path("events.1"))) == "1 2 3");
  BOOST_TEST(ids_of_lines(read_file(path("events"))) == "4 5");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_is_tried_again_and_told_once_a_minute) {
  start({.file = path("later/events")});
  offer(2);
  const std::string told = log();
  BOOST_TEST(count(told, "\n") == 1U, told);
  BOOST_TEST(count(told, "push.file " + path("later/events") + ": cannot be opened: No such file or directory") == 1U,
             told);
  BOOST_TEST(count(told, "see that its folder is there") == 1U, told);
  for (int seconds = 0; seconds < 55; ++seconds) advance(Seconds{1});
  BOOST_TEST(count(log(), "\n") == 1U);
  for (int seconds = 0; seconds < 60; ++seconds) advance(Seconds{1});
  BOOST_TEST(count(log(), "\n") == 2U);
  offer(1);
  std::filesystem::create_directory(path("later"));
  for (int seconds = 0; seconds < 40; ++seconds) advance(Seconds{1});  // 30 s and a quarter
  BOOST_TEST(ids_of_lines(read_file(path("later/events"))) == "1 2 3");
}

BOOST_AUTO_TEST_CASE(what_is_not_kept_long_enough_is_lost_and_told) {
  start({.file = path("later/events")});
  offer(1003);
  std::filesystem::create_directory(path("later"));
  advance(Millis{1300});
  for (int i = 0; i < 10; ++i) advance(Millis{20});
  BOOST_TEST(ids_of_lines(read_file(path("later/events"))) == range(4, 1003));
  BOOST_TEST(count(log(), ": 3 miss events are lost") == 1U, log());
}

BOOST_AUTO_TEST_CASE(a_full_disk_loses_nothing) {
  std::filesystem::create_symlink("/dev/full", path("events"));
  start({.file = path("events")});
  offer(2);
  BOOST_TEST(count(log(), "cannot be written: No space left on device") == 1U, log());
  std::filesystem::remove(path("events"));
  delivery->reopen();
  settle(loop);
  BOOST_TEST(ids_of_lines(read_file(path("events"))) == "1 2");
}

// It takes what fits, and so parts of lines.
BOOST_AUTO_TEST_CASE(a_pipe_gets_whole_lines_however_slow_it_is) {
  BOOST_REQUIRE(::mkfifo(path("events").c_str(), 0600) == 0);
  start({.file = path("events")});
  BOOST_TEST(count(log(), "cannot be opened") == 1U, log());  // nobody reads
  const Fd reader(::open(path("events").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  BOOST_REQUIRE(reader);
  offer(40, std::string(7000, 'x'));
  std::string received;
  std::vector<char> buffer(1 << 20);
  for (int turn = 0; turn < 20; ++turn) {
    advance(Seconds{40});
    const ssize_t n = ::read(reader.get(), buffer.data(), buffer.size());
    if (n > 0) received.append(buffer.data(), static_cast<std::size_t>(n));
  }
  BOOST_TEST(ids_of_lines(received) == range(1, 40));
}

// A program that takes connections on a Unix socket.
struct SocketFixture : DeliveryFixture {
  std::unique_ptr<net::Listener> listener;
  std::vector<std::unique_ptr<ScriptedOrigin::Peer>> peers;

  ~SocketFixture() {
    delivery.reset();
    listener.reset();
  }

  void listen() {
    auto bound = net::Listener::bind_unix(path("socket"));
    BOOST_REQUIRE(bound.has_value());
    listener = std::move(*bound);
    listener->start(loop, [this](Fd fd, const net::Address&) {
      peers.push_back(std::make_unique<ScriptedOrigin::Peer>(loop, std::move(fd)));
    });
  }
  config::PushOptions options() const { return {.file = "unix:" + path("socket")}; }
};

BOOST_FIXTURE_TEST_CASE(a_socket_is_connected_when_there_is_something_to_tell, SocketFixture) {
  listen();
  start(options());
  BOOST_TEST(peers.empty());
  offer(2);
  offer(600);
  advance(Millis{100});
  BOOST_REQUIRE(peers.size() == 1U);
  BOOST_TEST(ids_of_lines(peers[0]->received()) == range(1, 602));
  BOOST_TEST(log() == "");
}

BOOST_FIXTURE_TEST_CASE(a_socket_that_nobody_listens_on_is_tried_again, SocketFixture) {
  start(options());
  offer(2);
  BOOST_TEST(count(log(), "push.file unix:" + path("socket") + ": cannot be opened: No such file or directory") == 1U,
             log());
  BOOST_TEST(count(log(), "see that a program listens there") == 1U, log());
  // After pauses of 1 s, 2 s, 4 s, each up to a quarter longer.
  advance(Millis{1270});
  advance(Millis{2520});
  listen();
  advance(Millis{3900});
  BOOST_TEST(peers.empty());
  advance(Millis{1120});
  BOOST_REQUIRE(peers.size() == 1U);
  BOOST_TEST(ids_of_lines(peers[0]->received()) == "1 2");
  BOOST_TEST(count(log(), "\n") == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_reader_that_went_away_and_came_back_gets_what_follows, SocketFixture) {
  listen();
  start(options());
  offer(2);
  peers[0]->close();
  settle(loop);
  BOOST_TEST(peers.size() == 1U);
  offer(2);
  BOOST_REQUIRE(peers.size() == 2U);
  BOOST_TEST(ids_of_lines(peers[1]->received()) == "3 4");
  BOOST_TEST(log() == "");
}

BOOST_FIXTURE_TEST_CASE(what_a_reader_sends_is_read_over, SocketFixture) {
  listen();
  start(options());
  offer(1);
  peers[0]->send("hello\n");
  settle(loop);
  offer(1);
  BOOST_REQUIRE(peers.size() == 1U);
  BOOST_TEST(ids_of_lines(peers[0]->received()) == "1 2");
}

BOOST_FIXTURE_TEST_CASE(a_slow_reader_gets_all_in_the_end, SocketFixture) {
  listen();
  start(options());
  offer(1);
  peers[0]->set_reading(false);
  offer(500, std::string(5000, 'x'));
  BOOST_TEST(count(peers[0]->received(), "\n") == 1U);
  peers[0]->set_reading(true);
  pump_until(loop, "the last line", [&] {
    clock.advance(Millis{20});
    return count(peers[0]->received(), "\n") == 501;
  });
  BOOST_TEST(ids_of_lines(peers[0]->received()) == range(1, 501));
  BOOST_TEST(log() == "");
}

BOOST_FIXTURE_TEST_CASE(a_line_that_was_cut_is_sent_again_whole, SocketFixture) {
  listen();
  start(options());
  offer(1);
  peers[0]->set_reading(false);
  offer(1, std::string(1'000'000, 'x'));
  peers[0]->close();
  settle(loop);
  BOOST_TEST(count(log(), "was closed by its reader") + count(log(), "cannot be written: ") == 1U, log());
  BOOST_TEST(peers.size() == 1U);
  advance(Millis{1270});
  BOOST_REQUIRE(peers.size() == 2U);
  pump_until(loop, "the whole line", [&] { return peers[1]->received().ends_with('\n'); });
  BOOST_TEST(ids_of_lines(peers[1]->received()) == "2");
}

// A webhook at an address, and at a name.
struct WebhookFixture : DeliveryFixture {
  ScriptedOrigin hook{loop};

  ~WebhookFixture() { delivery.reset(); }

  std::string port() const { return std::to_string(hook.address().port()); }
  void start_at(const std::string& host) { start({.webhook = "http://" + host + ":" + port() + "/hook?a=b"}); }

  // The ids in the body of the i-th connection's request, once it is there.
  std::string posted(std::size_t i) {
    ScriptedOrigin::Peer& peer = hook.await(i, "]\n");
    const std::string& text = peer.received();
    const std::size_t head = text.find("\r\n\r\n");
    BOOST_REQUIRE(head != std::string::npos);
    const std::string body = text.substr(head + 4);
    BOOST_TEST(text.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") < head);
    const Json list = Json::parse(body, nullptr, false);
    BOOST_REQUIRE_MESSAGE(list.is_array(), body);
    std::string ids;
    for (const Json& event : list) ids += (ids.empty() ? "" : " ") + event["id"].dump();
    return ids;
  }
  void answer(std::size_t i, std::string_view response) {
    hook.peer(i).send(response);
    settle(loop);
  }
};

constexpr std::string_view kNoContent = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr std::string_view kUnavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

BOOST_FIXTURE_TEST_CASE(events_are_posted_one_request_at_a_time, WebhookFixture) {
  start_at("127.0.0.1");
  BOOST_TEST(hook.connections() == 0U);
  offer(1);
  BOOST_TEST(posted(0) == "1");
  const std::string& request = hook.peer(0).received();
  BOOST_TEST(request.starts_with("POST /hook?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + port() + "\r\n"), request);
  BOOST_TEST(count(request, "Content-Type: application/json\r\n") == 1U, request);
  BOOST_TEST(count(request, "User-Agent: seawall/") == 1U, request);
  offer(250);
  BOOST_TEST(hook.connections() == 1U);
  answer(0, kNoContent);
  BOOST_TEST(posted(1) == range(2, 101));
  answer(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  BOOST_TEST(posted(2) == range(102, 201));
  answer(2, "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  BOOST_TEST(posted(3) == range(202, 251));
  answer(3, kNoContent);
  BOOST_TEST(hook.connections() == 4U);
  BOOST_TEST(log() == "");
}

BOOST_FIXTURE_TEST_CASE(any_other_answer_is_a_failure_and_tried_again, WebhookFixture) {
  struct Row {
    const char* response;
    const char* told;
  };
  constexpr Row kRows[] = {
      {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "answered 500"},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"},
      {"HTTP/1.1 301 Moved Permanently\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "answered 301"},
      {"HTTP/1.1 304 Not Modified\r\n\r\n", "answered 304"},
      {"nonsense\r\n\r\n", "malformed"},
      {"", "closed"},
  };
  start_at("127.0.0.1");
  std::size_t connections = 0;
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.told) {
      const std::string before = log();
      offer(1);
      const std::string ids = posted(connections);
      answer(connections, row.response);
      hook.peer(connections++).close();
      settle(loop);
      BOOST_TEST(log().find(row.told, before.size()) != std::string::npos, log());
      BOOST_TEST(count(log(), "answers POST with a 2xx status") == count(log(), "\n"));
      offer(1);
      advance(Millis{980});
      BOOST_TEST(hook.connections() == connections);
      advance(Millis{290});
      // What was posted before, and what has come since.
      BOOST_TEST(posted(connections) == ids + " " + std::to_string(offered));
      answer(connections++, kNoContent);
      advance(Seconds{61});
    }
  }
}

BOOST_FIXTURE_TEST_CASE(pauses_double_up_to_a_minute_and_begin_anew, WebhookFixture) {
  start_at("127.0.0.1");
  offer(1);
  std::size_t connections = 0;
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    BOOST_TEST_CONTEXT(seconds) {
      BOOST_TEST(posted(connections) == "1");
      answer(connections++, kUnavailable);
      advance(Seconds{seconds} - Millis{20});
      BOOST_TEST(hook.connections() == connections);
      advance(Millis{40 + 250 * seconds});
      pump_until(loop, "the next try", [&] { return hook.connections() == connections + 1; });
    }
  }
  BOOST_TEST(count(log(), "\n") <= 4U, log());
  BOOST_TEST(posted(connections) == "1");
  answer(connections++, kNoContent);
  offer(1);
  BOOST_TEST(posted(connections) == "2");
  answer(connections++, kUnavailable);
  advance(Millis{1270});
  BOOST_TEST(posted(connections) == "2");
}

BOOST_FIXTURE_TEST_CASE(a_webhook_that_refuses_connections_is_tried_again, WebhookFixture) {
  start({.webhook = "http://127.0.0.1:1/hook"});
  offer(1);
  BOOST_TEST(count(log(), "push.webhook http://127.0.0.1:1/hook: connect-refused; ") == 1U, log());
}

BOOST_FIXTURE_TEST_CASE(a_good_status_counts_whatever_becomes_of_the_body, WebhookFixture) {
  start_at("127.0.0.1");
  offer(1);
  BOOST_TEST(posted(0) == "1");
  answer(0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  advance(Millis{10'100});  // and no more of it
  offer(1);
  BOOST_TEST(posted(1) == "2");
  answer(1, "HTTP/1.1 200 OK\r\n\r\n" + std::string(70'000, 'x'));  // without an end
  offer(1);
  BOOST_TEST(posted(2) == "3");
  BOOST_TEST(log() == "");
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_trickles_has_an_end, WebhookFixture) {
  start_at("127.0.0.1");
  offer(1);
  BOOST_TEST(posted(0) == "1");
  for (int i = 0; i < 7; ++i) {
    answer(0, "HTTP/1.1 100 Continue\r\n\r\n");
    advance(Seconds{4});
  }
  BOOST_TEST(log() == "");
  answer(0, "HTTP/1.1 100 Continue\r\n\r\n");
  advance(Seconds{4});
  BOOST_TEST(count(log(), "no whole answer in time") + count(log(), "first-byte-timeout") == 1U, log());
}

BOOST_FIXTURE_TEST_CASE(a_name_is_resolved_and_again_when_its_answer_expires, WebhookFixture) {
  dns.a("hook.test", {"127.0.0.1"}, 20);
  start_at("hook.test");
  await_server();
  BOOST_TEST(dns.count("hook.test") == 0U);
  offer(1);
  BOOST_TEST(posted(0) == "1");
  BOOST_TEST(count(hook.peer(0).received(), "\r\nHost: hook.test:" + port() + "\r\n") == 1U);
  answer(0, kNoContent);
  const std::size_t asked = dns.count("hook.test");
  offer(1);
  BOOST_TEST(posted(1) == "2");
  answer(1, kNoContent);
  BOOST_TEST(dns.count("hook.test") == asked);
  advance(Millis{20'100});
  offer(1);
  BOOST_TEST(posted(2) == "3");
  answer(2, kNoContent);
  BOOST_TEST(dns.count("hook.test") > asked);
  // Where it was is good enough while it cannot be resolved.
  dns.fail("hook.test", behave::Dns::Fault::kServFail);
  advance(Millis{20'100});
  offer(1);
  BOOST_TEST(posted(3) == "4");
  BOOST_TEST(log() == "");
}

BOOST_FIXTURE_TEST_CASE(a_name_that_does_not_exist_is_asked_for_again, WebhookFixture) {
  dns.fail("hook.test", behave::Dns::Fault::kNxDomain);
  start_at("hook.test");
  offer(1);
  pump_until(loop, "a word in the log", [&] { return !log().empty(); });
  BOOST_TEST(count(log(), ": no such name; ") == 1U, log());
  dns.a("hook.test", {"127.0.0.1"}, 20);
  advance(Millis{1270});
  BOOST_TEST(posted(0) == "1");
}

BOOST_FIXTURE_TEST_CASE(a_webhook_that_has_moved_is_found_after_a_failure, WebhookFixture) {
  dns.a("hook.test", {"127.0.0.2"}, 60);  // nobody listens there
  start_at("hook.test");
  offer(1);
  pump_until(loop, "a word in the log", [&] { return !log().empty(); });
  dns.a("hook.test", {"127.0.0.1"}, 60);
  advance(Millis{1270});
  BOOST_TEST(posted(0) == "1");
}

BOOST_FIXTURE_TEST_CASE(targets_do_not_wait_for_each_other, WebhookFixture) {
  start({.file = path("events"), .webhook = "http://127.0.0.1:" + port() + "/"});
  offer(1);
  BOOST_TEST(posted(0) == "1");
  offer(2);
  BOOST_TEST(ids_of_lines(read_file(path("events"))) == "1 2 3");
  answer(0, kNoContent);
  BOOST_TEST(posted(1) == "2 3");
}

BOOST_FIXTURE_TEST_CASE(may_go_at_any_time, WebhookFixture) {
  dns.fail("hook.test", behave::Dns::Fault::kSilent);
  start_at("hook.test");
  offer(1);
  delivery.reset();
  settle(loop);
  start_at("127.0.0.1");
  posted(0);
  delivery.reset();
  settle(loop);
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
