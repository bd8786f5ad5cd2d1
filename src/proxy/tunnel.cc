#include "proxy/tunnel.h"

#include <array>
#include <utility>

namespace seawall::proxy {
namespace {

constexpr int kMostTurns = 8;

}  // namespace

Tunnel::Tunnel(net::Loop& loop, ByteStream& client, std::unique_ptr<ByteStream> origin, std::string to_client,
               std::string to_origin, Millis idle_timeout, std::function<void()> on_closed)
    : loop_(loop),
      origin_stream_(std::move(origin)),
      client_(*this, client),
      origin_(*this, *origin_stream_),
      idle_timeout_(idle_timeout),
      on_closed_(std::move(on_closed)),
      idle_timer_([this] { close(); }) {
  up_.bytes = std::move(to_origin);
  down_.bytes = std::move(to_client);
}

void Tunnel::start() {
  client_.stream.set_user(client_);
  origin_.stream.set_user(origin_);
  loop_.timers().arm(idle_timer_, loop_.mono_now() + idle_timeout_);
  pump();
}

// False when the tunnel is broken. Reads when its buffer has drained, so one buffer bounds each direction. Two peers
// that keep up would keep the worker to themselves: after some turns the rest waits for the next readiness.
bool Tunnel::move(End& from, End& to, Pipe& pipe) {
  for (int turn = 0;; ++turn) {
    if (!pipe.bytes.empty()) {
      const ByteStream::Outcome sent = to.stream.write(pipe.bytes);
      if (sent.status != ByteStream::Status::kOk) return sent.status == ByteStream::Status::kBlocked;
      idle_timer_.defer_to(loop_.mono_now() + idle_timeout_);
      pipe.bytes.erase(0, sent.bytes);
      if (!pipe.bytes.empty()) return true;
    }
    if (pipe.from_is_done) {
      if (!std::exchange(pipe.to_is_shut, true)) to.stream.end_output();
      return true;
    }
    if (to.stream.has_unsent() || turn == kMostTurns) return true;
    thread_local std::array<char, ByteStream::kReadBytes> buffer;
    const ByteStream::Outcome got = from.stream.read(buffer);
    switch (got.status) {
      case ByteStream::Status::kOk: pipe.bytes.assign(buffer.data(), got.bytes); break;
      case ByteStream::Status::kBlocked: return true;
      case ByteStream::Status::kEnd:
      case ByteStream::Status::kTruncated: pipe.from_is_done = true; break;
      case ByteStream::Status::kFailed: return false;
    }
  }
}

void Tunnel::pump() {
  if (is_closed_) return;
  const bool intact = move(client_, origin_, up_) && move(origin_, client_, down_);
  const bool is_over =
      up_.to_is_shut && down_.to_is_shut && !client_.stream.has_unsent() && !origin_.stream.has_unsent();
  if (!intact || is_over) return close();
  // An end is read only while the other takes what comes.
  const auto watch = [](End& end, const End& other, const Pipe& from_it, const Pipe& to_it) {
    const bool is_reading = !from_it.from_is_done && from_it.bytes.empty() && !other.stream.has_unsent();
    end.stream.watch(is_reading, !to_it.bytes.empty() || end.stream.has_unsent());
  };
  watch(client_, origin_, up_, down_);
  watch(origin_, client_, down_, up_);
}

void Tunnel::close() {
  if (std::exchange(is_closed_, true)) return;
  client_.stream.watch(false, false);
  origin_.stream.watch(false, false);
  on_closed_();
}

}  // namespace seawall::proxy
