// Which form of a response a client gets: the stored bytes or those in a content coding that it prefers, and what the
// conditions of its request mean when it may know either. Part of Transaction.
#include <utility>

#include "http/coding.h"
#include "http/etag.h"
#include "http/list_syntax.h"
#include "policy/encoding.h"
#include "proxy/transaction.h"

namespace seawall::proxy {
namespace {

using http::Field;

bool has_etag_condition(const http::HeaderMap& request) {
  return request.contains(Field::kIfNoneMatch) || request.contains(Field::kIfMatch);
}

bool names_etag(const http::HeaderMap& request, std::string_view etag) {
  for (const auto line : request) {
    const bool is_match =
        line.field == Field::kIfNoneMatch &&
        (http::trim_ows(line.value) == "*" || http::list_contains(line.value, etag, http::Comparison::kWeak));
    if (is_match) return true;
  }
  return false;
}

}  // namespace

// What the client likes best is for us to know: what it accepts selects the variant, and is what the origin is asked
// for.
void Transaction::read_codings() {
  coding_.reset();
  if (!route_->encode.is_on()) return;
  // Read once: the field no longer has them when the route is looked for again after a reload.
  if (!weights_) weights_ = context_.coding_weights.of(request_.headers);
  accepted_ = weights_->accepted();
  coding_ = weights_->best_of(route_->encode.codings);
  policy::normalise_codings(request_.headers, accepted_);
}

// Of a response that arrives, and will have forms once it is stored.
bool Transaction::may_encode(const fill::FillHead& head, fill::FillKind kind) const {
  if (!route_->encode.is_on() || !(head.is_stored || kind == fill::FillKind::kHead)) return false;
  const auto length = head.content_range ? head.content_range->complete_length : head.body_bytes;
  return policy::may_encode(head.response.status, head.response.headers,
                            kind == fill::FillKind::kHead ? std::nullopt : length, route_->encode.rules,
                            route_->rules.targeted_fields);
}

// Null: the stored one.
const cache::Form* Transaction::select_form(const cache::Object& stored) {
  cache::EncodingState& state = stored.encoding();
  if (!state.is_judged()) {
    state.judge(policy::may_encode(stored.status(), stored.headers(), stored.complete_length(), route_->encode.rules,
                                   route_->rules.targeted_fields),
                policy::needs_vary(stored.headers()));
  }
  has_forms_ = state.may_encode();
  adds_vary_ = state.adds_vary();
  if (!has_forms_ || !coding_ || facts_.directives.no_transform || is_for_part(stored)) return nullptr;
  const cache::Form* const form = stored.form(*coding_);
  if (!form) ask_for_form(stored, *coding_);
  return form;
}

// Parts are of the stored bytes, for two makings of a form need not have the same.
bool Transaction::is_for_part(const cache::Object& stored) const {
  return stored.status() == 200 && accepted_.has_identity() &&
         requested_ranges(stored.headers(), stored.complete_length());
}

void Transaction::ask_for_form(const cache::Object& stored, http::Coding coding) {
  // What is packed or on disk alone is not in demand; when it is, it is made raw in memory again first.
  if (!context_.encoder || !stored.is_ready()) return;
  if (context_.encoder->is_full() || !stored.encoding().try_ask(coding)) return;
  encode::Job job{.body = stored.body(),
                  .body_bytes = stored.complete_length(),
                  .coding = coding,
                  .level = route_->encode.levels.of(coding),
                  .budget = &context_.store.budget(),
                  .executor = &context_.executor,
                  .done = nullptr};
  job.done = [&store = context_.store, &counters = context_.encoder->counters(), coding,
              object = Ref<const cache::Object>(&stored)](std::expected<SliceChain, encode::Failure> encoded) {
    const bool gains = encoded || encoded.error() != encode::Failure::kNoGain;
    const auto added = encoded ? store.add_form(*object, coding, *encoded) : cache::Exchanged::kGone;
    if (added == cache::Exchanged::kYes) {
      return counters.count_made(coding, object->complete_length(), total_size(*encoded));
    }
    if (!gains) {
      counters.count_no_gain();
    } else if (added == cache::Exchanged::kNoRoom) {
      counters.count_no_room();
    } else {
      counters.count_outdated();
    }
    const Ref<cache::Object> present = store.find_same(*object);
    if (!present) return;
    if (!gains || added == cache::Exchanged::kNoRoom) return present->encoding().mark_useless(coding);
    present->encoding().give_up(coding);
  };
  if (context_.encoder->submit(std::move(job))) return;
  context_.encoder->counters().count_queue_full();
  stored.encoding().give_up(coding);
  // A copy that another form made meanwhile has it as asked for.
  if (const auto present = context_.store.find_same(stored)) present->encoding().give_up(coding);
}

// By a form's entity-tag as by that of the stored bytes: they are one and the same version of the resource.
policy::Precondition Transaction::evaluate_preconditions(std::uint16_t status, const http::HeaderMap& fields) const {
  const WallTime now = context_.executor.wall_now();
  if (!has_forms_ || !has_etag_condition(request_.headers)) {
    return policy::evaluate_preconditions(request_, status, fields, now);
  }
  http::RequestHead plain = request_;
  policy::add_plain_etags(plain.headers);
  return policy::evaluate_preconditions(plain, status, fields, now);
}

// By the entity-tag that the client knows.
Transaction::Flow Transaction::answer_form_not_modified(const http::HeaderMap& stored, const cache::Form* form) {
  const bool has_list = request_.headers.contains(Field::kIfNoneMatch);
  if (form && (!has_list || names_etag(request_.headers, form->object->headers().find(Field::kEtag).value_or("")))) {
    return answer_not_modified(form->object->headers());
  }
  if (!has_forms_) return answer_not_modified(stored);
  http::HeaderMap fields = stored;
  policy::name_client_etag(request_.headers, fields);
  return answer_not_modified(fields);
}

// By If-Range. A date does not tell of which form it is that a client has a part.
bool Transaction::may_cut(const http::HeaderMap& fields) const {
  const auto condition = request_.headers.find(Field::kIfRange);
  if (coding_ && condition && !http::parse_etag(*condition)) return false;
  return policy::if_range_holds(request_.headers, fields, context_.executor.wall_now());
}

}  // namespace seawall::proxy
