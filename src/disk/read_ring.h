// Reads of files that do not hold up who asks for them: one io_uring, and the coroutines that wait for it.
// Thread: one, from the first start() on; create() and wake(): any.
#pragma once

#include <liburing.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/fd.h"
#include "disk/file_system.h"

namespace seawall::disk {

class FileRead;

class ReadRing {
 public:
  // Or why the kernel refuses, all it needs included.
  static IoResult<std::unique_ptr<ReadRing>> create();
  // After close(), or before any start().
  ~ReadRing();
  ReadRing(const ReadRing&) = delete;
  ReadRing& operator=(const ReadRing&) = delete;

  // More would be too much at once: no read is started then.
  bool is_full() const { return reads_ == kMaxReads || bytes_ >= kMaxBytes; }
  // The read is not destroyed before it is resumed, nor is what it reads into.
  void start(FileRead& read);
  // Hands what was started to the kernel, and waits until a read is done or wake() is called. It may also return
  // without.
  void wait();
  // Those whose reads are done go on.
  void resume();
  void wake();
  // Once nothing is being read; afterwards the kernel has nothing to do with it.
  void close();

 private:
  static constexpr std::size_t kMaxReads = 63;
  static constexpr std::size_t kMaxBytes = 16 << 20;
  static constexpr unsigned kEntries = kMaxReads + 1;  // each once, and the wake-up

  ReadRing(const io_uring& ring, Fd wakeup) : ring_(ring), wakeup_(std::move(wakeup)) {}
  // Null data: the wake-up.
  io_uring_sqe& prepare(int descriptor, std::span<char> into, std::uint64_t offset, FileRead* data);
  void submit(FileRead& read, unsigned flags);
  void on_completion(FileRead* read, int result);

  io_uring ring_;
  const Fd wakeup_;  // an eventfd
  std::uint64_t wakeups_ = 0;
  bool is_enabled_ = false;
  bool awaits_wakeup_ = false;
  std::size_t reads_ = 0;
  std::size_t bytes_ = 0;
};

// To be awaited, once: File::read() by way of the ring, or on the spot where there is no ring, or the file is none of
// the kernel's.
class FileRead {
 public:
  FileRead(ReadRing* ring, File& file, std::uint64_t offset, std::span<char> into)
      : ring_(ring), file_(file), offset_(offset), into_(into) {}

  bool await_ready();
  void await_suspend(std::coroutine_handle<> reader);
  IoResult<std::size_t> await_resume() const { return result_; }

 private:
  friend class ReadRing;

  ReadRing* ring_;
  File& file_;
  const std::uint64_t offset_;
  const std::span<char> into_;
  IoResult<std::size_t> result_ = 0;
  std::coroutine_handle<> reader_;
};

}  // namespace seawall::disk
