#include "net/tls_server.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "net/pem.h"

namespace seawall::net {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

// Mozilla's guidelines 5.7, without finite-field DHE: a client can make a server compute those at no cost to itself
// (CVE-2002-20001), and every client of theirs has ECDHE.
constexpr char kIntermediate[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kOld[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"
    "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA";
constexpr char kTls13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char kGroups[] = "X25519:prime256v1:secp384r1";

// Fetched once; EVP_sha256() would be looked up at each use.
const EVP_MD* sha256() {
  static EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  SW_CHECK(digest != nullptr, "OpenSSL has SHA-256");
  return digest;
}

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char b : bytes) {
    text += kDigits[b >> 4U];
    text += kDigits[b & 15U];
  }
  return text;
}

int number_of(TlsVersion version) {
  return version == TlsVersion::kTls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

std::string to_der(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size < 0) return {};
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

// RFC 6066 section 3, as strictly as OpenSSL reads it, which refuses the rest right after: a list of one name.
std::optional<std::string_view> read_server_name(std::span<const unsigned char> extension) {
  constexpr std::size_t kHeadBytes = 5;  // length of the list, type, length of the name
  if (extension.size() <= kHeadBytes || extension.size() > kHeadBytes + kMaxNameBytes) return std::nullopt;
  const auto number_at = [&](std::size_t i) { return std::size_t{extension[i]} << 8U | extension[i + 1]; };
  if (number_at(0) != extension.size() - 2 || extension[2] != TLSEXT_NAMETYPE_host_name) return std::nullopt;
  if (number_at(3) != extension.size() - kHeadBytes) return std::nullopt;
  const auto name = extension.subspan(kHeadBytes);
  return std::string_view(reinterpret_cast<const char*>(name.data()), name.size());
}

// What is shown for a name: at most one of a key type, for a client chooses by that.
using Choice = std::vector<Ref<const Certificate>>;

void add_if_new(Choice& choice, const Ref<const Certificate>& certificate) {
  const auto is_alike = [&](const auto& other) { return other->key_type() == certificate->key_type(); };
  if (std::ranges::none_of(choice, is_alike)) choice.push_back(certificate);
}

std::set<std::string_view> names_of(const Certificate& certificate) {
  return {certificate.names().begin(), certificate.names().end()};
}

std::expected<void, std::string> check_all_are_of_use(std::span<const Ref<const Certificate>> certificates) {
  std::map<std::pair<std::set<std::string_view>, std::string_view>, const Certificate*> seen;
  for (const auto& certificate : certificates) {
    const auto [at, is_new] = seen.try_emplace({names_of(*certificate), certificate->key_type()}, certificate.get());
    if (is_new) continue;
    return file_error(certificate->files().certificate,
                      "has the same names and type of key (" + std::string(certificate->key_type()) + ") as " +
                          at->second->files().certificate + ": one of them would never be used");
  }
  return {};
}

// The first, and those that could stand in for it.
Choice choice_for_nobody(std::span<const Ref<const Certificate>> certificates) {
  Choice choice;
  const auto names = names_of(*certificates.front());
  for (const auto& certificate : certificates) {
    if (std::ranges::includes(names_of(*certificate), names)) add_if_new(choice, certificate);
  }
  return choice;
}

// The first of each key type that has the name. A wildcard does not add to them: it would beat an exact one of another
// type with most clients.
std::map<std::string_view, Choice> choices_by_name(std::span<const Ref<const Certificate>> certificates) {
  std::map<std::string_view, Choice> choices;
  for (const auto& certificate : certificates) {
    for (const std::string& name : certificate->names()) add_if_new(choices[name], certificate);
  }
  return choices;
}

// How well we like a protocol of RFC 7301's registry; 0: not at all.
int rank_of(std::string_view protocol, bool takes_http2) {
  if (protocol == "h2") return takes_http2 ? 3 : 0;
  if (protocol == "http/1.1") return 2;
  return protocol == "http/1.0" ? 1 : 0;
}

std::string joined(std::span<const Ref<const Certificate>> certificates) {
  std::string files;
  for (const auto& one : certificates) files += (files.empty() ? "" : ", ") + one->files().certificate;
  return files;
}

}  // namespace

// Who may sign clients' certificates.
struct TlsServer::Trust {
  StorePtr store;
  std::vector<X509Ptr> authorities;
};

struct TlsServer::Callbacks {
  static const Site& site_of(const SSL* ssl) {
    return *static_cast<const Site*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  static int on_client_hello(SSL* ssl, int*, void* arg) {
    const auto& server = *static_cast<const TlsServer*>(arg);
    const unsigned char* data = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1) return SSL_CLIENT_HELLO_SUCCESS;
    const auto name = read_server_name({data, size});
    if (!name) return SSL_CLIENT_HELLO_SUCCESS;
    SSL_CTX* const context = server.site_for(*name).context.get();
    if (SSL_get_SSL_CTX(ssl) != context) SSL_set_SSL_CTX(ssl, context);
    return SSL_CLIENT_HELLO_SUCCESS;
  }

