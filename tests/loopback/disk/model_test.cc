// Random operations, random failures and restarts, against a model of what may be returned. The model knows of each
// (key, variant) what was done to it in order, and which of that was promised to last; after a restart it may find the
// outcome of the last promise or of anything later, and nothing else.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <set>

#include "loopback/disk/disk_bench.h"

namespace {

using namespace seawall;
using namespace seawall::test;

constexpr std::uint64_t kKeys = 10;
constexpr std::uint64_t kVariants = 2;
// Of a third of the keys each.
constexpr std::uint32_t kGuaranteed = 1;
constexpr std::uint32_t kBounded = 2;

struct Version {
  std::uint64_t number = 0;  // 0: erased
  std::uint64_t epoch = 0;
  bool is_stored = false;  // its completion said so
  bool is_synced = false;
};

struct History {
  std::vector<Version> steps{Version{}};
  std::size_t promised = 0;  // nothing before this one may come back
  bool may_be_lost = true;   // the last step may not be there: not stored yet, or damaged, or on a volume that failed
};

std::string body_of(std::uint64_t number, std::uint64_t size) {
  Rng rng(number);
  std::string body;
  body.reserve(size + 64);
  const bool is_text = rng.below(2) == 0;
  while (body.size() < size) {
    if (is_text) {
      body += "line " + std::to_string(rng.below(50)) + " of version " + std::to_string(number) + "\n";
    } else {
      const std::uint64_t word = rng.next();
      body.append(reinterpret_cast<const char*>(&word), 8);
    }
  }
  body.resize(size);
  return body;
}

enum class Bodies { kMixed, kLarge };  // kLarge: so that segments are evicted

std::uint64_t size_of(std::uint64_t number, Bodies bodies) {
  Rng rng(number * 7 + 1);
  if (bodies == Bodies::kLarge) return rng.below(20) == 0 ? rng.below(1'500'000) : rng.below(250'000);
  switch (rng.below(8)) {
    case 0: return 0;
    case 1: return rng.below(100);
    case 2: return 65'536 * rng.below(4);
    case 3: return rng.below(700'000);
    default: return rng.below(30'000);
  }
}

class Model {
 public:
  Model(std::uint64_t seed, std::size_t volumes, Bodies bodies)
      : bench_(seed, volumes), rng_(seed * 31 + 7), volumes_(volumes), bodies_(bodies) {
    // A full disk's worth is written many times over; what is older than a note may be written again.
    bench_.options.recheck = [](const disk::Revisit& r) { return std::optional(r.purge_epoch); };
    bench_.options.journal_bytes = 4 << 10;
    bench_.options.aside_interval = Millis(1000);
    bench_.options.retry_interval = Millis(3000);
  }

  void run(std::size_t lives) {
    for (std::size_t life = 0; life < lives; ++life) {
      const std::string missing = "/d" + std::to_string(rng_.below(volumes_)) + "/";
      const bool is_missing = volumes_ > 1 && rng_.below(8) == 0;
      if (is_missing) bench_.disk.fail(missing, EIO), has_failed_ = true;
      BOOST_REQUIRE_EQUAL(bench_.open(), "");
      bench_.tier->set_group(kGuaranteed, {.guaranteed_bytes = 8 << 20});
      bench_.tier->set_group(kBounded, {.max_bytes = 600'000});
      if (is_missing) bench_.disk.fail(missing, 0);
      check_notes();
      BOOST_REQUIRE_GE(epoch_, bench_.tier->epoch());
      first_epoch_ = epoch_;
      check_all(true);
      if (bodies_ == Bodies::kLarge) fill();
      const std::uint64_t steps = bodies_ == Bodies::kLarge ? 60 + rng_.below(120) : 5 + rng_.below(30);
      if (rng_.below(3) != 0) bench_.disk.stop_after(rng_.below(steps * 12) + 1);
      for (std::uint64_t i = 0; i < steps && !bench_.disk.has_stopped(); ++i) step();
      const auto stats = bench_.tier->stats();
      evicted_ += stats.evicted_segments;
      reinserted_ += stats.reinserted;
      trimmed_ += bench_.tier->group_use(kBounded).evicted;
      for (const auto& volume : stats.volumes) BOOST_REQUIRE_LE(volume.used_bytes, volume.capacity_bytes);
      end_life();
    }
  }

  std::size_t checked() const { return checked_; }
  std::size_t hits() const { return hits_; }
  std::size_t evicted() const { return evicted_; }
  std::size_t reinserted() const { return reinserted_; }
  std::size_t trimmed() const { return trimmed_; }

 private:
  using Id = std::pair<std::uint64_t, std::uint64_t>;

  History& history(Id id) { return histories_[id]; }
  Id random_id() { return {1 + rng_.below(kKeys), rng_.below(kVariants)}; }

  void step() {
    const std::uint64_t what = rng_.below(100);
    if (what < 45) {
      put(random_id());
    } else if (what < 52) {
      stream(random_id());
    } else if (what < 60) {
      erase(1 + rng_.below(kKeys));
    } else if (what < 70) {
      note();
    } else if (what < 76) {
      settle();
    } else if (what < 80) {
      sync();
    } else if (what < 84 && volumes_ > 1) {
      fail_or_heal();
    } else if (what < 88) {
      bench_.clock.advance(Millis(rng_.below(2500)));
    } else {
      check(random_id(), false);
    }
    bench_.executor.run_ready();
  }

  // What takes the room of others, and is never asked for.
  void fill() {
    const std::string body = body_of(4, 250'000);
    for (std::uint64_t i = 0; i < 280; ++i) {
      bench_.tier->put(bench_.meta(1'000 + rng_.below(1'000)), {}, chain_of(body, 250'000));
      if (i % 40 == 39) settle();
    }
  }

  disk::Meta begin(Id id, Version& v) {
    v.number = ++last_version_;
    // Some have been on their way since before a purge; but not since before the start.
    v.epoch = std::max(first_epoch_, epoch_ - std::min(epoch_, rng_.below(4) == 0 ? rng_.below(3) : 0));
    disk::Meta m = bench_.meta(id.first, id.second);
    m.purge_epoch = v.epoch;
    m.group = static_cast<std::uint32_t>(id.first % 3);
    return m;
  }
  std::string head_of(Id id, std::uint64_t number) {
    return std::to_string(id.first) + "/" + std::to_string(id.second) + "#" + std::to_string(number);
  }

  // What was done up to here does not come back any more, if the answer says so.
  auto promise(Id id) {
    const std::size_t at = history(id).steps.size() - 1;
    const std::uint64_t life = life_;
    return [this, id, at, life](disk::PutResult r) {
      if (life != life_) return;
      History& h = history(id);
      if (r.durable) h.promised = std::max(h.promised, at);
      if (r.status != disk::PutStatus::kStored) return;
      h.steps[at].is_stored = true;
      if (at + 1 == h.steps.size()) h.may_be_lost = false;
    };
  }

  void put(Id id) {
    Version v;
    disk::Meta m = begin(id, v);
    history(id).steps.push_back(v);
    history(id).may_be_lost = true;
    bench_.tier->put(std::move(m), head_of(id, v.number), chain_of(body_of(v.number, size_of(v.number, bodies_))),
                     &bench_.executor, promise(id));
  }

  void stream(Id id) {
    Version v;
    disk::Meta m = begin(id, v);
    auto writer = bench_.tier->begin_stream(m);
    if (!writer) return;
    const std::string body = body_of(v.number, size_of(v.number, bodies_));
    bool ok = true;
    for (std::size_t at = 0; at < body.size() && ok; at += 50'000) {
      ok = writer->append(chain_of(std::string_view(body).substr(at, 50'000)));
    }
    if (rng_.below(5) == 0) return;  // aborted, nothing has happened
    history(id).steps.push_back(v);
    history(id).may_be_lost = true;
    writer->finish(head_of(id, v.number), m.usable_until, &bench_.executor, promise(id));
    // A stream that fails has not replaced: what was there may be there still.
    if (!ok || bench_.disk.has_stopped() || volumes_ > 1) unsure_.insert(id);
  }

  void erased(Id id) {
    history(id).steps.push_back({});
    history(id).may_be_lost = false;
  }
  void promised_all(const std::map<Id, std::size_t>& upto) {
    for (const auto& [id, at] : upto) history(id).promised = std::max(history(id).promised, at);
  }
  auto when_durable(std::map<Id, std::size_t> upto) {
    const std::uint64_t life = life_;
    return [this, upto = std::move(upto), life](bool durable) {
      if (life == life_ && durable) promised_all(upto);
    };
  }

  void erase(std::uint64_t key) {
    std::map<Id, std::size_t> upto;
    const bool all = rng_.below(2) == 0;
    const std::uint64_t one = rng_.below(kVariants);
    for (std::uint64_t variant = 0; variant < kVariants; ++variant) {
      if (!all && variant != one) continue;
      erased({key, variant});
      upto[{key, variant}] = history({key, variant}).steps.size() - 1;
      unsure_.erase({key, variant});
    }
    if (all) {
      bench_.tier->erase(key, &bench_.executor, when_durable(std::move(upto)));
    } else {
      bench_.tier->erase(key, one, &bench_.executor, when_durable(std::move(upto)));
    }
  }

  void note() {
    const disk::Note n{.kind = 7, .epoch = ++epoch_, .payload = "purge " + std::to_string(epoch_)};
    const std::uint64_t life = life_;
    bench_.tier->journal(n, &bench_.executor, [this, n, life](bool durable) {
      if (life == life_ && durable) notes_.push_back(n);
    });
  }

  // Everything under way is answered.
  void settle() {
    bool done = false;
    bench_.tier->sync(&bench_.executor, [&](bool) { done = true; });
    bench_.executor.run_until([&] { return done; });
    bench_.executor.run_ready();
  }

  void sync() {
    bool ok = false;
    bool done = false;
    bench_.tier->sync(&bench_.executor, [&](bool durable) { done = true, ok = durable; });
    bench_.executor.run_until([&] { return done; });
    bench_.executor.run_ready();
    if (!ok) return;
    for (auto& [id, h] : histories_) {
      if (h.steps.back().is_stored) h.steps.back().is_synced = true;
    }
  }

  void fail_or_heal() {
    const std::string path = "/d" + std::to_string(rng_.below(volumes_)) + "/";
    // At least one goes on.
    if (failed_.empty()) {
      bench_.disk.fail(path, rng_.below(2) == 0 ? EIO : ENOSPC, rng_.below(2) == 0);
      failed_ = path;
    } else {
      bench_.disk.fail(failed_, 0);
      failed_.clear();
    }
    has_failed_ = true;
    for (auto& [id, h] : histories_) h.may_be_lost = true;
  }

  void check(Id id, bool after_restart) {
    History& h = history(id);
    const auto found = bench_.find(id.first, id.second);
    std::optional<ReadResult> r;
    if (found) r = bench_.read(*found);
    if (found && rng_.below(2) == 0) bench_.tier->mark_used(*found);
    ++checked_;
    if (!r || r->status != disk::ReadStatus::kOk) {
      const Version& last = h.steps.back();
      const bool must = after_restart && last.number != 0 && !h.may_be_lost && !is_damaged_ && !has_failed_ &&
                        evicted_ == 0 && id.first % 3 != kBounded && !unsure_.contains(id) &&
                        (last_crash_ == Crash::kPower ? last.is_synced : last.is_stored);
      BOOST_REQUIRE_MESSAGE(!must, "lost " << head_of(id, last.number) << ", status "
                                           << (r ? to_string(r->status) : std::string_view("not found")));
      return;
    }
    ++hits_;
    // What is returned is one of those that may be, whole.
    const std::string head(r->head.head.view());
    const std::size_t from = after_restart || unsure_.contains(id) ? h.promised : h.steps.size() - 1;
    for (std::size_t i = from; i < h.steps.size(); ++i) {
      const std::uint64_t number = h.steps[i].number;
      if (number == 0 || head != head_of(id, number)) continue;
      BOOST_REQUIRE(r->body == body_of(number, size_of(number, bodies_)));
      BOOST_REQUIRE_EQUAL(r->head.key, "key " + std::to_string(id.first));
      BOOST_REQUIRE_EQUAL(r->head.purge_epoch, h.steps[i].epoch);
      // Rules of the user that it is older than are still known.
      if (after_restart) {
        for (const disk::Note& n : notes_) {
          if (n.epoch <= r->head.purge_epoch) continue;
          BOOST_REQUIRE_MESSAGE(replayed_.contains(n.epoch),
                                "forgot note " << n.epoch << " that " << head << " is older than");
        }
        // It was shown: nothing older may be shown again.
        h.promised = std::max(h.promised, i);
        if (i + 1 == h.steps.size()) unsure_.erase(id);
      }
      return;
    }
    BOOST_FAIL("returned " << head << ", but the last is " << head_of(id, h.steps.back().number) << " and promised is "
                           << h.promised << " of " << h.steps.size() - 1);
  }

  void check_all(bool after_restart) {
    for (std::uint64_t key = 1; key <= kKeys; ++key) {
      for (std::uint64_t variant = 0; variant < kVariants; ++variant) check({key, variant}, after_restart);
    }
    if (!after_restart) return;
    // From here on what was found is what is there.
    for (auto& [id, h] : histories_) {
      const auto found = bench_.find(id.first, id.second);
      if (!found) {
        h.steps.push_back({});
        h.may_be_lost = false;
      } else {
        auto r = bench_.read(*found);
        const std::string head(r.head.head.view());
        for (std::size_t i = h.steps.size(); i-- > h.promised;) {
          if (h.steps[i].number == 0 || head != head_of(id, h.steps[i].number)) continue;
          Version v = h.steps[i];
          v.is_stored = v.is_synced = true;
          h.steps.push_back(v);
          break;
        }
        h.may_be_lost = r.status != disk::ReadStatus::kOk;
      }
    }
    unsure_.clear();
    is_damaged_ = has_failed_ = false;
  }

  void check_notes() {
    replayed_.clear();
    for (const disk::Note& n : bench_.notes) {
      BOOST_REQUIRE_EQUAL(n.payload, "purge " + std::to_string(n.epoch));
      replayed_.insert(n.epoch);
    }
  }

  enum class Crash { kClose, kKill, kPower };

  void end_life() {
    bench_.clock.advance(Millis(1));  // no two lives begin at one moment
    const bool stopped = bench_.disk.has_stopped();
    const std::uint64_t how = rng_.below(3);
    if (!stopped && how == 0) {
      bench_.executor.run_ready();
      bench_.tier->close();
      bench_.executor.run_ready();
      ++life_;
      bench_.close();
      bench_.disk.restart();
      last_crash_ = Crash::kClose;
    } else {
      // Nothing more reaches the disk, and nothing more is believed.
      if (!stopped) bench_.disk.stop_after(0);
      bench_.executor.run_ready();
      ++life_;
      bench_.close();
      if (how == 1) {
        bench_.disk.restart();
        last_crash_ = Crash::kKill;
      } else {
        bench_.disk.lose_power();
        last_crash_ = Crash::kPower;
      }
    }
    if (!failed_.empty()) {
      bench_.disk.fail(failed_, 0);
      failed_.clear();
    }
    if (rng_.below(4) == 0) {
      is_damaged_ = true;
      for (std::uint64_t flips = 1 + rng_.below(20); flips > 0; --flips) bench_.disk.flip_bit("/d");
    }
  }

  DiskBench bench_;
  Rng rng_;
  const std::size_t volumes_;
  const Bodies bodies_;
  std::map<Id, History> histories_;
  std::set<Id> unsure_;
  std::uint64_t last_version_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t first_epoch_ = 0;
  std::uint64_t life_ = 0;
  std::vector<disk::Note> notes_;
  std::set<std::uint64_t> replayed_;
  std::string failed_;
  bool has_failed_ = false;
  bool is_damaged_ = false;
  Crash last_crash_ = Crash::kClose;
  std::size_t checked_ = 0;
  std::size_t hits_ = 0;
  std::size_t evicted_ = 0;
  std::size_t reinserted_ = 0;
  std::size_t trimmed_ = 0;
};

// SEAWALL_DISK_SEEDS=first:count runs others, and more of them.
void run_seeds(std::size_t volumes, std::uint64_t count, Bodies bodies = Bodies::kMixed) {
  std::uint64_t first = 1;
  if (const char* text = std::getenv("SEAWALL_DISK_SEEDS")) {
    char* end = nullptr;
    first = std::strtoull(text, &end, 10);
    if (*end == ':') count = std::strtoull(end + 1, nullptr, 10);
  }
  std::size_t checked = 0;
  std::size_t hits = 0;
  std::size_t evicted = 0;
  std::size_t reinserted = 0;
  std::size_t trimmed = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed << ", volumes " << volumes) {
      Model model(seed * 10 + volumes, volumes, bodies);
      model.run(bodies == Bodies::kLarge ? 3 : 6);
      evicted += model.evicted();
      reinserted += model.reinserted();
      trimmed += model.trimmed();
      checked += model.checked();
      hits += model.hits();
    }
  }
  // A model that never finds anything shows nothing.
  BOOST_TEST(hits * 10 > checked);
  if (bodies == Bodies::kLarge) {
    BOOST_TEST(evicted > 0U);
    BOOST_TEST(reinserted > 0U);
    BOOST_TEST(trimmed > 0U);
  }
  BOOST_TEST_MESSAGE(evicted << " segments evicted, " << reinserted << " written again, " << trimmed
                             << " records trimmed");
  BOOST_TEST_MESSAGE(volumes << " volumes: " << checked << " checked, " << hits << " found");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_model)

BOOST_AUTO_TEST_CASE(one_volume_never_returns_what_it_must_not) {
  run_seeds(1, 120);
}

BOOST_AUTO_TEST_CASE(three_volumes_never_return_what_they_must_not) {
  run_seeds(3, 80);
}

BOOST_AUTO_TEST_CASE(eviction_never_brings_back_what_was_replaced) {
  run_seeds(1, 8, Bodies::kLarge);
}

BOOST_AUTO_TEST_SUITE_END()
