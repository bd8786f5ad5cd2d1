// One fetch from an origin, shared by everybody who waits for it and owned by nobody: it goes on when its starter
// leaves.
//
//   kWaiting  --head-->  kStreaming  --end-->  kComplete
//       \                    \------error--->  kFailed
//        \--304, or ranges combined--------->  kComplete  (the head then carries the object to serve)
//        \--error--------------------------->  kFailed
//
// How each outcome settles those who wait:
//   head, may be shared      they stream from the body as it arrives
//   head, not to be shared   only the starter streams; the others go to the origin side by side, the key is remembered
//   304 / combined ranges    all serve the object in the head
//   error before the head    each decides: its stale copy, else an error
//   error in mid-body        each aborts its client's connection: a short body is never shown as complete
//   nobody left              a body that is being kept is finished and stored, any other is cancelled
//
// A body that memory may not hold is kept on disk, if there is one (fill_flow.cc): it goes there as it arrives, what
// the disk has leaves memory, and whoever is behind, or comes late, reads it back.
//
// Threads: it runs on the worker that started it (ExchangeSink and run state). Readers live on any worker: state() and
// head() are published with release order, the body is behind `mutex_`, and progress wakes each worker that has readers
// with at most one message at a time. A reader's client is never touched inside a fill's step.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/list.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "base/result.h"
#include "base/timer_wheel.h"
#include "cache/body_source.h"
#include "cache/disk_stream.h"
#include "cache/object.h"
#include "cache/store.h"
#include "fill/body_buffer.h"
#include "fill/options.h"
#include "fill/upstream.h"
#include "http/exchange.h"
#include "http/message.h"
#include "policy/cacheability.h"
#include "policy/rules.h"
#include "policy/vary.h"
#include "policy/why.h"

namespace seawall::fill {

class FillTable;

// Counts of FillTable::detach_all() in two places of the hash: a key was invalidated when both have changed. That two
// other keys did it is possible, rare, and costs no more than a response that is not stored.
struct Invalidations {
  std::uint32_t low = 0;
  std::uint32_t high = 0;

  bool is_outdated_by(const Invalidations& later) const { return low != later.low && high != later.high; }
};

enum class FillKind : std::uint8_t {
  kFetch,       // a plain GET
  kRevalidate,  // a conditional GET for `candidates`
  kHead,        // HEAD; refreshes `candidates`, stores nothing new
  kRange,       // a GET with the client's Range
  kComplete,    // a GET for the missing part of candidates[0]
  kPass,        // anything else; never shared, never stored (but a POST that RFC 9110 section 9.3.3 lets be stored)
};

enum class Sharing : std::uint8_t { kShared, kExclusive };

struct FillRequest {
  FillKind kind = FillKind::kFetch;
  Sharing sharing = Sharing::kShared;
  bool is_background = false;                           // no reader to begin with
  http::RequestHead head;                               // the client's: decides about storing, Vary
  policy::Codings codings = policy::Codings::kAsGiven;  // of `head`
  http::OutgoingRequest outgoing;
  std::string key;  // primary cache key
  std::uint64_t hash = 0;
  std::vector<Ref<cache::Object>> candidates;
  std::optional<http::ByteRange> missing;  // with kComplete: what was asked for
  policy::Rules rules;
  policy::VarySpec vary_hint;  // what earlier responses for the key varied on; before the head this decides who joins
  // With kRevalidate and kComplete: the same request without conditions, should the origin's answer not fit what is
  // stored.
  std::optional<http::OutgoingRequest> unconditional;
  Millis head_deadline{30'000};
  std::uint64_t purge_epoch = 0;  // of the store when this was made: what is purged after it outdates it
  Ref<cache::ShareGroup> share;   // whose memory the stored response takes; null: nobody's in particular
  double chance = 0;              // drawn from [0, 1) for this fetch: jitter of lifetime and back-off
  // At the end, on the fill's worker: whether the key is stored and fresh by it.
  std::function<void(bool is_filled)> on_outcome;
};

// Immutable once published.
struct FillHead final : RefCounted<FillHead> {
  http::ResponseHead response;  // end-to-end fields only, Date and Via in place
  bool is_shared = false;       // those who joined may use it
  bool is_stored = false;       // at this time the intention; a too large or cut body is dropped later
  policy::Why not_stored_why = policy::Why::kNone;
  policy::VarySpec vary;
  std::string selecting_values;  // of the starter's request, under `vary`
  std::vector<std::string> tags;
  std::optional<std::uint64_t>
      body_bytes;  // of the representation or part that streams; unknown: chunked or until close
  std::optional<http::ContentRange> content_range;  // of a 206
  Ref<cache::Object> object;                        // serve this instead of the body
  std::uint16_t origin_status = 0;                  // what the origin said: 304 where `object` is the outcome
  policy::Freshness freshness;
};

enum class FillState : std::uint8_t { kWaiting, kStreaming, kComplete, kFailed };

class FillReader;
class Fill;

// The fills that run on one worker, so that its end can be theirs. Thread: that worker.
class RunningFills {
 public:
  RunningFills();
  ~RunningFills();
  void cancel_all();