  // That the name was used goes into the session, where a resumed TLS 1.2 connection finds it again.
  static int on_server_name(SSL*, int*, void*) { return SSL_TLSEXT_ERR_OK; }

  // RFC 7301 section 3.2: what we like best of what is offered, or no connection.
  static int on_protocols(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* in,
                          unsigned in_size, void*) {
    std::span<const unsigned char> offered(in, in_size);
    const bool takes_http2 = site_of(ssl).server.options_.http2;
    int best = 0;
    while (!offered.empty() && offered[0] < offered.size()) {
      const auto name = offered.subspan(1, offered[0]);
      offered = offered.subspan(1 + name.size());
      const std::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
      const int rank = rank_of(text, takes_http2);
      if (rank <= best) continue;
      best = rank;
      *chosen = name.data();
      *chosen_size = static_cast<unsigned char>(name.size());
    }
    return best > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                       int seals) {
    TicketKeys& keys = *site_of(ssl).server.keys_;
    const std::span<unsigned char, TicketKeys::kNameBytes> key_name(name, TicketKeys::kNameBytes);
    constexpr int kBroken = -1;
    constexpr int kUnknown = 0;
    constexpr int kTaken = 1;
    constexpr int kRenewed = 2;
    if (seals == 1) return keys.seal(key_name, iv, cipher, mac) ? kTaken : kBroken;
    switch (keys.open(key_name, iv, cipher, mac)) {
      case TicketKeys::Opened::kFailed: return kBroken;
      case TicketKeys::Opened::kUnknown: return kUnknown;
      // RFC 8446 appendix C.4: a ticket shown twice would tell who is the same, so each gives way to a new one.
      case TicketKeys::Opened::kCurrent: return SSL_version(ssl) >= TLS1_3_VERSION ? kRenewed : kTaken;
      case TicketKeys::Opened::kOld: return kRenewed;
    }
    return kBroken;
  }

  // The certificate has been chosen by then.
  static int on_status_request(SSL* ssl, void*) {
    const Certificate* const certificate = sent(ssl);
    if (!certificate || certificate->ocsp().empty()) return SSL_TLSEXT_ERR_NOACK;
    const auto until = certificate->ocsp_until();
    if (until && *until <= site_of(ssl).server.keys_->clock().wall_now()) return SSL_TLSEXT_ERR_NOACK;
    const std::string& ocsp = certificate->ocsp();
    void* const copy = OPENSSL_memdup(ocsp.data(), ocsp.size());
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(ocsp.size()));
    return SSL_TLSEXT_ERR_OK;
  }

  // With `optional` a bad certificate is told, not refused.
  static int on_verified(int, X509_STORE_CTX*) { return 1; }

  static const Certificate* sent(const SSL* ssl) {
    const X509* const leaf = SSL_get_certificate(ssl);
    const auto& shown = site_of(ssl).shown;
    // A session does not tell which of them it began with: of the one for most names nothing is refused that was not.
    if (SSL_session_reused(ssl) == 1) {
      const auto names_of = [](const Site::Shown& s) { return s.certificate->names().size(); };
      return std::ranges::max_element(shown, {}, names_of)->certificate.get();
    }
    const auto found = std::ranges::find(shown, leaf, [](const Site::Shown& s) { return s.leaf.get(); });
    return found == shown.end() ? nullptr : found->certificate.get();
  }
};

