#include "cache/disk_tier.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "cache/body_cursor.h"
#include "cache/store.h"
#include "policy/freshness.h"
#include "policy/key.h"

namespace seawall::cache {
namespace {

// The share of memory that purge rules for what is on disk may take, and the most.
constexpr std::size_t kMostRules = 32;
constexpr std::size_t kMaxRuleBytes = std::size_t{16} << 20;
// Variants of a key that are read when one of them is asked for, the youngest first.
constexpr std::size_t kMaxLoaded = 8;
// Larger bodies are given to the client as they are read, and come back to memory when they are asked for again.
constexpr std::uint64_t kReadAtOnce = std::uint64_t{1} << 20;
constexpr std::uint8_t kAskedAgain = 2;  // hits, this one included
constexpr Seconds kNextTry{10};          // after one that failed
constexpr MonoTime kUnderWay{std::numeric_limits<std::int64_t>::max()};
// The share of memory that may wait to be written: one in so many.
constexpr std::size_t kMostBacklog = 8;
// What is of use for less than that is not worth a write.
constexpr Seconds kLeastUse{10};

bool is_soft_for(const disk::Note& note, PurgeKind kind, std::optional<std::string_view> text = {}) {
  const auto rule = note.kind == DiskPurges::kPurgeNote ? DiskPurges::decode(note.payload) : std::nullopt;
  return rule && rule->is_soft && rule->kind == kind && (!text || rule->text == *text);
}

// Leaves the youngest note of each rule, and none that what is forgotten covers, or a soft one for everything that
// those of URLs were merged into.
void prune(std::vector<disk::Note>& notes) {
  std::uint64_t forgotten = 0;
  std::uint64_t merged = 0;
  std::map<std::string, std::uint64_t> youngest;
  const auto name_of = [](const disk::Note& note) {
    return note.kind == DiskPurges::kPurgeNote ? DiskPurges::name_of(note.payload) : std::string();
  };
  for (const disk::Note& note : notes) {
    if (note.kind == DiskPurges::kForgottenNote) forgotten = std::max(forgotten, note.epoch);
    if (is_soft_for(note, PurgeKind::kPrefix, "")) merged = std::max(merged, note.epoch);
    std::uint64_t& epoch = youngest[name_of(note)];
    epoch = std::max(epoch, note.epoch);
  }
  std::erase_if(notes, [&](const disk::Note& note) {
    if (note.kind == DiskPurges::kForgottenNote) return note.epoch < forgotten;
    const std::string name = name_of(note);
    if (note.epoch <= merged && is_soft_for(note, PurgeKind::kUrl)) return true;
    return note.epoch <= forgotten || (!name.empty() && note.epoch < youngest[name]);
  });
}

// Whether `b` may stand for `a` without being used where that may not be. A second is what an Age may be off.
bool lasts_no_longer(const policy::Freshness& b, const policy::Freshness& a) {
  const auto end_of = [](const policy::Freshness& f) {
    return f.response_time + std::chrono::duration_cast<Millis>(f.lifetime - f.corrected_initial_age);
  };
  return end_of(b) <= end_of(a) + Seconds{1} && b.stale_while_revalidate <= a.stale_while_revalidate &&
         b.stale_if_error <= a.stale_if_error && a.no_cache == b.no_cache && a.must_revalidate == b.must_revalidate &&
         a.immutable == b.immutable;
}

// Whether what is on disk serves as well: the same response, but for when it was last found to be good.
bool says_the_same(const Object& fresh, const Object& replaced) {
  if (!replaced.is_complete()) return false;
  if (!lasts_no_longer(replaced.freshness(), fresh.freshness()) || !fresh.shares_body_with(replaced)) return false;
  const auto differs = [](const http::HeaderMap& from, const http::HeaderMap& other) {
    for (const auto field : from) {
      if (field.field == http::Field::kDate || field.field == http::Field::kExpires) continue;
      if (from.combined(field.name) != other.combined(field.name)) return true;
    }
    return false;
  };
  return !differs(fresh.headers(), replaced.headers()) && !differs(replaced.headers(), fresh.headers());
}

// For half as long as what is to be written would: what is validated over and over is written again now and then.
bool lasts(const disk::Candidate& there, const Object& fresh) {
  const std::int64_t now = fresh.freshness().response_time.unix_seconds();
  return 2 * (there.usable_until - now) >= usable_until(fresh) - now;
}

}  // namespace

// One read of all variants of a key, and who waits for it.
struct DiskTier::Loading {
  struct Waiter {
    Executor* executor;
    std::shared_ptr<bool> is_wanted;
    std::function<void(Loaded)> done;
  };

