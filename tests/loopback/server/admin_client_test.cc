// The client of the command line against scripted servers.
#include "server/admin_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <thread>

#include "support/behave/origin.h"
#include "support/behave/process.h"

namespace seawall::server {
namespace {

using behave::contains;
using behave::Exchange;
using behave::Gate;
using behave::Origin;
using behave::Reply;

AdminAddress address_of(const Origin& origin) {
  return {.host = "127.0.0.1", .port = origin.port(), .path = {}};
}

std::expected<AdminResponse, std::string> get(AdminClient& client, std::string_view target) {
  return client.request("GET", target, {}, "");
}

std::string body_of(const std::expected<AdminResponse, std::string>& response) {
  return response ? response->body : "error: " + response.error();
}

BOOST_AUTO_TEST_SUITE(server_admin_client)

BOOST_AUTO_TEST_CASE(requests_go_over_one_connection) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"X-A: b"}, .body = "hello"});
  origin.on("/post", [](Exchange& x) { x.respond({.status = 404, .body = "got " + x.read_body()}); });
  AdminClient client(address_of(origin));
  http::HeaderMap headers;
  headers.add("Content-Type", "text/plain");
  const auto first = get(client, "/a?q=1");
  BOOST_REQUIRE(first);
  BOOST_TEST(first->status == 200);
  BOOST_TEST(first->headers.find("x-a").value_or("") == "b");
  BOOST_TEST(first->body == "hello");
  const auto second = client.request("POST", "/post", headers, "some text");
  BOOST_REQUIRE(second);
  BOOST_TEST(second->status == 404);
  BOOST_TEST(second->body == "got some text");
  BOOST_TEST(body_of(client.request("POST", "/post", {}, "")) == "got ");
  BOOST_TEST(origin.connections() == 1U);
  BOOST_TEST(origin.seen("/a").target == "/a?q=1");
  BOOST_TEST(origin.seen("/a").headers.get("Host") == origin.authority());
  BOOST_TEST(!origin.seen("/a").headers.has("Content-Length"));
  BOOST_TEST(origin.seen("/post", 1).headers.get("Content-Type") == "text/plain");
  BOOST_TEST(origin.seen("/post", 2).headers.get("Content-Length") == "0");
}

