#include "fill/fill.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cache/disk_tier.h"
#include "fill/fill_table.h"
#include "fill/parts.h"
#include "fill/stored_fields.h"
#include "policy/encoding.h"
#include "policy/invalidation.h"
#include "policy/key.h"
#include "policy/plan.h"
#include "policy/tags.h"
#include "policy/validation.h"

namespace seawall::fill {
namespace {

using http::Field;
using policy::Why;

constexpr std::size_t kMaxInformational = 16;
constexpr std::size_t kLineBytes = 48;  // what a header line takes beside its text

// Whether the reason says something of the resource, so that the next request will fare alike.
bool is_lasting(Why why) {
  switch (why) {
    case Why::kResponseNoStore:
    case Why::kResponsePrivate:
    case Why::kResponseAuthorization:
    case Why::kResponseVaryStar:
    case Why::kResponseNotFresh:
    case Why::kResponseSetCookie:
    case Why::kResponseTooLarge:
    case Why::kResponseStatus: return true;
    default: return false;
  }
}

bool is_selected(const cache::Object& stored, const FillRequest& request) {
  std::string values;
  policy::append_selecting_values(stored.vary(), request.head.headers, values);
  return values == stored.selecting_values() ||
         (request.codings == policy::Codings::kNormalised &&
          policy::selects_by_codings(values, stored.selecting_values(), stored.headers()));
}

// Whether the error says anything of the origin: else there is nothing to wait for.
bool was_asked(ErrorCode code) {
  switch (code) {
    case ErrorCode::kAborted:
    case ErrorCode::kShuttingDown:
    case ErrorCode::kBreakerOpen:
    case ErrorCode::kBackingOff:
    case ErrorCode::kNoDescriptors:
    case ErrorCode::kNoLocalPort:
    case ErrorCode::kNoServer: return false;
    default: return true;
  }
}

}  // namespace

Fill::Fill(FillTable& table, cache::Store& store, Executor& executor, std::uint32_t workers, FillRequest request)
    : table_(table),
      store_(store),
      executor_(executor),
      request_(std::move(request)),
      kind_(request_.kind),
      invalidations_(table.invalidations(request_.hash)),
      purge_epoch_(request_.purge_epoch),
      head_timer_([this] { on_error({ErrorCode::kTotalTimeout, Side::kOrigin}); }),
      disk_timer_([this] {
        check_flow();
        if (spilling_) watch_disk();
      }),
      joinable_(request_.sharing == Sharing::kShared),
      body_(store.budget(), std::nullopt),
      workers_(workers) {}

struct RunningFills::Links {
  List<Fill, &Fill::running_link_> list;
};

RunningFills::RunningFills() : links_(std::make_unique<Links>()) {}
RunningFills::~RunningFills() {
  cancel_all();
}

void RunningFills::cancel_all() {
  while (Fill* fill = links_->list.front()) fill->fail({ErrorCode::kShuttingDown, Side::kLocal});
}

void Fill::start(Upstream& upstream, RunningFills& running) {
  running.links_->list.push_back(*this);
  self_ = Ref<Fill>(this);
  upstream_ = &upstream;
  executor_.timers().arm(head_timer_, executor_.mono_now() + request_.head_deadline);
  exchange_ = upstream.start(std::move(request_.outgoing), *this);
}

std::size_t Fill::request_bytes() const {
  const auto bytes_of = [](const http::HeaderMap& headers) {
    std::size_t bytes = 0;
    for (const auto line : headers) bytes += line.name.size() + line.value.size() + kLineBytes;
    return bytes;
  };
  std::size_t bytes =
      sizeof(Fill) + 3 * request_.key.size() + bytes_of(request_.head.headers) + bytes_of(request_.outgoing.headers);
  if (request_.unconditional) bytes += bytes_of(request_.unconditional->headers);
  return bytes;
}

void Fill::start_queued(Upstream& upstream, RunningFills& running, http::Traffic traffic) {
  if (state() != FillState::kWaiting) return;
  // What was purged or changed while it waited is no concern of an answer that is yet to be asked for.
  invalidations_ = table_.invalidations(request_.hash);
  purge_epoch_.store(store_.purges().epoch(), std::memory_order_release);
  request_.outgoing.traffic = traffic;
  start(upstream, running);
}

void Fill::give_up(Error error) {
  if (state() == FillState::kWaiting) fail(error);
}

std::optional<Error> Fill::error() const {
  MutexLock lock(mutex_);
  return error_;
}

std::vector<http::ResponseHead> Fill::informational(std::size_t from) const {
  MutexLock lock(mutex_);
  if (from >= informational_.size()) return {};
  return {informational_.begin() + static_cast<std::ptrdiff_t>(from), informational_.end()};
}

http::HeaderMap Fill::trailers() const {
  MutexLock lock(mutex_);
  return trailers_;
}

bool Fill::is_outdated() const {
  return invalidations_.is_outdated_by(table_.invalidations(request_.hash));
}

void Fill::insert_unless_outdated(const Ref<cache::Object>& object) {
  if (is_outdated()) return;
  // Whoever invalidates counts first and erases then: one of the two finds what was inserted in between.
  if (store_.insert(object) && is_outdated()) store_.erase(*object);
}

std::optional<Fill::Upgraded> Fill::take_upgraded() {
  MutexLock lock(mutex_);
  return std::exchange(upgraded_, std::nullopt);
}

void Fill::on_informational(http::ResponseHead head) {
  head.headers = policy::end_to_end_fields(head.headers);
  {
    MutexLock lock(mutex_);
    if (informational_.size() >= kMaxInformational) return;
    informational_.push_back(std::move(head));
  }
  wake_readers();
}

void Fill::on_head(http::ResponseHead head, WallTime request_time, WallTime response_time) {
  head_timer_.cancel();
  const Millis took = std::clamp(response_time - request_time, Millis{0}, Millis{3'600'000});
  fetch_ms_ = static_cast<std::uint32_t>(took.count());
  complete_fields(head.headers, response_time);

  const bool is_conditional = kind_ == FillKind::kRevalidate;
  if (head.status == 304 && kind_ != FillKind::kPass) {
    if (is_conditional && try_not_modified(head, request_time, response_time)) return;
    if (is_conditional && restart_unconditionally()) return;
    return fail({ErrorCode::kUnexpectedStatus, Side::kOrigin});
  }
  if (head.status == 206 && (kind_ == FillKind::kFetch || is_conditional || kind_ == FillKind::kHead)) {
    return fail({ErrorCode::kUnexpectedStatus, Side::kOrigin});
  }
  if (kind_ == FillKind::kHead && head.status == 200) refresh_from_head(head, request_time, response_time);
  if (kind_ == FillKind::kPass) {
    for (const std::string& key : policy::keys_to_invalidate(request_.head, head)) {
      const std::uint64_t hash = policy::hash_key(key);
      table_.detach_all(key, hash);
      store_.erase_key(key, hash);
    }
    invalidations_ = table_.invalidations(request_.hash);  // this answer is the newest
  }

  policy::StoreDecision decision = decide(head, request_time, response_time);
  if (kind_ == FillKind::kComplete && head.status != 200) {
    if (head.status == 206 && begin_completion(head, decision)) return;
    if (!policy::is_error_status(head.status) && restart_unconditionally()) return;
  }
  if (keeps_good_copy_over(head.status, response_time)) {
    decision.may_store = false;
    decision.why = Why::kOriginError;
  }
  if (policy::is_error_status(head.status)) back_off();
  complete_vary(head.headers);
  begin_body(std::move(head), decision);
}

void Fill::complete_vary(http::HeaderMap& headers) const {
  if (request_.codings == policy::Codings::kNormalised) policy::complete_vary(headers);
}

// Only what comes of it is complete: the update's Vary takes the place of the stored one when it has any.
http::HeaderMap Fill::updated_fields(const cache::Object& stored, const http::ResponseHead& update) const {
  http::HeaderMap fields = policy::merge_updated(stored.headers(), update.headers);
  complete_vary(fields);
  return fields;
}

policy::StoreDecision Fill::decide(const http::ResponseHead& head, WallTime request_time,
                                   WallTime response_time) const {
  if (kind_ != FillKind::kHead) {
    policy::StoreDecision decision =
        policy::decide_storing(request_.head, head, request_.rules, request_time, response_time);
    shorten_lifetime(decision.freshness, request_.rules, request_.chance);
    // Those who asked for the very same range may have the same answer.
    const bool is_ranged = kind_ == FillKind::kRange || kind_ == FillKind::kComplete;
    if (is_ranged && head.status == 206 && decision.may_store && !head.headers.contains(Field::kSetCookie) &&
        policy::remaining_lifetime(decision.freshness, response_time) > Seconds{0} && !decision.freshness.no_cache) {
      decision.may_share_with_waiters = true;
    }
    return decision;
  }
  // A head is shared among HEAD requests just when the GET's response would be.
  http::RequestHead as_get = request_.head;
  as_get.method = http::Method::kGet;
  policy::StoreDecision decision = policy::decide_storing(as_get, head, request_.rules, request_time, response_time);
  shorten_lifetime(decision.freshness, request_.rules, request_.chance);
  return decision;
}

void Fill::back_off() {
  for (const Ref<cache::Object>& candidate : request_.candidates) {
    candidate->refresh().on_failure(executor_.mono_now(), request_.chance);
  }
}

bool Fill::is_purged() const {
  const std::uint64_t seen = purge_epoch_.load(std::memory_order_acquire);
  if (seen >= store_.purges().rule_epoch()) return false;
  const std::vector<std::string> none;
  return store_.purges().match(seen, request_.key, has_head() ? head_->tags : none).has_value();
}

bool Fill::keeps_good_copy_over(std::uint16_t status, WallTime now) const {
  if (!policy::is_error_status(status)) return false;
  const policy::RequestFacts facts = policy::facts_of(request_.head);
  return std::ranges::any_of(request_.candidates, [&](const Ref<cache::Object>& candidate) {
    // In the background also for a route that serves what is older than that rather than ask.
    return policy::may_serve_stale_on_error(facts, candidate->freshness(), request_.rules, now) ||
           (request_.is_background && policy::may_serve_without_asking(candidate->freshness(), request_.rules, now));
  });
}

bool Fill::try_not_modified(const http::ResponseHead& head, WallTime request_time, WallTime response_time) {
  // Many origins leave the validators out of a 304. Where only one was asked about, it can be no other.
  const bool names_none = !policy::has_validator(head.headers) && request_.candidates.size() == 1;
  const auto selected = std::ranges::find_if(request_.candidates, [&](const Ref<cache::Object>& candidate) {
    return names_none || policy::updates_stored(head.headers, candidate->headers());
  });
  if (selected == request_.candidates.end()) return false;
  const Ref<cache::Object>& stored = *selected;

  http::ResponseHead merged;
  merged.status = stored->status();
  merged.reason = stored->reason();
  merged.headers = updated_fields(*stored, head);
  const policy::StoreDecision decision = decide(merged, request_time, response_time);
  Ref<cache::Object> object = make_updated(*stored, stored_fields(merged, decision.directives), decision.freshness);

  if (!is_outdated()) {
    const bool same_variant =
        object->vary() == stored->vary() && object->selecting_values() == stored->selecting_values();
    if (!decision.may_store) {
      store_.erase(*stored);
    } else if (same_variant) {
      store_.replace(*stored, object);
    } else {
      // With another Vary it answers other requests than it did; else it answers these too.
      if (object->vary() != stored->vary()) store_.erase(*stored);
      insert_unless_outdated(object);
    }
  }
  if (decision.may_store) table_.mark_cacheable(request_.hash);
  is_filled_ = decision.may_store;

  auto published = make_ref<FillHead>();
  published->response.status = object->status();
  published->response.headers = object->headers();
  published->is_shared = request_.sharing == Sharing::kShared && decision.may_share_with_waiters;
  published->is_stored = decision.may_store;
  published->not_stored_why = decision.why;
  published->vary = object->vary();
  published->selecting_values = object->selecting_values();
  published->tags = object->tags();
  published->object = std::move(object);
  published->origin_status = 304;
  published->freshness = decision.freshness;
  table_.remove(*this);
  publish_head(std::move(published), FillState::kComplete);
  return true;
}

void Fill::refresh_from_head(const http::ResponseHead& head, WallTime request_time, WallTime response_time) {
  for (const Ref<cache::Object>& stored : request_.candidates) {
    // A stored response keeps its length elsewhere than in a field.
    const bool is_as_long = !head.has_content_length || head.content_length == stored->complete_length();
    if (stored->status() != head.status || !is_as_long || !policy::head_agrees(head, stored->headers())) {
      store_.erase(*stored);
      continue;
    }
    http::ResponseHead merged;
    merged.status = stored->status();
    merged.headers = updated_fields(*stored, head);
    const policy::StoreDecision decision = decide(merged, request_time, response_time);
    if (!decision.may_store) {
      store_.erase(*stored);
      continue;
    }
    store_.replace(*stored, make_updated(*stored, stored_fields(merged, decision.directives), decision.freshness));
  }
}

// A 206 that holds just what was asked for, of the very representation that is stored (RFC 9111 section 3.4).
bool Fill::begin_completion(const http::ResponseHead& head, const policy::StoreDecision& decision) {
  const cache::Object& stored = *request_.candidates.front();
  const auto value = head.headers.find(Field::kContentRange);
  const auto arrived = value ? http::parse_content_range(*value) : std::nullopt;
  const auto etag = policy::strong_etag(head.headers);
  if (!decision.may_store || !arrived || !arrived->range || arrived->range != request_.missing) return false;
  if (arrived->complete_length != stored.complete_length()) return false;
  if (!etag || etag != policy::strong_etag(stored.headers())) return false;

  completing_ = true;
  may_share_completed_ = decision.may_share_with_waiters;
  arriving_ = arrived->range;
  freshness_ = decision.freshness;
  http::ResponseHead merged;
  merged.status = head.status;
  merged.headers = updated_fields(stored, head);
  stored_headers_ = stored_fields(merged, decision.directives);
  MutexLock lock(mutex_);
  body_ = BodyBuffer(store_.budget(), arriving_->size());
  keeps_all_ = true;
  return true;
}

bool Fill::restart_unconditionally() {
  if (restarted_ || !request_.unconditional) return false;
  restarted_ = true;
  kind_ = FillKind::kFetch;
  executor_.timers().arm(head_timer_, executor_.mono_now() + request_.head_deadline);
  exchange_ = upstream_->start(std::move(*request_.unconditional), *this);
  return true;
}

void Fill::begin_body(http::ResponseHead head, const policy::StoreDecision& decision) {
  const bool has_body = head.framing != http::BodyFraming::kNone;
  const bool may_keep_kind =
      kind_ != FillKind::kHead && (kind_ != FillKind::kPass || request_.head.method == http::Method::kPost);
  auto published = make_ref<FillHead>();
  published->is_shared = request_.sharing == Sharing::kShared && decision.may_share_with_waiters;
  published->origin_status = head.status;
  published->freshness = decision.freshness;
  published->not_stored_why = decision.why;
  published->vary = policy::parse_vary(head.headers);
  policy::append_selecting_values(published->vary, request_.head.headers, published->selecting_values);
  published->tags = policy::parse_tags(head.headers, request_.rules.tag_fields);
  if (head.framing == http::BodyFraming::kLength) published->body_bytes = head.content_length;
  if (!has_body) published->body_bytes = 0;
  if (const auto value = head.headers.find(Field::kContentRange); value && head.status == 206) {
    published->content_range = http::parse_content_range(*value);
  }

  keeping_ = decision.may_store && may_keep_kind;
  if (keeping_) {
    freshness_ = decision.freshness;
    content_range_ = published->content_range;
    stored_headers_ = stored_fields(head, decision.directives);
  }
  const bool is_too_large = keeping_ && published->body_bytes && *published->body_bytes > store_.max_object_bytes();
  if (is_too_large && !begin_spilling(*published, head.status)) {
    keeping_ = false;
    const cache::DiskTier* const disk = store_.disk();
    const bool may_be_later = disk && *published->body_bytes <= disk->max_body_bytes();
    published->not_stored_why = may_be_later ? Why::kStoreFull : Why::kResponseTooLarge;
  }
  published->is_stored = keeping_;
  if (kind_ == FillKind::kFetch || kind_ == FillKind::kRevalidate) {
    // An answer for one user says nothing of those for all, nor does an error.
    const bool says_of_all =
        !policy::is_error_status(head.status) && !request_.head.headers.contains(Field::kAuthorization);
    if (keeping_) {
      table_.mark_cacheable(request_.hash);
    } else if (says_of_all && is_lasting(published->not_stored_why)) {
      table_.mark_uncacheable(request_.hash, executor_.mono_now());
    }
    // What was stored has been replaced by an answer that may not be: it must not come back as a stale copy. Other
    // variants stay.
    if (!keeping_ && says_of_all) {
      if (request_.candidates.empty()) store_.forget_unseen(request_.key, request_.hash);
      for (const Ref<cache::Object>& candidate : request_.candidates) {
        if (is_selected(*candidate, request_)) store_.erase(*candidate);
      }
    }
  }
  // A HEAD has no body to keep, and those who wait for one may share it.
  const bool can_be_joined = published->is_shared && (keeping_ || kind_ == FillKind::kHead);
  if (!can_be_joined) {
    joinable_.store(false, std::memory_order_release);
    table_.remove(*this);
  }

  {
    MutexLock lock(mutex_);
    body_ = BodyBuffer(store_.budget(), keeping_ ? published->body_bytes : std::nullopt);
    keeps_all_ = keeping_ && !spilling_;
  }
  published->response = std::move(head);
  published->response.headers = policy::end_to_end_fields(published->response.headers);
  publish_head(std::move(published), FillState::kStreaming);
  cancel_if_unwanted();
}

void Fill::publish_head(Ref<FillHead> head, FillState state) {
  {
    MutexLock lock(mutex_);
    head_ = std::move(head);
    has_head_.store(true, std::memory_order_release);
    state_.store(state, std::memory_order_release);
  }
  wake_readers();
}

void Fill::on_body(std::string_view payload) {
  if (has_head() && head_->object) return;  // a 304 has no body; the parser saw to that, but the type does not say so
  if ((keeping_ || completing_) && !make_room_for(payload.size())) return;
  {
    MutexLock lock(mutex_);
    body_.append(payload);
  }
  feed_disk();
  std::shared_ptr<cache::DiskStream> unneeded;
  {
    MutexLock lock(mutex_);
    unneeded = update_flow();
  }
  wake_readers();
}

// False when the payload is of no use any more.
bool Fill::make_room_for(std::size_t payload_bytes) {
  std::size_t needed = 0;
  std::uint64_t size = 0;
  {
    MutexLock lock(mutex_);
    needed = body_.next_allocation(payload_bytes);
    size = body_.size() + payload_bytes;
  }
  const bool is_too_large = !spilling_ && size > store_.max_object_bytes();
  const bool has_room = needed == 0 || store_.make_room(needed, request_.share.get());
  if (!is_too_large && has_room) return true;
  if (keeping_ && !spilling_ && begin_spilling(*head_, head_->response.status)) return true;
  return stop_keeping(is_too_large ? Why::kResponseTooLarge : Why::kStoreFull);
}

// From here on the body is a window that slides behind the slowest reader.
bool Fill::stop_keeping(Why why) {
  if (completing_) {
    // What is stored cannot be completed in memory, so the whole is streamed past it.
    completing_ = false;
    {
      MutexLock lock(mutex_);
      keeps_all_ = false;
      body_ = BodyBuffer(store_.budget(), std::nullopt);
    }
    if (!restart_unconditionally()) fail({ErrorCode::kOutOfMemoryBudget, Side::kLocal});
    return false;
  }
  keeping_ = false;
  if (spilling_) std::exchange(spilling_, nullptr)->abandon();
  if (why == Why::kResponseTooLarge) table_.mark_uncacheable(request_.hash, executor_.mono_now());
  stop_being_joined();
  {
    MutexLock lock(mutex_);
    keeps_all_ = trims_to_disk_ = false;
  }
  cancel_if_unwanted();
  return exchange_ != nullptr;
}

void Fill::stop_being_joined() {
  joinable_.store(false, std::memory_order_release);
  table_.remove(*this);
}

void Fill::on_complete(const http::HeaderMap& trailers) {
  if (completing_) {
    if (!finish_completion()) return fail({ErrorCode::kIncompleteBody, Side::kOrigin});
  } else if (keeping_ && !spilling_) {
    store_body(trailers);
  }
  if (!spilling_) table_.remove(*this);
  {
    MutexLock lock(mutex_);
    trailers_ = trailers;
    state_.store(FillState::kComplete, std::memory_order_release);
  }
  wake_readers();
  if (!spilling_) return end();
  exchange_.reset();
  feed_disk();
}

// Over the stored body.
Ref<cache::Object> Fill::make_updated(const cache::Object& stored, http::HeaderMap headers,
                                      const policy::Freshness& freshness) {
  // By now there may be forms that were not when it was asked about, or the body may be elsewhere.
  const Ref<cache::Object> present = store_.find_same(stored);
  const cache::Object& latest = present ? *present : stored;
  Ref<cache::Object> object = make_object(std::move(headers), freshness, latest.parts(), latest.complete_length(),
                                          latest.status(), latest.reason(), &latest);
  object->encoding().take_useless(latest.encoding());
  return object;
}

// `body_of`: whose forms it may have too, and whose body that is packed or on disk; null: nobody's.
Ref<cache::Object> Fill::make_object(http::HeaderMap headers, const policy::Freshness& freshness,
                                     std::vector<cache::Part> parts, std::uint64_t complete_length,
                                     std::uint16_t status, std::string reason, const cache::Object* body_of) {
  cache::Object::Init init;
  init.key = request_.key;
  init.hash = request_.hash;
  init.status = status;
  init.reason = std::move(reason);
  init.vary = policy::parse_vary(headers);
  policy::append_selecting_values(init.vary, request_.head.headers, init.selecting_values);
  if (body_of) {
    init.forms = body_of->forms_under(store_.budget(), headers);
    init.packed = body_of->packed();
    init.disk_body = Ref<const cache::DiskBody>(body_of->disk_body());
  }
  init.headers = std::move(headers);
  init.freshness = freshness;
  init.parts = std::move(parts);
  init.complete_length = complete_length;
  init.no_content_length = status == 204;
  describe(init);
  return cache::Object::create(store_.budget(), std::move(init));
}

void Fill::describe(cache::Object::Init& init) const {
  init.tags = policy::parse_tags(init.headers, request_.rules.tag_fields);
  init.purge_epoch = purge_epoch_.load(std::memory_order_relaxed);
  init.fetch_ms = fetch_ms_;
  init.share = request_.share;
}

// The head of what will be stored of this response.
cache::Object::Init Fill::describe_body(const FillHead& head, std::uint16_t status) const {
  cache::Object::Init init;
  init.key = request_.key;
  init.hash = request_.hash;
  init.reason = head.response.reason;
  init.status = status;
  init.headers = stored_headers_;
  init.freshness = freshness_;
  init.vary = head.vary;
  init.selecting_values = head.selecting_values;
  init.no_content_length = status == 204;
  return init;
}

void Fill::store_body(const http::HeaderMap& trailers) {
  SliceChain slices;
  std::uint64_t size = 0;
  {
    MutexLock lock(mutex_);
    slices = body_.take_compact();
    size = body_.size();
    body_.land();
  }
  cache::Object::Init init = describe_body(*head_, head_->response.status);
  init.trailers = trailers;
  init.complete_length = size;
  if (init.status == 206) {
    if (!content_range_ || !content_range_->range || !content_range_->complete_length) return;
    if (content_range_->range->size() != size) return;  // contradictory; a length in the head was checked before
    init.status = 200;
    init.reason.clear();
    init.complete_length = *content_range_->complete_length;
    if (const Ref<cache::Object> stored = stored_parts_of(init)) {
      if (stored->is_complete()) return;
      init.parts = stored->parts();
      init.headers = policy::merge_updated(stored->headers(), init.headers);
    }
    merge_part(init.parts, {.first = content_range_->range->first, .size = size, .slices = std::move(slices)});
  } else {
    init.parts.push_back({.first = 0, .size = size, .slices = std::move(slices)});
  }
  describe(init);
  insert_unless_outdated(cache::Object::create(store_.budget(), std::move(init)));
  is_filled_ = true;
}

// What is stored by now of the same representation, so that what others have fetched meanwhile is not lost.
Ref<cache::Object> Fill::stored_parts_of(const cache::Object::Init& arrived) const {
  const auto etag = policy::strong_etag(arrived.headers);
  if (!etag) return nullptr;
  for (Ref<cache::Object>& stored : store_.peek_all(request_.key, request_.hash)) {
    const bool same_selection =
        stored->vary() == arrived.vary && stored->selecting_values() == arrived.selecting_values;
    if (same_selection && etag == policy::strong_etag(stored->headers()) &&
        stored->complete_length() == arrived.complete_length) {
      return std::move(stored);
    }
  }
  return nullptr;
}

bool Fill::finish_completion() {
  std::vector<cache::Part> parts = request_.candidates.front()->parts();
  const std::uint64_t complete_length = request_.candidates.front()->complete_length();
  {
    MutexLock lock(mutex_);
    if (body_.size() != arriving_->size()) return false;
    merge_part(parts, {.first = arriving_->first, .size = arriving_->size(), .slices = body_.take_compact()});
    body_.land();
  }
  Ref<cache::Object> object =
      make_object(std::move(stored_headers_), freshness_, std::move(parts), complete_length, 200, {}, nullptr);
  if (!is_outdated()) store_.replace(*request_.candidates.front(), object);
  auto published = make_ref<FillHead>();
  published->response.status = 200;
  published->response.headers = object->headers();
  published->is_shared = request_.sharing == Sharing::kShared && may_share_completed_;
  published->is_stored = true;
  published->vary = object->vary();
  published->selecting_values = object->selecting_values();
  published->origin_status = 206;
  published->freshness = freshness_;
  published->tags = object->tags();
  published->object = std::move(object);
  is_filled_ = true;
  publish_head(std::move(published), FillState::kStreaming);
  return true;
}

void Fill::on_upgraded(http::ResponseHead head, std::unique_ptr<ByteStream> connection, std::string early_bytes) {
  auto published = make_ref<FillHead>();
  published->origin_status = head.status;
  published->response = std::move(head);
  published->not_stored_why = Why::kUpgrade;
  {
    MutexLock lock(mutex_);
    upgraded_ = Upgraded{std::move(connection), std::move(early_bytes)};
  }
  head_timer_.cancel();
  publish_head(std::move(published), FillState::kComplete);
  end();
}

void Fill::on_error(Error error) {
  fail(error);
}

void Fill::fail(Error error) {
  stop_being_joined();
  if (state() == FillState::kComplete) return end();  // a 304 had said all there was to say, or the disk is late
  if (was_asked(error.code)) back_off();
  {
    MutexLock lock(mutex_);
    error_ = error;
    state_.store(FillState::kFailed, std::memory_order_release);
  }
  wake_readers();
  end();
}

void Fill::end() {
  head_timer_.cancel();
  disk_timer_.cancel();
  keeping_ = false;
  completing_ = false;
  spilling_ = nullptr;
  std::shared_ptr<cache::DiskStream> spill;
  {
    MutexLock lock(mutex_);
    spill = spill_;
    trims_to_disk_ = false;
  }
  if (spill) {
    spill->on_written({});
    spill->abandon();
  }
  exchange_.reset();
  running_link_.unlink();
  if (on_end_) {
    std::uint64_t bytes = 0;
    {
      MutexLock lock(mutex_);
      bytes = body_.size();
    }
    std::exchange(on_end_, nullptr)(bytes);
  }
  if (request_.on_outcome) std::exchange(request_.on_outcome, nullptr)(is_filled_);
  // The caller may be inside a member function of ours: the last reference goes in a turn of its own.
  if (self_) executor_.post([self = std::move(self_)] {});
}

void Fill::wake_readers() {
  for (std::uint32_t w = 0; w < workers_.size(); ++w) {
    WorkerReaders& worker = workers_[w];
    if (!worker.has_readers.load(std::memory_order_acquire)) continue;
    if (worker.wake_pending.exchange(true, std::memory_order_acq_rel)) continue;
    worker.executor->post([self = Ref<Fill>(this), w] { run_readers(self, w); });
  }
}

void Fill::run_readers(const Ref<Fill>& fill, std::uint32_t worker) {
  WorkerReaders& here = fill->workers_[worker];
  // Exchanged, so that what the fill did before it found the flag still set is seen below.
  here.wake_pending.exchange(false, std::memory_order_acq_rel);
  here.is_running = true;
  const std::size_t count = here.readers.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (FillReader* reader = here.readers[i]) {
      const std::function<void()> on_progress = reader->on_progress_;  // the call may end the reader
      on_progress();
    }
  }
  here.is_running = false;
  std::erase(here.readers, nullptr);
  if (here.readers.empty()) here.has_readers.store(false, std::memory_order_release);
}

}  // namespace seawall::fill
