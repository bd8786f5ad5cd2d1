// One request and its response over HTTP/1.1.
//
// Two things go on at once and end apart: sending (head, then what the pipe gives) and receiving (1xx, head, body).
// A response may come before the request is sent: if it refuses (300 and above), sending stops; otherwise both go on.
// Only an exchange that sent its whole request and read exactly one whole response leaves a connection that can be
// used again. A request whose body fails is never completed: the connection is closed in its midst.
//
// Lives until its handle goes, and then for the rest of the turn: the sink may drop the handle in any callback, so
// after each one `sink_` is null if that happened, and nothing more may be done. Thread: one worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "http/h1_parser.h"
#include "net/out_queue.h"
#include "net/transport.h"
#include "origin/connector.h"
#include "origin/pool.h"
#include "origin/server_client.h"

namespace seawall::origin {

class H1Exchange final : public Connection::User, public Connector::User {
 public:
  H1Exchange(net::Loop& loop, const ServerOptions& options, ServerClient::Pool& pool, http::OutgoingRequest request,
             http::ExchangeSink& sink);

  void start();
  // The same on a connection that has just been made, from within a callback of the loop.
  void start_on(std::unique_ptr<net::Transport> transport);
  void pause();
  void resume();
  // The handle is gone: no call of the sink comes after.
  static void abandon(std::unique_ptr<H1Exchange> exchange);

 private:
  enum class State {
    kConnecting,  // no connection yet
    kHead,        // connected; no final head yet
    kBody,        // the head was delivered
    kFinished,    // complete, failed, upgraded or abandoned; no connection
  };
  // What the connection's timer stands for.
  enum class Wait { kNothing, kSend, kFirstByte, kRestOfHead, kBody };
  enum class Refill { kQueued, kNoDataYet, kRequestQueued, kFailed };

  void on_connected(Result<Connector::Connected> outcome) override;
  void on_connection_ready(Connection& connection, bool readable, bool writable) override;
  void on_connection_timer(Connection& connection) override;
  void on_pipe_data();

  // Sending.
  void connect();
  void begin(std::unique_ptr<Connection> connection);
  void queue_head();
  Refill refill();
  void send();
  void drop_body();

  // Receiving.
  void receive();
  void on_bytes(std::string_view in);
  void read_head(std::string_view in);
  void read_body(std::string_view in);
  void on_closed(ErrorCode code);
  void on_truncated();
  void on_broken();

  // Ends. Each leaves the state kFinished and calls the sink last.
  void complete(bool has_surplus);
  void switch_protocol(http::ResponseHead head, std::string early_bytes);
  void fail(Error error);

  // What the kernel has taken of this request, under TLS as ciphertext.
  std::uint64_t sent_bytes() const { return connection_ ? connection_->transport()->sent_bytes() - sent_before_ : 0; }
  bool has_output() const { return !out_.empty() || connection_->transport()->has_unsent(); }
  bool may_resend() const;
  void resend();
  Retry retry_hint() const;
  void drop_connector();
  void finish();
  void watch();
  Wait waits_for() const;
  void rearm(bool made_progress);

  net::Loop& loop_;
  const ServerOptions& options_;
  ServerClient::Pool& pool_;
  http::OutgoingRequest request_;
  http::ExchangeSink* sink_;

  State state_ = State::kConnecting;
  bool is_starting_ = false;  // inside start(): a failure is reported in a later turn
  bool failure_posted_ = false;
  bool is_reused_ = false;
  bool paused_ = false;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Connection> connection_;
  Wait waiting_for_ = Wait::kNothing;

  net::OutQueue out_;
  std::uint64_t sent_before_ = 0;  // by the connection
  std::uint64_t body_left_ = 0;    // of the announced length
  bool is_sending_ = false;
  bool request_queued_ = false;  // all of it is in out_ or sent
  bool request_sent_ = false;
  WallTime request_time_;

  http::ResponseParser parser_;
  http::ResponseHead head_;
  std::string partial_head_;
  bool has_received_ = false;
  int informational_ = 0;
  bool keep_alive_ = false;
  http::BodyDecoder decoder_;
};

}  // namespace seawall::origin
