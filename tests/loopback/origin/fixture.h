// A ServerClient over real TCP, with its scripted origin in the same loop and a clock that the test moves.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "net/loop.h"
#include "origin/server_client.h"
#include "support/fd_count.h"
#include "support/manual_clock.h"
#include "support/pump.h"
#include "support/scripted_origin.h"

namespace seawall::test {

// Records what comes; `hook` runs in every call with the call's name and may drop the exchange.
class RecordingSink final : public http::ExchangeSink {
 public:
  std::unique_ptr<http::Exchange> exchange;
  std::function<void(std::string_view call)> hook = [](std::string_view) {};

  std::vector<std::uint16_t> informational;
  std::optional<http::ResponseHead> head;
  WallTime request_time;
  WallTime response_time;
  std::string body;
  std::size_t largest_piece = 0;
  http::HeaderMap trailers;
  bool is_complete = false;
  std::unique_ptr<ByteStream> upgraded;
  std::string early_bytes;
  std::optional<Error> error;
  int calls_after_end = 0;

  bool is_ended() const { return is_complete || error || upgraded; }

  void on_informational(http::ResponseHead h) override {
    note_call();
    informational.push_back(h.status);
    hook("informational");
  }
  void on_head(http::ResponseHead h, WallTime asked, WallTime answered) override {
    note_call();
    head = std::move(h);
    request_time = asked;
    response_time = answered;
    hook("head");
  }
  void on_body(std::string_view payload) override {
    note_call();
    body.append(payload);
    largest_piece = std::max(largest_piece, payload.size());
    hook("body");
  }
  void on_complete(const http::HeaderMap& fields) override {
    note_call();
    is_complete = true;
    trailers = fields;
    hook("complete");
  }
  void on_upgraded(http::ResponseHead h, std::unique_ptr<ByteStream> connection, std::string early) override {
    note_call();
    head = std::move(h);
    upgraded = std::move(connection);
    early_bytes = std::move(early);
    hook("upgraded");
  }
  void on_error(Error e) override {
    note_call();
    error = e;
    hook("error");
  }

 private:
  void note_call() { calls_after_end += is_ended(); }
};

inline http::OutgoingRequest request(std::string_view method, std::string_view target = "/") {
  http::OutgoingRequest r;
  r.method = http::method_from_name(method);
  r.method_name = method;
  r.target = target;
  r.headers.add(http::Field::kHost, "origin.test");
  return r;
}

struct OriginFixture {
  FdCount fds;
  ManualClock clock;
  net::Loop loop{0, clock};
  ScriptedOrigin origin{loop};
  std::optional<origin::ServerClient> client;

  OriginFixture() { make_client({}); }

  void make_client(origin::ServerOptions options) {
    if (options.addresses.empty()) options.addresses = {origin.address()};
    client.emplace(loop, std::move(options));
  }

  std::unique_ptr<RecordingSink> start(http::OutgoingRequest r) {
    auto sink = std::make_unique<RecordingSink>();
    sink->exchange = client->start(std::move(r), *sink);
    BOOST_TEST(!sink->is_ended());  // never inside start()
    return sink;
  }
  void await_end(const RecordingSink& sink) {
    pump_until(loop, "the end of an exchange", [&] { return sink.is_ended(); });
    settle(loop);
    BOOST_TEST(sink.calls_after_end == 0);
  }
  // A whole GET over the i-th connection, answered with `response`.
  std::unique_ptr<RecordingSink> get(std::size_t i, std::string_view response) {
    auto sink = start(request("GET"));
    auto& peer = origin.await(i, "\r\n\r\n");
    peer.take_received();
    peer.send(response);
    await_end(*sink);
    return sink;
  }
  void advance(Millis by) {
    clock.advance(by);
    settle(loop);
  }
};

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace seawall::test
