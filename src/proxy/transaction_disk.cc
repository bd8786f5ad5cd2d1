// Stored responses whose body is on disk only: opened before the head goes out, for then a miss is still possible, and
// read as the client takes it. Part of Transaction.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "proxy/transaction.h"

namespace seawall::proxy {
namespace {

using policy::Verdict;
using policy::Why;

constexpr std::size_t kReadBytes = std::size_t{128} * 1024;

}  // namespace

Transaction::Flow Transaction::open_body() {
  if (disk_wait_) return Flow::kPark;
  if (body_source_) return go(Step::kRespondStored);
  if (is_body_lost_) return go_without_body();
  cache::DiskTier* const disk = context_.store.disk();
  SW_CHECK(disk, "who has stored the body");
  const auto on_opened = [this](std::unique_ptr<cache::BodySource> source) {
    disk_wait_.reset();
    is_body_lost_ = source == nullptr;
    body_source_ = std::move(source);
    run();
  };
  disk_wait_ = disk->open_body(*found_.object, context_.executor, [this] { run(); }, on_opened);
  return Flow::kPark;
}

// As if nothing were stored; but what had to do with less than a fresh copy has nothing left.
Transaction::Flow Transaction::go_without_body() {
  is_hit_ = false;
  if (is_stale_for_failure_ || reader_)
    return answer_error(error_.value_or(Error{ErrorCode::kDiskFailed, Side::kLocal}));
  if (facts_.directives.only_if_cached) return answer_error({ErrorCode::kNotCached, Side::kLocal});
  plan_ = {Verdict::kFetchAndStore, Why::kUriMiss};
  return go(Step::kMiss);
}

Transaction::Flow Transaction::disk_body() {
  while (true) {
    if (const auto wait = wait_for_client()) return *wait;
    SliceChain slices;
    switch (answer_body_->read(kReadBytes, slices)) {
      case AnswerBody::Outcome::kBytes:
        body_bytes_ += total_size(slices);
        writer_.send_body(std::move(slices));
        break;
      case AnswerBody::Outcome::kNothingYet: writer_.flush(); return is_client_gone_ ? Flow::kContinue : Flow::kPark;
      case AnswerBody::Outcome::kEnd: {
        const bool with_trailers = status_ != 206 && request_.version != http::Version::kHttp10;
        writer_.end(with_trailers ? found_.object->trailers() : http::HeaderMap{});
        return go(Step::kFinish);
      }
      case AnswerBody::Outcome::kFailed:
        error_ = Error{ErrorCode::kDiskFailed, Side::kLocal};
        writer_.abort();
        return go(Step::kFinish);
    }
  }
}

}  // namespace seawall::proxy