TlsServer::TlsServer(const TlsServerOptions& options, std::shared_ptr<TicketKeys> keys)
    : options_(options), keys_(std::move(keys)) {}

std::expected<Ref<const TlsServer>, std::string> TlsServer::create(const TlsServerOptions& options,
                                                                   std::span<const Ref<const Certificate>> certificates,
                                                                   std::shared_ptr<TicketKeys> keys) {
  SW_CHECK(!certificates.empty() && keys, "a TLS server has a certificate, and keys for its tickets");
  Ref<TlsServer> server(new TlsServer(options, std::move(keys)));
  Trust trust;
  if (options.client_auth != ClientAuth::kOff) {
    auto authorities = read_certificates(options.client_ca);
    if (!authorities) return std::unexpected(authorities.error());
    trust = {.store = trust_in(*authorities), .authorities = std::move(*authorities)};
  }

  if (const auto checked = check_all_are_of_use(certificates); !checked) return std::unexpected(checked.error());
  std::map<std::vector<const Certificate*>, const Site*> site_of;
  const auto find_or_add = [&](const Choice& choice) -> std::expected<const Site*, std::string> {
    std::vector<const Certificate*> key;
    for (const auto& certificate : choice) key.push_back(certificate.get());
    const Site*& site = site_of[key];
    if (!site) {
      auto added = server->add_site(choice, trust);
      if (!added) return added;
      site = *added;
    }
    return site;
  };
  // First of all, for it is the default.
  if (const auto site = find_or_add(choice_for_nobody(certificates)); !site) return std::unexpected(site.error());
  for (const auto& [name, choice] : choices_by_name(certificates)) {
    const auto site = find_or_add(choice);
    if (!site) return std::unexpected(site.error());
    server->by_name_.emplace(name, *site);
  }
  return server;
}

std::expected<const TlsServer::Site*, std::string> TlsServer::add_site(
    std::span<const Ref<const Certificate>> certificates, const Trust& trust) {
  Site& site = *sites_.emplace_back(std::make_unique<Site>(*this));
  site.context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = site.context.get();
  if (!context) return std::unexpected("OpenSSL: " + openssl_reason());
  configure(context);
  SSL_CTX_set_app_data(context, &site);
  for (const auto& certificate : certificates) {
    if (const auto added = add_certificate(site, certificate); !added) return std::unexpected(added.error());
  }

  // Sessions are good for one site, and for clients that had to show as much of themselves as now.
  const std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>> hash{EVP_MD_CTX_new()};
  const auto add = [&](std::string_view part) {
    const std::size_t size = part.size();
    return EVP_DigestUpdate(hash.get(), &size, sizeof size) == 1 &&
           EVP_DigestUpdate(hash.get(), part.data(), part.size()) == 1;
  };
  bool is_done = hash && EVP_DigestInit_ex2(hash.get(), sha256(), nullptr) == 1;
  for (const auto& certificate : certificates) {
    is_done = is_done && add(certificate->key_type());
    for (const std::string_view name : names_of(*certificate)) is_done = is_done && add(name);
  }
  is_done = is_done && add(std::to_string(std::to_underlying(options_.client_auth)));
  for (const X509Ptr& authority : trust.authorities) is_done = is_done && add(to_der(authority.get()));
  std::array<unsigned char, EVP_MAX_MD_SIZE> id{};
  unsigned size = 0;
  is_done = is_done && EVP_DigestFinal_ex(hash.get(), id.data(), &size) == 1 &&
            SSL_CTX_set_session_id_context(context, id.data(), size) == 1;
  if (!is_done) return std::unexpected(joined(certificates) + ": cannot be used: " + openssl_reason());

  if (trust.store) {
    SSL_CTX_set1_verify_cert_store(context, trust.store.get());
    for (const X509Ptr& authority : trust.authorities) SSL_CTX_add_client_CA(context, authority.get());
    const bool is_required = options_.client_auth == ClientAuth::kRequired;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       is_required ? nullptr : Callbacks::on_verified);
  }
  return &site;
}

