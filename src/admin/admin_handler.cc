#include "admin/admin_handler.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/message.h"
#include "admin/metrics.h"
#include "admin/resources.h"
#include "base/check.h"
#include "cache/disk_tier.h"
#include "config/diagnostics.h"
#include "http/chars.h"
#include "http/date.h"
#include "http/header_map.h"
#include "http/list_syntax.h"
#include "http/uri.h"
#include "mem/budget.h"
#include "mem/slice.h"
#include "proxy/error_response.h"

namespace seawall::admin {
namespace {

using http::Field;
using http::Method;

constexpr std::uint64_t kMaxBodyBytes = std::uint64_t{8} << 20;
// A body that is larger takes its memory from the cache's. What is smaller is always taken: a purge has to get through
// when memory is short.
constexpr std::size_t kFreeBodyBytes = std::size_t{64} << 10;
// The rest of the connections is for short requests.
constexpr std::size_t kMaxStreams = 64;
constexpr std::string_view kText = "text/plain; charset=utf-8";

AdminReply refusal(std::uint16_t status, std::string_view detail) {
  return problem(status, http::reason_phrase(status), detail);
}

struct Call {
  Services& services;
  const AdminRequest& request;
  std::string_view name;  // what stands where the pattern has its {variable}
};

struct Endpoint {
  Method method;             // GET stands for HEAD as well
  std::string_view pattern;  // a {variable} at its end takes all the rest of a path
  std::string_view query;    // of the link to it
  std::string_view rel;      // of the link to it; empty: none
  std::string_view title;
  AdminReply (*answer)(const Call&);  // null: a Stream goes on with it
  bool is_durable = false;            // answered when what it did outlives a crash
};

std::span<const Endpoint> endpoints();

AdminReply text_reply(std::uint16_t status, std::string_view text) {
  return {.status = status, .content_type = std::string(kText), .body = std::string(text)};
}

// As the field Allow has them.
std::string_view methods_of(const Endpoint& endpoint) {
  switch (endpoint.method) {
    case Method::kPost: return "POST";
    case Method::kPut: return "PUT";
    default: return "GET, HEAD";
  }
}

AdminReply front_page(const Call&) {
  std::string text = "seawall " SEAWALL_VERSION "\n\n";
  for (const Endpoint& endpoint : endpoints()) {
    const std::string_view methods = methods_of(endpoint);
    fmt::format_to(std::back_inserter(text), "{:<6}{:<22}{}\n", methods.substr(0, methods.find(',')), endpoint.pattern,
                   endpoint.title);
  }
  return text_reply(200, text);
}

AdminReply health(const Call&) {
  return text_reply(200, "ok\n");
}

AdminReply readiness(const Call& call) {
  return call.services.context.is_draining ? text_reply(503, "draining\n") : text_reply(200, "ready\n");
}

AdminReply metrics(const Call& call) {
  const Services& services = call.services;
  const proxy::Context& context = services.context;
  const MonoTime now = context.executor.mono_now();
  const ServerView server{
      .started = context.executor.wall_now() - std::chrono::duration_cast<Millis>(now - services.started_at),
      .is_draining = context.is_draining,
      .connections = context.connections.connections(),
      .reloads = services.reloads,
      .last_reload_failed = services.last_reload_failed,
      .memory = memory_view(services.memory, context.store),
      .fills_in_flight = context.fills.fills_in_flight(),
      .waiters = context.fills.waiting(),
      .miss_events = context.miss_events.stats(),
      .purge = services.purge.stats(),
      .disk = disk_view(context.store.disk()),
      .encode = context.encoder ? std::optional(context.encoder->stats()) : std::nullopt,
      .edge = &context.edge,
      .http2 = context.http2,
      .certificates = context.certificates};
  const obs::Prometheus::Format format = wanted_format(call.request.head.headers);
  return {.content_type = std::string(obs::content_type(format)),
          .body = metrics_text(server, route_views(*context.router, context.store.disk(), now),
                               origin_views(*context.router, now), format)};
}

AdminReply link_list(const Call&) {
  std::vector<std::string> hrefs;
  std::vector<Link> links;
  hrefs.reserve(endpoints().size());
  for (const Endpoint& endpoint : endpoints()) {
    if (endpoint.rel.empty()) continue;
    hrefs.push_back(fmt::format("{}{}", endpoint.pattern, endpoint.query));
    links.push_back({.rel = endpoint.rel, .href = hrefs.back(), .title = endpoint.title});
  }
  return index_reply("/v1/", links);
}

std::vector<OriginView> origins_of(const Call& call) {
  const proxy::Context& context = call.services.context;
  return origin_views(*context.router, context.executor.mono_now());
}

std::vector<RouteView> routes_of(const Call& call) {
  const proxy::Context& context = call.services.context;
  return route_views(*context.router, context.store.disk(), context.executor.mono_now());
}

constexpr auto kEndpoints = std::to_array<Endpoint>({
    {Method::kGet, "/", "", "", "this list", front_page},
    {Method::kGet, "/healthz", "", "health", "200 as long as the process serves", health},
    {Method::kGet, "/readyz", "", "ready", "200 while new requests are taken, 503 while draining", readiness},
    {Method::kGet, "/metrics", "", "metrics", "all counters, for Prometheus", metrics},
    {Method::kGet, "/v1/", "", "", "links to all that follows", link_list},
    {Method::kGet, "/v1/origins", "", "origins", "the origins and their servers",
     [](const Call& call) { return origins_reply(origins_of(call)); }},
    {Method::kGet, "/v1/origins/{name}", "", "origin", "one origin",
     [](const Call& call) { return origin_reply(origins_of(call), call.name); }},
    {Method::kGet, "/v1/routes", "", "routes", "the routes, and how their requests were answered",
     [](const Call& call) { return routes_reply(routes_of(call)); }},
    {Method::kGet, "/v1/routes/{name}", "", "route", "one route",
     [](const Call& call) { return route_reply(routes_of(call), call.name); }},
    {Method::kGet, "/v1/memory", "", "memory", "the cache's memory, and what takes it",
     [](const Call& call) { return memory_reply(memory_view(call.services.memory, call.services.context.store)); }},
    {Method::kGet, "/v1/disk", "", "disk", "the disk cache and its directories",
     [](const Call& call) { return disk_reply(disk_view(call.services.context.store.disk())); }},
    {Method::kPost, "/v1/purge", "", "purge", R"(purges {"urls": [], "prefixes": [], "tags": [], "soft": false})",
     [](const Call& call) { return call.services.purge.purge(call.request); }, true},
    {Method::kPost, "/v1/fills", "{?job}", "fills", "fetches URLs into the cache, one on each line",
     [](const Call& call) { return call.services.fills.post(call.request); }},
    {Method::kGet, "/v1/fills/{id}", "", "fill", "how far such a job is",
     [](const Call& call) { return call.services.fills.get(call.name); }},
    {Method::kPut, "/v1/objects", "{?url,status}", "objects", "stores the body as the response for a URL",
     [](const Call& call) { return call.services.objects.put(call.request); }},
    {Method::kGet, "/v1/events", "", "events", "misses as they happen, as server-sent events", nullptr},
});

std::span<const Endpoint> endpoints() {
  return kEndpoints;
}

// What stands for the variable, or is empty where there is none; nullopt when the pattern is of other paths.
std::optional<std::string_view> match(const Endpoint& endpoint, std::string_view path) {
  const std::size_t variable = endpoint.pattern.find('{');
  if (variable == std::string_view::npos)
    return path == endpoint.pattern ? std::optional(std::string_view()) : std::nullopt;
  if (path.size() <= variable || !path.starts_with(endpoint.pattern.substr(0, variable))) return std::nullopt;
  return path.substr(variable);
}

AdminReply not_found(std::string_view path) {
  std::string known;
  for (const Endpoint& endpoint : kEndpoints) {
    known += known.empty() ? "" : ", ";
    known += endpoint.pattern;
  }
  return refusal(404, fmt::format("there is nothing at {}; known paths: {}", config::quote(path), known));
}

AdminReply not_allowed(const AdminRequest& request) {
  std::string allow;
  for (const Endpoint& endpoint : kEndpoints) {
    if (!match(endpoint, request.path)) continue;
    allow += allow.empty() ? "" : ", ";
    allow += methods_of(endpoint);
  }
  AdminReply reply = refusal(405, fmt::format("{} is not for {}; use {}", config::quote(request.head.method_name),
                                              config::quote(request.path), allow));
  reply.headers.emplace_back("Allow", std::move(allow));
  return reply;
}

bool is_ip_address(std::string_view host) {
  if (host.starts_with('[')) return true;  // the parser lets nothing else stand in brackets
  in_addr address;
  return ::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

// A page in the operator's browser can send requests here, and a name that its owner points at this machine makes them
// look as if they were of one site. Clients that are not browsers send neither field.
std::optional<AdminReply> refuse_pages(const http::RequestHead& head, std::string_view client_ip) {
  constexpr std::string_view kWhatToDo = "type the address into the browser, or use a client that is not a browser";
  if (const auto site = head.headers.combined("Sec-Fetch-Site"); site && site != "same-origin" && site != "none") {
    return refusal(403, fmt::format("this request was made by a page of another site (Sec-Fetch-Site: {}); {}",
                                    config::quote(*site), kWhatToDo));
  }
  if (const auto origin = head.headers.combined("Origin")) {
    const auto uri = http::parse_absolute_uri(*origin);
    if (!uri || uri->authority != head.authority) {
      return refusal(403, fmt::format("this request was made by a page of {}, which is not {}; {}",
                                      config::quote(*origin), config::quote(head.authority), kWhatToDo));
    }
  }
  const std::string_view host = http::host_of(head.authority);
  if (client_ip == "unix" || host.empty() || host == "localhost" || is_ip_address(host)) return std::nullopt;
  return refusal(403, fmt::format("{} is a name, and any page could make one that leads here; ask with an IP address "
                                  "or localhost in place of it, or through the Unix socket",
                                  config::quote(host)));
}

// nullopt when a % is not followed by two hex digits. A + is a +: in URLs, which is what is sent here, it is no space.
std::optional<std::string> decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || !http::is_class(text[i + 1], http::kHexChar) ||
        !http::is_class(text[i + 2], http::kHexChar)) {
      return std::nullopt;
    }
    out += static_cast<char>(http::hex_value(text[i + 1]) * 16 + http::hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

// False when it is malformed.
bool read_target(std::string_view target, AdminRequest& request) {
  const std::size_t question = std::min(target.find('?'), target.size());
  auto path = decode(target.substr(0, question));
  if (!path) return false;
  request.path = std::move(*path);
  for (std::string_view rest = target.substr(question); !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size());
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals));
    auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) return false;
    request.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

// What it did is in force, and the disk has not taken it.
void tell_not_durable(AdminReply& reply) {
  auto json = nlohmann::ordered_json::parse(reply.body, nullptr, false);
  if (!json.is_object() || reply.status >= 300) return;
  json["durable"] = false;
  reply.body = json.dump();
}

AdminReply too_large(std::uint64_t limit) {
  return refusal(413,
                 fmt::format("the body is larger than {} bytes, the most that is taken here; send it in parts", limit));
}

AdminReply reply_to(const Error& error) {
  const proxy::ErrorAnswer answer = proxy::answer_for(error);
  // Its second line says what happened.
  const std::string whole = proxy::error_text(answer.status, error);
  std::string_view text = whole;
  text.remove_prefix(text.find('\n') + 1);
  text.remove_suffix(1);
  AdminReply reply = refusal(answer.status, text);
  if (answer.retry_after) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

class AdminHandler final : public proxy::RequestHandler {
 public:
  AdminHandler(Services& services, proxy::ResponseWriter& writer, const proxy::ClientInfo& client,
               std::function<void()> on_finished)
      : services_(services), writer_(writer), client_(client), on_finished_(std::move(on_finished)) {}
  ~AdminHandler() override { let_go(); }
  AdminHandler(const AdminHandler&) = delete;
  AdminHandler& operator=(const AdminHandler&) = delete;

  void begin(Ref<http::BodyPipe> body) override;
  void begin_refused(Error error) override;
  bool is_active() const override { return is_active_; }
  bool has_answered() const override { return has_answered_; }
  void on_writable() override {
    if (is_streaming_) stream_->on_writable();
  }
  void on_client_gone() override;

 private:
  std::optional<AdminReply> refuse();
  bool takes_body() const { return endpoint_->method != Method::kGet; }
  std::uint64_t body_limit() const;
  bool make_room_for(std::size_t body_bytes);
  void read_body();
  Call call() const { return {.services = services_, .request = *asked_, .name = name_}; }
  void begin_stream();
  void answer(const AdminReply& reply, bool tells_length = true);
  void answer_durably(AdminReply reply);
  void let_go();
  void finish();

  Services& services_;
  proxy::ResponseWriter& writer_;
  const proxy::ClientInfo& client_;
  const std::function<void()> on_finished_;

  bool is_active_ = false;
  bool has_answered_ = false;
  bool is_writing_ = false;  // the writer may find the client gone meanwhile
  bool is_client_gone_ = false;
  bool is_streaming_ = false;
  Ref<http::BodyPipe> body_;
  BudgetCharge charge_;  // of the body as far as it is here
  disk::Pending settling_;
  std::optional<AdminRequest> asked_;
  const Endpoint* endpoint_ = nullptr;
  std::string_view name_;           // in asked_->path
  std::unique_ptr<Stream> stream_;  // kept when it is over: it may be what told that the client is gone
};

void AdminHandler::begin(Ref<http::BodyPipe> body) {
  SW_DASSERT(!is_active_, "one request at a time");
  is_active_ = true;
  stream_.reset();
  body_ = std::move(body);
  if (const auto reply = refuse()) {
    answer(*reply);
  } else if (endpoint_->answer == nullptr) {
    begin_stream();
  } else if (body_ && takes_body()) {
    body_->on_data([this] { read_body(); });
    body_->want();
    read_body();
  } else {
    answer(endpoint_->answer(call()));
  }
}

void AdminHandler::begin_refused(Error error) {
  is_active_ = true;
  stream_.reset();
  if (error.side == Side::kClient) writer_.close_after_answer();
  answer(reply_to(error));
}

void AdminHandler::on_client_gone() {
  if (!is_active_) return;
  if (is_writing_) {
    is_client_gone_ = true;
  } else {
    finish();
  }
}

// What can be told without the body. When it is nothing, the endpoint is known.
std::optional<AdminReply> AdminHandler::refuse() {
  if (auto reply = refuse_pages(request_, client_.ip)) return reply;
  AdminRequest& asked = asked_.emplace(AdminRequest{.head = request_, .path = {}, .query = {}, .body = {}});
  if (!read_target(request_.path, asked)) {
    return refusal(400, "a % in the request's target is not followed by two hex digits; write % itself as %25");
  }
  bool is_known = false;
  for (const Endpoint& endpoint : kEndpoints) {
    const auto name = match(endpoint, asked.path);
    if (!name) continue;
    is_known = true;
    if (request_.method != endpoint.method && (request_.method != Method::kHead || endpoint.method != Method::kGet)) {
      continue;
    }
    endpoint_ = &endpoint;
    name_ = *name;
    break;
  }
  if (endpoint_ == nullptr) return is_known ? not_allowed(asked) : not_found(asked.path);
  if (!takes_body()) return std::nullopt;
  if (endpoint_->method == Method::kPut) {
    if (auto reply = services_.objects.refuse(asked)) return reply;
  }
  if (request_.content_length > body_limit()) return too_large(body_limit());
  return std::nullopt;
}

std::uint64_t AdminHandler::body_limit() const {
  return endpoint_->method == Method::kPut ? services_.context.store.max_object_bytes() : kMaxBodyBytes;
}

bool AdminHandler::make_room_for(std::size_t body_bytes) {
  if (body_bytes <= std::max(kFreeBodyBytes, charge_.bytes())) return true;
  cache::Store& store = services_.context.store;
  const std::size_t wanted = std::min<std::size_t>(std::max(body_bytes, 2 * charge_.bytes()), body_limit());
  if (!store.make_room(wanted - charge_.bytes())) return false;
  charge_ = BudgetCharge(store.budget(), wanted);
  asked_->body.reserve(wanted);
  return true;
}

void AdminHandler::read_body() {
  std::string& body = asked_->body;
  const std::string_view bytes = body_->peek();
  if (body.size() + bytes.size() > body_limit()) return answer(too_large(body_limit()));
  if (!make_room_for(body.size() + bytes.size())) {
    AdminReply reply = refusal(503, "no memory for a body of this size at present; send it later, or in parts");
    reply.headers.emplace_back("Retry-After", "1");
    return answer(reply);
  }
  body += bytes;
  body_->consume(bytes.size());
  if (body_->error()) {
    answer(reply_to(*body_->error()));
  } else if (body_->is_finished()) {
    answer_durably(endpoint_->answer(call()));
  }
}

void AdminHandler::answer_durably(AdminReply reply) {
  cache::DiskTier* const disk = services_.context.store.disk();
  if (!endpoint_->is_durable || !disk) return answer(reply);
  settling_ = disk->settle(services_.context.executor, [this, reply = std::move(reply)](bool is_durable) mutable {
    if (!is_durable) tell_not_durable(reply);
    answer(reply);
  });
}

void AdminHandler::begin_stream() {
  if (request_.method == Method::kHead) return answer({.content_type = "text/event-stream"}, false);
  std::optional<std::uint64_t> last_id;
  if (const auto text = request_.headers.find("Last-Event-ID")) {
    last_id = http::parse_uint(*text);
    if (!last_id) {
      return answer(refusal(400, fmt::format("Last-Event-ID must be the number of an event, not {}; without the field "
                                             "the stream begins with the next event",
                                             config::quote(*text))));
    }
  }
  if (services_.streams >= kMaxStreams) {
    AdminReply reply = refusal(503, fmt::format("{} clients read the events already; close one of them", kMaxStreams));
    reply.headers.emplace_back("Retry-After", "10");
    return answer(reply);
  }
  if (body_) body_->discard();
  ++services_.streams;
  is_streaming_ = has_answered_ = is_writing_ = true;
  stream_ = make_event_stream(services_.context, writer_, last_id);
  is_writing_ = false;
  if (is_client_gone_) finish();
}

void AdminHandler::answer(const AdminReply& reply, bool tells_length) {
  http::HeaderMap fields;
  fields.add(Field::kDate, http::format_date(services_.context.executor.wall_now()));
  fields.add(Field::kContentType, reply.content_type);
  fields.add(Field::kCacheControl, "no-store");
  fields.add("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : reply.headers) fields.add(name, value);
  // A body that is left half-way ends the connection.
  if (body_ && body_->was_read() && !body_->is_finished()) writer_.close_after_answer();
  const bool has_body = request_.method != Method::kHead;
  has_answered_ = is_writing_ = true;
  const auto length = tells_length ? std::optional<std::uint64_t>(reply.body.size()) : std::nullopt;
  writer_.send_head({.status = reply.status, .fields = &fields, .length = length, .has_body = has_body});
  if (has_body) writer_.send_body({Slice::copy_of(nullptr, reply.body)});
  writer_.end({});
  is_writing_ = false;
  finish();
}

void AdminHandler::let_go() {
  if (body_) {
    body_->on_data(nullptr);
    body_->discard();
  }
  body_ = nullptr;
  charge_ = {};
  settling_ = {};
  if (std::exchange(is_streaming_, false)) --services_.streams;
}

void AdminHandler::finish() {
  let_go();
  asked_.reset();
  endpoint_ = nullptr;
  name_ = {};
  is_active_ = has_answered_ = is_client_gone_ = false;
  on_finished_();
}

}  // namespace

std::unique_ptr<proxy::RequestHandler> make_admin_handler(Services& services, proxy::ResponseWriter& writer,
                                                          const proxy::ClientInfo& client,
                                                          std::function<void()> on_finished) {
  return std::make_unique<AdminHandler>(services, writer, client, std::move(on_finished));
}

}  // namespace seawall::admin
