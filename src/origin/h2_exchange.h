// One request and its response over HTTP/2: a stream of a connection that others share.
//
// Sending and receiving go on at once and end apart, as over HTTP/1.1 (h1_exchange.h): a refusal (300 and above) stops
// sending, a request whose body fails is reset and never completed. What comes of the body while the sink has paused is
// kept, at most one stream window of it, because the server is told to stop only by a window that is not opened again.
//
// A request that the server cannot have acted upon is sent once more, by itself: its connection had been good before
// and was lost without a byte of the answer (idempotent methods only), or the server has said by GOAWAY that it never
// looked at it, or by REFUSED_STREAM that there were too many. Never once a byte of the body was taken from the pipe.
//
// Lives until its handle goes, and then for the rest of the turn: the sink may drop the handle in any callback, so
// after each one `sink_` is null if that happened, and nothing more may be done. Thread: one worker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/list.h"
#include "base/timer_wheel.h"
#include "http/exchange.h"
#include "http/h2_request.h"
#include "http/h2_response.h"
#include "net/loop.h"
#include "net/transport.h"
#include "origin/h2_connection.h"
#include "origin/server_client.h"

namespace seawall::origin {

class H2Pool;

class H2Exchange final : public H2Stream {
 public:
  H2Exchange(net::Loop& loop, const ServerOptions& options, H2Pool& pool, http::OutgoingRequest request,
             http::ExchangeSink& sink);

  void start();
  void pause();
  void resume();
  // The handle is gone: no call of the sink comes after.
  static void abandon(std::unique_ptr<H2Exchange> exchange);

  // For the pool, while it waits there.
  ListNode waiting_link;
  bool wants_fresh() const { return wants_fresh_; }
  void begin(H2Connection& connection);
  void on_no_connection(Error error);
  // The server speaks HTTP/1.1. Takes `transport`, if nobody has taken it yet.
  void become_h1(std::unique_ptr<net::Transport>& transport);

 private:
  enum class State {
    kWaiting,   // for a stream
    kHead,      // no final head yet
    kBody,      // the head was delivered
    kFinished,  // complete, failed, abandoned, or handed on
  };
  // What the timer stands for.
  enum class Wait { kNothing, kStream, kSend, kFirstByte, kBody };

  void on_section_begin() override;
  std::size_t on_field(std::string_view name, std::string_view value) override;
  void on_section_end(bool ends_stream) override;
  void on_data(std::string_view bytes) override;
  void on_end_stream() override;
  void on_lost(ErrorCode code, Loss loss) override;
  ssize_t next_data(std::size_t most, std::uint32_t& flags) override;
  void take_data(std::size_t size, net::OutQueue& out) override;
  void on_flushed() override;

  // Sending.
  void on_pipe_data();
  std::optional<Error> body_fault() const;
  bool has_body_to_send() const;
  bool is_body_untouched() const { return !request_.body || !request_.body->was_read(); }
  void drop_body();

  // Receiving.
  void on_head(bool ends_stream);
  void on_trailers(bool ends_stream);
  void deliver(std::string_view payload);
  void deliver_kept();

  // Ends. Each leaves the state kFinished and calls the sink last.
  void complete();
  void fail(Error error, std::uint32_t reset_code);
  void fail_malformed(ErrorCode code);
  void fail_later(Error error);

  bool may_resend(ErrorCode code, Loss loss) const;
  void resend(Loss loss);
  Retry retry_hint(Loss loss) const;
  void finish(std::optional<std::uint32_t> reset_code);
  Wait waits_for() const;
  void rearm(bool made_progress);
  void on_timeout();

  net::Loop& loop_;
  const ServerOptions& options_;
  H2Pool& pool_;
  http::OutgoingRequest request_;
  http::ExchangeSink* sink_;

  State state_ = State::kWaiting;
  bool has_resent_ = false;
  bool wants_fresh_ = false;  // those that there were may be dead
  bool is_reused_ = false;    // the connection had been good before
  bool paused_ = false;
  int tasks_ = 0;  // posted, and referring to this
  H2Connection* connection_ = nullptr;
  std::unique_ptr<http::Exchange> h1_;  // which all goes to, once it is there
  Timer timer_;
  Wait waiting_for_ = Wait::kNothing;
  MonoTime wait_began_;

  std::uint64_t body_left_ = 0;  // of the announced length
  bool is_sending_ = false;
  bool request_framed_ = false;  // all of it, END_STREAM included
  bool head_flushed_ = false;
  bool is_deferred_ = false;  // nghttp2 waits to be told of more body
  WallTime request_time_;

  http::H2ResponseReader reader_;
  http::H2TrailerReader trailers_;
  http::ResponseHead head_;
  bool has_received_ = false;
  int informational_ = 0;
  http::BodyFraming framing_ = http::BodyFraming::kNone;
  std::uint64_t awaited_bytes_ = 0;   // with kLength
  std::string kept_;                  // came while the sink had paused
  std::size_t unconsumed_bytes_ = 0;  // delivered just before it did
  bool has_ended_ = false;            // END_STREAM has come
};

}  // namespace seawall::origin
