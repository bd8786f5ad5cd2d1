// What the tier asks of the operating system, as an interface: the tests' own forgets, tears and reorders what was not
// synced, flips bits and fails. Errors are errno values. Thread: any; of one file, reads and one writer at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::disk {

template <typename T>
using IoResult = std::expected<T, int>;

class ReadRing;

class File {
 public:
  virtual ~File() = default;
  // Less than asked for only at the end of the file.
  virtual IoResult<std::size_t> read(std::uint64_t offset, std::span<char> into) = 0;
  // All of it.
  virtual IoResult<void> write(std::uint64_t offset, std::string_view bytes) = 0;
  // What was written and the size are on the device when it returns (fdatasync).
  virtual IoResult<void> sync() = 0;
  // Takes room for so many bytes from the start; `grow` makes it the size, and the new bytes zero.
  virtual IoResult<void> allocate(std::uint64_t bytes, bool grow) = 0;
  virtual IoResult<void> truncate(std::uint64_t bytes) = 0;
  virtual IoResult<std::uint64_t> size() = 0;
  // For reading by way of a ReadRing; -1: the kernel knows nothing of it.
  virtual int descriptor() const { return -1; }
};

enum class OpenMode : std::uint8_t { kRead, kReadWrite, kCreate };  // kCreate: read and write, empty

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual IoResult<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual IoResult<void> rename(const std::string& from, const std::string& to) = 0;
  virtual IoResult<void> unlink(const std::string& path) = 0;
  // Names, without "." and "..".
  virtual IoResult<std::vector<std::string>> list(const std::string& directory) = 0;
  // What was created, renamed and unlinked in it is on the device.
  virtual IoResult<void> sync_directory(const std::string& directory) = 0;
  // Held until destroyed, or the process ends. EWOULDBLOCK: somebody has it. `create`: the file, if it is missing.
  virtual IoResult<std::unique_ptr<File>> lock(const std::string& path, bool create) = 0;
  // Whether the server's user owns it.
  virtual IoResult<bool> is_own(const std::string& path) = 0;
  // Without symbolic links and dots, to tell whether two paths are one.
  virtual IoResult<std::string> canonical(const std::string& path) = 0;
  virtual IoResult<std::unique_ptr<ReadRing>> make_ring() = 0;
};

FileSystem& posix_file_system();

// "Permission denied".
std::string error_text(int error);
// There is no room, or none for this user.
bool is_full(int error);

// The whole file; longer than `max_bytes` is EFBIG.
IoResult<std::string> read_file(FileSystem& fs, const std::string& path, std::size_t max_bytes);
// By way of a temporary file and a rename: after a crash there is the old content or the new.
IoResult<void> replace_file(FileSystem& fs, const std::string& directory, const std::string& name,
                            std::string_view bytes);

}  // namespace seawall::disk
