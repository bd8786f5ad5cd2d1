// An admin handler with a client in memory, over one origin and two routes; what the services need is real but for the
// network. Thread: one.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/admin_handler.h"
#include "base/rng.h"
#include "cache/store.h"
#include "fill/fill_table.h"
#include "http/body_pipe.h"
#include "http/uri.h"
#include "obs/access_log.h"
#include "origin/observer.h"
#include "support/fake_writer.h"
#include "support/manual_clock.h"
#include "support/pump_executor.h"

namespace seawall::admin {

class SilentObserver final : public origin::Observer {
 public:
  void on_failure(std::string_view, std::string_view, const Error&, std::string_view) override {}
  void on_breaker(std::string_view, std::string_view, origin::Breaker::State, Millis) override {}
  void on_health(std::string_view, std::string_view, bool, std::string_view) override {}
  void on_back_off(std::string_view, Millis) override {}
  void on_resolved(std::string_view, std::string_view, std::size_t, std::string_view) override {}
};

struct Ask {
  std::string method = "GET";
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string host = "127.0.0.1:9180";
};

inline http::RequestHead request_head(const Ask& ask) {
  http::RequestHead head;
  head.method = http::method_from_name(ask.method);
  head.method_name = ask.method;
  head.scheme = "http";
  head.authority = http::normalise_authority(ask.host, "http").value_or("");
  head.path = ask.path;
  for (const auto& [name, value] : ask.headers) head.headers.add(name, value);
  return head;
}

inline Ref<const proxy::Router> make_router(origin::Observer& observer) {
  origin::OriginOptions options;
  options.name = "shop";
  std::vector<proxy::Origin> origins;
  origins.push_back({.name = "shop",
                     .authority = "shop.test",
                     .state = std::make_shared<origin::OriginState>(options, observer, 1),
                     .fills = std::make_shared<fill::FillQueue>(
                         fill::FillScheduleOptions{}, [](MonoTime) { return std::nullopt; }, [] { return false; })});
  std::vector<proxy::Route> routes;
  for (const char* name : {"shop.test /api/*", "rest"}) {
    routes.push_back({.name = name,
                      .host = routes.empty() ? "shop.test" : "*",
                      .path = routes.empty() ? "/api/*" : "*",
                      .state = std::make_shared<proxy::RouteState>(name, static_cast<std::uint32_t>(routes.size()), 1,
                                                                   proxy::StormOptions{})});
  }
  return make_ref<const proxy::Router>(std::move(origins), std::move(routes), proxy::SessionOptions{});
}

struct Fixture {
  explicit Fixture(std::string client_ip = "127.0.0.1", std::size_t memory_bytes = std::size_t{16} << 20)
      : store({.memory_bytes = memory_bytes}), client{.ip = std::move(client_ip)}, handler(make_handler(writer)) {}

  std::unique_ptr<proxy::RequestHandler> make_handler(proxy::ResponseWriter& to) {
    return make_admin_handler(services, to, client, [this] {
      ++finished;
      on_finished();
    });
  }

  proxy::ConnectionLimits::Slot take_slot() { return std::move(*connections.try_take("192.0.2.1", 10, 0)); }

  void ask(const Ask& what) {
    writer.clear();
    handler->request() = request_head(what);
    handler->begin(nullptr);
  }
  // Begins a request whose body is yet to come through the pipe.
  Ref<http::BodyPipe> begin_upload(const Ask& what, std::optional<std::uint64_t> length = std::nullopt) {
    writer.clear();
    handler->request() = request_head(what);
    handler->request().framing = length ? http::BodyFraming::kLength : http::BodyFraming::kChunked;
    handler->request().content_length = length.value_or(0);
    auto pipe = make_ref<http::BodyPipe>(executor, std::size_t{128} * 1024);
    handler->begin(pipe);
    return pipe;
  }
  // A request and the whole of its body.
  void upload(const Ask& what, std::string_view body) {
    const auto pipe = begin_upload(what, body.size());
    send(*pipe, body);
    pipe->finish({});
    pump();
  }
  // As much as is taken.
  std::size_t send(http::BodyPipe& pipe, std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const std::size_t n = pipe.write(bytes.substr(sent));
      sent += n;
      pump();
      if (n == 0) break;
    }
    return sent;
  }
  void pump() {
    while (executor.run_one()) {
    }
  }
  nlohmann::json json() const { return nlohmann::json::parse(writer.body, nullptr, false); }
  // A problem document of this status that says so much.
  bool is_problem(std::uint16_t status, std::string_view text) const {
    const nlohmann::json document = json();
    return writer.status == status && writer.field("Content-Type") == "application/problem+json" &&
           document.is_object() && document.value("status", 0) == status && !document.value("title", "").empty() &&
           document.value("detail", "").find(text) != std::string::npos;
  }

  test::ManualClock clock;
  test::PumpExecutor executor{0, clock};
  SilentObserver observer;
  cache::Store store;
  fill::FillTable fills{{}, store};
  fill::MissEvents miss_events{{}};
  obs::AccessLog access_log{nullptr, obs::AccessFormat::kCombined};
  Rng rng{1};
  fill::RunningFills running;
  proxy::ConnectionLimits connections;
  const std::array<proxy::ConnectionLimits::Slot, 3> slots = {take_slot(), take_slot(), take_slot()};
  proxy::EdgeCounters edge;
  proxy::Context context{.executor = executor,
                         .store = store,
                         .fills = fills,
                         .miss_events = miss_events,
                         .access_log = access_log,
                         .rng = rng,
                         .router = make_router(observer),
                         .upstreams = {},
                         .running = running,
                         .connections = connections,
                         .edge = edge};
  Services services{context};
  int finished = 0;
  std::function<void()> on_finished = [] {};
  test::FakeWriter writer;
  const proxy::ClientInfo client;
  std::unique_ptr<proxy::RequestHandler> handler;
};

}  // namespace seawall::admin
