// A bounded pipe that carries one request body from the client's side to the origin's on the same worker. The writer
// stops reading its socket when the pipe is full, the reader stops writing its own when it is empty: nothing is held
// whole. Each side is told of progress in a later turn of the loop, never inside the other's call. Thread: one worker.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/executor.h"
#include "base/ref.h"
#include "base/result.h"
#include "http/header_map.h"

namespace seawall::http {

class BodyPipe final : public RefCounted<BodyPipe> {
 public:
  BodyPipe(Executor& executor, std::size_t capacity_bytes) : executor_(executor), capacity_(capacity_bytes) {}

  // Writer. Returns how much was taken.
  std::size_t write(std::string_view bytes);
  std::size_t room() const { return capacity_ - (buffer_.size() - read_at_); }
  void finish(HeaderMap trailers);
  void fail(Error error);  // the client went away or broke the framing: the origin must not see a complete body
  void on_room(std::function<void()> callback) { on_room_ = std::move(callback); }

  // Reader.
  std::string_view peek() const { return std::string_view(buffer_).substr(read_at_); }
  void consume(std::size_t n);
  bool is_finished() const { return finished_ && peek().empty(); }
  const std::optional<Error>& error() const { return error_; }
  const HeaderMap& trailers() const { return trailers_; }
  // Whether any byte was ever consumed: such a request cannot be sent again.
  bool was_read() const { return was_read_; }
  // The reader wants no more (the origin answered early, or is gone): further writes are taken and dropped.
  void discard();
  void on_data(std::function<void()> callback) { on_data_ = std::move(callback); }
  // First wish of the reader: lets the client's side answer Expect with 100 (Continue).
  bool is_wanted() const { return wanted_; }
  void want();

 private:
  void notify_reader();
  void notify_writer();

  Executor& executor_;
  std::size_t capacity_;
  std::string buffer_;
  std::size_t read_at_ = 0;
  bool finished_ = false;
  bool was_read_ = false;
  bool discarding_ = false;
  bool wanted_ = false;
  bool reader_notice_pending_ = false;
  bool writer_notice_pending_ = false;
  std::optional<Error> error_;
  HeaderMap trailers_;
  std::function<void()> on_room_;
  std::function<void()> on_data_;
};

}  // namespace seawall::http
