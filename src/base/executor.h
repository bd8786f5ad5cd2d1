// What a worker offers to those who must not know the event loop: its identity, its time, its timers and its
// mailbox. net/loop implements it; tests pump one by hand.
#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/timer_wheel.h"

namespace seawall {

using Task = std::move_only_function<void()>;

class Executor {
 public:
  virtual ~Executor() = default;

  // 0 .. workers-1.
  virtual std::uint32_t worker_id() const = 0;
  // Runs the task on this worker in a later turn, in order of posting. Thread: any.
  virtual void post(Task task) = 0;

  // Thread: this worker only, for all below. `now` is sampled once per turn.
  virtual MonoTime mono_now() const = 0;
  virtual WallTime wall_now() const = 0;
  virtual TimerWheel& timers() = 0;
};

}  // namespace seawall
