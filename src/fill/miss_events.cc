#include "fill/miss_events.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <limits>
#include <list>
#include <unordered_map>
#include <utility>

#include "http/h1_writer.h"

namespace seawall::fill {
namespace {

// Bytes of the well-formed UTF-8 sequence at the front, 0 when there is none (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text) {
  struct Form {
    unsigned char lead_first, lead_last;      // the first byte
    unsigned char second_first, second_last;  // what it lets the second one be; the others are 80..BF
    std::size_t length;
  };
  static constexpr std::array<Form, 8> kForms = {{{0xC2, 0xDF, 0x80, 0xBF, 2},
                                                  {0xE0, 0xE0, 0xA0, 0xBF, 3},
                                                  {0xE1, 0xEC, 0x80, 0xBF, 3},
                                                  {0xED, 0xED, 0x80, 0x9F, 3},
                                                  {0xEE, 0xEF, 0x80, 0xBF, 3},
                                                  {0xF0, 0xF0, 0x90, 0xBF, 4},
                                                  {0xF1, 0xF3, 0x80, 0xBF, 4},
                                                  {0xF4, 0xF4, 0x80, 0x8F, 4}}};
  const auto is_within = [text](std::size_t i, unsigned char first, unsigned char last) {
    const auto byte = static_cast<unsigned char>(text[i]);
    return byte >= first && byte <= last;
  };
  if (is_within(0, 0x00, 0x7F)) return 1;
  const auto form =
      std::ranges::find_if(kForms, [&](const Form& f) { return is_within(0, f.lead_first, f.lead_last); });
  if (form == kForms.end() || text.size() < form->length) return 0;
  if (!is_within(1, form->second_first, form->second_last)) return 0;
  for (std::size_t i = 2; i < form->length; ++i) {
    if (!is_within(i, 0x80, 0xBF)) return 0;
  }
  return form->length;
}

void append_string(std::string& out, std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 0x0F];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

void append_padded(std::string& out, unsigned value, std::size_t width) {
  const std::string digits = std::to_string(value);
  out.append(width - std::min(width, digits.size()), '0');
  out += digits;
}

// RFC 3339.
void append_time(std::string& out, WallTime time) {
  // The form has four digits for the year.
  constexpr std::int64_t kFirst = -62'167'219'200'000;  // year 0
  constexpr std::int64_t kLast = 253'402'300'799'999;   // end of year 9999
  const std::chrono::sys_time<Millis> point{Millis{std::clamp(time.unix_ms, kFirst, kLast)}};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  const auto ms = static_cast<unsigned>((point - day).count());
  append_padded(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_padded(out, ms / 3'600'000, 2);
  out += ':';
  append_padded(out, ms / 60'000 % 60, 2);
  out += ':';
  append_padded(out, ms / 1000 % 60, 2);
  out += '.';
  append_padded(out, ms % 1000, 3);
  out += 'Z';
}

}  // namespace

struct MissEvents::State {
  // Whom to wake. The pending turn keeps it when the subscription has gone.
  struct Reader {
    Reader(Executor& e, std::function<void()> f) : executor(e), on_events(std::move(f)) {}

    Executor& executor;
    std::function<void()> on_events;
    bool is_subscribed = true;  // executor's thread only
    std::atomic<bool> is_pending{false};
  };

  class Handle final : public Subscription {
   public:
    Handle(std::shared_ptr<State> state, std::shared_ptr<Reader> reader)
        : state_(std::move(state)), reader_(std::move(reader)) {}
    ~Handle() override {
      reader_->is_subscribed = false;
      MutexLock lock(state_->mutex);
      std::erase(state_->readers, reader_);
    }

   private:
    std::shared_ptr<State> state_;
    std::shared_ptr<Reader> reader_;
  };

  struct Told {
    std::uint64_t hash;
    MonoTime at;
  };

  explicit State(const MissEventOptions& o) : options(o) {}

  bool was_told(std::uint64_t hash, MonoTime now) const SW_REQUIRES(mutex) {
    const auto at = told_by_hash.find(hash);
    return at != told_by_hash.end() && now - at->second->at < options.repeat;
  }
  void remember(std::uint64_t hash, MonoTime now) SW_REQUIRES(mutex);
  bool try_take_token(MonoTime now) SW_REQUIRES(mutex);
  void trim() SW_REQUIRES(mutex);
  void wake_readers() SW_REQUIRES(mutex);

  mutable Mutex mutex;
  MissEventOptions options SW_GUARDED_BY(mutex);
  std::deque<MissEvent> kept SW_GUARDED_BY(mutex);  // up to `last`, without gaps
  std::uint64_t last SW_GUARDED_BY(mutex) = 0;
  std::list<Told> told SW_GUARDED_BY(mutex);  // the oldest first
  std::unordered_map<std::uint64_t, std::list<Told>::iterator> told_by_hash SW_GUARDED_BY(mutex);
  // Tokens as of `tokens_at`: a full second's worth to begin with.
  double tokens SW_GUARDED_BY(mutex) = std::numeric_limits<double>::infinity();
  MonoTime tokens_at SW_GUARDED_BY(mutex);
  std::vector<std::shared_ptr<Reader>> readers SW_GUARDED_BY(mutex);
  Stats stats SW_GUARDED_BY(mutex);
};

void MissEvents::State::remember(std::uint64_t hash, MonoTime now) {
  const auto [at, is_new] = told_by_hash.try_emplace(hash);
  if (is_new) {
    at->second = told.insert(told.end(), {.hash = hash, .at = now});
  } else {
    at->second->at = now;
    told.splice(told.end(), told, at->second);
  }
}

bool MissEvents::State::try_take_token(MonoTime now) {
  const double rate = options.per_second;
  // Workers read the clock at different times: one's now may lie before another's.
  const MonoTime then = std::max(tokens_at, now);
  const double left = std::min(tokens + rate * std::chrono::duration<double>(then - tokens_at).count(), rate);
  if (left < 1) return false;
  tokens = left - 1;
  tokens_at = then;
  return true;
}

void MissEvents::State::trim() {
  while (told.size() > options.urls) {
    told_by_hash.erase(told.front().hash);
    told.pop_front();
  }
  // At least the last one: readers are told by it how far they are.
  while (kept.size() > std::max<std::size_t>(options.kept, 1)) kept.pop_front();
}

void MissEvents::State::wake_readers() {
  // Under the lock, so that no executor is touched once its subscription has gone; posting takes no lock but its own.
  for (const auto& reader : readers) {
    if (reader->is_pending.exchange(true)) continue;
    reader->executor.post([reader] {
      // Before it reads, so that what comes meanwhile wakes it again.
      reader->is_pending.store(false);
      if (reader->is_subscribed) reader->on_events();
    });
  }
}

MissEvents::MissEvents(const MissEventOptions& options) : state_(std::make_shared<State>(options)) {}

MissEvents::~MissEvents() = default;

void MissEvents::set_options(const MissEventOptions& options) {
  MutexLock lock(state_->mutex);
  state_->options = options;
  state_->trim();
}

bool MissEvents::offer(MissEvent event, std::uint64_t hash, MonoTime now) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  if (state.was_told(hash, now)) {
    ++state.stats.duplicates;
    return false;
  }
  if (!state.try_take_token(now)) {
    ++state.stats.limited;
    return false;
  }
  state.remember(hash, now);
  event.sequence = ++state.last;
  state.kept.push_back(std::move(event));
  ++state.stats.emitted;
  state.trim();
  state.wake_readers();
  return true;
}

MissEvents::Batch MissEvents::after(std::uint64_t sequence, std::size_t max) const {
  Batch batch;
  const State& state = *state_;
  MutexLock lock(state.mutex);
  if (sequence >= state.last) return batch;
  const std::uint64_t oldest = state.last - state.kept.size() + 1;
  const std::uint64_t first = std::max(sequence + 1, oldest);
  batch.lost = first - (sequence + 1);
  const auto begin = state.kept.begin() + static_cast<std::ptrdiff_t>(first - oldest);
  const auto count = std::min<std::uint64_t>(max, state.last - first + 1);
  batch.events.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  return batch;
}

std::uint64_t MissEvents::last() const {
  MutexLock lock(state_->mutex);
  return state_->last;
}

std::unique_ptr<MissEvents::Subscription> MissEvents::subscribe(Executor& executor, std::function<void()> on_events) {
  auto reader = std::make_shared<State::Reader>(executor, std::move(on_events));
  {
    MutexLock lock(state_->mutex);
    state_->readers.push_back(reader);
  }
  return std::make_unique<State::Handle>(state_, std::move(reader));
}

MissEvents::Stats MissEvents::stats() const {
  MutexLock lock(state_->mutex);
  return state_->stats;
}

std::string to_json(const MissEvent& event) {
  std::string out = "{\"id\":";
  http::append_decimal(out, event.sequence);
  out += ",\"time\":\"";
  append_time(out, event.time);
  out += "\",\"url\":";
  append_string(out, event.url);
  out += ",\"route\":";
  append_string(out, event.route);
  out += ",\"origin\":";
  append_string(out, event.origin);
  out += ",\"why\":";
  append_string(out, event.why);
  out += '}';
  return out;
}

}  // namespace seawall::fill