BOOST_AUTO_TEST_CASE(answers_of_every_framing) {
  struct Row {
    const char* name;
    std::string bytes;
    std::string want = "hello";
    const char* method = "GET";
    bool closes = false;
    std::size_t connections = 1;  // for this answer and one more
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const Row rows[] = {
      {.name = "length", .bytes = ok + "Content-Length: 5\r\n\r\nhello"},
      {.name = "chunks", .bytes = ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n"},
      {.name = "until close", .bytes = ok + "\r\nhello", .closes = true, .connections = 2},
      {.name = "last on its connection",
       .bytes = ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello",
       .closes = true,
       .connections = 2},
      {.name = "HTTP/1.0", .bytes = "HTTP/1.0 200 OK\r\n\r\nhello", .closes = true, .connections = 2},
      {.name = "no content", .bytes = "HTTP/1.1 204 No Content\r\n\r\n", .want = ""},
      {.name = "HEAD", .bytes = ok + "Content-Length: 5\r\n\r\n", .want = "", .method = "HEAD"},
      {.name = "interim answers",
       .bytes = "HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 \r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello"},
      {.name = "more than was asked for",
       .bytes = ok + "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
       .connections = 2},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.on("/a", [&](Exchange& x) {
        x.send(row.bytes);
        if (row.closes) x.close();
      });
      origin.on("/b", Reply{.body = "b"});
      AdminClient client(address_of(origin));
      BOOST_TEST(body_of(client.request(row.method, "/a", {}, "")) == row.want);
      BOOST_TEST(body_of(get(client, "/b")) == "b");
      BOOST_TEST(origin.connections() == row.connections);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_answer_may_come_byte_by_byte) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    for (const char c :
         std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
      x.send({&c, 1});
  });
  AdminClient client(address_of(origin));
  BOOST_TEST(body_of(get(client, "/a")) == "hello");
  BOOST_TEST(body_of(get(client, "/a")) == "hello");
  BOOST_TEST(origin.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(a_kept_connection_that_ended_is_made_anew) {
  Origin origin;
  origin.script("/a", {behave::reply({.body = "1"}), [](Exchange& x) { x.close(); }, behave::reply({.body = "3"}),
                       behave::reply({.body = "4"})});
  AdminClient client(address_of(origin));
  BOOST_TEST(body_of(get(client, "/a")) == "1");
  // At the moment of reuse.
  BOOST_TEST(body_of(get(client, "/a")) == "3");
  BOOST_TEST(origin.connections() == 2U);
  // Between the requests.
  origin.drop_connections();
  BOOST_TEST(behave::until([&] { return origin.open_connections() == 0; }));
  BOOST_TEST(body_of(get(client, "/a")) == "4");
  BOOST_TEST(origin.connections() == 3U);
  BOOST_TEST(origin.count("/a") == 4U);
}

BOOST_AUTO_TEST_CASE(what_may_have_been_heard_on_a_new_connection_is_not_repeated) {
  struct Row {
    const char* name;
    std::size_t requests;  // that went well before
    std::string bytes;     // before the end
  };
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  const Row rows[] = {{"no answer on a new connection", 0, ""},
                      {"part of a head", 1, "HTTP/1.1 200"},
                      {"part of a body", 1, head + "hel"},
                      {"no last chunk", 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.on("/good", Reply{});
      origin.on("/a", [&](Exchange& x) {
        x.send(row.bytes);
        x.close();
      });
      AdminClient client(address_of(origin));
      for (std::size_t i = 0; i < row.requests; ++i) BOOST_TEST(get(client, "/good").has_value());
      const auto response = get(client, "/a");
      BOOST_REQUIRE(!response);
      BOOST_TEST(contains(response.error(), "closed the connection before the end of its answer"), response.error());
      BOOST_TEST(origin.count("/a") == 1U);
      // The client is as good as new.
      BOOST_TEST(get(client, "/good").has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(it_tries_a_new_connection_once) {
  Origin origin;
  origin.on("/good", Reply{});
  origin.on("/a", [](Exchange& x) { x.close(); });
  AdminClient client(address_of(origin));
  BOOST_TEST(get(client, "/good").has_value());
  BOOST_TEST(!get(client, "/a").has_value());
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(an_answer_before_the_request_is_read_is_heard) {
  Origin origin;
  const std::string large(std::size_t{8} << 20, 'x');
  origin.on("/a", [](Exchange& x) {
    x.respond({.status = 413, .headers = {"Connection: close"}, .body = "too large"});
    // What follows is thrown away until the client is done, so that no reset overtakes the answer.
    while (!x.read_raw(std::size_t{1} << 20).empty()) {
    }
  });
  AdminClient client(address_of(origin));
  const auto response = client.request("POST", "/a", {}, large);
  BOOST_REQUIRE(response);
  BOOST_TEST(response->status == 413);
  BOOST_TEST(response->body == "too large");
}

BOOST_AUTO_TEST_CASE(what_is_not_the_admin_interface_is_named) {
  struct Row {
    const char* name;
    std::string bytes;
    std::string want;
  };
  std::string interim;
  for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 103 \r\n\r\n";
  const Row rows[] = {
      {"another protocol", "SSH-2.0-OpenSSH\r\n\r\n", "malformed-start-line"},
      {"a broken head", "HTTP/1.1 200 OK\r\nbad line\r\n\r\n", "malformed-header"},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "bad-content-length"},
      {"a broken body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed-chunk"},
      {"a head without end", "HTTP/1.1 200 OK\r\nA: " + std::string(40'000, 'a'), "headers-too-large"},
      {"interim answers without end", interim, "interim answers without end"},
      {"a body without end", "HTTP/1.1 200 OK\r\n\r\n" + std::string(AdminClient::kMaxBodyBytes + 1, 'a'),
       "an answer without end"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.on("/a", [&](Exchange& x) {
        x.send(row.bytes);
        x.be_silent();
      });
      AdminClient client(address_of(origin));
      const auto response = get(client, "/a");
      BOOST_REQUIRE(!response);
      BOOST_TEST(response.error() == origin.authority() + " does not answer as the admin interface of seawall does: " +
                                         row.want + "; give --admin ADDR:PORT or unix:PATH");
    }
  }
}

BOOST_AUTO_TEST_CASE(waiting_has_an_end) {
  struct Row {
    const char* name;
    std::string bytes;
  };
  const Row rows[] = {{"no answer", ""}, {"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.on("/a", [&](Exchange& x) {
        x.send(row.bytes);
        x.be_silent();
      });
      AdminClient client(address_of(origin), Millis{50});
      const auto response = get(client, "/a");
      BOOST_REQUIRE(!response);
      BOOST_TEST(response.error() == origin.authority() +
                                         " gave no answer within 0.05 s; see the log of seawall, or give --admin "
                                         "ADDR:PORT or unix:PATH");
      BOOST_TEST(origin.count("/a") == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_is_not_there) {
  const behave::TemporaryDirectory directory;
  const std::string path = directory.path() + "/admin.sock";
  const std::string after = "; is seawall running? give --admin ADDR:PORT or unix:PATH";
  AdminClient no_socket({.host = {}, .port = 0, .path = path});
  BOOST_TEST(body_of(get(no_socket, "/")) ==
             "error: cannot reach the admin socket " + path + ": No such file or directory" + after);
  const std::uint16_t port = behave::unused_port();
  AdminClient no_listener({.host = "127.0.0.1", .port = port, .path = {}});
  BOOST_TEST(body_of(get(no_listener, "/")) == "error: cannot reach the admin interface 127.0.0.1:" +
                                                   std::to_string(port) + ": Connection refused" + after);
  AdminClient no_name({.host = "nobody.invalid", .port = 1, .path = {}});
  BOOST_TEST(contains(body_of(get(no_name, "/")), "cannot resolve \"nobody.invalid\""));
}

BOOST_AUTO_TEST_CASE(over_a_unix_socket) {
  const behave::TemporaryDirectory directory;
  const std::string path = directory.path() + "/admin.sock";
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  BOOST_REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  BOOST_REQUIRE(::listen(listener.get(), 4) == 0);
  std::string heads;
  std::thread server([&] {
    behave::Socket socket{Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC))};
    for (int i = 0; i < 2; ++i) {
      std::string head;
      while (!head.ends_with("\r\n\r\n") && socket.receive(head) == behave::Socket::Read::kBytes) {
      }
      heads += head;
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(i));
    }
  });
  AdminClient client({.host = {}, .port = 0, .path = path});
  std::string bodies = body_of(get(client, "/a"));
  bodies += body_of(get(client, "/b"));
  server.join();
  BOOST_TEST(bodies == "01");
  BOOST_TEST(heads == "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