std::expected<void, std::string> TlsServer::add_certificate(Site& site, const Ref<const Certificate>& certificate) {
  // Copies, so that workers do not count the same references, nor wait for the same locks in RSA.
  X509Ptr leaf{X509_dup(certificate->leaf())};
  const KeyPtr key{EVP_PKEY_dup(certificate->key())};
  SSL_CTX* const context = site.context.get();
  bool is_done = leaf && key && SSL_CTX_use_certificate(context, leaf.get()) == 1 &&
                 SSL_CTX_use_PrivateKey(context, key.get()) == 1;
  for (const X509Ptr& link : certificate->chain()) {
    const X509Ptr copy{X509_dup(link.get())};
    is_done = is_done && copy && SSL_CTX_add1_chain_cert(context, copy.get()) == 1;
  }
  if (!is_done) return file_error(certificate->files().certificate, "cannot be used: " + openssl_reason());
  site.shown.push_back({.leaf = std::move(leaf), .certificate = certificate});
  return {};
}

void TlsServer::configure(SSL_CTX* context) const {
  TlsEngine::prepare(context);
  raise_security_level(context);
  const TlsVersion least = options_.policy == TlsPolicy::kModern ? TlsVersion::kTls13 : TlsVersion::kTls12;
  SSL_CTX_set_min_proto_version(context, number_of(options_.min_version.value_or(least)));
  SSL_CTX_set_cipher_list(context, options_.policy == TlsPolicy::kOld ? kOld : kIntermediate);
  SSL_CTX_set_ciphersuites(context, kTls13);
  SSL_CTX_set1_groups_list(context, kGroups);
  if (options_.policy == TlsPolicy::kOld) {
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  }

  // Sessions are with the clients, in their tickets; here is nothing.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, options_.session_tickets ? 1 : 0);
  if (options_.session_tickets) {
    constexpr Seconds kLongest{24 * 3600};
    SSL_CTX_set_timeout(context, static_cast<long>(std::min(2 * options_.ticket_rotation, kLongest).count()));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, Callbacks::on_ticket);
  } else {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  }

  // OpenSSL hands it back as it came.
  SSL_CTX_set_client_hello_cb(context, Callbacks::on_client_hello, const_cast<TlsServer*>(this));
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(Callbacks::on_server_name));
  SSL_CTX_set_alpn_select_cb(context, Callbacks::on_protocols, nullptr);
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
                        reinterpret_cast<void (*)()>(Callbacks::on_status_request));
}

const TlsServer::Site& TlsServer::site_for(std::string_view server_name) const {
  std::array<char, kMaxNameBytes> lower{};
  server_name = server_name.substr(0, lower.size());
  std::ranges::transform(server_name, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const std::string_view name(lower.data(), server_name.size());
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return *exact->second;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return *sites_.front();
  lower[dot - 1] = '*';
  const auto wildcard = by_name_.find(name.substr(dot - 1));
  return wildcard == by_name_.end() ? *sites_.front() : *wildcard->second;
}

std::unique_ptr<TlsEngine> TlsServer::accept() const {
  std::unique_ptr<TlsEngine> engine(new TlsEngine(SSL_new(sites_.front()->context.get())));
  engine->server_ = Ref<const TlsServer>(this);
  SSL_set_accept_state(engine->ssl_);
  return engine;
}

const Certificate* TlsServer::certificate_of(const TlsEngine& engine) const {
  return Callbacks::sent(engine.ssl());
}

ClientCertificate TlsServer::client_certificate(const TlsEngine& engine) {
  ClientCertificate shown;
  X509* const leaf = SSL_get0_peer_certificate(engine.ssl());
  if (!leaf) return shown;
  const long result = SSL_get_verify_result(engine.ssl());
  shown.verification = result == X509_V_OK ? "SUCCESS" : std::string("FAILED:") + X509_verify_cert_error_string(result);
  shown.subject = to_string(X509_get_subject_name(leaf));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(leaf, sha256(), digest.data(), &size) == 1) {
    shown.fingerprint = hex(std::span(digest).first(size));
  }
  shown.der = to_der(leaf);
  return shown;
}

}  // namespace seawall::net
