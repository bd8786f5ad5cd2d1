// One client request from its head to the end of its answer: a state machine that runs until it must wait.
//
//   kRoute    limits, route, key                       -> kLookup | kAttach (pass) | answered
//   kLookup   what the store has                       -> kDecide | kLoad
//   kLoad     parked until what the disk has is in the store -> kLookup
//   kPurged   a PURGE that outlives a crash             -> answered
//   kDecide   policy::plan(), and what it means here   -> kRespondStored | kMiss | kAttach | answered
//   kMiss     the route's miss policy, and how the origin fares -> kRespondStored | kAttach | kAwaitHead | answered
//   kAttach   start a fill or join one                 -> kAwaitHead | kLookup (the store has changed) | answered
//   kAwaitHead  parked until the fill has a head or failed -> kRespondStored | kRespondStream | kAttach (alone) |
//             kLookup | answered
//   kRespondStored  an object: preconditions, ranges    -> kFinish | kOpenBody | kStoredBody
//   kOpenBody  parked until a body that is on disk only can be read -> kRespondStored | kMiss | answered
//   kRespondStream  head of a response that arrives     -> kBody | kFinish
//   kBody     parked between the fill's progress and the client's -> kFinish
//   kStoredBody  a stored body that does not lie ready: parked between its source and the client -> kFinish
//   kFinish   log, hand back to the session
//
// It meets the fill only through FillReader, and the client only through ResponseWriter. Reused for the next request of
// its connection. Thread: the session's worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/timer_wheel.h"
#include "cache/body_source.h"
#include "cache/disk_tier.h"
#include "cache/store.h"
#include "fill/fill.h"
#include "http/body_pipe.h"
#include "http/coding.h"
#include "http/message.h"
#include "policy/plan.h"
#include "policy/validation.h"
#include "policy/why.h"
#include "proxy/answer_body.h"
#include "proxy/client_info.h"
#include "proxy/context.h"
#include "proxy/forwarded.h"
#include "proxy/request_handler.h"
#include "proxy/response_writer.h"

namespace seawall::proxy {

class Transaction final : public RequestHandler {
 public:
  // `client` outlives it. `on_finished` is called from within run().
  Transaction(Context& context, ResponseWriter& writer, const ClientInfo& client, std::function<void()> on_finished);
  ~Transaction() override;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void begin(Ref<http::BodyPipe> body) override;
  void begin_refused(Error error) override;
  bool is_active() const override { return step_ != Step::kIdle; }
  bool has_answered() const override { return status_ != 0; }
  void on_writable() override;
  void on_client_gone() override;

 private:
  enum class Step : std::uint8_t {
    kIdle,
    kRoute,
    kLookup,
    kLoad,
    kPurged,
    kDecide,
    kMiss,
    kAttach,
    kAwaitHead,
    kRespondStored,
    kOpenBody,
    kRespondStream,
    kBody,
    kStoredBody,
    kFinish,
  };
  enum class Flow : std::uint8_t { kContinue, kPark };
  // A store that changes under a request's feet is looked at again this often; then the request goes alone.
  static constexpr int kMaxLookups = 4;
  static constexpr std::size_t kReadChunk = std::size_t{64} * 1024;

  void recognise_client();
  // The client's, as far as it is known.
  std::string_view client_ip() const { return forwarded_ip_.empty() ? client_.ip : forwarded_ip_.view(); }
  Hop hop() const;
  void tell_certificate();

  void run();
  Flow go(Step next) {
    step_ = next;
    return Flow::kContinue;
  }

  Flow route();
  Flow lookup();
  bool load_from_disk();
  Flow decide();
  Flow decide_partial();
  Flow miss();
  Flow miss_collapsed();
  Flow miss_async();
  Flow answer_unfilled();
  Flow attach();
  Flow await_head();
  Flow settle(const fill::FillHead& head);
  Flow settle_failed();
  Flow respond_stored();
  Flow respond_stream();
  Flow body();
  Flow finish();
  // In transaction_body.cc.

