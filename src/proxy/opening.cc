#include "proxy/opening.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "net/proxy_protocol.h"
#include "obs/log.h"
#include "proxy/error_response.h"
#include "proxy/forwarded.h"

namespace seawall::proxy {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr char kHandshakeRecord = 0x16;  // RFC 8446 section 5.1
constexpr Millis kLingerTime{2000};

std::string plain_on_tls_answer() {
  const Error error{ErrorCode::kPlainOnTls, Side::kClient};
  const std::uint16_t status = answer_for(error).status;
  const std::string text = error_text(status, error);
  return "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
         std::to_string(text.size()) + "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + text;
}

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

}  // namespace

Opening::Opening(net::Loop& loop, std::shared_ptr<const OpeningRules> rules, ConnectionLimits& limits,
                 EdgeCounters& counters, std::unique_ptr<net::Transport> transport, ClientInfo client,
                 OnOpened on_opened, OnSessionClosed on_closed)
    : loop_(loop),
      rules_(std::move(rules)),
      limits_(limits),
      counters_(counters),
      transport_(std::move(transport)),
      client_(std::move(client)),
      on_opened_(std::move(on_opened)),
      on_closed_(std::move(on_closed)),
      timer_([this] { on_timeout(); }) {
  transport_->set_user(*this);
}

Opening::~Opening() = default;

void Opening::start() {
  if (rules_->listen.expects_proxy && !is_from_trusted_proxy()) return refuse_proxy(ProxyFault::kUntrusted);
  // A silent client of a plain port is an idle one; TLS and the PROXY header begin at once.
  const bool is_owed = rules_->listen.expects_proxy || !rules_->listen.takes_plain;
  arm(is_owed ? rules_->session.tls_timeout : rules_->session.idle_timeout);
  transport_->watch(true, false);
  if (rules_->listen.expects_proxy) state_ = State::kProxyHeader;
  // Whose connection it is may be told by the header; that there is one more counts from now on.
  take_slot(rules_->session.connections, rules_->listen.expects_proxy ? 0 : rules_->session.connections_per_client);
}

void Opening::arm(Millis timeout) {
  loop_.timers().arm(timer_, loop_.mono_now() + timeout);
}

// Past the limits the connection is refused: with an answer where that costs nothing.
bool Opening::take_slot(std::size_t total, std::size_t per_client) {
  auto outcome = limits_.try_take(client_.ip, total, per_client);
  if (outcome) {
    slot_ = std::move(*outcome);
    return true;
  }
  counters_.count(outcome.error());
  is_refused_ = true;
  if (rules_->listen.takes_tls) {
    close();
  } else {
    open(Protocol::kHttp1);
  }
  return false;
}

void Opening::on_stream_ready(bool readable, bool) {
  if (!readable || state_ == State::kDone) return;
  thread_local std::array<char, ByteStream::kReadBytes> buffer;
  const ByteStream::Outcome outcome = transport_->read(buffer);
  if (state_ == State::kHandshake) {
    // Plaintext that came right behind the handshake is the session's.
    if (outcome.bytes > 0) transport_->unread({buffer.data(), outcome.bytes});
    return on_handshake(outcome.status);
  }
  if (outcome.status == ByteStream::Status::kBlocked) return;
  if (outcome.status != ByteStream::Status::kOk) return close();
  if (state_ == State::kRefused) return;
  in_.append(buffer.data(), outcome.bytes);
  on_bytes();
}

void Opening::on_bytes() {
  if (state_ == State::kProxyHeader) {
    if (!take_proxy_header()) return;
    state_ = State::kFirstBytes;
    // It is counted among all already.
    const std::size_t per_client = rules_->session.connections_per_client;
    if (per_client != 0 && !take_slot(std::numeric_limits<std::size_t>::max(), per_client)) return;
    if (rules_->listen.takes_plain) arm(rules_->session.idle_timeout);
  }
  if (!in_.empty()) choose();
}

// True when what follows is the client's own.
bool Opening::take_proxy_header() {
  using Status = net::ProxyParse::Status;
  const net::ProxyParse parsed = net::parse_proxy_header(in_);
  if (parsed.status == Status::kIncomplete) return false;
  if (parsed.status != Status::kComplete) {
    refuse_proxy(parsed.status == Status::kAbsent ? ProxyFault::kMissing : ProxyFault::kMalformed, parsed.problem);
    return false;
  }
  believe(parsed.header);
  in_.erase(0, parsed.header.consumed);
  return true;
}

void Opening::refuse_proxy(ProxyFault fault, std::string_view problem) {
  counters_.count(fault);
  obs::log(obs::LogLevel::kDebug, "connection of {} closed: PROXY header {} {}", client_.ip,
           kProxyFaults[static_cast<std::size_t>(fault)], problem);
  close();
}

