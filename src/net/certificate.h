// A certificate with its key and chain, read from PEM files and checked. Immutable, shared by the workers. Thread: any.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ref.h"
#include "net/openssl_ptr.h"
#include "net/tls_options.h"

namespace seawall::net {

// Empty: it is valid now. Else why not, for a person.
std::string why_not_valid(const X509* certificate, WallTime now);

// What is said of a response that is not stapled, behind its file.
inline constexpr std::string_view kOcspIsOutOfDate =
    "the OCSP response is out of date and is not stapled: fetch it again";

class Certificate final : public RefCounted<Certificate> {
 public:
  // Refuses what cannot be read, is expired or not yet valid, or whose key is another's. The error is text for a person
  // and names the file.
  // An OCSP response that is out of date is no reason: it is not stapled.
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
  // From then on clients take it worse than none; null: it does not say, or there is none.
  std::optional<WallTime> ocsp_until() const { return ocsp_until_; }

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
  std::optional<WallTime> ocsp_until_;
};

}  // namespace seawall::net
