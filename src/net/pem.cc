#include "net/pem.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/check.h"
#include "base/fd.h"

namespace seawall::net {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1024} * 1024;
constexpr std::size_t kMaxChain = 16;
constexpr std::size_t kMaxTrusted = 4096;

std::string text_of(int error) {
  return std::generic_category().message(error);
}

BioPtr reader_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The certificates of a PEM text; why not, without the file.
Loaded<std::vector<X509Ptr>> parse_certificates(std::string_view text, std::size_t limit) {
  ERR_clear_error();
  const BioPtr bio = reader_of(text);
  std::vector<X509Ptr> all;
  while (X509Ptr next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    if (all.size() == limit) return std::unexpected("holds more than " + std::to_string(limit) + " certificates");
    all.push_back(std::move(next));
  }
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = openssl_reason();
  if (!is_at_end) {
    return std::unexpected("its certificate number " + std::to_string(all.size() + 1) + " is damaged: " + reason);
  }
  if (all.empty()) return std::unexpected("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  return all;
}

Loaded<KeyPtr> parse_key(std::string_view text) {
  ERR_clear_error();
  const BioPtr bio = reader_of(text);
  bool is_encrypted = false;
  const auto on_passphrase = [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  KeyPtr key{PEM_read_bio_PrivateKey(bio.get(), nullptr, on_passphrase, &is_encrypted)};
  if (key) return key;
  const bool is_absent = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = openssl_reason();
  if (is_encrypted) {
    return std::unexpected(
        "its key is encrypted, and nobody is there to type the passphrase: decrypt it with "
        "`openssl pkey -in FILE -out NEWFILE`");
  }
  if (is_absent || text.find("PRIVATE KEY-----") == std::string_view::npos) {
    return std::unexpected("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  }
  return std::unexpected("its private key is damaged: " + reason);
}

// Certificates that SSL_CTX_use_certificate would refuse are refused here, where the file is known.
std::optional<std::string> weakness(const KeyPair& pair) {
  ERR_clear_error();
  const SslContextPtr context{SSL_CTX_new(TLS_method())};
  if (!context) return openssl_reason();
  raise_security_level(context.get());
  bool is_fine = SSL_CTX_use_certificate(context.get(), pair.leaf.get()) == 1;
  for (const X509Ptr& link : pair.chain) {
    is_fine = is_fine && SSL_CTX_add1_chain_cert(context.get(), link.get()) == 1;
  }
  is_fine = is_fine && SSL_CTX_use_PrivateKey(context.get(), pair.key.get()) == 1;
  if (is_fine) return std::nullopt;
  const int reason = ERR_GET_REASON(ERR_peek_error());
  const std::string text = openssl_reason();
  switch (reason) {
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
      return "has too small a key (" + text + "): RSA needs 2048 bits at least, have it made anew";
    case SSL_R_CA_MD_TOO_WEAK:
      return "is signed with too weak a digest (" + text + "): have it signed anew with SHA-256";
    default: return "cannot be used: " + text;
  }
}

std::optional<std::string> mismatch(const KeyPair& pair, const std::string& certificate_path) {
  if (X509_check_private_key(pair.leaf.get(), pair.key.get()) == 1) return std::nullopt;
  std::optional<std::string> why = "its key does not belong to the first certificate in " + certificate_path;
  for (const X509Ptr& link : pair.chain) {
    if (X509_check_private_key(link.get(), pair.key.get()) != 1) continue;
    why = "its key belongs to a later certificate in " + certificate_path +
          ": the server's own must come first, the chain behind it";
  }
  ERR_clear_error();
  return why;
}

}  // namespace

void raise_security_level(SSL_CTX* context) {
  constexpr int kAtLeast = 2;  // no SHA-1, no RSA below 2048 bits
  if (SSL_CTX_get_security_level(context) < kAtLeast) SSL_CTX_set_security_level(context, kAtLeast);
}

std::unexpected<std::string> file_error(const std::string& path, const std::string& reason) {
  return std::unexpected(path + ": " + reason);
}

std::string openssl_reason() {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(error);
  return reason ? reason : "no reason given";
}

Loaded<std::string> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // not waiting for the writer of a pipe
  if (!fd) return file_error(path, "cannot be opened: " + text_of(errno));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return file_error(path, "cannot be read: " + text_of(errno));
  if (!S_ISREG(status.st_mode)) return file_error(path, "is not a file");
  std::string text;
  while (text.size() <= kMaxFileBytes) {
    constexpr std::size_t kStep = std::size_t{16} * 1024;
    const std::size_t had = text.size();
    text.resize(had + kStep);
    const ssize_t n = ::read(fd.get(), text.data() + had, kStep);
    text.resize(had + static_cast<std::size_t>(n > 0 ? n : 0));
    if (n == 0) return text;
    if (n < 0 && errno != EINTR) return file_error(path, "cannot be read: " + text_of(errno));
  }
  return file_error(path, "is larger than 1 MiB, so it is no certificate or key");
}

Loaded<std::vector<X509Ptr>> read_certificates(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  auto all = parse_certificates(*text, kMaxTrusted);
  if (!all) return file_error(path, all.error());
  return all;
}

Loaded<KeyPair> read_key_pair(const std::string& certificate_path, const std::string& key_path) {
  const auto text = read_file(certificate_path);
  if (!text) return std::unexpected(text.error());
  auto certificates = parse_certificates(*text, 1 + kMaxChain);
  if (!certificates) return file_error(certificate_path, certificates.error());
  KeyPair pair;
  pair.leaf = std::move(certificates->front());
  certificates->erase(certificates->begin());
  pair.chain = std::move(*certificates);

  const std::string& path = key_path.empty() ? certificate_path : key_path;
  const auto key_text = key_path.empty() ? text : read_file(key_path);
  if (!key_text) return std::unexpected(key_text.error());
  auto key = parse_key(*key_text);
  if (!key) {
    return file_error(path, key.error() + (key_path.empty() ? "; name its file with key=, if it is in another" : ""));
  }
  pair.key = std::move(*key);
  if (const auto why = mismatch(pair, certificate_path)) return file_error(path, *why);
  if (const auto why = weakness(pair)) return file_error(certificate_path, *why);
  return pair;
}

StorePtr trust_in(std::span<const X509Ptr> certificates) {
  StorePtr store{X509_STORE_new()};
  for (const X509Ptr& one : certificates) {
    SW_CHECK(X509_STORE_add_cert(store.get(), one.get()) == 1, "out of memory");
  }
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return store;
}

std::string to_string(const X509_NAME* name) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace seawall::net
