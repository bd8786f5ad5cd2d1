// Purges by prefix and by tag, in force at once whatever their number of objects: each is a rule with an epoch, and an
// object that is found is held against the rules younger than it (as Varnish's bans). A sweep over the index applies
// them to what nobody asks for, and then the rule is retired: the list is bounded by `kMaxRules`, past which a new rule
// is merged into one that covers everything of its kind. Thread: any; epoch() is one load.
//
// Retired rules stay until their room is needed, for what has been on its way since before the sweep. Once they are
// forgotten, what has not been held against them counts as purged: at worst it is fetched once more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace seawall::cache {

// kUrl: for what is on disk only, and only soft (DiskPurges); memory is told of a URL directly.
enum class PurgeKind : std::uint8_t { kPrefix, kTag, kUrl };

struct PurgeRule {
  PurgeKind kind = PurgeKind::kPrefix;
  // A prefix of the key ("http://shop.example.com/a/"; empty: every key), a tag (empty: whatever has one), or the key.
  std::string text;
  bool is_soft = false;  // what matches becomes stale, and is not removed
  WallTime at;
  std::uint64_t epoch = 0;
};

class PurgeList {
 public:
  static constexpr std::size_t kMaxRules = 1024;

  // What is stored with it is older than no rule, of those that are kept elsewhere included; 0: there was none.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  // Of the youngest rule of this list: match() has nothing to say of what has met that.
  std::uint64_t rule_epoch() const { return rule_epoch_.load(std::memory_order_acquire); }
  // Of a former process: rules go on from there. Before the first.
  void begin_at(std::uint64_t epoch);
  // Its epoch; the rule is in force when this returns.
  std::uint64_t add(PurgeRule rule);
  // A rule with that epoch, the next one, is in force elsewhere. Not beside add().
  void advance(std::uint64_t epoch);

  struct Match {
    bool is_soft = false;
    WallTime at;  // of the first rule that matched
  };
  // Whether a rule younger than `seen` matches. A hard one wins over a soft one.
  std::optional<Match> match(std::uint64_t seen, std::string_view key, std::span<const std::string> tags) const;
  // Every object has been held against the rules up to here.
  void retire(std::uint64_t epoch);
  // Rules that are not retired.
  std::size_t size() const;

 private:
  // Replaced whole, so that nobody scans under the lock.
  struct Rules {
    std::vector<PurgeRule> by_epoch;
    std::uint64_t forgotten = 0;  // the epoch of the youngest retired rule that was dropped
  };
  static void make_room(Rules& rules, PurgeRule& rule, std::uint64_t retired);

  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::uint64_t> rule_epoch_{0};
  mutable Mutex mutex_;
  std::shared_ptr<const Rules> rules_ SW_GUARDED_BY(mutex_);  // null: none yet
  std::uint64_t retired_ SW_GUARDED_BY(mutex_) = 0;
};

}  // namespace seawall::cache
