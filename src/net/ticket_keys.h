// The keys that session tickets are sealed with: one in use, two older ones still taken. Shared by all workers, so that
// a session begun at one is resumed at another, and kept over reloads. They live in memory only: a ticket lasts no
// longer than the process. A key is made when the first ticket needs it. Thread: any.
#pragma once

#include <openssl/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/mutex.h"
#include "net/openssl_ptr.h"

namespace seawall::net {

class TicketKeys {
 public:
  static constexpr std::size_t kNameBytes = 16;
  static constexpr std::size_t kKept = 3;

  TicketKeys(const Clock& clock, Seconds rotation);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  const Clock& clock() const { return clock_; }
  // From the next use on; a key already older gives way at once.
  void set_rotation(Seconds rotation);

  // Sets up the encryption of a ticket, with the name of the key and a new IV. False: OpenSSL failed.
  bool seal(std::span<unsigned char, kNameBytes> name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
  enum class Opened : std::uint8_t { kFailed, kUnknown, kCurrent, kOld };
  // Sets up the decryption of a ticket. kUnknown: under no key that is taken; kOld: its holder should get a new one.
  Opened open(std::span<const unsigned char, kNameBytes> name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac);

 private:
  struct Key {
    std::array<unsigned char, kNameBytes> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};
    MonoTime made{};
  };
  bool rotate() SW_REQUIRES(mutex_);
  bool use(Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool encrypts) const;

  const Clock& clock_;
  const std::unique_ptr<EVP_CIPHER, OpensslFree<EVP_CIPHER_free>> aes_;
  Mutex mutex_;
  Seconds rotation_ SW_GUARDED_BY(mutex_);
  std::size_t count_ SW_GUARDED_BY(mutex_) = 0;
  std::array<Key, kKept> keys_ SW_GUARDED_BY(mutex_);  // newest first
};

}  // namespace seawall::net
