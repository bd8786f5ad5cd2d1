#include "proxy/transaction.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "fill/parts.h"
#include "http/range.h"
#include "http/uri.h"
#include "policy/cacheability.h"
#include "policy/encoding.h"
#include "policy/key.h"
#include "policy/validation.h"
#include "policy/vary.h"
#include "proxy/error_response.h"
#include "proxy/outgoing.h"

namespace seawall::proxy {
namespace {

using fill::FillKind;
using fill::Sharing;
using http::Field;
using http::Method;
using policy::Found;
using policy::Verdict;
using policy::Why;

// The origin's own limits end a fetch; this ends one that they have missed.
constexpr Millis kDeadlineSlack{1000};
constexpr std::uint8_t kMaxDiskAsks = 4;

// What a stale answer says for itself.
Why why_stale(const Error& error) {
  switch (error.code) {
    case ErrorCode::kBreakerOpen:
    case ErrorCode::kBackingOff:
    case ErrorCode::kNoServer: return Why::kStaleBreaker;
    case ErrorCode::kStreamTimeout:
    case ErrorCode::kQueueFull:
    case ErrorCode::kQueueTimeout: return Why::kOverloaded;
    default: return Why::kStaleIfError;
  }
}

bool is_get_or_head(Method m) {
  return m == Method::kGet || m == Method::kHead;
}

}  // namespace

Transaction::Transaction(Context& context, ResponseWriter& writer, const ClientInfo& client,
                         std::function<void()> on_finished)
    : context_(context), writer_(writer), client_(client), on_finished_(std::move(on_finished)), wait_timer_([this] {
        wait_is_over_ = true;
        run();
      }) {}

Transaction::~Transaction() {
  leave_fill();
}

void Transaction::begin(Ref<http::BodyPipe> body) {
  SW_DASSERT(step_ == Step::kIdle, "one request at a time");
  request_body_ = std::move(body);
  if (router_ != context_.router) router_ = context_.router;
  begun_at_ = context_.executor.mono_now();
  begun_wall_ = context_.executor.wall_now();
  is_foreign_scheme_ = request_.scheme != client_.scheme;
  recognise_client();
  tell_certificate();
  step_ = Step::kRoute;
  run();
}

// Who asks, and by which scheme, where trusted proxies tell.
void Transaction::recognise_client() {
  const TrustedProxies trusted{.networks = context_.trusted_proxies, .has_unix = context_.trusts_unix};
  if (trusted.empty() || !may_be_forwarded(request_.headers)) return;
  const ForwardedClient told = find_forwarded(request_.headers, client_.ip, trusted);
  forwarded_ip_ = told.ip;
  if (told.scheme.empty()) return;
  hop_scheme_ = client_.scheme;
  // A proxy that ends TLS may name the scheme in the target as well (:scheme). By itself that proves nothing: it may
  // have come from the client as it is.
  if (is_foreign_scheme_ && request_.scheme != told.scheme) return;
  is_foreign_scheme_ = false;
  apply_scheme(request_, told.scheme);
}

Hop Transaction::hop() const {
  return {.peer_ip = client_.ip,
          .scheme = hop_scheme_.empty() ? request_.scheme : hop_scheme_,
          .trusted = {.networks = context_.trusted_proxies, .has_unix = context_.trusts_unix},
          .tls = client_.tls.get(),
          .tells_certificate = router_->edge().tells_client_certificate,
          .told_certificate = client_.told_certificate.get()};
}

// In the request itself, so that a response with Vary: Client-Cert is nobody else's (RFC 9440 section 2.4).
void Transaction::tell_certificate() {
  if (!router_->edge().tells_client_certificate && !client_.told_certificate) return;
  std::vector<std::string> forged;
  for (const auto field : request_.headers) {
    if (is_certificate_field(field.name)) forged.emplace_back(field.name);
  }
  for (const std::string& name : forged) request_.headers.remove(name);
  write_client_certificate(request_.headers, hop());
}

void Transaction::begin_refused(Error error) {
  router_ = context_.router;
  begun_at_ = context_.executor.mono_now();
  begun_wall_ = context_.executor.wall_now();
  answer_error(error);
  run();
}

void Transaction::on_writable() {
  if (step_ == Step::kBody || step_ == Step::kStoredBody) run();
}

void Transaction::on_client_gone() {
  if (step_ == Step::kIdle) return;
  is_client_gone_ = true;
  step_ = Step::kFinish;
  run();
}

void Transaction::run() {
  if (is_running_) return;  // the writer may report progress from within a step; the loop below sees it
  is_running_ = true;
  bool finished = false;
  for (Flow flow = Flow::kContinue; flow == Flow::kContinue && !finished;) {
    if (is_client_gone_) step_ = Step::kFinish;  // whatever the step had in mind when the writer told
    switch (step_) {
      case Step::kIdle: flow = Flow::kPark; break;
      case Step::kRoute: flow = route(); break;
      case Step::kLookup: flow = lookup(); break;
      case Step::kLoad: flow = Flow::kPark; break;
      case Step::kPurged: flow = answer_purged(); break;
      case Step::kDecide: flow = decide(); break;
      case Step::kMiss: flow = miss(); break;
      case Step::kAttach: flow = attach(); break;
      case Step::kAwaitHead: flow = await_head(); break;
      case Step::kRespondStored: flow = respond_stored(); break;
      case Step::kOpenBody: flow = open_body(); break;
      case Step::kRespondStream: flow = respond_stream(); break;
      case Step::kBody: flow = body(); break;
      case Step::kStoredBody: flow = stored_body(); break;
      case Step::kFinish:
        flow = finish();
        finished = true;
        break;
    }
    if (is_client_gone_) flow = Flow::kContinue;
  }
  is_running_ = false;
  if (finished) on_finished_();
}

Transaction::Flow Transaction::route() {
  if (request_.method == Method::kConnect || request_.method == Method::kTrace) {
    return answer_error({ErrorCode::kUnsupportedMethod, Side::kClient});
  }
  if (const auto expect = request_.headers.find(Field::kExpect); expect && !request_.expect_continue) {
    if (request_.version != http::Version::kHttp10) {
      return answer_error({ErrorCode::kUnsupportedExpectation, Side::kClient});
    }
  }
  if (request_.framing == http::BodyFraming::kLength && request_.content_length > router_->session().body_bytes) {
    return answer_error({ErrorCode::kBodyTooLarge, Side::kClient});
  }
  if (auto answered = answer_at_the_edge()) return *answered;
  if (request_.method == Method::kOptions) {
    if (request_.path == "*" || request_.headers.find(Field::kMaxForwards) == "0") return answer_options();
  }
  http::normalise_path(request_.path);
  route_ = router_->find(request_.authority, request_.path);
  if (!route_) return answer_error({ErrorCode::kNoRoute, Side::kLocal});
  origin_index_ = route_->origin_for(request_.method);

  key_.clear();
  policy::append_key(key_, request_.scheme, request_.authority, request_.path);
  hash_ = policy::hash_key(key_);
  if (!context_.purge_from.empty() && request_.method_name == "PURGE") return purge();
  facts_ = policy::facts_of(request_);
  plan_ = policy::plan_lookup(facts_);
  if (plan_.verdict == Verdict::kPass) return go(Step::kAttach);
  if (route_->miss.policy == MissPolicy::kPass) {
    plan_ = {Verdict::kPass, Why::kPassRoute};
    return go(Step::kAttach);
  }
  read_codings();
  return go(Step::kLookup);
}

// A request that has waited while the configuration changed goes by the new one: origins are known by index.
bool Transaction::follow_reload() {
  if (router_ == context_.router) return false;
  router_ = context_.router;
  return true;
}

Transaction::Flow Transaction::lookup() {
  if (follow_reload()) return go(Step::kRoute);
  ++lookups_;
  found_ = context_.store.find(key_, hash_, request_.headers, context_.scratch, route_->encode.selecting());
  if (found_.found != Found::kObject && load_from_disk()) return Flow::kPark;
  return go(Step::kDecide);
}

// What was not to be had then, is not waited for again: after the first time only for variants that have not been
// looked at yet, of which some come at once.
bool Transaction::load_from_disk() {
  cache::DiskTier* const disk = context_.store.disk();
  const bool may_ask =
      disk_asks_ == 0 || (disk_next_ && found_.found == Found::kOtherVariants && disk_asks_ < kMaxDiskAsks);
  if (!disk || !may_ask) return false;
  ++disk_asks_;
  const auto after = std::exchange(disk_next_, std::nullopt);
  disk_wait_ = disk->load(key_, route_->state->share, after, context_.executor, [this](cache::DiskTier::Loaded loaded) {
    disk_wait_.reset();
    disk_next_ = loaded.next;
    go(Step::kLookup);
    run();
  });
  if (!disk_wait_) return false;
  --lookups_;  // that one again
  step_ = Step::kLoad;
  return true;
}

Transaction::Flow Transaction::decide() {
  const policy::Freshness* stored = found_.object ? &found_.object->freshness() : nullptr;
  plan_ = policy::plan(facts_, found_.found, stored, route_->rules, context_.executor.wall_now());
  switch (plan_.verdict) {
    case Verdict::kServeFresh:
    case Verdict::kServeStaleAndRefresh:
      if (!found_.object->is_complete()) return decide_partial();
      if (plan_.verdict == Verdict::kServeStaleAndRefresh || is_due_early(*found_.object)) start_background_refresh();
      why_ = plan_.why;
      is_hit_ = true;
      return go(Step::kRespondStored);
    case Verdict::kRevalidate:
    case Verdict::kFetchAndStore: return go(Step::kMiss);
    // The request forbids to store; whether it may ask the origin at all is the route's word.
    case Verdict::kPass: return go(route_->miss.policy == MissPolicy::kCollapse ? Step::kAttach : Step::kMiss);
    case Verdict::kFail: return answer_error({ErrorCode::kNotCached, Side::kLocal});
  }
  return go(Step::kMiss);
}

// What is stored is usable but not whole: enough for this request?
Transaction::Flow Transaction::decide_partial() {
  if (holds_enough(*found_.object)) {
    if (plan_.verdict == Verdict::kServeStaleAndRefresh) start_background_refresh();
    why_ = plan_.why;
    is_hit_ = true;
    return go(Step::kRespondStored);
  }
  if (facts_.directives.only_if_cached) return answer_error({ErrorCode::kNotCached, Side::kLocal});
  plan_ = {Verdict::kFetchAndStore, Why::kPartialMiss};
  return go(Step::kMiss);
}

// Whether this request can be answered from the parts that are there.
bool Transaction::holds_enough(const cache::Object& object) const {
  if (object.is_complete() || request_.method == Method::kHead) return true;
  const auto ranges = requested_ranges(object.headers(), object.complete_length());
  return ranges && std::ranges::all_of(*ranges, [&](http::ByteRange range) {
           return !fill::missing_run(object.parts(), range).has_value();
         });
}

// Of a response with these fields; nullopt: it is to be answered whole. Empty: it has none of them.
std::optional<std::vector<http::ByteRange>> Transaction::requested_ranges(const http::HeaderMap& fields,
                                                                          std::uint64_t complete_length) const {
  const auto specs = range_specs();
  return specs && may_cut(fields) ? std::optional(http::resolve(*specs, complete_length)) : std::nullopt;
}

std::optional<std::vector<http::RangeSpec>> Transaction::range_specs() const {
  const auto value = request_.headers.find(Field::kRange);
  if (!value || request_.method != Method::kGet) return std::nullopt;  // RFC 9110 section 14.2
  if (request_.headers.count(Field::kRange) > 1) return std::nullopt;
  return http::parse_range(*value);
}

// Which way to ask the origin, for a request that has business with the cache.
void Transaction::choose_kind(FillKind& kind, std::optional<http::ByteRange>& missing) const {
  // Nobody is helped by the news that a part that does not answer is still good.
  const bool has_stored = plan_.verdict == Verdict::kRevalidate && found_.object && holds_enough(*found_.object);
  if (plan_.why == Why::kPartialMiss && policy::strong_etag(found_.object->headers())) {
    const std::uint64_t length = found_.object->complete_length();
    http::ByteRange wanted{0, length - 1};
    const auto ranges = requested_ranges(found_.object->headers(), length);
    if (ranges && !ranges->empty()) {
      wanted = ranges->front();
      for (const http::ByteRange range : *ranges) {
        wanted = {std::min(wanted.first, range.first), std::max(wanted.last, range.last)};
      }
    }
    missing = fill::missing_run(found_.object->parts(), wanted);
    if (missing) {
      kind = FillKind::kComplete;
      return;
    }
  }
  if (request_.method == Method::kHead) {
    kind = FillKind::kHead;
  } else if (has_stored) {
    kind = FillKind::kRevalidate;
  } else if (range_specs() && !request_.headers.contains(Field::kIfRange)) {
    kind = FillKind::kRange;
  } else {
    // Other variants may turn out to be what this request selects: their validators go along (RFC 9111 section 4.3.1).
    kind = found_.found == Found::kOtherVariants ? FillKind::kRevalidate : FillKind::kFetch;
  }
}

// Asks whether what is stored still holds, if it can be asked about.
void Transaction::make_conditional(fill::FillRequest& wanted) const {
  // Of several variants one in a coding that the client does not accept is no answer, whatever the origin says of its
  // tag: many give one weak tag to all codings.
  const bool may_be_any = found_.object != nullptr;
  const http::AcceptedCodings accepted =
      may_be_any ? http::AcceptedCodings() : http::CodingWeights(request_.headers).accepted();
  const auto can_validate = [&](const Ref<cache::Object>& candidate) {
    return holds_enough(*candidate) && policy::can_validate(candidate->status(), candidate->headers()) &&
           (may_be_any || policy::is_in_accepted_coding(candidate->headers(), accepted));
  };
  if (std::ranges::none_of(wanted.candidates, can_validate)) {
    wanted.kind = FillKind::kFetch;  // what it replaces stays a candidate for the case that it fails
    return;
  }
  std::erase_if(wanted.candidates, std::not_fn(can_validate));
  wanted.unconditional = wanted.outgoing;
  if (wanted.candidates.size() == 1) {
    policy::add_validators(wanted.candidates.front()->headers(), wanted.outgoing.headers);
    return;
  }
  std::string tags;
  for (const Ref<cache::Object>& candidate : wanted.candidates) {
    if (const auto tag = candidate->headers().find(Field::kEtag)) {
      if (!tags.empty()) tags += ", ";
      tags += *tag;
    }
  }
  if (!tags.empty()) wanted.outgoing.headers.set(Field::kIfNoneMatch, tags);
}

// Asks for the part that is not stored, of the very representation that is.
void Transaction::ask_for_missing(fill::FillRequest& wanted) const {
  wanted.unconditional = wanted.outgoing;
  if (wanted.candidates.empty()) {
    wanted.kind = FillKind::kFetch;
    return;
  }
  std::string range = "bytes=" + std::to_string(wanted.missing->first) + "-";
  if (wanted.missing->last + 1 != found_.object->complete_length()) range += std::to_string(wanted.missing->last);
  wanted.outgoing.headers.set(Field::kRange, range);
  wanted.outgoing.headers.set(Field::kIfRange, *policy::strong_etag(found_.object->headers()));
  wanted.head.headers.set(Field::kRange, range);
}

Ref<fill::Fill> Transaction::make_fill(FillKind kind, Sharing sharing, bool is_background) {
  fill::FillRequest wanted;
  wanted.kind = kind;
  if (kind != FillKind::kPass) choose_kind(wanted.kind, wanted.missing);
  if (is_background && wanted.kind != FillKind::kRevalidate) {
    // Nobody waits for the part that this request is about: the whole is worth more.
    wanted.kind = found_.object ? FillKind::kRevalidate : FillKind::kFetch;
    wanted.missing.reset();
  }
  wanted.sharing = sharing;
  wanted.is_background = is_background;
  wanted.key = key_;
  wanted.hash = hash_;
  wanted.rules = route_->rules;
  wanted.head_deadline = origin().total + kDeadlineSlack;
  wanted.head = request_;
  wanted.codings = route_->encode.selecting();
  wanted.purge_epoch = context_.store.purges().epoch();
  wanted.share = route_->state->share;
  wanted.chance = context_.rng.unit();

  const bool is_pass = wanted.kind == FillKind::kPass;
  if (is_background) {
    wanted.head.method = Method::kGet;
    wanted.head.method_name = "GET";
  }
  wanted.outgoing = make_outgoing(wanted.head, origin(), hop(), is_pass ? Conditions::kKeep : Conditions::kRemove);
  if (!is_background) {
    wanted.outgoing.client_ip = client_ip();
    wanted.outgoing.client_port = forwarded_ip_.empty() ? client_.port : std::uint16_t{0};
    if (client_.local) {
      wanted.outgoing.local_ip = client_.local->ip();
      wanted.outgoing.local_port = client_.local->port();
    }
  }
  if (is_pass && route_->encode.is_on()) policy::add_plain_etags(wanted.outgoing.headers);
  wanted.outgoing.traffic = is_background ? http::Traffic::kBackground : http::Traffic::kClient;
  wanted.outgoing.is_shared = !is_pass;
  wanted.outgoing.route = route_->state->id;
  wanted.outgoing.hash = hash_;
  if (!is_pass) {
    policy::remove_preconditions(wanted.head.headers);
    if (found_.set) wanted.candidates = context_.store.peek_all(key_, hash_);
    if (!wanted.candidates.empty()) wanted.vary_hint = wanted.candidates.front()->vary();
    // The one that is selected, else every variant.
    std::erase_if(wanted.candidates, [&](const Ref<cache::Object>& candidate) {
      return found_.object && candidate.get() != found_.object;
    });
  }
  if (wanted.kind != FillKind::kRange && !is_pass) wanted.head.headers.remove(Field::kRange);

  switch (wanted.kind) {
    case FillKind::kRevalidate: make_conditional(wanted); break;
    case FillKind::kRange: wanted.outgoing.headers.set(Field::kRange, *request_.headers.find(Field::kRange)); break;
    case FillKind::kComplete: ask_for_missing(wanted); break;
    case FillKind::kHead:
      if (!found_.object) wanted.candidates.clear();
      break;
    case FillKind::kPass:
      if (request_body_) {
        wanted.outgoing.body = request_body_;
        if (request_.framing == http::BodyFraming::kLength) wanted.outgoing.body_length = request_.content_length;
      }
      if (request_.wants_upgrade) wanted.outgoing.upgrade = request_.headers.combined(Field::kUpgrade).value_or("");
      break;
    case FillKind::kFetch: break;
  }
  return make_ref<fill::Fill>(context_.fills, context_.store, context_.executor, context_.workers, std::move(wanted));
}

Transaction::Flow Transaction::attach() {
  if (follow_reload()) return go(Step::kRoute);
  fill::Upstream& upstream = *context_.upstreams[origin_index_];
  const bool is_pass = plan_.verdict == Verdict::kPass;
  if (!is_pass && !is_alone_) {
    const bool uncacheable = context_.fills.is_marked_uncacheable(hash_, context_.executor.mono_now());
    if (uncacheable) plan_.why = Why::kHitForMiss;
    is_alone_ = uncacheable || facts_.has_authorization;
  }
  why_ = plan_.why;
  Ref<fill::Fill> fresh = make_fill(is_pass ? FillKind::kPass : FillKind::kFetch,
                                    is_pass || is_alone_ ? Sharing::kExclusive : Sharing::kShared, false);
  const auto on_progress = [this] { run(); };
  step_ = Step::kAwaitHead;
  origin_asked_ = true;
  if (is_pass || is_alone_) {
    is_starter_ = true;
    reader_ = std::make_unique<fill::FillReader>(fresh, context_.executor, on_progress);
    fresh->start(upstream, context_.running);
    return Flow::kContinue;
  }
  const auto joined = context_.fills.join_or_start(fresh, found_.object);
  switch (joined.outcome) {
    case fill::FillTable::Join::kChanged:
      if (lookups_ >= kMaxLookups) return go_alone(plan_.why);
      origin_asked_ = false;
      return go(Step::kLookup);
    case fill::FillTable::Join::kTooMany: return go_alone(plan_.why);
    case fill::FillTable::Join::kStarted:
      is_starter_ = true;
      reader_ = std::make_unique<fill::FillReader>(fresh, context_.executor, on_progress);
      fresh->start(upstream, context_.running);
      return Flow::kContinue;
    case fill::FillTable::Join::kJoined: origin().fills->begin_now(*joined.fill); break;
  }
  is_collapsed_ = true;
  is_waiting_ = !joined.fill->head();
  if (is_waiting_ && !context_.fills.try_wait(*joined.fill)) {
    is_waiting_ = false;
    return stale_is_usable() ? use_stale(std::move(found_), Why::kOverloaded)
                             : answer_error({ErrorCode::kTooManyWaiters, Side::kLocal});
  }
  reader_ = std::make_unique<fill::FillReader>(joined.fill, context_.executor, on_progress);
  if (reader_->has_missed_bytes()) return go_alone(plan_.why);
  context_.executor.timers().arm(wait_timer_, context_.executor.mono_now() + context_.fills.options().waiter_deadline);
  return Flow::kContinue;
}

Transaction::Flow Transaction::go_alone(Why why) {
  leave_fill();
  is_collapsed_ = false;
  if (patience_) return answer_placeholder(why);  // it may wait, and not ask the origin itself
  is_alone_ = true;
  plan_.why = why;
  return go(Step::kAttach);
}

bool Transaction::stale_is_usable() const {
  if (patience_ && may_serve_without_asking()) return true;  // others of its route get it without a failure
  return found_.object && found_.object->is_complete() && !is_body_lost_ &&
         policy::may_serve_stale_on_error(facts_, found_.object->freshness(), route_->rules,
                                          context_.executor.wall_now());
}

Transaction::Flow Transaction::use_stale(cache::LookupResult stale, Why why) {
  leave_fill();
  found_ = std::move(stale);
  why_ = why;
  is_hit_ = true;
  is_collapsed_ = false;
  is_stale_for_failure_ = why != Why::kFresh;
  return go(Step::kRespondStored);
}

Transaction::Flow Transaction::await_head() {
  fill::Fill& fill = reader_->fill();
  const fill::FillState state = fill.state();
  if (is_starter_ && request_.version != http::Version::kHttp10) {
    for (const http::ResponseHead& head : fill.informational(informational_sent_)) {
      writer_.send_informational(head);
      ++informational_sent_;
    }
    if (step_ != Step::kAwaitHead) return Flow::kContinue;  // the writer found the client gone
  }
  if (const fill::FillHead* head = fill.head()) {
    wait_timer_.cancel();
    if (std::exchange(is_waiting_, false)) context_.fills.end_wait(fill);
    return settle(*head);
  }
  if (state == fill::FillState::kFailed) return settle_failed();
  if (wait_is_over_) {
    if (patience_) return answer_unfilled();
    const Error error{ErrorCode::kWaitTimeout, Side::kLocal};
    if (stale_is_usable()) return use_stale(std::move(found_), Why::kWaitTimeout);
    return answer_error(error);
  }
  return Flow::kPark;
}

// Nothing has been sent yet, so the client may still learn of it.
Transaction::Flow Transaction::settle_failed() {
  const Error error = reader_->fill().error().value_or(Error{ErrorCode::kAborted, Side::kLocal});
  // It was given up for lack of readers just as this one came.
  if (!is_starter_ && error.code == ErrorCode::kAborted) return go_alone(plan_.why);
  if (stale_is_usable()) {
    error_ = error;
    return use_stale(std::move(found_), why_stale(error));
  }
  return answer_error(error);
}

// The fill has a head: may this request have it, and in which form?
Transaction::Flow Transaction::settle(const fill::FillHead& head) {
  if (policy::is_error_status(head.response.status) && stale_is_usable()) {
    origin_status_ = head.origin_status;
    return use_stale(std::move(found_), Why::kStaleIfError);
  }
  if (!is_starter_ && !head.is_shared)
    return go_alone(head.not_stored_why == Why::kNone ? plan_.why : head.not_stored_why);
  if (!is_starter_ && !head.vary.empty()) {
    std::string selecting;
    policy::append_selecting_values(head.vary, request_.headers, selecting);
    if (head.vary.any || selecting != head.selecting_values) {
      if (lookups_ >= kMaxLookups) return go_alone(Why::kVaryMiss);
      leave_fill();
      is_collapsed_ = false;
      return go(Step::kLookup);
    }
  }
  if (reader_->fill().state() == fill::FillState::kFailed) return settle_failed();
  if (head.object && !holds_enough(*head.object)) {
    if (lookups_ < kMaxLookups) {
      leave_fill();
      is_collapsed_ = false;
      return go(Step::kLookup);
    }
    // Without what is stored, for that is what does not suffice.
    found_ = {};
    plan_.verdict = Verdict::kFetchAndStore;
    return go_alone(Why::kUriMiss);
  }
  origin_status_ = head.origin_status;
  is_stored_ = head.is_stored;
  if (is_stored_) ttl_ = policy::remaining_lifetime(head.freshness, context_.executor.wall_now());
  if (head.object) {
    found_ = {.found = Found::kObject, .set = nullptr, .object = head.object.get(), .held = head.object};
    return go(Step::kRespondStored);
  }
  return go(Step::kRespondStream);
}

Transaction::Flow Transaction::respond_stream() {
  fill::Fill& fill = reader_->fill();
  const fill::FillHead& head = *fill.head();
  const FillKind kind = fill.request().kind;
  found_ = {};

  if (head.response.status == 101) {
    auto upgraded = fill.take_upgraded();
    if (!upgraded) return answer_error({ErrorCode::kAborted, Side::kLocal});
    compose_status();
    status_ = 101;
    http::HeaderMap fields = policy::end_to_end_fields(head.response.headers);
    fields.set(Field::kUpgrade, head.response.headers.combined(Field::kUpgrade).value_or(""));
    AnswerHead answer{.status = 101, .fields = &fields, .composed = composed_, .has_body = false};
    writer_.upgrade(answer, std::move(upgraded->connection), std::move(upgraded->early_bytes));
    return go(Step::kFinish);
  }

  if (!is_collapsed_ && !head.is_stored && head.not_stored_why != Why::kNone) why_ = head.not_stored_why;
  has_forms_ = may_encode(head, kind);
  adds_vary_ = has_forms_ && policy::needs_vary(head.response.headers);
  if (kind != FillKind::kPass && is_get_or_head(request_.method)) {
    switch (evaluate_preconditions(head.response.status, head.response.headers)) {
      case policy::Precondition::kNotModified: return answer_form_not_modified(head.response.headers, nullptr);
      case policy::Precondition::kFailed: return answer_precondition_failed();
      case policy::Precondition::kProceed: break;
    }
  }

  http::HeaderMap fields = head.response.headers;
  fields.remove(Field::kContentLength);
  if (route_->encode.is_on() && head.response.status == 304) policy::name_client_etag(request_.headers, fields);
  compose_status();
  if (is_collapsed_) {
    // Not the answer to its own request: RFC 9111 section 4 wants the age.
    fields.remove(Field::kAge);
    append_age(head.freshness);
  }
  AnswerHead answer{
      .status = head.response.status, .reason = head.response.reason, .fields = &fields, .length = head.body_bytes};
  if (request_.method == Method::kHead || head.response.status == 204 || head.response.status == 304) {
    answer.has_body = false;
    const bool tells_length = head.response.has_content_length && head.response.status != 204;
    answer.length = tells_length ? std::optional(head.response.content_length) : std::nullopt;
    send_head(answer);
    writer_.end({});
    return go(Step::kFinish);
  }

  const bool may_have_ranges = kind != FillKind::kPass && head.response.status == 200 && head.body_bytes;
  if (const auto ranges = may_have_ranges ? requested_ranges(head.response.headers, *head.body_bytes) : std::nullopt) {
    if (ranges->empty()) return answer_unsatisfied(*head.body_bytes);
    // Several ranges of a body that has not arrived: the whole instead, as RFC 9110 section 14.2 allows.
    if (ranges->size() == 1) {
      const http::ByteRange range = ranges->front();
      fields.set(Field::kContentRange, http::format_content_range(range, head.body_bytes));
      answer.status = 206;
      answer.reason = {};
      answer.length = range.size();
      reader_->skip_to(range.first);
      range_end_ = range.last + 1;
    }
  }
  send_head(answer);
  return go(Step::kBody);
}

Transaction::Flow Transaction::body() {
  while (true) {
    if (has_too_much_unsent()) return step_ == Step::kBody ? Flow::kPark : Flow::kContinue;
    std::size_t most = kReadChunk;
    if (range_end_ != 0) {
      const std::uint64_t left = range_end_ - reader_->offset();
      if (left == 0) {
        writer_.end({});
        return go(Step::kFinish);
      }
      most = static_cast<std::size_t>(std::min<std::uint64_t>(most, left));
    }
    SliceChain slices;
    switch (reader_->read(most, slices)) {
      case fill::FillReader::Outcome::kBytes:
        body_bytes_ += total_size(slices);
        writer_.send_body(std::move(slices));
        break;
      case fill::FillReader::Outcome::kNothingYet:
        writer_.flush();
        return step_ == Step::kBody ? Flow::kPark : Flow::kContinue;
      case fill::FillReader::Outcome::kEnd: writer_.end(reader_->fill().trailers()); return go(Step::kFinish);
      case fill::FillReader::Outcome::kFailed:
        error_ = reader_->fill().error();
        writer_.abort();
        return go(Step::kFinish);
    }
  }
}

void Transaction::leave_fill() {
  wait_timer_.cancel();
  wait_is_over_ = false;
  if (!reader_) return;
  if (std::exchange(is_waiting_, false)) context_.fills.end_wait(reader_->fill());
  is_starter_ = false;
  reader_.reset();
}

Transaction::Flow Transaction::finish() {
  if (route_) count_request();
  if (context_.access_log.is_on()) log_access();
  leave_fill();
  if (request_body_) request_body_->discard();
  request_body_ = nullptr;
  found_ = {};
  route_ = nullptr;
  is_client_gone_ = false;
  is_alone_ = is_collapsed_ = is_hit_ = is_stored_ = origin_asked_ = is_stale_for_failure_ = false;
  weights_.reset();
  coding_.reset();
  has_forms_ = adds_vary_ = false;
  patience_.reset();
  lookups_ = 0;
  informational_sent_ = 0;
  range_end_ = 0;
  answer_body_ = nullptr;
  sends_trailers_ = false;
  later_ = nullptr;
  why_ = Why::kNone;
  error_.reset();
  ttl_.reset();
  origin_status_ = 0;
  status_ = 0;
  body_bytes_ = 0;
  disk_wait_.reset();
  disk_asks_ = 0;
  disk_next_.reset();
  is_body_lost_ = false;
  body_source_ = nullptr;
  forwarded_ip_ = {};
  hop_scheme_ = {};
  step_ = Step::kIdle;
  return Flow::kPark;
}

}  // namespace seawall::proxy
