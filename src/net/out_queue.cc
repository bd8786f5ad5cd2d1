#include "net/out_queue.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/transport.h"

namespace seawall::net {
namespace {

// Of one write.
constexpr std::size_t kMaxIovecs = 256;
// Of one flush.
constexpr std::uint64_t kMostAtOnce = std::uint64_t{4} << 20;
// What has been sent is moved out of the way from here on.
constexpr std::size_t kMostGone = 64;
constexpr std::size_t kMostTextGone = std::size_t{16} * 1024;
// What an empty queue keeps for the next strings.
constexpr std::size_t kTextKept = std::size_t{4} * 1024;

}  // namespace

void OutQueue::push(Slice slice) {
  if (slice.empty()) return;
  bytes_ += slice.size();
  items_.push_back(Item{.slice = std::move(slice)});
}

void OutQueue::push(std::string_view bytes) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  if (items_.size() > first_ && items_.back().is_text()) {
    items_.back().text_size += bytes.size();
  } else {
    items_.push_back(Item{.text_at = text_begin_ + text_.size(), .text_size = bytes.size()});
  }
  text_ += bytes;
}

SendStatus OutQueue::flush(Transport& transport) {
  const std::uint64_t begun = bytes_;
  while (bytes_ > 0) {
    // A reader that keeps up would keep the worker to itself; the socket will say that it takes more.
    if (begun - bytes_ >= kMostAtOnce) return SendStatus::kBlocked;
    std::array<iovec, kMaxIovecs> iov;
    std::size_t offered = 0;
    const std::size_t count = gather(iov, offered);
    const ByteStream::Outcome outcome = transport.write(std::span(iov).first(count));
    if (outcome.status == ByteStream::Status::kFailed) return SendStatus::kClosed;
    if (outcome.status == ByteStream::Status::kBlocked) return SendStatus::kBlocked;
    drop_sent(outcome.bytes);
    // A short write fills the socket's buffer: asking again would only cost the EAGAIN.
    if (outcome.bytes < offered) return SendStatus::kBlocked;
  }
  return transport.has_unsent() ? SendStatus::kBlocked : SendStatus::kDone;
}

SendStatus OutQueue::flush(int fd, std::uint64_t& sent) {
  while (bytes_ > 0) {
    std::array<iovec, kMaxIovecs> iov;
    std::size_t offered = 0;
    msghdr message{};
    message.msg_iovlen = gather(iov, offered);
    message.msg_iov = iov.data();
    const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? SendStatus::kBlocked : SendStatus::kClosed;
    }
    const auto taken = static_cast<std::size_t>(n);
    sent += taken;
    drop_sent(taken);
    if (taken < offered) return SendStatus::kBlocked;
  }
  return SendStatus::kDone;
}

std::size_t OutQueue::gather(std::span<iovec> into, std::size_t& offered) const {
  std::size_t count = 0;
  for (std::size_t i = first_; i < items_.size() && count < into.size(); ++i) {
    const std::string_view view = view_of(items_[i]);
    into[count++] = iovec{.iov_base = const_cast<char*>(view.data()), .iov_len = view.size()};
    offered += view.size();
  }
  return count;
}

void OutQueue::drop_sent(std::size_t n) {
  if (n == bytes_) return clear();
  bytes_ -= n;
  while (n > 0) {
    Item& item = items_[first_];
    const std::size_t left = view_of(item).size();
    if (n < left) {
      if (item.is_text()) {
        item.text_at += n;
        item.text_size -= n;
      } else {
        item.slice.remove_prefix(n);
      }
      break;
    }
    n -= left;
    item.slice = Slice();  // releases its segment now
    ++first_;
  }
  drop_text();
  if (first_ >= kMostGone && first_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutQueue::drop_text() {
  const Item& front = items_[first_];
  if (!front.is_text()) return;
  const std::size_t gone = front.text_at - text_begin_;
  if (gone < kMostTextGone || gone * 2 < text_.size()) return;
  text_.erase(0, gone);
  text_begin_ += gone;
}

void OutQueue::clear() {
  items_.clear();
  first_ = 0;
  text_begin_ += text_.size();
  if (text_.capacity() > kTextKept) {
    text_ = {};
  } else {
    text_.clear();
  }
  bytes_ = 0;
}

std::string OutQueue::take_all() {
  std::string all;
  for (std::size_t i = first_; i < items_.size(); ++i) all += view_of(items_[i]);
  clear();
  return all;
}

}  // namespace seawall::net
