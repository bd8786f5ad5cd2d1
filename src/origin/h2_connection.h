// One HTTP/2 connection to a server (RFC 9113), shared by the exchanges of one worker: nghttp2 frames, this moves its
// bytes and keeps count of the streams.
//
//   kOpen       streams come and go; after GOAWAY, either way, they only go
//   kClosing    the last GOAWAY is on its way out, and no stream is left
//   kLingering  all is sent; the server may still be sending: read and forget for a while, so that the GOAWAY is not
//               lost to a reset
//   kClosed     to be destroyed by its user, after the turn
//
// The connection's window is opened again as soon as bytes come, a stream's only as far as its exchange has taken them:
// one that pauses does not hold up the others. What a server may make us do for nothing is bounded by H2FrameBudget.
// Thread: one worker.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/byte_stream.h"
#include "base/list.h"
#include "base/ref.h"
#include "base/result.h"
#include "base/timer_wheel.h"
#include "http/h2_frame_walk.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "net/transport.h"
#include "origin/h2_frame_budget.h"

namespace seawall::origin {

class H2RequestFields;

// One request, as its connection sees it. Calls come from the event loop.
class H2Stream {
 public:
  // Why a stream is gone before its time.
  enum class Loss : std::uint8_t {
    kConnection,  // with its connection
    kReset,       // by itself
    kRefused,     // the server says that it has done nothing with it
    kNotSeen,     // the same, and that it takes no more on this connection
  };

  virtual ~H2Stream() = default;

  // A field section: 1xx, head or trailers. Returns the size of the list so far.
  virtual void on_section_begin() = 0;
  virtual std::size_t on_field(std::string_view name, std::string_view value) = 0;
  virtual void on_section_end(bool ends_stream) = 0;
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_end_stream() = 0;
  // The stream has left the connection.
  virtual void on_lost(ErrorCode code, Loss loss) = 0;

  // How much of the body goes into the next DATA frame, as nghttp2_data_source_read_callback says it, and then its
  // bytes.
  virtual ssize_t next_data(std::size_t most, std::uint32_t& flags) = 0;
  virtual void take_data(std::size_t size, net::OutQueue& out) = 0;
  // All that was framed of it so far has been taken by the transport.
  virtual void on_flushed() = 0;

 protected:
  std::int32_t stream_id() const { return id_; }
  // Its head has been given to the transport, or waits there; else it has to wait for the server to allow it.
  bool is_framed() const { return flush_at_ > 0; }
  // Something framed has not been taken by the transport yet.
  bool has_unflushed() const { return flush_link_.is_linked(); }

 private:
  friend class H2Connection;
  std::int32_t id_ = 0;
  ListNode link_;
  ListNode flush_link_;
  std::uint64_t flush_at_ = 0;  // the end of what was framed, counted from the connection's first byte
};

class H2Connection final : private ByteStream::User {
 public:
  static constexpr std::int32_t kStreamWindow = 1024 * 1024;
  // At once, as long as a server has never said how many it takes.
  static constexpr std::size_t kAssumedStreams = 100;

  class User {
   public:
    virtual ~User() = default;
    // A stream has ended, or the server allows more; or fewer.
    virtual void on_change(H2Connection& connection) = 0;
    // It is closed, and to be destroyed after the turn.
    virtual void on_gone(H2Connection& connection) = 0;
  };

  // `assumed_streams`: how many at once until the server's SETTINGS have come.
  H2Connection(net::Loop& loop, std::unique_ptr<net::Transport> transport, Millis idle_timeout,
               std::size_t header_bytes, std::size_t assumed_streams, User& user);
  ~H2Connection() override;

  // Sends the preface, in a later turn.
  void start();
  // Whether another stream may begin.
  bool is_vacant() const;
  std::size_t most_streams() const;
  bool is_idle() const { return open_streams_ == 0; }
  // Something has come from the server: it has been good once, and may have died since.
  bool is_proven() const { return received_bytes_ > 0; }
  // Why TLS has failed, for a person; empty: it has not.
  std::string_view tls_failure() const {
    return transport_->tls() ? transport_->tls()->failure_text() : std::string_view();
  }
  // No more streams; it closes after the last.
  void retire();
  // At once. No call comes after, and the streams are forgotten.
  void close();

