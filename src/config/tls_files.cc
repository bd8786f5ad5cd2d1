#include "config/tls_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "config/diagnostics.h"
#include "net/certificate.h"
#include "net/ticket_keys.h"
#include "net/tls_client.h"
#include "net/tls_server.h"

namespace seawall::config {
namespace {

// Whether it is about that file: "FILE: reason".
bool names(const std::string& error, const std::string& file) {
  return !file.empty() && error.starts_with(file + ": ");
}

void check_certificates(const Input& input, const Clock& clock, Report& report) {
  const net::TlsServerOptions& tls = input.config.tls;
  const auto add_at = [&](std::size_t entry, const std::string& error) {
    report.add(input.set.at("tls.certificates").element(entry), fmt::format("tls.certificates: {}", error));
  };
  std::vector<Ref<const net::Certificate>> certificates;
  for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
    auto certificate = net::Certificate::load(tls.certificates[i], clock.wall_now());
    if (certificate) {
      certificates.push_back(std::move(*certificate));
    } else {
      add_at(i, certificate.error());
    }
  }
  const bool lacks_authorities = tls.client_auth != net::ClientAuth::kOff && tls.client_ca.empty();
  if (certificates.empty() || lacks_authorities) return;
  const auto keys = std::make_shared<net::TicketKeys>(clock, tls.ticket_rotation);
  const auto server = net::TlsServer::create(tls, certificates, keys);
  if (server) return;
  if (names(server.error(), tls.client_ca)) {
    report.add(input.set.at("tls.client_ca"), fmt::format("tls.client_ca: {}", server.error()));
    return;
  }
  // Of two that do not go together it is the later one.
  std::size_t entry = tls.certificates.size();
  while (entry > 0 && !names(server.error(), tls.certificates[entry - 1].certificate)) --entry;
  add_at(entry > 0 ? entry - 1 : 0, server.error());
}

void check_acme_directory(const Input& input, Report& report) {
  const std::string& directory = input.config.edge.acme_directory;
  std::error_code error;
  if (directory.empty() || std::filesystem::is_directory(directory, error)) return;
  report.add(input.set.at("tls.acme"),
             fmt::format("tls.acme: {}: {}", directory,
                         error ? fmt::format("cannot be opened: {}", error.message()) : "is not a directory"));
}

void check_client_files(const OriginDraft& origin, const Clock& clock, Report& report) {
  const net::TlsClientOptions& tls = origin.config.options.tls;
  const bool has_tls = std::ranges::any_of(origin.config.options.servers, &origin::ServerConfig::is_tls);
  // The rest is told already, or opens no file.
  if (!has_tls || tls.min_version > tls.max_version || (tls.certificate.empty() && tls.ca.empty())) return;
  const auto context = net::TlsClientContext::load(tls, clock.wall_now());
  if (context) return;
  const std::string& error = context.error();
  const std::string_view key = names(error, tls.ca)            ? "origin.tls.ca"
                               : names(error, tls.certificate) ? "origin.tls.certificate"
                               : names(error, tls.key)         ? "origin.tls.key"
                                                               : "origin.servers";
  report.add(origin.set.at(key), fmt::format("{}: {}", key, error));
}

}  // namespace

void check_tls_files(const Input& input, const Clock& clock, Report& report) {
  check_certificates(input, clock, report);
  check_acme_directory(input, report);
  for (const OriginDraft& origin : input.origins) check_client_files(origin, clock, report);
}

std::vector<std::string> lapsed_ocsp_files(const Config& config, WallTime now) {
  std::vector<std::string> lapsed;
  lapsed.reserve(config.tls.certificates.size());
  for (const net::CertificateFiles& files : config.tls.certificates) {
    if (files.ocsp.empty()) continue;
    const auto certificate = net::Certificate::load(files, now);
    if (certificate && (*certificate)->ocsp().empty()) lapsed.push_back(files.ocsp);
  }
  return lapsed;
}

}  // namespace seawall::config
