#include "admin/purge_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "policy/tags.h"

namespace seawall::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxEntries = 1000;  // of one request
constexpr std::size_t kMaxBody = std::size_t{512} << 10;
// Rules that come together share a sweep.
constexpr Millis kSweepDelay{100};
constexpr std::size_t kSweptPerTurn = 512;
constexpr std::size_t kRefreshedPerTurn = 64;
constexpr Millis kRefreshPause{1000};

struct Wanted {
  std::vector<Target> urls;
  std::vector<cache::PurgeRule> rules;  // a prefix makes two, one for each scheme
  std::size_t entries = 0;
  std::size_t named_rules = 0;  // prefixes and tags
  bool is_soft = false;
};

std::unexpected<AdminReply> refuse(std::string_view detail) {
  return std::unexpected(problem(400, http::reason_phrase(400), detail));
}

bool is_tag(std::string_view text) {
  const auto is_visible = [](char c) { return c > ' ' && c < '\x7f'; };
  return !text.empty() && text.size() <= policy::kMaxTagBytes && std::ranges::all_of(text, is_visible);
}

// What stands in one of the lists; an error says what is wrong with it.
std::expected<void, std::string> take(const proxy::Context& context, std::string_view member, const std::string& text,
                                      Wanted& wanted) {
  if (member == "tags") {
    if (!is_tag(text)) {
      return std::unexpected(fmt::format("must be 1 to {} visible ASCII characters", policy::kMaxTagBytes));
    }
    wanted.rules.push_back({.kind = cache::PurgeKind::kTag, .text = text});
    return {};
  }
  auto target = parse_target(context, text);
  if (!target) {
    return std::unexpected(fmt::format(R"(must be absolute, such as "http://host/path", and of at most {} bytes)",
                                       context.router->session().head_limits.target_bytes));
  }
  Target other = with_other_scheme(*target);
  if (member == "urls") {
    wanted.urls.push_back(std::move(other));
    wanted.urls.push_back(std::move(*target));
  } else {
    wanted.rules.push_back({.kind = cache::PurgeKind::kPrefix, .text = std::move(other.key)});
    wanted.rules.push_back({.kind = cache::PurgeKind::kPrefix, .text = std::move(target->key)});
  }
  return {};
}

// The parser would build whatever is nested, at the cost of everybody on this worker.
bool is_shallow(std::string_view body) {
  int depth = 0;
  bool is_in_string = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > 2) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

std::expected<Wanted, AdminReply> parse(const proxy::Context& context, const std::string& body) {
  static constexpr std::array<std::string_view, 3> kLists = {"urls", "prefixes", "tags"};
  if (body.size() > kMaxBody || !is_shallow(body)) {
    return refuse(fmt::format("the body must be an object of lists of strings, of at most {} bytes", kMaxBody));
  }
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) {
    return refuse(R"(the body must be a JSON object such as {"urls": ["http://host/path"], "soft": true})");
  }
  Wanted wanted;
  for (const auto& [member, value] : json.items()) {
    if (member == "soft") {
      if (!value.is_boolean()) return refuse("\"soft\" must be true or false");
      wanted.is_soft = value.get<bool>();
      continue;
    }
    if (std::ranges::find(kLists, member) == kLists.end()) {
      return refuse(
          fmt::format("the body has a member \"{}\"; known are \"urls\", \"prefixes\", \"tags\" and \"soft\"", member));
    }
    if (!value.is_array()) return refuse(fmt::format("\"{}\" must be a list of strings", member));
    for (std::size_t i = 0; i < value.size(); ++i) {
      wanted.entries += member == "prefixes" ? 2U : 1U;
      if (wanted.entries > kMaxEntries) {
        return refuse(
            fmt::format("\"{}\" is too long: the lists may have {} entries together, a prefix counting as two; purge "
                        "in several requests, or by a prefix or a tag",
                        member, kMaxEntries));
      }
      if (!value[i].is_string()) return refuse(fmt::format("\"{}\"[{}] must be a string", member, i));
      if (const auto taken = take(context, member, value[i].get_ref<const std::string&>(), wanted); !taken) {
        return refuse(fmt::format("\"{}\"[{}] {}", member, i, taken.error()));
      }
      if (member != "urls") ++wanted.named_rules;
    }
  }
  if (wanted.urls.empty() && wanted.rules.empty()) {
    return refuse("nothing is named: give \"urls\", \"prefixes\" or \"tags\"");
  }
  return wanted;
}

}  // namespace

PurgeService::PurgeService(proxy::Context& context)
    : context_(context),
      sweep_timer_([this] { begin_sweep(); }),
      refresh_timer_([this] { refresh_some(); }),
      life_(std::make_shared<const bool>(true)) {}

