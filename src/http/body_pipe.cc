#include "http/body_pipe.h"

#include <algorithm>

namespace seawall::http {

std::size_t BodyPipe::write(std::string_view bytes) {
  if (discarding_) return bytes.size();
  const std::size_t n = std::min(bytes.size(), room());
  if (n == 0) return 0;
  buffer_.append(bytes.substr(0, n));
  notify_reader();
  return n;
}

void BodyPipe::finish(HeaderMap trailers) {
  trailers_ = std::move(trailers);
  finished_ = true;
  notify_reader();
}

void BodyPipe::fail(Error error) {
  error_ = error;
  notify_reader();
}

void BodyPipe::consume(std::size_t n) {
  if (n == 0) return;
  was_read_ = true;
  read_at_ += n;
  if (read_at_ == buffer_.size()) {
    buffer_.clear();
    read_at_ = 0;
  } else if (read_at_ >= capacity_ / 2) {
    buffer_.erase(0, read_at_);
    read_at_ = 0;
  }
  notify_writer();
}

void BodyPipe::discard() {
  discarding_ = true;
  buffer_.clear();
  read_at_ = 0;
  notify_writer();
}

void BodyPipe::want() {
  if (wanted_) return;
  wanted_ = true;
  notify_writer();
}

void BodyPipe::notify_reader() {
  if (reader_notice_pending_) return;
  reader_notice_pending_ = true;
  executor_.post([self = Ref<BodyPipe>(this)] {
    self->reader_notice_pending_ = false;
    const auto on_data = self->on_data_;  // the call may replace it
    if (on_data) on_data();
  });
}

void BodyPipe::notify_writer() {
  if (writer_notice_pending_) return;
  writer_notice_pending_ = true;
  executor_.post([self = Ref<BodyPipe>(this)] {
    self->writer_notice_pending_ = false;
    const auto on_room = self->on_room_;
    if (on_room) on_room();
  });
}

}  // namespace seawall::http
