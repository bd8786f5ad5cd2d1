// std::mutex with clang's thread-safety annotations (libstdc++ carries none). GCC sees plain mutexes.
#pragma once

#include <mutex>

#if defined(__clang__)
#define SW_TSA(x) __attribute__((x))
#else
#define SW_TSA(x)
#endif
#define SW_CAPABILITY(name) SW_TSA(capability(name))
#define SW_SCOPED_CAPABILITY SW_TSA(scoped_lockable)
#define SW_GUARDED_BY(m) SW_TSA(guarded_by(m))
#define SW_REQUIRES(m) SW_TSA(requires_capability(m))
#define SW_EXCLUDES(m) SW_TSA(locks_excluded(m))
#define SW_ACQUIRE(...) SW_TSA(acquire_capability(__VA_ARGS__))
#define SW_TRY_ACQUIRE(...) SW_TSA(try_acquire_capability(__VA_ARGS__))
#define SW_RELEASE(...) SW_TSA(release_capability(__VA_ARGS__))

namespace seawall {

class SW_CAPABILITY("mutex") Mutex {
 public:
  void lock() SW_ACQUIRE() { m_.lock(); }
  bool try_lock() SW_TRY_ACQUIRE(true) { return m_.try_lock(); }
  void unlock() SW_RELEASE() { m_.unlock(); }

 private:
  std::mutex m_;
};

class SW_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& m) SW_ACQUIRE(m) : m_(m) { m_.lock(); }
  ~MutexLock() SW_RELEASE() { m_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& m_;
};

}  // namespace seawall
