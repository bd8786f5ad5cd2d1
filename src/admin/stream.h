// An answer of the admin listener that goes on until one side ends it. Thread: the home worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "fill/miss_events.h"
#include "proxy/context.h"
#include "proxy/response_writer.h"

namespace seawall::admin {

class Stream {
 public:
  virtual ~Stream() = default;
  virtual void on_writable() = 0;
};

// GET /v1/events: miss events as server-sent events: "id: N", "event: miss", "data: {json}". Begins after `last_id`
// (the client's Last-Event-ID; nullopt: with the next one), writes a comment every 15 s so that a silent line is known
// to be alive, tells {"lost": n} as an event "lost" when the reader was too slow, and reads no further events while
// unsent_bytes() is past the high-water mark. Sends its head at once. Never ends by itself.
std::unique_ptr<Stream> make_event_stream(proxy::Context& context, proxy::ResponseWriter& writer,
                                          std::optional<std::uint64_t> last_id);

}  // namespace seawall::admin