  Flow answer_error(Error error);
  Flow answer_local(std::uint16_t status, const http::HeaderMap& fields, std::string_view text);
  Flow answer_options();
  Flow answer_placeholder(policy::Why why);
  Flow purge();
  Flow answer_purged();
  Flow answer_not_modified(const http::HeaderMap& stored);
  Flow answer_precondition_failed();
  Flow answer_ranges(const cache::Object& object, const std::vector<http::ByteRange>& ranges);
  Flow answer_multipart(const cache::Object& object, const std::vector<http::ByteRange>& ranges);
  Flow answer_unsatisfied(std::uint64_t complete_length);
  Flow use_stale(cache::LookupResult stale, policy::Why why);
  Flow go_alone(policy::Why why);
  bool stale_is_usable() const;
  bool holds_enough(const cache::Object& object) const;
  bool follow_reload();
  bool may_serve_without_asking() const;
  MissPolicy miss_policy();
  void watch_storm();
  void tell_miss();
  bool may_fetch() const;
  bool is_due_early(const cache::Object& object);
  void start_background_refresh();
  Ref<fill::Fill> enqueue_fill(fill::FillClass klass);
  const Origin& origin() const { return router_->origins()[origin_index_]; }
  obs::CacheResult result() const;
  void count_request();
  Ref<fill::Fill> make_fill(fill::FillKind kind, fill::Sharing sharing, bool is_background);
  void choose_kind(fill::FillKind& kind, std::optional<http::ByteRange>& missing) const;
  void make_conditional(fill::FillRequest& wanted) const;
  void ask_for_missing(fill::FillRequest& wanted) const;
  void leave_fill();
  bool is_misdirected();
  std::optional<Flow> answer_at_the_edge();
  Flow answer_challenge(const std::string& directory, std::optional<std::string_view> token);
  Flow redirect_to_https();
  void append_hsts(const http::HeaderMap* fields);
  void send_head(AnswerHead head);
  void compose_status();
  void append_proxy_status();
  void append_age(const policy::Freshness& freshness);
  std::optional<std::vector<http::ByteRange>> requested_ranges(const http::HeaderMap& fields,
                                                               std::uint64_t complete_length) const;
  std::optional<std::vector<http::RangeSpec>> range_specs() const;
  void log_access();
  // In transaction_body.cc.
  bool has_too_much_unsent();
  Flow open_body();
  std::uint64_t first_wanted() const;  // of the stored body, for the answer
  Flow go_without_body();
  void begin_body(const cache::Object& object);
  Flow stored_body();
  void go_on_later();
  // In transaction_forms.cc.
  void read_codings();
  bool may_encode(const fill::FillHead& head, fill::FillKind kind) const;
  const cache::Form* select_form(const cache::Object& stored);
  bool is_for_part(const cache::Object& stored) const;
  void ask_for_form(const cache::Object& stored, http::Coding coding);
  policy::Precondition evaluate_preconditions(std::uint16_t status, const http::HeaderMap& fields) const;
  bool may_cut(const http::HeaderMap& fields) const;
  Flow answer_form_not_modified(const http::HeaderMap& stored, const cache::Form* form);

  Context& context_;
  ResponseWriter& writer_;
  const ClientInfo& client_;
  std::function<void()> on_finished_;

  // Of this request, when a trusted proxy told; empty otherwise.
  net::IpText forwarded_ip_;
  std::string_view hop_scheme_;  // of the connection, where the request's scheme is another

  Step step_ = Step::kIdle;
  bool is_running_ = false;
  bool is_client_gone_ = false;
  Ref<http::BodyPipe> request_body_;
  Ref<const Router> router_;
  const Route* route_ = nullptr;
  std::size_t origin_index_ = 0;  // of the router's origins
  std::string key_;
  std::uint64_t hash_ = 0;
  policy::RequestFacts facts_;
  policy::Plan plan_;
  cache::LookupResult found_;
  std::optional<disk::Pending> disk_wait_;
  std::unique_ptr<cache::BodySource> body_source_;  // of found_.object, where that is on disk only
  bool is_body_lost_ = false;                       // it could not be read for this request
  std::uint8_t disk_asks_ = 0;                      // of this request
  std::optional<std::uint64_t> disk_next_;          // where the next one goes on: see DiskTier::load()
  std::size_t purged_ = 0;
  bool is_purge_durable_ = true;
  std::unique_ptr<fill::FillReader> reader_;
  bool is_starter_ = false;
  bool is_alone_ = false;    // its fetch is not shared
  bool is_waiting_ = false;  // holds a place in FillTable
  bool is_stale_for_failure_ = false;
  std::optional<Millis> patience_;  // Prefer: wait
  int lookups_ = 0;
  std::size_t informational_sent_ = 0;
  Timer wait_timer_;
  bool wait_is_over_ = false;
  std::uint64_t range_end_ = 0;                 // with kBody: where to stop; 0: at the end of the body
  std::unique_ptr<AnswerBody> answer_body_;     // with kStoredBody
  bool sends_trailers_ = false;                 // after it, those of found_
  std::shared_ptr<Transaction*> later_;         // a turn of its own is on its way
  std::string composed_;                        // Age and Cache-Status lines of this answer
  std::optional<http::CodingWeights> weights_;  // as the client sent them, once on a route that encodes
  http::AcceptedCodings accepted_;              // of these
  std::optional<http::Coding> coding_;          // of these and those of the route, what the client likes best
  bool has_forms_ = false;                      // the response may be had in other codings than identity
  bool adds_vary_ = false;                      // and its own Vary does not say so
  bool is_foreign_scheme_ = false;              // the target names another scheme than the connection has
  std::string covered_authority_;               // that the connection's certificate was last found to cover

  // For Cache-Status and the access log.
  policy::Why why_ = policy::Why::kNone;
  std::optional<Error> error_;
  bool is_hit_ = false;
  bool is_collapsed_ = false;
  bool is_stored_ = false;
  std::uint16_t origin_status_ = 0;
  bool origin_asked_ = false;
  std::optional<Seconds> ttl_;
  std::uint16_t status_ = 0;
  std::uint64_t body_bytes_ = 0;
  MonoTime begun_at_;
  MonoTime answered_at_;
  WallTime begun_wall_;
};

}  // namespace seawall::proxy
