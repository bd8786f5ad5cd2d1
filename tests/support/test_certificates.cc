#include "support/test_certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <stdexcept>

#include "net/resolver.h"

namespace seawall::test {
namespace {

template <typename T>
T* must(T* made, const char* what) {
  if (!made) throw std::runtime_error(what);
  return made;
}

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

std::shared_ptr<EVP_PKEY> own(EVP_PKEY* key) {
  return {must(key, "key"), EVP_PKEY_free};
}

std::shared_ptr<EVP_PKEY> make_key(KeyType type) {
  switch (type) {
    case KeyType::kEcdsa: return own(EVP_EC_gen("P-256"));
    case KeyType::kEd25519: return own(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    case KeyType::kWeakRsa: return own(EVP_RSA_gen(1024));
    case KeyType::kRsa: {
      // They take long to find: one serves all.
      static const std::shared_ptr<EVP_PKEY> key = own(EVP_RSA_gen(2048));
      return key;
    }
  }
  throw std::runtime_error("key type");
}

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;

Bio memory() {
  return {must(BIO_new(BIO_s_mem()), "BIO"), BIO_free};
}

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

void add_extension(X509* to, X509* issuer, int type, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = must(X509V3_EXT_conf_nid(nullptr, &context, type, value.c_str()), "extension");
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    if (!list.empty()) list += ',';
    list += (net::parse_ip(name, 0) ? "IP:" : "DNS:") + name;
  }
  return list;
}

}  // namespace

TestCertificate TestCertificate::authority(const std::string& common_name) {
  return self_signed({.common_name = common_name, .names = {}, .is_authority = true});
}

TestCertificate TestCertificate::self_signed(const CertificateSpec& spec) {
  return make(spec, nullptr);
}

TestCertificate TestCertificate::issue(const CertificateSpec& spec) const {
  return make(spec, this);
}

TestCertificate TestCertificate::make(const CertificateSpec& spec, const TestCertificate* issuer) {
  static long serial = 0x5ea0;
  TestCertificate made;
  made.key_ = make_key(spec.key);
  made.certificate_ = {must(X509_new(), "certificate"), X509_free};
  X509* const x = made.certificate_.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(x), static_cast<time_t>(spec.not_before.unix_seconds()));
  ASN1_TIME_set(X509_getm_notAfter(x), static_cast<time_t>(spec.not_after.unix_seconds()));
  X509_set_pubkey(x, made.key_.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.c_str()), -1, -1, 0);
  X509* const signer = issuer ? issuer->certificate() : x;
  X509_set_issuer_name(x, X509_get_subject_name(signer));
  add_extension(x, signer, NID_basic_constraints, spec.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(x, signer, NID_subject_key_identifier, "hash");
  if (issuer) add_extension(x, signer, NID_authority_key_identifier, "keyid");
  if (!spec.names.empty()) add_extension(x, signer, NID_subject_alt_name, alternative_names(spec.names));
  EVP_PKEY* const key = issuer ? issuer->key() : made.key();
  // Ed25519 takes none: it has its own.
  const EVP_MD* const hash = EVP_PKEY_is_a(key, "ED25519") ? nullptr
                             : spec.is_signed_with_sha1    ? EVP_sha1()
                                                           : EVP_sha256();
  must(X509_sign(x, key, hash) > 0, "signature");
  if (issuer) made.issuer_ = std::make_shared<TestCertificate>(*issuer);
  return made;
}

std::string TestCertificate::pem() const {
  const Bio bio = memory();
  must(PEM_write_bio_X509(bio.get(), certificate()) == 1, "PEM");
  return text_of(bio);
}

std::string TestCertificate::chain_pem() const {
  std::string all = pem();
  for (const TestCertificate* next = issuer_.get(); next && next->issuer_; next = next->issuer_.get()) {
    all += next->pem();
  }
  return all;
}

std::string TestCertificate::key_pem(const std::string& passphrase) const {
  const Bio bio = memory();
  const auto* secret = reinterpret_cast<const unsigned char*>(passphrase.data());
  must(PEM_write_bio_PrivateKey(bio.get(), key(), passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
                                passphrase.empty() ? nullptr : secret, static_cast<int>(passphrase.size()), nullptr,
                                nullptr) == 1,
       "PEM");
  return text_of(bio);
}

std::string TestCertificate::fingerprint() const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  must(X509_digest(certificate(), EVP_sha256(), digest.data(), &size) == 1, "digest");
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

std::string TestCertificate::ocsp_response(const TestCertificate& of, WallTime until) const {
  const std::shared_ptr<OCSP_BASICRESP> basic(must(OCSP_BASICRESP_new(), "OCSP"), OCSP_BASICRESP_free);
  const auto time_of = [](WallTime time) {
    return std::shared_ptr<ASN1_TIME>(ASN1_GENERALIZEDTIME_set(nullptr, static_cast<time_t>(time.unix_seconds())),
                                      ASN1_TIME_free);
  };
  const auto this_update = time_of(CertificateSpec().not_before);
  const auto next_update = time_of(until);
  const std::shared_ptr<OCSP_CERTID> id(OCSP_cert_to_id(EVP_sha1(), of.certificate(), certificate()), OCSP_CERTID_free);
  must(OCSP_basic_add1_status(basic.get(), id.get(), V_OCSP_CERTSTATUS_GOOD, 0, nullptr, this_update.get(),
                              next_update.get()),
       "OCSP status");
  must(OCSP_basic_sign(basic.get(), certificate(), key(), EVP_sha256(), nullptr, 0) == 1, "OCSP signature");
  const std::shared_ptr<OCSP_RESPONSE> response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()),
                                                OCSP_RESPONSE_free);
  const Bio bio = memory();
  must(i2d_OCSP_RESPONSE_bio(bio.get(), response.get()) == 1, "OCSP response");
  return text_of(bio);
}

std::string TestCertificate::ocsp_refusal() {
  const std::shared_ptr<OCSP_RESPONSE> response(OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, nullptr),
                                                OCSP_RESPONSE_free);
  const Bio bio = memory();
  must(i2d_OCSP_RESPONSE_bio(bio.get(), response.get()) == 1, "OCSP response");
  return text_of(bio);
}

net::CertificateFiles PemFolder::write(const std::string& name, const TestCertificate& certificate) const {
  return {.certificate = write(name + ".pem", certificate.chain_pem()),
          .key = write(name + ".key", certificate.key_pem()),
          .ocsp = {}};
}

}  // namespace seawall::test
