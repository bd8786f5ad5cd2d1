#include "net/transport.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace seawall::net {
namespace {

// Ciphertext read at once. With a record that SSL already holds in part, what comes out fits into kReadBytes.
constexpr std::size_t kCipherReadBytes = std::size_t{32} * 1024;
// A record is useful to the peer only when it is whole: the first fits into one packet, the next few into the first
// flight, and then the fewest records cost the least. A pause begins anew, for the congestion window may have shrunk.
constexpr std::size_t kFirstRecord = 1400;
constexpr std::size_t kEarlyRecord = std::size_t{4} * 1024;
constexpr std::size_t kFullRecord = std::size_t{16} * 1024;
constexpr std::uint32_t kEarlyBytes = std::uint32_t{32} * 1024;
constexpr Millis kPause{1000};
// Encrypted before the kernel is asked to take it; what it leaves stays in memory, so a slow reader gets less.
constexpr std::uint32_t kMaxBatch = std::uint32_t{256} * 1024;
constexpr std::uint32_t kMinBatch = std::uint32_t{32} * 1024;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

// Of the worker: ciphertext on its way to the kernel.
std::string& output_buffer() {
  thread_local std::string buffer;
  buffer.clear();
  return buffer;
}

// Takes what is to be sent off a list of pieces, in the sizes of records.
class RecordCutter {
 public:
  explicit RecordCutter(std::span<const iovec> pieces) : pieces_(pieces) {
    for (const iovec& piece : pieces) left_ += piece.iov_len;
  }

  std::size_t left() const { return left_; }

  // At most `size` bytes: in place where one piece has them, else gathered.
  std::string_view next(std::size_t size) {
    size = std::min(size, left_);
    left_ -= size;
    if (const std::string_view whole = rest_of_piece(); whole.size() >= size) {
      offset_ += size;
      return whole.substr(0, size);
    }
    thread_local std::array<char, kFullRecord> gathered;
    std::size_t filled = 0;
    while (filled < size) {
      const std::string_view some = rest_of_piece().substr(0, size - filled);
      std::memcpy(gathered.data() + filled, some.data(), some.size());
      filled += some.size();
      offset_ += some.size();
    }
    return {gathered.data(), filled};
  }

 private:
  // Not empty while anything is left.
  std::string_view rest_of_piece() {
    while (index_ < pieces_.size() && offset_ == pieces_[index_].iov_len) {
      ++index_;
      offset_ = 0;
    }
    if (index_ == pieces_.size()) return {};
    return std::string_view(static_cast<const char*>(pieces_[index_].iov_base), pieces_[index_].iov_len)
        .substr(offset_);
  }

  std::span<const iovec> pieces_;
  std::size_t index_ = 0;
  std::size_t offset_ = 0;
  std::size_t left_ = 0;
};

}  // namespace

Transport::Transport(Loop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)), watcher_(loop, fd_.get(), *this) {}

Transport::~Transport() = default;

void Transport::start_tls(std::unique_ptr<TlsEngine> engine) {
  tls_ = std::make_unique<Tls>(std::move(engine));
  tls_->early = std::exchange(unread_, {});
}

void Transport::unread(std::string_view bytes) {
  unread_.insert(0, bytes);
}

ByteStream::Outcome Transport::read(std::span<char> into) {
  SW_DASSERT(into.size() >= kReadBytes, "what TLS decrypts must find room");
  if (!unread_.empty()) return take_unread(into);
  if (tls_) return read_tls(into);
  const ssize_t n = ::recv(fd_.get(), into.data(), into.size(), 0);
  if (n > 0) return {Status::kOk, static_cast<std::size_t>(n)};
  if (n == 0) return {Status::kEnd};
  return {would_block(errno) ? Status::kBlocked : Status::kFailed};
}

ByteStream::Outcome Transport::take_unread(std::span<char> into) {
  const std::size_t size = std::min(into.size(), unread_.size());
  std::memcpy(into.data(), unread_.data(), size);
  unread_.erase(0, size);
  if (unread_.empty()) unread_ = {};  // an idle connection keeps no buffer
  return {Status::kOk, size};
}

ByteStream::Outcome Transport::read_tls(std::span<char> into) {
  if (has_failed_) return {Status::kFailed};
  if (tls_->end != Status::kOk) return {tls_->end};
  thread_local std::array<char, kCipherReadBytes> cipher;
  const std::string early = std::exchange(tls_->early, {});
  TlsEngine& engine = *tls_->engine;
  if (!early.empty()) {
    engine.feed(early);
  } else {
    const ssize_t n = ::recv(fd_.get(), cipher.data(), cipher.size(), 0);
    if (n < 0 && !would_block(errno)) return {Status::kFailed};
    // In a handshake it may be our turn without anything having come.
    if (n < 0 && engine.is_established()) return {Status::kBlocked};
    engine.feed({cipher.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))}, n == 0);
  }
  std::string& output = output_buffer();
  std::size_t total = 0;
  Status status = Status::kOk;
  while (status == Status::kOk && total < into.size()) {
    const Outcome outcome = engine.read(into.subspan(total), output);
    status = outcome.status;
    total += outcome.bytes;
  }
  if (status != Status::kOk && status != Status::kBlocked) tls_->end = status;
  send_output(output);
  update_watch();
  // What ended it is said again by the next read().
  return total > 0 ? Outcome{Status::kOk, total} : Outcome{status};
}

