#include "net/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/list.h"

namespace seawall::net {
namespace {

constexpr std::size_t kMaxAddresses = 256;  // of each family
constexpr std::size_t kMaxTargets = 128;
constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxLabelBytes = 63;

bool is_less(const Address& a, const Address& b) {
  if (a.family() != b.family()) return a.family() == AF_INET;
  return std::memcmp(a.get(), b.get(), std::min(a.size(), b.size())) < 0;
}

// RFC 2181, section 8: a TTL with its highest bit set counts as zero.
Seconds ttl_of(std::uint32_t ttl) {
  return Seconds{ttl > 0x7fffffff ? 0 : ttl};
}

Seconds clamp_ttl(Seconds ttl, const ResolverOptions& options) {
  return std::max(options.min_ttl, std::min(ttl, options.max_ttl));
}

ResolveError failure(std::string text) {
  return ResolveError{.code = ErrorCode::kResolveFailed, .text = std::move(text), .is_negative = false};
}

// `nothing` is what a name lacks that exists.
ResolveError error_of(int status, std::string_view nothing) {
  switch (status) {
    case ARES_ENOTFOUND: return {.code = ErrorCode::kResolveFailed, .text = "no such name", .is_negative = true};
    case ARES_ENODATA: return {.code = ErrorCode::kResolveFailed, .text = std::string(nothing), .is_negative = true};
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
      return {.code = ErrorCode::kDnsTimeout, .text = "the name server does not answer", .is_negative = false};
    case ARES_ECONNREFUSED: return failure("no name server could be reached, or none gave a usable answer");
    case ARES_ESERVFAIL: return failure("the name server failed");
    case ARES_EREFUSED: return failure("the name server refused to answer");
    case ARES_EBADRESP: return failure("the name server's answer is malformed");
    default: return failure(::ares_strerror(status));
  }
}

std::expected<Resolved, ResolveError> read_addresses(const ares_addrinfo& list, std::uint16_t port,
                                                     const ResolverOptions& options) {
  Resolved resolved{.addresses = {}, .ttl = options.max_ttl};
  for (const ares_addrinfo_node* node = list.nodes; node; node = node->ai_next) {
    if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
    Address address(node->ai_addr, static_cast<socklen_t>(node->ai_addrlen));
    address.set_port(port);
    resolved.addresses.push_back(address);
    resolved.ttl = std::min(resolved.ttl, ttl_of(static_cast<std::uint32_t>(node->ai_ttl)));
  }
  for (const ares_addrinfo_cname* alias = list.cnames; alias; alias = alias->next) {
    resolved.ttl = std::min(resolved.ttl, ttl_of(static_cast<std::uint32_t>(alias->ttl)));
  }
  if (resolved.addresses.empty()) return std::unexpected(error_of(ARES_ENODATA, "the name has no addresses"));
  auto& all = resolved.addresses;
  std::sort(all.begin(), all.end(), is_less);
  all.erase(std::unique(all.begin(), all.end(), [](const Address& a, const Address& b) { return !is_less(a, b); }),
            all.end());
  const auto is_v4 = [](const Address& a) { return a.family() == AF_INET; };
  const auto v4 = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), is_v4));
  if (all.size() - v4 > kMaxAddresses) all.resize(v4 + kMaxAddresses);
  if (v4 > kMaxAddresses) {
    all.erase(all.begin() + kMaxAddresses, all.begin() + static_cast<std::ptrdiff_t>(v4));
  }
  resolved.ttl = clamp_ttl(resolved.ttl, options);
  return resolved;
}

// nullopt: not a record of ours to use. "." as target says that there is no such service (RFC 2782).
std::optional<SrvTarget> read_target(const ns_msg& message, const ns_rr& record) {
  constexpr std::size_t kFixedBytes = 6;  // priority, weight, port
  if (record.rdlength <= kFixedBytes) return std::nullopt;
  const unsigned char* data = record.rdata;
  std::array<char, NS_MAXDNAME> host{};
  if (::ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), data + kFixedBytes, host.data(), host.size()) <
      0) {
    return std::nullopt;
  }
  SrvTarget target{.host = host.data(),
                   .port = static_cast<std::uint16_t>(::ns_get16(data + 4)),
                   .priority = static_cast<std::uint16_t>(::ns_get16(data)),
                   .weight = static_cast<std::uint16_t>(::ns_get16(data + 2))};
  if (!is_host_name(target.host) || target.port == 0) return std::nullopt;
  for (char& c : target.host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return target;
}