  // Only while it is vacant.
  void submit(H2Stream& stream, const H2RequestFields& fields, bool has_body);
  void submit_trailers(H2Stream& stream, const H2RequestFields& fields);
  // next_data() has something again.
  void resume(H2Stream& stream);
  // The exchange has taken so much of the body.
  void consume(H2Stream& stream, std::size_t size);
  // The stream is forgotten; with a code, it is reset.
  void leave(H2Stream& stream, std::optional<std::uint32_t> reset_code);

  // The transport takes no more for now.
  bool is_blocked() const { return is_blocked_; }
  MonoTime sent_at() const { return sent_at_; }
  MonoTime received_at() const { return received_at_; }

 private:
  enum class State : std::uint8_t { kOpen, kClosing, kLingering, kClosed };
  // What nghttp2 calls.
  struct Callbacks;
  // A task of the loop that finds out whether the connection still lives.
  struct Wake final : RefCounted<Wake> {
    explicit Wake(H2Connection& c) : connection(&c) {}
    H2Connection* connection;
  };

  void on_stream_ready(bool readable, bool writable) override;

  void spend_late_data();
  void walk(std::string_view bytes);
  int on_begin_frame(const nghttp2_frame_hd& head);
  int on_begin_headers(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_frame(const nghttp2_frame& frame);
  int on_frame_sent(const nghttp2_frame& frame);
  void on_data_frame(const nghttp2_frame& frame);
  int on_data(std::int32_t stream_id, std::string_view bytes);
  int on_stream_closed(std::int32_t stream_id, std::uint32_t error_code);
  int send_data(H2Stream& stream, std::size_t size, const std::uint8_t* head);

  H2Stream* find(std::int32_t stream_id) const;
  void note_framed(H2Stream& stream);
  void note_flushed();
  void forget(H2Stream& stream);
  void spend(std::int64_t cost);

  void turn(bool readable);
  void wake(bool readable);
  void read();
  void receive(std::string_view bytes);
  void pump();
  bool pull();
  void settle();
  void terminate(std::uint32_t error_code);
  void begin_closing();
  void lose_streams(ErrorCode code);
  void lose(ErrorCode code);
  void on_timeout();
  bool has_output() const { return !out_.empty() || transport_->has_unsent(); }

  net::Loop& loop_;
  std::unique_ptr<net::Transport> transport_;
  const Millis idle_timeout_;
  const std::size_t header_bytes_;
  const std::size_t assumed_streams_;
  User& user_;

  State state_ = State::kOpen;
  bool is_retired_ = false;
  bool has_goaway_ = false;  // the server's
  bool has_settings_ = false;
  bool has_changed_ = false;  // something that the user is to be told
  bool is_in_turn_ = false;
  bool is_wake_posted_ = false;
  bool wakes_to_read_ = false;
  bool wakes_again_ = false;  // something has come up in this turn that needs another
  bool is_blocked_ = false;
  bool is_output_dead_ = false;  // nothing can be sent any more; what there is to be read says why
  bool has_more_ = false;        // nghttp2 has more than the send queue would take
  Ref<Wake> wake_;
  Timer timer_;  // of an idle connection, or of one that closes
  MonoTime sent_at_;
  MonoTime received_at_;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t framed_bytes_ = 0;

  nghttp2_session* session_;
  H2FrameBudget budget_;
  http::H2FrameWalk walk_{0};
  http::H2LateData late_data_;
  std::size_t untold_frames_ = 0;  // of DATA: walked over, and not told by nghttp2
  std::size_t untold_bytes_ = 0;
  std::size_t open_streams_ = 0;
  H2Stream* reading_ = nullptr;     // whose field section is being read
  std::size_t section_limits_ = 0;  // how often over the limit that has come
  net::OutQueue out_;
  List<H2Stream, &H2Stream::link_> streams_;
  List<H2Stream, &H2Stream::flush_link_> unflushed_;  // by flush_at_
};

}  // namespace seawall::origin
