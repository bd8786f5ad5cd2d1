// One request on an HTTP/2 connection and its answer: the RequestHandler, which is reused for later streams of the
// connection, and all that stands between it and nghttp2. It is the handler's ResponseWriter.
//
//   free      in the session's pool
//   open      from open() until nghttp2 has closed the stream: on_closed()
//   leftover  closed, and the handler or a tunnel is not done with it; then free again, see H2Connection::User
//
// What the handler gives waits here, as references to slices, until nghttp2 says whose turn it is and how much may go:
// next_data() and take_data(). Nothing calls the handler from within nghttp2's callbacks for sending; a stream that may
// go on is put into H2Connection::hungry instead, and feed() is called afterwards. Thread: its worker.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/list.h"
#include "base/ref.h"
#include "http/body_pipe.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "proxy/client_info.h"
#include "proxy/h2_fields.h"
#include "proxy/options.h"
#include "proxy/request_handler.h"
#include "proxy/response_writer.h"

namespace seawall::proxy {

struct H2Connection;
class H2TunnelEnd;
class Tunnel;

class H2Stream final : public ResponseWriter {
 public:
  // Bytes of a request body that may be on their way or in its pipe; SETTINGS_INITIAL_WINDOW_SIZE.
  static constexpr std::uint32_t kWindowBytes = std::uint32_t{128} * 1024;

  H2Stream(H2Connection& connection, const HandlerFactory& make_handler);
  ~H2Stream() override;
  H2Stream(const H2Stream&) = delete;
  H2Stream& operator=(const H2Stream&) = delete;

  // A request begins: its head may be read into request().
  void open(std::int32_t id);
  http::RequestHead& request() { return handler_->request(); }
  // The head is complete.
  void serve(bool ends_stream, bool is_extended_connect);
  void refuse(Error error, bool ends_stream);
  // Of the request's body.
  void on_data(std::string_view bytes);
  void on_end_stream(http::HeaderMap trailers);
  void on_malformed_trailers();
  // The client sends nothing any more: a body that it has not ended is cut off, a tunnel is over.
  void on_input_end();
  // PRIORITY_UPDATE.
  void on_priority(std::string_view field) { priority_update_ = field; }
  // The last frame of the answer has left for the send queue.
  void on_answer_sent();
  void on_closed();

  // What may go into the next DATA frame, for nghttp2: bytes, or NGHTTP2_ERR_DEFERRED.
  ssize_t next_data(std::size_t most, std::uint32_t& flags);
  void take_data(std::size_t size, net::OutQueue& out);
  void feed();
  // Whether, after nghttp2 has taken all that it may, some of the answer waits for a WINDOW_UPDATE.
  bool needs_window() const;
  // The client cannot get the rest.
  void give_up() { reset(NGHTTP2_CANCEL); }

  // When something has been missing for too long; nullopt: nothing is waited for.
  std::optional<MonoTime> deadline() const;
  void on_timeout();

  std::int32_t id() const { return id_; }
  bool is_open() const { return is_open_; }

  // ResponseWriter
  void send_informational(const http::ResponseHead& head) override;
  void send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) override;
  void send_head(const AnswerHead& head) override;
  void send_body(SliceChain slices) override;
  void end(const http::HeaderMap& trailers) override;
  void abort() override;
  void upgrade(const AnswerHead& head, std::unique_ptr<ByteStream> origin, std::string early_bytes) override;
  // Other streams are not concerned.
  void close_after_answer() override {}
  void flush() override;
  std::uint64_t unsent_bytes() const override { return unsent_bytes_; }

  ListNode link;         // the session's streams, or its pool
  ListNode hungry_link;  // H2Connection::hungry

 private:
  friend class H2TunnelEnd;

  // What the client may still send, and where it goes.
  enum class Upload : std::uint8_t {
    kDone,     // it has ended its side
    kPiped,    // into pipe_
    kTunnel,   // of an extended CONNECT: kept in early_upload_, then the tunnel's
    kIgnored,  // nobody wants it
  };

  bool may_answer() const { return is_open_ && !is_reset_; }
  void submit(bool has_data);
  void reprioritise();
  bool owes_data() const { return has_submitted_ && !has_sent_end_ && (unsent_bytes_ > 0 || is_ended_); }
  bool is_stalled() const;
  void push(Slice slice);
  void resume();
  void reset(std::uint32_t error_code);
  void refuse_tunnel();
  void on_tunnel_closed();
  void close_tunnel();
  void on_finished();
  void begin_upload(bool ends_stream);
  void fail_upload(Error error);
  void on_room();
  void consume(std::size_t bytes);
  void drop_pipe();
  void leave_if_done();

  H2Connection& connection_;
  std::int32_t id_ = 0;
  bool is_open_ = false;
  bool is_reset_ = false;       // RST_STREAM is on its way
  bool is_deferred_ = false;    // nghttp2 waits for resume()
  bool has_submitted_ = false;  // the head of the final answer
  bool is_ended_ = false;       // no more comes from the handler
  bool has_sent_end_ = false;   // and that has left
  bool is_extended_connect_ = false;
  bool ignores_body_ = false;  // of an answer that stands for another

  // The answer that waits: of a stored object, or queue_.
  cache::LookupResult hit_;
  const SliceChain* stored_ = nullptr;
  SliceChain queue_;
  std::size_t first_ = 0;   // the first slice that has not gone
  std::size_t offset_ = 0;  // and how much of it has
  std::uint64_t unsent_bytes_ = 0;
  http::HeaderMap trailers_;
  MonoTime progress_at_;

  // The request's body.
  Upload upload_ = Upload::kDone;
  Ref<http::BodyPipe> pipe_;
  std::uint64_t received_bytes_ = 0;
  std::size_t unconsumed_bytes_ = 0;  // of them, not yet told to nghttp2 as consumed
  bool owes_continue_ = false;        // Expect: 100-continue, not yet answered
  MonoTime upload_at_;

  std::string priority_update_;
  std::string websocket_accept_;  // what the origin has to say
  std::string early_upload_;
  std::unique_ptr<H2TunnelEnd> tunnel_end_;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<RequestHandler> handler_;
};

// What the streams of a connection share.
struct H2Connection {
  class User {
   public:
    virtual ~User() = default;
    // nghttp2 or a hungry stream has something to do, before the turn ends.
    virtual void on_output() = 0;
    // The stream is free.
    virtual void on_done(H2Stream& stream) = 0;
  };

  net::Loop& loop;
  const SessionOptions& options;
  const ClientInfo& client;
  User& user;
  nghttp2_session* session = nullptr;
  H2Fields fields{};       // scratch
  MonoTime progress_at{};  // when DATA of any stream last went into the send queue
  List<H2Stream, &H2Stream::hungry_link> hungry{};
};

}  // namespace seawall::proxy
