#include "net/tls_client.h"

#include <openssl/err.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "net/certificate.h"
#include "net/openssl_ptr.h"
#include "net/pem.h"
#include "net/resolver.h"

namespace seawall::net {
namespace {

namespace fs = std::filesystem;

std::string environment_or(const char* variable, const char* otherwise) {
  const char* const value = ::secure_getenv(variable);
  return value ? value : otherwise;
}

// "2c543cd1.0": what OpenSSL looks for by the hash of a name.
bool is_hash_link(const std::string& name) {
  return name.size() >= 10 && name.find_first_not_of("0123456789abcdef") == 8 && name[8] == '.';
}

Loaded<StorePtr> read_trust(const std::string& file) {
  const auto certificates = read_certificates(file);
  if (!certificates) return std::unexpected(certificates.error());
  return trust_in(*certificates);
}

// Everything, now: OpenSSL would look into the folder during handshakes, on a worker.
Loaded<StorePtr> read_system_trust() {
  const std::string file = environment_or(X509_get_default_cert_file_env(), X509_get_default_cert_file());
  const std::string folder = environment_or(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  StorePtr store{X509_STORE_new()};
  bool is_empty = X509_STORE_load_file(store.get(), file.c_str()) != 1;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!is_hash_link(it->path().filename().string())) continue;
    if (X509_STORE_load_file(store.get(), it->path().c_str()) == 1) is_empty = false;
  }
  ERR_clear_error();
  if (!is_empty) return store;
  return file_error(folder,
                    "holds no certificates to check an origin's against: install ca-certificates, or name a "
                    "file with ca");
}

int number_of(TlsVersion version) {
  return version == TlsVersion::kTls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

std::string without_brackets_and_dot(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  // RFC 6066 section 3: the name goes without the root's dot.
  if (host.ends_with('.')) host.remove_suffix(1);
  return std::string(host);
}

}  // namespace

std::expected<std::shared_ptr<const TlsClientContext>, std::string> TlsClientContext::load(
    const TlsClientOptions& options, WallTime now) {
  if (options.min_version > options.max_version) {
    return std::unexpected("min_version is above max_version: no version of TLS is left");
  }
  if (!options.server_name.empty() && !is_host_name(options.server_name) && !parse_ip(options.server_name, 0)) {
    return std::unexpected("server_name is neither a name nor an address: " + options.server_name);
  }
  std::shared_ptr<TlsClientContext> loaded(new TlsClientContext);
  loaded->options_ = options;
  loaded->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = loaded->context_.get();
  if (!context) return std::unexpected("OpenSSL: " + openssl_reason());
  TlsEngine::prepare(context);
  SSL_CTX_set_min_proto_version(context, number_of(options.min_version));
  SSL_CTX_set_max_proto_version(context, number_of(options.max_version));
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, TlsClient::on_new_session);

  if (options.verify) {
    const auto store = options.ca.empty() ? read_system_trust() : read_trust(options.ca);
    if (!store) return std::unexpected(store.error());
    SSL_CTX_set1_cert_store(context, store->get());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(context), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  }
  if (!options.certificate.empty()) {
    const auto pair = read_key_pair(options.certificate, options.key);
    if (!pair) return std::unexpected(pair.error());
    if (const std::string why = why_not_valid(pair->leaf.get(), now); !why.empty()) {
      return file_error(options.certificate, why);
    }
    SSL_CTX_use_certificate(context, pair->leaf.get());
    for (const X509Ptr& link : pair->chain) SSL_CTX_add1_chain_cert(context, link.get());
    if (SSL_CTX_use_PrivateKey(context, pair->key.get()) != 1) {
      return file_error(options.certificate, "cannot be used: " + openssl_reason());
    }
  }
  return loaded;
}

TlsClient::TlsClient(std::shared_ptr<const TlsClientContext> context, std::string_view host, bool offers_http2,
                     Ref<TlsSessionSlot> sessions)
    : context_(std::move(context)),
      host_(without_brackets_and_dot(context_->options().server_name.empty() ? host : context_->options().server_name)),
      is_address_(parse_ip(host_, 0).has_value()),
      offers_http2_(offers_http2),
      session_slot_(sessions ? std::move(sessions) : make_ref<TlsSessionSlot>()) {}

std::unique_ptr<TlsEngine> TlsClient::connect() {
  std::unique_ptr<TlsEngine> engine(new TlsEngine(SSL_new(context_->get())));
  engine->session_slot_ = session_slot_;
  SSL* const ssl = engine->ssl_;
  SSL_set_connect_state(ssl);
  bool is_set = true;
  if (is_address_) {
    if (context_->options().verify) is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host_.c_str()) == 1;
  } else {
    // RFC 6066 section 3: no addresses.
    is_set = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host_.data()) == 1;
    if (context_->options().verify) is_set = is_set && SSL_set1_host(ssl, host_.c_str()) == 1;
  }
  SW_CHECK(is_set, "a host fits into TLS");
  static constexpr std::string_view kBoth{"\x02h2\x08http/1.1"};
  const std::string_view offered = offers_http2_ ? kBoth : kBoth.substr(3);
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(offered.data()),
                      static_cast<unsigned>(offered.size()));
  if (session_slot_->get()) SSL_set_session(ssl, session_slot_->get());
  return engine;
}

void TlsSessionSlot::keep_renewed(SSL* ssl) {
  const SSL_SESSION* const now = SSL_get_session(ssl);
  if (SSL_version(ssl) != TLS1_2_VERSION || now == session_.get() || SSL_SESSION_is_resumable(now) != 1) return;
  keep(SessionPtr(SSL_get1_session(ssl)));
}

// Keeps the reference that comes with it.
int TlsClient::on_new_session(SSL* ssl, SSL_SESSION* session) {
  TlsEngine::of(ssl).session_slot_->keep(SessionPtr(session));
  return 1;
}

}  // namespace seawall::net
