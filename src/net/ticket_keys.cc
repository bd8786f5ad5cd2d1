#include "net/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/check.h"

namespace seawall::net {

TicketKeys::TicketKeys(const Clock& clock, Seconds rotation)
    : clock_(clock), aes_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)), rotation_(rotation) {
  SW_CHECK(aes_ != nullptr, "OpenSSL has AES");
}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(keys_.data(), sizeof keys_);
}

void TicketKeys::set_rotation(Seconds rotation) {
  const MutexLock lock(mutex_);
  rotation_ = rotation;
}

// A key is used for one period and taken for two more. Nothing happens in between: how many periods have passed shows
// at the next use.
bool TicketKeys::rotate() {
  const MonoTime now = clock_.mono_now();
  const std::chrono::microseconds period = rotation_;
  const auto is_older_than = [&](const Key& key, std::int64_t periods) { return now - key.made >= period * periods; };
  while (count_ > 0 && is_older_than(keys_[count_ - 1], kKept)) --count_;
  if (count_ > 0 && !is_older_than(keys_[0], 1)) return true;
  Key key;
  key.made = now;
  if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
      RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) != 1 ||
      RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) != 1) {
    return false;
  }
  std::ranges::rotate(keys_, keys_.end() - 1);
  keys_[0] = key;
  OPENSSL_cleanse(&key, sizeof key);
  count_ = std::min(count_ + 1, kKept);
  return true;
}

bool TicketKeys::seal(std::span<unsigned char, kNameBytes> name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                      EVP_MAC_CTX* mac) {
  Key key;
  {
    const MutexLock lock(mutex_);
    if (!rotate()) return false;
    key = keys_[0];
  }
  std::ranges::copy(key.name, name.begin());
  return RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes_.get())) == 1 && use(key, iv, cipher, mac, true);
}

TicketKeys::Opened TicketKeys::open(std::span<const unsigned char, kNameBytes> name, const unsigned char* iv,
                                    EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  Key key;
  bool is_current = false;
  {
    const MutexLock lock(mutex_);
    if (!rotate()) return Opened::kFailed;
    const std::span<const Key> taken(keys_.data(), count_);
    const auto found = std::ranges::find_if(taken, [&](const Key& k) { return std::ranges::equal(k.name, name); });
    if (found == taken.end()) return Opened::kUnknown;
    is_current = found == taken.begin();
    key = *found;
  }
  if (!use(key, iv, cipher, mac, false)) return Opened::kFailed;
  return is_current ? Opened::kCurrent : Opened::kOld;
}

// Wipes the key, which is a copy.
bool TicketKeys::use(Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool encrypts) const {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  const bool is_done = EVP_CipherInit_ex2(cipher, aes_.get(), key.cipher.data(), iv, encrypts ? 1 : 0, nullptr) == 1 &&
                       EVP_MAC_CTX_set_params(mac, parameters) == 1;
  OPENSSL_cleanse(&key, sizeof key);
  return is_done;
}

}  // namespace seawall::net
