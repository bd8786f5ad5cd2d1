#include "admin/pushed_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "fill/stored_fields.h"
#include "http/list_syntax.h"
#include "policy/cacheability.h"
#include "policy/tags.h"
#include "policy/vary.h"

namespace seawall::admin {
namespace {

using http::Field;

std::unexpected<AdminReply> refusal(std::uint16_t status, std::string_view detail) {
  return std::unexpected(problem(status, http::reason_phrase(status), detail));
}

// Of the request that brings the response, and not of the response. Accept-Ranges and its like stay: these are.
bool is_of_request(const http::HeaderMap::View& line) {
  static constexpr std::array<std::string_view, 5> kNames = {"Accept-Charset", "Accept-Datetime", "From", "Origin",
                                                             "Prefer"};
  switch (line.field) {
    case Field::kAccept:
    case Field::kAcceptEncoding:
    case Field::kAcceptLanguage:
    case Field::kAuthorization:
    case Field::kContentLength:
    case Field::kCookie:
    case Field::kExpect:
    case Field::kForwarded:
    case Field::kHost:
    case Field::kIfMatch:
    case Field::kIfModifiedSince:
    case Field::kIfNoneMatch:
    case Field::kIfRange:
    case Field::kIfUnmodifiedSince:
    case Field::kMaxForwards:
    case Field::kProxyAuthorization:
    case Field::kRange:
    case Field::kReferer:
    case Field::kTe:
    case Field::kUserAgent:
    case Field::kVia: return true;
    default: break;
  }
  const auto starts_with = [&](std::string_view prefix) {
    return http::iequals(line.name.substr(0, prefix.size()), prefix);
  };
  return starts_with("X-Forwarded-") || starts_with("Sec-") ||
         std::ranges::any_of(kNames, [&](std::string_view name) { return http::iequals(name, line.name); });
}

std::optional<std::uint16_t> status_of(const AdminRequest& request) {
  const auto text = request.parameter("status");
  if (!text) return std::uint16_t{200};
  const auto number = http::parse_uint(*text);
  if (!number || *number < 200 || *number > 599) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

bool has_body(std::uint16_t status) {
  return status != 204 && status != 205 && status != 304;
}

}  // namespace

PushedObjects::PushedObjects(proxy::Context& context) : context_(context) {}

std::optional<AdminReply> PushedObjects::refuse(const AdminRequest& request) const {
  auto pushed = read(request);
  if (!pushed) return std::move(pushed.error());
  return std::nullopt;
}

std::expected<PushedObjects::Pushed, AdminReply> PushedObjects::read(const AdminRequest& request) const {
  for (const auto& [name, value] : request.query) {
    const bool is_known = name == "url" || name == "status";
    if (is_known && std::ranges::count(request.query, name, [](const auto& given) { return given.first; }) == 1)
      continue;
    return refusal(400, fmt::format("the parameter \"{}\" is {}; within the URL, write & as %26", name,
                                    is_known ? "given twice" : "not known"));
  }
  const auto url = request.parameter("url");
  auto target = url ? parse_target(context_, *url) : std::nullopt;
  if (!target) {
    return refusal(400, fmt::format("the parameter \"url\" must be the absolute URL of the object, with its "
                                    "special characters as %XX, and of at most {} bytes: "
                                    "/v1/objects?url=http%3A%2F%2Fhost%2Fpath",
                                    context_.router->session().head_limits.target_bytes));
  }
  const auto status = status_of(request);
  if (!status) return refusal(400, "the parameter \"status\" must be a number from 200 to 599; without it, 200");
  if (request.head.headers.contains(Field::kContentRange)) {
    return refusal(400, "an object is put as a whole: send it without Content-Range");
  }
  const proxy::Route* route = context_.router->find(target->uri.authority, target->uri.path);
  if (!route) return refusal(404, fmt::format("no route takes {}; /v1/routes lists them", target->key));
  if (request.head.framing == http::BodyFraming::kNone) {
    return refusal(411, "send the body with Content-Length (0 for an empty one) or chunked");
  }
  if (request.head.framing == http::BodyFraming::kLength) {
    if (auto too_large = check_size(request.head.content_length)) return std::unexpected(std::move(*too_large));
  }
  Pushed pushed{.target = std::move(*target), .route = route, .head = {}, .fields = {}, .freshness = {}};
  pushed.head.status = *status;
  for (const auto line : policy::end_to_end_fields(request.head.headers)) {
    if (!is_of_request(line)) pushed.head.headers.add(line.name, line.value);
  }
  return decide(std::move(pushed));
}

std::expected<PushedObjects::Pushed, AdminReply> PushedObjects::decide(Pushed pushed) const {
  constexpr std::uint16_t kUnfit = 422;
  const WallTime now = context_.executor.wall_now();
  if (pushed.route->miss.policy == proxy::MissPolicy::kPass) {
    return refusal(kUnfit, fmt::format("the route {} passes every request to its origin (miss = \"pass\"): what "
                                       "is stored for it would never be served",
                                       pushed.route->name));
  }
  if (!policy::parse_vary(pushed.head.headers).empty()) {
    return refusal(kUnfit,
                   "a response with Vary cannot be put: which requests select it cannot be told; leave "
                   "the field out if it answers all, else let it be fetched");
  }
  fill::complete_fields(pushed.head.headers, now);
  policy::StoreDecision decision =
      policy::decide_storing(plain_get(pushed.target), pushed.head, pushed.route->rules, now, now);
  if (!decision.may_store) {
    return refusal(kUnfit, fmt::format("it may not be stored ({}): see its status and Cache-Control",
                                       policy::to_string(decision.why)));
  }
  const bool is_fresh = decision.freshness.is_explicit && !decision.freshness.no_cache &&
                        policy::remaining_lifetime(decision.freshness, now) > Seconds{0};
  if (!is_fresh) {
    return refusal(kUnfit,
                   "it must say for how long it is fresh: send Cache-Control with max-age or s-maxage, or "
                   "Expires, that is not over yet, and without no-cache");
  }
  fill::shorten_lifetime(decision.freshness, pushed.route->rules, context_.rng.unit());
  pushed.fields = fill::stored_fields(pushed.head, decision.directives);
  pushed.freshness = decision.freshness;
  return pushed;
}

std::optional<AdminReply> PushedObjects::check_size(std::uint64_t bytes) const {
  const std::uint64_t most = context_.store.max_object_bytes();
  if (bytes <= most) return std::nullopt;
  return problem(413, http::reason_phrase(413),
                 fmt::format("an object may have {} bytes; see memory and max_object in the [cache] section of the "
                             "configuration",
                             most));
}

AdminReply PushedObjects::put(const AdminRequest& request) {
  auto pushed = read(request);
  if (!pushed) return std::move(pushed.error());
  if (auto too_large = check_size(request.body.size())) return std::move(*too_large);
  if (!request.body.empty() && !has_body(pushed->head.status)) {
    return problem(422, http::reason_phrase(422),
                   fmt::format("a response with status {} has no body", pushed->head.status));
  }
  const Target& target = pushed->target;
  const bool is_new = context_.store.peek_all(target.key, target.hash).empty();
  const char* const kFull = "the cache has no memory for it now; try again later, or give it more";
  if (!context_.store.make_room(request.body.size(), pushed->route->state->share.get()))
    return problem(503, http::reason_phrase(503), kFull);
  const Ref<cache::Object> object = make_object(*pushed, request.body);
  if (object->share() && !object->share()->admits(object->charged_bytes())) {
    return problem(413, http::reason_phrase(413),
                   fmt::format("it takes more memory than the route {} may have; see its memory in the configuration",
                               pushed->route->name));
  }
  // What a fetch that is under way brings may be older.
  context_.fills.detach_all(target.key, target.hash);
  if (!context_.store.insert(object)) return problem(503, http::reason_phrase(503), kFull);
  context_.fills.mark_cacheable(target.hash);
  const Seconds ttl = policy::remaining_lifetime(pushed->freshness, context_.executor.wall_now());
  const nlohmann::ordered_json answer = {{"url", target.key}, {"bytes", request.body.size()}, {"ttl", ttl.count()}};
  return {.status = static_cast<std::uint16_t>(is_new ? 201 : 200), .body = answer.dump()};
}

Ref<cache::Object> PushedObjects::make_object(const Pushed& pushed, std::string_view body) const {
  cache::Object::Init init;
  init.key = pushed.target.key;
  init.hash = pushed.target.hash;
  init.status = pushed.head.status;
  init.headers = pushed.fields;
  init.freshness = pushed.freshness;
  if (!body.empty()) {
    init.parts.push_back({.first = 0, .size = body.size(), .slices = {Slice::copy_of(&context_.store.budget(), body)}});
  }
  init.complete_length = body.size();
  init.no_content_length = init.status == 204;
  init.tags = policy::parse_tags(init.headers, pushed.route->rules.tag_fields);
  init.purge_epoch = context_.store.purges().epoch();
  init.share = pushed.route->state->share;
  return cache::Object::create(context_.store.budget(), std::move(init));
}

}  // namespace seawall::admin
