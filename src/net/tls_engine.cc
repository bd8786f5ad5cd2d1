#include "net/tls_engine.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "net/openssl_ptr.h"
#include "net/tls_client.h"
#include "net/tls_server.h"

namespace seawall::net {

// OpenSSL's side of the engine: it reads what was fed, and what it writes goes to the caller's string. The end of what
// is fed is never told to OpenSSL, which would then refuse to write as well: read() sees it.
struct TlsEngine::Bio {
  static TlsEngine& engine_of(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t size, std::size_t* got) {
    std::string_view& fed = engine_of(bio).fed_;
    BIO_clear_retry_flags(bio);
    if (fed.empty()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    *got = fed.copy(into, size);
    fed.remove_prefix(*got);
    return 1;
  }

  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
    std::string* const out = engine_of(bio).out_;
    SW_DASSERT(out != nullptr, "OpenSSL writes only within a call");
    BIO_clear_retry_flags(bio);
    out->append(from, size);
    *written = size;
    return 1;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "seawall");
      SW_CHECK(m != nullptr, "out of memory");
      BIO_meth_set_read_ex(m, read);
      BIO_meth_set_write_ex(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
};

namespace {

bool is_about_version(int reason) {
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_INAPPROPRIATE_FALLBACK:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: return true;
    default: return false;
  }
}

ErrorCode code_of_verification(long result) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return ErrorCode::kTlsCertificateExpired;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return ErrorCode::kTlsCertificateName;
    default: return ErrorCode::kTlsCertificateUntrusted;
  }
}

// An alert from a client is about the certificate that we showed it.
ErrorCode code_of_clients_alert(int alert) {
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_INSUFFICIENT_SECURITY: return ErrorCode::kTlsVersion;
    case SSL_AD_CERTIFICATE_EXPIRED: return ErrorCode::kTlsCertificateExpired;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA: return ErrorCode::kTlsCertificateUntrusted;
    default: return ErrorCode::kTlsFailed;
  }
}

// An alert from a server is about ours, or its lack.
ErrorCode code_of_servers_alert(int alert, const SSL* ssl) {
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_INSUFFICIENT_SECURITY: return ErrorCode::kTlsVersion;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED: return ErrorCode::kTlsClientCertificate;
    // All that TLS 1.2 has for "certificate required"; then it had asked, and said whose it would take.
    case SSL_AD_HANDSHAKE_FAILURE:
      return SSL_get0_peer_CA_list(ssl) ? ErrorCode::kTlsClientCertificate : ErrorCode::kTlsFailed;
    default: return ErrorCode::kTlsFailed;
  }
}

// "tlsv1 alert unknown ca" as "alert: unknown ca". SSL_alert_desc_string_long() knows those of TLS 1.2 only.
std::string text_of_alert(unsigned long error, int alert) {
  constexpr std::string_view kWord = "alert ";
  const char* const reason = ERR_reason_error_string(error);
  const std::string_view text = reason ? reason : "";
  const std::size_t at = text.find(kWord);
  return "alert: " + (at == text.npos ? std::to_string(alert) : std::string(text.substr(at + kWord.size())));
}

// What came first of libssl's own, which knows what it was about; else what came first. 0: nothing did.
unsigned long root_cause() {
  const unsigned long first = ERR_peek_error();
  for (unsigned long error = 0; (error = ERR_get_error()) != 0;) {
    if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
      ERR_clear_error();
      return error;
    }
  }
  return first;
}

}  // namespace

void TlsEngine::prepare(SSL_CTX* context) {
  // No buffers while idle, and the chain as configured: OpenSSL would put one together at each handshake.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY |
                                SSL_MODE_NO_AUTO_CHAIN);
  // One call for a record instead of two, one for its header. What was fed is read to its end either way.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

TlsEngine::TlsEngine(SSL* ssl) : ssl_(ssl) {
  SW_CHECK(ssl_ != nullptr, "out of memory");
  BIO* const bio = BIO_new(Bio::method());
  SW_CHECK(bio != nullptr, "out of memory");
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
}

TlsEngine& TlsEngine::of(SSL* ssl) {
  return Bio::engine_of(SSL_get_rbio(ssl));
}

