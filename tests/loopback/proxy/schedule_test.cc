// Many requests on several workers against an origin that does anything at any time, in an order drawn from a seed.
// Whatever the order, an answer is one of the origin's bodies for that key and variant, whole or visibly cut; a body
// that is not for all goes to one client; and nothing is left behind.
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "http/list_syntax.h"
#include "http/range.h"
#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

constexpr std::uint32_t kWorkers = 3;
constexpr std::size_t kMemory = std::size_t{1} << 20;
constexpr std::size_t kMaxClients = 12;
constexpr std::size_t kKeys = 4;

struct Body {
  std::string bytes;
  std::string path;
  std::string variant;  // what the request for it had in X
  std::string etag;
};

class Schedule {
 public:
  explicit Schedule(std::uint64_t seed)
      : rng_(seed),
        harness_({.workers = kWorkers,
                  .memory_bytes = kMemory,
                  .fill = {.waiters_per_object = 4,
                           .waiters_total = 6,
                           .waiter_deadline = Seconds{5},
                           .hit_for_miss = Seconds{10},
                           .window_bytes = 32 * 1024}}) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    finish();
  }

  std::size_t answers() const { return answers_; }
  std::size_t cut() const { return cut_; }
  std::size_t failed() const { return failed_; }
  std::size_t hits() const { return hits_; }
  std::size_t collapsed() const { return collapsed_; }
  std::size_t partial() const { return partial_; }

 private:
  struct Asker {
    Client* client;
    Ask ask;
    int finished = 0;
  };
  // What the origin is doing for one exchange.
  struct Reply {
    std::string bytes;
    std::size_t sent = 0;
    bool has_head = false;
  };

  bool chance(std::uint64_t of_hundred) { return rng_.below(100) < of_hundred; }

  void step() {
    switch (rng_.below(16)) {
      case 0:
      case 1: begin(); break;
      case 2:
      case 3:
      case 4:
      case 5: answer(); break;
      case 6: {
        if (chance(10)) leave();
        break;
      }
      case 7: {
        if (chance(20)) harness_.advance_without_settling(Millis{static_cast<std::int64_t>(rng_.below(4000))});
        break;
      }
      case 8: read_some(); break;
      case 9: {
        if (chance(5)) harness_.running(static_cast<std::uint32_t>(rng_.below(kWorkers))).cancel_all();
        break;
      }
      default: harness_.executor(static_cast<std::uint32_t>(rng_.below(kWorkers))).run_one(); break;
    }
    check_answers();
  }

  void begin() {
    if (askers_.size() >= kMaxClients) return;
    Ask ask;
    ask.path = "/" + std::to_string(rng_.below(kKeys));
    ask.worker = static_cast<std::uint32_t>(rng_.below(kWorkers));
    if (chance(50)) ask.headers.emplace_back("X", std::to_string(rng_.below(2)));
    if (chance(5)) ask.headers.emplace_back("Authorization", "Basic x");
    if (chance(5)) ask.headers.emplace_back("Cache-Control", chance(50) ? "no-cache" : "max-stale=5");
    if (chance(15)) {
      const std::uint64_t first = rng_.below(3000);
      ask.headers.emplace_back("Range", "bytes=" + std::to_string(first) + "-" +
                                            (chance(50) ? std::to_string(first + rng_.below(9000)) : ""));
      if (chance(10)) ask.headers.emplace_back("If-Range", "\"none\"");
    } else if (chance(8)) {
      ask.method = "HEAD";
    } else if (chance(6)) {
      ask.method = "POST";
    }
    harness_.remember(ask.path);
    Client& client = harness_.client(ask.worker);
    if (chance(20)) client.writer.stop_reading();
    askers_.push_back({.client = &client, .ask = ask});
    client.ask(ask);
  }

  FakeUpstream::Call* random_open_call() {
    std::vector<std::size_t> open;
    for (std::size_t i = first_open_; i < harness_.upstream.calls(); ++i) {
      if (harness_.upstream.call(i).is_open()) open.push_back(i);
    }
    if (open.empty()) {
      first_open_ = harness_.upstream.calls();
      return nullptr;
    }
    first_open_ = open.front();
    return &harness_.upstream.call(open[rng_.below(open.size())]);
  }

  void answer() {
    FakeUpstream::Call* call = random_open_call();
    if (!call) return;
    Reply& reply = replies_[call];
    if (chance(2)) return call->fail();
    if (!reply.has_head) {
      reply.has_head = true;
      return send_head(*call, reply);
    }
    if (call->is_paused()) return;
    if (reply.sent == reply.bytes.size()) return call->complete();
    const std::size_t n = std::min<std::size_t>(reply.bytes.size() - reply.sent, 1 + rng_.below(20'000));
    reply.sent += n;
    call->body(std::string_view(reply.bytes).substr(reply.sent - n, n));
  }

  // The resource is what it is until it changes, now and then.
  void send_head(FakeUpstream::Call& call, Reply& reply) {
    const std::string& path = call.request().target;
    const std::string x(call.field("X").value_or("none"));
    if (call.request().method == http::Method::kPost) {
      versions_[path]++;
      return call.head(204, {});
    }
    if (chance(5)) {
      reply.bytes = "broken";
      return call.head(chance(50) ? 503 : 500, {{"Cache-Control", "max-age=3"}});
    }
    if (chance(10)) versions_[path]++;
    const bool is_private = path == "/3" && chance(50);
    const Body& body = is_private ? make_body(path, x) : current(path, x);
    const std::string etag = body.etag;
    Lines lines = {{"Vary", "X"}};
    lines.emplace_back("Cache-Control", is_private   ? (chance(50) ? "private" : "no-store")
                                        : chance(10) ? "no-cache"
                                        : chance(20) ? "max-age=2, stale-while-revalidate=20"
                                                     : "max-age=5");
    if (is_private) private_.insert(body.bytes);
    if (chance(80)) lines.emplace_back("ETag", etag);
    if (call.request().method != http::Method::kHead && !is_private) {
      if (const auto condition = call.field("If-None-Match");
          condition && condition->find(etag) != std::string_view::npos) {
        return call.head(304, {{"ETag", etag}, {"Cache-Control", "max-age=5"}, {"Vary", "X"}});
      }
    }
    reply.bytes = body.bytes;
    std::uint16_t status = 200;
    if (const auto range = call.field("Range"); range && chance(80)) {
      const auto if_range = call.field("If-Range");
      const auto specs = http::parse_range(*range);
      const auto ranges = specs ? http::resolve(*specs, body.bytes.size()) : std::vector<http::ByteRange>();
      if (ranges.size() == 1 && (!if_range || *if_range == etag)) {
        status = 206;
        lines.emplace_back("Content-Range", http::format_content_range(ranges[0], body.bytes.size()));
        reply.bytes = body.bytes.substr(ranges[0].first, ranges[0].size());
      }
    }
    if (chance(50)) lines.emplace_back("Content-Length", std::to_string(reply.bytes.size()));
    if (call.request().method == http::Method::kHead) reply.bytes.clear();
    call.head(status, lines);
  }

  const Body& current(const std::string& path, const std::string& x) {
    const std::string id = path + " " + x + " " + std::to_string(versions_[path]);
    const auto at = current_.find(id);
    if (at != current_.end()) return bodies_[at->second];
    current_[id] = bodies_.size();
    return make_body(path, x);
  }

  const Body& make_body(const std::string& path, const std::string& x) {
    const std::size_t size = chance(10) ? 200'000 + rng_.below(100'000) : 1 + rng_.below(20'000);
    std::string bytes = path + " " + x + " " + std::to_string(bodies_.size()) + "\n";
    while (bytes.size() < size) bytes += std::to_string(rng_.next());
    bodies_.push_back(
        {.bytes = bytes, .path = path, .variant = x, .etag = "\"" + std::to_string(bodies_.size()) + "\""});
    return bodies_.back();
  }

  void leave() {
    if (askers_.empty()) return;
    const std::size_t i = rng_.below(askers_.size());
    if (chance(50)) {
      askers_[i].client->leave();
    }
    harness_.forget(*askers_[i].client);
    askers_.erase(askers_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void read_some() {
    if (askers_.empty()) return;
    Client& client = *askers_[rng_.below(askers_.size())].client;
    client.writer.take(rng_.below(300'000));
    client.on_writable();
  }

  void check_answers() {
    for (std::size_t i = 0; i < askers_.size();) {
      Client& client = *askers_[i].client;
      if (client.finished == 0) {
        ++i;
        continue;
      }
      client.writer.resume_reading();
      check(askers_[i]);
      harness_.forget(client);
      askers_.erase(askers_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  void check(const Asker& asker) {
    const FakeWriter& writer = asker.client->writer;
    BOOST_TEST(asker.client->finished == 1);
    BOOST_TEST(writer.protocol_errors == 0);
    BOOST_TEST(writer.has_ended());
    ++answers_;
    hits_ += writer.is_hit() ? 1U : 0U;
    collapsed_ += writer.is_collapsed() ? 1U : 0U;
    cut_ += writer.is_aborted ? 1U : 0U;
    if (writer.status >= 400) {
      ++failed_;
      BOOST_TEST((writer.status == 500 || writer.status == 502 || writer.status == 503 || writer.status == 504 ||
                  writer.status == 416));
      return;
    }
    if (asker.ask.method != "GET") {
      BOOST_TEST(writer.body.empty());
      return;
    }
    std::string x = "none";
    for (const auto& [name, value] : asker.ask.headers) {
      if (name == "X") x = value;
    }
    std::optional<http::ContentRange> range;
    if (writer.status == 206) {
      ++partial_;
      range = http::parse_content_range(writer.field("Content-Range"));
      BOOST_REQUIRE((range && range->range && range->complete_length));
    } else {
      BOOST_TEST(writer.status == 200);
    }
    // Every body of this key and variant that it may be.
    bool fits = false;
    for (const Body& body : bodies_) {
      if (body.path != asker.ask.path || body.variant != x) continue;
      std::string_view bytes = body.bytes;
      if (range) {
        if (*range->complete_length != bytes.size()) continue;
        bytes = bytes.substr(range->range->first, range->range->size());
      }
      if (writer.is_aborted ? bytes.starts_with(writer.body) : bytes == writer.body) {
        fits = true;
        break;
      }
    }
    BOOST_TEST(fits, asker.ask.path << " X: " << x << " was answered with another body of " << writer.body.size()
                                    << " bytes, status " << writer.status << ": " << writer.body.substr(0, 30));
    if (!writer.is_aborted && private_.contains(writer.body)) {
      BOOST_TEST(taken_.insert(writer.body).second, "a private body went to two clients");
    }
  }

  // Lets all come to an end.
  void finish() {
    for (int round = 0; round < 10'000 && (!askers_.empty() || harness_.upstream.open_calls() > 0); ++round) {
      harness_.settle();
      for (const Asker& asker : askers_) {
        asker.client->writer.resume_reading();
        asker.client->on_writable();
      }
      harness_.settle();
      check_answers();
      for (int i = 0; i < 20; ++i) answer();
    }
    BOOST_TEST(askers_.empty());
  }

  // Schedules need the clock moved without what follows from it.
  struct Rig : Harness {
    using Harness::Harness;
    void advance_without_settling(Millis by) {
      clock.advance(by);
      for (std::uint32_t w = 0; w < workers(); ++w) executor(w).run_timers();
    }
  };

  Rng rng_;
  Rig harness_;
  std::vector<Asker> askers_;
  std::map<const FakeUpstream::Call*, Reply> replies_;
  std::size_t first_open_ = 0;
  std::vector<Body> bodies_;
  std::map<std::string, std::size_t> current_;
  std::map<std::string, int> versions_;
  std::set<std::string> private_;
  std::set<std::string> taken_;
  std::size_t answers_ = 0;
  std::size_t hits_ = 0;
  std::size_t collapsed_ = 0;
  std::size_t cut_ = 0;
  std::size_t failed_ = 0;
  std::size_t partial_ = 0;
};

BOOST_AUTO_TEST_SUITE(loopback_schedule)

BOOST_AUTO_TEST_CASE(any_order_of_events_keeps_the_promises) {
  std::size_t answers = 0;
  std::size_t hits = 0;
  std::size_t collapsed = 0;
  std::size_t cut = 0;
  std::size_t failed = 0;
  std::size_t partial = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Schedule schedule(seed);
      schedule.run(4000);
      answers += schedule.answers();
      hits += schedule.hits();
      collapsed += schedule.collapsed();
      cut += schedule.cut();
      failed += schedule.failed();
      partial += schedule.partial();
    }
  }
  BOOST_TEST_MESSAGE(answers << " answers, " << hits << " hits, " << collapsed << " collapsed, " << partial
                             << " partial, " << failed << " failed, " << cut << " cut");
  // The schedules reach what they are for.
  BOOST_TEST(answers > 5000U);
  for (const std::size_t some : {hits, collapsed, partial, failed}) BOOST_TEST(some > 300U);
  BOOST_TEST(cut > 30U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
