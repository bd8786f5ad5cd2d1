// Opens one TCP connection: tries the addresses in order, all within one timeout, of which each address gets an
// equal share, so that a silent first address leaves time for the second. Thread: one worker.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"

namespace seawall::origin {

class Dialer final : public net::FdHandler {
 public:
  class User {
   public:
    virtual ~User() = default;
    virtual void on_dialled(Result<Fd> outcome) = 0;
  };

  // `addresses` must outlive the dialer.
  Dialer(net::Loop& loop, const std::vector<net::Address>& addresses, Millis timeout, User& user);

  // The outcome if it is known at once; else on_dialled() comes later, once.
  std::optional<Result<Fd>> start();
  // No call comes after.
  void cancel();

 private:
  void on_fd_ready(bool readable, bool writable) override;
  void on_timer();
  std::optional<Result<Fd>> try_next();
  std::unexpected<Error> fail_exhausted();
  void drop_attempt();
  void note(int error);
  void go_on();

  net::Loop& loop_;
  const std::vector<net::Address>& addresses_;
  Millis timeout_;
  User& user_;
  MonoTime deadline_;
  std::size_t next_ = 0;
  std::optional<Error> failure_;
  Fd fd_;
  std::optional<net::FdWatcher> watcher_;
  Timer timer_;
};

}  // namespace seawall::origin
