// A client's side in memory: keeps what a transaction answers, and can be slow, full or gone. Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "http/header_map.h"
#include "mem/slice.h"
#include "proxy/response_writer.h"

namespace seawall::test {

class FakeWriter final : public proxy::ResponseWriter {
 public:
  // Runs in every call with its name, as a session finds out that its client is gone while it writes.
  std::function<void(std::string_view call)> hook = [](std::string_view) {};

  // The answer so far. `body` is what the client has taken.
  std::vector<std::uint16_t> informational;
  std::uint16_t status = 0;
  http::HeaderMap fields;  // composed ones included
  std::optional<std::uint64_t> length;
  bool has_body = true;
  bool is_stored = false;  // came by send_stored()
  std::string body;
  http::HeaderMap trailers;
  bool is_ended = false;
  bool is_aborted = false;
  bool closes_after = false;
  std::unique_ptr<ByteStream> upgraded;
  std::string early_bytes;
  int protocol_errors = 0;  // calls out of order, more body than announced
  std::uint64_t largest_unsent = 0;

  void clear();
  bool has_ended() const { return is_ended || is_aborted || upgraded; }
  // The whole of an answer with this status and body.
  bool is_answer(std::uint16_t expected_status, std::string_view expected_body) const;
  std::string_view field(std::string_view name) const { return fields.find(name).value_or(""); }
  // What Cache-Status says.
  bool is_hit() const { return has_parameter("; hit"); }
  bool is_collapsed() const { return has_parameter("; collapsed"); }
  bool has_parameter(std::string_view parameter) const;

  // Takes nothing, or up to `bytes` of what waits.
  void stop_reading() { is_reading_ = false; }
  void take(std::uint64_t bytes);
  void resume_reading();

  void send_informational(const http::ResponseHead& head) override;
  void send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) override;
  void send_head(const proxy::AnswerHead& head) override;
  void send_body(SliceChain slices) override;
  void end(const http::HeaderMap& fields_after) override;
  void abort() override;
  void upgrade(const proxy::AnswerHead& head, std::unique_ptr<ByteStream> origin, std::string early) override;
  void close_after_answer() override { closes_after = true; }
  void flush() override { hook("flush"); }
  std::uint64_t unsent_bytes() const override { return unsent_bytes_; }

 private:
  void expect(bool condition) { protocol_errors += condition ? 0 : 1; }
  void add_composed(std::string_view lines);

  bool is_reading_ = true;
  SliceChain unsent_;
  std::uint64_t unsent_bytes_ = 0;
};

}  // namespace seawall::test
