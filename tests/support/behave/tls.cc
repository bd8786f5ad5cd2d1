#include "support/behave/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace seawall::behave {
namespace {

std::string reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "the connection was closed" : text;
}

void must(bool done, std::string_view what) {
  if (!done) throw Failure(std::string(what) + ": " + reason());
}

}  // namespace

struct TlsCallbacks {
  // The reference is ours from here on.
  static int keep_ticket(SSL* ssl, SSL_SESSION* session) {
    static_cast<Tls*>(SSL_get_app_data(ssl))->ticket_ = TlsTicket(session, SSL_SESSION_free);
    return 1;
  }
};

Tls::Tls(int fd, const TlsOptions& options) : fd_(fd), context_(SSL_CTX_new(TLS_client_method())) {
  must(context_ != nullptr, "TLS");
  SSL_CTX_set_min_proto_version(context_, options.min_version);
  SSL_CTX_set_max_proto_version(context_, options.max_version);
  // Weak enough to offer what a server must refuse.
  SSL_CTX_set_security_level(context_, 0);
  if (!options.ciphers.empty()) must(SSL_CTX_set_cipher_list(context_, options.ciphers.c_str()) == 1, "ciphers");
  if (!options.signatures.empty())
    must(SSL_CTX_set1_sigalgs_list(context_, options.signatures.c_str()) == 1, "sigalgs");
  if (!options.ca.empty()) {
    must(SSL_CTX_load_verify_locations(context_, options.ca.c_str(), nullptr) == 1, options.ca);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  }
  if (!options.certificate.empty()) {
    must(SSL_CTX_use_certificate_chain_file(context_, options.certificate.c_str()) == 1, options.certificate);
    const std::string& key = options.key.empty() ? options.certificate : options.key;
    must(SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM) == 1, key);
  }
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context_, TlsCallbacks::keep_ticket);

  ssl_ = SSL_new(context_);
  must(ssl_ != nullptr, "TLS");
  SSL_set_app_data(ssl_, this);
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_fd(ssl_, fd);
  SSL_set_connect_state(ssl_);
  if (!options.server_name.empty()) {
    // SSL_set_tlsext_host_name(), whose macro casts in the old style.
    SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(options.server_name.c_str()));
    SSL_set1_host(ssl_, options.server_name.c_str());
  }
  std::string protocols;
  for (const std::string& name : options.alpn) protocols += static_cast<char>(name.size()) + name;
  if (!protocols.empty()) {
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
  if (options.ticket) SSL_set_session(ssl_, options.ticket.get());
  if (options.asks_for_staple) SSL_set_tlsext_status_type(ssl_, TLSEXT_STATUSTYPE_ocsp);
}

Tls::~Tls() {
  // Without this the session that it has a ticket for would count as broken off, and never be resumed.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN);
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

Tls::Io Tls::run(const std::function<int()>& call, Millis limit) {
  const auto end = SteadyClock::now() + limit;
  for (;;) {
    ERR_clear_error();
    const int n = call();
    if (n > 0) return Io::kDone;
    const int error = SSL_get_error(ssl_, n);
    if (error == SSL_ERROR_ZERO_RETURN) return Io::kEnd;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      failure_ = reason();
      return Io::kCut;
    }
    const auto left = std::chrono::duration_cast<Millis>(end - SteadyClock::now()).count();
    if (left < 0) return Io::kTimeout;
    pollfd entry{fd_, static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    ::poll(&entry, 1, static_cast<int>(left));
  }
}

bool Tls::handshake(Millis limit) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
  const Io result = run([this] { return SSL_do_handshake(ssl_); }, limit);
  if (result == Io::kTimeout) failure_ = "no end of the handshake in time";
  return result == Io::kDone;
}

Tls::Io Tls::send(std::string_view bytes, Millis limit) {
  while (!bytes.empty()) {
    std::size_t n = 0;
    const Io result = run([&] { return SSL_write_ex(ssl_, bytes.data(), bytes.size(), &n); }, limit);
    if (result != Io::kDone) return result;
    bytes.remove_prefix(n);
  }
  return Io::kDone;
}

Tls::Io Tls::receive(std::string& out, Millis limit, std::size_t max) {
  const std::size_t had = out.size();
  std::size_t n = 0;
  out.resize(had + max);
  const Io result = run([&] { return SSL_read_ex(ssl_, out.data() + had, max, &n); }, limit);
  out.resize(had + (result == Io::kDone ? n : 0));
  return result;
}

void Tls::end() {
  if (SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::string Tls::version() const {
  return SSL_get_version(ssl_);
}

std::string Tls::cipher() const {
  return SSL_get_cipher_name(ssl_);
}

std::string Tls::alpn() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_, &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

bool Tls::is_resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

X509* Tls::shown() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) throw Failure("no certificate was shown");
  return certificate;
}

std::string Tls::common_name() const {
  char name[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(shown()), NID_commonName, name, sizeof name);
  return name;
}

std::string Tls::fingerprint() const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  must(X509_digest(shown(), EVP_sha256(), digest.data(), &size) == 1, "fingerprint");
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

std::string Tls::key_type() const {
  return EVP_PKEY_get0_type_name(X509_get0_pubkey(shown()));
}

std::size_t Tls::chain_length() const {
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_);
  return static_cast<std::size_t>(std::max(chain == nullptr ? 0 : sk_X509_num(chain), 0));
}

std::string Tls::staple() const {
  const unsigned char* der = nullptr;
  const long length = SSL_get_tlsext_status_ocsp_resp(ssl_, &der);
  return length <= 0 ? std::string()
                     : std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
}

}  // namespace seawall::behave