std::expected<ResolvedSrv, ResolveError> read_targets(const unsigned char* bytes, int size,
                                                      const ResolverOptions& options) {
  ns_msg message;
  if (::ns_initparse(bytes, size, &message) < 0) return std::unexpected(error_of(ARES_EBADRESP, ""));
  ResolvedSrv resolved{.targets = {}, .ttl = options.max_ttl};
  bool is_disavowed = true;  // every record names "."
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (::ns_parserr(&message, ns_s_an, i, &record) < 0) return std::unexpected(error_of(ARES_EBADRESP, ""));
    resolved.ttl = std::min(resolved.ttl, ttl_of(static_cast<std::uint32_t>(record.ttl)));
    if (record.type != ns_t_srv || record.rr_class != ns_c_in) continue;  // an alias on the way
    if (record.rdlength != 7 || record.rdata[6] != 0) is_disavowed = false;
    if (auto target = read_target(message, record)) resolved.targets.push_back(std::move(*target));
  }
  auto& all = resolved.targets;
  if (all.empty()) {
    if (is_disavowed) return std::unexpected(error_of(ARES_ENODATA, "the name has no SRV records"));
    return std::unexpected(failure("no SRV record of the name has a usable host and port"));
  }
  const auto order = [](const SrvTarget& t) { return std::tie(t.priority, t.host, t.port); };
  std::ranges::sort(all, {}, [](const SrvTarget& t) { return std::tie(t.priority, t.host, t.port, t.weight); });
  all.erase(std::unique(all.begin(), all.end(), [&](const auto& a, const auto& b) { return order(a) == order(b); }),
            all.end());
  if (all.size() > kMaxTargets) all.resize(kMaxTargets);
  resolved.ttl = clamp_ttl(resolved.ttl, options);
  return resolved;
}

// One lookup, with a c-ares channel of its own: it can be given up alone, sees a changed resolv.conf, and asks from a
// fresh port. No user code runs inside a call of c-ares: the outcome is posted.
class Query : public std::enable_shared_from_this<Query> {
 public:
  ListNode node;