TlsEngine::~TlsEngine() {
  // Else OpenSSL takes the session for broken, and it can be resumed no more: TCP may end without close_notify.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

void TlsEngine::feed(std::string_view ciphertext, bool is_end) {
  SW_DASSERT(fed_.empty() || has_failed_ || (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0,
             "what was fed before is used up");
  fed_ = ciphertext;
  fed_end_ = is_end;
}

ByteStream::Outcome TlsEngine::read(std::span<char> into, std::string& out) {
  if (has_failed_) return {ByteStream::Status::kFailed, 0};
  // The usual end of a loop: cheaper than to let OpenSSL find out.
  if (is_established_ && !wants_write_ && fed_.empty() && SSL_has_pending(ssl_) == 0) return on_input_used_up();
  if (ERR_peek_error() != 0) ERR_clear_error();  // some other call's would be taken for this one's
  out_ = &out;
  std::size_t bytes = 0;
  const int result = SSL_read_ex(ssl_, into.data(), into.size(), &bytes);
  if (!is_established_ && SSL_is_init_finished(ssl_)) on_established();
  const ByteStream::Outcome outcome =
      result == 1 ? ByteStream::Outcome{ByteStream::Status::kOk, bytes} : on_nothing_read(result);
  out_ = nullptr;
  return outcome;
}

ByteStream::Outcome TlsEngine::on_nothing_read(int result) {
  const int error = SSL_get_error(ssl_, result);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  switch (error) {
    case SSL_ERROR_WANT_WRITE: return {ByteStream::Status::kBlocked, 0};
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_ZERO_RETURN: return on_input_used_up();
    default: fail_for(error); return {ByteStream::Status::kFailed, 0};
  }
}

ByteStream::Outcome TlsEngine::on_input_used_up() {
  if ((SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0) {
    if (is_established_) return {ByteStream::Status::kEnd, 0};
    fail(ErrorCode::kTlsFailed, "the peer closed the connection during the handshake");
    return {ByteStream::Status::kFailed, 0};
  }
  if (!fed_end_) return {ByteStream::Status::kBlocked, 0};
  if (is_established_) return {ByteStream::Status::kTruncated, 0};
  fail(ErrorCode::kTlsFailed, "the peer closed the connection during the handshake");
  return {ByteStream::Status::kFailed, 0};
}

bool TlsEngine::write(std::string_view plain, std::string& out) {
  SW_DASSERT(is_established_ && !kernel_encrypts_, "the handshake is done, and records are ours to make");
  if (has_failed_) return false;
  if (plain.empty()) return true;
  if (ERR_peek_error() != 0) ERR_clear_error();
  out_ = &out;
  std::size_t bytes = 0;
  const int result = SSL_write_ex(ssl_, plain.data(), plain.size(), &bytes);
  if (result != 1) fail_for(SSL_get_error(ssl_, result));
  out_ = nullptr;
  return result == 1;
}

void TlsEngine::close(std::string& out) {
  if (has_failed_ || !is_established_) return;
  if (ERR_peek_error() != 0) ERR_clear_error();
  out_ = &out;
  SSL_shutdown(ssl_);  // says that the peer's word is still to come, or that it cannot be sent: either way it is over
  ERR_clear_error();
  out_ = nullptr;
}

void TlsEngine::on_established() {
  is_established_ = true;
  if (server_) SSL_set_tlsext_status_ocsp_resp(ssl_, nullptr, 0);  // kept by OpenSSL until the end otherwise
  if (session_slot_) session_slot_->keep_renewed(ssl_);
  BIO* const own = SSL_get_rbio(ssl_);
  if (SSL_get_wbio(ssl_) == own) return;
  kernel_encrypts_ = BIO_get_ktls_send(SSL_get_wbio(ssl_)) != 0;
  if (kernel_encrypts_) return;
  BIO_up_ref(own);
  SSL_set0_wbio(ssl_, own);
}

void TlsEngine::use_kernel(int fd) {
  BIO* const socket = BIO_new_socket(fd, BIO_NOCLOSE);
  SW_CHECK(socket != nullptr, "out of memory");
  SSL_set_options(ssl_, SSL_OP_ENABLE_KTLS);
  SSL_set0_wbio(ssl_, socket);
}

void TlsEngine::fail(ErrorCode code, std::string text) {
  has_failed_ = true;
  failure_ = code;
  failure_text_ = std::make_unique<std::string>(std::move(text));
  if (session_slot_) session_slot_->drop();
}

void TlsEngine::fail_for(int ssl_error) {
  const int system_error = errno;
  const unsigned long error = root_cause();
  const int reason = ERR_GET_REASON(error);
  if (error == 0 || ssl_error == SSL_ERROR_SYSCALL) {
    return fail(ErrorCode::kTlsFailed,
                system_error != 0 ? std::generic_category().message(system_error) : "the connection broke");
  }
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
    const int alert = reason - SSL_AD_REASON_OFFSET;
    return fail(server_ ? code_of_clients_alert(alert) : code_of_servers_alert(alert, ssl_),
                text_of_alert(error, alert));
  }
  const char* const text = ERR_reason_error_string(error);
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return fail(ErrorCode::kTlsFailed, text ? text : "the record is broken");
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    const long result = SSL_get_verify_result(ssl_);
    return fail(server_ ? ErrorCode::kTlsClientCertificate : code_of_verification(result),
                X509_verify_cert_error_string(result));
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return fail(ErrorCode::kTlsClientCertificate, "the client has no certificate");
  }
  fail(is_about_version(reason) ? ErrorCode::kTlsVersion : ErrorCode::kTlsFailed, text ? text : "no reason given");
}

bool TlsEngine::is_http2() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return std::string_view(reinterpret_cast<const char*>(name), size) == "h2";
}

bool TlsEngine::is_resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

std::string_view TlsEngine::version() const {
  return SSL_get_version(ssl_);
}

std::string_view TlsEngine::cipher() const {
  const char* const name = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl_));
  return name ? name : "";
}

std::string_view TlsEngine::server_name() const {
  const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name ? name : "";
}

const Certificate* TlsEngine::certificate() const {
  return server_ ? server_->certificate_of(*this) : nullptr;
}

}  // namespace seawall::net
