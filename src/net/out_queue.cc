#include "net/out_queue.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/transport.h"

namespace seawall::net {
namespace {

constexpr std::size_t kMaxIovecs = 64;

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
    items_.back().text.append(bytes);
    return;
  }
  items_.push_back(Item{.text = std::string(bytes)});
}

SendStatus OutQueue::flush(Transport& transport) {
  while (bytes_ > 0) {
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
    const std::string_view view = items_[i].view();
    into[count++] = iovec{.iov_base = const_cast<char*>(view.data()), .iov_len = view.size()};
    offered += view.size();
  }
  return count;
}

void OutQueue::drop_sent(std::size_t n) {
  bytes_ -= n;
  if (bytes_ == 0) {
    items_.clear();
    first_ = 0;
    return;
  }
  while (n > 0) {
    Item& item = items_[first_];
    const std::size_t left = item.view().size();
    if (n < left) {
      item.offset += n;
      break;
    }
    n -= left;
    item = Item{};  // releases the slice's segment now
    ++first_;
  }
  if (first_ >= kMaxIovecs && first_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutQueue::clear() {
  items_.clear();
  first_ = 0;
  bytes_ = 0;
}

std::string OutQueue::take_all() {
  std::string all;
  for (const Item& item : items_) all += item.view();
  clear();
  return all;
}

}  // namespace seawall::net
