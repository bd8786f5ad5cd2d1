// A function that may have to wait, as a coroutine. It runs as part of its call until it waits for the first time, so
// one that never waits is a call like any other. Whoever awaits it goes on when it has returned, on the thread that
// resumed it. It awaits by name only:
//   Async<int> size = size_of(file);
//   const int n = co_await size;
// for g++ 12 destroys aggregates once too often that are made for a call within an expression with co_await.
// Thread: one at a time.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/check.h"

namespace seawall {

template <typename T>
struct AsyncResult {
  std::optional<T> result;
  void return_value(T value) { result.emplace(std::move(value)); }
  T take() { return *std::move(result); }
};

template <>
struct AsyncResult<void> {
  void return_void() {}
  void take() {}
};

template <typename T>
class [[nodiscard]] Async {
 public:
  struct promise_type : AsyncResult<T> {
    Async get_return_object() { return Async(Handle::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Resume {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(Handle ended) noexcept { return ended.promise().awaiting; }
        void await_resume() noexcept {}
      };
      return Resume{};
    }
    [[noreturn]] void unhandled_exception() { std::terminate(); }

    std::coroutine_handle<> awaiting = std::noop_coroutine();
  };

  Async(Async&& o) noexcept : handle_(std::exchange(o.handle_, nullptr)) {}
  Async& operator=(Async&& o) noexcept {
    std::swap(handle_, o.handle_);
    return *this;
  }
  // What it waits for may still write to what it owns.
  ~Async() {
    if (!handle_) return;
    SW_CHECK(handle_.done(), "a coroutine is destroyed while it waits");
    handle_.destroy();
  }

  bool is_done() const { return handle_.done(); }
  // Once it is done.
  T take() {
    SW_CHECK(is_done(), "a coroutine has no result yet");
    return handle_.promise().take();
  }

  auto operator co_await() & {
    struct Await {
      Handle handle;
      bool await_ready() const { return handle.done(); }
      void await_suspend(std::coroutine_handle<> awaiting) { handle.promise().awaiting = awaiting; }
      T await_resume() { return handle.promise().take(); }
    };
    return Await{handle_};
  }

 private:
  using Handle = std::coroutine_handle<promise_type>;
  explicit Async(Handle handle) : handle_(handle) {}

  Handle handle_;
};

}  // namespace seawall
