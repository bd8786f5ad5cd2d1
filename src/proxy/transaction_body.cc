// How a transaction sends a stored body that does not lie in memory as it is sent, but packed or on disk: read from its
// source as the client takes it. Part of Transaction.
#include <utility>

#include "base/check.h"
#include "cache/memory_packer.h"
#include "proxy/transaction.h"

namespace seawall::proxy {
namespace {

using policy::Verdict;
using policy::Why;

// In one turn; a client that takes whatever comes must not keep the worker from all others.
constexpr std::uint64_t kMaxBytesPerTurn = std::uint64_t{1} << 20;

}  // namespace

// Gives what there is to the client first. The writer may find it gone then: the step is another.
bool Transaction::has_too_much_unsent() {
  if (writer_.unsent_bytes() < ResponseWriter::kHighWater) return false;
  writer_.flush();
  return is_client_gone_ || writer_.unsent_bytes() >= ResponseWriter::kHighWater;
}

// Before the head goes out, for then a miss is still possible.
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
  disk_wait_ = disk->open_body(*found_.object, first_wanted(), context_.executor, [this] { run(); }, on_opened);
  return Flow::kPark;
}

std::uint64_t Transaction::first_wanted() const {
  const cache::Object& object = *found_.object;
  if (object.status() != 200) return 0;
  const auto ranges = requested_ranges(object.headers(), object.complete_length());
  return !ranges || ranges->empty() ? 0 : ranges->front().first;
}

// As if nothing were stored; but what had to do with less than a fresh copy has nothing left.
Transaction::Flow Transaction::go_without_body() {
  is_hit_ = has_forms_ = adds_vary_ = false;
  if (reader_ && !is_stale_for_failure_ && lookups_ < kMaxLookups) {
    // What was found to be good still is not there any more.
    ++lookups_;
    leave_fill();
    is_collapsed_ = false;
    found_ = {};
  }
  if (is_stale_for_failure_ || reader_)
    return answer_error(error_.value_or(Error{ErrorCode::kStoredBodyLost, Side::kLocal}));
  if (facts_.directives.only_if_cached) return answer_error({ErrorCode::kNotCached, Side::kLocal});
  plan_ = {Verdict::kFetchAndStore, Why::kUriMiss};
  return go(Step::kMiss);
}

void Transaction::begin_body(const cache::Object& object) {
  answer_body_ =
      std::make_unique<AnswerBody>(body_source_ ? std::move(body_source_) : context_.store.packer()->open(object));
}

Transaction::Flow Transaction::stored_body() {
  for (std::uint64_t sent = 0; sent < kMaxBytesPerTurn;) {
    if (has_too_much_unsent()) return step_ == Step::kStoredBody ? Flow::kPark : Flow::kContinue;
    SliceChain slices;
    switch (answer_body_->read(kReadChunk, slices)) {
      case AnswerBody::Outcome::kBytes: {
        const std::uint64_t bytes = total_size(slices);
        sent += bytes;
        body_bytes_ += bytes;
        writer_.send_body(std::move(slices));
        break;
      }
      case AnswerBody::Outcome::kNothingYet:
        writer_.flush();
        return step_ == Step::kStoredBody ? Flow::kPark : Flow::kContinue;
      case AnswerBody::Outcome::kEnd:
        writer_.end(sends_trailers_ ? found_.object->trailers() : http::HeaderMap{});
        return go(Step::kFinish);
      case AnswerBody::Outcome::kFailed:
        error_ = {ErrorCode::kStoredBodyLost, Side::kLocal};
        // Nor would it do for the next; what the disk has lost is found out when it is opened.
        if (found_.object->packed()) context_.store.take_back(*found_.object);
        writer_.abort();
        return go(Step::kFinish);
    }
  }
  go_on_later();
  return Flow::kPark;
}

void Transaction::go_on_later() {
  later_ = std::make_shared<Transaction*>(this);
  context_.executor.post([later = std::weak_ptr(later_)] {
    if (const auto transaction = later.lock()) (*transaction)->run();
  });
}

}  // namespace seawall::proxy
