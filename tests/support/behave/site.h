// A site under TLS as a test sets it up: an authority, certificates of its, their files, and what believes in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support/behave/process.h"
#include "support/behave/tls.h"
#include "support/test_certificates.h"

namespace seawall::behave {

using test::CertificateSpec;
using test::KeyType;
using test::TestCertificate;

// A good server certificate for these names; the first is the common name.
CertificateSpec certificate_for(const std::vector<std::string>& names, KeyType key = KeyType::kEcdsa);
std::string pem_with_key(const TestCertificate& certificate);
// base64(SHA-256 of the public key), as Chromium's --ignore-certificate-errors-spki-list wants it.
std::string spki_fingerprint(const TestCertificate& certificate);

class Site {
 public:
  explicit Site(const std::vector<std::string>& names = {"a.test"});

  const TestCertificate authority;
  const TestCertificate certificate;
  const TemporaryDirectory directory;
  const std::string ca;   // PEM file of the authority
  const std::string pem;  // and of the site's own certificate, with its key

  // A PEM file with a certificate and its key.
  std::string add(const std::string& name, const CertificateSpec& spec) const {
    return directory.write(name, pem_with_key(authority.issue(spec)));
  }
  // `certificates = [...]` with the site's own.
  std::string certificates() const { return "certificates = [\"" + pem + "\"]\n"; }
  // What a client of it wants: the chain and the name must be right.
  TlsOptions client(const std::string& server_name = "a.test") const { return {.server_name = server_name, .ca = ca}; }
};

}  // namespace seawall::behave
