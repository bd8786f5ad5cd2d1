#include "disk/read_ring.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace seawall::disk {

namespace {

// 0, or what stands in the way of more than the making of a ring: the kernel is too old, or forbids to use one.
int probe() {
  io_uring ring{};
  if (const int rc = io_uring_queue_init(1, &ring, 0); rc < 0) return -rc;
  io_uring_probe* known = io_uring_get_probe_ring(&ring);
  int error = known != nullptr && io_uring_opcode_supported(known, IORING_OP_READ) != 0 ? 0 : ENOSYS;
  io_uring_free_probe(known);
  if (error == 0) {
    io_uring_prep_nop(io_uring_get_sqe(&ring));
    if (const int rc = io_uring_submit_and_wait(&ring, 1); rc < 0) error = -rc;
  }
  io_uring_queue_exit(&ring);
  return error;
}

}  // namespace

IoResult<std::unique_ptr<ReadRing>> ReadRing::create() {
  if (const int error = probe()) return std::unexpected(error);
  Fd wakeup(::eventfd(0, EFD_CLOEXEC));
  if (!wakeup) return std::unexpected(errno);
  io_uring ring{};
  // Completions cost least where the kernel knows that one thread does all; which one it learns by being enabled.
  int rc = io_uring_queue_init(kEntries, &ring,
                               IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED);
  const bool is_old = rc == -EINVAL;
  if (is_old) rc = io_uring_queue_init(kEntries, &ring, 0);
  if (rc < 0) return std::unexpected(-rc);
  std::unique_ptr<ReadRing> made(new ReadRing(ring, std::move(wakeup)));
  made->is_enabled_ = is_old;
  return made;
}

ReadRing::~ReadRing() {
  SW_CHECK(reads_ == 0 && !awaits_wakeup_, "a ring is destroyed while the kernel may write");
  io_uring_queue_exit(&ring_);
}

io_uring_sqe& ReadRing::prepare(int descriptor, std::span<char> into, std::uint64_t offset, FileRead* data) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  SW_CHECK(entry != nullptr, "there is an entry for each read");
  const std::size_t most = 1 << 30;  // an entry counts in 32 bits
  io_uring_prep_read(entry, descriptor, into.data(), static_cast<unsigned>(std::min(into.size(), most)), offset);
  io_uring_sqe_set_data(entry, data);
  return *entry;
}

void ReadRing::submit(FileRead& read, unsigned flags) {
  const std::size_t done = *read.result_;
  prepare(read.file_.descriptor(), read.into_.subspan(done), read.offset_ + done, &read).flags |=
      static_cast<std::uint8_t>(flags);
}

void ReadRing::start(FileRead& read) {
  ++reads_;
  bytes_ += read.into_.size();
  submit(read, 0);
}

void ReadRing::wait() {
  if (!is_enabled_) {
    // As io_uring_enable_rings() does, which the library of liburing 2.3 lacks.
    const int rc = io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    SW_CHECK(rc == 0, std::strerror(-rc));
    is_enabled_ = true;
  }
  if (!awaits_wakeup_) {
    prepare(wakeup_.get(), std::span(reinterpret_cast<char*>(&wakeups_), sizeof wakeups_), 0, nullptr);
    awaits_wakeup_ = true;
  }
  const int rc = io_uring_submit_and_wait(&ring_, 1);
  if (rc >= 0 || rc == -EINTR) return;
  SW_CHECK(rc == -EAGAIN || rc == -EBUSY, std::strerror(-rc));
  std::this_thread::yield();  // the kernel is short of memory
}

void ReadRing::resume() {
  std::array<io_uring_cqe*, kEntries> ended{};
  const unsigned count = io_uring_peek_batch_cqe(&ring_, ended.data(), kEntries);
  for (const io_uring_cqe* entry : std::span(ended).first(count)) {
    on_completion(static_cast<FileRead*>(io_uring_cqe_get_data(entry)), entry->res);
  }
  io_uring_cq_advance(&ring_, count);
}

void ReadRing::on_completion(FileRead* read, int result) {
  if (read == nullptr) {
    awaits_wakeup_ = false;
    return;
  }
  if (result == -EINTR || result == -EAGAIN) return submit(*read, IOSQE_ASYNC);
  if (result > 0) {
    *read->result_ += static_cast<std::size_t>(result);
    // Less than asked for is not yet the end of the file.
    if (*read->result_ < read->into_.size()) return submit(*read, 0);
  } else if (result < 0) {
    read->result_ = std::unexpected(-result);
  }
  --reads_;
  bytes_ -= read->into_.size();
  read->reader_.resume();
}

void ReadRing::wake() {
  std::ignore = ::eventfd_write(wakeup_.get(), 1);  // fails only when it was called 2^64 times meanwhile
}

void ReadRing::close() {
  if (!awaits_wakeup_) return;
  wake();
  while (awaits_wakeup_) {
    wait();
    resume();
  }
}

bool FileRead::await_ready() {
  if (ring_ != nullptr && file_.descriptor() >= 0 && !into_.empty()) return false;
  result_ = file_.read(offset_, into_);
  return true;
}

void FileRead::await_suspend(std::coroutine_handle<> reader) {
  reader_ = reader;
  ring_->start(*this);
}

}  // namespace seawall::disk