  Query(Loop& loop, const ResolverOptions& options)
      : options_(options),
        loop_(loop),
        retry_timer_([this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }),
        deadline_timer_([this] { on_deadline(); }) {}
  virtual ~Query() { close(); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  void start();
  // No call comes after.
  void abandon() {
    close();
    forget();
  }

 protected:
  virtual void ask(ares_channel channel) = 0;
  virtual void fail(int status) = 0;
  virtual void fail_with(ResolveError error) = 0;
  virtual void deliver() = 0;
  virtual void forget() = 0;

  void post_delivery() {
    loop_.post([weak = weak_from_this()] {
      const std::shared_ptr<Query> self = weak.lock();  // the callback may drop the lookup
      if (!self) return;
      self->close();
      self->deliver();
    });
  }

  const ResolverOptions options_;

 private:
  struct Socket final : FdHandler {
    Query& query;
    int fd;
    std::optional<FdWatcher> watcher;

    Socket(Query& q, int f) : query(q), fd(f) { watcher.emplace(q.loop_, f, *this); }
    void on_fd_ready(bool readable, bool writable) override {
      query.process(readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    }
  };

  bool open();
  void close();
  void on_socket_state(int fd, bool read, bool write);
  void process(int read_fd, int write_fd);
  void rearm();
  void on_deadline();

  Loop& loop_;
  ares_channel channel_ = nullptr;
  std::vector<std::unique_ptr<Socket>> sockets_;
  Timer retry_timer_;
  Timer deadline_timer_;
};

void Query::start() {
  if (!open()) return;
  loop_.timers().arm(deadline_timer_, loop_.mono_now() + options_.timeout);
  ask(channel_);
  rearm();
}

bool Query::open() {
  // Once for the process, before the first channel; never undone.
  static const int library_status = ::ares_library_init(ARES_LIB_INIT_ALL);
  // A server is asked again after a quarter of the time, then after half of it: an answer lost is not the end.
  ares_options setup{};
  setup.timeout = static_cast<int>(std::clamp<std::int64_t>(options_.timeout.count() / 4, 1, 60'000));
  setup.tries = 3;
  setup.sock_state_cb = [](void* self, ares_socket_t fd, int read, int write) {
    static_cast<Query*>(self)->on_socket_state(fd, read != 0, write != 0);
  };
  setup.sock_state_cb_data = this;
  int status = library_status;
  if (status == ARES_SUCCESS) {
    status = ::ares_init_options(&channel_, &setup, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  }
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    fail(status);
    return false;
  }
  if (options_.servers.empty()) return true;
  std::string list;
  for (const std::string& server : options_.servers) list += (list.empty() ? "" : ",") + server;
  if (::ares_set_servers_ports_csv(channel_, list.c_str()) == ARES_SUCCESS) return true;
  fail_with(failure("the name servers are not a list of addresses: " + list));
  return false;
}

void Query::close() {
  retry_timer_.cancel();
  deadline_timer_.cancel();
  // Closes its sockets, each told to on_socket_state(), and calls back with ARES_EDESTRUCTION.
  if (channel_) ::ares_destroy(std::exchange(channel_, nullptr));
}

void Query::on_socket_state(int fd, bool read, bool write) {
  const auto it = std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& s) { return s->fd == fd; });
  if (read || write) {
    Socket& socket = it != sockets_.end() ? **it : *sockets_.emplace_back(std::make_unique<Socket>(*this, fd));
    socket.watcher->watch(read, write);
    return;
  }
  if (it == sockets_.end()) return;
  // c-ares closes the descriptor next. Deleted later: its own event may be what is running.
  auto socket = std::move(*it);
  sockets_.erase(it);
  socket->watcher.reset();
  loop_.defer_delete(std::move(socket));
}

void Query::process(int read_fd, int write_fd) {
  ::ares_process_fd(channel_, read_fd, write_fd);
  rearm();
}

void Query::rearm() {
  timeval left{};
  if (!::ares_timeout(channel_, nullptr, &left)) {
    retry_timer_.cancel();
    return;
  }
  const auto wait = Seconds{left.tv_sec} + std::chrono::microseconds{left.tv_usec};
  loop_.timers().arm(retry_timer_, loop_.mono_now() + wait);
}

void Query::on_deadline() {
  // Of two questions one may have been answered: a server that is silent about AAAA still gives the A records.
  ::ares_cancel(channel_);
}

template <typename T>
class QueryOf : public Query {
 public:
  using Outcome = std::expected<T, ResolveError>;

  QueryOf(Loop& loop, const ResolverOptions& options, std::function<void(Outcome)> callback)
      : Query(loop, options), callback_(std::move(callback)) {}

  // The first counts.
  void set(Outcome outcome) {
    if (outcome_) return;
    outcome_ = std::move(outcome);
    post_delivery();
  }

 protected:
  void fail_with(ResolveError error) override { set(std::unexpected(std::move(error))); }

 private:
  void deliver() override {
    if (const auto callback = std::exchange(callback_, nullptr)) callback(std::move(*outcome_));
  }
  void forget() override { callback_ = nullptr; }

  std::function<void(Outcome)> callback_;
  std::optional<Outcome> outcome_;
};

class AddressQuery final : public QueryOf<Resolved> {
 public:
  AddressQuery(Loop& loop, const ResolverOptions& options, std::string name, std::uint16_t port,
               Resolver::OnResolved callback)
      : QueryOf(loop, options, std::move(callback)), name_(std::move(name)), port_(port) {}

 private:
  void fail(int status) override { fail_with(error_of(status, "the name has no addresses")); }
  void ask(ares_channel channel) override {
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT;  // sorting opens sockets, and the order is ours
    ::ares_getaddrinfo(
        channel, name_.c_str(), nullptr, &hints,
        [](void* arg, int status, int, ares_addrinfo* list) {
          const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> guard(list, [](ares_addrinfo* l) {
            if (l) ::ares_freeaddrinfo(l);
          });
          if (status == ARES_EDESTRUCTION) return;
          auto& self = *static_cast<AddressQuery*>(arg);
          if (status != ARES_SUCCESS) return self.fail(status);
          self.set(read_addresses(*list, self.port_, self.options_));
        },
        this);
  }

  std::string name_;
  std::uint16_t port_;
};

class SrvQuery final : public QueryOf<ResolvedSrv> {
 public:
  SrvQuery(Loop& loop, const ResolverOptions& options, std::string name, Resolver::OnSrv callback)
      : QueryOf(loop, options, std::move(callback)), name_(std::move(name)) {}

 private:
  void fail(int status) override { fail_with(error_of(status, "the name has no SRV records")); }
  void ask(ares_channel channel) override {
    ::ares_query(
        channel, name_.c_str(), ns_c_in, ns_t_srv,
        [](void* arg, int status, int, unsigned char* bytes, int size) {
          if (status == ARES_EDESTRUCTION) return;
          auto& self = *static_cast<SrvQuery*>(arg);
          if (status != ARES_SUCCESS) return self.fail(status);
          self.set(read_targets(bytes, size, self.options_));
        },
        this);
  }

  std::string name_;
};

// What the caller holds. The query outlives it for the rest of its own callback.
class Handle final : public Resolver::Lookup {
 public:
  explicit Handle(std::shared_ptr<Query> query) : query_(std::move(query)) {}
  ~Handle() override { query_->abandon(); }

 private:
  std::shared_ptr<Query> query_;
};

}  // namespace

struct Resolver::Impl {
  Loop& loop;
  const ResolverOptions options;
  List<Query, &Query::node> live;  // its lookups that are not yet destroyed

