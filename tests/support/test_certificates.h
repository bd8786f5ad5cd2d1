// Certificates made in the test: an authority, what it signs, and the PEM files that say so. Thread: one.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/tls_options.h"
#include "support/temporary_directory.h"

namespace seawall::test {

enum class KeyType : std::uint8_t { kEcdsa, kRsa, kEd25519, kWeakRsa };

// Only what differs from a good server certificate has to be said.
struct CertificateSpec {
  std::string common_name = "localhost";
  std::vector<std::string> names = {"localhost", "127.0.0.1"};  // DNS names and IP addresses; empty: no such extension
  KeyType key = KeyType::kEcdsa;
  WallTime not_before = WallTime::from_unix_seconds(1'577'836'800);  // 2020
  WallTime not_after = WallTime::from_unix_seconds(4'102'444'800);   // 2100
  bool is_authority = false;
  bool is_signed_with_sha1 = false;
};

// A certificate with its key. Copies are the same certificate.
class TestCertificate {
 public:
  // Signed by itself.
  static TestCertificate authority(const std::string& common_name = "Test Authority");
  static TestCertificate self_signed(const CertificateSpec& spec);
  TestCertificate issue(const CertificateSpec& spec) const;

  std::string pem() const;        // alone
  std::string chain_pem() const;  // with who signed it behind it, the root left out
  std::string key_pem(const std::string& passphrase = {}) const;
  std::string fingerprint() const;  // SHA-256, hexadecimal
  // DER, signed by this one: that `of` is good, from 2020 on.
  std::string ocsp_response(const TestCertificate& of, WallTime until = CertificateSpec().not_after) const;
  // DER: an answer that is no answer.
  static std::string ocsp_refusal();

  X509* certificate() const { return certificate_.get(); }
  EVP_PKEY* key() const { return key_.get(); }

 private:
  static TestCertificate make(const CertificateSpec& spec, const TestCertificate* issuer);

  std::shared_ptr<X509> certificate_;
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<const TestCertificate> issuer_;  // null: itself
};

class PemFolder final : public TemporaryDirectory {
 public:
  using TemporaryDirectory::write;
  // "NAME.pem" with the chain, "NAME.key".
  net::CertificateFiles write(const std::string& name, const TestCertificate& certificate) const;
};

}  // namespace seawall::test
