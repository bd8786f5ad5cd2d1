// How a transaction sends a stored body that does not lie in memory as it is sent: read from its source as the client
// takes it. Part of Transaction.
#include <utility>

#include "cache/memory_packer.h"
#include "proxy/transaction.h"

namespace seawall::proxy {
namespace {

// In one turn; a client that takes whatever comes must not keep the worker from all others.
constexpr std::uint64_t kMaxBytesPerTurn = std::uint64_t{1} << 20;

}  // namespace

// Gives what there is to the client first. The writer may find it gone then: the step is another.
bool Transaction::has_too_much_unsent() {
  if (writer_.unsent_bytes() < ResponseWriter::kHighWater) return false;
  writer_.flush();
  return is_client_gone_ || writer_.unsent_bytes() >= ResponseWriter::kHighWater;
}

void Transaction::open_body(const cache::Object& object) {
  answer_body_ = std::make_unique<AnswerBody>(context_.store.packer()->open(object));
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
        error_ = {ErrorCode::kAborted, Side::kLocal};
        context_.store.take_back(*found_.object);  // nor would it do for the next
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
