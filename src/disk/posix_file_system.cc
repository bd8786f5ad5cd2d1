#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/fd.h"
#include "disk/file_system.h"
#include "disk/read_ring.h"

namespace seawall::disk {

namespace {

std::unexpected<int> last_error() {
  return std::unexpected(errno);
}

class PosixFile final : public File {
 public:
  explicit PosixFile(Fd fd) : fd_(std::move(fd)) {}

  IoResult<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return last_error();
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  IoResult<void> write(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return last_error();
      if (n == 0) return std::unexpected(EIO);
      offset += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  IoResult<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return last_error();
    return {};
  }

  IoResult<void> allocate(std::uint64_t bytes, bool grow) override {
    if (::fallocate(fd_.get(), grow ? 0 : FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0) return {};
    if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS) return last_error();
    // Some file systems cannot; then room is taken as it is written.
    return grow ? truncate(bytes) : IoResult<void>();
  }

  IoResult<void> truncate(std::uint64_t bytes) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) return last_error();
    return {};
  }

  IoResult<std::uint64_t> size() override {
    struct stat st{};
    if (::fstat(fd_.get(), &st) != 0) return last_error();
    return static_cast<std::uint64_t>(st.st_size);
  }

  int descriptor() const override { return fd_.get(); }

 private:
  Fd fd_;
};

class PosixFileSystem final : public FileSystem {
 public:
  IoResult<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | O_NOFOLLOW;
    if (mode == OpenMode::kRead) flags |= O_RDONLY;
    if (mode == OpenMode::kReadWrite) flags |= O_RDWR;
    if (mode == OpenMode::kCreate) flags |= O_RDWR | O_CREAT | O_TRUNC;
    Fd fd(::open(path.c_str(), flags, 0600));
    if (!fd) return last_error();
    return std::make_unique<PosixFile>(std::move(fd));
  }

  IoResult<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return last_error();
    return {};
  }

  IoResult<void> unlink(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return last_error();
    return {};
  }

  IoResult<std::vector<std::string>> list(const std::string& directory) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
    if (!dir) return last_error();
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (entry == nullptr) break;
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return last_error();
    return names;
  }

  IoResult<void> sync_directory(const std::string& directory) override {
    const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return last_error();
    return {};
  }

  IoResult<std::unique_ptr<File>> lock(const std::string& path, bool create) override {
    Fd fd(::open(path.c_str(), (create ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return last_error();
    return std::make_unique<PosixFile>(std::move(fd));
  }

  IoResult<bool> is_own(const std::string& path) override {
    struct stat st{};
    if (::stat(path.c_str(), &st) != 0) return last_error();
    return st.st_uid == ::geteuid();
  }

  IoResult<std::string> canonical(const std::string& path) override {
    const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), std::free);
    if (!resolved) return last_error();
    return std::string(resolved.get());
  }

  IoResult<std::unique_ptr<ReadRing>> make_ring() override { return ReadRing::create(); }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem fs;
  return fs;
}

bool is_full(int error) {
  return error == ENOSPC || error == EDQUOT;
}

std::string error_text(int error) {
  return std::system_category().message(error);
}

IoResult<std::string> read_file(FileSystem& fs, const std::string& path, std::size_t max_bytes) {
  const auto file = fs.open(path, OpenMode::kRead);
  if (!file) return std::unexpected(file.error());
  const auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  if (*size > max_bytes) return std::unexpected(EFBIG);
  std::string bytes(*size, '\0');
  const auto n = (*file)->read(0, bytes);
  if (!n) return std::unexpected(n.error());
  bytes.resize(*n);
  return bytes;
}

IoResult<void> replace_file(FileSystem& fs, const std::string& directory, const std::string& name,
                            std::string_view bytes) {
  const std::string path = directory + "/" + name;
  const std::string temporary = path + ".new";
  {
    const auto file = fs.open(temporary, OpenMode::kCreate);
    if (!file) return std::unexpected(file.error());
    if (const auto done = (*file)->write(0, bytes); !done) return done;
    if (const auto done = (*file)->sync(); !done) return done;
  }
  if (const auto done = fs.rename(temporary, path); !done) return done;
  return fs.sync_directory(directory);
}

}  // namespace seawall::disk
