#include "fill/fill_queue.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace seawall::fill {
namespace {

// While the origin takes nothing, it is looked at again this often at the least.
constexpr Millis kRecheck{1000};
// Between two fills for an ailing origin: the first has asked by then, and what it found shows.
constexpr Millis kCarefulPause{10};

// Of the requests that wait at one origin; past it the queue counts as full.
constexpr std::size_t kMaxBytes = std::size_t{32} << 20;

}  // namespace

struct FillQueue::Life {
  Mutex mutex;
  FillQueue* queue SW_GUARDED_BY(mutex) = nullptr;  // null once it is gone
};

FillQueue::FillQueue(const FillScheduleOptions& options, Blocked blocked, Careful careful)
    : blocked_(std::move(blocked)), careful_(std::move(careful)), life_(std::make_shared<Life>()), schedule_(options) {
  MutexLock lock(life_->mutex);
  life_->queue = this;
}

FillQueue::~FillQueue() {
  MutexLock lock(life_->mutex);
  life_->queue = nullptr;
}

void FillQueue::set_options(const FillScheduleOptions& options) {
  {
    MutexLock lock(mutex_);
    schedule_.set_options(options);
    is_full_.store(schedule_.is_full(), std::memory_order_relaxed);
  }
  post_pump();
}

void FillQueue::start(Executor& home, bool is_cold) {
  timer_.emplace([this] { pump(); });
  {
    MutexLock lock(mutex_);
    home_ = &home;
    is_stopped_ = false;
    if (is_cold) schedule_.begin_cold_start(home.mono_now());
  }
  pump();
}

void FillQueue::stop() {
  timer_.reset();
  std::unordered_map<FillSchedule::Ticket, Entry> dropped;
  {
    MutexLock lock(mutex_);
    home_ = nullptr;
    is_stopped_ = true;
    dropped.swap(waiting_);
    tickets_.clear();
    waiting_bytes_ = 0;
    for (const auto& [ticket, entry] : dropped) schedule_.cancel(ticket);
    is_full_.store(schedule_.is_full(), std::memory_order_relaxed);
  }
  for (const auto& [ticket, entry] : dropped) {
    entry.fill->executor().post([fill = entry.fill] { fill->give_up({ErrorCode::kShuttingDown, Side::kLocal}); });
  }
}

bool FillQueue::push(const Ref<Fill>& fill, Upstream& upstream, RunningFills& running,
                     const FillSchedule::Order& order) {
  const MonoTime now = fill->executor().mono_now();
  const std::size_t bytes = fill->request_bytes();
  Ref<Fill> evicted;
  bool is_queued = false;
  {
    MutexLock lock(mutex_);
    const bool has_room = !is_stopped_ && waiting_bytes_ + bytes <= kMaxBytes;
    const auto pushed = has_room ? schedule_.push(order, now) : FillSchedule::Pushed{};
    if (pushed.evicted != 0) {
      evicted = remove(pushed.evicted).fill;
    }
    is_queued = pushed.ticket != 0;
    if (is_queued) {
      waiting_.emplace(pushed.ticket, Entry{fill, bytes, &upstream, &running});
      waiting_bytes_ += bytes;
      tickets_.emplace(fill.get(), pushed.ticket);
    }
    if (!is_queued || pushed.evicted != 0) ++stats_.refused;
    is_full_.store(schedule_.is_full(), std::memory_order_relaxed);
  }
  const Error full{ErrorCode::kQueueFull, Side::kLocal};
  if (evicted) evicted->executor().post([evicted, full] { evicted->give_up(full); });
  if (!is_queued) {
    fill->give_up(full);
    return false;
  }
  post_pump();
  return true;
}

void FillQueue::bump(const Fill& fill) {
  MutexLock lock(mutex_);
  const auto at = tickets_.find(&fill);
  if (at != tickets_.end()) schedule_.bump(at->second);
}

std::optional<std::pair<FillSchedule::Ticket, FillQueue::Entry>> FillQueue::take(const Fill& fill) {
  const auto at = tickets_.find(&fill);
  if (at == tickets_.end()) return std::nullopt;
  const FillSchedule::Ticket ticket = at->second;
  return std::pair(ticket, remove(ticket));
}

