// Four real loops on four threads that share a store and a table, an origin in memory on each, and clients that ask,
// are slow and leave. Its point is the thread sanitizer; the answers are checked as well. The clock moves with the
// requests.
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "http/range.h"
#include "loopback/proxy/harness.h"
#include "net/loop.h"

namespace seawall::test {
namespace {

constexpr std::uint32_t kThreads = 4;
constexpr int kRequestsEach = 4000;
constexpr std::size_t kClientsEach = 10;
constexpr std::size_t kMemory = std::size_t{1} << 20;
constexpr std::uint64_t kPaths = 5;

class SharedClock final : public Clock {
 public:
  WallTime wall_now() const override { return WallTime::from_unix_seconds(1'700'000'000) + Millis{now_ms_.load()}; }
  MonoTime mono_now() const override { return MonoTime{1'000'000 + now_ms_.load() * 1000}; }
  void advance(Millis by) { now_ms_.fetch_add(by.count()); }

 private:
  std::atomic<std::int64_t> now_ms_{0};
};

// "path x size seed\n" and bytes that follow from the seed.
std::string make_body(std::string_view path, std::string_view x, std::uint64_t seed) {
  std::string bytes(path);
  bytes += ' ';
  bytes += x;
  bytes += ' ';
  bytes += std::to_string(seed) + "\n";
  Rng rng(seed);
  const std::size_t size = seed % 12 == 0 ? 300'000 : 100 + seed % 9000;
  while (bytes.size() < size) bytes += std::to_string(rng.next());
  return bytes;
}

// `bytes` are from the beginning of it.
bool is_body_of(std::string_view bytes, std::string_view path, std::string_view x, bool is_whole) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return !is_whole;
  const std::string_view first = bytes.substr(0, end);
  const std::string begin = std::string(path) + " " + std::string(x) + " ";
  if (!first.starts_with(begin)) return false;
  const std::string expected = make_body(path, x, std::stoull(std::string(first.substr(begin.size()))));
  return is_whole ? bytes == expected : std::string_view(expected).starts_with(bytes);
}

// Answers by itself, one event a turn.
class AutoUpstream final : public fill::Upstream {
 public:
  AutoUpstream(net::Loop& loop, std::uint64_t seed) : loop_(loop), rng_(seed) {}

  std::unique_ptr<http::Exchange> start(http::OutgoingRequest request, http::ExchangeSink& sink) override {
    auto state =
        std::make_shared<State>(State{.request = std::move(request), .sink = &sink, .asked_at = loop_.wall_now()});
    auto exchange = std::make_unique<AutoExchange>(*this, state);
    post(state);
    return exchange;
  }

 private:
  struct State {
    http::OutgoingRequest request;
    http::ExchangeSink* sink;
    WallTime asked_at;
    std::string body = {};
    std::size_t sent = 0;
    bool has_head = false;
    bool is_paused = false;
  };

  class AutoExchange final : public http::Exchange {
   public:
    AutoExchange(AutoUpstream& upstream, std::shared_ptr<State> state)
        : upstream_(upstream), state_(std::move(state)) {}
    ~AutoExchange() override { state_->sink = nullptr; }
    void pause() override { state_->is_paused = true; }
    void resume() override {
      state_->is_paused = false;
      upstream_.post(state_);
    }

   private:
    AutoUpstream& upstream_;
    std::shared_ptr<State> state_;
  };

  void post(const std::shared_ptr<State>& state) {
    loop_.post([this, state] {
      if (state->sink && !state->is_paused) step(state);
    });
  }

