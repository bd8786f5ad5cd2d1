#include "proxy/websocket.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/check.h"

namespace seawall::proxy {
namespace {

std::string base64(std::span<const unsigned char> bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // OpenSSL ends it with a NUL
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

}  // namespace

std::string make_websocket_key(Rng& rng) {
  const std::array<std::uint64_t, 2> words = {rng.next(), rng.next()};
  std::array<unsigned char, sizeof words> nonce;
  std::memcpy(nonce.data(), words.data(), sizeof words);
  return base64(nonce);
}

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  // The algorithm that the RFC names; nothing rests on its strength.
  const int done = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  SW_CHECK(done == 1, "SHA-1 is there");
  return base64(std::span(digest).first(size));
}

}  // namespace seawall::proxy
