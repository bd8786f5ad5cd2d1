#include "origin/discovery.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace seawall::origin {
namespace {

constexpr Millis kFirstPause{1'000};
constexpr Millis kLongestPause{30'000};
constexpr double kJitter = 0.25;    // of a pause, added at random
constexpr Seconds kShortestTtl{1};  // whatever the options say

bool is_same(const net::Address& a, const net::Address& b) {
  return a.size() == b.size() && std::memcmp(a.get(), b.get(), a.size()) == 0;
}

bool is_same(const std::vector<net::Address>& a, const std::vector<net::Address>& b) {
  return std::ranges::equal(a, b, [](const net::Address& x, const net::Address& y) { return is_same(x, y); });
}

bool is_same(const net::SrvTarget& a, const net::SrvTarget& b) {
  return a.host == b.host && a.port == b.port && a.priority == b.priority && a.weight == b.weight;
}

bool is_same(const Endpoint& a, const Endpoint& b) {
  return a.name == b.name && a.host_header == b.host_header && a.is_tls == b.is_tls && a.tls_name == b.tls_name &&
         is_same(a.addresses, b.addresses) && a.weight == b.weight && a.is_backup == b.is_backup &&
         a.is_drain == b.is_drain;
}

// The i-th IPv4 address goes with the i-th IPv6 one: most likely they are one machine's.
void append_endpoints(const std::vector<net::Address>& addresses, const Endpoint& model, std::vector<Endpoint>& out) {
  const auto v6 = std::ranges::find_if(addresses, [](const net::Address& a) { return a.family() != AF_INET; });
  const auto v4_count = static_cast<std::size_t>(v6 - addresses.begin());
  const std::size_t v6_count = addresses.size() - v4_count;
  for (std::size_t i = 0; i < std::max(v4_count, v6_count); ++i) {
    Endpoint endpoint = model;
    if (i < v4_count) endpoint.addresses.push_back(addresses[i]);
    if (i < v6_count) endpoint.addresses.push_back(addresses[v4_count + i]);
    endpoint.name = endpoint.addresses.front().to_string();
    out.push_back(std::move(endpoint));
  }
}

void append_unique(Endpoint endpoint, std::vector<Endpoint>& out) {
  const auto is_taken = [&](const std::string& name) {
    return std::ranges::any_of(out, [&](const Endpoint& e) { return e.name == name; });
  };
  const auto is_alike = [&](const Endpoint& e) {
    return e.host_header == endpoint.host_header && e.is_tls == endpoint.is_tls &&
           is_same(e.addresses.front(), endpoint.addresses.front());
  };
  if (std::ranges::any_of(out, is_alike)) return;
  if (is_taken(endpoint.name)) endpoint.name += " (" + endpoint.host_header + ")";
  out.push_back(std::move(endpoint));
}

}  // namespace

// One name kept resolved; of a service, its records.
struct Discovery::Question {
  std::string host;
  std::uint16_t port;
  bool is_srv;
  std::vector<net::Address> addresses{};  // the last good ones
  std::vector<net::SrvTarget> targets{};
  bool is_settled = false;  // has been answered, well or badly
  std::string failure{};    // why it cannot be resolved now; empty while it can
  Millis pause{0};          // after the last of the failures in a row
  std::unique_ptr<net::Resolver::Lookup> lookup{};
  Timer timer;  // for the next lookup

  Question(Discovery& discovery, Entry& entry, std::string h, std::uint16_t p, bool srv)
      : host(std::move(h)), port(p), is_srv(srv), timer([this, &discovery, &entry] { discovery.ask(entry, *this); }) {}

  bool asks_for(const ServerConfig& config) const {
    return host == config.host && is_srv == config.is_srv && (is_srv || port == config.port);
  }
  std::size_t size() const { return is_srv ? targets.size() : addresses.size(); }
};

// One line of the configuration.
struct Discovery::Entry {
  ServerConfig config;
  std::unique_ptr<Question> question{};               // none for an address
  std::vector<std::unique_ptr<Question>> followed{};  // of a service: its targets' names, one for one
  bool has_leavers = false;                           // others have gone, and of the new ones not all are settled
  std::vector<Endpoint> endpoints{};                  // the last good ones

  bool is_settled() const {
    return (!question || question->is_settled) && std::ranges::all_of(followed, &Question::is_settled);
  }
  // For the last good ones too, should nothing else be known.
  void set_config(ServerConfig changed) {
    config = std::move(changed);
    for (Endpoint& endpoint : endpoints) {
      Endpoint next = model();
      next.name = std::move(endpoint.name);
      next.addresses = std::move(endpoint.addresses);
      next.weight = endpoint.weight;
      next.is_backup = next.is_backup || endpoint.is_backup;
      endpoint = std::move(next);
    }
  }
  Endpoint model() const {
    return {.name = {},
            .host_header = config.authority,
            .is_tls = config.is_tls,
            .tls_name = config.is_srv ? config.authority : config.host,
            .addresses = {},
            .weight = config.weight,
            .is_backup = config.is_backup,
            .is_drain = config.is_drain};
  }
};

Discovery::Discovery(net::Loop& loop, net::Resolver& resolver, std::string origin_name,
                     std::vector<ServerConfig> servers, Observer& observer, net::ResolverOptions options, Rng& rng,
                     OnChange on_change)
    : loop_(loop),
      resolver_(resolver),
      origin_name_(std::move(origin_name)),
      observer_(observer),
      options_(std::move(options)),
      rng_(rng),
      on_change_(std::move(on_change)) {
  std::vector<std::unique_ptr<Entry>> none;
  if (servers.size() > kMaxEndpoints) servers.resize(kMaxEndpoints);
  for (ServerConfig& server : servers) add(std::move(server), none);
}

Discovery::~Discovery() = default;

void Discovery::start(std::vector<Answer> known) {
  known_ = std::move(known);
  for (const auto& entry : entries_) {
    if (!entry->question) continue;
    take_known(*entry->question);
    follow_targets(*entry);
    update(*entry);
    ask(*entry, *entry->question);
  }
  known_.clear();
  publish();
}

void Discovery::set_servers(std::vector<ServerConfig> servers) {
  std::vector<std::unique_ptr<Entry>> known = std::exchange(entries_, {});
  if (servers.size() > kMaxEndpoints) servers.resize(kMaxEndpoints);
  for (ServerConfig& server : servers) add(std::move(server), known);
  for (const auto& entry : entries_) {
    if (!entry->question || entry->question->is_settled || entry->question->lookup) continue;
    // Of a service that comes in place of others, the backup may be known first.
    entry->has_leavers = true;
    ask(*entry, *entry->question);
  }
  publish();
}

bool Discovery::is_settled() const {
  return std::ranges::all_of(entries_, &Entry::is_settled);
}

std::vector<Answer> Discovery::answers() const {
  std::vector<Answer> all;
  const auto add = [&](const Question& q) {
    if (q.size() == 0) return;
    all.push_back({.host = q.host, .port = q.port, .is_srv = q.is_srv, .addresses = q.addresses, .targets = q.targets});
  };
  for (const auto& entry : entries_) {
    if (entry->question) add(*entry->question);
    for (const auto& followed : entry->followed) add(*followed);
  }
  return all;
}

// Takes over from `known` the one for the same name, if there is one.
void Discovery::add(ServerConfig config, std::vector<std::unique_ptr<Entry>>& known) {
  const auto same = std::ranges::find_if(
      known, [&](const auto& entry) { return entry && entry->question && entry->question->asks_for(config); });
  if (same != known.end()) {
    entries_.push_back(std::move(*same));
    entries_.back()->set_config(std::move(config));
    update(*entries_.back());
    return;
  }
  entries_.push_back(std::make_unique<Entry>(Entry{.config = std::move(config)}));
  Entry& entry = *entries_.back();
  const auto address = entry.config.is_srv ? std::nullopt : net::parse_ip(entry.config.host, entry.config.port);
  if (address) {
    append_endpoints({*address}, entry.model(), entry.endpoints);
  } else {
    entry.question =
        std::make_unique<Question>(*this, entry, entry.config.host, entry.config.port, entry.config.is_srv);
  }
}

void Discovery::ask(Entry& entry, Question& question) {
  if (question.is_srv) {
    question.lookup =
        resolver_.resolve_srv(question.host, [this, &entry](auto answer) { on_targets(entry, std::move(answer)); });
  } else {
    question.lookup = resolver_.resolve(question.host, question.port, [this, &entry, &question](auto answer) {
      on_addresses(entry, question, std::move(answer));
    });
  }
}

void Discovery::take_known(Question& question) const {
  const auto known = std::ranges::find_if(known_, [&](const Answer& a) {
    return a.host == question.host && a.port == question.port && a.is_srv == question.is_srv;
  });
  if (known == known_.end()) return;
  question.addresses = known->addresses;
  question.targets = known->targets;
  question.is_settled = true;
}

void Discovery::on_addresses(Entry& entry, Question& question, std::expected<net::Resolved, net::ResolveError> answer) {
  if (answer) {
    const bool has_changed = !is_same(question.addresses, answer->addresses);
    question.addresses = std::move(answer->addresses);
    note_success(question, has_changed, answer->ttl);
  } else {
    note_failure(question, answer.error());
  }
  update(entry);
  publish();
}

void Discovery::on_targets(Entry& entry, std::expected<net::ResolvedSrv, net::ResolveError> answer) {
  Question& question = *entry.question;
  if (!answer) {
    note_failure(question, answer.error());
    return publish();
  }
  const auto alike = [](const net::SrvTarget& a, const net::SrvTarget& b) { return is_same(a, b); };
  const bool has_changed = !std::ranges::equal(question.targets, answer->targets, alike);
  question.targets = std::move(answer->targets);
  note_success(question, has_changed, answer->ttl);
  if (!has_changed) return;
  follow_targets(entry);
  update(entry);
  publish();
}

void Discovery::note_success(Question& question, bool has_changed, Seconds ttl) {
  const bool has_recovered = !question.failure.empty();
  question.lookup.reset();
  question.is_settled = true;
  question.failure.clear();
  question.pause = Millis{0};
  const Seconds wait = std::max({std::min(ttl, options_.max_ttl), options_.min_ttl, kShortestTtl});
  loop_.timers().arm(question.timer, loop_.mono_now() + wait);
  if (has_changed || has_recovered) observer_.on_resolved(origin_name_, question.host, question.size(), {});
}

void Discovery::note_failure(Question& question, const net::ResolveError& error) {
  question.lookup.reset();
  on_failure_(error.code);
  question.is_settled = true;
  question.pause = question.pause == Millis{0} ? kFirstPause : std::min(2 * question.pause, kLongestPause);
  const auto jitter = static_cast<std::int64_t>(static_cast<double>(question.pause.count()) * kJitter * rng_.unit());
  loop_.timers().arm(question.timer, loop_.mono_now() + question.pause + Millis{jitter});
  if (question.failure == error.text) return;
  question.failure = error.text;
  observer_.on_resolved(origin_name_, question.host, question.size(), question.failure);
}

// A name that stays keeps what is known of it, and its time.
void Discovery::follow_targets(Entry& entry) {
  std::vector<std::unique_ptr<Question>> before = std::exchange(entry.followed, {});
  for (const net::SrvTarget& target : entry.question->targets) {
    const auto known = std::ranges::find_if(
        before, [&](const auto& q) { return q && q->host == target.host && q->port == target.port; });
    if (known != before.end()) {
      entry.followed.push_back(std::move(*known));
      continue;
    }
    entry.followed.push_back(std::make_unique<Question>(*this, entry, target.host, target.port, false));
    take_known(*entry.followed.back());
    ask(entry, *entry.followed.back());
  }
  if (std::ranges::any_of(before, [](const auto& q) { return q != nullptr; })) entry.has_leavers = true;
}

void Discovery::update(Entry& entry) {
  std::vector<Endpoint> fresh;
  if (!entry.config.is_srv) {
    append_endpoints(entry.question->addresses, entry.model(), fresh);
  } else {
    const auto& targets = entry.question->targets;
    for (std::size_t i = 0; i < entry.followed.size(); ++i) {
      Endpoint model = entry.model();
      model.weight = std::max<std::uint32_t>(targets[i].weight, 1);
      model.is_backup = entry.config.is_backup || targets[i].priority != targets.front().priority;
      append_endpoints(entry.followed[i]->addresses, model, fresh);
    }
  }
  if (entry.is_settled()) entry.has_leavers = false;
  // Servers that leave a service stay until it is known what comes in their place.
  if (fresh.empty() || entry.has_leavers) return;
  entry.endpoints = std::move(fresh);
}

void Discovery::publish() {
  std::vector<Endpoint> all;
  for (const auto& entry : entries_) {
    for (const Endpoint& endpoint : entry->endpoints) {
      if (all.size() < kMaxEndpoints) append_unique(endpoint, all);
    }
  }
  const auto alike = [](const Endpoint& a, const Endpoint& b) { return is_same(a, b); };
  // Backups alone are not told while others may be found: they would take all there is.
  const bool is_for_now = !published_.empty() && !is_settled() && std::ranges::all_of(all, &Endpoint::is_backup);
  if (all.empty() || is_for_now || std::ranges::equal(all, published_, alike)) return;
  published_ = all;
  on_change_(std::move(all));
}

}  // namespace seawall::origin