ByteStream::Outcome Transport::write(std::string_view bytes) {
  const iovec piece{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  return write(std::span(&piece, 1));
}

ByteStream::Outcome Transport::write(std::span<const iovec> pieces) {
  if (tls_ && !tls_->engine->kernel_encrypts()) return write_tls(pieces);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) return {would_block(errno) ? Status::kBlocked : Status::kFailed};
  sent_bytes_ += static_cast<std::uint64_t>(n);
  return {Status::kOk, static_cast<std::size_t>(n)};
}

ByteStream::Outcome Transport::write_tls(std::span<const iovec> pieces) {
  if (!send_unsent()) return {Status::kFailed};
  if (has_unsent()) return {Status::kBlocked};
  const MonoTime now = loop_.mono_now();
  if (now - tls_->last_write > kPause) tls_->burst_bytes = 0;
  tls_->last_write = now;
  RecordCutter cutter(pieces);
  const std::size_t all = cutter.left();
  while (cutter.left() > 0 && !has_unsent()) {
    std::string& output = output_buffer();
    while (cutter.left() > 0 && output.size() < tls_->batch_bytes) {
      const std::string_view record = cutter.next(record_size(cutter.left()));
      if (tls_->burst_bytes < kEarlyBytes) tls_->burst_bytes += static_cast<std::uint32_t>(record.size());
      if (!tls_->engine->write(record, output)) has_failed_ = true;
      if (has_failed_) break;
    }
    send_output(output);
    if (has_failed_) return {Status::kFailed};
    tls_->batch_bytes = has_unsent() ? kMinBatch : std::min(kMaxBatch, tls_->batch_bytes * 2);
  }
  update_watch();
  return {Status::kOk, all - cutter.left()};
}

std::size_t Transport::record_size(std::size_t left) const {
  if (tls_->burst_bytes >= kEarlyBytes) return kFullRecord;
  // All of it leaves in one flight anyway.
  if (tls_->burst_bytes > 0 || left <= kEarlyRecord) return kEarlyRecord;
  return kFirstRecord;
}

// False: the connection is gone.
bool Transport::send_unsent() {
  if (has_failed_) return false;
  if (!has_unsent()) return true;
  std::string& unsent = tls_->unsent;
  const ssize_t n = ::send(fd_.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) {
    if (!would_block(errno)) fail();
    return !has_failed_;
  }
  sent_bytes_ += static_cast<std::uint64_t>(n);
  unsent.erase(0, static_cast<std::size_t>(n));
  if (!unsent.empty()) return true;
  unsent = {};
  if (std::exchange(ends_output_, false)) ::shutdown(fd_.get(), SHUT_WR);
  return true;
}

void Transport::send_output(std::string_view output) {
  if (output.empty() || has_failed_) return;
  if (!has_unsent()) {
    const ssize_t n = ::send(fd_.get(), output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && !would_block(errno)) return fail();
    if (n > 0) {
      sent_bytes_ += static_cast<std::uint64_t>(n);
      output.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  tls_->unsent.append(output);
  // Answers to key updates and alerts of a peer that does not read.
  if (tls_->unsent.size() > std::size_t{2} * kMaxBatch) fail();
}

// What is unsent will never leave: nobody should wait for that.
void Transport::fail() {
  has_failed_ = true;
  tls_->unsent = {};
}

void Transport::say_farewell() {
  if (!tls_ || has_failed_ || !tls_->engine->is_established()) return;
  std::string& output = output_buffer();
  tls_->engine->close(output);
  send_output(output);
}

void Transport::end_output() {
  say_farewell();
  update_watch();
  if (has_unsent()) {
    ends_output_ = true;
  } else {
    ::shutdown(fd_.get(), SHUT_WR);
  }
}

bool Transport::is_gone() const {
  pollfd look{.fd = fd_.get(), .events = 0, .revents = 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLERR | POLLHUP)) != 0;
}

void Transport::reset_on_close() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Transport::watch(bool read, bool write) {
  wants_read_ = read;
  wants_write_ = write;
  update_watch();
}

void Transport::update_watch() {
  watcher_.watch(wants_read_, wants_write_ || has_unsent() || (tls_ && tls_->engine->wants_write()));
}

void Transport::on_fd_ready(bool readable, bool writable) {
  if (writable && tls_) {
    // A handshake goes on in read().
    if (tls_->engine->wants_write()) readable = true;
    if (!send_unsent()) {
      watcher_.watch(false, false);
      return user_->on_stream_ready(true, true);
    }
    writable = wants_write_ && !has_unsent();
    update_watch();
    if (!readable && !writable) return;
  }
  user_->on_stream_ready(readable, writable);
}

}  // namespace seawall::net
