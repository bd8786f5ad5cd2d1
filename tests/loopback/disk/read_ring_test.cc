// Reading through io_uring: what the kernel does with files and pipes, who waits for it, and the tier that has it or
// not.
#include "disk/read_ring.h"

#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <thread>

#include "disk/read_pool.h"
#include "loopback/disk/disk_bench.h"
#include "support/temporary_directory.h"

namespace {

using namespace seawall;
using namespace seawall::test;
using disk::FileRead;
using disk::ReadRing;
using disk::ReadStatus;

// A file of the kernel's that cannot be read but through a ring.
class RingFile final : public disk::File {
 public:
  explicit RingFile(int descriptor) : descriptor_(descriptor) {}
  disk::IoResult<std::size_t> read(std::uint64_t, std::span<char>) override { return std::unexpected(ENOTSUP); }
  disk::IoResult<void> write(std::uint64_t, std::string_view) override { return std::unexpected(ENOTSUP); }
  disk::IoResult<void> sync() override { return std::unexpected(ENOTSUP); }
  disk::IoResult<void> allocate(std::uint64_t, bool) override { return std::unexpected(ENOTSUP); }
  disk::IoResult<void> truncate(std::uint64_t) override { return std::unexpected(ENOTSUP); }
  disk::IoResult<std::uint64_t> size() override { return std::unexpected(ENOTSUP); }
  int descriptor() const override { return descriptor_; }

