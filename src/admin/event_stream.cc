#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "admin/stream.h"
#include "base/timer_wheel.h"
#include "http/date.h"
#include "mem/slice.h"

namespace seawall::admin {
namespace {

using http::Field;
using proxy::ResponseWriter;

constexpr std::size_t kBatch = 16;  // events read at once
constexpr Millis kHeartbeat{15'000};

class EventStream final : public Stream {
 public:
  EventStream(proxy::Context& context, ResponseWriter& writer, std::optional<std::uint64_t> last_id)
      : context_(context), writer_(writer), timer_([this] { beat(); }), life_(std::make_shared<const bool>(true)) {
    const std::uint64_t last = context.miss_events.last();
    sequence_ = last_id.value_or(last);
    // It has seen more than there was since the server began: what it has seen was another's life.
    if (sequence_ > last) sequence_ = 0;
    subscription_ = context.miss_events.subscribe(context.executor, [this] { pump(); });
    send_head();
    arm();
    pump();
  }

  void on_writable() override { pump(); }

 private:
  void send_head() {
    http::HeaderMap fields;
    fields.add(Field::kDate, http::format_date(context_.executor.wall_now()));
    fields.add(Field::kContentType, "text/event-stream");
    fields.add(Field::kCacheControl, "no-store");
    fields.add("X-Content-Type-Options", "nosniff");
    writer_.send_head({.status = 200, .fields = &fields});
    writer_.flush();
  }

  // Whatever the reader may have; the rest when it takes more.
  void pump() {
    const std::weak_ptr<const bool> life = life_;
    while (writer_.unsent_bytes() < ResponseWriter::kHighWater) {
      const std::string text = take();
      if (text.empty()) return;
      writer_.send_body({Slice::copy_of(nullptr, text)});
      writer_.flush();
      if (life.expired()) return;  // the writer found the client gone
    }
  }

  std::string take() {
    const fill::MissEvents::Batch batch = context_.miss_events.after(sequence_, kBatch);
    std::string text;
    if (batch.lost > 0) text += fmt::format("event: lost\ndata: {{\"lost\":{}}}\n\n", batch.lost);
    for (const fill::MissEvent& event : batch.events) {
      text += fmt::format("id: {}\nevent: miss\ndata: {}\n\n", event.sequence, to_json(event));
      sequence_ = event.sequence;
    }
    return text;
  }

  void beat() {
    arm();
    // To a reader that has something to read it says nothing.
    if (writer_.unsent_bytes() > 0) return;
    writer_.send_body({Slice::of_static(":\n\n")});
    writer_.flush();
  }

  void arm() { context_.executor.timers().arm(timer_, context_.executor.mono_now() + kHeartbeat); }

  proxy::Context& context_;
  ResponseWriter& writer_;
  std::uint64_t sequence_ = 0;  // the last one sent
  Timer timer_;
  const std::shared_ptr<const bool> life_;
  std::unique_ptr<fill::MissEvents::Subscription> subscription_;
};

}  // namespace

std::unique_ptr<Stream> make_event_stream(proxy::Context& context, ResponseWriter& writer,
                                          std::optional<std::uint64_t> last_id) {
  return std::make_unique<EventStream>(context, writer, last_id);
}

}  // namespace seawall::admin
