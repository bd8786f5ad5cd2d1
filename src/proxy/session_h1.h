// One HTTP/1.1 client connection: reads and frames requests, hands them to its RequestHandler one after the other, and
// writes the answers in order. It is its own ResponseWriter.
//
//   kReading   between requests, or a head incomplete
//   kServing   the handler is active; the request's body, if any, is pumped into its pipe; pipelined bytes wait
//   kLingering the last answer is sent, the client may still be sending: read and forget for a while, so that the
//   answer is not lost to a reset kClosed    to be destroyed by `on_closed`
//
// Hits are gathered: the answers of all requests that came in one read leave in one sendmsg. Reading uses a buffer of
// the worker; what is not consumed is kept in `in_`. A connection that has been idle for a second holds neither a
// buffer nor a handler, only what it takes to notice the next request. Thread: its worker.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_stream.h"
#include "base/timer_wheel.h"
#include "http/body_pipe.h"
#include "http/h1_parser.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "net/transport.h"
#include "proxy/client_info.h"
#include "proxy/options.h"
#include "proxy/request_handler.h"
#include "proxy/response_writer.h"
#include "proxy/session.h"
#include "proxy/tunnel.h"

namespace seawall::proxy {

class SessionH1 final : public Session, private ByteStream::User, private ResponseWriter {
 public:
  // The transport is established; what it has unread is the beginning of the first request. `make_handler` outlives it.
  SessionH1(net::Loop& loop, std::shared_ptr<const SessionOptions> options, std::unique_ptr<net::Transport> transport,
            ClientInfo client, const HandlerFactory& make_handler, OnSessionClosed on_closed);
  ~SessionH1() override;

  void start() override;
  // Answers 503 and closes: more connections than allowed.
  void refuse();
  void drain() override;

 private:
  enum class State : std::uint8_t { kReading, kServing, kLingering, kClosed };
  enum class Framing : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

  // ByteStream::User
  void on_stream_ready(bool readable, bool writable) override;

  // ResponseWriter
  void send_informational(const http::ResponseHead& head) override;
  void send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) override;
  void send_head(const AnswerHead& head) override;
  void send_body(SliceChain slices) override;
  void end(const http::HeaderMap& trailers) override;
  void abort() override;
  void upgrade(const AnswerHead& head, std::unique_ptr<ByteStream> origin, std::string early_bytes) override;
  void close_after_answer() override { close_after_ = true; }
  void flush() override;
  std::uint64_t unsent_bytes() const override;

  void wake();
  void rest();
  void read_ready();
  void advance();
  bool parse_next();
  void begin_request();
  void drop_pipe();
  void pump_body();
  void on_request_finished();
  void refuse_request(Error error);
  void append_connection(std::string& out);
  bool may_keep_alive() const;
  bool may_read_over_rest() const;
  bool has_output() const;
  void flush_batch();
  void stash();
  void begin_linger();
  void close_idle();
  void close();
  void update_watch();
  void arm(Millis timeout);
  void arm_idle();
  void arm_after_write(bool was_blocked);
  void on_timeout();

  struct Work;

  net::Loop& loop_;
  std::unique_ptr<net::Transport> transport_;
  const ClientInfo client_;
  const HandlerFactory& make_handler_;
  OnSessionClosed on_closed_;
  std::shared_ptr<const SessionOptions> options_;
  Timer timer_;
  State state_ = State::kReading;
  http::RequestParser parser_;
  std::string in_;           // bytes read and not consumed, between turns
  std::string_view ahead_;   // the same within a turn: a part of in_ or of the worker's buffer
  bool head_began_ = false;  // its time-out runs
  bool saw_eof_ = false;
  bool is_advancing_ = false;
  bool is_draining_ = false;
  bool write_blocked_ = false;

  // The request being served.
  bool body_complete_ = true;
  bool continue_owed_ = false;  // Expect: 100-continue, not yet answered
  bool close_after_ = false;    // no request after this one
  Framing out_framing_ = Framing::kNone;
  std::uint64_t body_received_ = 0;

  MonoTime idle_until_{};
  std::uint64_t sent_bytes_ = 0;  // by the transport, when it was last looked at
  std::unique_ptr<Work> work_;    // null: it rests
};

}  // namespace seawall::proxy