void Opening::believe(const net::ProxyHeader& header) {
  if (header.source) {
    client_.ip = header.source->ip();
    client_.port = header.source->port();
  }
  if (header.destination && client_.local) client_.local = std::make_unique<net::Address>(*header.destination);
  if (!header.ssl || !header.ssl->is_tls) return;
  client_.scheme = "https";
  client_.told_certificate = std::make_unique<http::HeaderMap>(certificate_fields(*header.ssl));
}

bool Opening::is_from_trusted_proxy() const {
  if (client_.ip == "unix") return rules_->trusts_unix;
  return std::ranges::any_of(rules_->trusted_proxies,
                             [&](const net::Network& network) { return network.contains(client_.ip); });
}

void Opening::choose() {
  if (rules_->listen.takes_tls && in_.front() == kHandshakeRecord) return begin_handshake();
  if (!rules_->listen.takes_plain) return refuse_plain();
  choose_plain();
}

void Opening::choose_plain() {
  const std::string_view seen = in_;
  if (rules_->session.http2.enabled && kHttp2Preface.starts_with(seen.substr(0, kHttp2Preface.size()))) {
    if (seen.size() >= kHttp2Preface.size()) return open(Protocol::kHttp2);
    if (timer_.deadline() > loop_.mono_now() + rules_->session.header_timeout) arm(rules_->session.header_timeout);
    return;
  }
  open(Protocol::kHttp1);
}

void Opening::begin_handshake() {
  state_ = State::kHandshake;
  if (rules_->listen.takes_plain) arm(rules_->session.tls_timeout);
  transport_->unread(std::exchange(in_, {}));
  std::unique_ptr<net::TlsEngine> engine = rules_->tls->accept();
  if (rules_->uses_kernel) engine->use_kernel(transport_->fd());
  transport_->start_tls(std::move(engine));
  on_stream_ready(true, false);
}

void Opening::on_handshake(ByteStream::Status status) {
  const net::TlsEngine& engine = *transport_->tls();
  if (engine.is_established()) return on_established();
  switch (status) {
    case ByteStream::Status::kOk:
    case ByteStream::Status::kBlocked: return;
    case ByteStream::Status::kEnd:
    case ByteStream::Status::kTruncated: return fail_handshake(ErrorCode::kPeerClosed);
    case ByteStream::Status::kFailed: return fail_handshake(engine.failure());
  }
}

void Opening::on_established() {
  const net::TlsEngine& engine = *transport_->tls();
  counters_.count_handshake(engine.version() == "TLSv1.3" ? net::TlsVersion::kTls13 : net::TlsVersion::kTls12,
                            engine.is_resumed());
  auto tls = std::make_shared<ClientTls>();
  tls->certificate = Ref(engine.certificate());
  if (rules_->asks_client) {
    tls->certificate_fields =
        std::make_unique<http::HeaderMap>(certificate_fields(net::TlsServer::client_certificate(engine)));
  }
  client_.tls = std::move(tls);
  client_.scheme = "https";
  open(engine.is_http2() ? Protocol::kHttp2 : Protocol::kHttp1);
}

void Opening::fail_handshake(ErrorCode code) {
  counters_.count_handshake_failure(code);
  obs::log(obs::LogLevel::kDebug, "TLS handshake with {} failed: {}{}{}", client_.ip, to_string(code),
           transport_->tls()->failure_text().empty() ? "" : ": ", transport_->tls()->failure_text());
  close();
}

// Whoever typed http:// learns why nothing comes.
void Opening::refuse_plain() {
  counters_.count_handshake_failure(ErrorCode::kPlainOnTls);
  if (!is_letter(in_.front())) return close();
  state_ = State::kRefused;
  in_ = {};
  // It fits into the empty socket.
  transport_->write(plain_on_tls_answer());
  transport_->end_output();
  arm(kLingerTime);
}

void Opening::open(Protocol protocol) {
  state_ = State::kDone;
  timer_.cancel();
  if (!in_.empty()) transport_->unread(std::exchange(in_, {}));
  if (rules_->listen.redirects && !client_.tls) client_.https_port = rules_->https_port;
  on_opened_(*this, Opened{.transport = std::move(transport_),
                           .client = std::move(client_),
                           .slot = std::move(slot_),
                           .protocol = protocol,
                           .is_refused = is_refused_});
}

void Opening::on_timeout() {
  if (state_ == State::kHandshake) return fail_handshake(ErrorCode::kTlsTimeout);
  if (state_ == State::kFirstBytes && !in_.empty()) return open(Protocol::kHttp1);  // half a preface: a bad request
  close();
}

void Opening::close() {
  if (state_ == State::kDone) return;
  state_ = State::kDone;
  timer_.cancel();
  transport_->watch(false, false);
  on_closed_(*this);
}

}  // namespace seawall::proxy