 private:
  friend class Fill;
  struct Links;
  std::unique_ptr<Links> links_;
};

class Fill final : public RefCounted<Fill>, private http::ExchangeSink {
 public:
  Fill(FillTable& table, cache::Store& store, Executor& executor, std::uint32_t workers, FillRequest request);

  // Sends the request. Thread: the executor's, once.
  void start(Upstream& upstream, RunningFills& running);

  const FillRequest& request() const { return request_; }
  Executor& executor() const { return executor_; }
  // About what its requests take while it waits.
  std::size_t request_bytes() const;

  // For fills that wait in a queue before they start(). All on the executor's thread. start_queued() does nothing once
  // it was given up; `on_end` is told the bytes of the body.
  void start_queued(Upstream& upstream, RunningFills& running, http::Traffic traffic);
  void give_up(Error error);
  void on_end(std::function<void(std::uint64_t bytes)> callback) { on_end_ = std::move(callback); }

  // Any thread.
  FillState state() const { return state_.load(std::memory_order_acquire); }
  const FillHead* head() const { return state() == FillState::kWaiting || !has_head() ? nullptr : head_.get(); }
  std::optional<Error> error() const;
  // 1xx heads received so far, from index `from` on.
  std::vector<http::ResponseHead> informational(std::size_t from) const;
  http::HeaderMap trailers() const;
  // Whether a new request may join: shared, not detached, and nothing of its body is gone.
  bool is_joinable() const { return joinable_.load(std::memory_order_acquire); }
  // An unsafe request has changed the resource meanwhile (RFC 9111 section 4.4): nobody joins any more and nothing is
  // stored.
  void detach() { joinable_.store(false, std::memory_order_release); }

  // The connection of a 101 and what was read past it. Once, by the only reader.
  struct Upgraded {
    std::unique_ptr<ByteStream> connection;
    std::string early_bytes;
  };
  std::optional<Upgraded> take_upgraded();

 private:
  friend class FillReader;
  friend class FillTable;
  friend class RunningFills;
  friend class RefCounted<Fill>;
  ~Fill() override = default;

  // The readers of one worker. `readers` and `is_running` belong to that worker alone; a reader that leaves while they
  // are being run leaves a null behind.
  struct WorkerReaders {
    Executor* executor = nullptr;  // set once, before has_readers
    std::atomic<bool> has_readers{false};
    std::atomic<bool> wake_pending{false};
    std::vector<FillReader*> readers;
    bool is_running = false;
  };

  // http::ExchangeSink
  void on_informational(http::ResponseHead head) override;
  void on_head(http::ResponseHead head, WallTime request_time, WallTime response_time) override;
  void on_body(std::string_view payload) override;
  void on_complete(const http::HeaderMap& trailers) override;
  void on_upgraded(http::ResponseHead head, std::unique_ptr<ByteStream> connection, std::string early_bytes) override;
  void on_error(Error error) override;

  bool has_head() const { return has_head_.load(std::memory_order_acquire); }
  void begin_body(http::ResponseHead head, const policy::StoreDecision& decision);
  bool try_not_modified(const http::ResponseHead& head, WallTime request_time, WallTime response_time);
  // Whether an unsafe request has changed the resource since this one was sent.
  bool is_outdated() const;
  void insert_unless_outdated(const Ref<cache::Object>& object);
  void refresh_from_head(const http::ResponseHead& head, WallTime request_time, WallTime response_time);
  bool begin_completion(const http::ResponseHead& head, const policy::StoreDecision& decision);
  bool restart_unconditionally();
  void publish_head(Ref<FillHead> head, FillState state);
  Ref<cache::Object> make_object(http::HeaderMap headers, const policy::Freshness& freshness,
                                 std::vector<cache::Part> parts, std::uint64_t complete_length, std::uint16_t status,
                                 std::string reason, const cache::Object* body_of);
  Ref<cache::Object> make_updated(const cache::Object& stored, http::HeaderMap headers,
                                  const policy::Freshness& freshness);
  void describe(cache::Object::Init& init) const;
  void store_body(const http::HeaderMap& trailers);
  Ref<cache::Object> stored_parts_of(const cache::Object::Init& arrived) const;
  bool finish_completion();
  // False when this exchange's bytes are of no use any more.
  bool stop_keeping(policy::Why why);
  void stop_being_joined();
  bool make_room_for(std::size_t payload_bytes);
  cache::Object::Init describe_body(const FillHead& head, std::uint16_t status) const;
  // In fill_flow.cc.
  bool is_all_of_it() const;
  cache::Object::Init describe_spilled(const FillHead& head, std::uint16_t status) const;
  bool begin_spilling(const FillHead& head, std::uint16_t status);
  void watch_disk();
  void feed_disk();
  void finish_spilling(std::uint64_t body_bytes);
  void end_spilling(const Ref<cache::Object>& stored);
  policy::StoreDecision decide(const http::ResponseHead& head, WallTime request_time, WallTime response_time) const;
  bool keeps_good_copy_over(std::uint16_t status, WallTime now) const;
  void complete_vary(http::HeaderMap& headers) const;
  http::HeaderMap updated_fields(const cache::Object& stored, const http::ResponseHead& update) const;
  // Those who would ask again wait a while first.
  void back_off();
  bool is_purged() const;
  void fail(Error error);
  void end();
  void wake_readers();
  static void run_readers(const Ref<Fill>& fill, std::uint32_t worker);
  // Returns what nobody reads back from any more, to be dropped without the lock.
  [[nodiscard]] std::shared_ptr<cache::DiskStream> update_flow() SW_REQUIRES(mutex_);
  void schedule_flow_check();
  void check_flow();
  void cancel_if_unwanted();