AdminReply PurgeService::purge(const AdminRequest& request) {
  auto wanted = parse(context_, request.body);
  if (!wanted) return std::move(wanted.error());
  const WallTime now = context_.executor.wall_now();
  std::size_t gone = 0;
  std::vector<cache::Refreshable> stale;
  for (const Target& target : wanted->urls) {
    // Softly too: what a fetch under way brings is older than this.
    context_.fills.detach_all(target.key, target.hash);
    const std::size_t variants = context_.store.purge_url(target.key, target.hash, wanted->is_soft, now);
    gone += variants;
    if (wanted->is_soft && variants > 0) stale.push_back({.key = target.key, .hash = target.hash, .heat = 1});
  }
  for (cache::PurgeRule& rule : wanted->rules) {
    rule.is_soft = wanted->is_soft;
    rule.at = now;
    context_.store.purge_by_rule(std::move(rule));
  }
  stats_.urls += gone;
  stats_.rules += wanted->named_rules;
  if (!stale.empty()) add_refreshes(std::move(stale));
  if (!wanted->rules.empty() && !is_sweeping_ && !sweep_timer_.is_armed()) {
    context_.executor.timers().arm(sweep_timer_, context_.executor.mono_now() + kSweepDelay);
  }
  const Json answer = {{"urls", gone}, {"rules", wanted->named_rules}, {"soft", wanted->is_soft}};
  return {.body = answer.dump()};
}

// In a turn of its own: the worker serves clients in between.
void PurgeService::post(void (PurgeService::*step)()) {
  context_.executor.post([this, step, life = std::weak_ptr(life_)] {
    if (!life.expired()) (this->*step)();
  });
}

void PurgeService::begin_sweep() {
  is_sweeping_ = true;
  cursor_ = {};
  sweep_epoch_ = context_.store.purges().rule_epoch();
  post(&PurgeService::sweep_some);
}

void PurgeService::sweep_some() {
  const cache::SweepResult result =
      context_.store.sweep(cursor_, kSweptPerTurn, context_.executor.wall_now(), &softened_);
  stats_.swept += result.removed + result.softened;
  if (!result.is_done) return post(&PurgeService::sweep_some);
  is_sweeping_ = false;
  context_.store.purges().retire(sweep_epoch_);
  if (!softened_.empty()) add_refreshes(std::exchange(softened_, {}));
  // What the sweep had passed by when a younger rule came has not met that one.
  if (context_.store.purges().rule_epoch() != sweep_epoch_) begin_sweep();
}

void PurgeService::add_refreshes(std::vector<cache::Refreshable> more) {
  for (auto* list : {&to_refresh_, &delayed_}) {
    more.insert(more.end(), std::move_iterator(list->begin()), std::move_iterator(list->end()));
    list->clear();
  }
  std::ranges::sort(more, {}, &cache::Refreshable::heat);
  if (more.size() > cache::Store::kMaxRefreshables) {
    more.erase(more.begin(), more.end() - static_cast<std::ptrdiff_t>(cache::Store::kMaxRefreshables));
  }
  to_refresh_ = std::move(more);
  refresh_timer_.cancel();
  if (!is_refreshing_) post(&PurgeService::refresh_some);
  is_refreshing_ = true;
}

void PurgeService::refresh_some() {
  BackgroundFiller filler(context_);
  for (std::size_t n = 0; n < kRefreshedPerTurn && !to_refresh_.empty(); ++n) {
    cache::Refreshable next = std::move(to_refresh_.back());
    to_refresh_.pop_back();
    if (!refresh(next, filler)) delayed_.push_back(std::move(next));
  }
  is_refreshing_ = !to_refresh_.empty();
  if (is_refreshing_) return post(&PurgeService::refresh_some);
  if (delayed_.empty()) return;
  to_refresh_ = std::exchange(delayed_, {});
  std::ranges::reverse(to_refresh_);
  context_.executor.timers().arm(refresh_timer_, context_.executor.mono_now() + kRefreshPause);
}

// False when it has to be tried again.
bool PurgeService::refresh(const cache::Refreshable& wanted, BackgroundFiller& filler) {
  const auto target = parse_target(context_, wanted.key);
  if (!target) return true;
  const proxy::Route* route = context_.router->find(target->uri.authority, target->uri.path);
  if (!route || !is_filled_in_background(*route)) return true;
  const BackgroundFiller::Order order{.klass = fill::FillClass::kRefresh, .heat = wanted.heat, .only_refresh = true};
  const Enqueued enqueued = filler.enqueue(*route, *target, order, nullptr);
  if (enqueued == Enqueued::kQueued) ++stats_.refreshed;
  return enqueued != Enqueued::kFull;
}

}  // namespace seawall::admin
