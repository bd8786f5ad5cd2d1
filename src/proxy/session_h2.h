// One HTTP/2 client connection (RFC 9113): nghttp2 frames, this session moves its bytes, and each stream has a
// RequestHandler of its own.
//
//   kServing    requests are taken; while draining (GOAWAY, in two steps) only those that were on their way, and
//               none once the client has ended its side: then it is over with the last answer
//   kClosing    the last GOAWAY is on its way out, and nothing is served any more
//   kLingering  all is sent; the client may still be sending: read and forget for a while, so that the GOAWAY is not
//               lost to a reset
//   kClosed     to be destroyed by `on_closed`
//
// One turn: what was read goes to nghttp2, which calls handlers as heads become complete; what they answer goes from
// nghttp2 into the send queue, bodies as slices; the queue leaves in one gathered write. When it holds more than it
// should, nothing more is taken from nghttp2, so the client's speed reaches back to the handlers. What a client may
// make us do is bounded by H2Budget. Thread: its worker.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/byte_stream.h"
#include "base/list.h"
#include "base/ref.h"
#include "base/timer_wheel.h"
#include "http/h2_frame_walk.h"
#include "http/h2_request.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "net/transport.h"
#include "proxy/client_info.h"
#include "proxy/h2_budget.h"
#include "proxy/h2_stream.h"
#include "proxy/options.h"
#include "proxy/request_handler.h"
#include "proxy/session.h"

namespace seawall::proxy {

class SessionH2 final : public Session, private ByteStream::User, private H2Connection::User {
 public:
  // The transport is established; what it has unread begins with the client's preface. `make_handler` outlives the
  // session. `counters` are the worker's.
  SessionH2(net::Loop& loop, std::shared_ptr<const SessionOptions> options, std::unique_ptr<net::Transport> transport,
            ClientInfo client, const HandlerFactory& make_handler, OnSessionClosed on_closed, H2Counters& counters);
  ~SessionH2() override;

  void start() override;
  void drain() override;

 private:
  enum class State : std::uint8_t { kServing, kClosing, kLingering, kClosed };
  enum class Drain : std::uint8_t { kNot, kAnnounced, kFinal };
  // What nghttp2 calls.
  struct Callbacks;
  // A task of the loop that finds out whether the session still lives.
  struct Wake final : RefCounted<Wake> {
    explicit Wake(SessionH2& s) : session(&s) {}
    SessionH2* session;
  };

  // ByteStream::User
  void on_stream_ready(bool readable, bool writable) override;

  // H2Connection::User
  void on_output() override;
  void on_done(H2Stream& stream) override;

  void spend_late_data();
  void walk(std::string_view bytes);
  int on_begin_frame(const nghttp2_frame_hd& head);
  int on_begin_headers(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_frame(const nghttp2_frame& frame);
  int on_frame_sent(const nghttp2_frame& frame);
  int on_frame_not_sent(const nghttp2_frame& frame);
  int on_data(std::int32_t stream_id, std::string_view bytes);
  int on_stream_closed(std::int32_t stream_id);
  int send_data(H2Stream& stream, std::size_t size, const std::uint8_t* head);

  void on_headers(const nghttp2_frame& frame);
  H2Stream* find(std::int32_t stream_id) const;
  void spend(H2Abuse kind, std::uint32_t count = 1);
  void calm(H2Abuse kind);

  void turn(bool readable);
  void read();
  void on_input_end();
  void receive(std::string_view bytes);
  void pump();
  bool pull();
  bool feed();
  bool give_up_stuck();
  void settle();
  void finish_drain();
  void terminate(std::uint32_t error_code);
  void drop_streams();
  void begin_linger();
  void close();
  void update_watch();
  bool has_output() const { return !out_.empty() || transport_->has_unsent(); }

  void arm(MonoTime deadline);
  MonoTime next_deadline() const;
  void on_timeout();
  void release_scratch();

  net::Loop& loop_;
  const std::shared_ptr<const SessionOptions> options_;
  std::unique_ptr<net::Transport> transport_;
  const ClientInfo client_;
  const HandlerFactory& make_handler_;
  OnSessionClosed on_closed_;
  H2Counters& counters_;

  State state_ = State::kServing;
  Drain drain_ = Drain::kNot;
  bool is_in_turn_ = false;
  bool is_wake_posted_ = false;
  bool is_blocked_ = false;   // the transport takes no more for now
  bool has_preface_ = false;  // the client's SETTINGS have come
  bool saw_end_ = false;      // the client sends no more
  bool has_more_ = false;     // nghttp2 has more than the send queue would take
  Ref<Wake> wake_;
  Timer timer_;
  MonoTime began_at_;
  MonoTime idle_since_;
  MonoTime sent_at_;        // the last progress of what is to be sent, or when it began to wait
  MonoTime head_began_at_;  // with reading_
  MonoTime drain_at_;
  MonoTime closing_at_;
  std::uint64_t sent_bytes_ = 0;  // by the transport, when it was last looked at

  H2Connection connection_;
  H2Budget budget_;
  http::H2FrameWalk walk_{http::H2FrameWalk::kPrefaceBytes};
  http::H2LateData late_data_;
  std::size_t untold_frames_ = 0;  // of DATA: walked over, and not told by nghttp2
  std::size_t untold_bytes_ = 0;
  http::H2RequestReader reader_;
  http::H2TrailerReader trailers_;
  H2Stream* reading_ = nullptr;    // whose field section is being read
  std::size_t section_limit_ = 0;  // the next multiple of the limit
  net::OutQueue out_;
  List<H2Stream, &H2Stream::link> streams_;    // open
  List<H2Stream, &H2Stream::link> leftovers_;  // closed, and something is not done with them
  List<H2Stream, &H2Stream::link> pool_;       // free
};

}  // namespace seawall::proxy
