// Certificates and keys read from PEM files, each error a text for a person that names the file, the reason and, where
// there is one, the way out. No passphrase is ever asked for. Start-up and reload only. Thread: any.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "net/openssl_ptr.h"

namespace seawall::net {

template <typename T>
using Loaded = std::expected<T, std::string>;

// A certificate, the chain behind it in the file's order, and its key.
struct KeyPair {
  X509Ptr leaf;
  std::vector<X509Ptr> chain;
  KeyPtr key;
};

// "FILE: REASON".
std::unexpected<std::string> file_error(const std::string& path, const std::string& reason);
// The first reason in OpenSSL's queue, which is emptied.
std::string openssl_reason();

// At most 1 MiB.
Loaded<std::string> read_file(const std::string& path);
// At least one.
Loaded<std::vector<X509Ptr>> read_certificates(const std::string& path);
// `key_path` empty: in the same file, before or behind the certificates. Refuses a key that is another certificate's
// and what OpenSSL holds for too weak.
Loaded<KeyPair> read_key_pair(const std::string& certificate_path, const std::string& key_path);
// Each is trusted as it stands, whether or not it is a root.
StorePtr trust_in(std::span<const X509Ptr> certificates);

// To what Debian has it at, wherever OpenSSL comes from; never down.
void raise_security_level(SSL_CTX* context);

// RFC 2253.
std::string to_string(const X509_NAME* name);

}  // namespace seawall::net
