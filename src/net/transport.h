// One connected stream socket with its watcher: plain, or under TLS. A plain one costs what the system calls cost.
// Under TLS, what was written and the kernel has not taken yet is kept as ciphertext, at most one batch of it.
// Thread: one worker.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "base/fd.h"
#include "net/loop.h"
#include "net/tls_engine.h"

namespace seawall::net {

class Transport final : public ByteStream, private FdHandler {
 public:
  Transport(Loop& loop, Fd fd);
  ~Transport() override;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // From here on all that is read and written goes through the engine; what is unread is the peer's first ciphertext.
  // The handshake goes on in read(), which says kBlocked until it is done; is_established() tells. To be followed by a
  // read(), which begins it.
  void start_tls(std::unique_ptr<TlsEngine> engine);
  // Null: plain.
  const TlsEngine* tls() const { return tls_ ? tls_->engine.get() : nullptr; }
  bool is_established() const { return !tls_ || tls_->engine->is_established(); }

  // Gives back bytes that were read and belong to whoever reads next, who must read() before it waits, for as long as
  // has_unread().
  void unread(std::string_view bytes);
  bool has_unread() const { return !unread_.empty(); }

  // Into at least kReadBytes. kBlocked after EINTR too.
  Outcome read(std::span<char> into) override;
  Outcome write(std::string_view bytes) override;
  // One gathered write; `bytes` may be less than asked, then the socket is full.
  Outcome write(std::span<const iovec> pieces);
  bool has_unsent() const override { return tls_ && !tls_->unsent.empty(); }
  std::size_t unsent_bytes() const { return tls_ ? tls_->unsent.size() : 0; }
  // Under TLS: the peer's word that it sends no more has come, with or behind the last bytes.
  bool has_ended() const { return tls_ && tls_->end == Status::kEnd; }
  // All that the kernel has taken; under TLS as ciphertext.
  std::uint64_t sent_bytes() const { return sent_bytes_; }
  void end_output() override;
  // The part of end_output() that is TLS's, for a connection that is about to be closed.
  void say_farewell();
  void watch(bool read, bool write) override;
  void set_user(User& user) override { user_ = &user; }
  // The peer is gone in both directions, which no readiness tells while nothing is watched.
  bool is_gone() const;
  // The peer shall see a reset instead of an orderly end.
  void reset_on_close();
  int fd() const { return fd_.get(); }

 private:
  struct Tls {
    explicit Tls(std::unique_ptr<TlsEngine> e) : engine(std::move(e)) {}
    std::unique_ptr<TlsEngine> engine;
    std::string early;   // ciphertext that was read before there was an engine
    std::string unsent;  // ciphertext that the kernel has not taken
    std::uint32_t batch_bytes = std::uint32_t{64} * 1024;
    std::uint32_t burst_bytes = 0;  // since the last pause, as far as it sizes the records
    MonoTime last_write{};
    Status end = Status::kOk;  // what read() says from now on, unless kOk
  };

  void on_fd_ready(bool readable, bool writable) override;
  Outcome take_unread(std::span<char> into);
  Outcome read_tls(std::span<char> into);
  Outcome write_tls(std::span<const iovec> pieces);
  std::size_t record_size(std::size_t left) const;
  bool send_unsent();
  void send_output(std::string_view output);
  void fail();
  void update_watch();

  Loop& loop_;
  Fd fd_;
  FdWatcher watcher_;
  User* user_ = nullptr;
  std::unique_ptr<Tls> tls_;
  std::string unread_;
  std::uint64_t sent_bytes_ = 0;
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool ends_output_ = false;  // the sending side closes once all is sent
  bool has_failed_ = false;
};

}  // namespace seawall::net
