// The body of an answer that is read from a BodySource: ranges of it, and the texts of a multipart body between them.
// Thread: the session's worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>

#include "cache/body_source.h"
#include "http/range.h"
#include "mem/slice.h"

namespace seawall::proxy {

class AnswerBody {
 public:
  using Outcome = cache::BodySource::Outcome;

  explicit AnswerBody(std::unique_ptr<cache::BodySource> source) : source_(std::move(source)) {}

  // In the order in which they are sent. Before the first read().
  void add_text(std::string_view text);
  void add_range(http::ByteRange range);

  // All that was added.
  std::uint64_t size() const { return size_; }
  // As BodySource::read(), through all that was added.
  Outcome read(std::size_t most, SliceChain& out);

 private:
  struct Piece {
    Slice text;  // or empty, and the range
    http::ByteRange range;
  };

  std::unique_ptr<cache::BodySource> source_;
  std::deque<Piece> pieces_;
  std::uint64_t size_ = 0;
  bool is_selected_ = false;  // the first of the pieces, of the source
};

}  // namespace seawall::proxy
