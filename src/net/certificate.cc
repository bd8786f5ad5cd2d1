#include "net/certificate.h"

#include <netinet/in.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

#include "net/address.h"
#include "net/pem.h"

namespace seawall::net {
namespace {

WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime::from_unix_seconds(::timegm(&parts));
}

// "2025-03-01 12:00:00 UTC".
std::string text_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "a date that cannot be read";
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text.data(), size};
}

// Empty: cannot be a name. Whoever compares C strings would take "a.example\0.evil" for "a.example".
std::string name_of(const ASN1_STRING* string) {
  std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                   static_cast<std::size_t>(ASN1_STRING_length(string)));
  if (name.find('\0') != std::string::npos) return {};
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

std::string ip_of(const ASN1_OCTET_STRING* string) {
  const unsigned char* bytes = ASN1_STRING_get0_data(string);
  switch (ASN1_STRING_length(string)) {
    case 4: {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      std::memcpy(&address.sin_addr, bytes, 4);
      return Address(reinterpret_cast<const sockaddr*>(&address), sizeof address).ip();
    }
    case 16: {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      std::memcpy(&address.sin6_addr, bytes, 16);
      return Address(reinterpret_cast<const sockaddr*>(&address), sizeof address).ip();
    }
    default: return {};
  }
}

std::string common_name(const X509* leaf) {
  const X509_NAME* subject = X509_get_subject_name(leaf);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  return name_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
}

// RFC 9525 section 2: the subject's common name counts only for want of alternative names.
std::vector<std::string> names_of(const X509* leaf) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>> alternatives{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* alternative = sk_GENERAL_NAME_value(alternatives.get(), i);
    std::string name;
    if (alternative->type == GEN_DNS) name = name_of(alternative->d.dNSName);
    if (alternative->type == GEN_IPADD) name = ip_of(alternative->d.iPAddress);
    if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  if (alternatives) return names;
  if (std::string name = common_name(leaf); !name.empty()) names.push_back(std::move(name));
  return names;
}

std::string_view key_type_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: return "ECDSA";
    case EVP_PKEY_RSA: return "RSA";
    case EVP_PKEY_RSA_PSS: return "RSA-PSS";
    case EVP_PKEY_ED25519: return "Ed25519";
    case EVP_PKEY_ED448: return "Ed448";
    default: return "other";
  }
}

std::string serial_of(const X509* leaf) {
  const std::unique_ptr<BIGNUM, OpensslFree<BN_free>> number{ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), nullptr)};
  char* const digits = number ? BN_bn2hex(number.get()) : nullptr;
  std::string text = digits ? digits : "";
  OPENSSL_free(digits);
  return text;
}

// The response about the leaf; null: there is none. The issuer is compared when the chain tells it.
OCSP_SINGLERESP* response_about(const KeyPair& pair, OCSP_BASICRESP* basic) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic, i);
    // OpenSSL's accessor takes it without const, and changes nothing.
    auto* const id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
    ASN1_INTEGER* serial = nullptr;
    ASN1_OBJECT* digest = nullptr;
    OCSP_id_get0_info(nullptr, &digest, nullptr, &serial, id);
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(pair.leaf.get())) != 0) continue;
    if (pair.chain.empty()) return single;
    const EVP_MD* const hash = EVP_get_digestbyobj(digest);
    if (!hash) continue;
    const std::unique_ptr<OCSP_CERTID, OpensslFree<OCSP_CERTID_free>> expected{
        OCSP_cert_to_id(hash, pair.leaf.get(), pair.chain.front().get())};
    if (expected && OCSP_id_cmp(expected.get(), id) == 0) return single;
  }
  return nullptr;
}

struct Staple {
  std::string bytes;  // DER
  std::optional<WallTime> until;
};

// Fit to be stapled: clients take a response that is out of date worse than none.
Loaded<Staple> read_ocsp(const std::string& path, const KeyPair& pair, WallTime now) {
  auto der = read_file(path);
  if (!der) return std::unexpected(der.error());
  ERR_clear_error();
  const auto* bytes = reinterpret_cast<const unsigned char*>(der->data());
  const auto* const end = bytes + der->size();
  const std::unique_ptr<OCSP_RESPONSE, OpensslFree<OCSP_RESPONSE_free>> response{
      d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(der->size()))};
  ERR_clear_error();
  if (!response || bytes != end) return file_error(path, "is no OCSP response in DER form");
  const int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return file_error(
        path, std::string("the OCSP responder refused (") + OCSP_response_status_str(status) + "): fetch it again");
  }
  const std::unique_ptr<OCSP_BASICRESP, OpensslFree<OCSP_BASICRESP_free>> basic{
      OCSP_response_get1_basic(response.get())};
  OCSP_SINGLERESP* const single = basic ? response_about(pair, basic.get()) : nullptr;
  if (!single) return file_error(path, "is an OCSP response about another certificate");
  ASN1_GENERALIZEDTIME* until = nullptr;
  OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &until);
  Staple staple{.bytes = std::move(*der), .until = {}};
  if (!until) return staple;
  staple.until = time_of(until);
  if (*staple.until <= now) staple.bytes.clear();
  return staple;
}

}  // namespace

std::string why_not_valid(const X509* certificate, WallTime now) {
  const ASN1_TIME* const from = X509_get0_notBefore(certificate);
  const ASN1_TIME* const until = X509_get0_notAfter(certificate);
  if (time_of(until) <= now) return "expired on " + text_of(until) + ": renew it";
  if (time_of(from) > now) return "is not valid before " + text_of(from) + ": is this machine's clock right?";
  return {};
}

std::expected<Ref<const Certificate>, std::string> Certificate::load(const CertificateFiles& files, WallTime now) {
  auto pair = read_key_pair(files.certificate, files.key);
  if (!pair) return std::unexpected(pair.error());
  const X509* const leaf = pair->leaf.get();
  if (const std::string why = why_not_valid(leaf, now); !why.empty()) return file_error(files.certificate, why);

  Ref<Certificate> certificate(new Certificate);
  certificate->names_ = names_of(leaf);
  if (certificate->names_.empty()) {
    return file_error(files.certificate, "names no host, neither as DNS name nor as IP address");
  }
  if (!files.ocsp.empty()) {
    auto der = read_ocsp(files.ocsp, *pair, now);
    if (!der) return std::unexpected(der.error());
    certificate->ocsp_ = std::move(der->bytes);
    certificate->ocsp_until_ = der->until;
  }
  certificate->files_ = files;
  certificate->not_after_ = time_of(X509_get0_notAfter(leaf));
  certificate->key_type_ = key_type_of(pair->key.get());
  certificate->issuer_ = to_string(X509_get_issuer_name(leaf));
  certificate->serial_ = serial_of(leaf);
  certificate->leaf_ = std::move(pair->leaf);
  certificate->key_ = std::move(pair->key);
  certificate->chain_ = std::move(pair->chain);
  return certificate;
}

bool Certificate::covers(std::string_view host) const {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::size_t dot = host.find('.');
  const std::string_view parent = dot == std::string_view::npos || dot == 0 ? "" : host.substr(dot);
  return std::ranges::any_of(names_, [&](std::string_view name) {
    if (name == host) return true;
    return !parent.empty() && name.starts_with("*.") && name.substr(1) == parent;
  });
}

}  // namespace seawall::net
