#include "proxy/h2_tunnel.h"

#include <algorithm>
#include <cstring>

#include "proxy/h2_stream.h"

namespace seawall::proxy {

ByteStream::Outcome H2TunnelEnd::read(std::span<char> into) {
  if (!stream_) return {Status::kFailed};
  if (received_.empty()) return {has_ended_ ? Status::kEnd : Status::kBlocked};
  const std::size_t size = std::min(into.size(), received_.size());
  std::memcpy(into.data(), received_.data(), size);
  received_.erase(0, size);
  if (received_.empty()) received_ = {};
  stream_->consume(size);
  stream_->connection_.user.on_output();
  return {Status::kOk, size};
}

// One write at a time: what waits is bounded by what it was given.
ByteStream::Outcome H2TunnelEnd::write(std::string_view bytes) {
  if (!stream_ || !stream_->may_answer()) return {Status::kFailed};
  if (has_unsent()) return {Status::kBlocked};
  stream_->push(Slice::copy_of(nullptr, bytes));
  stream_->resume();
  return {Status::kOk, bytes.size()};
}

bool H2TunnelEnd::has_unsent() const {
  return stream_ && stream_->unsent_bytes_ > 0;
}

void H2TunnelEnd::end_output() {
  if (!stream_) return;
  stream_->is_ended_ = true;
  stream_->resume();
}

void H2TunnelEnd::watch(bool read, bool write) {
  wants_read_ = read;
  wants_write_ = write;
  if (!stream_ || (!is_readable() && !is_writable())) return;
  stream_->connection_.hungry.push_back(*stream_);
  stream_->connection_.user.on_output();
}

void H2TunnelEnd::on_tunnel_closed() {
  if (stream_) stream_->on_tunnel_closed();
}

void H2TunnelEnd::feed() {
  if (is_readable() || is_writable()) user_->on_stream_ready(is_readable(), is_writable());
}

}  // namespace seawall::proxy
