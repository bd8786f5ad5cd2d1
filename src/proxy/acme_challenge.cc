#include "proxy/acme_challenge.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/fd.h"

namespace seawall::proxy {
namespace {

constexpr std::string_view kPrefix = "/.well-known/acme-challenge/";
constexpr std::size_t kMaxTokenBytes = 256;
constexpr std::size_t kMaxFileBytes = std::size_t{16} * 1024;

bool is_base64url(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

bool is_acme_path(std::string_view path) {
  return path.starts_with(kPrefix);
}

std::optional<std::string_view> acme_token(std::string_view path) {
  if (!is_acme_path(path)) return std::nullopt;
  const std::string_view token = path.substr(kPrefix.size());
  if (token.empty() || token.size() > kMaxTokenBytes || !std::ranges::all_of(token, is_base64url)) return std::nullopt;
  return token;
}

std::optional<std::string> read_acme_challenge(const std::string& directory, std::string_view token) {
  const std::string path = directory + "/" + std::string(token);
  // A FIFO must not hold up the worker.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::array<char, kMaxFileBytes + 1> buffer;
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t n = ::read(fd.get(), buffer.data() + size, buffer.size() - size);
    if (n < 0) return std::nullopt;
    if (n == 0) return std::string(buffer.data(), size);
    size += static_cast<std::size_t>(n);
  }
  return std::nullopt;
}

}  // namespace seawall::proxy