  void step(const std::shared_ptr<State>& state) {
    http::ExchangeSink& sink = *state->sink;
    if (rng_.below(100) < 1) {
      state->sink = nullptr;
      return sink.on_error({ErrorCode::kPeerReset, Side::kOrigin});
    }
    if (!state->has_head) {
      state->has_head = true;
      post(state);
      return send_head(*state);
    }
    if (state->sent == state->body.size()) {
      state->sink = nullptr;
      return sink.on_complete({});
    }
    const std::size_t n = std::min<std::size_t>(state->body.size() - state->sent, 1 + rng_.below(30'000));
    state->sent += n;
    post(state);
    sink.on_body(std::string_view(state->body).substr(state->sent - n, n));
  }

  void send_head(State& state) {
    const std::string x(state.request.headers.find("X").value_or("none"));
    const std::string etag = "\"" + x + "\"";
    http::ResponseHead head;
    head.status = 200;
    head.framing = http::BodyFraming::kChunked;
    head.headers.add("Vary", "X");
    if (state.request.method == http::Method::kPost) {
      head.status = 204;
      head.framing = http::BodyFraming::kNone;
    } else if (rng_.below(20) == 0) {
      head.status = 503;
    } else if (state.request.headers.contains("If-None-Match") && rng_.below(2) == 0) {
      head.status = 304;
      head.framing = http::BodyFraming::kNone;
      head.headers.add("ETag", etag);
      head.headers.add("Cache-Control", "max-age=2");
    } else {
      head.headers.add("ETag", etag);
      head.headers.add("Cache-Control", rng_.below(10) == 0  ? "no-store"
                                        : rng_.below(3) == 0 ? "max-age=1, stale-while-revalidate=5"
                                                             : "max-age=2");
      // Parts are of something that stays the same.
      const bool is_steady = state.request.target < "/3";
      const std::uint64_t seed = is_steady ? 5000U + static_cast<unsigned char>(x.front()) : rng_.next();
      state.body = make_body(state.request.target, x, seed);
      const auto range = state.request.headers.find(http::Field::kRange);
      if (is_steady && range && rng_.below(3) > 0) {
        const http::ByteRange part = http::resolve(*http::parse_range(*range), state.body.size()).at(0);
        head.status = 206;
        head.headers.add("Content-Range", http::format_content_range(part, state.body.size()));
        state.body = state.body.substr(part.first, part.size());
      }
    }
    state.sink->on_head(std::move(head), state.asked_at, loop_.wall_now());
  }

  net::Loop& loop_;
  Rng rng_;
};

struct Totals {
  std::atomic<int> answers{0};
  std::atomic<int> hits{0};
  std::atomic<int> collapsed{0};
  std::atomic<int> partial{0};
  std::atomic<int> cut{0};
  std::atomic<int> left{0};
  std::atomic<std::uint32_t> workers_done{0};
  Mutex mutex;
  std::vector<std::string> wrong SW_GUARDED_BY(mutex);
};

struct Rig {
  explicit Rig(SharedClock& moving) : clock(moving) {}

  SharedClock& clock;
  cache::Store store{{.memory_bytes = kMemory}};
  fill::FillTable fills{
      {.waiters_per_object = 10, .waiters_total = 25, .hit_for_miss = Seconds{1}, .window_bytes = 32 * 1024}, store};
  fill::MissEvents miss_events{{}};
  Guards guards{{}, kThreads, clock.mono_now()};
  proxy::ConnectionLimits connections;
  proxy::EdgeCounters edge;
  Totals totals;
};

class ThreadedWorker {
 public:
  ThreadedWorker(Rig& rig, std::uint32_t id)
      : rig_(rig),
        loop_(id, rig.clock),
        rng_(id + 100),
        log_(nullptr, obs::AccessFormat::kCombined),
        upstream_(loop_, id + 200),
        context_{.executor = loop_,
                 .workers = kThreads,
                 .store = rig.store,
                 .fills = rig.fills,
                 .miss_events = rig.miss_events,
                 .access_log = log_,
                 .rng = rng_,
                 .router = rig.guards.make_router({"one"}, 0),
                 .upstreams = {&upstream_},
                 .running = running_,
                 .connections = rig.connections,
                 .edge = rig.edge} {}

  void run() {
    const bool is_home = loop_.worker_id() == 0;
    loop_.post([this, is_home] {
      if (is_home) rig_.guards.queue->start(loop_, false);
      for (std::size_t i = 0; i < kClientsEach; ++i) {
        clients_.push_back(std::make_unique<Client>(context_));
        asks_.emplace_back();
        clients_[i]->on_finished = [this, i] {
          check(i);
          loop_.post([this, i] { next(i); });
        };
        next(i);
      }
    });
    loop_.run();
    if (is_home) rig_.guards.queue->stop();
    clients_.clear();
    running_.cancel_all();
  }
  void stop() { loop_.stop(); }

 private:
  void next(std::size_t i) {
    if (begun_ == kRequestsEach) {
      if (++idle_ == kClientsEach) {
        rig_.totals.workers_done.fetch_add(1);
        rig_.totals.workers_done.notify_all();
      }
      return;
    }
    ++begun_;
    rig_.clock.advance(Millis{5});
    Ask ask{.path = "/" + std::to_string(rng_.below(kPaths))};
    if (rng_.below(2) == 0) ask.headers.emplace_back("X", std::to_string(rng_.below(2)));
    if (rng_.below(40) == 0) ask.method = "POST";
    if (rng_.below(40) == 0) ask.method = "HEAD";
    if (rng_.below(6) == 0 && ask.method == "GET") {
      ask.headers.emplace_back("Range", "bytes=0-" + std::to_string(rng_.below(9000)));
    }
    asks_[i] = ask;
    Client& client = *clients_[i];
    if (rng_.below(10) == 0) client.writer.stop_reading();
    later(i, client.finished, 1 + rng_.below(20), rng_.below(25) == 0);
    client.ask(ask);
  }

  // After some turns the client reads on, or leaves.
  void later(std::size_t i, int finished, std::uint64_t turns, bool leaves) {
    loop_.post([this, i, finished, turns, leaves] {
      Client& client = *clients_[i];
      if (client.finished != finished) return;
      if (turns > 0) return later(i, finished, turns - 1, leaves);
      if (leaves) {
        rig_.totals.left.fetch_add(1);
        asks_[i].path.clear();  // nothing to check
        return client.leave();
      }
      client.writer.resume_reading();
      client.on_writable();
    });
  }

  void check(std::size_t i) {
    FakeWriter& writer = clients_[i]->writer;
    writer.resume_reading();
    if (asks_[i].path.empty()) return;
    Totals& totals = rig_.totals;
    totals.answers.fetch_add(1);
    totals.hits.fetch_add(writer.is_hit() ? 1 : 0);
    totals.collapsed.fetch_add(writer.is_collapsed() ? 1 : 0);
    totals.cut.fetch_add(writer.is_aborted ? 1 : 0);
    const Lines& headers = asks_[i].headers;
    const std::string x = headers.empty() || headers.front().first != "X" ? "none" : headers.front().second;
    bool is_right = writer.protocol_errors == 0 && writer.has_ended();
    if (writer.status == 200 && asks_[i].method == "GET") {
      is_right = is_right && is_body_of(writer.body, asks_[i].path, x, !writer.is_aborted);
    } else if (writer.status == 206) {
      is_right = is_right && is_body_of(writer.body, asks_[i].path, x, false);
      totals.partial.fetch_add(1);
    } else {
      is_right =
          is_right && (writer.status == 200 || writer.status == 204 || writer.status == 502 || writer.status == 503);
    }
    if (is_right) return;
    MutexLock lock(totals.mutex);
    totals.wrong.push_back(asks_[i].method + " " + asks_[i].path + " X: " + x + " got " +
                           std::to_string(writer.status) + " " + writer.body.substr(0, 40));
  }

  Rig& rig_;
  net::Loop loop_;
  Rng rng_;
  obs::AccessLog log_;
  fill::RunningFills running_;
  AutoUpstream upstream_;
  proxy::Context context_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Ask> asks_;
  int begun_ = 0;
  std::size_t idle_ = 0;
};

BOOST_AUTO_TEST_SUITE(loopback_threads)

BOOST_AUTO_TEST_CASE(four_workers_share_store_and_fetches) {
  SharedClock clock;
  Rig rig(clock);
  {
    std::vector<std::unique_ptr<ThreadedWorker>> workers;
    for (std::uint32_t id = 0; id < kThreads; ++id) workers.push_back(std::make_unique<ThreadedWorker>(rig, id));
    std::vector<std::jthread> threads;
    for (auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
    Totals& totals = rig.totals;
    for (std::uint32_t done = 0; done < kThreads; done = totals.workers_done.load()) totals.workers_done.wait(done);
    for (auto& worker : workers) worker->stop();
    threads.clear();
  }
  Totals& totals = rig.totals;
  {
    MutexLock lock(totals.mutex);
    for (const std::string& line : totals.wrong) BOOST_ERROR(line);
  }
  BOOST_TEST_MESSAGE(totals.answers << " answers, " << totals.hits << " hits, " << totals.collapsed << " collapsed, "
                                    << totals.partial << " partial, " << totals.cut << " cut, " << totals.left
                                    << " left");
  BOOST_TEST(totals.answers + totals.left == kRequestsEach * static_cast<int>(kThreads));
  BOOST_TEST(totals.collapsed > 10);
  BOOST_TEST(rig.fills.waiting() == 0U);
  BOOST_TEST(rig.fills.fills_in_flight() == 0U);
  for (std::uint64_t i = 0; i < kPaths; ++i) {
    std::string key;
    policy::append_key(key, "http", "example.com", "/" + std::to_string(i));
    rig.store.erase_key(key, policy::hash_key(key));
  }
  const cache::StoreStats stats = rig.store.stats();
  BOOST_TEST(stats.objects == 0U);
  BOOST_TEST(stats.budget_used_bytes < 64U * 1024);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
