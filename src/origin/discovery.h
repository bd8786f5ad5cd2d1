// The servers of one origin as they are known now: addresses at once, names by DNS and again after their TTL, services
// by their SRV records and then the names in these. What was good once is kept while DNS fails or denies it.
// Thread: its loop's.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "origin/observer.h"
#include "origin/origin_options.h"

namespace seawall::origin {

// One server as it is known now.
struct Endpoint {
  // "10.0.0.5:3000": for people, and its identity over reloads and re-resolution. Unique in a list: of two entries that
  // lead to one address the first counts, and where their authorities differ the second has its own appended.
  std::string name;
  std::string host_header;  // authority of its ServerConfig
  bool is_tls = false;
  std::string tls_name;                 // whose certificate it should have; with SRV the domain of the service
  std::vector<net::Address> addresses;  // tried in order: usually one; IPv4 then IPv6 of a name that has both
  std::uint32_t weight = 1;
  bool is_backup = false;
  bool is_drain = false;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// What has been found for names, to be handed from one Discovery to another.
struct Answer {
  std::string host;
  std::uint16_t port = 0;
  bool is_srv = false;
  std::vector<net::Address> addresses;
  std::vector<net::SrvTarget> targets;  // with is_srv
};

class Discovery {
 public:
  // The whole list, never empty, and only when it differs from the last. Must not destroy the Discovery.
  using OnChange = std::function<void(std::vector<Endpoint>)>;
  static constexpr std::size_t kMaxEndpoints = 256;  // what is past them is left out

  // `options` bound the TTL; the time of a lookup is the resolver's to bound.
  Discovery(net::Loop& loop, net::Resolver& resolver, std::string origin_name, std::vector<ServerConfig> servers,
            Observer& observer, net::ResolverOptions options, Rng& rng, OnChange on_change);
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Told of every lookup that failed. Before start().
  void on_failure(std::function<void(ErrorCode)> callback) { on_failure_ = std::move(callback); }
  // Once. Calls OnChange before it returns if there is an address among the servers, or `known` has one: none of these
  // waits for names.
  void start(std::vector<Answer> known = {});
  // Of a changed configuration, after start(). Names that stay keep what is known of them, and their time.
  void set_servers(std::vector<ServerConfig> servers);
  // Every name has been answered, well or badly.
  bool is_settled() const;
  // What was found for names, last.
  std::vector<Answer> answers() const;

 private:
  struct Question;
  struct Entry;

  void add(ServerConfig config, std::vector<std::unique_ptr<Entry>>& known);
  void ask(Entry& entry, Question& question);
  void take_known(Question& question) const;
  void on_addresses(Entry& entry, Question& question, std::expected<net::Resolved, net::ResolveError> answer);
  void on_targets(Entry& entry, std::expected<net::ResolvedSrv, net::ResolveError> answer);
  void note_success(Question& question, bool has_changed, Seconds ttl);
  void note_failure(Question& question, const net::ResolveError& error);
  void follow_targets(Entry& entry);
  void update(Entry& entry);
  void publish();

  net::Loop& loop_;
  net::Resolver& resolver_;
  std::string origin_name_;
  Observer& observer_;
  net::ResolverOptions options_;
  Rng& rng_;
  OnChange on_change_;
  std::function<void(ErrorCode)> on_failure_ = [](ErrorCode) {};
  std::vector<std::unique_ptr<Entry>> entries_;  // as configured
  std::vector<Endpoint> published_;
  std::vector<Answer> known_;  // in start()
};

}  // namespace seawall::origin
