#include "support/fake_writer.h"

#include <algorithm>
#include <utility>

namespace seawall::test {

void FakeWriter::clear() {
  informational.clear();
  status = 0;
  fields.clear();
  length.reset();
  has_body = true;
  is_stored = false;
  body.clear();
  trailers.clear();
  is_ended = is_aborted = closes_after = false;
  upgraded.reset();
  early_bytes.clear();
  unsent_.clear();
  unsent_bytes_ = 0;
  largest_unsent = 0;
}

bool FakeWriter::is_answer(std::uint16_t expected_status, std::string_view expected_body) const {
  return status == expected_status && body == expected_body && is_ended && !is_aborted && protocol_errors == 0;
}

bool FakeWriter::has_parameter(std::string_view parameter) const {
  const std::string_view value = field("Cache-Status");
  const std::size_t at = value.find(parameter);
  if (at == std::string_view::npos) return false;
  const std::size_t end = at + parameter.size();
  return end == value.size() || value[end] == ';' || parameter.ends_with('=');
}

void FakeWriter::take(std::uint64_t bytes) {
  while (bytes > 0 && !unsent_.empty()) {
    Slice& front = unsent_.front();
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(front.size(), bytes));
    body.append(front.view().substr(0, n));
    front.remove_prefix(n);
    if (front.empty()) unsent_.erase(unsent_.begin());
    unsent_bytes_ -= n;
    bytes -= n;
  }
}

void FakeWriter::resume_reading() {
  is_reading_ = true;
  take(unsent_bytes_);
}

void FakeWriter::add_composed(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::size_t colon = lines.find(": ");
    expect(end != std::string_view::npos && colon < end);
    if (end == std::string_view::npos || colon >= end) return;
    fields.add(lines.substr(0, colon), lines.substr(colon + 2, end - colon - 2));
    lines.remove_prefix(end + 2);
  }
}

void FakeWriter::send_informational(const http::ResponseHead& head) {
  expect(status == 0);
  informational.push_back(head.status);
  hook("informational");
}

void FakeWriter::send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) {
  expect(status == 0);
  status = hit.object->status();
  fields = hit.object->headers();
  add_composed(composed);
  length = hit.object->complete_length();
  has_body = with_body;
  is_stored = true;
  if (with_body) {
    for (const Slice& slice : hit.object->body()) body.append(slice.view());
    expect(body.size() == *length);
  }
  is_ended = true;
  hook("stored");
}

void FakeWriter::send_head(const proxy::AnswerHead& head) {
  expect(status == 0);
  status = head.status;
  if (head.fields) fields = *head.fields;
  add_composed(head.composed);
  length = head.length;
  has_body = head.has_body;
  hook("head");
}

void FakeWriter::send_body(SliceChain slices) {
  expect(status != 0 && !has_ended() && has_body);
  for (Slice& slice : slices) {
    if (slice.empty()) continue;
    unsent_bytes_ += slice.size();
    unsent_.push_back(std::move(slice));
  }
  if (is_reading_) take(unsent_bytes_);
  largest_unsent = std::max(largest_unsent, unsent_bytes_);
  expect(!length || body.size() + unsent_bytes_ <= *length);
  hook("body");
}

void FakeWriter::end(const http::HeaderMap& fields_after) {
  expect(status != 0 && !has_ended());
  expect(!has_body || !length || body.size() + unsent_bytes_ == *length);
  trailers = fields_after;
  is_ended = true;
  hook("end");
}

void FakeWriter::abort() {
  expect(status != 0 && !has_ended());
  is_aborted = true;
  hook("abort");
}

void FakeWriter::upgrade(const proxy::AnswerHead& head, std::unique_ptr<ByteStream> origin, std::string early) {
  expect(status == 0);
  status = head.status;
  if (head.fields) fields = *head.fields;
  add_composed(head.composed);
  upgraded = std::move(origin);
  early_bytes = std::move(early);
  hook("upgrade");
}

}  // namespace seawall::test