  std::string key;
  DiskKey disk_key;
  Ref<ShareGroup> share;
  Executor* executor = nullptr;  // of the first
  std::vector<disk::Candidate> candidates;
  std::size_t next = 0;
  Loaded loaded;
  std::vector<Waiter> waiters;  // under DiskTier::mutex_
};

DiskTier::DiskTier(Store& store)
    : store_(store), purges_(store.budget(), std::min(kMaxRuleBytes, store.budget().limit_bytes() / kMostRules)) {}

std::expected<std::unique_ptr<DiskTier>, std::string> DiskTier::open(disk::TierOptions options, Store& store) {
  std::unique_ptr<DiskTier> tier(new DiskTier(store));
  for (const disk::VolumeOptions& volume : options.volumes) tier->capacity_bytes_ += volume.capacity_bytes;
  options.budget = &store.budget();
  // What waits to be written is memory that nothing else can have.
  options.backlog_bytes = std::min(options.backlog_bytes, store.budget().limit_bytes() / kMostBacklog);
  options.on_note = [&](const disk::Note& note) { tier->purges_.replay(note); };
  options.prune = prune;
  tier->log_ = options.log;
  options.recheck = [raw = tier.get()](const disk::Revisit& record) { return raw->recheck(record); };
  auto opened = disk::Tier::open(std::move(options));
  if (!opened) return std::unexpected(std::move(opened.error()));
  tier->tier_ = std::move(*opened);
  // Of what was stored with an epoch no note may be left: where a volume came back empty, or no rule was needed.
  tier->purges_.begin_at(std::max(tier->tier_->epoch(), tier->tier_->first_epoch()));
  store.purges().begin_at(tier->purges_.epoch());
  return tier;
}

DiskTier::~DiskTier() = default;

std::optional<disk::Pending> DiskTier::load(std::string_view key, const Ref<ShareGroup>& share,
                                            std::optional<std::uint64_t> after, Executor& executor,
                                            std::function<void(Loaded)> done) {
  const DiskKey disk_key = cache::disk_key(key);
  std::vector<disk::Candidate> candidates = tier_->find(disk_key.hash);
  if (candidates.empty()) return std::nullopt;
  auto is_wanted = std::make_shared<bool>(true);
  std::shared_ptr<Loading> loading;
  {
    MutexLock lock(mutex_);
    std::shared_ptr<Loading>& entry = loading_[std::string(key)];
    const bool is_first = !entry;
    if (is_first) entry = std::make_shared<Loading>();
    entry->waiters.push_back({&executor, is_wanted, std::move(done)});
    if (is_first) loading = entry;
  }
  if (loading) {
    loading->key = key;
    loading->disk_key = disk_key;
    loading->share = share;
    loading->executor = &executor;
    drop_held(*loading, candidates);
    choose(*loading, std::move(candidates), after);
    read_next(loading);
  }
  return disk::Pending(std::move(is_wanted));
}

void DiskTier::choose(Loading& loading, std::vector<disk::Candidate> candidates, std::optional<std::uint64_t> after) {
  const auto is_plain = [](const disk::Candidate& candidate) { return candidate.variant == kPlainVariant; };
  if (after) {
    std::erase_if(candidates,
                  [&](const auto& candidate) { return is_plain(candidate) || candidate.sequence >= *after; });
  }
  // A response without Vary is known by its key; all else may be somebody's attempt to stand in the way. Of these the
  // youngest first.
  std::ranges::sort(candidates, std::ranges::greater{}, [&](const disk::Candidate& candidate) {
    return std::pair(is_plain(candidate), candidate.sequence);
  });
  if (candidates.size() > kMaxLoaded) {
    candidates.resize(kMaxLoaded);
    loading.loaded.next = candidates.back().sequence;
  }
  // As they are to stand in memory: of two that a request selects the newer goes first.
  std::ranges::sort(candidates, std::ranges::greater{}, &disk::Candidate::sequence);
  loading.candidates = std::move(candidates);
}

void DiskTier::read_next(const std::shared_ptr<Loading>& loading) {
  if (loading->next == loading->candidates.size()) return finish(loading);
  const disk::Candidate candidate = loading->candidates[loading->next++];
  const std::uint64_t most = candidate.body_bytes_max;
  const bool is_read =
      most <= kReadAtOnce && may_be_held(most, loading->share) && store_.make_room(most, loading->share.get());
  if (!is_read) {
    tier_
        ->open_body(candidate, std::nullopt, &store_.budget(), *loading->executor,
                    [this, loading, candidate](disk::ReadStatus status, const disk::StoredHead& head, auto) {
                      if (status == disk::ReadStatus::kOk) take(*loading, candidate, head, std::nullopt);
                      go_on(loading, status);
                    })
        .detach();
    return;
  }
  tier_
      ->read(candidate, store_.max_object_bytes(), &store_.budget(), *loading->executor,
             [this, loading, candidate](disk::ReadStatus status, const disk::StoredHead& head, SliceChain body) {
               if (status == disk::ReadStatus::kOk) take(*loading, candidate, head, std::move(body));
               go_on(loading, status);
             })
      .detach();
}

// A disk that is slow, full of reads or failing does not get better by asking for the next.
void DiskTier::go_on(const std::shared_ptr<Loading>& loading, disk::ReadStatus status) {
  const bool may_go_on = status == disk::ReadStatus::kOk || status == disk::ReadStatus::kGone ||
                         status == disk::ReadStatus::kCorrupt || status == disk::ReadStatus::kTooLarge;
  if (!may_go_on) {
    loading->next = loading->candidates.size();
    loading->loaded.next.reset();
  }
  read_next(loading);
}

// What memory has is no older.
void DiskTier::drop_held(const Loading& loading, std::vector<disk::Candidate>& candidates) const {
  for (const Ref<Object>& held : store_.peek_all(loading.key, policy::hash_key(loading.key))) {
    const std::uint64_t variant = disk_variant(loading.disk_key, held->vary(), held->selecting_values());
    std::erase_if(candidates, [variant](const auto& candidate) { return candidate.variant == variant; });
  }
}

// In memory, with what its blocks take besides, as in Store::max_object_bytes(): else it would be read, and refused
// then.
bool DiskTier::may_be_held(std::uint64_t body_bytes, const Ref<ShareGroup>& share) const {
  return body_bytes <= store_.max_object_bytes() && (!share || share->admits(body_bytes + body_bytes / 3));
}

// Without `body` that is where it is.
void DiskTier::take(Loading& loading, const disk::Candidate& candidate, const disk::StoredHead& head,
                    std::optional<SliceChain> body) {
  if (head.key != loading.key) return;
  std::optional<Object::Init> init = decode_head(head.head.view());
  // Of another version: nothing else replaces it.
  if (!init || init->complete_length != head.body_bytes) return tier_->erase(candidate.hash, candidate.variant);
  const std::uint64_t epoch = purges_.epoch();
  const auto purged = purges_.match(head.purge_epoch, head.key, init->tags);
  if (purged && !purged->is_soft) return tier_->erase(candidate.hash, candidate.variant);
  if (purged) {
    init->freshness.lifetime = std::min(init->freshness.lifetime, policy::current_age(init->freshness, purged->at));
  }
  init->key = head.key;
  init->hash = policy::hash_key(init->key);
  init->purge_epoch = epoch;
  init->share = loading.share;
  init->is_from_disk = true;
  const std::uint64_t length = init->complete_length;
  if (!body && length > 0) {
    init->disk_body = make_ref<DiskBody>(candidate);
  } else if (length > 0) {
    init->parts.push_back({.first = 0, .size = length, .slices = std::move(*body)});
  }
  const Ref<Object> object = Object::create(store_.budget(), std::move(*init));
  if (!store_.insert_loaded(object, candidate)) {
    loading.loaded.next.reset();
    return;
  }
  tier_->mark_used(candidate);
  loaded_.fetch_add(1, std::memory_order_relaxed);
}

void DiskTier::finish(const std::shared_ptr<Loading>& loading) {
  std::vector<Loading::Waiter> waiters;
  {
    MutexLock lock(mutex_);
    loading_.erase(loading->key);
    waiters = std::move(loading->waiters);
  }
  for (Loading::Waiter& waiter : waiters) {
    waiter.executor->post(
        [is_wanted = std::move(waiter.is_wanted), done = std::move(waiter.done), loaded = loading->loaded] {
          if (*is_wanted) done(loaded);
        });
  }
}

void DiskTier::purge(PurgeRule rule) {
  const DiskPurges::Added added = purges_.add(rule);
  if (added.forgotten) tier_->journal({.kind = DiskPurges::kForgottenNote, .epoch = *added.forgotten, .payload = {}});
  if (added.merged) {
    tier_->journal(
        {.kind = DiskPurges::kPurgeNote, .epoch = added.merged->epoch, .payload = DiskPurges::encode(*added.merged)});
  }
  // It stands for those of the same text before it.
  rule.at = added.at;
  // Not by a sweep: what is read is held against the rules.
  tier_->journal({.kind = DiskPurges::kPurgeNote, .epoch = rule.epoch, .payload = DiskPurges::encode(rule)});
}

// An operator has to know, and not from each of a thousand purges.
void DiskTier::tell_durable(bool is_durable) {
  if (is_durable_.exchange(is_durable) == is_durable || is_durable || !log_) return;
  log_(disk::LogLevel::kWarning,
       "disk cache: a purge was not written down in time: it is in force, but a crash may undo it; purge again when "
       "the disk is well");
}

disk::Pending DiskTier::settle(Executor& executor, Durable done) {
  auto is_wanted = std::make_shared<bool>(true);
  // Of no key: the journal keeps its order, and what is behind all else is on the devices after it.
  tier_->erase(0, std::uint64_t{0}, &executor, [this, is_wanted, done = std::move(done)](bool is_durable) mutable {
    tell_durable(is_durable);
    if (*is_wanted) done(is_durable);
  });
  return disk::Pending(std::move(is_wanted));
}

std::optional<std::uint64_t> DiskTier::recheck(const disk::Revisit& record) const {
  const auto init = decode_head(record.head);
  if (!init) return std::nullopt;
  const std::uint64_t epoch = purges_.epoch();
  const auto purged = purges_.match(record.purge_epoch, record.key, init->tags);
  if (!purged) return epoch;
  // One that was softened has to meet the rule again when it is read.
  return purged->is_soft ? std::optional(record.purge_epoch) : std::nullopt;
}

void DiskTier::keep(const Ref<Object>& object, const Object* replaced) {
  const DiskKey key = disk_key(object->key());
  const std::uint64_t variant = disk_variant(key, object->vary(), object->selecting_values());
  const bool is_worth_it = object->is_complete() && !object->vary().any &&
                           usable_until(*object) > object->freshness().response_time.unix_seconds() + kLeastUse.count();
  if (!is_worth_it) return tier_->erase(key.hash, variant);
  const std::vector<disk::Candidate> present = tier_->find(key.hash);
  const auto there = std::ranges::find(present, variant, &disk::Candidate::variant);
  const bool is_there = there != present.end();
  if (const DiskBody* const body = object->disk_body()) {
    // A head is not written without its body: what is new of it goes with the process, if that does no harm.
    const bool does_no_harm = replaced && replaced->disk_body() == body && replaced->tags() == object->tags() &&
                              lasts_no_longer(replaced->freshness(), object->freshness());
    if (!does_no_harm) tier_->erase(key.hash, variant);
    return;
  }
  const bool is_as_good = is_there && replaced && says_the_same(*object, *replaced) && lasts(*there, *object);
  if (is_as_good && !is_purged(*replaced)) return;
  if (!is_there) make_room_for_variant(present);
  // What is packed is seldom written: below lies what says the same.
  std::optional<SliceChain> body =
      object->packed() ? object->packed()->unpack_all(store_.budget()) : std::optional(object->body());
  if (!body) return tier_->erase(key.hash, variant);
  tier_->put({.hash = key.hash,
              .variant = variant,
              .key = object->key(),
              .purge_epoch = object->purge_epoch(),
              .usable_until = usable_until(*object),
              .may_compress = may_compress(object->headers()),
              .wanted = EvictionPolicy::was_hit(object->eviction()),
              .group = object->share() ? object->share()->disk_label() : 0},
             encode_head(*object), std::move(*body));
}

void DiskTier::make_room_for_variant(const std::vector<disk::Candidate>& present) {
  if (present.size() < store_.max_variants()) return;
  const auto oldest = std::ranges::min_element(present, {}, &disk::Candidate::sequence);
  tier_->erase(oldest->hash, oldest->variant);
}

disk::Pending DiskTier::open_body(const Object& object, std::uint64_t first_wanted, Executor& executor,
                                  std::function<void()> on_progress, Opened done) {
  const disk::Candidate& record = object.disk_body()->record;
  tier_->mark_used(record);
  if (object.eviction().hits.load(std::memory_order_relaxed) >= kAskedAgain) bring_back(object, executor);
  auto open = [this, object = Ref<const Object>(&object), on_progress = std::move(on_progress), done = std::move(done)](
                  disk::ReadStatus status, const disk::StoredHead& head,
                  std::unique_ptr<disk::BodyReader> reader) mutable {
    if (reader && head.body_bytes != object->complete_length()) status = disk::ReadStatus::kCorrupt;
    if (status == disk::ReadStatus::kOk)
      return done(std::make_unique<BodyCursor>(std::move(reader), std::move(on_progress)));
    if (status == disk::ReadStatus::kGone || status == disk::ReadStatus::kCorrupt) store_.take_back(*object);
    done(nullptr);
  };
  return tier_->open_body(record, first_wanted, &store_.budget(), executor, std::move(open));
}

void DiskTier::bring_back(const Object& object, Executor& executor) {
  const std::uint64_t bytes = object.complete_length();
  if (!may_be_held(bytes, object.share())) return;
  const Ref<const DiskBody> body(object.disk_body());
  const MonoTime now = executor.mono_now();
  MonoTime not_before = body->not_before;
  if (now < not_before || !body->not_before.compare_exchange_strong(not_before, kUnderWay)) return;
  if (!store_.make_room(bytes, object.share().get())) {
    body->not_before = now + kNextTry;
    return;
  }
  auto take_in = [this, body, &executor, object = Ref<const Object>(&object)](
                     disk::ReadStatus status, const disk::StoredHead&, SliceChain slices) {
    Exchanged done = Exchanged::kGone;
    if (status == disk::ReadStatus::kOk)
      done = store_.set_body(*object, {.slices = std::move(slices), .packed = nullptr});
    if (done == Exchanged::kYes) loaded_.fetch_add(1, std::memory_order_relaxed);
    // Where it finds no room, or the disk is too slow for all of it at once, it is not read again with each hit.
    body->not_before = executor.mono_now() + kNextTry;
  };
  tier_->read(body->record, store_.max_object_bytes(), &store_.budget(), executor, std::move(take_in)).detach();
}

std::unique_ptr<DiskStream> DiskTier::begin_stream(const Object::Init& head) {
  const std::uint32_t until = usable_until(head.status, head.headers, head.freshness);
  if (head.vary.any || until <= head.freshness.response_time.unix_seconds() + kLeastUse.count()) return nullptr;
  const DiskKey key = disk_key(head.key);
  const disk::Meta meta{.hash = key.hash,
                        .variant = disk_variant(key, head.vary, head.selecting_values),
                        .key = head.key,
                        .purge_epoch = head.purge_epoch,
                        .usable_until = until,
                        .may_compress = may_compress(head.headers),
                        .group = head.share ? head.share->disk_label() : 0};
  std::unique_ptr<disk::StreamWriter> writer = tier_->begin_stream(meta);
  if (!writer) return nullptr;
  const std::vector<disk::Candidate> present = tier_->find(key.hash);
  const bool is_there = std::ranges::any_of(present, [&](const auto& there) { return there.variant == meta.variant; });
  if (!is_there) make_room_for_variant(present);
  return std::make_unique<DiskStream>(store_, *tier_, meta, std::move(writer));
}

void DiskTier::keep_evicted(const Object& object) {
  const DiskKey key = disk_key(object.key());
  const std::uint64_t variant = disk_variant(key, object.vary(), object.selecting_values());
  if (const auto candidate = find(key.hash, variant)) tier_->mark_used(*candidate);
}

std::optional<disk::Candidate> DiskTier::find(std::uint64_t hash, std::uint64_t variant) const {
  for (const disk::Candidate& candidate : tier_->find(hash)) {
    if (candidate.variant == variant) return candidate;
  }
  return std::nullopt;
}

void DiskTier::forget(const Object& variant) {
  const DiskKey key = disk_key(variant.key());
  tier_->erase(key.hash, disk_variant(key, variant.vary(), variant.selecting_values()));
}

std::size_t DiskTier::soften_key(std::string_view key, bool is_known, std::uint64_t epoch, WallTime now) {
  const std::size_t present = tier_->find(disk_key(key).hash).size();
  // What is being written, and unknown to memory, is not worth a rule.
  if (present == 0 && !is_known) return forget_key(key);
  purge({.kind = PurgeKind::kUrl, .text = std::string(key), .is_soft = true, .at = now, .epoch = epoch});
  return present;
}

bool DiskTier::is_purged(const Object& object) const {
  return purges_.match(object.purge_epoch(), object.key(), object.tags()).has_value();
}

std::size_t DiskTier::forget_key(std::string_view key) {
  return tier_->erase(disk_key(key).hash);
}

}  // namespace seawall::cache
