// Whether the kernel can encrypt TLS itself (kTLS). Thread: any.
#pragma once

#include <string>

namespace seawall::net {

struct KernelTls {
  bool is_offered = false;
  std::string reason;  // why not
};

// Asked once, of a connection to itself.
const KernelTls& kernel_offers_tls();

}  // namespace seawall::net
