// Bytes waiting to be sent on one socket: slices and short strings, gathered into as few sendmsg calls as there can be.
// Thread: worker.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mem/slice.h"

namespace seawall::net {

class Transport;

enum class SendStatus { kDone, kBlocked, kClosed };

class OutQueue {
 public:
  void push(Slice slice);
  void push(std::string_view bytes);  // copied; coalesced with the last string
  bool empty() const { return bytes_ == 0; }
  std::uint64_t size_bytes() const { return bytes_; }
  // Writes until all has left (kDone), the socket takes no more or some megabytes have left (kBlocked), or it is gone
  // (kClosed).
  SendStatus flush(Transport& transport);
  // The same on a bare descriptor. SIGPIPE is never raised. `sent` is increased.
  SendStatus flush(int fd, std::uint64_t& sent);
  void clear();
  // Everything that waits, as one string; the queue is empty then.
  std::string take_all();

 private:
  // A slice, or so many bytes of text_.
  struct Item {
    Slice slice{};
    std::uint64_t text_at = 0;
    std::size_t text_size = 0;
    bool is_text() const { return slice.data() == nullptr; }
  };
  std::string_view view_of(const Item& item) const {
    return item.is_text() ? std::string_view(text_).substr(item.text_at - text_begin_, item.text_size)
                          : item.slice.view();
  }
  std::size_t gather(std::span<iovec> into, std::size_t& offered) const;
  void drop_sent(std::size_t n);
  void drop_text();

  std::vector<Item> items_;  // those before first_ have been sent
  std::size_t first_ = 0;
  // All strings, one behind the other, so that many short ones cost no allocation each. Positions count on when those
  // that have been sent are dropped. An idle connection's queue holds little or nothing.
  std::string text_;
  std::uint64_t text_begin_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace seawall::net
