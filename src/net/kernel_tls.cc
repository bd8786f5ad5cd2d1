#include "net/kernel_tls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/opensslconf.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "base/fd.h"

namespace seawall::net {
namespace {

std::string text_of(int error) {
  return std::generic_category().message(error);
}

KernelTls probe() {
#ifdef OPENSSL_NO_KTLS
  return {.is_offered = false, .reason = "OpenSSL was built without it"};
#else
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Fd near(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (!listener || !near || ::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0 || ::connect(near.get(), generic, size) != 0) {
    return {.is_offered = false, .reason = "the kernel cannot be asked: " + text_of(errno)};
  }
  constexpr char kModule[] = "tls";
  if (::setsockopt(near.get(), IPPROTO_TCP, TCP_ULP, kModule, sizeof kModule) == 0) return {.is_offered = true};
  if (errno == ENOENT) return {.is_offered = false, .reason = "the kernel has no TLS module"};
  return {.is_offered = false, .reason = "the kernel refuses: " + text_of(errno)};
#endif
}

}  // namespace

const KernelTls& kernel_offers_tls() {
  static const KernelTls answer = probe();
  return answer;
}

}  // namespace seawall::net
