// The disk tier by itself, on a directory: fill and read rates beside those of plain writes and reads of one file, a
// restart with many objects, what lz4 gains, and what a read costs with each way of reading.
// usage: disk DIRECTORY [OBJECTS]   (the directory is emptied of what the tier wrote before; default 1000000 objects)

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <thread>
#include <tuple>
#include <vector>

#include "base/fd.h"
#include "disk/tier.h"
#include "support/waiting_executor.h"

namespace {

using namespace seawall;
using Time = std::chrono::steady_clock;

double since(Time::time_point start) {
  return std::chrono::duration<double>(Time::now() - start).count();
}

// Of all threads of the process, those that the kernel has for it included.
double processor_seconds() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

std::string noise(std::size_t size, std::uint64_t seed) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    std::memcpy(out.data() + i, &seed, 8);
  }
  return out;
}

std::string text(std::size_t size) {
  std::string out;
  for (std::uint64_t n = 1; out.size() < size; n = n * 7919 % 1'000'003) {
    out += "<li class=\"item\"><a href=\"/p/" + std::to_string(n) + "\">Product " + std::to_string(n % 977) +
           "</a></li>\n";
  }
  out.resize(size);
  return out;
}

constexpr std::uint64_t kCapacity = 8ULL << 30;
constexpr std::size_t kMiB = 1 << 20;
// How many reads are under way at once.
constexpr std::size_t kDepths[] = {1, 4, 16};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "disk bench: %s\n", why.c_str());
  std::exit(1);
}

void drop_from_page_cache(int file) {
  ::fdatasync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
}

std::uint64_t next_random(std::uint64_t& x) {
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return x;
}

// What the same disk gives to whoever asks the kernel plainly, MB/s: one file, written as the tier writes its segments,
// in order and synced every 64 MiB; read at random places by as many threads as reads are under way.
class Raw {
 public:
  explicit Raw(const std::string& directory) : path_(directory + "/raw") {}

  void measure() {
    file_ = Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file_ || ::posix_fallocate(file_.get(), 0, kWritten * kMiB) != 0) fail("no room in " + path_);
    write();
    for (const bool is_warm : {false, true}) {
      for (const std::size_t size : {kMiB, kMiB / 64}) {
        for (const std::size_t depth : kDepths) read(size, is_warm, depth);
      }
    }
    file_ = {};
    std::filesystem::remove(path_);
  }
  double written() const { return written_; }
  double read_of(std::size_t size, bool is_warm, std::size_t depth) const { return read_.at({size, is_warm, depth}); }

 private:
  static constexpr std::size_t kWritten = 3000;  // MiB
  static constexpr std::size_t kRead = 1000;     // of these, so that they fit the page cache

  void write() {
    const std::string block = noise(kMiB, 4);
    const auto start = Time::now();
    for (std::size_t n = 0; n < kWritten; ++n) {
      if (::pwrite(file_.get(), block.data(), kMiB, static_cast<off_t>(n * kMiB)) != kMiB)
        fail("cannot write " + path_);
      if (n % 64 == 63) ::fdatasync(file_.get());
    }
    ::fdatasync(file_.get());
    written_ = static_cast<double>(kWritten * kMiB) / since(start) / 1e6;
    std::printf("raw: written %.0f MB/s\n", written_);
  }
  void read(std::size_t size, bool is_warm, std::size_t depth) {
    std::string all(kMiB, '\0');
    if (!is_warm) drop_from_page_cache(file_.get());
    for (std::size_t n = 0; is_warm && n < kRead; ++n) read_one(all, n * kMiB);
    const std::size_t count = (is_warm ? 1000 : 200) * (size < kMiB ? 16 : 1) / depth;  // of each thread
    const auto start = Time::now();
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < depth; ++i) {
        threads.emplace_back([&, random = std::uint64_t{88172645463325252} + i] mutable {
          std::string buffer(size, '\0');
          for (std::size_t n = 0; n < count; ++n) read_one(buffer, next_random(random) % (kRead * kMiB / size) * size);
        });
      }
    }
    const double rate = static_cast<double>(depth * count * size) / since(start) / 1e6;
    read_[{size, is_warm, depth}] = rate;
    std::printf("raw: read %zu KiB, %s, depth %zu: %.0f MB/s\n", size / 1024, is_warm ? "warm" : "cold", depth, rate);
  }
  void read_one(std::string& buffer, std::size_t at) {
    if (::pread(file_.get(), buffer.data(), buffer.size(), static_cast<off_t>(at)) < 0) fail("cannot read " + path_);
  }

  std::string path_;
  Fd file_;
  double written_ = 0;
  std::map<std::tuple<std::size_t, bool, std::size_t>, double> read_;
};

