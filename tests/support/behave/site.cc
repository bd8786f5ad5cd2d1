#include "support/behave/site.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <array>

namespace seawall::behave {

CertificateSpec certificate_for(const std::vector<std::string>& names, KeyType key) {
  return {.common_name = names.front(), .names = names, .key = key};
}

std::string pem_with_key(const TestCertificate& certificate) {
  return certificate.chain_pem() + certificate.key_pem();
}

std::string spki_fingerprint(const TestCertificate& certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.certificate()), &der);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(der, static_cast<std::size_t>(size), digest.data());
  OPENSSL_free(der);
  std::array<unsigned char, 64> text{};
  const int length = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(digest.size()));
  return {text.begin(), text.begin() + length};
}

Site::Site(const std::vector<std::string>& names)
    : authority(TestCertificate::authority()),
      certificate(authority.issue(certificate_for(names))),
      ca(directory.write("ca.pem", authority.pem())),
      pem(directory.write("site.pem", pem_with_key(certificate))) {}

}  // namespace seawall::behave