void FillQueue::begin_now(const Fill& fill) {
  std::optional<std::pair<FillSchedule::Ticket, Entry>> taken;
  {
    MutexLock lock(mutex_);
    taken = take(fill);
    if (!taken) return;
    schedule_.cancel(taken->first);
    is_full_.store(schedule_.is_full(), std::memory_order_relaxed);
  }
  begin(0, std::move(taken->second), http::Traffic::kClient);
}

// On the fill's own worker. Ticket 0: it does not count as running here.
void FillQueue::begin(FillSchedule::Ticket ticket, Entry entry, http::Traffic traffic) {
  Executor& executor = entry.fill->executor();
  executor.post([life = life_, ticket, entry = std::move(entry), traffic] {
    Fill& fill = *entry.fill;
    if (ticket != 0) {
      fill.on_end([life, ticket, &fill](std::uint64_t bytes) {
        MutexLock lock(life->mutex);
        if (life->queue == nullptr) return;
        life->queue->on_ended(ticket, bytes, fill.state() == FillState::kFailed, fill.executor().mono_now());
      });
    }
    fill.start_queued(*entry.upstream, *entry.running, traffic);
  });
}

void FillQueue::on_ended(FillSchedule::Ticket ticket, std::uint64_t bytes, bool has_failed, MonoTime now) {
  {
    MutexLock lock(mutex_);
    schedule_.done(ticket, bytes, now);
    ++stats_.ended;
    if (has_failed) ++stats_.failed;
  }
  post_pump();
}

void FillQueue::post_pump() {
  if (pump_pending_.exchange(true, std::memory_order_acq_rel)) return;
  MutexLock lock(mutex_);
  if (home_ == nullptr) return;
  home_->post([life = life_] {
    MutexLock alive(life->mutex);
    if (life->queue != nullptr && life->queue->timer_) life->queue->pump();
  });
}

FillQueue::Entry FillQueue::remove(FillSchedule::Ticket ticket) {
  auto node = waiting_.extract(ticket);
  tickets_.erase(node.mapped().fill.get());
  waiting_bytes_ -= node.mapped().bytes;
  return std::move(node.mapped());
}

void FillQueue::pump() {
  pump_pending_.store(false, std::memory_order_release);
  std::vector<std::pair<FillSchedule::Ticket, Entry>> due;
  std::vector<Ref<Fill>> expired;
  {
    MutexLock lock(mutex_);
    if (home_ == nullptr) return;
    const MonoTime now = home_->mono_now();
    for (const FillSchedule::Ticket ticket : schedule_.expire(now)) {
      expired.push_back(remove(ticket).fill);
      ++stats_.expired;
    }
    bool is_careful = false;
    const auto blocked = waiting_.empty() ? std::nullopt : blocked_(now);
    if (!blocked) {
      while (const FillSchedule::Ticket ticket = schedule_.next(now)) {
        due.emplace_back(ticket, remove(ticket));
        ++stats_.begun;
        is_careful = careful_();
        if (is_careful) break;
      }
    }
    is_full_.store(schedule_.is_full(), std::memory_order_relaxed);
    auto wake = schedule_.next_wake(now);
    if (blocked) wake = now + std::clamp(*blocked, Millis{10}, kRecheck);
    if (is_careful) wake = now + kCarefulPause;
    if (wake) {
      home_->timers().arm(*timer_, *wake);
    } else {
      timer_->cancel();
    }
  }
  for (const Ref<Fill>& fill : expired) {
    fill->executor().post([fill] { fill->give_up({ErrorCode::kQueueTimeout, Side::kLocal}); });
  }
  for (auto& [ticket, entry] : due) begin(ticket, std::move(entry), http::Traffic::kBackground);
}

FillQueue::Stats FillQueue::stats(MonoTime now) const {
  MutexLock lock(mutex_);
  Stats copy = stats_;
  for (std::size_t i = 0; i < kFillClasses; ++i) copy.waiting[i] = schedule_.waiting(static_cast<FillClass>(i));
  copy.running = schedule_.running();
  copy.allowed = schedule_.allowed(now);
  copy.limit = schedule_.options().queue;
  copy.wait = {schedule_.wait_percentile(50), schedule_.wait_percentile(90), schedule_.wait_percentile(99)};
  return copy;
}

}  // namespace seawall::fill
