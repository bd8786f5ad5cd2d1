// Transactions, fills and one store on several workers, all on one thread and a clock that the test moves; the origin
// and the clients are in memory. Its end checks that nothing is left behind: no fetch, no waiter, no byte of the
// budget.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "cache/store.h"
#include "fill/fill_table.h"
#include "http/body_pipe.h"
#include "policy/key.h"
#include "proxy/context.h"
#include "proxy/transaction.h"
#include "support/fake_upstream.h"
#include "support/fake_writer.h"
#include "support/fd_count.h"
#include "support/guards.h"
#include "support/manual_clock.h"
#include "support/pump_executor.h"

namespace seawall::test {

struct Ask {
  std::string path = "/a";
  Lines headers = {};
  std::string method = "GET";
  std::uint32_t worker = 0;
  http::Version version = http::Version::kHttp11;
  bool wants_upgrade = false;
};

inline http::RequestHead request_head(const Ask& ask) {
  http::RequestHead head;
  head.method = http::method_from_name(ask.method);
  head.method_name = ask.method;
  head.scheme = "http";
  head.authority = "example.com";
  head.path = ask.path;
  head.version = ask.version;
  head.headers = header_map(ask.headers);
  head.headers.add(http::Field::kHost, "example.com");
  head.wants_upgrade = ask.wants_upgrade;
  return head;
}

class Client {
 public:
  explicit Client(proxy::Context& context)
      : transaction_(context, writer, info_, [this] {
          ++finished;
          on_finished();
        }) {}

  FakeWriter writer;
  int finished = 0;
  std::function<void()> on_finished = [] {};

  void ask(const Ask& what, Ref<http::BodyPipe> body = nullptr) {
    writer.clear();
    transaction_.request() = request_head(what);
    if (body) transaction_.request().framing = http::BodyFraming::kChunked;
    transaction_.begin(std::move(body));
  }
  void refuse(Error error) {
    transaction_.request().clear();
    transaction_.begin_refused(error);
  }
  bool is_active() const { return transaction_.is_active(); }
  void on_writable() { transaction_.on_writable(); }
  void leave() { transaction_.on_client_gone(); }

 private:
  const proxy::ClientInfo info_{.ip = "192.0.2.1"};
  proxy::Transaction transaction_;
};

struct HarnessOptions {
  std::uint32_t workers = 2;
  std::size_t memory_bytes = std::size_t{16} << 20;
  double max_object_share = 0.1;
  fill::FillOptions fill = {};
  GuardOptions guards = {};
  fill::MissEventOptions events = {};
};

class Harness {
 public:
  explicit Harness(HarnessOptions options = {})
      : options_(std::move(options)),
        store({.memory_bytes = options_.memory_bytes, .max_object_share = options_.max_object_share}),
        fills(options_.fill, store),
        miss_events(options_.events),
        guards(options_.guards, options_.workers, clock.mono_now()),
        upstream(clock) {
    for (std::uint32_t w = 0; w < options_.workers; ++w) workers_.push_back(std::make_unique<Worker>(*this, w));
    guards.queue->start(workers_.front()->executor, false);
  }
  ~Harness() {
    clients_.clear();
    settle();
    guards.queue->stop();
    for (auto& worker : workers_) worker->running.cancel_all();
    settle();
    BOOST_CHECK_EQUAL(fills.waiting(), 0U);
    BOOST_CHECK_EQUAL(fills.fills_in_flight(), 0U);
    BOOST_CHECK_EQUAL(upstream.open_calls(), 0U);
    for (const std::string& key : keys_) store.erase_key(key, policy::hash_key(key));
    const cache::StoreStats stats = store.stats();
    BOOST_CHECK_EQUAL(stats.objects, 0U);
    BOOST_CHECK_EQUAL(stats.stored_bytes, 0U);
    // What is left are the empty tables of the index, and ghosts where something was evicted.
    BOOST_CHECK_LE(stats.budget_used_bytes, stats.evictions == 0 ? kEmptyTables : kEmptyTables + kGhosts);
  }

  ManualClock clock;

 private:
  static constexpr std::size_t kEmptyTables = 8 * 1024;
  static constexpr std::size_t kGhosts = 64 * 1024;
  HarnessOptions options_;

 public:
  cache::Store store;
  fill::FillTable fills;
  fill::MissEvents miss_events;
  Guards guards;
  FakeUpstream upstream;

  Client& client(std::uint32_t worker = 0) {
    clients_.push_back(std::make_unique<Client>(workers_[worker]->context));
    return *clients_.back();
  }
  // A new client that asks; what follows from it alone has happened.
  Client& ask(const Ask& what = {}, Ref<http::BodyPipe> body = nullptr) {
    Client& asking = client(what.worker);
    repeat(asking, what, std::move(body));
    return asking;
  }
  void repeat(Client& asking, const Ask& what, Ref<http::BodyPipe> body = nullptr) {
    remember(what.path);
    asking.ask(what, std::move(body));
    settle();
  }
  // What is stored for it goes at the end.
  void remember(std::string_view path) {
    std::string key;
    policy::append_key(key, "http", "example.com", path);
    if (std::ranges::find(keys_, key) == keys_.end()) keys_.push_back(std::move(key));
  }
  // Has the answer put into the store and checks that it is there.
  void store_object(const Lines& response, std::string_view body, const Ask& what = {}) {
    Client& asking = ask(what);
    upstream.last().respond(200, response, body);
    settle();
    BOOST_REQUIRE(asking.writer.is_answer(200, body));
    BOOST_REQUIRE(is_stored(what.path));
  }
  void forget(const Client& gone) {
    std::erase_if(clients_, [&](const auto& client) { return client.get() == &gone; });
  }

  PumpExecutor& executor(std::uint32_t worker = 0) { return workers_[worker]->executor; }
  proxy::Context& context(std::uint32_t worker = 0) { return workers_[worker]->context; }
  fill::RunningFills& running(std::uint32_t worker = 0) { return workers_[worker]->running; }
  std::uint32_t workers() const { return options_.workers; }

  void settle() {
    for (bool progress = true; progress;) {
      progress = false;
      for (auto& worker : workers_) progress = worker->executor.run_one() || progress;
    }
  }
  void advance(Millis by) {
    clock.advance(by);
    for (auto& worker : workers_) worker->executor.run_timers();
    settle();
  }

  bool is_stored(std::string_view path = "/a") const { return !variants(path).empty(); }
  std::vector<Ref<cache::Object>> variants(std::string_view path = "/a") const {
    std::string key;
    policy::append_key(key, "http", "example.com", path);
    return store.peek_all(key, policy::hash_key(key));
  }

 private:
  struct Worker {
    Worker(Harness& harness, std::uint32_t id)
        : executor(id, harness.clock),
          log(nullptr, obs::AccessFormat::kCombined),
          rng(id + 1),
          context{.executor = executor,
                  .workers = harness.options_.workers,
                  .store = harness.store,
                  .fills = harness.fills,
                  .miss_events = harness.miss_events,
                  .access_log = log,
                  .rng = rng,
                  .router = harness.guards.make_router({"one"}, 0),
                  .upstreams = {&harness.upstream},
                  .running = running,
                  .connections = harness.connections_,
                  .edge = harness.edge_} {}
    PumpExecutor executor;
    obs::AccessLog log;
    Rng rng;
    fill::RunningFills running;
    proxy::Context context;
  };

  proxy::ConnectionLimits connections_;
  proxy::EdgeCounters edge_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::string> keys_;
};

}  // namespace seawall::test
