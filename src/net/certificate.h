// A certificate with its key and chain, read from PEM files and checked. Immutable, shared by the workers. Thread: any.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ref.h"
#include "net/openssl_ptr.h"
#include "net/tls_options.h"

namespace seawall::net {

class Certificate final : public RefCounted<Certificate> {
 public:
  // Refuses what cannot be read, is expired or not yet valid, or whose key is another's. The error is text for a person
  // and names the file.
  static std::expected<Ref<const Certificate>, std::string> load(const CertificateFiles& files, WallTime now);

  const CertificateFiles& files() const { return files_; }
  // DNS names, lower case, "*.example.com" among them, and IP addresses as net::Address::ip() writes them.
  const std::vector<std::string>& names() const { return names_; }
  // Whether it is valid for that host: lower case, without port; IPv6 with or without brackets. RFC 9525: a wildcard
  // stands for one label.
  bool covers(std::string_view host) const;
  WallTime not_after() const { return not_after_; }
  std::string_view key_type() const { return key_type_; }  // "ECDSA", "RSA", "Ed25519"
  std::string_view issuer() const { return issuer_; }      // RFC 2253
  std::string_view serial() const { return serial_; }      // hexadecimal

  X509* leaf() const { return leaf_.get(); }
  EVP_PKEY* key() const { return key_.get(); }
  const std::vector<X509Ptr>& chain() const { return chain_; }
  const std::string& ocsp() const { return ocsp_; }  // DER; empty: none

 private:
  friend class RefCounted<Certificate>;
  Certificate() = default;
  ~Certificate() = default;

  CertificateFiles files_;
  std::vector<std::string> names_;
  WallTime not_after_{};
  std::string key_type_;
  std::string issuer_;
  std::string serial_;
  X509Ptr leaf_;
  KeyPtr key_;
  std::vector<X509Ptr> chain_;
  std::string ocsp_;
};

}  // namespace seawall::net
