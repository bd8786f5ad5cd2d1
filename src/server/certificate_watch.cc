#include "server/certificate_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace seawall::server {

CertificateWatch::CertificateWatch(const config::Config& config) {
  const auto add = [&](const std::string& path) {
    if (!path.empty()) files_.push_back({path, look_at(path)});
  };
  for (const net::CertificateFiles& files : config.tls.certificates) {
    add(files.certificate);
    add(files.key);
    add(files.ocsp);
  }
  add(config.tls.client_ca);
  for (const config::OriginConfig& origin : config.origins) {
    if (std::ranges::none_of(origin.options.servers, &origin::ServerConfig::is_tls)) continue;
    add(origin.options.tls.ca);
    add(origin.options.tls.certificate);
    add(origin.options.tls.key);
  }
}

CertificateWatch::Stamp CertificateWatch::look_at(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool CertificateWatch::has_changed() {
  bool differs = false;
  for (File& file : files_) {
    const Stamp now = look_at(file.path);
    differs = differs || now != file.stamp;
    file.stamp = now;
  }
  if (differs) {
    is_settling_ = true;
    return false;
  }
  return std::exchange(is_settling_, false);
}

std::vector<std::string> CertificateWatch::take_lapsed(std::span<const Ref<const net::Certificate>> certificates,
                                                       WallTime now) {
  std::vector<std::string> lapsed;
  std::vector<Ref<const net::Certificate>> all;
  for (const Ref<const net::Certificate>& certificate : certificates) {
    const auto until = certificate->ocsp_until();
    if (!until || *until > now) continue;
    const bool is_told = std::ranges::any_of(told_, [&](const auto& told) { return told.get() == certificate.get(); });
    if (!is_told) lapsed.push_back(certificate->files().ocsp);
    all.push_back(certificate);
  }
  told_ = std::move(all);
  return lapsed;
}

}  // namespace seawall::server