struct Bench {
  explicit Bench(std::string directory) : path(std::move(directory)), executor(clock), raw(path) {}

  void open(std::uint64_t capacity, disk::ReadBackend backend = disk::ReadBackend::kThreads) {
    disk::TierOptions o;
    o.read_backend = backend;
    o.volumes = {{.path = path, .capacity_bytes = capacity}};
    o.clock = &clock;
    o.log = [](disk::LogLevel, const std::string& line) { std::printf("log: %s\n", line.c_str()); };
    const auto start = Time::now();
    auto opened = disk::Tier::open(std::move(o));
    if (!opened) fail(opened.error());
    tier = std::move(*opened);
    const double ready = since(start);
    if (!tier->await_loaded(std::chrono::minutes(10))) fail("it is not loaded");
    std::printf("open: ready after %.1f ms, loaded after %.1f ms, %llu objects\n", ready * 1e3, since(start) * 1e3,
                static_cast<unsigned long long>(tier->stats().objects));
  }
  void clear() {
    tier.reset();
    for (const auto& entry : std::filesystem::directory_iterator(path)) std::filesystem::remove(entry.path());
  }
  // Out of the page cache.
  void drop_caches() {
    sync();
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      const Fd file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
      drop_from_page_cache(file.get());
    }
  }
  // What was filled in, by each way in turn, so that what else the machine does meets both.
  void compare(const std::string& name, std::size_t raw_size, std::uint64_t keys, std::uint64_t cold_reads,
               std::uint64_t warm_reads) {
    for (const bool is_warm : {false, true}) {
      for (const std::size_t depth : kDepths) {
        for (const auto backend : {disk::ReadBackend::kThreads, disk::ReadBackend::kIoUring}) {
          tier.reset();
          open(kCapacity, backend);
          if (tier->stats().volumes[0].read_backend != backend) fail("the kernel refuses io_uring");
          if (is_warm) {
            for (std::uint64_t n = 0; n < keys; ++n) read_one(n);
          } else {
            drop_caches();
          }
          const std::string how = name + (is_warm ? ", warm, " : ", cold, ") + std::string(to_string(backend));
          read(how.c_str(), is_warm ? warm_reads : cold_reads, keys, depth, raw.read_of(raw_size, is_warm, depth));
        }
      }
    }
  }
  void read_one(std::uint64_t n) {
    const auto found = tier->find(meta(n).hash);
    if (found.empty()) return;
    bool done = false;
    tier->read(found[0], ~std::uint64_t{0}, nullptr, executor,
               [&](disk::ReadStatus, disk::StoredHead, SliceChain) { done = true; })
        .detach();
    executor.run_until([&] { return done; });
  }
  disk::Meta meta(std::uint64_t n) {
    disk::Meta m;
    m.hash = n * 0x9e3779b97f4a7c15ULL;
    m.key = "http://shop.example.com/products/" + std::to_string(n);
    m.usable_until = 4'000'000'000;
    return m;
  }
  void sync() {
    bool done = false;
    tier->sync(&executor, [&](bool) { done = true; });
    executor.run_until([&] { return done; });
  }
  void fill(const char* name, std::uint64_t count, const std::string& body) {
    const auto start = Time::now();
    const Slice slice = Slice::copy_of(nullptr, body);
    for (std::uint64_t n = 0; n < count; ++n) {
      while (tier->stats().volumes[0].backlog_bytes > (48U << 20)) executor.run_ready();
      tier->put(meta(n), std::string(300, 'h'), {slice});
    }
    sync();
    const double s = since(start);
    const auto stats = tier->stats();
    const double rate = static_cast<double>(count * body.size()) / s / 1e6;
    std::printf(
        "put %s: %llu x %zu bytes in %.2f s, %.0f MB/s, %.2f of raw, %.1f us each, written/put %.2f, lz4 %.2f\n", name,
        static_cast<unsigned long long>(count), body.size(), s, rate,
        static_cast<double>(stats.written_bytes) / s / 1e6 / raw.written(), s / static_cast<double>(count) * 1e6,
        static_cast<double>(stats.written_bytes) / static_cast<double>(stats.put_bytes),
        stats.lz4_bytes_out == 0 ? 1.0
                                 : static_cast<double>(stats.lz4_bytes_in) / static_cast<double>(stats.lz4_bytes_out));
  }
  void read(const char* name, std::uint64_t count, std::uint64_t keys, std::size_t depth, double raw_rate) {
    std::vector<double> each;
    std::uint64_t bytes = 0;
    std::uint64_t stored_bytes = 0;
    std::size_t under_way = 0;
    std::uint64_t misses = 0;
    std::uint64_t random = 88172645463325252ULL;
    each.reserve(count);
    const auto start = Time::now();
    const double processor_start = processor_seconds();
    for (std::uint64_t n = 0; n < count; ++n) {
      const auto found = tier->find(meta(next_random(random) % keys).hash);
      if (found.empty()) {
        ++misses;
        continue;
      }
      ++under_way;
      stored_bytes += found[0].stored_bytes;
      const auto began = Time::now();
      tier->read(found[0], ~std::uint64_t{0}, nullptr, executor,
                 [&, began](disk::ReadStatus status, disk::StoredHead, SliceChain body) {
                   --under_way;
                   misses += status != disk::ReadStatus::kOk;
                   bytes += total_size(body);
                   each.push_back(since(began));
                 })
          .detach();
      executor.run_until([&] { return under_way < depth; });
    }
    executor.run_until([&] { return under_way == 0; });
    const double s = since(start);
    const double processor = processor_seconds() - processor_start;
    std::sort(each.begin(), each.end());
    if (misses != 0) fail(std::to_string(misses) + " reads found nothing: " + name);
    const double rate = static_cast<double>(bytes) / s / 1e6;
    std::printf(
        "read %s, depth %zu: %.0f a second, %.0f MB/s, %.2f of raw, p50 %.1f us, p99 %.1f us, processor %.1f us\n",
        name, depth, static_cast<double>(count) / s, rate, static_cast<double>(stored_bytes) / s / 1e6 / raw_rate,
        each[each.size() / 2] * 1e6, each[each.size() * 99 / 100] * 1e6, processor / static_cast<double>(count) * 1e6);
  }

  std::string path;
  SystemClock clock;
  test::WaitingExecutor executor;
  Raw raw;
  std::unique_ptr<disk::Tier> tier;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: disk DIRECTORY [OBJECTS]\n");
    return 2;
  }
  const std::uint64_t objects = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  Bench b(argv[1]);
  b.clear();
  b.raw.measure();

  b.open(kCapacity);
  b.fill("noise", 3000, noise(1 << 20, 1));
  b.compare("1 MiB", kMiB, 1000, 400, 2000);
  b.clear();

  b.open(kCapacity);
  b.fill("noise", 60'000, noise(16 << 10, 2));
  b.compare("16 KiB", kMiB / 64, 60'000, 5000, 50'000);
  b.clear();

  b.open(kCapacity);
  b.fill("html", 20'000, text(35'000));
  b.compare("35 KB html", kMiB / 64, 20'000, 5000, 50'000);
  {
    const auto s = b.tier->stats();
    std::printf("lz4: compress %.0f MB/s, decompress %.0f MB/s\n",
                static_cast<double>(s.lz4_bytes_in) * 1e3 / static_cast<double>(s.lz4_compress_ns),
                static_cast<double>(s.body_bytes_out) * 1e3 / static_cast<double>(s.lz4_decompress_ns));
  }
  b.clear();

  b.open(kCapacity);
  b.fill("small", objects, noise(512, 3));
  std::printf("index: %.1f bytes an object\n",
              static_cast<double>(b.tier->stats().index_bytes) / static_cast<double>(objects));
  b.tier.reset();
  b.open(kCapacity);
  b.tier.reset();
  std::filesystem::remove(b.path + "/index");
  std::printf("without the index aside:\n");
  b.open(kCapacity);
  b.clear();
  return 0;
}
