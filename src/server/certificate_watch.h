// Notices that files of TLS have changed, those with clients and those with origins, by looking at them from time to
// time: whatever way they were replaced (renamed over, written in place, a symbolic link turned), it shows here.
// Thread: the main thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ref.h"
#include "config/config.h"
#include "net/certificate.h"

namespace seawall::server {

class CertificateWatch {
 public:
  // The files of this configuration, from how they are now.
  explicit CertificateWatch(const config::Config& config);
  // Whether there is anything to look at.
  bool is_on() const { return !files_.empty(); }
  // True once for each change, when nothing has changed any more since the look before: certificate and key are two
  // files, and whoever replaces them may be between the two.
  bool has_changed();
  // Files of OCSP responses that are out of date since the last call, of the certificates in use.
  std::vector<std::string> take_lapsed(std::span<const Ref<const net::Certificate>> certificates, WallTime now);

 private:
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  struct File {
    std::string path;
    Stamp stamp;
  };
  static Stamp look_at(const std::string& path);

  std::vector<File> files_;
  bool is_settling_ = false;
  std::vector<Ref<const net::Certificate>> told_;  // whose response is out of date
};

}  // namespace seawall::server