  FillTable& table_;
  cache::Store& store_;
  Executor& executor_;
  FillRequest request_;
  FillKind kind_;                           // as in request_, until it is restarted as a plain GET
  Invalidations invalidations_;             // when the request was made
  std::atomic<std::uint64_t> purge_epoch_;  // likewise
  Upstream* upstream_ = nullptr;
  Ref<Fill> self_;         // while running
  ListNode running_link_;  // likewise
  std::unique_ptr<http::Exchange> exchange_;
  Timer head_timer_;
  bool restarted_ = false;
  bool is_filled_ = false;
  std::function<void(std::uint64_t)> on_end_;
  std::uint32_t fetch_ms_ = 0;  // from the request to the head
  bool paused_ = false;

  // What store_body() will publish. Executor's thread.
  bool keeping_ = false;
  policy::Freshness freshness_;
  http::HeaderMap stored_headers_;
  std::optional<http::ContentRange> content_range_;
  bool completing_ = false;
  bool may_share_completed_ = false;
  std::optional<http::ByteRange> arriving_;
  cache::DiskStream* spilling_ = nullptr;  // spill_, while all of the body goes there
  std::uint64_t spilled_ = 0;              // bytes that it was given
  bool is_spilled_ = false;                // and that is all of them
  Timer disk_timer_;

  std::atomic<FillState> state_{FillState::kWaiting};
  std::atomic<bool> has_head_{false};
  std::atomic<bool> joinable_;
  std::atomic<bool> flow_check_pending_{false};
  std::atomic<std::uint32_t> waiting_{0};  // FillTable's count of those who wait for the head
  std::atomic<bool> listed_{false};        // FillTable's, written under its shard's lock
  Ref<FillHead> head_;                     // written once before has_head_

  mutable Mutex mutex_;
  BodyBuffer body_ SW_GUARDED_BY(mutex_);
  bool keeps_all_ SW_GUARDED_BY(mutex_) = false;
  std::shared_ptr<cache::DiskStream> spill_ SW_GUARDED_BY(mutex_);  // to read back from, even if it came to nothing
  bool trims_to_disk_ SW_GUARDED_BY(mutex_) = false;                // what spill_ has written need not be held
  std::uint32_t reader_count_ SW_GUARDED_BY(mutex_) = 0;
  std::vector<FillReader*> all_readers_ SW_GUARDED_BY(mutex_);  // for their offsets only
  std::optional<Error> error_ SW_GUARDED_BY(mutex_);
  http::HeaderMap trailers_ SW_GUARDED_BY(mutex_);
  std::vector<http::ResponseHead> informational_ SW_GUARDED_BY(mutex_);
  std::optional<Upgraded> upgraded_ SW_GUARDED_BY(mutex_);
  std::vector<WorkerReaders> workers_;
};

// A transaction's hold on a fill. Registers in its constructor and leaves in its destructor; in between `on_progress`
// is called in turns of its own after anything has changed. Thread: the worker whose executor is given.
class FillReader {
 public:
  FillReader(Ref<Fill> fill, Executor& executor, std::function<void()> on_progress);
  ~FillReader();
  FillReader(const FillReader&) = delete;
  FillReader& operator=(const FillReader&) = delete;

  Fill& fill() const { return *fill_; }

  enum class Outcome : std::uint8_t { kBytes, kNothingYet, kEnd, kFailed };
  // Takes what has arrived from this reader's offset on, at most `max_bytes`, and moves on. With kBytes `out` was added
  // to.
  Outcome read(std::size_t max_bytes, SliceChain& out);
  std::uint64_t offset() const { return offset_.load(std::memory_order_relaxed); }
  // Begin at `offset` (a range); only before the first read.
  void skip_to(std::uint64_t offset);
  // Between the look into the table and the registration the body became a window and slid on: this reader cannot
  // follow.
  bool has_missed_bytes() const;

 private:
  friend class Fill;
  bool has_missed(std::uint64_t offset) const SW_REQUIRES(fill_->mutex_);
  Outcome read_back(const cache::DiskStream& spill, std::size_t max_bytes, SliceChain& out);
  Ref<Fill> fill_;
  Executor& executor_;
  std::function<void()> on_progress_;
  std::atomic<std::uint64_t> offset_{0};
  std::unique_ptr<cache::BodySource> behind_;  // what memory does not have any more
};

}  // namespace seawall::fill
