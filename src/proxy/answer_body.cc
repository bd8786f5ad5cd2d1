#include "proxy/answer_body.h"

#include <algorithm>
#include <utility>

namespace seawall::proxy {

void AnswerBody::add_text(std::string_view text) {
  if (text.empty()) return;
  size_ += text.size();
  pieces_.push_back({.text = Slice::copy_of(nullptr, text), .range = {}});
}

void AnswerBody::add_range(http::ByteRange range) {
  if (range.last < range.first) return;
  size_ += range.size();
  pieces_.push_back({.text = {}, .range = range});
}

AnswerBody::Outcome AnswerBody::read(std::size_t most, SliceChain& out) {
  while (!pieces_.empty()) {
    Piece& piece = pieces_.front();
    if (!piece.text.empty()) {
      const std::size_t n = std::min(most, piece.text.size());
      out.push_back(piece.text.subslice(0, n));
      piece.text.remove_prefix(n);
      if (piece.text.empty()) pieces_.pop_front();
      return Outcome::kBytes;
    }
    if (!std::exchange(is_selected_, true)) source_->select(piece.range);
    const Outcome outcome = source_->read(most, out);
    if (outcome != Outcome::kEnd) return outcome;
    pieces_.pop_front();
    is_selected_ = false;
  }
  return Outcome::kEnd;
}

}  // namespace seawall::proxy
