// The disk tier by itself, on a directory: fill and read rates, a restart with many objects, what lz4 gains, and what a
// read costs with each way of reading.
// usage: disk DIRECTORY [OBJECTS]   (the directory is emptied of what the tier wrote before; default 1000000 objects)

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
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

struct Bench {
  explicit Bench(std::string directory) : path(std::move(directory)), executor(clock) {}

  void open(std::uint64_t capacity, disk::ReadBackend backend = disk::ReadBackend::kThreads) {
    disk::TierOptions o;
    o.read_backend = backend;
    o.volumes = {{.path = path, .capacity_bytes = capacity}};
    o.clock = &clock;
    o.log = [](disk::LogLevel, const std::string& line) { std::printf("log: %s\n", line.c_str()); };
    const auto start = Time::now();
    auto opened = disk::Tier::open(std::move(o));
    if (!opened) {
      std::fprintf(stderr, "%s\n", opened.error().c_str());
      std::exit(1);
    }
    tier = std::move(*opened);
    const double ready = since(start);
    while (!tier->is_loaded()) executor.run_ready();
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
      ::fdatasync(file.get());
      ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    }
  }
  // What was filled in, by each way in turn, so that what else the machine does meets both.
  void compare(const std::string& name, std::uint64_t keys, std::uint64_t cold_reads, std::uint64_t warm_reads) {
    for (const bool is_warm : {false, true}) {
      for (const std::size_t depth : {1U, 4U, 16U}) {
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
          read(how.c_str(), is_warm ? warm_reads : cold_reads, keys, depth);
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
    std::printf("put %s: %llu x %zu bytes in %.2f s, %.0f MB/s, %.1f us each, written/put %.2f, lz4 %.2f\n", name,
                static_cast<unsigned long long>(count), body.size(), s,
                static_cast<double>(count * body.size()) / s / 1e6, s / static_cast<double>(count) * 1e6,
                static_cast<double>(stats.written_bytes) / static_cast<double>(stats.put_bytes),
                stats.lz4_bytes_out == 0
                    ? 1.0
                    : static_cast<double>(stats.lz4_bytes_in) / static_cast<double>(stats.lz4_bytes_out));
  }
  void read(const char* name, std::uint64_t count, std::uint64_t keys, std::size_t depth) {
    std::vector<double> each;
    std::uint64_t bytes = 0;
    std::size_t under_way = 0;
    std::uint64_t misses = 0;
    std::uint64_t random = 88172645463325252ULL;
    each.reserve(count);
    const auto start = Time::now();
    const double processor_start = processor_seconds();
    for (std::uint64_t n = 0; n < count; ++n) {
      random ^= random << 13, random ^= random >> 7, random ^= random << 17;
      const auto found = tier->find(meta(random % keys).hash);
      if (found.empty()) {
        ++misses;
        continue;
      }
      ++under_way;
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
    std::printf("read %s, depth %zu: %.0f a second, %.0f MB/s, p50 %.1f us, p99 %.1f us, processor %.1f us\n", name,
                depth, static_cast<double>(count) / s, static_cast<double>(bytes) / s / 1e6,
                each[each.size() / 2] * 1e6, each[each.size() * 99 / 100] * 1e6,
                processor / static_cast<double>(count) * 1e6);
  }
  [[noreturn]] static void fail(const std::string& why) {
    std::fprintf(stderr, "disk bench: %s\n", why.c_str());
    std::exit(1);
  }

  std::string path;
  SystemClock clock;
  test::WaitingExecutor executor;
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

  b.open(kCapacity);
  b.fill("noise", 3000, noise(1 << 20, 1));
  b.compare("1 MiB", 1000, 400, 2000);
  b.clear();

  b.open(kCapacity);
  b.fill("noise", 60'000, noise(16 << 10, 2));
  b.compare("16 KiB", 60'000, 5000, 50'000);
  b.clear();

  b.open(kCapacity);
  b.fill("html", 20'000, text(35'000));
  b.compare("35 KB html", 20'000, 5000, 50'000);
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
