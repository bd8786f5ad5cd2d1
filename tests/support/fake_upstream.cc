#include "support/fake_upstream.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "http/list_syntax.h"

namespace seawall::test {

http::HeaderMap header_map(const Lines& lines) {
  http::HeaderMap map;
  for (const auto& [name, value] : lines) map.add(name, value);
  return map;
}

class FakeUpstream::FakeExchange final : public http::Exchange {
 public:
  explicit FakeExchange(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  ~FakeExchange() override {
    if (call_->sink_) call_->is_cancelled_ = true;
    call_->end();
  }
  void pause() override {
    BOOST_TEST(!call_->is_paused_);
    call_->is_paused_ = true;
    ++call_->pauses_;
  }
  void resume() override {
    BOOST_TEST(call_->is_paused_);
    call_->is_paused_ = false;
    ++call_->resumes_;
  }

 private:
  std::shared_ptr<Call> call_;
};

std::unique_ptr<http::Exchange> FakeUpstream::start(http::OutgoingRequest request, http::ExchangeSink& sink) {
  calls_.push_back(std::make_shared<Call>(std::move(request), sink, clock_));
  return std::make_unique<FakeExchange>(calls_.back());
}

std::size_t FakeUpstream::open_calls() const {
  return static_cast<std::size_t>(std::ranges::count_if(calls_, [](const auto& call) { return call->is_open(); }));
}

http::ExchangeSink& FakeUpstream::Call::sink() {
  BOOST_REQUIRE_MESSAGE(sink_ != nullptr, "the exchange for " << request_.target << " is over");
  return *sink_;
}

void FakeUpstream::Call::informational(std::uint16_t status, const Lines& lines) {
  http::ResponseHead head;
  head.status = status;
  head.headers = header_map(lines);
  sink().on_informational(std::move(head));
}

void FakeUpstream::Call::head(std::uint16_t status, const Lines& lines) {
  http::ResponseHead head;
  head.status = status;
  head.headers = header_map(lines);
  head.framing = http::BodyFraming::kChunked;
  if (const auto length = head.headers.find(http::Field::kContentLength)) {
    head.framing = http::BodyFraming::kLength;
    head.content_length = http::parse_uint(*length).value();
    head.has_content_length = true;
  }
  if (request_.method == http::Method::kHead || status == 204 || status == 304) head.framing = http::BodyFraming::kNone;
  sink().on_head(std::move(head), request_time_, clock_.wall_now());
}

void FakeUpstream::Call::body(std::string_view bytes) {
  sink().on_body(bytes);
}

void FakeUpstream::Call::complete(const Lines& trailers) {
  http::ExchangeSink& to = sink();
  end();
  to.on_complete(header_map(trailers));
}

void FakeUpstream::Call::fail(ErrorCode code) {
  http::ExchangeSink& to = sink();
  end();
  to.on_error({code, Side::kOrigin});
}

void FakeUpstream::Call::upgrade(std::unique_ptr<ByteStream> connection, std::string early_bytes, const Lines& lines) {
  http::ExchangeSink& to = sink();
  end();
  http::ResponseHead head;
  head.status = 101;
  head.headers = header_map(lines);
  to.on_upgraded(std::move(head), std::move(connection), std::move(early_bytes));
}

void FakeUpstream::Call::respond(std::uint16_t status, const Lines& lines, std::string_view bytes) {
  Lines all = lines;
  const bool has_body = status != 204 && status != 304;
  if (has_body) all.emplace_back("Content-Length", std::to_string(bytes.size()));
  head(status, all);
  if (is_open() && has_body && !bytes.empty() && request_.method != http::Method::kHead) body(bytes);
  if (is_open()) complete();
}

}  // namespace seawall::test
