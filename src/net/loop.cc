#include "net/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace seawall::net {

struct Loop::Events {
  event wake;
  event wheel;
};

Loop::Loop(std::uint32_t worker_id, const Clock& clock)
    : worker_id_(worker_id),
      clock_(clock),
      base_(nullptr),
      events_(std::make_unique<Events>()),
      read_buffer_(std::make_unique<char[]>(kReadBufferBytes)),
      timers_(clock.mono_now()),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  event_config* config = event_config_new();
  SW_CHECK(config && wake_fd_, "no memory or descriptor for an event loop");
  // One thread per base, so no locks; and the environment must not choose a slower backend.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  SW_CHECK(base_, "no memory or descriptor for an event loop");

  event_assign(
      &events_->wake, base_, wake_fd_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* arg) { static_cast<Loop*>(arg)->take_mailbox(); }, this);
  event_add(&events_->wake, nullptr);
  // The event only ends the wait: turn() advances the wheel.
  event_assign(
      &events_->wheel, base_, -1, 0,
      [](evutil_socket_t, short, void* arg) {
        auto* loop = static_cast<Loop*>(arg);
        loop->wheel_wake_.reset();
        loop->seen_filings_ = loop->timers_.filings() - 1;
      },
      this);
}

Loop::~Loop() {
  // Whatever is destroyed here may post and defer more.
  owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  for (;;) {
    take_mailbox();
    if (tasks_.empty() && graveyard_.empty()) break;
    running_.swap(tasks_);
    running_.clear();
    sweep();
  }
  event_del(&events_->wake);
  event_del(&events_->wheel);
  event_base_free(base_);
}

void Loop::run() {
  owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  // What this thread posted before must come before what it posts now.
  take_mailbox();
  while (!stop_requested_.load(std::memory_order_acquire)) turn(Wait::kBlock);
  stop_requested_.store(false, std::memory_order_relaxed);
  owner_.store({}, std::memory_order_relaxed);
}

void Loop::stop() {
  stop_requested_.store(true, std::memory_order_release);
  if (!is_own_thread()) wake();
}

void Loop::turn(Wait wait) {
  SW_CHECK(!in_turn_, "a turn inside a turn");
  const std::thread::id outer = owner_.exchange(std::this_thread::get_id(), std::memory_order_relaxed);
  sweep();
  rearm_wheel();
  in_turn_ = true;
  time_is_stale_ = true;
  const bool poll = wait == Wait::kPoll || !tasks_.empty();
  event_base_loop(base_, poll ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
  timers_.advance(mono_now());
  run_tasks();
  sweep();
  in_turn_ = false;
  time_is_stale_ = true;
  owner_.store(outer, std::memory_order_relaxed);
}

void Loop::post(Task task) {
  if (is_own_thread()) {
    tasks_.push_back(std::move(task));
    return;
  }
  bool was_empty = false;
  {
    MutexLock lock(mailbox_mutex_);
    was_empty = mailbox_.empty();
    mailbox_.push_back(std::move(task));
  }
  if (was_empty) wake();
}

void Loop::wake() {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is full: the loop will wake all the same.
  while (::write(wake_fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Loop::take_mailbox() {
  std::uint64_t count = 0;
  // Read before the mailbox is emptied: a post in between writes again.
  while (::read(wake_fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {
  }
  MutexLock lock(mailbox_mutex_);
  for (Task& task : mailbox_) tasks_.push_back(std::move(task));
  mailbox_.clear();
}

void Loop::run_tasks() {
  // Only what is there now: tasks that post tasks must not keep sockets waiting.
  running_.swap(tasks_);
  for (Task& task : running_) {
    task();
    task = nullptr;
  }
  running_.clear();
}

void Loop::sweep() {
  while (!graveyard_.empty()) {
    sweeping_.swap(graveyard_);
    sweeping_.clear();
  }
}

void Loop::sample_time() const {
  mono_now_ = clock_.mono_now();
  wall_now_ = clock_.wall_now();
  time_is_stale_ = !in_turn_;  // nobody marks it stale while no turn runs
}

void Loop::rearm_wheel() {
  if (timers_.filings() == seen_filings_) return;
  seen_filings_ = timers_.filings();
  const auto next = timers_.next_deadline();
  if (!next || (wheel_wake_ && *wheel_wake_ <= *next)) return;
  wheel_wake_ = next;
  // Rounded up to what epoll can wait for. libevent's coarse clock may still wake us early; then this is asked again.
  const std::int64_t wait_us = std::max<std::int64_t>((*next - mono_now()).count(), 0) / 1000 * 1000 + 1000;
  const timeval tv{.tv_sec = wait_us / 1'000'000, .tv_usec = wait_us % 1'000'000};
  event_add(&events_->wheel, &tv);
}

// Two events, so that write interest comes and goes with one epoll_ctl. Most sockets never wait to be written to, and
// all are many: the second is made when it is first asked for.
struct FdWatcher::Impl {
  FdHandler& handler;
  event read{};
  std::unique_ptr<event> write;
  bool is_reading = false;
  bool is_writing = false;

  explicit Impl(FdHandler& h) : handler(h) {}

  void make_write() {
    write = std::make_unique<event>();
    event_assign(
        write.get(), event_get_base(&read), event_get_fd(&read), EV_WRITE | EV_PERSIST,
        [](evutil_socket_t, short, void* arg) { static_cast<Impl*>(arg)->handler.on_fd_ready(false, true); }, this);
  }

  static void set(event& e, bool want) {
    // If the kernel refuses for want of memory, the connection falls silent and its timeout ends it.
    if (want) {
      event_add(&e, nullptr);
    } else {
      event_del(&e);
    }
  }
};

FdWatcher::FdWatcher(Loop& loop, int fd, FdHandler& handler) : impl_(std::make_unique<Impl>(handler)) {
  event_assign(
      &impl_->read, loop.base(), fd, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* arg) { static_cast<Impl*>(arg)->handler.on_fd_ready(true, false); },
      impl_.get());
}

FdWatcher::~FdWatcher() {
  watch(false, false);
}

void FdWatcher::watch(bool read, bool write) {
  if (std::exchange(impl_->is_reading, read) != read) Impl::set(impl_->read, read);
  if (std::exchange(impl_->is_writing, write) == write) return;
  if (!impl_->write) impl_->make_write();
  Impl::set(*impl_->write, write);
}

bool FdWatcher::watches_read() const {
  return impl_->is_reading;
}
bool FdWatcher::watches_write() const {
  return impl_->is_writing;
}

}  // namespace seawall::net
