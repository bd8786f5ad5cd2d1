// An origin in memory: the test drives every exchange by hand and reads what was asked. Thread: one.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "fill/upstream.h"
#include "http/exchange.h"

namespace seawall::test {

using Lines = std::vector<std::pair<std::string, std::string>>;

http::HeaderMap header_map(const Lines& lines);

class FakeUpstream final : public fill::Upstream {
 public:
  // One exchange; it stays when the exchange is gone.
  class Call {
   public:
    Call(http::OutgoingRequest request, http::ExchangeSink& sink, const Clock& clock)
        : request_(std::move(request)), sink_(&sink), clock_(clock), request_time_(clock.wall_now()) {}

    const http::OutgoingRequest& request() const { return request_; }
    std::optional<std::string_view> field(std::string_view name) const { return request_.headers.find(name); }
    // Until its response is complete, it failed, or the fill dropped it.
    bool is_open() const { return sink_ != nullptr; }
    // Dropped by the fill before its end.
    bool is_cancelled() const { return is_cancelled_; }
    bool is_paused() const { return is_paused_; }
    int pauses() const { return pauses_; }
    int resumes() const { return resumes_; }

    // A test that drives an exchange that is over has lost its way: these require is_open().
    void informational(std::uint16_t status, const Lines& lines = {});
    // Framed by Content-Length if it is among the lines, else chunked; without a body where HTTP says so.
    void head(std::uint16_t status, const Lines& lines);
    void body(std::string_view bytes);
    void complete(const Lines& trailers = {});
    void fail(ErrorCode code = ErrorCode::kPeerReset);
    void upgrade(std::unique_ptr<ByteStream> connection, std::string early_bytes,
                 const Lines& lines = {{"Upgrade", "chat"}});
    // Head with Content-Length, body and end, as far as the fill wants them.
    void respond(std::uint16_t status, const Lines& lines, std::string_view bytes = {});

   private:
    friend class FakeUpstream;
    http::ExchangeSink& sink();
    void end() { sink_ = nullptr; }

    http::OutgoingRequest request_;
    http::ExchangeSink* sink_;
    const Clock& clock_;
    WallTime request_time_;
    bool is_cancelled_ = false;
    bool is_paused_ = false;
    int pauses_ = 0;
    int resumes_ = 0;
  };

  explicit FakeUpstream(const Clock& clock) : clock_(clock) {}

  std::unique_ptr<http::Exchange> start(http::OutgoingRequest request, http::ExchangeSink& sink) override;

  std::size_t calls() const { return calls_.size(); }
  std::size_t open_calls() const;
  Call& call(std::size_t i) { return *calls_.at(i); }
  Call& last() { return *calls_.back(); }

 private:
  class FakeExchange;

  const Clock& clock_;
  std::vector<std::shared_ptr<Call>> calls_;
};

}  // namespace seawall::test
