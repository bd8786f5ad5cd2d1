// How a transaction puts its answers together: stored responses, ranges, conditions, errors. Part of Transaction.
#include <utility>

#include "http/date.h"
#include "http/h1_writer.h"
#include "http/range.h"
#include "obs/cache_status.h"
#include "policy/validation.h"
#include "proxy/error_response.h"
#include "proxy/transaction.h"

namespace seawall::proxy {
namespace {

using http::Field;
using http::Method;
using policy::Why;

// RFC 9211 section 2.2.
std::string_view forward_reason(Why why) {
  switch (why) {
    case Why::kUriMiss: return "uri-miss";
    case Why::kVaryMiss: return "vary-miss";
    case Why::kPartialMiss: return "partial";
    case Why::kExpired:
    case Why::kMustRevalidate:
    case Why::kNoCacheResponse: return "stale";
    case Why::kRequestNoCache:
    case Why::kRequestMaxAge:
    case Why::kRequestMinFresh: return "request";
    case Why::kMethod: return "method";
    default: return "bypass";
  }
}

// What describes the body, and has no place in an answer without it (RFC 9110 section 15.4.5).
bool describes_body(Field field) {
  switch (field) {
    case Field::kContentEncoding:
    case Field::kContentLength:
    case Field::kContentMd5:
    case Field::kContentRange:
    case Field::kContentType:
    case Field::kAcceptRanges: return true;
    default: return false;
  }
}

http::HeaderMap without_body_fields(const http::HeaderMap& stored) {
  http::HeaderMap fields;
  for (const auto field : stored) {
    if (!describes_body(field.field) && !http::iequals(field.name, "Content-Language"))
      fields.add(field.name, field.value);
  }
  return fields;
}

void append_number_line(std::string& out, std::string_view name, std::uint64_t value) {
  out += name;
  http::append_decimal(out, value);
  out += http::kCrlf;
}

}  // namespace

void Transaction::compose_status() {
  composed_.clear();
  if (is_hit_ && found_.object) {
    const WallTime now = context_.executor.wall_now();
    append_number_line(
        composed_, "Age: ", static_cast<std::uint64_t>(policy::current_age(found_.object->freshness(), now).count()));
    ttl_ = policy::remaining_lifetime(found_.object->freshness(), now);
  } else if (is_collapsed_ && found_.object && !error_) {
    append_age(found_.object->freshness());
  }
  if (adds_vary_) composed_ += "Vary: Accept-Encoding\r\n";
  obs::CacheStatus status;
  status.is_hit = is_hit_;
  status.ttl = ttl_;
  if (!is_hit_) status.forward_status = origin_status_;  // RFC 9211 section 2.3: only with fwd
  status.is_stored = is_stored_ && !is_hit_;
  status.is_collapsed = is_collapsed_;
  if (origin_asked_ && !is_hit_) status.forward = forward_reason(plan_.why);
  if (error_ && !is_hit_) {
    status.detail = to_string(error_->code);
  } else if (why_ != Why::kNone && (is_hit_ ? why_ != Why::kFresh : why_ != plan_.why || status.forward == "bypass")) {
    status.detail = to_string(why_);
  }
  composed_ += "Cache-Status: ";
  obs::append_cache_status(composed_, status);
  composed_ += http::kCrlf;
  if (error_ && error_->side == Side::kOrigin) append_proxy_status();
}

// What went wrong with the origin (RFC 9209), beside a stale answer as beside an error.
void Transaction::append_proxy_status() {
  composed_ += "Proxy-Status: seawall; error=";
  composed_ += proxy_error_type(*error_);
  composed_ += "; details=\"";
  composed_ += to_string(error_->code);
  composed_ += "\"\r\n";
}

void Transaction::append_age(const policy::Freshness& freshness) {
  const Seconds age = policy::current_age(freshness, context_.executor.wall_now());
  append_number_line(composed_, "Age: ", static_cast<std::uint64_t>(age.count()));
}

void Transaction::send_head(AnswerHead head) {
  append_hsts(head.fields);
  head.composed = composed_;
  status_ = head.status;
  answered_at_ = context_.executor.mono_now();
  writer_.send_head(head);
}

Transaction::Flow Transaction::respond_stored() {
  const cache::Object& stored = *found_.object;
  const cache::Form* const form = route_->encode.is_on() ? select_form(stored) : nullptr;
  switch (evaluate_preconditions(stored.status(), stored.headers())) {
    case policy::Precondition::kNotModified: return answer_form_not_modified(stored.headers(), form);
    case policy::Precondition::kFailed: return answer_precondition_failed();
    case policy::Precondition::kProceed: break;
  }
  const bool is_head = request_.method == Method::kHead;
  if (stored.disk_body() && !is_head && !body_source_) return go(Step::kOpenBody);
  if (form) context_.encoder->counters().count_answer(context_.executor.worker_id(), form->coding);
  const cache::Object& object = form ? *form->object : stored;
  if (!form && object.status() == 200) {
    if (const auto ranges = requested_ranges(object.headers(), object.complete_length())) {
      if (ranges->empty()) return answer_unsatisfied(object.complete_length());
      return answer_ranges(object, *ranges);
    }
  }
  compose_status();
  found_.object = &object;  // of a form the stored one holds a reference
  if (object.is_ready()) {
    status_ = object.status();
    answered_at_ = context_.executor.mono_now();
    if (!is_head) body_bytes_ = object.complete_length();
    append_hsts(&object.headers());
    writer_.send_stored(std::move(found_), composed_, !is_head);
    return go(Step::kFinish);
  }
  AnswerHead answer{.status = object.status(),
                    .reason = object.reason(),
                    .fields = &object.headers(),
                    .length = object.complete_length(),
                    .has_body = !is_head};
  const bool with_trailers = !is_head && !object.trailers().empty() && request_.version != http::Version::kHttp10;
  if (with_trailers) answer.length.reset();
  send_head(answer);
  if (!is_head && object.needs_source()) {
    begin_body(object);
    answer_body_->add_range({.first = 0, .last = object.complete_length() - 1});
    sends_trailers_ = with_trailers;
    return go(Step::kStoredBody);
  }
  if (!is_head) {
    body_bytes_ = object.complete_length();
    writer_.send_body(object.body());
  }
  writer_.end(with_trailers ? object.trailers() : http::HeaderMap{});
  return go(Step::kFinish);
}

Transaction::Flow Transaction::answer_not_modified(const http::HeaderMap& stored) {
  const http::HeaderMap fields = without_body_fields(stored);
  compose_status();
  send_head({.status = 304, .fields = &fields, .has_body = false});
  writer_.end({});
  return go(Step::kFinish);
}

Transaction::Flow Transaction::answer_precondition_failed() {
  compose_status();
  return answer_local(412, {}, "412 Precondition Failed\n");
}

Transaction::Flow Transaction::answer_unsatisfied(std::uint64_t complete_length) {
  compose_status();
  http::HeaderMap fields;
  fields.add(Field::kContentRange, http::format_unsatisfied_range(complete_length));
  return answer_local(416, fields, "416 Range Not Satisfiable\n");
}

Transaction::Flow Transaction::answer_ranges(const cache::Object& object, const std::vector<http::ByteRange>& ranges) {
  if (ranges.size() > 1) return answer_multipart(object, ranges);
  const http::ByteRange range = ranges.front();
  http::HeaderMap fields = object.headers();
  fields.set(Field::kContentRange, http::format_content_range(range, object.complete_length()));
  compose_status();
  send_head({.status = 206, .fields = &fields, .length = range.size()});
  if (object.needs_source()) {
    begin_body(object);
    answer_body_->add_range(range);
    return go(Step::kStoredBody);
  }
  body_bytes_ = range.size();
  writer_.send_body(object.slices_of(range));
  writer_.end({});
  return go(Step::kFinish);
}

Transaction::Flow Transaction::answer_multipart(const cache::Object& object,
                                                const std::vector<http::ByteRange>& ranges) {
  std::string boundary = "seawall-";
  for (int i = 0; i < 2; ++i) {
    for (std::uint64_t bits = context_.rng.next(); bits != 0; bits >>= 4) boundary += "0123456789abcdef"[bits & 15];
  }
  const std::string type(object.headers().find(Field::kContentType).value_or("application/octet-stream"));
  SliceChain body;
  if (object.needs_source()) begin_body(object);
  const auto add_text = [&](std::string_view text) {
    if (answer_body_) return answer_body_->add_text(text);
    body.push_back(Slice::copy_of(nullptr, text));
  };
  for (const http::ByteRange range : ranges) {
    std::string head = "\r\n--";
    head += boundary;
    head += "\r\nContent-Type: ";
    head += type;
    head += "\r\nContent-Range: ";
    head += http::format_content_range(range, object.complete_length());
    head += "\r\n\r\n";
    add_text(head);
    if (answer_body_) {
      answer_body_->add_range(range);
    } else {
      const SliceChain part = object.slices_of(range);
      body.insert(body.end(), part.begin(), part.end());
    }
  }
  add_text("\r\n--" + boundary + "--\r\n");

  http::HeaderMap fields = object.headers();
  fields.set(Field::kContentType, "multipart/byteranges; boundary=" + boundary);
  compose_status();
  const std::uint64_t length = answer_body_ ? answer_body_->size() : total_size(body);
  send_head({.status = 206, .fields = &fields, .length = length});
  if (answer_body_) return go(Step::kStoredBody);
  body_bytes_ = length;
  writer_.send_body(std::move(body));
  writer_.end({});
  return go(Step::kFinish);
}

Transaction::Flow Transaction::answer_local(std::uint16_t status, const http::HeaderMap& extra, std::string_view text) {
  http::HeaderMap fields = extra;
  const auto add_unless_given = [&](Field field, std::string_view value) {
    if (!fields.contains(field)) fields.add(field, value);
  };
  add_unless_given(Field::kDate, http::format_date(context_.executor.wall_now()));
  add_unless_given(Field::kCacheControl, "no-store");
  add_unless_given(Field::kContentType, "text/plain; charset=utf-8");
  const bool has_body = request_.method != Method::kHead;
  send_head({.status = status, .fields = &fields, .length = text.size(), .has_body = has_body});
  if (has_body) {
    body_bytes_ = text.size();
    writer_.send_body({Slice::copy_of(nullptr, text)});
  }
  writer_.end({});
  return go(Step::kFinish);
}

Transaction::Flow Transaction::answer_error(Error error) {
  const ErrorAnswer answer = answer_for(error);
  error_ = error;
  is_hit_ = false;
  compose_status();
  http::HeaderMap fields;
  if (answer.retry_after) {
    const bool asks_origin = route_ && origin().state->is_ailing();
    const Seconds wait = asks_origin ? origin().state->retry_after(context_.executor.mono_now()) : Seconds{1};
    fields.add(Field::kRetryAfter, std::to_string(wait.count()));
  }
  if (answer.status == 405) fields.add(Field::kAllow, "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
  if (error.side == Side::kClient) writer_.close_after_answer();
  return answer_local(answer.status, fields, error_text(answer.status, error));
}

Transaction::Flow Transaction::answer_options() {
  http::HeaderMap fields;
  fields.add(Field::kDate, http::format_date(context_.executor.wall_now()));
  fields.add(Field::kAllow, "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
  compose_status();
  send_head({.status = 200, .fields = &fields, .length = 0});
  writer_.end({});
  return go(Step::kFinish);
}

obs::CacheResult Transaction::result() const {
  using obs::CacheResult;
  if (is_hit_) return why_ == Why::kFresh ? CacheResult::kHit : CacheResult::kStale;
  if (error_) return CacheResult::kError;
  if (is_collapsed_) return CacheResult::kCollapsed;
  if (origin_status_ == 304 && status_ != 304) return CacheResult::kRevalidated;
  if (origin_asked_) {
    return forward_reason(plan_.why) == "bypass" || plan_.why == Why::kMethod ? CacheResult::kPass : CacheResult::kMiss;
  }
  switch (why_) {
    case Why::kAsync:
    case Why::kStorm:
    case Why::kPush:
    case Why::kNotStored: return CacheResult::kAsync;
    default: return CacheResult::kNone;
  }
}

void Transaction::count_request() {
  const std::int64_t first_byte_us = status_ != 0 ? (answered_at_ - begun_at_).count() : 0;
  route_->state->counters.count(context_.executor.worker_id(), result(), status_, first_byte_us, body_bytes_);
  if (is_stale_for_failure_) route_->state->stale.fetch_add(1, std::memory_order_relaxed);
}

void Transaction::log_access() {
  obs::AccessEntry entry;
  const MonoTime now = context_.executor.mono_now();
  entry.time = begun_wall_;
  entry.client_ip = client_ip();
  entry.method = request_.method_name;
  entry.host = request_.authority;
  entry.path = request_.path;
  entry.protocol = http::to_string(request_.version);
  entry.status = status_;
  entry.body_bytes = body_bytes_;
  entry.referer = request_.headers.find(Field::kReferer).value_or("");
  entry.user_agent = request_.headers.find(Field::kUserAgent).value_or("");
  if (const auto how = result(); how != obs::CacheResult::kNone) entry.cache = to_string(how);
  entry.why = error_ && !is_hit_ ? to_string(error_->code) : to_string(why_);
  if (route_) {
    entry.route = route_->name;
    if (origin_asked_) entry.origin = origin().name;
  }
  entry.origin_status = origin_status_;
  if (status_ != 0) entry.first_byte_us = (answered_at_ - begun_at_).count();
  entry.duration_us = (now - begun_at_).count();
  context_.access_log.record(entry);
}

}  // namespace seawall::proxy