  Impl(Loop& l, ResolverOptions o) : loop(l), options(std::move(o)) {}

  template <typename Q>
  std::unique_ptr<Lookup> track(std::shared_ptr<Q> query) {
    live.push_back(*query);
    return std::make_unique<Handle>(std::move(query));
  }
};

bool is_host_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
    if (++label > kMaxLabelBytes) return false;
  }
  return label > 0;
}

std::optional<Address> parse_ip(std::string_view host, std::uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "*") return std::nullopt;  // Address takes these for every address
  const bool is_v6 = host.find(':') != std::string_view::npos;
  const std::string text = is_v6 ? "[" + std::string(host) + "]" : std::string(host);
  return Address::parse(text + ":" + std::to_string(port));
}

Resolver::Resolver(Loop& loop, ResolverOptions options) : impl_(std::make_unique<Impl>(loop, std::move(options))) {}

Resolver::~Resolver() {
  while (Query* query = impl_->live.pop_front()) query->abandon();
}

std::unique_ptr<Resolver::Lookup> Resolver::resolve(const std::string& name, std::uint16_t port, OnResolved callback) {
  auto query = std::make_shared<AddressQuery>(impl_->loop, impl_->options, name, port, std::move(callback));
  if (const auto address = parse_ip(name, port)) {
    query->set(Resolved{.addresses = {*address}, .ttl = clamp_ttl(impl_->options.max_ttl, impl_->options)});
  } else if (!is_host_name(name)) {
    query->set(std::unexpected(failure("not a valid name")));
  } else {
    query->start();
  }
  return impl_->track(std::move(query));
}

std::unique_ptr<Resolver::Lookup> Resolver::resolve_srv(const std::string& name, OnSrv callback) {
  auto query = std::make_shared<SrvQuery>(impl_->loop, impl_->options, name, std::move(callback));
  if (is_host_name(name)) {
    query->start();
  } else {
    query->set(std::unexpected(failure("not a valid name")));
  }
  return impl_->track(std::move(query));
}

}  // namespace seawall::net