 private:
  const int descriptor_;
};

// Hangs until it is written to, or ended.
class Pipe {
 public:
  Pipe() { BOOST_REQUIRE(::pipe(ends_.data()) == 0); }
  ~Pipe() {
    ::close(ends_[0]);
    end();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reading_end() const { return ends_[0]; }
  void write(std::string_view bytes) const {
    BOOST_REQUIRE(::write(ends_[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void end() {
    if (const int end = std::exchange(ends_[1], -1); end >= 0) ::close(end);
  }

 private:
  std::array<int, 2> ends_{};
};

Async<std::string> read_text(ReadRing* ring, disk::File& file, std::uint64_t offset, std::size_t size) {
  std::string into(size, '\0');
  FileRead read(ring, file, offset, into);
  const auto n = co_await read;
  if (!n) co_return "error " + std::to_string(n.error());
  into.resize(*n);
  co_return into;
}

struct PipeJob final : disk::ReadJob {
  explicit PipeJob(const Pipe& pipe, std::size_t size = 5) : file(pipe.reading_end()), size(size) {}

  Async<void> work(ReadRing* ring) override {
    auto reading = read_text(ring, file, 0, size);
    begun.count_down();
    text = co_await reading;
    if (take_answer()) answer = ReadStatus::kOk;
  }
  void fail(ReadStatus status) override {
    if (take_answer()) answer = status;
  }

  RingFile file;
  const std::size_t size;
  std::latch begun{1};
  std::string text;
  std::optional<ReadStatus> answer;
};

bool has_rings() {
  static const auto ring = ReadRing::create();
  if (!ring) BOOST_TEST_MESSAGE("skipped: the kernel refuses io_uring: " + disk::error_text(ring.error()));
  return ring.has_value();
}
boost::test_tools::assertion_result kernel_has_rings(boost::unit_test::test_unit_id) {
  return has_rings();
}

struct PoolFixture {
  PoolFixture() {
    std::vector<std::unique_ptr<ReadRing>> rings;
    rings.push_back(std::move(*ReadRing::create()));
    pool.use(std::move(rings));
    thread = std::jthread([this] { pool.run(); });
  }

  SharedClock clock;
  disk::ReadPool pool{clock, 100, Millis(1000)};
  std::jthread thread;
};

struct RealTier {
  explicit RealTier(const std::string& directory) : executor(clock) {
    disk::TierOptions o;
    o.volumes = {{.path = directory, .capacity_bytes = disk::kMinVolumeBytes}};
    o.clock = &clock;
    o.flush_interval = Millis(1);
    o.read_deadline = Millis(60'000);  // under a sanitizer all of them at once take their time
    o.read_backend = disk::ReadBackend::kIoUring;
    tier = std::move(*disk::Tier::open(std::move(o)));
    executor.run_until([this] { return tier->is_loaded(); });
  }

  SystemClock clock;
  WaitingExecutor executor;
  std::unique_ptr<disk::Tier> tier;
};

std::string noise(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_read_ring, *boost::unit_test::precondition(kernel_has_rings))

BOOST_AUTO_TEST_CASE(files_are_read_to_their_end) {
  TemporaryDirectory directory;
  const std::string content = noise(300'000, 1);
  const auto file = disk::posix_file_system().open(directory.write("file", content), disk::OpenMode::kRead);
  BOOST_TEST_REQUIRE(file.has_value());
  const auto ring = std::move(*ReadRing::create());
  struct Row {
    const char* name;
    std::uint64_t offset;
    std::size_t size;
    std::string want;
  };
  const Row rows[] = {
      {"all", 0, 300'000, content},
      {"a part", 4096, 10'000, content.substr(4096, 10'000)},
      {"across the end", 290'001, 50'000, content.substr(290'001)},
      {"past the end", 300'000, 10, ""},
      {"nothing", 0, 0, ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      auto reading = read_text(ring.get(), **file, row.offset, row.size);
      while (!reading.is_done()) ring->wait(), ring->resume();
      BOOST_TEST((reading.take() == row.want));
    }
  }
  ring->close();
}

BOOST_AUTO_TEST_CASE(the_rest_of_a_short_read_is_asked_for) {
  const Pipe pipe;
  RingFile file(pipe.reading_end());
  const auto ring = std::move(*ReadRing::create());
  pipe.write("abc");
  auto reading = read_text(ring.get(), file, 0, 5);
  ring->wait(), ring->resume();
  BOOST_TEST(!reading.is_done());
  pipe.write("de");
  while (!reading.is_done()) ring->wait(), ring->resume();
  BOOST_TEST(reading.take() == "abcde");
  ring->close();
}

BOOST_AUTO_TEST_CASE(errors_are_those_of_the_kernel) {
  TemporaryDirectory directory;
  RingFile none(9999);
  const auto ring = std::move(*ReadRing::create());
  auto reading = read_text(ring.get(), none, 0, 10);
  while (!reading.is_done()) ring->wait(), ring->resume();
  BOOST_TEST(reading.take() == "error " + std::to_string(EBADF));
  ring->close();
}

BOOST_AUTO_TEST_CASE(what_has_no_descriptor_is_read_on_the_spot) {
  RingFile none(-1);
  const auto ring = std::move(*ReadRing::create());
  BOOST_TEST(read_text(ring.get(), none, 0, 10).take() == "error " + std::to_string(ENOTSUP));
}

BOOST_AUTO_TEST_CASE(as_much_is_on_its_way_as_there_is_room_for) {
  const Pipe pipe;
  RingFile file(pipe.reading_end());
  const auto ring = std::move(*ReadRing::create());
  std::vector<Async<std::string>> readings;
  readings.reserve(100);
  while (!ring->is_full() && readings.size() < 100) readings.push_back(read_text(ring.get(), file, 0, 1));
  BOOST_TEST(readings.size() == 63U);
  // They come in any order.
  pipe.write(std::string(63, 'x'));
  const auto is_done = [](const auto& reading) { return reading.is_done(); };
  while (!std::ranges::all_of(readings, is_done)) ring->wait(), ring->resume();
  for (auto& reading : readings) BOOST_TEST(reading.take() == "x");
  BOOST_TEST(!ring->is_full());
  {
    auto large = read_text(ring.get(), file, 0, 16 << 20);
    BOOST_TEST(ring->is_full());
    for (int i = 0; i < 256; ++i) {
      // Not more than what a pipe holds.
      std::thread writer([&] { pipe.write(std::string(64 << 10, 'y')); });
      ring->wait(), ring->resume();
      writer.join();
    }
    while (!large.is_done()) ring->wait(), ring->resume();
    BOOST_TEST(large.take().size() == std::size_t{16} << 20);
  }
  ring->close();
}

BOOST_AUTO_TEST_CASE(it_can_be_woken) {
  const auto ring = std::move(*ReadRing::create());
  for (int i = 0; i < 3; ++i) {
    std::thread other([&] { ring->wake(); });
    ring->wait();
    ring->resume();
    other.join();
  }
  ring->close();
}

BOOST_FIXTURE_TEST_CASE(past_its_deadline_a_read_is_answered_and_its_buffer_stays, PoolFixture) {
  const Pipe pipe;
  auto job = std::make_shared<PipeJob>(pipe);
  pool.submit(job);
  job->begun.wait();
  BOOST_TEST(pool.waiting() == 1U);
  clock.advance(Millis(1001));
  BOOST_TEST(pool.expire().count() >= 1'001'000);
  BOOST_TEST((job->answer == ReadStatus::kTimeout));
  // Nobody else wants it; the kernel still does.
  const std::weak_ptr<PipeJob> watched = std::exchange(job, nullptr);
  BOOST_TEST(!watched.expired());
  pipe.write("late!");
  pool.close();
  thread.join();
  BOOST_TEST(watched.expired());
  BOOST_TEST(pool.waiting() == 0U);
}

BOOST_FIXTURE_TEST_CASE(closing_waits_for_what_is_on_its_way, PoolFixture) {
  const Pipe pipe;
  const auto job = std::make_shared<PipeJob>(pipe);
  pool.submit(job);
  job->begun.wait();
  pool.close();
  const auto late = std::make_shared<PipeJob>(pipe);
  pool.submit(late);
  BOOST_TEST((late->answer == ReadStatus::kClosed));
  BOOST_TEST(pool.waiting() == 1U);
  pipe.write("abcde");
  thread.join();
  BOOST_TEST((job->answer == ReadStatus::kOk));
  BOOST_TEST(job->text == "abcde");
}

BOOST_FIXTURE_TEST_CASE(a_read_that_hangs_holds_up_no_other, PoolFixture) {
  const Pipe hangs;
  const Pipe answers;
  const auto first = std::make_shared<PipeJob>(hangs);
  pool.submit(first);
  first->begun.wait();
  const auto second = std::make_shared<PipeJob>(answers);
  pool.submit(second);
  second->begun.wait();
  answers.write("quick");
  while (pool.waiting() > 1) std::this_thread::yield();
  BOOST_TEST(second->text == "quick");
  pool.fail_all(ReadStatus::kFailed);
  BOOST_TEST((first->answer == ReadStatus::kFailed));
  hangs.write("slow.");
  pool.close();
  thread.join();
}

BOOST_AUTO_TEST_CASE(a_ring_that_is_full_leaves_the_rest_to_another) {
  SharedClock clock;
  disk::ReadPool pool{clock, 100, Millis(1000)};
  std::vector<std::unique_ptr<ReadRing>> rings;
  for (int i = 0; i < 2; ++i) rings.push_back(std::move(*ReadRing::create()));
  pool.use(std::move(rings));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back([&] { pool.run(); });
  Pipe hangs;
  const Pipe answers;
  const auto large = std::make_shared<PipeJob>(hangs, std::size_t{16} << 20);
  pool.submit(large);
  large->begun.wait();
  const auto small = std::make_shared<PipeJob>(answers);
  pool.submit(small);
  small->begun.wait();
  answers.write("quick");
  while (pool.waiting() > 1) std::this_thread::yield();
  BOOST_TEST(small->text == "quick");
  hangs.end();
  pool.close();
}

BOOST_AUTO_TEST_CASE(many_records_of_real_files_at_once) {
  TemporaryDirectory directory;
  const auto body_of = [](std::uint64_t key) { return noise(key % 5 == 0 ? 700'000 : 1 + key * 37 % 90'000, key); };
  constexpr std::uint64_t kKeys = 60;
  const DiskBench naming(1);
  {
    RealTier t(directory.path());
    std::size_t stored = 0;
    for (std::uint64_t key = 1; key <= kKeys; ++key) {
      t.tier->put(naming.meta(key), "head", chain_of(body_of(key)), &t.executor,
                  [&](disk::PutResult r) { stored += r.status == disk::PutStatus::kStored; });
    }
    t.executor.run_until([&] { return stored == kKeys; });
  }
  RealTier t(directory.path());
  BOOST_TEST((t.tier->stats().volumes[0].read_backend == disk::ReadBackend::kIoUring));
  std::size_t read = 0;
  std::vector<disk::Pending> pending;
  for (std::uint64_t round = 0; round < 5; ++round) {
    for (std::uint64_t key = 1; key <= kKeys; ++key) {
      const auto found = t.tier->find(key);
      BOOST_TEST_REQUIRE(found.size() == 1U);
      pending.push_back(t.tier->read(found[0], ~std::uint64_t{0}, nullptr, t.executor,
                                     [&, key](ReadStatus status, disk::StoredHead head, SliceChain body) {
                                       ++read;
                                       BOOST_TEST((status == ReadStatus::kOk));
                                       BOOST_TEST(head.head.view() == "head");
                                       BOOST_TEST((text_of(body) == body_of(key)));
                                     }));
    }
  }
  t.executor.run_until([&] { return read == 5 * kKeys; });
  BOOST_TEST(t.tier->stats().reads == 5 * kKeys);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(disk_read_backend)

BOOST_AUTO_TEST_CASE(a_refusal_is_said_and_threads_read) {
  struct Row {
    int error;
    const char* says;
  };
  const Row rows[] = {{ENOSYS, "older than Linux 5.6"},
                      {EPERM, "kernel.io_uring_disabled, or a seccomp filter"},
                      {ENOMEM, "RLIMIT_MEMLOCK"},
                      {EMFILE, "Too many open files"}};
  for (const Row& row : rows) {
    DiskBench bench(1, 2);
    bench.options.read_backend = disk::ReadBackend::kIoUring;
    bench.disk.refuse_rings(row.error);
    BOOST_TEST_REQUIRE(bench.open() == "");
    BOOST_TEST_REQUIRE(bench.log.size() == 1U);
    BOOST_TEST(bench.log[0].starts_with("disk cache: no io_uring, reading with threads: "), bench.log[0]);
    BOOST_TEST(bench.log[0].find(row.says) != std::string::npos, bench.log[0]);
    for (const auto& volume : bench.tier->stats().volumes) {
      BOOST_TEST((volume.read_backend == disk::ReadBackend::kThreads));
    }
    bench.put(bench.meta(1), "head", "body");
    BOOST_TEST(bench.get(1) == "body");
  }
}

BOOST_AUTO_TEST_CASE(it_is_said_when_it_is_used, *boost::unit_test::precondition(kernel_has_rings)) {
  DiskBench bench(1, 2);
  bench.options.read_backend = disk::ReadBackend::kIoUring;
  BOOST_TEST_REQUIRE(bench.open() == "");
  BOOST_TEST(bench.log == std::vector<std::string>{"disk cache: reading with io_uring"},
             boost::test_tools::per_element());
  for (const auto& volume : bench.tier->stats().volumes) {
    BOOST_TEST((volume.read_backend == disk::ReadBackend::kIoUring));
  }
}

BOOST_AUTO_TEST_CASE(threads_are_not_worth_a_line) {
  DiskBench bench(1);
  bench.options.read_backend = disk::ReadBackend::kThreads;
  BOOST_TEST_REQUIRE(bench.open() == "");
  BOOST_TEST(bench.log.empty());
}

BOOST_AUTO_TEST_SUITE_END()
