#include "origin/connector.h"

#include <array>
#include <utility>

namespace seawall::origin {

Connector::Connector(net::Loop& loop, const ServerOptions& options, net::TlsClient* tls, std::string proxy_header,
                     ServerStats& stats, User& user)
    : loop_(loop),
      options_(options),
      tls_(tls),
      proxy_header_(std::move(proxy_header)),
      stats_(stats),
      user_(user),
      timer_([this] { finish(fail(ErrorCode::kTlsTimeout)); }) {}

std::optional<Result<Connector::Connected>> Connector::start() {
  dialer_ = std::make_unique<Dialer>(loop_, options_.addresses, options_.timeouts.connect, *this);
  auto dialled = dialer_->start();
  return dialled ? go_on(std::move(*dialled)) : std::nullopt;
}

void Connector::cancel() {
  timer_.cancel();
  if (dialer_) dialer_->cancel();
  if (transport_) {
    transport_->watch(false, false);
    loop_.defer_delete(std::move(transport_));
  }
}

void Connector::on_dialled(Result<Fd> outcome) {
  if (auto connected = go_on(std::move(outcome))) finish(std::move(*connected));
}

std::optional<Result<Connector::Connected>> Connector::go_on(Result<Fd> dialled) {
  if (!dialled) return std::unexpected(dialled.error());
  transport_ = std::make_unique<net::Transport>(loop_, std::move(*dialled));
  transport_->set_user(*this);
  // A header of at most a few hundred bytes fits into a fresh socket.
  if (!proxy_header_.empty() && transport_->write(proxy_header_).bytes != proxy_header_.size()) {
    return fail(ErrorCode::kConnectFailed);
  }
  if (!tls_) return Connected{.transport = std::move(transport_)};
  std::unique_ptr<net::TlsEngine> engine = tls_->connect();
  transport_->start_tls(std::move(engine));
  loop_.timers().arm(timer_, loop_.mono_now() + options_.timeouts.tls);
  transport_->watch(true, false);
  return shake_hands();
}

void Connector::on_stream_ready(bool readable, bool) {
  if (!readable || !transport_) return;
  if (auto connected = shake_hands()) finish(std::move(*connected));
}

std::optional<Result<Connector::Connected>> Connector::shake_hands() {
  thread_local std::array<char, ByteStream::kReadBytes> buffer;
  const ByteStream::Outcome outcome = transport_->read(buffer);
  const net::TlsEngine& engine = *transport_->tls();
  if (outcome.bytes > 0) transport_->unread({buffer.data(), outcome.bytes});
  if (engine.is_established()) {
    timer_.cancel();
    transport_->watch(false, false);
    ++stats_.handshakes;
    if (engine.is_resumed()) ++stats_.resumed_handshakes;
    const bool is_http2 = engine.is_http2();
    return Connected{.transport = std::move(transport_), .is_http2 = is_http2};
  }
  if (outcome.status == ByteStream::Status::kBlocked || outcome.status == ByteStream::Status::kOk) return std::nullopt;
  failure_text_ = engine.failure_text();
  if (failure_text_.empty()) failure_text_ = "the connection broke during the handshake";
  return fail(engine.failure());
}

std::unexpected<Error> Connector::fail(ErrorCode code) {
  if (code != ErrorCode::kConnectFailed) ++stats_.failed_handshakes;
  cancel();
  return std::unexpected(Error{code, Side::kOrigin, Retry::kYes});
}

void Connector::finish(Result<Connected> outcome) {
  timer_.cancel();
  user_.on_connected(std::move(outcome));
}

ErrorCode failure_of(const net::Transport& transport) {
  const net::TlsEngine* const tls = transport.tls();
  return tls && !tls->failure_text().empty() ? tls->failure() : ErrorCode::kPeerReset;
}

}  // namespace seawall::origin
